//! The fourth step: preflight, then waves of writes, then removals; and the look at what became of them.
//!
//! Edge. What is written was decided in `plan`; who may take which field is decided in `ownership`. Every write is
//! remembered in the ledger at once, so that an attempt that is cut short is continued and not repeated.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use kube::Resource as _;

use super::inputs::Inputs;
use super::record::{Recorded, conflict_labels, release_labels};
use super::render::{DesiredObject, Rendering};
use crate::api::conditions::Reason;
use crate::api::helm_release::ownership::Fights;
use crate::api::helm_release::status::ReleaseAction;
use crate::api::listing::first_few;
use crate::api::{HelmRelease, names};
use crate::cluster::apply::{
    Adoption, Applied, Applier, ApplyError, ApplyRequest, ApplySettings, Decided, ObjectPlan, Observed, Operation,
};
use crate::cluster::delete::{DeleteError, Deleter};
use crate::cluster::observe::LiveMetadata;
use crate::cluster::records::{FormerRelease, Records};
use crate::health::{self};
use crate::operator::children::Known;
use crate::operator::context::Context;
use crate::operator::crds::{self, CrdError};
use crate::operator::memory::ReleaseMemory;
use crate::ownership::class::Class;
use crate::ownership::contested::ContestedField;
use crate::ownership::ledger::{Ledger, ObjectRecord};
use crate::ownership::loss::unknown_manager;
use crate::ownership::policy::{Action, Moment};
use crate::ownership::reference::ObjectReference;
use crate::ownership::summary::{ConflictSummary, ObjectContest};
use crate::plan::decide::Writes;
use crate::plan::inventory;
use crate::plan::outcome::{self, Outcome};
use crate::plan::revision::{Phase, Revision};
use crate::telemetry::events::Severity;

/// How many fields of one object are told of in events; the status and the ledger have the others.
const TOLD: usize = 10;
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
    first_few(errors, errors.len(), NAMED, "; ")
}

