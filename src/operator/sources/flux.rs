//! Flux's own sources: what source-controller fetched and publishes, so that a team can come from Flux without changing its sources.
//!
//! Edge. A kind is followed from the first release on that refers to it; a cluster without Flux is not asked for its kinds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::{Client, ResourceExt};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::watch;

use super::error::SourcesError;
use crate::api::HelmRelease;
use crate::api::helm_release::chart::{ChartReferenceKind, SourceKind};
use crate::api::helm_repository::HelmRepository;
use crate::operator::follow::{Follow, reflected};
use crate::source::{Access, Digest, PublishedReference};

/// The group of Flux's sources.
pub(super) const GROUP: &str = "source.toolkit.fluxcd.io";
const VERSION: &str = "v1";
/// How long the first list of a kind may take.
const FIRST_LIST: Duration = Duration::from_secs(10);

/// A kind of Flux's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FluxKind {
    /// A repository of charts.
    HelmRepository,
    /// A Git repository.
    GitRepository,
    /// A bucket of an object store.
    Bucket,
    /// A chart of one of the others.
    HelmChart,
    /// An artifact in a registry.
    OCIRepository,
    /// What somebody else made.
    ExternalArtifact,
}

impl FluxKind {
    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HelmRepository => "HelmRepository",
            Self::GitRepository => "GitRepository",
            Self::Bucket => "Bucket",
            Self::HelmChart => "HelmChart",
            Self::OCIRepository => "OCIRepository",
            Self::ExternalArtifact => "ExternalArtifact",
        }
    }

    const fn plural(self) -> &'static str {
        match self {
            Self::HelmRepository => "helmrepositories",
            Self::GitRepository => "gitrepositories",
            Self::Bucket => "buckets",
            Self::HelmChart => "helmcharts",
            Self::OCIRepository => "ocirepositories",
            Self::ExternalArtifact => "externalartifacts",
        }
    }

    fn resource(self) -> ApiResource {
        let kind = GroupVersionKind::gvk(GROUP, VERSION, self.as_str());
        ApiResource::from_gvk_with_plural(&kind, self.plural())
    }

    /// The kind that a reference means, if it is one of Flux's: said by its `apiVersion`, or because Fairlead has none of that name.
    pub fn of_source(kind: SourceKind, api_version: Option<&str>) -> Option<Self> {
        match kind {
            SourceKind::HelmRepository => is_flux(api_version).then_some(Self::HelmRepository),
            SourceKind::GitRepository => Some(Self::GitRepository),
            SourceKind::Bucket => Some(Self::Bucket),
        }
    }

    /// As [`FluxKind::of_source`], for `chartRef`.
    pub fn of_chart(kind: ChartReferenceKind, api_version: Option<&str>) -> Option<Self> {
        match kind {
            ChartReferenceKind::OCIRepository => is_flux(api_version).then_some(Self::OCIRepository),
            ChartReferenceKind::HelmChart => Some(Self::HelmChart),
            ChartReferenceKind::ExternalArtifact => Some(Self::ExternalArtifact),
        }
    }
}

fn is_flux(api_version: Option<&str>) -> bool {
    api_version.is_some_and(|version| version.split('/').next() == Some(GROUP))
}

/// Where a release refers to a source of Flux's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FluxReference<'a> {
    /// Its kind.
    pub kind: FluxKind,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// `chart.spec.sourceRef` or `chartRef`.
    pub field: &'static str,
}

impl<'a> FluxReference<'a> {
    /// The one of a release, if it has one.
    pub fn of(release: &'a HelmRelease) -> Option<Self> {
        if let Some(chart) = &release.spec.chart {
            let reference = &chart.spec.source_ref;
            return Some(Self {
                kind: FluxKind::of_source(reference.kind, reference.api_version.as_deref())?,
                namespace: reference
                    .namespace
                    .as_deref()
                    .unwrap_or_else(|| release.own_namespace()),
                name: &reference.name,
                field: "chart.spec.sourceRef",
            });
        }
        let reference = release.spec.chart_ref.as_ref()?;
        Some(Self {
            kind: FluxKind::of_chart(reference.kind, reference.api_version.as_deref())?,
            namespace: reference
                .namespace
                .as_deref()
                .unwrap_or_else(|| release.own_namespace()),
            name: &reference.name,
            field: "chartRef",
        })
    }

