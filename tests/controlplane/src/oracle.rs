//! Helm's and Go's own libraries as a process that answers questions.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::Value;

use crate::Error;
use crate::build::{self, Program};

/// Above what any question takes; a template that runs without end is a fault of the question.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A running Go process with Helm 4.3.1 in it. Needs no control plane. It ends when this is dropped, and with this process.
///
/// A question is a JSON object whose `op` names the operation; `cmd/oracle` has the operations with their fields and answers.
#[derive(Debug)]
pub struct Oracle {
    child: Child,
    input: ChildStdin,
    /// Filled by a thread, so that neither side ever waits for the other with both pipes full.
    answers: Receiver<std::io::Result<String>>,
}

impl Oracle {
    /// Starts the process; builds it on first use. Blocks.
    pub fn start() -> Result<Self, Error> {
        let program = build::build(Program::Oracle)?.join("oracle");
        let failed = || Error::io(format!("starting {}", program.display()));
        let mut child = Command::new(&program)
            .env("TZ", "UTC") // the local zone is the one of templates, too
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null()) // what it says is its answers; when a question crashes it, pages of stack
            .spawn()
            .map_err(failed())?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed()(std::io::Error::other("no pipes")));
        };
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                if sender.send(line).is_err() {
                    break; // nobody listens any more
                }
            }
        });
        let oracle = Self { child, input, answers };
        oracle.receive()?; // it says that it is ready
        Ok(oracle)
    }

    /// The answers to the questions, in order. Fails when the process ends: a question has crashed it.
    pub fn ask(&mut self, questions: &[Value]) -> Result<Vec<Value>, Error> {
        for question in questions {
            writeln!(self.input, "{question}").map_err(Error::io("asking the oracle"))?;
        }
        questions.iter().map(|_| self.receive()).collect()
    }

    fn receive(&self) -> Result<Value, Error> {
        let failed = || Error::io("the oracle's answer");
        let line = match self.answers.recv_timeout(TIMEOUT) {
            Ok(line) => line.map_err(failed())?,
            Err(RecvTimeoutError::Timeout) => return Err(failed()(std::io::ErrorKind::TimedOut.into())),
            Err(RecvTimeoutError::Disconnected) => return Err(failed()(std::io::ErrorKind::UnexpectedEof.into())),
        };
        serde_json::from_str(&line).map_err(|error| failed()(error.into()))
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // It may be in the middle of a question that nobody waits for any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
