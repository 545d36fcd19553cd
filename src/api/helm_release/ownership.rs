//! `spec.ownership`: who may own which field of a release's objects.
//!
//! Knows the shape and defaults of the settings; they are evaluated in `crate::ownership`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Duration;
use super::super::reference::Selector;

/// The largest number of rules in one list.
pub const MAX_RULES: usize = 128;
/// The legacy managers when `adoptFrom` is not set: Helm 3 and 4, Flux, Terraform, what old versions of Helm were known as,
/// and the name under which the API server keeps fields that were set before an object was first applied.
pub const DEFAULT_ADOPT_FROM: [&str; 5] = [
    "helm",
    "helm-controller",
    "terraform-provider-helm_*",
    "Go-http-client",
    "before-first-apply",
];

/// Who may own which field of the release's objects, and what is done when another field manager contests one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Ownership {
    /// Field manager that the objects are applied with. Default: `fairlead:<namespace>/<name>` of this object, so that two
    /// releases can be told apart. Names that look like Helm's or kubectl's own are best avoided.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[ -~]+$"))]
    pub field_manager: Option<String>,
    /// What is done about a contested field for which no rule says otherwise. `Fail` ends the attempt; `Retry` tries again
    /// as `retry` says; `HandOff` stops and waits for a person; `Yield` leaves the field to its owner; `Force` takes it.
    pub on_conflict: ConflictAction,
    /// How often `Retry` tries, and what follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<ConflictRetry>,
    /// Whether the built-in rules apply: for autoscalers (replicas, resources), certificate injectors (caBundle),
    /// aggregated ClusterRoles and other well-known owners.
    pub well_known_owners: Toggle,
    /// Field managers whose fields of this release's objects count as this release's own, because an earlier tool of this
    /// release wrote them; a name that ends with `*` stands for all that begin so. Default: `helm`, `helm-controller`,
    /// `terraform-provider-helm_*`, `Go-http-client` (Helm before 3.2) and `before-first-apply`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 32),
        inner(length(min = 1, max = 128)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub adopt_from: Option<Vec<String>>,
    /// Rules for contested fields; the first that matches decides. Rules of ConflictPolicies follow, then the built-in
    /// rules, then `onConflict`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), extend("x-kubernetes-list-type" = "atomic"))]
    pub rules: Vec<OwnershipRule>,
    /// When writers that keep overwriting each other are stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fights: Option<Fights>,
}

impl Ownership {
    /// The legacy managers whose fields count as this release's own.
    pub fn effective_adopt_from(&self) -> Vec<&str> {
        match &self.adopt_from {
            Some(managers) => managers.iter().map(String::as_str).collect(),
            None => DEFAULT_ADOPT_FROM.to_vec(),
        }
    }

    /// How often `Retry` tries, and what follows.
    pub fn effective_retry(&self) -> ConflictRetry {
        self.retry.clone().unwrap_or_default()
    }

    /// When writers that keep overwriting each other are stopped.
    pub fn effective_fights(&self) -> Fights {
        self.fights.clone().unwrap_or_default()
    }
}

/// What is done about a contested field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConflictAction {
    /// The attempt ends. Where objects had been written before, remediation follows as the spec says.
    #[default]
    Fail,
    /// The attempt is made again, a limited number of times.
    Retry,
    /// The release stops without remediation and waits for a person's decision.
    HandOff,
    /// The field is left out of what is applied for as long as somebody else owns it.
    Yield,
    /// The field is taken.
    Force,
}

/// What is done when retries did not resolve a conflict: any action except `Retry`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum FinalConflictAction {
    /// The attempt ends. Where objects had been written before, remediation follows as the spec says.
    #[default]
    Fail,
    /// The release stops without remediation and waits for a person's decision.
    HandOff,
    /// The field is left out of what is applied for as long as somebody else owns it.
    Yield,
    /// The field is taken.
    Force,
}

impl From<FinalConflictAction> for ConflictAction {
    fn from(action: FinalConflictAction) -> Self {
        match action {
            FinalConflictAction::Fail => Self::Fail,
            FinalConflictAction::HandOff => Self::HandOff,
            FinalConflictAction::Yield => Self::Yield,
            FinalConflictAction::Force => Self::Force,
        }
    }
}

/// Whether something is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Toggle {
    /// It is on.
    #[default]
    Enabled,
    /// It is off.
    Disabled,
}

/// How often `Retry` tries, and what follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ConflictRetry {
    /// Number of further attempts.
    #[schemars(range(min = 1, max = 100))]
    pub limit: u32,
    /// How long is waited before the first further attempt; it doubles with each.
    pub interval: Duration,
    /// What is done when the conflict is still there afterwards.
    pub then: FinalConflictAction,
}

impl Default for ConflictRetry {
    fn default() -> Self {
        Self {
            limit: 5,
            interval: Duration::from_secs(10),
            then: FinalConflictAction::default(),
        }
    }
}

/// When writers that keep overwriting each other are stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Fights {
    /// Number of corrective writes a minute on one field before `then` is done.
    #[schemars(range(min = 2, max = 1000))]
    pub threshold: u32,
    /// What is done about the field: any action except `Retry`.
    pub then: FinalConflictAction,
}

impl Default for Fights {
    fn default() -> Self {
        Self {
            threshold: 5,
            then: FinalConflictAction::HandOff,
        }
    }
}

/// A rule for contested fields. All given parts must match.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnershipRule {
    /// Name by which reports call the rule. Default: its position in the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: Option<String>,
    /// The objects. Default: all of the release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Selector>,
    /// The fields, with everything below them, for example `.spec.replicas` or
    /// `.spec.template.spec.containers[*].resources`. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 64),
        inner(length(min = 1, max = 1024)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub paths: Vec<String>,
    /// Regular expressions of which the whole name of the other field manager must match one. Default: all managers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 64),
        inner(length(min = 1, max = 512)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub managers: Vec<String>,
    /// What is done about the field.
    pub on_conflict: ConflictAction,
    /// When the rule ends. Afterwards it is as if it were not there, and the release says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}
