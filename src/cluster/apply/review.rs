//! What to do with one live object: dry runs until the server has nothing more to say, and a decision on each field.

use serde_json::Value;

use super::Applier;
use super::ask::Asked;
use super::decide::{Care, Live, Scene, on_basis, resource_of};
use super::error::ApplyError;
use super::losses::versions_lost;
use super::types::{Configure, ObjectPlan, Repair, Step};
use crate::cluster::calls::{ApplyOptions, CallError};
use crate::ownership::conflict::{ConflictCause, Rejection, StatusCause};
use crate::ownership::contention::{abandoned, is_scaled_by, may_conflict, may_exclude};
use crate::ownership::contested::ContestedField;
use crate::ownership::fieldset::FieldSet;
use crate::ownership::loss::is_wiped;
use crate::ownership::managed::Manager;
use crate::ownership::path::FieldPath;
use crate::ownership::policy::Action;
use crate::ownership::transfer::{Transfer, in_served_version};
use crate::ownership::union::beside;
use crate::ownership::value::{lookup, project};
use crate::release::ApplyMethod;

/// What a dry run said.
pub(super) enum DryRun {
    /// It would succeed, with this object as the result.
    Fits(Value),
    /// Other managers own fields with other values.
    Conflicts(Vec<ConflictCause>),
    /// Fields exclude each other; with the error that it is if nothing can be done.
    Union(Vec<StatusCause>, ApplyError),
    /// managedFields names a version that is served no more.
    RemovedVersion(String),
    /// The object is no longer the one that we looked at.
    Stale,
}

/// What is to be written, while it is being decided.
pub(super) struct Draft {
    /// What is to be sent.
    pub(super) body: Value,
    /// What dry runs send: the body without what others exclude, which no dry run can get past.
    pub(super) probe: Value,
    pub(super) contested: Vec<ContestedField>,
    pub(super) transfer: Transfer,
    /// Our values that others exclude.
    pub(super) excluded: Vec<(FieldPath, Value)>,
    /// What leaves the object because it left the chart of a predecessor.
    pub(super) dropped: Vec<FieldPath>,
}

impl Draft {
    pub(super) fn new(body: Value, contested: Vec<ContestedField>) -> Self {
        Self {
            probe: body.clone(),
            body,
            contested,
            transfer: Transfer::default(),
            excluded: Vec::new(),
            dropped: Vec::new(),
        }
    }
}

