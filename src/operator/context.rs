//! What reconciles have at hand: what all of them share, and the target of the one release.
//!
//! Edge. It holds things and does nothing by itself.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;

use super::charts::Charts;
use super::dependencies::Dependencies;
use super::memory::{Memory, ReleaseMemory, Step};
use super::policies::Policies;
use super::references::References;
use super::referred::Referred;
use super::sources::Sources;
use super::target::Target;
use super::target::error::TargetError;
use super::target::targets::Targets;
use crate::api::HelmRelease;
use crate::ownership::redact::Redactor;
use crate::telemetry::events::Events;
use crate::telemetry::metrics::Metrics;
use crate::template::Limits;

/// What an operator is told at its start about what releases may do, and as whom.
#[derive(Debug, Clone, Default)]
pub struct Tenancy {
    /// The ServiceAccount, in the namespace of a release, that it is released as unless it names one.
    pub default_service_account: Option<String>,
    /// The same for releases to other clusters.
    pub default_kubeconfig_service_account: Option<String>,
    /// Whether releases must not refer to sources in other namespaces.
    pub no_cross_namespace_references: bool,
    /// Whether kubeconfigs may name programs, which the operator runs.
    pub kubeconfig_exec: bool,
    /// Whether kubeconfigs may name servers whose identity is not verified.
    pub kubeconfig_insecure_tls: bool,
}

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
    /// By how many percent the intervals of releases are spread either way.
    pub interval_jitter: u8,
    /// How much one rendering may use.
    pub limits: Limits,
    /// What releases may do, and as whom.
    pub tenancy: Tenancy,
}

/// What every reconcile shares.
pub struct Shared {
    /// The API server, for Fairlead's own resources and for what releases refer to.
    pub client: Client,
    /// The clusters and identities that releases are released to.
    pub targets: Targets,
    /// The watches of what releases refer to.
    pub references: References,
    /// What releases and sources refer to.
    pub referred: Referred,
    /// HelmRepositories and OCIRepositories.
    pub sources: Sources,
    /// ConflictPolicies.
    pub policies: Policies,
    /// What releases wait for because they depend on it.
    pub dependencies: Dependencies,
    /// Charts: fetched, parsed, cached by digest.
    pub charts: Charts,
    /// What is remembered of each release.
    pub memory: Memory,
    /// Makes values fit to be shown.
    pub redactor: Redactor,
    /// Metrics of the process.
    pub metrics: Arc<Metrics>,
    /// Where events are handed in.
    pub events: Events,
    /// What the operator was told at its start.
    pub settings: Settings,
}

/// What the reconcile of one release has at hand.
pub struct Context {
    /// What it shares with all others.
    pub shared: Arc<Shared>,
    /// Where the release's objects, hooks and records are, and as whom they are read and written.
    pub target: Arc<Target>,
}

impl Context {
    /// For a release; its memory keeps the target.
    ///
    /// # Errors
    /// When the release does not say a target that can be reached.
    pub async fn of(
        shared: &Arc<Shared>,
        release: &HelmRelease,
        memory: &mut ReleaseMemory,
    ) -> Result<Self, TargetError> {
        memory.step = Step::References;
        shared.references.follow(release, memory).await;
        Ok(Self {
            shared: shared.clone(),
            target: shared.targets.of(release, memory).await?,
        })
    }

    /// For a release that is being deleted.
    ///
    /// # Errors
    /// When the release does not say a target that can be reached.
    pub async fn of_ending(
        shared: &Arc<Shared>,
        release: &HelmRelease,
        memory: &mut ReleaseMemory,
    ) -> Result<Self, TargetError> {
        Ok(Self {
            shared: shared.clone(),
            target: shared.targets.of_ending(release, memory).await?,
        })
    }
}
