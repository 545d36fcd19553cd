//! From the server's conflict causes to decisions: exact path, class, policy, and a body without what is yielded.

use serde_json::Value;

use super::Applier;
use super::decide::{Live, record_of};
use super::review::Draft;
use super::types::ObjectPlan;
use crate::ownership::class::{Class, Contender, Evidence, contenders};
use crate::ownership::conflict::{ConflictCause, StatusCause};
use crate::ownership::contention::{class_of_yielded, items_taken_along, other_holders};
use crate::ownership::contested::ContestedField;
use crate::ownership::fieldset::Relation;
use crate::ownership::intent::Intent;
use crate::ownership::ledger::ObjectRecord;
use crate::ownership::loss::{changed_behind, is_wiped, lost_fields, unknown_manager, written_as};
use crate::ownership::managed::Manager;
use crate::ownership::manager_class::ManagerClass;
use crate::ownership::path::FieldPath;
use crate::ownership::policy::{Action, Contest, Decision, Moment, most_cautious};
use crate::ownership::transfer::managers_in;
use crate::ownership::union::{Exclusion, exclusions};
use crate::ownership::value::{insert, lookup, remove, replace, satisfies};

impl Applier {
    /// Leaves out what was yielded before and is still held by somebody to whom the policy yields.
    ///
    /// Without this, equal values would make us a co-owner again, and every change would start with a conflict.
    pub(super) fn keep_yielding(
        &self,
        plan: &ObjectPlan,
        live: &Live,
        body: &mut Value,
        moment: Moment,
    ) -> Vec<ContestedField> {
        let Some(record) = record_of(plan, live) else {
            return Vec::new();
        };
        let manager = self.settings.roster.field_manager();
        let mut contested = Vec::new();
        for path in &record.yielded.paths() {
            let Some(ours) = lookup(plan.intent.body(), path).cloned() else {
                continue;
            };
            let theirs = lookup(&live.object, path);
            let was_lost = |field: &ContestedField| field.class == Class::Lost && field.path.as_ref() == Some(path);
            let (class, holders) = if theirs.is_none() && record.contested.iter().any(was_lost) {
                (Class::Lost, vec![unknown_manager()])
            } else {
                let holders = other_holders(&live.managed, manager, path);
                let class = class_of_yielded(theirs, Some(&ours));
                (class, holders.into_iter().cloned().collect())
            };
            let fields: Vec<ContestedField> = holders
                .iter()
                .filter_map(|holder| {
                    let origin = origin(Some(record), &path.to_string(), holder);
                    let contest = Contest {
                        object: plan.intent.reference(),
                        path: Some(path),
                        manager: &origin,
                        ours: Some(&ours),
                        class,
                    };
                    let decision = self.settings.policy.yields(&contest, moment)?;
                    let owner = Owner {
                        path: Some(path),
                        field: &path.to_string(),
                        manager: holder,
                        class,
                    };
                    Some(self.report(&plan.intent, live, &owner, &decision))
                })
                .collect();
            if !fields.is_empty() && remove(body, path).is_some() {
                contested.extend(fields);
            }
        }
        contested
    }

    /// Decides about the fields that were lost without a conflict, and tells of an object that has forgotten us.
    pub(super) fn note_losses(&self, plan: &ObjectPlan, live: &Live, draft: &mut Draft, moment: Moment) {
        let Some(record) = record_of(plan, live) else { return };
        let manager = self.settings.roster.field_manager();
        let intent = &plan.intent;
        let unknown = unknown_manager();
        let mut tell = |field: &FieldPath, decision: &Decision| {
            let owner = Owner {
                path: Some(field),
                field: "",
                manager: &unknown,
                class: Class::Lost,
            };
            draft.contested.push(self.report(intent, live, &owner, decision));
        };
        if is_wiped(&record.owned, &live.managed, manager) {
            // There is nobody to leave it to: what others wrote since comes up as a conflict.
            let taken_back = Decision {
                action: Action::Resolved,
                rule: "ledger".to_owned(),
            };
            tell(&FieldPath::of_fields(MANAGED_FIELDS), &taken_back);
        }
        // One who let go of a field that was contested has not taken it from us.
        let was_theirs = |path: &FieldPath| {
            let is_other = |field: &ContestedField| field.action.is_unresolved() && field.class != Class::Lost;
            let mut contested = record.contested.iter();
            contested.any(|field| is_other(field) && field.path.as_ref() == Some(path))
        };
        let lost = lost_fields(&record.owned, &live.managed, manager, &live.object, &draft.body);
        for path in lost.into_iter().filter(|path| !was_theirs(path)) {
            let contest = Contest {
                object: intent.reference(),
                path: Some(&path),
                manager: &unknown,
                ours: lookup(intent.body(), &path),
                class: Class::Lost,
            };
            let decision = self.settings.policy.decide(&contest, moment);
            let decision = carry_out(&mut draft.body, &live.object, Some(&path), &decision);
            tell(&path, &decision);
        }
        self.note_changes_behind(plan, live, record, draft, moment);
        draft.probe.clone_from(&draft.body);
    }

