//! HTTP(S) chart repositories: the index, which version it has for a range, and where that is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use reqwest::StatusCode;
use reqwest::header::{ETAG, HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use url::Url;

use super::credentials::{Access, Credentials, Secret};
use super::digest::Digest;
use super::error::SourceError;
use super::index::{Index, IndexEntry};
use super::limits::Limits;
use super::reference::HttpReference;
use super::select;
use super::single_flight::SingleFlight;
use super::transport::{Answer, Request, Transport, shown};

/// An index that lacks what is asked for is fetched again when it is older than this.
const RECENT: Duration = Duration::from_secs(2);
/// How many indexes are kept in memory.
const INDEXES: usize = 128;

/// The repositories seen so far.
pub(super) struct HttpRepositories {
    transport: Arc<Transport>,
    limits: Limits,
    known: Arc<Mutex<HashMap<Digest, KnownIndex>>>,
    flights: SingleFlight<Digest, Result<KnownIndex, SourceError>>,
}

#[derive(Clone)]
struct KnownIndex {
    index: Arc<Index>,
    digest: Digest,
    size: u64,
    validators: HeaderMap,
    checked: Instant,
}

/// Which index a repository has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexState {
    /// Of its bytes.
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    /// Where it is, fit to be shown.
    pub url: String,
}

/// A version found in an index.
pub(super) struct Found {
    pub(super) version: String,
    pub(super) url: Url,
    pub(super) digest: Option<Digest>,
    pub(super) access: Access,
}

impl HttpRepositories {
    pub(super) fn new(transport: Arc<Transport>, limits: Limits) -> Self {
        Self {
            transport,
            limits,
            known: Arc::default(),
            flights: SingleFlight::new(),
        }
    }

    /// Finds the version that the reference asks for.
    pub(super) async fn find(&self, reference: &HttpReference) -> Result<Found, SourceError> {
        let HttpReference {
            url,
            chart,
            version: _,
            access,
            pass_credentials,
            refresh,
        } = reference;
        let base = parse_url(url)?;
        let access = with_login_of(&base, access);
        let shown_url = shown(&base);
        let KnownIndex { index, .. } = self.known(&base, &access, *refresh).await?;
        let index = if select_entry(&index, reference, &shown_url).is_ok() {
            index
        } else {
            // It may have been published since.
            self.known(&base, &access, RECENT.min(*refresh)).await?.index
        };
        let entry = select_entry(&index, reference, &shown_url)?;
        let version = entry.version.original().to_owned();
        let Some(archive) = entry.urls.first() else {
            return Err(SourceError::NoArchive {
                url: shown_url,
                chart: chart.clone(),
                version,
            });
        };
        let archive = archive_url(&base, archive)?;
        let digest = entry
            .digest
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(|_| SourceError::InvalidDigest {
                url: shown_url,
                chart: chart.clone(),
                version: version.clone(),
                digest: entry.digest.clone().unwrap_or_default(),
            })?;
        let mut access = access;
        if !pass_credentials && !same_origin(&base, &archive) {
            access.credentials = Credentials::Anonymous;
        }
        Ok(Found {
            version,
            url: archive,
            digest,
            access,
        })
    }

    /// Which index the repository has now: asks the server, however fresh the known one is.
    pub(super) async fn refresh(&self, reference: &HttpReference) -> Result<IndexState, SourceError> {
        let base = parse_url(&reference.url)?;
        let access = with_login_of(&base, &reference.access);
        let known = self.known(&base, &access, Duration::ZERO).await?;
        Ok(IndexState {
            digest: known.digest,
            size: known.size,
            url: shown(&index_url(&base)?),
        })
    }

    /// The index, which may be as old as `fresh_for`.
    async fn known(&self, base: &Url, access: &Access, fresh_for: Duration) -> Result<KnownIndex, SourceError> {
        let url = index_url(base)?;
        let key = Digest::of(format!("{url} {}", access.fingerprint()).as_bytes());
        let known = self
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .cloned();
        if let Some(fresh) = known.as_ref().filter(|known| known.checked.elapsed() < fresh_for) {
            return Ok(fresh.clone());
        }
        let (transport, store, access, limit) = (
            self.transport.clone(),
            self.known.clone(),
            access.clone(),
            self.limits.index,
        );
        let work = async move {
            let updated = request_index(&transport, &url, &access, limit, known).await?;
            remember(
                &mut store.lock().unwrap_or_else(PoisonError::into_inner),
                key,
                updated.clone(),
            );
            Ok(updated)
        };
        self.flights.run(key, || work.boxed()).await
    }
}

