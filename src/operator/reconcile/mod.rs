//! One reconcile of a HelmRelease: observe, render, plan, execute, record; one file a step.
//!
//! Edge: `inputs`, `compare`, `execute`, `record` and `uninstall` talk to the API server or to chart sources; `render`
//! computes on a blocking thread; what is to be done is decided in `crate::plan`.

pub mod compare;
pub mod execute;
pub mod inputs;
pub mod record;
pub mod render;
pub mod seed;
pub mod uninstall;

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::runtime::controller::Action;
use tracing::{debug, info, warn};

use super::context::Context;
use super::memory::{ReleaseKey, ReleaseMemory};
use crate::api::HelmRelease;
use crate::api::conditions::Reason;
use crate::ownership::ledger::Ledger;
use crate::plan::decide::{Failure, Input, Plan, decide};
use crate::plan::outcome::{self, Outcome};
use crate::plan::retry::{backoff, jittered};
use crate::plan::revision::{Phase, Revision, revision};
use crate::plan::settle::Settled;
use record::Recorded;

/// How soon a reconcile follows on one that lost a race for the HelmRelease.
const AFTER_RACE: Duration = Duration::from_millis(200);

/// A reconcile that could not even record how it ended; it is tried again with backoff.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The HelmRelease could not be read or written.
    #[error("HelmRelease {namespace}/{name}: {source}")]
    Resource {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Why.
        source: Box<kube::Error>,
    },
}

/// What one reconcile came to.
struct Done {
    outcome: Outcome,
    /// When to look again if nothing happens before.
    next: Next,
}

/// When a release is looked at again if nothing happens before.
enum Next {
    /// At its interval, or before that when the policy changes by itself.
    Interval {
        /// When it does.
        policy_changes_at: Option<Timestamp>,
    },
    /// After a wait.
    After(Duration),
    /// At a time.
    At(Timestamp),
    /// With the backoff of a release that keeps failing.
    Backoff,
}

/// Reconciles a HelmRelease once.
pub async fn reconcile(cached: Arc<HelmRelease>, context: Arc<Context>) -> Result<Action, ReconcileError> {
    let key = ReleaseKey {
        namespace: cached.own_namespace().to_owned(),
        name: cached.own_name().to_owned(),
    };
    let started = Instant::now();
    let mut memory = context.memory.take(&key);
    let result = pass(&context, &cached, &mut memory).await;
    let outcome = match &result {
        Ok((category, _)) => category,
        Err(_) => Reason::ReconcileError.as_str(),
    };
    context.metrics.reconciled("HelmRelease", outcome, started.elapsed());
    // A release that is gone leaves nothing behind.
    if outcome != GONE {
        context.memory.put(key, memory);
    }
    result.map(|(_, action)| action)
}

/// The category of a reconcile after which the release no longer exists.
const GONE: &str = "Gone";
/// The category of a reconcile that lost a race and is made again at once.
const RACE: &str = "Race";

async fn pass(
    context: &Context,
    cached: &Arc<HelmRelease>,
    memory: &mut ReleaseMemory,
) -> Result<(&'static str, Action), ReconcileError> {
    let Some(release) = record::fresh(context, cached, memory).await? else {
        return Ok((GONE, Action::await_change()));
    };
    let mut recorded = Recorded::new(release);
    if recorded.release().metadata.deletion_timestamp.is_some() {
        return match uninstall::uninstall(context, &mut recorded, memory).await? {
            uninstall::Progress::Gone => {
                record::forget(context, &recorded, memory);
                Ok((GONE, Action::await_change()))
            }
            uninstall::Progress::Waiting(outcome) => {
                let category = outcome.category();
                record::record(context, &mut recorded, memory, &outcome).await?;
                Ok((category, Action::requeue(uninstall::POLL)))
            }
        };
    }
    if !record::ensure_finalizer(context, &mut recorded, memory).await? {
        return Ok((RACE, Action::requeue(AFTER_RACE)));
    }
    let Done { outcome, next } = if recorded.release().spec.suspend {
        Done {
            outcome: Outcome::Suspended,
            next: Next::Interval {
                policy_changes_at: None,
            },
        }
    } else {
        attempt(context, &mut recorded, memory).await?
    };
    note(memory, &outcome);
    let interval = recorded.release().spec.interval.as_std();
    let written = record::record(context, &mut recorded, memory, &outcome).await?;
    let category = outcome.category();
    debug!(outcome = category, written, "reconciled");
    Ok((category, Action::requeue(wait(&next, memory, interval))))
}

