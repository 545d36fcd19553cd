//! The first phase for one object: what would be written, found out without writing.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Applier;
use super::MAX_ROUNDS;
use super::error::ApplyError;
use super::pause_before;
use super::types::Adoption;
use super::types::ApplyRequest;
use super::types::Basis;
use super::types::Configure;
use super::types::ObjectPlan;
use super::types::Observed;
use super::types::Step;
use crate::cluster::calls::ApplyOptions;
use crate::cluster::calls::CallError;
use crate::cluster::discovery::DiscoveryError;
use crate::cluster::discovery::Resource;
use crate::cluster::observe::fingerprint_of;
use crate::ownership::conflict::ConflictCause;
use crate::ownership::conflict::Rejection;
use crate::ownership::contention::abandoned;
use crate::ownership::contention::is_scaled_by;
use crate::ownership::contention::may_conflict;
use crate::ownership::contested::ContestedField;
use crate::ownership::fieldset::FieldSet;
use crate::ownership::intent::Intent;
use crate::ownership::intent::RELEASE_NAME_ANNOTATION;
use crate::ownership::intent::RELEASE_NAMESPACE_ANNOTATION;
use crate::ownership::ledger::ObjectRecord;
use crate::ownership::managed::ManagedFields;
use crate::ownership::path::FieldPath;
use crate::ownership::policy::Action;
use crate::ownership::policy::Moment;
use crate::ownership::value::lookup;
use crate::ownership::value::project;

/// A live object with what its managedFields say.
pub(super) struct Live {
    pub(super) object: Value,
    pub(super) managed: ManagedFields,
    pub(super) basis: Basis,
}

/// How far the look at managedFields is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Care {
    /// Only objects in which others own a field that would change are dry-run.
    Sparing,
    /// The object is dry-run in any case: a write has just met what the look did not foresee.
    Thorough,
}

/// What a dry run said.
pub(super) enum DryRun {
    /// It would succeed, with this object as the result.
    Fits(Value),
    /// Other managers own fields with other values.
    Conflicts(Vec<ConflictCause>),
    /// The object is no longer the one that we looked at.
    Stale,
}

