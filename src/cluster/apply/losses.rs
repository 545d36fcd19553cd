//! What no conflict tells: fields that were lost or changed behind our back, and what others have in what leaves the chart.

use super::contest::{Case, Owner};
use super::decide::Live;
use super::review::Draft;
use crate::ownership::class::Class;
use crate::ownership::contention::{items_taken_along, other_holders};
use crate::ownership::contested::ContestedField;
use crate::ownership::fieldset::Relation;
use crate::ownership::ledger::ObjectRecord;
use crate::ownership::loss::{changed_behind, is_wiped, lost_fields, unknown_manager, written_as};
use crate::ownership::managed::{ManagedEntry, Manager, Operation};
use crate::ownership::path::FieldPath;
use crate::ownership::policy::{Action, Decision};
use crate::ownership::transfer::managers_in;
use crate::ownership::value::lookup;

/// Where a wiped or unreadable record of owners is told of.
const MANAGED_FIELDS: [&str; 2] = ["metadata", "managedFields"];

impl Case<'_> {
    /// Decides about the fields that were lost without a conflict, and tells of an object that has forgotten us.
    pub(super) fn note_losses(&self, draft: &mut Draft) {
        let Some(record) = self.record() else { return };
        if self.is_to_be_applied() {
            return;
        }
        let (live, unknown) = (self.live, unknown_manager());
        if is_wiped(&record.owned, &live.managed, self.manager()) {
            // There is nobody to leave it to: what others wrote since comes up as a conflict.
            let taken_back = Decision {
                action: Action::Resolved,
                rule: "ledger".to_owned(),
            };
            let path = FieldPath::of_fields(MANAGED_FIELDS);
            let told = self.tell(&Owner::of(&path, &unknown, Class::Lost), &taken_back);
            draft.contested.push(told);
        }
        // One who let go of a field that was contested has not taken it from us.
        let was_theirs = |path: &FieldPath| {
            let is_other = |field: &ContestedField| field.action.is_unresolved() && field.class != Class::Lost;
            let mut contested = record.contested.iter();
            contested.any(|field| is_other(field) && field.path.as_ref() == Some(path))
        };
        let owned = record.owned.unpack();
        let lost = lost_fields(&owned, &live.managed, self.manager(), &live.object, &draft.body);
        for path in lost.into_iter().filter(|path| !was_theirs(path)) {
            self.settle(&[Owner::of(&path, &unknown, Class::Lost)], draft);
        }
        self.note_changes_behind(record, draft);
        draft.probe.clone_from(&draft.body);
    }

    /// Whether we have updated the object so far and apply it from now on: nothing is lost by that.
    pub(super) fn is_to_be_applied(&self) -> bool {
        let is_own_update = |entry: &ManagedEntry| {
            let Manager {
                name,
                operation,
                subresource,
                ..
            } = &entry.manager;
            name == self.manager() && *operation == Operation::Update && subresource.is_none()
        };
        self.live.managed.entries().iter().any(is_own_update)
    }

    /// Decides about fields that somebody changed without our losing them: the server would let us change them back without
    /// a word. Known only as long as we want what we wanted.
    fn note_changes_behind(&self, record: &ObjectRecord, draft: &mut Draft) {
        let Live { object, managed, .. } = self.live;
        if record.intent_hash != self.intent().hash() {
            return;
        }
        let is_held = |path: &FieldPath| {
            let held = managed.applied_by(self.manager());
            held.is_some_and(|held| held.relation(path) == Some(Relation::Exact))
        };
        for path in changed_behind(record, object, &draft.body).into_iter().filter(is_held) {
            let written = written_as(self.intent().reference(), &path);
            let writer =
                written.and_then(|path| other_holders(managed, self.manager(), &path).first().copied().cloned());
            let roster = &self.applier.settings.roster;
            let class = writer.as_ref().map_or(Class::Lost, |writer| roster.class_of(writer));
            let writer = writer.unwrap_or_else(unknown_manager);
            self.settle(&[Owner::of(&path, &writer, class)], draft);
        }
    }

    /// Tells of what others have in items of lists that leave the chart: the server removes it with the item.
    pub(super) fn note_taken_along(&self, draft: &mut Draft) {
        let decision = Decision {
            action: Action::Forced,
            rule: "its item left the chart".to_owned(),
        };
        let Live { object, managed, .. } = self.live;
        for (item, holder) in items_taken_along(managed, self.manager(), object, &draft.body) {
            // What was yielded is still wanted.
            let is_wanted = lookup(self.intent().body(), &item).is_some();
            if is_wanted || self.applier.settings.roster.is_predecessor(holder) {
                continue;
            }
            let told = self.tell(&Owner::of(&item, holder, Class::Real), &decision);
            draft.contested.push(told);
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
