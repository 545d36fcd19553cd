//! What follows on a failed action: another attempt, remediation, or the word that the retries are used up.
//!
//! Pure and total. No answer is terminal: where Flux stops for good, the release is said to be stalled, and attempted again all the
//! same, with a wait that grows up to a bound (see [`course`](super::course)).

use crate::api::helm_release::HelmReleaseSpec;
use crate::api::helm_release::HelmReleaseStatus;
use crate::api::helm_release::actions::{HelmAction, RemediationStrategy};
use crate::api::helm_release::remediation::{OnFailure, Remediation};
use crate::api::helm_release::status::ReleaseAction;

/// What is to be done about a failed action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// It is attempted again.
    Again,
    /// What it did is undone.
    Undo(RemediationStrategy),
    /// The retries are used up, and the last failure is not to be undone.
    Exhausted,
}

/// What is to be done when an action failed for the `failures`-th time; none is one that wrote nothing.
pub fn remedy(on_failure: OnFailure, failures: u32) -> Remedy {
    match on_failure {
        OnFailure::Retry { every: _ } => Remedy::Again,
        OnFailure::Remediate(_) if failures == 0 => Remedy::Again,
        OnFailure::Remediate(Remediation {
            remediates_last, by, ..
        }) => {
            if remediates_last || !is_exhausted(on_failure, failures) {
                Remedy::Undo(by)
            } else {
                Remedy::Exhausted
            }
        }
    }
}

/// Whether this many failures use up the retries.
pub fn is_exhausted(on_failure: OnFailure, failures: u32) -> bool {
    failures_beyond(on_failure, failures) > 0
}

/// How many failures there were that no retry was left for.
pub fn failures_beyond(on_failure: OnFailure, failures: u32) -> u32 {
    match on_failure {
        OnFailure::Retry { every: _ } => 0,
        OnFailure::Remediate(Remediation { retries, .. }) => {
            retries.map_or(0, |retries| failures.saturating_sub(retries))
        }
    }
}

/// What is said of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aftermath {
    /// It is attempted again, and nothing is counted: nothing was written, so there is nothing to undo.
    Uncounted,
    /// It is attempted again.
    Retried,
    /// It is undone.
    Undone,
    /// The release is stalled, although it is attempted again.
    Stalled(Stall),
}

/// Why a release is said to be stalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stall {
    /// The retries are used up.
    RetriesExceeded {
        /// The action that failed.
        action: ReleaseAction,
        /// How many times it was attempted.
        attempts: u32,
    },
    /// There is no good revision to roll back to.
    MissingRollbackTarget,
}

impl std::fmt::Display for Stall {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::RetriesExceeded { action, attempts } => write!(
                formatter,
                "Failed to {} after {attempts} attempt(s); it is attempted again after a wait that grows with each failure",
                HelmAction::from(*action).verb()
            ),
            Self::MissingRollbackTarget => formatter.write_str(
                "Failed to perform remediation: missing target release for rollback: cannot remediate failed release; \
                 it is attempted again as it is",
            ),
        }
    }
}

/// What is said when the action that was attempted fails once more. An attempt that wrote nothing has nothing to undo; after one that
/// did, it counts all the same, so that waits grow.
pub fn aftermath(attempted: Attempted, wrote: bool, has_target: bool) -> Aftermath {
    let Attempted {
        action,
        on_failure,
        failures,
    } = attempted;
    if !wrote && failures == 0 {
        return Aftermath::Uncounted;
    }
    let failures = failures.saturating_add(1);
    match remedy(on_failure, failures) {
        Remedy::Again => Aftermath::Retried,
        Remedy::Undo(RemediationStrategy::Rollback) if !has_target => Aftermath::Stalled(Stall::MissingRollbackTarget),
        Remedy::Undo(RemediationStrategy::Rollback | RemediationStrategy::Uninstall) => Aftermath::Undone,
        Remedy::Exhausted => Aftermath::Stalled(Stall::RetriesExceeded {
            action,
            attempts: failures,
        }),
    }
}

