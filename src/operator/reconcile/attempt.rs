//! The pipeline of one reconcile: what each step gives goes into the next.
//!
//! Edge by what it calls. It decides nothing itself; it stops where a step says so. What the reconcile is about is found out in
//! `outlook`; what comes around the objects of an action, its hooks and the waiting, is in `action`.

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use tracing::{debug, info, warn};

use super::action::{announcement, before, ended, failed_attempt, hooks_of, settled};
use super::compare::{self, Noticed};
use super::health::Written;
use super::inputs::{self, Inputs};
use super::outlook::{Outlook, outlook};
use super::record::{self, Recorded};
use super::records::{self, Adopted};
use super::render::{self, Purpose, Rendering};
use super::{Done, Next, ReconcileError, dependencies, drift, execute, health, hooks, remediate, restart};
use crate::api::HelmRelease;
use crate::api::conditions::Reason;
use crate::api::helm_release::actions::HelmAction;
use crate::health::rules::HealthRules;
use crate::operator::context::Context;
use crate::operator::memory::{ReleaseMemory, Step};
use crate::ownership::ledger::Ledger;
use crate::plan::course::Course;
use crate::plan::decide::{Input, Plan, Writes, decide};
use crate::plan::hooks::When;
use crate::plan::inventory;
use crate::plan::method::method;
use crate::plan::outcome::{self, Outcome};
use crate::plan::records::{Standing, Stored};
use crate::plan::revision::{Phase, Revision};
use crate::release::Status;

/// What is desired: the first two steps' result.
pub(super) struct Desired {
    pub(super) inputs: Inputs,
    pub(super) revision: Revision,
    pub(super) rendering: Arc<Rendering>,
    adopted: Adopted,
    /// Of a revision that restores an earlier one, or that is kept: when the chart is attempted again.
    pub(super) until: Option<Timestamp>,
}

impl Desired {
    /// Name and version of the chart, for messages.
    pub(super) fn chart_label(&self) -> String {
        let identity = self.rendering.identity();
        format!("{}@{}", identity.chart_name, identity.chart_version)
    }
}

/// Brings a release as far towards what is desired as it can get now.
pub(super) async fn attempt(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
) -> Result<Done, ReconcileError> {
    let outlook = match outlook(context, recorded, memory).await {
        Ok(outlook) => outlook,
        Err(blocked) => return Ok(blocked),
    };
    debug!(course = ?outlook.course, "decided");
    if let Course::Uninstall(why) = outlook.course {
        return remediate::remove(context, recorded, memory, why).await;
    }
    if outlook.course.begins()
        && let Err(error) = records::complete(context, recorded, memory).await
    {
        let message = format!("another revision begins when the last one is recorded: {error}");
        return Ok(blocked(Reason::ClusterError, &message, true));
    }
    let desired = match desired(context, recorded, memory, outlook).await {
        Ok(desired) => desired,
        Err(blocked) => return Ok(blocked),
    };
    let Planned { plan, reported } = match planned(context, recorded, memory, &desired).await {
        Ok(planned) => planned,
        Err(blocked) => return Ok(blocked),
    };
    if desired.revision.phase == Some(Phase::Deployed) {
        let drifted = execute::compared(context, recorded, memory, &desired, &reported).await;
        drift::found(context, recorded, &drifted, drift::Response::Reported);
        if drifted.is_empty() && plan == Plan::Rest {
            drift::ended(recorded, desired.inputs.drift.mode());
        }
    }
    debug!(revision = desired.revision.number, ?plan, "planned");
    record::mark_ledger(context, recorded, memory, &desired.revision).await;
    let done = match plan {
        Plan::Hold { until } => standing_until(until),
        Plan::Rest => ended(context, recorded, memory, &desired).await?,
        Plan::Await => settled(context, recorded, memory, &desired, Written::Before).await?,
        Plan::Write(writes) => write(context, recorded, memory, &desired, &writes).await?,
    };
    remediate::clean_up(context, recorded, memory, &desired, &done.outcome).await;
    Ok(done)
}

pub(super) fn blocked(reason: Reason, message: &dyn std::fmt::Display, retryable: bool) -> Done {
    let message = message.to_string();
    Done {
        outcome: Outcome::Blocked {
            reason,
            message,
            retryable,
        },
        next: Next::Backoff,
    }
}

