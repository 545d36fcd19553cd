//! Why it cannot be said where a release's chart is.

use crate::api::conditions::Reason;

/// Why it cannot be said where a release's chart is.
#[derive(Debug, thiserror::Error)]
pub enum SourcesError {
    /// Neither or both of `chart` and `chartRef` are set, which the resource's schema refuses.
    #[error("exactly one of spec.chart and spec.chartRef must be set")]
    NoChart,
    /// The source does not exist.
    #[error("{kind} {namespace}/{name} does not exist; create it, or correct spec.{field}")]
    Missing {
        /// Its kind.
        kind: &'static str,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// `chart.spec.sourceRef` or `chartRef`.
        field: &'static str,
    },
    /// A Secret of the source could not be read.
    #[error("Secret {namespace}/{name} of {source_name}: {problem}")]
    Secret {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// The source that refers to it.
        source_name: String,
        /// What is wrong.
        problem: String,
    },
    /// The source is suspended, and the chart was not looked up before.
    #[error("{source_name} is suspended; set its spec.suspend to false")]
    Suspended {
        /// Its kind and name.
        source_name: String,
    },
    /// A signature is asked for, and it cannot be said whose.
    #[error("{field}: {problem}")]
    Verification {
        /// The field that asks for it, and whose field it is.
        field: String,
        /// What is wrong, and the way out.
        problem: String,
    },
    /// The source has nothing to use yet.
    #[error("{source_name} is not ready: {message}")]
    NotReady {
        /// Its kind and name.
        source_name: String,
        /// What it says.
        message: String,
    },
    /// The source does not let releases of this namespace use it.
    #[error(
        "{source_name} does not admit releases of namespace {namespace}; add a selector of it to the source's spec.accessFrom"
    )]
    AccessDenied {
        /// The source.
        source_name: String,
        /// The namespace of the release.
        namespace: String,
    },
    /// A digest that is none.
    #[error("{source_name}: spec.ref.digest {digest:?} is not of the form sha256:<64 hexadecimal digits>")]
    Digest {
        /// The source.
        source_name: String,
        /// As given.
        digest: String,
    },
}

impl SourcesError {
    /// The reason in `Ready`.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::NoChart => Reason::InvalidSpec,
            Self::AccessDenied { .. } => Reason::AccessDenied,
            Self::Verification { .. } => Reason::VerificationError,
            Self::Missing { .. }
            | Self::Secret { .. }
            | Self::Suspended { .. }
            | Self::NotReady { .. }
            | Self::Digest { .. } => Reason::SourceNotReady,
        }
    }

    /// Whether it may pass without a change of the release: sources and Secrets are other objects.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::NoChart => false,
            Self::Missing { .. }
            | Self::Secret { .. }
            | Self::Suspended { .. }
            | Self::Verification { .. }
            | Self::NotReady { .. }
            | Self::AccessDenied { .. }
            | Self::Digest { .. } => true,
        }
    }
}
