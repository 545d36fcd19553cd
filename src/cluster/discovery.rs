//! Which resource serves an apiVersion and kind: asked once, remembered, asked again on a miss.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use kube::api::ApiResource;
use kube::discovery::Scope;
use tokio::sync::{Mutex, RwLock};

/// A kind as the server serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Group, version, kind and plural name.
    pub api: ApiResource,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

/// Why a kind cannot be resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// The server does not serve it.
    #[error(
        "the cluster serves no kind {kind} in {api_version}; install its CustomResourceDefinition, or correct the apiVersion"
    )]
    UnknownKind {
        /// As asked for.
        api_version: String,
        /// As asked for.
        kind: String,
    },
    /// The server did not answer in time.
    #[error("no answer to discovery within {0:?}")]
    Timeout(Duration),
    /// The server could not be asked.
    #[error("cannot discover the cluster's kinds: {0}")]
    Unavailable(String),
}

impl DiscoveryError {
    /// All of them can pass: definitions are created, servers come back.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::UnknownKind { .. } | Self::Timeout(_) | Self::Unavailable(_) => true,
        }
    }
}

type Snapshot = HashMap<String, HashMap<String, Resource>>;

/// The kinds of one cluster, shared by everybody who talks to it.
pub struct KindCache {
    client: Client,
    timeout: Duration,
    snapshot: RwLock<Option<Arc<Snapshot>>>,
    /// Held while asking, so that many misses at once ask once.
    asking: Mutex<()>,
}

impl std::fmt::Debug for KindCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KindCache")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl KindCache {
    /// An empty cache; the first look-up fills it.
    pub fn new(client: Client, timeout: Duration) -> Self {
        Self {
            client,
            timeout,
            snapshot: RwLock::new(None),
            asking: Mutex::new(()),
        }
    }

    /// The resource of a kind. A miss asks the server once more: the definition may just have been created.
    pub async fn resolve(&self, api_version: &str, kind: &str) -> Result<Resource, DiscoveryError> {
        let known = self.snapshot.read().await.clone();
        if let Some(resource) = known.as_deref().and_then(|snapshot| find(snapshot, api_version, kind)) {
            return Ok(resource);
        }
        let fresh = self.refresh(known.as_ref()).await?;
        find(&fresh, api_version, kind).ok_or_else(|| DiscoveryError::UnknownKind {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
        })
    }

    /// Every `group/version`, and every `group/version/Kind`, that the server serves, sorted: what Helm's
    /// `.Capabilities.APIVersions` has.
    pub async fn api_versions(&self) -> Result<Vec<String>, DiscoveryError> {
        let known = self.snapshot.read().await.clone();
        let snapshot = match known {
            Some(snapshot) => snapshot,
            None => self.refresh(None).await?,
        };
        let kinds = snapshot
            .iter()
            .flat_map(|(version, kinds)| kinds.keys().map(move |kind| format!("{version}/{kind}")));
        let mut versions: Vec<String> = snapshot.keys().cloned().chain(kinds).collect();
        versions.sort();
        Ok(versions)
    }

    /// Forgets what is known, for example after definitions were created or deleted.
    pub async fn invalidate(&self) {
        *self.snapshot.write().await = None;
    }

    /// Asks the server, unless somebody else did since `seen` was current.
    async fn refresh(&self, seen: Option<&Arc<Snapshot>>) -> Result<Arc<Snapshot>, DiscoveryError> {
        let _asking = self.asking.lock().await;
        let current = self.snapshot.read().await.clone();
        if let Some(current) = current
            && seen.is_none_or(|seen| !Arc::ptr_eq(seen, &current))
        {
            return Ok(current);
        }
        let asked = tokio::time::timeout(self.timeout, discover(self.client.clone())).await;
        let snapshot = asked.map_err(|_elapsed| DiscoveryError::Timeout(self.timeout))??;
        let fresh = Arc::new(snapshot);
        *self.snapshot.write().await = Some(fresh.clone());
        Ok(fresh)
    }
}

fn find(snapshot: &Snapshot, api_version: &str, kind: &str) -> Option<Resource> {
    snapshot.get(api_version)?.get(kind).cloned()
}

/// Two calls with aggregated discovery; one for each group on servers before 1.26.
async fn discover(client: Client) -> Result<Snapshot, DiscoveryError> {
    let discovery = match kube::Discovery::new(client.clone()).run_aggregated().await {
        Ok(discovery) => discovery,
        Err(_not_aggregated) => {
            let run = kube::Discovery::new(client).run().await;
            run.map_err(|error| DiscoveryError::Unavailable(error.to_string()))?
        }
    };
    let mut snapshot = Snapshot::new();
    for group in discovery.groups() {
        for version in group.versions() {
            for (api, capabilities) in group.versioned_resources(version) {
                let namespaced = capabilities.scope == Scope::Namespaced;
                let kinds = snapshot.entry(api.api_version.clone()).or_default();
                kinds.entry(api.kind.clone()).or_insert(Resource { api, namespaced });
            }
        }
    }
    Ok(snapshot)
}
