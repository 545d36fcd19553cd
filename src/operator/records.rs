//! Which release records there are, watched as metadata.
//!
//! Edge. A release learns without a request whether its records are as it left them; one that another tool wrote wakes the
//! release that it is of. What follows from it is decided in `plan::records`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, PartialObjectMeta};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use tokio::sync::watch;
use tracing::warn;

use super::follow::Follow;
use crate::api::{HelmRelease, names};
use crate::plan::records::{Stored, StoredRecord, Writer};
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

#[derive(Debug, Default)]
struct State {
    releases: HashMap<ReleaseName, Stored>,
    /// Namespaces that are watched one by one, and how far their first list is.
    followed: HashMap<String, watch::Receiver<Listing>>,
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
        let mut listed = self.watched(if self.one_by_one { namespace } else { "" });
        // What came of it, in time or not, is looked at below.
        let _ = tokio::time::timeout(LISTED_WITHIN, listed.wait_for(|listed| *listed != Listing::Asked)).await;
        match &*listed.borrow() {
            Listing::Listed => Ok(self.known(namespace, release)),
            Listing::Failed(reason) => Err(NotListed(Some(reason.clone()))),
            Listing::Asked => Err(NotListed(None)),
        }
    }

    /// What is known of a release's records now.
    pub fn known(&self, namespace: &str, release: &str) -> Stored {
        let key = (namespace.to_owned(), release.to_owned());
        self.lock().releases.get(&key).cloned().unwrap_or_default()
    }

    /// Takes note of a record that Fairlead wrote, so that the next look at it need not wait for the watch.
    pub fn wrote(&self, namespace: &str, release: &str, revision: u32, record: StoredRecord) {
        let key = (namespace.to_owned(), release.to_owned());
        self.lock().releases.entry(key).or_default().insert(revision, record);
    }

    /// Takes note of a record that Fairlead deleted.
    pub fn deleted(&self, namespace: &str, release: &str, revision: u32) {
        self.lock()
            .forget(&(namespace.to_owned(), release.to_owned()), revision);
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
    fn watched(&self, namespace: &str) -> watch::Receiver<Listing> {
        let mut state = self.lock();
        if let Some(listed) = state.followed.get(namespace) {
            return listed.clone();
        }
        let (sender, receiver) = watch::channel(Listing::Asked);
        state.followed.insert(namespace.to_owned(), receiver.clone());
        let (records, namespace) = (self.clone(), namespace.to_owned());
        tokio::spawn(async move { records.run(&namespace, &sender).await });
        receiver
    }

    async fn run(self, namespace: &str, listed: &watch::Sender<Listing>) {
        let secrets: Api<PartialObjectMeta<Secret>> = if namespace.is_empty() {
            Api::all(self.client.clone())
        } else {
            Api::namespaced(self.client.clone(), namespace)
        };
        let config = watcher::Config::default()
            .labels(label::SELECTOR)
            .fields(&format!("type={}", label::SECRET_TYPE))
            .page_size(PAGE_SIZE);
        let events = watcher(secrets, config).default_backoff();
        let mut events = std::pin::pin!(events.take_until(self.follow.shutdown()));
        let mut present = HashSet::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(watcher::Event::Init) => present.clear(),
                Ok(watcher::Event::InitApply(secret)) => {
                    present.extend(self.seen(&secret));
                }
                Ok(watcher::Event::InitDone) => {
                    self.keep(namespace, &present);
                    if matches!(listed.send_replace(Listing::Listed), Listing::Failed(_)) {
                        // They were told that they cannot go on.
                        self.follow
                            .wake(|release| namespace.is_empty() || release.storage_namespace() == namespace);
                    }
                }
                Ok(watcher::Event::Apply(secret)) => {
                    self.seen(&secret);
                }
                Ok(watcher::Event::Delete(secret)) => self.gone(&secret),
                // The watch is resumed with backoff; until then what was seen last stands.
                Err(error) => {
                    warn!(%error, "watch of release records failed");
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
    fn seen(&self, secret: &PartialObjectMeta<Secret>) -> Option<(ReleaseName, u32)> {
        let (key, revision, record) = read(secret)?;
        let is_known = {
            let mut state = self.lock();
            let stored = state.releases.entry(key.clone()).or_default();
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
            self.wake(&key);
        }
        Some((key, revision))
    }

    fn gone(&self, secret: &PartialObjectMeta<Secret>) {
        let Some((key, revision, record)) = read(secret) else {
            return;
        };
        {
            let mut state = self.lock();
            let known = state.releases.get(&key).and_then(|stored| stored.get(&revision));
            // One that was made anew since, or that Fairlead itself deleted.
            if known.is_none_or(|known| is_newer(&known.resource_version, &record.resource_version)) {
                return;
            }
            state.forget(&key, revision);
        }
        self.wake(&key);
    }

    /// Forgets what a list no longer has.
    fn keep(&self, namespace: &str, present: &HashSet<(ReleaseName, u32)>) {
        let mut gone = Vec::new();
        {
            let mut state = self.lock();
            for (key, stored) in &state.releases {
                let is_listed = namespace.is_empty() || key.0 == namespace;
                let absent = stored
                    .keys()
                    .filter(|revision| is_listed && !present.contains(&(key.clone(), **revision)));
                gone.extend(absent.map(|revision| (key.clone(), *revision)));
            }
            for (key, revision) in &gone {
                state.forget(key, *revision);
            }
        }
        for (key, _) in &gone {
            self.wake(key);
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
    fn forget(&mut self, key: &ReleaseName, revision: u32) {
        if let Some(stored) = self.releases.get_mut(key) {
            stored.remove(&revision);
            if stored.is_empty() {
                self.releases.remove(key);
            }
        }
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

fn read(secret: &PartialObjectMeta<Secret>) -> Option<(ReleaseName, u32, StoredRecord)> {
    let labels: &BTreeMap<String, String> = secret.labels();
    let Labelled {
        namespace,
        release,
        revision,
        status,
        object: _,
        driver: _,
    } = Labelled::of(&secret.namespace()?, &secret.name_any(), labels)?;
    let created = secret.creation_timestamp().map_or(Timestamp::UNIX_EPOCH, |time| time.0);
    let modified = labels.get("modifiedAt").and_then(|seconds| seconds.parse().ok());
    let modified = modified.and_then(|seconds| Timestamp::from_second(seconds).ok());
    let writer = secret.annotations().get(names::ANNOTATION_WRITTEN_BY);
    let record = StoredRecord {
        status,
        resource_version: secret.resource_version()?,
        written_at: modified.map_or(created, |modified| modified.max(created)),
        writer: writer.and_then(|writer| Writer::parse(writer)),
    };
    Some(((namespace, release), revision, record))
}
