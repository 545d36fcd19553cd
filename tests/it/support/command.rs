//! Runs `fairlead` as people do.

use std::path::Path;
use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::Result;

/// How a command ended, and what it printed.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// What it printed, if it ended with this code.
    pub(crate) fn with(self, code: i32) -> Result<String> {
        let Self {
            code: found,
            stdout,
            stderr,
        } = self;
        if found == Some(code) {
            return Ok(stdout);
        }
        Err(format!("exit code {found:?}, should be {code}:\n{stderr}{stdout}").into())
    }
}

/// Runs `fairlead` with these arguments and this input, in the cluster of a kubeconfig.
pub(crate) async fn fairlead(kubeconfig: &Path, arguments: &[&str], input: &str) -> Result<Ended> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fairlead"))
        .args(arguments)
        .env("KUBECONFIG", kubeconfig)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that reads nothing closes it.
        let _ = stdin.write_all(input.as_bytes()).await;
    }
    let output = child.wait_with_output().await?;
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Ok(Ended {
        code: output.status.code(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    })
}
