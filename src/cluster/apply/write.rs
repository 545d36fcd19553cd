//! The second phase for one object: exactly what was decided is written, or it is decided anew.

use serde_json::{Value, json};

use super::decide::{Care, on_basis, resource_of};
use super::error::ApplyError;
use super::types::{Applied, ApplyRequest, Basis, Configure, ObjectPlan, Observed, Operation, Step};
use super::{Applier, MAX_ROUNDS};
use crate::cluster::calls::{ApplyOptions, CallError};
use crate::cluster::observe::fingerprint_of;
use crate::ownership::conflict::Rejection;
use crate::ownership::contested::AdmissionOverride;
use crate::ownership::fieldset::FieldSet;
use crate::ownership::intent::{Intent, is_identity};
use crate::ownership::ledger::ObjectRecord;
use crate::ownership::packed::PackedFields;
use crate::ownership::path::{FieldPath, PathElement};
use crate::ownership::policy::Moment;
use crate::ownership::value::{is_empty, is_zero, lookup, satisfies};
use crate::release::ApplyMethod;

/// A resourceVersion that no object has: with it an apply creates, or is refused as stale, but never changes.
const CREATE_ONLY: &str = "1";

impl Applier {
    /// Creates an object that was taken not to exist (see [`Observed::Absent`]). Where one of its name exists, it is refused: nothing
    /// is decided anew, and nothing is changed.
    ///
    /// # Errors
    /// When the object exists, or is refused for another reason.
    pub async fn create(&self, plan: ObjectPlan) -> Result<Applied, ApplyError> {
        self.send_new(&self.with_resource(plan).await?).await
    }

    /// Writes one object as decided; decides anew where it has changed since.
    pub(super) async fn write_one(&self, plan: ObjectPlan, moment: Moment) -> Result<Applied, ApplyError> {
        let mut plan = self.with_resource(plan).await?;
        let mut told = Vec::new();
        for _ in 0..MAX_ROUNDS {
            let written = match &plan.step {
                Step::Repair(repair) => {
                    told.clone_from(&plan.contested);
                    self.set_managed_fields(&plan, &repair.basis, &repair.managed_fields)
                        .await
                        .map(|_| None)
                }
                Step::Skip(record) => return Ok(skipped(&plan, record)),
                Step::Stop => {
                    let ObjectPlan { intent, contested, .. } = plan;
                    return Err(ApplyError::Stopped {
                        object: Box::new(intent.reference().clone()),
                        contested,
                    });
                }
                Step::Create => self.send_new(&plan).await.map(Some),
                Step::Recreate => self.recreate(&plan).await.map(Some),
                Step::Configure(configure) => self.configure(&plan, configure).await.map(Some),
                Step::Update(update) => self.update(&plan, update).await.map(Some),
            };
            match written {
                Ok(Some(mut applied)) => {
                    applied.contested.append(&mut told);
                    applied.contested.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
                    return Ok(applied);
                }
                Ok(None) => plan = self.decide_anew(plan, moment).await?,
                Err(error) if is_outdated(&error) => plan = self.decide_anew(plan, moment).await?,
                Err(error) if self.recreates(&error) => plan.step = Step::Recreate,
                Err(error) if self.leaves_out(&mut plan, &error) => match plan.step {
                    Step::Create | Step::Recreate => {}
                    Step::Skip(_) | Step::Configure(_) | Step::Update(_) | Step::Repair(_) | Step::Stop => {
                        plan = self.decide_anew(plan, moment).await?;
                    }
                },
                Err(error) => return Err(error),
            }
        }
        Err(ApplyError::Unstable {
            object: Box::new(plan.intent.reference().clone()),
            rounds: MAX_ROUNDS,
        })
    }

