//! A dry run of everything that deciding did not dry-run: the objects to be created, and those that nobody else writes.
//!
//! Conflicts are known by then. What this finds is what the server would refuse for other reasons (permissions, a
//! namespace that does not exist, a field that is not in the schema), before the first object is written.

use std::collections::HashSet;

use futures::StreamExt as _;

use super::Applier;
use super::error::ApplyError;
use super::types::ObjectPlan;
use super::types::Step;
use crate::cluster::calls::ApplyOptions;
use crate::ownership::conflict::Rejection;

impl Applier {
    /// Dry-runs every plan that would be written as a whole; gives what the server refuses.
    ///
    /// `namespaces` are those that the release itself creates: that they do not exist yet is no reason to refuse. Objects
    /// whose kind is not served yet cannot be dry-run.
    pub async fn preflight(&self, plans: &[ObjectPlan], namespaces: &HashSet<String>) -> Vec<ApplyError> {
        let runs: Vec<_> = plans.iter().map(|plan| self.preflight_one(plan, namespaces)).collect();
        futures::stream::iter(runs)
            .buffered(self.settings.parallelism.get())
            .filter_map(|refusal| async move { refusal })
            .collect()
            .await
    }

    async fn preflight_one(&self, plan: &ObjectPlan, namespaces: &HashSet<String>) -> Option<ApplyError> {
        let body = match &plan.step {
            Step::Create => plan.intent.body(),
            Step::Configure(configure) if !configure.exact => &configure.body,
            // Decided on by a dry run, or not to be sent at all.
            Step::Configure(_) | Step::Skip(_) | Step::Stop => return None,
        };
        let resource = plan.resource.as_ref()?;
        let reference = plan.intent.reference();
        let options = ApplyOptions {
            manager: self.settings.roster.field_manager(),
            force: false,
            dry_run: true,
        };
        let answer = self
            .calls
            .apply(resource, reference.namespace.as_deref(), &reference.name, body, options)
            .await;
        let error = ApplyError::of_call(reference, answer.err()?);
        let comes_with_the_release = reference
            .namespace
            .as_ref()
            .is_some_and(|name| namespaces.contains(name));
        let passes = match &error {
            // Decided anew when it is written.
            ApplyError::Rejected {
                rejection: Rejection::FieldConflict(_) | Rejection::StaleVersion,
                ..
            } => true,
            ApplyError::Rejected {
                rejection: Rejection::NamespaceMissing,
                ..
            } => comes_with_the_release,
            _ => false,
        };
        (!passes).then_some(error)
    }
}
