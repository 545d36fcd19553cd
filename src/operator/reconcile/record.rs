//! The last step: what a reconcile came to goes into the status, the ledger, metrics and events.
//!
//! Edge. Writes only what changed. Also reads the HelmRelease afresh where the cache may be older than our own writes.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::{Resource, ResourceExt};
use serde_json::json;

use super::{ReconcileError, now, records};
use crate::api::conditions::{self, ConditionType, ConditionUpdate, Reason};
use crate::api::helm_release::actions::HelmAction;
use crate::api::helm_release::{HelmReleaseStatus, Mode};
use crate::api::{HelmRelease, acted_on, names};
use crate::operator::context::{Context, Shared};
use crate::operator::follow::slim;
use crate::operator::ledger_store::{self, LedgerStoreError};
use crate::operator::memory::{ReleaseMemory, Step};
use crate::ownership::class::Class;
use crate::ownership::contested::ContestedField;
use crate::ownership::ledger::Ledger;
use crate::ownership::manager_class::ManagerClass;
use crate::ownership::policy::Action;
use crate::ownership::reference::ObjectReference;
use crate::plan::outcome::{self, Outcome};
use crate::plan::ownership_status;
use crate::plan::revision::Revision;
use crate::telemetry::events::Severity;
use crate::telemetry::metrics::{ConflictLabels, ReleaseLabels};

/// A HelmRelease as it was last read or written, and the status that is being worked on.
#[derive(Debug)]
pub struct Recorded {
    release: Arc<HelmRelease>,
    status: HelmReleaseStatus,
}

impl Recorded {
    /// Begins with the status that the release has, or that an earlier reconcile left unwritten.
    pub fn new(release: Arc<HelmRelease>, memory: &ReleaseMemory) -> Self {
        let status = memory.untold.as_deref().or(release.status.as_ref());
        let status = status.cloned().unwrap_or_default();
        Self { release, status }
    }

    /// The release as it was last read or written.
    pub fn release(&self) -> &HelmRelease {
        &self.release
    }

    /// The status that is being worked on.
    pub fn status(&self) -> &HelmReleaseStatus {
        &self.status
    }

    /// The status that is being worked on.
    pub fn status_mut(&mut self) -> &mut HelmReleaseStatus {
        &mut self.status
    }

    fn wrote(&mut self, mut release: HelmRelease, memory: &mut ReleaseMemory) {
        slim(&mut release);
        memory.written = release.resource_version();
        self.release = Arc::new(release);
    }
}

fn api(shared: &Shared, release: &HelmRelease) -> Api<HelmRelease> {
    Api::namespaced(shared.client.clone(), release.own_namespace())
}

fn failed(release: &HelmRelease, memory: &mut ReleaseMemory, source: kube::Error) -> ReconcileError {
    // Whatever the cache has, it is not what the server has: read anew next time.
    memory.written = Some(String::new());
    ReconcileError::Resource {
        namespace: release.own_namespace().to_owned(),
        name: release.own_name().to_owned(),
        source: Box::new(source),
    }
}

/// The release to work on: the cached one if it is our own last write or this process has made none, else a fresh read.
/// `None` if it is gone.
pub async fn fresh(
    shared: &Shared,
    cached: &Arc<HelmRelease>,
    memory: &mut ReleaseMemory,
) -> Result<Option<Arc<HelmRelease>>, ReconcileError> {
    // One that is being deleted may be gone already, and nothing is remembered of those that are.
    let is_known = memory.written.is_some() || cached.metadata.deletion_timestamp.is_some();
    if !is_known || memory.written == cached.metadata.resource_version {
        return Ok(Some(cached.clone()));
    }
    let read = api(shared, cached).get_opt(cached.own_name()).await;
    let mut live = read.map_err(|source| failed(cached, memory, source))?;
    live.iter_mut().for_each(slim);
    memory.written = live.as_ref().and_then(ResourceExt::resource_version);
    Ok(live.map(Arc::new))
}

/// Puts our finalizer on the release. `false` if somebody changed or deleted the release meanwhile.
pub async fn ensure_finalizer(
    shared: &Shared,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
) -> Result<bool, ReconcileError> {
    let mut finalizers = recorded.release.metadata.finalizers.clone().unwrap_or_default();
    if finalizers.iter().any(|finalizer| finalizer == names::FINALIZER) {
        return Ok(true);
    }
    finalizers.push(names::FINALIZER.to_owned());
    Ok(set_finalizers(shared, recorded, memory, &finalizers).await? == Finalizers::Set)
}

