//! Helm's release records: looked at before an attempt, written after it.
//!
//! Edge. Whose the records are and which are to be written is decided in `plan::records`. A record is written once where nothing
//! has to be awaited, and twice otherwise: when the waiting begins, and when it ends.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::Resource as _;
use sha2::{Digest, Sha256};
use tracing::warn;

use super::record::Recorded;
use crate::api::conditions::{self, ConditionType, Reason};
use crate::api::helm_release::history::{Inventory, Snapshot};
use crate::api::{HelmRelease, names};
use crate::chart::JsonMap;
use crate::cluster::storage::{Kept, Storage, StorageError, StorageProblem, Writing};
use crate::operator::context::Context;
use crate::operator::memory::ReleaseMemory;
use crate::operator::records::NotListed;
use crate::ownership::reference::ObjectReference;
use crate::plan::hooks::Hook;
use crate::plan::inventory;
use crate::plan::outcome::cause;
use crate::plan::records::{Asker, RecordWrite, Standing, Stored, StoredRecord, Writer, standing, writes};
use crate::release::label::Driver;
use crate::release::{Content, Document, Parts, Status};
use crate::render::Program;
use crate::telemetry::events::Severity;

/// What the record of a revision is made of. Kept until the revision is deployed.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The number of the revision.
    pub revision: u32,
    /// What it was made from.
    pub source: DraftSource,
}

/// What a revision was made from.
#[derive(Debug, Clone)]
pub enum DraftSource {
    /// A chart.
    Chart {
        /// What the chart was rendered to.
        content: Content,
        /// The chart.
        program: Arc<Program>,
        /// What the user set.
        config: JsonMap,
    },
    /// An earlier revision.
    Record(Document),
}

/// Whose the release's records are now, and what there is.
///
/// # Errors
/// When the records could not be listed yet.
pub async fn look(context: &Context, recorded: &Recorded) -> Result<(Standing, Stored), NotListed> {
    let release = recorded.release();
    let stored = context.target.records.of(release).await?;
    let name = release.release_name();
    // A release that has another name, or its records elsewhere, from now on has none of its own there yet.
    let newest = recorded.status().history.first();
    let newest = newest.filter(|newest| newest.name == name && !is_elsewhere(recorded));
    let asker = Asker {
        uid: release.metadata.uid.as_deref().unwrap_or_default(),
        patience: release.spec.effective_timeout().as_std(),
    };
    let exists = |writer: &Writer| context.target.records.exists(writer);
    let standing = standing(&stored, newest, asker, exists, Timestamp::now());
    Ok((standing, stored))
}

/// Whether the records are to be elsewhere than they are.
fn is_elsewhere(recorded: &Recorded) -> bool {
    let known = recorded.status().storage_namespace.as_deref();
    known.is_some_and(|known| known != recorded.release().storage_namespace())
}

/// What a release that another tool made brings with it.
#[derive(Debug, Default)]
pub struct Adopted {
    /// When it was first deployed.
    pub first_deployed: Option<Timestamp>,
}

/// Takes over what the records of another tool say: their objects come into the inventory, so that those that the chart does not
/// have go, as with an upgrade by Helm.
pub async fn adopt(context: &Context, recorded: &mut Recorded, stored: &Stored) -> Adopted {
    let mut adopted = Adopted::default();
    let newest = stored.keys().next_back().copied();
    let deployed = stored
        .iter()
        .rev()
        .find(|(_, record)| record.status == Status::Deployed);
    let deployed = deployed.map(|(revision, _)| *revision);
    let revisions: BTreeSet<u32> = newest.into_iter().chain(deployed).collect();
    let storage = storage(context, recorded, &recorded.release().release_name());
    for revision in revisions {
        match storage.read(revision).await {
            Ok(Some(kept)) => {
                adopted.first_deployed = adopted.first_deployed.or(kept.document.first_deployed());
                let objects = objects(context, &kept.document).await;
                let inventory = recorded.status_mut().inventory.get_or_insert_default();
                extend_with(inventory, &objects);
            }
            Ok(None) => {}
            Err(error) => warn!(%error, "what the record says is not taken over"),
        }
    }
    adopted
}

/// Adds objects that the inventory does not have.
fn extend_with(inventory: &mut Inventory, objects: &[ObjectReference]) {
    let known: BTreeSet<String> = inventory.entries.iter().map(|entry| entry.id.clone()).collect();
    let new = objects
        .iter()
        .filter(|object| !known.contains(&inventory::entry(object).id));
    inventory::extend(inventory, new);
}

