//! Bad weather between the operator and the API server: answers that come late, come as errors, or do not come at all, and watches that
//! end. The same requests in the same order meet the same weather.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, Response, StatusCode, header};
use fairlead_controlplane::ControlPlane;
use futures::{StreamExt as _, stream};
use kube::Client;
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::Result;
use super::gate::kubeconfig;

/// The largest request that is passed on, in bytes.
const MAX_REQUEST: usize = 8 << 20;
/// How long an answer that is late is kept.
const LATE: Duration = Duration::from_millis(300);
/// How long a watch lasts.
const WATCH: Duration = Duration::from_secs(3);

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// The answer comes late.
    Late,
    /// 429, with `Retry-After`.
    TooMany,
    /// 500, and the request is not made.
    Error,
    /// 409, and the request is not made; only where a version is replaced.
    Conflict,
    /// The connection breaks after the request was made.
    Reset,
    /// The watch ends.
    WatchCut,
}

impl Fault {
    pub(crate) const ALL: [Self; 6] = [
        Self::Late,
        Self::TooMany,
        Self::Error,
        Self::Conflict,
        Self::Reset,
        Self::WatchCut,
    ];

    /// One request in eight meets something; every watch ends.
    fn of(number: u64, method: &Method, is_watch: bool) -> Option<Self> {
        if is_watch {
            return Some(Self::WatchCut);
        }
        match scattered(number) % 48 {
            0 | 1 => Some(Self::Late),
            2 => Some(Self::TooMany),
            3 => Some(Self::Error),
            4 => Some(Self::Reset),
            5 if *method == Method::PUT => Some(Self::Conflict),
            _ => None,
        }
    }
}

/// Spreads neighbours over all numbers (splitmix64).
const fn scattered(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// An address of the API server with all rights, in bad weather. It ends when it is dropped.
pub(crate) struct Storm {
    folder: TempDir,
    weather: Arc<Weather>,
    server: JoinHandle<std::io::Result<()>>,
}

struct Weather {
    client: Client,
    requests: AtomicU64,
    is_out: AtomicBool,
    met: Mutex<BTreeMap<Fault, u64>>,
}

impl Storm {
    /// Begins one.
    pub(crate) async fn begin(plane: &ControlPlane) -> Result<Self> {
        Self::through(plane.client()?).await
    }

    /// Begins one, behind which every request is made by this client.
    pub(crate) async fn through(client: Client) -> Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let folder = tempfile::tempdir()?;
        let url = format!("http://{}", listener.local_addr()?);
        std::fs::write(folder.path().join("kubeconfig"), kubeconfig(&url))?;
        let weather = Arc::new(Weather {
            client,
            requests: AtomicU64::new(0),
            is_out: AtomicBool::new(false),
            met: Mutex::default(),
        });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&weather));
        let server = tokio::spawn(axum::serve(listener, router).into_future());
        Ok(Self {
            folder,
            weather,
            server,
        })
    }

    /// The way through it, for the operator.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// From now on no request is answered, or again.
    pub(crate) fn outage(&self, is_out: bool) {
        self.weather.is_out.store(is_out, Ordering::Relaxed);
    }

    /// What was met so far, and how often.
    pub(crate) fn met(&self) -> BTreeMap<Fault, u64> {
        self.weather.met.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn pass(State(weather): State<Arc<Weather>>, request: Request) -> Response<Body> {
    if weather.is_out.load(Ordering::Relaxed) {
        return broken();
    }
    let is_watch = request.uri().query().is_some_and(|query| query.contains("watch=true"));
    let number = weather.requests.fetch_add(1, Ordering::Relaxed);
    let fault = Fault::of(number, request.method(), is_watch);
    if let Some(fault) = fault {
        let mut met = weather.met.lock().unwrap_or_else(PoisonError::into_inner);
        *met.entry(fault).or_default() += 1;
    }
    match fault {
        Some(Fault::TooMany) => return refused(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests"),
        Some(Fault::Error) => return refused(StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
        Some(Fault::Conflict) => return refused(StatusCode::CONFLICT, "Conflict"),
        Some(Fault::Late) => tokio::time::sleep(LATE).await,
        Some(Fault::Reset | Fault::WatchCut) | None => {}
    }
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_REQUEST).await else {
        return broken();
    };
    let request = axum::http::Request::from_parts(head, kube::client::Body::from(body.to_vec()));
    let Ok(answer) = weather.client.send(request).await else {
        return broken();
    };
    match fault {
        Some(Fault::Reset) => broken(),
        Some(Fault::WatchCut) => {
            let end = weather.ends_watch();
            answer.map(|body| Body::from_stream(Body::new(body).into_data_stream().take_until(end)))
        }
        Some(Fault::Late | Fault::TooMany | Fault::Error | Fault::Conflict) | None => answer.map(Body::new),
    }
}

impl Weather {
    /// When a watch ends: after its time, or when nothing is answered any more.
    fn ends_watch(self: &Arc<Self>) -> impl Future<Output = ()> + Send + use<> {
        let weather = Arc::clone(self);
        async move {
            let end = tokio::time::Instant::now() + WATCH;
            while tokio::time::Instant::now() < end && !weather.is_out.load(Ordering::Relaxed) {
                tokio::time::sleep(LATE).await;
            }
        }
    }
}

/// An answer that breaks off in its first byte, which breaks the connection.
fn broken() -> Response<Body> {
    let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    Response::new(Body::from_stream(stream::iter([Err::<Bytes, _>(broken)])))
}

fn refused(code: StatusCode, reason: &str) -> Response<Body> {
    let status = json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": reason, "code": code.as_u16(),
        "message": "the storm"});
    let mut response = Response::new(Body::from(status.to_string()));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if code == StatusCode::TOO_MANY_REQUESTS {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
