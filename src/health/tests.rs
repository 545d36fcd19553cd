//! One table: objects and what is said about them.

use serde_json::json;

use super::*;

fn check(api_version: &str, kind: &str, mut object: Value, state: State, message: &str) {
    object["apiVersion"] = json!(api_version);
    object["kind"] = json!(kind);
    let health = status(&object);
    assert_eq!((health.state, health.message.as_str()), (state, message), "{object}");
}

#[test]
fn generic_rules() {
    let check = |object: Value, state, message| check("example.com/v1", "Widget", object, state, message);
    check(json!({}), State::Current, "ready");
    check(
        json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}),
        State::Terminating,
        "is being deleted",
    );
    check(
        json!({"metadata": {"generation": 3}, "status": {"observedGeneration": 2}}),
        State::InProgress,
        "generation 3 is not observed yet (status is of 2)",
    );
    let conditions = |list: Value| json!({"status": {"conditions": list}});
    check(
        conditions(json!([{"type": "Reconciling", "status": "True", "message": "busy"}])),
        State::InProgress,
        "busy",
    );
    check(
        conditions(json!([{"type": "Stalled", "status": "True", "reason": "BadSpec"}])),
        State::Failed,
        "BadSpec",
    );
    check(
        conditions(json!([{"type": "Ready", "status": "False", "message": "no"}])),
        State::InProgress,
        "no",
    );
    check(
        conditions(json!([{"type": "Ready", "status": "Unknown"}])),
        State::InProgress,
        "not ready",
    );
    check(
        conditions(json!([{"type": "Ready", "status": "True"}])),
        State::Current,
        "ready",
    );
    check(json!({"status": {"conditions": "nonsense"}}), State::Current, "ready");
}

