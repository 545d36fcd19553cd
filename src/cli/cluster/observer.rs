//! What commands need that go the operator's own way up to the dry runs. Nothing is written.
//!
//! Edge. Knows how an observer is started and asked; what is made of its answers is the commands'.

use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Cluster, TIMEOUT};
use crate::api::HelmRelease;
use crate::cli::CommandError;
use crate::operator::context::{Context, Settings, Shared, Tenancy};
use crate::operator::given::Given;
use crate::operator::memory::ReleaseMemory;
use crate::operator::observer;
use crate::operator::reconcile::inputs::{self, Inputs};
use crate::operator::reconcile::shadow::compare;
use crate::plan::diff::ReleaseDiff;
use crate::plan::retry::JITTER;
use crate::template::Limits;

/// How many objects are dry-run at once.
pub(super) const PARALLEL: NonZeroUsize = NonZeroUsize::new(8).unwrap();

/// Looks at what releases would do. Its watches end with it.
pub(super) struct Observer {
    shared: Arc<Shared>,
    _end: DropGuard,
}

impl Observer {
    /// For releases of all namespaces, or only for these. What is given is used in place of what is in the cluster. Values of up to
    /// `longest` bytes are told whole.
    pub(super) async fn start(
        cluster: &Cluster,
        releases: Releases<'_>,
        given: Given,
        longest: usize,
    ) -> Result<Self, CommandError> {
        let shutdown = CancellationToken::new();
        let end = shutdown.clone().drop_guard();
        let settings = Settings {
            concurrency: 1,
            parallel_writes: PARALLEL,
            request_timeout: TIMEOUT,
            namespace: releases.namespace(),
            chart_cache: None,
            interval_jitter: JITTER,
            limits: Limits::default(),
            tenancy: Tenancy::default(),
        };
        let started = tokio::time::timeout(TIMEOUT, observer(&cluster.client, settings, given, &shutdown)).await;
        let mut shared = started.map_err(|_elapsed| {
            format!(
                "HelmRepositories, OCIRepositories, ConflictPolicies and Namespaces could not be listed within {TIMEOUT:?}: \
                 the rights to list and watch them are needed"
            )
        })??;
        shared.redactor = shared.redactor.showing(longest);
        Ok(Self {
            shared: Arc::new(shared),
            _end: end,
        })
    }

    /// What a release would do.
    pub(super) async fn compare(&self, release: &HelmRelease) -> Result<ReleaseDiff, CommandError> {
        let mut memory = ReleaseMemory::default();
        let context = Context::of(&self.shared, release, &mut memory).await?;
        Ok(compare(&context, release, None, &mut memory).await?.diff)
    }

    /// What a release is rendered from.
    pub(super) async fn inputs(&self, release: &HelmRelease) -> Result<Inputs, CommandError> {
        let mut memory = ReleaseMemory::default();
        let context = Context::of(&self.shared, release, &mut memory).await?;
        Ok(inputs::observe(&context, release, &mut memory).await?)
    }
}

/// Which releases are looked at.
#[derive(Clone, Copy)]
pub(super) enum Releases<'a> {
    /// Those of all namespaces.
    All,
    /// These.
    These(&'a [HelmRelease]),
}

impl Releases<'_> {
    /// The one namespace that they and their sources are in: who may look into one only should not be asked for more.
    fn namespace(self) -> Option<String> {
        let Self::These([first, others @ ..]) = self else {
            return None;
        };
        let own = first.own_namespace();
        let is_there = |release: &HelmRelease| release.own_namespace() == own && release.source_namespace().0 == own;
        (is_there(first) && others.iter().all(is_there)).then(|| own.to_owned())
    }
}
