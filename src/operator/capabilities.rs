//! What `.Capabilities` says of the cluster, asked at most every few minutes.
//!
//! Edge.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::Client;
use tokio::sync::Mutex;

use crate::chart::Capabilities;
use crate::cluster::discovery::{DiscoveryError, KindCache};

/// How long an answer is used: versions of a cluster change rarely, and a kind that is missing is asked for anew at once
/// when an object of it is to be applied.
const USED_FOR: Duration = Duration::from_mins(5);

/// The cluster could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum CapabilitiesError {
    /// Its version.
    #[error("cannot read the cluster's version: {0}")]
    Version(#[source] Box<kube::Error>),
    /// Its version is none that Helm can parse.
    #[error("the cluster's version {version:?} is not a Kubernetes version")]
    Unparsable {
        /// As the cluster says it.
        version: String,
    },
    /// Its kinds.
    #[error(transparent)]
    Kinds(#[from] DiscoveryError),
}

/// The capabilities of one cluster.
pub struct ClusterCapabilities {
    client: Client,
    kinds: Arc<KindCache>,
    known: Mutex<Option<(Instant, Arc<Capabilities>)>>,
}

impl std::fmt::Debug for ClusterCapabilities {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ClusterCapabilities").finish_non_exhaustive()
    }
}

impl ClusterCapabilities {
    /// Not asked yet.
    pub fn new(client: Client, kinds: Arc<KindCache>) -> Self {
        Self {
            client,
            kinds,
            known: Mutex::default(),
        }
    }

    /// What the cluster offers now, whatever was known of it.
    pub async fn ask_anew(&self) -> Result<Arc<Capabilities>, CapabilitiesError> {
        self.kinds.invalidate().await;
        *self.known.lock().await = None;
        self.get().await
    }

    /// What the cluster offers.
    pub async fn get(&self) -> Result<Arc<Capabilities>, CapabilitiesError> {
        let mut known = self.known.lock().await;
        if let Some((asked, capabilities)) = known.as_ref()
            && asked.elapsed() < USED_FOR
        {
            return Ok(capabilities.clone());
        }
        let info = self
            .client
            .apiserver_version()
            .await
            .map_err(|error| CapabilitiesError::Version(Box::new(error)))?;
        let kube_version = info.git_version.parse().map_err(|_| CapabilitiesError::Unparsable {
            version: info.git_version,
        })?;
        let api_versions = self.kinds.api_versions().await?;
        let capabilities = Arc::new(Capabilities {
            kube_version,
            api_versions,
        });
        *known = Some((Instant::now(), capabilities.clone()));
        Ok(capabilities)
    }
}
