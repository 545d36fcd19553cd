//! `fairlead controller`: the operator as a process.
//!
//! Edge. Reads flags, connects to the cluster, serves the admin server, and ends cleanly on SIGTERM or Ctrl-C.

mod election;

use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroUsize};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

use self::election::ElectionArguments;
use super::CommandError;
use super::cluster::config;
use crate::operator::Operator;
use crate::operator::admin::{AdminServer, Readiness};
use crate::operator::clients::Clients;
use crate::operator::context::{Settings, Tenancy};
use crate::operator::leadership::fence::Fence;
use crate::operator::leadership::{Contender, ElectionSettings};
use crate::plan::retry::JITTER;
use crate::telemetry::logs::{self, LogFormat};
use crate::telemetry::metrics::Metrics;

/// Flags of `fairlead controller`.
#[derive(Debug, clap::Args)]
pub(super) struct ControllerArguments {
    /// Address of /healthz, /readyz and /metrics
    #[arg(long, default_value = "0.0.0.0:8080", env = "FAIRLEAD_LISTEN")]
    listen: SocketAddr,
    /// Path of a kubeconfig file; without one, KUBECONFIG, ~/.kube/config or the Pod's service account
    #[arg(long)]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long)]
    context: Option<String>,
    /// Reconcile only releases of this namespace; without it, of all
    #[arg(long, env = "FAIRLEAD_NAMESPACE")]
    namespace: Option<String>,
    /// Releases that are reconciled at once
    #[arg(long, default_value = "10")]
    concurrency: NonZeroU16,
    /// Objects of one release that are written at once
    #[arg(long, default_value = "8")]
    parallel_writes: NonZeroUsize,
    /// Seconds that one request to the API server may take
    #[arg(long, default_value = "60", value_parser = clap::value_parser!(u64).range(1..=600))]
    request_timeout: u64,
    /// Percent by which the interval of each release is spread either way, so that they do not stay in step
    #[arg(long, value_name = "PERCENT", default_value_t = JITTER, value_parser = clap::value_parser!(u8).range(0..=100))]
    interval_jitter_percentage: u8,
    #[command(flatten)]
    tenancy: TenancyArguments,
    #[command(flatten)]
    election: ElectionArguments,
    /// Directory that chart archives are kept in; without it they are kept in memory
    #[arg(long, env = "FAIRLEAD_CHART_CACHE")]
    chart_cache: Option<PathBuf>,
    /// How much one rendering may use: NAME=VALUE with depth, bytes, memory, steps, regex, keys or time; repeatable
    #[arg(long, value_name = "NAME=VALUE", env = "FAIRLEAD_LIMITS", value_delimiter = ',')]
    limit: Vec<String>,
    /// Which log lines are written, in the syntax of RUST_LOG
    #[arg(long, default_value = "info", env = "RUST_LOG")]
    log: String,
    /// How log lines are written
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

/// Flags that say what releases may do, and as whom.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Tenancy")]
struct TenancyArguments {
    /// ServiceAccount that a release without spec.serviceAccountName is released as, in the release's namespace
    #[arg(long, value_name = "NAME", env = "FAIRLEAD_DEFAULT_SERVICE_ACCOUNT")]
    default_service_account: Option<String>,
    /// The same for releases with spec.kubeConfig
    #[arg(long, value_name = "NAME", env = "FAIRLEAD_DEFAULT_KUBECONFIG_SERVICE_ACCOUNT")]
    default_kubeconfig_service_account: Option<String>,
    /// Refuse releases whose chart comes from a source in another namespace
    #[arg(long, env = "FAIRLEAD_NO_CROSS_NAMESPACE_REFS")]
    no_cross_namespace_refs: bool,
    /// Run the programs that kubeconfigs of releases name; whoever may write such a Secret can then run programs here
    #[arg(long)]
    insecure_kubeconfig_exec: bool,
    /// Allow kubeconfigs of releases to name servers whose identity is not verified
    #[arg(long)]
    insecure_kubeconfig_tls: bool,
}

impl From<TenancyArguments> for Tenancy {
    fn from(arguments: TenancyArguments) -> Self {
        let TenancyArguments {
            default_service_account,
            default_kubeconfig_service_account,
            no_cross_namespace_refs,
            insecure_kubeconfig_exec,
            insecure_kubeconfig_tls,
        } = arguments;
        Self {
            default_service_account,
            default_kubeconfig_service_account,
            no_cross_namespace_references: no_cross_namespace_refs,
            kubeconfig_exec: insecure_kubeconfig_exec,
            kubeconfig_insecure_tls: insecure_kubeconfig_tls,
        }
    }
}

/// Runs the operator until it is told to end.
pub(super) fn run(arguments: ControllerArguments) -> Result<(), CommandError> {
    let ControllerArguments {
        listen,
        kubeconfig,
        context,
        namespace,
        concurrency,
        parallel_writes,
        request_timeout,
        interval_jitter_percentage,
        tenancy,
        election,
        chart_cache,
        limit,
        log,
        log_format,
    } = arguments;
    logs::install(&log, log_format)?;
    let election = election.settings(namespace.as_deref())?;
    let settings = Settings {
        concurrency: concurrency.get(),
        parallel_writes,
        request_timeout: Duration::from_secs(request_timeout),
        namespace,
        chart_cache,
        limits: super::limits(&limit)?,
        interval_jitter: interval_jitter_percentage,
        tenancy: tenancy.into(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(serve(listen, kubeconfig, context, settings, election));
    if ended.is_err() {
        // Nothing that is still under way is waited for: whoever lost the lease has no time.
        runtime.shutdown_background();
    }
    ended
}

async fn serve(
    listen: SocketAddr,
    kubeconfig: Option<PathBuf>,
    context: Option<String>,
    settings: Settings,
    election: Option<ElectionSettings>,
) -> Result<(), CommandError> {
    let shutdown = CancellationToken::new();
    let metrics = Arc::new(Metrics::default());
    let readiness = Readiness::default();
    let admin = AdminServer::bind(listen, metrics.clone(), readiness.clone()).await?;
    info!(address = %admin.address()?, version = env!("CARGO_PKG_VERSION"), "fairlead controller");
    let config = config(kubeconfig, context).await?;
    let contender = match election {
        None => None,
        Some(election) => {
            let own = Clients::new(&metrics, Fence::none());
            let client = own.connect(config.clone())?;
            let fence = Fence::closed();
            let contender = Contender::new(client, election, fence.clone(), metrics.clone(), shutdown.clone())?;
            Some((contender, fence))
        }
    };
    let (contender, fence) = contender.unzip();
    let clients = Clients::new(&metrics, fence.unwrap_or_default());
    let client = clients.connect(config)?;
    let stop = shutdown.clone();
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        info!("shutting down: running reconciles are finished");
        stop.cancel();
    });
    let admin = tokio::spawn(admin.serve(shutdown.clone()));
    let operator = Operator {
        client,
        settings,
        metrics,
        readiness: readiness.clone(),
        fence: clients.fence,
    };
    // Whichever ends first takes the other with it.
    let guard = shutdown.clone().drop_guard();
    let work = Box::pin(operator.run(shutdown.clone()));
    match contender {
        None => work.await?,
        Some(contender) => contender.lead(&readiness, &shutdown, work).await?,
    }
    drop(guard);
    Ok(admin.await??)
}
