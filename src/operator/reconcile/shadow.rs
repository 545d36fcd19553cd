//! Shadow mode: observe, render, dry-run, and tell what the release would do. Writes nothing but the status.
//!
//! Edge. `fairlead shadow` goes the same way ([`compare`]); what is made of the dry runs is `plan::shadow`'s.

use std::collections::HashSet;
use std::time::Instant;

use k8s_openapi::jiff::Timestamp;

use super::execute::{self, Marks};
use super::inputs::{self, InputError, Inputs};
use super::record::{Recorded, conflict_labels, release_labels};
use super::render::{self, Purpose, RenderStepError, Rendering};
use super::{Done, Next, now};
use crate::api::HelmRelease;
use crate::api::conditions::Reason;
use crate::api::helm_release::actions::DeletionPropagation;
use crate::cluster::apply::{ApplyError, Shadowed};
use crate::cluster::delete::{DeleteError, Deletion};
use crate::operator::context::Context;
use crate::operator::crds::{self, CrdError};
use crate::operator::memory::{Compared, ReleaseMemory};
use crate::ownership::intent::Intent;
use crate::ownership::policy::Moment;
use crate::ownership::reference::ObjectReference;
use crate::ownership::shadow::ObjectShadow;
use crate::plan::course::Wanted;
use crate::plan::diff::{self, ChartOrigin, Newest, ReleaseDiff, Subject};
use crate::plan::inventory;
use crate::plan::method::method;
use crate::plan::outcome::Outcome;
use crate::plan::records::Standing;
use crate::plan::revision::{Known, Revision, revision};
use crate::plan::shadow::{self, Refusal, ReleaseShadow, Source};

