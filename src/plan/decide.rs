//! The decision: what a reconcile writes.
//!
//! Pure and total. It sees the revision, what is known of each object, and the time; it returns data and does nothing.

use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::revision::{Phase, Revision};
use crate::ownership::reference::ObjectReference;

/// How soon after a failure the next attempt is made when somebody changed an object meanwhile: soon enough for a person
/// who watches, and slow enough for a writer that never stops.
const STIRRED: Duration = Duration::from_secs(1);

/// Why an object is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// The ledger does not know it: never applied by this release, or forgotten.
    New,
    /// It does not exist any more.
    Missing,
    /// It was deleted and made anew by somebody else.
    Replaced,
    /// What the release wants of it, or the policy about it, differs from what was applied last.
    Intent,
    /// Somebody wrote to it since it was applied.
    Live,
}

/// The last failure, if the release's last attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// When it happened.
    pub at: Timestamp,
    /// How many there were in a row.
    pub count: u32,
    /// How long the release is left alone after it.
    pub wait: Duration,
    /// Whether a change of one of its objects brings the next attempt forward. Not so for the attempts of `Retry`: a rival
    /// that keeps writing would use them up at once.
    pub hurried_by_change: bool,
}

/// Everything that deciding needs.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The revision that the reconcile is about.
    pub revision: &'a Revision,
    /// For each desired object, in install order, why it must be applied; `None` when it need not.
    pub changes: &'a [Option<Change>],
    /// Objects of the inventory that are no longer desired.
    pub leftovers: &'a [ObjectReference],
    /// The last failure of an attempt at this revision.
    pub failure: Option<Failure>,
    /// Whether a person or a changed spec asks for an attempt now, whatever the backoff says.
    pub asked: bool,
    /// Whether somebody wrote to an object of the release since the last failure: the cause may be gone.
    pub stirred: bool,
    /// Whether hooks that come before the objects of the revision are still to be run, or are awaited.
    pub hooks_due: bool,
}

/// What a reconcile is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Apply objects and remove leftovers.
    Write(Writes),
    /// Nothing is to be written; it is awaited that the revision's objects become ready.
    Await,
    /// Nothing is to be written or awaited.
    Rest,
    /// The last attempt failed and it is too early for the next.
    Hold {
        /// When the next attempt is due.
        until: Timestamp,
    },
}

/// Objects to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Writes {
    /// Objects to apply, as indices into the desired objects, in install order.
    pub apply: Vec<usize>,
    /// Objects to remove after that.
    pub remove: Vec<ObjectReference>,
}

/// Decides what a reconcile does.
pub fn decide(input: &Input<'_>, now: Timestamp) -> Plan {
    let Input {
        revision,
        changes,
        leftovers,
        failure,
        asked,
        stirred,
        hooks_due,
    } = *input;
    let writes = Writes {
        apply: changes
            .iter()
            .enumerate()
            .filter(|(_, change)| change.is_some())
            .map(|(index, _)| index)
            .collect(),
        remove: leftovers.to_vec(),
    };
    let Some(phase) = revision.phase else {
        return Plan::Write(writes);
    };
    if writes.apply.is_empty() && writes.remove.is_empty() && !hooks_due {
        return match phase {
            Phase::Deployed => Plan::Rest,
            Phase::Pending | Phase::Failed | Phase::Gone => Plan::Await,
        };
    }
    match failure.filter(|_| !asked).and_then(|failure| due(failure, stirred)) {
        Some(until) if until > now => Plan::Hold { until },
        Some(_) | None => Plan::Write(writes),
    }
}

