//! Which release records there are, watched as metadata: Secrets, and ConfigMaps of a Helm that keeps its records in such.
//!
//! Edge. A release learns without a request whether its records are as it left them; one that another tool wrote wakes the
//! release that it is of. What follows from it is decided in `plan::records`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, DynamicObject, PartialObjectMeta};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use tokio::sync::watch;
use tracing::warn;

use super::follow::Follow;
use crate::api::{HelmRelease, names};
use crate::cluster::records::resource;
use crate::plan::records::{Stored, StoredRecord, Writer, joined};
use crate::release::label::Driver;
use crate::release::{Labelled, label};

/// Page size of the initial list: small, because the allocator does not give the memory of a large one back.
const PAGE_SIZE: u32 = 100;

/// How long a reconcile waits for the first list.
const LISTED_WITHIN: Duration = Duration::from_secs(5);

/// The records could not be listed yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the release records are not listed yet{}", .0.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default())]
pub struct NotListed(Option<String>);

/// How far the first list of a namespace is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Listing {
    /// It was asked for.
    Asked,
    /// It could not be had, and is asked for again.
    Failed(String),
    /// It has come.
    Listed,
}

/// Namespace of the records, and name of the release.
type ReleaseName = (String, String);

/// The records of one release in one sort of objects.
type Key = (Driver, ReleaseName);

type Record = PartialObjectMeta<DynamicObject>;

#[derive(Debug, Default)]
struct State {
    releases: HashMap<Key, Stored>,
    /// Namespaces that are watched one by one, and how far their first list is.
    followed: HashMap<(Driver, String), watch::Receiver<Listing>>,
}

/// The records of all releases. Cheap to clone.
#[derive(Clone)]
pub struct Records {
    client: Client,
    follow: Follow,
    state: Arc<Mutex<State>>,
    /// The namespace of the operator's releases; all without one.
    namespace: Option<String>,
    /// Whether only the namespaces are watched that somebody asks for.
    one_by_one: bool,
}

impl Records {
    /// Follows the records of all namespaces, or, for an operator of one namespace, those of each namespace that is asked for. The
    /// watch begins when somebody asks.
    pub(super) fn new(client: &Client, follow: &Follow, namespace: Option<&str>) -> Self {
        Self {
            client: client.clone(),
            follow: follow.clone(),
            state: Arc::default(),
            namespace: namespace.map(str::to_owned),
            one_by_one: namespace.is_some(),
        }
    }

    /// Follows the records of another cluster, in each namespace that is asked for: what is there besides is none of our business.
    pub(super) fn one_by_one(client: &Client, follow: &Follow, namespace: Option<&str>) -> Self {
        Self {
            one_by_one: true,
            ..Self::new(client, follow, namespace)
        }
    }

    /// What there is of a HelmRelease; see [`Records::at`].
    ///
    /// # Errors
    /// As [`Records::at`].
    pub async fn of(&self, release: &HelmRelease) -> Result<Stored, NotListed> {
        self.at(release.storage_namespace(), &release.release_name()).await
    }

    /// What there is of a release; waits a little for the first list of its namespace.
    ///
    /// # Errors
    /// When the records could not be listed so far. No worker is held until they are.
    pub async fn at(&self, namespace: &str, release: &str) -> Result<Stored, NotListed> {
        let watched = if self.one_by_one { namespace } else { "" };
        let [secrets, config_maps] = [Driver::Secrets, Driver::ConfigMaps].map(|driver| self.watched(driver, watched));
        let (secrets, config_maps) = futures::join!(first(secrets), first(config_maps));
        // Who may not list ConfigMaps has no Helm either that keeps its records there.
        match (secrets, config_maps) {
            (Listing::Listed, Listing::Listed | Listing::Failed(_)) => Ok(self.known(namespace, release)),
            (Listing::Failed(reason), _) => Err(NotListed(Some(reason))),
            (Listing::Asked, _) | (Listing::Listed, Listing::Asked) => Err(NotListed(None)),
        }
    }

    /// What is known of a release's records now.
    pub fn known(&self, namespace: &str, release: &str) -> Stored {
        let state = self.lock();
        let of = |driver| state.releases.get(&key(driver, namespace, release));
        joined(of(Driver::Secrets), of(Driver::ConfigMaps))
    }