/// The objects that a record's manifest has, with their namespaces. Those of kinds that are not served cannot be there.
async fn objects(context: &Context, document: &Document) -> Vec<ObjectReference> {
    let found = document.objects().unwrap_or_else(|error| {
        warn!(%error, "the record's objects are not taken over");
        Vec::new()
    });
    let mut objects = Vec::new();
    for object in found {
        let Some(mut reference) = ObjectReference::of(&object) else {
            continue;
        };
        let Ok(resource) = context
            .target
            .kinds
            .resolve(&reference.api_version, &reference.kind)
            .await
        else {
            continue;
        };
        if !resource.namespaced {
            reference.namespace = None;
        } else if reference.namespace.is_none() {
            reference.namespace = Some(document.namespace().to_owned());
        }
        objects.push(reference);
    }
    objects
}

/// The hooks of the newest revision, as its record has them; none where there is no record.
///
/// # Errors
/// When the record could not be read.
pub async fn hooks(context: &Context, recorded: &Recorded) -> Result<Vec<Hook>, StorageError> {
    let Some(newest) = recorded.status().history.first() else {
        return Ok(Vec::new());
    };
    let kept = storage(context, recorded, &newest.name).read(newest.version).await?;
    let hooks = kept.as_ref().map_or(&[][..], |kept| kept.document.hooks());
    Ok(hooks.iter().filter_map(Hook::recorded).collect())
}

/// The records where they are.
pub(super) fn storage(context: &Context, recorded: &Recorded, name: &str) -> Storage {
    let known = recorded.status().storage_namespace.as_deref();
    storage_at(
        context,
        known.unwrap_or_else(|| recorded.release().storage_namespace()),
        name,
    )
}

pub(super) fn storage_at(context: &Context, namespace: &str, name: &str) -> Storage {
    let timeout = context.shared.settings.request_timeout;
    let known = context.target.records.known(namespace, name);
    let in_config_maps = known.iter().filter(|(_, record)| record.driver == Driver::ConfigMaps);
    Storage::new(context.target.calls.client().clone(), namespace, name, timeout)
        .with_config_maps(in_config_maps.map(|(revision, _)| *revision))
}

fn writer(release: &HelmRelease) -> Writer {
    Writer {
        namespace: release.own_namespace().to_owned(),
        name: release.own_name().to_owned(),
        uid: release.metadata.uid.clone().unwrap_or_default(),
    }
}

/// How long an action may take without that Helm is told of it: most are over by then, and take one write instead of two.
const SHORT: SignedDuration = SignedDuration::from_secs(2);

/// How long ago the revision began.
fn elapsed(snapshot: &Snapshot) -> SignedDuration {
    Timestamp::now().duration_since(snapshot.last_deployed.0)
}

/// Brings the records to what the status says. What fails for now is tried again soon, what the API server refuses for good is
/// told of in an event: the objects are what counts.
pub async fn sync(context: &Context, recorded: &mut Recorded, memory: &mut ReleaseMemory) {
    memory.records_due = false;
    let Some(newest) = recorded.status().history.first() else {
        return;
    };
    let (revision, status) = (newest.version, Status::from_word(&newest.status));
    if status.is_pending() && newest.digest.is_empty() && elapsed(newest) < SHORT {
        memory.records_due = true;
        return;
    }
    if memory.record_refused == Some((revision, status)) {
        return;
    }
    match bring(context, recorded, memory).await {
        Ok(()) => {
            memory.record_refused = None;
            // A revision that failed may still come up, and then its record is written once more.
            if status == Status::Deployed {
                memory.draft = None;
            }
        }
        Err(error) if error.is_retryable() => {
            warn!(%error, "will be tried again");
            memory.records_due = true;
        }
        Err(error) => {
            warn!(%error, "Helm does not see revision {revision}");
            memory.record_refused = Some((revision, status));
            let about = recorded.release().object_ref(&());
            let note = format!("Helm does not see revision {revision} as {}: {error}", status.as_word());
            context
                .shared
                .events
                .publish(about, Severity::Warning, Reason::RecordNotWritten, "record", &note);
        }
    }
}

