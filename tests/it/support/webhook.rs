//! A mutating admission webhook that the API server calls over HTTPS, with a certificate made for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::post;
use axum::serve::Listener;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Result;

/// A running webhook. It ends when it is dropped.
pub(crate) struct Webhook {
    address: SocketAddr,
    certificate: String,
    rules: Arc<Rules>,
    server: JoinHandle<std::io::Result<()>>,
}

struct Rules {
    /// The JSON patch of every object that it is asked about.
    patch: Value,
    is_on: AtomicBool,
}

impl Webhook {
    /// One that patches whatever it is asked about.
    pub(crate) async fn start(patch: Value) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![CertificateDer::clone(made.cert.der())], key)?;
        let rules = Arc::new(Rules {
            patch,
            is_on: AtomicBool::new(true),
        });
        let router = Router::new().route("/", post(review)).with_state(Arc::clone(&rules));
        let tls = TlsListener {
            listener,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        };
        Ok(Self {
            address,
            certificate: made.cert.pem(),
            rules,
            server: tokio::spawn(axum::serve(tls, router).into_future()),
        })
    }

    /// The configuration by which it is asked about the ConfigMap `config` of a namespace.
    pub(crate) fn configuration(&self, namespace: &str) -> Value {
        let client =
            json!({"url": format!("https://{}/", self.address), "caBundle": STANDARD.encode(&self.certificate)});
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": format!("inject-{namespace}")}, "webhooks": [{
            "name": "inject.example.com", "clientConfig": client, "sideEffects": "None",
            "admissionReviewVersions": ["v1"], "failurePolicy": "Fail",
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "matchConditions": [{"name": "ours", "expression": "object.metadata.name == 'config'"}],
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}]}]})
    }

    /// From now on it lets everything through as it is.
    pub(crate) fn rests(&self) {
        self.rules.is_on.store(false, Ordering::SeqCst);
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn review(State(rules): State<Arc<Rules>>, asked: String) -> impl IntoResponse {
    let asked: Value = serde_json::from_str(&asked).unwrap_or_default();
    let mut response = json!({"uid": asked["request"]["uid"], "allowed": true});
    if rules.is_on.load(Ordering::SeqCst) {
        response["patchType"] = json!("JSONPatch");
        response["patch"] = json!(STANDARD.encode(rules.patch.to_string()));
    }
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
    ([(CONTENT_TYPE, "application/json")], review.to_string())
}

/// Connections after their handshake.
struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            // Who fails the handshake is none of ours.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}
