//! What a release would do, told without doing it: in the operator and on the command line.

mod again;
mod helm;
mod mode;

use fairlead_controlplane::ControlPlane;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::Result;
use crate::support::command::{self, Ended};

/// A chart with what makes conflicts of all sorts: a Secret, a quantity that the server writes otherwise, and randomness.
pub(crate) const OBJECTS: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data:
  key: {{ .Values.key | default "ours" | quote }}
  old: {{ .Values.old | default "first" | quote }}
  sibling: ours
---
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}}
stringData: {password: {{ .Values.password | default "correct-horse" | quote }}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: 0
  selector: {matchLabels: {app: "{{ .Release.Name }}"}}
  template:
    metadata: {labels: {app: "{{ .Release.Name }}"}}
    spec: {containers: [{name: web, image: "example.com/web:1", resources: {limits: {cpu: 1000m, memory: 1024Mi}}}]}
{{- if .Values.more }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-more}
data: {random: {{ randAlphaNum 12 | quote }}}
{{- end }}
"#;

/// Runs `fairlead` with these arguments. Result: whether it succeeded, and its two outputs.
pub(crate) async fn fairlead(plane: &ControlPlane, arguments: &[&str]) -> Result<(bool, String, String)> {
    let Ended { code, stdout, stderr } = command::fairlead(plane.kubeconfig_path(), arguments, "").await?;
    Ok((code == Some(0), stdout, stderr))
}

/// What it prints when it succeeds.
pub(crate) async fn told(plane: &ControlPlane, arguments: &[&str]) -> Result<String> {
    let (success, output, errors) = fairlead(plane, arguments).await?;
    if success {
        Ok(output)
    } else {
        Err(format!("{arguments:?}: {errors}{output}").into())
    }
}

fn resource(kind: &str) -> ApiResource {
    let (api_version, plural) = match kind {
        "Deployment" => ("apps/v1", "deployments"),
        "Secret" => ("v1", "secrets"),
        "Service" => ("v1", "services"),
        "HelmRelease" => ("fairlead.dev/v1alpha1", "helmreleases"),
        "ReleaseLedger" => ("fairlead.dev/v1alpha1", "releaseledgers"),
        _ => ("v1", "configmaps"),
    };
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}

pub(crate) fn api(client: &Client, namespace: &str, kind: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &resource(kind))
}

/// Every object that a release or a person may have written, as it is: a write of any kind moves a resourceVersion.
pub(crate) async fn everything(client: &Client, namespace: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for kind in ["ConfigMap", "Secret", "Deployment"] {
        for object in api(client, namespace, kind).list(&ListParams::default()).await? {
            let metadata = object.metadata;
            let (name, version) = (
                metadata.name.unwrap_or_default(),
                metadata.resource_version.unwrap_or_default(),
            );
            found.push(format!("{kind} {name} {version}"));
        }
    }
    Ok(found)
}

/// The ConfigMap's `key` and the Secret's `password` are edited by others, and its `sibling` is another release's of Fairlead.
pub(crate) async fn rivals(client: &Client, namespace: &str, name: &str) -> Result {
    let maps = api(client, namespace, "ConfigMap");
    let edit = |manager: &str| PatchParams {
        field_manager: Some(manager.to_owned()),
        ..PatchParams::default()
    };
    let key = json!({"data": {"key": "theirs"}});
    maps.patch(name, &edit("kubectl-edit"), &Patch::Merge(key)).await?;
    let password = json!({"data": {"password": "YmF0dGVyeS1zdGFwbGU="}});
    let secrets = api(client, namespace, "Secret");
    secrets.patch(name, &edit("rotator"), &Patch::Merge(password)).await?;
    let sibling =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"sibling": "another"}});
    let other = PatchParams::apply("fairlead:prod/other").force();
    maps.patch(name, &other, &Patch::Apply(sibling)).await?;
    Ok(())
}

/// Neither as they are nor in base64.
pub(crate) fn assert_no_secret(text: &str) {
    for secret in [
        "correct-horse",
        "battery-staple",
        "Y29ycmVjdC1ob3JzZQ",
        "YmF0dGVyeS1zdGFwbGU",
    ] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

/// The contested fields of a report's release as `path manager class action`, sorted.
pub(crate) fn lines(contested: &Value) -> Vec<String> {
    let text = |field: &Value, name: &str| field[name].as_str().unwrap_or_default().to_owned();
    let mut lines: Vec<String> = contested
        .as_array()
        .into_iter()
        .flatten()
        .map(|field| {
            ["path", "manager", "class", "action"]
                .map(|name| text(field, name))
                .join(" ")
        })
        .collect();
    lines.sort();
    lines
}
