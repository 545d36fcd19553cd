//! Leader election: one of several operators works, the others stand by.
//!
//! Edge. `plan::election` decides; this reads, writes and follows the lease, waits, and stops the work. An operator that may not lead any
//! more ends with an error, as those built with controller-runtime do: what it was doing is dropped, what it remembers goes, and
//! Kubernetes starts it anew as a stand-by. Going on in the same process would mean to trust that nothing of the former life is left.

pub mod fence;
mod lease;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use self::fence::Fence;
use self::lease::{LeaseError, Leases};
use super::OperatorError;
use super::admin::Readiness;
use super::reconcile::random_fraction;
use crate::api::conditions::Reason;
use crate::plan::election::{Elector, Loss, Moment, Now, RETRY_JITTER, Step, Timing};
use crate::plan::retry::jittered;
use crate::telemetry::events::{Events, Severity};
use crate::telemetry::metrics::Metrics;

/// The lease of an operator for all namespaces; one for a single namespace has its name behind that.
const LEASE: &str = "fairlead-controller";
/// How many random bytes make an identity unique.
const SUFFIX: usize = 8;

/// What one attempt may take: a write that somebody forestalled, a look, and again; more would be a race without end.
const STEPS: usize = 4;

/// Why leading ended.
#[derive(Debug, thiserror::Error)]
pub enum LeadershipError {
    /// Another operator may lead from now on.
    #[error("the lease {namespace}/{name} is lost: {loss}; this operator ends, so that nothing is written by two")]
    Lost {
        /// Namespace of the lease.
        namespace: String,
        /// Name of the lease.
        name: String,
        /// Why.
        loss: Loss,
    },
    /// What renews the lease ended by itself.
    #[error("the task that renews the lease ended; this operator ends, too")]
    Keeper,
    /// What renews the lease failed.
    #[error("the task that renews the lease failed: {0}; this operator ends, too")]
    Failed(#[from] tokio::task::JoinError),
    /// The work ended with an error.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The system has no randomness, so no identity is sure to be the only one of its name.
    #[error("the system's random source failed: {0}")]
    Random(getrandom::Error),
}

/// What an operator is told about the election it takes part in.
#[derive(Debug, Clone)]
pub struct ElectionSettings {
    /// Where the lease is; the client's own namespace without one, in a cluster that of the Pod.
    pub namespace: Option<String>,
    /// The one namespace that the operator works for, if it is only one.
    pub scope: Option<String>,
    /// What the identity begins with: the Pod's name.
    pub instance: String,
    /// The times.
    pub timing: Timing,
}

/// An operator that contends for the lease, and leads.
pub struct Contender {
    elector: Elector,
    leases: Leases,
    fence: Fence,
    metrics: Arc<Metrics>,
    events: Events,
}

/// What came of one attempt to lead, or to go on leading.
enum Attempt {
    Leads,
    /// Somebody else does; the lease runs out then.
    Waits(Moment),
    /// Others were faster, again and again.
    Outrun,
    Lost(Loss),
}

impl Contender {
    /// A candidate. `client` is for the lease alone; `fence` stands around all others.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn new(
        client: Client,
        settings: ElectionSettings,
        fence: Fence,
        metrics: Arc<Metrics>,
        shutdown: CancellationToken,
    ) -> Result<Self, LeadershipError> {
        let ElectionSettings {
            namespace,
            scope,
            instance,
            timing,
        } = settings;
        let namespace = namespace.unwrap_or_else(|| client.default_namespace().to_owned());
        let name = scope.map_or_else(|| LEASE.to_owned(), |scope| format!("{LEASE}-{scope}"));
        let leases = Leases::new(client.clone(), &namespace, &name, timing.request_timeout());
        Ok(Self {
            elector: Elector::new(namespace, name, identity(&instance)?, timing),
            leases,
            fence,
            metrics,
            events: Events::start(client, shutdown),
        })
    }