/// The entry of an index that a reference asks for.
fn select_entry<'a>(index: &'a Index, reference: &HttpReference, url: &str) -> Result<&'a IndexEntry, SourceError> {
    let (chart, wanted) = (&reference.chart, &reference.version);
    let versions = index.versions(chart).ok_or_else(|| SourceError::ChartNotFound {
        url: url.to_owned(),
        chart: chart.clone(),
        available: select::similar(index.names(), chart),
    })?;
    let selected = select::select(versions, |entry: &IndexEntry| &entry.version, wanted);
    selected
        .map_err(|error| SourceError::InvalidVersion {
            chart: chart.clone(),
            version: wanted.clone(),
            reason: error.to_string(),
        })?
        .ok_or_else(|| SourceError::VersionNotFound {
            url: url.to_owned(),
            chart: chart.clone(),
            version: wanted.clone(),
            available: select::nearest(versions.iter().map(|entry| &entry.version), wanted),
        })
}

/// Asks for the index, or only whether it is still the known one.
async fn request_index(
    transport: &Transport,
    url: &Url,
    access: &Access,
    limit: u64,
    known: Option<KnownIndex>,
) -> Result<KnownIndex, SourceError> {
    let headers = known.as_ref().map(|known| known.validators.clone()).unwrap_or_default();
    let accept = "application/yaml,text/yaml,application/x-yaml,application/json;q=0.9,*/*;q=0.8";
    let request = Request {
        url,
        access,
        login: &access.credentials,
        accept,
        headers,
        limit,
    };
    let answer = transport.get(request).await?;
    if let (StatusCode::NOT_MODIFIED, Some(known)) = (answer.status, known) {
        return Ok(KnownIndex {
            checked: Instant::now(),
            ..known
        });
    }
    if answer.status == StatusCode::NOT_FOUND {
        return Err(SourceError::RepositoryNotFound {
            url: shown(url),
            status: answer.status.as_u16(),
        });
    }
    expect_success(&answer, url, &access.credentials)?;
    let validators = validators(&answer.headers);
    // A large index takes a while: the other tasks of this thread do not wait for it.
    let size = answer.body.len() as u64;
    let parsed = tokio::task::spawn_blocking(move || (Digest::of(&answer.body), Index::parse(&answer.body))).await;
    let (digest, index) = parsed.map_err(|error| SourceError::BrokenIndex {
        url: shown(url),
        line: 0,
        reason: error.to_string(),
    })?;
    let index = index.map_err(|broken| SourceError::BrokenIndex {
        url: shown(url),
        line: broken.line,
        reason: broken.reason,
    })?;
    if index.skipped > 0 {
        tracing::warn!(url = shown(url), skipped = index.skipped, reasons = ?index.reasons, "invalid index entries");
    }
    Ok(KnownIndex {
        index: Arc::new(index),
        digest,
        size,
        validators,
        checked: Instant::now(),
    })
}

fn remember(known: &mut HashMap<Digest, KnownIndex>, key: Digest, index: KnownIndex) {
    known.insert(key, index);
    if known.len() > INDEXES {
        let oldest = known.iter().min_by_key(|(_, known)| known.checked).map(|(key, _)| *key);
        oldest.and_then(|key| known.remove(&key));
    }
}

/// The conditional request headers for an answer.
pub(super) fn validators(answer: &HeaderMap) -> HeaderMap {
    let pairs = [(ETAG, IF_NONE_MATCH), (LAST_MODIFIED, IF_MODIFIED_SINCE)];
    let found = pairs
        .into_iter()
        .filter_map(|(from, to)| Some((to, HeaderValue::clone(answer.get(from)?))));
    found.collect()
}

/// Fails for any answer without content.
pub(super) fn expect_success(answer: &Answer, url: &Url, login: &Credentials) -> Result<(), SourceError> {
    let (url, status) = (shown(url), answer.status.as_u16());
    match answer.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(SourceError::Unauthorized {
            url,
            status,
            credentials: *login != Credentials::Anonymous,
        }),
        StatusCode::OK => Ok(()),
        _ => Err(SourceError::Status { url, status }),
    }
}

/// Reads the URL of a repository or an archive.
pub(super) fn parse_url(text: &str) -> Result<Url, SourceError> {
    let invalid = |reason: String| {
        // What does not parse is not shown: it may hold a password where we do not see it.
        let url = Url::parse(text).map_or_else(|_| "the given URL".to_owned(), |url| shown(&url));
        SourceError::InvalidUrl { url, reason }
    };
    let url = Url::parse(text).map_err(|error| invalid(error.to_string()))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(invalid(format!("its scheme is {other}, not http or https"))),
    }
}

