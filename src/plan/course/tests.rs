//! What follows on each state, and that none is left only by an edit.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use proptest::prelude::*;

use super::*;
use crate::api::helm_release::history::{HookStatus, SnapshotAction};
use crate::api::helm_release::remediation::{OnFailure, Remediation};
use crate::plan::records::StoredRecord;
use crate::plan::revision::PostRenderingDigests;
use crate::release::label::Driver;

const INTERVAL: Duration = Duration::from_mins(10);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn identity(config: &str) -> Identity {
    Identity {
        release_name: "shop".into(),
        namespace: "prod".into(),
        chart_name: "shop".into(),
        chart_version: "1.0.0".into(),
        app_version: None,
        chart_digest: "sha256:chart".into(),
        oci_digest: None,
        config_digest: config.into(),
        post_rendering: PostRenderingDigests::default(),
    }
}

/// A snapshot at time 100, of the values `two`.
fn snapshot(version: u32, status: &str, action: SnapshotAction) -> Snapshot {
    Snapshot {
        api_version: None,
        digest: String::new(),
        manifest_digest: None,
        action: Some(action),
        apply_method: crate::api::helm_release::history::ApplyMethod::default(),
        name: "shop".into(),
        namespace: "prod".into(),
        version,
        status: status.into(),
        chart_name: "shop".into(),
        chart_version: "1.0.0".into(),
        app_version: None,
        config_digest: "two".into(),
        post_renderers_digest: None,
        common_metadata_digest: None,
        oci_digest: None,
        first_deployed: Time(at(1)),
        last_deployed: Time(at(100)),
        deleted: None,
        hooks: BTreeMap::new(),
        test_hooks: BTreeMap::new(),
        plugins: Vec::new(),
    }
}

/// The history of a release whose first revision was deployed, and that stands so now.
pub(super) fn history(state: State) -> Vec<Snapshot> {
    use SnapshotAction::{Install, Rollback, UninstallRemediation, Upgrade};
    let first = Snapshot {
        config_digest: "one".into(),
        ..snapshot(1, "superseded", Install)
    };
    let failed = || snapshot(2, "failed", Upgrade);
    let restored = |word| Snapshot {
        config_digest: "one".into(),
        ..snapshot(3, word, Rollback)
    };
    match state {
        State::Absent => Vec::new(),
        State::Installing => vec![snapshot(1, "pending-install", Install)],
        State::InstallFailed => vec![snapshot(1, "failed", Install)],
        State::Upgrading => vec![snapshot(2, "pending-upgrade", Upgrade), first],
        State::UpgradeFailed => vec![failed(), first],
        State::Deployed => vec![snapshot(2, "deployed", Upgrade), first],
        State::TestFailed => {
            let run = HookStatus {
                phase: Some("Failed".into()),
                ..HookStatus::default()
            };
            let tested = Snapshot {
                test_hooks: BTreeMap::from([("test".to_owned(), run)]),
                ..snapshot(2, "deployed", Upgrade)
            };
            vec![tested, first]
        }
        State::RollingBack => vec![restored("pending-rollback"), failed(), first],
        State::RollbackFailed => vec![restored("failed"), failed(), first],
        State::RolledBack => vec![restored("deployed"), failed(), first],
        State::Uninstalling => vec![snapshot(2, "uninstalling", UninstallRemediation), first],
        State::Uninstalled => {
            let removed = Snapshot {
                deleted: Some(Time(at(100))),
                ..snapshot(2, "uninstalled", UninstallRemediation)
            };
            vec![removed, first]
        }
    }
}

fn stored(history: &[Snapshot]) -> Stored {
    let record = |snapshot: &Snapshot| StoredRecord {
        status: Status::from_word(&snapshot.status),
        resource_version: "1".into(),
        written_at: at(100),
        writer: None,
        driver: Driver::Secrets,
    };
    let kept = history.iter().filter(|snapshot| snapshot.deleted.is_none());
    kept.map(|snapshot| (snapshot.version, record(snapshot))).collect()
}

pub(super) fn remediation(retries: Option<u32>, remediates_last: bool, by: RemediationStrategy) -> OnFailure {
    OnFailure::Remediate(Remediation {
        retries,
        remediates_last,
        ignores_tests: false,
        by,
    })
}

