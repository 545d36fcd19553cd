//! Where a release stands, read from its history.
//!
//! Pure and total. Everything that the state machine has to survive a crash with stands in the status, so nothing else is asked.

use crate::api::helm_release::history::{Snapshot, SnapshotAction};
use crate::release::Status;

/// Where a release stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Nothing was released, or somebody took it away.
    Absent,
    /// An install is under way.
    Installing,
    /// An upgrade is under way.
    Upgrading,
    /// All is applied and ready.
    Deployed,
    /// All is applied and ready, and a test of the chart failed.
    TestFailed,
    /// An install failed.
    InstallFailed,
    /// An upgrade failed.
    UpgradeFailed,
    /// An earlier revision is being restored after a failure.
    RollingBack,
    /// An earlier revision could not be restored.
    RollbackFailed,
    /// An earlier revision was restored after a failure.
    RolledBack,
    /// The release is being uninstalled after a failure.
    Uninstalling,
    /// The release was uninstalled after a failure.
    Uninstalled,
}

impl State {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Absent,
        Self::Installing,
        Self::Upgrading,
        Self::Deployed,
        Self::TestFailed,
        Self::InstallFailed,
        Self::UpgradeFailed,
        Self::RollingBack,
        Self::RollbackFailed,
        Self::RolledBack,
        Self::Uninstalling,
        Self::Uninstalled,
    ];

    /// Reads the history, newest first.
    pub fn of(history: &[Snapshot]) -> Self {
        let Some(newest) = history.first() else {
            return Self::Absent;
        };
        let action = newest.action.unwrap_or(SnapshotAction::Install);
        match Status::from_word(&newest.status) {
            Status::Deployed if action == SnapshotAction::Rollback => Self::RolledBack,
            Status::Deployed if has_failed_test(newest) => Self::TestFailed,
            Status::Deployed => Self::Deployed,
            Status::PendingInstall | Status::PendingUpgrade | Status::PendingRollback => match action {
                SnapshotAction::Rollback => Self::RollingBack,
                SnapshotAction::Upgrade => Self::Upgrading,
                SnapshotAction::Install | SnapshotAction::Uninstall | SnapshotAction::UninstallRemediation => {
                    Self::Installing
                }
            },
            Status::Failed => match action {
                SnapshotAction::Rollback => Self::RollbackFailed,
                SnapshotAction::Upgrade => Self::UpgradeFailed,
                SnapshotAction::Install | SnapshotAction::Uninstall | SnapshotAction::UninstallRemediation => {
                    Self::InstallFailed
                }
            },
            Status::Uninstalling if action == SnapshotAction::UninstallRemediation => Self::Uninstalling,
            Status::Uninstalled if action == SnapshotAction::UninstallRemediation => Self::Uninstalled,
            Status::Uninstalling | Status::Uninstalled | Status::Superseded | Status::Unknown => Self::Absent,
        }
    }
}

/// Whether a test of the chart failed on this revision.
pub fn has_failed_test(snapshot: &Snapshot) -> bool {
    let mut tests = snapshot.test_hooks.values();
    tests.any(|test| test.phase.as_deref() == Some("Failed"))
}
