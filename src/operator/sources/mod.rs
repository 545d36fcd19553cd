//! From a HelmRelease to where its chart is: HelmRepositories, OCIRepositories and their Secrets.
//!
//! Edge. The sources are watched; Secrets are read when a chart is looked up, and not kept.

mod error;
mod reference;
mod secrets;

use std::sync::Arc;

use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Client, Resource, ResourceExt};

pub use self::error::SourcesError;
use crate::api::HelmRelease;
use crate::api::helm_release::chart::{ChartReferenceKind, SourceKind};
use crate::api::helm_repository::HelmRepository;
use crate::api::oci_repository::OCIRepository;

/// A source as it stands, and what a release wants of it.
#[derive(Debug, Clone)]
pub enum Located {
    /// A chart of a HelmRepository.
    Repository {
        /// The repository.
        repository: Arc<HelmRepository>,
        /// Name of the chart.
        chart: String,
        /// Version or range.
        version: String,
    },
    /// An artifact.
    Artifact {
        /// Where it is.
        repository: Arc<OCIRepository>,
    },
}

impl Located {
    /// Kind and name of the source, if it is suspended.
    pub fn suspended(&self) -> Option<String> {
        match self {
            Self::Repository { repository, .. } if repository.spec.suspend => {
                Some(format!("HelmRepository {}", repository.name_any()))
            }
            Self::Artifact { repository } if repository.spec.suspend => {
                Some(format!("OCIRepository {}", repository.name_any()))
            }
            Self::Repository { .. } | Self::Artifact { .. } => None,
        }
    }

    /// Changes whenever looking the chart up again may give another one for a reason other than time.
    pub fn key(&self) -> String {
        let identity = |meta: &kube::api::ObjectMeta| {
            format!(
                "{}@{}",
                meta.uid.as_deref().unwrap_or_default(),
                meta.generation.unwrap_or_default()
            )
        };
        match self {
            Self::Repository {
                repository,
                chart,
                version,
            } => {
                format!("{} {chart} {version}", identity(repository.meta()))
            }
            Self::Artifact { repository } => identity(repository.meta()),
        }
    }
}

/// The sources of the cluster.
#[derive(Clone)]
pub struct Sources {
    client: Client,
    repositories: Store<HelmRepository>,
    artifacts: Store<OCIRepository>,
}

impl Sources {
    /// Sources from these stores, which somebody else keeps up to date.
    pub const fn new(client: Client, repositories: Store<HelmRepository>, artifacts: Store<OCIRepository>) -> Self {
        Self {
            client,
            repositories,
            artifacts,
        }
    }

    /// The source that a release's chart is in.
    pub fn locate(&self, release: &HelmRelease) -> Result<Located, SourcesError> {
        let spec = &release.spec;
        match (&spec.chart, &spec.chart_ref) {
            (Some(chart), None) => {
                let reference = &chart.spec.source_ref;
                let field = "chart.spec.sourceRef";
                let kind = match reference.kind {
                    SourceKind::HelmRepository => "HelmRepository",
                    SourceKind::GitRepository => {
                        return Err(SourcesError::Unsupported {
                            field,
                            kind: "GitRepository",
                        });
                    }
                    SourceKind::Bucket => return Err(SourcesError::Unsupported { field, kind: "Bucket" }),
                };
                let namespace = reference
                    .namespace
                    .as_deref()
                    .unwrap_or_else(|| release.own_namespace());
                let repository = find(&self.repositories, kind, namespace, &reference.name, field)?;
                if namespace != release.own_namespace() && repository.spec.access_from.is_some() {
                    let source_name = format!("HelmRepository {}", repository.name_any());
                    return Err(SourcesError::NotSupported {
                        source_name,
                        field: "accessFrom",
                    });
                }
                Ok(Located::Repository {
                    repository,
                    chart: chart.spec.chart.clone(),
                    version: chart.spec.version.clone(),
                })
            }
            (None, Some(reference)) => {
                let field = "chartRef";
                let kind = match reference.kind {
                    ChartReferenceKind::OCIRepository => "OCIRepository",
                    ChartReferenceKind::HelmChart => {
                        return Err(SourcesError::Unsupported {
                            field,
                            kind: "HelmChart",
                        });
                    }
                    ChartReferenceKind::ExternalArtifact => {
                        return Err(SourcesError::Unsupported {
                            field,
                            kind: "ExternalArtifact",
                        });
                    }
                };
                let namespace = reference
                    .namespace
                    .as_deref()
                    .unwrap_or_else(|| release.own_namespace());
                let repository = find(&self.artifacts, kind, namespace, &reference.name, field)?;
                Ok(Located::Artifact { repository })
            }
            (None, None) | (Some(_), Some(_)) => Err(SourcesError::NoChart),
        }
    }
}

fn find<K>(
    store: &Store<K>,
    kind: &'static str,
    namespace: &str,
    name: &str,
    field: &'static str,
) -> Result<Arc<K>, SourcesError>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    store
        .get(&ObjectRef::new(name).within(namespace))
        .ok_or_else(|| SourcesError::Missing {
            kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            field,
        })
}
