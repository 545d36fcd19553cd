//! The facade: from a reference to a resolved chart, from a resolved chart to its bytes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::FutureExt as _;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use url::Url;

use super::cache::Cache;
use super::credentials::Access;
use super::digest::Digest;
use super::directory;
use super::error::SourceError;
use super::folder;
use super::http::{self, HttpRepositories, IndexState};
use super::limits::Limits;
use super::oci::Registry;
use super::reference::{
    ChartReference, Holds, HttpReference, Location, OciReference, OciSelector, PublishedReference, ResolvedChart,
    UrlReference,
};
use super::single_flight::SingleFlight;
use super::transport::{Request, Transport, shown};
use super::{archive, oci};
use crate::chart::File;

/// How many archives without a promised digest are remembered.
const REMEMBERED: usize = 1024;
const ACCEPT: &str = "application/gzip,application/octet-stream";

/// How a [`Fetcher`] works.
#[derive(Debug, Clone)]
pub struct FetcherOptions {
    /// Where archives are kept; in memory without one.
    pub cache_directory: Option<PathBuf>,
    /// How many bytes of archives are kept.
    pub cache_capacity: u64,
    /// The bounds on what is read.
    pub limits: Limits,
    /// How we call ourselves to servers.
    pub user_agent: String,
}

impl Default for FetcherOptions {
    /// In memory, at most 64 MiB.
    fn default() -> Self {
        Self {
            cache_directory: None,
            cache_capacity: 64 * 1024 * 1024,
            limits: Limits::default(),
            user_agent: concat!("fairlead/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// A chart's content.
#[derive(Debug, Clone)]
pub enum ChartContent {
    /// A packed chart.
    Archive(Bytes),
    /// The files of a chart directory, without what its `.helmignore` leaves out.
    Directory(Vec<File>),
}

/// Finds and fetches charts. Cheap to clone; clones share connections, indexes and the cache.
///
/// A rustls crypto provider has to be installed (`CryptoProvider::install_default`) before the first request.
#[derive(Clone)]
pub struct Fetcher(Arc<Inner>);

struct Inner {
    transport: Arc<Transport>,
    repositories: HttpRepositories,
    registry: Registry,
    cache: Cache,
    limits: Limits,
    /// By digest and access, so that nobody gets to see another's refusal.
    flights: SingleFlight<(Digest, Digest), Result<Bytes, SourceError>>,
    /// What archives without a promised digest were when they were last fetched.
    undigested: Mutex<HashMap<Digest, (HeaderMap, Digest)>>,
}

impl Fetcher {
    /// A fetcher; fails only when the cache directory cannot be used.
    pub async fn open(options: FetcherOptions) -> Result<Self, SourceError> {
        let FetcherOptions {
            cache_directory,
            cache_capacity,
            limits,
            user_agent,
        } = options;
        let path = cache_directory.clone().unwrap_or_default();
        let cache = Cache::open(cache_directory, cache_capacity)
            .await
            .map_err(|error| SourceError::Local {
                path: path.display().to_string(),
                reason: format!("it cannot be used as a cache: {error}"),
            })?;
        let transport = Arc::new(Transport::new(user_agent, limits.redirects));
        Ok(Self(Arc::new(Inner {
            repositories: HttpRepositories::new(transport.clone(), limits),
            registry: Registry::new(transport.clone(), limits),
            transport,
            cache,
            limits,
            flights: SingleFlight::new(),
            undigested: Mutex::default(),
        })))
    }

    /// Finds out which chart a reference means now. Downloads it only where nothing else tells its digest.
    pub async fn resolve(&self, reference: &ChartReference) -> Result<ResolvedChart, SourceError> {
        match reference {
            ChartReference::Directory(path) => self.resolve_directory(path).await,
            ChartReference::Archive(path) => {
                let bytes = archive::read(path, &self.0.limits).await?;
                let digest = Digest::of(&bytes);
                let url = path.display().to_string();
                let archive::Identity { name, version } = archive::identify(&url, bytes, self.0.limits).await?;
                let location = Location::Archive(path.clone());
                Ok(ResolvedChart {
                    name,
                    version,
                    digest,
                    manifest_digest: None,
                    url,
                    location,
                })
            }
            ChartReference::Url(UrlReference { url, access }) => {
                let url = http::parse_url(url)?;
                let access = http::with_login_of(&url, access);
                let digest = self.digest_by_download(&url, &access).await?;
                let resolved = at_url(String::new(), String::new(), url, access, digest);
                let bytes = self.archive(&resolved).await?;
                let archive::Identity { name, version } =
                    archive::identify(&resolved.url, bytes, self.0.limits).await?;
                Ok(ResolvedChart {
                    name,
                    version,
                    ..resolved
                })
            }
            ChartReference::HttpRepository(reference) => self.resolve_http(reference).await,
            ChartReference::Oci(reference) => self.resolve_oci(reference).await,
            ChartReference::Published(reference) => self.resolve_published(reference).await,
        }
    }

    /// Finds out which index a repository has now. Its chart and version are not looked at.
    ///
    /// # Errors
    /// When there is no index, or it cannot be read.
    pub async fn refresh(&self, repository: &HttpReference) -> Result<IndexState, SourceError> {
        self.0.repositories.refresh(repository).await
    }

    /// Whether somebody who is trusted has signed a chart. The digest that is signed is that of its manifest, and everything that is
    /// fetched of it later is held to digests that follow from that one.
    ///
    /// # Errors
    /// When nobody has, the registry does not tell, or the chart is not in a registry.
    #[cfg(feature = "verification")]
    pub async fn verify(&self, chart: &ResolvedChart, trust: &crate::signature::Trust) -> Result<(), SourceError> {
        match (&chart.location, chart.manifest_digest) {
            (Location::Oci { repository, layer: _ }, Some(manifest)) => {
                self.0.registry.verify(repository, manifest, trust).await
            }
            _ => Err(SourceError::NotSigned {
                what: chart.url.clone(),
                looked_for: "registry, and so no signature",
            }),
        }
    }

    /// The content of a resolved chart, from the cache if it is there. It has the promised digest.
    pub async fn fetch(&self, chart: &ResolvedChart) -> Result<ChartContent, SourceError> {
        let (what, actual, content) = match &chart.location {
            Location::Directory(path) => {
                let files = directory::read(path, self.0.limits).await?;
                (
                    path.display().to_string(),
                    directory::digest(&files),
                    ChartContent::Directory(files),
                )
            }
            Location::Archive(path) => {
                let bytes = archive::read(path, &self.0.limits).await?;
                (
                    path.display().to_string(),
                    Digest::of(&bytes),
                    ChartContent::Archive(bytes),
                )
            }
            Location::Folder { tree, folder } => {
                let bytes = self.archive(tree).await?;
                let files = folder::read(&chart.url, bytes, folder, self.0.limits).await?;
                (
                    chart.url.clone(),
                    directory::digest(&files),
                    ChartContent::Directory(files),
                )
            }
            Location::Http { .. } | Location::Oci { .. } => {
                return self.archive(chart).await.map(ChartContent::Archive);
            }
        };
        if actual == chart.digest {
            return Ok(content);
        }
        Err(SourceError::DigestMismatch {
            what,
            expected: chart.digest,
            actual,
        })
    }

    async fn resolve_directory(&self, path: &std::path::Path) -> Result<ResolvedChart, SourceError> {
        let files = directory::read(path, self.0.limits).await?;
        let url = path.display().to_string();
        let archive::Identity { name, version } = identity_of(&files);
        let (digest, location) = (directory::digest(&files), Location::Directory(path.to_owned()));
        Ok(ResolvedChart {
            name,
            version,
            digest,
            manifest_digest: None,
            url,
            location,
        })
    }

    async fn resolve_http(&self, reference: &HttpReference) -> Result<ResolvedChart, SourceError> {
        let http::Found {
            version,
            url,
            digest,
            access,
        } = self.0.repositories.find(reference).await?;
        let name = reference.chart.clone();
        if url.scheme() == "oci" {
            let resolved = self.resolve_oci(&as_oci(&url, access)?).await?;
            return Ok(ResolvedChart {
                name,
                version,
                ..resolved
            });
        }
        let digest = match digest {
            Some(digest) => digest,
            None => self
                .digest_by_download(&url, &access)
                .await
                .map_err(|error| name_chart(error, &name, &version))?,
        };
        Ok(at_url(name, version, url, access, digest))
    }

    async fn resolve_published(&self, reference: &PublishedReference) -> Result<ResolvedChart, SourceError> {
        let PublishedReference {
            url,
            digest,
            folder,
            access,
        } = reference;
        let url = http::parse_url(url)?;
        let holds = if folder.is_some() { Holds::Tree } else { Holds::Chart };
        let packed = ResolvedChart {
            location: Location::Http {
                url: url.clone(),
                access: Box::new(access.clone()),
                holds,
            },
            ..at_url(String::new(), String::new(), url, access.clone(), *digest)
        };
        let bytes = self.archive(&packed).await?;
        let Some(folder) = folder else {
            let archive::Identity { name, version } = archive::identify(&packed.url, bytes, self.0.limits).await?;
            return Ok(ResolvedChart {
                name,
                version,
                ..packed
            });
        };
        let files = folder::read(&packed.url, bytes, folder, self.0.limits).await?;
        let archive::Identity { name, version } = identity_of(&files);
        Ok(ResolvedChart {
            name,
            version,
            digest: directory::digest(&files),
            manifest_digest: None,
            url: packed.url.clone(),
            location: Location::Folder {
                tree: Box::new(packed),
                folder: folder.clone(),
            },
        })
    }

    async fn resolve_oci(&self, reference: &OciReference) -> Result<ResolvedChart, SourceError> {
        let oci::Found {
            name,
            version,
            manifest,
            layer,
            repository,
        } = self.0.registry.find(reference).await?;
        Ok(ResolvedChart {
            name,
            version,
            digest: layer,
            manifest_digest: Some(manifest),
            url: repository.to_string(),
            location: Location::Oci {
                repository: Box::new(repository),
                layer,
            },
        })
    }

    /// The archive behind an HTTP or OCI location: from the cache, or by one download for all who ask now.
    async fn archive(&self, chart: &ResolvedChart) -> Result<Bytes, SourceError> {
        if let Some(bytes) = self.0.cache.get(chart.digest).await {
            return Ok(bytes);
        }
        let access = match &chart.location {
            Location::Http { access, .. } => access.fingerprint(),
            Location::Oci { repository, layer: _ } => repository.access.fingerprint(),
            Location::Directory(_) | Location::Archive(_) | Location::Folder { .. } => chart.digest,
        };
        let (inner, chart) = (self.0.clone(), chart.clone());
        let key = (chart.digest, access);
        self.0
            .flights
            .run(key, || async move { inner.download(&chart).await }.boxed())
            .await
    }

    /// The digest of an archive that nobody promised one for: downloads it unless the server says it has not changed.
    async fn digest_by_download(&self, url: &Url, access: &Access) -> Result<Digest, SourceError> {
        let key = Digest::of(format!("{url} {}", access.fingerprint()).as_bytes());
        let known = self
            .0
            .undigested
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .cloned();
        let headers = known
            .as_ref()
            .map(|(validators, _)| validators.clone())
            .unwrap_or_default();
        let limit = self.0.limits.archive;
        let request = Request {
            url,
            access,
            login: &access.credentials,
            accept: ACCEPT,
            headers,
            limit,
        };
        let answer = self.0.transport.get(request).await?;
        if let (StatusCode::NOT_MODIFIED, Some((_, digest))) = (answer.status, known) {
            return Ok(digest);
        }
        http::expect_success(&answer, url, &access.credentials)?;
        archive::identify(&shown(url), answer.body.clone(), self.0.limits).await?;
        let digest = Digest::of(&answer.body);
        self.0.cache.put(digest, &answer.body).await;
        let mut undigested = self.0.undigested.lock().unwrap_or_else(PoisonError::into_inner);
        if undigested.len() >= REMEMBERED {
            undigested.clear();
        }
        undigested.insert(key, (http::validators(&answer.headers), digest));
        Ok(digest)
    }
}

impl Inner {
    async fn download(&self, chart: &ResolvedChart) -> Result<Bytes, SourceError> {
        // Another flight may have ended between the caller's look and now.
        if let Some(bytes) = self.cache.get(chart.digest).await {
            return Ok(bytes);
        }
        let missing = || SourceError::ArchiveMissing {
            url: chart.url.clone(),
            chart: chart.name.clone(),
            version: chart.version.clone(),
        };
        let limit = self.limits.archive;
        let bytes = match &chart.location {
            Location::Http { url, access, holds: _ } => {
                let headers = HeaderMap::new();
                let request = Request {
                    url,
                    access,
                    login: &access.credentials,
                    accept: ACCEPT,
                    headers,
                    limit,
                };
                let answer = self.transport.get(request).await?;
                if answer.status == StatusCode::NOT_FOUND {
                    return Err(missing());
                }
                http::expect_success(&answer, url, &access.credentials)?;
                answer.body
            }
            Location::Oci { repository, layer } => self
                .registry
                .blob(repository, *layer, limit)
                .await?
                .ok_or_else(missing)?,
            Location::Directory(path) | Location::Archive(path) => archive::read(path, &self.limits).await?,
            Location::Folder { tree, folder: _ } => return Box::pin(self.download(tree)).await,
        };
        let actual = Digest::of(&bytes);
        if actual != chart.digest {
            return Err(SourceError::DigestMismatch {
                what: chart.url.clone(),
                expected: chart.digest,
                actual,
            });
        }
        if !matches!(chart.location, Location::Http { holds: Holds::Tree, .. }) {
            archive::identify(&chart.url, bytes.clone(), self.limits).await?;
        }
        self.cache.put(chart.digest, &bytes).await;
        Ok(bytes)
    }
}

/// Name and version of an unpacked chart. What is wrong with a Chart.yaml is for loading to say.
fn identity_of(files: &[File]) -> archive::Identity {
    let yaml = files.iter().find(|file| file.name == "Chart.yaml");
    let identity = yaml.and_then(|yaml| archive::identity(&yaml.data).ok());
    identity.unwrap_or_default()
}

fn at_url(name: String, version: String, url: Url, access: Access, digest: Digest) -> ResolvedChart {
    let shown_url = shown(&url);
    let location = Location::Http {
        url,
        access: Box::new(access),
        holds: Holds::Chart,
    };
    ResolvedChart {
        name,
        version,
        digest,
        manifest_digest: None,
        url: shown_url,
        location,
    }
}

/// A missing archive is not a missing repository or an unexplained status.
fn name_chart(error: SourceError, chart: &str, version: &str) -> SourceError {
    match error {
        SourceError::Status { url, status: 404 } => SourceError::ArchiveMissing {
            url,
            chart: chart.to_owned(),
            version: version.to_owned(),
        },
        other => other,
    }
}

/// An index entry that points into a registry: `oci://host/path:tag`.
fn as_oci(url: &Url, access: Access) -> Result<OciReference, SourceError> {
    let text = url.as_str();
    let (address, selector) = match (text.rsplit_once('@'), text.rsplit_once(':')) {
        (Some((address, digest)), _) => {
            let digest = digest
                .parse()
                .map_err(|error: super::digest::InvalidDigest| SourceError::InvalidUrl {
                    url: shown(url),
                    reason: error.to_string(),
                })?;
            (address, OciSelector::Digest(digest))
        }
        (None, Some((address, tag))) if !tag.contains('/') => (address, OciSelector::Tag(tag.to_owned())),
        _ => (text, OciSelector::Version(String::new())),
    };
    Ok(OciReference {
        url: address.to_owned(),
        selector,
        media_type: None,
        access,
        insecure: false,
    })
}