    /// A kind that was not served when we decided must be by now.
    async fn with_resource(&self, mut plan: ObjectPlan) -> Result<ObjectPlan, ApplyError> {
        if plan.resource.is_none() {
            let reference = plan.intent.reference();
            let resolved = self.kinds.resolve(&reference.api_version, &reference.kind).await;
            let resource = resolved.map_err(|source| ApplyError::Discovery {
                object: Box::new(reference.clone()),
                source,
            })?;
            plan.intent = self.settle(plan.intent, &resource);
            plan.resource = Some(resource);
        }
        Ok(plan)
    }

    async fn decide_anew(&self, plan: ObjectPlan, moment: Moment) -> Result<ObjectPlan, ApplyError> {
        let ObjectPlan {
            intent,
            record,
            resource: _,
            step: _,
            contested: _,
            comparison,
            undeclared,
            drifted: _,
            autoscalers,
        } = plan;
        let request = ApplyRequest {
            intent,
            observed: Observed::Unknown,
            record,
            comparison,
        };
        let mut plan = self.decide_one(request, autoscalers, moment, Care::Thorough).await?;
        // The intent is without them already.
        plan.undeclared.extend(undeclared);
        Ok(plan)
    }

    pub(super) async fn send_new(&self, plan: &ObjectPlan) -> Result<Applied, ApplyError> {
        let mut body = plan.intent.body().clone();
        if let Some(Value::Object(metadata)) = body.get_mut("metadata") {
            metadata.insert("resourceVersion".to_owned(), Value::String(CREATE_ONLY.to_owned()));
        }
        if self.settings.method == ApplyMethod::ClientSide {
            return self.create_by_client(plan, &body).await;
        }
        let answer = self
            .send(plan, &body, self.settings.roster.field_manager(), false)
            .await?;
        self.applied(plan, plan.intent.body(), &answer, Operation::Created, Vec::new())
    }

    async fn configure(&self, plan: &ObjectPlan, configure: &Configure) -> Result<Applied, ApplyError> {
        let Configure {
            body,
            basis,
            exact,
            force,
            dry_run: _,
            hand_over,
            transfer,
        } = configure;
        let manager = self.settings.roster.field_manager();
        let mut basis = basis.clone();
        let before = basis.resource_version.clone();
        let mut handed_over = Vec::new();
        if let Some(managed_fields) = transfer {
            basis = Basis::of(&self.set_managed_fields(plan, &basis, managed_fields).await?);
        }
        if let Some((held, paths)) = hand_over {
            let holder = self.settings.roster.hand_over_manager();
            basis = Basis::of(&self.send(plan, &on_basis(held, &basis), holder, false).await?);
            handed_over.clone_from(paths);
        }
        let answer = if *exact {
            self.send(plan, &on_basis(body, &basis), manager, *force).await?
        } else {
            self.send(plan, body, manager, false).await?
        };
        let unchanged = Basis::of(&answer).resource_version == before;
        let operation = if unchanged {
            Operation::Unchanged
        } else {
            Operation::Configured
        };
        self.applied(plan, body, &answer, operation, handed_over)
    }

    /// Writes who owns what, and nothing else, to exactly the object that was looked at.
    async fn set_managed_fields(
        &self,
        plan: &ObjectPlan,
        basis: &Basis,
        managed_fields: &[Value],
    ) -> Result<Value, ApplyError> {
        let reference = plan.intent.reference();
        let patch = json!({"metadata": {
            "uid": basis.uid, "resourceVersion": basis.resource_version, "managedFields": managed_fields,
        }});
        let manager = self.settings.roster.field_manager();
        let answer = self
            .calls
            .merge_patch(
                resource_of(plan)?,
                reference.namespace.as_deref(),
                &reference.name,
                &patch,
                manager,
            )
            .await;
        answer.map_err(|error| ApplyError::of_call(reference, error))
    }

    async fn send(&self, plan: &ObjectPlan, body: &Value, manager: &str, force: bool) -> Result<Value, ApplyError> {
        let reference = plan.intent.reference();
        let resource = resource_of(plan)?;
        let options = ApplyOptions {
            manager,
            force,
            dry_run: false,
        };
        let answer = self
            .calls
            .apply(resource, reference.namespace.as_deref(), &reference.name, body, options)
            .await;
        if let Err(CallError::Refused(status)) = &answer
            && Rejection::of(status) == Rejection::KindMissing
        {
            // The definition was deleted, or replaced with another version.
            self.kinds.invalidate().await;
        }
        answer.map_err(|error| ApplyError::of_call(reference, error))
    }

