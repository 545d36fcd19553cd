//! The state machine: what a reconcile is about, given where the release stands and what is desired.
//!
//! Pure and total: every state has an answer at every time, and none is left only by an edit. Where Flux stops for good, this goes
//! on, seldom: a release that was rolled back or uninstalled after its last retry is attempted again after its interval, then after
//! twice that, and so on up to an hour (or up to the interval, if that is longer). One that failed and was left as it is heals as soon
//! as its objects are ready, and what could not be written is written again with the backoff of [`retry`](super::retry).
//!
//! An upgrade that would begin may be held back by a [`gate`](super::gate). What was attempted last is gone on with meanwhile, from its
//! release record: what the chart and the values are by now is not what may be released.

use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::gate::{Hold, Verdict};
use super::records::{Standing, Stored};
use super::remedy::{Attempted, Remedy, failures_beyond, is_exhausted, remedy};
use super::retry::{backoff, exhausted};
use super::revision::{Identity, Known, Phase, Revision, begins, describes, goes_on, is_of_chart, revision};
use super::state::{State, has_failed_test};
use crate::api::helm_release::actions::{ChartNameChangeStrategy, HelmAction, RemediationStrategy};
use crate::api::helm_release::history::Snapshot;
use crate::api::helm_release::status::ReleaseAction;
use crate::release::Status;

/// What a reconcile is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Course {
    /// The chart is installed or upgraded, or kept as it was.
    Release(Revision),
    /// An upgrade is held back: what was attempted last is gone on with, as its record has it.
    Keep {
        /// The newest revision.
        revision: Revision,
        /// When it is looked again whether the upgrade may begin.
        until: Timestamp,
    },
    /// An earlier revision is restored, or kept as it was restored.
    RollBack {
        /// The revision that restores it.
        revision: Revision,
        /// The number of the revision whose record has what is restored.
        source: u32,
        /// When the chart is attempted again.
        until: Timestamp,
    },
    /// What is there is uninstalled.
    Uninstall(Removal),
    /// Nothing is done for now.
    Idle {
        /// When the chart is attempted again.
        until: Timestamp,
    },
}

impl Course {
    /// Whether another revision follows the newest one.
    pub fn begins(&self) -> bool {
        match self {
            Self::Release(revision) | Self::RollBack { revision, .. } => revision.phase.is_none(),
            Self::Keep { .. } | Self::Uninstall(_) | Self::Idle { .. } => false,
        }
    }
}

/// Why a release is uninstalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// Its HelmRelease is being deleted.
    Deletion,
    /// It has another name, another namespace, or another chart from now on.
    Move,
    /// A failed action is undone.
    Remediation,
}

/// What is known of a release.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'a> {
    /// What was released, newest first.
    pub history: &'a [Snapshot],
    /// The digest of the chart that was attempted last.
    pub chart_digest: Option<&'a str>,
    /// The namespace that the records were written to.
    pub storage_namespace: Option<&'a str>,
    /// Whose the newest record is.
    pub standing: &'a Standing,
    /// The records that there are.
    pub stored: &'a Stored,
    /// What was attempted last.
    pub attempted: Attempted,
}

/// What is wanted of a release.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// What it is to be.
    pub identity: &'a Identity,
    /// The namespace of its records.
    pub storage_namespace: &'a str,
    /// What is done when the name of the chart changes.
    pub chart_name_change: ChartNameChangeStrategy,
    /// `spec.interval`.
    pub interval: Duration,
    /// Whether a person or a changed spec asks for an attempt now, whatever waits there are.
    pub asked: bool,
    /// Whether a person asks for a new revision even if nothing changed. It passes the gate.
    pub forced: bool,
    /// What the gate says of an upgrade to that.
    pub gate: Verdict,
}

impl Wanted<'_> {
    /// What holds an action back that would begin: the gate holds upgrades, and those that a person forces pass it.
    pub fn holds(&self, begins: HelmAction) -> Option<Hold> {
        match (self.gate, begins) {
            (Verdict::Held(hold), HelmAction::Upgrade) if !self.forced => Some(hold),
            (Verdict::Held(_) | Verdict::Open, HelmAction::Install | HelmAction::Upgrade | HelmAction::Rollback) => {
                None
            }
        }
    }
}

/// Decides what a reconcile is about.
pub fn course(observed: &Observed<'_>, wanted: &Wanted<'_>, now: Timestamp) -> Course {
    let course = desired(observed, wanted, now);
    match held_back(&course, wanted) {
        Some(hold) => meanwhile(observed, hold.until(now, wanted.interval), now),
        None => course,
    }
}

