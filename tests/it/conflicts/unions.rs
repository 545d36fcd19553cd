//! Fields that exclude each other, and manifests that the server does not take as they are.

use serde_json::{Value, json};

use super::contest::{OURS, contest};
use super::play::Play;
use super::stage::{config_map, deployment, marked};
use crate::support::Result;

fn service(port: u32) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"type": "NodePort", "selector": {"app": "web"}, "ports": [{"name": "http", "port": port}]}})
}

pub(crate) async fn row_28_a_port_is_renumbered(play: &mut Play) -> Result {
    play.stage
        .create_as("kubectl-create", &marked(&play.stage, &service(80)))
        .await;
    let before = play.live(&service(80)).await;
    let port = before["spec"]["ports"][0].clone();
    let other = config_map("other", json!({"a": "1"}));
    play.wants(&[service(81), other.clone()]).await?;
    let old = ".spec.ports[port=80,protocol=\"TCP\"]";
    let line = format!("{old} kubectl-create Union Failed by onConflict");
    play.tells(&[contest(&service(81), &line, port, &["kubectl-create Update"])])
        .await?;
    assert!(play.stage.find(&other).await.is_none(), "nothing was written");

    play.ownership(json!({"rules": [{"paths": [".spec.ports"], "onConflict": "Force"}]}));
    play.wants(&[service(81), other]).await?;
    let line = format!("{old} kubectl-create Union Forced by rules[0]");
    play.tells(&[contest(&service(81), &line, Value::Null, &[])]).await?;
    let live = play.live(&service(81)).await;
    assert_eq!(live["spec"]["ports"].as_array().map(Vec::len), Some(1));
    assert_eq!(live["spec"]["clusterIP"], before["spec"]["clusterIP"]);
    let new = ".spec.ports[port=81,protocol=\"TCP\"].port";
    play.holds(&service(81), new, 81, &[OURS]).await
}

pub(crate) async fn row_28_a_predecessors_port_is_renumbered(play: &mut Play) -> Result {
    play.stage.create_as("helm", &marked(&play.stage, &service(80))).await;
    play.wants(&[service(81)]).await?;
    let line = ".spec.ports[port=80,protocol=\"TCP\"] helm Union Resolved by adoptFrom";
    play.tells(&[contest(&service(81), line, Value::Null, &[])]).await?;
    let new = ".spec.ports[port=81,protocol=\"TCP\"].port";
    play.holds(&service(81), new, 81, &[OURS]).await
}

fn with_env(variable: &Value) -> Value {
    let mut web = deployment(1, "app:1");
    web["spec"]["template"]["spec"]["containers"][0]["env"] = json!([variable]);
    web
}

/// Each policy's remedy for a variable that the chart gives a value, and a person a source.
pub(crate) async fn row_28_a_variable_has_one_source(play: &mut Play) -> Result {
    let chart = with_env(&json!({"name": "N", "value": "ours"}));
    let plain = with_env(&json!({"name": "M", "value": "1"}));
    play.installs(std::slice::from_ref(&plain)).await?;
    let source = json!({"configMapKeyRef": {"name": "x", "key": "y"}});
    let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "env": [{"name": "N", "valueFrom": source}]}]}}}});
    play.stage.strategic_patch_as("kubectl-edit", &plain, &patch).await;
    let variable = ".spec.template.spec.containers[name=\"app\"].env[name=\"N\"]";
    let (ours, theirs) = (format!("{variable}.value"), format!("{variable}.valueFrom"));
    let editor = ["kubectl-edit Update"];

    play.wants(std::slice::from_ref(&chart)).await?;
    let line = format!("{theirs} kubectl-edit Union Failed by onConflict");
    play.tells(&[contest(&chart, &line, source.clone(), &editor)]).await?;
    play.holds(&chart, &ours, Value::Null, &[]).await?;
    play.ownership(json!({"onConflict": "Yield"}));
    play.wants(std::slice::from_ref(&chart)).await?;
    let line = format!("{theirs} kubectl-edit Union Yielded by onConflict");
    play.tells(&[contest(&chart, &line, source, &editor)]).await?;
    play.holds(&chart, &ours, Value::Null, &[]).await?;
    play.ownership(json!({"onConflict": "Force"}));
    play.wants(std::slice::from_ref(&chart)).await?;
    let line = format!("{theirs} kubectl-edit Union Forced by onConflict");
    play.tells(&[contest(&chart, &line, Value::Null, &[])]).await?;
    play.holds(&chart, &ours, "ours", &[OURS]).await
}

