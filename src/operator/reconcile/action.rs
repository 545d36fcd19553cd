//! What comes around the objects of an action: its hooks before and after them, and the waiting until they are ready.
//!
//! Edge by what it calls. What health and hooks come to is decided in `plan`.

use k8s_openapi::jiff::Timestamp;
use tracing::warn;

use super::attempt::{Desired, standing_until};
use super::health::{self, Written};
use super::hooks::{self, Event};
use super::record::{self, Recorded};
use super::stopped::AttemptError;
use super::{Done, Next, ReconcileError, execute, inputs, remediate, testing};
use crate::api::helm_release::actions::HelmAction;
use crate::operator::context::Context;
use crate::operator::memory::ReleaseMemory;
use crate::plan::decide::{Writes, due};
use crate::plan::hooks::{When, event_of};
use crate::plan::outcome::Outcome;
use crate::plan::revision::{Phase, Revision};
use crate::plan::settle::{Settled, settle};

/// Ends an attempt that failed. What its objects were like then is remembered, so that a change of them can hurry the next.
pub(super) fn failed_attempt(
    context: &Context,
    recorded: &Recorded,
    memory: &mut ReleaseMemory,
    desired: &Desired,
    error: &AttemptError,
) -> Done {
    warn!(revision = desired.revision.number, %error, "attempt failed");
    memory.sighting = Some(context.target.children.sighting(desired.rendering.references()));
    let action = desired.revision.action;
    let aftermath = if desired.revision.phase == Some(Phase::Deployed) {
        remediate::aftermath_of_correction(action)
    } else {
        remediate::aftermath(context, recorded, action, error.has_written())
    };
    Done {
        outcome: error.outcome(action, aftermath),
        next: remediate::next(aftermath),
    }
}

/// The hooks that are run at a point of the action.
pub(super) fn hooks_of<'a>(recorded: &Recorded, desired: &'a Desired, when: When) -> Event<'a> {
    let action = desired.revision.action;
    let options = recorded.release().spec.action_options(action);
    Event {
        hooks: if options.disable_hooks {
            &[]
        } else {
            &desired.rendering.hooks
        },
        event: event_of(action, when),
        timeout: options.timeout.as_std(),
    }
}

/// Runs the hooks that come before the objects, for an attempt that nothing stands against. `None` when all have succeeded.
pub(super) async fn before(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    desired: &Desired,
    writes: &Writes,
) -> Result<Option<Done>, ReconcileError> {
    let event = hooks_of(recorded, desired, When::Before);
    if !hooks::is_due(recorded, event) {
        return Ok(None);
    }
    if !hooks::is_running(recorded, event) {
        let checked = execute::check(context, recorded, memory, desired, writes).await;
        if let Err(error) = checked {
            return Ok(Some(failed_attempt(context, recorded, memory, desired, &error)));
        }
    }
    run_hooks(context, recorded, memory, desired, event).await
}

/// Runs the hooks of an event. `None` when all have succeeded.
async fn run_hooks(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    desired: &Desired,
    event: Event<'_>,
) -> Result<Option<Done>, ReconcileError> {
    let action = desired.revision.action;
    let done = match hooks::run(context, recorded, event).await {
        Err(error) => failed(context, recorded, desired, error.to_string(), error.is_retryable()),
        Ok(hooks::Progress::Failed { message }) => failed(context, recorded, desired, message, true),
        Ok(hooks::Progress::Waiting { progress, deadline }) => Done {
            outcome: Outcome::Progressing { action, progress },
            next: Next::At(deadline),
        },
        Ok(hooks::Progress::Done) => {
            if hooks::leaves_something(event) {
                // Recorded before it goes, so that no hook is run twice.
                let progress = announcement(recorded, &desired.revision);
                record::begin(context, recorded, memory, &progress).await?;
                if let Err(error) = hooks::tidy(context, recorded, event).await {
                    warn!(%error, "the hook's object stays");
                }
            }
            return Ok(None);
        }
    };
    Ok(Some(done))
}

/// Ends an action whose objects are ready: runs the hooks that come after them.
async fn finish(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    desired: &Desired,
) -> Result<Done, ReconcileError> {
    let event = hooks_of(recorded, desired, When::After);
    if hooks::is_due(recorded, event) {
        if let Some(held) = held(recorded, memory) {
            return Ok(held);
        }
        if let Some(done) = run_hooks(context, recorded, memory, desired, event).await? {
            return Ok(done);
        }
    }
    ended(context, recorded, memory, desired).await
}

