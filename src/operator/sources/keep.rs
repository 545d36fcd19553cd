//! Keeps the sources: looks at each at its own interval, when it changes and when it is asked for, and tells what it found in its
//! status. The releases that refer to it wake when that changes.
//!
//! Edge. What a status says is decided in `plan::source`.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream;
use kube::api::{Api, PostParams};
use kube::core::NamespaceResourceScope;
use kube::runtime::controller::{self, Action, Config, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::error::SourcesError;
use crate::api::conditions::Reason;
use crate::api::helm_repository::HelmRepository;
use crate::api::names;
use crate::api::oci_repository::OCIRepository;
use crate::api::reference::Verification;
use crate::api::source_status::StatusParts;
use crate::operator::context::Shared;
use crate::operator::reconcile::{now, random_fraction};
use crate::operator::references::Needed;
use crate::plan::outcome::Verdict;
use crate::plan::retry::jittered;
use crate::plan::source::{Fetched, Look, Wanted, next_look, tell};
use crate::signature::Trust;
use crate::source::{ChartReference, ResolvedChart, SourceError};
use crate::telemetry::events::Severity;

/// Sources of a kind that are looked at at once.
const CONCURRENCY: u16 = 4;
/// How soon a status is written that could not be written.
const AFTER_ERROR: Duration = Duration::from_secs(5);

/// Why a source cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub(in crate::operator) enum LookError {
    /// The source itself says why.
    #[error(transparent)]
    Sources(#[from] SourcesError),
    /// It could not be fetched.
    #[error(transparent)]
    Fetch(#[from] SourceError),
}

impl LookError {
    fn into_look(self) -> Look {
        let (reason, retryable) = match &self {
            Self::Sources(error) => (error.reason(), error.is_retryable()),
            Self::Fetch(error) if error.is_about_signatures() => (Reason::VerificationError, error.is_retryable()),
            Self::Fetch(error) => (Reason::ArtifactFailed, error.is_retryable()),
        };
        Look::Failed {
            reason,
            message: self.to_string(),
            retryable,
        }
    }
}

/// What a look came to.
pub(in crate::operator) struct Seen {
    look: Look,
    /// The chart that the source is, where it is of one chart only.
    chart: Option<ResolvedChart>,
}

/// The chart that a source was, and whose signatures were trusted then.
#[derive(Clone)]
struct Vouched {
    chart: ResolvedChart,
    trust: Option<[u8; 32]>,
}

/// A kind of source that is kept.
pub(in crate::operator) trait Kept:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + PartialEq
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// Its name in the API.
    const KIND: &'static str;

    /// Whether it is left as it is.
    fn is_suspended(&self) -> bool;
    /// How often it is looked at.
    fn interval(&self) -> Duration;
    /// Its status, to be written.
    fn status_parts(&mut self) -> StatusParts<'_>;
    /// How what it is fetches is verified.
    fn verification(&self) -> Option<&Verification>;
    /// Whose signatures are trusted.
    fn trust(&self, shared: &Shared) -> impl Future<Output = Result<Option<Trust>, LookError>> + Send;
    /// Looks at it.
    fn look(&self, shared: &Shared, trust: Option<&Trust>) -> impl Future<Output = Result<Seen, LookError>> + Send;
}

impl Kept for HelmRepository {
    const KIND: &'static str = "HelmRepository";

    fn is_suspended(&self) -> bool {
        self.spec.suspend
    }

    fn interval(&self) -> Duration {
        self.spec.effective_interval().as_std()
    }

    fn status_parts(&mut self) -> StatusParts<'_> {
        self.status.get_or_insert_default().parts()
    }

    fn verification(&self) -> Option<&Verification> {
        None
    }

    async fn trust(&self, _: &Shared) -> Result<Option<Trust>, LookError> {
        Ok(None)
    }

    async fn look(&self, shared: &Shared, _: Option<&Trust>) -> Result<Seen, LookError> {
        let reference = shared.sources.repository_reference(self, "", "").await?;
        let ChartReference::HttpRepository(reference) = reference else {
            return Ok(Seen {
                look: Look::Static,
                chart: None,
            });
        };
        let index = shared.charts.refresh(&reference).await?;
        let digest = index.digest.to_string();
        let fetched = Fetched {
            revision: digest.clone(),
            digest,
            size: index.size,
            url: index.url,
            is_verified: false,
        };
        Ok(Seen {
            look: Look::Found(fetched),
            chart: None,
        })
    }
}

impl Kept for OCIRepository {
    const KIND: &'static str = "OCIRepository";

    fn is_suspended(&self) -> bool {
        self.spec.suspend
    }

