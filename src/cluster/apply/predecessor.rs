//! What a predecessor applied and the chart no longer has: it leaves the object with the first apply, as an upgrade by Helm
//! would make it leave.
//!
//! Afterwards the fields are ours, and an apply without them removes them.

use serde_json::Value;

use super::Applier;
use super::contest::{Case, Owner};
use super::decide::Live;
use super::error::ApplyError;
use super::review::Draft;
use super::types::ObjectPlan;
use crate::ownership::class::Class;
use crate::ownership::policy::Action;
use crate::ownership::transfer::left_behind;

/// Whether an object comes from a predecessor, and what that one applied.
#[derive(Clone, Copy)]
pub(super) enum Previous<'a> {
    /// The object is ours already, or was nobody's.
    None,
    /// What it applied by its last manifest, if that is known.
    Applied(Option<&'a Value>),
}

impl Applier {
    /// What a predecessor applied of an object that we are about to apply for the first time.
    pub(super) async fn previous(&self, plan: &ObjectPlan, live: &Live) -> Result<Previous<'_>, ApplyError> {
        let roster = &self.settings.roster;
        let is_ours = live.managed.applied_by(roster.field_manager()).is_some();
        let mut entries = live.managed.entries().iter();
        if is_ours || !entries.any(|entry| roster.is_predecessor(&entry.manager)) {
            return Ok(Previous::None);
        }
        let Some(former) = &self.settings.former else {
            return Ok(Previous::Applied(None));
        };
        let reference = plan.intent.reference();
        let manifest = former.manifest_of(reference).await;
        let manifest = manifest.map_err(|error| ApplyError::of_call(reference, error))?;
        Ok(Previous::Applied(manifest))
    }
}

impl Case<'_> {
    /// Takes from predecessors what they applied and the chart no longer has, unless the policy leaves it to them.
    pub(super) fn drop_left_behind(&self, previous: Previous<'_>, draft: &mut Draft) {
        let Previous::Applied(manifest) = previous else { return };
        let (live, roster) = (self.live, &self.applier.settings.roster);
        for (path, manager) in left_behind(&live.managed, roster, &live.object, self.intent().body(), manifest) {
            let owner = Owner::of(&path, manager, Class::Legacy);
            let decision = self.decide(&owner);
            match decision.action {
                // It stays as it is, which is what nobody would have asked about.
                Action::Yielded | Action::Adopted => continue,
                Action::Resolved | Action::Forced => {
                    draft.transfer.take_from(manager, &path, &live.managed);
                    draft.dropped.push(path.clone());
                }
                Action::Retrying | Action::HandedOff | Action::Failed => {}
            }
            draft.contested.push(self.tell(&owner, &decision));
        }
    }
}
