//! HelmRepository: an HTTP repository of charts, or a registry with charts.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Duration;
use super::reference::LocalReference;
use super::schema::{is_false, short_duration};
use super::source_status::{Artifact, Provider, StatusParts};

/// How often the index is fetched when `spec.interval` is not set.
pub const DEFAULT_INTERVAL: Duration = Duration::from_mins(1);

/// How long one request may take when `spec.timeout` is not set.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_mins(1);

/// The desired state of a repository of charts.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "fairlead.dev",
    version = "v1alpha1",
    kind = "HelmRepository",
    plural = "helmrepositories",
    namespaced,
    status = "HelmRepositoryStatus",
    derive = "PartialEq",
    doc = "A repository of Helm charts: an HTTP server with an index, or an OCI registry.",
    shortname = "fhelmrepo",
    category = "fairlead",
    printcolumn(name = "URL", type_ = "string", json_path = ".spec.url"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message"
    )
)]
pub struct HelmRepositorySpec {
    /// Address of the repository: `https://`, `http://` or, for a registry, `oci://`.
    #[schemars(length(max = 2048), regex(pattern = r"^(http|https|oci)://.*$"))]
    pub url: String,
    /// What the repository is: `default`, an HTTP server with an index; `oci`, a registry. Default: as the address says.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<RepositoryType>,
    /// How often the index is fetched. Default: 1m. A registry has no index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Duration>,
    /// How long one request may take. Default: 1m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "short_duration")]
    pub timeout: Option<Duration>,
    /// Suspends the repository: its index is not fetched again.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
    /// How credentials are obtained. Only for registries; others use `generic`.
    #[serde(default)]
    pub provider: Provider,
    /// Secret with credentials: `username` and `password`, or for a registry a Secret of the type
    /// `kubernetes.io/dockerconfigjson`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalReference>,
    /// Secret with a client certificate (`tls.crt` and `tls.key`), a certificate authority (`ca.crt`), or both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_secret_ref: Option<LocalReference>,
    /// Whether the credentials are also sent to other hosts that the index or a redirect names.
    #[serde(default, skip_serializing_if = "is_false")]
    pub pass_credentials: bool,
    /// Whether a registry is reached without TLS.
    #[serde(default, skip_serializing_if = "is_false")]
    pub insecure: bool,
    /// The namespaces whose objects may refer to this repository, besides its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_from: Option<AccessFrom>,
}

/// What a repository is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RepositoryType {
    /// An HTTP server with an index.
    Default,
    /// A registry.
    Oci,
}

/// The namespaces whose objects may refer to an object in another namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessFrom {
    /// Selectors of namespaces, of which one must match.
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub namespace_selectors: Vec<NamespaceSelector>,
}

impl AccessFrom {
    /// Whether objects of a namespace with these labels may refer to the repository.
    pub fn admits(&self, labels: &BTreeMap<String, String>) -> bool {
        let is_selected = |selector: &NamespaceSelector| {
            let mut wanted = selector.match_labels.iter();
            wanted.all(|(name, value)| labels.get(name) == Some(value))
        };
        self.namespace_selectors.iter().any(is_selected)
    }
}

/// Selects namespaces by their labels; without labels, all namespaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceSelector {
    /// Labels that the namespace must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
}

/// The observed state of a repository of charts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HelmRepositoryStatus {
    /// Generation of the spec that this status is about; -1 before the first reconciliation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Conditions: `Ready`, `Reconciling`, `Stalled`, `ArtifactInStorage`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The index that was fetched last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Artifact>,
    /// Address that the index was fetched from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Value of the annotation `fairlead.dev/requestedAt` that was last acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
}

impl HelmRepositorySpec {
    /// How often the index is fetched.
    pub fn effective_interval(&self) -> Duration {
        self.interval.unwrap_or(DEFAULT_INTERVAL)
    }

    /// How long one request may take.
    pub fn effective_timeout(&self) -> Duration {
        self.timeout.unwrap_or(DEFAULT_TIMEOUT)
    }
}

impl HelmRepositoryStatus {
    /// What it has in common with the statuses of other kinds of source.
    pub fn parts(&mut self) -> StatusParts<'_> {
        let Self {
            observed_generation,
            conditions,
            artifact,
            url,
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