    /// Decides about fields that somebody changed without our losing them: the server would let us change them back without
    /// a word. Known only as long as we want what we wanted.
    fn note_changes_behind(
        &self,
        plan: &ObjectPlan,
        live: &Live,
        record: &ObjectRecord,
        draft: &mut Draft,
        moment: Moment,
    ) {
        let intent = &plan.intent;
        let manager = self.settings.roster.field_manager();
        let is_held = |path: &FieldPath| {
            let held = live.managed.applied_by(manager);
            held.is_some_and(|held| held.relation(path) == Some(Relation::Exact))
        };
        if record.intent_hash != intent.hash() {
            return;
        }
        for path in changed_behind(record, &live.object, &draft.body)
            .into_iter()
            .filter(is_held)
        {
            let writer = written_as(intent.reference(), &path).and_then(|written| {
                other_holders(&live.managed, manager, &written)
                    .first()
                    .copied()
                    .cloned()
            });
            let class = writer
                .as_ref()
                .map_or(Class::Lost, |writer| self.settings.roster.class_of(writer));
            let writer = writer.unwrap_or_else(unknown_manager);
            let contest = Contest {
                object: intent.reference(),
                path: Some(&path),
                manager: &writer,
                ours: lookup(intent.body(), &path),
                class,
            };
            let decision = self.settings.policy.decide(&contest, moment);
            let decision = carry_out(&mut draft.body, &live.object, Some(&path), &decision);
            let owner = Owner {
                path: Some(&path),
                field: "",
                manager: &writer,
                class,
            };
            draft.contested.push(self.report(intent, live, &owner, &decision));
        }
    }

    /// Tells of what others have in items of lists that leave the chart: the server removes it with the item.
    pub(super) fn note_taken_along(&self, plan: &ObjectPlan, live: &Live, draft: &mut Draft) {
        let manager = self.settings.roster.field_manager();
        let decision = Decision {
            action: Action::Forced,
            rule: "its item left the chart".to_owned(),
        };
        for (item, holder) in items_taken_along(&live.managed, manager, &live.object, &draft.body) {
            // What was yielded is still wanted.
            if lookup(plan.intent.body(), &item).is_some() || self.settings.roster.is_predecessor(holder) {
                continue;
            }
            let owner = Owner {
                path: Some(&item),
                field: "",
                manager: holder,
                class: Class::Real,
            };
            draft.contested.push(self.report(&plan.intent, live, &owner, &decision));
        }
    }

