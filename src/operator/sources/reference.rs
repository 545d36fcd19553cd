//! From a source's spec to the reference that fetches from it, with the credentials that it names.
//!
//! Edge. Reads Secrets, fetches nothing.

use kube::ResourceExt;

use super::error::SourcesError;
use super::secrets::Secrets;
use super::{Located, Sources};
use crate::api::Duration;
use crate::api::helm_repository::{HelmRepository, HelmRepositorySpec, RepositoryType};
use crate::api::oci_repository::{OCIRepository, OCIRepositorySpec, OciReference as OciSpecReference};
use crate::source::{Access, ChartReference, HttpReference, OciReference, OciSelector};

impl Sources {
    /// The reference that fetches the chart, with the credentials that the source names.
    pub async fn reference(&self, located: &Located) -> Result<ChartReference, SourcesError> {
        match located {
            Located::Repository {
                repository,
                chart,
                version,
                verify: _,
            } => self.repository_reference(repository, chart, version).await,
            Located::Artifact { repository } => self.artifact_reference(repository).await,
            Located::Published(published) => Ok(ChartReference::Published(published.reference.clone())),
        }
    }

    pub(super) async fn repository_reference(
        &self,
        repository: &HelmRepository,
        chart: &str,
        version: &str,
    ) -> Result<ChartReference, SourcesError> {
        let HelmRepositorySpec {
            url,
            type_: _,
            interval,
            timeout,
            suspend: _,
            provider: _,
            secret_ref,
            cert_secret_ref,
            pass_credentials,
            insecure,
            access_from: _,
        } = &repository.spec;
        let secrets = Secrets {
            referred: &self.referred,
            namespace: repository.namespace().unwrap_or_default(),
            source_name: format!("HelmRepository {}", repository.name_any()),
        };
        let is_registry = is_registry(repository);
        let mut access = Access::default();
        if let Some(timeout) = timeout {
            access.timeout = timeout.as_std();
        }
        if let Some(reference) = secret_ref {
            access.credentials = secrets.credentials(&reference.name, is_registry.then_some(url)).await?;
        }
        if let Some(reference) = cert_secret_ref {
            access.tls = secrets.tls(&reference.name).await?;
        }
        Ok(if is_registry {
            ChartReference::Oci(OciReference {
                url: format!("{}/{chart}", url.trim_end_matches('/')),
                selector: OciSelector::Version(version.to_owned()),
                media_type: None,
                access,
                insecure: *insecure,
            })
        } else {
            ChartReference::HttpRepository(HttpReference {
                url: url.clone(),
                chart: chart.to_owned(),
                version: version.to_owned(),
                access,
                pass_credentials: *pass_credentials,
                refresh: interval.map(Duration::as_std).unwrap_or_default(),
            })
        })
    }

    pub(super) async fn artifact_reference(&self, repository: &OCIRepository) -> Result<ChartReference, SourcesError> {
        let OCIRepositorySpec {
            url,
            reference,
            layer_selector,
            interval: _,
            timeout,
            suspend: _,
            provider: _,
            secret_ref,
            service_account_name: _,
            cert_secret_ref,
            proxy_secret_ref: _,
            verify: _,
            insecure,
            ignore: _,
        } = &repository.spec;
        let source_name = format!("OCIRepository {}", repository.name_any());
        let secrets = Secrets {
            referred: &self.referred,
            namespace: repository.namespace().unwrap_or_default(),
            source_name: source_name.clone(),
        };
        let mut access = Access {
            timeout: timeout.as_std(),
            ..Access::default()
        };
        if let Some(reference) = secret_ref {
            access.credentials = secrets.credentials(&reference.name, Some(url)).await?;
        }
        if let Some(reference) = cert_secret_ref {
            access.tls = secrets.tls(&reference.name).await?;
        }
        let OciSpecReference {
            digest,
            semver,
            semver_filter,
            tag,
        } = reference.clone().unwrap_or_default();
        let selector = match (digest, semver, tag) {
            (Some(digest), _, _) => OciSelector::Digest(
                digest
                    .parse()
                    .map_err(|_| SourcesError::Digest { source_name, digest })?,
            ),
            (None, Some(range), _) => OciSelector::Range {
                range,
                filter: semver_filter,
            },
            (None, None, tag) => OciSelector::Tag(tag.unwrap_or_else(|| "latest".to_owned())),
        };
        Ok(ChartReference::Oci(OciReference {
            url: url.clone(),
            selector,
            media_type: layer_selector.as_ref().and_then(|selector| selector.media_type.clone()),
            access,
            insecure: *insecure,
        }))
    }
}

/// Whether the repository's charts are in a registry.
pub(super) fn is_registry(repository: &HelmRepository) -> bool {
    repository.spec.type_ == Some(RepositoryType::Oci) || repository.spec.url.starts_with("oci://")
}
