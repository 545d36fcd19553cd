//! What every reconcile shares: clients, caches, memory, telemetry, settings.
//!
//! Edge. It holds things and does nothing by itself.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;

use super::capabilities::ClusterCapabilities;
use super::charts::Charts;
use super::children::Children;
use super::memory::Memory;
use super::policies::Policies;
use super::records::Records;
use super::sources::Sources;
use crate::cluster::calls::Calls;
use crate::cluster::discovery::KindCache;
use crate::ownership::redact::Redactor;
use crate::telemetry::events::Events;
use crate::telemetry::metrics::Metrics;
use crate::template::Limits;

/// What an operator is told at its start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Releases that are reconciled at once.
    pub concurrency: u16,
    /// Objects of one release that are written at once.
    pub parallel_writes: NonZeroUsize,
    /// How long one request to the API server may take.
    pub request_timeout: Duration,
    /// The namespace whose releases are reconciled; all without one.
    pub namespace: Option<String>,
    /// Where chart archives are kept; in memory without one.
    pub chart_cache: Option<PathBuf>,
    /// How much one rendering may use.
    pub limits: Limits,
}

/// What every reconcile shares.
pub struct Context {
    /// The API server, for Fairlead's own resources.
    pub client: Client,
    /// The API server, for the objects of releases.
    pub calls: Calls,
    /// Which kinds the cluster serves.
    pub kinds: Arc<KindCache>,
    /// The live objects of all releases, as metadata.
    pub children: Children,
    /// Which release records there are.
    pub records: Records,
    /// HelmRepositories and OCIRepositories.
    pub sources: Sources,
    /// ConflictPolicies.
    pub policies: Policies,
    /// Charts: fetched, parsed, cached by digest.
    pub charts: Charts,
    /// What is remembered of each release.
    pub memory: Memory,
    /// What the cluster offers to templates.
    pub capabilities: ClusterCapabilities,
    /// Makes values fit to be shown.
    pub redactor: Redactor,
    /// Metrics of the process.
    pub metrics: Arc<Metrics>,
    /// Where events are handed in.
    pub events: Events,
    /// What the operator was told at its start.
    pub settings: Settings,
}
