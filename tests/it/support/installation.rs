//! An operator of its own for one namespace, with a chart repository: what a test of whole releases needs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fairlead::api::HelmRelease;
use fairlead::api::helm_repository::HelmRepository;
use fairlead_controlplane::{ControlPlane, Namespace};
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Result;
use super::chart_repository::ChartRepository;
use super::operator::Operator;
use super::own_plane::OwnPlane;
use super::wait::becomes;
use crate::resources::installed;

/// Within this everything that a test awaits has to happen. A machine that is busy takes ten times what another takes, and a test that
/// passes does not wait for it.
pub(crate) const DEADLINE: Duration = Duration::from_mins(3);

/// A namespace, an operator for it alone, and a HelmRepository `charts` in it.
pub(crate) struct Installation {
    pub(crate) plane: &'static ControlPlane,
    pub(crate) client: Client,
    pub(crate) namespace: Arc<Namespace>,
    pub(crate) repository: ChartRepository,
    pub(crate) operator: Operator,
    /// Ends after everything that is in it.
    _own: Option<OwnPlane>,
}

impl Installation {
    /// On the shared control plane, with all rights.
    pub(crate) async fn start(prefix: &str) -> Result<Self> {
        let plane = installed().await?;
        let namespace = plane.namespace(prefix).await?;
        Self::with(plane, namespace, plane.kubeconfig_path()).await
    }

    /// In this namespace, with the rights of this kubeconfig.
    pub(crate) async fn with(
        plane: &'static ControlPlane,
        namespace: impl Into<Arc<Namespace>>,
        kubeconfig: &Path,
    ) -> Result<Self> {
        Self::with_flags(plane, namespace, kubeconfig, &[]).await
    }

    /// In this namespace, with the rights of this kubeconfig and these further flags.
    pub(crate) async fn with_flags(
        plane: &'static ControlPlane,
        namespace: impl Into<Arc<Namespace>>,
        kubeconfig: &Path,
        flags: &[&str],
    ) -> Result<Self> {
        let namespace = namespace.into();
        let mut usual = vec!["--namespace", namespace.name()];
        if !flags.iter().any(|flag| flag.starts_with("--log")) {
            usual.push("--log=info,fairlead=debug");
        }
        let mut operator = Operator::start(kubeconfig, &[&usual, flags].concat())?;
        operator.ready().await?;
        let installation = Self {
            plane,
            client: plane.client()?,
            repository: ChartRepository::start(plane).await?,
            namespace,
            operator,
            _own: None,
        };
        let url = installation.repository.url().to_owned();
        installation.repository_at("charts", &url).await?;
        Ok(installation)
    }

    /// The control plane ends with the installation.
    pub(crate) fn owning(self, plane: OwnPlane) -> Self {
        Self {
            _own: Some(plane),
            ..self
        }
    }

    /// An API of the namespace.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Makes a HelmRepository, or gives it another address.
    pub(crate) async fn repository_at(&self, name: &str, url: &str) -> Result {
        let object = json!({
            "apiVersion": "fairlead.dev/v1alpha1", "kind": "HelmRepository",
            "metadata": {"name": name}, "spec": {"url": url},
        });
        self.apply::<HelmRepository>(&object).await?;
        Ok(())
    }

    /// Applies an object as a person would who overrules everybody.
    pub(crate) async fn apply<K>(&self, object: &Value) -> Result<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
    {
        let name = object["metadata"]["name"].as_str().ok_or("an object without name")?;
        let parameters = PatchParams::apply("person").force();
        Ok(self.api().patch(name, &parameters, &Patch::Apply(object)).await?)
    }

    /// Makes or changes a release of the chart with the release's own name; `spec` says what differs from the usual.
    pub(crate) async fn release(&self, name: &str, spec: Value) -> Result<HelmRelease> {
        let mut whole = json!({
            "interval": "10m",
            "chart": {"spec": {"chart": name, "sourceRef": {"kind": "HelmRepository", "name": "charts"}}},
        });
        merge(&mut whole, spec);
        self.apply(&json!({
            "apiVersion": "fairlead.dev/v1alpha1", "kind": "HelmRelease",
            "metadata": {"name": name}, "spec": whole,
        }))
        .await
    }

    /// Asks for a reconcile now, as people do.
    pub(crate) async fn request(&self, name: &str, at: &str) -> Result {
        let patch = json!({"metadata": {"annotations": {"fairlead.dev/requestedAt": at}}});
        let releases: Api<HelmRelease> = self.api();
        releases
            .patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        Ok(())
    }

