//! Fields that exclude each other, and manifests that the server does not take as they are.

use serde_json::{Value, json};

use super::play::Play;
use super::seen::Seen;
use super::stage::{config_map, deployment, marked};
use crate::support::Result;

fn service(port: u32) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"type": "NodePort", "selector": {"app": "web"}, "ports": [{"name": "http", "port": port}]}})
}

pub(crate) async fn row_28_a_port_is_renumbered(seen: Seen) -> Result {
    let mut play = Play::open(&seen).await?;
    play.stage
        .create_as("kubectl-create", &marked(&play.stage, &service(80)))
        .await;
    let before = play.live(&service(80)).await;
    let other = config_map("other", json!({"a": "1"}));
    play.wants(&[service(81), other.clone()]).await?;
    let old = ".spec.ports[port=80,protocol=\"TCP\"]";
    play.tells(&[&format!("{old} kubectl-create Union Failed by onConflict")])
        .await?;
    play.is_not_ready(&["ports", "kubectl-create", "Union"]).await?;
    assert!(play.stage.find(&other).await.is_none(), "nothing was written");

    play.ownership(json!({"rules": [{"paths": [".spec.ports"], "onConflict": "Force"}]}));
    play.wants(&[service(81), other]).await?;
    play.tells(&[&format!("{old} kubectl-create Union Forced by rules[0]")])
        .await?;
    play.is_ready().await?;
    let live = play.live(&service(80)).await;
    assert_eq!(live["spec"]["ports"].as_array().map(Vec::len), Some(1));
    assert_eq!(live["spec"]["ports"][0]["port"], json!(81));
    assert_eq!(live["spec"]["clusterIP"], before["spec"]["clusterIP"]);
    assert_eq!(
        play.owners(&service(80), ".spec.ports[port=81,protocol=\"TCP\"].port")
            .await?,
        [play.ours()]
    );
    Ok(())
}

pub(crate) async fn row_28_a_predecessors_port_is_renumbered(seen: Seen) -> Result {
    let play = Play::open(&seen).await?;
    play.stage.create_as("helm", &marked(&play.stage, &service(80))).await;
    play.wants(&[service(81)]).await?;
    let old = ".spec.ports[port=80,protocol=\"TCP\"]";
    play.tells(&[&format!("{old} helm Union Resolved by adoptFrom")])
        .await?;
    play.is_ready().await?;
    let live = play.live(&service(80)).await;
    assert_eq!(live["spec"]["ports"].as_array().map(Vec::len), Some(1));
    Ok(())
}

fn with_env(variable: &Value) -> Value {
    let mut web = deployment(1, "app:1");
    web["spec"]["template"]["spec"]["containers"][0]["env"] = json!([variable]);
    web
}

/// Each policy's remedy for a variable that the chart gives a value, and a person a source.
pub(crate) async fn row_28_a_variable_has_one_source(seen: Seen) -> Result {
    let mut play = Play::open(&seen).await?;
    let chart = with_env(&json!({"name": "N", "value": "ours"}));
    let plain = with_env(&json!({"name": "M", "value": "1"}));
    play.wants(std::slice::from_ref(&plain)).await?;
    play.is_ready().await?;
    let source = json!({"configMapKeyRef": {"name": "x", "key": "y"}});
    let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "env": [{"name": "N", "valueFrom": source}]}]}}}});
    play.stage.strategic_patch_as("kubectl-edit", &plain, &patch).await;
    let variable = ".spec.template.spec.containers[name=\"app\"].env[name=\"N\"]";
    let theirs = format!("{variable}.valueFrom");

    play.wants(std::slice::from_ref(&chart)).await?;
    play.tells(&[&format!("{theirs} kubectl-edit Union Failed by onConflict")])
        .await?;
    play.ownership(json!({"onConflict": "Yield"}));
    play.wants(std::slice::from_ref(&chart)).await?;
    play.tells(&[&format!("{theirs} kubectl-edit Union Yielded by onConflict")])
        .await?;
    play.is_ready().await?;
    let live = play.live(&chart).await;
    assert_eq!(
        live["spec"]["template"]["spec"]["containers"][0]["env"],
        json!([{"name": "N", "valueFrom": source}])
    );
    play.ownership(json!({"onConflict": "Force"}));
    play.wants(std::slice::from_ref(&chart)).await?;
    play.tells(&[&format!("{theirs} kubectl-edit Union Forced by onConflict")])
        .await?;
    play.is_ready().await?;
    let live = play.live(&chart).await;
    assert_eq!(
        live["spec"]["template"]["spec"]["containers"][0]["env"],
        json!([{"name": "N", "value": "ours"}])
    );
    assert_eq!(play.owners(&chart, &format!("{variable}.value")).await?, [play.ours()]);
    Ok(())
}