/// Takes our finalizer off the release, which lets it go.
pub async fn remove_finalizer(
    shared: &Shared,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
) -> Result<bool, ReconcileError> {
    let mut finalizers = recorded.release.metadata.finalizers.clone().unwrap_or_default();
    finalizers.retain(|finalizer| finalizer != names::FINALIZER);
    Ok(set_finalizers(shared, recorded, memory, &finalizers).await? != Finalizers::Outdated)
}

/// What became of a change of finalizers.
#[derive(PartialEq, Eq)]
enum Finalizers {
    /// They are as wanted.
    Set,
    /// Somebody changed the release meanwhile.
    Outdated,
    /// The release is gone.
    Gone,
}

async fn set_finalizers(
    shared: &Shared,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    finalizers: &[String],
) -> Result<Finalizers, ReconcileError> {
    // The resourceVersion keeps us from dropping a finalizer that somebody else adds at the same time.
    let patch = json!({"metadata": {
        "resourceVersion": recorded.release.metadata.resource_version,
        "finalizers": finalizers,
    }});
    let parameters = PatchParams {
        field_manager: Some(names::CONTROLLER_FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    match api(shared, &recorded.release)
        .patch(recorded.release.own_name(), &parameters, &Patch::Merge(patch))
        .await
    {
        Ok(release) => {
            recorded.wrote(release, memory);
            Ok(Finalizers::Set)
        }
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(Finalizers::Gone),
        Err(kube::Error::Api(status)) if status.is_conflict() => {
            memory.written = Some(String::new());
            Ok(Finalizers::Outdated)
        }
        Err(source) => Err(failed(&recorded.release.clone(), memory, source)),
    }
}

/// Records that an attempt begins: the status alone.
pub async fn begin(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    progress: &Outcome,
) -> Result<bool, ReconcileError> {
    let (before, time) = conclude(recorded, progress);
    write(&context.shared, recorded, memory, progress, before.as_ref(), &time).await
}

/// Records how a reconcile ended: release records first, then the status. Returns whether the status was written.
pub async fn record(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    outcome: &Outcome,
) -> Result<bool, ReconcileError> {
    memory.step = Step::Recording;
    let (before, time) = conclude(recorded, outcome);
    if recorded.release.spec.mode == Mode::Apply && *outcome != Outcome::Suspended {
        records::sync(context, recorded, memory).await;
    }
    write(&context.shared, recorded, memory, outcome, before.as_ref(), &time).await
}

/// Keeps the status for the next reconcile, which comes soon and goes on with it.
pub fn keep(recorded: &Recorded, memory: &mut ReleaseMemory) {
    memory.untold = Some(Box::new(recorded.status.clone()));
}

/// Records why nothing could be done where the release is to be released to: the status alone.
pub async fn record_unreached(
    shared: &Shared,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    outcome: &Outcome,
) -> Result<bool, ReconcileError> {
    let (before, time) = conclude(recorded, outcome);
    write(shared, recorded, memory, outcome, before.as_ref(), &time).await
}

/// Puts the outcome into the status; gives the status as it was before, and the time.
fn conclude(recorded: &mut Recorded, outcome: &Outcome) -> (Option<HelmReleaseStatus>, Time) {
    let time = now();
    let generation = recorded.release.metadata.generation.unwrap_or_default();
    let before = recorded.release.status.clone();
    outcome::record(&mut recorded.status, outcome, generation, &time);
    ignored_fields(recorded, generation);
    if let Some(requested) = recorded.release.requested_at() {
        recorded.status.last_handled_reconcile_at = Some(requested.to_owned());
    }
    (before, time)
}

async fn write(
    shared: &Shared,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    outcome: &Outcome,
    before: Option<&HelmReleaseStatus>,
    time: &Time,
) -> Result<bool, ReconcileError> {
    let generation = recorded.release.metadata.generation.unwrap_or_default();
    if let Some(ledger) = &memory.ledger {
        let manager = recorded.release.field_manager();
        recorded.status.ownership = Some(ownership_status::ownership_status(manager, ledger));
        let fights = memory.fights.going_on(time.0);
        ownership_status::conflicted(&mut recorded.status, &fights, generation, time);
    }
    if recorded.release.spec.mode == Mode::Apply {
        leave_shadow(shared, recorded, memory);
    }
    export(shared, recorded, memory);
    if recorded.release.status.as_ref() == Some(&recorded.status) {
        memory.untold = None;
        return Ok(false);
    }
    let mut desired = HelmRelease::clone(&recorded.release);
    desired.status = Some(recorded.status.clone());
    let parameters = PostParams {
        field_manager: Some(names::CONTROLLER_FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    let written = api(shared, &recorded.release)
        .replace_status(desired.own_name(), &parameters, &desired)
        .await;
    match written {
        Ok(release) => recorded.wrote(release, memory),
        Err(source) => return Err(failed(&recorded.release.clone(), memory, source)),
    }
    memory.untold = None;
    announce(shared, recorded, before, outcome);
    Ok(true)
}

/// Takes back what shadow mode said, which an apply says otherwise.
fn leave_shadow(shared: &Shared, recorded: &mut Recorded, memory: &mut ReleaseMemory) {
    memory.shadow = None;
    if recorded.status.shadow.take().is_some() {
        conditions::remove(&mut recorded.status.conditions, ConditionType::Drifted);
    }
    let labels = release_labels(&recorded.release);
    shared.metrics.shadow_conflicts_now(&labels, std::iter::empty());
}

/// Reports spec fields that are accepted but not acted on.
fn ignored_fields(recorded: &mut Recorded, generation: i64) {
    let fields = acted_on::fields_not_acted_on(&recorded.release.spec).unwrap_or_default();
    if fields.is_empty() {
        conditions::remove(&mut recorded.status.conditions, ConditionType::FieldsIgnored);
        return;
    }
    let message = format!(
        "accepted but not acted on by this version of Fairlead: {}",
        fields.join(", ")
    );
    let update = ConditionUpdate::new(ConditionType::FieldsIgnored, true, Reason::NotActedOn, message);
    conditions::set(&mut recorded.status.conditions, update, Some(generation), &now());
}

/// Reason and message of a condition.
fn summary(status: Option<&HelmReleaseStatus>, condition: ConditionType) -> Option<(&str, &str)> {
    let condition = conditions::get(&status?.conditions, condition)?;
    Some((&condition.reason, &condition.message))
}

/// An event for an upgrade that is held back, when it is another one or waits for something else.
fn announce_hold(shared: &Shared, recorded: &Recorded, before: Option<&HelmReleaseStatus>) {
    let after = Some(&recorded.status);
    if outcome::is_held_alike(before, after) {
        return;
    }
    let Some((reason, message)) = summary(after, ConditionType::Held) else {
        return;
    };
    if let Some(reason) = Reason::from_name(reason) {
        let about = recorded.release.object_ref(&());
        shared
            .events
            .publish(about, Severity::Normal, reason, "upgrade", message);
    }
}

/// An event for each change of `Ready`.
fn announce(shared: &Shared, recorded: &Recorded, before: Option<&HelmReleaseStatus>, outcome: &Outcome) {
    announce_hold(shared, recorded, before);
    let after = summary(Some(&recorded.status), ConditionType::Ready);
    if after == summary(before, ConditionType::Ready) {
        return;
    }
    let Some((reason, message)) = after else { return };
    let Some(reason) = Reason::from_name(reason) else {
        return;
    };
    if reason == Reason::UpgradeHeld || is_as_it_was(before, &recorded.status) {
        return; // What is held is told of, and nothing was done.
    }
    let (severity, action) = match outcome {
        Outcome::Deployed { action } | Outcome::Tested { action, .. } => (Severity::Normal, action.verb()),
        Outcome::RolledBack { .. } => (Severity::Normal, HelmAction::Rollback.verb()),
        Outcome::Removed { .. } => (Severity::Normal, "uninstall"),
        Outcome::TestFailed { .. } => (Severity::Warning, "test"),
        Outcome::Compared { applies: true, .. } => (Severity::Normal, "compare"),
        Outcome::Compared { applies: false, .. } => (Severity::Warning, "compare"),
        Outcome::Failed { action, .. } | Outcome::Conflicted { action, .. } => (Severity::Warning, action.verb()),
        Outcome::Blocked { .. } => (Severity::Warning, "reconcile"),
        Outcome::UninstallFailed { .. } => (Severity::Warning, "uninstall"),
        // Progress is for the status: an event for each step would bury the others.
        Outcome::Progressing { .. }
        | Outcome::Testing { .. }
        | Outcome::Uninstalling { .. }
        | Outcome::Held
        | Outcome::Standing
        | Outcome::Suspended => return,
    };
    shared
        .events
        .publish(recorded.release.object_ref(&()), severity, reason, action, message);
}

/// Whether a release is ready after an upgrade of it was held back, and its revision is still the same: it is not held any more.
fn is_as_it_was(before: Option<&HelmReleaseStatus>, after: &HelmReleaseStatus) -> bool {
    let was_held =
        summary(before, ConditionType::Ready).is_some_and(|(reason, _)| reason == Reason::UpgradeHeld.as_str());
    let newest = |status: &HelmReleaseStatus| status.history.first().map(|newest| newest.version);
    was_held && conditions::is_true(&after.conditions, ConditionType::Ready) && before.and_then(newest) == newest(after)
}

/// Brings the release's gauges to its status.
fn export(shared: &Shared, recorded: &Recorded, memory: &ReleaseMemory) {
    let metrics = &shared.metrics;
    let labels = release_labels(&recorded.release);
    let ready = conditions::is_true(&recorded.status.conditions, ConditionType::Ready);
    metrics.release(&labels, ready, recorded.release.spec.suspend);
    metrics.fights_now(&labels, memory.fights.going_on(Timestamp::now()).len());
    let is_shadow = recorded.release.spec.mode == Mode::Shadow;
    if memory.ledger.is_none() && !is_shadow {
        return;
    }
    // What was forced or resolved is ours now; contested are the others. Those of a shadow have a gauge of their own.
    let objects = memory.ledger.iter().flat_map(Ledger::objects);
    let sorts = objects.flat_map(|object| {
        let sorts = object.tally.iter().filter(|((_, action, _), _)| action.is_unresolved());
        sorts.map(|(sort, number)| (&object.reference.kind, sort, *number))
    });
    let decisions = sorts.flat_map(|(kind, sort, number)| {
        let decision = labels_of(&labels, kind, *sort);
        std::iter::repeat_n(decision, usize::try_from(number).unwrap_or_default())
    });
    metrics.conflicts_now(&labels, decisions);
}

/// The labels under which a release is counted.
pub fn release_labels(release: &HelmRelease) -> ReleaseLabels {
    ReleaseLabels {
        namespace: release.own_namespace().to_owned(),
        release: release.own_name().to_owned(),
    }
}

/// The labels under which a contested field of an object is counted.
pub fn conflict_labels(release: &ReleaseLabels, object: &ObjectReference, field: &ContestedField) -> ConflictLabels {
    let writer = ManagerClass::of(&field.manager.name, field.manager.subresource.as_deref());
    labels_of(release, &object.kind, (field.class, field.action, writer))
}

fn labels_of(release: &ReleaseLabels, kind: &str, sort: (Class, Action, ManagerClass)) -> ConflictLabels {
    let ReleaseLabels { namespace, release } = release.clone();
    let (class, action, manager_class) = sort;
    ConflictLabels {
        namespace,
        release,
        kind: kind.to_owned(),
        class: class.as_str(),
        manager_class: manager_class.as_str(),
        action: action.as_str(),
    }
}

/// Removes the metrics of a release that is gone.
pub fn forget(shared: &Shared, labels: &ReleaseLabels) {
    shared.metrics.forget(labels);
}

/// The release's ledger: what is remembered, or read from the cluster.
pub async fn ledger<'m>(
    context: &Context,
    release: &HelmRelease,
    memory: &'m mut ReleaseMemory,
) -> Result<&'m mut Ledger, LedgerStoreError> {
    if memory.ledger.is_none() && release.status.as_ref().is_none_or(|status| status.inventory.is_none()) {
        // Nothing was ever applied.
        memory.ledger = Some(Ledger::default());
    }
    if memory.ledger.is_none() {
        let (ledger, written) = ledger_store::read(&context.shared.client, release).await?;
        memory.ledger = Some(ledger);
        memory.ledger_written = written;
    }
    Ok(memory.ledger.get_or_insert_default())
}

/// Gives the ledger other labels and annotations, where the spec says others than it has.
pub async fn mark_ledger(context: &Context, recorded: &Recorded, memory: &mut ReleaseMemory, revision: &Revision) {
    let written = memory.ledger_written.as_ref();
    if written.is_some_and(|written| !written.is_marked_as(&recorded.release)) {
        save_ledger(context, recorded, memory, revision).await;
    }
}

/// Writes the ledger to the cluster if it differs from what was written last. A failure is not the release's: the
/// ledger in memory serves until the next try.
pub async fn save_ledger(context: &Context, recorded: &Recorded, memory: &mut ReleaseMemory, revision: &Revision) {
    let Some(ledger) = &memory.ledger else { return };
    match ledger_store::write(
        &context.shared.client,
        &recorded.release,
        ledger,
        revision,
        memory.ledger_written.as_ref(),
    )
    .await
    {
        Ok(written) => memory.ledger_written = Some(written),
        Err(error) => tracing::warn!(%error, "the ledger was not written; it will be with the next change"),
    }
}
