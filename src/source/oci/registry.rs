//! The pulling side of the OCI distribution protocol: manifests, blobs, tags, and the tokens for them.
//!
//! Every answer is bounded, and everything that has a digest is verified.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_auth::parser::ChallengeParser;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, LINK, WWW_AUTHENTICATE};
use serde::Deserialize;
use url::Url;

use super::manifest::{ACCEPT, Manifest};
use super::repository::Repository;
#[cfg(feature = "verification")]
use super::signatures::Verified;
use super::verify;
use crate::source::credentials::{Credentials, Secret};
use crate::source::digest::Digest;
use crate::source::error::SourceError;
use crate::source::http::expect_success;
use crate::source::limits::Limits;
use crate::source::transport::{Answer, Request, Transport, shown};

/// How many logins are remembered.
const LOGINS: usize = 1024;
/// How many pages of tags are read.
const PAGES: usize = 1000;

/// The registries seen so far.
pub(in crate::source) struct Registry {
    transport: Arc<Transport>,
    limits: Limits,
    /// The login that a registry accepted, by repository and own credentials. Tokens that have expired are replaced
    /// when the registry refuses them.
    logins: Mutex<HashMap<Digest, Credentials>>,
    #[cfg(feature = "verification")]
    verified: Verified,
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
}

#[derive(Deserialize)]
struct Tags {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

impl Registry {
    pub(in crate::source) fn new(transport: Arc<Transport>, limits: Limits) -> Self {
        Self {
            transport,
            limits,
            logins: Mutex::default(),
            #[cfg(feature = "verification")]
            verified: Verified::default(),
        }
    }

    /// What was verified before.
    #[cfg(feature = "verification")]
    pub(super) fn verified(&self) -> &Verified {
        &self.verified
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A manifest by tag or digest, with its digest; `None` if there is none. Of an index, its first manifest.
    pub(super) async fn manifest(
        &self,
        repository: &Repository,
        tag: &str,
    ) -> Result<Option<(Manifest, Digest)>, SourceError> {
        let Some((manifest, digest)) = self.single_manifest(repository, tag).await? else {
            return Ok(None);
        };
        let Some(first) = manifest.first_manifest() else {
            return Ok(Some((manifest, digest)));
        };
        let inner = self.single_manifest(repository, &first.to_string()).await?;
        // The digest that the tag stands for is the index's.
        Ok(inner.map(|(manifest, _)| (manifest, digest)))
    }

    /// A manifest by tag or digest, as it is; `None` if there is none.
    pub(super) async fn single_manifest(
        &self,
        repository: &Repository,
        tag: &str,
    ) -> Result<Option<(Manifest, Digest)>, SourceError> {
        let url = repository.api(&format!("manifests/{tag}"))?;
        let answer = self.get(repository, &url, ACCEPT, self.limits.manifest).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        expect_success(&answer, &url, &repository.access.credentials)?;
        let digest = Digest::of(&answer.body);
        if let Ok(expected) = tag.parse() {
            verify(repository.reference(tag), &answer.body, expected)?;
        }
        let manifest = serde_json::from_slice(&answer.body).map_err(|error| SourceError::BrokenManifest {
            url: repository.reference(tag),
            reason: format!("its manifest cannot be read: {error}"),
        })?;
        Ok(Some((manifest, digest)))
    }

    /// A blob of at most `limit` bytes; `None` if there is none.
    pub(in crate::source) async fn blob(
        &self,
        repository: &Repository,
        digest: Digest,
        limit: u64,
    ) -> Result<Option<Bytes>, SourceError> {
        let url = repository.api(&format!("blobs/{digest}"))?;
        let answer = self
            .get(repository, &url, "application/octet-stream,*/*", limit)
            .await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        expect_success(&answer, &url, &repository.access.credentials)?;
        verify(repository.reference(&digest.to_string()), &answer.body, digest)?;
        Ok(Some(answer.body))
    }

    /// All tags, in the registry's order.
    pub(super) async fn tags(&self, repository: &Repository) -> Result<Vec<String>, SourceError> {
        let mut url = repository.api("tags/list?n=1000")?;
        let mut tags = Vec::new();
        for _ in 0..PAGES {
            let answer = self
                .get(repository, &url, "application/json", self.limits.manifest)
                .await?;
            if answer.status == StatusCode::NOT_FOUND {
                let chart = repository.to_string().rsplit('/').next().unwrap_or_default().to_owned();
                return Err(SourceError::ChartNotFound {
                    url: repository.to_string(),
                    chart,
                    available: Vec::new(),
                });
            }
            expect_success(&answer, &url, &repository.access.credentials)?;
            let page: Tags = serde_json::from_slice(&answer.body).map_err(|error| SourceError::Protocol {
                url: shown(&url),
                reason: format!("its list of tags cannot be read: {error}"),
            })?;
            tags.extend(page.tags.unwrap_or_default());
            if tags.len() > self.limits.tags {
                break;
            }
            match next_page(&url, &answer.headers)? {
                Some(next) => url = next,
                None => return Ok(tags),
            }
        }
        Err(SourceError::TooMany {
            what: repository.to_string(),
            things: "tags",
            limit: self.limits.tags,
        })
    }

    /// Sends a request with the known login; logs in and sends it again when the registry wants that.
    pub(super) async fn get(
        &self,
        repository: &Repository,
        url: &Url,
        accept: &'static str,
        limit: u64,
    ) -> Result<Answer, SourceError> {
        let access = &repository.access;
        let key = repository.fingerprint();
        let known = self
            .logins
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .cloned();
        // A password is only sent where a registry asks for it: most want it at their token server.
        let login = known.unwrap_or_else(|| match &access.credentials {
            token @ Credentials::Bearer(_) => token.clone(),
            Credentials::Basic { .. } | Credentials::Anonymous => Credentials::Anonymous,
        });
        let request = |login| Request {
            url,
            access,
            login,
            accept,
            headers: HeaderMap::new(),
            limit,
        };
        let answer = self.transport.get(request(&login)).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let Some(login) = self.log_in(repository, url, &answer.headers).await? else {
            return Ok(answer);
        };
        let answer = self.transport.get(request(&login)).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
            if logins.len() >= LOGINS {
                logins.clear();
            }
            logins.insert(key, login);
        }
        Ok(answer)
    }