/// Brings the records to what the status says before another revision follows the newest one, whose draft is let go of then: what was
/// not written until now would never be.
///
/// # Errors
/// When it fails for now. What the API server refuses for good holds nothing up.
pub async fn complete(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
) -> Result<(), StorageError> {
    let newest = recorded.status().history.first();
    let is_drafted = newest.is_some_and(|newest| {
        let draft = memory.draft.as_ref();
        draft.is_some_and(|draft| draft.revision == newest.version)
    });
    if !memory.records_due || !is_drafted {
        return Ok(());
    }
    match bring(context, recorded, memory).await {
        Err(error) if error.is_retryable() => Err(error),
        Err(_) | Ok(()) => {
            memory.records_due = false;
            Ok(())
        }
    }
}

async fn bring(context: &Context, recorded: &mut Recorded, memory: &mut ReleaseMemory) -> Result<(), StorageError> {
    let release = recorded.release();
    let Some(newest) = recorded.status().history.first().cloned() else {
        return Ok(());
    };
    let known = recorded.status().storage_namespace.as_deref();
    let namespace = known.unwrap_or_else(|| release.storage_namespace()).to_owned();
    let name = newest.name.clone();
    let stored = context.target.records.known(&namespace, &name);
    let uid = release.metadata.uid.clone().unwrap_or_default();
    let keep = release.spec.effective_max_history();
    let ready = conditions::get(&recorded.status().conditions, ConditionType::Ready);
    let message = ready.map(|ready| cause(&ready.message).to_owned()).unwrap_or_default();
    let work = Work {
        context,
        storage: storage_at(context, &namespace, &name),
        namespace,
        name,
        writer: writer(release),
    };
    for write in writes(&stored, &recorded.status().history, &uid, keep, &message) {
        let digest = work.write(&write, &stored, &newest, memory).await?;
        if let (Some(digest), Some(newest)) = (digest, recorded.status_mut().history.first_mut()) {
            newest.digest = digest;
        }
    }
    Ok(())
}

async fn listed(context: &Context, namespace: &str, name: &str) -> Result<Stored, StorageError> {
    let stored = context.target.records.at(namespace, name).await;
    stored.map_err(|_: NotListed| StorageError {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        problem: StorageProblem::NotListed,
    })
}

/// Ends the records of a release that was uninstalled: they go, or the newest says so where the history is to be kept.
///
/// # Errors
/// When a record could not be written or deleted.
pub async fn end(context: &Context, recorded: &Recorded) -> Result<(), StorageError> {
    let release = recorded.release();
    let Some(newest) = recorded.status().history.first() else {
        return Ok(());
    };
    let keeps = release
        .spec
        .uninstall
        .as_ref()
        .is_some_and(|options| options.keep_history);
    let namespace = recorded.status().storage_namespace.as_deref();
    let namespace = namespace.unwrap_or_else(|| release.storage_namespace());
    let stored = listed(context, namespace, &newest.name).await?;
    let (storage, writer) = (storage_at(context, namespace, &newest.name), writer(release));
    let is_of_another = |record: &StoredRecord| {
        record
            .writer
            .as_deref()
            .is_some_and(|other| *other != writer && context.target.records.exists(other))
    };
    let work = Work {
        context,
        storage: storage.clone(),
        namespace: namespace.to_owned(),
        name: newest.name.clone(),
        writer: writer.clone(),
    };
    for (position, (revision, record)) in stored.iter().rev().enumerate() {
        if is_of_another(record) {
            continue;
        }
        if !keeps {
            storage.delete(*revision, &record.resource_version).await?;
            let driver = storage.driver(*revision);
            let records = &context.target.records;
            records.deleted(namespace, &newest.name, *revision, driver);
        } else if position == 0 && record.status != Status::Uninstalled {
            work.change(*revision, Status::Uninstalled, "Uninstallation complete")
                .await?;
        }
    }
    Ok(())
}

/// The records of one release while they are written.
struct Work<'a> {
    context: &'a Context,
    storage: Storage,
    namespace: String,
    name: String,
    writer: Writer,
}

