//! Where values come from besides the HelmRelease itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::schema::is_false;

/// The key that values are read from when `valuesKey` is not set.
pub const DEFAULT_VALUES_KEY: &str = "values.yaml";

/// Values in a Secret or ConfigMap in the namespace of the HelmRelease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValuesReference {
    /// Kind of the object.
    pub kind: ValuesKind,
    /// Name of the object.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key in the object's data. Default: `values.yaml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253), regex(pattern = r"^[\-._a-zA-Z0-9]+$"))]
    pub values_key: Option<String>,
    /// Path, in the syntax of Helm's `--set`, at which the key's content is set as one value, over `spec.values` too. A content
    /// in quotes is a text. Without a path, the content is a YAML document that is merged at the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 250), regex(pattern = r"^([a-zA-Z0-9_\-.\\\/]|\[[0-9]{1,5}\])+$"))]
    pub target_path: Option<String>,
    /// Whether a missing object or key is skipped, instead of failing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
    /// Whether the content is set at `targetPath` as it is, without the syntax of `--set` (like Helm's `--set-literal`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub literal: bool,
}

/// Kinds of object that hold values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ValuesKind {
    /// A Secret.
    Secret,
    /// A ConfigMap.
    ConfigMap,
}

impl ValuesReference {
    /// The key that the values are read from.
    pub fn effective_key(&self) -> &str {
        self.values_key.as_deref().unwrap_or(DEFAULT_VALUES_KEY)
    }
}
