//! The live objects of all releases, watched: workloads whole, others as metadata.
//!
//! Edge. One watch a kind, started when a release first has an object of it, selected by Fairlead's label. The index
//! answers "does it exist, is it as we left it, and is it ready" without a request, and a change that Fairlead did not make
//! wakes the release. It keeps nothing of what the objects hold.

mod delivered;
mod state;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use kube::api::{Api, ApiResource, DynamicObject, PartialObjectMeta};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::api::{HelmRelease, names};
use crate::health::Health;
use crate::ownership::reference::ObjectReference;
use delivered::{Delivered, is_workload};
pub use state::Known;
use state::{Identity, State, Watched};

/// Page size of the initial lists: small, because the allocator does not give the memory of a large one back.
const PAGE_SIZE: u32 = 100;

/// The index of children, and the watches that feed it. Cheap to clone.
#[derive(Clone)]
pub struct Children {
    client: Client,
    state: Arc<Mutex<State>>,
    changed: mpsc::UnboundedSender<ObjectRef<HelmRelease>>,
    shutdown: CancellationToken,
}

impl Children {
    /// An empty index, which tells `changed` of releases whose children change, until `shutdown`.
    pub fn new(
        client: Client,
        changed: mpsc::UnboundedSender<ObjectRef<HelmRelease>>,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            client,
            state: Arc::default(),
            changed,
            shutdown,
        }
    }

    /// What is known about `reference`.
    pub fn get(&self, reference: &ObjectReference) -> Known {
        self.lock().known(&Identity::of(reference))
    }

    /// How an object is by the rules of Kubernetes, if its watch tells, and the resourceVersion that it is so at.
    pub fn health(&self, reference: &ObjectReference) -> Option<(String, Health)> {
        let state = self.lock();
        let child = state.objects.get(&Identity::of(reference))?;
        Some((child.live.resource_version.clone(), child.health.clone()?))
    }

    /// What is known of these objects, as one number: another one means that somebody wrote to one of them.
    pub fn sighting<'a>(&self, references: impl Iterator<Item = &'a ObjectReference>) -> u64 {
        let state = self.lock();
        let mut hasher = DefaultHasher::new();
        for reference in references {
            let child = state.objects.get(&Identity::of(reference));
            let live = child.map(|child| &child.live);
            live.map(|live| (&live.uid, &live.fingerprint)).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// Takes note of a live object, as the watch of a workload tells it.
    pub fn seen(&self, resource: &ApiResource, object: &DynamicObject) {
        let watched = Watched {
            group: resource.group.clone(),
            kind: resource.kind.clone(),
        };
        self.changed_to(identity_of(&watched, object), object, resource);
    }

    /// Remembers that Fairlead wrote `reference` at `resource_version`, so that the watch's echo wakes nobody.
    pub fn wrote(&self, reference: &ObjectReference, resource_version: &str) {
        self.lock()
            .written
            .insert(Identity::of(reference), resource_version.to_owned());
    }

    /// Starts a watch of `resource` if there is none yet.
    pub fn watch(&self, resource: &ApiResource) {
        let watched = Watched {
            group: resource.group.clone(),
            kind: resource.kind.clone(),
        };
        if !self.lock().started.insert(watched.clone()) {
            return;
        }
        let children = self.clone();
        let resource = resource.clone();
        tokio::spawn(async move {
            let shutdown = children.shutdown.clone();
            let follow = async {
                if is_workload(&resource) {
                    children.follow::<DynamicObject>(watched, &resource).await;
                } else {
                    children
                        .follow::<PartialObjectMeta<DynamicObject>>(watched, &resource)
                        .await;
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = follow => {}
            }
        });
    }

    async fn follow<K: Delivered>(self, watched: Watched, resource: &ApiResource) {
        let api: Api<K> = Api::all_with(self.client.clone(), resource);
        let config = watcher::Config::default()
            .labels(names::LABEL_NAME)
            .page_size(PAGE_SIZE);
        let mut events = watcher(api, config).default_backoff().boxed();
        let mut listed = HashSet::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(watcher::Event::Init) => listed.clear(),
                Ok(watcher::Event::InitApply(object)) => {
                    let identity = identity_of(&watched, &object);
                    listed.insert(identity.clone());
                    self.changed_to(identity, &object, resource);
                }
                Ok(watcher::Event::InitDone) => self.synced(&watched, &listed),
                Ok(watcher::Event::Apply(object)) => self.changed_to(identity_of(&watched, &object), &object, resource),
                Ok(watcher::Event::Delete(object)) => self.gone(&identity_of(&watched, &object), &object),
                Err(error) if is_not_served(&error) => {
                    debug!(group = watched.group, kind = watched.kind, "no longer served");
                    return self.ended(&watched);
                }
                // The watch is resumed with backoff; until then `get` answers from what was seen last.
                Err(error) => warn!(group = watched.group, kind = watched.kind, %error, "watch of children failed"),
            }
        }
    }

    fn changed_to<K: Delivered>(&self, identity: Identity, object: &K, resource: &ApiResource) {
        let Some(child) = object.child(resource) else {
            return;
        };
        if !self.lock().changed_to(identity, child) {
            self.wake(object);
        }
    }

    fn gone(&self, identity: &Identity, object: &impl Delivered) {
        let version = object.resource_version().unwrap_or_default();
        self.lock().gone(identity, &version);
        self.wake(object);
    }

    /// Marks a kind as synced and forgets what its list no longer has. Nobody is woken for those: the releases that
    /// they belonged to notice at their next reconcile, which the resumed watch does not delay.
    fn synced(&self, watched: &Watched, listed: &HashSet<Identity>) {
        let mut state = self.lock();
        state
            .objects
            .retain(|identity, _| identity.watched != *watched || listed.contains(identity));
        state.synced.insert(watched.clone());
        debug!(
            group = watched.group,
            kind = watched.kind,
            objects = listed.len(),
            "watching children"
        );
    }

    /// Forgets a kind whose definition is gone. The next release that has an object of it starts its watch anew.
    fn ended(&self, watched: &Watched) {
        let mut state = self.lock();
        state.objects.retain(|identity, _| identity.watched != *watched);
        state.written.retain(|identity, _| identity.watched != *watched);
        state.synced.remove(watched);
        state.started.remove(watched);
    }

    fn wake(&self, object: &impl Delivered) {
        let labels = object.labels();
        if let (Some(name), Some(namespace)) = (labels.get(names::LABEL_NAME), labels.get(names::LABEL_NAMESPACE)) {
            // Nobody listens only while the operator shuts down.
            let _ = self.changed.send(ObjectRef::new(name).within(namespace));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code path panics while it holds the lock; were it so, the index is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a watch failed because the API server does not know the kind (any more).
fn is_not_served(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => status.is_not_found(),
        watcher::Error::InitialListFailed(_)
        | watcher::Error::WatchStartFailed(_)
        | watcher::Error::WatchFailed(_)
        | watcher::Error::NoResourceVersion => false,
    }
}

fn identity_of(watched: &Watched, object: &impl Delivered) -> Identity {
    Identity {
        watched: watched.clone(),
        namespace: object.namespace(),
        name: object.name_any(),
    }
}
