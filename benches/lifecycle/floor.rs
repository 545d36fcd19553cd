//! The floor: a bare client that sends what a release cannot do without, and nothing else.

use std::time::{Duration, Instant};

use fairlead::api::HelmRelease;
use fairlead_controlplane::{ControlPlane, Namespace};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Secret, Service};
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::name;
use crate::support::Result;

/// Bytes of a release record of a small chart, as it stands in its Secret.
const RECORD: usize = 1500;

/// How long `clients` connections take to send, for each release, its two objects by server-side apply, one record and one status.
/// The HelmReleases are there before, and nobody reconciles them.
pub(super) async fn measure(
    plane: &ControlPlane,
    namespace: &Namespace,
    releases: usize,
    clients: usize,
) -> Result<Duration> {
    let client = plane.client()?;
    let api: Api<HelmRelease> = Api::namespaced(client.clone(), namespace);
    let created = (0..releases).map(|index| {
        let api = api.clone();
        async move {
            let chart = json!({"spec": {"chart": "web", "sourceRef": {"kind": "HelmRepository", "name": "charts"}}});
            let release = json!({"apiVersion": "fairlead.dev/v1alpha1", "kind": "HelmRelease",
                "metadata": {"name": name(index)}, "spec": {"interval": "1h", "chart": chart}});
            let release: HelmRelease = serde_json::from_value(release)?;
            api.create(&PostParams::default(), &release).await?;
            Ok::<_, Box<dyn std::error::Error>>(())
        }
    });
    stream::iter(created)
        .buffer_unordered(clients)
        .try_collect::<Vec<_>>()
        .await?;
    // A client of its own for each connection: one would send all requests over as few as it can.
    let mut each = Vec::new();
    for _ in 0..clients {
        each.push(plane.client()?);
    }
    let started = Instant::now();
    let writing = each.into_iter().enumerate().map(|(first, client)| async move {
        for index in (first..releases).step_by(clients) {
            release(&client, namespace, &name(index)).await?;
        }
        Ok::<_, Box<dyn std::error::Error>>(())
    });
    futures::future::try_join_all(writing).await?;
    Ok(started.elapsed())
}

async fn release(client: &kube::Client, namespace: &str, name: &str) -> Result {
    let apply = PatchParams::apply("floor");
    let labels = json!({"app": name, "app.kubernetes.io/managed-by": "Helm"});
    let template = json!({"metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "main", "image": "example.com/web"}]}});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": labels},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": template}});
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": labels},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80}]}});
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    deployments.patch(name, &apply, &Patch::Apply(&deployment)).await?;
    let services: Api<Service> = Api::namespaced(client.clone(), namespace);
    services.patch(name, &apply, &Patch::Apply(&service)).await?;
    let record = json!({"metadata": {"name": format!("record-{name}")}, "stringData": {"release": "x".repeat(RECORD)}});
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    secrets
        .create(&PostParams::default(), &serde_json::from_value(record)?)
        .await?;
    let releases: Api<HelmRelease> = Api::namespaced(client.clone(), namespace);
    let status = Patch::Merge(json!({"status": {"observedGeneration": 1, "failures": 0, "history": Value::Null}}));
    releases.patch_status(name, &PatchParams::default(), &status).await?;
    Ok(())
}