/// A release in a state, and what is wanted of it.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    state: State,
    pub(super) attempted: Attempted,
    pub(super) wants: &'static str,
    asked: bool,
    forced: bool,
    gate: Verdict,
    standing: Standing,
    storage: &'static str,
    records_are_there: bool,
}

impl Scene {
    /// One whose upgrade failed as often, and is rolled back once before the retries are used up.
    pub(super) fn of(state: State, failures: u32) -> Self {
        let on_failure = remediation(Some(1), true, RemediationStrategy::Rollback);
        Self {
            state,
            attempted: Attempted {
                action: ReleaseAction::Upgrade,
                on_failure,
                failures,
            },
            wants: "two",
            asked: false,
            forced: false,
            gate: Verdict::Open,
            standing: Standing::Own,
            storage: "prod",
            records_are_there: true,
        }
    }

    pub(super) fn course(&self, now: i64) -> Course {
        let history = history(self.state);
        let stored = if self.records_are_there {
            stored(&history)
        } else {
            Stored::new()
        };
        let identity = identity(self.wants);
        let observed = Observed {
            history: &history,
            chart_digest: Some("sha256:chart"),
            storage_namespace: Some("prod"),
            standing: &self.standing,
            stored: &stored,
            attempted: self.attempted,
        };
        let wanted = Wanted {
            identity: &identity,
            storage_namespace: self.storage,
            chart_name_change: ChartNameChangeStrategy::Reinstall,
            interval: INTERVAL,
            asked: self.asked,
            forced: self.forced,
            gate: self.gate,
        };
        course(&observed, &wanted, at(now))
    }
}

/// A course in short: what is done, to which revision, and whether it begins now.
fn short(course: &Course) -> (&'static str, u32, bool) {
    match course {
        Course::Release(revision) => (revision.action.verb(), revision.number, revision.phase.is_none()),
        Course::RollBack { revision, source, .. } => {
            assert_ne!(*source, 2, "the revision that failed is restored");
            ("rollback", revision.number, revision.phase.is_none())
        }
        Course::Keep { revision, .. } => ("keep", revision.number, revision.phase.is_none()),
        Course::Uninstall(Removal::Move) => ("move", 0, false),
        Course::Uninstall(Removal::Remediation | Removal::Deletion) => ("uninstall", 0, false),
        Course::Idle { .. } => ("idle", 0, false),
    }
}

#[test]
fn the_histories_are_of_their_states() {
    for state in State::ALL {
        assert_eq!(State::of(&history(*state)), *state);
    }
}

#[test]
fn a_failed_upgrade_is_rolled_back_and_attempted_again_after_a_while() {
    let course = |state, failures, now| short(&Scene::of(state, failures).course(now));
    assert_eq!(course(State::UpgradeFailed, 1, 101), ("rollback", 3, true));
    assert_eq!(course(State::RollingBack, 1, 102), ("rollback", 3, false));
    assert_eq!(course(State::RollbackFailed, 1, 102), ("rollback", 3, false));
    assert_eq!(course(State::RolledBack, 1, 104), ("rollback", 3, false));
    assert_eq!(course(State::RolledBack, 1, 105), ("upgrade", 4, true));
    // The retries are used up: after the interval, then after twice that.
    assert_eq!(course(State::RolledBack, 2, 699), ("rollback", 3, false));
    assert_eq!(course(State::RolledBack, 2, 700), ("upgrade", 4, true));
    assert_eq!(course(State::RolledBack, 3, 1299), ("rollback", 3, false));
    assert_eq!(course(State::RolledBack, 3, 1300), ("upgrade", 4, true));
}

#[test]
fn a_failed_install_is_uninstalled_and_installed_again_after_a_while() {
    let course = |state, failures, now| {
        let mut scene = Scene::of(state, failures);
        scene.attempted.action = ReleaseAction::Install;
        scene.attempted.on_failure = remediation(Some(1), false, RemediationStrategy::Uninstall);
        short(&scene.course(now))
    };
    assert_eq!(course(State::InstallFailed, 1, 101), ("uninstall", 0, false));
    assert_eq!(course(State::Uninstalling, 1, 101), ("uninstall", 0, false));
    assert_eq!(course(State::Uninstalled, 1, 104), ("idle", 0, false));
    assert_eq!(course(State::Uninstalled, 1, 105), ("install", 3, true));
    // The last failure is left as it is, and heals in place.
    assert_eq!(course(State::InstallFailed, 2, 101), ("install", 1, false));
}

