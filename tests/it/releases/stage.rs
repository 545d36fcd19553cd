//! An operator for one namespace of HelmReleases, or for all of its own control plane, and what users do with it.

use std::collections::BTreeSet;
use std::time::Duration;

use fairlead::api::helm_release::history::InventoryEntry;
use fairlead::api::{HelmRelease, custom_resource_definitions};
use fairlead::cluster::calls::Calls;
use fairlead::cluster::discovery::{KindCache, Resource};
use fairlead_controlplane::ControlPlane;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams};
use kube::runtime::conditions::is_crd_established;
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};

use crate::resources::install;
use crate::support::Result;
use crate::support::chart_repository::ChartRepository;
use crate::support::installation::DEADLINE;
pub(super) use crate::support::installation::history;
use crate::support::wait::{becomes, has_condition, is_absent};

/// The HelmRepository that releases refer to.
pub(super) const REPOSITORY: &str = "charts";

/// A template of a Deployment that never becomes ready, where the values say so.
pub(super) const BROKEN: &str = r"
{{- if .Values.broken }}
apiVersion: apps/v1
kind: Deployment
metadata: {name: broken}
spec:
  selector: {matchLabels: {app: broken}}
  template:
    metadata: {labels: {app: broken}, annotations: {test.fairlead.dev/outcome: Unready}}
    spec: {containers: [{name: web, image: example.com/web}]}
{{- end }}
";

/// What a test sees of the cluster, and a chart repository.
pub(super) struct Stage {
    pub(super) plane: &'static ControlPlane,
    pub(super) client: Client,
    pub(super) repository: ChartRepository,
    calls: Calls,
    kinds: KindCache,
}

impl Stage {
    /// Installs Fairlead as its README says, and waits until its resources are served.
    pub(super) async fn open(plane: &'static ControlPlane) -> Result<Self> {
        let client = plane.client()?;
        install(plane).await?;
        let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
        for definition in custom_resource_definitions() {
            becomes(&definitions, &definition.name_any(), DEADLINE, is_crd_established()).await?;
        }
        Ok(Self {
            plane,
            repository: ChartRepository::start(plane).await?,
            calls: Calls::new(client.clone(), DEADLINE),
            kinds: KindCache::new(client.clone(), DEADLINE),
            client,
        })
    }

    pub(super) fn releases(&self, namespace: &str) -> Api<HelmRelease> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// How a kind is served.
    pub(super) async fn resource(&self, api_version: &str, kind: &str) -> Result<Resource> {
        Ok(self.kinds.resolve(api_version, kind).await?)
    }

    /// Applies a manifest as kubectl does.
    pub(super) async fn apply(&self, manifest: &Value) -> Result {
        let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str);
        let resource = self
            .kinds
            .resolve(
                text("/apiVersion").unwrap_or_default(),
                text("/kind").unwrap_or_default(),
            )
            .await?;
        let options = fairlead::cluster::calls::ApplyOptions {
            manager: "kubectl",
            force: false,
            dry_run: false,
        };
        let name = text("/metadata/name").ok_or("a manifest has a name")?;
        self.calls
            .apply(&resource, text("/metadata/namespace"), name, manifest, options)
            .await?;
        Ok(())
    }

    /// Applies the HelmRepository in a namespace.
    pub(super) async fn apply_repository(&self, namespace: &str) -> Result {
        self.apply(&json!({"apiVersion": "fairlead.dev/v1alpha1", "kind": "HelmRepository",
            "metadata": {"name": REPOSITORY, "namespace": namespace},
            "spec": {"url": self.repository.url(), "interval": "1h"}}))
            .await
    }

    /// Applies a HelmRelease of a chart of the repository.
    pub(super) async fn apply_release(&self, namespace: &str, name: &str, spec: Value) -> Result {
        self.apply(&json!({"apiVersion": "fairlead.dev/v1alpha1", "kind": "HelmRelease",
            "metadata": {"name": name, "namespace": namespace}, "spec": spec}))
            .await
    }

    /// Waits until the release is ready in its current generation.
    pub(super) async fn ready(&self, namespace: &str, name: &str, deadline: Duration) -> Result<HelmRelease> {
        let ready = has_condition("Ready", "True");
        let release = becomes(&self.releases(namespace), name, deadline, ready).await?;
        release.ok_or_else(|| "a release that is ready exists".into())
    }

    /// Deletes the release and waits until it is gone.
    pub(super) async fn delete(&self, namespace: &str, name: &str, deadline: Duration) -> Result {
        let releases = self.releases(namespace);
        releases.delete(name, &DeleteParams::default()).await?;
        becomes(&releases, name, deadline, is_absent()).await?;
        Ok(())
    }

    /// The live object of an inventory's entry.
    pub(super) async fn find(&self, entry: &InventoryEntry) -> Result<Option<Value>> {
        let (namespace, name, group, kind) = entry.parts().ok_or("an entry in Flux's form")?;
        let api_version = if group.is_empty() {
            entry.v.clone()
        } else {
            format!("{group}/{}", entry.v)
        };
        let Ok(resource) = self.kinds.resolve(&api_version, kind).await else {
            // A definition that the release itself brought and took away again.
            return Ok(None);
        };
        let namespace = Some(namespace).filter(|namespace| !namespace.is_empty());
        Ok(self.calls.get(&resource, namespace, &name).await?)
    }

    /// Everything in the cluster with this label, as `kind namespace/name`, of all kinds that can be listed.
    pub(super) async fn labelled(&self, selector: &str) -> Result<BTreeSet<String>> {
        let kinds = ["api-resources", "--verbs=list,get", "--output=name", "--cached=false"];
        let kinds = self.plane.kubectl(&kinds, None).await?.checked()?;
        let kinds: Vec<&str> = kinds
            .lines()
            .filter(|kind| !kind.starts_with("componentstatuses"))
            .collect();
        let found = [
            "get",
            &kinds.join(","),
            "--all-namespaces",
            "--selector",
            selector,
            "--output=json",
        ];
        let found: Value = serde_json::from_str(&self.plane.kubectl(&found, None).await?.checked()?)?;
        let items = found["items"].as_array().ok_or("kubectl prints a list")?;
        Ok(items.iter().map(called).collect())
    }
}

/// `kind namespace/name`.
pub(super) fn called(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    format!(
        "{} {}/{}",
        text("/kind"),
        text("/metadata/namespace"),
        text("/metadata/name")
    )
}

/// The inventory of a release.
pub(super) fn inventory(release: &HelmRelease) -> Vec<InventoryEntry> {
    let inventory = release.status.as_ref().and_then(|status| status.inventory.as_ref());
    inventory.map(|inventory| inventory.entries.clone()).unwrap_or_default()
}

/// What is wrong with who owns the object: the release's manager must have applied it, and no other of Fairlead's.
pub(super) fn misowned(object: &Value, manager: &str) -> Option<String> {
    let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array)?;
    let is_ours = |entry: &&Value| {
        entry["manager"] == manager
            && entry["operation"] == "Apply"
            && entry.get("subresource").is_none()
            && entry["fieldsV1"].as_object().is_some_and(|fields| !fields.is_empty())
    };
    let ours = entries.iter().filter(is_ours).count();
    let of_fairlead: Vec<&Value> = entries
        .iter()
        .map(|entry| &entry["manager"])
        .filter(|name| name.as_str().is_some_and(|name| name.starts_with("fairlead")))
        .collect();
    (ours != 1 || of_fairlead.len() != 1)
        .then(|| format!("{} is owned by {of_fairlead:?}, not only by {manager}", called(object)))
}
