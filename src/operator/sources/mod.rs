//! From a HelmRelease to where its chart is: HelmRepositories, OCIRepositories and their Secrets.
//!
//! Edge. The sources are watched; Secrets are read when a chart is looked up, and not kept.

mod error;
mod keep;
mod reference;
mod secrets;

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ObjectMeta, PartialObjectMeta};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Client, Resource, ResourceExt};

pub use self::error::SourcesError;
use self::keep::Known;
pub(super) use self::keep::keep;
use crate::api::HelmRelease;
use crate::api::helm_release::chart::{ChartReferenceKind, SourceKind};
use crate::api::helm_repository::HelmRepository;
use crate::api::oci_repository::OCIRepository;
use crate::api::source_status::Artifact;
use crate::operator::policies::Policies;
use crate::source::ResolvedChart;

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

    /// Whether the operator looks at the source by itself: another chart shows in the source's status, so that nobody else needs to ask.
    pub fn is_kept(&self) -> bool {
        let (source, observed_generation, artifact) = self.state();
        artifact.is_some() && observed_generation == source.generation
    }

    /// Changes whenever looking the chart up again may give another one for a reason other than time.
    pub fn key(&self) -> String {
        let (source, _, artifact) = self.state();
        let uid = source.uid.as_deref().unwrap_or_default();
        let generation = source.generation.unwrap_or_default();
        let revision = artifact.map(|artifact| artifact.revision.as_str()).unwrap_or_default();
        match self {
            Self::Repository { chart, version, .. } => format!("{uid}@{generation} {revision} {chart} {version}"),
            Self::Artifact { .. } => format!("{uid}@{generation} {revision}"),
        }
    }

    /// The source, and what its status says: for which generation, and of which artifact.
    fn state(&self) -> (&ObjectMeta, Option<i64>, Option<&Artifact>) {
        match self {
            Self::Repository { repository, .. } => {
                let status = repository.status.as_ref();
                let artifact = status.and_then(|status| status.artifact.as_ref());
                (
                    repository.meta(),
                    status.and_then(|status| status.observed_generation),
                    artifact,
                )
            }
            Self::Artifact { repository } => {
                let status = repository.status.as_ref();
                let artifact = status.and_then(|status| status.artifact.as_ref());
                (
                    repository.meta(),
                    status.and_then(|status| status.observed_generation),
                    artifact,
                )
            }
        }
    }
}

/// The sources of the cluster.
#[derive(Clone)]
pub struct Sources {
    client: Client,
    repositories: Store<HelmRepository>,
    artifacts: Store<OCIRepository>,
    namespaces: Store<PartialObjectMeta<Namespace>>,
    known: Known,
}

impl Sources {
    /// Sources from these stores, which somebody else keeps up to date.
    pub(super) fn new(
        client: &Client,
        repositories: Store<HelmRepository>,
        artifacts: Store<OCIRepository>,
        policies: &Policies,
    ) -> Self {
        Self {
            client: client.clone(),
            repositories,
            artifacts,
            namespaces: policies.namespaces(),
            known: Known::default(),
        }
    }

    /// The chart that a source was when it was last looked at, if it is of one chart only and has not changed since.
    pub fn known(&self, located: &Located) -> Option<ResolvedChart> {
        match located {
            Located::Repository { .. } => None,
            Located::Artifact { repository } => self.known.chart(repository.as_ref()),
        }
    }

    /// Whether a repository lets releases of this namespace use it. Its own may always.
    fn admits(&self, repository: &HelmRepository, namespace: &str) -> bool {
        let Some(access) = &repository.spec.access_from else {
            return true;
        };
        if repository.namespace().as_deref() == Some(namespace) {
            return true;
        }
        let known = self.namespaces.get(&ObjectRef::new(namespace));
        let labels = known.as_ref().map(|known| known.labels());
        access.admits(labels.unwrap_or(&BTreeMap::new()))
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
                if !self.admits(&repository, release.own_namespace()) {
                    return Err(SourcesError::AccessDenied {
                        source_name: format!("HelmRepository {namespace}/{}", repository.name_any()),
                        namespace: release.own_namespace().to_owned(),
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
