//! The fourth step: preflight, then waves of writes, then removals; and the look at what became of them.
//!
//! Edge. What is written was decided in `plan`; who may take which field is decided in `ownership`. Every write is
//! remembered in the ledger at once, so that an attempt that is cut short is continued and not repeated.

use std::collections::HashSet;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::jiff::Timestamp;
use kube::Resource as _;

use super::inputs::Inputs;
use super::record::Recorded;
use super::render::{DesiredObject, Rendering};
use crate::api::conditions::Reason;
use crate::api::helm_release::HelmReleaseStatus;
use crate::api::helm_release::history::{Inventory, InventoryEntry};
use crate::api::helm_release::status::ReleaseAction;
use crate::cluster::apply::{
    Adoption, Applied, Applier, ApplyError, ApplyRequest, ApplySettings, Decided, ObjectPlan, Observed,
};
use crate::cluster::calls::CallError;
use crate::cluster::delete::{DeleteError, Deleter};
use crate::cluster::discovery::DiscoveryError;
use crate::cluster::observe::LiveMetadata;
use crate::health::{self, Health};
use crate::operator::children::Known;
use crate::operator::context::Context;
use crate::operator::crds::{self, CrdError};
use crate::operator::memory::ReleaseMemory;
use crate::ownership::contested::ContestedField;
use crate::ownership::ledger::{Ledger, ObjectRecord, Observation};
use crate::ownership::manager_class::ManagerClass;
use crate::ownership::policy::{Action, Moment};
use crate::ownership::reference::ObjectReference;
use crate::ownership::summary::ConflictSummary;
use crate::plan::decide::Writes;
use crate::plan::outcome::{self, Outcome};
use crate::plan::revision::{Phase, Revision};
use crate::telemetry::events::Severity;
use crate::telemetry::metrics::{ApplyLabels, ConflictLabels};

/// How many errors a message names.
const NAMED: usize = 3;

