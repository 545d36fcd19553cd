//! What objects carry from before: earlier tools, merged entries, fields that nobody renders any more, removed versions.

use fairlead_controlplane::ControlPlane;
use serde_json::{Value, json};

use super::play::Play;
use super::seen::Seen;
use super::stage::{Stage, config_map, deployment, marked};
use crate::support::Result;

pub(crate) async fn row_18_client_side_kubectl_was_here_before(seen: Seen) -> Result {
    let mut play = Play::open(&seen).await?;
    play.ownership(json!({"adoptFrom": ["kubectl-client-side-apply"]}));
    let plane = ControlPlane::shared().await?;
    let before = config_map("config", json!({"a": "1", "b": "1", "c": "by kubectl"}));
    let inside = format!("--namespace={}", play.stage.namespace);
    let apply = ["apply", "--filename=-", &inside];
    plane.kubectl(&apply, Some(&before.to_string())).await?.checked()?;
    let chart = config_map("config", json!({"a": "2", "b": "1"}));
    play.wants(std::slice::from_ref(&chart)).await?;
    play.tells(&[".data.a kubectl-client-side-apply Legacy Resolved by adoptFrom"])
        .await?;
    play.is_ready().await?;
    assert_eq!(
        play.live(&chart).await["data"],
        json!({"a": "2", "b": "1", "c": "by kubectl"})
    );
    // What the chart sets is ours alone; what it does not set stays as it is.
    for path in [".data.a", ".data.b"] {
        assert_eq!(play.owners(&chart, path).await?, [play.ours()], "{path}");
    }
    assert_eq!(
        play.owners(&chart, ".data.c").await?,
        ["kubectl-client-side-apply Update"]
    );
    Ok(())
}

pub(crate) async fn row_21_people_use_dashboards(seen: Seen) -> Result {
    let mut play = Play::open(&seen).await?;
    play.ownership(json!({"onConflict": "Yield"}));
    let chart = config_map("config", json!({"a": "1", "b": "1", "c": "1", "d": "1"}));
    play.wants(std::slice::from_ref(&chart)).await?;
    play.is_ready().await?;
    let dashboards = [
        ("a", "rancher"),
        ("b", "Mozilla"),
        ("c", "node-fetch"),
        ("d", "OpenLens"),
    ];
    for (key, manager) in dashboards {
        play.stage
            .patch_as(manager, &chart, &json!({"data": {key: manager}}))
            .await;
    }
    let told = dashboards.map(|(key, manager)| format!(".data.{key} {manager} Real Yielded by onConflict"));
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    play.tells(&told).await?;
    let metrics = play.installation.operator.metrics().await?;
    let people = [("release", "shop"), ("manager_class", "Human")];
    assert_eq!(metrics.sum("fairlead_ssa_conflicts_active", &people), Some(4.0));
    for (key, manager) in dashboards {
        assert_eq!(play.live(&chart).await["data"][key], json!(manager));
        assert_eq!(
            play.owners(&chart, &format!(".data.{key}")).await?,
            [format!("{manager} Update")]
        );
    }
    Ok(())
}

pub(crate) async fn row_23_the_ledger_knows_who_wrote_before_entries_were_merged(seen: Seen) -> Result {
    let mut play = Play::open(&seen).await?;
    play.ownership(json!({"rules": [{"paths": [".data.a"], "managers": ["a-tuner"], "onConflict": "Yield"}]}));
    let chart = |value: &str| config_map("config", json!({"a": "1", "b": value}));
    play.wants(&[chart("1")]).await?;
    play.is_ready().await?;
    play.stage
        .patch_as("a-tuner", &chart("1"), &json!({"data": {"a": "tuned"}}))
        .await;
    play.tells(&[".data.a a-tuner Real Yielded by rules[0]"]).await?;
    for number in 0..11 {
        let own = json!({"data": {format!("x{number}"): "1"}});
        play.stage
            .patch_as(&format!("writer-{number}"), &chart("1"), &own)
            .await;
    }
    let merged = play.owners(&chart("1"), ".data.a").await?;
    assert_eq!(merged, ["ancient-changes Update"]);
    play.wants(&[chart("2")]).await?;
    play.tells(&[".data.a ancient-changes Real Yielded by rules[0]"])
        .await?;
    play.is_ready().await?;
    let live = play.live(&chart("1")).await;
    assert_eq!((&live["data"]["a"], &live["data"]["b"]), (&json!("tuned"), &json!("2")));
    Ok(())
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

pub(crate) async fn row_26_tools_that_embed_helm_were_here_before(seen: Seen) -> Result {
    let play = Play::open(&seen).await?;
    let managers = [
        "helm",
        "helm-controller",
        "terraform-provider-helm_v2.17.0_x5",
        "Go-http-client",
    ];
    let mut charts = Vec::new();
    let mut before = Vec::new();
    for (index, manager) in managers.iter().enumerate() {
        let mut web = deployment(2, "app:1");
        web["metadata"]["name"] = json!(format!("web-{index}"));
        web["spec"]["template"]["spec"]["containers"][0]["env"] = json!([{"name": "A", "value": "1"}]);
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": format!("web-{index}")},
            "spec": {"type": "NodePort", "selector": {"app": "web"}, "ports": [{"port": 80}]}});
        for object in [web, service] {
            play.stage.create_as(manager, &marked(&play.stage, &object)).await;
            charts.push(object);
        }
        // The status is a subresource's: its writer is no predecessor, whatever its name.
        let status =
            json!({"status": {"conditions": [{"type": "Checked", "status": "True", "reason": "Test", "message": ""}]}});
        let chart = charts.get(index * 2).ok_or("no chart")?;
        let (api, name) = play.stage.api(chart).await;
        let parameters = kube::api::PatchParams {
            field_manager: Some((*manager).to_owned()),
            ..kube::api::PatchParams::default()
        };
        api.patch_status(&name, &parameters, &kube::api::Patch::Merge(status))
            .await?;
    }
    for chart in &charts {
        before.push(content(&play.live(chart).await));
    }
    play.wants(&charts).await?;
    play.is_ready().await?;
    let release = play.tells_nothing().await?;
    assert!(release.status.is_some());
    for (chart, before) in charts.iter().zip(&before) {
        assert_eq!(&content(&play.live(chart).await), before, "adoption changes no value");
    }
    for (index, manager) in managers.iter().enumerate() {
        let chart = charts.get(index * 2).ok_or("no chart")?;
        assert_eq!(play.owners(chart, ".spec.replicas").await?, [play.ours()], "{manager}");
        let live = play.live(chart).await;
        let entries = live["metadata"]["managedFields"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let status = |entry: &&Value| entry["manager"] == *manager && entry["subresource"] == "status";
        assert!(entries.iter().any(|entry| status(&entry)), "{manager}: {entries:?}");
    }
    Ok(())
}