/// Finds out whether what was planned can be written, and makes what must be there first: hooks run only for an attempt that
/// nothing stands against.
pub async fn check(
    context: &Context,
    recorded: &Recorded,
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
    recorded: &Recorded,
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
    let applier = applier(context, recorded.release(), inputs);
    let ownership = recorded.release().spec.effective_ownership();
    let moment = Moment {
        now: Timestamp::now(),
        retries_exhausted: memory.conflict_retries >= ownership.effective_retry().limit,
    };
    // Once for all objects: it reads every rule.
    let policy = inputs.policy.fingerprint(moment.now);
    let requests = objects.iter().map(|object| request(context, ledger, object)).collect();
    let decided = applier.decide(requests, moment).await;
    if decided.stops() {
        announce_stopped(context, recorded, ledger, decided.contests(), revision.action);
        return Err(stopped(ledger, &policy, decided, moment.now));
    }
    let mut namespaces = rendering.namespaces.clone();
    namespaces.extend(crds::namespace_to_create(recorded.release()).cloned());
    let refused = applier.preflight(&decided.plans, &namespaces).await;
    if !refused.is_empty() {
        return Err(AttemptError::Refused(refused));
    }
    Ok((decided.plans, policy, moment))
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
    let applier = applier(context, recorded.release(), inputs);
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
                    announce(context, recorded, memory, &applied, revision.action);
                    count_retaken(context, recorded, memory, &applied);
                    watch_fights(context, recorded, memory, &applied, &fights);
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

pub(super) fn applier(context: &Context, release: &HelmRelease, inputs: &Inputs) -> Applier {
    let records = Records::new(context.calls.clone());
    let former = FormerRelease::new(records, release.storage_namespace(), inputs.release_identity());
    let settings = ApplySettings {
        roster: inputs.roster.clone(),
        policy: inputs.policy.clone(),
        release: inputs.release_identity(),
        redactor: context.redactor.clone(),
        // As Flux does; conflicts over single fields are still the policy's.
        adoption: Adoption::TakeOwnership,
        parallelism: context.settings.parallel_writes,
        former: Some(Arc::new(former)),
    };
    Applier::new(context.calls.clone(), context.kinds.clone(), Arc::new(settings))
}

fn request(context: &Context, ledger: &Ledger, object: &DesiredObject) -> ApplyRequest {
    let reference = object.intent.reference();
    let record = ledger.shared(reference);
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

/// Counts what stands although the attempt was stopped, unless the last look at the object led to it already: a conflict
/// that stays is counted once, however often the release is tried again. Fields that are left to their owner are told of in
/// events, too; what stopped the attempt is told of with its end.
fn announce_stopped(
    context: &Context,
    recorded: &Recorded,
    ledger: &Ledger,
    contests: impl Iterator<Item = ObjectContest>,
    action: ReleaseAction,
) {
    let release = release_labels(recorded.release());
    let stands = contests.filter(|contest| stands_unwritten(&contest.contested));
    for ObjectContest { object, contested } in stands {
        if is_known(ledger.get(&object), &contested) {
            continue;
        }
        context.metrics.conflict(conflict_labels(&release, &object, &contested));
        publish(context, recorded, notice(&object, &contested), action);
    }
}

/// Whether a decision holds although nothing was written. Nothing was taken then, whatever was going to be.
fn stands_unwritten(field: &ContestedField) -> bool {
    field.action.is_unresolved()
}

/// Counts fields that were taken from an owner that they had been taken from before: it has written again meanwhile.
fn count_retaken(context: &Context, recorded: &Recorded, memory: &ReleaseMemory, applied: &Applied) {
    if applied.operation == Operation::Skipped {
        return;
    }
    let release = release_labels(recorded.release());
    let known = memory.ledger.as_ref().and_then(|ledger| ledger.get(&applied.reference));
    let taken = applied.contested.iter().filter(|field| field.action == Action::Forced);
    for field in taken.filter(|field| is_known(known, field)) {
        context
            .metrics
            .conflict(conflict_labels(&release, &applied.reference, field));
    }
}

/// Remembers what was contested where the policy said stop. Nothing was written, so the intent stays unapplied.
fn stopped(ledger: &mut Ledger, policy: &str, decided: Decided, now: Timestamp) -> AttemptError {
    let summary = ConflictSummary::of(decided.contests());
    let Decided { plans, failures } = decided;
    // What is skipped is as it was; the others have to be looked at again.
    for plan in plans
        .iter()
        .filter(|plan| !plan.is_skip() && !plan.contested().is_empty())
    {
        remember_stopped(ledger, plan.reference(), plan.contested(), policy, now);
    }
    if failures.is_empty() {
        AttemptError::Conflicts(summary)
    } else {
        AttemptError::Refused(failures)
    }
}

/// Remembers of an object that was not written what is contested in it.
fn remember_stopped(
    ledger: &mut Ledger,
    object: &ObjectReference,
    contested: &[ContestedField],
    policy: &str,
    now: Timestamp,
) {
    let stands: Vec<ContestedField> = contested
        .iter()
        .filter(|field| stands_unwritten(field))
        .cloned()
        .collect();
    ledger.stopped(object, &stands, policy, now);
}

/// Objects that were contested only when they were written stop the release as those do that were contested before.
fn failed_wave(
    context: &Context,
    recorded: &Recorded,
    ledger: &mut Ledger,
    errors: Vec<ApplyError>,
    policy: &str,
    now: Timestamp,
    action: ReleaseAction,
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
        announce_stopped(context, recorded, ledger, contested.iter().map(contest), action);
        remember_stopped(ledger, object, contested, policy, now);
        contests.extend(contested.iter().map(contest));
    }
    if is_only_contested {
        AttemptError::Conflicts(ConflictSummary::of(contests))
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

/// Counts what was decided about an object's contested fields, with an event for every field that was taken from its owner or
/// left to it, once a decision: no take-over is silent.
fn announce(context: &Context, recorded: &Recorded, memory: &ReleaseMemory, applied: &Applied, action: ReleaseAction) {
    let known = memory.ledger.as_ref().and_then(|ledger| ledger.get(&applied.reference));
    let new: Vec<&ContestedField> = applied
        .contested
        .iter()
        .filter(|field| !is_known(known, field))
        .collect();
    let release = release_labels(recorded.release());
    for field in &new {
        context
            .metrics
            .conflict(conflict_labels(&release, &applied.reference, field));
    }
    let (migrated, told): (Vec<&ContestedField>, Vec<&ContestedField>) =
        new.into_iter().partition(|field| is_migrated(field));
    let notices = told.into_iter().filter_map(|field| notice(&applied.reference, field));
    let notices = migration(&applied.reference, &migrated)
        .into_iter()
        .chain(hand_over(applied))
        .chain(notices);
    publish(context, recorded, notices.take(TOLD), action);
}

fn publish(context: &Context, recorded: &Recorded, notices: impl IntoIterator<Item = Notice>, action: ReleaseAction) {
    for (severity, reason, note) in notices {
        let about = recorded.release().object_ref(&());
        context
            .events
            .publish(about, severity, reason, outcome::verb(action), &note);
    }
}

/// An event to be published.
type Notice = (Severity, Reason, String);

/// Whether the field was an earlier tool's, and not just a default of the server.
fn is_migrated(field: &ContestedField) -> bool {
    let is_of_predecessor = match field.class {
        Class::Legacy => true,
        Class::Union => field.manager != unknown_manager(),
        Class::Real | Class::Phantom | Class::Sibling | Class::Admission | Class::Lost => false,
    };
    is_of_predecessor && field.action == Action::Resolved
}

/// What an event says of a field that was taken, left, lost or changed; nothing where nobody lost anything.
fn notice(object: &ObjectReference, field: &ContestedField) -> Option<Notice> {
    let ContestedField {
        path: _,
        field: path,
        ours: _,
        theirs: _,
        manager,
        class,
        action,
        rule,
    } = field;
    let (severity, reason, done) = match (class, action) {
        (Class::Admission, _) => (Severity::Warning, Reason::AdmissionOverride, "is set otherwise by"),
        (Class::Lost, Action::Yielded | Action::Adopted) => {
            (Severity::Normal, Reason::OwnershipLost, "is left as it was left by")
        }
        (Class::Lost, Action::Forced | Action::Resolved) => {
            (Severity::Warning, Reason::OwnershipLost, "taken back after a change by")
        }
        (_, Action::Forced) => (Severity::Warning, Reason::FieldForced, "taken from"),
        (_, Action::Yielded) => (Severity::Normal, Reason::FieldYielded, "left to"),
        (_, Action::Adopted) => (Severity::Normal, Reason::FieldAdopted, "shared, at its value, with"),
        (_, Action::Resolved | Action::Retrying | Action::HandedOff | Action::Failed) => return None,
    };
    let note = format!("{object} {path} {done} {} ({class} conflict, {rule})", manager.name);
    Some((severity, reason, note))
}

/// One event for all fields that came from earlier tools.
fn migration(object: &ObjectReference, migrated: &[&ContestedField]) -> Option<Notice> {
    let first = migrated.first()?;
    let names: BTreeSet<&str> = migrated.iter().map(|field| field.manager.name.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let note = format!(
        "{object}: fields of {} are the release's now: {} of them, the first {} ({} conflict, {})",
        names.join(", "),
        migrated.len(),
        first.field,
        first.class,
        first.rule
    );
    Some((Severity::Normal, Reason::FieldsMigrated, note))
}

/// One event for all fields that are kept as they are until their next owner, an autoscaler for example, writes them.
fn hand_over(applied: &Applied) -> Option<Notice> {
    let fields: Vec<String> = applied.handed_over.iter().map(ToString::to_string).collect();
    let note = format!(
        "{}: what the chart no longer sets is kept for its next owner: {}",
        applied.reference,
        fields.join(", ")
    );
    (!fields.is_empty()).then_some((Severity::Normal, Reason::FieldHandedOver, note))
}

/// Adds what was taken to the heat of its fields, and tells of the fights that begin with it.
fn watch_fights(
    context: &Context,
    recorded: &Recorded,
    memory: &mut ReleaseMemory,
    applied: &Applied,
    fights: &Fights,
) {
    let Fights { threshold, then } = fights;
    let (object, contested) = (&applied.reference, &applied.contested);
    for fight in memory.fights.observe(object, contested, *threshold, Timestamp::now()) {
        let labels = release_labels(recorded.release());
        context.metrics.fight(&labels);
        let about = recorded.release().object_ref(&());
        let note = format!("{fight}; until the fight is over, fights.then decides: {then:?}");
        context
            .events
            .publish(about, Severity::Warning, Reason::FieldFight, "reconcile", &note);
    }
}

/// Whether the last look at the object led to the same decision about the field.
fn is_known(record: Option<&ObjectRecord>, field: &ContestedField) -> bool {
    record.is_some_and(|record| {
        let same = |other: &ContestedField| other.sort_key() == field.sort_key() && other.action == field.action;
        record.contested.iter().any(same)
    })
}

fn remember(context: &Context, memory: &mut ReleaseMemory, applied: &Applied, policy: &str, now: Timestamp) {
    context.metrics.applied(applied.operation);
    let (reference, version) = (&applied.reference, &applied.resource_version);
    context.children.wrote(reference, version);
    if let Some(live) = &applied.live {
        let health = (version.clone(), health::status(live));
        memory.health.insert(reference.clone(), health);
    }
    let ledger = memory.ledger.get_or_insert_default();
    ledger.record(&applied.observation(policy), now);
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
    let labels = names::release_labels(recorded.release().own_namespace(), recorded.release().own_name());
    let deleter = Deleter {
        calls: &context.calls,
        kinds: &context.kinds,
        release: &identity,
        field_manager: &field_manager,
        labels: &labels,
    };
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
