//! Why the demo ended before its story did.

use std::fmt::Debug;

use fairlead::operator::OperatorError;
use fairlead::operator::admin::AdminError;

/// Why the demo ended before its story did.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    #[error(transparent)]
    ControlPlane(#[from] fairlead_controlplane::Error),
    #[error(
        "the demo needs a whole control plane of its own, and {part} does not run: unset KUBEBUILDER_ASSETS and \
         FAIRLEAD_TEST_CONTEXT"
    )]
    NotWhole { part: &'static str },
    #[error("`{line}` ended with code {code}:\n{output}")]
    Command { line: String, code: i32, output: String },
    #[error("it does not hold that {what}\n  expected {expected}\n  found    {found}")]
    Unmet {
        what: String,
        expected: String,
        found: String,
    },
    #[error("operator: {0}")]
    Operator(#[from] OperatorError),
    #[error(transparent)]
    Admin(#[from] AdminError),
    #[error("the operator ended by itself")]
    OperatorEnded,
    #[error("reading from the API server: {0}")]
    Api(#[from] kube::Error),
    #[error("reading {url}: {source}")]
    Http { url: String, source: reqwest::Error },
    #[error("{what}: {source}")]
    Io { what: String, source: std::io::Error },
    #[error("stopped")]
    Interrupted,
}

impl DemoError {
    /// For `map_err`: an error of the system while doing `what`.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// An expectation that does not hold.
    pub(crate) fn unmet(what: &str, expected: &impl Debug, found: &impl Debug) -> Self {
        Self::Unmet {
            what: what.to_owned(),
            expected: format!("{expected:?}"),
            found: format!("{found:?}"),
        }
    }
}
