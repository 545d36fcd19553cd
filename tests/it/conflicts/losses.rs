//! What is lost without a conflict: found by comparing with the ledger, told, and put right as the policy says.

use serde_json::{Value, json};

use super::play::Play;
use super::seen::Seen;
use super::stage::config_map;
use crate::support::Result;

fn chart(value: &str) -> Value {
    config_map("config", json!({"a": "1", "b": value}))
}

/// A person removes a field of ours, under each policy.
pub(crate) async fn row_22_a_field_that_somebody_removed_follows_the_policy(seen: Seen) -> Result {
    let mut play = Play::of(&seen, &[chart("1")]).await?;
    let gone = json!({"data": {"a": null}});
    play.stage.patch_as("kubectl-edit", &chart("1"), &gone).await;
    play.tells(&[".data.a unknown Lost Resolved by ledger"]).await?;
    assert_eq!(play.live(&chart("1")).await["data"], json!({"a": "1", "b": "1"}));
    assert_eq!(play.owners(&chart("1"), ".data.a").await?, [play.ours()]);

    play.ownership(json!({"rules": [{"paths": [".data.a"], "onConflict": "Yield"}]}));
    play.wants(&[chart("1")]).await?;
    play.stage.patch_as("kubectl-edit", &chart("1"), &gone).await;
    play.tells(&[".data.a unknown Lost Yielded by rules[0]"]).await?;
    play.wants(&[chart("2")]).await?;
    play.is_ready().await?;
    play.tells(&[".data.a unknown Lost Yielded by rules[0]"]).await?;
    assert_eq!(play.live(&chart("1")).await["data"], json!({"b": "2"}));

    play.ownership(json!({"rules": [{"paths": [".data.a"], "onConflict": "Fail"}]}));
    play.wants(&[chart("3")]).await?;
    play.is_ready().await?;
    assert_eq!(play.live(&chart("1")).await["data"], json!({"a": "1", "b": "3"}));
    play.stage.patch_as("kubectl-edit", &chart("1"), &gone).await;
    play.tells(&[".data.a unknown Lost Failed by rules[0]"]).await?;
    play.is_not_ready(&[".data.a of unknown (Lost, Failed"]).await?;
    assert_eq!(play.live(&chart("1")).await["data"], json!({"b": "3"}));
    Ok(())
}

pub(crate) async fn row_22_wiped_managed_fields_are_noticed(seen: Seen) -> Result {
    let play = Play::of(&seen, &[chart("1")]).await?;
    let wipe = json!({"metadata": {"managedFields": [{}]}});
    play.stage.patch_as("kubectl-edit", &chart("1"), &wipe).await;
    play.tells(&[".metadata.managedFields unknown Lost Resolved by ledger"])
        .await?;
    play.is_ready().await?;
    for path in [".data.a", ".data.b"] {
        let owners = play.owners(&chart("1"), path).await?;
        assert!(owners.contains(&play.ours()), "{path}: {owners:?}");
    }
    // A field that leaves the chart leaves the object, although the server made up an owner beside us.
    play.wants(&[config_map("config", json!({"b": "1"}))]).await?;
    play.tells_nothing().await?;
    assert_eq!(play.live(&chart("1")).await["data"], json!({"b": "1"}));
    Ok(())
}

/// Who writes `stringData` owns another field than who writes `data`, so that the server sees no conflict.
pub(crate) async fn row_35_a_rival_that_writes_string_data_is_noticed(seen: Seen) -> Result {
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"password": "ours"}});
    let play = Play::of(&seen, std::slice::from_ref(&secret)).await?;
    let mut theirs = secret.clone();
    theirs["stringData"]["password"] = json!("theirs");
    play.stage.apply_as("some-operator", &theirs).await;
    let live = play.live(&secret).await;
    assert_eq!(live["data"]["password"], json!("dGhlaXJz"));
    let release = play
        .tells(&[".data.password some-operator Real Failed by onConflict"])
        .await?;
    assert_eq!(play.live(&secret).await["data"]["password"], json!("dGhlaXJz"));
    let shown = serde_json::to_string(&release)?;
    assert!(!shown.contains("dGhlaXJz") && !shown.contains("b3Vycw"), "{shown}");
    Ok(())
}

pub(crate) async fn row_40_admission_is_told_of_until_it_ends(seen: Seen) -> Result {
    let play = Play::open(&seen).await?;
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
        assert!(
            started.elapsed() < crate::support::installation::DEADLINE,
            "the policy never took effect"
        );
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let (api, _) = play.stage.api(&probe).await;
    api.delete("config", &kube::api::DeleteParams::default()).await?;

    play.wants(&[chart("1")]).await?;
    play.tells(&[".data.a admission Admission Yielded by admission"])
        .await?;
    let release = play.is_ready().await?;
    assert_eq!(play.live(&chart("1")).await["data"]["a"], json!("enforced"));
    assert_eq!(play.owners(&chart("1"), ".data.a").await?, [play.ours()]);
    let field = serde_json::to_value(&release)?["status"]["ownership"]["contested"][0].clone();
    assert_eq!((&field["ours"], &field["theirs"]), (&json!("1"), &json!("enforced")));

    for object in [&binding, &policy] {
        let (api, name) = play.stage.api(object).await;
        api.delete(&name, &kube::api::DeleteParams::default()).await?;
    }
    // As soon as the server has forgotten it, an upgrade gets through.
    let mut round = 1;
    loop {
        round += 1;
        play.wants(&[chart(&round.to_string())]).await?;
        play.is_ready().await?;
        if play.live(&chart("1")).await["data"]["a"] == "1" {
            break;
        }
        assert!(
            started.elapsed() < crate::support::installation::DEADLINE * 2,
            "the policy stays"
        );
    }
    play.tells_nothing().await?;
    Ok(())
}

/// What was left to others is not forgotten when the operator restarts, even where the values agree.
pub(crate) async fn row_01_what_was_yielded_outlives_a_restart(seen: Seen) -> Result {
    let mut play = Play::open(&seen).await?;
    play.ownership(json!({"rules": [{"paths": [".data.a"], "onConflict": "Yield"}]}));
    play.wants(&[chart("1")]).await?;
    play.is_ready().await?;
    play.stage
        .patch_as("tuner", &chart("1"), &json!({"data": {"a": "tuned"}}))
        .await;
    play.tells(&[".data.a tuner Real Yielded by rules[0]"]).await?;
    play.stops()?;
    play.restarts().await?;
    play.looks_again().await?;
    play.shows(&[".data.a tuner Real Yielded by rules[0]"]).await?;
    // While nobody looks, both come to want the same.
    play.stops()?;
    play.stage
        .patch_as("tuner", &chart("1"), &json!({"data": {"a": "1"}}))
        .await;
    play.restarts().await?;
    play.shows(&[".data.a tuner Phantom Yielded by rules[0]"]).await?;
    play.wants(&[chart("2")]).await?;
    play.is_ready().await?;
    assert_eq!(play.owners(&chart("1"), ".data.a").await?, ["tuner Update"]);
    Ok(())
}