#[test]
fn what_an_upgrade_took_away_comes_back_at_once() {
    let mut scene = Scene::of(State::UpgradeFailed, 9);
    scene.attempted.on_failure = remediation(Some(1), true, RemediationStrategy::Uninstall);
    assert_eq!(short(&scene.course(101)), ("uninstall", 0, false));
    scene.state = State::Uninstalled;
    assert_eq!(short(&scene.course(101)), ("install", 3, true));
}

#[test]
fn without_a_revision_to_go_back_to_the_failed_one_is_attempted_again() {
    let mut scene = Scene::of(State::UpgradeFailed, 1);
    scene.records_are_there = false;
    assert_eq!(short(&scene.course(101)), ("upgrade", 2, false));
}

#[test]
fn a_revision_whose_test_failed_is_rolled_back_unless_that_is_ignored() {
    let mut scene = Scene::of(State::TestFailed, 1);
    assert_eq!(short(&scene.course(101)), ("rollback", 3, true));
    scene.attempted.on_failure = OnFailure::Retry { every: INTERVAL };
    assert_eq!(short(&scene.course(101)), ("upgrade", 2, false));
}

#[test]
fn a_person_or_a_change_ends_every_wait() {
    for change in [
        |scene: &mut Scene| scene.asked = true,
        |scene: &mut Scene| scene.forced = true,
        |scene: &mut Scene| scene.wants = "three",
        |scene: &mut Scene| scene.attempted.failures = 0,
    ] {
        for (state, expected) in [
            (State::RolledBack, ("upgrade", 4, true)),
            (State::Uninstalled, ("install", 3, true)),
        ] {
            let mut scene = Scene::of(state, 2);
            scene.attempted.action = ReleaseAction::Install; // not one that has to come back at once
            assert_ne!(short(&scene.course(101)), expected);
            change(&mut scene);
            assert_eq!(short(&scene.course(101)), expected);
        }
    }
}

#[test]
fn what_is_forced_begins_anew_even_if_nothing_changed() {
    for (state, expected) in [
        (State::Deployed, ("upgrade", 3, true)),
        (State::UpgradeFailed, ("upgrade", 3, true)),
        (State::RollingBack, ("upgrade", 4, true)),
        // It ends first.
        (State::Uninstalling, ("uninstall", 0, false)),
    ] {
        let mut scene = Scene::of(state, 1);
        scene.forced = true;
        assert_eq!(short(&scene.course(101)), expected);
    }
}

#[test]
fn a_release_that_is_another_one_from_now_on_is_uninstalled_first() {
    for state in State::ALL.iter().filter(|state| **state != State::Absent) {
        let mut scene = Scene::of(*state, 1);
        scene.storage = "elsewhere";
        assert_eq!(short(&scene.course(101)), ("move", 0, false), "{state:?}");
    }
    let (history, name) = (history(State::Deployed), |identity: &mut Identity| {
        identity.chart_name = "store".into();
    });
    let mut identity = identity("two");
    name(&mut identity);
    let moves = |chart_name_change| {
        let observed = Observed {
            history: &history,
            chart_digest: None,
            storage_namespace: None,
            standing: &Standing::Own,
            stored: &Stored::new(),
            attempted: Scene::of(State::Deployed, 0).attempted,
        };
        let wanted = Wanted {
            identity: &identity,
            storage_namespace: "prod",
            chart_name_change,
            interval: INTERVAL,
            asked: false,
            forced: false,
            gate: Verdict::Open,
        };
        short(&course(&observed, &wanted, at(101)))
    };
    assert_eq!(moves(ChartNameChangeStrategy::Reinstall), ("move", 0, false));
    assert_eq!(moves(ChartNameChangeStrategy::InPlaceUpdate), ("upgrade", 3, true));
}

#[test]
fn what_was_uninstalled_is_nothing_to_go_back_to() {
    use Status::{Deployed, Failed, Superseded, Uninstalled};

    let history = [snapshot(4, "failed", SnapshotAction::Upgrade)];
    let record = |status| StoredRecord {
        status,
        resource_version: "1".into(),
        written_at: at(1),
        writer: None,
        driver: Driver::Secrets,
    };
    let stored = |statuses: [Status; 3]| -> Stored { (1..).zip(statuses.map(record)).collect() };
    assert_eq!(
        rollback_target(&stored([Superseded, Deployed, Failed]), &history),
        Some(2)
    );
    assert_eq!(
        rollback_target(&stored([Deployed, Uninstalled, Failed]), &history),
        None
    );
    assert_eq!(
        rollback_target(&stored([Failed, Failed, Superseded]), &history),
        Some(3)
    );
}

