//! People with kubectl: their changes are seen, named, and undone or kept as the policy says.

use fairlead::cluster::apply::ApplyError;
use fairlead::ownership::policy::OnConflict;
use serde_json::{Value, json};

use super::contest::{Contest, OURS, contest};
use super::play::Play;
use super::stage::{Stage, config_map, deployment, told};
use crate::support::Result;

pub(crate) async fn row_02_kubectl_scale_is_a_persons_change(play: &mut Play) -> Result {
    let chart = deployment(3, "app:1");
    play.installs(std::slice::from_ref(&chart)).await?;
    play.kubectl(&["scale", "deployment/web", "--replicas=5"], None).await?;
    let line = ".spec.replicas kubectl Real Failed by onConflict";
    play.tells(&[contest(&chart, line, 5, &["kubectl Update"])]).await?;

    let rule = json!({"paths": [".spec.replicas"], "managers": ["kubectl"], "onConflict": "Force"});
    play.ownership(json!({"rules": [rule]}));
    play.wants(std::slice::from_ref(&chart)).await?;
    let line = ".spec.replicas kubectl Real Forced by rules[0]";
    play.tells(&[contest(&chart, line, 3, &[OURS])]).await?;
    Ok(())
}

/// Three people, under each policy.
pub(crate) async fn row_16_an_edited_image_follows_the_policy(play: &mut Play) -> Result {
    let managers = ["kubectl-edit", "kubectl-patch", "kubectl-set"];
    let charts = |replicas: u32, image: &str| {
        managers.map(|manager| {
            let mut web = deployment(1, image);
            web["metadata"]["name"] = json!(manager);
            web["spec"]["replicas"] = json!(replicas);
            web
        })
    };
    play.installs(&charts(1, "app:1")).await?;
    let edit = json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "app:debug"}]}}}});
    let [edited, ..] = charts(1, "app:1");
    play.stops()?; // so that nothing is said before all of them are done
    play.stage.strategic_patch_as("kubectl-edit", &edited, &edit).await;
    let patch = ["patch", "deployment/kubectl-patch", "--patch", &edit.to_string()];
    play.kubectl(&patch, None).await?;
    let set = ["set", "image", "deployment/kubectl-set", "app=app:debug"];
    play.kubectl(&set, None).await?;

    let decided = |action: &str, image: &str, owner: fn(&str) -> String| -> Vec<Contest> {
        let path = ".spec.template.spec.containers[name=\"app\"].image";
        let about = |(manager, chart): (&str, &Value)| {
            let line = format!("{path} {manager} Real {action} by onConflict");
            contest(chart, &line, image, &[&owner(manager)])
        };
        managers.into_iter().zip(&charts(1, "")).map(about).collect()
    };
    let theirs = |manager: &str| format!("{manager} Update");
    play.ownership(json!({"onConflict": "HandOff"}));
    play.wants(&charts(2, "app:2")).await?;
    play.restarts().await?;
    play.tells(&decided("HandedOff", "app:debug", theirs)).await?;
    play.ownership(json!({"onConflict": "Retry", "retry": {"limit": 100, "interval": "1h"}}));
    play.wants(&charts(2, "app:2")).await?;
    play.tells(&decided("Retrying", "app:debug", theirs)).await?;
    play.holds(&edited, ".spec.replicas", 1, &[OURS]).await?;

    // When that did not help.
    play.ownership(json!({"onConflict": "Retry", "retry": {"limit": 1, "interval": "1s", "then": "Yield"}}));
    play.wants(&charts(2, "app:2")).await?;
    play.tells(&decided("Yielded", "app:debug", theirs)).await?;
    play.holds(&edited, ".spec.replicas", 2, &[OURS]).await?;
    play.ownership(json!({"onConflict": "Force"}));
    play.wants(&charts(2, "app:2")).await?;
    play.tells(&decided("Forced", "app:2", |_| OURS.to_owned())).await?;
    Ok(())
}

