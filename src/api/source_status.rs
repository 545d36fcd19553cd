//! What the statuses of all kinds of source have in common.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was fetched from a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// What the artifact is: for a repository index its digest, for an OCI artifact `<tag>@<digest>`.
    pub revision: String,
    /// Digest of the artifact, with its algorithm, for example `sha256:…`.
    pub digest: String,
    /// When the artifact was fetched for the first time.
    pub last_update_time: Time,
    /// Size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub size: Option<i64>,
}

/// How a source logs in to its registry or repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// With the Secret of the source, or not at all.
    #[default]
    Generic,
    /// With a workload identity of Amazon Web Services.
    Aws,
    /// With a workload identity of Microsoft Azure.
    Azure,
    /// With a workload identity of Google Cloud.
    Gcp,
}

/// The parts of a status that every kind of source has.
#[derive(Debug)]
pub struct StatusParts<'a> {
    /// Generation that the status is about.
    pub observed_generation: &'a mut Option<i64>,
    /// What is told.
    pub conditions: &'a mut Vec<Condition>,
    /// What was fetched last.
    pub artifact: &'a mut Option<Artifact>,
    /// Where it was fetched from.
    pub url: &'a mut Option<String>,
    /// The request that was acted on last.
    pub last_handled_reconcile_at: &'a mut Option<String>,
}
