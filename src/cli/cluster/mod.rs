//! The commands that look at a cluster: conflicts, blame, ownership, resolve, policy, shadow, diff, values.
//!
//! Edge. This module knows how to reach the cluster and how answers are printed; what a command asks stands in its file.

pub(super) mod blame;
pub(super) mod conflicts;
#[cfg(feature = "operator")]
mod desired;
#[cfg(feature = "operator")]
pub(super) mod diff;
#[cfg(feature = "operator")]
mod documents;
mod kinds;
#[cfg(feature = "operator")]
mod meant;
#[cfg(feature = "operator")]
mod observer;
pub(super) mod ownership;
pub(super) mod policy;
pub(super) mod resolve;
#[cfg(feature = "operator")]
pub(super) mod shadow;
mod table;
#[cfg(feature = "operator")]
pub(super) mod values;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde::Serialize;

use super::CommandError;

/// How long the API server may be silent before a command gives up.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Which cluster, and which namespace of it. The names are kubectl's.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ClusterArguments {
    /// Path of a kubeconfig file; without one, KUBECONFIG, ~/.kube/config or the Pod's service account
    #[arg(long, global = true)]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long, global = true, alias = "kube-context")]
    context: Option<String>,
    /// Namespace; without it, that of the context
    #[arg(short, long, global = true, env = "HELM_NAMESPACE")]
    namespace: Option<String>,
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// A cluster that a command talks to.
pub(super) struct Cluster {
    pub(super) client: Client,
    /// The namespace that is meant when a command is told none.
    pub(super) namespace: String,
}

impl ClusterArguments {
    /// Runs a command against the cluster that is meant.
    pub(super) fn run<T>(
        &self,
        command: impl AsyncFnOnce(Cluster) -> Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async { command(self.connect().await?).await })
    }

    async fn connect(&self) -> Result<Cluster, CommandError> {
        let mut config = config(self.kubeconfig.clone(), self.context.clone()).await?;
        config.connect_timeout = Some(TIMEOUT);
        let namespace = self
            .namespace
            .clone()
            .unwrap_or_else(|| config.default_namespace.clone());
        Ok(Cluster {
            client: Client::try_from(config)?,
            namespace,
        })
    }
}

/// The client configuration of a kubeconfig and a context, or what the environment says.
pub(super) async fn config(kubeconfig: Option<PathBuf>, context: Option<String>) -> Result<Config, CommandError> {
    let options = KubeConfigOptions {
        context,
        ..KubeConfigOptions::default()
    };
    Ok(match kubeconfig {
        Some(path) => Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &options).await?,
        None if options.context.is_some() => Config::from_kubeconfig(&options).await?,
        None => Config::infer().await?,
    })
}

/// Writes an answer to stdout. A reader that has seen enough and closes the pipe is no failure.
fn print(text: &str) -> Result<(), CommandError> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

fn print_json(value: &impl Serialize) -> Result<(), CommandError> {
    print(&(serde_json::to_string_pretty(value)? + "\n"))
}

/// A manager or an operation, and the subresource that it writes through.
fn through(what: &str, subresource: Option<&str>) -> String {
    subresource.map_or_else(|| what.to_owned(), |subresource| format!("{what} ({subresource})"))
}

/// Whether answers are coloured: on a terminal, unless `NO_COLOR` is set (<https://no-color.org>).
fn is_coloured() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
