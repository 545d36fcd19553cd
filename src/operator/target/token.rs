//! Tokens of a ServiceAccount for another cluster that trusts this one.
//!
//! Edge. A token is asked for when one is needed, and again before it ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::{HeaderValue, Request, header};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Client;
use kube::api::{Api, PostParams};
use kube::client::Body;
use tokio::sync::Mutex;
use tower::{BoxError, service_fn};

/// How long a token is good for.
const LIFETIME: Duration = Duration::from_hours(1);
/// How long before its end another one is asked for.
const BEFORE_ITS_END: Duration = Duration::from_mins(10);

/// Whose tokens, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct TokenSource {
    pub(super) namespace: String,
    pub(super) service_account: String,
    pub(super) audiences: Vec<String>,
}

/// A client that bears tokens of a ServiceAccount of the cluster behind `own`.
pub(super) fn bearing_tokens(far: Client, own: Client, source: TokenSource) -> Client {
    let namespace = far.default_namespace().to_owned();
    let bearer = Arc::new(Bearer {
        own,
        source,
        token: Mutex::default(),
    });
    let service = service_fn(move |mut request: Request<Body>| {
        let (far, bearer) = (far.clone(), bearer.clone());
        async move {
            request
                .headers_mut()
                .insert(header::AUTHORIZATION, bearer.header().await?);
            far.send(request).await.map_err(BoxError::from)
        }
    });
    Client::new(service, namespace)
}

struct Bearer {
    own: Client,
    source: TokenSource,
    token: Mutex<Option<(Instant, HeaderValue)>>,
}

impl Bearer {
    async fn header(&self) -> Result<HeaderValue, BoxError> {
        let mut token = self.token.lock().await;
        if let Some((asked, header)) = token.as_ref()
            && asked.elapsed() + BEFORE_ITS_END < LIFETIME
        {
            return Ok(header.clone());
        }
        let asked = Instant::now();
        let header = self.ask().await?;
        *token = Some((asked, header.clone()));
        Ok(header)
    }

    async fn ask(&self) -> Result<HeaderValue, BoxError> {
        let TokenSource {
            namespace,
            service_account,
            audiences,
        } = &self.source;
        let request = TokenRequest {
            spec: Some(TokenRequestSpec {
                audiences: Some(audiences.clone()),
                expiration_seconds: i64::try_from(LIFETIME.as_secs()).ok(),
                ..TokenRequestSpec::default()
            }),
            ..TokenRequest::default()
        };
        let accounts: Api<ServiceAccount> = Api::namespaced(self.own.clone(), namespace);
        let answer = accounts
            .create_token_request(service_account, &PostParams::default(), &request)
            .await;
        let answer =
            answer.map_err(|error| format!("no token of ServiceAccount {namespace}/{service_account}: {error}"))?;
        let token = answer.status.and_then(|status| status.token).unwrap_or_default();
        let mut header = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| "the token is not text")?;
        header.set_sensitive(true);
        Ok(header)
    }
}
