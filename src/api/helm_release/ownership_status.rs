//! `status.ownership`: what a release owns, and which fields others contest.
//!
//! Knows the shape and its bounds; it is filled from outcomes in `plan`.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::schema::any_json;

/// The largest number of contested fields that status lists; the ReleaseLedger has more.
pub const MAX_CONTESTED: usize = 50;
/// The largest number of bytes that one value of a contested field may take as JSON in status.
pub const MAX_VALUE_BYTES: usize = 256;

/// What a release owns, and which fields others contest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnershipStatus {
    /// Field manager that the objects are applied with.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field_manager: String,
    /// Number of objects of the release.
    #[serde(default)]
    pub objects: u32,
    /// Number of fields, by who owns them.
    #[serde(default)]
    pub fields: FieldCounts,
    /// Number of contested fields, in total and by class and action.
    #[serde(default)]
    pub conflicts: ConflictCounts,
    /// The contested fields, sorted by object and path; at most 50. The ReleaseLedger has the others and their history.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), extend("x-kubernetes-list-type" = "atomic"))]
    pub contested: Vec<ContestedField>,
}

/// Number of fields of a release's objects, by who owns them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct FieldCounts {
    /// Fields that only this release owns.
    pub owned: u32,
    /// Fields that this release and others own with the same value.
    pub shared: u32,
    /// Fields of the chart that were left to their owner.
    pub yielded: u32,
    /// Fields that were taken from another owner.
    pub forced: u32,
}

/// Number of contested fields, in total and by class and action.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ConflictCounts {
    /// All contested fields.
    pub total: u32,
    /// By class: `Real`, `Phantom`, `Legacy`, `Sibling`, `Union`, `Admission`, `Lost`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_class: BTreeMap<ConflictClass, u32>,
    /// By action: `Forced`, `Resolved`, `Adopted`, `Yielded`, `Retrying`, `HandedOff`, `Failed`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_action: BTreeMap<ConflictOutcome, u32>,
}

/// What kind of conflict it is: the difference between noise, history and a real disagreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConflictClass {
    /// Another manager wants another value.
    Real,
    /// Taking the field would change nothing: the values differ only in how they are written, or by the server's defaults.
    Phantom,
    /// The other manager is an earlier tool of this release, such as Helm 3's client-side apply.
    Legacy,
    /// The other manager is another release of Fairlead.
    Sibling,
    /// Two fields exclude each other and another manager owns one of them; forcing does not help.
    Union,
    /// An admission webhook or defaulting set another value than was applied.
    Admission,
    /// The release lost the field without a conflict: it was removed from the object, or the record of who owns what was
    /// wiped or cannot be read any more. Known from the ReleaseLedger.
    Lost,
}

/// What was done about a contested field. In the order of caution: of several owners of one field the most cautious
/// decision holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConflictOutcome {
    /// The field was taken although its owner disagrees.
    Forced,
    /// The field was taken, and nobody lost anything: no value changed, or it was an earlier tool's of this release.
    Resolved,
    /// The field is owned beside its owner, with the owner's value: a person decided so.
    Adopted,
    /// The field was left to its owner.
    Yielded,
    /// Nothing was written; the attempt is made again.
    Retrying,
    /// Nothing was written; a person must decide.
    HandedOff,
    /// Nothing was written; the attempt ended.
    Failed,
}

/// How the other manager wrote a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ManagerOperation {
    /// With server-side apply.
    Apply,
    /// With a create, update or patch.
    Update,
}

macro_rules! as_str {
    ($($name:ident { $($variant:ident),+ $(,)? })+) => {$(
        impl $name {
            /// All values, in the order of declaration.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name as it stands in status, metrics and messages.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant)),+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )+};
}

as_str! {
    ConflictClass { Real, Phantom, Legacy, Sibling, Union, Admission, Lost }
    ConflictOutcome { Forced, Resolved, Adopted, Yielded, Retrying, HandedOff, Failed }
    ManagerOperation { Apply, Update }
}

/// One field that another manager contests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContestedField {
    /// The object: API version, kind, namespace and name, for example `apps/v1 Deployment prod/shop`.
    pub object: String,
    /// Path of the field, for example `.spec.replicas`.
    pub path: String,
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
    /// Name of the other field manager.
    pub manager: String,
    /// How the other manager wrote the field.
    pub operation: ManagerOperation,
    /// Subresource through which the other manager wrote the field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subresource: Option<String>,
    /// When the other manager last wrote the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Time>,
    /// What the conflict is.
    pub class: ConflictClass,
    /// What was done about it.
    pub action: ConflictOutcome,
    /// The rule that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// When the conflict was seen first.
    pub first_seen: Time,
    /// When the conflict was seen last.
    pub last_seen: Time,
    /// How often the conflict was seen.
    #[serde(default)]
    pub count: u32,
}

/// The value as status shows it: as it is, or the start of its JSON with its size when it is larger than
/// [`MAX_VALUE_BYTES`].
pub fn shown_value(value: &Value) -> Value {
    let text = value.to_string();
    if text.len() <= MAX_VALUE_BYTES {
        return value.clone();
    }
    let mut end = MAX_VALUE_BYTES - 32;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Value::String(format!("{}… ({} bytes)", &text[..end], text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_on_the_wire() {
        for class in ConflictClass::ALL {
            assert_eq!(serde_json::to_value(class).unwrap(), class.as_str());
        }
        for outcome in ConflictOutcome::ALL {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
        }
        for operation in ManagerOperation::ALL {
            assert_eq!(serde_json::to_value(operation).unwrap(), operation.as_str());
        }
    }

    #[test]
    fn large_values_are_shortened() {
        assert_eq!(shown_value(&Value::from(3)), 3);
        let large = shown_value(&Value::from("ä".repeat(500)));
        assert!(large.as_str().unwrap().ends_with("(1002 bytes)"), "{large}");
        assert!(large.to_string().len() <= MAX_VALUE_BYTES + 16, "{large}");
    }
}
