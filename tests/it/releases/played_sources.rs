//! Flux's source-controller, played: the objects have the fields that it writes, and the artifacts are served as it serves them.

use std::path::Path;

use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::stage::Stage;
use crate::support::Result;
use crate::support::installation::DEADLINE;
use crate::support::wait::becomes;

/// The group of its kinds.
pub(super) const FLUX: &str = "source.toolkit.fluxcd.io";

const KINDS: [(&str, &str); 5] = [
    ("HelmRepository", "helmrepositories"),
    ("GitRepository", "gitrepositories"),
    ("HelmChart", "helmcharts"),
    ("OCIRepository", "ocirepositories"),
    ("ExternalArtifact", "externalartifacts"),
];

/// The sources of a namespace, whose artifacts are served by the stage's repository.
pub(super) struct PlayedSources<'a> {
    pub(super) stage: &'a Stage,
    pub(super) namespace: &'a str,
}

impl PlayedSources<'_> {
    /// Defines the kinds.
    pub(super) async fn define(&self) -> Result {
        for (kind, plural) in KINDS {
            let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
            let schema = json!({"openAPIV3Schema": {"type": "object", "properties": {"spec": open, "status": open}}});
            let version = json!({"name": "v1", "served": true, "storage": true, "schema": schema, "subresources": {"status": {}}});
            let names = json!({"kind": kind, "plural": plural});
            let spec = json!({"group": FLUX, "scope": "Namespaced", "names": names, "versions": [version]});
            let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": {"name": format!("{plural}.{FLUX}")}, "spec": spec});
            self.stage.apply(&definition).await?;
            let definitions = Api::all(self.stage.client.clone());
            let established = kube::runtime::conditions::is_crd_established();
            becomes(&definitions, &format!("{plural}.{FLUX}"), DEADLINE, established).await?;
        }
        Ok(())
    }

    pub(super) fn api(&self, kind: &str) -> Api<DynamicObject> {
        let plural = KINDS
            .iter()
            .find(|(name, _)| *name == kind)
            .map_or("", |(_, plural)| plural);
        let kind = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(FLUX, "v1", kind), plural);
        Api::namespaced_with(self.stage.client.clone(), self.namespace, &kind)
    }

    /// Creates a source as a person does.
    pub(super) async fn source(&self, kind: &str, name: &str, spec: Value) -> Result {
        let object = json!({"apiVersion": format!("{FLUX}/v1"), "kind": kind,
            "metadata": {"name": name, "namespace": self.namespace}, "spec": spec});
        let (api, parameters) = (self.api(kind), PatchParams::apply("kubectl"));
        api.patch(name, &parameters, &Patch::Apply(&object)).await?;
        Ok(())
    }

    /// Publishes a file as source-controller does, with the given promise of its digest.
    pub(super) async fn publish(
        &self,
        kind: &str,
        name: &str,
        revision: &str,
        file: &Path,
        digest: Option<&str>,
    ) -> Result {
        self.stage.repository.add_packages(&[file]).await?;
        let bytes = std::fs::read(file)?;
        let digest = digest.map_or_else(|| format!("sha256:{:x}", Sha256::digest(&bytes)), str::to_owned);
        let file = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let url = format!("{}/{file}", self.stage.repository.url());
        let artifact = json!({"url": url, "revision": revision, "digest": digest, "path": file,
            "lastUpdateTime": "2026-01-01T00:00:00Z", "size": bytes.len()});
        let generation = self.api(kind).get(name).await?.metadata.generation;
        let ready = json!({"type": "Ready", "status": "True", "reason": "Succeeded", "message": "stored artifact",
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": generation});
        let status = json!({"status": {"observedGeneration": generation, "artifact": artifact, "conditions": [ready]}});
        let parameters = PatchParams::default();
        self.api(kind)
            .patch_status(name, &parameters, &Patch::Merge(&status))
            .await?;
        Ok(())
    }
}