    /// Decides about the fields that exclude ours. `false` if the refusal is about something else.
    pub(super) fn exclude(
        &self,
        plan: &ObjectPlan,
        live: &Live,
        causes: &[StatusCause],
        draft: &mut Draft,
        moment: Moment,
    ) -> bool {
        let manager = self.settings.roster.field_manager();
        let mut is_new = false;
        for Exclusion { theirs, ours } in exclusions(causes, &live.managed, &live.object, &draft.probe) {
            let excluded = |path: &FieldPath| Some((path.clone(), lookup(&draft.probe, path)?.clone()));
            let values: Vec<_> = ours.iter().filter_map(excluded).collect();
            draft.excluded.extend(values);
            // As it is, the object is valid: a dry run says what else there is to say.
            let before = draft.probe.clone();
            if let Some(there) = lookup(&live.object, &theirs) {
                insert(&mut draft.probe, &theirs, there.clone());
            }
            for path in &ours {
                match lookup(&live.object, path) {
                    Some(there) => _ = replace(&mut draft.probe, path, there.clone()),
                    None => _ = remove(&mut draft.probe, path),
                }
            }
            is_new |= draft.probe != before;
            let mut holders: Vec<Manager> = other_holders(&live.managed, manager, &theirs)
                .into_iter()
                .cloned()
                .collect();
            let is_default = holders.is_empty();
            if is_default {
                holders.push(unknown_manager());
            }
            let decisions: Vec<Decision> = holders
                .iter()
                .map(|holder| self.about_exclusion(plan, &theirs, holder, is_default, moment))
                .collect();
            let Some(decision) = most_cautious(&decisions) else {
                continue;
            };
            let decision = match decision.action {
                Action::Yielded => {
                    for path in &ours {
                        let _: Option<Value> = remove(&mut draft.body, path);
                    }
                    decision.clone()
                }
                Action::Forced | Action::Resolved => {
                    draft.transfer.take(&theirs, &live.managed, manager, &live.object);
                    decision.clone()
                }
                Action::Adopted => Decision {
                    action: Action::Failed,
                    rule: format!("{} (fields that exclude each other cannot be adopted)", decision.rule),
                },
                Action::Retrying | Action::HandedOff | Action::Failed => decision.clone(),
            };
            for holder in &holders {
                let owner = Owner {
                    path: Some(&theirs),
                    field: "",
                    manager: holder,
                    class: Class::Union,
                };
                let told = self.report(&plan.intent, live, &owner, &decision);
                draft.contested.push(told);
            }
        }
        is_new
    }

    fn about_exclusion(
        &self,
        plan: &ObjectPlan,
        theirs: &FieldPath,
        holder: &Manager,
        is_default: bool,
        moment: Moment,
    ) -> Decision {
        // What was defaulted is nobody's, and what a predecessor set is ours: then only a rule says otherwise.
        let class = match self.settings.roster.class_of(holder) {
            Class::Legacy => Class::Legacy,
            _ if is_default => Class::Lost,
            _ => Class::Union,
        };
        let contest = Contest {
            object: plan.intent.reference(),
            path: Some(theirs),
            manager: holder,
            ours: None,
            class,
        };
        let mut decision = self.settings.policy.decide(&contest, moment);
        if class == Class::Lost && decision.action == Action::Resolved {
            "union".clone_into(&mut decision.rule);
        }
        decision
    }

    /// Decides about every conflict and takes what is yielded out of the body.
    pub(super) fn resolve(
        &self,
        plan: &ObjectPlan,
        live: &Live,
        predicted: &Value,
        causes: &[ConflictCause],
        draft: &mut Draft,
        moment: Moment,
    ) {
        let intent = &plan.intent;
        let record = record_of(plan, live);
        let found = contenders(causes, &live.managed, intent.body(), record.map(|record| &record.owned));
        let judged: Vec<(Contender, Class, Decision)> = found
            .into_iter()
            .map(|contender| {
                let (class, decision) = self.judge(intent, live, predicted, &contender, record, moment);
                (contender, class, decision)
            })
            .collect();
        for field in judged.chunk_by(|(a, ..), (b, ..)| a.path == b.path && a.field == b.field) {
            let Some(decision) = most_cautious(field.iter().map(|(_, _, decision)| decision)) else {
                continue;
            };
            let path = field.first().and_then(|(contender, ..)| contender.path.as_ref());
            if decision.action == Action::Resolved
                && let Some(path) = path.filter(|path| is_defaulted_list(&live.object, intent.body(), path))
            {
                // Its owner completed what we want: what it added stays.
                adopt(&mut draft.body, &live.object, path);
            }
            let decision = carry_out(&mut draft.body, &live.object, path, decision);
            for (Contender { path, field, manager }, class, _) in field {
                let owner = Owner {
                    path: path.as_ref(),
                    field,
                    manager,
                    class: *class,
                };
                draft.contested.push(self.report(intent, live, &owner, &decision));
            }
        }
    }

