//! The pipeline of one reconcile: what each step gives goes into the next.
//!
//! Edge by what it calls. It decides nothing itself; it stops where a step says so.

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use tracing::{debug, info, warn};

use super::health::Written;
use super::hooks::Event;
use super::inputs::{self, Inputs};
use super::record::{self, Recorded};
use super::records::{self, Adopted};
use super::render::{self, Purpose, Rendering};
use super::{Done, Next, ReconcileError, compare, execute, health, hooks, testing};
use crate::api::HelmRelease;
use crate::api::conditions::Reason;
use crate::api::helm_release::status::ReleaseAction;
use crate::operator::context::Context;
use crate::operator::memory::{ReleaseMemory, Step};
use crate::ownership::ledger::Ledger;
use crate::plan;
use crate::plan::decide::{Input, Plan, Writes, decide, due};
use crate::plan::inventory;
use crate::plan::outcome::{self, Outcome};
use crate::plan::records::Standing;
use crate::plan::revision::{Known, Phase, Revision, revision};
use crate::plan::settle::{Settled, settle};
use crate::render::HookEvent;

/// What is desired: the first two steps' result.
pub(super) struct Desired {
    pub(super) inputs: Inputs,
    pub(super) revision: Revision,
    pub(super) rendering: Arc<Rendering>,
    adopted: Adopted,
}

/// Brings a release as far towards what is desired as it can get now.
pub(super) async fn attempt(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
) -> Result<Done, ReconcileError> {
    let desired = match desired(context, recorded, memory).await {
        Ok(desired) => desired,
        Err(blocked) => return Ok(blocked),
    };
    let plan = match planned(context, recorded, memory, &desired).await {
        Ok(plan) => plan,
        Err(blocked) => return Ok(blocked),
    };
    debug!(revision = desired.revision.number, ?plan, "planned");
    match plan {
        Plan::Hold { until } => Ok(Done {
            outcome: Outcome::Standing,
            next: Next::At(until),
        }),
        Plan::Rest => testing::tested(context, recorded, memory, &desired).await,
        Plan::Await => settled(context, recorded, memory, &desired, Written::Before).await,
        Plan::Write(writes) => write(context, recorded, memory, &desired, &writes).await,
    }
}

pub(super) fn blocked(reason: Reason, error: &dyn std::error::Error, retryable: bool) -> Done {
    let message = error.to_string();
    Done {
        outcome: Outcome::Blocked {
            reason,
            message,
            retryable,
        },
        next: Next::Backoff,
    }
}

/// Observes the inputs, chooses the revision and renders it.
async fn desired(context: &Context, recorded: &mut Recorded, memory: &mut ReleaseMemory) -> Result<Desired, Done> {
    let release = recorded.release();
    let mut inputs = inputs::observe(context, release, memory)
        .await
        .map_err(|error| blocked(error.reason(), &error, error.is_retryable()))?;
    break_fights(&mut inputs, release, memory);
    memory.step = Step::Records;
    let (standing, stored) = records::look(context, recorded)
        .await
        .map_err(|error| blocked(Reason::ClusterError, &error, true))?;
    if let Some(not_now) = not_ours(&standing) {
        return Err(not_now);
    }
    let status = recorded.status();
    let known = Known {
        newest: status.history.first(),
        chart_digest: status.last_attempted_revision_digest.as_deref(),
        standing: &standing,
    };
    let revision = revision(known, &inputs.identity, Timestamp::now());
    memory.step = Step::Rendering;
    let rendering = render::render(context, release, &inputs, &revision, Purpose::Apply, memory)
        .await
        .map_err(|error| blocked(error.reason(), &error, error.is_retryable()))?;
    let adopted = match standing {
        Standing::Foreign { .. } => records::adopt(context, recorded, &stored).await,
        Standing::Own | Standing::Gone | Standing::Busy { .. } | Standing::Taken { .. } => Adopted::default(),
    };
    Ok(Desired {
        inputs,
        revision,
        rendering,
        adopted,
    })
}

/// Why a release is left alone for now, if it is: others are at it.
fn not_ours(standing: &Standing) -> Option<Done> {
    let (message, next) = match standing {
        Standing::Own | Standing::Foreign { .. } | Standing::Gone => return None,
        Standing::Busy { status, until } => (
            format!(
                "another tool has the release at {}; goes on when that ends, or at {until:.0} at the latest",
                status.as_word()
            ),
            Next::At(*until),
        ),
        Standing::Taken { by } => (
            format!(
                "the release is that of HelmRelease {}/{}; choose another spec.releaseName, or delete one of the two",
                by.namespace, by.name
            ),
            Next::Backoff,
        ),
    };
    Some(Done {
        outcome: Outcome::Blocked {
            reason: Reason::PendingRelease,
            message,
            retryable: true,
        },
        next,
    })
}

