//! Why a chart cannot be had. Messages name the repository, the chart and the version, and never a credential.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::digest::Digest;

/// What kind of trouble it is: decides the reason of a condition and the CLI's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// What the user asked for makes no sense: a URL, a version range, a certificate.
    Configuration,
    /// The repository, chart or version does not exist.
    NotFound,
    /// The server wants other credentials.
    Unauthorized,
    /// The server cannot be reached or does not answer properly now.
    Unavailable,
    /// What was delivered is not what was promised.
    Integrity,
    /// What was delivered is larger than allowed.
    TooLarge,
    /// What was delivered is not an index, a manifest or a chart.
    Content,
    /// A local file cannot be read.
    Local,
}

/// Why a chart cannot be had. URLs are without user information and query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// A URL cannot be used.
    #[error("{url} cannot be used as a chart source: {reason}")]
    InvalidUrl {
        /// The URL as it was given, without its user information.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The wanted version is neither a version nor a range.
    #[error(
        "version {version:?} of chart {chart} is neither a version nor a range: {reason}; \
             write for example 1.2.3, 1.2.x or \">=1.2 <2\""
    )]
    InvalidVersion {
        /// The chart.
        chart: String,
        /// What was asked for.
        version: String,
        /// What the parser says.
        reason: String,
    },
    /// A filter on tags is not a regular expression.
    #[error("the tag filter {filter:?} is not a regular expression: {reason}")]
    InvalidFilter {
        /// The filter.
        filter: String,
        /// What the parser says.
        reason: String,
    },
    /// Certificates, keys or credentials cannot be read.
    #[error("{what} for {url} cannot be used: {reason}")]
    InvalidCredentials {
        /// What they are for.
        url: String,
        /// Which part: "the CA bundle", "the client certificate", ...
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no repository at this URL.
    #[error("no chart repository at {url}: the server answered {status}; check the URL")]
    RepositoryNotFound {
        /// What was asked for.
        url: String,
        /// The server's answer.
        status: u16,
    },
    /// The repository does not have this chart.
    #[error("repository {url} has no chart {chart}{}", hint(". It has: ", .available))]
    ChartNotFound {
        /// The repository.
        url: String,
        /// The chart.
        chart: String,
        /// Charts with similar names (at most ten).
        available: Vec<String>,
    },
    /// The repository has the chart, but not this version.
    #[error("repository {url} has no version of chart {chart} that matches {version:?}{}", hint("; available: ", .available))]
    VersionNotFound {
        /// The repository.
        url: String,
        /// The chart.
        chart: String,
        /// The version or range.
        version: String,
        /// The nearest versions (at most ten).
        available: Vec<String>,
    },
    /// The repository has the version, but says not where the archive is.
    #[error("repository {url} names no archive of chart {chart} {version}: its index entry has no URL")]
    NoArchive {
        /// The repository.
        url: String,
        /// The chart.
        chart: String,
        /// The version.
        version: String,
    },
    /// The archive that the index or the manifest names is missing.
    #[error("{url} of chart {chart} {version} is missing on the server; the repository's index or tag is out of date")]
    ArchiveMissing {
        /// The archive's URL.
        url: String,
        /// The chart.
        chart: String,
        /// The version.
        version: String,
    },
    /// The server wants (other) credentials.
    #[error("{url} refuses access ({status}){}", if *.credentials { ": the given credentials are not accepted" }
            else { ": it needs credentials and none are given for it" })]
    Unauthorized {
        /// What was asked for.
        url: String,
        /// The server's answer.
        status: u16,
        /// Whether credentials were sent.
        credentials: bool,
    },
    /// The server cannot be reached.
    #[error("{url} cannot be reached: {reason}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// What the network says.
        reason: String,
    },
    /// The server did not answer in time.
    #[error("{url} did not answer within {timeout:?}")]
    Timeout {
        /// What was asked for.
        url: String,
        /// The time that it was given.
        timeout: Duration,
    },
    /// The server answered with another error.
    #[error("{url} answered {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// The server's answer.
        status: u16,
    },
    /// The server redirects without end, or to where we do not go.
    #[error("{url} redirects {reason}")]
    Redirect {
        /// What was asked for.
        url: String,
        /// More than allowed, or to plain HTTP.
        reason: String,
    },
    /// What the server sends is larger than allowed.
    #[error("{what} is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The URL or path.
        what: String,
        /// The limit.
        limit: u64,
    },
    /// There is more of something than allowed.
    #[error("{what} has more than {limit} {things}")]
    TooMany {
        /// The URL or path.
        what: String,
        /// What there is too much of.
        things: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The index is not one.
    #[error("the index of chart repository {url} is broken at line {line}: {reason}")]
    BrokenIndex {
        /// The index file.
        url: String,
        /// The line, counted from one.
        line: u64,
        /// What is wrong there.
        reason: String,
    },
    /// The OCI manifest is not one, or not a chart's.
    #[error("{url} is not a Helm chart: {reason}")]
    BrokenManifest {
        /// The manifest's reference.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The server's answer does not follow the registry protocol.
    #[error("{url} does not answer as an OCI registry: {reason}")]
    Protocol {
        /// What was asked for.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// What was delivered is not what was promised.
    #[error(
        "{what} has the digest {actual}, expected {expected}: it was changed after it was published, \
             or on the way"
    )]
    DigestMismatch {
        /// The URL or path.
        what: String,
        /// What the index, the tag or the caller promised.
        expected: Digest,
        /// What came.
        actual: Digest,
    },
    /// Nobody has signed it.
    #[error("{what} is not signed: the registry has no {looked_for} of it; sign it, or do not ask for a signature")]
    NotSigned {
        /// The artifact, with its digest.
        what: String,
        /// What kinds of signature were looked for.
        looked_for: &'static str,
    },
    /// Nobody who is trusted has signed it.
    #[error(
        "{what} is signed by nobody who is trusted ({trusted}): {reason}; sign it as somebody who is trusted, \
             or trust whoever signed it"
    )]
    NotTrusted {
        /// The artifact, with its digest.
        what: String,
        /// Who is trusted.
        trusted: String,
        /// What is wrong with each signature (of the first few).
        reason: String,
    },
    /// The index gives something else than a SHA-256 digest.
    #[error(
        "the index of chart repository {url} gives chart {chart} {version} the digest {digest:?}, \
             which is not a SHA-256 digest"
    )]
    InvalidDigest {
        /// The repository.
        url: String,
        /// The chart.
        chart: String,
        /// The version.
        version: String,
        /// The digest as it is written.
        digest: String,
    },
    /// What was delivered is not a packed chart.
    #[error("{what} is not a packed chart: {reason}")]
    NotAChart {
        /// The URL or path.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A directory has no Chart.yaml.
    #[error("unable to detect chart at {path}: {reason}")]
    NoChart {
        /// Where it should be.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// A chart's .helmignore does not parse.
    #[error("{reason}\n  in {path}")]
    Ignore {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A symbolic link in a chart leads nowhere.
    #[error("error evaluating symlink {path}: {reason}")]
    Link {
        /// The link.
        path: String,
        /// What the system says of what it leads to.
        reason: String,
    },
    /// A device, a socket or a pipe in a chart.
    #[error("cannot load irregular file {path} as it has file mode type bits set")]
    Irregular {
        /// The file.
        path: String,
    },
    /// A local file cannot be read.
    #[error("{path}: {reason}")]
    Local {
        /// The file or directory.
        path: String,
        /// What the system says.
        reason: String,
    },
}

impl SourceError {
    /// What kind of trouble this is.
    pub fn category(&self) -> Category {
        match self {
            Self::InvalidUrl { .. }
            | Self::InvalidVersion { .. }
            | Self::InvalidFilter { .. }
            | Self::InvalidCredentials { .. } => Category::Configuration,
            Self::RepositoryNotFound { .. }
            | Self::ChartNotFound { .. }
            | Self::VersionNotFound { .. }
            | Self::NoArchive { .. }
            | Self::ArchiveMissing { .. } => Category::NotFound,
            Self::Unauthorized { .. } => Category::Unauthorized,
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Status { .. } => Category::Unavailable,
            Self::DigestMismatch { .. } | Self::NotSigned { .. } | Self::NotTrusted { .. } => Category::Integrity,
            Self::TooLarge { .. } | Self::TooMany { .. } => Category::TooLarge,
            Self::Redirect { .. }
            | Self::BrokenIndex { .. }
            | Self::BrokenManifest { .. }
            | Self::InvalidDigest { .. }
            | Self::Protocol { .. }
            | Self::NotAChart { .. } => Category::Content,
            Self::NoChart { .. }
            | Self::Ignore { .. }
            | Self::Link { .. }
            | Self::Irregular { .. }
            | Self::Local { .. } => Category::Local,
        }
    }

    /// Whether the signatures are what is wrong: the artifact itself is there.
    pub const fn is_about_signatures(&self) -> bool {
        matches!(self, Self::NotSigned { .. } | Self::NotTrusted { .. })
    }

    /// Whether the same request may succeed soon without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Status { status, .. } => *status >= 500 || matches!(status, 408 | 425 | 429),
            other => other.category() == Category::Unavailable,
        }
    }
}

/// What the system says of a call that failed, as Go puts it: `open a.yaml: no such file or directory`.
pub(crate) fn system_error(call: &str, path: &Path, error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    // The system's texts begin with a capital letter, Go's do not.
    let lower: String = text
        .chars()
        .take(1)
        .flat_map(char::to_lowercase)
        .chain(text.chars().skip(1))
        .collect();
    format!("{call} {}: {lower}", path.display())
}

fn hint(prefix: &str, names: &[String]) -> String {
    if names.is_empty() {
        String::new()
    } else {
        format!("{prefix}{}", names.join(", "))
    }
}
