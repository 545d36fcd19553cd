//! What people see while they wait. It goes to standard error itself, because the test harness holds back what `eprintln!` writes.

use std::io::Write as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_secs(5);

/// Says one line.
pub(crate) fn say(message: &str) {
    // Nothing can be done about a closed standard error, and nothing depends on it.
    let _ = writeln!(std::io::stderr(), "[control plane] {message}");
}

/// Says every few seconds how long something takes already, until it is dropped.
pub(crate) struct Ticker {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// `state` is asked for what to say.
    pub(crate) fn start(state: impl Fn() -> String + Send + 'static) -> Self {
        let (stop, stopped): (Sender<()>, Receiver<()>) = channel();
        let started = Instant::now();
        let thread = std::thread::spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(INTERVAL) {
                say(&format!("{} s: {}", started.elapsed().as_secs(), state()));
            }
        });
        Self {
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
