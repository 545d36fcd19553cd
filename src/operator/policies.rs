//! ConflictPolicies: which of them select a release, and what their own status says.
//!
//! Edge. Policies and the labels of namespaces are watched; a change of either wakes the releases that it may concern. What
//! a rule decides is `ownership::policy`'s, how rules are read is `plan::policy`'s.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Api, PartialObjectMeta, PostParams};
use kube::core::Selector;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::{Client, ResourceExt};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::follow::{Follow, reflected};
use crate::api::conditions::{self, ConditionType, ConditionUpdate, Reason};
use crate::api::conflict_policy::{ConflictPolicyStatus, selects};
use crate::api::{ConflictPolicy, HelmRelease, names};
use crate::ownership::policy::Policy;
use crate::plan::policy::{PolicyError, check, policy_of};

/// How long changes are gathered before the releases are counted.
const GATHER: Duration = Duration::from_secs(1);

/// The policies of the cluster. Cheap to clone.
#[derive(Clone)]
pub struct Policies {
    resources: Store<ConflictPolicy>,
    namespaces: Store<PartialObjectMeta<Namespace>>,
    releases: Store<HelmRelease>,
    /// Told when the number of releases that a policy selects may have changed.
    changed: Arc<Notify>,
}

impl Policies {
    /// Watches the policies and the labels of the namespaces that they select by.
    pub(super) fn follow(client: &Client, follow: &Follow) -> Self {
        let (resources, policy_writer) = reflector::store();
        let (namespaces, namespace_writer) = reflector::store();
        let followed = Self {
            resources,
            namespaces,
            releases: follow.releases().clone(),
            changed: Arc::new(Notify::new()),
        };
        let events = reflected(Api::<ConflictPolicy>::all(client.clone()), policy_writer);
        let (waking, policies) = (follow.clone(), followed.clone());
        follow.each(events, move |_| {
            // Whom it selected before is not known any more. One that is not concerned finds nothing to do.
            waking.wake(|_| true);
            policies.recount();
        });
        let events = reflected(
            Api::<PartialObjectMeta<Namespace>>::all(client.clone()),
            namespace_writer,
        );
        let (waking, policies) = (follow.clone(), followed.clone());
        follow.each(events, move |namespace| {
            if policies.select_by_namespace() {
                waking.wake(|release| release.own_namespace() == namespace.name_any());
                policies.recount();
            }
        });
        followed
    }

    /// The namespaces of the cluster, with their labels.
    pub(super) fn namespaces(&self) -> Store<PartialObjectMeta<Namespace>> {
        self.namespaces.clone()
    }

    /// Waits for the first lists of the watches.
    pub(super) async fn wait_until_ready(&self) {
        // The writers live as long as the operator, so waiting fails only at its end.
        let _ = tokio::join!(self.resources.wait_until_ready(), self.namespaces.wait_until_ready());
    }

    fn select_by_namespace(&self) -> bool {
        let policies = self.resources.state();
        policies.iter().any(|policy| policy.spec.namespace_selector.is_some())
    }

    /// The policy of a release, with the rules of all policies that select it.
    pub fn policy_of(&self, release: &HelmRelease) -> Result<Policy, PolicyError> {
        let policies = self.resources.state();
        let selecting = policies.iter().filter(|policy| self.selects(policy, release));
        policy_of(release, selecting.map(Arc::as_ref).collect())
    }

    fn selects(&self, policy: &ConflictPolicy, release: &HelmRelease) -> bool {
        let namespace = self.namespaces.get(&ObjectRef::new(release.own_namespace()));
        selects(
            policy,
            namespace.as_ref().map(|namespace| namespace.labels()),
            release.labels(),
        )
    }

    /// Says that releases came, went, or changed their labels.
    pub fn recount(&self) {
        self.changed.notify_one();
    }

    /// Keeps the statuses of the policies until `shutdown`.
    pub async fn keep_statuses(self, client: Client, shutdown: CancellationToken) {
        let api = Api::all(client);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.changed.notified() => {}
            }
            // Releases come in bursts.
            tokio::time::sleep(GATHER).await;
            for policy in self.resources.state() {
                if let Err(error) = self.keep_status(&api, &policy).await {
                    // It is told again with the next change, of the policy or of a release.
                    warn!(policy = policy.name_any(), %error, "the status was not written");
                }
            }
        }
    }

    async fn keep_status(&self, api: &Api<ConflictPolicy>, policy: &ConflictPolicy) -> kube::Result<()> {
        let releases = self.releases.state();
        let selected = releases.iter().filter(|release| self.selects(policy, release)).count();
        let status = status(policy, selected, &super::reconcile::now());
        if policy.status.as_ref() == Some(&status) {
            return Ok(());
        }
        let mut desired = policy.clone();
        desired.status = Some(status);
        let parameters = PostParams {
            field_manager: Some(names::CONTROLLER_FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        match api.replace_status(&policy.name_any(), &parameters, &desired).await {
            Ok(_) => Ok(()),
            // Somebody changed or deleted it meanwhile; the watch tells us what it is now.
            Err(kube::Error::Api(answer)) if answer.is_conflict() || answer.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// What the status of a policy says.
fn status(policy: &ConflictPolicy, selected: usize, now: &Time) -> ConflictPolicyStatus {
    let mut status = policy.status.clone().unwrap_or_default();
    let generation = policy.metadata.generation;
    let selectors = [&policy.spec.namespace_selector, &policy.spec.release_selector];
    let selector = selectors
        .into_iter()
        .flatten()
        .find_map(|selector| Selector::try_from(selector.clone()).err());
    let problem = match (check(policy), selector) {
        (Err(error), _) => Some(format!(
            "{error}; until it can be read, what it may be about is handed to a person"
        )),
        (Ok(()), Some(error)) => Some(format!("a selector cannot be read and selects every release: {error}")),
        (Ok(()), None) => None,
    };
    let ready = match &problem {
        Some(problem) => ConditionUpdate::new(ConditionType::Ready, false, Reason::InvalidSpec, problem),
        None => ConditionUpdate::new(
            ConditionType::Ready,
            true,
            Reason::Succeeded,
            format!("{} rules are in force", policy.spec.rules.len()),
        ),
    };
    conditions::set(&mut status.conditions, ready, generation, now);
    match problem {
        Some(problem) => {
            let stalled = ConditionUpdate::new(ConditionType::Stalled, true, Reason::InvalidSpec, problem);
            conditions::set(&mut status.conditions, stalled, generation, now);
        }
        None => {
            conditions::remove(&mut status.conditions, ConditionType::Stalled);
        }
    }
    status.observed_generation = generation;
    status.releases = Some(u32::try_from(selected).unwrap_or(u32::MAX));
    status
}
