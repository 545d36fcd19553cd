//! Releases of the tools that people come from, made by these tools themselves: the newest Helm 3, and Flux's helm-controller.
//! Fairlead continues them, and no Pod notices.

use std::collections::BTreeSet;

use fairlead::api::HelmRelease;
use fairlead_controlplane::{HelmController, Options};

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service};
use kube::ResourceExt as _;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::played_sources::PlayedSources;
use super::stage::{Stage, history};
use crate::support::Result;
use crate::support::chart_repository::package;
use crate::support::installation::{DEADLINE, Installation, condition};
use crate::support::own_plane::OwnPlane;
use crate::support::wait::{becomes, has_condition, is_absent};

/// What the predecessor installs.
const BEFORE: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: config, annotations: {old: "1", kept: "1"}}
data: {kept: "1", old: "1"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: extra}
data: {key: value}
---
apiVersion: v1
kind: Service
metadata: {name: web, annotations: {old: "1"}, labels: {helm.sh/chart: "{{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}"}}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}, {name: old, port: 81, targetPort: 8081}]
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  annotations: {old: "1"}
  labels: {helm.sh/chart: "{{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}"}
spec:
  replicas: 2
  minReadySeconds: 1
  selector: {matchLabels: {app: web}}
  template: {{- include "pod" . | nindent 4 }}
"#;

/// The next version of the chart: less of everything, and the same Pods.
const AFTER: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: config, annotations: {kept: "1"}}
data: {kept: "2"}
---
apiVersion: v1
kind: Service
metadata: {name: web, labels: {helm.sh/chart: "{{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}"}}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {helm.sh/chart: "{{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}"}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template: {{- include "pod" . | nindent 4 }}
"#;

/// The Pods of both versions.
const POD: &str = r#"
{{- define "pod" }}
metadata:
  labels: {app: web, app.kubernetes.io/managed-by: "{{ .Release.Service }}", app.kubernetes.io/instance: "{{ .Release.Name }}"}
  annotations: {checksum/values: "{{ toYaml .Values | sha256sum }}"}
spec:
  containers:
    - name: app
      image: example.com/app:1
      env: [{name: LEVEL, value: {{ .Values.level | quote }}}]
      ports: [{name: http, containerPort: 8080}]
      resources: {requests: {cpu: 0.5, memory: 64Mi}}
{{- end }}
"#;

const VALUES: &str = "level: info\n";

/// The files of a chart of these objects.
const fn chart(objects: &str) -> [(&str, &str); 3] {
    [
        ("templates/objects.yaml", objects),
        ("templates/_pod.tpl", POD),
        ("values.yaml", VALUES),
    ]
}

/// The Pods of the release and what they are made from.
#[derive(Debug, PartialEq)]
struct Running {
    uid: Option<String>,
    template: Value,
    replica_sets: Vec<String>,
    pods: Vec<String>,
}

async fn running(installation: &Installation) -> Result<Running> {
    let deployments: Api<Deployment> = installation.api();
    becomes(&deployments, "web", DEADLINE, has_condition("Available", "True")).await?;
    let web = deployments.get("web").await?;
    let of_web = ListParams::default().labels("app=web");
    let replica_sets = installation.api::<ReplicaSet>().list(&of_web).await?;
    let pods = installation.api::<Pod>().list(&of_web).await?;
    let mut running = Running {
        uid: web.uid(),
        template: json!(web.spec.template),
        replica_sets: replica_sets.iter().map(kube::ResourceExt::name_any).collect(),
        pods: pods.iter().filter_map(kube::ResourceExt::uid).collect(),
    };
    assert_eq!((running.replica_sets.len(), running.pods.len()), (1, 2), "{running:?}");
    running.pods.sort();
    Ok(running)
}

