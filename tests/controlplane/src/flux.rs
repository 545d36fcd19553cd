//! Flux's helm-controller as a process beside a control plane.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::build::DEFINITIONS;
use crate::{ControlPlane, Error, binaries};

/// Runs a program until the standard input ends, however that comes about: helm-controller itself would go on without us.
const UNTIL_LET_GO: &str = r#""$@" & program=$!; cat >/dev/null; kill -9 "$program""#;

/// A running helm-controller for the HelmReleases of one namespace. Dropping it kills it.
#[derive(Debug)]
pub struct HelmController {
    shell: Child,
    log: PathBuf,
}

impl HelmController {
    /// Defines Flux's HelmRelease, and starts the controller, with all rights. The kinds of Flux's source-controller have to be
    /// defined before. It does not wait.
    pub async fn start(plane: &ControlPlane, namespace: &str) -> Result<Self, Error> {
        let folder = binaries::helm_controller().await?;
        let definitions = folder.join(DEFINITIONS).display().to_string();
        let apply = ["apply", "--server-side", "--filename", &definitions];
        plane.kubectl(&apply, None).await?.checked()?;
        let established = ["wait", "--for=condition=Established", "--timeout=60s", "--filename"];
        let established = [established.as_slice(), &[&definitions]].concat();
        plane.kubectl(&established, None).await?.checked()?;

        let log = plane.directory().join(format!("helm-controller-{namespace}.log"));
        let failed = || Error::io(format!("starting helm-controller, which logs to {}", log.display()));
        let output = File::create(&log).map_err(failed())?;
        let mut command = Command::new("sh");
        command
            .args(["-c", UNTIL_LET_GO, "sh"])
            .arg(folder.join("helm-controller"))
            .args(["--watch-all-namespaces=false", "--metrics-addr=0", "--health-addr=0"])
            .env("KUBECONFIG", plane.kubeconfig_path())
            .env("RUNTIME_NAMESPACE", namespace)
            .stdin(Stdio::piped())
            .stdout(output.try_clone().map_err(failed())?)
            .stderr(output);
        Ok(Self {
            shell: command.spawn().map_err(failed())?,
            log,
        })
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for HelmController {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}