/// What the upgrade waits for that would begin; `None` when none would, or when it may.
pub fn hold(observed: &Observed<'_>, wanted: &Wanted<'_>, now: Timestamp) -> Option<Hold> {
    held_back(&desired(observed, wanted, now), wanted)
}

fn held_back(course: &Course, wanted: &Wanted<'_>) -> Option<Hold> {
    match course {
        Course::Release(revision) if revision.phase.is_none() => wanted.holds(revision.action),
        Course::Release(_)
        | Course::Keep { .. }
        | Course::RollBack { .. }
        | Course::Uninstall(_)
        | Course::Idle { .. } => None,
    }
}

/// What goes on while an upgrade is held back.
fn meanwhile(observed: &Observed<'_>, until: Timestamp, now: Timestamp) -> Course {
    let idle = Course::Idle { until };
    match observed.standing {
        // The newest revision is not ours to go on with.
        Standing::Foreign { .. } | Standing::Gone | Standing::Busy { .. } | Standing::Taken { .. } => return idle,
        Standing::Own => {}
    }
    let undone = || failed(observed, now).filter(|course| matches!(course, Course::RollBack { .. }));
    let goes_on = match State::of(observed.history) {
        State::Upgrading | State::Deployed => keep(observed, until),
        State::TestFailed if observed.attempted.on_failure.ignores_tests() => keep(observed, until),
        // It is not uninstalled: what is installed after that is what the gate holds back.
        State::TestFailed | State::UpgradeFailed => undone().or_else(|| keep(observed, until)),
        State::RollingBack | State::RollbackFailed | State::RolledBack => go_on(observed, until),
        // What was never whole is not upgraded.
        State::Absent | State::Installing | State::InstallFailed | State::Uninstalling | State::Uninstalled => None,
    };
    goes_on.unwrap_or(idle)
}

/// Goes on with the newest revision, which is of the chart; `None` when there is no record of it.
fn keep(observed: &Observed<'_>, until: Timestamp) -> Option<Course> {
    let newest = observed.history.first()?;
    let revision = goes_on(newest);
    let is_recorded = observed.stored.contains_key(&newest.version);
    is_recorded.then_some(Course::Keep { revision, until })
}

/// What is to be done if no gate held it back.
fn desired(observed: &Observed<'_>, wanted: &Wanted<'_>, now: Timestamp) -> Course {
    if is_moved(observed.history.first(), observed.storage_namespace, wanted) {
        return Course::Uninstall(Removal::Move);
    }
    let known = Known {
        history: observed.history,
        chart_digest: observed.chart_digest,
        standing: observed.standing,
    };
    let release = || Course::Release(revision(known, wanted.identity, now));
    match observed.standing {
        Standing::Foreign { .. } | Standing::Gone => return release(),
        Standing::Own | Standing::Busy { .. } | Standing::Taken { .. } => {}
    }
    let anew = || Course::Release(begins(observed.history, now));
    let is_same = was_attempted(observed.history, observed.chart_digest, wanted.identity);
    let is_tried_now = !is_same || wanted.asked || wanted.forced;
    match State::of(observed.history) {
        State::Uninstalling => Course::Uninstall(Removal::Remediation),
        State::Uninstalled => match until(observed, wanted).filter(|until| !is_tried_now && *until > now) {
            Some(until) => Course::Idle { until },
            None => anew(),
        },
        State::Absent => release(),
        _ if !is_same || wanted.forced => anew(),
        State::Installing | State::Upgrading | State::Deployed => release(),
        State::TestFailed if observed.attempted.on_failure.ignores_tests() => release(),
        State::TestFailed | State::InstallFailed | State::UpgradeFailed => {
            failed(observed, now).unwrap_or_else(release)
        }
        State::RollingBack | State::RollbackFailed => go_on(observed, now).unwrap_or_else(anew),
        State::RolledBack => match until(observed, wanted).filter(|until| !is_tried_now && *until > now) {
            Some(until) => go_on(observed, until).unwrap_or(Course::Idle { until }),
            None => anew(),
        },
    }
}