/// Ends a reconcile of a revision of which all is there and ready.
pub(super) async fn ended(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    desired: &Desired,
) -> Result<Done, ReconcileError> {
    match desired.revision.action {
        HelmAction::Install | HelmAction::Upgrade => testing::tested(context, recorded, memory, desired).await,
        HelmAction::Rollback => Ok(remediate::rolled_back(context, recorded, desired)),
    }
}

/// Ends an action that failed after it had written something.
fn failed(context: &Context, recorded: &Recorded, desired: &Desired, message: String, retryable: bool) -> Done {
    let action = desired.revision.action;
    warn!(revision = desired.revision.number, error = message, "attempt failed");
    let aftermath = remediate::aftermath(context, recorded, action, true);
    Done {
        outcome: Outcome::Failed {
            action,
            message,
            retryable,
            aftermath,
        },
        next: remediate::next(aftermath),
    }
}

/// Why nothing is run now: an earlier run failed, and it is too early for the next.
pub(super) fn held(recorded: &Recorded, memory: &ReleaseMemory) -> Option<Done> {
    let is_asked = recorded.release().is_asked();
    let next = memory
        .failure
        .filter(|_| !is_asked)
        .and_then(|failure| due(failure, false));
    let until = next.filter(|until| *until > Timestamp::now())?;
    Some(standing_until(until))
}

pub(super) fn announcement(recorded: &Recorded, revision: &Revision) -> Outcome {
    let Revision {
        action,
        number,
        began: _,
        phase: _,
    } = *revision;
    let timeout = recorded.release().spec.action_options(action).timeout;
    Outcome::Progressing {
        action,
        progress: format!(
            "running {} of revision {number} with a timeout of {timeout}",
            action.verb()
        ),
    }
}

pub(super) fn deployed(desired: &Desired) -> Done {
    let outcome = Outcome::Deployed {
        action: desired.revision.action,
    };
    let changes = [desired.inputs.policy_changes_at, desired.until];
    let next = Next::Interval {
        policy_changes_at: changes.into_iter().flatten().min(),
    };
    Done { outcome, next }
}

/// Looks whether everything that was applied is ready. Holds no worker: what is not ready yet wakes the release when it
/// changes, and the deadline does at the latest.
pub(super) async fn settled(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    desired: &Desired,
    written: Written,
) -> Result<Done, ReconcileError> {
    let action = desired.revision.action;
    let options = recorded.release().spec.action_options(action);
    if options.disable_wait {
        return finish(context, recorded, memory, desired).await;
    }
    let health = match health::health(context, memory, &desired.rendering, written).await {
        Ok(health) => health,
        Err(error) => {
            let progress = format!("cannot look at the objects: {error}");
            return Ok(Done {
                outcome: Outcome::Progressing { action, progress },
                next: Next::After(inputs::POLL),
            });
        }
    };
    let now = Timestamp::now();
    let began = memory.attempt.unwrap_or(desired.revision.began);
    let newest = recorded.status().history.first();
    let has_failed = newest.is_some_and(|newest| Phase::of(newest) == Phase::Failed);
    let done = match settle(&health, began, options.timeout.as_std(), now) {
        Settled::Ready => return finish(context, recorded, memory, desired).await,
        // That the attempt failed is known; its objects may still come up, and then it is deployed after all.
        Settled::JustApplied { .. } | Settled::Waiting { .. } | Settled::Failed { .. } if has_failed => Done {
            outcome: Outcome::Standing,
            next: Next::After(inputs::POLL),
        },
        Settled::JustApplied { progress, until } => Done {
            outcome: Outcome::Progressing { action, progress },
            next: Next::Untold { until },
        },
        Settled::Waiting { progress, deadline } => {
            let poll = now.saturating_add(inputs::POLL).unwrap_or(deadline);
            Done {
                outcome: Outcome::Progressing { action, progress },
                next: Next::At(deadline.min(poll)),
            }
        }
        Settled::Failed { message } => failed(context, recorded, desired, message, true),
    };
    Ok(done)
}