    fn interval(&self) -> Duration {
        self.spec.interval.as_std()
    }

    fn status_parts(&mut self) -> StatusParts<'_> {
        let layer_selector = self.spec.layer_selector.clone();
        let status = self.status.get_or_insert_default();
        status.observed_layer_selector = layer_selector;
        status.parts()
    }

    fn verification(&self) -> Option<&Verification> {
        self.spec.verify.as_ref()
    }

    async fn trust(&self, shared: &Shared) -> Result<Option<Trust>, LookError> {
        Ok(shared.sources.artifact_trust(self).await?)
    }

    async fn look(&self, shared: &Shared, trust: Option<&Trust>) -> Result<Seen, LookError> {
        let reference = shared.sources.artifact_reference(self).await?;
        let chart = shared.charts.resolve(&reference, trust).await?;
        let size = shared.charts.store(&chart).await?;
        let manifest = chart.manifest_digest.unwrap_or(chart.digest);
        let fetched = Fetched {
            revision: format!("{}@{manifest}", chart.version),
            digest: chart.digest.to_string(),
            size,
            url: chart.url.clone(),
            is_verified: trust.is_some(),
        };
        Ok(Seen {
            look: Look::Found(fetched),
            chart: Some(chart),
        })
    }
}

/// What is known of the sources that are kept. Cheap to clone; all of it can be lost.
#[derive(Clone, Default)]
pub(super) struct Known(Arc<Mutex<HashMap<String, Memory>>>);

/// What is known of one source.
#[derive(Default)]
struct Memory {
    /// How often one of its Secrets changed.
    stirs: u64,
    sighting: Option<Sighting>,
}

/// How a source was when it was last looked at.
#[derive(Clone)]
struct Sighting {
    uid: Option<String>,
    generation: Option<i64>,
    requested_at: Option<String>,
    stirs: u64,
    due: Instant,
    failures: u32,
    vouched: Option<Vouched>,
    /// The watch of its Secrets, for as long as they matter.
    _secrets: Option<Arc<Needed>>,
}

impl Sighting {
    /// Whether it is still about this source as it is.
    fn is_of(&self, source: &impl ResourceExt) -> bool {
        let requested_at = requested_at(source).map(str::to_owned);
        (&self.uid, self.generation, &self.requested_at) == (&source.uid(), source.meta().generation, &requested_at)
    }
}

impl Known {
    /// The chart that a source was when it was last looked at; `None` if the source, or whose signatures are trusted, has changed since.
    pub(super) fn chart<K: Kept>(&self, source: &K, trust: Option<&Trust>) -> Option<ResolvedChart> {
        let (sighting, _) = self.sighting(source);
        let Vouched { chart, trust: then } = sighting?.vouched?;
        (then == trust.map(Trust::fingerprint)).then_some(chart)
    }

    /// How it was last seen, unless it or one of its Secrets changed since, and how often the latter have changed so far.
    fn sighting<K: Kept>(&self, source: &K) -> (Option<Sighting>, u64) {
        let known = self.lock();
        let Some(Memory { stirs, sighting }) = known.get(&key(&ObjectRef::from_obj(source))) else {
            return (None, 0);
        };
        let sighting = sighting.clone();
        let sighting = sighting.filter(|sighting| sighting.is_of(source) && sighting.stirs == *stirs);
        (sighting, *stirs)
    }

    fn put<K: Kept>(&self, source: &K, sighting: Sighting) {
        let mut known = self.lock();
        known.entry(key(&ObjectRef::from_obj(source))).or_default().sighting = Some(sighting);
    }

    /// One of its Secrets changed: what was seen before is no longer how it is.
    pub(super) fn stir<K: Kept>(&self, source: &ObjectRef<K>) {
        self.lock().entry(key(source)).or_default().stirs += 1;
    }

