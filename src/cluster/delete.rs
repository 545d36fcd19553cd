//! Deleting an object of a release: only ours, only the very one that was looked at, never one that is to be kept.

use serde_json::Value;

use super::calls::{CallError, Calls};
use super::discovery::{DiscoveryError, KindCache, Resource};
use crate::api::helm_release::actions::DeletionPropagation;
use crate::ownership::conflict::Rejection;
use crate::ownership::intent::ReleaseIdentity;
use crate::ownership::managed::ManagedFields;
use crate::ownership::reference::ObjectReference;

/// Helm's annotation for objects that outlive their release.
pub const RESOURCE_POLICY_ANNOTATION: &str = "helm.sh/resource-policy";

/// What became of an object that was to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deletion {
    /// Its deletion was accepted; finalizers may hold it for a while.
    Deleted {
        /// The uid of what was deleted.
        uid: String,
    },
    /// It did not exist, or its kind does not.
    Absent,
    /// `helm.sh/resource-policy: keep` is set on it.
    Kept,
    /// It belongs to somebody else; another object has taken its place, or it never was ours.
    NotOurs,
}

/// An object that is to be deleted, as it was found.
enum Found {
    /// It is ours.
    Ours {
        /// How it is served.
        resource: Resource,
        /// Its uid.
        uid: String,
    },
    /// It is not deleted.
    Spared(Deletion),
}

/// Why an object was not deleted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeleteError {
    /// Its kind could not be looked up.
    #[error("{object}: {source}")]
    Discovery {
        /// The object.
        object: ObjectReference,
        /// Why.
        source: DiscoveryError,
    },
    /// A call failed.
    #[error("{object}: cannot be deleted: {source}")]
    Call {
        /// The object.
        object: ObjectReference,
        /// Why.
        source: CallError,
    },
}

impl DeleteError {
    /// Whether whoever asked may not.
    pub fn is_forbidden(&self) -> bool {
        match self {
            Self::Call {
                source: CallError::Refused(status),
                ..
            } => status.code == 403,
            Self::Discovery { .. } | Self::Call { .. } => false,
        }
    }

    /// Whether trying again can help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Discovery { source, .. } => source.is_retryable(),
            Self::Call {
                source: CallError::Refused(status),
                ..
            } => Rejection::of(status).is_retryable(),
            Self::Call {
                source: CallError::Timeout(_) | CallError::Transport(_),
                ..
            } => true,
        }
    }
}

/// Deletes objects of one release.
#[derive(Debug, Clone, Copy)]
pub struct Deleter<'a> {
    /// The API server.
    pub calls: &'a Calls,
    /// Its kinds.
    pub kinds: &'a KindCache,
    /// Whose objects may be deleted.
    pub release: &'a ReleaseIdentity,
    /// The field manager that makes an object ours where Helm's marks are missing.
    pub field_manager: &'a str,
    /// Labels that together make an object ours whatever Helm's marks say: those name the release and its namespace, which
    /// may both have changed since. Empty for none.
    pub labels: &'a [(&'static str, String)],
    /// What becomes of the dependents of the objects.
    pub propagation: DeletionPropagation,
}

impl Deleter<'_> {
    /// Deletes an object if it is ours and not to be kept.
    ///
    /// `uid` is that of the object as we last saw it: one that was created anew since is not ours to delete unless
    /// it carries our marks.
    pub async fn delete(&self, object: &ObjectReference, uid: Option<&str>) -> Result<Deletion, DeleteError> {
        let (resource, found) = match self.look(object, uid).await? {
            Found::Ours { resource, uid } => (resource, uid),
            Found::Spared(deletion) => return Ok(deletion),
        };
        let namespace = object.namespace.as_deref();
        match self
            .calls
            .delete(&resource, namespace, &object.name, &found, self.propagation)
            .await
        {
            Ok(()) => Ok(Deletion::Deleted { uid: found }),
            Err(error) if error.is_not_found() => Ok(Deletion::Absent),
            Err(CallError::Refused(status)) if status.code == 409 => Ok(Deletion::NotOurs),
            Err(source) => Err(DeleteError::Call {
                object: object.clone(),
                source,
            }),
        }
    }

    /// What would become of an object that is to be deleted. Nothing is deleted.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub async fn foresee(&self, object: &ObjectReference, uid: Option<&str>) -> Result<Deletion, DeleteError> {
        Ok(match self.look(object, uid).await? {
            Found::Ours { resource: _, uid } => Deletion::Deleted { uid },
            Found::Spared(deletion) => deletion,
        })
    }

    async fn look(&self, object: &ObjectReference, uid: Option<&str>) -> Result<Found, DeleteError> {
        let resource = match self.kinds.resolve(&object.api_version, &object.kind).await {
            Ok(resource) => resource,
            Err(DiscoveryError::UnknownKind { .. }) => return Ok(Found::Spared(Deletion::Absent)),
            Err(source) => {
                return Err(DeleteError::Discovery {
                    object: object.clone(),
                    source,
                });
            }
        };
        let failed = |source| DeleteError::Call {
            object: object.clone(),
            source,
        };
        let namespace = object.namespace.as_deref();
        let Some(live) = self
            .calls
            .get(&resource, namespace, &object.name)
            .await
            .map_err(failed)?
        else {
            return Ok(Found::Spared(Deletion::Absent));
        };
        if is_kept(&live) {
            return Ok(Found::Spared(Deletion::Kept));
        }
        let found = live
            .pointer("/metadata/uid")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if !self.is_ours(&live, uid == Some(found)) {
            return Ok(Found::Spared(Deletion::NotOurs));
        }
        let uid = found.to_owned();
        Ok(Found::Ours { resource, uid })
    }

    /// Helm's marks decide. Where there are none at all, the object that we applied is still ours.
    fn is_ours(&self, live: &Value, same_uid: bool) -> bool {
        if self.release.owns(live) || self.is_labelled(live) {
            return true;
        }
        let applied = || ManagedFields::of(live).is_ok_and(|managed| managed.applied_by(self.field_manager).is_some());
        !is_marked(live) && same_uid && applied()
    }

    fn is_labelled(&self, live: &Value) -> bool {
        let labels = live.pointer("/metadata/labels");
        let has =
            |name: &str, value: &str| labels.and_then(|labels| labels.get(name)).and_then(Value::as_str) == Some(value);
        !self.labels.is_empty() && self.labels.iter().all(|(name, value)| has(name, value))
    }
}

/// Whether some release's marks are on the object.
fn is_marked(live: &Value) -> bool {
    let annotations = live.pointer("/metadata/annotations");
    annotations.is_some_and(|map| map.get(crate::ownership::intent::RELEASE_NAME_ANNOTATION).is_some())
}

fn is_kept(live: &Value) -> bool {
    let policy = live
        .pointer("/metadata/annotations")
        .and_then(|map| map.get(RESOURCE_POLICY_ANNOTATION));
    policy
        .and_then(Value::as_str)
        .is_some_and(|policy| policy.trim().eq_ignore_ascii_case("keep"))
}
