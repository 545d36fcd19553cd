//! WasmPlugin: code in WebAssembly that takes part in releases, under stated limits.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Duration;
use super::helm_release::PluginStage;
use super::reference::Verification;
use super::schema::{any_object, is_false, short_duration};

/// A plugin in WebAssembly.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "fairlead.dev",
    version = "v1alpha1",
    kind = "WasmPlugin",
    plural = "wasmplugins",
    status = "WasmPluginStatus",
    derive = "PartialEq",
    doc = "Code in WebAssembly that takes part in releases: it validates or transforms values and manifests.",
    shortname = "fwp",
    category = "fairlead",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Digest", type_ = "string", json_path = ".status.digest"),
    printcolumn(
        name = "Status",
        type_ = "string",
        priority = 1,
        json_path = ".status.conditions[?(@.type==\"Ready\")].message"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!has(self.source.url) || has(self.digest)",
        "message": "spec.digest must be set when the code comes from spec.source.url"
    },
]))]
pub struct WasmPluginSpec {
    /// Where the code comes from.
    pub source: PluginSource,
    /// SHA-256 of the code, `sha256:` with 64 hexadecimal digits. Code with another digest is refused. Required for code
    /// that comes from a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^sha256:[0-9a-f]{64}$"))]
    pub digest: Option<String>,
    /// How the signature of an OCI artifact is verified. Without it, no signature is required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Verification>,
    /// The stages in which the plugin may be used. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "set"))]
    pub stages: Vec<PluginStage>,
    /// What the plugin may use.
    #[serde(default)]
    pub limits: PluginLimits,
    /// Configuration for releases that do not set another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub config: Option<Map<String, Value>>,
    /// Whether releases go on without the plugin when it cannot be loaded or exceeds its limits. A refusal by the plugin
    /// always counts.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
}

/// Where a plugin's code comes from. Exactly one must be set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "[has(self.oci), has(self.url), has(self.configMap)].filter(given, given).size() == 1",
        "message": "exactly one of source.oci, source.url and source.configMap must be set"
    },
]))]
pub struct PluginSource {
    /// An artifact in an OCI registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oci: Option<OciPluginSource>,
    /// An address that the code is fetched from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048), regex(pattern = r"^https://.*$"))]
    pub url: Option<String>,
    /// A ConfigMap with the code in its `binaryData`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapPluginSource>,
}

/// An artifact in an OCI registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OciPluginSource {
    /// Address with tag or digest, for example `oci://registry.example.com/plugins/policy:1.2.0`.
    #[schemars(length(max = 2048), regex(pattern = r"^oci://.*$"))]
    pub url: String,
    /// Secret of the type `kubernetes.io/dockerconfigjson` with the registry's credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<NamespacedReference>,
    /// Whether the registry is reached without TLS.
    #[serde(default, skip_serializing_if = "is_false")]
    pub insecure: bool,
}

/// An object in a namespace, for resources that are in none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamespacedReference {
    /// Name of the object.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Namespace of the object.
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
}

/// Code in a ConfigMap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigMapPluginSource {
    /// Name of the ConfigMap.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Namespace of the ConfigMap.
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
    /// Key in the ConfigMap's `binaryData`.
    #[serde(default = "default_config_map_key")]
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

fn default_config_map_key() -> String {
    "plugin.wasm".to_owned()
}

/// What a plugin may use in one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PluginLimits {
    /// Memory in mebibytes.
    #[schemars(range(min = 1, max = 1024))]
    pub memory_mebibytes: u32,
    /// How long a call may take.
    #[schemars(schema_with = "short_duration")]
    pub timeout: Duration,
    /// Number of instructions in millions.
    #[schemars(range(min = 1, max = 100_000))]
    pub fuel_millions: u32,
    /// Size of the plugin's answer in mebibytes.
    #[schemars(range(min = 1, max = 64))]
    pub output_mebibytes: u32,
}

impl Default for PluginLimits {
    fn default() -> Self {
        Self {
            memory_mebibytes: 64,
            timeout: Duration::from_secs(5),
            fuel_millions: 1_000,
            output_mebibytes: 16,
        }
    }
}

/// The observed state of a plugin.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WasmPluginStatus {
    /// Generation of the spec that this status is about; -1 before the first reconciliation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Conditions: `Ready`, `Stalled`, `SourceVerified`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// SHA-256 of the code that is loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Name that the code gives itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Version that the code gives itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}