impl Applier {
    /// Decides about one object; writes nothing.
    pub(super) async fn decide_one(
        &self,
        request: ApplyRequest,
        autoscalers: &[Value],
        moment: Moment,
        care: Care,
    ) -> Result<ObjectPlan, ApplyError> {
        let ApplyRequest {
            intent,
            observed,
            record,
        } = request;
        let (intent, resource) = self.place(intent).await?;
        let mut plan = ObjectPlan {
            intent,
            record,
            resource,
            step: Step::Create,
            contested: Vec::new(),
        };
        // Nothing of a kind that is not served can exist; its definition may come with the release.
        let Some(resource) = plan.resource.clone() else {
            return Ok(plan);
        };
        match &observed {
            Observed::Absent => return Ok(plan),
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
        for round in 0..MAX_ROUNDS {
            pause_before(round).await;
            let Some(live) = self.read(&resource, &plan.intent).await? else {
                plan.step = Step::Create;
                return Ok(plan);
            };
            if self.skip(&mut plan, &live.basis, moment) {
                return Ok(plan);
            }
            if self.skip_untouched(&mut plan, &live, moment) {
                return Ok(plan);
            }
            self.check_ours(&plan, &live)?;
            if let Some((step, contested)) = self.review(&plan, &live, autoscalers, moment, care).await? {
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
            plan.step = Step::Skip(Box::new(record.clone()));
        }
        holds
    }

    /// Skips an object that only others have written since, in fields of theirs: its status, or what was yielded to them.
    ///
    /// Whoever changes a value takes the field from all who applied another one, so as long as we own what we owned,
    /// its values are ours.
    fn skip_untouched(&self, plan: &mut ObjectPlan, live: &Live, moment: Moment) -> bool {
        let Some(record) = record_of(plan, live) else {
            return false;
        };
        let owned = live.managed.applied_by(self.settings.roster.field_manager());
        let policy = self.settings.policy.fingerprint(moment.now);
        let same_version = &record.resource_version;
        if owned != Some(&record.owned) || !record.holds(plan.intent.hash(), &live.basis.uid, same_version, &policy) {
            return false;
        }
        let mut body = plan.intent.body().clone();
        let yielding = self.keep_yielding(plan, live, &mut body, moment);
        let still: BTreeSet<&FieldPath> = yielding.iter().filter_map(|field| field.path.as_ref()).collect();
        if still != record.yielded() {
            return false;
        }
        let mut record = record.clone();
        record.contested.retain(|field| field.action != Action::Yielded);
        record.contested.extend(yielding);
        record.contested.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
        record.resource_version.clone_from(&live.basis.resource_version);
        record.fingerprint = fingerprint_of(&live.object);
        plan.contested.clone_from(&record.contested);
        plan.step = Step::Skip(Box::new(record));
        true
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
        let managed = ManagedFields::of(&object).map_err(|source| ApplyError::ManagedFields {
            object: Box::new(reference.clone()),
            source,
        })?;
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

    /// What to write to this live object; `None` if it changed while we looked.
    async fn review(
        &self,
        plan: &ObjectPlan,
        live: &Live,
        autoscalers: &[Value],
        moment: Moment,
        care: Care,
    ) -> Result<Option<(Step, Vec<ContestedField>)>, ApplyError> {
        let intent = &plan.intent;
        let api_version = intent.reference().api_version.as_str();
        let manager = self.settings.roster.field_manager();
        let mut body = intent.body().clone();
        let mut contested = self.keep_yielding(plan, live, &mut body, moment);
        let mut force = false;
        if care == Care::Thorough || may_conflict(&live.managed, manager, &live.object, &body, api_version) {
            match self.dry_run(plan, &body, live, false).await? {
                DryRun::Stale => return Ok(None),
                DryRun::Fits(_) => {}
                DryRun::Conflicts(causes) => {
                    let predicted = match self.dry_run(plan, &body, live, true).await? {
                        DryRun::Fits(predicted) => predicted,
                        DryRun::Stale | DryRun::Conflicts(_) => return Ok(None),
                    };
                    contested.extend(self.resolve(intent, live, &predicted, &causes, &mut body, moment));
                    let takes = |field: &ContestedField| matches!(field.action, Action::Forced | Action::Resolved);
                    force = contested.iter().any(takes);
                }
            }
        }
        contested.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
        if contested.iter().any(|field| field.action.stops()) {
            return Ok(Some((Step::Stop, contested)));
        }
        let hand_over = self.hand_over(plan, live, &body, autoscalers, moment).await?;
        let exact = force || !contested.is_empty() || hand_over.is_some();
        let configure = Configure {
            body,
            basis: live.basis.clone(),
            exact,
            force,
            hand_over,
        };
        Ok(Some((Step::Configure(Box::new(configure)), contested)))
    }

    /// Asks what an apply of this body to exactly this live object would do.
    pub(super) async fn dry_run(
        &self,
        plan: &ObjectPlan,
        body: &Value,
        live: &Live,
        force: bool,
    ) -> Result<DryRun, ApplyError> {
        let reference = plan.intent.reference();
        let resource = resource_of(plan)?;
        let body = on_basis(body, &live.basis);
        let options = ApplyOptions {
            manager: self.settings.roster.field_manager(),
            force,
            dry_run: true,
        };
        let answer = self
            .calls
            .apply(
                resource,
                reference.namespace.as_deref(),
                &reference.name,
                &body,
                options,
            )
            .await;
        match answer {
            Ok(object) => Ok(DryRun::Fits(object)),
            Err(CallError::Refused(status)) => match Rejection::of(&status) {
                Rejection::FieldConflict(causes) => Ok(DryRun::Conflicts(causes)),
                Rejection::StaleVersion | Rejection::Deleted | Rejection::Replaced => Ok(DryRun::Stale),
                _other => Err(ApplyError::of_call(reference, CallError::Refused(status))),
            },
            Err(error) => Err(ApplyError::of_call(reference, error)),
        }
    }

    /// The fields that only we hold, that the new intent drops, and whose next owner has not written yet: without a
    /// hand-over they would fall back to their defaults, such as one replica.
    pub(super) async fn hand_over(
        &self,
        plan: &ObjectPlan,
        live: &Live,
        body: &Value,
        autoscalers: &[Value],
        moment: Moment,
    ) -> Result<Option<(Value, Vec<FieldPath>)>, ApplyError> {
        let reference = plan.intent.reference();
        let dropped = abandoned(&live.managed, self.settings.roster.field_manager(), &live.object, body);
        let mut paths = Vec::new();
        for path in dropped {
            // What the intent has, but the body has not, was yielded.
            let waits = lookup(plan.intent.body(), &path).is_some()
                || self.settings.policy.may_yield(reference, &path, moment.now)
                || is_replicas(&path) && self.is_autoscaled(plan, autoscalers).await?;
            if waits {
                paths.push(path);
            }
        }
        let fields: FieldSet = paths.iter().cloned().collect();
        let Some(mut held) = project(&live.object, &fields) else {
            return Ok(None);
        };
        name_as(&mut held, plan.intent.body());
        Ok(Some((held, paths)))
    }

    /// Whether an autoscaler of this release, or one in the object's namespace, is about to set the replicas.
    async fn is_autoscaled(&self, plan: &ObjectPlan, autoscalers: &[Value]) -> Result<bool, ApplyError> {
        let reference = plan.intent.reference();
        if !self.settings.policy.well_known_owners {
            return Ok(false);
        }
        if is_scaled_by(reference, autoscalers) {
            return Ok(true);
        }
        let Ok(resource) = self.kinds.resolve("autoscaling/v2", "HorizontalPodAutoscaler").await else {
            return Ok(false);
        };
        let listed = self.calls.list(&resource, reference.namespace.as_deref()).await;
        let mut items = listed.map_err(|error| ApplyError::of_call(reference, error))?;
        for item in &mut items {
            // Items of a list do not name their kind.
            if let Value::Object(item) = item {
                item.insert("apiVersion".to_owned(), Value::String("autoscaling/v2".to_owned()));
                item.insert("kind".to_owned(), Value::String("HorizontalPodAutoscaler".to_owned()));
            }
        }
        Ok(is_scaled_by(reference, &items))
    }
}

fn is_replicas(path: &FieldPath) -> bool {
    *path == FieldPath::of_fields(["spec", "replicas"])
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

/// Gives a part of an object the apiVersion, kind, name and namespace of the whole.
fn name_as(part: &mut Value, whole: &Value) {
    let Value::Object(part) = part else { return };
    for key in ["apiVersion", "kind"] {
        if let Some(value) = whole.get(key) {
            part.insert(key.to_owned(), value.clone());
        }
    }
    let metadata = part
        .entry("metadata")
        .or_insert_with(|| Value::Object(serde_json::Map::new()));
    if let Value::Object(metadata) = metadata {
        for key in ["name", "namespace"] {
            if let Some(value) = whole.get("metadata").and_then(|whole| whole.get(key)) {
                metadata.insert(key.to_owned(), value.clone());
            }
        }
    }
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
    plan.record.as_ref().filter(|record| record.uid == live.basis.uid)
}
