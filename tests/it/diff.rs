//! `fairlead diff` and `fairlead values`: what is to come, told before anybody applies it.

mod files;
mod merged;
mod verdicts;

use std::path::{Path, PathBuf};

use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding, Subject};
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::{Value, json};

use crate::support::Result;
use crate::support::command::{Ended, fairlead};
use crate::support::installation::Installation;

/// A HelmRelease of the chart with its own name, as it stands in a file; `spec` says what differs from the usual.
pub(crate) fn release(name: &str, spec: &Value) -> Value {
    let mut whole = json!({
        "interval": "10m",
        "chart": {"spec": {"chart": name, "sourceRef": {"kind": "HelmRepository", "name": "charts"}}},
    });
    if let (Some(whole), Some(spec)) = (whole.as_object_mut(), spec.as_object()) {
        whole.extend(spec.clone());
    }
    json!({"apiVersion": "fairlead.dev/v1alpha1", "kind": "HelmRelease", "metadata": {"name": name}, "spec": whole})
}

/// The chart of a release's spec in this version.
pub(crate) fn version(name: &str, version: &str) -> Value {
    json!({"spec": {"chart": name, "version": version, "sourceRef": {"kind": "HelmRepository", "name": "charts"}}})
}

/// Documents as a file has them.
pub(crate) fn stream(documents: &[Value]) -> String {
    documents
        .iter()
        .flat_map(|document| ["---\n".to_owned(), document.to_string(), "\n".to_owned()])
        .collect()
}

/// Runs `fairlead` in the installation's namespace, with this input.
pub(crate) async fn run(installation: &Installation, arguments: &[&str], input: &str) -> Result<Ended> {
    let arguments = [arguments, &["--namespace", installation.namespace.name()]].concat();
    fairlead(installation.plane.kubeconfig_path(), &arguments, input).await
}

/// What `fairlead diff -o json` says of these documents when it ends with this code.
async fn report(installation: &Installation, documents: &[Value], more: &[&str], code: i32) -> Result<Value> {
    let arguments = [&["diff", "-f", "-", "-o", "json"], more].concat();
    let text = run(installation, &arguments, &stream(documents)).await?.with(code)?;
    Ok(serde_json::from_str(&text)?)
}

/// `effect object` of all changes of a report's release, without the namespace.
pub(crate) fn changes(release: &Value, namespace: &str) -> Vec<String> {
    let changes = release["changes"].as_array().into_iter().flatten();
    let text = |change: &Value, field: &str| change[field].as_str().unwrap_or_default().to_owned();
    let line = |change| format!("{} {}", text(change, "effect"), text(change, "object"));
    changes
        .map(|change| line(change).replace(&format!("{namespace}/"), ""))
        .collect()
}

/// A person other than everybody else, who may do what a role of the cluster says, and what a role of the namespace says.
pub(crate) struct Person {
    pub(crate) user: String,
    pub(crate) kubeconfig: PathBuf,
    binding: String,
}

impl Person {
    pub(crate) async fn new(installation: &Installation, name: &str, roles: (&str, Option<&str>)) -> Result<Self> {
        let namespace = installation.namespace.name();
        let kubeconfig = installation.plane.service_account_kubeconfig(namespace, name).await?;
        let subject = Subject {
            kind: "ServiceAccount".to_owned(),
            name: name.to_owned(),
            namespace: Some(namespace.to_owned()),
            ..Subject::default()
        };
        let binding = format!("{namespace}-{name}");
        let role =
            |kind: &str, role: &str| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role});
        let whole =
            json!({"metadata": {"name": binding}, "subjects": [subject], "roleRef": role("ClusterRole", roles.0)});
        let api: Api<ClusterRoleBinding> = Api::all(installation.client.clone());
        api.create(&PostParams::default(), &serde_json::from_value(whole)?)
            .await?;
        if let Some(own) = roles.1 {
            let own = json!({"metadata": {"name": name}, "subjects": [subject], "roleRef": role("Role", own)});
            let api: Api<RoleBinding> = installation.api();
            api.create(&PostParams::default(), &serde_json::from_value(own)?)
                .await?;
        }
        Ok(Self {
            user: format!("system:serviceaccount:{namespace}:{name}"),
            kubeconfig,
            binding,
        })
    }

    /// Takes back what the person may do in the whole cluster.
    pub(crate) async fn leave(self, installation: &Installation) -> Result {
        let api: Api<ClusterRoleBinding> = Api::all(installation.client.clone());
        api.delete(&self.binding, &DeleteParams::default()).await?;
        Ok(())
    }
}

/// Writes a chart into a folder.
fn chart(folder: &Path, name: &str, files: &[(&str, &str)]) -> Result<PathBuf> {
    let chart = folder.join(name);
    std::fs::create_dir_all(chart.join("templates"))?;
    std::fs::write(
        chart.join("Chart.yaml"),
        format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n"),
    )?;
    for (path, content) in files {
        std::fs::write(chart.join(path), content)?;
    }
    Ok(chart)
}