/// Whether the release is another one from now on: Helm cannot rename or move one, so it is uninstalled where it was, as with Flux.
pub fn is_moved(newest: Option<&Snapshot>, storage_namespace: Option<&str>, wanted: &Wanted<'_>) -> bool {
    let Some(newest) = newest else {
        return false;
    };
    let Identity {
        release_name,
        namespace,
        chart_name,
        chart_version: _,
        app_version: _,
        chart_digest: _,
        oci_digest: _,
        config_digest: _,
        post_rendering: _,
    } = wanted.identity;
    let is_elsewhere = storage_namespace.is_some_and(|known| known != wanted.storage_namespace);
    let is_another_chart = match wanted.chart_name_change {
        ChartNameChangeStrategy::Reinstall => newest.chart_name != *chart_name,
        ChartNameChangeStrategy::InPlaceUpdate => false,
    };
    is_elsewhere || is_another_chart || newest.name != *release_name || newest.namespace != *namespace
}

/// What follows on a failed action; `None` when it is attempted again as it is.
fn failed(observed: &Observed<'_>, now: Timestamp) -> Option<Course> {
    let Attempted {
        action: _,
        on_failure,
        failures,
    } = observed.attempted;
    match remedy(on_failure, failures) {
        Remedy::Undo(RemediationStrategy::Uninstall) => Some(Course::Uninstall(Removal::Remediation)),
        Remedy::Undo(RemediationStrategy::Rollback) => {
            let newest = observed.history.first()?;
            let source = rollback_target(observed.stored, observed.history)?;
            let revision = Revision {
                action: HelmAction::Rollback,
                number: newest.version.saturating_add(1),
                began: now,
                phase: None,
            };
            let until = now;
            Some(Course::RollBack {
                revision,
                source,
                until,
            })
        }
        Remedy::Again | Remedy::Exhausted => None,
    }
}

/// Goes on with the newest revision, which is a rollback; `None` when there is no record of what it restores.
fn go_on(observed: &Observed<'_>, until: Timestamp) -> Option<Course> {
    let newest = observed.history.first()?;
    // What it wrote itself has the same manifest, and stays when older records go.
    let own = Some(newest.version).filter(|own| observed.stored.contains_key(own));
    let source = own.or_else(|| rollback_target(observed.stored, observed.history))?;
    let revision = Revision {
        action: HelmAction::Rollback,
        number: newest.version,
        began: newest.last_deployed.0,
        phase: Some(Phase::of(newest)),
    };
    Some(Course::RollBack {
        revision,
        source,
        until,
    })
}

/// The revision that a rollback restores: the last that was deployed, and that no test failed on. Its record has what is restored, so
/// revisions that another tool made count as well.
pub fn rollback_target(stored: &Stored, history: &[Snapshot]) -> Option<u32> {
    let newest = history.first()?.version;
    let has_failed = |revision: u32| {
        let mut snapshots = history.iter().filter(|snapshot| snapshot.version == revision);
        snapshots.any(has_failed_test)
    };
    let older = stored.range(..newest).rev();
    let mut since_install =
        older.take_while(|(_, record)| !matches!(record.status, Status::Uninstalled | Status::Uninstalling));
    since_install
        .find(|(revision, record)| {
            matches!(record.status, Status::Deployed | Status::Superseded) && !has_failed(**revision)
        })
        .map(|(revision, _)| *revision)
}

/// Whether the newest revision that was made of the chart is what is wanted.
pub fn was_attempted(history: &[Snapshot], chart_digest: Option<&str>, wanted: &Identity) -> bool {
    let attempted = history.iter().find(|snapshot| is_of_chart(snapshot));
    attempted.is_some_and(|attempted| describes(attempted, chart_digest, wanted))
}

/// Until when what was undone is left as it is; `None` when it is attempted again at once.
fn until(observed: &Observed<'_>, wanted: &Wanted<'_>) -> Option<Timestamp> {
    let newest = observed.history.first()?;
    let Attempted {
        action,
        on_failure,
        failures,
    } = observed.attempted;
    let since = newest.deleted.as_ref().unwrap_or(&newest.last_deployed).0;
    // What an upgrade took away has to come back.
    let has_to_come_back = newest.deleted.is_some() && action == ReleaseAction::Upgrade;
    if has_to_come_back || failures == 0 {
        return None;
    }
    let wait = if is_exhausted(on_failure, failures) {
        exhausted(failures_beyond(on_failure, failures), wanted.interval)
    } else {
        backoff(failures, wanted.interval)
    };
    since.checked_add(SignedDuration::try_from(wait).ok()?).ok()
}

#[cfg(test)]
mod diagram;
#[cfg(test)]
mod tests;
