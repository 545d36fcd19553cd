//! From a HelmRelease to where its chart is: HelmRepositories, OCIRepositories and their Secrets, and Flux's sources.
//!
//! Edge. The sources are watched; Secrets are read when a chart is looked up, and not kept.

mod error;
mod flux;
mod keep;
mod located;
mod reference;
mod secrets;
mod stir;
mod verification;

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::PartialObjectMeta;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Client, Resource, ResourceExt};
use tokio::sync::mpsc;

pub use self::error::SourcesError;
use self::flux::{FluxKind, FluxReference, FluxSources, Published};
use self::keep::Known;
pub(super) use self::keep::keep;
pub use self::located::Located;
pub(super) use self::stir::Stir;
pub(super) use self::verification::secrets as verification_secrets;
use crate::api::HelmRelease;
use crate::api::helm_release::chart::{ChartReference, ChartTemplate, SourceReference};
use crate::api::helm_repository::HelmRepository;
use crate::api::oci_repository::OCIRepository;
use crate::operator::follow::Follow;
use crate::operator::policies::Policies;
use crate::operator::referred::Referred;
use crate::signature::Trust;
use crate::source::ResolvedChart;

/// The sources of the cluster.
#[derive(Clone)]
pub struct Sources {
    referred: Referred,
    repositories: Store<HelmRepository>,
    artifacts: Store<OCIRepository>,
    namespaces: Store<PartialObjectMeta<Namespace>>,
    flux: FluxSources,
    known: Known,
}

impl Sources {
    /// Sources from these stores, which somebody else keeps up to date.
    pub(super) fn new(
        client: &Client,
        referred: Referred,
        repositories: Store<HelmRepository>,
        artifacts: Store<OCIRepository>,
        policies: &Policies,
        follow: &Follow,
    ) -> Self {
        Self {
            referred,
            repositories,
            artifacts,
            namespaces: policies.namespaces(),
            flux: FluxSources::new(client.clone(), follow.clone()),
            known: Known::default(),
        }
    }

    /// The chart that a source was when it was last looked at, if it is of one chart only, and neither it nor whose signatures are
    /// trusted has changed since.
    pub fn known(&self, located: &Located, trust: Option<&Trust>) -> Option<ResolvedChart> {
        match located {
            Located::Repository { .. } | Located::Published(_) => None,
            Located::Artifact { repository } => self.known.chart(repository.as_ref(), trust),
        }
    }

    /// Makes the artifacts be looked at anew whose Secrets change; `changed` wakes the one who keeps them.
    pub(super) fn stir(&self, changed: mpsc::UnboundedSender<ObjectRef<OCIRepository>>) -> Stir {
        Stir::new(self.known.clone(), self.artifacts.clone(), changed)
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
    pub async fn locate(&self, release: &HelmRelease) -> Result<Located, SourcesError> {
        if let Some(reference) = FluxReference::of(release) {
            return self.locate_flux(release, reference).await;
        }
        let own = release.own_namespace();
        match (&release.spec.chart, &release.spec.chart_ref) {
            (Some(chart), None) => {
                let SourceReference { name, namespace, .. } = &chart.spec.source_ref;
                let namespace = namespace.as_deref().unwrap_or(own);
                let repository = match self.referred.given().repositories.get(namespace, name) {
                    Some(given) => given,
                    None => find(
                        &self.repositories,
                        "HelmRepository",
                        namespace,
                        name,
                        "chart.spec.sourceRef",
                    )?,
                };
                self.in_repository(repository, chart, own)
            }
            (None, Some(ChartReference { name, namespace, .. })) => {
                let namespace = namespace.as_deref().unwrap_or(own);
                let repository = match self.referred.given().artifacts.get(namespace, name) {
                    Some(given) => given,
                    None => find(&self.artifacts, "OCIRepository", namespace, name, "chartRef")?,
                };
                Ok(Located::Artifact { repository })
            }
            (None, None) | (Some(_), Some(_)) => Err(SourcesError::NoChart),
        }
    }

    async fn locate_flux(&self, release: &HelmRelease, reference: FluxReference<'_>) -> Result<Located, SourcesError> {
        let object = self.flux.get(reference).await?;
        let template = release.spec.chart.as_ref();
        let folder = match reference.kind {
            FluxKind::HelmRepository => {
                let repository = flux::repository(reference, &object)?;
                let template = template.ok_or(SourcesError::NoChart)?;
                return self.in_repository(Arc::new(repository), template, release.own_namespace());
            }
            FluxKind::GitRepository | FluxKind::Bucket => template.map(|template| template.spec.chart.as_str()),
            FluxKind::HelmChart | FluxKind::OCIRepository | FluxKind::ExternalArtifact => None,
        };
        Published::read(reference, &object, folder).map(|published| Located::Published(Box::new(published)))
    }

    fn in_repository(
        &self,
        repository: Arc<HelmRepository>,
        template: &ChartTemplate,
        namespace: &str,
    ) -> Result<Located, SourcesError> {
        if !self.admits(&repository, namespace) {
            let owner = repository.namespace().unwrap_or_default();
            return Err(SourcesError::AccessDenied {
                source_name: format!("HelmRepository {owner}/{}", repository.name_any()),
                namespace: namespace.to_owned(),
            });
        }
        Ok(Located::Repository {
            repository,
            chart: template.spec.chart.clone(),
            version: template.spec.version.clone(),
            verify: template.spec.verify.clone().map(Box::new),
        })
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
