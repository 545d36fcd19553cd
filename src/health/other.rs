//! Kinds that run nothing but take time to be ready.

use serde_json::Value;

use super::Health;
use super::fields::condition;
use super::fields::text;

pub(super) fn persistent_volume_claim(object: &Value) -> Health {
    match text(object, "/status/phase") {
        Some("Bound") => Health::current("bound"),
        Some("Lost") => Health::failed("its volume is lost"),
        Some(phase) => Health::in_progress(format!("not bound (phase {phase})")),
        None => Health::in_progress("not bound"),
    }
}

/// As kstatus: the address of a load balancer is not waited for.
pub(super) fn service(object: &Value) -> Health {
    let is_load_balancer = text(object, "/spec/type") == Some("LoadBalancer");
    if is_load_balancer && text(object, "/spec/clusterIP").is_none_or(str::is_empty) {
        return Health::in_progress("no cluster IP yet");
    }
    Health::current("ready")
}

pub(super) fn custom_resource_definition(object: &Value) -> Health {
    if let Some(names) = condition(object, "NamesAccepted").filter(|names| names.status == "False") {
        return Health::failed(names.describe("its names are taken"));
    }
    match condition(object, "Established") {
        Some(established) if established.status == "True" => Health::current("established"),
        Some(established) if established.status == "False" && established.reason != "Installing" => {
            Health::failed(established.describe("not established"))
        }
        Some(_) | None => Health::in_progress("being installed"),
    }
}
