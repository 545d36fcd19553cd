//! How live objects are looked at: drift detection, waiting, health expressions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::reference::Selector;

/// Whether live objects are compared with the release, and corrected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DriftDetection {
    /// `enabled` compares and corrects, `warn` only compares, `disabled` (default) does neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<DriftDetectionMode>,
    /// Fields that are not compared. They are applied nevertheless when the release changes; to leave a field to somebody
    /// else, use `spec.ownership.rules`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub ignore: Vec<IgnoreRule>,
}

/// Whether live objects are compared with the release, and corrected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DriftDetectionMode {
    /// Compared and corrected.
    Enabled,
    /// Only compared.
    Warn,
    /// Neither.
    #[default]
    Disabled,
}

/// Fields that drift detection does not compare.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IgnoreRule {
    /// JSON pointers (RFC 6901) of the fields; the empty pointer is the whole object.
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub paths: Vec<String>,
    /// The objects. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Selector>,
}

/// How it is awaited that objects become ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WaitStrategy {
    /// `poller` follows the kstatus rules for every kind; `legacy` those of Helm 3.
    pub name: WaitStrategyName,
}

/// Names of the strategies for waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WaitStrategyName {
    /// The kstatus rules, for every kind.
    #[default]
    Poller,
    /// The rules of Helm 3, for a few kinds.
    Legacy,
}

/// CEL expressions over the fields of an object that say when objects of a kind are ready. They are asked in the order
/// `inProgress`, `failed`, `current`; when none is true, the object is in progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthCheckExpression {
    /// API version of the objects.
    pub api_version: String,
    /// Kind of the objects. Default: all kinds of the API version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// True when the object is ready.
    pub current: String,
    /// True when the object is still in progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_progress: Option<String>,
    /// True when the object has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}
