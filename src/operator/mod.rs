//! The controller: wiring, the reconcile pipeline, watches, the admin server.
//!
//! Edge. [`Operator::run`] connects the watches to the queue and the queue to the pipeline in [`reconcile`]; everything
//! that a reconcile needs stands in [`context::Context`].

pub mod admin;
pub mod capabilities;
pub mod charts;
pub mod children;
pub mod clients;
pub mod context;
pub mod crds;
pub mod dependencies;
mod follow;
pub mod given;
pub mod leadership;
pub mod ledger_store;
pub mod memory;
pub mod policies;
pub mod reconcile;
pub mod records;
pub mod references;
pub mod referred;
pub mod sources;
pub mod target;

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use kube::api::Api;
use kube::runtime::controller::{Action, Config as ControllerConfig, Controller};
use kube::runtime::reflector;
use kube::runtime::{Predicate, PredicateConfig, WatchStreamExt, predicates, watcher};
use kube::{Client, Resource};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use self::admin::Readiness;
use self::charts::Charts;
use self::clients::Clients;
use self::context::{Settings, Shared};
use self::dependencies::Dependencies;
use self::follow::{Follow, FollowedSource};
use self::given::Given;
use self::leadership::fence::Fence;
use self::memory::{Memory, ReleaseKey};
use self::policies::Policies;
use self::reconcile::{ReconcileError, reconcile, seed};
use self::references::References;
use self::referred::Referred;
use self::sources::{Sources, keep};
use self::target::targets::Targets;
use crate::api::HelmRelease;
use crate::api::helm_repository::HelmRepository;
use crate::api::oci_repository::OCIRepository;
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
    /// What stands around the clients of other clusters, as around the one above.
    pub fence: Fence,
}

impl Operator {
    /// Reconciles until `shutdown`; running reconciles are finished.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), OperatorError> {
        let Self {
            client,
            settings,
            metrics,
            readiness,
            fence,
        } = self;
        metrics.leads(true);
        let clients = Clients::new(&metrics, fence);
        let (child_changed, child_changes) = mpsc::unbounded_channel();
        let (source_changed, source_changes) = mpsc::unbounded_channel();
        let (releases, writer) = reflector::store::<HelmRelease>();
        let follow = Follow::new(releases.clone(), source_changed, shutdown.clone());
        let repositories = follow.source::<HelmRepository>(scoped(&client, &settings), follow::refers_to_repository);
        let artifacts = follow.source::<OCIRepository>(scoped(&client, &settings), follow::refers_to_artifact);
        let policies = Policies::follow(&client, &follow);
        let referred = Referred::new(&client, Given::default());
        let sources = Sources::new(
            &client,
            referred.clone(),
            repositories.store.clone(),
            artifacts.store.clone(),
            &policies,
            &follow,
        );
        let followed = Followed {
            targets: Targets::new(&client, &settings, clients, follow.clone(), child_changed),
            references: References::new(&client, follow.clone(), sources.stir(artifacts.changed.clone())),
            referred,
            sources,
            policies,
            dependencies: Dependencies::new(follow.clone(), settings.namespace.clone()),
        };
        let shared = Arc::new(shared(&client, settings, metrics, followed, &shutdown).await?);
        // An operator for one namespace does not know what the policies of the cluster select elsewhere.
        if shared.settings.namespace.is_none() {
            tokio::spawn(shared.policies.clone().keep_statuses(client.clone(), shutdown.clone()));
        }
        let concurrency = shared.settings.concurrency;
        let unchanged = predicates::generation
            .combine(predicates::annotations)
            .combine(predicates::labels)
            .combine(predicates::finalizers);
        // A release that is looked at before its source is known would be told that there is none.
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            // The writers live as long as the operator, so waiting fails only at its end.
            _ = async {
                tokio::join!(repositories.store.wait_until_ready(), artifacts.store.wait_until_ready(), shared.policies.wait_until_ready())
            } => {}
        }
        let FollowedSource { store, changes, .. } = repositories;
        tokio::spawn(keep(shared.clone(), store, changes, shutdown.clone()));
        let FollowedSource { store, changes, .. } = artifacts;
        tokio::spawn(keep(shared.clone(), store, changes, shutdown.clone()));
        let mut readiness = Some(readiness);
        let (watching, reporting) = (shared.clone(), shared.clone());
        let triggers = watcher(
            scoped::<HelmRelease>(&client, &shared.settings),
            watcher::Config::default(),
        )
        .default_backoff()
        .modify(follow::slim)
        .reflect(writer)
        // Not `wait_until_ready`: the controller waits for this store, and of two that wait only one is woken.
        .inspect_ok(move |event| {
            notice(&watching, event);
            if matches!(event, watcher::Event::InitDone)
                && let Some(readiness) = readiness.take()
            {
                readiness.set_ready();
                info!("watches are synced");
            }
        })
        .touched_objects()
        .predicate_filter(unchanged, PredicateConfig::default());
        Controller::for_stream(triggers, releases)
            .with_config(ControllerConfig::default().concurrency(concurrency).debounce(GATHER))
            .reconcile_on(UnboundedReceiverStream::new(child_changes))
            .reconcile_on(UnboundedReceiverStream::new(source_changes))
            .graceful_shutdown_on(shutdown.cancelled_owned())
            .run(reconcile, after_error, shared)
            .for_each_concurrent(REPORTS, |result| {
                match result {
                    Ok((release, _)) => debug!(%release, "reconciled"),
                    // The object went between its event and its turn in the queue.
                    Err(kube::runtime::controller::Error::ObjectNotFound(release)) => {
                        let key = ReleaseKey {
                            namespace: release.namespace.unwrap_or_default(),
                            name: release.name,
                        };
                        reconcile::forget(&reporting, &key);
                    }
                    Err(error) => warn!(%error, "reconcile failed"),
                }
                std::future::ready(())
            })
            .await;
        Ok(())
    }
}

