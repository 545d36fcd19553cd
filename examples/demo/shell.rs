//! Runs commands exactly as they are shown, in the checkout, with the tools and the kubeconfig of the control plane.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use fairlead_controlplane::ControlPlane;
use tokio::process::Command;

use crate::error::DemoError;
use crate::narrator::Narrator;

/// A shell whose PATH starts with the control plane's kubectl and Helm.
pub(crate) struct Shell {
    kubeconfig: PathBuf,
    tools: PathBuf,
    home: PathBuf,
}

impl Shell {
    pub(crate) async fn of(control_plane: &ControlPlane) -> Result<Self, DemoError> {
        let kubectl = control_plane.binary("kubectl").await?;
        Ok(Self {
            kubeconfig: control_plane.kubeconfig_path().to_owned(),
            tools: kubectl.parent().unwrap_or(&kubectl).to_owned(),
            home: control_plane.directory().join("demo"),
        })
    }

    /// The folder of kubectl and Helm.
    pub(crate) fn tools(&self) -> &Path {
        &self.tools
    }

    /// The kubeconfig file, with all rights.
    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Shows a command, runs it, shows what it printed.
    pub(crate) async fn run(&self, narrator: &Narrator, line: &str) -> Result<(), DemoError> {
        narrator.command(line);
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(env!("CARGO_MANIFEST_DIR"));
        command.env("KUBECONFIG", &self.kubeconfig).env("PATH", self.path());
        // Not the files of the user's own kubectl and Helm.
        command.env("KUBECACHEDIR", self.home.join("kubectl"));
        for (variable, folder) in [("CACHE", "cache"), ("CONFIG", "config"), ("DATA", "data")] {
            command.env(format!("HELM_{variable}_HOME"), self.home.join("helm").join(folder));
        }
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = command
            .output()
            .await
            .map_err(DemoError::io(format!("running `{line}`")))?;
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8_lossy(&printed);
        if output.status.success() {
            narrator.output(&printed);
            Ok(())
        } else {
            Err(DemoError::Command {
                line: line.to_owned(),
                code: output.status.code().unwrap_or(-1),
                output: printed.trim_end().to_owned(),
            })
        }
    }

    fn path(&self) -> OsString {
        let mut path = OsString::from(&self.tools);
        if let Some(inherited) = std::env::var_os("PATH") {
            path.push(":");
            path.push(inherited);
        }
        path
    }
}
