//! What objects carry from before: earlier tools, merged entries, fields that nobody renders any more, removed versions.

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::contest::{OURS, contest};
use super::play::Play;
use super::stage::{Stage, config_map, deployment, marked};
use crate::support::Result;

pub(crate) async fn row_18_client_side_kubectl_was_here_before(play: &mut Play) -> Result {
    play.ownership(json!({"adoptFrom": ["kubectl-client-side-apply"]}));
    let before = config_map("config", json!({"a": "1", "b": "1", "c": "by kubectl"}));
    play.kubectl(&["apply", "--filename=-"], Some(&before)).await?;
    let chart = config_map("config", json!({"a": "2", "b": "1"}));
    play.wants(std::slice::from_ref(&chart)).await?;
    // What the chart sets is ours alone; what it does not set stays as it is.
    let line = ".data.a kubectl-client-side-apply Legacy Resolved by adoptFrom";
    play.tells(&[contest(&chart, line, "2", &[OURS])]).await?;
    play.holds(&chart, ".data.b", "1", &[OURS]).await?;
    play.holds(&chart, ".data.c", "by kubectl", &["kubectl-client-side-apply Update"])
        .await
}

pub(crate) async fn row_21_people_use_dashboards(play: &mut Play) -> Result {
    play.ownership(json!({"onConflict": "Yield"}));
    let chart = config_map("config", json!({"a": "1", "b": "1", "c": "1", "d": "1"}));
    play.installs(std::slice::from_ref(&chart)).await?;
    let dashboards = [
        ("a", "rancher"),
        ("b", "Mozilla"),
        ("c", "node-fetch"),
        ("d", "OpenLens"),
    ];
    for (key, manager) in dashboards {
        let patch = json!({"data": {key: manager}});
        play.stage.patch_as(manager, &chart, &patch).await;
    }
    let left = dashboards.map(|(key, manager)| {
        let line = format!(".data.{key} {manager} Real Yielded by onConflict");
        contest(&chart, &line, manager, &[&format!("{manager} Update")])
    });
    play.tells(&left).await?;
    let metrics = play.installation.operator.metrics().await?;
    let people = [("release", "shop"), ("manager_class", "Human")];
    assert_eq!(metrics.sum("fairlead_ssa_conflicts_active", &people), Some(4.0));
    Ok(())
}

pub(crate) async fn row_23_the_ledger_knows_who_wrote_before_entries_were_merged(play: &mut Play) -> Result {
    play.ownership(json!({"rules": [{"paths": [".data.a"], "managers": ["a-tuner"], "onConflict": "Yield"}]}));
    let chart = |value: &str| config_map("config", json!({"a": "1", "b": value}));
    play.installs(&[chart("1")]).await?;
    let tuned = json!({"data": {"a": "tuned"}});
    play.stage.patch_as("a-tuner", &chart("1"), &tuned).await;
    let line = ".data.a a-tuner Real Yielded by rules[0]";
    play.tells(&[contest(&chart("1"), line, "tuned", &["a-tuner Update"])])
        .await?;
    for number in 0..11 {
        let own = json!({"data": {format!("x{number}"): "1"}});
        play.stage
            .patch_as(&format!("writer-{number}"), &chart("1"), &own)
            .await;
    }
    play.wants(&[chart("2")]).await?;
    let line = ".data.a ancient-changes Real Yielded by rules[0]";
    play.tells(&[contest(&chart("2"), line, "tuned", &["ancient-changes Update"])])
        .await?;
    play.holds(&chart("2"), ".data.b", "2", &[OURS]).await
}

/// The values of an object, without what every write changes.
fn content(object: &Value) -> Value {
    let mut object = object.clone();
    for key in [
        "managedFields",
        "resourceVersion",
        "generation",
        "labels",
        "annotations",
    ] {
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove(key);
        }
    }
    object["status"] = Value::Null;
    object
}

pub(crate) async fn row_26_tools_that_embed_helm_were_here_before(play: &mut Play) -> Result {
    let managers = [
        "helm",
        "helm-controller",
        "terraform-provider-helm_v2.17.0_x5",
        "Go-http-client",
    ];
    let mut charts = Vec::new();
    for (index, manager) in managers.iter().enumerate() {
        let name = format!("web-{index}");
        let mut web = deployment(2, "app:1");
        web["metadata"]["name"] = json!(name);
        web["spec"]["template"]["spec"]["containers"][0]["env"] = json!([{"name": "A", "value": "1"}]);
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"type": "NodePort", "selector": {"app": "web"}, "ports": [{"port": 80}]}});
        for object in [&web, &service] {
            play.stage.create_as(manager, &marked(&play.stage, object)).await;
        }
        // The status is a subresource's: its writer is no predecessor, whatever its name.
        let status =
            json!({"status": {"conditions": [{"type": "Checked", "status": "True", "reason": "Test", "message": ""}]}});
        let (api, name) = play.stage.api(&web).await;
        let parameters = PatchParams {
            field_manager: Some((*manager).to_owned()),
            ..PatchParams::default()
        };
        api.patch_status(&name, &parameters, &Patch::Merge(status)).await?;
        charts.extend([web, service]);
    }
    let mut before = Vec::new();
    for chart in &charts {
        before.push(content(&play.live(chart).await));
    }
    play.wants(&charts).await?;
    play.tells_nothing().await?;
    for (chart, before) in charts.iter().zip(&before) {
        assert_eq!(&content(&play.live(chart).await), before, "adoption changes no value");
    }
    for (web, manager) in charts.iter().step_by(2).zip(managers) {
        play.holds(web, ".spec.replicas", 2, &[OURS]).await?;
        let live = play.live(web).await;
        let entries = live["metadata"]["managedFields"].as_array().unwrap();
        let is_status = |entry: &Value| entry["manager"] == manager && entry["subresource"] == "status";
        assert!(entries.iter().any(is_status), "{manager}: {entries:?}");
    }
    Ok(())
}