impl Applier {
    /// What to write to this live object; `None` if it changed while we looked.
    pub(super) async fn review(
        &self,
        plan: &ObjectPlan,
        live: &Live,
        scene: Scene<'_>,
    ) -> Result<Option<(Step, Vec<ContestedField>)>, ApplyError> {
        let intent = &plan.intent;
        let api_version = intent.reference().api_version.as_str();
        let manager = self.settings.roster.field_manager();
        let mut body = intent.body().clone();
        let case = self.case(plan, live, scene.moment);
        let contested = case.keep_yielding(&mut body);
        let mut draft = Draft::new(body, contested);
        case.note_losses(&mut draft);
        let is_wiped = case
            .record()
            .is_some_and(|record| is_wiped(&record.owned, &live.managed, manager));
        let dry_run = scene.care == Care::Thorough
            || self.settings.method == ApplyMethod::ClientSide
            || is_wiped
            || may_conflict(&live.managed, manager, &live.object, &draft.body, api_version)
            || may_exclude(&live.managed, manager, &live.object, &draft.body);
        if dry_run {
            match self.ask(case, &mut draft).await? {
                Asked::Told(answers) => case.answer(&answers, &mut draft),
                Asked::Stale => return Ok(None),
                Asked::Unreadable(removed) => return Ok(Some(repair(plan, live, &removed))),
            }
        }
        case.note_taken_along(&mut draft);
        case.drop_left_behind(self.previous(plan, live).await?, &mut draft);
        let Draft {
            body,
            mut contested,
            transfer,
            dropped,
            ..
        } = draft;
        contested.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
        if contested.iter().any(|field| field.action.stops()) {
            return Ok(Some((Step::Stop, contested)));
        }
        let is_protected = |owner: &Manager| {
            let is_left = |field: &ContestedField| field.manager.name == owner.name && field.action.is_unresolved();
            contested.iter().any(is_left)
        };
        let predecessors = Transfer::from_predecessors(&live.managed, &self.settings.roster, &body, is_protected);
        let transfer = Some(transfer.and(predecessors)).filter(|transfer| !transfer.is_empty());
        let transfer = transfer.map(|transfer| transfer.managed_fields(&live.object, manager, api_version));
        if self.settings.method == ApplyMethod::ClientSide {
            if let Some(managed_fields) = transfer {
                // It is decided anew on what is ours then.
                let basis = live.basis.clone();
                let repair = Repair { basis, managed_fields };
                return Ok(Some((Step::Repair(Box::new(repair)), contested)));
            }
            let step = self.client_side(plan, live, &body, dropped, scene).await?;
            return Ok(step.map(|step| (step, contested)));
        }
        let hand_over = self.hand_over(plan, live, &body, dropped, scene).await?;
        let takes = |field: &ContestedField| matches!(field.action, Action::Forced | Action::Resolved);
        let force = contested.iter().any(takes);
        let configure = Configure {
            exact: !contested.is_empty() || hand_over.is_some() || transfer.is_some(),
            body,
            basis: live.basis.clone(),
            force,
            dry_run,
            hand_over,
            transfer,
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
        let (namespace, name) = (reference.namespace.as_deref(), &reference.name);
        match self.calls.apply(resource, namespace, name, &body, options).await {
            Ok(object) => Ok(DryRun::Fits(object)),
            Err(CallError::Refused(status)) => match Rejection::of(&status) {
                Rejection::FieldConflict(causes) => Ok(DryRun::Conflicts(causes)),
                Rejection::StaleVersion | Rejection::Deleted | Rejection::Replaced => Ok(DryRun::Stale),
                Rejection::RemovedVersion { api_version } if api_version != reference.api_version => {
                    Ok(DryRun::RemovedVersion(api_version))
                }
                Rejection::Union(causes) => {
                    let error = ApplyError::of_call(reference, CallError::Refused(status));
                    Ok(DryRun::Union(causes, error))
                }
                Rejection::Invalid(causes) | Rejection::Immutable(causes) => {
                    let manager = self.settings.roster.field_manager();
                    let beside = beside(&causes, &live.managed, manager, &live.object, plan.intent.body());
                    Err(ApplyError::of_call(reference, CallError::Refused(status)).beside(&beside))
                }
                _other => Err(ApplyError::of_call(reference, CallError::Refused(status))),
            },
            Err(error) => Err(ApplyError::of_call(reference, error)),
        }
    }

    /// The fields that only we hold, or that we are about to get from a predecessor, that the new intent drops, and whose next owner has not written yet: without a
    /// hand-over they would fall back to their defaults, such as one replica.
    pub(super) async fn hand_over(
        &self,
        plan: &ObjectPlan,
        live: &Live,
        body: &Value,
        dropped: Vec<FieldPath>,
        scene: Scene<'_>,
    ) -> Result<Option<(Value, Vec<FieldPath>)>, ApplyError> {
        let abandoned = abandoned(&live.managed, self.settings.roster.field_manager(), &live.object, body);
        let mut paths = Vec::new();
        for path in abandoned.into_iter().chain(dropped) {
            // What the intent has, but the body has not, was yielded.
            let waits = lookup(plan.intent.body(), &path).is_some()
                || self.settings.policy.may_yield(plan.subject(), &path, scene.moment.now)
                || is_replicas(&path) && self.is_autoscaled(plan, scene.autoscalers).await?;
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

/// Bringing managedFields to a version that is served, and what is lost by it.
fn repair(plan: &ObjectPlan, live: &Live, removed: &str) -> (Step, Vec<ContestedField>) {
    let served = &plan.intent.reference().api_version;
    let repair = Repair {
        basis: live.basis.clone(),
        managed_fields: in_served_version(&live.object, removed, served),
    };
    (Step::Repair(Box::new(repair)), versions_lost(live, removed))
}
