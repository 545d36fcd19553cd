//! What a release should be, as far as deciding needs it: digests, and each object's intent.
//!
//! Pure. It does not know how the objects were rendered.

use serde_json::Value;

use crate::ownership::ObjectReference;

/// What identifies one revision of a release: a new one is made when any of it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Name of the Helm release.
    pub release_name: String,
    /// Namespace that the objects are released to.
    pub namespace: String,
    /// Name of the chart, from its Chart.yaml.
    pub chart_name: String,
    /// Version of the chart, from its Chart.yaml.
    pub chart_version: String,
    /// `appVersion` of the chart.
    pub app_version: Option<String>,
    /// `sha256:...` of the chart's archive.
    pub chart_digest: String,
    /// `sha256:...` of the values that the user gave.
    pub config_digest: String,
}

/// One object as it is to be applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Intent {
    /// The object.
    pub reference: ObjectReference,
    /// Its canonical form (see `ownership::intent`).
    pub object: Value,
    /// Digest of the canonical form.
    pub hash: String,
}
