//! The ConfigMaps and Secrets that releases and verified sources refer to, watched as metadata: a change wakes those that it is of.
//!
//! Edge. One watch a kind and namespace, begun when a release first refers to such an object there and ended with the last one
//! that does. Nothing is kept but the versions of the objects; what they hold is read when it is used.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, ApiResource, DynamicObject, PartialObjectMeta};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::warn;

use super::follow::Follow;
use super::memory::ReleaseMemory;
use super::sources::{Stir, verification_secrets};
use crate::api::HelmRelease;
use crate::api::helm_release::values::ValuesKind;
use crate::release::label;

/// Page size of the initial list.
const PAGE_SIZE: u32 = 100;
/// How long a reconcile waits for the first list. Without it the release goes on, and is woken if something changed meanwhile.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// The objects of a kind in a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Place {
    kind: ValuesKind,
    namespace: String,
}

/// A watch that somebody needs; it ends when nobody does any more.
#[derive(Debug)]
pub struct Needed {
    place: Place,
    answered: watch::Receiver<bool>,
    _end: DropGuard,
}

impl Needed {
    /// Waits until the objects were listed once. That they could not be is in the log; they may be readable all the same.
    async fn is_answered(&self) {
        let mut answered = self.answered.clone();
        let _ = tokio::time::timeout(ANSWERED_WITHIN, answered.wait_for(|answered| *answered)).await;
    }
}

/// The watches of what releases and sources refer to.
pub struct References {
    client: Client,
    follow: Follow,
    sources: Stir,
    watches: Mutex<HashMap<Place, Weak<Needed>>>,
}

impl References {
    pub(super) fn new(client: &Client, follow: Follow, sources: Stir) -> Self {
        Self {
            client: client.clone(),
            follow,
            sources,
            watches: Mutex::default(),
        }
    }

    /// Watches what a release refers to, for as long as its memory keeps the watches. What is read after this returns, and changes
    /// afterwards, wakes the release.
    pub async fn follow(&self, release: &HelmRelease, memory: &mut ReleaseMemory) {
        let places = places(release);
        if !memory.references.iter().map(|needed| &needed.place).eq(&places) {
            memory.references = places.into_iter().map(|place| self.needed(place)).collect();
        }
        for needed in &memory.references {
            needed.is_answered().await;
        }
    }

    /// Watches the Secrets of a namespace, for as long as what is returned is kept. What is read after this returns, and changes
    /// afterwards, wakes the sources and the releases that it is of.
    pub async fn secrets(&self, namespace: &str) -> Arc<Needed> {
        let needed = self.needed(Place {
            kind: ValuesKind::Secret,
            namespace: namespace.to_owned(),
        });
        needed.is_answered().await;
        needed
    }

    fn needed(&self, place: Place) -> Arc<Needed> {
        // No code path panics while it holds the lock; were it so, the map is still whole.
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(needed) = watches.get(&place).and_then(Weak::upgrade) {
            return needed;
        }
        watches.retain(|_, needed| needed.strong_count() > 0);
        let (sender, answered) = watch::channel(false);
        let end = self.follow.token().child_token();
        let watch = Watch {
            follow: self.follow.clone(),
            sources: self.sources.clone(),
            place: place.clone(),
            versions: HashMap::new(),
            answered: sender,
        };
        tokio::spawn(watch.run(self.client.clone(), end.clone()));
        let needed = Arc::new(Needed {
            place: place.clone(),
            answered,
            _end: end.drop_guard(),
        });
        watches.insert(place, Arc::downgrade(&needed));
        needed
    }
}

/// Where the objects are that a release refers to, in order.
fn places(release: &HelmRelease) -> BTreeSet<Place> {
    let places = referred(release).map(|(kind, namespace, _)| Place {
        kind,
        namespace: namespace.to_owned(),
    });
    places.collect()
}

/// Kind, namespace and name of the objects that a release refers to.
fn referred(release: &HelmRelease) -> impl Iterator<Item = (ValuesKind, &str, &str)> {
    let own = release.own_namespace();
    let values = release.spec.values_from.iter();
    let values = values.map(move |reference| (reference.kind, own, reference.name.as_str()));
    let cluster = release.spec.kube_config.iter().flat_map(move |cluster| {
        let secret = cluster
            .secret_ref
            .iter()
            .map(move |secret| (ValuesKind::Secret, own, secret.name.as_str()));
        let map = cluster.config_map_ref.iter();
        secret.chain(map.map(move |map| (ValuesKind::ConfigMap, own, map.name.as_str())))
    });
    // Who is trusted to sign its chart stands beside the source of the chart.
    let (source, _) = release.source_namespace();
    let verify = release.spec.chart.iter().filter_map(|chart| chart.spec.verify.as_ref());
    let verify = verify.flat_map(verification_secrets);
    let verify = verify.map(move |secret| (ValuesKind::Secret, source, secret));
    values.chain(cluster).chain(verify)
}

/// One watch, while it runs.
struct Watch {
    follow: Follow,
    sources: Stir,
    place: Place,
    /// The versions that were seen last, by name.
    versions: HashMap<String, String>,
    /// Whether the first list has come, or could not be had.
    answered: watch::Sender<bool>,
}

impl Watch {
    async fn run(mut self, client: Client, end: CancellationToken) {
        let mut config = watcher::Config::default().page_size(PAGE_SIZE);
        let resource = match self.place.kind {
            ValuesKind::ConfigMap => ApiResource::erase::<ConfigMap>(&()),
            ValuesKind::Secret => {
                // Of Helm's records there may be many, and nobody takes values from them.
                config = config.fields(&format!("type!={}", label::SECRET_TYPE));
                ApiResource::erase::<Secret>(&())
            }
        };
        let api: Api<PartialObjectMeta<DynamicObject>> = Api::namespaced_with(client, &self.place.namespace, &resource);
        let events = watcher(api, config).default_backoff().take_until(end.cancelled_owned());
        let mut events = std::pin::pin!(events);
        let mut before = HashMap::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(watcher::Event::Init) => before = std::mem::take(&mut self.versions),
                Ok(watcher::Event::InitApply(object)) => {
                    let (name, version) = (object.name_any(), object.resource_version().unwrap_or_default());
                    let known = before.remove(&name);
                    // What is there when the watch begins is read by the release itself.
                    if *self.answered.borrow() && known.as_ref() != Some(&version) {
                        self.wake(&name);
                    }
                    self.versions.insert(name, version);
                }
                Ok(watcher::Event::InitDone) => {
                    for name in std::mem::take(&mut before).into_keys() {
                        self.wake(&name);
                    }
                    self.answered.send_replace(true);
                }
                Ok(watcher::Event::Apply(object)) => {
                    let (name, version) = (object.name_any(), object.resource_version().unwrap_or_default());
                    self.wake(&name);
                    self.versions.insert(name, version);
                }
                Ok(watcher::Event::Delete(object)) => {
                    let name = object.name_any();
                    self.versions.remove(&name);
                    self.wake(&name);
                }
                // The watch is resumed with backoff. Nobody waits for it meanwhile.
                Err(error) => {
                    let Place { kind, namespace } = &self.place;
                    warn!(?kind, namespace, %error, "watch of what releases refer to failed");
                    self.answered.send_replace(true);
                }
            }
        }
    }

    fn wake(&self, name: &str) {
        let Place { kind, namespace } = &self.place;
        let changed = (*kind, namespace.as_str(), name);
        self.follow
            .wake(|release| referred(release).any(|referred| referred == changed));
        if let ValuesKind::Secret = kind {
            self.sources.secret_changed(namespace, name);
        }
    }
}
