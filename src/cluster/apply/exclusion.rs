//! Fields that exclude ours: the server refuses both together, whoever forces.

use serde_json::Value;

use super::contest::{Case, Owner};
use super::review::Draft;
use crate::ownership::class::Class;
use crate::ownership::conflict::StatusCause;
use crate::ownership::contention::other_holders;
use crate::ownership::loss::unknown_manager;
use crate::ownership::managed::Manager;
use crate::ownership::path::FieldPath;
use crate::ownership::policy::{Action, Decision, most_cautious};
use crate::ownership::union::{Exclusion, exclusions};
use crate::ownership::value::{insert, lookup, remove, replace};

impl Case<'_> {
    /// Decides about the fields that exclude ours. `false` if the refusal is about something else.
    pub(super) fn exclude(&self, causes: &[StatusCause], draft: &mut Draft) -> bool {
        let mut is_new = false;
        let found = exclusions(causes, &self.live.managed, &self.live.object, &draft.probe);
        for Exclusion { theirs, ours } in found {
            is_new |= self.leave_out_of_probe(&theirs, &ours, draft);
            let mut holders: Vec<Manager> = other_holders(&self.live.managed, self.manager(), &theirs)
                .into_iter()
                .cloned()
                .collect();
            let is_default = holders.is_empty();
            if is_default {
                holders.push(unknown_manager());
            }
            let decisions: Vec<Decision> = holders
                .iter()
                .map(|holder| self.about_exclusion(&theirs, holder, is_default))
                .collect();
            let Some(decision) = most_cautious(&decisions) else {
                continue;
            };
            let decision = self.carry_out_exclusion(&theirs, &ours, decision, draft);
            let told = holders
                .iter()
                .map(|holder| self.tell(&Owner::of(&theirs, holder, Class::Union), &decision));
            draft.contested.extend(told);
        }
        is_new
    }

    /// Gives the fields of an exclusion their live values in what dry runs send: as it is, the object is valid, and a dry
    /// run says what else there is to say. `false` if they had them.
    fn leave_out_of_probe(&self, theirs: &FieldPath, ours: &[FieldPath], draft: &mut Draft) -> bool {
        let excluded = |path: &FieldPath| Some((path.clone(), lookup(&draft.probe, path)?.clone()));
        let values: Vec<_> = ours.iter().filter_map(excluded).collect();
        draft.excluded.extend(values);
        let before = draft.probe.clone();
        if let Some(there) = lookup(&self.live.object, theirs) {
            insert(&mut draft.probe, theirs, there.clone());
        }
        for path in ours {
            match lookup(&self.live.object, path) {
                Some(there) => _ = replace(&mut draft.probe, path, there.clone()),
                None => _ = remove(&mut draft.probe, path),
            }
        }
        draft.probe != before
    }

    fn about_exclusion(&self, theirs: &FieldPath, holder: &Manager, is_default: bool) -> Decision {
        // What was defaulted is nobody's, and what a predecessor set is ours: then only a rule says otherwise.
        let class = match self.applier.settings.roster.class_of(holder) {
            Class::Legacy => Class::Legacy,
            _ if is_default => Class::Lost,
            _ => Class::Union,
        };
        let mut decision = self.decide(&Owner::of(theirs, holder, class));
        if class == Class::Lost && decision.action == Action::Resolved {
            "union".clone_into(&mut decision.rule);
        }
        decision
    }

    fn carry_out_exclusion(
        &self,
        theirs: &FieldPath,
        ours: &[FieldPath],
        decision: &Decision,
        draft: &mut Draft,
    ) -> Decision {
        match decision.action {
            Action::Yielded => {
                for path in ours {
                    let _: Option<Value> = remove(&mut draft.body, path);
                }
            }
            Action::Forced | Action::Resolved => {
                let live = self.live;
                draft.transfer.take(theirs, &live.managed, self.manager(), &live.object);
            }
            Action::Adopted => {
                return Decision {
                    action: Action::Failed,
                    rule: format!("{} (fields that exclude each other cannot be adopted)", decision.rule),
                };
            }
            Action::Retrying | Action::HandedOff | Action::Failed => {}
        }
        decision.clone()
    }
}
