//! What makes a revision another one than the newest.

use serde::Serialize;

use super::{Identity, PostRenderingDigests};
use crate::api::helm_release::history::Snapshot;

/// What differs from the newest revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Cause {
    /// The name of the Helm release.
    ReleaseName,
    /// The namespace that it is released to.
    TargetNamespace,
    /// The chart's name.
    ChartName,
    /// The chart's version.
    ChartVersion,
    /// What is in the chart, although its name and version are the same.
    ChartContent,
    /// What the user sets.
    Values,
    /// The post-renderers.
    PostRenderers,
    /// The common metadata.
    CommonMetadata,
    /// Nothing of these: the newest revision was undone, or made by a rollback.
    Status,
}

impl Cause {
    /// The cause in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReleaseName => "release name",
            Self::TargetNamespace => "target namespace",
            Self::ChartName => "chart name",
            Self::ChartVersion => "chart version",
            Self::ChartContent => "chart content",
            Self::Values => "values",
            Self::PostRenderers => "post-renderers",
            Self::CommonMetadata => "common metadata",
            Self::Status => "the newest revision was undone",
        }
    }
}

/// What of a revision differs from what is desired.
pub fn causes(snapshot: &Snapshot, chart_digest: Option<&str>, desired: &Identity) -> Vec<Cause> {
    let Identity {
        release_name,
        namespace,
        chart_name,
        chart_version,
        app_version: _, // follows from the chart's digest
        chart_digest: wanted,
        oci_digest: _,
        config_digest,
        post_rendering: PostRenderingDigests {
            post_renderers,
            common_metadata,
        },
    } = desired;
    let is_another = snapshot.chart_name != *chart_name || snapshot.chart_version != *chart_version;
    let causes = [
        (snapshot.name != *release_name, Cause::ReleaseName),
        (snapshot.namespace != *namespace, Cause::TargetNamespace),
        (snapshot.chart_name != *chart_name, Cause::ChartName),
        (snapshot.chart_version != *chart_version, Cause::ChartVersion),
        (!is_another && chart_digest != Some(wanted), Cause::ChartContent),
        (snapshot.config_digest != *config_digest, Cause::Values),
        (snapshot.post_renderers_digest != *post_renderers, Cause::PostRenderers),
        (
            snapshot.common_metadata_digest != *common_metadata,
            Cause::CommonMetadata,
        ),
    ];
    let differing = causes.into_iter().filter(|(differs, _)| *differs);
    differing.map(|(_, cause)| cause).collect()
}