/// The managed fields of the release's objects, but for those of the status.
async fn managed_fields(installation: &Installation) -> Result<Vec<Value>> {
    let objects = [
        json!(installation.api::<ConfigMap>().get("config").await?),
        json!(installation.api::<Service>().get("web").await?),
        json!(installation.api::<Deployment>().get("web").await?),
    ];
    let entries = objects.iter().map(|object| {
        let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
        let of_object = entries.filter(|entry| entry.get("subresource").is_none());
        Value::Array(of_object.cloned().collect())
    });
    Ok(entries.collect())
}

/// Who owns fields of the release's objects.
async fn owners(installation: &Installation) -> Result<BTreeSet<String>> {
    let objects = managed_fields(installation).await?;
    let entries = objects
        .iter()
        .flat_map(|entries| entries.as_array().into_iter().flatten());
    let owner = |entry: &Value| {
        Some(format!(
            "{} {}",
            entry["manager"].as_str()?,
            entry["operation"].as_str()?
        ))
    };
    Ok(entries
        .filter_map(owner)
        .filter(|owner| !owner.starts_with("kube-controller-manager "))
        .collect())
}

/// The paths of the fields in a field set.
fn fields(set: &Value, path: &str, found: &mut BTreeSet<String>) {
    let children = set.as_object().into_iter().flatten();
    for (name, below) in children.filter(|(name, _)| *name != ".") {
        let path = format!("{path}/{name}");
        if below.as_object().is_some_and(serde_json::Map::is_empty) {
            found.insert(path);
        } else {
            fields(below, &path, found);
        }
    }
}

/// What the release and somebody else own together.
async fn shared(installation: &Installation, other: &str) -> Result<Vec<String>> {
    let mut shared = Vec::new();
    for entries in managed_fields(installation).await? {
        let of = |is_wanted: &dyn Fn(&str) -> bool| {
            let mut found = BTreeSet::new();
            for entry in entries.as_array().into_iter().flatten() {
                if entry["manager"].as_str().is_some_and(is_wanted) {
                    fields(&entry["fieldsV1"], "", &mut found);
                }
            }
            found
        };
        let ours = of(&|manager| manager.starts_with("fairlead:"));
        assert!(!ours.is_empty(), "{entries}");
        shared.extend(ours.intersection(&of(&|manager| manager == other)).cloned());
    }
    Ok(shared)
}

/// Number, status and chart of each revision, as a Helm prints them.
fn revisions(printed: &str) -> Result<Vec<String>> {
    let printed: Value = serde_json::from_str(printed)?;
    let word = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let entries = printed.as_array().ok_or("a list")?.iter();
    Ok(entries
        .map(|entry| {
            format!(
                "{} {} {}",
                entry["revision"],
                word(entry, "status"),
                word(entry, "chart")
            )
            .replace('"', "")
        })
        .collect())
}

/// What both Helms say of the release: the list, and the history.
async fn both_helms_say(installation: &Installation, expected: &[&str]) -> Result {
    let namespace = installation.namespace.name();
    let last = expected.last().map(|last| vec![(*last).to_owned()]).unwrap_or_default();
    for command in ["list", "history"] {
        let release = ["shop"];
        let release = if command == "list" { &[][..] } else { &release[..] };
        let arguments = [&[command], release, &["--namespace", namespace, "--output", "json"]].concat();
        let third = installation.plane.helm3(&arguments).await?.checked()?;
        let fourth = installation.plane.helm(&arguments).await?.checked()?;
        let expected: Vec<String> = if command == "list" {
            last.clone()
        } else {
            expected.iter().map(|line| (*line).to_owned()).collect()
        };
        assert_eq!(revisions(&third)?, expected, "helm 3 {command}");
        assert_eq!(revisions(&fourth)?, expected, "helm 4 {command}");
    }
    Ok(())
}

/// What the predecessor owned was taken from it by `adoptFrom`, or without any effect; nothing else was contested.
fn only_migrated(adopted: &HelmRelease) {
    let status = json!(adopted.status);
    let contested = status["ownership"]["contested"].as_array().cloned();
    for field in contested.unwrap_or_default() {
        let (class, action) = (&field["class"], &field["action"]);
        assert!(*class == "Legacy" || *class == "Phantom", "{field}");
        assert_eq!(action, "Resolved", "{field}");
    }
}

