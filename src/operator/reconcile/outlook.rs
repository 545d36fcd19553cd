//! The first step of a reconcile: the inputs and the records are looked at, and it is decided what the reconcile is about.
//!
//! Edge by what it calls. The decision is `plan::course`'s, and that of the gate `plan::gate`'s.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::Resource as _;
use tracing::warn;

use super::attempt::blocked;
use super::inputs::{self, InputError, Inputs};
use super::record::Recorded;
use super::{Done, Next, dependencies, records};
use crate::api::HelmRelease;
use crate::api::conditions::Reason;
use crate::operator::context::Context;
use crate::operator::memory::{ReleaseMemory, Step};
use crate::plan;
use crate::plan::course::{Course, Observed, Wanted, course, hold, was_attempted};
use crate::plan::dependencies::Requirement;
use crate::plan::gate::{Hold, Verdict};
use crate::plan::outcome::{self, HeldBack, Outcome};
use crate::plan::records::{Standing, Stored};
use crate::plan::remedy::Attempted;
use crate::telemetry::events::Severity;

/// What follows when it is not known what is desired. A release that is as its spec says stays so while its source does not answer: what
/// is known of the source tells the source's own status.
fn unobserved(context: &Context, recorded: &Recorded, memory: &mut ReleaseMemory, error: &InputError) -> Done {
    let release = recorded.release();
    if !error.is_of_a_source_that_is_away() || !outcome::is_as_desired(recorded.status(), release.metadata.generation) {
        return blocked(error.reason(), error, error.is_retryable());
    }
    let note = format!("the release stays as it is: {error}");
    warn!("{note}");
    let (about, events) = (release.object_ref(&()), &context.shared.events);
    events.publish(about, Severity::Warning, error.reason(), "fetch", &note);
    memory.blocked = memory.blocked.saturating_add(1);
    Done {
        outcome: Outcome::Standing,
        next: Next::Backoff,
    }
}

/// What a reconcile is about, and what was found out on the way.
pub(super) struct Outlook {
    pub(super) inputs: Inputs,
    pub(super) requirements: Vec<Requirement>,
    pub(super) course: Course,
    /// What an upgrade waits for that would begin otherwise.
    pub(super) hold: Option<Hold>,
    pub(super) standing: Standing,
    pub(super) stored: Stored,
}

/// Observes the inputs and decides what the reconcile is about.
pub(super) async fn outlook(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
) -> Result<Outlook, Done> {
    let release = recorded.release();
    let requirements = dependencies::requirements(release)?;
    let mut inputs = match inputs::observe(context, release, memory).await {
        Ok(inputs) => inputs,
        Err(error) => return Err(unobserved(context, recorded, memory, &error)),
    };
    break_fights(&mut inputs, release, memory);
    memory.step = Step::Records;
    let (standing, stored) = records::look(context, recorded)
        .await
        .map_err(|error| blocked(Reason::ClusterError, &error, true))?;
    if let Some(not_now) = not_ours(&standing) {
        return Err(not_now);
    }
    let now = Timestamp::now();
    let verdict = inputs.verdict(recorded.release(), now);
    let held = |recorded: &Recorded| {
        let observed = observed(recorded, &standing, &stored);
        hold(&observed, &wanted(recorded, &inputs, verdict), now)
    };
    let is_held = held(recorded).is_some();
    count_anew(recorded, memory, &inputs, is_held);
    let hold = held(recorded);
    let observed = observed(recorded, &standing, &stored);
    let course = course(&observed, &wanted(recorded, &inputs, verdict), now);
    tell_hold(recorded, &inputs, hold, now);
    Ok(Outlook {
        inputs,
        requirements,
        course,
        hold,
        standing,
        stored,
    })
}

