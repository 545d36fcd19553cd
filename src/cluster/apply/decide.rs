//! The first phase for one object: what would be written, found out without writing.

use std::sync::Arc;

use serde_json::Value;

use super::contest::Case;
use super::error::ApplyError;
use super::types::{Adoption, ApplyRequest, Basis, ObjectPlan, Observed, Step};
use super::{Applier, MAX_ROUNDS, pause_before};
use crate::cluster::discovery::{DiscoveryError, Resource};
use crate::cluster::observe::fingerprint_of;
use crate::ownership::class::Class;
use crate::ownership::contested::ContestedField;
use crate::ownership::drift::{DriftedField, drifted};
use crate::ownership::intent::{Intent, RELEASE_NAME_ANNOTATION, RELEASE_NAMESPACE_ANNOTATION};
use crate::ownership::ledger::{ObjectRecord, Yielded};
use crate::ownership::loss::changed_behind;
use crate::ownership::managed::ManagedFields;
use crate::ownership::packed::PackedFields;
use crate::ownership::policy::{Action, Moment};

/// A live object with what its managedFields say.
pub(super) struct Live {
    pub(super) object: Value,
    pub(super) managed: ManagedFields,
    pub(super) basis: Basis,
}

/// What a decision depends on beside the object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) autoscalers: &'a [Value],
    pub(super) moment: Moment,
    pub(super) care: Care,
}

/// How far the look at managedFields is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Care {
    /// Only objects in which others own a field that would change are dry-run.
    Sparing,
    /// The object is dry-run in any case: a write has just met what the look did not foresee.
    Thorough,
}

impl Applier {
    /// Decides about one object; writes nothing.
    pub(super) async fn decide_one(
        &self,
        request: ApplyRequest,
        autoscalers: Arc<[Value]>,
        moment: Moment,
        care: Care,
    ) -> Result<ObjectPlan, ApplyError> {
        let ApplyRequest {
            intent,
            observed,
            record,
            comparison,
        } = request;
        let (intent, resource) = self.place(intent).await?;
        let mut plan = ObjectPlan {
            intent,
            record,
            resource,
            step: Step::Create,
            contested: Vec::new(),
            comparison,
            undeclared: Vec::new(),
            drifted: Vec::new(),
            autoscalers,
        };
        // Nothing of a kind that is not served can exist; its definition may come with the release.
        let Some(resource) = plan.resource.clone() else {
            return Ok(plan);
        };
        match &observed {
            Observed::Absent => return Ok(created(plan)),
            Observed::Present { uid, resource_version } => {
                let basis = Basis {
                    uid: uid.clone(),
                    resource_version: resource_version.clone(),
                };
                if self.skip(&mut plan, &basis, moment) {
                    return Ok(plan);
                }
            }
            Observed::Unknown => {}
        }
        let autoscalers = Arc::clone(&plan.autoscalers);
        let scene = Scene {
            autoscalers: &autoscalers,
            moment,
            care,
        };
        for round in 0..MAX_ROUNDS {
            pause_before(round).await;
            let Some(live) = self.read(&resource, &plan.intent).await? else {
                return Ok(created(plan));
            };
            if self.skip(&mut plan, &live.basis, moment) {
                return Ok(plan);
            }
            if self.skip_untouched(&mut plan, &live, moment) {
                return Ok(plan);
            }
            if self.find_drift(&mut plan, &live) {
                return Ok(plan);
            }
            self.check_ours(&plan, &live)?;
            let reviewed = match self.review(&plan, &live, scene).await {
                Err(error) if self.recreates(&error) => Some((Step::Recreate, Vec::new())),
                Err(error) if self.leaves_out(&mut plan, &error) => None,
                reviewed => reviewed?,
            };
            if let Some((step, contested)) = reviewed {
                plan.step = step;
                plan.contested = contested;
                return Ok(plan);
            }
        }
        Err(ApplyError::Unstable {
            object: Box::new(plan.intent.reference().clone()),
            rounds: MAX_ROUNDS,
        })
    }