/// Continues the release at the same version of the chart, then at the next. `before` is what the Helms say of what is there.
async fn is_adopted(installation: &Installation, before: &str, predecessor: &str) -> Result {
    let pods = running(installation).await?;
    let generation = installation.api::<Deployment>().get("web").await?.metadata.generation;
    both_helms_say(installation, &[&format!("1 deployed {before}")]).await?;

    let spec = |version: &str| json!({"chart": {"spec": {"version": version}}});
    installation.release("shop", spec("1.0.0")).await?;
    let release = installation.ready_is("shop", "True", &[]).await?;
    assert_eq!(history(&release), [(2, "deployed".to_owned())]);
    assert_eq!(running(installation).await?, pods);
    // Not even written without effect: nothing of what was asked for changed.
    let deployment = installation.api::<Deployment>().get("web").await?;
    assert_eq!(deployment.metadata.generation, generation);
    assert_eq!(shared(installation, predecessor).await?, Vec::<String>::new());
    only_migrated(&release);
    let first = format!("1 superseded {before}");
    both_helms_say(installation, &[&first, "2 deployed shop-1.0.0"]).await?;

    installation.release("shop", spec("2.0.0")).await?;
    let release = installation.ready_is("shop", "True", &[]).await?;
    assert_eq!(history(&release)[0], (3, "deployed".to_owned()));
    // The adoption was told of until the objects were written again.
    assert_ne!(
        condition(&release, "Conflicted")["status"],
        "True",
        "{:#}",
        json!(release.status)
    );
    assert_eq!(running(installation).await?, pods);
    let config = installation.api::<ConfigMap>().get("config").await?;
    assert_eq!(json!(config.data), json!({"kept": "2"}));
    assert_eq!(config.annotations().get("old"), None);
    assert_eq!(config.annotations().get("kept").map(String::as_str), Some("1"));
    let service = installation.api::<Service>().get("web").await?;
    assert_eq!(service.annotations().get("old"), None);
    assert_eq!(json!(service.spec)["ports"].as_array().map(Vec::len), Some(1));
    let web = installation.api::<Deployment>().get("web").await?;
    assert_eq!(web.annotations().get("old"), None);
    assert_eq!(web.spec.min_ready_seconds, None);
    becomes::<ConfigMap>(&installation.api(), "extra", DEADLINE, is_absent()).await?;
    assert_eq!(shared(installation, predecessor).await?, Vec::<String>::new());
    both_helms_say(
        installation,
        &[&first, "2 superseded shop-1.0.0", "3 deployed shop-2.0.0"],
    )
    .await
}

