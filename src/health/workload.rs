//! Workloads: what runs Pods, and Pods themselves.

use serde_json::Value;

use super::Health;
use super::fields::condition;
use super::fields::count;
use super::fields::integer;
use super::fields::text;

/// `None` if the controller has looked at the object at all.
fn unobserved(object: &Value) -> Option<Health> {
    let seen = integer(object, "/status/observedGeneration").is_some();
    (!seen).then(|| Health::in_progress("not observed by its controller yet"))
}

fn wanted_replicas(object: &Value) -> i64 {
    integer(object, "/spec/replicas").unwrap_or(1)
}

/// The first of these counts that is not reached.
fn behind(wanted: i64, counts: &[(i64, &str)]) -> Option<Health> {
    let (reached, what) = counts.iter().find(|(reached, _)| *reached < wanted)?;
    Some(Health::in_progress(format!("{reached} of {wanted} pods {what}")))
}

fn surplus(wanted: i64, present: i64) -> Option<Health> {
    let more = present.checked_sub(wanted).filter(|more| *more > 0)?;
    Some(Health::in_progress(format!("{more} old pods are terminating")))
}

fn all_ready(wanted: i64) -> Health {
    Health::current(format!("{wanted} of {wanted} pods ready"))
}

pub(super) fn deployment(object: &Value) -> Health {
    // As Helm and Flux, which do not wait for what is not going on.
    if object.pointer("/spec/paused") == Some(&Value::Bool(true)) {
        return Health::current("paused");
    }
    let progressing = condition(object, "Progressing");
    if let Some(exceeded) = progressing.filter(|found| found.reason == "ProgressDeadlineExceeded") {
        return Health::failed(format!(
            "progress deadline exceeded: {}",
            exceeded.describe("no progress")
        ));
    }
    let wanted = wanted_replicas(object);
    let at = |name: &str| count(object, &format!("/status/{name}"));
    let counts = [(at("replicas"), "created"), (at("updatedReplicas"), "updated")];
    let later = [(at("readyReplicas"), "ready"), (at("availableReplicas"), "available")];
    let found = unobserved(object)
        .or_else(|| behind(wanted, &counts))
        .or_else(|| surplus(wanted, at("replicas")))
        .or_else(|| behind(wanted, &later));
    if let Some(found) = found {
        return found;
    }
    // Without a deadline the controller reports no progress.
    let no_deadline = integer(object, "/spec/progressDeadlineSeconds") == Some(i64::from(i32::MAX));
    let rolled_out =
        progressing.is_some_and(|found| found.status == "True" && found.reason == "NewReplicaSetAvailable");
    if !rolled_out && !no_deadline {
        return Health::in_progress("the new ReplicaSet is not available yet");
    }
    match condition(object, "Available") {
        Some(available) if available.status == "True" => all_ready(wanted),
        Some(available) => Health::in_progress(available.describe("not available")),
        None => Health::in_progress("not available yet"),
    }
}

pub(super) fn stateful_set(object: &Value) -> Health {
    if text(object, "/spec/updateStrategy/type") == Some("OnDelete") {
        return Health::current("updated only when pods are deleted");
    }
    let wanted = wanted_replicas(object);
    let at = |name: &str| count(object, &format!("/status/{name}"));
    let found = unobserved(object)
        .or_else(|| behind(wanted, &[(at("replicas"), "created"), (at("readyReplicas"), "ready")]))
        .or_else(|| surplus(wanted, at("replicas")));
    if let Some(found) = found {
        return found;
    }
    // The default partition of 0 updates every pod, as without one.
    if let Some(partition) = integer(object, "/spec/updateStrategy/rollingUpdate/partition").filter(|p| *p > 0) {
        let updated = wanted.saturating_sub(partition).max(0);
        let rolled_out = || Health::current(format!("{updated} pods above the partition updated"));
        return behind(updated, &[(at("updatedReplicas"), "above the partition updated")]).unwrap_or_else(rolled_out);
    }
    if let Some(found) = behind(wanted, &[(at("currentReplicas"), "of the current revision")]) {
        return found;
    }
    if text(object, "/status/currentRevision") != text(object, "/status/updateRevision") {
        return Health::in_progress("the update is not rolled out to every pod yet");
    }
    all_ready(wanted)
}

