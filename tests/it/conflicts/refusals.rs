//! Refusals that are no field conflicts: schema errors, stale and vanished objects, missing namespaces and kinds.

use fairlead::api::helm_release::actions::DeletionPropagation;
use fairlead::cluster::apply::{ApplyError, Observed, Operation};
use fairlead::cluster::delete::{Deleter, Deletion};
use fairlead::ownership::conflict::Rejection;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use super::contest::{OURS, contest};
use super::play::Play;
use super::stage::{MANAGER, Stage, config_map, deployment, moment};
use crate::support::Result;
use crate::support::gate::Gate;

pub(crate) async fn row_29_duplicate_entries_are_the_charts_fault(play: &mut Play) -> Result {
    let mut chart = deployment(1, "app:1");
    chart["spec"]["template"]["spec"]["containers"][0]["env"] =
        json!([{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]);
    let problem = ".spec.template.spec.containers[name=\"app\"].env: duplicate entries for key [name=\"A\"]";
    let namespace = play.stage.namespace.name().to_owned();
    play.refuses(&chart, &[&namespace, problem, "correct the chart"]).await
}

pub(crate) async fn row_31_unknown_fields_are_the_charts_fault(play: &mut Play) -> Result {
    let mut chart = deployment(1, "app:1");
    chart["spec"]["template"]["spec"]["$patch"] = json!("replace");
    let problem = ".spec.template.spec.$patch: field not declared in schema";
    play.refuses(&chart, &[problem, "correct the chart"]).await
}

/// A release with a rule that takes a key, which a person changes; the operator's write of it waits in the gate.
async fn about_to_take(play: &mut Play, chart: &Value) -> Result<Gate> {
    let gate = Gate::open(play.installation.plane).await?;
    play.stops()?;
    play.restarts_with(&gate.kubeconfig()).await?;
    play.ownership(json!({"rules": [{"paths": [".data.a"], "onConflict": "Force"}]}));
    play.installs(std::slice::from_ref(chart)).await?;
    gate.close();
    let edit = json!({"data": {"a": "2"}});
    play.stage.patch_as("kubectl-edit", chart, &edit).await;
    gate.is_waited_at().await?;
    Ok(gate)
}

pub(crate) async fn row_41_a_change_after_the_decision_is_decided_anew(play: &mut Play) -> Result {
    let chart = config_map("config", json!({"a": "1", "b": "1"}));
    let gate = about_to_take(play, &chart).await?;
    // Nobody has looked at this one: forcing must not reach it.
    let theirs = json!({"data": {"b": "2"}});
    play.stage.patch_as("some-operator", &chart, &theirs).await;
    gate.lift();
    let line = ".data.b some-operator Real Failed by onConflict";
    play.tells(&[contest(&chart, line, "2", &["some-operator Update"])])
        .await?;
    play.holds(&chart, ".data.a", "2", &["kubectl-edit Update"]).await?;

    // As soon as that is decided, the person's change is undone, and that is told.
    play.ownership(json!({"onConflict": "Force"}));
    play.wants(std::slice::from_ref(&chart)).await?;
    play.tells(&[
        contest(&chart, ".data.a kubectl-edit Real Forced by onConflict", "1", &[OURS]),
        contest(&chart, ".data.b some-operator Real Forced by onConflict", "1", &[OURS]),
    ])
    .await?;
    Ok(())
}

pub(crate) async fn row_41_an_object_that_vanishes_after_the_decision_is_created(play: &mut Play) -> Result {
    let chart = config_map("config", json!({"a": "1"}));
    let gate = about_to_take(play, &chart).await?;
    let (api, name) = play.stage.api(&chart).await;
    api.delete(&name, &DeleteParams::default()).await?;
    gate.lift();
    play.has(&chart, ".data.a", &json!("1")).await?;
    play.tells_nothing().await?;
    play.holds(&chart, ".data.a", "1", &[OURS]).await
}

#[tokio::test]
async fn a_create_never_changes_what_somebody_else_created_meanwhile() {
    let mut stage = Stage::open("create").await;
    let chart = config_map("config", json!({"a": "1"}));
    let mut request = stage.request(&chart);
    request.observed = Observed::Absent;
    let applier = stage.applier();
    let decided = applier.decide(vec![request], moment()).await;
    assert!(decided.plans.first().unwrap().creates());
    stage
        .create_as("kubectl-create", &config_map("config", json!({"b": "1"})))
        .await;
    let error = applier.write(decided.plans, moment()).await.pop().unwrap().unwrap_err();
    assert!(matches!(error, ApplyError::NotOurs { .. }), "{error}");
    assert_eq!(stage.live(&chart).await["data"], json!({"b": "1"}));
    stage.ledger.forget(&stage.reference(&chart));
}

#[tokio::test]
async fn missing_namespaces_and_kinds_can_come() {
    let mut stage = Stage::open("missing").await;
    let mut elsewhere = config_map("config", json!({}));
    elsewhere["metadata"]["namespace"] = json!("there-is-no-such-namespace");
    let error = stage.apply(&elsewhere).await.unwrap_err();
    assert!(
        matches!(
            error,
            ApplyError::Rejected {
                rejection: Rejection::NamespaceMissing,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(error.is_retryable());
    let error = stage
        .apply(&json!({"apiVersion": "example.com/v1", "kind": "Nothing", "metadata": {"name": "x"}}))
        .await
        .unwrap_err();
    assert!(matches!(error, ApplyError::Discovery { .. }), "{error:?}");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_kind_is_found_as_soon_as_its_definition_is_there() {
    let mut stage = Stage::open("definition").await;
    let group = format!("{}.example.com", stage.namespace.name());
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": format!("widgets.{group}")},
        "spec": {"group": group, "scope": "Namespaced", "names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object",
                "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}}}]}});
    let widget =
        json!({"apiVersion": format!("{group}/v1"), "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1}});
    let requests = vec![stage.request(&definition), stage.request(&widget)];
    let applier = stage.applier();
    let decided = applier.decide(requests, moment()).await;
    assert!(!decided.stops(), "{:?}", decided.failures);
    let mut plans = decided.plans.into_iter();
    applier
        .write(plans.next().into_iter().collect(), moment())
        .await
        .pop()
        .unwrap()
        .unwrap();
    let (api, name) = stage.api(&definition).await;
    let established = |object: Option<&kube::api::DynamicObject>| {
        object.is_some_and(|object| {
            object.data["status"]["conditions"]
                .as_array()
                .is_some_and(|all| all.iter().any(|c| c["type"] == "Established" && c["status"] == "True"))
        })
    };
    let wait = kube::runtime::wait::await_condition(api.clone(), &name, established);
    tokio::time::timeout(std::time::Duration::from_secs(30), wait)
        .await
        .unwrap()
        .unwrap();
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    let plans: Vec<_> = plans.collect();
    // Discovery follows a moment after the condition.
    let applied = loop {
        match applier.write(plans.clone(), moment()).await.pop().unwrap() {
            Ok(applied) => break applied,
            Err(error) => assert!(
                error.is_retryable() && tokio::time::Instant::now() < deadline,
                "{error}"
            ),
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!(applied.operation, Operation::Created);
    assert_eq!(applied.reference.namespace.as_deref(), Some(stage.namespace.name()));
    api.delete(&name, &DeleteParams::default()).await.unwrap();
    stage.ledger.forget(&applied.reference);
}

#[tokio::test]
async fn only_our_objects_are_deleted() {
    let mut stage = Stage::open("delete").await;
    let ours = config_map("ours", json!({"a": "1"}));
    let applied = stage.apply(&ours).await.unwrap();
    let mut kept = config_map("kept", json!({"a": "1"}));
    kept["metadata"]["annotations"] = json!({"helm.sh/resource-policy": "keep"});
    stage.apply(&kept).await.unwrap();
    let foreign = config_map("foreign", json!({"a": "1"}));
    stage.create_as("kubectl-create", &foreign).await;
    let release = stage.release();
    let deleter = Deleter {
        calls: &stage.calls,
        kinds: &stage.kinds,
        release: &release,
        field_manager: MANAGER,
        labels: &[],
        propagation: DeletionPropagation::Background,
    };
    let delete = async |manifest: &Value, uid: Option<&str>| {
        deleter.delete(&stage.reference(manifest), uid).await.unwrap()
    };
    assert_eq!(
        delete(&ours, None).await,
        Deletion::Deleted {
            uid: applied.uid.clone()
        }
    );
    assert_eq!(delete(&ours, None).await, Deletion::Absent);
    assert_eq!(delete(&kept, None).await, Deletion::Kept);
    assert_eq!(delete(&foreign, None).await, Deletion::NotOurs);
    // The same name, made by somebody else since.
    stage.create_as("kubectl-create", &ours).await;
    assert_eq!(delete(&ours, Some(&applied.uid)).await, Deletion::NotOurs);
    assert!(stage.find(&foreign).await.is_some() && stage.find(&kept).await.is_some());
}