/// Puts the breakers of the fights that go on before the release's rules.
fn break_fights(inputs: &mut Inputs, release: &HelmRelease, memory: &ReleaseMemory) {
    let now = Timestamp::now();
    let then = plan::policy::translate(release.spec.effective_ownership().effective_fights().then.into());
    let breakers = memory
        .fights
        .going_on(now)
        .iter()
        .map(|fight| fight.breaker(then))
        .collect();
    inputs.policy.breakers = breakers;
    let changes = [inputs.policy_changes_at, memory.fights.next_end(now)];
    inputs.policy_changes_at = changes.into_iter().flatten().min();
}

/// Compares what is desired with what is there, and plans.
async fn planned(
    context: &Context,
    recorded: &Recorded,
    memory: &mut ReleaseMemory,
    desired: &Desired,
) -> Result<Plan, Done> {
    let Desired {
        inputs,
        revision,
        rendering,
        adopted: _,
    } = desired;
    let now = Timestamp::now();
    memory.step = Step::Comparing;
    let ledger = record::ledger(context, recorded.release(), memory)
        .await
        .map_err(|error| blocked(Reason::ClusterError, &error, true))?;
    watch(context, rendering, ledger);
    let changes = compare::changes(context, &rendering.objects, ledger, &inputs.policy.fingerprint(now))
        .await
        .map_err(|error| blocked(Reason::ClusterError, &error, true))?;
    let leftovers = inventory::leftovers(recorded.status().inventory.as_ref(), rendering.references());
    let input = Input {
        revision,
        changes: &changes,
        leftovers: &leftovers,
        failure: memory.failure,
        asked: record::is_asked(recorded.release()) || decided_by_a_person(recorded.release(), memory),
        stirred: memory.sighting != Some(context.target.children.sighting(rendering.references())),
    };
    Ok(decide(&input, now))
}

/// Carries a plan out: the status first, then the writes, then the ledger.
async fn write(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    desired: &Desired,
    writes: &Writes,
) -> Result<Done, ReconcileError> {
    let Desired {
        inputs,
        revision,
        rendering,
        adopted: _,
    } = desired;
    memory.step = Step::Writing;
    if revision.phase.is_none() {
        info!(revision = revision.number, chart = %inputs.chart_label(), "{} begins", outcome::verb(revision.action));
        for warning in &rendering.warnings {
            warn!(revision = revision.number, "{warning}");
        }
        outcome::begin(
            recorded.status_mut(),
            &inputs.identity,
            revision,
            desired.adopted.first_deployed,
        );
        let storage = recorded.release().storage_namespace().to_owned();
        recorded.status_mut().storage_namespace.get_or_insert(storage);
        memory.failure = None;
        memory.conflict_retries = 0;
    }
    let inventory = recorded.status_mut().inventory.get_or_insert_default();
    inventory::extend(inventory, rendering.references());
    // A correction of a deployed release is short and usually changes nothing: its status follows at the end. An
    // attempt is announced first, so that whoever looks sees it, and so that a crash leaves a trace of it.
    let is_correction = revision.phase == Some(Phase::Deployed);
    if !is_correction {
        if !hooks::is_running(recorded, hooks_of(recorded, desired, When::Before)) {
            let progress = announcement(recorded, revision);
            record::begin(context, recorded, memory, &progress).await?;
        }
        if let Some(done) = before(context, recorded, memory, desired, writes).await? {
            return Ok(done);
        }
    }
    let executed = execute::execute(context, recorded, memory, inputs, revision, rendering, writes).await;
    if let Some(ledger) = &memory.ledger {
        watch(context, rendering, ledger);
    }
    record::save_ledger(context, recorded, memory, revision).await;
    match executed {
        Err(error) => Ok(failed_attempt(context, memory, desired, &error)),
        Ok(()) if is_correction => testing::tested(context, recorded, memory, desired).await,
        Ok(()) => settled(context, recorded, memory, desired, Written::Now).await,
    }
}

/// Ends an attempt that failed. What its objects were like then is remembered, so that a change of them can hurry the next.
fn failed_attempt(
    context: &Context,
    memory: &mut ReleaseMemory,
    desired: &Desired,
    error: &execute::AttemptError,
) -> Done {
    warn!(revision = desired.revision.number, %error, "attempt failed");
    memory.sighting = Some(context.target.children.sighting(desired.rendering.references()));
    Done {
        outcome: error.outcome(desired.revision.action),
        next: Next::Backoff,
    }
}

/// Before or after an action.
#[derive(Debug, Clone, Copy)]
enum When {
    Before,
    After,
}