/// Takes note of a change of a HelmRelease, for those that wait for it; forgets one that is gone.
fn notice(shared: &Shared, event: &watcher::Event<HelmRelease>) {
    match event {
        watcher::Event::Apply(release) => shared.dependencies.changed(release),
        watcher::Event::Delete(release) => {
            shared.dependencies.gone(release);
            // One with a finalizer was forgotten with its last reconcile; one that is only compared has none.
            reconcile::forget(shared, &ReleaseKey::of(release));
        }
        watcher::Event::InitDone => shared.dependencies.listed(),
        watcher::Event::Init | watcher::Event::InitApply(_) => {}
    }
}

/// What a reconcile needs, for somebody who reconciles nothing but looks at what releases would do: sources and policies are watched
/// until `shutdown`, and were listed once when it is returned. What is `given` is used in place of what is in the cluster.
///
/// # Errors
/// When the chart cache or the system's randomness cannot be used.
pub async fn observer(
    client: &Client,
    settings: Settings,
    given: Given,
    shutdown: &CancellationToken,
) -> Result<Shared, OperatorError> {
    let (child_changed, _child_changes) = mpsc::unbounded_channel();
    let (changed, _changes) = mpsc::unbounded_channel();
    let (releases, _writer) = reflector::store::<HelmRelease>();
    let follow = Follow::new(releases, changed, shutdown.clone());
    let repositories = follow.source::<HelmRepository>(scoped(client, &settings), follow::refers_to_repository);
    let artifacts = follow.source::<OCIRepository>(scoped(client, &settings), follow::refers_to_artifact);
    let policies = Policies::follow(client, &follow);
    let referred = Referred::new(client, given);
    let metrics: Arc<Metrics> = Arc::default();
    let clients = Clients::new(&metrics, Fence::none());
    let sources = Sources::new(
        client,
        referred.clone(),
        repositories.store.clone(),
        artifacts.store.clone(),
        &policies,
        &follow,
    );
    let followed = Followed {
        targets: Targets::new(client, &settings, clients, follow.clone(), child_changed),
        references: References::new(client, follow.clone(), sources.stir(artifacts.changed.clone())),
        referred,
        sources,
        policies,
        dependencies: Dependencies::new(follow.clone(), settings.namespace.clone()),
    };
    let shared = shared(client, settings, metrics, followed, shutdown).await?;
    // The writers live until the shutdown, so waiting fails only then.
    let _ = tokio::join!(
        repositories.store.wait_until_ready(),
        artifacts.store.wait_until_ready(),
        shared.policies.wait_until_ready()
    );
    Ok(shared)
}

/// What watches keep up to date.
struct Followed {
    targets: Targets,
    references: References,
    referred: Referred,
    sources: Sources,
    policies: Policies,
    dependencies: Dependencies,
}

async fn shared(
    client: &Client,
    settings: Settings,
    metrics: Arc<Metrics>,
    followed: Followed,
    shutdown: &CancellationToken,
) -> Result<Shared, OperatorError> {
    let options = FetcherOptions {
        cache_directory: settings.chart_cache.clone(),
        ..FetcherOptions::default()
    };
    let Followed {
        targets,
        references,
        referred,
        sources,
        policies,
        dependencies,
    } = followed;
    Ok(Shared {
        client: client.clone(),
        targets,
        references,
        referred,
        sources,
        policies,
        dependencies,
        charts: Charts::new(Fetcher::open(options).await?),
        memory: Memory::default(),
        metrics,
        events: Events::start(client.clone(), shutdown.clone()),
        redactor: Redactor::new(seed::salt()?),
        settings,
    })
}

fn after_error(_: Arc<HelmRelease>, _: &ReconcileError, _: Arc<Shared>) -> Action {
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