/// What is said when a failed action was undone: the retries may be used up by then.
pub fn undone(on_failure: OnFailure, action: ReleaseAction, failures: u32) -> Aftermath {
    if is_exhausted(on_failure, failures) {
        Aftermath::Stalled(Stall::RetriesExceeded {
            action,
            attempts: failures,
        })
    } else {
        Aftermath::Retried
    }
}

/// The action that was attempted last, what is done when it fails, and how often it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempted {
    /// The action.
    pub action: ReleaseAction,
    /// What is done when it fails.
    pub on_failure: OnFailure,
    /// How often it failed.
    pub failures: u32,
}

impl Attempted {
    /// Reads spec and status. A release that was never attempted is going to be installed.
    pub fn of(spec: &HelmReleaseSpec, status: &HelmReleaseStatus) -> Self {
        let action = status.last_attempted_release_action.unwrap_or(ReleaseAction::Install);
        let failures = match action {
            ReleaseAction::Install => status.install_failures,
            ReleaseAction::Upgrade => status.upgrade_failures,
        };
        Self {
            action,
            on_failure: spec.on_failure(action),
            failures: u32::try_from(failures).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn remediation(retries: Option<u32>, remediates_last: bool) -> OnFailure {
        OnFailure::Remediate(Remediation {
            retries,
            remediates_last,
            ignores_tests: false,
            by: RemediationStrategy::Rollback,
        })
    }

    #[test]
    fn each_failure_is_undone_until_the_retries_are_used_up() {
        let undo = Remedy::Undo(RemediationStrategy::Rollback);
        let remedies = |on_failure| [0, 1, 2, 3].map(|failures| remedy(on_failure, failures));
        assert_eq!(
            remedies(remediation(Some(2), false)),
            [Remedy::Again, undo, undo, Remedy::Exhausted]
        );
        assert_eq!(remedies(remediation(Some(2), true)), [Remedy::Again, undo, undo, undo]);
        assert_eq!(remedies(remediation(None, false)), [Remedy::Again, undo, undo, undo]);
        let exhausted = Remedy::Exhausted;
        assert_eq!(
            remedies(remediation(Some(0), false)),
            [Remedy::Again, exhausted, exhausted, exhausted]
        );
        let every = Duration::from_mins(1);
        assert_eq!(remedies(OnFailure::Retry { every }), [Remedy::Again; 4]);
    }

    #[test]
    fn a_release_is_stalled_when_no_retry_is_left_or_there_is_nothing_to_go_back_to() {
        let action = ReleaseAction::Upgrade;
        let says = |remediates_last, failures, has_target| {
            let attempted = Attempted {
                action,
                on_failure: remediation(Some(1), remediates_last),
                failures,
            };
            aftermath(attempted, true, has_target)
        };
        let exceeded = Aftermath::Stalled(Stall::RetriesExceeded { action, attempts: 2 });
        assert_eq!(says(true, 0, true), Aftermath::Undone);
        assert_eq!(says(true, 0, false), Aftermath::Stalled(Stall::MissingRollbackTarget));
        assert_eq!(says(false, 1, true), exceeded);
        assert_eq!(says(true, 1, true), Aftermath::Undone);
        assert_eq!(undone(remediation(Some(1), true), action, 1), Aftermath::Retried);
        assert_eq!(undone(remediation(Some(1), true), action, 2), exceeded);
    }

    #[test]
    fn an_attempt_that_wrote_nothing_counts_only_after_one_that_did() {
        let says = |failures| {
            let attempted = Attempted {
                action: ReleaseAction::Upgrade,
                on_failure: remediation(Some(3), true),
                failures,
            };
            aftermath(attempted, false, true)
        };
        assert_eq!((says(0), says(1)), (Aftermath::Uncounted, Aftermath::Undone));
    }
}