    /// Takes note of a record that Fairlead wrote, so that the next look at it need not wait for the watch.
    pub fn wrote(&self, namespace: &str, release: &str, revision: u32, record: StoredRecord) {
        let key = key(record.driver, namespace, release);
        self.lock().releases.entry(key).or_default().insert(revision, record);
    }

    /// Takes note of a record that Fairlead deleted.
    pub fn deleted(&self, namespace: &str, release: &str, revision: u32, driver: Driver) {
        self.lock().forget(&key(driver, namespace, release), revision);
    }

    /// Whether the HelmRelease that wrote a record is still there.
    pub fn exists(&self, writer: &Writer) -> bool {
        let Writer { namespace, name, uid } = writer;
        // Those of other namespaces an operator for one does not know.
        if self.namespace.as_ref().is_some_and(|own| own != namespace) {
            return true;
        }
        let key = kube::runtime::reflector::ObjectRef::new(name).within(namespace);
        let release = self.follow.releases().get(&key);
        release.is_some_and(|release| release.metadata.uid.as_ref() == Some(uid))
    }

    /// Starts the watch of a namespace (the empty name stands for all) if there is none yet; says whether it has listed.
    fn watched(&self, driver: Driver, namespace: &str) -> watch::Receiver<Listing> {
        let mut state = self.lock();
        let key = (driver, namespace.to_owned());
        if let Some(listed) = state.followed.get(&key) {
            return listed.clone();
        }
        let (sender, receiver) = watch::channel(Listing::Asked);
        state.followed.insert(key, receiver.clone());
        let (records, namespace) = (self.clone(), namespace.to_owned());
        tokio::spawn(async move { records.run(driver, &namespace, &sender).await });
        receiver
    }

    async fn run(self, driver: Driver, namespace: &str, listed: &watch::Sender<Listing>) {
        let kind = resource(driver).api;
        let objects: Api<Record> = if namespace.is_empty() {
            Api::all_with(self.client.clone(), &kind)
        } else {
            Api::namespaced_with(self.client.clone(), namespace, &kind)
        };
        let config = watcher::Config::default().labels(label::SELECTOR).page_size(PAGE_SIZE);
        let config = match driver {
            Driver::Secrets => config.fields(&format!("type={}", label::SECRET_TYPE)),
            Driver::ConfigMaps => config,
        };
        let events = watcher(objects, config).default_backoff();
        let mut events = std::pin::pin!(events.take_until(self.follow.shutdown()));
        let (mut present, mut has_failed) = (HashSet::new(), false);
        while let Some(event) = events.next().await {
            match event {
                Ok(watcher::Event::Init) => present.clear(),
                Ok(watcher::Event::InitApply(object)) => {
                    present.extend(self.seen(driver, &object));
                }
                Ok(watcher::Event::InitDone) => {
                    self.keep(driver, namespace, &present);
                    if matches!(listed.send_replace(Listing::Listed), Listing::Failed(_)) {
                        // They were told that they cannot go on.
                        self.follow
                            .wake(|release| namespace.is_empty() || release.storage_namespace() == namespace);
                    }
                }
                Ok(watcher::Event::Apply(object)) => {
                    self.seen(driver, &object);
                }
                Ok(watcher::Event::Delete(object)) => self.gone(driver, &object),
                // The watch is resumed with backoff; until then what was seen last stands.
                Err(error) => {
                    // Without ConfigMaps everything goes on, so whoever may not list them is told of it once.
                    if driver == Driver::Secrets || !std::mem::replace(&mut has_failed, true) {
                        warn!(%error, kind = driver.kind(), "watch of release records failed");
                    }
                    listed.send_if_modified(|listing| {
                        let is_first = *listing != Listing::Listed;
                        if is_first {
                            *listing = Listing::Failed(reason(&error));
                        }
                        is_first
                    });
                }
            }
        }
    }

    /// Takes note of a record, and wakes its release unless it is as Fairlead knew it.
    fn seen(&self, driver: Driver, object: &Record) -> Option<(ReleaseName, u32)> {
        let (name, revision, record) = read(driver, object)?;
        let is_known = {
            let mut state = self.lock();
            let stored = state.releases.entry((driver, name.clone())).or_default();
            match stored.get(&revision) {
                // Events come later than the answers to our own writes.
                Some(known) if !is_newer(&record.resource_version, &known.resource_version) => true,
                Some(_) | None => {
                    stored.insert(revision, record);
                    false
                }
            }
        };
        if !is_known {
            self.wake(&name);
        }
        Some((name, revision))
    }