pub(crate) async fn row_27_what_a_predecessor_wrote_goes_when_the_chart_drops_it(seen: Seen) -> Result {
    let play = Play::open(&seen).await?;
    let chart = |env: Value| {
        let mut web = deployment(1, "app:1");
        web["spec"]["template"]["spec"]["containers"][0]["env"] = env;
        web
    };
    let both = chart(json!([{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]));
    let one = chart(json!([{"name": "A", "value": "1"}]));
    play.stage.create_as("helm", &marked(&play.stage, &both)).await;
    let before = content(&play.live(&both).await);
    play.wants(std::slice::from_ref(&both)).await?;
    play.is_ready().await?;
    assert_eq!(content(&play.live(&both).await), before);
    let field = ".spec.template.spec.containers[name=\"app\"].env[name=\"B\"].value";
    assert_eq!(play.owners(&both, field).await?, [play.ours()]);

    // Helm 3 comes back for a moment, and owns the field beside us again.
    play.stage.apply_as("helm", &marked(&play.stage, &both)).await;
    assert_eq!(play.owners(&both, field).await?, [play.ours(), "helm Apply".to_owned()]);
    play.wants(std::slice::from_ref(&one)).await?;
    play.tells_nothing().await?;
    let live = play.live(&both).await;
    let env = &live["spec"]["template"]["spec"]["containers"][0]["env"];
    assert_eq!(env, &json!([{"name": "A", "value": "1"}]));
    Ok(())
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

pub(crate) async fn row_42_the_version_that_an_object_is_owned_in_is_removed(seen: Seen) -> Result {
    let play = Play::open(&seen).await?;
    let group = format!("{}.example.com", play.stage.namespace.name());
    let old = definition(&group, &["v1alpha1"]);
    defined(&play.stage, &old, "v1alpha1").await?;
    play.wants(&[gadget(&group, "v1alpha1", 1)]).await?;
    play.is_ready().await?;
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
    api.patch_status(
        &name,
        &kube::api::PatchParams::default(),
        &kube::api::Patch::Merge(stored),
    )
    .await?;
    defined(&play.stage, &definition(&group, &["v1"]), "v1").await?;

    play.wants(&[gadget(&group, "v1", 2)]).await?;
    let ours = format!("fairlead:{}/shop", play.stage.namespace);
    let told = [ours.as_str(), "some-operator"]
        .map(|manager| format!(".metadata.managedFields {manager} Lost Resolved by {group}/v1alpha1 is served no more"));
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    play.tells(&told).await?;
    play.is_ready().await?;
    let live = play.live(&gadget(&group, "v1", 2)).await;
    assert_eq!(live["spec"], json!({"size": 2, "colour": "red"}));
    let entries = live["metadata"]["managedFields"].to_string();
    assert!(!entries.contains("v1alpha1"), "{entries}");
    assert_eq!(
        play.owners(&gadget(&group, "v1", 2), ".spec.size").await?,
        [play.ours()]
    );
    play.installation.uninstall("shop").await?;
    api.delete(&name, &kube::api::DeleteParams::default()).await?;
    Ok(())
}