    /// What the registry's challenge asks for; `None` if we cannot give that.
    async fn log_in(
        &self,
        repository: &Repository,
        url: &Url,
        headers: &HeaderMap,
    ) -> Result<Option<Credentials>, SourceError> {
        let challenges = headers
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok());
        for challenge in challenges.flat_map(ChallengeParser::new).map_while(Result::ok) {
            if challenge.scheme.eq_ignore_ascii_case("basic") {
                let basic = matches!(repository.access.credentials, Credentials::Basic { .. });
                return Ok(basic.then(|| repository.access.credentials.clone()));
            }
            if challenge.scheme.eq_ignore_ascii_case("bearer") {
                let parameter = |wanted: &str| {
                    let mut parameters = challenge.params.iter();
                    parameters
                        .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
                        .map(|(_, value)| value.to_unescaped())
                };
                let realm = parameter("realm").and_then(|realm| Url::parse(&realm).ok());
                let realm = realm.ok_or_else(|| SourceError::Protocol {
                    url: shown(url),
                    reason: "it asks for a token, but not for one of a valid address".to_owned(),
                })?;
                return self.token(repository, url, realm, parameter("service")).await.map(Some);
            }
        }
        Ok(None)
    }

    async fn token(
        &self,
        repository: &Repository,
        registry: &Url,
        mut realm: Url,
        service: Option<String>,
    ) -> Result<Credentials, SourceError> {
        let refused = |reason: &str| SourceError::Protocol {
            url: shown(registry),
            reason: reason.to_owned(),
        };
        match (registry.scheme(), realm.scheme()) {
            (_, "https") | ("http", "http") => {}
            _ => return Err(refused("it sends its users to a token server without TLS")),
        }
        if let Some(service) = service {
            realm.query_pairs_mut().append_pair("service", &service);
        }
        realm.query_pairs_mut().append_pair("scope", &repository.scope());
        let access = &repository.access;
        let login = match &access.credentials {
            basic @ Credentials::Basic { .. } => basic.clone(),
            // The registry has just refused this token: the token server is not shown it.
            Credentials::Bearer(_) | Credentials::Anonymous => Credentials::Anonymous,
        };
        let (url, accept, limit) = (&realm, "application/json", self.limits.manifest);
        let request = Request {
            url,
            access,
            login: &login,
            accept,
            headers: HeaderMap::new(),
            limit,
        };
        let answer = self.transport.get(request).await?;
        expect_success(&answer, &realm, &login)?;
        let token: Option<Token> = serde_json::from_slice(&answer.body).ok();
        let token = token
            .and_then(|Token { token, access_token }| token.or(access_token))
            .filter(|token| !token.is_empty());
        token
            .map(|token| Credentials::Bearer(Secret::new(token)))
            .ok_or_else(|| refused("its token server gives no token"))
    }
}

/// The next page that a `Link` header names; it has to be on the same server, which gets our login.
pub(super) fn next_page(current: &Url, headers: &HeaderMap) -> Result<Option<Url>, SourceError> {
    let link = headers.get(LINK).and_then(|link| link.to_str().ok());
    let target = link.filter(|link| link.contains("rel=\"next\"") || link.contains("rel=next"));
    let Some(target) = target
        .and_then(|link| link.split_once('<')?.1.split_once('>'))
        .map(|(target, _)| target)
    else {
        return Ok(None);
    };
    let next = current
        .join(target)
        .ok()
        .filter(|next| next.origin() == current.origin());
    next.map(Some).ok_or_else(|| SourceError::Protocol {
        url: shown(current),
        reason: "the next page of its list is on another server".to_owned(),
    })
}