    fn gone(&self, driver: Driver, object: &Record) {
        let Some((name, revision, record)) = read(driver, object) else {
            return;
        };
        {
            let key = (driver, name.clone());
            let mut state = self.lock();
            let known = state.releases.get(&key).and_then(|stored| stored.get(&revision));
            // One that was made anew since, or that Fairlead itself deleted.
            if known.is_none_or(|known| is_newer(&known.resource_version, &record.resource_version)) {
                return;
            }
            state.forget(&key, revision);
        }
        self.wake(&name);
    }

    /// Forgets what a list no longer has.
    fn keep(&self, driver: Driver, namespace: &str, present: &HashSet<(ReleaseName, u32)>) {
        let mut gone = Vec::new();
        {
            let mut state = self.lock();
            for ((held_by, name), stored) in &state.releases {
                let is_listed = *held_by == driver && (namespace.is_empty() || name.0 == namespace);
                let absent = stored
                    .keys()
                    .filter(|revision| is_listed && !present.contains(&(name.clone(), **revision)));
                gone.extend(absent.map(|revision| (name.clone(), *revision)));
            }
            for (name, revision) in &gone {
                state.forget(&(driver, name.clone()), *revision);
            }
        }
        for (name, _) in &gone {
            self.wake(name);
        }
    }

    fn wake(&self, (namespace, name): &ReleaseName) {
        self.follow
            .wake(|release| release.storage_namespace() == namespace && release.release_name() == *name);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code path panics while it holds the lock; were it so, the index is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget(&mut self, key: &Key, revision: u32) {
        if let Some(stored) = self.releases.get_mut(key) {
            stored.remove(&revision);
            if stored.is_empty() {
                self.releases.remove(key);
            }
        }
    }
}

fn key(driver: Driver, namespace: &str, release: &str) -> Key {
    (driver, (namespace.to_owned(), release.to_owned()))
}

/// What came of a first list, in time or not.
async fn first(mut listed: watch::Receiver<Listing>) -> Listing {
    let answered = listed.wait_for(|listed| *listed != Listing::Asked);
    match tokio::time::timeout(LISTED_WITHIN, answered).await {
        Ok(Ok(listing)) => listing.clone(),
        Ok(Err(_)) | Err(_) => Listing::Asked,
    }
}

/// What a person can do something about: the API server's own words where it refused.
fn reason(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => status.message.clone(),
        watcher::Error::InitialListFailed(_)
        | watcher::Error::WatchStartFailed(_)
        | watcher::Error::WatchFailed(_)
        | watcher::Error::NoResourceVersion => error.to_string(),
    }
}

/// Versions of one object grow; what is no number is taken for new.
fn is_newer(version: &str, than: &str) -> bool {
    match (version.parse::<u64>(), than.parse::<u64>()) {
        (Ok(version), Ok(than)) => version > than,
        _ => version != than,
    }
}

fn read(driver: Driver, object: &Record) -> Option<(ReleaseName, u32, StoredRecord)> {
    let labels: &BTreeMap<String, String> = object.labels();
    let Labelled {
        namespace,
        release,
        revision,
        status,
        object: _,
        driver: _,
    } = Labelled::of(&object.namespace()?, &object.name_any(), labels)?;
    let created = object.creation_timestamp().map_or(Timestamp::UNIX_EPOCH, |time| time.0);
    let modified = labels.get("modifiedAt").and_then(|seconds| seconds.parse().ok());
    let modified = modified.and_then(|seconds| Timestamp::from_second(seconds).ok());
    let writer = object.annotations().get(names::ANNOTATION_WRITTEN_BY);
    let record = StoredRecord {
        status,
        resource_version: object.resource_version()?,
        written_at: modified.map_or(created, |modified| modified.max(created)),
        writer: writer.and_then(|writer| Writer::parse(writer)).map(Box::new),
        driver,
    };
    Some(((namespace, release), revision, record))
}
