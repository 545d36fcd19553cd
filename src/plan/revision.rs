//! Which revision of a release a reconcile is about: the newest one, or one that begins now.
//!
//! Pure. It is decided before rendering, because templates see the revision's number and whether it is an upgrade; the
//! time at which a revision began is the time that its templates see, so that rendering it again gives the same bytes.

use k8s_openapi::jiff::Timestamp;

use crate::api::helm_release::history::{Snapshot, SnapshotAction};
use crate::api::helm_release::status::ReleaseAction;

/// What identifies a revision of a release: a new one begins when any of it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Name of the Helm release.
    pub release_name: String,
    /// Namespace that the objects are released to.
    pub namespace: String,
    /// Name of the chart, from its Chart.yaml.
    pub chart_name: String,
    /// Version of the chart, from its Chart.yaml.
    pub chart_version: String,
    /// `appVersion` of the chart.
    pub app_version: Option<String>,
    /// `sha256:...` of the chart's archive.
    pub chart_digest: String,
    /// `sha256:...` of the values that the user gave.
    pub config_digest: String,
}

/// Where the newest revision stands, read from Helm's word in its snapshot.
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

/// The revision that a reconcile is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// Install or upgrade.
    pub action: ReleaseAction,
    /// Helm's number of the revision.
    pub number: u32,
    /// When it began.
    pub began: Timestamp,
    /// Where it stands; `None` for one that begins now.
    pub phase: Option<Phase>,
}

/// Decides which revision a reconcile is about. `newest_chart_digest` is that of the chart of the newest snapshot.
pub fn revision(
    newest: Option<&Snapshot>,
    newest_chart_digest: Option<&str>,
    desired: &Identity,
    now: Timestamp,
) -> Revision {
    let begins = |action, number| Revision {
        action,
        number,
        began: now,
        phase: None,
    };
    let Some(newest) = newest else {
        return begins(ReleaseAction::Install, 1);
    };
    let following = newest.version.saturating_add(1);
    match Phase::of(newest) {
        Phase::Gone => begins(ReleaseAction::Install, following),
        _ if !describes(newest, newest_chart_digest, desired) => {
            let action = if was_whole(newest) {
                ReleaseAction::Upgrade
            } else {
                ReleaseAction::Install
            };
            begins(action, following)
        }
        phase => Revision {
            action: action_of(newest),
            number: newest.version,
            began: newest.last_deployed.0,
            phase: Some(phase),
        },
    }
}

/// Whether the snapshot is of what is desired now.
fn describes(snapshot: &Snapshot, chart_digest: Option<&str>, desired: &Identity) -> bool {
    let Identity {
        release_name,
        namespace,
        chart_name,
        chart_version,
        app_version: _, // follows from the chart's digest
        chart_digest: wanted,
        config_digest,
    } = desired;
    snapshot.name == *release_name
        && snapshot.namespace == *namespace
        && snapshot.chart_name == *chart_name
        && snapshot.chart_version == *chart_version
        && snapshot.config_digest == *config_digest
        && chart_digest == Some(wanted)
}

/// Whether the release was ever deployed: what follows is an upgrade then, an install else.
fn was_whole(newest: &Snapshot) -> bool {
    Phase::of(newest) == Phase::Deployed || action_of(newest) == ReleaseAction::Upgrade
}

/// Install or upgrade, whichever made the revision.
fn action_of(snapshot: &Snapshot) -> ReleaseAction {
    match snapshot.action {
        Some(SnapshotAction::Upgrade | SnapshotAction::Rollback) => ReleaseAction::Upgrade,
        Some(SnapshotAction::Install | SnapshotAction::Uninstall | SnapshotAction::UninstallRemediation) | None => {
            ReleaseAction::Install
        }
    }
}
