//! What is asked for, and what it turned out to be.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::credentials::Access;
use super::digest::Digest;
use super::oci::Repository;

/// Where a chart comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChartReference {
    /// An unpacked chart.
    Directory(PathBuf),
    /// A packed chart (`.tgz`).
    Archive(PathBuf),
    /// A packed chart at an HTTP(S) address.
    Url(UrlReference),
    /// A chart of an HTTP(S) repository.
    HttpRepository(HttpReference),
    /// A chart in an OCI registry.
    Oci(OciReference),
    /// What somebody else fetched and published.
    Published(PublishedReference),
}

/// What somebody else fetched, and serves with a promise of its digest: an artifact of Flux's source-controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedReference {
    /// Where it is served.
    pub url: String,
    /// Its digest.
    pub digest: Digest,
    /// The folder that is the chart, in a packed tree; without one, a packed chart is served.
    pub folder: Option<String>,
    /// How to get at it.
    pub access: Access,
}

/// A packed chart at an HTTP(S) address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlReference {
    /// The archive's address.
    pub url: String,
    /// How to get at it.
    pub access: Access,
}

/// A chart of an HTTP(S) repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpReference {
    /// The repository's address, without `index.yaml`.
    pub url: String,
    /// The chart's name in the index.
    pub chart: String,
    /// A version or a range; empty for the latest release.
    pub version: String,
    /// How to get at the repository.
    pub access: Access,
    /// Sends the login to the archive's host as well when that is another one.
    pub pass_credentials: bool,
    /// For how long the index is used without asking the server; zero asks every time (conditionally).
    pub refresh: Duration,
}

/// A chart in an OCI registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OciReference {
    /// The chart's address, `oci://host/path/chart`, without tag and digest.
    pub url: String,
    /// Which of its versions.
    pub selector: OciSelector,
    /// The media type of the layer to take; without one, that of Helm charts.
    pub media_type: Option<String>,
    /// How to get at the registry.
    pub access: Access,
    /// Talks plain HTTP.
    pub insecure: bool,
}

/// Which version of a chart in an OCI registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OciSelector {
    /// A version or a range by Helm's rules; empty for the latest release.
    Version(String),
    /// Exactly this tag.
    Tag(String),
    /// The newest tag in the range among those that the filter (a regular expression) matches.
    Range {
        /// The version range.
        range: String,
        /// The filter.
        filter: Option<String>,
    },
    /// Exactly this manifest.
    Digest(Digest),
}

/// A chart that exists: one version with its content's digest.
#[derive(Debug, Clone)]
pub struct ResolvedChart {
    /// The chart's name.
    pub name: String,
    /// Its version as the repository writes it (for OCI with `+` where the tag has `_`).
    pub version: String,
    /// Of the packed chart; of a directory, of its files' paths and contents.
    pub digest: Digest,
    /// Of the OCI manifest.
    pub manifest_digest: Option<Digest>,
    /// Where it is, fit to be shown.
    pub url: String,
    pub(super) location: Location,
}

/// What is packed behind an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Chart,
    Tree,
}

/// How to fetch a resolved chart.
#[derive(Debug, Clone)]
pub(super) enum Location {
    Directory(PathBuf),
    Archive(PathBuf),
    Http {
        url: Url,
        access: Box<Access>,
        holds: Holds,
    },
    Oci {
        repository: Box<Repository>,
        layer: Digest,
    },
    Folder {
        tree: Box<ResolvedChart>,
        folder: String,
    },
}
