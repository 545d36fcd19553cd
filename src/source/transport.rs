//! One HTTP request: certificates, timeout, redirects and size are bounded here for repositories and registries alike.

use std::collections::HashMap;
use std::error::Error as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Identity, StatusCode};
use url::Url;

use super::credentials::{Access, Credentials};
use super::digest::Digest;
use super::error::SourceError;

/// How long connecting may take; a request's own timeout covers this and the body.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How many clients (connection pools) are kept; each set of certificates needs its own.
const CLIENTS: usize = 64;

/// A `GET` request.
pub(super) struct Request<'a> {
    pub(super) url: &'a Url,
    pub(super) access: &'a Access,
    /// The login to send, which may be another than the access's: a token, or none for another host.
    pub(super) login: &'a Credentials,
    pub(super) accept: &'static str,
    /// Conditional request headers.
    pub(super) headers: HeaderMap,
    /// The most bytes to read from a successful answer.
    pub(super) limit: u64,
}

/// What came back; the body is only read from a successful answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Connection pools by what they depend on.
pub(super) struct Transport {
    clients: Mutex<HashMap<Digest, Client>>,
    user_agent: String,
    redirects: usize,
}

#[derive(Debug, thiserror::Error)]
enum RedirectRefused {
    #[error("more than {0} times")]
    TooOften(usize),
    #[error("from HTTPS to plain HTTP, which is not followed")]
    Downgrade,
}

impl Transport {
    pub(super) fn new(user_agent: String, redirects: usize) -> Self {
        Self {
            clients: Mutex::new(HashMap::new()),
            user_agent,
            redirects,
        }
    }

    /// Sends a request and reads the answer, within the limits. Any status is an answer.
    pub(super) async fn get(&self, request: Request<'_>) -> Result<Answer, SourceError> {
        let Request {
            url,
            access,
            login,
            accept,
            headers,
            limit,
        } = request;
        let client = self.client(url, access)?;
        let mut builder = client
            .get(without_login(url))
            .timeout(access.timeout)
            .header(ACCEPT, accept)
            .headers(headers);
        match login {
            Credentials::Anonymous => {}
            Credentials::Basic { username, password } => {
                builder = builder.basic_auth(username, Some(password.expose()));
            }
            Credentials::Bearer(token) => builder = builder.header(AUTHORIZATION, bearer(token.expose(), url)?),
        }
        let failure = |error| failure(url, access.timeout, error);
        let mut response = builder.send().await.map_err(failure)?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let mut body = BytesMut::new();
        if status.is_success() {
            let too_large = || SourceError::TooLarge {
                what: shown(url),
                limit,
            };
            if response.content_length().is_some_and(|length| length > limit) {
                return Err(too_large());
            }
            while let Some(chunk) = response.chunk().await.map_err(failure)? {
                if (body.len() + chunk.len()) as u64 > limit {
                    return Err(too_large());
                }
                body.extend_from_slice(&chunk);
            }
        }
        Ok(Answer {
            status,
            headers,
            body: body.freeze(),
        })
    }

    fn client(&self, url: &Url, access: &Access) -> Result<Client, SourceError> {
        let key = access.connection_fingerprint();
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let client = self.build_client(url, access)?;
        if clients.len() >= CLIENTS {
            clients.clear();
        }
        clients.insert(key, client.clone());
        Ok(client)
    }

