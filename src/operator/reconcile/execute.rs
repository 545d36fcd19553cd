//! The fourth step: preflight, then waves of writes, then removals; and the look at what became of them.
//!
//! Edge. What is written was decided in `plan`; who may take which field is decided in `ownership`. Every write is
//! remembered in the ledger at once, so that an attempt that is cut short is continued and not repeated.

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use tracing::warn;

use super::announce;
use super::attempt::Desired;
use super::drift::{self, Response};
use super::inputs::Inputs;
use super::record::Recorded;
use super::render::{DesiredObject, Rendering};
use crate::api::conditions::Reason;
use crate::api::helm_release::actions::{DeletionPropagation, HelmAction};
use crate::api::listing::first_few;
use crate::api::{HelmRelease, names};
use crate::cluster::apply::{
    Adoption, Applied, Applier, ApplyError, ApplyRequest, ApplySettings, Comparison, Decided, ObjectPlan, Observed,
    Operation, UnknownFields,
};
use crate::cluster::delete::{DeleteError, Deleter};
use crate::cluster::observe::LiveMetadata;
use crate::cluster::records::{FormerRelease, Records};
use crate::operator::children::Known;
use crate::operator::context::Context;
use crate::operator::crds::{self, CrdError};
use crate::operator::memory::ReleaseMemory;
use crate::ownership::contested::ContestedField;
use crate::ownership::drift::DriftedField;
use crate::ownership::intent::ReleaseIdentity;
use crate::ownership::ledger::Ledger;
use crate::ownership::policy::{Action, Moment};
use crate::ownership::reference::ObjectReference;
use crate::ownership::summary::{ConflictSummary, ObjectContest};
use crate::plan::decide::Writes;
use crate::plan::drift::{DriftRules, Ignored};
use crate::plan::inventory;
use crate::plan::outcome::Outcome;
use crate::plan::remedy::Aftermath;
use crate::plan::revision::{Phase, Revision};

/// How many errors a message names.
const NAMED: usize = 3;

/// Why an attempt did not reach its end.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
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
    pub fn outcome(&self, action: HelmAction, aftermath: Aftermath) -> Outcome {
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
}

