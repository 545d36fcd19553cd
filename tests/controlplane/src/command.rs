//! Runs kubectl, Helm and the other programs against the control plane.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::Error;

/// Above what Helm waits by default (5 minutes).
const TIMEOUT: Duration = Duration::from_secs(400);

/// What a command printed, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The command line, for messages.
    pub command: String,
    /// The exit code; -1 when a signal ended the command.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Standard output, or an error with the standard error when the command failed.
    pub fn checked(self) -> Result<String, Error> {
        let Self {
            command,
            code,
            stdout,
            stderr,
        } = self;
        if code == 0 {
            Ok(stdout)
        } else {
            Err(Error::Command { command, code, stderr })
        }
    }
}

/// Runs `program` with `kubeconfig`, and with Helm's files in `home` in place of the user's, and
/// with more variables in its environment.
pub(crate) async fn run(
    program: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
    stdin: Option<&str>,
    kubeconfig: &Path,
    home: &Path,
) -> Result<Output, Error> {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let line = format!("{name} {}", arguments.join(" "));
    let mut command = Command::new(program);
    command.args(arguments).env("KUBECONFIG", kubeconfig).kill_on_drop(true);
    for (variable, folder) in [("CACHE", "cache"), ("CONFIG", "config"), ("DATA", "data")] {
        command.env(format!("HELM_{variable}_HOME"), home.join("helm").join(folder));
    }
    command.env("KUBECACHEDIR", home.join("kubectl"));
    command.envs(environment.iter().copied());
    command.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());

    let failed = || Error::io(format!("running `{line}`"));
    let mut child = command.spawn().map_err(failed())?;
    let input = child.stdin.take();
    let write = async {
        if let (Some(mut input), Some(text)) = (input, stdin) {
            // A command that ends without reading everything says itself why.
            let _ = input.write_all(text.as_bytes()).await;
        }
    };
    let both = async { tokio::join!(write, child.wait_with_output()).1 };
    let Ok(output) = tokio::time::timeout(TIMEOUT, both).await else {
        return Err(Error::CommandTimeout {
            command: line,
            seconds: TIMEOUT.as_secs(),
        });
    };
    let output = output.map_err(failed())?;
    Ok(Output {
        command: line,
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