    fn build_client(&self, url: &Url, access: &Access) -> Result<Client, SourceError> {
        let invalid = |what: &'static str| {
            let url = shown(url);
            // The reasons of these parsers quote neither keys nor certificates.
            move |error: reqwest::Error| SourceError::InvalidCredentials {
                url,
                what,
                reason: innermost(&error),
            }
        };
        let mut builder = Client::builder()
            .user_agent(&self.user_agent)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(redirect_policy(self.redirects))
            .tls_danger_accept_invalid_certs(access.tls.insecure_skip_verify);
        if let Some(pem) = &access.tls.certificate_authorities {
            let what = "the CA bundle";
            let certificates = Certificate::from_pem_bundle(pem).map_err(invalid(what))?;
            if certificates.is_empty() {
                let reason = "it holds no PEM certificate".to_owned();
                return Err(SourceError::InvalidCredentials {
                    url: shown(url),
                    what,
                    reason,
                });
            }
            builder = builder.tls_certs_merge(certificates);
        }
        if let Some(client) = &access.tls.client {
            let pem = [&client.certificate, &b"\n"[..], client.key.expose().as_bytes()].concat();
            let identity = Identity::from_pem(&pem).map_err(invalid("the client certificate"))?;
            builder = builder.identity(identity);
        }
        if let Some(proxy) = &access.proxy {
            let mut configured = reqwest::Proxy::all(&proxy.address).map_err(invalid("the proxy"))?;
            if let Some((username, password)) = &proxy.credentials {
                configured = configured.basic_auth(username, password.expose());
            }
            builder = builder.proxy(configured);
        }
        builder.build().map_err(invalid("the TLS configuration"))
    }
}

fn redirect_policy(limit: usize) -> Policy {
    Policy::custom(move |attempt| match refusal(attempt.previous(), attempt.url(), limit) {
        Some(refusal) => attempt.error(refusal),
        None => attempt.follow(),
    })
}

/// Why a redirect is not followed, if it is not.
fn refusal(previous: &[Url], next: &Url, limit: usize) -> Option<RedirectRefused> {
    let from_https = previous.last().is_some_and(|previous| previous.scheme() == "https");
    if previous.len() > limit {
        Some(RedirectRefused::TooOften(limit))
    } else if from_https && next.scheme() != "https" {
        Some(RedirectRefused::Downgrade)
    } else {
        None
    }
}

/// A URL as it may be shown: user information, query and fragment can carry secrets.
pub(super) fn shown(url: &Url) -> String {
    let mut url = without_login(url);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

fn without_login(url: &Url) -> Url {
    let mut url = url.clone();
    // These fail only for URLs that cannot have user information.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

fn bearer(token: &str, url: &Url) -> Result<HeaderValue, SourceError> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| SourceError::InvalidCredentials {
        url: shown(url),
        what: "the token",
        reason: "it holds characters that no HTTP header may have".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn failure(url: &Url, timeout: Duration, error: reqwest::Error) -> SourceError {
    let url = shown(url);
    let error = error.without_url();
    if error.is_redirect() {
        SourceError::Redirect {
            url,
            reason: innermost(&error),
        }
    } else if error.is_timeout() && !error.is_connect() {
        SourceError::Timeout { url, timeout }
    } else {
        SourceError::Unreachable {
            url,
            reason: innermost(&error),
        }
    }
}

/// The innermost cause: the outer ones only say that a request failed.
fn innermost(error: &reqwest::Error) -> String {
    let mut innermost = error.source();
    while let Some(inner) = innermost.and_then(std::error::Error::source) {
        innermost = Some(inner);
    }
    innermost.map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_that_lose_their_encryption_are_refused() {
        let url = |text: &str| Url::parse(text).unwrap();
        let (plain, encrypted) = (url("http://a.example/x"), url("https://a.example/x"));
        let refused = |previous: &[&Url], next: &Url| {
            let previous: Vec<Url> = previous.iter().map(|url| (*url).clone()).collect();
            refusal(&previous, next, 2)
        };
        assert!(matches!(
            refused(&[&encrypted], &plain),
            Some(RedirectRefused::Downgrade)
        ));
        assert!(refused(&[&encrypted], &encrypted).is_none());
        assert!(refused(&[&plain], &encrypted).is_none());
        assert!(refused(&[&plain], &plain).is_none());
        assert!(matches!(
            refused(&[&plain, &plain, &plain], &plain),
            Some(RedirectRefused::TooOften(2))
        ));
    }
}
