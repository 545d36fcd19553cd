//! People with kubectl: their changes are seen, named, and undone or kept as the policy says.

use fairlead::cluster::apply::ApplyError;
use fairlead::ownership::managed::Operation;
use fairlead::ownership::policy::{Action, OnConflict};
use serde_json::json;

use super::seen::Seen;
use super::stage::{Stage, config_map, deployment, told, version};

pub(crate) async fn row_02_kubectl_scale_is_a_persons_change(seen: Seen) {
    let mut stage = Stage::of(&seen).await;
    let chart = deployment(3, "app:1");
    stage.apply(&chart).await.unwrap();
    stage.scale_as("kubectl", &chart, 5).await;
    let error = stage.apply(&chart).await.unwrap_err();
    let ApplyError::Stopped { contested, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(told(contested), [".spec.replicas kubectl Real Failed onConflict"]);
    assert!(!error.is_retryable());
    assert_eq!(stage.live(&chart).await["spec"]["replicas"], json!(5));

    stage.rule(&[".spec.replicas"], &["kubectl"], OnConflict::Force);
    let applied = stage.apply(&chart).await.unwrap();
    assert_eq!(
        told(&applied.contested),
        [".spec.replicas kubectl Real Forced rules[0]"]
    );
    assert_eq!(stage.live(&chart).await["spec"]["replicas"], json!(3));
}

pub(crate) async fn row_16_an_edited_image_follows_the_policy(seen: Seen) {
    for manager in ["kubectl-edit", "kubectl-patch", "kubectl-set"] {
        let mut stage = Stage::of(&seen).await;
        let chart = deployment(1, "app:1");
        stage.apply(&chart).await.unwrap();
        let edit = json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "app:debug"}]}}}});
        stage.strategic_patch_as(manager, &chart, &edit).await;
        let image = ".spec.template.spec.containers[name=\"app\"].image";

        stage.policy.on_conflict = OnConflict::HandOff;
        let ApplyError::Stopped { contested, .. } = stage.apply(&deployment(1, "app:2")).await.unwrap_err() else {
            panic!()
        };
        assert_eq!(
            told(&contested),
            [format!("{image} {manager} Real HandedOff onConflict")]
        );
        stage.policy.on_conflict = OnConflict::Retry;
        let error = stage.apply(&deployment(1, "app:2")).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
        stage.retries_exhausted = true;
        stage.policy.then = OnConflict::Yield;
        let applied = stage.apply(&deployment(2, "app:2")).await.unwrap();
        assert_eq!(
            told(&applied.contested),
            [format!("{image} {manager} Real Yielded onConflict")]
        );
        let live = stage.live(&chart).await;
        assert_eq!(
            (
                &live["spec"]["replicas"],
                &live["spec"]["template"]["spec"]["containers"][0]["image"]
            ),
            (&json!(2), &json!("app:debug"))
        );

        stage.policy.on_conflict = OnConflict::Force;
        let applied = stage.apply(&deployment(2, "app:2")).await.unwrap();
        assert_eq!(
            told(&applied.contested),
            [format!("{image} {manager} Real Forced onConflict")]
        );
        assert_eq!(
            stage.live(&chart).await["spec"]["template"]["spec"]["containers"][0]["image"],
            json!("app:2")
        );
    }
}

pub(crate) async fn row_17_a_dotted_key_has_an_exact_path(seen: Seen) {
    let mut stage = Stage::of(&seen).await;
    let chart = |value: &str| {
        config_map(
            "config",
            json!({"sdk-config.yaml": value, "sdk-config": "x", "other": "y"}),
        )
    };
    stage.apply(&chart("a: 1")).await.unwrap();
    stage
        .patch_as(
            "kubectl-patch",
            &chart(""),
            &json!({"data": {"sdk-config.yaml": "a: 2"}}),
        )
        .await;
    stage.rule(&[".data[\"sdk-config.yaml\"]"], &["kubectl-.*"], OnConflict::Yield);
    let applied = stage.apply(&chart("a: 3")).await.unwrap();
    assert_eq!(
        told(&applied.contested),
        [".data[\"sdk-config.yaml\"] kubectl-patch Real Yielded rules[0]"]
    );
    assert_eq!(
        stage.live(&chart("")).await["data"],
        json!({"sdk-config.yaml": "a: 2", "sdk-config": "x", "other": "y"})
    );
}

pub(crate) async fn row_19_kubectl_server_side_apply_is_an_apply_owner(seen: Seen) {
    let mut stage = Stage::of(&seen).await;
    let chart = config_map("config", json!({"a": "1", "b": "1"}));
    stage.apply(&chart).await.unwrap();
    stage
        .apply_as("kubectl", &config_map("config", json!({"a": "2"})))
        .await;
    let decided = stage.apply_all(std::slice::from_ref(&chart)).await.unwrap_err();
    let contest = decided.contests().next().unwrap().contested;
    assert_eq!(
        (contest.manager.name.as_str(), contest.manager.operation),
        ("kubectl", Operation::Apply)
    );
    assert_eq!((contest.field.as_str(), contest.action), (".data.a", Action::Failed));
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

pub(crate) async fn row_20_a_rollout_restart_survives(seen: Seen) {
    let mut stage = Stage::of(&seen).await;
    let chart = deployment(1, "app:1");
    stage.apply(&chart).await.unwrap();
    let restart = json!({"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}}}}});
    stage.strategic_patch_as("kubectl-rollout", &chart, &restart).await;
    let applied = stage.apply(&deployment(1, "app:2")).await.unwrap();
    assert!(applied.contested.is_empty());
    let live = stage.live(&chart).await;
    assert_eq!(
        live["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"],
        json!("2026-01-01T00:00:00Z")
    );
    assert!(!version(&live).is_empty());
}