    /// The intent in the namespace that its kind asks for, and the resource that serves it, if any does.
    pub(super) async fn place(&self, intent: Intent) -> Result<(Intent, Option<Resource>), ApplyError> {
        let reference = intent.reference();
        match self.kinds.resolve(&reference.api_version, &reference.kind).await {
            Ok(resource) => Ok((self.settle(intent, &resource), Some(resource))),
            Err(DiscoveryError::UnknownKind { .. }) => Ok((intent, None)),
            Err(source) => Err(ApplyError::Discovery {
                object: Box::new(reference.clone()),
                source,
            }),
        }
    }

    /// A namespaced object without a namespace is in the release's; a cluster-scoped one has none.
    pub(super) fn settle(&self, intent: Intent, resource: &Resource) -> Intent {
        if !resource.namespaced {
            return intent.in_namespace(None);
        }
        match intent.reference().namespace {
            Some(_) => intent,
            None => intent.in_namespace(Some(&self.settings.release.namespace)),
        }
    }

    fn skip(&self, plan: &mut ObjectPlan, basis: &Basis, moment: Moment) -> bool {
        let Some(record) = &plan.record else { return false };
        let policy = self.settings.policy.fingerprint(moment.now);
        let holds = record.holds(plan.intent.hash(), &basis.uid, &basis.resource_version, &policy);
        if holds {
            plan.contested.clone_from(&record.contested);
            plan.step = Step::Skip(Arc::clone(record));
        }
        holds
    }

    /// Skips an object that only others have written since, in fields of theirs: its status, or what was yielded to them.
    ///
    /// Whoever changes a value takes the field from all who applied another one, so as long as we own what we owned,
    /// its values are ours; but for those that were written under another name, as `stringData` is.
    fn skip_untouched(&self, plan: &mut ObjectPlan, live: &Live, moment: Moment) -> bool {
        let Some(record) = record_of(plan, live) else {
            return false;
        };
        let owned = live.managed.applied_by(self.settings.roster.field_manager());
        let owned = owned.map(PackedFields::of);
        let policy = self.settings.policy.fingerprint(moment.now);
        let same_version = &record.resource_version;
        if owned.as_ref() != Some(&record.owned)
            || !record.holds(plan.intent.hash(), &live.basis.uid, same_version, &policy)
        {
            return false;
        }
        let mut body = plan.intent.body().clone();
        let yielding = self.case(plan, live, moment).keep_yielding(&mut body);
        if Yielded::of(&yielding) != record.yielded || !changed_behind(record, &live.object, &body).is_empty() {
            return false;
        }
        let mut record = record.clone();
        let is_kept = |field: &ContestedField| field.action != Action::Yielded || field.class == Class::Admission;
        record.contested.retain(is_kept);
        record.contested.extend(yielding);
        record.contested.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
        record.resource_version.clone_from(&live.basis.resource_version);
        record.fingerprint = fingerprint_of(&live.object);
        plan.contested.clone_from(&record.contested);
        plan.step = Step::Skip(Arc::new(record));
        true
    }

    /// Finds out how an object differs from what was applied, where that is asked for. `true` if it does not, but for fields that
    /// are ignored: then there is nothing to put right.
    fn find_drift(&self, plan: &mut ObjectPlan, live: &Live) -> bool {
        let (Some(comparison), Some(record)) = (&plan.comparison, record_of(plan, live)) else {
            return false;
        };
        let ignores = !comparison.ignored.is_empty();
        let intent = if ignores {
            plan.intent.keeping(&live.object, &comparison.ignored)
        } else {
            plan.intent.clone()
        };
        let drifted = drifted(&intent, record, &live.object, &self.settings.redactor);
        let is_wanted_as_before = record.intent_hash == intent.hash() && record.contested.is_empty();
        let is_as_it_should_be = ignores && drifted.is_empty() && is_wanted_as_before;
        if is_as_it_should_be {
            let mut record = record.clone();
            record.resource_version.clone_from(&live.basis.resource_version);
            record.fingerprint = fingerprint_of(&live.object);
            plan.step = Step::Skip(Arc::new(record));
        }
        plan.intent = intent;
        plan.drifted = drifted;
        is_as_it_should_be
    }

