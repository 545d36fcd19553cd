//! The end of a release: its objects go in Helm's uninstall order, then our finalizer.
//!
//! Edge. Only objects of this release are deleted, and none that is to be kept. Holds no worker while they go.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::jiff::Timestamp;
use kube::Resource as _;
use tracing::{info, warn};

use super::ReconcileError;
use super::dependencies;
use super::execute::Marks;
use super::hooks::{self, Event};
use super::record::{self, Recorded};
use super::records;
use super::seed;
use crate::api::HelmRelease;
use crate::api::conditions::Reason;
use crate::api::helm_release::Mode;
use crate::api::listing::first_few;
use crate::cluster::delete::{DeleteError, Deletion};
use crate::cluster::discovery::DiscoveryError;
use crate::operator::children::Known;
use crate::operator::context::{Context, Shared};
use crate::operator::ledger_store;
use crate::operator::memory::{ReleaseMemory, Step};
use crate::operator::target::error::TargetError;
use crate::ownership::intent::ReleaseIdentity;
use crate::ownership::reference::ObjectReference;
use crate::plan::course::Removal;
use crate::plan::inventory;
use crate::plan::outcome::Outcome;
use crate::render::{HookEvent, uninstall_position};
use crate::telemetry::events::Severity;

/// How often it is looked whether objects are gone, when no watch says so before.
pub const POLL: Duration = Duration::from_secs(5);
/// How many objects a message names.
const NAMED: usize = 3;
/// How many objects are named that are left for good.
const MANY: usize = 20;

/// How far an uninstall is.
#[derive(Debug)]
pub enum Progress {
    /// Everything is gone, and the HelmRelease may go.
    Gone,
    /// Something is still there.
    Waiting(Outcome),
}

impl Progress {
    /// Whether something could not be done.
    pub fn has_failed(&self) -> bool {
        matches!(self, Self::Waiting(Outcome::UninstallFailed { .. }))
    }
}

/// Whether the objects of a release go with it. Flux's rule: a suspended release goes without its objects, so that it can be handed
/// to another tool. One in shadow mode writes nothing but status, so it deletes nothing either.
pub fn is_uninstalled(release: &HelmRelease) -> bool {
    !release.spec.suspend && release.spec.mode != Mode::Shadow
}

/// Lets a release go without its objects and without the records that Helm reads.
pub async fn let_go(
    shared: &Shared,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
) -> Result<Progress, ReconcileError> {
    if let Err(message) = tidy(shared, recorded).await {
        return Ok(not_deleted(message));
    }
    info!("let go with its objects left as they are");
    leave(shared, recorded, memory).await
}

/// Uninstalls a release as far as possible now.
pub async fn uninstall(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
) -> Result<Progress, ReconcileError> {
    if let Some(waiting) = dependencies::uninstalled_first(&context.shared, recorded.release()) {
        return Ok(Progress::Waiting(waiting));
    }
    if let Some(waiting) = clear(context, recorded, memory, Removal::Deletion).await? {
        return Ok(Progress::Waiting(waiting));
    }
    if let Err(error) = records::end(context, recorded).await {
        return Ok(failed(&error));
    }
    if let Err(message) = tidy(&context.shared, recorded).await {
        return Ok(not_deleted(message));
    }
    info!("uninstalled");
    leave(&context.shared, recorded, memory).await
}

/// Ends a release whose ServiceAccount is gone, which nobody can put right while its namespace is being deleted: what the API
/// server still lets the account delete goes, and what it does not is left, and told of. Hooks and records are of the latter kind.
pub async fn give_up(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
) -> Result<Progress, ReconcileError> {
    let mut left = Vec::new();
    for object in in_order(recorded) {
        match delete(context, recorded, memory, std::slice::from_ref(&object)).await {
            Ok(_) => {}
            Err(error) if error.is_forbidden() => left.push(object),
            Err(error) => return Ok(failed(&error)),
        }
    }
    tell_of(
        &context.shared,
        recorded,
        &left,
        "its ServiceAccount does not exist any more",
    );
    if let Err(error) = records::end(context, recorded).await {
        warn!(%error, "the release records are left");
    }
    let_go(&context.shared, recorded, memory).await
}

/// Ends a release to a cluster that nobody can reach any more.
pub async fn leave_all(
    shared: &Shared,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    reason: &TargetError,
) -> Result<Progress, ReconcileError> {
    tell_of(shared, recorded, &inventory(recorded), &reason.to_string());
    let_go(shared, recorded, memory).await
}