pub(crate) async fn row_17_a_dotted_key_has_an_exact_path(play: &mut Play) -> Result {
    let chart = |value: &str| {
        let data = json!({"sdk-config.yaml": value, "sdk-config": "x", "other": "y"});
        config_map("config", data)
    };
    let rule = json!({"paths": [".data[\"sdk-config.yaml\"]"], "managers": ["kubectl-.*"], "onConflict": "Yield"});
    play.ownership(json!({"rules": [rule]}));
    play.installs(&[chart("a: 1")]).await?;
    let patch = json!({"data": {"sdk-config.yaml": "a: 2"}}).to_string();
    play.kubectl(&["patch", "configmap/config", "--patch", &patch], None)
        .await?;
    play.wants(&[chart("a: 3")]).await?;
    let line = ".data[\"sdk-config.yaml\"] kubectl-patch Real Yielded by rules[0]";
    play.tells(&[contest(&chart(""), line, "a: 2", &["kubectl-patch Update"])])
        .await?;
    play.holds(&chart(""), ".data[\"sdk-config\"]", "x", &[OURS]).await
}

pub(crate) async fn row_19_kubectl_server_side_apply_is_an_apply_owner(play: &mut Play) -> Result {
    let chart = config_map("config", json!({"a": "1", "b": "1"}));
    play.installs(std::slice::from_ref(&chart)).await?;
    let apply = ["apply", "--server-side", "--force-conflicts", "--filename=-"];
    play.kubectl(&apply, Some(&config_map("config", json!({"a": "2"})))).await?;
    let line = ".data.a kubectl Real Failed by onConflict";
    let release = play.tells(&[contest(&chart, line, "2", &["kubectl Apply"])]).await?;
    let field = serde_json::to_value(&release)?["status"]["ownership"]["contested"][0].clone();
    assert_eq!(field["operation"], json!("Apply"));
    play.holds(&chart, ".data.b", "1", &[OURS]).await
}

pub(crate) async fn row_20_a_rollout_restart_survives(play: &mut Play) -> Result {
    play.installs(&[deployment(1, "app:1")]).await?;
    play.kubectl(&["rollout", "restart", "deployment/web"], None).await?;
    let chart = deployment(1, "app:2");
    let restarted = ".spec.template.metadata.annotations[\"kubectl.kubernetes.io/restartedAt\"]";
    let annotations = play.live(&chart).await["spec"]["template"]["metadata"]["annotations"].clone();
    let time = annotations["kubectl.kubernetes.io/restartedAt"].clone();
    assert!(time.is_string(), "{annotations}");
    play.wants(std::slice::from_ref(&chart)).await?;
    play.tells_nothing().await?;
    let image = ".spec.template.spec.containers[name=\"app\"].image";
    play.holds(&chart, image, "app:2", &[OURS]).await?;
    play.holds(&chart, restarted, time, &["kubectl-rollout Update"]).await
}

#[tokio::test]
async fn only_the_reviewed_field_is_forced() {
    let mut stage = Stage::open("force").await;
    let chart = config_map("config", json!({"a": "1", "b": "1", "c": "1"}));
    stage.apply(&chart).await.unwrap();
    stage
        .patch_as("kubectl-edit", &chart, &json!({"data": {"a": "2"}}))
        .await;
    stage
        .patch_as("some-operator", &chart, &json!({"data": {"b": "2"}}))
        .await;
    stage.rule(&[".data.a"], &[], OnConflict::Force);
    stage.rule(&[".data.b"], &[], OnConflict::Yield);
    let applied = stage.apply(&chart).await.unwrap();
    assert_eq!(
        told(&applied.contested),
        [
            ".data.a kubectl-edit Real Forced rules[0]",
            ".data.b some-operator Real Yielded rules[1]"
        ]
    );
    assert_eq!(stage.live(&chart).await["data"], json!({"a": "1", "b": "2", "c": "1"}));
}

#[tokio::test]
async fn a_secrets_values_are_never_told() {
    let mut stage = Stage::open("secret").await;
    let chart = |text: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"password": text}});
    stage.apply(&chart("hunter2")).await.unwrap();
    stage
        .patch_as(
            "kubectl-edit",
            &chart(""),
            &json!({"stringData": {"password": "correct-horse"}}),
        )
        .await;
    let error = stage.apply(&chart("hunter3")).await.unwrap_err();
    let all = format!("{error} {error:?} {:?}", stage.ledger);
    for value in ["hunter", "aHVudGVy", "correct-horse", "Y29ycmVjdC1ob3JzZQ"] {
        assert!(!all.contains(value), "{value} in {all}");
    }
    let ApplyError::Stopped { contested, .. } = error else {
        panic!()
    };
    assert_eq!(told(&contested), [".data.password kubectl-edit Real Failed onConflict"]);
    assert_ne!(contested.first().unwrap().ours, contested.first().unwrap().theirs);
}