impl Work<'_> {
    /// Makes one change. Gives the digest of what was written of the newest revision.
    async fn write(
        &self,
        write: &RecordWrite,
        stored: &Stored,
        newest: &Snapshot,
        memory: &mut ReleaseMemory,
    ) -> Result<Option<String>, StorageError> {
        match write {
            RecordWrite::Create {
                revision,
                status,
                description,
            } => {
                let Some(mut document) = drafted(memory, newest) else {
                    // It was let go of before its record was there: render it anew.
                    memory.rendering = None;
                    memory.records_due = true;
                    return Ok(None);
                };
                document.stand(*status, description);
                let digest = self.put(*revision, *status, &document, None).await?;
                Ok(Some(digest))
            }
            RecordWrite::Update {
                revision,
                status,
                description,
            } => {
                let known = stored.get(revision).map(|record| record.resource_version.clone());
                let draft = drafted(memory, newest).filter(|_| *revision == newest.version);
                let digest = match (known, draft) {
                    (Some(version), Some(mut document)) => {
                        document.stand(*status, description);
                        Some(self.put(*revision, *status, &document, Some(version)).await?)
                    }
                    (Some(_) | None, _) => self.change(*revision, *status, description).await?,
                };
                Ok(digest.filter(|_| *revision == newest.version))
            }
            RecordWrite::Delete { revision } => {
                if let Some(record) = stored.get(revision) {
                    self.storage.delete(*revision, &record.resource_version).await?;
                    let driver = self.storage.driver(*revision);
                    let records = &self.context.target.records;
                    records.deleted(&self.namespace, &self.name, *revision, driver);
                }
                Ok(None)
            }
        }
    }

    /// Changes the status of a record that is there.
    async fn change(&self, revision: u32, status: Status, description: &str) -> Result<Option<String>, StorageError> {
        let Some(kept) = self.storage.read(revision).await? else {
            return Ok(None);
        };
        let Kept {
            resource_version,
            labels,
            mut document,
        } = kept;
        document.stand(status, description);
        if status == Status::Uninstalled {
            document.deleted(Timestamp::now());
        }
        let encoded = document.encode();
        let mark = self.writer.to_string();
        let writing = writing(revision, status, &mark, &encoded);
        let version = self.storage.replace(&writing, &resource_version, labels).await?;
        self.wrote(&writing, version);
        Ok(Some(digest(&encoded)))
    }

    /// Writes a record whole.
    async fn put(
        &self,
        revision: u32,
        status: Status,
        document: &Document,
        replaced: Option<String>,
    ) -> Result<String, StorageError> {
        let encoded = document.encode();
        let mark = self.writer.to_string();
        let writing = writing(revision, status, &mark, &encoded);
        let version = match replaced {
            None => self.storage.create(&writing).await?,
            Some(version) => {
                let labels = std::collections::BTreeMap::new();
                self.storage.replace(&writing, &version, labels).await?
            }
        };
        self.wrote(&writing, version);
        Ok(digest(&encoded))
    }

    fn wrote(&self, writing: &Writing<'_>, resource_version: String) {
        let record = StoredRecord {
            status: writing.status,
            resource_version,
            written_at: writing.at,
            writer: Some(Box::new(self.writer.clone())),
            driver: self.storage.driver(writing.revision),
        };
        self.context
            .target
            .records
            .wrote(&self.namespace, &self.name, writing.revision, record);
    }
}

fn writing<'a>(revision: u32, status: Status, mark: &'a str, encoded: &'a str) -> Writing<'a> {
    Writing {
        revision,
        status,
        mark: (names::ANNOTATION_WRITTEN_BY, mark),
        encoded,
        at: Timestamp::now(),
    }
}

/// The newest revision's record as it was drafted when the chart was rendered.
fn drafted(memory: &ReleaseMemory, newest: &Snapshot) -> Option<Document> {
    let Draft { revision, source } = memory.draft.as_ref().filter(|draft| draft.revision == newest.version)?;
    let (first_deployed, last_deployed) = (newest.first_deployed.0, newest.last_deployed.0);
    let apply_method = newest.apply_method;
    Some(match source {
        DraftSource::Chart {
            content,
            program,
            config,
        } => Document::new(&Parts {
            name: &newest.name,
            namespace: &newest.namespace,
            revision: *revision,
            metadata: &program.chart().metadata,
            config,
            content,
            apply_method,
            first_deployed,
            last_deployed,
        }),
        DraftSource::Record(document) => {
            let mut document = document.clone();
            document.restored_as(*revision, last_deployed, apply_method);
            document
        }
    })
}

fn digest(encoded: &str) -> String {
    format!("sha256:{:x}", Sha256::digest(encoded))
}