/// Makes out what the objects are to be: what the chart renders to, or what an earlier revision was.
async fn desired(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    outlook: Outlook,
) -> Result<Desired, Done> {
    let Outlook {
        mut inputs,
        requirements,
        course,
        hold,
        standing,
        stored,
    } = outlook;
    let restores = match &course {
        Course::RollBack { source, .. } => Some(*source),
        Course::Release(_) | Course::Keep { .. } | Course::Uninstall(_) | Course::Idle { .. } => None,
    };
    let (revision, rendering, until) = match course {
        Course::Release(revision) => {
            let release = recorded.release();
            if let Some(in_use) = name_in_use(recorded, &revision, &stored) {
                return Err(in_use);
            }
            dependencies::check(context, release, &requirements, revision.phase).await?;
            memory.step = Step::Rendering;
            let rendering = render::render(context, release, &inputs, &revision, Purpose::Apply, memory).await;
            let rendering = rendering.map_err(|error| blocked(error.reason(), &error, error.is_retryable()))?;
            (revision, rendering, None)
        }
        Course::RollBack {
            revision,
            source,
            until,
        } => {
            let rendering = recorded_objects(context, recorded, memory, source, &revision).await?;
            (revision, rendering, Some(until))
        }
        Course::Keep { revision, until } => {
            let rendering = recorded_objects(context, recorded, memory, revision.number, &revision).await?;
            (revision, rendering, Some(until))
        }
        Course::Idle { until } if hold.is_some() => return Err(held_until(until, &standing)),
        Course::Idle { until } => return Err(standing_until(until)),
        // Is not rendered for.
        Course::Uninstall(_) => return Err(standing_until(Timestamp::now())),
    };
    let rules = HealthRules::of(&recorded.release().spec, revision.action)
        .map_err(|error| blocked(Reason::InvalidCELExpression, &error, false))?;
    health::judge_by(memory, rules);
    inputs.method = method(
        &recorded.release().spec,
        &recorded.status().history,
        &revision,
        restores,
    );
    let adopted = match standing {
        Standing::Foreign { .. } => records::adopt(context, recorded, &stored).await,
        Standing::Own | Standing::Gone | Standing::Busy { .. } | Standing::Taken { .. } => Adopted::default(),
    };
    Ok(Desired {
        inputs,
        revision,
        rendering,
        adopted,
        until,
    })
}

/// What the objects of a revision are by the record of `source`.
async fn recorded_objects(
    context: &Context,
    recorded: &Recorded,
    memory: &mut ReleaseMemory,
    source: u32,
    revision: &Revision,
) -> Result<Arc<Rendering>, Done> {
    let rendering = remediate::restored(context, recorded, memory, source, revision.number).await;
    rendering.map_err(|error| blocked(error.reason(revision.action), &error, error.is_retryable()))
}

/// Leaves a release alone while an upgrade is held back. The record of a revision of its own may only be late: it is gone on with
/// when that is there.
fn held_until(until: Timestamp, standing: &Standing) -> Done {
    let soon = Timestamp::now().saturating_add(inputs::POLL).unwrap_or(until);
    let at = if *standing == Standing::Own {
        soon.min(until)
    } else {
        until
    };
    Done {
        outcome: Outcome::Held,
        next: Next::At(at),
    }
}

pub(super) fn standing_until(until: Timestamp) -> Done {
    Done {
        outcome: Outcome::Standing,
        next: Next::At(until),
    }
}

/// Why a release is not installed, if it is not: another one of its name was uninstalled and its history kept, which Helm does not go
/// on with unasked.
fn name_in_use(recorded: &Recorded, revision: &Revision, stored: &Stored) -> Option<Done> {
    let release = recorded.release();
    let replaces = release.spec.install.as_ref().is_some_and(|install| install.replace);
    if replaces || !recorded.status().history.is_empty() || revision.action != HelmAction::Install {
        return None;
    }
    let (number, record) = stored.last_key_value()?;
    (record.status == Status::Uninstalled).then(|| Done {
        outcome: Outcome::Blocked {
            reason: Reason::InstallFailed,
            message: format!(
                "cannot reuse a name that is still in use: revision {number} of a release {} was uninstalled and its history kept; set \
                 spec.install.replace to go on with it, or delete its records in the namespace {}",
                release.release_name(),
                release.storage_namespace(),
            ),
            retryable: true,
        },
        next: Next::Backoff,
    })
}

