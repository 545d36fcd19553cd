//! Controllers that own fields by design: autoscalers and the aggregation of ClusterRoles, which are the real ones; and those
//! who claim a field against each other.

use std::time::Duration;

use kube::runtime::wait::await_condition;
use serde_json::{Value, json};

use super::contest::{OURS, contest};
use super::play::Play;
use super::stage::{Stage, config_map, deployment, told};
use crate::support::Result;
use crate::support::installation::condition;

const REPLICAS: &str = ".spec.replicas";
const IMAGE: &str = ".spec.template.spec.containers[name=\"app\"].image";

/// An autoscaler that scales to its minimum at once: it needs no metrics to know.
fn autoscaler(minimum: u32) -> Value {
    json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"}, "spec": {
        "minReplicas": minimum, "maxReplicas": 9, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}})
}

pub(crate) async fn row_01_an_autoscaler_keeps_its_replicas(play: &mut Play) -> Result {
    play.installs(&[deployment(3, "app:1"), autoscaler(7)]).await?;
    // The real one, through the scale subresource.
    play.has(&deployment(3, ""), REPLICAS, &json!(7)).await?;
    let line = ".spec.replicas kube-controller-manager Real Yielded by wellKnownOwners/hpa-replicas";
    let left = contest(&deployment(3, ""), line, 7, &["kube-controller-manager Update"]);
    play.tells(std::slice::from_ref(&left)).await?;
    play.wants(&[deployment(3, "app:2"), autoscaler(7)]).await?;
    let release = play.tells(&[left]).await?;
    play.holds(&deployment(3, ""), IMAGE, "app:2", &[OURS]).await?;
    let field = serde_json::to_value(&release)?["status"]["ownership"]["contested"][0].clone();
    assert_eq!((&field["ours"], &field["subresource"]), (&json!(3), &json!("scale")));
    Ok(())
}

pub(crate) async fn row_01_a_yielded_field_stays_yielded_until_its_owner_lets_go(play: &mut Play) -> Result {
    let web = deployment(3, "");
    play.installs(&[deployment(3, "app:1")]).await?;
    let left = |class: &str, replicas: i32| {
        let line =
            format!(".spec.replicas kube-controller-manager {class} Yielded by wellKnownOwners/hpa-replicas");
        contest(&web, &line, replicas, &["kube-controller-manager Update"])
    };
    play.stage.scale_as("kube-controller-manager", &web, 5).await;
    play.tells(&[left("Real", 5)]).await?;
    // The owner happens to want what we want: we still do not become a co-owner.
    play.stage.scale_as("kube-controller-manager", &web, 3).await;
    play.wants(&[deployment(3, "app:2")]).await?;
    play.tells(&[left("Phantom", 3)]).await?;
    play.stage.scale_as("kube-controller-manager", &web, 4).await;
    play.wants(&[deployment(3, "app:3")]).await?;
    play.tells(&[left("Real", 4)]).await?;

    // The owner lets go, without the value changing; then it is the chart's.
    play.stage.let_go(&web, "scale").await;
    play.tells_nothing().await?;
    play.holds(&web, REPLICAS, 3, &[OURS]).await
}

pub(crate) async fn row_03_replicas_are_handed_over_to_the_autoscaler_of_the_release(play: &mut Play) -> Result {
    let web = deployment(None, "app:1");
    play.installs(&[deployment(5, "app:1")]).await?;
    play.wants(&[web.clone(), autoscaler(2)]).await?;
    play.tells_nothing().await?;
    play.hands_over(&web, REPLICAS, 5).await?;
    // As soon as the real one scales, the field is its own, alone.
    play.wants(&[web.clone(), autoscaler(7)]).await?;
    play.has(&web, REPLICAS, &json!(7)).await?;
    play.holds(&web, REPLICAS, 7, &["kube-controller-manager Update"]).await?;
    play.wants(&[deployment(None, "app:2"), autoscaler(7)]).await?;
    play.tells_nothing().await?;
    play.holds(&web, IMAGE, "app:2", &[OURS]).await?;
    play.holds(&web, REPLICAS, 7, &["kube-controller-manager Update"]).await
}

pub(crate) async fn row_03_without_an_autoscaler_a_dropped_field_goes_back_to_its_default(play: &mut Play) -> Result {
    play.installs(&[deployment(5, "app:1")]).await?;
    play.wants(&[deployment(None, "app:1")]).await?;
    play.tells_nothing().await?;
    play.holds(&deployment(None, ""), REPLICAS, 1, &[]).await
}

