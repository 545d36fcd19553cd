//! Why a release cannot be released to where, or as whom, its spec says.
//!
//! Edge. No message quotes a kubeconfig.

use crate::api::conditions::Reason;

/// A release cannot be released to where, or as whom, its spec says.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The name of the service account cannot stand in a request.
    #[error("spec.serviceAccountName {name:?} is not the name of a ServiceAccount")]
    ServiceAccountName {
        /// As given.
        name: String,
    },
    /// There is no such service account.
    #[error("ServiceAccount {namespace}/{name} does not exist; create it, or correct {by}")]
    NoServiceAccount {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Where the name comes from.
        by: &'static str,
    },
    /// The object that describes the cluster is missing, or lacks something.
    #[error("spec.kubeConfig ({object}): {problem}")]
    Described {
        /// Kind and name of the Secret or ConfigMap.
        object: String,
        /// What is wrong; never what the object holds.
        problem: ClusterProblem,
    },
}

/// What is wrong with the description of a cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterProblem {
    /// The object is not there.
    #[error("it does not exist")]
    Missing,
    /// The object could not be read.
    #[error("it cannot be read: {0}")]
    Unreadable(#[source] Box<kube::Error>),
    /// The API server did not answer.
    #[error("it cannot be read: no answer in time")]
    Timeout,
    /// It lacks a key.
    #[error("it has no key {0}")]
    NoKey(String),
    /// A key holds something else than it should.
    #[error("{key} {problem}")]
    Key {
        /// The key.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// The kubeconfig says something that is not done for safety.
    #[error("the kubeconfig has {what}, which is refused; {way_out}")]
    Refused {
        /// The field.
        what: &'static str,
        /// What to do.
        way_out: &'static str,
    },
    /// A provider of identities that Fairlead does not know.
    #[error(
        "the provider {0:?} is not supported; use generic, or spec.kubeConfig.secretRef with a token of the cluster"
    )]
    Provider(String),
    /// No client can be made of it.
    #[error("it cannot be used: {0}")]
    Unusable(String),
}

impl TargetError {
    /// The reason in `Ready`.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::ServiceAccountName { .. } => Reason::InvalidSpec,
            Self::NoServiceAccount { .. }
            | Self::Described {
                problem: ClusterProblem::Refused { .. },
                ..
            } => Reason::AccessDenied,
            Self::Described { .. } => Reason::ClusterError,
        }
    }

    /// Whether it may pass without a change of the spec: accounts and Secrets are other objects.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::ServiceAccountName { .. } => false,
            Self::NoServiceAccount { .. } | Self::Described { .. } => true,
        }
    }

    /// Whether the object that describes the cluster is gone, so that nothing can be done there any more.
    pub const fn is_out_of_reach(&self) -> bool {
        match self {
            Self::Described {
                problem: ClusterProblem::Missing,
                ..
            } => true,
            Self::ServiceAccountName { .. } | Self::NoServiceAccount { .. } | Self::Described { .. } => false,
        }
    }
}