pub(crate) async fn row_28_defaults_of_another_strategy_are_nobodys(play: &mut Play) -> Result {
    let mut chart = deployment(1, "app:1");
    play.installs(std::slice::from_ref(&chart)).await?;
    chart["spec"]["strategy"] = json!({"type": "Recreate"});
    play.wants(std::slice::from_ref(&chart)).await?;
    let line = ".spec.strategy.rollingUpdate unknown Union Resolved by union";
    play.tells(&[contest(&chart, line, Value::Null, &[])]).await?;
    play.holds(&chart, ".spec.strategy.type", "Recreate", &[OURS]).await
}

pub(crate) async fn row_30_one_port_twice_is_the_charts_fault(play: &mut Play) -> Result {
    let mut chart = deployment(1, "app:1");
    chart["spec"]["template"]["spec"]["containers"][0]["ports"] =
        json!([{"containerPort": 93, "name": "a"}, {"containerPort": 93, "name": "b"}]);
    let problem = ".ports: duplicate entries for key [containerPort=93,protocol=\"TCP\"]";
    play.refuses(&chart, &["Deployment", problem, "correct the chart"])
        .await
}

pub(crate) async fn row_32_a_chart_made_from_a_live_object_is_cleaned(play: &mut Play) -> Result {
    let model = config_map("model", json!({"a": "1"}));
    play.stage.create_as("kubectl-create", &model).await;
    let mut chart = play.live(&model).await;
    chart["metadata"]["name"] = json!("config");
    chart["status"] = json!({"phase": "Active"});
    play.wants(std::slice::from_ref(&chart)).await?;
    play.tells_nothing().await?;
    let made = config_map("config", json!({}));
    play.holds(&made, ".data", json!({"a": "1"}), &[]).await?;
    play.holds(&made, ".data.a", "1", &[OURS]).await?;
    assert_ne!(
        play.live(&made).await["metadata"]["uid"],
        chart["metadata"]["uid"]
    );
    let log = play.installation.operator.log();
    assert!(
        log.contains("metadata.managedFields is set by the server and not applied"),
        "{log}"
    );
    Ok(())
}

pub(crate) async fn row_37_two_releases_have_one_definition(play: &mut Play) -> Result {
    let group = format!("{}.example.com", play.stage.namespace.name());
    let definition = |description: &str| {
        let schema = json!({"openAPIV3Schema": {"type": "object", "description": description}});
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": format!("things.{group}")},
            "spec": {"group": group, "scope": "Namespaced", "names": {"kind": "Thing", "plural": "things", "singular": "thing", "listKind": "ThingList"},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}]}})
    };
    play.installs(&[definition("old")]).await?;
    // Another release brings a newer one, which is not put back silently.
    play.stage
        .apply_as("fairlead:elsewhere/other", &definition("new"))
        .await;
    let versions = play.live(&definition("")).await["spec"]["versions"].clone();
    assert_eq!(versions[0]["schema"]["openAPIV3Schema"]["description"], json!("new"));
    let line = ".spec.versions fairlead:elsewhere/other Sibling Failed by onConflict";
    let other = ["fairlead:elsewhere/other Apply"];
    play.tells(&[contest(&definition("old"), line, versions, &other)])
        .await?;
    Ok(())
}