/// A gate that opens at a time; one that waits for an approval without.
fn closed_until(opens: Option<i64>) -> Verdict {
    Verdict::Held(Hold {
        approved: opens.is_some(),
        opens_at: opens.map(at),
    })
}

#[test]
fn while_an_upgrade_is_held_back_what_was_attempted_last_is_gone_on_with() {
    let course = |state, failures, wants| {
        let mut scene = Scene::of(state, failures);
        (scene.wants, scene.gate) = (wants, closed_until(Some(500)));
        scene.course(101)
    };
    for (state, failures, expected) in [
        (State::Deployed, 0, ("keep", 2, false)),
        (State::Upgrading, 0, ("keep", 2, false)),
        (State::TestFailed, 0, ("keep", 2, false)),
        (State::TestFailed, 1, ("rollback", 3, true)),
        (State::UpgradeFailed, 0, ("keep", 2, false)),
        (State::UpgradeFailed, 1, ("rollback", 3, true)),
        (State::RollingBack, 1, ("rollback", 3, false)),
        (State::RollbackFailed, 1, ("rollback", 3, false)),
        (State::RolledBack, 1, ("rollback", 3, false)),
    ] {
        assert_eq!(short(&course(state, failures, "three")), expected, "{state:?}");
    }
    let until = |course| match course {
        Course::Keep { until, .. } | Course::RollBack { until, .. } | Course::Idle { until } => until,
        Course::Release(_) | Course::Uninstall(_) => panic!("{course:?}"),
    };
    assert_eq!(until(course(State::Deployed, 0, "three")), at(500));
    // The retry of what was rolled back waits for the window as well.
    assert_eq!(short(&course(State::RolledBack, 0, "two")), ("rollback", 3, false));
    assert_eq!(until(course(State::RolledBack, 0, "two")), at(500));
    let mut scene = Scene::of(State::Deployed, 0);
    (scene.wants, scene.gate) = ("three", closed_until(None));
    assert_eq!(until(scene.course(101)), at(701)); // at the interval
}

#[test]
fn what_has_begun_is_not_held_back() {
    for state in State::ALL {
        let mut scene = Scene::of(*state, 0);
        let free = scene.course(101);
        scene.gate = closed_until(None);
        if *state != State::RolledBack {
            assert_eq!(scene.course(101), free, "{state:?}");
        }
    }
}

#[test]
fn a_person_who_forces_a_revision_passes_the_gate() {
    let mut scene = Scene::of(State::Deployed, 0);
    (scene.wants, scene.gate, scene.asked) = ("three", closed_until(None), true);
    assert_eq!(short(&scene.course(101)), ("keep", 2, false));
    scene.forced = true;
    assert_eq!(short(&scene.course(101)), ("upgrade", 3, true));
}

#[test]
fn without_a_record_to_keep_a_release_by_it_is_left_alone_while_its_upgrade_is_held_back() {
    let held = |change: fn(&mut Scene)| {
        let mut scene = Scene::of(State::Deployed, 0);
        (scene.wants, scene.gate) = ("three", closed_until(Some(500)));
        change(&mut scene);
        scene.course(101)
    };
    let idle = Course::Idle { until: at(500) };
    assert_eq!(held(|scene| scene.records_are_there = false), idle);
    // What another tool released is not taken over before the gate opens either.
    let foreign = |was_whole| Standing::Foreign { newest: 9, was_whole };
    let of_another = held(|scene| {
        scene.standing = Standing::Foreign {
            newest: 9,
            was_whole: true,
        }
    });
    assert_eq!(of_another, idle);
    let mut scene = Scene::of(State::Absent, 0);
    scene.gate = closed_until(Some(500));
    scene.standing = foreign(false);
    assert_eq!(short(&scene.course(101)), ("install", 10, true));
    scene.standing = foreign(true);
    assert_eq!(scene.course(101), idle);
}

