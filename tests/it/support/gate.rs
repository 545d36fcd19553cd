//! A gate between the operator and the API server, at which its forced writes can be kept waiting: what happens in the
//! moment between a decision and its write happens for certain.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, Response, StatusCode};
use fairlead_controlplane::ControlPlane;
use kube::Client;
use serde_json::json;
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
}

impl Gate {
    /// An open gate.
    pub(crate) async fn open(plane: &ControlPlane) -> Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let folder = tempfile::tempdir()?;
        let kubeconfig = json!({"apiVersion": "v1", "kind": "Config", "current-context": "gate",
            "clusters": [{"name": "gate", "cluster": {"server": url}}], "users": [{"name": "gate", "user": {}}],
            "contexts": [{"name": "gate", "context": {"cluster": "gate", "user": "gate"}}]});
        std::fs::write(folder.path().join("kubeconfig"), kubeconfig.to_string())?;
        let keeper = Arc::new(Keeper {
            client: plane.client()?,
            closed: watch::Sender::new(false),
            waiting: watch::Sender::new(false),
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
    let request = axum::http::Request::from_parts(head, kube::client::Body::from(body.to_vec()));
    match keeper.client.send(request).await {
        Ok(response) => response.map(Body::new),
        Err(error) => refused(&error),
    }
}