#[test]
fn deployments() {
    let deployment = |status: Value, state, message| {
        check(
            "apps/v1",
            "Deployment",
            json!({"spec": {"replicas": 3}, "status": status}),
            state,
            message,
        );
    };
    deployment(json!({}), State::InProgress, "not observed by its controller yet");
    deployment(
        json!({"observedGeneration": 1, "replicas": 1}),
        State::InProgress,
        "1 of 3 pods created",
    );
    deployment(
        json!({"observedGeneration": 1, "replicas": 4, "updatedReplicas": 3}),
        State::InProgress,
        "1 old pods are terminating",
    );
    let ready = |ready: i64, conditions: Value| json!({"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "readyReplicas": ready, "availableReplicas": ready, "conditions": conditions});
    deployment(ready(1, json!([])), State::InProgress, "1 of 3 pods ready");
    let progressing = json!({"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"});
    let available = json!({"type": "Available", "status": "True"});
    deployment(ready(3, json!([progressing])), State::InProgress, "not available yet");
    deployment(
        ready(3, json!([available])),
        State::InProgress,
        "the new ReplicaSet is not available yet",
    );
    deployment(
        ready(3, json!([progressing, available])),
        State::Current,
        "3 of 3 pods ready",
    );
    let exceeded = json!({"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "x has timed out"});
    deployment(
        ready(1, json!([exceeded])),
        State::Failed,
        "progress deadline exceeded: x has timed out",
    );
}

#[test]
fn stateful_sets() {
    let set = |spec: Value, status: Value, state, message| {
        check(
            "apps/v1",
            "StatefulSet",
            json!({"spec": spec, "status": status}),
            state,
            message,
        );
    };
    set(
        json!({"updateStrategy": {"type": "OnDelete"}}),
        json!({}),
        State::Current,
        "updated only when pods are deleted",
    );
    set(
        json!({"replicas": 0}),
        json!({}),
        State::InProgress,
        "not observed by its controller yet",
    );
    let status = |updated: i64, current: i64, revision: &str| {
        json!({"observedGeneration": 1, "replicas": 2, "readyReplicas": 2, "updatedReplicas": updated, "currentReplicas": current,
            "currentRevision": "a", "updateRevision": revision})
    };
    set(
        json!({"replicas": 2}),
        status(2, 2, "a"),
        State::Current,
        "2 of 2 pods ready",
    );
    set(
        json!({"replicas": 2}),
        status(1, 1, "b"),
        State::InProgress,
        "1 of 2 pods of the current revision",
    );
    set(
        json!({"replicas": 2}),
        status(1, 2, "b"),
        State::InProgress,
        "the update is not rolled out to every pod yet",
    );
    let partition = json!({"replicas": 2, "updateStrategy": {"rollingUpdate": {"partition": 1}}});
    set(
        partition.clone(),
        status(0, 2, "b"),
        State::InProgress,
        "0 of 1 pods above the partition updated",
    );
    set(
        partition,
        status(1, 1, "b"),
        State::Current,
        "1 pods above the partition updated",
    );
}

#[test]
fn other_workloads() {
    let daemons = |ready: i64| {
        json!({"status": {"observedGeneration": 1, "desiredNumberScheduled": 2, "currentNumberScheduled": 2,
            "updatedNumberScheduled": 2, "numberReady": ready, "numberAvailable": ready}})
    };
    check(
        "apps/v1",
        "DaemonSet",
        daemons(1),
        State::InProgress,
        "1 of 2 pods ready",
    );
    check("apps/v1", "DaemonSet", daemons(2), State::Current, "2 of 2 pods ready");
    let replicas = json!({"status": {"observedGeneration": 1, "replicas": 1, "fullyLabeledReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}});
    check("apps/v1", "ReplicaSet", replicas, State::Current, "1 of 1 pods ready");
    check("batch/v1", "CronJob", json!({}), State::Current, "always ready");
}

#[test]
fn jobs() {
    let running = json!({"apiVersion": "batch/v1", "kind": "Job", "status": {"startTime": "x", "active": 1}});
    assert_eq!(status(&running).state, State::Current);
    assert_eq!(
        status_with(
            &running,
            Rules {
                jobs_must_complete: true
            }
        )
        .state,
        State::InProgress
    );
    check("batch/v1", "Job", json!({}), State::InProgress, "not started");
    let ended = |kind: &str| json!({"status": {"startTime": "x", "succeeded": 1, "conditions": [{"type": kind, "status": "True", "message": "why"}]}});
    check(
        "batch/v1",
        "Job",
        ended("Complete"),
        State::Current,
        "completed, 1 pods succeeded",
    );
    check("batch/v1", "Job", ended("Failed"), State::Failed, "why");
}

#[test]
fn pods() {
    let pod = |status: Value, state, message| check("v1", "Pod", json!({"status": status}), state, message);
    pod(json!({"phase": "Succeeded"}), State::Current, "completed");
    pod(
        json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}),
        State::Current,
        "ready",
    );
    pod(json!({"phase": "Running"}), State::InProgress, "not ready");
    let looping = json!([{"name": "app", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]);
    pod(
        json!({"phase": "Running", "containerStatuses": looping}),
        State::Failed,
        "containers crash again and again: app",
    );
    let unschedulable = json!([{"type": "PodScheduled", "status": "False", "message": "0/1 nodes"}]);
    pod(
        json!({"phase": "Pending", "conditions": unschedulable}),
        State::InProgress,
        "not scheduled: 0/1 nodes",
    );
    pod(
        json!({"phase": "Failed"}),
        State::Failed,
        "completed, but not successfully",
    );
}

#[test]
fn other_kinds() {
    check(
        "v1",
        "PersistentVolumeClaim",
        json!({"status": {"phase": "Pending"}}),
        State::InProgress,
        "not bound (phase Pending)",
    );
    check(
        "v1",
        "PersistentVolumeClaim",
        json!({"status": {"phase": "Bound"}}),
        State::Current,
        "bound",
    );
    check(
        "v1",
        "Service",
        json!({"spec": {"type": "LoadBalancer"}}),
        State::InProgress,
        "no cluster IP yet",
    );
    check(
        "v1",
        "Service",
        json!({"spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.1"}}),
        State::Current,
        "ready",
    );
    let definition = |condition: Value| json!({"status": {"conditions": [condition]}});
    let check = |object, state, message| {
        check(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            object,
            state,
            message,
        );
    };
    check(json!({}), State::InProgress, "being installed");
    check(
        definition(json!({"type": "Established", "status": "True"})),
        State::Current,
        "established",
    );
    check(
        definition(json!({"type": "NamesAccepted", "status": "False", "message": "taken"})),
        State::Failed,
        "taken",
    );
}

#[test]
fn describes_with_kind_and_name() {
    let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "prod"},
        "spec": {"replicas": 3}, "status": {"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 1}});
    let reference = ObjectReference::of(&object).unwrap();
    assert_eq!(
        status(&object).describe(&reference),
        "Deployment prod/web: 1 of 3 pods ready"
    );
}
