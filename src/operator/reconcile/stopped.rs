//! Why an attempt did not reach its end, and what is told and remembered of it then.
//!
//! Edge by whom it tells. What follows from it for the release is `plan::remedy`.

use k8s_openapi::jiff::Timestamp;

use super::announce;
use super::record::Recorded;
use crate::api::conditions::Reason;
use crate::api::helm_release::actions::HelmAction;
use crate::api::listing::first_few;
use crate::cluster::apply::{ApplyError, Decided};
use crate::cluster::delete::DeleteError;
use crate::operator::context::Context;
use crate::operator::crds::CrdError;
use crate::ownership::contested::ContestedField;
use crate::ownership::ledger::Ledger;
use crate::ownership::policy::Action;
use crate::ownership::reference::ObjectReference;
use crate::ownership::summary::{ConflictSummary, ObjectContest};
use crate::plan::outcome::Outcome;
use crate::plan::remedy::Aftermath;

/// How many errors a message names.
const NAMED: usize = 3;

/// Why an attempt did not reach its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum AttemptError {
    /// The policy stopped it; nothing was written.
    #[error("{}", .0.message())]
    Conflicts(ConflictSummary),
    /// The policy stopped it because of what others wrote while it went on.
    #[error("{}", .0.message())]
    Overtaken(ConflictSummary),
    /// Objects cannot be applied; nothing was written.
    #[error("nothing was applied: {}", list(.0))]
    Refused(Vec<ApplyError>),
    /// Objects were not applied, after others were.
    #[error("{}", list(.0))]
    Apply(Vec<ApplyError>),
    /// An object that left the chart was not removed.
    #[error(transparent)]
    Remove(#[from] DeleteError),
    /// A CRD of the chart was not applied.
    #[error(transparent)]
    Crd(#[from] CrdError),
}

impl AttemptError {
    /// How the reconcile ends with it.
    pub(super) fn outcome(&self, action: HelmAction, aftermath: Aftermath) -> Outcome {
        let message = self.to_string();
        match self {
            Self::Conflicts(summary) | Self::Overtaken(summary) => Outcome::Conflicted {
                action,
                reason: stop_reason(summary),
                message,
                aftermath,
            },
            Self::Refused(errors) | Self::Apply(errors) => Outcome::Failed {
                action,
                message,
                retryable: errors.iter().any(ApplyError::is_retryable),
                aftermath,
            },
            Self::Remove(error) => Outcome::Failed {
                action,
                message,
                retryable: error.is_retryable(),
                aftermath,
            },
            Self::Crd(error) => Outcome::Failed {
                action,
                message,
                retryable: error.is_retryable(),
                aftermath,
            },
        }
    }

    /// Whether objects were written before, and the policy does not ask for another attempt or for a person instead of remediation.
    pub(super) fn has_written(&self) -> bool {
        match self {
            Self::Overtaken(summary) => stop_reason(summary) == Reason::ConflictFailed,
            Self::Apply(_) | Self::Remove(_) => true,
            Self::Conflicts(_) | Self::Refused(_) | Self::Crd(_) => false,
        }
    }
}

fn stop_reason(summary: &ConflictSummary) -> Reason {
    let has = |action| summary.by_action.contains_key(&action);
    if has(Action::Failed) {
        Reason::ConflictFailed
    } else if has(Action::HandedOff) {
        Reason::ConflictHandedOff
    } else {
        Reason::ConflictRetrying
    }
}

fn list<E: std::error::Error>(errors: &[E]) -> String {
    first_few(errors, errors.len(), NAMED, "; ")
}

/// Remembers and tells what was contested where the policy said stop. Nothing was written, so the intent stays unapplied.
pub(super) fn stopped(
    context: &Context,
    recorded: &Recorded,
    ledger: &mut Ledger,
    decided: Decided,
    policy: &str,
    now: Timestamp,
    action: HelmAction,
) -> AttemptError {
    let summary = ConflictSummary::of(decided.contests());
    let Decided { plans, failures } = decided;
    // What is skipped is as it was; the others have to be looked at again.
    let contested = plans
        .iter()
        .filter(|plan| !plan.is_skip() && !plan.contested().is_empty());
    for plan in contested {
        let stands = unwritten(plan.contested());
        announce::stopped(context, recorded, ledger, plan.reference(), &stands, action);
        ledger.stopped(plan.reference(), &stands, policy, now);
    }
    if failures.is_empty() {
        AttemptError::Conflicts(summary)
    } else {
        AttemptError::Refused(failures)
    }
}

/// The decisions about an object that hold although it was not written: nothing was taken then, whatever was going to be.
fn unwritten(contested: &[ContestedField]) -> Vec<ContestedField> {
    let stands = contested.iter().filter(|field| field.action.is_unresolved());
    stands.cloned().collect()
}

/// Objects that were contested only when they were written stop the release as those do that were contested before.
pub(super) fn failed_wave(
    context: &Context,
    recorded: &Recorded,
    ledger: &mut Ledger,
    errors: Vec<ApplyError>,
    policy: &str,
    now: Timestamp,
    action: HelmAction,
) -> AttemptError {
    let mut contests = Vec::new();
    let mut is_only_contested = true;
    for error in &errors {
        let ApplyError::Stopped { object, contested } = error else {
            is_only_contested = false;
            continue;
        };
        let contest = |field: &ContestedField| ObjectContest {
            object: ObjectReference::clone(object),
            contested: field.clone(),
        };
        let stands = unwritten(contested);
        announce::stopped(context, recorded, ledger, object, &stands, action);
        ledger.stopped(object, &stands, policy, now);
        contests.extend(contested.iter().map(contest));
    }
    if is_only_contested {
        AttemptError::Overtaken(ConflictSummary::of(contests))
    } else {
        AttemptError::Apply(errors)
    }
}
