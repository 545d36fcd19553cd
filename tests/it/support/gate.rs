//! A gate between the operator and the API server, at which its forced writes can be kept waiting: what happens in the
//! moment between a decision and its write happens for certain. It can also fall shut behind the next write, so that an operator
//! can be killed after each of its writes, before it knows that it was made.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{Method, Response, StatusCode};
use fairlead_controlplane::ControlPlane;
use kube::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Result;

/// The largest request that is passed on, in bytes: what the API server takes, and more.
const MAX_REQUEST: usize = 8 << 20;
/// Within this somebody has to come to a closed gate.
const DEADLINE: Duration = Duration::from_mins(1);

/// An address of the API server with all rights. It ends when it is dropped.
pub(crate) struct Gate {
    folder: TempDir,
    keeper: Arc<Keeper>,
    server: JoinHandle<std::io::Result<()>>,
}

struct Keeper {
    client: Client,
    closed: watch::Sender<bool>,
    waiting: watch::Sender<bool>,
    trap: watch::Sender<Trap>,
    /// The writes behind which it fell shut, with their bodies; the newest comes last.
    trapped: Mutex<Vec<(String, Value)>>,
}

/// Whether the gate falls shut behind a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trap {
    /// It does not.
    Off,
    /// It does behind the next one that it did not fall shut behind before: what is repeated after a crash passes.
    Set,
    /// A write is passing.
    Closing,
    /// It has: nothing passes, and nobody is answered.
    Shut,
}

impl Gate {
    /// An open gate.
    pub(crate) async fn open(plane: &ControlPlane) -> Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("kubeconfig"), kubeconfig(&url))?;
        let keeper = Arc::new(Keeper {
            client: plane.client()?,
            closed: watch::Sender::new(false),
            waiting: watch::Sender::new(false),
            trap: watch::Sender::new(Trap::Off),
            trapped: Mutex::default(),
        });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&keeper));
        let server = tokio::spawn(axum::serve(listener, router).into_future());
        Ok(Self { folder, keeper, server })
    }

    /// The way through it, for the operator.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// From now on forced writes wait.
    pub(crate) fn close(&self) {
        self.keeper.closed.send_replace(true);
    }

    /// The gate falls shut behind the next write that is not one behind which it did so before.
    pub(crate) fn set_trap(&self) {
        self.keeper.trap.send_replace(Trap::Set);
    }

    /// Waits until it has fallen shut, which may never be; gives the method and the path of the write.
    pub(crate) async fn is_shut(&self) -> Result<String> {
        let mut trap = self.keeper.trap.subscribe();
        trap.wait_for(|trap| *trap == Trap::Shut).await?;
        let trapped = self.keeper.trapped.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(trapped.last().map(|(write, _)| write.clone()).unwrap_or_default())
    }

    /// Waits until one waits.
    pub(crate) async fn is_waited_at(&self) -> Result {
        let mut waiting = self.keeper.waiting.subscribe();
        tokio::time::timeout(DEADLINE, waiting.wait_for(|waiting| *waiting)).await??;
        Ok(())
    }

    /// Lets everything through again.
    pub(crate) fn lift(&self) {
        self.keeper.closed.send_replace(false);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A kubeconfig for an API server that asks nobody who they are.
pub(super) fn kubeconfig(url: &str) -> String {
    let kubeconfig = json!({"apiVersion": "v1", "kind": "Config", "current-context": "gate",
        "clusters": [{"name": "gate", "cluster": {"server": url}}], "users": [{"name": "gate", "user": {}}],
        "contexts": [{"name": "gate", "context": {"cluster": "gate", "user": "gate"}}]});
    kubeconfig.to_string()
}

async fn pass(State(keeper): State<Arc<Keeper>>, request: Request) -> Response<Body> {
    let refused = |error: &dyn std::fmt::Display| {
        let mut response = Response::new(Body::from(error.to_string()));
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        response
    };
    let query = request.uri().query().unwrap_or_default();
    if request.method() == Method::PATCH && query.contains("force=true") && !query.contains("dryRun") {
        let mut closed = keeper.closed.subscribe();
        keeper.waiting.send_replace(*closed.borrow());
        if let Err(error) = closed.wait_for(|closed| !closed).await {
            return refused(&error);
        }
    }
    let (head, body) = request.into_parts();
    let body = match axum::body::to_bytes(body, MAX_REQUEST).await {
        Ok(body) => body,
        Err(error) => return refused(&error),
    };
    let write = is_write(&head).then(|| format!("{} {}", head.method, head.uri.path()));
    let passage = keeper.passage(write, &body).await;
    if passage == Passage::Refused {
        return refused(&"the gate is shut");
    }
    let request = axum::http::Request::from_parts(head, kube::client::Body::from(body.to_vec()));
    let answer = match keeper.client.send(request).await {
        Ok(response) => response.map(Body::new),
        Err(error) => refused(&error),
    };
    if passage == Passage::Last {
        keeper.trap.send_replace(Trap::Shut);
        keeper.is_opened().await;
        return refused(&"the gate fell shut");
    }
    answer
}

/// Whether a request passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passage {
    Free,
    /// It passes, and the gate falls shut behind it.
    Last,
    Refused,
}

impl Keeper {
    async fn passage(&self, write: Option<String>, body: &[u8]) -> Passage {
        let is_last = write.is_some_and(|write| {
            self.trap.send_if_modified(|trap| {
                let is_last = *trap == Trap::Set && self.is_new(&write, body);
                if is_last {
                    *trap = Trap::Closing;
                }
                is_last
            })
        });
        if is_last {
            return Passage::Last;
        }
        if matches!(*self.trap.borrow(), Trap::Closing | Trap::Shut) {
            self.is_opened().await;
            return Passage::Refused; // It is of an operator that is dead by now.
        }
        Passage::Free
    }

    /// Whether the gate did not fall shut behind this very write before.
    fn is_new(&self, write: &str, body: &[u8]) -> bool {
        let body = essence(body);
        let mut trapped = self.trapped.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !trapped
            .iter()
            .any(|(known, content)| known == write && *content == body);
        if is_new {
            trapped.push((write.to_owned(), body));
        }
        is_new
    }

    async fn is_opened(&self) {
        let mut trap = self.trap.subscribe();
        // It fails only when the gate is gone.
        let _ = trap.wait_for(|trap| matches!(trap, Trap::Off | Trap::Set)).await;
    }
}

/// What is written, without what only says which version of the object it replaces, and when.
fn essence(body: &[u8]) -> Value {
    let mut object: Value = serde_json::from_slice(body).unwrap_or_default();
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        metadata.remove("resourceVersion");
        metadata.remove("managedFields");
        if let Some(Value::Object(labels)) = metadata.get_mut("labels") {
            labels.remove("modifiedAt");
        }
    }
    if let Some(Value::Object(spec)) = object.get_mut("spec") {
        spec.remove("updated");
    }
    object
}

/// Whether it changes something of a release; events and the status of its source do not.
fn is_write(head: &Parts) -> bool {
    let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
    let is_of_others = ["/events", "/leases", "/helmrepositories"]
        .iter()
        .any(|other| path.contains(other));
    head.method != Method::GET && !query.contains("dryRun") && !is_of_others
}
