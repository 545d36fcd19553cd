//! Client-side apply: the whole object is written, under the operation Update, as kubectl and Helm 3 do.
//!
//! What is decided is the same as for a server-side apply, and found out by the same dry runs; the last of them foretells the object that
//! is then written, to exactly the one that was looked at. So nobody's field is taken that was not decided about, though an update is
//! never refused for a conflict. Our fields stand in managedFields as an update's; here they are read as if we had applied them.

use serde_json::Value;

use super::Applier;
use super::decide::{Live, Scene, resource_of};
use super::error::ApplyError;
use super::review::DryRun;
use super::types::{Applied, Basis, ObjectPlan, Operation, Step, Update};
use crate::cluster::calls::ApplyOptions;
use crate::ownership::contention::to_be_removed;
use crate::ownership::managed::{self, ManagedFields, Manager};
use crate::ownership::path::FieldPath;
use crate::ownership::reference::ObjectReference;
use crate::ownership::value::{insert, lookup, remove, replace};
use crate::release::ApplyMethod;

impl Applier {
    /// Who owns what in an object, with what we own in the way in which we write it as what we applied.
    pub(super) fn managed(&self, reference: &ObjectReference, object: &Value) -> Result<ManagedFields, ApplyError> {
        let managed = ManagedFields::of(object).map_err(|source| ApplyError::ManagedFields {
            object: Box::new(reference.clone()),
            source,
        })?;
        Ok(match self.settings.method {
            ApplyMethod::ServerSide => managed,
            ApplyMethod::ClientSide => managed.with_updates_applied(self.settings.roster.field_manager()),
        })
    }

    /// Whether somebody is ourselves: an apply conflicts with what the same manager has updated.
    pub(super) fn is_own_update(&self, manager: &Manager) -> bool {
        self.settings.method == ApplyMethod::ClientSide
            && manager.name == self.settings.roster.field_manager()
            && manager.operation == managed::Operation::Update
            && manager.subresource.is_none()
    }

    /// What is to be written of an object about whose fields all is decided; `None` if it changed while we looked.
    pub(super) async fn client_side(
        &self,
        plan: &ObjectPlan,
        live: &Live,
        body: &Value,
        dropped: Vec<FieldPath>,
        scene: Scene<'_>,
    ) -> Result<Option<Step>, ApplyError> {
        let manager = self.settings.roster.field_manager();
        let mut object = match self.dry_run(plan, body, live, true).await? {
            DryRun::Fits(foretold) => foretold,
            DryRun::Stale | DryRun::Conflicts(_) | DryRun::RemovedVersion(_) => return Ok(None),
            DryRun::Union(_, error) => return Err(error),
        };
        let kept = self.hand_over(plan, live, body, dropped, scene).await?;
        let kept = kept.map(|(_, paths)| paths).unwrap_or_default();
        // What left the chart: an apply would remove only what was applied.
        // Of what we created, the server's defaults stand under our name, too; they are set again.
        for path in to_be_removed(&live.managed, manager, &live.object, body) {
            remove(&mut object, &path);
        }
        for path in &kept {
            if let Some(value) = lookup(&live.object, path)
                && !replace(&mut object, path, value.clone())
            {
                insert(&mut object, path, value.clone());
            }
        }
        let Some(Value::Object(metadata)) = object.get_mut("metadata") else {
            return Ok(None);
        };
        let Basis { uid, resource_version } = live.basis.clone();
        metadata.insert("uid".to_owned(), Value::String(uid));
        metadata.insert("resourceVersion".to_owned(), Value::String(resource_version.clone()));
        if let Some(Value::Array(entries)) = metadata.get_mut("managedFields") {
            managed::applied_as_updates(entries, manager);
        }
        Ok(Some(Step::Update(Box::new(Update {
            object,
            body: body.clone(),
            before: resource_version,
        }))))
    }

    /// Writes an object as decided; refused by the server if it has changed since.
    pub(super) async fn update(&self, plan: &ObjectPlan, update: &Update) -> Result<Applied, ApplyError> {
        let Update { object, body, before } = update;
        let (reference, manager) = (plan.intent.reference(), self.settings.roster.field_manager());
        let namespace = reference.namespace.as_deref();
        let answer = self
            .calls
            .replace(resource_of(plan)?, namespace, &reference.name, object, manager)
            .await
            .map_err(|error| ApplyError::of_call(reference, error))?;
        let unchanged = Basis::of(&answer).resource_version == *before;
        let operation = if unchanged {
            Operation::Unchanged
        } else {
            Operation::Configured
        };
        self.applied(plan, body, &answer, operation, Vec::new())
    }

    /// Creates an object that does not exist yet; `probe` is what a server-side apply would send to create it.
    pub(super) async fn create_by_client(&self, plan: &ObjectPlan, probe: &Value) -> Result<Applied, ApplyError> {
        let (reference, manager) = (plan.intent.reference(), self.settings.roster.field_manager());
        let (resource, namespace) = (resource_of(plan)?, reference.namespace.as_deref());
        let failed = |error| ApplyError::of_call(reference, error);
        // Creating would lose without a word what no schema has.
        let options = ApplyOptions {
            manager,
            force: false,
            dry_run: true,
        };
        let foretold = self.calls.apply(resource, namespace, &reference.name, probe, options);
        foretold.await.map_err(failed)?;
        let body = plan.intent.body();
        let answer = self
            .calls
            .create(resource, namespace, body, manager)
            .await
            .map_err(failed)?;
        self.applied(plan, body, &answer, Operation::Created, Vec::new())
    }
}
