use proptest::prelude::*;

use super::*;

const NAME: &str = "fairlead-controller";

fn timing() -> Timing {
    let seconds = Duration::from_secs;
    Timing::new(seconds(15), seconds(10), seconds(2)).unwrap()
}

fn elector(identity: &str) -> Elector {
    Elector::new(
        "fairlead-system".to_owned(),
        NAME.to_owned(),
        identity.to_owned(),
        timing(),
    )
}

fn at(seconds: u64) -> Moment {
    Moment(Duration::from_secs(seconds))
}

fn now(seconds: u64) -> Now {
    Now {
        moment: at(seconds),
        time: Timestamp::UNIX_EPOCH,
    }
}

/// A lease in a version, held by somebody for so many seconds.
fn lease(version: &str, holder: &str, seconds: Option<i32>) -> Lease {
    Lease {
        metadata: ObjectMeta {
            namespace: Some("fairlead-system".to_owned()),
            name: Some(NAME.to_owned()),
            resource_version: Some(version.to_owned()),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: seconds,
            lease_transitions: Some(3),
            acquire_time: Some(MicroTime(Timestamp::UNIX_EPOCH)),
            preferred_holder: Some("kept".to_owned()),
            ..LeaseSpec::default()
        }),
    }
}

/// A step in a word.
fn word(step: &Step) -> String {
    let written = |lease: &Lease| {
        let spec = lease.spec.clone().unwrap();
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        format!("{} {version}", spec.lease_transitions.unwrap())
    };
    match step {
        Step::Look => "look".to_owned(),
        Step::Create(lease) => format!("create {}", written(lease).trim()),
        Step::Replace(lease) => format!("replace {}", written(lease)),
        Step::Wait { holder, until } => format!("wait for {holder} until {}", until.0.as_secs()),
        Step::Stop(loss) => format!("stop: {loss}"),
    }
}

/// What each sees at 100 s (the lease; whether it is there) and does at another time.
#[test]
fn every_state_has_its_step() {
    let candidate = || elector("me");
    let leader = || {
        let mut leader = elector("me");
        leader.wrote(lease("1", "me", Some(15)), at(100));
        leader
    };
    let held = |holder: &str| Some(lease("7", holder, Some(15)));
    #[rustfmt::skip] // one line a case
    let cases = [
        (candidate(), None,                         100, "create 0"),
        (candidate(), held(""),                     100, "replace 4 7"),
        (candidate(), held("other"),                100, "wait for other until 115"),
        (candidate(), held("other"),                114, "wait for other until 115"),
        (candidate(), held("other"),                115, "replace 4 7"),
        // Its own write was made, although the answer was lost.
        (candidate(), held("me"),                   100, "replace 3 7"),
        // How long a lease lasts is said by who holds it; by us where it does not say.
        (candidate(), Some(lease("7", "other", Some(60))), 159, "wait for other until 160"),
        (candidate(), Some(lease("7", "other", None)),     114, "wait for other until 115"),
        (candidate(), Some(lease("7", "other", Some(-1))), 114, "wait for other until 115"),
        (candidate(), Some(lease("7", "other", Some(i32::MAX))), 101, "wait for other until 3700"),
        (leader(),    held("me"),                   109, "replace 3 7"),
        (leader(),    held("me"),                   110, "stop: it could not be renewed within 10s"),
        (leader(),    held("other"),                101, "stop: other holds it"),
        // Somebody took the lease away, not to hold it.
        (leader(),    held(""),                     101, "replace 4 7"),
        (leader(),    None,                         101, "create 0"),
    ];
    for (mut elector, lease, seconds, expected) in cases {
        elector.saw(lease, at(100));
        assert_eq!(word(&elector.next(now(seconds))), expected, "{elector:?}");
    }
    assert_eq!(word(&candidate().next(now(0))), "look");
    let mut missed = leader();
    missed.missed();
    assert_eq!(word(&missed.next(now(109))), "look");
    assert_eq!(word(&missed.next(now(110))), "stop: it could not be renewed within 10s");
    // What was written is renewed without a look.
    assert_eq!(word(&leader().next(now(102))), "replace 3 1");
}