impl AttemptError {
    /// Whether objects were written before, and the policy does not ask for another attempt or for a person instead of remediation.
    pub fn has_written(&self) -> bool {
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

/// Finds out whether what was planned can be written, and makes what must be there first: hooks run only for an attempt that
/// nothing stands against.
pub async fn check(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    inputs: &Inputs,
    revision: &Revision,
    rendering: &Rendering,
    writes: &Writes,
) -> Result<(), AttemptError> {
    decided(context, recorded, memory, inputs, revision, rendering, writes).await?;
    crds::ensure_namespace(context, recorded.release()).await?;
    Ok(())
}

/// Applies the CRDs, decides about every object and dry-runs what others write, too. Gives what is to be written, the policy's
/// fingerprint and the moment of the decision.
async fn decided(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    inputs: &Inputs,
    revision: &Revision,
    rendering: &Rendering,
    writes: &Writes,
) -> Result<(Vec<ObjectPlan>, String, Moment), AttemptError> {
    let Writes { apply, remove: _ } = writes;
    let is_correction = revision.phase == Some(Phase::Deployed);
    if !is_correction {
        // First, as Helm does: the objects are dry-run against them.
        crds::apply(context, recorded.release(), rendering, revision.action).await?;
    }
    let ledger = memory.ledger.get_or_insert_default();
    let objects: Vec<&DesiredObject> = apply.iter().filter_map(|index| rendering.objects.get(*index)).collect();
    let applier = applier(context, recorded.release(), inputs, revision.action);
    let ownership = recorded.release().spec.effective_ownership();
    let moment = Moment {
        now: Timestamp::now(),
        retries_exhausted: memory.conflict_retries >= ownership.effective_retry().limit,
    };
    // Once for all objects: it reads every rule.
    let policy = inputs.policy.fingerprint(moment.now);
    let drift = is_correction.then_some(&inputs.drift);
    let requests = objects
        .iter()
        .map(|object| request(context, ledger, object, drift))
        .collect();
    let decided = applier.decide(requests, moment).await;
    let response = if decided.stops() {
        Response::Contested
    } else {
        Response::Corrected
    };
    drift::found(context, recorded, &drifted(&decided), response);
    if decided.stops() {
        return Err(stopped(
            context,
            recorded,
            ledger,
            decided,
            &policy,
            moment.now,
            revision.action,
        ));
    }
    let mut namespaces = rendering.namespaces.clone();
    namespaces.extend(crds::namespace_to_create(recorded.release()).cloned());
    let refused = applier.preflight(&decided.plans, &namespaces).await;
    if !refused.is_empty() {
        return Err(AttemptError::Refused(refused));
    }
    Ok((decided.plans, policy, moment))
}

fn drifted(decided: &Decided) -> Vec<DriftedField> {
    decided.plans.iter().flat_map(ObjectPlan::drifted).cloned().collect()
}

/// Finds out how objects differ from what was applied, and writes nothing.
pub(super) async fn compared(
    context: &Context,
    recorded: &Recorded,
    memory: &mut ReleaseMemory,
    desired: &Desired,
    objects: &[usize],
) -> Vec<DriftedField> {
    let Desired {
        inputs,
        revision,
        rendering,
        ..
    } = desired;
    if objects.is_empty() {
        return Vec::new();
    }
    let ledger = memory.ledger.get_or_insert_default();
    let objects = objects.iter().filter_map(|index| rendering.objects.get(*index));
    let requests = objects
        .map(|object| request(context, ledger, object, Some(&inputs.drift)))
        .collect();
    let moment = Moment {
        now: Timestamp::now(),
        retries_exhausted: false,
    };
    let applier = applier(context, recorded.release(), inputs, revision.action);
    let decided = applier.decide(requests, moment).await;
    for error in &decided.failures {
        warn!(%error, "cannot compare an object with the release");
    }
    let drifted = drifted(&decided);
    // What is as it should be is remembered, so that it is not compared again.
    let unchanged = decided.plans.into_iter().filter(ObjectPlan::is_skip).collect();
    let policy = inputs.policy.fingerprint(moment.now);
    for applied in applier.write(unchanged, moment).await.into_iter().flatten() {
        remember(context, memory, &applied, &policy, moment.now);
    }
    drifted
}

/// Writes what was planned.
pub async fn execute(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    inputs: &Inputs,
    revision: &Revision,
    rendering: &Rendering,
    writes: &Writes,
) -> Result<(), AttemptError> {
    let is_correction = revision.phase == Some(Phase::Deployed);
    let fights = recorded.release().spec.effective_ownership().effective_fights();
    let (plans, policy, moment) = decided(context, recorded, memory, inputs, revision, rendering, writes).await?;
    let applier = applier(context, recorded.release(), inputs, revision.action);
    if !is_correction {
        crds::ensure_namespace(context, recorded.release()).await?;
    }
    memory.attempt = Some(moment.now);
    for wave in waves(plans) {
        let results = applier.write(wave, moment).await;
        let mut errors = Vec::new();
        for result in results {
            match result {
                Ok(applied) => {
                    announce::written(context, recorded, memory, &applied, revision.action);
                    announce::fights(context, recorded, memory, &applied, &fights);
                    remember(context, memory, &applied, &policy, moment.now);
                }
                Err(error) => errors.push(error),
            }
        }
        if !errors.is_empty() {
            let ledger = memory.ledger.get_or_insert_default();
            return Err(failed_wave(
                context,
                recorded,
                ledger,
                errors,
                &policy,
                moment.now,
                revision.action,
            ));
        }
    }
    removed(context, recorded, memory, inputs, &writes.remove).await
}

pub(super) fn applier(context: &Context, release: &HelmRelease, inputs: &Inputs, action: HelmAction) -> Applier {
    let records = Records::new(context.target.calls.clone());
    let former = FormerRelease::new(records, release.storage_namespace(), inputs.release_identity());
    let settings = ApplySettings {
        roster: inputs.roster.clone(),
        policy: inputs.policy.clone(),
        release: inputs.release_identity(),
        redactor: context.shared.redactor.clone(),
        // As Flux does; conflicts over single fields are the policy's in any case.
        adoption: if release.spec.takes_ownership(action) {
            Adoption::TakeOwnership
        } else {
            Adoption::OnlyOurs
        },
        method: inputs.method,
        unknown_fields: if release.spec.leaves_out_unknown_fields(action) {
            UnknownFields::LeftOut
        } else {
            UnknownFields::Refused
        },
        recreates: release.spec.recreates(action),
        parallelism: context.shared.settings.parallel_writes,
        former: Some(Arc::new(former)),
    };
    Applier::new(
        context.target.calls.clone(),
        context.target.kinds.clone(),
        Arc::new(settings),
    )
}

/// What is asked for an object; `drift` says how it is compared, when it is only applied to put drift right.
fn request(context: &Context, ledger: &Ledger, object: &DesiredObject, drift: Option<&DriftRules>) -> ApplyRequest {
    let reference = object.intent.reference();
    let record = ledger.shared(reference);
    let observed = match context.target.children.get(reference) {
        Known::Present(LiveMetadata {
            uid,
            resource_version,
            fingerprint: _,
            terminating: _,
            left_alone: _,
        }) => Observed::Present { uid, resource_version },
        // An object without our label is not in the index, so absence there proves nothing.
        Known::Absent | Known::Unknown => Observed::Unknown,
    };
    ApplyRequest {
        intent: object.intent.clone(),
        observed,
        record,
        comparison: drift.map(|drift| Comparison {
            ignored: match drift.ignored(object.intent.body()) {
                Ignored::Fields(paths) => paths,
                // It is applied for another reason than drift.
                Ignored::Everything => Arc::default(),
            },
        }),
    }
}

/// Remembers and tells what was contested where the policy said stop. Nothing was written, so the intent stays unapplied.
fn stopped(
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
fn failed_wave(
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

/// Consecutive objects of one kind: they do not depend on each other, while the next kind may depend on them.
fn waves(plans: Vec<ObjectPlan>) -> Vec<Vec<ObjectPlan>> {
    let mut waves: Vec<Vec<ObjectPlan>> = Vec::new();
    for plan in plans {
        match waves.last_mut() {
            Some(wave)
                if wave
                    .first()
                    .is_some_and(|first| first.reference().kind == plan.reference().kind) =>
            {
                wave.push(plan);
            }
            _ => waves.push(vec![plan]),
        }
    }
    waves
}

fn remember(context: &Context, memory: &mut ReleaseMemory, applied: &Applied, policy: &str, now: Timestamp) {
    context.shared.metrics.applied(applied.operation);
    let (reference, version) = (&applied.reference, &applied.resource_version);
    context.target.children.wrote(reference, version);
    if let Some(live) = &applied.live {
        let health = (version.clone(), memory.health_rules.judge(live));
        memory.health.insert(reference.clone(), health);
    }
    if applied.operation == Operation::Created {
        memory.created.push(reference.clone());
    }
    let ledger = memory.ledger.get_or_insert_default();
    ledger.record(&applied.observation(policy), now);
}

/// What makes objects a release's, so that it may delete them.
pub(super) struct Marks {
    identity: ReleaseIdentity,
    field_manager: String,
    labels: [(&'static str, String); 2],
}

impl Marks {
    /// Those of a release, which Helm knows by this identity.
    pub(super) fn of(release: &HelmRelease, identity: ReleaseIdentity) -> Self {
        Self {
            identity,
            field_manager: release.field_manager(),
            labels: names::release_labels(release.own_namespace(), release.own_name()),
        }
    }

    /// What deletes the objects that have them.
    pub(super) fn deleter<'a>(&'a self, context: &'a Context, propagation: DeletionPropagation) -> Deleter<'a> {
        Deleter {
            calls: &context.target.calls,
            kinds: &context.target.kinds,
            release: &self.identity,
            field_manager: &self.field_manager,
            labels: &self.labels,
            propagation,
        }
    }
}

/// Removes objects that the release does not have any more.
pub(super) async fn removed(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    inputs: &Inputs,
    remove: &[ObjectReference],
) -> Result<(), AttemptError> {
    let marks = Marks::of(recorded.release(), inputs.release_identity());
    let deleter = marks.deleter(context, DeletionPropagation::Background);
    for reference in remove {
        let ledger = memory.ledger.get_or_insert_default();
        let uid = ledger.get(reference).map(|record| record.uid.clone());
        deleter.delete(reference, uid.as_deref()).await?;
        ledger.forget(reference);
        memory.health.remove(reference);
        if let Some(inventory) = &mut recorded.status_mut().inventory {
            inventory::remove(inventory, reference);
        }
    }
    Ok(())
}
