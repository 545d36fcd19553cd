//! What is too large elsewhere: clusters with many definitions, and charts with many files.

use std::fmt::Write as _;

use fairlead_controlplane::Options;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, PostParams};
use serde_json::{Map, Value, json};

use crate::resources::install;
use crate::support::Result;
use crate::support::installation::{DEADLINE, Installation, history};
use crate::support::operator::Operator;
use crate::support::own_plane::OwnPlane;
use crate::support::wait::becomes;

const DEFINITIONS: usize = 120;
/// Fields of each, with a description: some 60 KiB, as those of real operators.
const FIELDS: usize = 400;
/// What the definitions may cost the operator.
const MOST_KIB: u64 = 8 * 1024;

fn definition(number: usize) -> Result<CustomResourceDefinition> {
    let description = "What a controller does with it, at the length at which such things are told. ".repeat(2);
    let field = |index: usize| {
        (
            format!("field{index}"),
            json!({"type": "string", "description": description}),
        )
    };
    let fields: Map<String, Value> = (0..FIELDS).map(field).collect();
    let spec = json!({"type": "object", "properties": fields});
    let schema = json!({"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}});
    let version = json!({"name": "v1", "served": true, "storage": true, "schema": schema});
    let names = json!({"kind": format!("Gadget{number}"), "plural": format!("gadgets{number}")});
    Ok(serde_json::from_value(json!({
        "metadata": {"name": format!("gadgets{number}.many.example.com")},
        "spec": {"group": "many.example.com", "scope": "Namespaced", "names": names, "versions": [version]},
    }))?)
}

/// The most memory that a process had, in KiB.
fn peak(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(line.ok_or("a peak")?.trim().trim_end_matches(" kB").parse()?)
}

/// Two operators one after the other do the same in a cluster, without the definitions and with them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_04_memory_does_not_grow_with_the_definitions_of_the_cluster() -> Result {
    let own = OwnPlane::start(Options::default()).await?;
    let plane = own.get();
    install(plane).await?;
    let namespace = plane.namespace("many").await?;
    let mut installation = Installation::with(plane, namespace, plane.kubeconfig_path()).await?;
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n";
    let files = [("templates/map.yaml", map)];
    installation.repository.add("small", "1.0.0", &files).await?;
    let mut peaks = Vec::new();
    for round in ["without", "with"] {
        for number in 0..10 {
            let name = format!("{round}-{number}");
            installation
                .release(&name, json!({"chart": {"spec": {"chart": "small"}}}))
                .await?;
            installation.ready_is(&name, "True", &[]).await?;
        }
        peaks.push(peak(installation.operator.process_id())?);
        if round == "with" {
            break;
        }
        let definitions: Api<CustomResourceDefinition> = Api::all(installation.client.clone());
        for number in 0..DEFINITIONS {
            definitions.create(&PostParams::default(), &definition(number)?).await?;
        }
        let last = format!("gadgets{}.many.example.com", DEFINITIONS - 1);
        let established = kube::runtime::conditions::is_crd_established();
        becomes(&definitions, &last, DEADLINE, established).await?;
        installation.operator.stop()?;
        let scope = ["--namespace", installation.namespace.name()];
        installation.operator = Operator::start(plane.kubeconfig_path(), &scope)?;
        installation.operator.ready().await?;
    }
    eprintln!("peak of memory without and with {DEFINITIONS} definitions: {peaks:?} KiB");
    assert!(peaks[1] < peaks[0] + MOST_KIB, "{peaks:?}");
    Ok(())
}

/// A text that cannot be compressed much.
fn noise(bytes: usize) -> String {
    let mut state = 1_u64;
    let mut text = String::with_capacity(bytes + 16);
    while text.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        _ = write!(text, "{state:016x}");
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_16b_a_chart_that_is_too_large_for_helms_record_is_released() -> Result {
    let installation = Installation::start("large").await?;
    let content = noise(2 << 20);
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {length: \"{{ len (.Files.Get \"files/data\") }}\"}\n";
    let files = [("templates/map.yaml", map), ("files/data", content.as_str())];
    installation.repository.add("large", "1.0.0", &files).await?;
    let namespace = installation.namespace.name();
    let url = installation.repository.url();
    let install = ["install", "whole", "large", "--repo", url, "--namespace", namespace];
    let refused = installation.plane.helm(&install).await?;
    assert!(refused.code != 0 && refused.stderr.contains("Too long"), "{refused:?}");

    installation.release("large", json!({})).await?;
    let release = installation.ready_is("large", "True", &[]).await?;
    assert_eq!(history(&release), [(1, "deployed".to_owned())]);
    let live = installation.api::<ConfigMap>().get("large").await?;
    assert_eq!(json!(live.data)["length"], content.len().to_string());
    let record = installation.api::<Secret>().get("sh.helm.release.v1.large.v1").await?;
    let size = record
        .data
        .and_then(|data| data.get("release").map(|record| record.0.len()));
    assert!(size.is_some_and(|size| size < 10_000), "{size:?}");
    let list = ["list", "--short", "--namespace", namespace];
    assert_eq!(installation.plane.helm(&list).await?.checked()?.trim(), "large");
    Ok(())
}