    pub(super) fn applied(
        &self,
        plan: &ObjectPlan,
        body: &Value,
        answer: &Value,
        operation: Operation,
        handed_over: Vec<FieldPath>,
    ) -> Result<Applied, ApplyError> {
        let reference = plan.intent.reference();
        let managed = self.managed(reference, answer)?;
        // None at all: the server drops managedFields of objects that would be too large with them.
        let owned = managed
            .applied_by(self.settings.roster.field_manager())
            .cloned()
            .unwrap_or_default();
        let Basis { uid, resource_version } = Basis::of(answer);
        let overridden = self.overridden(&plan.intent, body, answer, &owned);
        let mut contested = plan.contested.clone();
        contested.extend(overridden.iter().map(AdmissionOverride::contested));
        contested.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
        Ok(Applied {
            reference: reference.clone(),
            uid,
            resource_version,
            fingerprint: fingerprint_of(answer),
            live: Some(answer.clone()),
            intent_hash: plan.intent.hash().to_owned(),
            operation,
            overridden_by_admission: overridden,
            owned: PackedFields::of(&owned),
            contested,
            handed_over,
            undeclared: plan.undeclared.clone(),
        })
    }

    /// The fields that we own but that are not as we applied them: only admission does that.
    fn overridden(&self, intent: &Intent, body: &Value, answer: &Value, owned: &FieldSet) -> Vec<AdmissionOverride> {
        let reference = intent.reference();
        let redactor = &self.settings.redactor;
        let mut found = Vec::new();
        for path in owned.leaves() {
            let Some(wanted) = lookup(body, &path).filter(|_| !is_identity(&path)) else {
                continue;
            };
            // The server shows some empty fields as null, for example the rules of a ClusterRole.
            let live = lookup(answer, &path).filter(|live| !live.is_null());
            if live.is_some() && asks_the_server(&path, wanted) {
                continue;
            }
            if live.map_or_else(|| is_zero(wanted), |live| satisfies(live, wanted)) {
                continue;
            }
            let ours = redactor.show(reference, &path, wanted);
            let live = live.map(|live| redactor.show(reference, &path, live));
            found.push(AdmissionOverride { path, ours, live });
        }
        found
    }
}

fn skipped(plan: &ObjectPlan, record: &ObjectRecord) -> Applied {
    Applied {
        reference: plan.intent.reference().clone(),
        uid: record.uid.clone(),
        resource_version: record.resource_version.clone(),
        fingerprint: record.fingerprint.clone(),
        live: None,
        intent_hash: record.intent_hash.clone(),
        operation: Operation::Skipped,
        owned: record.owned.clone(),
        contested: record.contested.clone(),
        handed_over: Vec::new(),
        undeclared: Vec::new(),
        overridden_by_admission: record.overridden.clone(),
    }
}

/// Whether a value leaves the choice to the server: an empty one, or the port zero.
fn asks_the_server(path: &FieldPath, wanted: &Value) -> bool {
    let is_port = || {
        let ports = ["nodePort", "healthCheckNodePort"].map(PathElement::field);
        path.elements().last().is_some_and(|last| ports.contains(last))
    };
    is_empty(wanted) || wanted.as_i64() == Some(0) && is_port()
}

/// Whether the object is no longer what was decided on, or the decision did not meet what the write met.
fn is_outdated(error: &ApplyError) -> bool {
    matches!(
        error.rejection(),
        Some(
            Rejection::FieldConflict(_)
                | Rejection::StaleVersion
                | Rejection::Deleted
                | Rejection::Replaced
                | Rejection::AlreadyExists
                // Deciding without a dry run does not meet these.
                | Rejection::Union(_)
                | Rejection::RemovedVersion { .. }
        )
    )
}