/// Tells of objects that are left although the release goes.
fn tell_of(shared: &Shared, recorded: &Recorded, left: &[ObjectReference], why: &str) {
    if left.is_empty() {
        return;
    }
    let note = format!(
        "{} left in the cluster, because {why}",
        first_few(left, left.len(), MANY, ", ")
    );
    warn!("{note}");
    let about = recorded.release().object_ref(&());
    shared
        .events
        .publish(about, Severity::Warning, Reason::UninstallFailed, "uninstall", &note);
}

/// Uninstalls what is there, with hooks around it, as far as possible now. `None` when nothing is left but the records.
pub(super) async fn clear(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    why: Removal,
) -> Result<Option<Outcome>, ReconcileError> {
    memory.step = Step::Uninstalling;
    let objects = in_order(recorded);
    if let Some(waiting) = run_hooks(context, recorded, memory, HookEvent::PreDelete, why).await? {
        return Ok(Some(waiting));
    }
    let remaining = match delete(context, recorded, memory, &objects).await {
        Ok(remaining) => remaining,
        Err(error) => {
            let message = error.to_string();
            return Ok(Some(Outcome::UninstallFailed { why, message }));
        }
    };
    if remaining.is_empty() {
        return run_hooks(context, recorded, memory, HookEvent::PostDelete, why).await;
    }
    let named = first_few(&remaining, remaining.len(), NAMED, ", ");
    let timeout = recorded.release().spec.uninstall_timeout();
    if why == Removal::Deletion && recorded.release().is_deleted_since(timeout, Timestamp::now()) {
        let message = format!("not gone after {timeout}: {named}; see which finalizers they have");
        return Ok(Some(Outcome::UninstallFailed { why, message }));
    }
    let progress = format!("waiting until {named} are gone");
    Ok(Some(Outcome::Uninstalling { why, progress }))
}

/// What could not be done, which is tried again.
pub fn failed(error: &dyn std::error::Error) -> Progress {
    not_deleted(error.to_string())
}

fn not_deleted(message: String) -> Progress {
    let why = Removal::Deletion;
    Progress::Waiting(Outcome::UninstallFailed { why, message })
}

/// Takes our finalizer off.
async fn leave(
    shared: &Shared,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
) -> Result<Progress, ReconcileError> {
    if record::remove_finalizer(shared, recorded, memory).await? {
        return Ok(Progress::Gone);
    }
    let why = Removal::Deletion;
    let progress = "removing the finalizer".to_owned();
    Ok(Progress::Waiting(Outcome::Uninstalling { why, progress }))
}

/// Runs the hooks of an event. `None` when all have succeeded.
async fn run_hooks(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    event: HookEvent,
    why: Removal,
) -> Result<Option<Outcome>, ReconcileError> {
    let options = recorded.release().spec.uninstall.clone().unwrap_or_default();
    let Some(newest) = recorded.status().history.first().filter(|_| !options.disable_hooks) else {
        return Ok(None);
    };
    let failed = |message| Some(Outcome::UninstallFailed { why, message });
    let rendering = memory.rendering.as_ref();
    let hooks = match rendering.filter(|rendering| rendering.number() == newest.version) {
        Some(rendering) => rendering.hooks.clone(),
        None => match records::hooks(context, recorded).await {
            Ok(hooks) => hooks,
            Err(error) => return Ok(failed(error.to_string())),
        },
    };
    let event = Event {
        hooks: &hooks,
        event,
        timeout: recorded.release().spec.uninstall_timeout().as_std(),
    };
    if !hooks::is_due(recorded, event) {
        return Ok(None);
    }
    let outcome = match hooks::run(context, recorded, event).await {
        Ok(hooks::Progress::Done) => {
            if hooks::leaves_something(event) {
                // Recorded before it goes, so that no hook is run twice.
                record::begin(context, recorded, memory, &begins(why)).await?;
            }
            let tidied = hooks::tidy(context, recorded, event).await;
            tidied.err().and_then(|error| failed(error.to_string()))
        }
        Ok(hooks::Progress::Waiting { progress, deadline: _ }) => Some(Outcome::Uninstalling { why, progress }),
        Ok(hooks::Progress::Failed { message }) => failed(message),
        // Nothing can be created in it any more, and its end waits for this release.
        Err(error) if error.is_in_ending_namespace() => None,
        Err(error) => failed(error.to_string()),
    };
    Ok(outcome)
}

/// That it is being uninstalled.
pub(super) fn begins(why: Removal) -> Outcome {
    let progress = "running uninstall".to_owned();
    Outcome::Uninstalling { why, progress }
}

/// Deletes what Fairlead itself kept of the release in its own resources. The garbage collector would do it, but a minute later at worst, when
/// a new release of the same name may be there.
async fn tidy(shared: &Shared, recorded: &Recorded) -> Result<(), String> {
    let release = recorded.release();
    let ledger = ledger_store::delete(&shared.client, release).await;
    ledger.map_err(|error| error.to_string())?;
    seed::delete(shared, release).await.map_err(|error| error.to_string())
}

