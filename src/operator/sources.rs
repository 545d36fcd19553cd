//! From a HelmRelease to where its chart is: HelmRepositories, OCIRepositories and their Secrets.
//!
//! Edge. The sources are watched; Secrets are read when a chart is looked up, and not kept.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret as KubernetesSecret;
use kube::api::Api;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Client, Resource, ResourceExt};

use crate::api::HelmRelease;
use crate::api::conditions::Reason;
use crate::api::duration::Duration;
use crate::api::helm_release::chart::{ChartReferenceKind, SourceKind};
use crate::api::helm_repository::{HelmRepository, HelmRepositorySpec, RepositoryType};
use crate::api::oci_repository::{OCIRepository, OCIRepositorySpec, OciReference as OciSpecReference};
use crate::source::{
    Access, ChartReference, ClientCertificate, Credentials, DockerConfigError, HttpReference, OciReference,
    OciSelector, Secret, Tls,
};

/// Key of a Secret of the type `kubernetes.io/dockerconfigjson`.
const DOCKER_CONFIG: &str = ".dockerconfigjson";

/// Why it cannot be said where a release's chart is.
#[derive(Debug, thiserror::Error)]
pub enum SourcesError {
    /// The release refers to a kind that Fairlead does not fetch from yet.
    #[error("spec.{field} refers to a {kind}, which is not supported yet; use HelmRepository or OCIRepository")]
    Unsupported {
        /// `chart.spec.sourceRef` or `chartRef`.
        field: &'static str,
        /// The kind.
        kind: &'static str,
    },
    /// Neither or both of `chart` and `chartRef` are set, which the resource's schema refuses.
    #[error("exactly one of spec.chart and spec.chartRef must be set")]
    NoChart,
    /// The source does not exist.
    #[error("{kind} {namespace}/{name} does not exist; create it, or correct spec.{field}")]
    Missing {
        /// Its kind.
        kind: &'static str,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// `chart.spec.sourceRef` or `chartRef`.
        field: &'static str,
    },
    /// A Secret of the source could not be read.
    #[error("Secret {namespace}/{name} of {source_name}: {problem}")]
    Secret {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// The source that refers to it.
        source_name: String,
        /// What is wrong.
        problem: String,
    },
    /// The source is suspended, and the chart was not looked up before.
    #[error("{source_name} is suspended; set its spec.suspend to false")]
    Suspended {
        /// Its kind and name.
        source_name: String,
    },
    /// The source asks for something that would be unsafe to go without.
    #[error("{source_name}: spec.{field} is not supported yet, and nothing is fetched without; remove it")]
    NotSupported {
        /// The source.
        source_name: String,
        /// The field.
        field: &'static str,
    },
    /// A digest that is none.
    #[error("{source_name}: spec.ref.digest {digest:?} is not of the form sha256:<64 hexadecimal digits>")]
    Digest {
        /// The source.
        source_name: String,
        /// As given.
        digest: String,
    },
}

impl SourcesError {
    /// The reason in `Ready`.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Unsupported { .. } | Self::NoChart => Reason::InvalidSpec,
            Self::Missing { .. }
            | Self::Secret { .. }
            | Self::Suspended { .. }
            | Self::NotSupported { .. }
            | Self::Digest { .. } => Reason::SourceNotReady,
        }
    }

    /// Whether it may pass without a change of the release: sources and Secrets are other objects.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unsupported { .. } | Self::NoChart => false,
            Self::Missing { .. }
            | Self::Secret { .. }
            | Self::Suspended { .. }
            | Self::NotSupported { .. }
            | Self::Digest { .. } => true,
        }
    }
}

