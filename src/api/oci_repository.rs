//! OCIRepository: one artifact in an OCI registry, by tag, range or digest.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Duration;
use super::reference::{LocalReference, Verification};
use super::schema::{is_false, short_duration};
use super::source_status::{Artifact, Provider, StatusParts};

/// The tag of an artifact whose reference names none.
pub const DEFAULT_TAG: &str = "latest";

/// The desired state of an artifact in an OCI registry.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "fairlead.dev",
    version = "v1alpha1",
    kind = "OCIRepository",
    plural = "ocirepositories",
    namespaced,
    status = "OCIRepositoryStatus",
    derive = "PartialEq",
    doc = "An artifact in an OCI registry, for example a Helm chart.",
    shortname = "focirepo",
    category = "fairlead",
    printcolumn(name = "URL", type_ = "string", json_path = ".spec.url"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct OCIRepositorySpec {
    /// Address of the artifact without tag and digest, for example `oci://registry.example.com/charts/shop`.
    #[schemars(length(max = 2048), regex(pattern = r"^oci://.*$"))]
    pub url: String,
    /// Which artifact at the address. Default: the tag `latest`.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<OciReference>,
    /// Which layer of the artifact. Default: the layer with Helm's media type, or else the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer_selector: Option<LayerSelector>,
    /// How often it is looked for a newer artifact.
    pub interval: Duration,
    /// How long one request may take.
    #[serde(default = "default_timeout")]
    #[schemars(schema_with = "short_duration")]
    pub timeout: Duration,
    /// Suspends the source: the artifact is not fetched again.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
    /// How credentials are obtained: `generic`, from `secretRef` or `serviceAccountName`; others, from the cloud's workload
    /// identity.
    #[serde(default)]
    pub provider: Provider,
    /// Secret of the type `kubernetes.io/dockerconfigjson` with the registry's credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalReference>,
    /// ServiceAccount whose image pull secrets, or for a cloud's provider whose identity, are used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub service_account_name: Option<String>,
    /// Secret with a client certificate (`tls.crt` and `tls.key`), a certificate authority (`ca.crt`), or both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_secret_ref: Option<LocalReference>,
    /// Secret with the `address` of a proxy, and its `username` and `password` if it requires them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_secret_ref: Option<LocalReference>,
    /// How the signature of the artifact is verified. Without it, no signature is required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Verification>,
    /// Whether the registry is reached without TLS.
    #[serde(default, skip_serializing_if = "is_false")]
    pub insecure: bool,
    /// Files of an extracted artifact that are left out, in the syntax of `.gitignore`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore: Option<String>,
}

fn default_timeout() -> Duration {
    Duration::from_secs(60)
}

/// Which artifact at an address: the first of digest, range and tag that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OciReference {
    /// Digest of the artifact's manifest, for example `sha256:…`. Takes precedence over `semver`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Range of semantic versions; the newest tag in it is used. Takes precedence over `tag`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub semver: Option<String>,
    /// Regular expression that tags must match to be considered for `semver`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub semver_filter: Option<String>,
    /// Tag. Default: `latest`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// Which layer of an artifact, and what is done with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LayerSelector {
    /// Media type of the layer; the first layer that has it is used. Default: the first layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// `extract` unpacks the layer's archive (default); `copy` takes the layer as it is. A chart's archive is read either
    /// way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<LayerOperation>,
}

/// What is done with a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LayerOperation {
    /// The archive is unpacked.
    #[default]
    Extract,
    /// The layer is taken as it is.
    Copy,
}

/// The observed state of an artifact in an OCI registry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OCIRepositoryStatus {
    /// Generation of the spec that this status is about; -1 before the first reconciliation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Conditions: `Ready`, `Reconciling`, `Stalled`, `ArtifactInStorage`, `SourceVerified`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The artifact that was fetched last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Artifact>,
    /// Address that the artifact was fetched from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Value of `spec.ignore` that the artifact was made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_ignore: Option<String>,
    /// Value of `spec.layerSelector` that the artifact was made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_layer_selector: Option<LayerSelector>,
    /// Value of the annotation `fairlead.dev/requestedAt` that was last acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
}

impl OCIRepositoryStatus {
    /// What it has in common with the statuses of other kinds of source.
    pub fn parts(&mut self) -> StatusParts<'_> {
        let Self {
            observed_generation,
            conditions,
            artifact,
            url,
            observed_ignore: _, // of the extraction, which a chart's archive does not need
            observed_layer_selector: _,
            last_handled_reconcile_at,
        } = self;
        StatusParts {
            observed_generation,
            conditions,
            artifact,
            url,
            last_handled_reconcile_at,
        }
    }
}
