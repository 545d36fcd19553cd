//! The fourth step: preflight, then waves of writes, then removals; and the look at what became of them.
//!
//! Edge. What is written was decided in `plan`; who may take which field is decided in `ownership`. Every write is
//! remembered in the ledger at once, so that an attempt that is cut short is continued and not repeated.

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use tracing::{debug, warn};

use super::announce;
use super::attempt::Desired;
use super::drift::{self, Response};
use super::inputs::Inputs;
use super::record::Recorded;
use super::render::DesiredObject;
use super::stopped::{AttemptError, failed_wave, stopped};
use crate::api::helm_release::actions::{DeletionPropagation, HelmAction};
use crate::api::{HelmRelease, names};
use crate::cluster::apply::{
    Adoption, Applied, Applier, ApplyError, ApplyRequest, ApplySettings, Comparison, Decided, ObjectPlan, Observed,
    Operation, UnknownFields,
};
use crate::cluster::delete::Deleter;
use crate::cluster::observe::LiveMetadata;
use crate::cluster::records::{FormerRelease, Records};
use crate::operator::children::Known;
use crate::operator::context::Context;
use crate::operator::crds::{self, CrdError};
use crate::operator::memory::ReleaseMemory;
use crate::ownership::drift::DriftedField;
use crate::ownership::intent::ReleaseIdentity;
use crate::ownership::ledger::Ledger;
use crate::ownership::policy::Moment;
use crate::ownership::reference::ObjectReference;
use crate::plan::decide::Writes;
use crate::plan::drift::{DriftRules, Ignored};
use crate::plan::inventory;
use crate::plan::revision::{Phase, Revision};

/// Finds out whether what was planned can be written, and makes what must be there first: hooks run only for an attempt that
/// nothing stands against.
pub(super) async fn check(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    desired: &Desired,
    writes: &Writes,
) -> Result<(), AttemptError> {
    define(context, recorded, desired).await?;
    decide(context, recorded, memory, desired, writes, None).await?;
    crds::ensure_namespace(context, recorded.release()).await?;
    Ok(())
}

/// Applies the CRDs of an action. First, as Helm does: the objects are dry-run against them.
async fn define(context: &Context, recorded: &Recorded, desired: &Desired) -> Result<(), CrdError> {
    if is_correction(&desired.revision) {
        return Ok(());
    }
    let action = desired.revision.action;
    crds::apply(context, recorded.release(), &desired.rendering, action).await
}

fn is_correction(revision: &Revision) -> bool {
    revision.phase == Some(Phase::Deployed)
}

/// What is to be written, who writes it, and what that was decided on.
struct Decision {
    applier: Applier,
    plans: Vec<ObjectPlan>,
    /// The policy's fingerprint.
    policy: String,
    moment: Moment,
}

/// Decides about every object and dry-runs what others write, too. `unseen` is taken not to exist.
async fn decide(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    desired: &Desired,
    writes: &Writes,
    unseen: Option<&ObjectReference>,
) -> Result<Decision, AttemptError> {
    let Desired {
        inputs,
        revision,
        rendering,
        ..
    } = desired;
    let Writes { apply, remove: _ } = writes;
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
    let drift = is_correction(revision).then_some(&inputs.drift);
    let mut requests: Vec<ApplyRequest> = objects
        .iter()
        .map(|object| request(context, ledger, object, drift))
        .collect();
    for request in &mut requests {
        if Some(request.intent.reference()) == unseen {
            request.observed = Observed::Absent;
        }
    }
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
    Ok(Decision {
        applier,
        plans: decided.plans,
        policy,
        moment,
    })
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
pub(super) async fn execute(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    desired: &Desired,
    writes: &Writes,
) -> Result<(), AttemptError> {
    let Desired { inputs, revision, .. } = desired;
    define(context, recorded, desired).await?;
    let unseen = unseen(context, memory, desired, writes);
    let mut decision = decide(context, recorded, memory, desired, writes, unseen).await?;
    if !is_correction(revision) {
        crds::ensure_namespace(context, recorded.release()).await?;
    }
    memory.attempt = Some(decision.moment.now);
    if unseen.is_some() && !open(context, recorded, memory, desired, &mut decision).await {
        decision = decide(context, recorded, memory, desired, writes, None).await?;
    }
    for wave in waves(std::mem::take(&mut decision.plans)) {
        let errors = write_wave(context, recorded, memory, desired, &decision, wave).await;
        if !errors.is_empty() {
            let ledger = memory.ledger.get_or_insert_default();
            let (policy, now) = (&decision.policy, decision.moment.now);
            return Err(failed_wave(
                context,
                recorded,
                ledger,
                errors,
                policy,
                now,
                revision.action,
            ));
        }
    }
    removed(context, recorded, memory, inputs, &writes.remove).await
}

/// The first object, if it is not known and probably not there: it is created without a look, which costs a request less.
fn unseen<'a>(
    context: &Context,
    memory: &ReleaseMemory,
    desired: &'a Desired,
    writes: &Writes,
) -> Option<&'a ObjectReference> {
    if is_correction(&desired.revision) || desired.revision.action != HelmAction::Install {
        return None;
    }
    let first = desired.rendering.objects.get(*writes.apply.first()?)?;
    let reference = first.intent.reference();
    let is_recorded = memory
        .ledger
        .as_ref()
        .is_some_and(|ledger| ledger.get(reference).is_some());
    let is_known = is_recorded || matches!(context.target.children.get(reference), Known::Present(_));
    (!is_known).then_some(reference)
}

/// Creates the first object, that was taken not to exist, before all others. If it cannot be created, because it is there after all
/// or for any other reason, nothing is written yet, and all is decided again with a look at all objects.
async fn open(
    context: &Context,
    recorded: &Recorded,
    memory: &mut ReleaseMemory,
    desired: &Desired,
    decision: &mut Decision,
) -> bool {
    if decision.plans.is_empty() {
        return true;
    }
    let first = decision.plans.remove(0);
    match decision.applier.create(first).await {
        Ok(applied) => {
            written(context, recorded, memory, desired.revision.action, decision, &applied);
            true
        }
        Err(error) => {
            debug!(%error, "decided again");
            false
        }
    }
}

/// Writes objects that do not depend on each other; gives what failed.
async fn write_wave(
    context: &Context,
    recorded: &Recorded,
    memory: &mut ReleaseMemory,
    desired: &Desired,
    decision: &Decision,
    wave: Vec<ObjectPlan>,
) -> Vec<ApplyError> {
    let mut errors = Vec::new();
    for result in decision.applier.write(wave, decision.moment).await {
        match result {
            Ok(applied) => written(context, recorded, memory, desired.revision.action, decision, &applied),
            Err(error) => errors.push(error),
        }
    }
    errors
}

/// Tells of an object that was written, and remembers it.
fn written(
    context: &Context,
    recorded: &Recorded,
    memory: &mut ReleaseMemory,
    action: HelmAction,
    decision: &Decision,
    applied: &Applied,
) {
    let fights = recorded.release().spec.effective_ownership().effective_fights();
    announce::written(context, recorded, memory, applied, action);
    announce::fights(context, recorded, memory, applied, &fights);
    remember(context, memory, applied, &decision.policy, decision.moment.now);
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