/// What is known of the release.
fn observed<'a>(recorded: &'a Recorded, standing: &'a Standing, stored: &'a Stored) -> Observed<'a> {
    let (release, status) = (recorded.release(), recorded.status());
    Observed {
        history: &status.history,
        chart_digest: status.last_attempted_revision_digest.as_deref(),
        storage_namespace: status.storage_namespace.as_deref(),
        standing,
        stored,
        attempted: Attempted::of(&release.spec, status),
    }
}

/// What is wanted of the release now.
fn wanted<'a>(recorded: &'a Recorded, inputs: &'a Inputs, gate: Verdict) -> Wanted<'a> {
    let release = recorded.release();
    Wanted {
        identity: &inputs.identity,
        storage_namespace: release.storage_namespace(),
        chart_name_change: release.spec.chart_name_change(),
        interval: release.spec.interval.as_std(),
        asked: release.is_asked(),
        forced: release.forced_at().is_some(),
        gate,
    }
}

/// Puts into the status which upgrade is held back, if one is.
fn tell_hold(recorded: &mut Recorded, inputs: &Inputs, hold: Option<Hold>, now: Timestamp) {
    let (namespace, name) = {
        let release = recorded.release();
        (release.own_namespace().to_owned(), release.own_name().to_owned())
    };
    let generation = recorded.release().metadata.generation.unwrap_or_default();
    let held = hold.map(|hold| HeldBack {
        hold,
        identity: &inputs.identity,
        namespace: &namespace,
        name: &name,
    });
    outcome::hold(recorded.status_mut(), held, generation, &Time(now));
}

/// Forgets the failures when something else is desired, or when a person asks for it. While an upgrade is held back, those of what was
/// attempted last still count: it is what is gone on with.
fn count_anew(recorded: &mut Recorded, memory: &mut ReleaseMemory, inputs: &Inputs, is_held: bool) {
    let (release, status) = (recorded.release(), recorded.status());
    let generation = release.metadata.generation;
    let chart_digest = status.last_attempted_revision_digest.as_deref();
    let is_another = status.last_attempted_generation != generation
        || !was_attempted(&status.history, chart_digest, &inputs.identity);
    let is_new = is_another && !is_held;
    let reset = release.reset_at().map(str::to_owned);
    let status = recorded.status_mut();
    if is_new || reset.is_some() {
        outcome::forget_failures(status);
    }
    if !is_held {
        status.last_attempted_generation = generation;
    }
    if reset.is_some() {
        status.last_handled_reset_at = reset;
        memory.failure = None;
        memory.conflict_retries = 0;
    }
}

/// Why a release is left alone for now, if it is: others are at it.
fn not_ours(standing: &Standing) -> Option<Done> {
    let (message, next) = match standing {
        Standing::Own | Standing::Foreign { .. } | Standing::Gone => return None,
        Standing::Busy { status, until } => (
            format!(
                "another tool has the release at {}; goes on when that ends, or at {until:.0} at the latest",
                status.as_word()
            ),
            Next::At(*until),
        ),
        Standing::Taken { by } => (
            format!(
                "the release is that of HelmRelease {}/{}; choose another spec.releaseName, or delete one of the two",
                by.namespace, by.name
            ),
            Next::Backoff,
        ),
    };
    Some(Done {
        outcome: Outcome::Blocked {
            reason: Reason::PendingRelease,
            message,
            retryable: true,
        },
        next,
    })
}

/// Puts the breakers of the fights that go on before the release's rules.
fn break_fights(inputs: &mut Inputs, release: &HelmRelease, memory: &ReleaseMemory) {
    let now = Timestamp::now();
    let then = plan::policy::translate(release.spec.effective_ownership().effective_fights().then.into());
    let breakers = memory
        .fights
        .going_on(now)
        .iter()
        .map(|fight| fight.breaker(then))
        .collect();
    inputs.policy.breakers = breakers;
    let changes = [inputs.policy_changes_at, memory.fights.next_end(now)];
    inputs.policy_changes_at = changes.into_iter().flatten().min();
}
