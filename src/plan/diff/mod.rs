//! What applying a HelmRelease would change: from a comparison with the cluster to a report and a text for people.
//!
//! Pure. What would become of the objects is known from dry runs (`plan::shadow`); this adds what would become of the revisions, and
//! says whether there is any difference at all.

mod report;
#[cfg(test)]
mod tests;
mod text;

pub use report::{DiffReport, DiffReports, Verdict};
pub use text::{Line, Tone, lines};

use serde::Serialize;

use super::course::{Wanted, is_moved};
use super::gate;
use super::hooks::{Hook, When, event_of, of_event};
use super::outcome::HeldBack;
use super::revision::{Cause, Known, Revision, causes};
use super::shadow::ReleaseShadow;
use crate::api::helm_release::actions::HelmAction;
use crate::api::helm_release::history::Snapshot;
use crate::ownership::reference::ObjectReference;
use crate::ownership::shadow::Effect;

/// What would become of one release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseDiff {
    /// What would become of its objects.
    pub release: ReleaseShadow,
    /// The newest revision that there is.
    pub newest: Option<Newest>,
    /// The revision that would begin; `None` if none would.
    pub next: Option<Next>,
    /// Objects that leave the release, and stay in the cluster because an annotation says so.
    pub kept: Vec<ObjectReference>,
    /// Whether nothing is done before somebody resumes the release.
    pub is_suspended: bool,
}

/// The newest revision of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Newest {
    /// Helm's number of it.
    pub number: u32,
    /// Name and version of its chart.
    pub chart: String,
    /// Helm's word for where it stands.
    pub status: String,
}

impl Newest {
    /// Of a history, newest first.
    pub fn of(history: &[Snapshot]) -> Option<Self> {
        history.first().map(|newest| Self {
            number: newest.version,
            chart: format!("{}@{}", newest.chart_name, newest.chart_version),
            status: newest.status.clone(),
        })
    }
}

/// A revision that would begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Next {
    /// Helm's number of it.
    pub number: u32,
    /// What would make it: `install` or `upgrade`.
    pub action: &'static str,
    /// What differs from the newest revision; empty for the first one.
    pub because: Vec<Cause>,
    /// Whether the release is uninstalled where it is before that, because it has another name, place or chart from now on.
    pub reinstalls: bool,
    /// The chart's hooks that would be run, in their order.
    pub hooks: Vec<NextHook>,
    /// What it would wait for before it begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
}

/// That a revision would not begin yet, because the release's gate holds it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// As the condition `Held` has it: `AwaitingApproval` or `WindowClosed`.
    pub reason: &'static str,
    /// What lets it begin, for people.
    pub message: String,
    /// What stands for it, and approves it as the value of an annotation; `None` for a [`ChartOrigin::Given`] chart, whose digest the
    /// operator will not find.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
}

impl Held {
    fn of(held: HeldBack<'_>, origin: ChartOrigin) -> Self {
        let change = match origin {
            ChartOrigin::Source => Some(gate::change(held.identity)),
            ChartOrigin::Given => None,
        };
        let (reason, message) = held.why(change.as_deref());
        Self {
            reason: reason.as_str(),
            message,
            change,
        }
    }
}

/// A hook that would be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NextHook {
    /// When.
    pub event: &'static str,
    /// Kind of its object.
    pub kind: String,
    /// Name of its object.
    pub name: String,
}

/// Where the chart comes from that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChartOrigin {
    /// From where the release says.
    Source,
    /// From this machine. Its digest says nothing: it was packed by somebody else, or not at all.
    Given,
}

/// The HelmRelease that is compared.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Where its chart comes from.
    pub origin: ChartOrigin,
}

/// The revision that would begin; `None` if none would.
pub fn next(
    known: Known<'_>,
    storage_namespace: Option<&str>,
    wanted: &Wanted<'_>,
    revision: &Revision,
    hooks: &[Hook],
    subject: Subject<'_>,
) -> Option<Next> {
    let Subject {
        namespace,
        name,
        origin,
    } = subject;
    if revision.phase.is_some() {
        return None;
    }
    let newest = known.history.first();
    let mut because = newest.map_or_else(Vec::new, |newest| causes(newest, known.chart_digest, wanted.identity));
    if origin == ChartOrigin::Given {
        let before = because.len();
        because.retain(|cause| *cause != Cause::ChartContent);
        if before > 0 && because.is_empty() {
            return None;
        }
    }
    if newest.is_some() && because.is_empty() {
        because.push(Cause::Status);
    }
    let reinstalls = is_moved(newest, storage_namespace, wanted);
    let (number, action) = if reinstalls {
        (1, HelmAction::Install)
    } else {
        (revision.number, revision.action)
    };
    let held = wanted.holds(action).map(|hold| {
        let held = HeldBack {
            hold,
            identity: wanted.identity,
            namespace,
            name,
        };
        Held::of(held, origin)
    });
    let events = [When::Before, When::After].map(|when| event_of(action, when));
    let hooks = events.into_iter().flat_map(|event| {
        of_event(hooks, event).into_iter().map(move |hook| NextHook {
            event: event.name(),
            kind: hook.kind.clone(),
            name: hook.name.clone(),
        })
    });
    Some(Next {
        number,
        action: match action {
            HelmAction::Install => "install",
            HelmAction::Upgrade => "upgrade",
            HelmAction::Rollback => "rollback",
        },
        because,
        reinstalls,
        hooks: hooks.collect(),
        held,
    })
}

impl ReleaseDiff {
    /// Whether anything would be written, but for the status of the HelmRelease.
    pub fn differs(&self) -> bool {
        let Self {
            release,
            newest: _,
            next,
            kept,
            is_suspended: _,
        } = self;
        next.is_some()
            || !kept.is_empty()
            || !release.removed.is_empty()
            || release.objects.iter().any(|object| object.effect != Effect::Unchanged)
    }
}