/// Keeps count of failures in a row.
fn note(memory: &mut ReleaseMemory, outcome: &Outcome) {
    match outcome {
        Outcome::Blocked { .. } => memory.blocked = memory.blocked.saturating_add(1),
        Outcome::Conflicted { .. } | Outcome::Failed { .. } | Outcome::UninstallFailed { .. } => {
            let count = memory.failure.map_or(0, |failure| failure.count).saturating_add(1);
            memory.failure = Some(Failure {
                at: Timestamp::now(),
                count,
            });
            memory.blocked = 0;
        }
        Outcome::Deployed { .. } => {
            memory.failure = None;
            memory.blocked = 0;
        }
        Outcome::Progressing { .. } | Outcome::Uninstalling { .. } | Outcome::Suspended => memory.blocked = 0,
        Outcome::Standing => {}
    }
}

fn wait(next: &Next, memory: &ReleaseMemory, interval: Duration) -> Duration {
    match next {
        Next::Interval { policy_changes_at } => {
            let interval = jittered(interval, random_fraction());
            policy_changes_at.map_or(interval, |time| until(time).min(interval))
        }
        Next::After(wait) => *wait,
        Next::At(time) => until(*time),
        Next::Backoff => {
            let failures = memory.failure.map_or(0, |failure| failure.count).max(memory.blocked);
            jittered(backoff(failures, interval), random_fraction())
        }
    }
}

fn until(time: Timestamp) -> Duration {
    Duration::try_from(time.duration_since(Timestamp::now())).unwrap_or(Duration::ZERO)
}

/// Spreads requeues; needs no better randomness than the clock's last digits.
fn random_fraction() -> f64 {
    f64::from(Timestamp::now().subsec_nanosecond() % 1_000_000) / 1_000_000.0
}

fn blocked(reason: Reason, message: String, retryable: bool) -> Done {
    Done {
        outcome: Outcome::Blocked {
            reason,
            message,
            retryable,
        },
        next: Next::Backoff,
    }
}

async fn attempt(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
) -> Result<Done, ReconcileError> {
    let now = Timestamp::now();
    let inputs = match inputs::observe(context, recorded.release(), memory).await {
        Ok(inputs) => inputs,
        Err(error) => return Ok(blocked(error.reason(), error.to_string(), error.is_retryable())),
    };
    let status = recorded.status();
    let revision = revision(
        status.history.first(),
        status.last_attempted_revision_digest.as_deref(),
        &inputs.identity,
        now,
    );
    let rendering = match render::render(context, recorded.release(), &inputs, &revision, memory).await {
        Ok(rendering) => rendering,
        Err(error) => return Ok(blocked(error.reason(), error.to_string(), error.is_retryable())),
    };
    let policy_fingerprint = inputs.policy.fingerprint(now);
    let ledger = match record::ledger(context, recorded.release(), memory).await {
        Ok(ledger) => ledger.clone(),
        Err(error) => return Ok(blocked(Reason::ClusterError, error.to_string(), true)),
    };
    watch(context, &rendering, &ledger);
    let changes = match compare::changes(context, &rendering.objects, &ledger, &policy_fingerprint).await {
        Ok(changes) => changes,
        Err(error) => return Ok(blocked(Reason::ClusterError, error.to_string(), true)),
    };
    let leftovers = execute::leftovers(recorded.status().inventory.as_ref(), &rendering);
    let plan = decide(
        &Input {
            revision: &revision,
            changes: &changes,
            leftovers: &leftovers,
            failure: memory.failure,
            asked: record::is_asked(recorded.release()),
            interval: recorded.release().spec.interval.as_std(),
        },
        now,
    );
    debug!(revision = revision.number, ?plan, "planned");
    let writes = match plan {
        Plan::Hold { until } => {
            return Ok(Done {
                outcome: Outcome::Standing,
                next: Next::At(until),
            });
        }
        Plan::Rest => return Ok(deployed(&inputs, &revision)),
        Plan::Await => return Ok(settle(context, recorded, memory, &inputs, &revision, &rendering).await),
        Plan::Write(writes) => writes,
    };
    if revision.phase.is_none() {
        info!(revision = revision.number, chart = %inputs.chart_label(), "{} begins", outcome::verb(revision.action));
        let status = recorded.status_mut();
        outcome::begin(status, &inputs.identity, &revision);
        memory.failure = None;
        memory.health.clear();
    }
    execute::extend_inventory(recorded.status_mut(), &rendering);
    // A correction of a deployed release is short and usually changes nothing: its status follows at the end. An
    // attempt is announced first, so that whoever looks sees it, and so that a crash leaves a trace of it.
    if revision.phase != Some(Phase::Deployed) {
        let progress = format!(
            "running {} of revision {} with a timeout of {}",
            outcome::verb(revision.action),
            revision.number,
            recorded.release().spec.action_options(revision.action).timeout
        );
        record::record(
            context,
            recorded,
            memory,
            &Outcome::Progressing {
                action: revision.action,
                progress,
            },
        )
        .await?;
    }
    let executed = execute::execute(context, recorded, memory, &inputs, &revision, &rendering, &writes).await;
    if let Some(ledger) = &memory.ledger {
        watch(context, &rendering, ledger);
    }
    record::save_ledger(context, recorded, memory, &revision).await;
    match executed {
        Err(error) => {
            warn!(revision = revision.number, %error, "attempt failed");
            Ok(Done {
                outcome: error.outcome(revision.action),
                next: Next::Backoff,
            })
        }
        Ok(()) if revision.phase == Some(Phase::Deployed) => Ok(deployed(&inputs, &revision)),
        Ok(()) => Ok(settle(context, recorded, memory, &inputs, &revision, &rendering).await),
    }
}

