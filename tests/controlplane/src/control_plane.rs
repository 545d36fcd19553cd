//! The control plane: one for the process, or one of one's own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde::Deserialize;
use tokio::sync::OnceCell;

use crate::process::Process;
use crate::progress::{Ticker, say};
use crate::{Error, Output, binaries, build, command};

/// How a control plane of one's own differs from the default.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Write an audit log, which [`ControlPlane::requests_since`] reads.
    pub audit: bool,
    /// The number of nodes, each in a zone of its own.
    pub nodes: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { audit: false, nodes: 1 }
    }
}

/// A running control plane, or an existing cluster. It stops when it is dropped and when the process ends.
#[derive(Debug)]
pub struct ControlPlane {
    config: Config,
    kubeconfig: PathBuf,
    directory: PathBuf,
    started: Option<Started>,
}

#[derive(Debug)]
struct Started {
    report: Report,
    supervisor: Mutex<Option<Process>>,
}

/// The supervisor's report.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    kubeconfig: PathBuf,
    directory: PathBuf,
    audit_log: Option<PathBuf>,
    supervisor: u32,
    processes: BTreeMap<String, u32>,
    ready_after_seconds: f64,
}

impl ControlPlane {
    /// The one control plane of this process, with an audit log; started when first asked for.
    ///
    /// A failure is remembered, so that of many tests only the first waits for it.
    pub async fn shared() -> Result<&'static Self, &'static Error> {
        static SHARED: OnceCell<Result<ControlPlane, Error>> = OnceCell::const_new();
        SHARED
            .get_or_init(|| {
                Self::start(Options {
                    audit: true,
                    ..Options::default()
                })
            })
            .await
            .as_ref()
    }

    /// Starts a control plane, anew and empty, and waits until it is ready; or takes the cluster of
    /// `FAIRLEAD_TEST_CONTEXT`, for which the options have no meaning.
    pub async fn start(options: Options) -> Result<Self, Error> {
        match std::env::var("FAIRLEAD_TEST_CONTEXT") {
            Ok(context) if !context.is_empty() => Self::existing(&context).await,
            _ => Self::supervised(options).await,
        }
    }

    async fn supervised(options: Options) -> Result<Self, Error> {
        let Options { audit, nodes } = options;
        let (supervisor, components) = binaries::supervisor().await?;
        let directory = tempfile::Builder::new().prefix("fairlead-controlplane-").tempdir();
        let directory = directory.map_err(Error::io("a temporary directory"))?.keep(); // the supervisor removes it
        let mut arguments = vec![
            format!("-nodes={nodes}"),
            format!("-audit={audit}"),
            format!("-keep={}", crate::keep()),
        ];
        arguments.extend(components.map(|folder| format!("-binaries={}", folder.display())));
        arguments.push(directory.display().to_string());

        say(&format!("starting in {}", directory.display()));
        let ticker = Ticker::start(|| "starting".into());
        let (process, report): (_, Report) = Process::start(&supervisor, arguments).await?;
        drop(ticker);
        say(&format!("ready after {:.1} s", report.ready_after_seconds));
        let kubeconfig = read(&report.kubeconfig)?;
        Ok(Self {
            config: configuration(kubeconfig, &report.kubeconfig).await?,
            kubeconfig: report.kubeconfig.clone(),
            directory: report.directory.clone(),
            started: Some(Started {
                report,
                supervisor: Mutex::new(Some(process)),
            }),
        })
    }

