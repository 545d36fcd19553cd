//! A program that says on its standard output when it is ready, and ends at the end of its standard input.
//!
//! Only this process holds the other end of that pipe, so the program ends with it, however it ends.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use serde::de::DeserializeOwned;

use crate::Error;
use crate::progress::say;

const LINES_OF_ERRORS: usize = 40;

/// A running program; dropping it ends it and waits for that.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts the program and waits for its report. The program has to bound how long that takes.
    pub(crate) async fn start<R: DeserializeOwned + Send + 'static>(
        program: &Path,
        arguments: Vec<String>,
    ) -> Result<(Self, R), Error> {
        let program = program.to_owned();
        tokio::task::spawn_blocking(move || Self::start_blocking(&program, &arguments))
            .await
            .map_err(|error| Error::Io {
                what: "waiting for a program".into(),
                source: std::io::Error::other(error),
            })?
    }

    fn start_blocking<R: DeserializeOwned>(program: &Path, arguments: &[String]) -> Result<(Self, R), Error> {
        let mut command = Command::new(program);
        command
            .args(arguments)
            // Ctrl-C in a terminal goes to a whole group. In its own, the program ends when we let go of it, after whoever
            // still talks to it.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .map_err(Error::io(format!("starting {}", program.display())))?;
        let errors = child.stderr.take().map(forward);
        let stdout = child.stdout.take();
        let process = Self { child };

        let mut line = String::new();
        if let Some(stdout) = stdout {
            let read = BufReader::new(stdout).read_line(&mut line);
            read.map_err(Error::io(format!("reading from {}", program.display())))?;
        }
        match serde_json::from_str(&line) {
            Ok(report) => Ok((process, report)),
            Err(error) => {
                drop(process); // ends it, and with it the thread that reads its errors
                let said = errors.map(Errors::wait).unwrap_or_default();
                let output = if line.is_empty() {
                    said
                } else {
                    format!("it said {line:?}: {error}; {said}")
                };
                Err(Error::NotReady {
                    program: program.display().to_string(),
                    output,
                })
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The last lines of a program's standard error.
struct Errors {
    lines: Arc<Mutex<VecDeque<String>>>,
    thread: JoinHandle<()>,
}

impl Errors {
    fn wait(self) -> String {
        let _ = self.thread.join();
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// Passes a program's standard error on as it comes: what ends a control plane in the middle of a test must be seen.
fn forward(stderr: std::process::ChildStderr) -> Errors {
    let lines = Arc::new(Mutex::new(VecDeque::new()));
    let thread = std::thread::spawn({
        let lines = Arc::clone(&lines);
        move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                say(&line);
                let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                if lines.len() == LINES_OF_ERRORS {
                    lines.pop_front();
                }
                lines.push_back(line);
            }
        }
    });
    Errors { lines, thread }
}