/// Watches the kinds of the objects that were applied. Others may not be served yet, because the chart brings them.
fn watch(context: &Context, rendering: &render::Rendering, ledger: &Ledger) {
    for object in &rendering.objects {
        if ledger.get(object.intent.reference()).is_some() {
            context.children.watch(&object.resource.api);
        }
    }
}

fn deployed(inputs: &inputs::Inputs, revision: &Revision) -> Done {
    let outcome = Outcome::Deployed {
        action: revision.action,
        chart: inputs.chart_label(),
    };
    let next = Next::Interval {
        policy_changes_at: inputs.policy_changes_at,
    };
    Done { outcome, next }
}

/// Looks whether everything that was applied is ready. Holds no worker: what is not ready yet wakes the release when it
/// changes, and the deadline does at the latest.
async fn settle(
    context: &Context,
    recorded: &Recorded,
    memory: &mut ReleaseMemory,
    inputs: &inputs::Inputs,
    revision: &Revision,
    rendering: &render::Rendering,
) -> Done {
    let options = recorded.release().spec.action_options(revision.action);
    if options.disable_wait {
        return deployed(inputs, revision);
    }
    let health = match execute::health(context, memory, rendering).await {
        Ok(health) => health,
        Err(error) => {
            let progress = format!("cannot look at the objects: {error}");
            return Done {
                outcome: Outcome::Progressing {
                    action: revision.action,
                    progress,
                },
                next: Next::After(inputs::POLL),
            };
        }
    };
    let now = Timestamp::now();
    let began = memory.attempt.unwrap_or(revision.began);
    let failed = recorded
        .status()
        .history
        .first()
        .is_some_and(|newest| Phase::of(newest) == Phase::Failed);
    match crate::plan::settle::settle(&health, began, options.timeout.as_std(), now) {
        Settled::Ready => deployed(inputs, revision),
        Settled::Waiting { progress, deadline: _ } if failed => {
            // The attempt failed; its objects may still come up, and then it is deployed after all.
            debug!(progress, "failed before");
            Done {
                outcome: Outcome::Standing,
                next: Next::After(inputs::POLL),
            }
        }
        Settled::Waiting { progress, deadline } => {
            let poll = now.saturating_add(inputs::POLL).unwrap_or(deadline);
            Done {
                outcome: Outcome::Progressing {
                    action: revision.action,
                    progress,
                },
                next: Next::At(deadline.min(poll)),
            }
        }
        Settled::Failed { message: _ } if failed => Done {
            outcome: Outcome::Standing,
            next: Next::After(inputs::POLL),
        },
        Settled::Failed { message } => Done {
            outcome: Outcome::Failed {
                action: revision.action,
                message,
                retryable: true,
            },
            next: Next::Backoff,
        },
    }
}

/// The time as the API has it.
pub(super) fn now() -> Time {
    Time(Timestamp::now())
}
