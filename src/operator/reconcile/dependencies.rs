//! Whether a release may go on: what it depends on is ready, or, when it is deleted, what depends on it is uninstalled.
//!
//! Edge. Readiness and order are judged in `plan::dependencies`.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::attempt::blocked;
use super::{Done, Next};
use crate::api::HelmRelease;
use crate::api::conditions::Reason;
use crate::api::listing::first_few;
use crate::operator::context::{Context, Shared};
use crate::operator::memory::ReleaseKey;
use crate::plan::course::Removal;
use crate::plan::dependencies::{self, Requirement, is_release};
use crate::plan::outcome::Outcome;
use crate::plan::revision::Phase;

/// How many dependencies a message names.
const NAMED: usize = 5;
/// How often dependencies are looked at that are watched with the rights of the release, which may not allow it.
const POLL: Duration = Duration::from_mins(1);

/// What a release depends on, as its spec says it.
pub(super) fn requirements(release: &HelmRelease) -> Result<Vec<Requirement>, Done> {
    dependencies::requirements(release).map_err(|error| blocked(Reason::InvalidCELExpression, &error, false))
}

/// Lets a release go on that is deployed or whose attempt has begun, and any other when all that it depends on is ready.
pub(super) async fn check(
    context: &Context,
    release: &HelmRelease,
    requirements: &[Requirement],
    phase: Option<Phase>,
) -> Result<(), Done> {
    let known = &context.shared.dependencies;
    let has_begun = matches!(phase, Some(Phase::Pending | Phase::Deployed));
    if has_begun || requirements.is_empty() {
        known.waits_no_longer(&ReleaseKey::of(release));
        return Ok(());
    }
    let objects = requirements.iter().map(|requirement| requirement.object.clone());
    known.wait_for(release, objects.collect());
    if let Some(cycle) = dependencies::cycle(release, known.releases()) {
        let message = format!("the release depends on itself: {cycle}; take one of them out of spec.dependsOn");
        return Err(waiting(message, false, requirements));
    }
    let mut unmet = Vec::new();
    for requirement in requirements {
        let live = known.live(release, &context.target, &requirement.object).await;
        let live = live.map_err(|error| waiting(error.to_string(), true, requirements))?;
        unmet.extend(requirement.unmet(release, live.as_ref()));
    }
    if unmet.is_empty() {
        known.waits_no_longer(&ReleaseKey::of(release));
        return Ok(());
    }
    let message = format!("waiting for {}", first_few(&unmet, unmet.len(), NAMED, "; "));
    Err(waiting(message, true, requirements))
}

fn waiting(message: String, retryable: bool, requirements: &[Requirement]) -> Done {
    let are_releases = requirements.iter().all(|requirement| is_release(&requirement.object));
    Done {
        outcome: Outcome::Blocked {
            reason: Reason::DependencyNotReady,
            message,
            retryable,
        },
        next: if are_releases {
            Next::Interval {
                policy_changes_at: None,
            }
        } else {
            Next::After(POLL)
        },
    }
}

/// What an uninstall waits for: the end of releases that depend on this one and that are being deleted, too. Not longer than
/// an uninstall may take, whatever keeps them.
pub(super) fn uninstalled_first(shared: &Shared, release: &HelmRelease) -> Option<Outcome> {
    if release.is_deleted_since(release.spec.uninstall_timeout(), Timestamp::now()) {
        return None;
    }
    let known = &shared.dependencies;
    let others = dependencies::uninstalled_first(release, &known.all(), known.releases());
    if others.is_empty() {
        return None;
    }
    let others = first_few(&others, others.len(), NAMED, ", ");
    Some(Outcome::Uninstalling {
        why: Removal::Deletion,
        progress: format!("waiting until what depends on the release is uninstalled: HelmRelease {others}"),
    })
}
