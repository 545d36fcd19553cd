//! Why an object is not applied: which object, which field, and the way out.

use super::recreate::may_be_recreated;
use crate::api::listing::first_few;
use crate::cluster::calls::CallError;
use crate::cluster::discovery::DiscoveryError;
use crate::ownership::conflict::{Rejection, ServerStatus, StatusCause};
use crate::ownership::contested::ContestedField;
use crate::ownership::managed::{ManagedFieldsError, Manager};
use crate::ownership::path::FieldPath;
use crate::ownership::policy::Action;
use crate::ownership::reference::ObjectReference;

/// How many contested fields of an object a message names.
const NAMED: usize = 5;

/// Why an object is not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Its kind could not be looked up.
    #[error("{object}: {source}")]
    Discovery {
        /// The object.
        object: Box<ObjectReference>,
        /// Why.
        source: DiscoveryError,
    },
    /// The server refused.
    #[error("{object}: {}", explain(object, rejection, message))]
    Rejected {
        /// The object.
        object: Box<ObjectReference>,
        /// What the refusal means.
        rejection: Rejection,
        /// The server's text; withheld for Secrets.
        message: String,
    },
    /// Contested fields say stop; nothing was written.
    #[error("{object}: {}", list(contested))]
    Stopped {
        /// The object.
        object: Box<ObjectReference>,
        /// All contested fields of the object.
        contested: Vec<ContestedField>,
    },
    /// The object exists and is not part of this release.
    #[error(
        "{object} exists and belongs to {owner} (Helm's words: invalid ownership metadata); delete it, give it the labels and annotations \
         of this release, or unset disableTakeOwnership"
    )]
    NotOurs {
        /// The object.
        object: Box<ObjectReference>,
        /// `release prod/other` or `nobody (no Helm annotations)`.
        owner: String,
    },
    /// The object is being deleted.
    #[error("{object} is being deleted; waiting until it is gone")]
    Terminating {
        /// The object.
        object: Box<ObjectReference>,
    },
    /// The object changed each time between the decision and the write.
    #[error("{object} changed {rounds} times while it was being applied; something writes it all the time")]
    Unstable {
        /// The object.
        object: Box<ObjectReference>,
        /// How often it was tried.
        rounds: usize,
    },
    /// A call had no result.
    #[error("{object}: {source}")]
    Call {
        /// The object.
        object: Box<ObjectReference>,
        /// Why.
        source: CallError,
    },
    /// The live object's managedFields cannot be read.
    #[error("{object}: {source}")]
    ManagedFields {
        /// The object.
        object: Box<ObjectReference>,
        /// Why.
        source: ManagedFieldsError,
    },
}

impl ApplyError {
    /// The object.
    pub fn object(&self) -> &ObjectReference {
        match self {
            Self::Discovery { object, .. }
            | Self::Rejected { object, .. }
            | Self::Stopped { object, .. }
            | Self::NotOurs { object, .. }
            | Self::Terminating { object }
            | Self::Unstable { object, .. }
            | Self::Call { object, .. }
            | Self::ManagedFields { object, .. } => object,
        }
    }

    /// The refusal, with what others have set beside the fields that it is about: that may be the reason.
    #[must_use]
    pub(super) fn beside(self, fields: &[(FieldPath, &Manager)]) -> Self {
        match self {
            Self::Rejected {
                object,
                rejection,
                message,
            } if !fields.is_empty() => {
                let owned = fields.iter().map(|(path, owner)| format!("{path} of {}", owner.name));
                let named = first_few(owned, fields.len(), NAMED, ", ");
                Self::Rejected {
                    object,
                    rejection,
                    message: format!("{message} (beside it stands {named}, which the chart does not set)"),
                }
            }
            other => other,
        }
    }

    /// How the API server refused the object, if it did.
    pub(super) fn rejection(&self) -> Option<&Rejection> {
        match self {
            Self::Rejected { rejection, .. } => Some(rejection),
            Self::Discovery { .. }
            | Self::Stopped { .. }
            | Self::NotOurs { .. }
            | Self::Terminating { .. }
            | Self::Unstable { .. }
            | Self::Call { .. }
            | Self::ManagedFields { .. } => None,
        }
    }

    /// Whether trying again can help without anybody changing the chart, the policy or the permissions.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Discovery { source, .. } => source.is_retryable(),
            Self::Rejected { rejection, .. } => rejection.is_retryable(),
            Self::Stopped { contested, .. } => {
                let mut stopping = contested.iter().filter(|field| field.action.stops());
                stopping.all(|field| field.action == Action::Retrying)
            }
            Self::Terminating { .. } | Self::Unstable { .. } | Self::Call { .. } => true,
            Self::NotOurs { .. } | Self::ManagedFields { .. } => false,
        }
    }

    /// The error of a failed call; a Secret's message is withheld, since it can quote values.
    pub(super) fn of_call(object: &ObjectReference, error: CallError) -> Self {
        let object = Box::new(object.clone());
        match error {
            CallError::Refused(status) => Self::rejected(object, *status),
            CallError::Timeout(_) | CallError::Transport(_) => Self::Call { object, source: error },
        }
    }

    fn rejected(object: Box<ObjectReference>, mut status: ServerStatus) -> Self {
        if object.is_secret() {
            let fields: Vec<&str> = status
                .causes
                .iter()
                .map(|cause| cause.field.as_str())
                .filter(|f| !f.is_empty())
                .collect();
            let about = if fields.is_empty() {
                String::new()
            } else {
                format!(" about {}", fields.join(", "))
            };
            let withheld = format!(
                "{} ({}): the server's message{about} is withheld, it may quote the Secret",
                status.code, status.reason
            );
            // Only messages that can quote a value; the meaning is read from the true text.
            if matches!(
                Rejection::of(&status),
                Rejection::Invalid(_)
                    | Rejection::Immutable(_)
                    | Rejection::Union(_)
                    | Rejection::Schema { .. }
                    | Rejection::BadRequest
                    | Rejection::Denied
            ) {
                let rejection = without_texts(Rejection::of(&status));
                return Self::Rejected {
                    object,
                    rejection,
                    message: withheld,
                };
            }
        }
        let rejection = Rejection::of(&status);
        Self::Rejected {
            object,
            rejection,
            message: std::mem::take(&mut status.message),
        }
    }
}

