//! What holds for every kind: deletion, an outdated status, and the conditions that kstatus knows.

use serde_json::Value;

use super::fields::{condition, integer};
use super::{Health, State};

/// What holds for every kind: deletion, an outdated status, `Reconciling` and `Stalled`.
pub(super) fn status(object: &Value) -> Option<Health> {
    if let Some(found) = observed(object) {
        return Some(found);
    }
    if let Some(found) = condition(object, "Reconciling").filter(|found| found.status == "True") {
        return Some(Health::in_progress(found.describe("reconciling")));
    }
    let stalled = condition(object, "Stalled").filter(|found| found.status == "True")?;
    Some(Health::failed(stalled.describe("stalled")))
}

/// Deletion, and a status that is not of the newest generation.
pub(super) fn observed(object: &Value) -> Option<Health> {
    if object
        .pointer("/metadata/deletionTimestamp")
        .is_some_and(|time| !time.is_null())
    {
        return Some(Health {
            state: State::Terminating,
            message: "is being deleted".to_owned(),
        });
    }
    let observed = integer(object, "/status/observedGeneration");
    let wanted = integer(object, "/metadata/generation");
    if let (Some(observed), Some(wanted)) = (observed, wanted)
        && observed != wanted
    {
        return Some(Health::in_progress(format!(
            "generation {wanted} is not observed yet (status is of {observed})"
        )));
    }
    None
}

/// What the condition `Ready` says, if there is one.
pub(super) fn ready(object: &Value) -> Option<Health> {
    let ready = condition(object, "Ready")?;
    match ready.status {
        "True" => Some(Health::current("ready")),
        "False" | "Unknown" => Some(Health::in_progress(ready.describe("not ready"))),
        _ => None,
    }
}