async fn add_charts(installation: &Installation) -> Result {
    for (version, objects) in [("1.0.0", BEFORE), ("2.0.0", AFTER)] {
        installation.repository.add("shop", version, &chart(objects)).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_of_the_real_helm_3_is_adopted_without_a_pod_that_changes() -> Result {
    let installation = Installation::start("helm-3").await?;
    add_charts(&installation).await?;
    let namespace = installation.namespace.name();
    let from = ["--repo", installation.repository.url(), "--version", "1.0.0"];
    let install = [
        &["install", "shop", "shop", "--namespace", namespace, "--wait"],
        &from[..],
    ]
    .concat();
    installation.plane.helm3(&install).await?.checked()?;
    // It patched, as a client, and its record says nothing of that.
    assert_eq!(owners(&installation).await?, BTreeSet::from(["helm Update".to_owned()]));
    let metadata = ["get", "metadata", "shop", "--namespace", namespace, "--output=json"];
    let metadata: Value = serde_json::from_str(&installation.plane.helm(&metadata).await?.checked()?)?;
    assert_eq!(metadata["applyMethod"], Value::Null, "{metadata}");
    Box::pin(is_adopted(&installation, "shop-1.0.0", "helm")).await
}

/// As people move: the other HelmRelease is suspended, ours comes, and the other one is deleted, which uninstalls nothing.
async fn a_release_of_flux_is_adopted(server_side: bool) -> Result {
    let own = OwnPlane::start(Options::default()).await?;
    let plane = own.get();
    let stage = Stage::open(plane).await?;
    let namespace = plane.namespace("flux").await?;
    let sources = PlayedSources {
        stage: &stage,
        namespace: namespace.name(),
    };
    sources.define().await?;
    let flux = HelmController::start(plane, namespace.name()).await?;
    let folder = tempfile::tempdir()?;
    let packed = package(plane, "shop", "1.0.0", &chart(BEFORE), folder.path()).await?;
    sources
        .source("OCIRepository", "shop", json!({"url": "oci://example.com/shop"}))
        .await?;
    let digest = format!("1.0.0@sha256:{}", "a".repeat(64));
    sources.publish("OCIRepository", "shop", &digest, &packed, None).await?;
    let theirs = json!({"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
        "metadata": {"name": "shop", "namespace": namespace.name()},
        "spec": {"interval": "1h", "chartRef": {"kind": "OCIRepository", "name": "shop"},
            "install": {"serverSideApply": server_side}}});
    stage.apply(&theirs).await?;
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("helm.toolkit.fluxcd.io", "v2", "HelmRelease"));
    let theirs: Api<DynamicObject> = Api::namespaced_with(stage.client.clone(), namespace.name(), &kind);
    let made = becomes(&theirs, "shop", DEADLINE, has_condition("Ready", "True")).await;
    made.map_err(|error| format!("{error}; helm-controller logged:\n{}", flux.log()))?;

    let suspend = Patch::Merge(json!({"spec": {"suspend": true}}));
    theirs.patch("shop", &PatchParams::default(), &suspend).await?;
    let installation = Installation::with(plane, namespace, plane.kubeconfig_path()).await?;
    add_charts(&installation).await?;
    let operation = if server_side { "Apply" } else { "Update" };
    let theirs_alone = BTreeSet::from([format!("helm-controller {operation}")]);
    assert_eq!(owners(&installation).await?, theirs_alone);
    let labels = async || -> Result<Vec<String>> {
        let web = installation.api::<Deployment>().get("web").await?;
        let of_flux = web
            .labels()
            .keys()
            .filter(|key| key.starts_with("helm.toolkit.fluxcd.io/"));
        Ok(of_flux.cloned().collect())
    };
    assert_eq!(labels().await?.len(), 2);
    // Flux adds what it knows of the artifact to the version.
    let before = format!("shop-1.0.0+{}", "a".repeat(12));
    Box::pin(is_adopted(&installation, &before, "helm-controller")).await?;
    if server_side {
        // Who patches also owns the defaults of what he created, which nobody else wants to have.
        let ours = format!("fairlead:{}/shop Apply", installation.namespace.name());
        assert_eq!(owners(&installation).await?, BTreeSet::from([ours]));
    }
    assert_eq!(labels().await?, Vec::<String>::new());

    let pods = running(&installation).await?;
    theirs.delete("shop", &DeleteParams::default()).await?;
    becomes(&theirs, "shop", DEADLINE, is_absent()).await?;
    let release = installation.look("shop", "after Flux has gone").await?;
    assert_eq!(history(&release)[0], (3, "deployed".to_owned()));
    assert_eq!(running(&installation).await?, pods);
    let of_helm = ListParams::default().labels("owner=helm,name=shop");
    assert_eq!(installation.api::<Secret>().list(&of_helm).await?.items.len(), 3);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_of_the_real_helm_controller_is_adopted_without_a_pod_that_changes() -> Result {
    Box::pin(a_release_of_flux_is_adopted(true)).await
}

/// As those stay that were installed before Flux 2.8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_that_helm_controller_patched_is_adopted_without_a_pod_that_changes() -> Result {
    Box::pin(a_release_of_flux_is_adopted(false)).await
}