pub(crate) async fn row_28_defaults_of_another_strategy_are_nobodys(seen: Seen) -> Result {
    let play = Play::of(&seen, &[deployment(1, "app:1")]).await?;
    let mut chart = deployment(1, "app:1");
    chart["spec"]["strategy"] = json!({"type": "Recreate"});
    play.wants(std::slice::from_ref(&chart)).await?;
    play.tells(&[".spec.strategy.rollingUpdate unknown Union Resolved by union"])
        .await?;
    play.is_ready().await?;
    assert_eq!(play.live(&chart).await["spec"]["strategy"], json!({"type": "Recreate"}));
    Ok(())
}

pub(crate) async fn row_30_one_port_twice_is_the_charts_fault(seen: Seen) -> Result {
    let mut chart = deployment(1, "app:1");
    chart["spec"]["template"]["spec"]["containers"][0]["ports"] =
        json!([{"containerPort": 93, "name": "a"}, {"containerPort": 93, "name": "b"}]);
    let play = Play::open(&seen).await?;
    play.wants(std::slice::from_ref(&chart)).await?;
    let texts = [
        "Deployment",
        ".ports: duplicate entries for key [containerPort=93,protocol=\"TCP\"]",
        "correct the chart",
    ];
    let release = play.is_not_ready(&texts).await?;
    play.stage.seen.refused();
    assert!(play.stage.find(&chart).await.is_none());
    let events = play.installation.events(&release).await?;
    let metrics = play.installation.operator.metrics().await?;
    assert_eq!(
        metrics.sum("fairlead_ssa_conflicts_total", &[("release", "shop")]),
        None,
        "{events:?}"
    );
    Ok(())
}

pub(crate) async fn row_32_a_chart_made_from_a_live_object_is_cleaned(seen: Seen) -> Result {
    let play = Play::open(&seen).await?;
    let model = config_map("model", json!({"a": "1"}));
    play.stage.create_as("kubectl-create", &model).await;
    let mut chart = play.live(&model).await;
    chart["metadata"]["name"] = json!("config");
    chart["status"] = json!({"phase": "Active"});
    play.wants(std::slice::from_ref(&chart)).await?;
    play.tells_nothing().await?;
    let made = config_map("config", json!({}));
    let live = play.live(&made).await;
    assert_eq!(live["data"], json!({"a": "1"}));
    assert_ne!(live["metadata"]["uid"], chart["metadata"]["uid"]);
    assert_eq!(play.owners(&made, ".data.a").await?, [play.ours()]);
    let log = play.installation.operator.log();
    assert!(
        log.contains("metadata.managedFields is set by the server and not applied"),
        "{log}"
    );
    Ok(())
}

pub(crate) async fn row_37_two_releases_have_one_definition(seen: Seen) -> Result {
    let play = Play::open(&seen).await?;
    let group = format!("{}.example.com", play.stage.namespace.name());
    let definition = |description: &str| {
        let schema = json!({"openAPIV3Schema": {"type": "object", "description": description}});
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": format!("things.{group}")},
            "spec": {"group": group, "scope": "Namespaced", "names": {"kind": "Thing", "plural": "things", "singular": "thing", "listKind": "ThingList"},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}]}})
    };
    play.wants(&[definition("old")]).await?;
    play.is_ready().await?;
    // Another release brings a newer one, which is not put back silently.
    play.stage
        .apply_as("fairlead:elsewhere/other", &definition("new"))
        .await;
    play.tells(&[".spec.versions fairlead:elsewhere/other Sibling Failed by onConflict"])
        .await?;
    play.is_not_ready(&[".spec.versions of fairlead:elsewhere/other"])
        .await?;
    let live = play.live(&definition("")).await;
    assert_eq!(
        live["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"],
        json!("new")
    );
    assert_eq!(
        play.owners(&definition(""), ".spec.versions").await?,
        ["fairlead:elsewhere/other Apply"]
    );
    play.ends().await
}
