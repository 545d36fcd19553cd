//! What is lost without a conflict: found by comparing with the ledger, told, and put right as the policy says.

use kube::api::DeleteParams;
use serde_json::{Value, json};

use super::contest::{OURS, contest};
use super::play::Play;
use super::stage::config_map;
use crate::support::Result;
use crate::support::installation::DEADLINE;

fn chart(value: &str) -> Value {
    config_map("config", json!({"a": "1", "b": value}))
}

/// A person removes a field of ours, under each policy.
pub(crate) async fn row_22_a_field_that_somebody_removed_follows_the_policy(play: &mut Play) -> Result {
    play.installs(&[chart("1")]).await?;
    let gone = json!({"data": {"a": null}});
    play.stage.patch_as("kubectl-edit", &chart("1"), &gone).await;
    let line = ".data.a unknown Lost Resolved by ledger";
    play.tells(&[contest(&chart("1"), line, "1", &[OURS])]).await?;

    play.ownership(json!({"rules": [{"paths": [".data.a"], "onConflict": "Yield"}]}));
    play.installs(&[chart("1")]).await?;
    play.stage.patch_as("kubectl-edit", &chart("1"), &gone).await;
    let left = contest(&chart("1"), ".data.a unknown Lost Yielded by rules[0]", Value::Null, &[]);
    play.tells(std::slice::from_ref(&left)).await?;
    play.wants(&[chart("2")]).await?;
    play.tells(&[left]).await?;
    play.holds(&chart("2"), ".data.b", "2", &[OURS]).await?;

    play.ownership(json!({"rules": [{"paths": [".data.a"], "onConflict": "Fail"}]}));
    play.installs(&[chart("3")]).await?;
    play.holds(&chart("3"), ".data.a", "1", &[OURS]).await?;
    play.stage.patch_as("kubectl-edit", &chart("3"), &gone).await;
    let line = ".data.a unknown Lost Failed by rules[0]";
    play.tells(&[contest(&chart("3"), line, Value::Null, &[])]).await?;
    play.is_not_ready(&[".data.a of unknown (Lost, Failed"]).await?;
    Ok(())
}

pub(crate) async fn row_22_wiped_managed_fields_are_noticed(play: &mut Play) -> Result {
    play.installs(&[chart("1")]).await?;
    let wipe = json!({"metadata": {"managedFields": [{}]}});
    play.stage.patch_as("kubectl-edit", &chart("1"), &wipe).await;
    let line = ".metadata.managedFields unknown Lost Resolved by ledger";
    play.tells(&[contest(&chart("1"), line, Value::Null, &[])]).await?;
    // The server made up an owner beside us; a field that leaves the chart leaves the object nevertheless.
    for path in [".data.a", ".data.b"] {
        play.holds(&chart("1"), path, "1", &["before-first-apply Update", OURS])
            .await?;
    }
    let less = config_map("config", json!({"b": "1"}));
    play.wants(std::slice::from_ref(&less)).await?;
    play.tells_nothing().await?;
    play.holds(&less, ".data.a", Value::Null, &[]).await
}

/// Who writes `stringData` owns another field than who writes `data`, so that the server sees no conflict.
pub(crate) async fn row_35_a_rival_that_writes_string_data_is_noticed(play: &mut Play) -> Result {
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"password": "ours"}});
    play.installs(std::slice::from_ref(&secret)).await?;
    let mut theirs = secret.clone();
    theirs["stringData"]["password"] = json!("horse-battery");
    play.stage.apply_as("some-operator", &theirs).await;
    let line = ".data.password some-operator Real Failed by onConflict";
    play.tells(&[contest(&secret, line, "aG9yc2UtYmF0dGVyeQ==", &[OURS])])
        .await?;
    play.holds(&secret, ".stringData.password", Value::Null, &["some-operator Apply"])
        .await
}

pub(crate) async fn row_40_admission_is_told_of_until_it_ends(play: &mut Play) -> Result {
    let namespace = play.stage.namespace.name().to_owned();
    let name = format!("enforce-{namespace}");
    let condition = format!("object.metadata.namespace == '{namespace}' && object.metadata.name == 'config'");
    let policy = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicy", "metadata": {"name": name}, "spec": {
        "matchConstraints": {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}]},
        "matchConditions": [{"name": "ours", "expression": condition}], "failurePolicy": "Fail", "reinvocationPolicy": "Never",
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": "[JSONPatch{op: 'replace', path: '/data/a', value: 'enforced'}]"}}]}});
    let binding = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": name}, "spec": {"policyName": name}});
    for object in [&policy, &binding] {
        play.stage.create_as("admin", object).await;
    }
    // The server takes a moment until it knows the policy.
    let probe = config_map("config", json!({"a": "probe"}));
    let started = std::time::Instant::now();
    loop {
        play.stage.apply_as("probe", &probe).await;
        if play.live(&probe).await["data"]["a"] == "enforced" {
            break;
        }
        assert!(started.elapsed() < DEADLINE, "the policy never took effect");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let (api, _) = play.stage.api(&probe).await;
    api.delete("config", &DeleteParams::default()).await?;

    play.wants(&[chart("1")]).await?;
    let line = ".data.a admission Admission Yielded by admission";
    let release = play.tells(&[contest(&chart("1"), line, "enforced", &[OURS])]).await?;
    let field = serde_json::to_value(&release)?["status"]["ownership"]["contested"][0].clone();
    assert_eq!(field["ours"], json!("1"));

    for object in [&binding, &policy] {
        let (api, name) = play.stage.api(object).await;
        api.delete(&name, &DeleteParams::default()).await?;
    }
    // As soon as the server has forgotten it, an upgrade gets through.
    let mut round = 1;
    loop {
        round += 1;
        play.installs(&[chart(&round.to_string())]).await?;
        if play.live(&chart("1")).await["data"]["a"] == "1" {
            break;
        }
        assert!(started.elapsed() < DEADLINE * 2, "the policy stays");
    }
    play.tells_nothing().await?;
    play.holds(&chart("1"), ".data.a", "1", &[OURS]).await
}

/// What was left to others is not forgotten when the operator restarts, even where the values agree.
pub(crate) async fn row_01_what_was_yielded_outlives_a_restart(play: &mut Play) -> Result {
    play.ownership(json!({"rules": [{"paths": [".data.a"], "onConflict": "Yield"}]}));
    play.installs(&[chart("1")]).await?;
    let tune = |value: &str| json!({"data": {"a": value}});
    play.stage.patch_as("tuner", &chart("1"), &tune("tuned")).await;
    let line = ".data.a tuner Real Yielded by rules[0]";
    let left = contest(&chart("1"), line, "tuned", &["tuner Update"]);
    play.tells(std::slice::from_ref(&left)).await?;
    play.stops()?;
    play.restarts().await?;
    play.looks_again().await?;
    play.tells(&[left]).await?;
    // While nobody looks, both come to want the same.
    play.stops()?;
    play.stage.patch_as("tuner", &chart("1"), &tune("1")).await;
    play.restarts().await?;
    let line = ".data.a tuner Phantom Yielded by rules[0]";
    let left = contest(&chart("1"), line, "1", &["tuner Update"]);
    play.tells(std::slice::from_ref(&left)).await?;
    play.wants(&[chart("2")]).await?;
    play.tells(&[left]).await?;
    Ok(())
}
