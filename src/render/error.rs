//! Why a chart could not be rendered, in Helm's words.

use super::text::Failure;
use crate::chart::values::ValuesError;
use crate::template::trace::Trace;
use crate::template::{LimitError, ParseError};

/// Why a chart could not be rendered. All of these are terminal for the same chart, values and capabilities.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A library chart.
    #[error("{0} charts are not installable")]
    NotInstallable(String),
    /// Dependencies of Chart.yaml that are not in `charts/`.
    #[error(
        "an error occurred while checking for chart dependencies. You may need to run 'helm dependency build' to \
         fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: {0}"
    )]
    MissingDependencies(String),
    /// No release name.
    #[error("release name check failed: release name \"\": no name provided")]
    NoReleaseName,
    /// A release name that Helm refuses.
    #[error(
        "release name check failed: release name {0:?}: invalid release name, must match regex \
         ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ and the length must not be longer than 53"
    )]
    ReleaseName(String),
    /// Values that do not fit the subcharts.
    #[error("chart dependencies processing failed: {0}")]
    Dependencies(#[source] ValuesError),
    /// Values that do not fit the chart.
    #[error(transparent)]
    Values(#[from] ValuesError),
    /// Values that do not fit values.schema.json.
    #[error("values don't meet the specifications of the schema(s) in the following chart(s):\n{text}")]
    Schema {
        /// Helm's list of what is wrong, by chart.
        text: String,
        /// The same for [`report`](RenderError::report).
        mismatches: Vec<Mismatch>,
    },
    /// The cluster's version is out of the chart's range.
    #[error("chart requires kubeVersion: {constraint} which is incompatible with Kubernetes {version}")]
    KubeVersion {
        /// The chart's range.
        constraint: String,
        /// The cluster's version.
        version: String,
    },
    /// A template does not parse.
    #[error("parse error at ({}:{}): {}", .0.template, .0.line, last_part(&.0.message))]
    Parse(ParseError),
    /// A template failed.
    #[error("{0}")]
    Execution(Failure),
    /// The templates use too much.
    #[error("{template}: {limit}")]
    Limit {
        /// Which file.
        template: String,
        /// What was too much.
        limit: LimitError,
        /// Where.
        trace: Box<Trace>,
    },
    /// A template made something that is not YAML, or not an object.
    #[error("YAML parse error on {path}: {message}")]
    Yaml {
        /// The template's path.
        path: String,
        /// What the YAML reader or the decoder says.
        message: String,
        /// What was read.
        document: Box<Document>,
    },
    /// Values without a JSON form.
    #[error("values cannot be encoded: {0}")]
    Encode(String),
}

/// A rendered document that could not be read.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// The document as the template made it. It may be a Secret: show it only through a
    /// [`Report`](super::report::Report).
    pub text: String,
    /// The line in it, from 1, if that is known.
    pub line: Option<usize>,
    /// All that the templates made, by their paths: what `helm template --debug` prints.
    pub files: Vec<(String, String)>,
}

impl std::fmt::Debug for Document {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Document")
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}

/// Values that a chart's schema refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The chart's path in the tree of charts: `web/charts/db`.
    pub chart: String,
    /// The JSON pointers of the refused values, as far as the schema's message names them.
    pub pointers: Vec<String>,
}

impl RenderError {
    /// Whether Helm has made a release by the time of this error: its command line then adds a hint to `--debug`.
    pub fn is_of_templates(&self) -> bool {
        match self {
            Self::KubeVersion { .. } | Self::Parse(_) | Self::Execution(_) | Self::Limit { .. } | Self::Yaml { .. } => {
                true
            }
            Self::NotInstallable(_)
            | Self::MissingDependencies(_)
            | Self::NoReleaseName
            | Self::ReleaseName(_)
            | Self::Dependencies(_)
            | Self::Values(_)
            | Self::Schema { .. }
            | Self::Encode(_) => false,
        }
    }
}

/// Helm shows only what is behind the last colon of Go's message.
fn last_part(message: &str) -> &str {
    message.rsplit(": ").next().unwrap_or(message)
}