fn any_on_failure() -> impl Strategy<Value = OnFailure> {
    let by = prop::sample::select(vec![RemediationStrategy::Rollback, RemediationStrategy::Uninstall]);
    let remediate = (prop::option::of(0..4u32), any::<bool>(), any::<bool>(), by);
    prop_oneof![
        Just(OnFailure::Retry { every: INTERVAL }),
        remediate.prop_map(|(retries, remediates_last, ignores_tests, by)| {
            OnFailure::Remediate(Remediation {
                retries,
                remediates_last,
                ignores_tests,
                by,
            })
        })
    ]
}

fn any_scene() -> impl Strategy<Value = Scene> {
    let action = prop::sample::select(vec![ReleaseAction::Install, ReleaseAction::Upgrade]);
    let attempted = (action, any_on_failure(), prop_oneof![0..6u32, Just(u32::MAX)]);
    let wants = prop::sample::select(vec!["one", "two", "three"]);
    let storage = prop::sample::select(vec!["prod", "elsewhere"]);
    let state = prop::sample::select(State::ALL.to_vec());
    let asks = (any::<bool>(), any::<bool>(), any::<bool>());
    (state, attempted, wants, storage, asks).prop_map(
        |(state, (action, on_failure, failures), wants, storage, (asked, forced, records_are_there))| Scene {
            state,
            attempted: Attempted {
                action,
                on_failure,
                failures,
            },
            wants,
            asked,
            forced,
            gate: Verdict::Open,
            standing: Standing::Own,
            storage,
            records_are_there,
        },
    )
}

proptest! {
    /// Whatever there is and whatever is wanted, there is an answer, and a day later the chart is released or something is under
    /// way that ends by itself: no state waits for an edit.
    #[test]
    fn no_state_is_left_only_by_an_edit(scene in any_scene()) {
        let later = scene.course(86_400 + 100);
        let is_under_way = match &later {
            Course::Release(_) | Course::Uninstall(_) => true,
            Course::RollBack { revision, .. } => revision.phase != Some(Phase::Deployed),
            Course::Keep { .. } | Course::Idle { .. } => false,
        };
        prop_assert!(is_under_way, "{:?}", later);
    }

    /// Every wait ends at the time that it names, and none is longer than an hour.
    #[test]
    fn a_wait_ends_when_it_says(scene in any_scene(), now in 100..4_000i64) {
        let until = match scene.course(now) {
            Course::Idle { until } => until,
            Course::RollBack { revision, until, .. } if revision.phase == Some(Phase::Deployed) => until,
            Course::Release(_) | Course::Keep { .. } | Course::RollBack { .. } | Course::Uninstall(_) => return Ok(()),
        };
        prop_assert!(until > at(now) && until <= at(100 + 3600));
        let then = scene.course(until.as_second());
        prop_assert!(matches!(&then, Course::Release(revision) if revision.phase.is_none()), "{:?}", then);
    }

    /// A gate that is closed keeps every upgrade from beginning, unless it is forced, and nothing else.
    #[test]
    fn a_closed_gate_holds_back_upgrades_and_nothing_else(
        scene in any_scene(), now in 100..10_000i64, opens in prop::option::of(10_000..20_000i64), foreign in any::<bool>(),
    ) {
        let standing = if foreign { Standing::Foreign { newest: 9, was_whole: true } } else { Standing::Own };
        let scene = Scene { standing, ..scene };
        let free = scene.course(now);
        let held = Scene { gate: closed_until(opens), ..scene.clone() }.course(now);
        let begins = matches!(&free, Course::Release(revision) if revision.action == HelmAction::Upgrade && revision.phase.is_none());
        if scene.forced || !begins {
            prop_assert_eq!(held, free);
            return Ok(());
        }
        match held {
            Course::Keep { revision, until } => {
                prop_assert!(revision.phase.is_some() && until > at(now));
            }
            Course::RollBack { revision, until, .. } => {
                prop_assert!(revision.phase.is_none() || until > at(now));
            }
            Course::Idle { until } => prop_assert!(until > at(now)),
            Course::Release(_) | Course::Uninstall(_) => prop_assert!(false, "{:?}", held),
        }
    }

    /// Nothing is installed over what is still being uninstalled, and a rollback never restores what failed.
    #[test]
    fn no_step_is_skipped(scene in any_scene(), now in 100..10_000i64) {
        let course = scene.course(now);
        if scene.state == State::Uninstalling {
            prop_assert!(matches!(course, Course::Uninstall(_)));
        }
        if let Course::RollBack { source, .. } = course {
            prop_assert_ne!(source, 2);
        }
    }
}
