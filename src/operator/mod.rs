//! The controller: wiring, the reconcile pipeline, watches, the admin server.
//!
//! Edge. [`Operator::run`] connects the watches to the queue and the queue to the pipeline in [`reconcile`]; everything
//! that a reconcile needs stands in [`context::Context`].

pub mod admin;
pub mod capabilities;
pub mod charts;
pub mod children;
pub mod context;
pub mod crds;
pub mod ledger_store;
pub mod memory;
pub mod reconcile;
pub mod sources;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt, TryStreamExt};
use kube::api::Api;
use kube::runtime::controller::{Action, Config as ControllerConfig, Controller};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{Predicate, PredicateConfig, WatchStreamExt, predicates, watcher};
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use self::admin::Readiness;
use self::capabilities::ClusterCapabilities;
use self::charts::Charts;
use self::children::Children;
use self::context::{Context, Settings};
use self::memory::Memory;
use self::reconcile::{ReconcileError, reconcile, seed};
use self::sources::Sources;
use crate::api::HelmRelease;
use crate::api::helm_release::chart::{ChartReferenceKind, SourceKind};
use crate::api::helm_repository::HelmRepository;
use crate::api::oci_repository::OCIRepository;
use crate::cluster::calls::Calls;
use crate::cluster::discovery::KindCache;
use crate::ownership::redact::Redactor;
use crate::source::{Fetcher, FetcherOptions, SourceError};
use crate::telemetry::events::Events;
use crate::telemetry::metrics::Metrics;

/// How long changes of one release are gathered before it is reconciled: the objects of an apply change in bursts.
const GATHER: Duration = Duration::from_millis(100);
/// How long is waited after a reconcile that could not even record how it ended.
const AFTER_ERROR: Duration = Duration::from_secs(5);
/// Results that may be reported while others are reconciled.
const REPORTS: usize = 16;

/// The operator could not start.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The chart cache cannot be used.
    #[error(transparent)]
    Charts(#[from] SourceError),
    /// The system has no randomness.
    #[error(transparent)]
    Random(#[from] seed::SeedError),
}

/// An operator that is about to run.
pub struct Operator {
    /// The API server.
    pub client: Client,
    /// What it is told.
    pub settings: Settings,
    /// Where it counts.
    pub metrics: Arc<Metrics>,
    /// Where it says that it is ready.
    pub readiness: Readiness,
}

impl Operator {
    /// Reconciles until `shutdown`; running reconciles are finished.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), OperatorError> {
        let Self {
            client,
            settings,
            metrics,
            readiness,
        } = self;
        let (children, child_changes) = Children::new(client.clone(), shutdown.clone());
        let (source_changed, source_changes) = mpsc::unbounded_channel();
        let (releases, writer) = reflector::store::<HelmRelease>();
        let follow = Follow {
            releases: releases.clone(),
            changed: source_changed,
            shutdown: shutdown.clone(),
        };
        let repositories = follow.source::<HelmRepository>(scoped(&client, &settings), refers_to_repository);
        let artifacts = follow.source::<OCIRepository>(scoped(&client, &settings), refers_to_artifact);
        let context = Arc::new(
            context(
                &client,
                settings,
                metrics,
                children,
                repositories.clone(),
                artifacts.clone(),
                &shutdown,
            )
            .await?,
        );
        let concurrency = context.settings.concurrency;
        let unchanged = predicates::generation
            .combine(predicates::annotations)
            .combine(predicates::finalizers);
        // A release that is looked at before its source is known would be told that there is none.
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            // The writers live as long as the operator, so waiting fails only at its end.
            _ = async { tokio::join!(repositories.wait_until_ready(), artifacts.wait_until_ready()) } => {}
        }
        let mut readiness = Some(readiness);
        let triggers = watcher(
            scoped::<HelmRelease>(&client, &context.settings),
            watcher::Config::default(),
        )
        .default_backoff()
        .reflect(writer)
        // Not `wait_until_ready`: the controller waits for this store, and of two that wait only one is woken.
        .inspect_ok(move |event| {
            if matches!(event, watcher::Event::InitDone)
                && let Some(readiness) = readiness.take()
            {
                readiness.set_ready();
                info!("watches are synced");
            }
        })
        .touched_objects()
        .predicate_filter(unchanged, PredicateConfig::default());
        Controller::for_stream(triggers, follow.releases.clone())
            .with_config(ControllerConfig::default().concurrency(concurrency).debounce(GATHER))
            .reconcile_on(UnboundedReceiverStream::new(child_changes))
            .reconcile_on(UnboundedReceiverStream::new(source_changes))
            .graceful_shutdown_on(shutdown.cancelled_owned())
            .run(reconcile, after_error, context)
            .for_each_concurrent(REPORTS, |result| async move {
                match result {
                    Ok((release, _)) => debug!(%release, "reconciled"),
                    // The object went between its event and its turn in the queue.
                    Err(kube::runtime::controller::Error::ObjectNotFound(_)) => {}
                    Err(error) => warn!(%error, "reconcile failed"),
                }
            })
            .await;
        Ok(())
    }
}

