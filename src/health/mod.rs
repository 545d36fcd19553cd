//! Whether a live object is ready: the kstatus rules of cli-utils, with messages for people.
//!
//! Pure: one object in, one verdict out; it knows no clock, so a Pod that cannot be scheduled is in progress, not failed.

pub mod cel;
mod fields;
mod generic;
mod legacy;
mod other;
pub mod rules;
mod workload;

use std::fmt;

use serde_json::Value;

use crate::ownership::reference::ObjectReference;
use fields::text;

/// Where an object is on its way to what its spec asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It is as its spec asks.
    Current,
    /// It is on its way.
    InProgress,
    /// It will not get there by itself.
    Failed,
    /// It is being deleted.
    Terminating,
    /// It does not exist.
    NotFound,
}

impl State {
    /// The name in messages and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "Current",
            Self::InProgress => "InProgress",
            Self::Failed => "Failed",
            Self::Terminating => "Terminating",
            Self::NotFound => "NotFound",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The verdict on an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Where it is.
    pub state: State,
    /// What is missing, or what is reached; without the object's name, and without times.
    pub message: String,
}

impl Health {
    fn current(message: impl Into<String>) -> Self {
        Self {
            state: State::Current,
            message: message.into(),
        }
    }

    fn in_progress(message: impl Into<String>) -> Self {
        Self {
            state: State::InProgress,
            message: message.into(),
        }
    }

    fn failed(message: impl Into<String>) -> Self {
        Self {
            state: State::Failed,
            message: message.into(),
        }
    }

    /// Of an object that does not exist.
    pub fn not_found() -> Self {
        Self {
            state: State::NotFound,
            message: "does not exist".to_owned(),
        }
    }

    /// `Deployment prod/web: 1 of 3 pods ready`.
    pub fn describe(&self, object: &ObjectReference) -> String {
        format!("{} {}: {}", object.kind, object.qualified_name(), self.message)
    }
}

/// Where users disagree about readiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rules {
    /// Whether a Job is ready only when it has completed; kstatus is content when it has started.
    pub jobs_must_complete: bool,
}

/// The verdict on a live object by the rules of kstatus.
pub fn status(object: &Value) -> Health {
    status_with(object, Rules::default())
}

/// The verdict on a live object.
pub fn status_with(object: &Value, rules: Rules) -> Health {
    generic::status(object).unwrap_or_else(|| match (group(object), text(object, "/kind").unwrap_or_default()) {
        ("apps", "Deployment") => workload::deployment(object),
        ("apps", "StatefulSet") => workload::stateful_set(object),
        ("apps", "DaemonSet") => workload::daemon_set(object),
        ("apps", "ReplicaSet") => workload::replica_set(object),
        ("batch", "Job") => workload::job(object, rules.jobs_must_complete),
        ("", "Pod") => workload::pod(object),
        ("", "PersistentVolumeClaim") => other::persistent_volume_claim(object),
        ("", "Service") => other::service(object),
        ("batch", "CronJob") | ("", "ConfigMap" | "Secret") => Health::current("always ready"),
        ("policy", "PodDisruptionBudget") => Health::current("the allowed disruptions are computed"),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => other::custom_resource_definition(object),
        _ => generic::ready(object).unwrap_or_else(|| Health::current("ready")),
    })
}

fn group(object: &Value) -> &str {
    text(object, "/apiVersion")
        .and_then(|version| version.split_once('/'))
        .map_or("", |(group, _)| group)
}

#[cfg(test)]
mod tests;