    /// What there is to decide about one live object.
    pub(super) const fn case<'a>(&'a self, plan: &'a ObjectPlan, live: &'a Live, moment: Moment) -> Case<'a> {
        Case {
            applier: self,
            plan,
            live,
            moment,
        }
    }

    pub(super) async fn read(&self, resource: &Resource, intent: &Intent) -> Result<Option<Live>, ApplyError> {
        let reference = intent.reference();
        let read = self
            .calls
            .get(resource, reference.namespace.as_deref(), &reference.name)
            .await;
        let Some(object) = read.map_err(|error| ApplyError::of_call(reference, error))? else {
            return Ok(None);
        };
        if object.pointer("/metadata/deletionTimestamp").is_some() {
            return Err(ApplyError::Terminating {
                object: Box::new(reference.clone()),
            });
        }
        let managed = self.managed(reference, &object)?;
        let basis = Basis::of(&object);
        Ok(Some(Live { object, managed, basis }))
    }

    pub(super) fn check_ours(&self, plan: &ObjectPlan, live: &Live) -> Result<(), ApplyError> {
        let settings = &self.settings;
        let marks = live.object.pointer("/metadata/annotations");
        let mark = |key: &str| marks.and_then(|marks| marks.get(key)).and_then(Value::as_str);
        let release = mark(RELEASE_NAME_ANNOTATION);
        let applied = || live.managed.applied_by(settings.roster.field_manager()).is_some();
        let known = || plan.record.as_ref().is_some_and(|record| record.uid == live.basis.uid);
        if settings.adoption == Adoption::TakeOwnership
            || settings.release.owns(&live.object)
            || release.is_none() && (known() || applied())
        {
            return Ok(());
        }
        let owner = match release {
            Some(name) => format!("release {}/{name}", mark(RELEASE_NAMESPACE_ANNOTATION).unwrap_or("?")),
            None => "no release (it has no Helm annotations)".to_owned(),
        };
        Err(ApplyError::NotOurs {
            object: Box::new(plan.intent.reference().clone()),
            owner,
        })
    }
}

/// The plan for an object that does not exist.
fn created(mut plan: ObjectPlan) -> ObjectPlan {
    if plan.comparison.is_some() {
        plan.drifted = vec![DriftedField::missing(plan.intent.reference().clone())];
    }
    plan.step = Step::Create;
    plan
}

/// The body with the identity that it is meant for.
pub(super) fn on_basis(body: &Value, basis: &Basis) -> Value {
    let mut body = body.clone();
    if let Some(Value::Object(metadata)) = body.get_mut("metadata") {
        metadata.insert("uid".to_owned(), Value::String(basis.uid.clone()));
        metadata.insert(
            "resourceVersion".to_owned(),
            Value::String(basis.resource_version.clone()),
        );
    }
    body
}

/// The resource that serves the plan's kind.
pub(super) fn resource_of(plan: &ObjectPlan) -> Result<&Resource, ApplyError> {
    let reference = plan.intent.reference();
    plan.resource.as_ref().ok_or_else(|| ApplyError::Discovery {
        object: Box::new(reference.clone()),
        source: DiscoveryError::UnknownKind {
            api_version: reference.api_version.clone(),
            kind: reference.kind.clone(),
        },
    })
}

/// What of a record matters for an object: nothing if it is of another object with the same name.
pub(super) fn record_of<'a>(plan: &'a ObjectPlan, live: &Live) -> Option<&'a ObjectRecord> {
    plan.record.as_deref().filter(|record| record.uid == live.basis.uid)
}