/// Why an attempt did not reach its end.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// The policy stopped it.
    #[error("{}", .0.message())]
    Conflicts(ConflictSummary),
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
    pub fn outcome(&self, action: ReleaseAction) -> Outcome {
        let message = self.to_string();
        match self {
            Self::Conflicts(summary) => Outcome::Conflicted {
                action,
                reason: stop_reason(summary),
                message,
            },
            Self::Refused(errors) | Self::Apply(errors) => Outcome::Failed {
                action,
                message,
                retryable: errors.iter().any(ApplyError::is_retryable),
            },
            Self::Remove(error) => Outcome::Failed {
                action,
                message,
                retryable: error.is_retryable(),
            },
            Self::Crd(error) => Outcome::Failed {
                action,
                message,
                retryable: error.is_retryable(),
            },
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
    let named: Vec<String> = errors.iter().take(NAMED).map(ToString::to_string).collect();
    let more = errors.len().saturating_sub(named.len());
    let rest = if more == 0 {
        String::new()
    } else {
        format!("; and {more} more")
    };
    format!("{}{rest}", named.join("; "))
}

/// Objects of the inventory that are no longer desired.
pub fn leftovers(inventory: Option<&Inventory>, rendering: &Rendering) -> Vec<ObjectReference> {
    let Some(inventory) = inventory else { return Vec::new() };
    let desired: HashSet<String> = rendering
        .objects
        .iter()
        .map(|object| entry(object.intent.reference()).id)
        .collect();
    inventory
        .entries
        .iter()
        .filter(|entry| !desired.contains(&entry.id))
        .filter_map(reference)
        .collect()
}

/// The inventory's entry for an object.
pub fn entry(reference: &ObjectReference) -> InventoryEntry {
    InventoryEntry::new(
        reference.namespace.as_deref().unwrap_or_default(),
        &reference.name,
        reference.group(),
        &reference.kind,
        reference.version(),
    )
}

/// The object of an entry; `None` for an entry of another shape, which only another writer can have made.
pub fn reference(entry: &InventoryEntry) -> Option<ObjectReference> {
    let (namespace, name, group, kind) = entry.parts()?;
    Some(ObjectReference {
        api_version: if group.is_empty() {
            entry.v.clone()
        } else {
            format!("{group}/{}", entry.v)
        },
        kind: kind.to_owned(),
        namespace: Some(namespace.to_owned()).filter(|namespace| !namespace.is_empty()),
        name,
    })
}

/// Adds all desired objects to the inventory before any is written, so that none is forgotten whatever happens.
pub fn extend_inventory(status: &mut HelmReleaseStatus, rendering: &Rendering) {
    let inventory = status.inventory.get_or_insert_default();
    let desired: Vec<InventoryEntry> = rendering
        .objects
        .iter()
        .map(|object| entry(object.intent.reference()))
        .collect();
    let ids: HashSet<&str> = desired.iter().map(|entry| entry.id.as_str()).collect();
    inventory.entries.retain(|entry| !ids.contains(entry.id.as_str()));
    inventory.entries.extend(desired);
    inventory.entries.sort();
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
    let Writes { apply, remove } = writes;
    if revision.phase != Some(Phase::Deployed) {
        crds::apply(context, recorded.release(), rendering, revision.action).await?;
        crds::ensure_namespace(context, recorded.release()).await?;
    }
    let ledger = memory.ledger.get_or_insert_default();
    let objects: Vec<&DesiredObject> = apply.iter().filter_map(|index| rendering.objects.get(*index)).collect();
    let applier = applier(context, inputs);
    let moment = Moment {
        now: Timestamp::now(),
        retries_exhausted: false,
    };
    let requests = objects.iter().map(|object| request(context, ledger, object)).collect();
    let decided = applier.decide(requests, moment).await;
    count_conflicts(context, recorded, ledger, &decided);
    if decided.stops() {
        return Err(stopped(ledger, inputs, decided, moment.now));
    }
    let refused = applier.preflight(&decided.plans, &rendering.namespaces).await;
    if !refused.is_empty() {
        return Err(AttemptError::Refused(refused));
    }
    memory.attempt = Some(moment.now);
    for wave in waves(decided.plans) {
        let results = applier.write(wave, moment).await;
        let mut errors = Vec::new();
        for result in results {
            match result {
                Ok(applied) => {
                    announce(context, recorded, memory, &applied, revision.action);
                    remember(context, memory, inputs, &applied, moment.now);
                }
                Err(error) => errors.push(error),
            }
        }
        if !errors.is_empty() {
            return Err(AttemptError::Apply(errors));
        }
    }
    removed(context, recorded, memory, inputs, remove).await
}

fn applier(context: &Context, inputs: &Inputs) -> Applier {
    let settings = ApplySettings {
        roster: inputs.roster.clone(),
        policy: inputs.policy.clone(),
        release: inputs.release_identity(),
        redactor: context.redactor.clone(),
        // As Flux does; conflicts over single fields are still the policy's.
        adoption: Adoption::TakeOwnership,
        parallelism: context.settings.parallel_writes,
    };
    Applier::new(context.calls.clone(), context.kinds.clone(), Arc::new(settings))
}

fn request(context: &Context, ledger: &Ledger, object: &DesiredObject) -> ApplyRequest {
    let reference = object.intent.reference();
    let record = ledger.get(reference).cloned();
    let observed = match context.children.get(reference) {
        Known::Present(LiveMetadata {
            uid,
            resource_version,
            fingerprint: _,
            terminating: _,
        }) => Observed::Present { uid, resource_version },
        // An object without our label is not in the index, so absence there proves nothing.
        Known::Absent | Known::Unknown => Observed::Unknown,
    };
    ApplyRequest {
        intent: object.intent.clone(),
        observed,
        record,
    }
}

/// Counts decisions that the last look at the object did not lead to: a conflict that stays is counted once, however often
/// the release is tried again.
fn count_conflicts(context: &Context, recorded: &Recorded, ledger: &Ledger, decided: &Decided) {
    for contest in decided.contests() {
        let release = recorded.release();
        let field = &contest.contested;
        if is_known(ledger.get(&contest.object), field) {
            continue;
        }
        let class = ManagerClass::of(&field.manager.name, field.manager.subresource.as_deref());
        let labels = ConflictLabels {
            namespace: release.own_namespace().to_owned(),
            release: release.own_name().to_owned(),
            kind: contest.object.kind.clone(),
            class: field.class.as_str(),
            manager_class: class.as_str(),
            action: field.action.as_str(),
        };
        context.metrics.conflicts.get_or_create(&labels).inc();
    }
}

/// Remembers what was contested where the policy said stop. Nothing was written, so the intent stays unapplied.
fn stopped(ledger: &mut Ledger, inputs: &Inputs, decided: Decided, now: Timestamp) -> AttemptError {
    let summary = ConflictSummary::of(decided.contests());
    let Decided { plans, failures } = decided;
    let policy = inputs.policy.fingerprint(now);
    for plan in plans.iter().filter(|plan| !plan.contested().is_empty()) {
        ledger.stopped(plan.reference(), plan.contested(), &policy, now);
    }
    if failures.is_empty() {
        AttemptError::Conflicts(summary)
    } else {
        AttemptError::Refused(failures)
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

/// An event for every field that was taken from its owner or left to it, once a decision: no take-over is silent.
fn announce(context: &Context, recorded: &Recorded, memory: &ReleaseMemory, applied: &Applied, action: ReleaseAction) {
    let known = memory.ledger.as_ref().and_then(|ledger| ledger.get(&applied.reference));
    for field in applied.contested.iter().filter(|field| !is_known(known, field)) {
        let (severity, reason, done) = match field.action {
            Action::Forced => (Severity::Warning, Reason::FieldForced, "taken from"),
            Action::Yielded => (Severity::Normal, Reason::FieldYielded, "left to"),
            Action::Resolved | Action::Retrying | Action::HandedOff | Action::Failed => continue,
        };
        let ContestedField {
            path: _,
            field: path,
            ours: _,
            theirs: _,
            manager,
            class,
            action: _,
            rule,
        } = field;
        let object = &applied.reference;
        let note = format!("{object} {path} {done} {} ({class} conflict, {rule})", manager.name);
        let about = recorded.release().object_ref(&());
        context
            .events
            .publish(about, severity, reason, outcome::verb(action), &note);
    }
}

/// Whether the last look at the object led to the same decision about the field.
fn is_known(record: Option<&ObjectRecord>, field: &ContestedField) -> bool {
    record.is_some_and(|record| {
        let same = |other: &ContestedField| other.sort_key() == field.sort_key() && other.action == field.action;
        record.contested.iter().any(same)
    })
}

fn remember(context: &Context, memory: &mut ReleaseMemory, inputs: &Inputs, applied: &Applied, now: Timestamp) {
    let Applied {
        reference,
        uid,
        resource_version,
        fingerprint,
        intent_hash,
        operation,
        owned,
        contested,
        handed_over: _,
        overridden_by_admission,
        live,
    } = applied;
    context
        .metrics
        .applies
        .get_or_create(&ApplyLabels {
            operation: operation.as_str(),
        })
        .inc();
    context.children.wrote(reference, resource_version);
    if let Some(live) = live {
        memory
            .health
            .insert(reference.clone(), (resource_version.clone(), health::status(live)));
    }
    let policy = inputs.policy.fingerprint(now);
    let observation = Observation {
        reference,
        uid,
        resource_version,
        fingerprint,
        intent_hash,
        policy: &policy,
        owned,
        contested,
        overridden: overridden_by_admission,
    };
    memory.ledger.get_or_insert_default().record(&observation, now);
}

async fn removed(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    inputs: &Inputs,
    remove: &[ObjectReference],
) -> Result<(), AttemptError> {
    let identity = inputs.release_identity();
    let field_manager = recorded.release().field_manager();
    let deleter = Deleter {
        calls: &context.calls,
        kinds: &context.kinds,
        release: &identity,
        field_manager: &field_manager,
    };
    for reference in remove {
        let ledger = memory.ledger.get_or_insert_default();
        let uid = ledger.get(reference).map(|record| record.uid.clone());
        deleter.delete(reference, uid.as_deref()).await?;
        ledger.forget(reference);
        memory.health.remove(reference);
        let gone = entry(reference);
        if let Some(inventory) = &mut recorded.status_mut().inventory {
            inventory.entries.retain(|entry| entry.id != gone.id);
        }
    }
    Ok(())
}

/// Why the health of objects could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// A call failed.
    #[error("{object}: {source}")]
    Call {
        /// The object.
        object: ObjectReference,
        /// Why.
        source: CallError,
    },
    /// Its kind cannot be looked up.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
}

/// The health of all objects of the release. Objects that were ready at the version that the watches have are not read.
pub async fn health(
    context: &Context,
    memory: &mut ReleaseMemory,
    rendering: &Rendering,
) -> Result<Vec<(ObjectReference, Health)>, HealthError> {
    let known = &memory.health;
    let looks: Vec<_> = rendering
        .objects
        .iter()
        .map(|object| async move {
            let reference = object.intent.reference();
            if let Some((version, health)) = known.get(reference)
                && is_current(context, reference, version, health)
            {
                return Ok::<_, HealthError>((reference.clone(), version.clone(), health.clone()));
            }
            let resource = context.kinds.resolve(&reference.api_version, &reference.kind).await?;
            let live = context
                .calls
                .get(&resource, reference.namespace.as_deref(), &reference.name)
                .await
                .map_err(|source| HealthError::Call {
                    object: reference.clone(),
                    source,
                })?;
            let version = live
                .as_ref()
                .and_then(|live| live.pointer("/metadata/resourceVersion")?.as_str());
            let health = live.as_ref().map_or_else(Health::not_found, health::status);
            Ok((reference.clone(), version.unwrap_or_default().to_owned(), health))
        })
        .collect();
    let looked: Vec<(ObjectReference, String, Health)> = stream::iter(looks)
        .buffered(context.settings.parallel_writes.get())
        .try_collect()
        .await?;
    memory.health = looked
        .iter()
        .cloned()
        .map(|(reference, version, health)| (reference, (version, health)))
        .collect();
    Ok(looked
        .into_iter()
        .map(|(reference, _, health)| (reference, health))
        .collect())
}

/// Whether what is remembered of an object's health still holds.
fn is_current(context: &Context, reference: &ObjectReference, version: &str, health: &Health) -> bool {
    match context.children.get(reference) {
        Known::Present(live) => live.resource_version == version,
        // The watch does not know it yet: what was ready stays so, what was not is looked at again.
        Known::Absent | Known::Unknown => health.state == health::State::Current,
    }
}
