//! Watches of what releases depend on: sources, ConflictPolicies, namespaces. A change wakes the releases concerned.
//!
//! Edge. It fills stores and wakes; what is made of a change is the reconcile's.

use std::fmt::Debug;
use std::hash::Hash;

use futures::{Stream, StreamExt};
use kube::api::Api;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::api::HelmRelease;
use crate::api::helm_release::chart::{ChartReferenceKind, SourceKind};
use crate::api::helm_repository::HelmRepository;
use crate::api::oci_repository::OCIRepository;

/// The sources of a kind, as they are followed.
pub(super) struct FollowedSource<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    /// What is there.
    pub(super) store: Store<K>,
    /// What came, changed or went.
    pub(super) changes: mpsc::UnboundedReceiver<ObjectRef<K>>,
    /// Says that one changed by something else than itself.
    pub(super) changed: mpsc::UnboundedSender<ObjectRef<K>>,
}

/// Follows other resources, and wakes the releases that are concerned when one changes. Cheap to clone.
#[derive(Clone)]
pub(super) struct Follow {
    releases: Store<HelmRelease>,
    changed: mpsc::UnboundedSender<ObjectRef<HelmRelease>>,
    shutdown: CancellationToken,
}

impl Follow {
    /// Wakes releases of this store through `changed`, until `shutdown`.
    pub(super) fn new(
        releases: Store<HelmRelease>,
        changed: mpsc::UnboundedSender<ObjectRef<HelmRelease>>,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            releases,
            changed,
            shutdown,
        }
    }

    /// The releases that the operator knows.
    pub(super) fn releases(&self) -> &Store<HelmRelease> {
        &self.releases
    }

    /// Is cancelled when the operator shuts down.
    pub(super) fn token(&self) -> CancellationToken {
        self.shutdown.clone()
    }

    /// The same releases, for what may end before the operator does: when the token of what is returned is cancelled.
    pub(super) fn for_a_while(&self) -> Self {
        Self {
            shutdown: self.shutdown.child_token(),
            ..self.clone()
        }
    }

    /// Ends when the operator shuts down.
    pub(super) fn shutdown(&self) -> impl Future<Output = ()> + Send + use<> {
        self.shutdown.clone().cancelled_owned()
    }

    /// Wakes the releases for which this holds.
    pub(super) fn wake(&self, is_concerned: impl Fn(&HelmRelease) -> bool) {
        for release in self.releases.state().iter().filter(|release| is_concerned(release)) {
            // Nobody listens only while the operator shuts down.
            let _ = self.changed.send(ObjectRef::from_obj(release.as_ref()));
        }
    }

    /// Wakes one release.
    pub(super) fn wake_one(&self, namespace: &str, name: &str) {
        // As above.
        let _ = self.changed.send(ObjectRef::new(name).within(namespace));
    }

    /// Follows the sources of a kind, and wakes the releases that refer to one when it changes.
    pub(super) fn source<K>(&self, api: Api<K>, refers: fn(&HelmRelease, &K) -> bool) -> FollowedSource<K>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let (store, writer) = reflector::store::<K>();
        let events = reflected(api, writer);
        let follow = self.clone();
        let (changed, changes) = mpsc::unbounded_channel();
        let sender = changed.clone();
        self.each(events, move |source| {
            follow.wake(|release| refers(release, source));
            // Nobody listens where sources are only looked up.
            let _ = sender.send(ObjectRef::from_obj(source));
        });
        FollowedSource {
            store,
            changes,
            changed,
        }
    }

    /// Calls `changed` with each object that comes, changes or goes, in a task of its own, until the operator shuts down.
    pub(super) fn each<K>(
        &self,
        events: impl Stream<Item = Result<K, watcher::Error>> + Send + 'static,
        changed: impl Fn(&K) + Send + 'static,
    ) where
        K: Send + 'static,
    {
        let shutdown = self.shutdown.clone();
        tokio::spawn(async move {
            let mut events = std::pin::pin!(events.take_until(shutdown.cancelled()));
            while let Some(event) = events.next().await {
                match event {
                    Ok(object) => changed(&object),
                    // The watch is resumed with backoff; the store keeps what it has.
                    Err(error) => warn!(%error, "watch failed"),
                }
            }
        });
    }
}

pub(super) fn refers_to_repository(release: &HelmRelease, repository: &HelmRepository) -> bool {
    let reference = release.spec.chart.as_ref().map(|chart| &chart.spec.source_ref);
    reference.is_some_and(|reference| {
        reference.kind == SourceKind::HelmRepository
            && is_named(repository, release, reference.namespace.as_deref(), &reference.name)
    })
}

pub(super) fn refers_to_artifact(release: &HelmRelease, repository: &OCIRepository) -> bool {
    release.spec.chart_ref.as_ref().is_some_and(|reference| {
        reference.kind == ChartReferenceKind::OCIRepository
            && is_named(repository, release, reference.namespace.as_deref(), &reference.name)
    })
}

/// Whether a release's reference names this source; without a namespace it means the release's own.
fn is_named(source: &impl ResourceExt, release: &HelmRelease, namespace: Option<&str>, name: &str) -> bool {
    let namespace = namespace.unwrap_or_else(|| release.own_namespace());
    source.name_any() == name && source.namespace().as_deref() == Some(namespace)
}

/// Watches all objects of a kind and keeps them in a store; gives those that come, change or go.
pub(super) fn reflected<K>(
    api: Api<K>,
    writer: reflector::store::Writer<K>,
) -> impl Stream<Item = Result<K, watcher::Error>> + Send
where
    K: Resource<DynamicType: Clone + Debug + Eq + Hash + Send + Sync>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    watcher(api, watcher::Config::default())
        .default_backoff()
        .modify(slim)
        .reflect(writer)
        .touched_objects()
}

/// Drops what the operator asks of nothing that it keeps whole: who set which of its fields. It is most of a small resource in memory, and the API
/// server, which keeps it, need not read it again from a status that is written.
pub(super) fn slim(resource: &mut impl Resource) {
    resource.meta_mut().managed_fields = None;
}
