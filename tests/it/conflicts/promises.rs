//! What holds for whole releases: all or nothing, and nothing when there is nothing to do.

use fairlead::cluster::apply::{Observed, Operation};
use fairlead::ownership::policy::OnConflict;
use fairlead::ownership::summary::ConflictSummary;
use serde_json::{Value, json};

use super::stage::{Stage, config_map, deployment, moment, told, version};

fn release(value: &str) -> Vec<Value> {
    (0..6)
        .map(|number| config_map(&format!("part-{number}"), json!({"value": value, "own": "x"})))
        .collect()
}

#[tokio::test]
async fn a_conflict_never_leaves_a_release_half_applied() {
    let mut stage = Stage::open("half").await;
    let first = release("1");
    stage.apply_all(&first).await.unwrap();
    let contested = first.last().unwrap();
    stage
        .patch_as("kubectl-edit", contested, &json!({"data": {"value": "by hand"}}))
        .await;
    let mut before = Vec::new();
    for manifest in &first {
        before.push(version(&stage.live(manifest).await).to_owned());
    }

    let decided = stage.apply_all(&release("2")).await.unwrap_err();
    let summary = ConflictSummary::of(decided.contests());
    assert!(summary.stops());
    assert_eq!(summary.total, 1);
    assert!(
        summary
            .message()
            .contains("part-5 .data.value of kubectl-edit (Real, Failed by onConflict)"),
        "{}",
        summary.message()
    );
    for (manifest, before) in first.iter().zip(before) {
        assert_eq!(version(&stage.live(manifest).await), before);
    }

    stage.policy.on_conflict = OnConflict::Yield;
    let applied = stage.apply_all(&release("2")).await.unwrap();
    assert!(
        applied
            .iter()
            .all(|object| object.operation == Operation::Configured || object.reference.name == "part-5")
    );
    assert_eq!(stage.live(contested).await["data"]["value"], json!("by hand"));
}

#[tokio::test]
async fn nothing_is_sent_when_nothing_changed() {
    let mut stage = Stage::open("noop").await;
    let manifests = release("1");
    let created = stage.apply_all(&manifests).await.unwrap();
    assert!(created.iter().all(|object| object.operation == Operation::Created));
    // The caller has seen the objects in its cache; a server that cannot be reached shows that nobody asks it.
    let mut config = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
    config.default_retry = false;
    let requests: Vec<_> = manifests
        .iter()
        .zip(&created)
        .map(|(manifest, object)| {
            let mut request = stage.request(manifest);
            request.intent = request.intent.in_namespace(Some(stage.namespace.name()));
            request.observed = Observed::Present {
                uid: object.uid.clone(),
                resource_version: object.resource_version.clone(),
            };
            request
        })
        .collect();
    let _ = stage.kinds.resolve("v1", "ConfigMap").await.unwrap();
    stage.calls = fairlead::cluster::calls::Calls::new(
        kube::Client::try_from(config).unwrap(),
        std::time::Duration::from_secs(5),
    );
    let applier = stage.applier();
    let decided = applier.decide(requests, moment()).await;
    assert!(!decided.stops(), "{:?}", decided.failures);
    assert!(decided.plans.iter().all(fairlead::cluster::apply::ObjectPlan::is_skip));
    let written = applier.write(decided.plans, moment()).await;
    assert!(
        written
            .iter()
            .all(|outcome| outcome.as_ref().unwrap().operation == Operation::Skipped)
    );
}

#[tokio::test]
async fn applying_again_without_a_ledger_changes_nothing() {
    let mut stage = Stage::open("again").await;
    let manifests = release("1");
    stage.apply_all(&manifests).await.unwrap();
    stage.ledger = fairlead::ownership::ledger::Ledger::default();
    let again = stage.apply_all(&manifests).await.unwrap();
    assert!(
        again.iter().all(|object| object.operation == Operation::Unchanged),
        "{again:?}"
    );
}

#[tokio::test]
async fn a_skipped_object_still_tells_what_is_contested() {
    let mut stage = Stage::open("still").await;
    let chart = config_map("config", json!({"a": "1", "b": "1"}));
    stage.apply(&chart).await.unwrap();
    stage
        .patch_as("kubectl-edit", &chart, &json!({"data": {"a": "2"}}))
        .await;
    stage.rule(&[".data.a"], &[], OnConflict::Yield);
    let first = stage.apply(&chart).await.unwrap();
    let second = stage.apply(&chart).await.unwrap();
    assert_eq!(second.operation, Operation::Skipped);
    assert_eq!(second.contested, first.contested);
    // Another policy decides anew.
    stage.policy.release_rules.clear();
    stage.policy.on_conflict = OnConflict::Force;
    let third = stage.apply(&chart).await.unwrap();
    assert_eq!(third.operation, Operation::Configured);
    assert_eq!(stage.live(&chart).await["data"]["a"], json!("1"));
}

#[tokio::test]
async fn what_others_do_to_their_own_fields_needs_no_write() {
    let mut stage = Stage::open("untouched").await;
    let chart = deployment(2, "app:1");
    stage.apply(&chart).await.unwrap();
    // The real controller writes the status, an autoscaler what was yielded to it.
    stage.scale_as("kube-controller-manager", &chart, 7).await;
    assert_eq!(stage.apply(&chart).await.unwrap().operation, Operation::Configured);
    stage.scale_as("kube-controller-manager", &chart, 9).await;
    let before = stage.live(&chart).await;
    let applied = stage.apply(&chart).await.unwrap();
    assert_eq!(applied.operation, Operation::Skipped);
    assert_eq!(
        told(&applied.contested),
        [".spec.replicas kube-controller-manager Real Yielded wellKnownOwners/hpa-replicas"]
    );
    assert_eq!(
        applied.contested.first().unwrap().theirs.as_ref().unwrap().as_json(),
        &json!(9)
    );
    assert_eq!(
        before["metadata"]["managedFields"],
        stage.live(&chart).await["metadata"]["managedFields"]
    );

    // Each way of taking one of our fields is seen.
    stage
        .patch_as(
            "kubectl-edit",
            &chart,
            &json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": "me"}}}),
        )
        .await;
    assert!(stage.apply(&chart).await.is_err());
}
