//! Objects that cannot be changed in place: deleted and created again, where the release says so.
//!
//! Only the release's own objects, only the very one that was looked at, and never one with which data would go.

use std::time::Duration;

use super::decide::{Live, record_of, resource_of};
use super::error::ApplyError;
use super::types::{Applied, ObjectPlan, Operation};
use super::{Applier, FIRST_PAUSE};
use crate::api::helm_release::actions::DeletionPropagation;
use crate::ownership::conflict::Rejection;
use crate::ownership::reference::ObjectReference;

/// How often it is looked whether the object is gone, with a pause that doubles up to [`LONGEST_PAUSE`]: about ten seconds in all.
/// What takes longer is waited for by the next attempt.
const LOOKS: usize = 30;
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Whether an object may be deleted so that it can be created anew: not those that hold data, or other objects.
pub(super) fn may_be_recreated(object: &ObjectReference) -> bool {
    !matches!(
        (object.group(), object.kind.as_str()),
        ("", "Namespace" | "PersistentVolume" | "PersistentVolumeClaim")
            | ("apiextensions.k8s.io", "CustomResourceDefinition")
    )
}

impl Applier {
    /// Whether the refusal of an object leads to its being deleted and created again.
    pub(super) fn recreates(&self, error: &ApplyError) -> bool {
        let is_immutable = matches!(error.rejection(), Some(Rejection::Immutable(_)));
        is_immutable && self.settings.recreates && may_be_recreated(error.object())
    }

    /// Deletes an object and creates it again.
    pub(super) async fn recreate(&self, plan: &ObjectPlan) -> Result<Applied, ApplyError> {
        let (reference, resource) = (plan.intent.reference(), resource_of(plan)?);
        let namespace = reference.namespace.as_deref();
        let Some(live) = self.read(resource, &plan.intent).await? else {
            return self.send_new(plan).await;
        };
        self.check_deletable(plan, &live)?;
        let uid = &live.basis.uid;
        let propagation = DeletionPropagation::Background;
        let deleted = self
            .calls
            .delete(resource, namespace, &reference.name, uid, propagation)
            .await;
        match deleted {
            Ok(()) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(ApplyError::of_call(reference, error)),
        }
        let mut pause = FIRST_PAUSE;
        for _ in 0..LOOKS {
            let left = self.calls.metadata(resource, namespace, &reference.name).await;
            let left = left.map_err(|error| ApplyError::of_call(reference, error))?;
            if left.is_none_or(|left| left.uid != *uid) {
                let created = self.send_new(plan).await?;
                return Ok(Applied {
                    operation: Operation::Recreated,
                    ..created
                });
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Err(ApplyError::Terminating {
            object: Box::new(reference.clone()),
        })
    }

    /// Stricter than for a change: what is deleted must be known to be the release's.
    fn check_deletable(&self, plan: &ObjectPlan, live: &Live) -> Result<(), ApplyError> {
        let settings = &self.settings;
        let is_applied = || live.managed.applied_by(settings.roster.field_manager()).is_some();
        if settings.release.owns(&live.object) || record_of(plan, live).is_some() || is_applied() {
            return Ok(());
        }
        Err(ApplyError::NotOurs {
            object: Box::new(plan.intent.reference().clone()),
            owner: "somebody else, and would have to be deleted".to_owned(),
        })
    }
}
