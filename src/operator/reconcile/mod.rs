//! One reconcile of a HelmRelease: observe, render, plan, execute, record; one file a step.
//!
//! Edge: `inputs`, `compare`, `execute`, `record` and `uninstall` talk to the API server or to chart sources; `render`
//! computes on a blocking thread; what is to be done is decided in `crate::plan`. `announce` tells of contested fields.

mod action;
mod announce;
mod attempt;
mod chart;
pub mod compare;
mod dependencies;
mod drift;
pub mod execute;
pub mod health;
mod hook_logs;
pub mod hooks;
pub mod inputs;
pub mod lookup;
mod outlook;
pub mod preserved;
pub mod record;
pub mod records;
mod remediate;
pub mod render;
mod restart;
pub mod seed;
pub mod shadow;
mod stopped;
mod testing;
pub mod uninstall;
pub mod values;

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::runtime::controller::Action;
use kube::{Resource as _, ResourceExt as _};
use tokio::time::timeout;
use tracing::{debug, warn};

use super::context::{Context, Shared};
use super::memory::{ReleaseKey, ReleaseMemory, Step};
use crate::api::HelmRelease;
use crate::api::conditions::Reason;
use crate::api::helm_release::actions::HelmAction;
use crate::api::helm_release::remediation::OnFailure;
use crate::api::helm_release::{HelmReleaseSpec, Mode};
use crate::ownership::ledger::Ledger;
use crate::plan::cluster;
use crate::plan::course::Removal;
use crate::plan::decide::Failure;
use crate::plan::outcome::{self, GONE, Outcome, RACE, Verdict};
use crate::plan::ownership_status;
use crate::plan::remedy::Aftermath;
use crate::plan::retry::{backoff, conflict_wait, jittered};
use crate::telemetry::events::Severity;
use crate::telemetry::metrics::ReleaseLabels;
use record::Recorded;

/// How soon a reconcile follows on one that lost a race for the HelmRelease.
const AFTER_RACE: Duration = Duration::from_millis(200);

/// How soon records are written that could not be written.
const AFTER_ERROR: Duration = Duration::from_secs(5);

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
    /// The API server does not answer.
    #[error(
        "HelmRelease {namespace}/{name}: cut short, and the API server did not answer when that was to be recorded"
    )]
    Silent {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
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
    /// At its interval, or before that when the policy changes by itself, or a gate opens.
    Interval {
        /// When it does.
        policy_changes_at: Option<Timestamp>,
    },
    /// After a wait.
    After(Duration),
    /// At a time.
    At(Timestamp),
    /// At a time, and what is waited for is told only then: it is mostly over by that time, and takes no write of the status.
    Untold {
        /// When it is told.
        until: Timestamp,
    },
    /// With the backoff of a release that keeps failing.
    Backoff,
}

/// Reconciles a HelmRelease once.
pub async fn reconcile(cached: Arc<HelmRelease>, shared: Arc<Shared>) -> Result<Action, ReconcileError> {
    let key = ReleaseKey::of(&cached);
    let started = Instant::now();
    let mut memory = shared.memory.take(&key);
    memory.step = Step::default();
    let limit = cached
        .spec
        .longest_timeout()
        .as_std()
        .max(shared.settings.request_timeout);
    let result = match timeout(limit, pass(&shared, &cached, &mut memory)).await {
        Ok(result) => result,
        Err(_elapsed) => cut_short(&shared, &cached, &mut memory, limit).await,
    };
    let (outcome, verdict) = match &result {
        Ok((ended, _)) => *ended,
        Err(_) => (Reason::ReconcileError.as_str(), Verdict::Failed),
    };
    shared
        .metrics
        .reconciled("HelmRelease", outcome, verdict, started.elapsed());
    if outcome == GONE {
        // It leaves nothing behind.
        shared.dependencies.waits_no_longer(&key);
        shared.policies.recount();
    } else {
        if memory.labels.as_ref() != Some(cached.labels()) {
            memory.labels = Some(cached.labels().clone());
            shared.policies.recount();
        }
        // What waits for something is looked at again soon.
        if verdict != Verdict::Waiting {
            memory.rest();
        }
        shared.memory.put(key, memory);
    }
    result.map(|(_, action)| action)
}