    /// Stands by until this operator leads, does `work` as long as it leads, and gives the lease back when the work is done.
    ///
    /// # Errors
    /// When the lease is lost, or the work ends with an error. The work was dropped then, and writes do not pass the fence any more.
    pub async fn lead(
        mut self,
        readiness: &Readiness,
        shutdown: &CancellationToken,
        work: impl Future<Output = Result<(), OperatorError>>,
    ) -> Result<(), LeadershipError> {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = self.acquire(readiness) => {}
        }
        let (namespace, name) = (self.elector.namespace().to_owned(), self.elector.name().to_owned());
        let lost = |loss| LeadershipError::Lost { namespace, name, loss };
        let done = CancellationToken::new();
        // A task of its own: no work can keep it from renewing.
        let mut keeper = tokio::spawn(self.keep(done.clone()));
        let ended = tokio::select! {
            biased;
            kept = &mut keeper => return Err(kept?.map_or_else(lost, |_| LeadershipError::Keeper)),
            ended = work => ended,
        };
        done.cancel();
        match keeper.await? {
            Ok(contender) => contender.release().await,
            Err(loss) => warn!("{}", lost(loss)),
        }
        Ok(ended?)
    }

    /// Stands by until it leads.
    async fn acquire(&mut self, readiness: &Readiness) {
        info!(lease = %self.lease(), identity = self.elector.identity(), "contends for the lease");
        let mut changes = pin!(self.leases.changes());
        loop {
            let pause = match self.attempt().await {
                Ok(Attempt::Leads) => break,
                Ok(Attempt::Waits(until)) => {
                    // It could take over: that is all that a stand-by is for.
                    readiness.set_ready();
                    self.fence.now().until(until)
                }
                Ok(Attempt::Outrun | Attempt::Lost(_)) => self.retry_period(),
                Err(error) => {
                    warn!(lease = %self.lease(), %error, "cannot contend: leases must be readable and writable");
                    self.retry_period()
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                Some(lease) = changes.next() => self.elector.saw(lease, self.fence.now()),
            }
        }
        info!(lease = %self.lease(), identity = self.elector.identity(), "leads");
    }

    /// Renews the lease until the work is done, or until the lease is lost.
    async fn keep(mut self, done: CancellationToken) -> Result<Self, Loss> {
        let mut next = self.fence.now().after(self.retry_period());
        loop {
            let pause = self.fence.now().until(next);
            tokio::select! {
                () = done.cancelled() => return Ok(self),
                () = tokio::time::sleep(pause) => {}
            }
            // From its begin: an attempt that took long is followed by another at once.
            next = self.fence.now().after(self.retry_period());
            match self.attempt().await {
                Ok(Attempt::Leads) => {}
                Ok(Attempt::Lost(loss)) => {
                    self.fence.open_until(Moment(Duration::ZERO));
                    self.metrics.leads(false);
                    return Err(loss);
                }
                Ok(Attempt::Waits(_) | Attempt::Outrun) => {
                    debug!(lease = %self.lease(), "somebody else wrote the lease");
                }
                Err(error) => warn!(lease = %self.lease(), %error, "the lease was not renewed; this is tried again"),
            }
        }
    }

    /// Does what is to be done next about the lease, until it is known who leads.
    async fn attempt(&mut self) -> Result<Attempt, LeaseError> {
        for _ in 0..STEPS {
            let now = self.now();
            let sent = now.moment;
            let written = match self.elector.next(now) {
                Step::Wait { holder, until } => {
                    debug!(lease = %self.lease(), holder, "stands by");
                    return Ok(Attempt::Waits(until));
                }
                Step::Stop(loss) => return Ok(Attempt::Lost(loss)),
                Step::Look => {
                    let lease = self.in_time(self.leases.read()).await?;
                    self.elector.saw(lease, self.fence.now());
                    continue;
                }
                Step::Create(lease) => self.in_time(self.leases.create(&lease)).await,
                Step::Replace(lease) => self.in_time(self.leases.replace(&lease)).await,
            };
            match written {
                Ok(lease) => {
                    self.took(lease, sent);
                    return Ok(Attempt::Leads);
                }
                Err(LeaseError::Stale) => self.elector.missed(),
                Err(error) => {
                    self.elector.missed();
                    return Err(error);
                }
            }
        }
        Ok(Attempt::Outrun)
    }

    /// A leader does not wait for an answer any longer than it leads.
    async fn in_time<T>(&self, call: impl Future<Output = Result<T, LeaseError>>) -> Result<T, LeaseError> {
        let Some(until) = self.elector.leads_until() else {
            return call.await;
        };
        let left = self.fence.now().until(until);
        tokio::time::timeout(left, call)
            .await
            .unwrap_or(Err(LeaseError::Timeout(left)))
    }

    fn took(&mut self, lease: Lease, sent: Moment) {
        let begins = self.elector.leads_until().is_none();
        let about = lease::reference(&lease);
        self.elector.wrote(lease, sent);
        if let Some(until) = self.elector.leads_until() {
            self.fence.open_until(until);
        }
        if begins {
            let note = format!("{} became leader", self.elector.identity());
            self.events
                .publish(about, Severity::Normal, Reason::LeaderElection, "lead", &note);
        }
    }

    /// Gives the lease back once no write is under way; else it is left to run out.
    async fn release(mut self) {
        let patience = self.elector.timing().request_timeout();
        let is_quiet = self.fence.close(patience).await;
        if !is_quiet {
            warn!(lease = %self.lease(), "the lease is left to run out: a write is still under way");
            return;
        }
        match self.give_back().await {
            Ok(true) => info!(lease = %self.lease(), "gave the lease back"),
            Ok(false) => warn!(lease = %self.lease(), "the lease is not as it was left"),
            Err(error) => warn!(lease = %self.lease(), %error, "the lease is left to run out"),
        }
    }

    /// Writes that nobody holds the lease, if this operator does.
    async fn give_back(&mut self) -> Result<bool, LeaseError> {
        for _ in 0..STEPS {
            let Some(lease) = self.elector.release(Timestamp::now()) else {
                return Ok(false);
            };
            match self.leases.replace(&lease).await {
                Ok(_) => return Ok(true),
                // By itself, when the work ended in the middle of a renewal.
                Err(LeaseError::Stale) => self.elector.saw(self.leases.read().await?, self.fence.now()),
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    fn now(&self) -> Now {
        Now {
            moment: self.fence.now(),
            time: Timestamp::now(),
        }
    }

    /// How long to the next attempt: not beyond the moment at which a leader has to stop.
    fn retry_period(&self) -> Duration {
        let pause = jittered(self.elector.timing().retry_period(), RETRY_JITTER, random_fraction());
        match self.elector.leads_until() {
            Some(until) => pause.min(self.fence.now().until(until)),
            None => pause,
        }
    }

    fn lease(&self) -> String {
        format!("{}/{}", self.elector.namespace(), self.elector.name())
    }
}

/// A name that no other operator has, not even an earlier one of the same Pod.
fn identity(instance: &str) -> Result<String, LeadershipError> {
    let mut bytes = [0; SUFFIX];
    getrandom::fill(&mut bytes).map_err(LeadershipError::Random)?;
    let suffix = u64::from_be_bytes(bytes);
    Ok(format!("{instance}_{suffix:016x}"))
}
