//! Which chart a HelmRelease releases: by name in a repository, or by reference to a source object.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Duration;
use super::super::reference::{CommonMetadata, Verification};
use super::super::schema::is_false;

/// The chart, by its name and version in a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChartTemplate {
    /// Labels and annotations of the ReleaseLedger, the object that Fairlead keeps beside this one. Flux sets them on the HelmChart that
    /// it creates, which Fairlead does not need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<CommonMetadata>,
    /// The chart.
    pub spec: ChartSpec,
}

/// The chart in a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChartSpec {
    /// Name of the chart in a HelmRepository, or its path in a GitRepository or Bucket.
    #[schemars(length(min = 1, max = 2048))]
    pub chart: String,
    /// Version of the chart: a version or a range of semantic versions. Not used for GitRepository and Bucket.
    #[serde(default = "any_version")]
    pub version: String,
    /// Where the chart is.
    pub source_ref: SourceReference,
    /// How often a newer version is looked for. Default: `spec.interval`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Duration>,
    /// What makes a chart in a Git repository or a bucket another one: `ChartVersion`, that its version differs from the one that was
    /// looked up before; `Revision`, that its files differ. After a restart of the operator, files that differ always count.
    #[serde(default)]
    pub reconcile_strategy: ReconcileStrategy,
    /// Files of the chart that replace its `values.yaml`, merged in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub values_files: Vec<String>,
    /// Whether files of `valuesFiles` that the chart does not have are skipped, instead of failing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ignore_missing_values_files: bool,
    /// How the signature of the chart is verified. Without it, no signature is required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Verification>,
}

fn any_version() -> String {
    "*".to_owned()
}

/// What makes a chart new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReconcileStrategy {
    /// A version that differs.
    #[default]
    ChartVersion,
    /// A revision of the source that differs.
    Revision,
}

/// The source that a chart is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceReference {
    /// API version of the source. Default: the version of this object for HelmRepository, that of Flux's source-controller for the
    /// others. `source.toolkit.fluxcd.io/v1` means Flux's HelmRepository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Kind of the source.
    pub kind: SourceKind,
    /// Name of the source.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Namespace of the source. Default: the namespace of this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
}

/// Kinds of source that a chart can be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum SourceKind {
    /// A repository of charts.
    HelmRepository,
    /// Flux's GitRepository.
    GitRepository,
    /// Flux's Bucket.
    Bucket,
}

/// A reference to an object that fetches the chart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChartReference {
    /// API version of the object. Default: the version of this object for OCIRepository, that of Flux's source-controller for the
    /// others. `source.toolkit.fluxcd.io/v1` means Flux's OCIRepository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Kind of the object.
    pub kind: ChartReferenceKind,
    /// Name of the object.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Namespace of the object. Default: the namespace of this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
}

/// Kinds of object that fetch a chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ChartReferenceKind {
    /// An artifact in an OCI registry.
    OCIRepository,
    /// Flux's HelmChart.
    HelmChart,
    /// Flux's ExternalArtifact.
    ExternalArtifact,
}