/// Why it cannot be said what a release would do.
#[derive(Debug, thiserror::Error)]
pub enum ShadowError {
    /// The desired state could not be made out.
    #[error(transparent)]
    Inputs(#[from] InputError),
    /// There is nothing to compare.
    #[error(transparent)]
    Render(#[from] RenderStepError),
    /// A CRD of the chart could not be looked at.
    #[error(transparent)]
    Crd(#[from] CrdError),
    /// The cluster could not be asked about an object.
    #[error(transparent)]
    Object(#[from] Box<ApplyError>),
    /// An object that leaves the release could not be looked at.
    #[error(transparent)]
    Leaving(#[from] DeleteError),
}

impl ShadowError {
    /// The reason in `Ready`.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Inputs(error) => error.reason(),
            Self::Render(error) => error.reason(),
            Self::Crd(_) | Self::Object(_) | Self::Leaving(_) => Reason::ClusterError,
        }
    }

    /// Whether it may pass without a change of the spec.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Inputs(error) => error.is_retryable(),
            Self::Render(error) => error.is_retryable(),
            Self::Crd(error) => error.is_retryable(),
            Self::Object(error) => error.is_retryable(),
            Self::Leaving(error) => error.is_retryable(),
        }
    }
}

/// Compares a release with the cluster and puts what it would do into the status that is being worked on.
pub(super) async fn shadow(context: &Context, recorded: &mut Recorded, memory: &mut ReleaseMemory) -> Done {
    // The ledger tells what was applied; another run of the operator may apply meanwhile.
    memory.ledger = None;
    let release = recorded.release();
    let requested = release.requested_at().map(str::to_owned);
    let interval = release.spec.interval.as_std();
    let known = memory
        .shadow
        .take()
        .filter(|known| known.at.elapsed() < interval && known.requested == requested);
    let (at, before) = known.map_or_else(|| (Instant::now(), None), |known| (known.at, Some(known.release)));
    let compared = compare(context, release, before.as_ref(), memory).await;
    let (compared, policy_changes_at) = match compared {
        Ok(Comparison {
            diff,
            policy_changes_at,
        }) => (diff.release, policy_changes_at),
        Err(error) => return super::attempt::blocked(error.reason(), &error, error.is_retryable()),
    };
    let labels = release_labels(release);
    let generation = release.metadata.generation.unwrap_or_default();
    shadow::apply_to(recorded.status_mut(), &compared, generation, &now());
    let contested = compared.contested().into_iter();
    let decisions = contested.map(|contested| conflict_labels(&labels, contested.object, contested.field));
    context.shared.metrics.shadow_conflicts_now(&labels, decisions);
    let outcome = Outcome::Compared {
        summary: shadow::summary(&compared),
        applies: compared.applies(),
    };
    memory.shadow = Some(Box::new(Compared {
        at,
        requested,
        release: compared,
    }));
    Done {
        outcome,
        next: Next::Interval { policy_changes_at },
    }
}

/// What a release would do if it were applied now.
#[derive(Debug)]
pub struct Comparison {
    /// What would change.
    pub diff: ReleaseDiff,
    /// When its policy next changes by itself.
    pub policy_changes_at: Option<Timestamp>,
}

/// What a release would do if it were applied now. Nothing is written.
///
/// What was found out `before` about objects that did not change since is taken over.
///
/// # Errors
/// When the desired state cannot be made out, or the cluster cannot be asked. What the API server would refuse is no error: the
/// answer tells of it.
pub async fn compare(
    context: &Context,
    release: &HelmRelease,
    before: Option<&ReleaseShadow>,
    memory: &mut ReleaseMemory,
) -> Result<Comparison, ShadowError> {
    let mut inputs = inputs::observe(context, release, memory).await?;
    let known = known(release);
    let revision = revision(known, &inputs.identity, began(release));
    inputs.method = method(&release.spec, known.history, &revision, None);
    let rendering = render::render(context, release, &inputs, &revision, Purpose::Shadow, memory).await?;
    let mut namespaces: HashSet<String> = rendering.namespaces.clone();
    namespaces.extend(crds::namespace_to_create(release).cloned());
    namespaces.extend(context.shared.referred.given().namespaces.iter().cloned());
    let foreseen = crds::foresee(context, release, &rendering, revision.action).await?;
    let moment = Moment {
        now: Timestamp::now(),
        retries_exhausted: false,
    };
    let applier = execute::applier(context, release, &inputs, revision.action);
    let intents: Vec<Intent> = rendering.objects.iter().map(|object| object.intent.clone()).collect();
    let looked_at = before.map_or(&[][..], |before| before.objects.as_slice());
    let Shadowed { objects, failures } = applier.shadow(intents, looked_at, &namespaces, moment).await;
    let mut refused = refusals(failures)?;
    refused.extend(foreseen.refused);
    refused.sort();
    watch(context, &rendering, &objects);
    let Leaving { removed, kept } = leaving(context, release, &inputs, &rendering).await?;
    let next = next_revision(context, release, &inputs, &rendering, &revision, moment.now);
    let shadow = ReleaseShadow {
        source: Source::HelmRelease,
        namespace: release.own_namespace().to_owned(),
        name: release.own_name().to_owned(),
        chart: inputs.chart_label(),
        field_manager: release.field_manager(),
        removed,
        objects: foreseen.objects.into_iter().chain(objects).collect(),
        refused,
    };
    Ok(Comparison {
        diff: ReleaseDiff {
            release: shadow,
            newest: Newest::of(known.history),
            next,
            kept,
            is_suspended: release.spec.suspend,
        },
        policy_changes_at: inputs.policy_changes_at,
    })
}

/// The revision that would begin.
fn next_revision(
    context: &Context,
    release: &HelmRelease,
    inputs: &Inputs,
    rendering: &Rendering,
    revision: &Revision,
    now: Timestamp,
) -> Option<diff::Next> {
    let wanted = Wanted {
        identity: &inputs.identity,
        storage_namespace: release.storage_namespace(),
        chart_name_change: release.spec.chart_name_change(),
        interval: release.spec.interval.as_std(),
        asked: false,
        forced: release.forced_at().is_some(),
        gate: inputs.verdict(release, now),
    };
    let hooks = if release.spec.action_options(revision.action).disable_hooks {
        &[]
    } else {
        rendering.hooks.as_slice()
    };
    let origin = match &context.shared.referred.given().chart {
        Some(_) => ChartOrigin::Given,
        None => ChartOrigin::Source,
    };
    let subject = Subject {
        namespace: release.own_namespace(),
        name: release.own_name(),
        origin,
    };
    let status = release.status.as_ref();
    let storage_namespace = status.and_then(|status| status.storage_namespace.as_deref());
    diff::next(known(release), storage_namespace, &wanted, revision, hooks, subject)
}

/// Objects that the release has, and would not have any more.
struct Leaving {
    removed: Vec<ObjectReference>,
    kept: Vec<ObjectReference>,
}

/// What would become of the objects that the release has and the chart has not. What is gone, or somebody else's by now, is no more
/// looked after, and nothing becomes of it.
async fn leaving(
    context: &Context,
    release: &HelmRelease,
    inputs: &Inputs,
    rendering: &Rendering,
) -> Result<Leaving, DeleteError> {
    let inventory = release.status.as_ref().and_then(|status| status.inventory.as_ref());
    let marks = Marks::of(release, inputs.release_identity());
    let deleter = marks.deleter(context, DeletionPropagation::Background);
    let mut leaving = Leaving {
        removed: Vec::new(),
        kept: Vec::new(),
    };
    for object in inventory::leftovers(inventory, rendering.references()) {
        match deleter.foresee(&object, None).await {
            Ok(Deletion::Deleted { uid: _ }) => leaving.removed.push(object),
            Ok(Deletion::Kept) => leaving.kept.push(object),
            Ok(Deletion::Absent | Deletion::NotOurs) => {}
            // Whoever may not look at it knows only that it is to go.
            Err(error) if error.is_forbidden() => leaving.removed.push(object),
            Err(error) => return Err(error),
        }
    }
    Ok(leaving)
}

/// What the server would refuse; an error if it could not be asked.
pub fn refusals(failures: Vec<ApplyError>) -> Result<Vec<Refusal>, Box<ApplyError>> {
    let mut refused = Vec::with_capacity(failures.len());
    for failure in failures {
        match failure {
            ApplyError::Call { .. } | ApplyError::Discovery { .. } | ApplyError::Unstable { .. } => {
                return Err(Box::new(failure));
            }
            ApplyError::Rejected { .. }
            | ApplyError::Stopped { .. }
            | ApplyError::NotOurs { .. }
            | ApplyError::Terminating { .. }
            | ApplyError::ManagedFields { .. } => refused.push(Refusal {
                object: failure.object().clone(),
                message: failure.to_string(),
            }),
        }
    }
    Ok(refused)
}

/// What is known of the revisions so far.
fn known(release: &HelmRelease) -> Known<'_> {
    let status = release.status.as_ref();
    Known {
        history: status.map(|status| status.history.as_slice()).unwrap_or_default(),
        chart_digest: status.and_then(|status| status.last_attempted_revision_digest.as_deref()),
        // What another tool did to the records would only raise the revision's number.
        standing: &Standing::Own,
    }
}

/// When a revision that would begin now is said to begin: rendering it again must give the same.
fn began(release: &HelmRelease) -> Timestamp {
    let made = release.metadata.creation_timestamp.as_ref();
    made.map_or(Timestamp::UNIX_EPOCH, |made| made.0)
}

/// Watches the kinds of the objects that the release once applied: only they bear its label.
fn watch(context: &Context, rendering: &Rendering, objects: &[ObjectShadow]) {
    let applied: HashSet<_> = objects
        .iter()
        .filter(|object| object.owned.is_some())
        .map(|object| &object.reference)
        .collect();
    for object in &rendering.objects {
        if applied.contains(object.intent.reference()) {
            context.target.children.watch(&object.resource.api);
        }
    }
}
