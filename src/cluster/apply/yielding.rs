//! What was yielded before, and stays so for as long as its owner has it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::contest::{Case, Owner};
use crate::ownership::class::Class;
use crate::ownership::contention::{class_of_yielded, held_by_others_alone, other_holders};
use crate::ownership::contested::ContestedField;
use crate::ownership::ledger::{ObjectRecord, Yielded};
use crate::ownership::loss::unknown_manager;
use crate::ownership::managed::Manager;
use crate::ownership::path::FieldPath;
use crate::ownership::policy::Action;
use crate::ownership::value::{lookup, remove};

impl Case<'_> {
    /// Leaves out what was yielded before and is still held by somebody to whom the policy yields.
    ///
    /// Without this, equal values would make us a co-owner again, and every change would start with a conflict.
    pub(super) fn keep_yielding(&self, body: &mut Value) -> Vec<ContestedField> {
        let Some(record) = self.record() else {
            return Vec::new();
        };
        let mut contested = Vec::new();
        for path in self.yielded_before(record) {
            if lookup(self.intent().body(), &path).is_none() {
                continue;
            }
            let kept = self.yields_again(record, &path);
            if !kept.is_empty() && remove(body, &path).is_some() {
                contested.extend(kept);
            }
        }
        contested
    }

    fn yielded_before(&self, record: &ObjectRecord) -> BTreeSet<FieldPath> {
        match &record.yielded {
            Yielded::Listed(fields) => fields.unpack().paths().into_iter().collect(),
            Yielded::Unlisted => held_by_others_alone(&self.live.managed, &self.applier.settings.roster),
        }
    }

    /// What there is to tell of the owners of a field to whom the policy still yields it.
    fn yields_again(&self, record: &ObjectRecord, path: &FieldPath) -> Vec<ContestedField> {
        let (ours, theirs) = (lookup(self.intent().body(), path), lookup(&self.live.object, path));
        let was_lost = |field: &ContestedField| field.class == Class::Lost && field.path.as_ref() == Some(path);
        let (class, holders) = if theirs.is_none() && record.contested.iter().any(was_lost) {
            (Class::Lost, vec![unknown_manager()])
        } else {
            let holders = other_holders(&self.live.managed, self.manager(), path);
            (class_of_yielded(theirs, ours), holders.into_iter().cloned().collect())
        };
        let again = |holder: &Manager| {
            let owner = Owner::of(path, holder, class);
            let decision = self.decide(&owner);
            (decision.action == Action::Yielded).then(|| self.tell(&owner, &decision))
        };
        holders.iter().filter_map(again).collect()
    }
}
