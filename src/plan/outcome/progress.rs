//! How the newest snapshot and the counters go on.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use super::Outcome;
use crate::api::helm_release::HelmReleaseStatus;
use crate::api::helm_release::actions::HelmAction;
use crate::api::helm_release::history::{ApplyMethod, MAX_HISTORY, SNAPSHOT_API_VERSION, Snapshot, SnapshotAction};
use crate::plan::course::Removal;
use crate::plan::remedy::Aftermath;
use crate::plan::revision::{Identity, PostRenderingDigests, Revision};

/// Records that a revision begins: a new newest snapshot, and what the attempt is made of. `first_deployed` is what the records of
/// another tool say of a release that is taken over.
pub fn begin(
    status: &mut HelmReleaseStatus,
    desired: &Identity,
    revision: &Revision,
    apply_method: ApplyMethod,
    first_deployed: Option<Timestamp>,
) {
    let Revision {
        action,
        number,
        began,
        phase: _,
    } = *revision;
    let began = Time(began);
    // Revisions of a release that somebody uninstalled meanwhile are not this release's.
    status.history.retain(|snapshot| snapshot.version < number);
    let oldest = status.history.last().map(|oldest| oldest.first_deployed.clone());
    let first_deployed = oldest
        .or_else(|| first_deployed.map(Time))
        .unwrap_or_else(|| began.clone());
    if let Some(previous) = status
        .history
        .first_mut()
        .filter(|previous| previous.status.starts_with("pending-"))
    {
        "failed".clone_into(&mut previous.status); // it was overtaken by a newer desired state
    }
    let Identity {
        release_name,
        namespace,
        chart_name,
        chart_version,
        app_version,
        chart_digest,
        oci_digest,
        config_digest,
        post_rendering: PostRenderingDigests {
            post_renderers,
            common_metadata,
        },
    } = desired.clone();
    if let Some(attempted) = action.of_chart() {
        status.last_attempted_revision = Some(chart_version.clone());
        status.last_attempted_revision_digest = Some(chart_digest);
        status.last_attempted_config_digest = Some(config_digest.clone());
        status.last_attempted_release_action = Some(attempted);
    }
    let snapshot = Snapshot {
        api_version: Some(SNAPSHOT_API_VERSION.to_owned()),
        digest: String::new(), // of Helm's record, which there is none of yet
        manifest_digest: None,
        action: Some(match action {
            HelmAction::Install => SnapshotAction::Install,
            HelmAction::Upgrade => SnapshotAction::Upgrade,
            HelmAction::Rollback => SnapshotAction::Rollback,
        }),
        apply_method,
        name: release_name,
        namespace,
        version: number,
        status: format!("pending-{}", action.verb()),
        chart_name,
        chart_version,
        app_version,
        config_digest,
        post_renderers_digest: post_renderers,
        common_metadata_digest: common_metadata,
        oci_digest,
        first_deployed,
        last_deployed: began,
        deleted: None,
        hooks: std::collections::BTreeMap::new(),
        test_hooks: std::collections::BTreeMap::new(),
        plugins: Vec::new(),
    };
    status.history.insert(0, snapshot);
    status.history.truncate(MAX_HISTORY);
}

/// Moves the newest snapshot to Helm's word for where it stands now.
pub(super) fn move_newest(status: &mut HelmReleaseStatus, outcome: &Outcome, now: &Time) {
    let Some(word) = word(status, outcome) else { return };
    for (position, snapshot) in status.history.iter_mut().enumerate() {
        if position == 0 {
            word.clone_into(&mut snapshot.status);
        } else if word == "deployed" && snapshot.status == "deployed" {
            "superseded".clone_into(&mut snapshot.status);
        }
    }
    let Some(newest) = status.history.first_mut() else {
        return;
    };
    if let Outcome::Uninstalling { why, .. } | Outcome::UninstallFailed { why, .. } = outcome {
        newest.action = match why {
            Removal::Remediation => Some(SnapshotAction::UninstallRemediation),
            Removal::Move => Some(SnapshotAction::Uninstall),
            Removal::Deletion => newest.action,
        };
    }
    if let Outcome::Removed { .. } = outcome {
        newest.deleted.get_or_insert_with(|| now.clone());
    }
}