/// Says of a reconcile that took too long what it was about. Such a one waits for nothing: objects that become ready are awaited
/// between reconciles.
async fn cut_short(
    shared: &Shared,
    cached: &Arc<HelmRelease>,
    memory: &mut ReleaseMemory,
    limit: Duration,
) -> Result<(Ended, Action), ReconcileError> {
    let step = memory.step.as_str();
    *memory = std::mem::take(memory).cut_short();
    let message = format!("cut short after {limit:?} while {step}; it is tried again");
    warn!("{message}");
    let outcome = if cached.metadata.deletion_timestamp.is_some() {
        let why = Removal::Deletion;
        Outcome::UninstallFailed { why, message }
    } else {
        Outcome::Blocked {
            reason: Reason::ReconcileError,
            message,
            retryable: true,
        }
    };
    let recording = async {
        let Some(release) = record::fresh(shared, cached, memory).await? else {
            return Ok((IS_GONE, Action::await_change()));
        };
        let mut recorded = Recorded::new(release, memory);
        let next = Next::Backoff;
        let (Done { outcome, next }, _) = recorded_only(shared, &mut recorded, memory, Done { outcome, next }).await?;
        let interval = recorded.release().spec.interval.as_std();
        let wait = wait(&next, memory, interval, shared.settings.interval_jitter);
        Ok(((outcome.category(), outcome.verdict()), Action::requeue(wait)))
    };
    let silent = |_| ReconcileError::Silent {
        namespace: cached.own_namespace().to_owned(),
        name: cached.own_name().to_owned(),
    };
    timeout(shared.settings.request_timeout, recording)
        .await
        .map_err(silent)?
}

/// Forgets a release that went without being reconciled: one without a finalizer, because it was never applied.
pub(super) fn forget(shared: &Shared, key: &ReleaseKey) {
    let labels = ReleaseLabels {
        namespace: key.namespace.clone(),
        release: key.name.clone(),
    };
    shared.memory.take(key);
    shared.dependencies.waits_no_longer(key);
    record::forget(shared, &labels);
    shared.policies.recount();
}

