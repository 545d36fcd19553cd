//! The admin server: `/healthz`, `/readyz`, `/metrics`.
//!
//! Edge. Knows whether the process runs and whether the watches are synced, not what they found.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::telemetry::metrics::{Format, Metrics};

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whether the operator's watches are synced. Starts as not ready and never goes back: a watch that breaks later is
/// resumed by itself, and taking the Pod out of service would not help it.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Says that the operator is ready to work.
    pub fn set_ready(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The admin server could not serve.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The address cannot be listened on.
    #[error("listen on {address} for the admin server: {source}; choose another with --listen")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The server stopped.
    #[error("admin server: {0}")]
    Serve(std::io::Error),
}

struct Shared {
    metrics: Arc<Metrics>,
    readiness: Readiness,
}

/// The admin server, bound to its address and not yet serving.
#[derive(Debug)]
pub struct AdminServer {
    listener: TcpListener,
    metrics: Arc<Metrics>,
    readiness: Readiness,
}

impl AdminServer {
    /// Binds `address`; port 0 takes a free one.
    pub async fn bind(address: SocketAddr, metrics: Arc<Metrics>, readiness: Readiness) -> Result<Self, AdminError> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| AdminError::Listen { address, source })?;
        Ok(Self {
            listener,
            metrics,
            readiness,
        })
    }

    /// The address that is listened on.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown`.
    pub async fn serve(self, shutdown: CancellationToken) -> Result<(), AdminError> {
        let Self {
            listener,
            metrics,
            readiness,
        } = self;
        let routes = Router::new()
            .route("/healthz", get(|| async { "ok" }))
            .route("/readyz", get(ready))
            .route("/metrics", get(encode))
            .with_state(Arc::new(Shared { metrics, readiness }));
        axum::serve(listener, routes)
            .with_graceful_shutdown(shutdown.cancelled_owned())
            .await
            .map_err(AdminError::Serve)
    }
}

async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    if shared.readiness.is_ready() {
        "ok".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "watches are not synced yet").into_response()
    }
}

/// OpenMetrics for those who accept it, as Prometheus does; else the format that every other tool reads.
async fn encode(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let mut accepted = headers.get_all(header::ACCEPT).iter();
    let is_open = |value: &HeaderValue| {
        value
            .to_str()
            .is_ok_and(|text| text.contains("application/openmetrics-text"))
    };
    let (format, content_type) = if accepted.any(is_open) {
        (Format::OpenMetrics, OPENMETRICS)
    } else {
        (Format::Text, TEXT)
    };
    match shared.metrics.encode(format) {
        Ok(text) => ([(header::CONTENT_TYPE, content_type)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