/// The access with the user information of the URL, if it has no login of its own.
pub(super) fn with_login_of(url: &Url, access: &Access) -> Access {
    let mut access = access.clone();
    if access.credentials == Credentials::Anonymous && !url.username().is_empty() {
        access.credentials = Credentials::Basic {
            username: percent_decode(url.username()),
            password: Secret::new(percent_decode(url.password().unwrap_or_default())),
        };
    }
    access
}

fn percent_decode(text: &str) -> String {
    // `form_urlencoded` decodes percent signs, but reads `+` as a space.
    let escaped = text.replace('+', "%2B");
    url::form_urlencoded::parse(escaped.as_bytes())
        .map(|(name, _)| name.into_owned())
        .collect()
}

fn index_url(base: &Url) -> Result<Url, SourceError> {
    let mut url = base.clone();
    {
        let mut path = url.path_segments_mut().map_err(|()| SourceError::InvalidUrl {
            url: shown(base),
            reason: "it has no path".to_owned(),
        })?;
        path.pop_if_empty().push("index.yaml");
    }
    Ok(url)
}

/// Where an archive is: index entries are absolute, or relative to the repository (with its query).
fn archive_url(base: &Url, archive: &str) -> Result<Url, SourceError> {
    let invalid = |reason: String| SourceError::InvalidUrl {
        url: archive_shown(archive),
        reason,
    };
    let resolved = match Url::parse(archive) {
        Ok(absolute) => absolute,
        Err(url::ParseError::RelativeUrlWithoutBase) => {
            let mut folder = base.clone();
            folder.set_path(&format!("{}/", base.path().trim_end_matches('/')));
            let mut resolved = folder.join(archive).map_err(|error| invalid(error.to_string()))?;
            resolved.set_query(base.query());
            resolved
        }
        Err(error) => return Err(invalid(error.to_string())),
    };
    match resolved.scheme() {
        "http" | "https" | "oci" => Ok(resolved),
        other => Err(invalid(format!("its scheme is {other}, not http, https or oci"))),
    }
}

fn archive_shown(archive: &str) -> String {
    Url::parse(archive).map_or_else(
        |_| archive.split(['?', '#']).next().unwrap_or_default().to_owned(),
        |url| shown(&url),
    )
}

fn same_origin(one: &Url, other: &Url) -> bool {
    (one.scheme(), one.host_str(), one.port_or_known_default())
        == (other.scheme(), other.host_str(), other.port_or_known_default())
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::{archive_url, index_url, parse_url, percent_decode};

    #[test]
    fn joins_urls_as_helm_does() {
        let base = |text: &str| Url::parse(text).unwrap();
        for (repository, index) in [
            ("https://x.io", "https://x.io/index.yaml"),
            ("https://x.io/charts/", "https://x.io/charts/index.yaml"),
            ("https://x.io/charts?token=1", "https://x.io/charts/index.yaml?token=1"),
        ] {
            assert_eq!(index_url(&base(repository)).unwrap().as_str(), index);
        }
        for (repository, archive, expected) in [
            ("https://x.io/charts", "a-1.tgz", "https://x.io/charts/a-1.tgz"),
            ("https://x.io/charts/", "sub/a-1.tgz", "https://x.io/charts/sub/a-1.tgz"),
            ("https://x.io/charts", "/a-1.tgz", "https://x.io/a-1.tgz"),
            (
                "https://x.io/charts?token=1",
                "a-1.tgz",
                "https://x.io/charts/a-1.tgz?token=1",
            ),
            ("https://x.io/charts", "http://y.io/a.tgz?b", "http://y.io/a.tgz?b"),
            ("https://x.io/charts", "oci://y.io/a:1", "oci://y.io/a:1"),
        ] {
            assert_eq!(archive_url(&base(repository), archive).unwrap().as_str(), expected);
        }
        assert!(archive_url(&base("https://x.io"), "file:///etc/passwd").is_err());
        let error = parse_url("ftp://me:hunter2@x.io/?hunter2").unwrap_err().to_string();
        assert_eq!(
            error,
            "ftp://x.io/ cannot be used as a chart source: its scheme is ftp, not http or https"
        );
        assert!(
            !parse_url("https://me:hunter2@:x")
                .unwrap_err()
                .to_string()
                .contains("hunter2")
        );
        assert_eq!(percent_decode("a%40b+c%2F"), "a@b+c/");
    }
}