    fn source_name(&self) -> String {
        let Self {
            kind,
            namespace,
            name,
            field: _,
        } = self;
        format!("Flux's {} {namespace}/{name}", kind.as_str())
    }

    fn not_ready(&self, message: impl Into<String>) -> SourcesError {
        SourcesError::NotReady {
            source_name: self.source_name(),
            message: message.into(),
        }
    }
}

/// What a source of Flux's publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Which source, for people.
    pub source_name: String,
    /// Whether it is left as it is.
    pub is_suspended: bool,
    /// What it is a version of.
    pub revision: String,
    /// Where it is, and what it must be.
    pub reference: PublishedReference,
}

/// An artifact as source-controller tells of it.
#[derive(Debug, Deserialize)]
struct Artifact {
    url: String,
    revision: String,
    digest: String,
}

impl Published {
    /// Reads what a source publishes; `folder` is the chart in it, where it is a tree.
    ///
    /// Ready is what Flux's helm-controller takes for ready: the artifact is of the current generation, and nothing is stalled. A
    /// source whose last fetch failed still serves what it has.
    ///
    /// # Errors
    /// When there is nothing to use yet.
    pub fn read(
        reference: FluxReference<'_>,
        object: &DynamicObject,
        folder: Option<&str>,
    ) -> Result<Self, SourcesError> {
        let status = &object.data["status"];
        let conditions = status["conditions"].as_array().into_iter().flatten();
        let condition = |kind: &str| conditions.clone().find(|condition| condition["type"] == kind);
        let message = |condition: &Value| condition["message"].as_str().unwrap_or_default().to_owned();
        if let Some(stalled) = condition("Stalled").filter(|condition| condition["status"] == "True") {
            return Err(reference.not_ready(message(stalled)));
        }
        let is_current = reference.kind == FluxKind::ExternalArtifact
            || status["observedGeneration"].as_i64() == object.metadata.generation;
        let artifact = &status["artifact"];
        if !is_current || artifact.is_null() {
            let why = condition("Ready").map(message);
            return Err(reference.not_ready(why.unwrap_or_else(|| "it has no artifact yet".to_owned())));
        }
        let artifact: Artifact = serde_json::from_value(artifact.clone())
            .map_err(|error| reference.not_ready(format!("its artifact cannot be read: {error}")))?;
        let digest: Digest = artifact
            .digest
            .parse()
            .map_err(|error| reference.not_ready(format!("the digest of its artifact: {error}")))?;
        Ok(Self {
            source_name: reference.source_name(),
            is_suspended: object.data["spec"]["suspend"] == true,
            revision: format!("{} {}", artifact.revision, artifact.digest),
            reference: PublishedReference {
                url: artifact.url,
                digest,
                folder: folder.map(str::to_owned),
                access: Access::default(),
            },
        })
    }
}

/// A HelmRepository of Flux's: its spec and its status are what Fairlead's are, so that its charts are fetched here.
///
/// # Errors
/// When it is none.
pub(super) fn repository(reference: FluxReference<'_>, object: &DynamicObject) -> Result<HelmRepository, SourcesError> {
    let unreadable = |error: serde_json::Error| reference.not_ready(format!("it cannot be read: {error}"));
    let object = serde_json::to_value(object).map_err(unreadable)?;
    serde_json::from_value(object).map_err(unreadable)
}

/// A kind that is followed.
#[derive(Clone)]
struct Followed {
    store: Store<DynamicObject>,
    is_listed: watch::Receiver<bool>,
}

/// Flux's sources in the cluster. Cheap to clone.
#[derive(Clone)]
pub(super) struct FluxSources {
    client: Client,
    follow: Follow,
    followed: Arc<Mutex<HashMap<FluxKind, Followed>>>,
}

impl FluxSources {
    pub(super) fn new(client: Client, follow: Follow) -> Self {
        Self {
            client,
            follow,
            followed: Arc::default(),
        }
    }