/// What a reconcile is to do.
struct Planned {
    plan: Plan,
    /// The objects, as indices, whose drift is only to be reported.
    reported: Vec<usize>,
}

/// Compares what is desired with what is there, and plans.
async fn planned(
    context: &Context,
    recorded: &Recorded,
    memory: &mut ReleaseMemory,
    desired: &Desired,
) -> Result<Planned, Done> {
    let Desired {
        inputs,
        revision,
        rendering,
        adopted: _,
        until: _,
    } = desired;
    let now = Timestamp::now();
    memory.step = Step::Comparing;
    let ledger = record::ledger(context, recorded.release(), memory)
        .await
        .map_err(|error| blocked(Reason::ClusterError, &error, true))?;
    watch(context, rendering, ledger);
    let look = compare::Look {
        policy: &inputs.policy.fingerprint(now),
        phase: revision.phase,
        drift: &inputs.drift,
    };
    let Noticed { changes, reported } = compare::changes(context, &rendering.objects, ledger, look)
        .await
        .map_err(|error| blocked(Reason::ClusterError, &error, true))?;
    let leftovers = inventory::leftovers(recorded.status().inventory.as_ref(), rendering.references());
    let input = Input {
        revision,
        changes: &changes,
        leftovers: &leftovers,
        failure: memory.failure,
        asked: recorded.release().is_asked() || decided_by_a_person(recorded.release(), memory),
        stirred: memory.sighting != Some(context.target.children.sighting(rendering.references())),
        hooks_due: revision.phase != Some(Phase::Deployed)
            && hooks::is_due(recorded, hooks_of(recorded, desired, When::Before)),
    };
    Ok(Planned {
        plan: decide(&input, now),
        reported,
    })
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
        until: _,
    } = desired;
    memory.step = Step::Writing;
    if revision.phase.is_none() {
        info!(revision = revision.number, chart = %desired.chart_label(), "{} begins", revision.action.verb());
        for warning in &rendering.warnings {
            warn!(revision = revision.number, "{warning}");
        }
        outcome::begin(
            recorded.status_mut(),
            rendering.identity(),
            revision,
            inputs.method,
            desired.adopted.first_deployed,
        );
        let storage = recorded.release().storage_namespace().to_owned();
        recorded.status_mut().storage_namespace.get_or_insert(storage);
        if revision.action != HelmAction::Rollback
            && let Some(forced) = recorded.release().forced_at().map(str::to_owned)
        {
            recorded.status_mut().last_handled_force_at = Some(forced);
        }
        memory.failure = None;
        memory.conflict_retries = 0;
        memory.created.clear();
    }
    if let Some(newest) = recorded.status_mut().history.first_mut() {
        newest.apply_method = inputs.method;
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
    let executed = execute::execute(context, recorded, memory, desired, writes).await;
    if let Some(ledger) = &memory.ledger {
        watch(context, rendering, ledger);
    }
    record::save_ledger(context, recorded, memory, revision).await;
    match executed {
        Err(error) => Ok(failed_attempt(context, recorded, memory, desired, &error)),
        Ok(()) if is_correction => {
            drift::ended(recorded, inputs.drift.mode());
            ended(context, recorded, memory, desired).await
        }
        Ok(()) => {
            restart::restarted(context, recorded, desired).await;
            settled(context, recorded, memory, desired, Written::Now).await
        }
    }
}

/// Whether a person has decided about conflicts since the release was last looked at.
fn decided_by_a_person(release: &HelmRelease, memory: &mut ReleaseMemory) -> bool {
    let decisions = release.resolve_annotation();
    let is_new = memory.resolve != decisions;
    decisions.clone_into(&mut memory.resolve);
    is_new
}

/// Watches the kinds of the objects that were applied. Others may not be served yet, because the chart brings them.
fn watch(context: &Context, rendering: &Rendering, ledger: &Ledger) {
    for object in &rendering.objects {
        if ledger.get(object.intent.reference()).is_some() {
            context.target.children.watch(&object.resource.api);
        }
    }
}