/// Helm's word for where the newest revision stands now; `None` when that is as before.
fn word(status: &HelmReleaseStatus, outcome: &Outcome) -> Option<&'static str> {
    let is = |word| status.history.first().is_some_and(|newest| newest.status == word);
    match outcome {
        Outcome::Deployed { .. }
        | Outcome::Testing { .. }
        | Outcome::Tested { .. }
        | Outcome::TestFailed { .. }
        | Outcome::RolledBack { .. } => Some("deployed"),
        // A revision that failed is attempted again.
        Outcome::Progressing { action, .. } if is("failed") => Some(match action {
            HelmAction::Install => "pending-install",
            HelmAction::Upgrade => "pending-upgrade",
            HelmAction::Rollback => "pending-rollback",
        }),
        // A revision that was once whole stays deployed when a later correction of it fails.
        Outcome::Failed { .. } | Outcome::Conflicted { .. } if !is("deployed") => Some("failed"),
        Outcome::Uninstalling { .. } | Outcome::UninstallFailed { .. } => Some("uninstalling"),
        Outcome::Removed { .. } => Some("uninstalled"),
        Outcome::Failed { .. }
        | Outcome::Conflicted { .. }
        | Outcome::Blocked { .. }
        | Outcome::Progressing { .. }
        | Outcome::Compared { .. }
        | Outcome::Held
        | Outcome::Standing
        | Outcome::Suspended => None,
    }
}

/// Says what the newest snapshot, which is whole now, was changed by after rendering.
fn observe_post_rendering(status: &mut HelmReleaseStatus) {
    if let Some(newest) = status.history.first() {
        status
            .observed_post_renderers_digest
            .clone_from(&newest.post_renderers_digest);
        status
            .observed_common_metadata_digest
            .clone_from(&newest.common_metadata_digest);
    }
}

/// Counts failures; a success ends the count.
pub(super) fn count(status: &mut HelmReleaseStatus, outcome: &Outcome) {
    match outcome {
        Outcome::Deployed { .. }
        | Outcome::Tested { .. }
        | Outcome::TestFailed {
            ignored: true,
            aftermath: Aftermath::Uncounted,
            ..
        } => {
            forget_failures(status);
            observe_post_rendering(status);
        }
        Outcome::Failed { action, aftermath, .. }
        | Outcome::Conflicted { action, aftermath, .. }
        | Outcome::TestFailed { action, aftermath, .. } => {
            status.failures += 1;
            match (action, aftermath) {
                (_, Aftermath::Uncounted) | (HelmAction::Rollback, _) => {}
                (HelmAction::Install, _) => status.install_failures += 1,
                (HelmAction::Upgrade, _) => status.upgrade_failures += 1,
            }
        }
        Outcome::UninstallFailed { .. } => status.failures += 1,
        Outcome::Blocked { .. }
        | Outcome::Progressing { .. }
        | Outcome::Testing { .. }
        | Outcome::Compared { .. }
        | Outcome::RolledBack { .. }
        | Outcome::Removed { .. }
        | Outcome::Uninstalling { .. }
        | Outcome::Held
        | Outcome::Standing
        | Outcome::Suspended => {}
    }
}

/// Forgets the failures: the release succeeded, something else is desired, or a person asks for it.
pub fn forget_failures(status: &mut HelmReleaseStatus) {
    status.failures = 0;
    status.install_failures = 0;
    status.upgrade_failures = 0;
}

/// Forgets a release that was uninstalled where it was, so that it is installed where it is to be.
pub fn moved(status: &mut HelmReleaseStatus) {
    forget_failures(status);
    status.history.clear();
    status.inventory = None;
    status.storage_namespace = None;
}