    /// A source as it is now.
    ///
    /// # Errors
    /// When there is none, or the cluster does not have its kind.
    pub(super) async fn get(&self, reference: FluxReference<'_>) -> Result<Arc<DynamicObject>, SourcesError> {
        let FluxReference {
            kind,
            namespace,
            name,
            field,
        } = reference;
        let Followed { store, mut is_listed } = self.followed(reference).await?;
        let listed = tokio::time::timeout(FIRST_LIST, is_listed.wait_for(|is_listed| *is_listed)).await;
        if !matches!(listed, Ok(Ok(_))) {
            return Err(reference.not_ready("the API server has not listed it yet"));
        }
        let key = ObjectRef::new_with(name, kind.resource()).within(namespace);
        store.get(&key).ok_or_else(|| SourcesError::Missing {
            kind: kind.as_str(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            field,
        })
    }

    /// Follows a kind, if it is not followed yet.
    async fn followed(&self, reference: FluxReference<'_>) -> Result<Followed, SourcesError> {
        let kind = reference.kind;
        if let Some(followed) = self.known(kind) {
            return Ok(followed);
        }
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &kind.resource());
        // A watch would only say in the log that the kind is not served, or not allowed.
        if let Err(error) = api.list_metadata(&ListParams::default().limit(1)).await {
            return Err(reference.not_ready(format!(
                "{} of {GROUP}/{VERSION} cannot be listed: {error}",
                kind.as_str()
            )));
        }
        let mut all = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(all.entry(kind).or_insert_with(|| self.start(kind, api)).clone())
    }

    fn known(&self, kind: FluxKind) -> Option<Followed> {
        let followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        followed.get(&kind).cloned()
    }

    fn start(&self, kind: FluxKind, api: Api<DynamicObject>) -> Followed {
        let writer = reflector::store::Writer::new(kind.resource());
        let store = writer.as_reader();
        let events = reflected(api, writer);
        let follow = self.follow.clone();
        self.follow.each(events, move |source: &DynamicObject| {
            let namespace = source.namespace().unwrap_or_default();
            follow.wake(|release| {
                FluxReference::of(release).is_some_and(|reference| {
                    (reference.kind, reference.namespace) == (kind, &namespace) && reference.name == source.name_any()
                })
            });
        });
        // Of several that wait for a store only one is woken.
        let (listed, is_listed) = watch::channel(false);
        let waited = store.clone();
        tokio::spawn(async move {
            // Fails only when the operator shuts down.
            let _ = listed.send(waited.wait_until_ready().await.is_ok());
        });
        Followed { store, is_listed }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn read(kind: FluxKind, status: &Value) -> Result<Published, String> {
        let object = json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": kind.as_str(),
            "metadata": {"name": "shop", "namespace": "flux-system", "generation": 2}, "spec": {}, "status": status});
        let reference = FluxReference {
            kind,
            namespace: "flux-system",
            name: "shop",
            field: "chartRef",
        };
        let object: DynamicObject = serde_json::from_value(object).unwrap();
        Published::read(reference, &object, None).map_err(|error| error.to_string())
    }

    #[test]
    fn a_source_is_used_as_long_as_it_has_an_artifact_of_its_generation() {
        let artifact = json!({"url": "http://source-controller/shop.tgz", "revision": "1.0.0", "digest": DIGEST});
        let failing = json!([{"type": "Ready", "status": "False", "message": "no route to host"}]);
        let status = json!({"observedGeneration": 2, "artifact": artifact, "conditions": failing});
        let published = read(FluxKind::OCIRepository, &status).unwrap();
        assert_eq!(published.reference.url, "http://source-controller/shop.tgz");
        let old = json!({"observedGeneration": 1, "artifact": artifact, "conditions": failing});
        let error = "Flux's OCIRepository flux-system/shop is not ready: no route to host";
        assert_eq!(read(FluxKind::OCIRepository, &old).unwrap_err(), error);
        // An ExternalArtifact has no generation that anybody observes.
        assert!(read(FluxKind::ExternalArtifact, &old).is_ok());
        let none = json!({"observedGeneration": 2});
        assert!(
            read(FluxKind::HelmChart, &none)
                .unwrap_err()
                .ends_with("it has no artifact yet")
        );
        let stalled = json!([{"type": "Stalled", "status": "True", "message": "invalid url"}]);
        let status = json!({"observedGeneration": 2, "artifact": artifact, "conditions": stalled});
        assert!(
            read(FluxKind::GitRepository, &status)
                .unwrap_err()
                .ends_with("invalid url")
        );
    }
}