pub(super) fn daemon_set(object: &Value) -> Health {
    let Some(wanted) = integer(object, "/status/desiredNumberScheduled") else {
        return Health::in_progress("not observed by its controller yet");
    };
    let at = |name: &str| count(object, &format!("/status/{name}"));
    let counts = [
        (at("currentNumberScheduled"), "scheduled"),
        (at("updatedNumberScheduled"), "updated"),
        (at("numberReady"), "ready"),
        (at("numberAvailable"), "available"),
    ];
    unobserved(object)
        .or_else(|| behind(wanted, &counts))
        .unwrap_or_else(|| all_ready(wanted))
}

pub(super) fn replica_set(object: &Value) -> Health {
    if let Some(failure) = condition(object, "ReplicaFailure").filter(|found| found.status == "True") {
        return Health::in_progress(failure.describe("pods cannot be created"));
    }
    let wanted = wanted_replicas(object);
    let at = |name: &str| count(object, &format!("/status/{name}"));
    let counts = [
        (at("fullyLabeledReplicas"), "labelled"),
        (at("readyReplicas"), "ready"),
        (at("availableReplicas"), "available"),
    ];
    unobserved(object)
        .or_else(|| behind(wanted, &counts))
        .or_else(|| surplus(wanted, at("replicas")))
        .unwrap_or_else(|| all_ready(wanted))
}

pub(super) fn job(object: &Value, must_complete: bool) -> Health {
    let succeeded = count(object, "/status/succeeded");
    if let Some(failed) = condition(object, "Failed").filter(|found| found.status == "True") {
        return Health::failed(failed.describe("failed"));
    }
    if condition(object, "Complete").is_some_and(|found| found.status == "True") {
        return Health::current(format!("completed, {succeeded} pods succeeded"));
    }
    if text(object, "/status/startTime").is_none() {
        return Health::in_progress("not started");
    }
    let (active, failed) = (count(object, "/status/active"), count(object, "/status/failed"));
    let message = format!("running, {succeeded} pods succeeded, {active} active, {failed} failed");
    if must_complete {
        Health::in_progress(message)
    } else {
        Health::current(message)
    }
}

pub(super) fn pod(object: &Value) -> Health {
    let looping = || {
        let names = crash_looping(object);
        (!names.is_empty()).then(|| Health::failed(format!("containers crash again and again: {}", names.join(", "))))
    };
    match text(object, "/status/phase") {
        Some("Succeeded") => Health::current("completed"),
        Some("Failed") => Health::failed(text(object, "/status/message").unwrap_or("completed, but not successfully")),
        Some("Running") => match condition(object, "Ready") {
            Some(ready) if ready.status == "True" => Health::current("ready"),
            ready => looping().unwrap_or_else(|| {
                Health::in_progress(ready.map_or_else(|| "not ready".to_owned(), |ready| ready.describe("not ready")))
            }),
        },
        Some("Pending") => match condition(object, "PodScheduled") {
            Some(scheduled) if scheduled.status == "False" => {
                Health::in_progress(format!("not scheduled: {}", scheduled.describe("no node fits")))
            }
            _ => looping().unwrap_or_else(|| Health::in_progress("pending")),
        },
        _ => Health::in_progress("phase unknown"),
    }
}

fn crash_looping(object: &Value) -> Vec<&str> {
    let lists = ["/status/initContainerStatuses", "/status/containerStatuses"];
    let statuses = lists
        .into_iter()
        .filter_map(|list| object.pointer(list))
        .filter_map(Value::as_array)
        .flatten();
    statuses
        .filter(|status| text(status, "/state/waiting/reason") == Some("CrashLoopBackOff"))
        .filter_map(|status| text(status, "/name"))
        .collect()
}