async fn context(
    client: &Client,
    settings: Settings,
    metrics: Arc<Metrics>,
    children: Children,
    repositories: Store<HelmRepository>,
    artifacts: Store<OCIRepository>,
    shutdown: &CancellationToken,
) -> Result<Context, OperatorError> {
    let options = FetcherOptions {
        cache_directory: settings.chart_cache.clone(),
        ..FetcherOptions::default()
    };
    let kinds = Arc::new(KindCache::new(client.clone(), settings.request_timeout));
    Ok(Context {
        client: client.clone(),
        calls: Calls::new(client.clone(), settings.request_timeout),
        capabilities: ClusterCapabilities::new(client.clone(), kinds.clone()),
        kinds,
        children,
        sources: Sources::new(client.clone(), repositories, artifacts),
        charts: Charts::new(Fetcher::open(options).await?),
        memory: Memory::default(),
        metrics,
        events: Events::start(client.clone(), shutdown.clone()),
        redactor: Redactor::new(seed::salt()?),
        settings,
    })
}

fn after_error(_: Arc<HelmRelease>, _: &ReconcileError, _: Arc<Context>) -> Action {
    Action::requeue(AFTER_ERROR)
}

/// All objects of a kind, or those of the one namespace that the operator is told.
fn scoped<K>(client: &Client, settings: &Settings) -> Api<K>
where
    K: Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
{
    match &settings.namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// Follows sources, and wakes the releases that refer to one when it changes.
struct Follow {
    releases: Store<HelmRelease>,
    changed: mpsc::UnboundedSender<ObjectRef<HelmRelease>>,
    shutdown: CancellationToken,
}

impl Follow {
    fn source<K>(&self, api: Api<K>, refers: fn(&HelmRelease, &K) -> bool) -> Store<K>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let (store, writer) = reflector::store::<K>();
        let events = watcher(api, watcher::Config::default())
            .default_backoff()
            .reflect(writer)
            .touched_objects();
        let (releases, changed) = (self.releases.clone(), self.changed.clone());
        let shutdown = self.shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = wake(events, releases, changed, refers) => {}
            }
        });
        store
    }
}

async fn wake<K>(
    events: impl Stream<Item = Result<K, watcher::Error>>,
    releases: Store<HelmRelease>,
    changed: mpsc::UnboundedSender<ObjectRef<HelmRelease>>,
    refers: fn(&HelmRelease, &K) -> bool,
) {
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        match event {
            Ok(source) => {
                for release in releases.state().iter().filter(|release| refers(release, &source)) {
                    // Nobody listens only while the operator shuts down.
                    let _ = changed.send(ObjectRef::from_obj(release.as_ref()));
                }
            }
            // The watch is resumed with backoff; the store keeps what it has.
            Err(error) => warn!(%error, "watch of sources failed"),
        }
    }
}

fn refers_to_repository(release: &HelmRelease, repository: &HelmRepository) -> bool {
    let reference = release.spec.chart.as_ref().map(|chart| &chart.spec.source_ref);
    reference.is_some_and(|reference| {
        reference.kind == SourceKind::HelmRepository
            && is_named(repository, release, reference.namespace.as_deref(), &reference.name)
    })
}

fn refers_to_artifact(release: &HelmRelease, repository: &OCIRepository) -> bool {
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
