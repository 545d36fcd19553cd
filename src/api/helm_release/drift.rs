//! How live objects are looked at: drift detection, waiting, health expressions.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::reference::Selector;
use super::super::schema::any_json;

/// Whether live objects are compared with the release, and corrected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DriftDetection {
    /// `enabled` (default) compares and corrects, `warn` only compares, `disabled` does neither. Unlike Flux's, whose default is
    /// `disabled`: objects that somebody deletes or changes come back, as far as the conflict policy says so.
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
    #[default]
    Enabled,
    /// Only compared.
    Warn,
    /// Neither.
    Disabled,
}

/// The largest number of drifted fields that status lists.
pub const MAX_DRIFTED: usize = 50;

/// The drift that was found last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DriftStatus {
    /// When it was found.
    pub detected_at: Time,
    /// Number of fields.
    pub total: u32,
    /// The fields; at most 50.
    #[schemars(length(max = 50), extend("x-kubernetes-list-type" = "atomic"))]
    pub fields: Vec<DriftedField>,
}

/// A field that differed from the release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DriftedField {
    /// The object: API version, kind, namespace and name, for example `apps/v1 Deployment prod/shop`.
    pub object: String,
    /// Path of the field, for example `.spec.replicas`; a single dot for an object that did not exist any more.
    pub path: String,
    /// The release's value; of a Secret, a digest that only shows whether values are equal; shortened when large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_json")]
    pub ours: Option<Value>,
    /// The live value, in the same way. Left out when the field was gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_json")]
    pub live: Option<Value>,
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