/// A source as it stands, and what a release wants of it.
#[derive(Debug, Clone)]
pub enum Located {
    /// A chart of a HelmRepository.
    Repository {
        /// The repository.
        repository: std::sync::Arc<HelmRepository>,
        /// Name of the chart.
        chart: String,
        /// Version or range.
        version: String,
    },
    /// An artifact.
    Artifact {
        /// Where it is.
        repository: std::sync::Arc<OCIRepository>,
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

    /// The reference that fetches the chart, with the credentials that the source names.
    pub async fn reference(&self, located: &Located) -> Result<ChartReference, SourcesError> {
        match located {
            Located::Repository {
                repository,
                chart,
                version,
            } => self.repository_reference(repository, chart, version).await,
            Located::Artifact { repository } => self.artifact_reference(repository).await,
        }
    }

    async fn repository_reference(
        &self,
        repository: &HelmRepository,
        chart: &str,
        version: &str,
    ) -> Result<ChartReference, SourcesError> {
        let HelmRepositorySpec {
            url,
            type_,
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
            client: &self.client,
            namespace: repository.namespace().unwrap_or_default(),
            source_name: format!("HelmRepository {}", repository.name_any()),
        };
        let is_registry = *type_ == Some(RepositoryType::Oci) || url.starts_with("oci://");
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

    async fn artifact_reference(&self, repository: &OCIRepository) -> Result<ChartReference, SourcesError> {
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
            verify,
            insecure,
            ignore: _,
        } = &repository.spec;
        let source_name = format!("OCIRepository {}", repository.name_any());
        if verify.is_some() {
            return Err(SourcesError::NotSupported {
                source_name,
                field: "verify",
            });
        }
        let secrets = Secrets {
            client: &self.client,
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

fn find<K>(
    store: &Store<K>,
    kind: &'static str,
    namespace: &str,
    name: &str,
    field: &'static str,
) -> Result<std::sync::Arc<K>, SourcesError>
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

/// The Secrets of one source.
struct Secrets<'a> {
    client: &'a Client,
    namespace: String,
    source_name: String,
}

impl Secrets<'_> {
    fn error(&self, name: &str, problem: impl Into<String>) -> SourcesError {
        SourcesError::Secret {
            namespace: self.namespace.clone(),
            name: name.to_owned(),
            source_name: self.source_name.clone(),
            problem: problem.into(),
        }
    }

    async fn read(&self, name: &str) -> Result<BTreeMap<String, ByteString>, SourcesError> {
        let secrets: Api<KubernetesSecret> = Api::namespaced(self.client.clone(), &self.namespace);
        match secrets.get_opt(name).await {
            Ok(Some(secret)) => Ok(secret.data.unwrap_or_default()),
            Ok(None) => Err(self.error(name, "it does not exist")),
            Err(error) => Err(self.error(name, error.to_string())),
        }
    }

    /// A login: `username` and `password`, `bearerToken`, or for a registry a Docker configuration.
    async fn credentials(&self, name: &str, registry: Option<&String>) -> Result<Credentials, SourcesError> {
        let data = self.read(name).await?;
        if let (Some(config), Some(registry)) = (data.get(DOCKER_CONFIG), registry) {
            let credentials = Credentials::from_docker_config(&config.0, registry);
            return credentials.map_err(|error: DockerConfigError| self.error(name, error.to_string()));
        }
        let text = |key: &str| {
            let bytes = data.get(key).map(|bytes| bytes.0.clone());
            bytes.map(|bytes| String::from_utf8(bytes).map_err(|_| self.error(name, format!("{key} is not text"))))
        };
        match (
            text("username").transpose()?,
            text("password").transpose()?,
            text("bearerToken").transpose()?,
        ) {
            (Some(username), Some(password), _) => Ok(Credentials::Basic {
                username,
                password: Secret::new(password),
            }),
            (None, None, Some(token)) => Ok(Credentials::Bearer(Secret::new(token))),
            _ => Err(self.error(
                name,
                "it has neither username and password, nor bearerToken, nor .dockerconfigjson",
            )),
        }
    }

    /// `ca.crt`, and `tls.crt` with `tls.key`.
    async fn tls(&self, name: &str) -> Result<Tls, SourcesError> {
        let data = self.read(name).await?;
        let bytes = |key: &str| data.get(key).map(|bytes| bytes.0.clone());
        let client = match (bytes("tls.crt"), bytes("tls.key")) {
            (Some(certificate), Some(key)) => {
                let key = String::from_utf8(key).map_err(|_| self.error(name, "tls.key is not PEM"))?;
                Some(ClientCertificate {
                    certificate,
                    key: Secret::new(key),
                })
            }
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err(self.error(name, "tls.crt and tls.key must be there together"));
            }
        };
        Ok(Tls {
            certificate_authorities: bytes("ca.crt"),
            client,
            insecure_skip_verify: false,
        })
    }
}
