//! Counts the requests to the API server, as a layer around the client.
//!
//! Edge. Looks at method, query and status alone, never at a body.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::http::{Method, Request, Response, header};
use tower::{Layer, Service};

use super::metrics::Metrics;

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Gets or lists.
    Read,
    /// Watches.
    Watch,
    /// Creates, or asks for a review.
    Create,
    /// Replaces.
    Update,
    /// Applies on the server.
    Apply,
    /// Patches in another way.
    Patch,
    /// Deletes.
    Delete,
}

impl Verb {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Read,
        Self::Watch,
        Self::Create,
        Self::Update,
        Self::Apply,
        Self::Patch,
        Self::Delete,
    ];

    /// The name as a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Watch => "Watch",
            Self::Create => "Create",
            Self::Update => "Update",
            Self::Apply => "Apply",
            Self::Patch => "Patch",
            Self::Delete => "Delete",
        }
    }

    fn of<B>(request: &Request<B>) -> Self {
        match *request.method() {
            Method::POST => Self::Create,
            Method::PUT => Self::Update,
            Method::DELETE => Self::Delete,
            Method::PATCH => match request.headers().get(header::CONTENT_TYPE) {
                Some(value) if value.as_bytes().starts_with(b"application/apply-patch") => Self::Apply,
                _ => Self::Patch,
            },
            _ if asks(request, "watch", &["1", "true"]) => Self::Watch,
            _ => Self::Read,
        }
    }
}

/// Whether the query has the parameter with one of these values.
fn asks<B>(request: &Request<B>, name: &str, values: &[&str]) -> bool {
    let parameters = request.uri().query().unwrap_or_default().split('&');
    parameters
        .filter_map(|parameter| parameter.split_once('='))
        .any(|(found, value)| found == name && values.contains(&value))
}

/// Makes services that count.
#[derive(Debug, Clone)]
pub struct CountRequests(pub Arc<Metrics>);

impl<S> Layer<S> for CountRequests {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Counted {
            inner,
            metrics: self.0.clone(),
        }
    }
}

/// A service that counts its requests.
#[derive(Debug, Clone)]
pub struct Counted<S> {
    inner: S,
    metrics: Arc<Metrics>,
}

impl<S, B, A> Service<Request<B>> for Counted<S>
where
    S: Service<Request<B>, Response = Response<A>>,
    S::Future: Send + 'static,
    S::Error: 'static,
    A: 'static,
{
    type Response = Response<A>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<A>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let verb = Verb::of(&request);
        let dry_run = asks(&request, "dryRun", &["All"]);
        let metrics = self.metrics.clone();
        let started = Instant::now();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            let status = answer.as_ref().ok().map(|response| response.status().as_u16());
            metrics.requested(verb, dry_run, status, started.elapsed());
            answer
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, uri: &str, content_type: &str) -> Request<()> {
        let builder = Request::builder().method(method).uri(uri);
        builder.header(header::CONTENT_TYPE, content_type).body(()).unwrap()
    }

    #[test]
    fn a_request_is_what_the_api_server_makes_of_it() {
        let cases = [
            ("GET", "/api/v1/pods?limit=500", "", Verb::Read, false),
            ("GET", "/api/v1/pods?&watch=true&x=y", "", Verb::Watch, false),
            (
                "POST",
                "/api/v1/pods?&dryRun=All",
                "application/json",
                Verb::Create,
                true,
            ),
            ("PUT", "/api/v1/pods/x", "application/json", Verb::Update, false),
            (
                "PATCH",
                "/x?force=true&dryRun=All",
                "application/apply-patch+yaml",
                Verb::Apply,
                true,
            ),
            ("PATCH", "/x", "application/merge-patch+json", Verb::Patch, false),
            ("DELETE", "/x", "application/json", Verb::Delete, false),
        ];
        for (method, uri, content_type, verb, dry_run) in cases {
            let request = request(method, uri, content_type);
            let found = (Verb::of(&request), asks(&request, "dryRun", &["All"]));
            assert_eq!(found, (verb, dry_run), "{method} {uri}");
        }
    }
}