#[test]
fn a_lease_runs_out_only_when_it_does_not_change() {
    let mut candidate = elector("me");
    for (seconds, version) in [(100, "1"), (102, "2"), (104, "3"), (112, "3"), (118, "3")] {
        candidate.saw(Some(lease(version, "other", Some(15))), at(seconds));
        let step = word(&candidate.next(now(seconds)));
        assert!(step.starts_with("wait"), "{version}: {step}");
    }
    assert_eq!(word(&candidate.next(now(119))), "replace 4 3");
    // One that was made anew is another, whatever its version.
    let mut anew = lease("3", "other", Some(15));
    anew.metadata.uid = Some("another".to_owned());
    candidate.saw(Some(anew), at(119));
    assert_eq!(word(&candidate.next(now(119))), "wait for other until 134");
}

#[test]
fn what_is_written_keeps_what_others_wrote() {
    let mut candidate = elector("me");
    candidate.saw(Some(lease("7", "", Some(1))), at(0));
    let Step::Replace(taken) = candidate.next(now(1)) else {
        panic!("it is free");
    };
    let spec = taken.spec.clone().unwrap();
    assert_eq!(
        (spec.holder_identity.as_deref(), spec.lease_duration_seconds),
        (Some("me"), Some(15))
    );
    assert_eq!(spec.preferred_holder.as_deref(), Some("kept"));
    let acquired = spec.acquire_time.clone();
    candidate.wrote(taken, at(1));
    let later = Now {
        moment: at(3),
        time: Timestamp::from_second(3).unwrap(),
    };
    let Step::Replace(renewed) = candidate.next(later) else {
        panic!("it leads");
    };
    let spec = renewed.spec.clone().unwrap();
    assert_eq!((spec.acquire_time, spec.lease_transitions), (acquired, Some(4)));
    assert_eq!(spec.renew_time, Some(MicroTime(later.time)));
}

#[test]
fn only_a_leader_gives_the_lease_back() {
    let time = Timestamp::UNIX_EPOCH;
    let mut elector = elector("me");
    elector.saw(Some(lease("7", "me", Some(15))), at(0));
    assert_eq!(elector.release(time), None, "it may lead, and does not know");
    elector.wrote(lease("8", "me", Some(15)), at(1));
    let released = elector.release(time).unwrap();
    assert_eq!(holder(&released), None);
    assert_eq!(released.metadata.resource_version.as_deref(), Some("8"));
    assert_eq!(released.spec.unwrap().lease_duration_seconds, Some(1));
    elector.saw(Some(lease("9", "other", Some(15))), at(2));
    assert_eq!(elector.release(time), None);
    elector.missed();
    assert_eq!(elector.release(time), None, "a later version may be of somebody else");
}

#[test]
fn times_must_fit_each_other() {
    let new = |lease: u64, renew: u64, retry: u64| {
        let millis = Duration::from_millis;
        Timing::new(millis(lease), millis(renew), millis(retry)).map_err(|error| error.to_string())
    };
    assert!(new(15_000, 10_000, 2_000).is_ok());
    assert!(new(1_000, 999, 100).is_ok());
    for (times, named) in [
        ((0, 0, 0), "lease-duration"),
        ((1_500, 1_000, 100), "whole seconds"),
        ((3_601_000, 10_000, 2_000), "lease-duration"),
        ((15_000, 15_000, 2_000), "shorter than"),
        ((15_000, 10_000, 5_001), "retry-period"),
        ((15_000, 10_000, 99), "retry-period"),
    ] {
        let error = new(times.0, times.1, times.2).unwrap_err();
        assert!(error.contains(named), "{times:?}: {error}");
    }
}

