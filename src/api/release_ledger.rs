//! ReleaseLedger: what Fairlead knows of the objects of one release between two reconciliations.
//!
//! It is written by Fairlead only, is owned by its HelmRelease and has the same name. Losing it costs one full comparison,
//! never data. An object of Kubernetes may take about 1.5 MiB, so all parts are bounded.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::helm_release::ownership_status::{ConflictClass, ConflictOutcome, ManagerOperation};
use super::schema::{any_json, is_false};

/// The largest number of objects in a ledger; what is beyond is compared anew each time.
pub const MAX_OBJECTS: usize = 4000;
/// The largest number of bytes of one object's owned field set; a larger one is left out, and compared anew each time.
pub const MAX_FIELD_SET_BYTES: usize = 16 * 1024;
/// The largest number of bytes of all owned field sets of a ledger together.
pub const MAX_FIELD_SETS_BYTES: usize = 768 * 1024;
/// The largest number of contested fields in a ledger; the oldest go first.
pub const MAX_CONTESTED: usize = 500;
/// The largest number of bytes of all contested fields of a ledger together, as JSON.
pub const MAX_CONTESTED_BYTES: usize = 40 * 1024;
/// The largest number of bytes of the field sets of a ledger together that were left to others; those of an object that does
/// not fit are found again in its managedFields.
pub const MAX_YIELDED_BYTES: usize = 40 * 1024;
/// The largest number of history entries of one contested field; the oldest go first.
pub const MAX_FIELD_HISTORY: usize = 10;

/// What Fairlead knows of the objects of a release.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "fairlead.dev",
    version = "v1alpha1",
    kind = "ReleaseLedger",
    namespaced,
    derive = "PartialEq",
    doc = "What Fairlead knows of the objects of a release and of the fields that others contest. Written by Fairlead only.",
    shortname = "frl",
    category = "fairlead",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Manager", type_ = "string", json_path = ".spec.fieldManager"),
    printcolumn(name = "Revision", type_ = "integer", json_path = ".spec.revision"),
    printcolumn(name = "Updated", type_ = "date", json_path = ".spec.updated")
)]
pub struct ReleaseLedgerSpec {
    /// Field manager that the objects were applied with.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field_manager: String,
    /// Helm's number of the revision that the objects belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u32>,
    /// When the ledger was written last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<Time>,
    /// The objects, sorted; at most 4000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4000), extend("x-kubernetes-list-type" = "atomic"))]
    pub objects: Vec<LedgerObject>,
    /// The contested fields with their history, sorted by object and path; at most 500, and at most 40 KiB.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), extend("x-kubernetes-list-type" = "atomic"))]
    pub contested: Vec<LedgerField>,
}

/// What is known of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LedgerObject {
    /// `<namespace>_<name>_<group>_<kind>`, as in the inventory of the HelmRelease.
    pub id: String,
    /// API version without the group.
    pub v: String,
    /// SHA-256 of what was applied, as hexadecimal digits; empty when it is to be compared anew.
    pub intent: String,
    /// `metadata.uid` of the live object.
    pub uid: String,
    /// `metadata.resourceVersion` of the live object after it was applied.
    pub resource_version: String,
    /// Digest of the live object's generation and managed fields after it was applied, without those of its status.
    #[serde(default)]
    pub fingerprint: String,
    /// The fields that this release owns, as compact JSON of the format FieldsV1. Left out when larger than 16 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16384))]
    pub fields: Option<String>,
    /// The fields of the chart that are left to others, as compact JSON of the format FieldsV1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40960))]
    pub yielded: Option<String>,
    /// Whether fields of the chart are left to others that `yielded` had no room for. After a restart they are found again in
    /// the object's managedFields: those that others own, that this release does not own, and that its policy yields.
    #[serde(default, skip_serializing_if = "is_false")]
    pub yielded_unlisted: bool,
}

/// What is known of one contested field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LedgerField {
    /// The object, as in `objects[].id`.
    pub id: String,
    /// Path of the field, for example `.spec.replicas`.
    pub path: String,
    /// Name of the other field manager.
    pub manager: String,
    /// How the other manager wrote the field.
    pub operation: ManagerOperation,
    /// Subresource through which the other manager wrote the field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subresource: Option<String>,
    /// When the conflict was seen first.
    pub first_seen: Time,
    /// When the conflict was seen last.
    pub last_seen: Time,
    /// How often the conflict was seen.
    pub count: u32,
    /// Whether the field was contested when its object was last looked at.
    #[serde(default)]
    pub current: bool,
    /// What happened, newest first; at most 10. Repetitions are counted, not added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), extend("x-kubernetes-list-type" = "atomic"))]
    pub history: Vec<LedgerEvent>,
}

/// What happened to a contested field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEvent {
    /// When it happened last.
    pub time: Time,
    /// What the conflict was.
    pub class: ConflictClass,
    /// What was done about it.
    pub action: ConflictOutcome,
    /// The rule that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The release's value; of a Secret, a digest that only shows whether values are equal. Left out when there is none;
    /// shortened when large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_json")]
    pub ours: Option<Value>,
    /// The live value; of a Secret, a digest that only shows whether values are equal. Left out when there is none;
    /// shortened when large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_json")]
    pub theirs: Option<Value>,
    /// How often it happened without a change.
    pub count: u32,
}
