//! From the server's conflict causes to decisions: exact path, class, and what the policy says about each.

use serde_json::Value;

use super::contest::{Case, Owner};
use super::review::Draft;
use crate::ownership::class::{Class, Contender, Evidence, contenders};
use crate::ownership::conflict::ConflictCause;
use crate::ownership::manager_class::ManagerClass;

impl Case<'_> {
    /// Decides about every conflict and takes what is yielded out of the body.
    pub(super) fn resolve(&self, predicted: &Value, causes: &[ConflictCause], draft: &mut Draft) {
        let owned = self.record().map(|record| record.owned.unpack());
        let found = contenders(causes, &self.live.managed, self.intent().body(), owned.as_ref());
        for field in found.chunk_by(|a, b| a.path == b.path && a.field == b.field) {
            let owners: Vec<Owner<'_>> = field.iter().map(|owner| self.classified(owner, predicted)).collect();
            self.settle(&owners, draft);
        }
    }

    fn classified<'c>(&self, contender: &'c Contender, predicted: &Value) -> Owner<'c> {
        let Contender { path, field, manager } = contender;
        let path = path.as_ref();
        let mut owner = Owner {
            path,
            field,
            manager,
            class: Class::Real,
        };
        let origin = self.origin(&owner);
        let is_person = ManagerClass::of(&origin.name, origin.subresource.as_deref()) == ManagerClass::Human;
        owner.class = if !is_person && path.is_some_and(|path| self.is_completed(path)) {
            Class::Phantom
        } else {
            let evidence = Evidence {
                live: &self.live.object,
                predicted,
                path,
                api_version: &self.intent().reference().api_version,
            };
            evidence.classify(&origin, &self.applier.settings.roster)
        };
        owner
    }
}