pub(crate) async fn row_33_the_rules_of_an_aggregated_cluster_role_are_never_taken(play: &mut Play) -> Result {
    let name = format!("all-{}", play.stage.namespace.name());
    let key = format!("example.com/{}", play.stage.namespace.name());
    let rules = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]);
    let part = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": format!("{name}-part"), "labels": {key.as_str(): "true"}}, "rules": rules});
    let mut whole = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name},
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {key.as_str(): "true"}}]}, "rules": []});
    play.installs(&[part.clone(), whole.clone()]).await?;
    // The real controller fills the rules.
    play.has(&whole, ".rules", &rules).await?;
    let line =
        ".rules clusterrole-aggregation-controller Real Yielded by wellKnownOwners/aggregated-cluster-role-rules";
    let left = contest(&whole, line, rules, &["clusterrole-aggregation-controller Apply"]);
    play.tells(std::slice::from_ref(&left)).await?;
    whole["metadata"]["labels"] = json!({"version": "2"});
    play.wants(&[part, whole.clone()]).await?;
    play.tells(&[left]).await?;
    play.holds(&whole, ".metadata.labels.version", "2", &[OURS]).await
}

pub(crate) async fn row_39_a_fight_is_broken(play: &mut Play) -> Result {
    play.ownership(json!({"onConflict": "Force", "fights": {"threshold": 2, "then": "HandOff"}}));
    let [ours, theirs] = ["ours", "theirs"].map(|mode| config_map("fought", json!({"mode": mode})));
    play.installs(std::slice::from_ref(&ours)).await?;
    let line = ".data.mode argocd-controller Real Forced by onConflict";
    let taken = contest(&ours, line, "ours", &[OURS]);
    for round in 0..3 {
        play.stage.apply_as("argocd-controller", &theirs).await;
        play.has(&ours, ".data.mode", &json!("ours")).await?;
        if round == 0 {
            play.tells(std::slice::from_ref(&taken)).await?;
        }
    }
    play.announces("FieldFight", &[".data.mode", "argocd-controller"]).await?;
    // From now on nobody writes against it.
    play.stage.apply_as("argocd-controller", &theirs).await;
    let line = ".data.mode argocd-controller Real HandedOff by fights";
    let left = contest(&ours, line, "theirs", &["argocd-controller Apply"]);
    let release = play.tells(&[left]).await?;
    let conflicted = condition(&release, "Conflicted");
    assert_eq!(conflicted["reason"], json!("FieldFight"), "{conflicted}");
    let metrics = play.installation.operator.metrics().await?;
    for name in ["fairlead_field_fights_total", "fairlead_field_fights_active"] {
        assert_eq!(metrics.sum(name, &[("release", "shop")]), Some(1.0), "{name}");
    }
    Ok(())
}

pub(crate) async fn row_39_another_fairlead_release_is_a_sibling(play: &mut Play) -> Result {
    let map = config_map("shared", json!({"mode": "a"}));
    play.installs(std::slice::from_ref(&map)).await?;
    let theirs = config_map("shared", json!({"mode": "b"}));
    play.stage.apply_as("fairlead:prod/other", &theirs).await;
    let line = ".data.mode fairlead:prod/other Sibling Failed by onConflict";
    play.tells(&[contest(&map, line, "b", &["fairlead:prod/other Apply"])])
        .await?;
    let rule = json!({"paths": [".data"], "managers": ["fairlead:prod/.*"], "onConflict": "Force"});
    play.ownership(json!({"rules": [rule]}));
    play.wants(std::slice::from_ref(&map)).await?;
    let line = ".data.mode fairlead:prod/other Sibling Forced by rules[0]";
    play.tells(&[contest(&map, line, "a", &[OURS])]).await?;
    Ok(())
}

#[tokio::test]
async fn the_revision_that_the_controller_counts_is_left_to_it() {
    let mut stage = Stage::open("revision").await;
    let mut chart = deployment(1, "app:1");
    stage.apply(&chart).await.unwrap();
    let key = "deployment.kubernetes.io/revision";
    let (api, name) = stage.api(&chart).await;
    let counted = |object: Option<&kube::api::DynamicObject>| {
        object
            .and_then(|object| object.metadata.annotations.as_ref())
            .is_some_and(|annotations| annotations.contains_key(key))
    };
    tokio::time::timeout(Duration::from_mins(1), await_condition(api, &name, counted))
        .await
        .unwrap()
        .unwrap();

    // The real controller writes the annotation together with the status.
    chart["metadata"]["annotations"] = json!({key: "9"});
    let applied = stage.apply(&chart).await.unwrap();
    let field = format!(".metadata.annotations[\"{key}\"]");
    let expected = format!("{field} kube-controller-manager Real Yielded wellKnownOwners/deployment-revision");
    assert_eq!(told(&applied.contested), [expected]);
    assert_eq!(stage.live(&chart).await["metadata"]["annotations"][key], json!("1"));
}
