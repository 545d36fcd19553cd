//! Fields of custom resources that exclude each other by a rule of their definition, which names no pair of fields.

use std::time::Instant;

use kube::api::DeleteParams;
use serde_json::{Value, json};

use super::play::Play;
use crate::support::Result;
use crate::support::installation::DEADLINE;

fn definition(group: &str) -> Value {
    let text = json!({"type": "string"});
    let properties = json!({"size": {"type": "integer"}, "a": text, "b": text, "c": text, "d": text});
    let both = json!({"not": {"required": ["c", "d"]}});
    let spec = json!({"type": "object", "properties": properties, "oneOf": [both],
        "x-kubernetes-validations": [{"rule": "!(has(self.a) && has(self.b))", "message": "a and b exclude each other"}]});
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": format!("widgets.{group}")},
        "spec": {"group": group, "scope": "Namespaced", "names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}}]}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_names_no_field_is_told_with_what_others_set_beside() -> Result {
    let mut play = Play::open("exclusive_rules").await?;
    let group = format!("{}.example.com", play.stage.namespace.name());
    let definition = definition(&group);
    play.stage.create_as("admin", &definition).await;
    let widget = |spec: Value| json!({"apiVersion": format!("{group}/v1"), "kind": "Widget", "metadata": {"name": "w"}, "spec": spec});
    let started = Instant::now();
    let is_served = |live: &Value| live["status"]["acceptedNames"]["kind"] == "Widget";
    while !is_served(&play.live(&definition).await) {
        assert!(started.elapsed() < DEADLINE, "the kind is not served");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    play.installs(&[widget(json!({"size": 1}))]).await?;
    let theirs = json!({"spec": {"b": "theirs", "d": "theirs"}});
    play.stage.patch_as("kubectl-edit", &widget(json!({})), &theirs).await;

    for (ours, says) in [
        (json!({"size": 1, "a": "ours"}), "a and b exclude each other"),
        (json!({"size": 1, "c": "ours"}), "oneOf"),
    ] {
        play.wants(&[widget(ours)]).await?;
        let texts = [says, "beside it stands .spec.b of kubectl-edit, .spec.d of kubectl-edit"];
        play.is_not_ready(&texts).await?;
        let live = play.live(&widget(json!({}))).await;
        assert_eq!(live["spec"], json!({"size": 1, "b": "theirs", "d": "theirs"}));
    }
    // What is wrong by itself is told as it is.
    play.stage.patch_as("kubectl-edit", &widget(json!({})), &json!({"spec": {"b": null, "d": null}})).await;
    play.installs(&[widget(json!({"size": 2, "a": "ours"}))]).await?;

    play.installation.uninstall("shop").await?;
    let (api, name) = play.stage.api(&definition).await;
    api.delete(&name, &DeleteParams::default()).await?;
    Ok(())
}