/// When the next attempt after a failure is due; `stirred` says whether somebody changed an object meanwhile. `None` when that is beyond the end of time, which a clock that is wrong can cause.
pub fn due(failure: Failure, stirred: bool) -> Option<Timestamp> {
    let Failure {
        at,
        count: _,
        wait,
        hurried_by_change,
    } = failure;
    let wait = if stirred && hurried_by_change {
        STIRRED.min(wait)
    } else {
        wait
    };
    let wait = SignedDuration::try_from(wait).ok()?;
    at.checked_add(wait).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::helm_release::actions::HelmAction;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn revision(phase: Option<Phase>) -> Revision {
        Revision {
            action: HelmAction::Install,
            number: 1,
            began: at(0),
            phase,
        }
    }

    fn plan(phase: Option<Phase>, changes: &[Option<Change>], failure: Option<Failure>, asked: bool) -> Plan {
        let revision = revision(phase);
        let input = Input {
            revision: &revision,
            changes,
            leftovers: &[],
            failure,
            asked,
            stirred: false,
            hooks_due: false,
        };
        decide(&input, at(1000))
    }

    #[test]
    fn a_change_of_an_object_brings_the_next_attempt_forward() {
        let revision = revision(Some(Phase::Deployed));
        let failure = Some(failed(900, 300));
        let input = Input {
            revision: &revision,
            changes: &[Some(Change::Live)],
            leftovers: &[],
            failure,
            asked: false,
            stirred: false,
            hooks_due: false,
        };
        assert_eq!(decide(&input, at(1000)), Plan::Hold { until: at(1200) });
        let input = Input { stirred: true, ..input };
        assert_eq!(decide(&input, at(900)), Plan::Hold { until: at(901) });
        assert_eq!(decide(&input, at(1000)), write(&[0]));
        let failure = failure.map(|failure| Failure {
            hurried_by_change: false,
            ..failure
        });
        let input = Input { failure, ..input };
        assert_eq!(decide(&input, at(1000)), Plan::Hold { until: at(1200) });
    }

    fn failed(second: i64, wait: u64) -> Failure {
        Failure {
            at: at(second),
            count: 1,
            wait: Duration::from_secs(wait),
            hurried_by_change: true,
        }
    }

    fn write(apply: &[usize]) -> Plan {
        Plan::Write(Writes {
            apply: apply.to_vec(),
            remove: Vec::new(),
        })
    }

    #[test]
    fn only_what_changed_is_applied() {
        let changes = [None, Some(Change::Live), None, Some(Change::Missing)];
        assert_eq!(plan(Some(Phase::Deployed), &changes, None, false), write(&[1, 3]));
    }

    #[test]
    fn nothing_to_write_is_rest_when_deployed_and_awaiting_otherwise() {
        assert_eq!(plan(Some(Phase::Deployed), &[None], None, false), Plan::Rest);
        assert_eq!(plan(Some(Phase::Pending), &[None], None, false), Plan::Await);
        assert_eq!(plan(Some(Phase::Failed), &[None], None, false), Plan::Await);
        // A revision that begins is recorded even when its objects are as they should be.
        assert_eq!(plan(None, &[None], None, false), write(&[]));
    }

    #[test]
    fn a_failed_attempt_is_made_again_when_its_time_has_come_or_somebody_asks() {
        let changes = [Some(Change::Intent)];
        let failed = |second| Some(failed(second, 5));
        assert_eq!(
            plan(Some(Phase::Failed), &changes, failed(998), false),
            Plan::Hold { until: at(1003) }
        );
        assert_eq!(plan(Some(Phase::Failed), &changes, failed(995), false), write(&[0]));
        assert_eq!(plan(Some(Phase::Failed), &changes, failed(998), true), write(&[0]));
        // A new revision owes nothing to the failures of the last.
        assert_eq!(plan(None, &changes, failed(998), false), write(&[0]));
    }

    #[test]
    fn a_revision_that_changes_no_object_goes_on_until_its_hooks_are_through() {
        for (phase, failure, expected) in [
            (Phase::Pending, None, write(&[])),
            (Phase::Failed, Some(failed(998, 5)), Plan::Hold { until: at(1003) }),
            (Phase::Failed, Some(failed(995, 5)), write(&[])),
        ] {
            let revision = revision(Some(phase));
            let input = Input {
                revision: &revision,
                changes: &[None],
                leftovers: &[],
                failure,
                asked: false,
                stirred: false,
                hooks_due: true,
            };
            assert_eq!(decide(&input, at(1000)), expected, "{phase:?}");
        }
    }

    #[test]
    fn leftovers_alone_are_reason_to_write() {
        let leftover = ObjectReference {
            api_version: "v1".into(),
            kind: "ConfigMap".into(),
            namespace: Some("prod".into()),
            name: "old".into(),
        };
        let revision = revision(Some(Phase::Deployed));
        let input = Input {
            revision: &revision,
            changes: &[None],
            leftovers: std::slice::from_ref(&leftover),
            failure: None,
            asked: false,
            stirred: false,
            hooks_due: false,
        };
        assert_eq!(
            decide(&input, at(1)),
            Plan::Write(Writes {
                apply: Vec::new(),
                remove: vec![leftover]
            })
        );
    }

    #[test]
    fn a_clock_at_the_end_of_time_does_not_hold_a_release_for_ever() {
        let failure = Some(Failure {
            at: Timestamp::MAX,
            count: u32::MAX,
            wait: Duration::MAX,
            hurried_by_change: true,
        });
        assert_eq!(
            plan(Some(Phase::Failed), &[Some(Change::New)], failure, false),
            write(&[0])
        );
    }
}