fn without_texts(rejection: Rejection) -> Rejection {
    let strip = |causes: Vec<StatusCause>| {
        causes
            .into_iter()
            .map(
                |StatusCause {
                     field,
                     reason,
                     message: _,
                 }| StatusCause {
                    field,
                    reason,
                    message: String::new(),
                },
            )
            .collect()
    };
    match rejection {
        Rejection::Invalid(causes) => Rejection::Invalid(strip(causes)),
        Rejection::Immutable(causes) => Rejection::Immutable(strip(causes)),
        Rejection::Union(causes) => Rejection::Union(strip(causes)),
        Rejection::Schema {
            path,
            problem: _,
            undeclared,
        } => Rejection::Schema {
            path,
            problem: "does not fit the schema".to_owned(),
            undeclared,
        },
        other => other,
    }
}

fn explain(object: &ObjectReference, rejection: &Rejection, message: &str) -> String {
    let hint = match rejection {
        Rejection::Schema {
            path: Some(path),
            problem,
            undeclared: _,
        } => {
            return format!(
                "{path}: {problem}; the manifest does not fit the kind's schema: correct the chart or its values"
            );
        }
        Rejection::Schema { path: None, .. } => {
            "the manifest does not fit the kind's schema: correct the chart or its values"
        }
        Rejection::Union(_) => {
            "two fields exclude each other and another manager owns one of them; remove that field from the object"
        }
        Rejection::Invalid(_) => "correct the chart or its values",
        Rejection::Immutable(_) if may_be_recreated(object) => {
            "a field changes that cannot be changed: set spec.upgrade.force to have the object deleted and created again, in a rollback spec.rollback.force, or delete it yourself"
        }
        Rejection::Immutable(_) => {
            "a field changes that cannot be changed, and objects of this kind are never deleted for that: change it back, or delete the object yourself if nothing of it is needed"
        }
        Rejection::Forbidden if message.contains("RBAC permissions not currently held") => {
            "the API server lets only those grant permissions who have them: grant these permissions themselves, too"
        }
        Rejection::Forbidden => {
            "grant the verbs get, create and patch on this resource, and update for a client-side apply"
        }
        Rejection::NamespaceMissing => "create the namespace, or let the release create it",
        Rejection::NamespaceTerminating => "the namespace is being deleted",
        Rejection::KindMissing => "install the CustomResourceDefinition",
        Rejection::Denied => "change the manifest or the admission policy",
        Rejection::WebhookUnavailable => "the webhook's service must be running; tried again later",
        Rejection::ApplyUnsupported => "the server is too old for server-side apply",
        Rejection::RemovedVersion { .. } => {
            "managedFields names a version that is served no more: migrate the entry's apiVersion"
        }
        Rejection::TooLarge => "make the object smaller",
        Rejection::FieldConflict(_)
        | Rejection::StaleVersion
        | Rejection::Deleted
        | Rejection::Replaced
        | Rejection::QuotaRace
        | Rejection::AlreadyExists
        | Rejection::NotFound
        | Rejection::Unavailable
        | Rejection::Other => "tried again later",
        Rejection::Unauthorized => "the credentials are not accepted",
        Rejection::BadRequest => "the manifest is not a valid object",
    };
    format!("{message} ({hint})")
}

fn list(contested: &[ContestedField]) -> String {
    let stopping: Vec<&ContestedField> = contested.iter().filter(|field| field.action.stops()).collect();
    let owned = stopping.iter().map(|field| {
        format!(
            "{} is owned by {} ({}, {} by {})",
            field.field, field.manager.name, field.class, field.action, field.rule
        )
    });
    format!(
        "{}; nothing was written: add an ownership rule that yields or forces, or have the owner let go",
        first_few(owned, stopping.len(), NAMED, ", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(kind: &str) -> ObjectReference {
        ObjectReference {
            api_version: "v1".into(),
            kind: kind.into(),
            namespace: Some("a".into()),
            name: "b".into(),
        }
    }

    #[test]
    fn a_secrets_value_is_never_quoted() {
        let status = ServerStatus {
            code: 422,
            reason: "Invalid".into(),
            message: "Secret \"b\" is invalid: data[x]: Invalid value: \"hunter2\"".into(),
            kind: "secrets".into(),
            causes: vec![StatusCause {
                field: "data[x]".into(),
                reason: "FieldValueInvalid".into(),
                message: "Invalid value: \"hunter2\"".into(),
            }],
        };
        let secret = ApplyError::of_call(&object("Secret"), CallError::Refused(Box::new(status.clone())));
        assert!(!format!("{secret} {secret:?}").contains("hunter2"), "{secret:?}");
        assert!(secret.to_string().contains("data[x]"));
        let map = ApplyError::of_call(&object("ConfigMap"), CallError::Refused(Box::new(status)));
        assert!(map.to_string().contains("hunter2"));
        assert!(!map.is_retryable());
    }
}
