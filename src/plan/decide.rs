//! The decision: what a reconcile is to do.
//!
//! Pure and total. It sees the newest snapshot of the status, the identity of what is desired, what is known of each
//! object, and the time; it returns data and does nothing.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::desired::Identity;
use super::retry::backoff;
use crate::api::helm_release::history::Snapshot;
use crate::api::helm_release::status::ReleaseAction;
use crate::ownership::ObjectReference;

/// Where the newest revision stands, read from Helm's word in the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// `pending-*`: its objects are being applied, or it is awaited that they become ready.
    Pending,
    /// `deployed`: all was applied and became ready.
    Deployed,
    /// `failed`: it was not applied, or did not become ready in time.
    Failed,
    /// `uninstalled`, `uninstalling`, `superseded` or a word that this version does not know: to be released anew.
    Gone,
}

impl Phase {
    /// Reads Helm's status word.
    pub fn of(snapshot: &Snapshot) -> Self {
        match snapshot.status.as_str() {
            "deployed" => Self::Deployed,
            "failed" => Self::Failed,
            status if status.starts_with("pending-") => Self::Pending,
            _ => Self::Gone,
        }
    }
}

/// Why an object is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// The ledger does not know it: never applied by this release.
    New,
    /// It does not exist any more.
    Missing,
    /// It was deleted and made anew by somebody else.
    Replaced,
    /// What the release wants of it differs from what was applied last.
    Intent,
    /// Somebody wrote to it since it was applied.
    Live,
}

/// The last failure, if the release's last attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// When it happened.
    pub at: Timestamp,
    /// How many there were in a row.
    pub count: u32,
}

/// Everything that deciding needs.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The newest snapshot of the status.
    pub newest: Option<&'a Snapshot>,
    /// Digest of the chart that the newest snapshot was made from.
    pub newest_chart_digest: Option<&'a str>,
    /// What is desired.
    pub desired: &'a Identity,
    /// For each desired object, in order, why it must be applied; `None` when it need not.
    pub changes: &'a [Option<Change>],
    /// Objects of the inventory that are no longer desired.
    pub leftovers: &'a [ObjectReference],
    /// The last failure.
    pub failure: Option<Failure>,
    /// Whether a person or a changed spec asks for an attempt now, whatever the backoff says.
    pub asked: bool,
    /// `spec.interval`.
    pub interval: Duration,
}

/// What a reconcile is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Begin a revision: record it, apply what changed, remove what is left over.
    Begin {
        /// Install or upgrade.
        action: ReleaseAction,
        /// Helm's number of the revision.
        revision: u32,
        /// What is written.
        writes: Writes,
    },
    /// Go on with the newest revision: it is pending, or it failed and its time has come, or live objects changed.
    Continue {
        /// Install or upgrade, whichever the revision is.
        action: ReleaseAction,
        /// What is written.
        writes: Writes,
    },
    /// Nothing is to be written. Readiness is still looked at when the revision is pending or failed.
    Settle {
        /// Install or upgrade, whichever the revision is.
        action: ReleaseAction,
    },
    /// The last attempt failed and it is too early for the next.
    Hold {
        /// When the next attempt is due.
        until: Timestamp,
    },
}

/// Objects to be written, as indices into the desired objects, and objects to be removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Writes {
    /// Indices of the objects to apply, in install order.
    pub apply: Vec<usize>,
    /// Objects to remove after that.
    pub remove: Vec<ObjectReference>,
}

impl Writes {
    fn is_empty(&self) -> bool {
        self.apply.is_empty() && self.remove.is_empty()
    }
}

/// Decides what a reconcile does.
pub fn decide(input: &Input<'_>, now: Timestamp) -> Plan {
    let Input { newest, newest_chart_digest, desired, changes, leftovers, failure, asked, interval } = *input;
    let writes = Writes {
        apply: changes.iter().enumerate().filter(|(_, change)| change.is_some()).map(|(index, _)| index).collect(),
        remove: leftovers.to_vec(),
    };
    let Some(newest) = newest else {
        return Plan::Begin { action: ReleaseAction::Install, revision: 1, writes };
    };
    let phase = Phase::of(newest);
    if phase == Phase::Gone {
        return Plan::Begin { action: ReleaseAction::Install, revision: newest.version.saturating_add(1), writes };
    }
    if !describes(newest, newest_chart_digest, desired) {
        let action = if has_been_deployed(newest) { ReleaseAction::Upgrade } else { ReleaseAction::Install };
        return Plan::Begin { action, revision: newest.version.saturating_add(1), writes };
    }
    let action = action_of(newest);
    if writes.is_empty() {
        return Plan::Settle { action };
    }
    match due(failure, asked, interval) {
        Some(until) if until > now => Plan::Hold { until },
        _ => Plan::Continue { action, writes },
    }
}

/// When the next attempt is due; `None` for at once.
fn due(failure: Option<Failure>, asked: bool, interval: Duration) -> Option<Timestamp> {
    let Failure { at, count } = failure.filter(|_| !asked)?;
    let wait = k8s_openapi::jiff::SignedDuration::try_from(backoff(count, interval)).ok()?;
    at.checked_add(wait).ok()
}

/// Whether the snapshot is of what is desired now.
fn describes(snapshot: &Snapshot, chart_digest: Option<&str>, desired: &Identity) -> bool {
    let Identity { release_name, namespace, chart_name, chart_version, app_version: _, chart_digest: wanted, config_digest } =
        desired;
    snapshot.name == *release_name
        && snapshot.namespace == *namespace
        && snapshot.chart_name == *chart_name
        && snapshot.chart_version == *chart_version
        && snapshot.config_digest == *config_digest
        && chart_digest == Some(wanted)
}

/// Whether the release was ever whole: an upgrade follows then, an install else.
fn has_been_deployed(newest: &Snapshot) -> bool {
    Phase::of(newest) == Phase::Deployed || action_of(newest) == ReleaseAction::Upgrade
}

/// Install or upgrade, whichever made the revision.
pub fn action_of(snapshot: &Snapshot) -> ReleaseAction {
    use crate::api::helm_release::history::SnapshotAction;
    match snapshot.action {
        Some(SnapshotAction::Upgrade | SnapshotAction::Rollback) => ReleaseAction::Upgrade,
        Some(SnapshotAction::Install | SnapshotAction::Uninstall | SnapshotAction::UninstallRemediation) | None => {
            ReleaseAction::Install
        }
    }
}
