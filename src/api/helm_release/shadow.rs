//! `status.shadow`: what a release in shadow mode would do.
//!
//! Knows the shape and its bounds; it is filled in `plan`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ownership::ConflictAction;
use super::ownership_status::{ConflictClass, ConflictOutcome};

/// The largest number of objects whose changes status lists; `fairlead shadow` shows all.
pub const MAX_CHANGES: usize = 50;
/// The largest number of paths that status lists for one object.
pub const MAX_PATHS: usize = 3;
/// The longest such path, in characters; a longer one is cut.
pub const MAX_PATH_LENGTH: usize = 256;

/// What applying the release would do, found out by dry runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ShadowStatus {
    /// Number of objects, by what would be done to them.
    pub objects: ShadowCounts,
    /// Number of contested fields that adoption settles without a decision, by class: those of earlier tools of this release
    /// (`Legacy`), and those in which no value would change (`Phantom`). `status.ownership` does not count them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub adopted: BTreeMap<ConflictClass, u32>,
    /// What each value of `ownership.onConflict` would do about the contested fields. Rules come first under each of them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub policies: BTreeMap<ConflictAction, PolicyOutlook>,
    /// What would be done, by object; at most 50. Objects that would not change are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), extend("x-kubernetes-list-type" = "atomic"))]
    pub changes: Vec<ShadowChange>,
}

/// Number of objects, by what would be done to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ShadowCounts {
    /// Objects that would be created.
    pub created: u32,
    /// Objects of which fields would get another value.
    pub changed: u32,
    /// Objects of which no value would change, but whose fields the release would own from then on.
    pub adopted: u32,
    /// Objects that are as the release wants them.
    pub unchanged: u32,
    /// Objects of the release that would be removed, because the chart has them no more.
    pub removed: u32,
    /// Objects that the API server would refuse.
    pub refused: u32,
}

/// What one value of `ownership.onConflict` would do about the contested fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyOutlook {
    /// Whether a contested field would keep the release from being applied.
    pub stops: bool,
    /// Number of contested fields by what would be done about them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_action: BTreeMap<ConflictOutcome, u32>,
}

/// What would be done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ShadowEffect {
    /// It would be created.
    Created,
    /// Fields would get another value.
    Changed,
    /// It would be removed.
    Removed,
    /// The API server would refuse it.
    Refused,
}

impl ShadowEffect {
    /// The name as it stands in status and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "Created",
            Self::Changed => "Changed",
            Self::Removed => "Removed",
            Self::Refused => "Refused",
        }
    }
}

/// What would be done to one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShadowChange {
    /// The object: API version, kind, namespace and name, for example `apps/v1 Deployment prod/shop`.
    pub object: String,
    /// What would be done to it.
    pub effect: ShadowEffect,
    /// Number of fields that would get another value.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub fields: u32,
    /// The first of them, at most 3; shortened when long.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3), extend("x-kubernetes-list-type" = "atomic"))]
    pub paths: Vec<String>,
    /// Why it would be refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}