    /// Asks for a reconcile now, and waits until it has ended.
    pub(crate) async fn look(&self, name: &str, at: &str) -> Result<HelmRelease> {
        self.request(name, at).await?;
        let has_looked = |release: Option<&HelmRelease>| {
            let status = release.and_then(|release| release.status.as_ref());
            status.is_some_and(|status| status.last_handled_reconcile_at.as_deref() == Some(at))
        };
        let looked = becomes(&self.api(), name, DEADLINE, has_looked).await?;
        looked.ok_or_else(|| "a release".into())
    }

    /// Waits until the status is about the release's current generation, which `Ready` of one that is suspended is not.
    pub(crate) async fn observed(&self, name: &str) -> Result<HelmRelease> {
        let is_observed = |release: Option<&HelmRelease>| {
            let observed =
                |release: &HelmRelease| release.status.as_ref().and_then(|status| status.observed_generation);
            release.is_some_and(|release| observed(release) == release.metadata.generation)
        };
        let release = becomes(&self.api(), name, DEADLINE, is_observed).await?;
        release.ok_or_else(|| "a release".into())
    }

    /// Waits until `Ready` of the release's current generation is as said and its message has all these texts.
    pub(crate) async fn ready_is(&self, name: &str, status: &str, texts: &[&str]) -> Result<HelmRelease> {
        let met = becomes(
            &self.api::<HelmRelease>(),
            name,
            DEADLINE,
            |release: Option<&HelmRelease>| {
                release.is_some_and(|release| {
                    let ready = condition(release, "Ready");
                    let message = ready["message"].as_str().unwrap_or_default();
                    ready["status"] == status
                        && ready["observedGeneration"].as_i64() == release.metadata.generation
                        && texts.iter().all(|text| message.contains(text))
                })
            },
        )
        .await;
        let met = met.map_err(|error| format!("{texts:?}: {error}; the operator logged:\n{}", self.operator.log()))?;
        Ok(met.ok_or("no release")?)
    }

    /// Deletes a release and waits until it is gone.
    pub(crate) async fn uninstall(&self, name: &str) -> Result {
        let releases: Api<HelmRelease> = self.api();
        releases.delete(name, &DeleteParams::default()).await?;
        becomes(&releases, name, DEADLINE, super::wait::is_absent()).await?;
        Ok(())
    }

    /// The names of the objects of a kind that bear the release's label.
    pub(crate) async fn objects_of<K>(&self, release: &str) -> Result<Vec<String>>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
    {
        let selected = kube::api::ListParams::default().labels(&format!("fairlead.dev/name={release}"));
        let objects = self.api::<K>().list(&selected).await?;
        Ok(objects.iter().map(kube::ResourceExt::name_any).collect())
    }

    /// Waits for an event about a release with this reason and all these texts: events are sent beside the reconcile.
    pub(crate) async fn event_is(&self, release: &HelmRelease, reason: &str, texts: &[&str]) -> Result {
        let told = |(found, note): &(String, String)| found == reason && texts.iter().all(|text| note.contains(text));
        let started = std::time::Instant::now();
        loop {
            let events = self.events(release).await?;
            if events.iter().any(told) {
                return Ok(());
            }
            if started.elapsed() > DEADLINE {
                return Err(format!("no event {reason} with {texts:?}: {events:?}").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the operator has logged a text.
    pub(crate) async fn logs(&self, text: &str) -> Result {
        self.operator.logs(text).await
    }

    /// The notes of the events about a release.
    pub(crate) async fn events(&self, release: &HelmRelease) -> Result<Vec<(String, String)>> {
        let events: Api<k8s_openapi::api::events::v1::Event> = self.api();
        let about = events.list(&kube::api::ListParams::default()).await?;
        Ok(about
            .into_iter()
            .filter(|event| event.regarding.as_ref().and_then(|regarding| regarding.uid.clone()) == release.uid())
            .map(|event| (event.reason.unwrap_or_default(), event.note.unwrap_or_default()))
            .collect())
    }
}

/// Version and status word of each revision in the history, newest first.
pub(crate) fn history(release: &HelmRelease) -> Vec<(u32, String)> {
    let history = release.status.iter().flat_map(|status| &status.history);
    history
        .map(|snapshot| (snapshot.version, snapshot.status.clone()))
        .collect()
}

/// A condition of a release as JSON; null without it.
pub(crate) fn condition(release: &HelmRelease, kind: &str) -> Value {
    let release = serde_json::to_value(release).unwrap_or_default();
    let conditions = release["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions
        .into_iter()
        .find(|condition| condition["type"] == kind)
        .unwrap_or_default()
}

/// Puts the fields of `change` into `whole`, maps within maps; null removes.
fn merge(whole: &mut Value, change: Value) {
    match (whole, change) {
        (Value::Object(whole), Value::Object(change)) => {
            for (name, value) in change {
                if value.is_null() {
                    whole.remove(&name);
                } else {
                    merge(whole.entry(name).or_insert(Value::Null), value);
                }
            }
        }
        (whole, change) => *whole = change,
    }
}
