//! Charts in OCI registries: which tag a version range means, and where its archive is.

mod manifest;
mod registry;
mod repository;
#[cfg(feature = "verification")]
mod signatures;

use sha2::{Digest as _, Sha256};

pub(super) use self::registry::Registry;
pub(super) use self::repository::Repository;
use super::digest::Digest;
use super::error::SourceError;
use super::reference::{OciReference, OciSelector};
use super::select;
use crate::go::regexp::Regexp;
use crate::go::semver::Version;
use manifest::Manifest;

/// A chart found in a registry.
pub(super) struct Found {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) manifest: Digest,
    pub(super) layer: Digest,
    pub(super) repository: Repository,
}

/// A tag that is a version.
struct Tagged {
    tag: String,
    version: Version,
}

impl Registry {
    /// Finds the version that the reference asks for.
    pub(super) async fn find(&self, reference: &OciReference) -> Result<Found, SourceError> {
        let OciReference {
            url,
            selector,
            media_type,
            access,
            insecure,
        } = reference;
        let repository = Repository::parse(url, access, *insecure)?;
        let tag = match selector {
            OciSelector::Digest(digest) => digest.to_string(),
            OciSelector::Tag(tag) => to_tag(tag),
            // A full version needs no list of tags, which can be long.
            OciSelector::Version(version) if Version::parse_strict(version).is_ok() => to_tag(version),
            OciSelector::Version(version) => self.select_version(&repository, version).await?,
            OciSelector::Range { range, filter } => self.select_tag(&repository, range, filter.as_deref()).await?,
        };
        let Some((manifest, digest)) = self.manifest(&repository, &tag).await? else {
            return Err(self.explain_missing(&repository, selector).await);
        };
        if let OciSelector::Digest(expected) = selector
            && *expected != digest
        {
            let what = repository.reference(&tag);
            return Err(SourceError::DigestMismatch {
                what,
                expected: *expected,
                actual: digest,
            });
        }
        let broken = |reason| SourceError::BrokenManifest {
            url: repository.reference(&tag),
            reason,
        };
        let layer = manifest.chart_layer(media_type.as_deref()).map_err(broken)?;
        let version = from_tag(&tag);
        let (name, version) = if Version::parse(&version).is_ok() && !matches!(selector, OciSelector::Digest(_)) {
            (repository.name().to_owned(), version)
        } else {
            // The tag says nothing: the configuration is the chart's Chart.yaml.
            self.describe(&repository, &manifest, &tag).await?
        };
        Ok(Found {
            name,
            version,
            manifest: digest,
            layer,
            repository,
        })
    }

    /// Helm's rules: a tag of exactly this name, else the newest strict version in the range.
    async fn select_version(&self, repository: &Repository, wanted: &str) -> Result<String, SourceError> {
        let tags = self.tags(repository).await?;
        if !wanted.is_empty()
            && let Some(exact) = tags.iter().find(|tag| **tag == to_tag(wanted))
        {
            return Ok(exact.clone());
        }
        let strict = tags.into_iter().filter_map(|tag| {
            Some(Tagged {
                version: Version::parse_strict(&from_tag(&tag)).ok()?,
                tag,
            })
        });
        pick(repository, strict.collect(), wanted)
    }

    /// Flux's rules: the newest lenient version in the range among the tags that the filter matches.
    async fn select_tag(
        &self,
        repository: &Repository,
        range: &str,
        filter: Option<&str>,
    ) -> Result<String, SourceError> {
        let compile = |filter: &str| {
            Regexp::compile(filter).map_err(|error| SourceError::InvalidFilter {
                filter: filter.to_owned(),
                reason: error.to_string(),
            })
        };
        let filter = filter.map(compile).transpose()?;
        let tags = self.tags(repository).await?;
        let matching = tags
            .into_iter()
            .filter(|tag| filter.as_ref().is_none_or(|filter| filter.is_match(tag.as_bytes())));
        let lenient = matching.filter_map(|tag| {
            Some(Tagged {
                version: Version::parse(&from_tag(&tag)).ok()?,
                tag,
            })
        });
        pick(repository, lenient.collect(), range)
    }

    /// Tells a missing chart from a missing version.
    async fn explain_missing(&self, repository: &Repository, selector: &OciSelector) -> SourceError {
        let version = match selector {
            OciSelector::Version(version) | OciSelector::Tag(version) => version.clone(),
            OciSelector::Range { range, filter: _ } => range.clone(),
            OciSelector::Digest(digest) => digest.to_string(),
        };
        match self.tags(repository).await {
            Ok(tags) => {
                let mut versions: Vec<_> = tags
                    .iter()
                    .filter_map(|tag| Version::parse(&from_tag(tag)).ok())
                    .collect();
                versions.sort_by(|one, other| other.compare(one));
                not_found(repository, &version, versions.iter())
            }
            Err(error) => error,
        }
    }

    /// Name and version of a chart whose tag is no version.
    async fn describe(
        &self,
        repository: &Repository,
        manifest: &Manifest,
        tag: &str,
    ) -> Result<(String, String), SourceError> {
        let broken = |reason: &str| SourceError::BrokenManifest {
            url: repository.reference(tag),
            reason: reason.to_owned(),
        };
        let digest = manifest
            .config_digest()
            .ok_or_else(|| broken("its manifest has no configuration"))?;
        let config = self.blob(repository, digest, self.limits().manifest).await?;
        let config = config.ok_or_else(|| broken("its configuration is missing in the registry"))?;
        let chart: manifest::ChartConfig = serde_json::from_slice(&config)
            .map_err(|_| broken("its configuration is not that of a Helm chart (no name and version)"))?;
        Ok((chart.name, chart.version))
    }
}

/// The newest version in the range.
fn pick(repository: &Repository, mut tags: Vec<Tagged>, wanted: &str) -> Result<String, SourceError> {
    tags.sort_by(|one, other| other.version.compare(&one.version));
    let selected = select::select(&tags, |tagged| &tagged.version, wanted);
    let selected = selected.map_err(|error| SourceError::InvalidVersion {
        chart: repository.name().to_owned(),
        version: wanted.to_owned(),
        reason: error.to_string(),
    })?;
    let missing = || not_found(repository, wanted, tags.iter().map(|tagged| &tagged.version));
    selected.map(|tagged| tagged.tag.clone()).ok_or_else(missing)
}

fn not_found<'a>(repository: &Repository, version: &str, sorted: impl Iterator<Item = &'a Version>) -> SourceError {
    SourceError::VersionNotFound {
        url: repository.to_string(),
        chart: repository.name().to_owned(),
        version: version.to_owned(),
        available: select::nearest(sorted, version),
    }
}

/// Tags cannot hold a `+`: Helm writes `_` for it.
fn to_tag(version: &str) -> String {
    version.replace('+', "_")
}

fn from_tag(tag: &str) -> String {
    tag.replace('_', "+")
}

/// Checks downloaded bytes against what was promised.
fn verify(what: String, bytes: &[u8], expected: Digest) -> Result<(), SourceError> {
    let actual = Digest::finish(Sha256::new_with_prefix(bytes));
    if actual == expected {
        Ok(())
    } else {
        Err(SourceError::DigestMismatch { what, expected, actual })
    }
}
