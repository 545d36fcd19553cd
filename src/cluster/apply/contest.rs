//! Deciding about one field of one live object, whatever led to it: the policy is asked about each of its owners, the most
//! cautious answer is carried out, and it is told of each.
//!
//! Which fields there is something to decide about is found out by the modules that use this one.

use std::borrow::Cow;

use serde_json::Value;

use super::Applier;
use super::decide::{Live, record_of};
use super::review::Draft;
use super::types::ObjectPlan;
use crate::ownership::class::Class;
use crate::ownership::contested::ContestedField;
use crate::ownership::intent::Intent;
use crate::ownership::ledger::ObjectRecord;
use crate::ownership::managed::Manager;
use crate::ownership::manager_class::ManagerClass;
use crate::ownership::path::FieldPath;
use crate::ownership::policy::{Action, Contest, Decision, Moment, most_cautious};
use crate::ownership::value::{lookup, remove, replace, satisfies};

/// One live object, and all that a decision about its fields depends on.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) applier: &'a Applier,
    pub(super) plan: &'a ObjectPlan,
    pub(super) live: &'a Live,
    pub(super) moment: Moment,
}

/// One owner of one field.
#[derive(Clone, Copy)]
pub(super) struct Owner<'a> {
    pub(super) path: Option<&'a FieldPath>,
    /// How the server calls the field: what there is to show where the path could not be found out.
    pub(super) field: &'a str,
    pub(super) manager: &'a Manager,
    pub(super) class: Class,
}

impl<'a> Owner<'a> {
    /// An owner of a field whose path is known.
    pub(super) const fn of(path: &'a FieldPath, manager: &'a Manager, class: Class) -> Self {
        Self {
            path: Some(path),
            field: "",
            manager,
            class,
        }
    }

    fn text(&self) -> String {
        self.path.map_or_else(|| self.field.to_owned(), ToString::to_string)
    }
}

impl<'a> Case<'a> {
    /// What we want of the object.
    pub(super) const fn intent(&self) -> &'a Intent {
        &self.plan.intent
    }

    /// Our field manager.
    pub(super) fn manager(&self) -> &'a str {
        self.applier.settings.roster.field_manager()
    }

    /// What the ledger remembers of the object.
    pub(super) fn record(&self) -> Option<&'a ObjectRecord> {
        record_of(self.plan, self.live)
    }

    /// What the policy says about one owner of a field.
    pub(super) fn decide(&self, owner: &Owner<'_>) -> Decision {
        let origin = match owner.class {
            // Nobody has it, so it does not matter who had.
            Class::Lost => Cow::Borrowed(owner.manager),
            _other => self.origin(owner),
        };
        let contest = Contest {
            subject: self.plan.subject(),
            path: owner.path,
            manager: &origin,
            ours: owner.path.and_then(|path| lookup(self.intent().body(), path)),
            class: owner.class,
        };
        self.applier.settings.policy.decide(&contest, self.moment)
    }

    /// Decides about one field, all of whose owners these are.
    pub(super) fn settle(&self, owners: &[Owner<'_>], draft: &mut Draft) {
        let decisions: Vec<Decision> = owners.iter().map(|owner| self.decide(owner)).collect();
        let (Some(first), Some(decision)) = (owners.first(), most_cautious(&decisions)) else {
            return;
        };
        let decision = self.carry_out(&mut draft.body, first.path, decision);
        let told = owners.iter().map(|owner| self.tell(owner, &decision));
        draft.contested.extend(told);
    }

    /// What there is to tell of one owner of a field, about which this was decided.
    pub(super) fn tell(&self, owner: &Owner<'_>, decision: &Decision) -> ContestedField {
        let Decision { action, rule } = decision;
        let redactor = &self.applier.settings.redactor;
        let show = |object: &Value| {
            let path = owner.path?;
            lookup(object, path).map(|value| redactor.show(self.intent().reference(), path, value))
        };
        ContestedField {
            path: owner.path.cloned(),
            field: owner.text(),
            ours: show(self.intent().body()),
            theirs: show(&self.live.object),
            manager: owner.manager.clone(),
            class: owner.class,
            action: *action,
            rule: rule.clone(),
        }
    }

    /// Who an owner was before the server merged it with others, as far as the ledger remembers.
    pub(super) fn origin<'m>(&self, owner: &Owner<'m>) -> Cow<'m, Manager> {
        let manager = owner.manager;
        if ManagerClass::of(&manager.name, None) != ManagerClass::Synthetic {
            return Cow::Borrowed(manager);
        }
        let Some(known) = self.record().and_then(|record| record.origin(&owner.text())) else {
            return Cow::Borrowed(manager);
        };
        Cow::Owned(Manager {
            name: known.manager.clone(),
            operation: known.operation,
            subresource: known.subresource.clone(),
            ..manager.clone()
        })
    }

    /// Whether a list that is owned as a whole holds what we want of it, item by item, and more: a controller completed it.
    pub(super) fn is_completed(&self, path: &FieldPath) -> bool {
        match (lookup(&self.live.object, path), lookup(self.intent().body(), path)) {
            (Some(live @ Value::Array(_)), Some(wanted @ Value::Array(items))) => {
                !items.is_empty() && live != wanted && satisfies(live, wanted)
            }
            _ => false,
        }
    }

    /// Takes a yielded field out of the body and gives an adopted one the live value; what is not there under its path can
    /// have neither.
    fn carry_out(&self, body: &mut Value, path: Option<&FieldPath>, decision: &Decision) -> Decision {
        let undone = match decision.action {
            Action::Yielded if path.is_none_or(|path| remove(body, path).is_none()) => "left out",
            Action::Adopted if !path.is_some_and(|path| self.adopt(body, path)) => "adopted",
            Action::Resolved => {
                if let Some(path) = path.filter(|path| self.is_completed(path)) {
                    // Its owner completed what we want: what it added stays.
                    self.adopt(body, path);
                }
                return decision.clone();
            }
            Action::Yielded
            | Action::Adopted
            | Action::Forced
            | Action::Retrying
            | Action::HandedOff
            | Action::Failed => return decision.clone(),
        };
        Decision {
            action: Action::Failed,
            rule: format!("{} (the field cannot be {undone})", decision.rule),
        }
    }

    fn adopt(&self, body: &mut Value, path: &FieldPath) -> bool {
        lookup(&self.live.object, path).is_some_and(|live| replace(body, path, live.clone()))
    }
}