/// What one operator does next, in hundreds of milliseconds.
#[derive(Debug, Clone)]
enum Event {
    /// A request that is made at once and whose answer takes so long.
    Answered(u64),
    /// One whose answer is lost after so long; a write was made or not.
    Lost { after: u64, made: bool },
    /// Nothing for so long.
    Rest(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (0..30_u64).prop_map(Event::Answered),
        1 => (90..160_u64).prop_map(Event::Answered),
        1 => (0..50_u64, any::<bool>()).prop_map(|(after, made)| Event::Lost { after, made }),
        2 => (1..200_u64).prop_map(Event::Rest),
    ]
}

/// The lease in the API server's hands: only the version that is there is replaced.
#[derive(Default)]
struct Kept(Option<Lease>, u64);

impl Kept {
    fn write(&mut self, mut lease: Lease) -> Option<Lease> {
        let current = self.0.as_ref().and_then(|kept| kept.metadata.resource_version.clone());
        if lease.metadata.resource_version != current {
            return None;
        }
        self.1 += 1;
        lease.metadata.resource_version = Some(self.1.to_string());
        self.0 = Some(lease.clone());
        Some(lease)
    }
}

/// One operator: what it knows, the true time it is at, and how far its clock is off.
struct Operator {
    elector: Elector,
    time: u64,
    clock: Duration,
}

impl Operator {
    fn moment(&self, time: u64) -> Moment {
        Moment(self.clock + Duration::from_millis(time * 100))
    }

    /// Does it, and says in which span of true time it knows that it leads, if it learned of one.
    fn does(&mut self, event: &Event, kept: &mut Kept) -> Option<(u64, u64)> {
        let sent = self.time;
        let (takes, made, answered) = match *event {
            Event::Rest(time) => {
                self.time += time;
                return None;
            }
            Event::Answered(takes) => (takes, true, true),
            Event::Lost { after, made } => (after, made, false),
        };
        self.time = sent + takes + 1;
        let asked = Now {
            moment: self.moment(sent),
            time: Timestamp::UNIX_EPOCH,
        };
        match self.elector.next(asked) {
            Step::Look | Step::Wait { .. } if answered => {
                let arrived = self.moment(sent + takes);
                self.elector.saw(kept.0.clone(), arrived);
            }
            Step::Look | Step::Wait { .. } => {}
            Step::Create(lease) | Step::Replace(lease) => {
                let written = if made { kept.write(lease) } else { None };
                let Some(lease) = written.filter(|_| answered) else {
                    self.elector.missed();
                    return None;
                };
                let sent_at = self.moment(sent);
                self.elector.wrote(lease, sent_at);
                let until = sent_at.after(Duration::from_secs(10)).0.saturating_sub(self.clock);
                return Some((sent + takes, u64::try_from(until.as_millis()).unwrap() / 100));
            }
            // The process ends, and a new one comes.
            Step::Stop(_) => {
                let identity = format!("{}'", self.elector.identity());
                self.elector = elector(&identity);
            }
        }
        None
    }
}

proptest! {
    /// However late answers are, and whatever is lost: nobody leads while another does. Clocks differ, and none is compared.
    #[test]
    fn no_two_lead_at_once(events in prop::collection::vec(event(), 1..300)) {
        let mut kept = Kept::default();
        let mut operators: Vec<Operator> = ["a", "b", "c"]
            .into_iter()
            .zip([0, 5_000, 77])
            .map(|(name, off)| Operator { elector: elector(name), time: 0, clock: Duration::from_secs(off) })
            .collect();
        let mut spans: Vec<(usize, u64, u64)> = Vec::new();
        for event in events {
            // Requests are made in the order of true time.
            let first = (0..3).min_by_key(|index| operators[*index].time).unwrap();
            let span = operators[first].does(&event, &mut kept);
            spans.extend(span.filter(|(from, until)| from < until).map(|(from, until)| (first, from, until)));
        }
        for (one, from, until) in &spans {
            for (other, begins, _) in &spans {
                prop_assert!(one == other || begins < from || begins >= until, "{one} and {other}: {spans:?}");
            }
        }
    }
}