/// How a reconcile ended: in a word, and in short.
type Ended = (&'static str, Verdict);

const IS_GONE: Ended = (GONE, Verdict::Succeeded);
const LOST_RACE: Ended = (RACE, Verdict::Waiting);

async fn pass(
    shared: &Arc<Shared>,
    cached: &Arc<HelmRelease>,
    memory: &mut ReleaseMemory,
) -> Result<(Ended, Action), ReconcileError> {
    let Some(release) = record::fresh(shared, cached, memory).await? else {
        return Ok((IS_GONE, Action::await_change()));
    };
    let mut recorded = Recorded::new(release, memory);
    if recorded.release().metadata.deletion_timestamp.is_some() {
        return end(shared, &mut recorded, memory).await;
    }
    let (mode, suspended) = (recorded.release().spec.mode, recorded.release().spec.suspend);
    // A release in shadow mode has nothing to clean up that it did not have before.
    if mode == Mode::Apply && !record::ensure_finalizer(shared, &mut recorded, memory).await? {
        return Ok((LOST_RACE, Action::requeue(AFTER_RACE)));
    }
    let (Done { outcome, next }, written) = if suspended {
        let next = Next::Interval {
            policy_changes_at: None,
        };
        let done = Done {
            outcome: Outcome::Suspended,
            next,
        };
        recorded_only(shared, &mut recorded, memory, done).await?
    } else {
        match Context::of(shared, recorded.release(), memory).await {
            Ok(context) => forward(&context, &mut recorded, memory).await?,
            Err(error) => {
                let done = attempt::blocked(error.reason(), &error, error.is_retryable());
                recorded_only(shared, &mut recorded, memory, done).await?
            }
        }
    };
    let category = outcome.category();
    debug!(outcome = category, written, "reconciled");
    let interval = recorded.release().spec.interval.as_std();
    let mut wait = wait(&next, memory, interval, shared.settings.interval_jitter);
    if memory.records_due {
        wait = wait.min(AFTER_ERROR);
    }
    Ok(((category, outcome.verdict()), Action::requeue(wait)))
}

/// Brings a release forward and records how far it came; says whether the status was written.
async fn forward(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
) -> Result<(Done, bool), ReconcileError> {
    let done = match recorded.release().spec.mode {
        Mode::Shadow => {
            let generation = recorded.release().metadata.generation.unwrap_or_default();
            outcome::hold(recorded.status_mut(), None, generation, &now());
            shadow::shadow(context, recorded, memory).await
        }
        Mode::Apply => {
            enter_cluster(context, recorded, memory);
            attempt::attempt(context, recorded, memory).await?
        }
    };
    note(
        memory,
        &done.outcome,
        &recorded.release().spec,
        context.shared.settings.interval_jitter,
    );
    let written = match done.next {
        Next::Untold { until: _ } => {
            record::keep(recorded, memory);
            false
        }
        Next::Interval { .. } | Next::After(_) | Next::At(_) | Next::Backoff => {
            record::record(context, recorded, memory, &done.outcome).await?
        }
    };
    Ok((done, written))
}

/// Notes which cluster the release is released to; in another one than before it begins anew.
fn enter_cluster(context: &Context, recorded: &mut Recorded, memory: &mut ReleaseMemory) {
    let cluster = recorded.release().cluster_object();
    // A cluster with an older definition of HelmRelease keeps no note of it.
    if memory.cluster.replace(cluster.clone()).as_ref() == Some(&cluster) {
        recorded.status_mut().cluster = cluster;
        return;
    }
    let Some(left) = cluster::enter(recorded.status_mut(), cluster.as_deref()) else {
        return;
    };
    memory.ledger = Some(Ledger::default());
    memory.draft = None;
    memory.failure = None;
    let (about, note) = (recorded.release().object_ref(&()), left.note());
    warn!("{note}");
    context
        .shared
        .events
        .publish(about, Severity::Warning, Reason::Progressing, "move", &note);
}

/// Records why nothing is done; says whether the status was written.
async fn recorded_only(
    shared: &Shared,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    done: Done,
) -> Result<(Done, bool), ReconcileError> {
    note(
        memory,
        &done.outcome,
        &recorded.release().spec,
        shared.settings.interval_jitter,
    );
    let written = record::record_unreached(shared, recorded, memory, &done.outcome).await?;
    Ok((done, written))
}

/// Ends a release that is being deleted, as far as possible now.
async fn end(
    shared: &Arc<Shared>,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
) -> Result<(Ended, Action), ReconcileError> {
    if !uninstall::is_uninstalled(recorded.release()) {
        let progress = uninstall::let_go(shared, recorded, memory).await?;
        return ended(shared, None, recorded, memory, progress).await;
    }
    match Context::of_ending(shared, recorded.release(), memory).await {
        Ok(context) => {
            let mut progress = uninstall::uninstall(&context, recorded, memory).await?;
            if progress.has_failed() && shared.targets.account_is_gone(recorded.release()).await {
                progress = uninstall::give_up(&context, recorded, memory).await?;
            }
            ended(shared, Some(&context), recorded, memory, progress).await
        }
        Err(error) => {
            let progress = if error.is_out_of_reach() {
                uninstall::leave_all(shared, recorded, memory, &error).await?
            } else {
                uninstall::failed(&error)
            };
            ended(shared, None, recorded, memory, progress).await
        }
    }
}

/// Records how far the end of a release is: in Helm's records, too, where its target is known.
async fn ended(
    shared: &Shared,
    context: Option<&Context>,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    progress: uninstall::Progress,
) -> Result<(Ended, Action), ReconcileError> {
    let outcome = match progress {
        uninstall::Progress::Gone => {
            record::forget(shared, &record::release_labels(recorded.release()));
            return Ok((IS_GONE, Action::await_change()));
        }
        uninstall::Progress::Waiting(outcome) => outcome,
    };
    match context {
        Some(context) => record::record(context, recorded, memory, &outcome).await?,
        None => record::record_unreached(shared, recorded, memory, &outcome).await?,
    };
    Ok((
        (outcome.category(), outcome.verdict()),
        Action::requeue(uninstall::POLL),
    ))
}

/// Keeps count of failures in a row.
fn note(memory: &mut ReleaseMemory, outcome: &Outcome, spec: &HelmReleaseSpec, jitter: u8) {
    match outcome {
        Outcome::Blocked { .. } => memory.blocked = memory.blocked.saturating_add(1),
        Outcome::Conflicted {
            reason: Reason::ConflictRetrying,
            ..
        } => {
            memory.conflict_retries = memory.conflict_retries.saturating_add(1);
            let interval = spec.effective_ownership().effective_retry().interval.as_std();
            fail(memory, conflict_wait(memory.conflict_retries, interval), false);
        }
        Outcome::Failed {
            action,
            aftermath: Aftermath::Retried,
            ..
        } if let Some(every) = retry_interval(spec, *action) => {
            fail(memory, jittered(every, jitter, random_fraction()), true);
        }
        Outcome::Conflicted { .. }
        | Outcome::Failed { .. }
        | Outcome::TestFailed { ignored: false, .. }
        | Outcome::UninstallFailed { .. } => {
            let count = memory.failure.map_or(0, |failure| failure.count).saturating_add(1);
            fail(memory, backoff(count, spec.interval.as_std()), true);
        }
        Outcome::Deployed { .. }
        | Outcome::Tested { .. }
        | Outcome::TestFailed { ignored: true, .. }
        | Outcome::RolledBack { .. }
        | Outcome::Removed { .. } => {
            memory.failure = None;
            memory.blocked = 0;
            // While a field is still contested, what followed on the retries goes on.
            if memory
                .ledger
                .as_ref()
                .is_none_or(|ledger| !ownership_status::is_contested(ledger))
            {
                memory.conflict_retries = 0;
            }
        }
        Outcome::Progressing { .. }
        | Outcome::Testing { .. }
        | Outcome::Compared { .. }
        | Outcome::Uninstalling { .. }
        | Outcome::Held
        | Outcome::Suspended => {
            memory.blocked = 0;
        }
        Outcome::Standing => {}
    }
}

/// How long is waited after a failure of an action that is only retried; `None` for others.
fn retry_interval(spec: &HelmReleaseSpec, action: HelmAction) -> Option<Duration> {
    match spec.on_failure(action.of_chart()?) {
        OnFailure::Retry { every } => Some(every),
        OnFailure::Remediate(_) => None,
    }
}

fn fail(memory: &mut ReleaseMemory, wait: Duration, hurried_by_change: bool) {
    memory.failure = Some(Failure {
        at: Timestamp::now(),
        count: memory.failure.map_or(0, |failure| failure.count).saturating_add(1),
        wait,
        hurried_by_change,
    });
    memory.blocked = 0;
}

fn wait(next: &Next, memory: &ReleaseMemory, interval: Duration, jitter: u8) -> Duration {
    match next {
        Next::Interval { policy_changes_at } => {
            let interval = jittered(interval, jitter, random_fraction());
            policy_changes_at.map_or(interval, |time| until(time).min(interval))
        }
        Next::After(wait) => *wait,
        // Also a long wait does not keep a new version of the chart from being seen.
        Next::At(time) | Next::Untold { until: time } => until(*time).min(interval),
        Next::Backoff => {
            let blocked = backoff(memory.blocked, interval);
            let wait = memory.failure.map_or(blocked, |failure| failure.wait.max(blocked));
            jittered(wait, jitter, random_fraction())
        }
    }
}

fn until(time: Timestamp) -> Duration {
    Duration::try_from(time.duration_since(Timestamp::now())).unwrap_or(Duration::ZERO)
}

/// Spreads requeues; needs no better randomness than the clock's last digits.
pub(super) fn random_fraction() -> f64 {
    f64::from(Timestamp::now().subsec_nanosecond() % 1_000_000) / 1_000_000.0
}

/// The time as the API has it.
pub(super) fn now() -> Time {
    Time(Timestamp::now())
}