/// The hooks that are run at a point of the action.
fn hooks_of<'a>(recorded: &Recorded, desired: &'a Desired, when: When) -> Event<'a> {
    let action = desired.revision.action;
    let options = recorded.release().spec.action_options(action);
    let event = match (action, when) {
        (ReleaseAction::Install, When::Before) => HookEvent::PreInstall,
        (ReleaseAction::Install, When::After) => HookEvent::PostInstall,
        (ReleaseAction::Upgrade, When::Before) => HookEvent::PreUpgrade,
        (ReleaseAction::Upgrade, When::After) => HookEvent::PostUpgrade,
    };
    Event {
        hooks: if options.disable_hooks {
            &[]
        } else {
            &desired.rendering.hooks
        },
        event,
        timeout: options.timeout.as_std(),
    }
}

/// Runs the hooks that come before the objects, for an attempt that nothing stands against. `None` when all have succeeded.
async fn before(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    desired: &Desired,
    writes: &Writes,
) -> Result<Option<Done>, ReconcileError> {
    let Desired {
        inputs,
        revision,
        rendering,
        adopted: _,
    } = desired;
    let event = hooks_of(recorded, desired, When::Before);
    if !hooks::is_due(recorded, event) {
        return Ok(None);
    }
    if !hooks::is_running(recorded, event) {
        let checked = execute::check(context, recorded, memory, inputs, revision, rendering, writes).await;
        if let Err(error) = checked {
            return Ok(Some(failed_attempt(context, memory, desired, &error)));
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
    let failed = |message: String, retryable| {
        warn!(revision = desired.revision.number, error = message, "attempt failed");
        Done {
            outcome: Outcome::Failed {
                action,
                message,
                retryable,
            },
            next: Next::Backoff,
        }
    };
    let done = match hooks::run(context, recorded, event).await {
        Err(error) => failed(error.to_string(), error.is_retryable()),
        Ok(hooks::Progress::Failed { message }) => failed(message, true),
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
    testing::tested(context, recorded, memory, desired).await
}

/// Why nothing is run now: an earlier run failed, and it is too early for the next.
pub(super) fn held(recorded: &Recorded, memory: &ReleaseMemory) -> Option<Done> {
    let is_asked = record::is_asked(recorded.release());
    let next = memory
        .failure
        .filter(|_| !is_asked)
        .and_then(|failure| due(failure, false));
    let until = next.filter(|until| *until > Timestamp::now())?;
    Some(Done {
        outcome: Outcome::Standing,
        next: Next::At(until),
    })
}

/// Whether a person has decided about conflicts since the release was last looked at.
fn decided_by_a_person(release: &HelmRelease, memory: &mut ReleaseMemory) -> bool {
    let decisions = release.resolve_annotation();
    let is_new = memory.resolve != decisions;
    decisions.clone_into(&mut memory.resolve);
    is_new
}

fn announcement(recorded: &Recorded, revision: &Revision) -> Outcome {
    let Revision {
        action,
        number,
        began: _,
        phase: _,
    } = *revision;
    let timeout = recorded.release().spec.action_options(action).timeout;
    let verb = outcome::verb(action);
    Outcome::Progressing {
        action,
        progress: format!("running {verb} of revision {number} with a timeout of {timeout}"),
    }
}

/// Watches the kinds of the objects that were applied. Others may not be served yet, because the chart brings them.
fn watch(context: &Context, rendering: &Rendering, ledger: &Ledger) {
    for object in &rendering.objects {
        if ledger.get(object.intent.reference()).is_some() {
            context.target.children.watch(&object.resource.api);
        }
    }
}

pub(super) fn deployed(desired: &Desired) -> Done {
    let outcome = Outcome::Deployed {
        action: desired.revision.action,
        chart: desired.inputs.chart_label(),
    };
    let next = Next::Interval {
        policy_changes_at: desired.inputs.policy_changes_at,
    };
    Done { outcome, next }
}

/// Looks whether everything that was applied is ready. Holds no worker: what is not ready yet wakes the release when it
/// changes, and the deadline does at the latest.
async fn settled(
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
        Settled::Waiting { .. } | Settled::Failed { .. } if has_failed => Done {
            outcome: Outcome::Standing,
            next: Next::After(inputs::POLL),
        },
        Settled::Waiting { progress, deadline } => {
            let poll = now.saturating_add(inputs::POLL).unwrap_or(deadline);
            Done {
                outcome: Outcome::Progressing { action, progress },
                next: Next::At(deadline.min(poll)),
            }
        }
        Settled::Failed { message } => Done {
            outcome: Outcome::Failed {
                action,
                message,
                retryable: true,
            },
            next: Next::Backoff,
        },
    };
    Ok(done)
}