    /// Ends it before the process ends. Whatever is asked of it afterwards fails; an existing cluster stays as it is.
    pub fn end(&self) {
        let Some(Started { report: _, supervisor }) = &self.started else {
            return;
        };
        drop(supervisor.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    async fn existing(context: &str) -> Result<Self, Error> {
        say(&format!("using the cluster of context {context:?}; nothing is started"));
        let invalid = |source| Error::Kubeconfig {
            path: "$KUBECONFIG".into(),
            source: Box::new(source),
        };
        let mut kubeconfig = Kubeconfig::read().map_err(invalid)?;
        kubeconfig.current_context = Some(context.to_owned());
        let name: String = context
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let directory = build::cache()?.join("contexts").join(name);
        let path = directory.join("kubeconfig");
        write(&path, &kubeconfig).await?;
        Ok(Self {
            config: configuration(kubeconfig, &path).await?,
            kubeconfig: path,
            directory,
            started: None,
        })
    }

    /// A client with all rights.
    ///
    /// Each call makes one of its own, because a client belongs to the async runtime that it was made in, and each test
    /// has its own; within a test, clone it.
    pub fn client(&self) -> Result<Client, Error> {
        Client::try_from(self.config.clone()).map_err(Error::api("making a client"))
    }

    /// The configuration of [`client`](Self::client).
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// A kubeconfig file whose current context has all rights.
    pub fn kubeconfig_path(&self) -> &Path {
        &self.kubeconfig
    }

    /// A directory for files that may go when the control plane stops; its logs are in it, too.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The ids of the processes, the supervisor's included; none for an existing cluster.
    pub fn process_ids(&self) -> Vec<u32> {
        let started = self.started.iter();
        started
            .flat_map(|Started { report, .. }| report.processes.values().copied().chain([report.supervisor]))
            .collect()
    }

    /// Whether the part runs; of an existing cluster it is assumed, except for KWOK.
    pub fn runs(&self, component: &str) -> bool {
        match &self.started {
            Some(Started { report, .. }) => report.processes.contains_key(component),
            None => component != "kwok",
        }
    }

    /// Whether there is an audit log for [`requests_since`](Self::requests_since) to read.
    pub fn audits(&self) -> bool {
        self.audit_log().is_ok()
    }

    pub(crate) fn audit_log(&self) -> Result<&Path, Error> {
        self.started
            .as_ref()
            .and_then(|started| started.report.audit_log.as_deref())
            .ok_or(Error::NoAuditLog)
    }

    /// The path of `kubectl`, `helm`, `registry` or another component, which may be built now.
    pub async fn binary(&self, name: &str) -> Result<PathBuf, Error> {
        binaries::find(name).await
    }

    /// Runs kubectl with all rights.
    pub async fn kubectl(&self, arguments: &[&str], stdin: Option<&str>) -> Result<Output, Error> {
        self.run("kubectl", arguments, &[], stdin).await
    }

    /// Runs Helm with all rights, and with empty configuration and cache folders of its own.
    pub async fn helm(&self, arguments: &[&str]) -> Result<Output, Error> {
        self.run("helm", arguments, &[], None).await
    }

    /// Runs Helm with more variables in its environment, such as `HELM_DRIVER`.
    pub async fn helm_with(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Result<Output, Error> {
        self.run("helm", arguments, environment, None).await
    }

    /// Runs the newest Helm 3 with all rights, and with folders of its own.
    pub async fn helm3(&self, arguments: &[&str]) -> Result<Output, Error> {
        let path = binaries::helm3().await?;
        let home = self.directory.join("helm3");
        command::run(&path, arguments, &[], None, &self.kubeconfig, &home).await
    }

    async fn run(
        &self,
        program: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
        stdin: Option<&str>,
    ) -> Result<Output, Error> {
        let path = binaries::find(program).await?;
        command::run(&path, arguments, environment, stdin, &self.kubeconfig, &self.directory).await
    }
}

pub(crate) fn read(path: &Path) -> Result<Kubeconfig, Error> {
    Kubeconfig::read_from(path).map_err(|source| Error::Kubeconfig {
        path: path.to_owned(),
        source: Box::new(source),
    })
}

/// Writes a kubeconfig that only its owner can read.
pub(crate) async fn write(path: &Path, kubeconfig: &Kubeconfig) -> Result<(), Error> {
    let failed = || Error::io(format!("writing {}", path.display()));
    let content = serde_json::to_vec_pretty(kubeconfig).map_err(|error| failed()(error.into()))?;
    if let Some(folder) = path.parent() {
        tokio::fs::create_dir_all(folder).await.map_err(failed())?;
    }
    let mut options = tokio::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .await
        .map_err(failed())?;
    tokio::io::AsyncWriteExt::write_all(&mut file, &content)
        .await
        .map_err(failed())?;
    tokio::io::AsyncWriteExt::flush(&mut file).await.map_err(failed())
}

pub(crate) async fn configuration(kubeconfig: Kubeconfig, path: &Path) -> Result<Config, Error> {
    let made = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let mut config = made.map_err(|source| Error::Kubeconfig {
        path: path.to_owned(),
        source: Box::new(source),
    })?;
    config.connect_timeout = Some(Duration::from_secs(10));
    config.write_timeout = Some(Duration::from_secs(30));
    config.read_timeout = Some(Duration::from_secs(295)); // above a watch's, which the server ends after 290 s
    Ok(config)
}
