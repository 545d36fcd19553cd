//! The rules of Helm 3 for readiness (`waitStrategy: legacy`): a few kinds are awaited, all others are ready at once. No object
//! fails but a Job.
//!
//! Rules: `ready.go` of Helm's package kube.

use serde_json::Value;

use super::fields::{condition, count, integer, text};
use super::{Health, group, other};

/// The verdict on a live object.
pub(super) fn status(object: &Value) -> Health {
    match (group(object), text(object, "/kind").unwrap_or_default()) {
        ("apps" | "extensions", "Deployment") => deployment(object),
        ("apps", "StatefulSet") => stateful_set(object),
        ("apps" | "extensions", "DaemonSet") => daemon_set(object),
        ("apps" | "extensions", "ReplicaSet") | ("", "ReplicationController") => replicas(object),
        ("batch", "Job") => job(object),
        ("", "Pod") => pod(object),
        ("", "PersistentVolumeClaim") => claim(object),
        ("", "Service") => service(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition(object),
        _ => Health::current("not awaited"),
    }
}

fn wanted(object: &Value) -> i64 {
    integer(object, "/spec/replicas").unwrap_or(1)
}

/// `None` if the controller has seen the newest spec.
fn unobserved(object: &Value) -> Option<Health> {
    let observed = count(object, "/status/observedGeneration");
    let newest = count(object, "/metadata/generation");
    (observed != newest).then(|| Health::in_progress(format!("generation {newest} is not observed yet")))
}

fn at_least(ready: i64, expected: i64, what: &str) -> Health {
    let message = format!("{ready} of {expected} pods {what}");
    if ready >= expected {
        Health::current(message)
    } else {
        Health::in_progress(message)
    }
}

/// A number of pods, or a share of them in percent, rounded as Kubernetes does for the field.
fn share(value: Option<&Value>, of: i64, default: i64, rounds_up: bool) -> i64 {
    let percent = |text: &str| text.strip_suffix('%').and_then(|number| number.parse::<i64>().ok());
    match value {
        Some(Value::String(text)) => percent(text).map_or(default, |percent| {
            let parts = percent.saturating_mul(of);
            if rounds_up {
                parts.saturating_add(99) / 100
            } else {
                parts / 100
            }
        }),
        Some(number) => number.as_i64().unwrap_or(default),
        None => default,
    }
}

fn deployment(object: &Value) -> Health {
    if object.pointer("/spec/paused") == Some(&Value::Bool(true)) {
        return Health::current("paused");
    }
    if let Some(found) = unobserved(object) {
        return found;
    }
    let wanted = wanted(object);
    let is_rolling = text(object, "/spec/strategy/type").is_none_or(|strategy| strategy == "RollingUpdate");
    let unavailable = if is_rolling && wanted > 0 {
        let unavailable = object.pointer("/spec/strategy/rollingUpdate/maxUnavailable");
        share(unavailable, wanted, 0, false).min(wanted)
    } else {
        0
    };
    at_least(count(object, "/status/readyReplicas"), wanted - unavailable, "ready")
}

fn stateful_set(object: &Value) -> Health {
    if let Some(found) = unobserved(object) {
        return found;
    }
    if text(object, "/spec/updateStrategy/type").is_some_and(|strategy| strategy != "RollingUpdate") {
        return Health::current("updated only when pods are deleted");
    }
    let wanted = wanted(object);
    let partition = count(object, "/spec/updateStrategy/rollingUpdate/partition");
    let updated = count(object, "/status/updatedReplicas");
    if updated < wanted - partition {
        return at_least(updated, wanted - partition, "updated");
    }
    let ready = at_least(count(object, "/status/readyReplicas"), wanted, "ready");
    let is_of_one_revision = text(object, "/status/currentRevision") == text(object, "/status/updateRevision");
    if partition == 0 && !is_of_one_revision {
        return Health::in_progress("the update is not rolled out to every pod yet");
    }
    ready
}

fn daemon_set(object: &Value) -> Health {
    if let Some(found) = unobserved(object) {
        return found;
    }
    if text(object, "/spec/updateStrategy/type").is_some_and(|strategy| strategy != "RollingUpdate") {
        return Health::current("updated only when pods are deleted");
    }
    let wanted = count(object, "/status/desiredNumberScheduled");
    let updated = count(object, "/status/updatedNumberScheduled");
    if updated < wanted {
        return at_least(updated, wanted, "updated");
    }
    let unavailable = object.pointer("/spec/updateStrategy/rollingUpdate/maxUnavailable");
    let unavailable = share(unavailable, wanted, wanted, true);
    at_least(count(object, "/status/numberReady"), wanted - unavailable, "ready")
}

fn replicas(object: &Value) -> Health {
    unobserved(object).unwrap_or_else(|| at_least(count(object, "/status/readyReplicas"), wanted(object), "ready"))
}

fn job(object: &Value) -> Health {
    let (failed, allowed) = (
        count(object, "/status/failed"),
        integer(object, "/spec/backoffLimit").unwrap_or(6),
    );
    if failed > allowed {
        return Health::failed(format!("{failed} pods failed; {allowed} may"));
    }
    // A Job without completions is done when one pod has succeeded.
    let wanted = integer(object, "/spec/completions").unwrap_or(1);
    at_least(count(object, "/status/succeeded"), wanted, "succeeded")
}

fn pod(object: &Value) -> Health {
    match condition(object, "Ready") {
        Some(ready) if ready.status == "True" => Health::current("ready"),
        Some(ready) => Health::in_progress(ready.describe("not ready")),
        None => Health::in_progress("not ready"),
    }
}

fn claim(object: &Value) -> Health {
    match text(object, "/status/phase") {
        Some("Bound") => Health::current("bound"),
        _ => Health::in_progress("not bound"),
    }
}

/// Unlike kstatus, Helm 3 waits for the address of a load balancer.
fn service(object: &Value) -> Health {
    if text(object, "/spec/type") == Some("ExternalName") {
        return Health::current("ready");
    }
    if text(object, "/spec/clusterIP").is_none_or(str::is_empty) {
        return Health::in_progress("no cluster IP yet");
    }
    let is_empty = |pointer| {
        object
            .pointer(pointer)
            .and_then(Value::as_array)
            .is_none_or(Vec::is_empty)
    };
    let waits = text(object, "/spec/type") == Some("LoadBalancer") && is_empty("/spec/externalIPs");
    if waits && is_empty("/status/loadBalancer/ingress") {
        return Health::in_progress("its load balancer has no address yet");
    }
    Health::current("ready")
}

fn definition(object: &Value) -> Health {
    // Helm 3 takes names that are not accepted for ready: it cannot become otherwise.
    if condition(object, "NamesAccepted").is_some_and(|names| names.status == "False") {
        return Health::current("its names are taken");
    }
    other::custom_resource_definition(object)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::State;
    use super::*;

    fn state(api_version: &str, kind: &str, spec: &Value, status: &Value) -> State {
        let object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"generation": 1}, "spec": spec, "status": status});
        super::status(&object).state
    }

    #[test]
    fn as_many_pods_may_be_missing_as_the_rollout_allows() {
        let deployment = |ready: i64, strategy: Value| {
            let spec = json!({"replicas": 4, "strategy": strategy});
            state(
                "apps/v1",
                "Deployment",
                &spec,
                &json!({"observedGeneration": 1, "readyReplicas": ready}),
            )
        };
        assert_eq!(
            deployment(3, json!({"rollingUpdate": {"maxUnavailable": "25%"}})),
            State::Current
        );
        assert_eq!(
            deployment(2, json!({"rollingUpdate": {"maxUnavailable": 1}})),
            State::InProgress
        );
        assert_eq!(deployment(3, json!({"type": "Recreate"})), State::InProgress);
        let paused = json!({"replicas": 4, "paused": true});
        assert_eq!(state("apps/v1", "Deployment", &paused, &json!({})), State::Current);
        let status = json!({"observedGeneration": 1, "desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberReady": 2});
        let spec = |unavailable: Value| json!({"updateStrategy": {"rollingUpdate": {"maxUnavailable": unavailable}}});
        assert_eq!(
            state("apps/v1", "DaemonSet", &spec(json!("10%")), &status),
            State::Current
        );
        assert_eq!(
            state("apps/v1", "DaemonSet", &spec(json!(0)), &status),
            State::InProgress
        );
    }

    #[test]
    fn a_load_balancer_needs_an_address() {
        let spec = json!({"type": "LoadBalancer", "clusterIP": "10.0.0.1"});
        assert_eq!(state("v1", "Service", &spec, &json!({})), State::InProgress);
        let status = json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}});
        assert_eq!(state("v1", "Service", &spec, &status), State::Current);
    }

    #[test]
    fn jobs_complete_or_fail_and_custom_resources_are_not_awaited() {
        assert_eq!(
            state("batch/v1", "Job", &json!({}), &json!({"active": 1})),
            State::InProgress
        );
        assert_eq!(
            state("batch/v1", "Job", &json!({}), &json!({"succeeded": 1})),
            State::Current
        );
        assert_eq!(
            state("batch/v1", "Job", &json!({"backoffLimit": 1}), &json!({"failed": 2})),
            State::Failed
        );
        let unready = json!({"conditions": [{"type": "Ready", "status": "False"}]});
        assert_eq!(state("example.com/v1", "Widget", &json!({}), &unready), State::Current);
        assert_eq!(state("v1", "Pod", &json!({}), &unready), State::InProgress);
        let sets = json!({"observedGeneration": 1, "updatedReplicas": 1, "readyReplicas": 1, "currentRevision": "a", "updateRevision": "b"});
        assert_eq!(state("apps/v1", "StatefulSet", &json!({}), &sets), State::InProgress);
    }
}