/// The inventory in Helm's uninstall order.
fn in_order(recorded: &Recorded) -> Vec<ObjectReference> {
    let mut objects = inventory(recorded);
    objects.sort_by(|a, b| uninstall_position(&a.kind).cmp(&uninstall_position(&b.kind)));
    objects
}

fn inventory(recorded: &Recorded) -> Vec<ObjectReference> {
    let inventory = recorded.status().inventory.as_ref();
    inventory
        .map(|inventory| inventory.entries.iter().filter_map(inventory::reference).collect())
        .unwrap_or_default()
}

/// The release as its objects are marked: as it was released last.
fn identity(recorded: &Recorded) -> ReleaseIdentity {
    let (release, newest) = (recorded.release(), recorded.status().history.first());
    ReleaseIdentity {
        name: newest.map_or_else(|| release.release_name(), |newest| newest.name.clone()),
        namespace: newest
            .map_or_else(|| release.target_namespace(), |newest| &newest.namespace)
            .to_owned(),
    }
}

/// Deletes what is there, kind by kind; gives what is still there, because finalizers or dependents hold it.
async fn delete(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    objects: &[ObjectReference],
) -> Result<Vec<ObjectReference>, DeleteError> {
    let release = recorded.release();
    let options = release.spec.uninstall.clone().unwrap_or_default();
    let marks = Marks::of(release, identity(recorded));
    let deleter = marks.deleter(context, options.deletion_propagation.unwrap_or_default());
    let mut remaining = Vec::new();
    for wave in objects.chunk_by(|a, b| a.kind == b.kind) {
        let ledger = &memory.ledger;
        let deletions: Vec<_> = wave
            .iter()
            .map(|object| async move {
                let uid = ledger
                    .as_ref()
                    .and_then(|ledger| ledger.get(object))
                    .map(|record| record.uid.as_str());
                match deleter.delete(object, uid).await {
                    Err(error) if error.is_forbidden() && was_never_made(context, object).await? => {
                        Ok((object, Deletion::Absent))
                    }
                    deletion => Ok((object, deletion?)),
                }
            })
            .collect();
        let results: Vec<(&ObjectReference, Deletion)> = stream::iter(deletions)
            .buffered(context.shared.settings.parallel_writes.get())
            .try_collect()
            .await?;
        for (object, deletion) in results {
            match deletion {
                Deletion::Deleted { uid: _ } if !options.disable_wait => {
                    if is_there(context, object).await? {
                        watch(context, object).await?;
                        remaining.push(object.clone());
                    }
                }
                // What is not awaited goes by itself. Kept objects and those of others leave the inventory: they are not this release's any more.
                Deletion::Deleted { uid: _ } | Deletion::Absent | Deletion::Kept | Deletion::NotOurs => {
                    if let Some(inventory) = &mut recorded.status_mut().inventory {
                        inventory::remove(inventory, object);
                    }
                }
            }
        }
    }
    Ok(remaining)
}

/// Whether no object there bears our label, by the watch that the operator has of it: whoever was never allowed to make an object is
/// not asked to be allowed to look for it. An unfinished watch says so later.
async fn was_never_made(context: &Context, object: &ObjectReference) -> Result<bool, DeleteError> {
    watch(context, object).await?;
    Ok(context.target.children.get(object) == Known::Absent)
}

async fn is_there(context: &Context, object: &ObjectReference) -> Result<bool, DeleteError> {
    let resource = match context.target.kinds.resolve(&object.api_version, &object.kind).await {
        Ok(resource) => resource,
        Err(DiscoveryError::UnknownKind { .. }) => return Ok(false),
        Err(source) => {
            return Err(DeleteError::Discovery {
                object: object.clone(),
                source,
            });
        }
    };
    let found = context
        .target
        .calls
        .metadata(&resource, object.namespace.as_deref(), &object.name)
        .await;
    found.map(|found| found.is_some()).map_err(|source| DeleteError::Call {
        object: object.clone(),
        source,
    })
}

/// So that the object's end wakes the release.
async fn watch(context: &Context, object: &ObjectReference) -> Result<(), DeleteError> {
    match context.target.kinds.resolve(&object.api_version, &object.kind).await {
        Ok(resource) => context.target.children.watch(&resource.api),
        Err(DiscoveryError::UnknownKind { .. }) => {}
        Err(source) => {
            return Err(DeleteError::Discovery {
                object: object.clone(),
                source,
            });
        }
    }
    Ok(())
}
