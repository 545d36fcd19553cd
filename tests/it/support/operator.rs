//! The `fairlead` binary as a process: the operator as people run it.

use std::io::{BufRead as _, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::installation::DEADLINE;
use super::metrics::Metrics;
use super::{Result, http};

const POLL: Duration = Duration::from_millis(20);

const DOCKERFILE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/Dockerfile"));

/// The variables that the image sets: what is tested and measured is what is shipped.
fn image_environment() -> impl Iterator<Item = (&'static str, &'static str)> {
    let last = DOCKERFILE.rsplit("\nFROM ").next().unwrap_or_default();
    let variables = last.lines().filter_map(|line| line.strip_prefix("ENV "));
    variables.filter_map(|variable| variable.split_once('='))
}

/// A running operator. Dropping it kills it.
pub(crate) struct Operator {
    child: Child,
    log: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
    admin: SocketAddr,
}

impl Operator {
    /// Starts `fairlead controller` with the kubeconfig and these further arguments. It does not wait.
    pub(crate) fn start(kubeconfig: &Path, arguments: &[&str]) -> Result<Self> {
        let admin = free_address()?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_fairlead"));
        command
            .arg("controller")
            .arg(format!("--listen={admin}"))
            .args(arguments);
        command
            .envs(image_environment())
            .env("KUBECONFIG", kubeconfig)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let log = Arc::default();
        let outputs: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|output| Box::new(output) as _),
            child.stderr.take().map(|output| Box::new(output) as _),
        ];
        let readers = outputs
            .into_iter()
            .flatten()
            .map(|output| collect(output, &log))
            .collect();
        Ok(Self {
            child,
            log,
            readers,
            admin,
        })
    }

    /// Waits until it says that it is ready.
    pub(crate) async fn ready(&mut self) -> Result {
        let url = format!("http://{}/readyz", self.admin);
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the operator ended ({status}); it logged:\n{}", self.end()).into());
            }
            let answer = http::get(&url).await;
            match answer {
                Ok((200, _)) => return Ok(()),
                _ if started.elapsed() < DEADLINE => tokio::time::sleep(POLL).await,
                other => return Err(format!("not ready: {other:?}; it logged:\n{}", self.log()).into()),
            }
        }
    }

    /// Where its metrics are.
    pub(crate) fn metrics_url(&self) -> String {
        format!("http://{}/metrics", self.admin)
    }

    /// The id of its process.
    #[allow(dead_code, reason = "for benches/cost")]
    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Its metrics.
    pub(crate) async fn metrics(&self) -> Result<Metrics> {
        Metrics::read(&self.metrics_url()).await
    }

    /// What it wrote to its standard output and error so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it has logged a text: its log is read beside the test.
    pub(crate) async fn logs(&self, text: &str) -> Result {
        let started = Instant::now();
        while !self.log().contains(text) {
            if started.elapsed() > DEADLINE {
                return Err(format!("{text:?} is not logged:\n{}", self.log()).into());
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Kills it as SIGKILL does, in the middle of whatever it is doing, and returns its log.
    pub(crate) fn kill(mut self) -> Result<String> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(self.end())
    }

    /// Kills it as SIGKILL does; another one may take its place.
    pub(crate) fn stop(&mut self) -> Result {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) -> Result {
        let sent = Command::new("kill")
            .args([format!("-{name}"), self.child.id().to_string()])
            .status()?;
        if sent.success() {
            Ok(())
        } else {
            Err(format!("the operator cannot be sent {name}: {sent}").into())
        }
    }

    /// Asks it to end as Kubernetes does, and returns whether its exit code is 0, and its log.
    pub(crate) async fn terminate(&mut self) -> Result<(bool, String)> {
        self.signal("TERM")?;
        self.ended().await
    }

    /// Waits until it ends, and returns whether its exit code is 0, and its log.
    pub(crate) async fn ended(&mut self) -> Result<(bool, String)> {
        let started = Instant::now();
        while started.elapsed() < DEADLINE {
            if let Some(status) = self.child.try_wait()? {
                return Ok((status.success(), self.end()));
            }
            tokio::time::sleep(POLL).await;
        }
        Err(format!("it did not end within {DEADLINE:?}; it logged:\n{}", self.log()).into())
    }

    /// The whole log of a process that ended.
    fn end(&mut self) -> String {
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        self.log()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address on which nothing listens. Another process may take it before it is used; then the operator says so.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn collect(output: Box<dyn Read + Send>, log: &Arc<Mutex<String>>) -> JoinHandle<()> {
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(std::result::Result::ok) {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.push_str(&line);
            log.push('\n');
        }
    })
}
