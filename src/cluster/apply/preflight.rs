//! A dry run of everything that deciding did not dry-run, for releases in whose objects others own fields too.
//!
//! Conflicts are known by then. What this finds is what the server would refuse for other reasons (permissions, a
//! namespace that does not exist, a field that is not in the schema), before the first object is written: where others
//! depend on the objects, a release is applied whole or not at all. A release that nobody else writes to is not dry-run: an
//! apply costs the server as much as its dry run, and nobody is there to be harmed by half of it.

use std::collections::HashSet;

use futures::StreamExt as _;
use serde_json::Value;

use super::Applier;
use super::error::ApplyError;
use super::types::{ObjectPlan, Step};
use crate::cluster::calls::ApplyOptions;
use crate::ownership::conflict::Rejection;

impl Applier {
    /// Dry-runs every plan that would be written, if one of them was dry-run to be decided; gives what the server refuses.
    ///
    /// `namespaces` are those that the release itself creates. What the server refuses only because of something that the
    /// release itself brings, and that is there by the time of the write, is no reason to refuse. Objects whose kind is not
    /// served yet cannot be dry-run.
    pub async fn preflight(&self, plans: &[ObjectPlan], namespaces: &HashSet<String>) -> Vec<ApplyError> {
        if !plans.iter().any(ObjectPlan::was_dry_run) {
            return Vec::new();
        }
        self.dry_run_the_others(plans, namespaces).await
    }

    /// Dry-runs what deciding did not dry-run, whether it dry-ran anything or not.
    pub(super) async fn dry_run_the_others(
        &self,
        plans: &[ObjectPlan],
        namespaces: &HashSet<String>,
    ) -> Vec<ApplyError> {
        let companions = Companions::of(plans, namespaces);
        let runs: Vec<_> = plans.iter().map(|plan| self.preflight_one(plan, &companions)).collect();
        futures::stream::iter(runs)
            .buffered(self.settings.parallelism.get())
            .filter_map(|refusal| async move { refusal })
            .collect()
            .await
    }

    async fn preflight_one(&self, plan: &ObjectPlan, companions: &Companions<'_>) -> Option<ApplyError> {
        let mut plan = plan.clone();
        loop {
            match self.preflight_as_it_is(&plan, companions).await {
                Some(error) if self.leaves_out(&mut plan, &error) => {}
                answer => return answer,
            }
        }
    }

    async fn preflight_as_it_is(&self, plan: &ObjectPlan, companions: &Companions<'_>) -> Option<ApplyError> {
        let body = match &plan.step {
            Step::Create => plan.intent.body(),
            Step::Configure(configure) if !configure.dry_run => &configure.body,
            // Decided on by a dry run, or not to be sent at all.
            Step::Configure(_) | Step::Update(_) | Step::Recreate | Step::Repair(_) | Step::Skip(_) | Step::Stop => {
                return None;
            }
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
        let is_overcome = self.recreates(&error) || companions.explain(plan, &error);
        (!is_overcome).then_some(error)
    }
}

/// What the release itself brings, and what other objects of it may depend on.
struct Companions<'a> {
    namespaces: &'a HashSet<String>,
    /// Kind, namespace and name of roles and service accounts.
    subjects: HashSet<(&'a str, Option<&'a str>, &'a str)>,
    /// Group and kind that are defined or changed.
    kinds: HashSet<(&'a str, &'a str)>,
}

impl<'a> Companions<'a> {
    fn of(plans: &'a [ObjectPlan], namespaces: &'a HashSet<String>) -> Self {
        let mut companions = Self {
            namespaces,
            subjects: HashSet::new(),
            kinds: HashSet::new(),
        };
        for plan in plans.iter().filter(|plan| !plan.is_skip()) {
            let reference = plan.reference();
            match reference.kind.as_str() {
                kind @ ("Role" | "ClusterRole" | "ServiceAccount") => {
                    let subject = (kind, reference.namespace.as_deref(), reference.name.as_str());
                    companions.subjects.insert(subject);
                }
                "CustomResourceDefinition" => {
                    let body = plan.intent.body();
                    let kind = (text(body, "/spec/group"), text(body, "/spec/names/kind"));
                    companions.kinds.insert(kind);
                }
                _ => {}
            }
        }
        companions
    }

    /// Whether the refusal of a dry run says nothing about the write, because that comes after what the release brings.
    fn explain(&self, plan: &ObjectPlan, error: &ApplyError) -> bool {
        let ApplyError::Rejected { rejection, message, .. } = error else {
            return false;
        };
        let (reference, body) = (plan.reference(), plan.intent.body());
        let namespace = reference.namespace.as_deref();
        match (rejection, reference.kind.as_str()) {
            // Decided anew when it is written.
            (
                Rejection::FieldConflict(_)
                | Rejection::StaleVersion
                | Rejection::Union(_)
                | Rejection::RemovedVersion { .. },
                _,
            ) => true,
            (Rejection::NamespaceMissing, _) => namespace.is_some_and(|name| self.namespaces.contains(name)),
            // Who may not bind every role may bind those whose rights he has, for which the role must be there.
            (Rejection::NotFound, "RoleBinding" | "ClusterRoleBinding") => {
                let kind = text(body, "/roleRef/kind");
                let namespace = namespace.filter(|_| kind == "Role");
                self.subjects.contains(&(kind, namespace, text(body, "/roleRef/name")))
            }
            (Rejection::Forbidden, "Pod") => {
                let account = ("ServiceAccount", namespace, text(body, "/spec/serviceAccountName"));
                message.contains("error looking up service account") && self.subjects.contains(&account)
            }
            (
                Rejection::Schema { .. } | Rejection::Invalid(_) | Rejection::Immutable(_) | Rejection::BadRequest,
                kind,
            ) => self.kinds.contains(&(reference.group(), kind)),
            _ => false,
        }
    }
}

fn text<'a>(body: &'a Value, pointer: &str) -> &'a str {
    body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
