//! What releases wait for because they depend on it: looked at when a release asks, and watched for as long as it waits.
//!
//! Edge. HelmReleases are known from the operator's own watch; objects of other kinds are read and watched one by one, in the
//! cluster and under the identity of the release that waits. Whether they are ready is judged in `plan::dependencies`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use kube::api::{Api, DynamicObject, PartialObjectMeta};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::Value;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{debug, warn};

use super::follow::Follow;
use super::memory::ReleaseKey;
use super::target::Target;
use crate::api::HelmRelease;
use crate::cluster::calls::CallError;
use crate::cluster::discovery::{DiscoveryError, Resource};
use crate::ownership::reference::ObjectReference;
use crate::plan::dependencies::{Releases, is_release};

/// Why it is not known whether a dependency is ready.
#[derive(Debug, thiserror::Error)]
pub enum DependencyError {
    /// Its kind could not be looked up.
    #[error("{object}: {source}")]
    Discovery {
        /// The object.
        object: ObjectReference,
        /// Why.
        source: DiscoveryError,
    },
    /// It could not be read.
    #[error("{object} cannot be read: {source}")]
    Call {
        /// The object.
        object: ObjectReference,
        /// Why.
        source: CallError,
    },
}

/// What one release waits for.
#[derive(Default)]
struct Waiting {
    /// The objects.
    objects: Vec<ObjectReference>,
    /// The watches of those that the operator does not watch anyway. They end with this.
    watches: HashMap<ObjectReference, DropGuard>,
}

/// What releases wait for.
pub struct Dependencies {
    follow: Follow,
    /// The namespace whose releases the operator knows; all without one.
    namespace: Option<String>,
    waiting: Mutex<HashMap<ReleaseKey, Waiting>>,
}

impl Dependencies {
    /// Wakes releases through `follow`, which knows those of the namespace, or all without one.
    pub(super) fn new(follow: Follow, namespace: Option<String>) -> Self {
        Self {
            follow,
            namespace,
            waiting: Mutex::default(),
        }
    }

    /// The releases that the operator knows, by their objects.
    pub fn releases(&self) -> impl Releases {
        let store: Store<HelmRelease> = self.follow.releases().clone();
        move |object: &ObjectReference| store.get(&key_of(object))
    }

    /// All releases that the operator knows.
    pub fn all(&self) -> Vec<Arc<HelmRelease>> {
        self.follow.releases().state()
    }

    /// Notes that a release waits for these objects, so that a change of one of them wakes it. To be called before they are looked
    /// at: a change between the two would be missed otherwise.
    pub fn wait_for(&self, release: &HelmRelease, objects: Vec<ObjectReference>) {
        let key = ReleaseKey::of(release);
        let mut waiting = self.lock();
        let known = waiting.entry(key).or_default();
        known.watches.retain(|object, _| objects.contains(object));
        known.objects = objects;
    }

    /// Notes that a release waits no longer.
    pub fn waits_no_longer(&self, key: &ReleaseKey) {
        self.lock().remove(key);
    }

    /// Wakes the releases that wait for one that changed or went.
    pub(super) fn changed(&self, release: &HelmRelease) {
        let changed = crate::plan::dependencies::release_reference(release);
        self.wake(|object| object.same_object(&changed));
    }

    /// Wakes all releases that wait: what they wait for may have changed while nobody watched.
    pub(super) fn listed(&self) {
        self.wake(|_| true);
    }

    /// Wakes the releases that a release depended on and that are being deleted: they wait for its end.
    pub(super) fn gone(&self, release: &HelmRelease) {
        self.changed(release);
        self.follow.wake(|other| {
            let is_ending = other.metadata.deletion_timestamp.is_some();
            let object = crate::plan::dependencies::release_reference(other);
            is_ending && crate::plan::dependencies::depends_on(release, &object)
        });
    }

    fn wake(&self, is_awaited: impl Fn(&ObjectReference) -> bool) {
        let waiting = self.lock();
        for (key, _) in waiting
            .iter()
            .filter(|(_, waiting)| waiting.objects.iter().any(&is_awaited))
        {
            self.follow.wake_one(&key.namespace, &key.name);
        }
    }

    /// Whether the operator's own watch tells of changes of an object.
    fn is_known(&self, object: &ObjectReference) -> bool {
        is_release(object) && (self.namespace.is_none() || self.namespace == object.namespace)
    }

    /// The live object; `None` if it does not exist. It is watched from now on, until the release waits no longer.
    ///
    /// # Errors
    /// When it could not be read.
    pub async fn live(
        &self,
        release: &HelmRelease,
        target: &Target,
        object: &ObjectReference,
    ) -> Result<Option<Value>, DependencyError> {
        if self.is_known(object) {
            let found = self.follow.releases().get(&key_of(object));
            // What came from the API server can be written as JSON again.
            return Ok(found.and_then(|found| serde_json::to_value(found.as_ref()).ok()));
        }
        let resource = match target.kinds.resolve(&object.api_version, &object.kind).await {
            Ok(resource) => resource,
            Err(DiscoveryError::UnknownKind { .. }) => return Ok(None),
            Err(source) => {
                let object = object.clone();
                return Err(DependencyError::Discovery { object, source });
            }
        };
        self.watch(release, target, object, &resource);
        let namespace = object.namespace.as_deref().filter(|_| resource.namespaced);
        let read = target.calls.get(&resource, namespace, &object.name).await;
        read.map_err(|source| DependencyError::Call {
            object: object.clone(),
            source,
        })
    }

    /// Watches one object for a release that waits for it, if that is not done yet.
    fn watch(&self, release: &HelmRelease, target: &Target, object: &ObjectReference, resource: &Resource) {
        let key = ReleaseKey::of(release);
        let ended = CancellationToken::new();
        {
            let mut waiting = self.lock();
            let watches = &mut waiting.entry(key.clone()).or_default().watches;
            if watches.contains_key(object) {
                return;
            }
            watches.insert(object.clone(), ended.clone().drop_guard());
        }
        let client = target.calls.client().clone();
        let api: Api<PartialObjectMeta<DynamicObject>> =
            match object.namespace.as_deref().filter(|_| resource.namespaced) {
                Some(namespace) => Api::namespaced_with(client, namespace, &resource.api),
                None => Api::all_with(client, &resource.api),
            };
        let config = watcher::Config::default().fields(&format!("metadata.name={}", object.name));
        let (follow, object) = (self.follow.clone(), object.clone());
        tokio::spawn(async move {
            let stop = futures::future::select(Box::pin(ended.cancelled_owned()), Box::pin(follow.shutdown()));
            let mut events = std::pin::pin!(watcher(api, config).default_backoff().take_until(stop));
            while let Some(event) = events.next().await {
                match event {
                    // The release looks at the object itself when it begins to wait.
                    Ok(watcher::Event::Init | watcher::Event::InitApply(_)) => {}
                    Ok(watcher::Event::InitDone | watcher::Event::Apply(_) | watcher::Event::Delete(_)) => {
                        follow.wake_one(&key.namespace, &key.name);
                    }
                    // The watch is resumed with backoff; the release looks again now and then.
                    Err(error) => warn!(%object, %error, "watch of a dependency failed"),
                }
            }
            debug!(%object, "the dependency is not watched any more");
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ReleaseKey, Waiting>> {
        // No code path panics while it holds the lock; were it so, the map is still whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key_of(object: &ObjectReference) -> ObjectRef<HelmRelease> {
    let key = ObjectRef::new(&object.name);
    match &object.namespace {
        Some(namespace) => key.within(namespace),
        None => key,
    }
}