pub(crate) async fn row_27_what_a_predecessor_wrote_goes_when_the_chart_drops_it(play: &mut Play) -> Result {
    let chart = |env: Value| {
        let mut web = deployment(1, "app:1");
        web["spec"]["template"]["spec"]["containers"][0]["env"] = env;
        web
    };
    let both = chart(json!([{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]));
    let one = chart(json!([{"name": "A", "value": "1"}]));
    play.stage.create_as("helm", &marked(&play.stage, &both)).await;
    let before = content(&play.live(&both).await);
    play.installs(std::slice::from_ref(&both)).await?;
    assert_eq!(content(&play.live(&both).await), before);
    let field = ".spec.template.spec.containers[name=\"app\"].env[name=\"B\"].value";
    play.holds(&both, field, "2", &[OURS]).await?;

    // Helm 3 comes back for a moment, and owns the field beside us again.
    play.stage.apply_as("helm", &marked(&play.stage, &both)).await;
    play.holds(&both, field, "2", &["helm Apply", OURS]).await?;
    play.wants(std::slice::from_ref(&one)).await?;
    play.tells_nothing().await?;
    play.holds(&one, field, Value::Null, &[]).await?;
    let kept = ".spec.template.spec.containers[name=\"app\"].env[name=\"A\"].value";
    play.holds(&one, kept, "1", &[OURS]).await
}

fn definition(group: &str, versions: &[&str]) -> Value {
    let schema = json!({"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object",
        "properties": {"size": {"type": "integer"}, "colour": {"type": "string"}}}}}});
    let last = versions.last().copied().unwrap_or_default();
    let versions: Vec<Value> = versions
        .iter()
        .map(|name| json!({"name": name, "served": true, "storage": *name == last, "schema": schema}))
        .collect();
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": format!("gadgets.{group}")},
        "spec": {"group": group, "scope": "Namespaced", "versions": versions,
            "names": {"kind": "Gadget", "plural": "gadgets", "singular": "gadget", "listKind": "GadgetList"}}})
}

fn gadget(group: &str, version: &str, size: u32) -> Value {
    json!({"apiVersion": format!("{group}/{version}"), "kind": "Gadget", "metadata": {"name": "g"}, "spec": {"size": size, "colour": "red"}})
}

/// Makes the definition, and waits until the server serves it.
async fn defined(stage: &Stage, definition: &Value, version: &str) -> Result {
    stage.apply_as("somebody", definition).await;
    let group = definition["spec"]["group"].as_str().unwrap_or_default();
    let api_version = format!("{group}/{version}");
    let started = std::time::Instant::now();
    while stage.kinds.resolve(&api_version, "Gadget").await.is_err() {
        assert!(
            started.elapsed() < crate::support::installation::DEADLINE,
            "{api_version} is not served"
        );
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Ok(())
}

pub(crate) async fn row_42_the_version_that_an_object_is_owned_in_is_removed(play: &mut Play) -> Result {
    let group = format!("{}.example.com", play.stage.namespace.name());
    let old = definition(&group, &["v1alpha1"]);
    defined(&play.stage, &old, "v1alpha1").await?;
    play.installs(&[gadget(&group, "v1alpha1", 1)]).await?;
    let labelled = json!({"metadata": {"labels": {"seen": "yes"}}});
    play.stage
        .patch_as("some-operator", &gadget(&group, "v1alpha1", 1), &labelled)
        .await;

    // The new version is stored, the old one no longer served nor known.
    defined(&play.stage, &definition(&group, &["v1alpha1", "v1"]), "v1").await?;
    let (api, name) = play.stage.api(&old).await;
    // Any write stores an object in the new version; the entries of its owners stay in the old one.
    let migrated = json!({"metadata": {"annotations": {"storage": "v1"}}});
    play.stage
        .patch_as("storage-migrator", &gadget(&group, "v1", 1), &migrated)
        .await;
    let stored = json!({"status": {"storedVersions": ["v1"]}});
    api.patch_status(&name, &PatchParams::default(), &Patch::Merge(stored))
        .await?;
    defined(&play.stage, &definition(&group, &["v1"]), "v1").await?;

    let chart = gadget(&group, "v1", 2);
    play.wants(std::slice::from_ref(&chart)).await?;
    let lost = [play.manager(), "some-operator".to_owned()].map(|manager| {
        let rule = format!("{group}/v1alpha1 is served no more");
        let line = format!(".metadata.managedFields {manager} Lost Resolved by {rule}");
        contest(&chart, &line, Value::Null, &[])
    });
    play.tells(&lost).await?;
    play.holds(&chart, ".spec.size", 2, &[OURS]).await?;
    let live = play.live(&chart).await;
    assert_eq!(live["spec"], json!({"size": 2, "colour": "red"}));
    let entries = live["metadata"]["managedFields"].to_string();
    assert!(!entries.contains("v1alpha1"), "{entries}");
    play.leaves_behind(&old);
    Ok(())
}
