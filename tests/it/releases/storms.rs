//! Many releases in bad weather: what is answered late, wrongly or not at all delays them, and nothing more.

use std::collections::BTreeSet;
use std::time::Duration;

use fairlead::api::HelmRelease;
use fairlead_controlplane::ControlPlane;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt as _;
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::json;

use super::stage::{REPOSITORY, Stage, history};
use crate::support::Result;
use crate::support::installation::condition;
use crate::support::operator::Operator;
use crate::support::storm::{Fault, Storm};

const RELEASES: usize = 200;
/// Releases that are made at once.
const AT_ONCE: usize = 10;
const DEADLINE: Duration = Duration::from_mins(5);
/// How long the API server is away.
const OUTAGE: Duration = Duration::from_mins(1);
const CHART: [(&str, &str); 1] = [(
    "templates/all.yaml",
    "
{{- range $part := list \"one\" \"two\" }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ $.Release.Name }}-{{ $part }}}
data: {color: {{ $.Values.color }}}
{{- end }}
",
)];

async fn apply(stage: &Stage, namespace: &str, color: &str) -> Result {
    let source = json!({"kind": "HelmRepository", "name": REPOSITORY});
    let spec = json!({"interval": "10m", "values": {"color": color},
        "chart": {"spec": {"chart": "small", "version": "1.0.0", "sourceRef": source}}});
    let releases = stage.releases(namespace);
    let applying = (0..RELEASES).map(|index| {
        let (releases, name, spec) = (releases.clone(), format!("small-{index}"), spec.clone());
        async move {
            let release = json!({"apiVersion": "fairlead.dev/v1alpha1", "kind": "HelmRelease",
                "metadata": {"name": name}, "spec": spec});
            let parameters = PatchParams::apply("kubectl");
            releases.patch(&name, &parameters, &Patch::Apply(release)).await
        }
    });
    stream::iter(applying)
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<_>>()
        .await?;
    Ok(())
}

/// Waits until all are ready as they are now, and gives them.
async fn all_ready(releases: &Api<HelmRelease>) -> Result {
    let mut ready = BTreeSet::new();
    let mut changes = std::pin::pin!(
        watcher(releases.clone(), watcher::Config::default())
            .default_backoff()
            .applied_objects()
    );
    let waiting = async {
        while let Some(release) = changes.try_next().await? {
            let condition = condition(&release, "Ready");
            let is_current = condition["observedGeneration"].as_i64() == release.metadata.generation;
            if condition["status"] == "True" && is_current {
                ready.insert(release.name_any());
            } else {
                ready.remove(&release.name_any());
            }
            if ready.len() == RELEASES {
                return Ok(());
            }
        }
        Err("the watch ended".into())
    };
    if let Ok(waited) = tokio::time::timeout(DEADLINE, waiting).await {
        return waited;
    }
    let all = releases.list(&ListParams::default()).await?;
    let late = all
        .iter()
        .find(|release| condition(release, "Ready")["status"] != "True");
    let late = late.map(|release| json!({"name": release.name_any(), "status": release.status}));
    Err(format!("{} of {RELEASES} are ready; one that is not: {late:?}", ready.len()).into())
}

/// Waits until there are these records: one that met the storm follows its release, which is ready before. None is there besides.
async fn records_are(stage: &Stage, namespace: &str, expected: &BTreeSet<String>) -> Result {
    let records: Api<Secret> = Api::namespaced(stage.client.clone(), namespace);
    let of_helm = watcher::Config::default().labels("owner=helm");
    let mut written = BTreeSet::new();
    let mut changes = std::pin::pin!(watcher(records, of_helm).default_backoff().applied_objects());
    let waiting = async {
        while written != *expected {
            let record = changes.try_next().await?.ok_or("the watch ended")?.name_any();
            assert!(expected.contains(&record), "{record} is one too many");
            written.insert(record);
        }
        Result::Ok(())
    };
    if let Ok(waited) = tokio::time::timeout(DEADLINE, waiting).await {
        return waited;
    }
    let missing: Vec<&String> = expected.difference(&written).collect();
    Err(format!("these records are missing: {missing:?}").into())
}

/// Every release has one revision more, one record for each, and its objects have the color.
async fn converged(stage: &Stage, namespace: &str, revisions: u32, color: &str) -> Result {
    let releases = stage.releases(namespace).list(&ListParams::default()).await?;
    for release in releases {
        let versions: Vec<u32> = history(&release).into_iter().map(|(version, _)| version).collect();
        let expected: Vec<u32> = (1..=revisions).rev().collect();
        assert_eq!(versions, expected, "{}", release.name_any());
    }
    let each = 1..=revisions;
    let expected = each
        .flat_map(|revision| (0..RELEASES).map(move |index| format!("sh.helm.release.v1.small-{index}.v{revision}")));
    records_are(stage, namespace, &expected.collect()).await?;
    let maps: Api<ConfigMap> = Api::namespaced(stage.client.clone(), namespace);
    let maps = maps.list(&ListParams::default().labels("fairlead.dev/name")).await?;
    assert_eq!(maps.items.len(), 2 * RELEASES);
    let others: Vec<String> = maps
        .iter()
        .filter(|map| json!(map.data)["color"] != color)
        .map(kube::ResourceExt::name_any)
        .collect();
    assert_eq!(others, Vec::<String>::new(), "all are {color}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn releases_converge_in_bad_weather_and_after_an_outage() -> Result {
    let plane = ControlPlane::shared().await?;
    let stage = Stage::open(plane).await?;
    let namespace = plane.namespace("storms").await?;
    stage.repository.add("small", "1.0.0", &CHART).await?;
    stage.apply_repository(&namespace).await?;
    apply(&stage, &namespace, "red").await?;

    let storm = Storm::begin(plane).await?;
    let scope = format!("--namespace={}", namespace.name());
    let operator = Operator::start(&storm.kubeconfig(), &[&scope, "--log=warn"])?;
    let releases = stage.releases(&namespace);
    all_ready(&releases).await?;
    converged(&stage, &namespace, 1, "red").await?;
    let met = storm.met();
    for fault in Fault::ALL {
        assert!(met.contains_key(&fault), "{fault:?} was not met: {met:?}");
    }
    eprintln!("{met:?}");

    // The API server is away while what is desired changes.
    storm.outage(true);
    apply(&stage, &namespace, "blue").await?;
    tokio::time::sleep(OUTAGE).await;
    converged(&stage, &namespace, 1, "red").await?;
    storm.outage(false);
    all_ready(&releases).await?;
    converged(&stage, &namespace, 2, "blue").await?;
    operator.kill()?;
    Ok(())
}