    fn forget<K: Kept>(&self, source: &ObjectRef<K>) {
        self.lock().remove(&key(source));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Memory>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key<K: Kept>(source: &ObjectRef<K>) -> String {
    let namespace = source.namespace.as_deref().unwrap_or_default();
    format!("{} {namespace}/{}", K::KIND, source.name)
}

fn requested_at(source: &impl ResourceExt) -> Option<&str> {
    source
        .annotations()
        .get(names::ANNOTATION_REQUESTED_AT)
        .map(String::as_str)
}

/// Keeps the sources of one kind until `shutdown`. `changed` says which came, changed or went.
pub(in crate::operator) async fn keep<K: Kept>(
    shared: Arc<Shared>,
    sources: Store<K>,
    changed: mpsc::UnboundedReceiver<ObjectRef<K>>,
    shutdown: CancellationToken,
) {
    let known = shared.sources.known.clone();
    // The watch that fills the store is somebody else's; what it sees comes through `changed`.
    Controller::for_stream(stream::pending(), sources)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .reconcile_on(UnboundedReceiverStream::new(changed))
        .graceful_shutdown_on(shutdown.cancelled_owned())
        .run(reconcile, |_, _, _| Action::requeue(AFTER_ERROR), shared)
        .for_each(|result| {
            match result {
                Ok(_) => {}
                Err(controller::Error::ObjectNotFound(gone)) => known.forget(&gone.into_kind_unchecked::<K>(())),
                Err(error) => warn!(%error, "the status of a source was not written"),
            }
            std::future::ready(())
        })
        .await;
}

/// Looks at a source if it is time to, and says when that is next.
async fn reconcile<K: Kept>(source: Arc<K>, shared: Arc<Shared>) -> kube::Result<Action> {
    if source.is_suspended() {
        return Ok(Action::await_change());
    }
    // Watched before they are read, so that no change is missed.
    let secrets = match source.verification() {
        Some(_) => Some(shared.references.secrets(&source.namespace().unwrap_or_default()).await),
        None => None,
    };
    let (known, stirs) = shared.sources.known.sighting(source.as_ref());
    let wait = known
        .as_ref()
        .map(|known| known.due.saturating_duration_since(Instant::now()));
    if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
        return Ok(Action::requeue(wait));
    }
    let started = Instant::now();
    let (look, vouched) = look_at(source.as_ref(), &shared).await;
    let failures = match &look {
        Look::Found(_) | Look::Static => 0,
        Look::Failed { .. } => known.as_ref().map_or(0, |known| known.failures).saturating_add(1),
    };
    let (outcome, verdict) = ended(&look);
    shared.metrics.reconciled(K::KIND, outcome, verdict, started.elapsed());
    let wait = jittered(
        next_look(failures, source.interval()),
        shared.settings.interval_jitter,
        random_fraction(),
    );
    let sighting = Sighting {
        uid: source.uid(),
        generation: source.meta().generation,
        requested_at: requested_at(source.as_ref()).map(str::to_owned),
        stirs,
        due: started + wait,
        failures,
        // What was found before stays in use when the source fails.
        vouched: vouched.or_else(|| known.and_then(|known| known.vouched)),
        _secrets: secrets,
    };
    shared.sources.known.put(source.as_ref(), sighting);
    if let Look::Failed { reason, message, .. } = &look {
        warn!(source = %ObjectRef::from_obj(source.as_ref()), error = message, "cannot be looked at");
        if failures == 1 {
            let about = source.object_ref(&());
            shared
                .events
                .publish(about, Severity::Warning, *reason, "fetch", message);
        }
    }
    write(&shared, source.as_ref(), look).await?;
    Ok(Action::requeue(wait))
}

async fn look_at<K: Kept>(source: &K, shared: &Shared) -> (Look, Option<Vouched>) {
    let seen = async {
        let trust = source.trust(shared).await?;
        let Seen { look, chart } = source.look(shared, trust.as_ref()).await?;
        let trust = trust.as_ref().map(Trust::fingerprint);
        Ok((look, chart.map(|chart| Vouched { chart, trust })))
    };
    seen.await.unwrap_or_else(|error: LookError| (error.into_look(), None))
}

fn ended(look: &Look) -> (&'static str, Verdict) {
    match look {
        Look::Found(_) | Look::Static => (Reason::Succeeded.as_str(), Verdict::Succeeded),
        Look::Failed { reason, .. } => (reason.as_str(), Verdict::Failed),
    }
}

/// Writes the status, if it says anything new.
async fn write<K: Kept>(shared: &Shared, source: &K, look: Look) -> kube::Result<()> {
    let mut told = source.clone();
    let wanted = Wanted {
        generation: source.meta().generation,
        requested_at: requested_at(source),
    };
    tell(told.status_parts(), wanted, look, &now());
    if told == *source {
        return Ok(());
    }
    let api: Api<K> = Api::namespaced(shared.client.clone(), &source.namespace().unwrap_or_default());
    let parameters = PostParams {
        field_manager: Some(names::CONTROLLER_FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    match api.replace_status(&source.name_any(), &parameters, &told).await {
        Ok(_) => Ok(()),
        // Somebody changed or deleted it meanwhile; the watch brings it back.
        Err(kube::Error::Api(answer)) if answer.is_conflict() || answer.is_not_found() => {
            shared.sources.known.forget(&ObjectRef::from_obj(source));
            Ok(())
        }
        Err(error) => Err(error),
    }
}