    fn judge(
        &self,
        intent: &Intent,
        live: &Live,
        predicted: &Value,
        contender: &Contender,
        record: Option<&ObjectRecord>,
        moment: Moment,
    ) -> (Class, Decision) {
        let settings = &self.settings;
        let reference = intent.reference();
        let Contender { path, field, manager } = contender;
        let path = path.as_ref();
        let evidence = Evidence {
            live: &live.object,
            predicted,
            path,
            api_version: &reference.api_version,
        };
        let text = path.map_or_else(|| field.clone(), ToString::to_string);
        let origin = origin(record, &text, manager);
        let is_completed = path.is_some_and(|path| is_defaulted_list(&live.object, intent.body(), path));
        let class = if is_completed && !is_person(&origin) {
            Class::Phantom
        } else {
            evidence.classify(&origin, &settings.roster)
        };
        let contest = Contest {
            object: reference,
            path,
            manager: &origin,
            ours: path.and_then(|path| lookup(intent.body(), path)),
            class,
        };
        (class, settings.policy.decide(&contest, moment))
    }

    fn report(&self, intent: &Intent, live: &Live, owner: &Owner<'_>, decision: &Decision) -> ContestedField {
        let Owner {
            path,
            field,
            manager,
            class,
        } = *owner;
        let reference = intent.reference();
        let show = |object: &Value| {
            path.and_then(|path| lookup(object, path).map(|value| self.settings.redactor.show(reference, path, value)))
        };
        ContestedField {
            path: path.cloned(),
            field: path.map_or_else(|| field.to_owned(), ToString::to_string),
            ours: show(intent.body()),
            theirs: show(&live.object),
            manager: manager.clone(),
            class,
            action: decision.action,
            rule: decision.rule.clone(),
        }
    }
}

/// What there is to tell when managedFields names a version that is served no more.
pub(super) fn versions_lost(live: &Live, removed: &str) -> Vec<ContestedField> {
    managers_in(&live.managed, removed)
        .map(|manager| ContestedField {
            path: Some(FieldPath::of_fields(MANAGED_FIELDS)),
            field: FieldPath::of_fields(MANAGED_FIELDS).to_string(),
            ours: None,
            theirs: None,
            manager: manager.clone(),
            class: Class::Lost,
            action: Action::Resolved,
            rule: format!("{removed} is served no more"),
        })
        .collect()
}

/// Where a wiped or unreadable record of owners is told of.
const MANAGED_FIELDS: [&str; 2] = ["metadata", "managedFields"];

/// Who an owner was before the server merged it with others, as far as the ledger remembers.
fn origin(record: Option<&ObjectRecord>, field: &str, manager: &Manager) -> Manager {
    if ManagerClass::of(&manager.name, None) != ManagerClass::Synthetic {
        return manager.clone();
    }
    let Some(known) = record.and_then(|record| record.origin(field)) else {
        return manager.clone();
    };
    Manager {
        name: known.manager.clone(),
        operation: known.operation,
        subresource: known.subresource.clone(),
        ..manager.clone()
    }
}

fn is_person(manager: &Manager) -> bool {
    ManagerClass::of(&manager.name, manager.subresource.as_deref()) == ManagerClass::Human
}

/// Whether a list that is owned as a whole holds what we want of it, item by item, and more: a controller completed it.
fn is_defaulted_list(live: &Value, intent: &Value, path: &FieldPath) -> bool {
    match (lookup(live, path), lookup(intent, path)) {
        (Some(live @ Value::Array(_)), Some(wanted @ Value::Array(items))) => {
            !items.is_empty() && live != wanted && satisfies(live, wanted)
        }
        _ => false,
    }
}

/// One owner of one field.
#[derive(Clone, Copy)]
struct Owner<'a> {
    path: Option<&'a FieldPath>,
    field: &'a str,
    manager: &'a Manager,
    class: Class,
}

/// Takes a yielded field out of the body and gives an adopted one the live value; what is not there under its path can
/// have neither.
fn carry_out(body: &mut Value, live: &Value, path: Option<&FieldPath>, decision: &Decision) -> Decision {
    let decision = decision.clone();
    let undone = match decision.action {
        Action::Yielded if path.is_none_or(|path| remove(body, path).is_none()) => "left out",
        Action::Adopted if !path.is_some_and(|path| adopt(body, live, path)) => "adopted",
        Action::Yielded
        | Action::Adopted
        | Action::Forced
        | Action::Resolved
        | Action::Retrying
        | Action::HandedOff
        | Action::Failed => return decision,
    };
    Decision {
        action: Action::Failed,
        rule: format!("{} (the field cannot be {undone})", decision.rule),
    }
}

fn adopt(body: &mut Value, live: &Value, path: &FieldPath) -> bool {
    lookup(live, path).is_some_and(|live| replace(body, path, live.clone()))
}
