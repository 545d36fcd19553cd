//! The address of a chart in a registry.

use std::fmt;

use url::Url;

use crate::source::credentials::Access;
use crate::source::digest::Digest;
use crate::source::error::SourceError;

/// What Docker Hub's API host is called.
const DOCKER_HUB: &str = "registry-1.docker.io";
/// The longest repository path, in bytes (the registry protocol's own limit for name and host).
const MAXIMUM_PATH: usize = 255;

/// A chart's repository in a registry, and how to get at it.
#[derive(Debug, Clone)]
pub(in crate::source) struct Repository {
    host: String,
    path: String,
    insecure: bool,
    pub(in crate::source) access: Access,
}

impl Repository {
    /// Reads `oci://host[:port]/path`.
    pub(in crate::source) fn parse(url: &str, access: &Access, insecure: bool) -> Result<Self, SourceError> {
        let invalid = |reason: &str| SourceError::InvalidUrl {
            url: safe(url),
            reason: reason.to_owned(),
        };
        let rest = url
            .strip_prefix("oci://")
            .ok_or_else(|| invalid("it does not start with oci://"))?;
        let (host, path) = rest
            .trim_end_matches('/')
            .split_once('/')
            .ok_or_else(|| invalid("it names no chart"))?;
        if host.contains('@') {
            return Err(invalid("it holds a login; give that as credentials"));
        }
        if host.is_empty() || Url::parse(&format!("https://{host}/")).is_err() {
            return Err(invalid("its host is not valid"));
        }
        let part = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte))
                && !part.starts_with('.')
        };
        if path.len() > MAXIMUM_PATH || !path.split('/').all(part) {
            return Err(invalid(
                "its path may only have lower-case letters, digits, dots, underscores and hyphens, \
                                and neither tag nor digest",
            ));
        }
        let host = if matches!(host, "docker.io" | "index.docker.io") {
            DOCKER_HUB
        } else {
            host
        };
        Ok(Self {
            host: host.to_owned(),
            path: path.to_owned(),
            insecure,
            access: access.clone(),
        })
    }

    /// The last part of the path, which Helm makes the chart's name.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The address with a tag or digest.
    pub(super) fn reference(&self, tag: &str) -> String {
        let separator = if tag.contains(':') { '@' } else { ':' };
        format!("{self}{separator}{tag}")
    }

    /// The registry's API below this repository.
    pub(super) fn api(&self, suffix: &str) -> Result<Url, SourceError> {
        let scheme = if self.insecure { "http" } else { "https" };
        let url = format!("{scheme}://{}/v2/{}/{suffix}", self.host, self.path);
        Url::parse(&url).map_err(|error| SourceError::InvalidUrl {
            url: self.to_string(),
            reason: error.to_string(),
        })
    }

    /// The access scope that a token has to have.
    pub(super) fn scope(&self) -> String {
        format!("repository:{}:pull", self.path)
    }

    /// Stands for the repository and the login.
    pub(super) fn fingerprint(&self) -> Digest {
        Digest::of(format!("{} {} {}", self.host, self.path, self.access.fingerprint()).as_bytes())
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "oci://{}/{}", self.host, self.path)
    }
}

/// A URL without anything before an `@`.
fn safe(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::Repository;
    use crate::source::credentials::Access;

    #[test]
    fn reads_addresses() {
        let parse = |url: &str, insecure| Repository::parse(url, &Access::default(), insecure);
        let repository = parse("oci://localhost:5000/charts/shop/", true).unwrap();
        assert_eq!(
            (repository.name(), repository.to_string().as_str()),
            ("shop", "oci://localhost:5000/charts/shop")
        );
        assert_eq!(
            repository.api("tags/list").unwrap().as_str(),
            "http://localhost:5000/v2/charts/shop/tags/list"
        );
        assert_eq!(repository.reference("1.0.0"), "oci://localhost:5000/charts/shop:1.0.0");
        let hub = parse("oci://docker.io/org/shop", false).unwrap();
        assert_eq!(
            hub.api("x").unwrap().as_str(),
            "https://registry-1.docker.io/v2/org/shop/x"
        );
        for bad in [
            "https://x.io/a",
            "oci://x.io",
            "oci:///a",
            "oci://x.io/A",
            "oci://x.io/a:1",
            "oci://x.io/a//b",
            "oci://x.io/../b",
        ] {
            assert!(parse(bad, false).is_err(), "{bad}");
        }
        let error = parse("oci://me:hunter2@x.io/a", false).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
