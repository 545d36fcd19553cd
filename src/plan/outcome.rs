//! Outcome -> status: how a reconcile ended becomes conditions, the newest snapshot, and counters.
//!
//! Pure. A status is made only here, and only from an outcome.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use super::revision::{Identity, Revision};
use crate::api::conditions::{self, ConditionStatus, ConditionType, ConditionUpdate, Reason};
use crate::api::helm_release::HelmReleaseStatus;
use crate::api::helm_release::history::{MAX_HISTORY, SNAPSHOT_API_VERSION, Snapshot, SnapshotAction};
use crate::api::helm_release::status::ReleaseAction;

/// How a reconcile ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The desired state could not be made out: no attempt was made.
    Blocked {
        /// Why.
        reason: Reason,
        /// What, where, and the way out.
        message: String,
        /// Whether trying again may help without anybody changing anything.
        retryable: bool,
    },
    /// An attempt begins or goes on.
    Progressing {
        /// Install or upgrade.
        action: ReleaseAction,
        /// What is done or waited for.
        progress: String,
    },
    /// All is applied and ready.
    Deployed {
        /// Install or upgrade.
        action: ReleaseAction,
        /// Name and version of the chart.
        chart: String,
    },
    /// What the release would do was found out, and nothing was written: it is in shadow mode.
    Compared {
        /// What it would do, in a line.
        summary: String,
        /// Whether it could be applied as it is.
        applies: bool,
    },
    /// The policy stopped the attempt because of a conflict.
    Conflicted {
        /// Install or upgrade.
        action: ReleaseAction,
        /// `ConflictFailed`, `ConflictRetrying` or `ConflictHandedOff`.
        reason: Reason,
        /// The contested fields.
        message: String,
    },
    /// The attempt failed.
    Failed {
        /// Install or upgrade.
        action: ReleaseAction,
        /// The object, the field and the way out.
        message: String,
        /// Whether trying again may help without anybody changing anything.
        retryable: bool,
    },
    /// The release is being uninstalled.
    Uninstalling {
        /// What is waited for.
        progress: String,
    },
    /// Uninstalling failed and will be tried again.
    UninstallFailed {
        /// The object and the way out.
        message: String,
    },
    /// Nothing new: the last verdict stands.
    Standing,
    /// `spec.suspend` is set.
    Suspended,
}

/// How a reconcile ended, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// There is nothing left to do.
    Succeeded,
    /// It goes on, or waits for something.
    Waiting,
    /// The policy stopped it because of a contested field.
    Conflicted,
    /// It failed.
    Failed,
}

impl Verdict {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Succeeded, Self::Waiting, Self::Conflicted, Self::Failed];

    /// The name as a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "Succeeded",
            Self::Waiting => "Waiting",
            Self::Conflicted => "Conflicted",
            Self::Failed => "Failed",
        }
    }
}

/// The category of a reconcile that says nothing new.
const STANDING: &str = "Standing";
/// The category of a reconcile after which the release no longer exists.
pub const GONE: &str = "Gone";
/// The category of a reconcile that lost a race and is made again at once.
pub const RACE: &str = "Race";
/// The categories that are no reasons.
pub const OTHER_CATEGORIES: [&str; 3] = [STANDING, GONE, RACE];

impl Outcome {
    /// The outcome in short, for the metric.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Blocked {
                reason: Reason::DependencyNotReady | Reason::SourceNotReady,
                ..
            }
            | Self::Progressing { .. }
            | Self::Uninstalling { .. }
            | Self::Standing => Verdict::Waiting,
            Self::Deployed { .. } | Self::Compared { .. } | Self::Suspended => Verdict::Succeeded,
            Self::Conflicted { .. } => Verdict::Conflicted,
            Self::Blocked { .. } | Self::Failed { .. } | Self::UninstallFailed { .. } => Verdict::Failed,
        }
    }

    /// The outcome in a word, for the metric.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Blocked { reason, .. } | Self::Conflicted { reason, .. } => reason.as_str(),
            Self::Progressing { .. } | Self::Uninstalling { .. } => Reason::Progressing.as_str(),
            Self::Deployed { action, .. } => succeeded(*action).as_str(),
            Self::Compared { .. } => Reason::ShadowCompared.as_str(),
            Self::Failed { action, .. } => failed(*action).as_str(),
            Self::UninstallFailed { .. } => Reason::UninstallFailed.as_str(),
            Self::Standing => STANDING,
            Self::Suspended => Reason::Suspended.as_str(),
        }
    }
}

fn succeeded(action: ReleaseAction) -> Reason {
    match action {
        ReleaseAction::Install => Reason::InstallSucceeded,
        ReleaseAction::Upgrade => Reason::UpgradeSucceeded,
    }
}

fn failed(action: ReleaseAction) -> Reason {
    match action {
        ReleaseAction::Install => Reason::InstallFailed,
        ReleaseAction::Upgrade => Reason::UpgradeFailed,
    }
}

/// The verb in messages and in Helm's `pending-*` statuses.
pub fn verb(action: ReleaseAction) -> &'static str {
    match action {
        ReleaseAction::Install => "install",
        ReleaseAction::Upgrade => "upgrade",
    }
}

/// Records that a revision begins: a new newest snapshot, and what the attempt is made of. `first_deployed` is what the records of
/// another tool say of a release that is taken over.
pub fn begin(
    status: &mut HelmReleaseStatus,
    desired: &Identity,
    revision: &Revision,
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
        config_digest,
    } = desired.clone();
    status.last_attempted_revision = Some(chart_version.clone());
    status.last_attempted_revision_digest = Some(chart_digest);
    status.last_attempted_config_digest = Some(config_digest.clone());
    status.last_attempted_release_action = Some(action);
    status.failures = 0;
    status.install_failures = 0;
    status.upgrade_failures = 0;
    let snapshot = Snapshot {
        api_version: Some(SNAPSHOT_API_VERSION.to_owned()),
        digest: String::new(), // of Helm's record, which there is none of yet
        manifest_digest: None,
        action: Some(match action {
            ReleaseAction::Install => SnapshotAction::Install,
            ReleaseAction::Upgrade => SnapshotAction::Upgrade,
        }),
        name: release_name,
        namespace,
        version: number,
        status: format!("pending-{}", verb(action)),
        chart_name,
        chart_version,
        app_version,
        config_digest,
        oci_digest: None,
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

/// Records how a reconcile ended in conditions, the newest snapshot and the counters.
pub fn record(status: &mut HelmReleaseStatus, outcome: &Outcome, generation: i64, now: &Time) {
    use ConditionStatus::{False, True, Unknown};
    use ConditionType::{Ready, Reconciling, Released, Stalled};

    move_newest(status, outcome);
    count(status, outcome);
    let mut set = |type_, holds: ConditionStatus, reason, message: &str| {
        conditions::set(
            &mut status.conditions,
            ConditionUpdate::new(type_, holds, reason, message),
            Some(generation),
            now,
        );
    };
    let (mut reconciling, mut stalled) = (false, false);
    match outcome {
        Outcome::Blocked {
            reason,
            message,
            retryable,
        } => {
            set(Ready, False, *reason, message);
            if *retryable {
                set(Reconciling, True, Reason::ProgressingWithRetry, message);
                reconciling = true;
            } else {
                set(Stalled, True, *reason, message);
                stalled = true;
            }
        }
        Outcome::Progressing { action: _, progress } => {
            set(Ready, Unknown, Reason::Progressing, progress);
            set(Reconciling, True, Reason::Progressing, progress);
            reconciling = true;
        }
        Outcome::Deployed { action, chart } => {
            let message = format!("Helm {} succeeded: chart {chart}", verb(*action));
            set(Ready, True, succeeded(*action), &message);
            set(Released, True, succeeded(*action), &message);
        }
        // What the spec asks for is done. What the release would do stands in its message, in `Conflicted` and in `Drifted`.
        Outcome::Compared { summary, applies: _ } => set(Ready, True, Reason::ShadowCompared, summary),
        Outcome::Conflicted {
            action,
            reason,
            message,
        } => {
            set(Ready, False, *reason, message);
            set(Released, False, failed(*action), message);
            if *reason == Reason::ConflictHandedOff {
                set(Stalled, True, *reason, message);
                stalled = true;
            } else {
                set(Reconciling, True, Reason::ProgressingWithRetry, message);
                reconciling = true;
            }
        }
        Outcome::Failed {
            action,
            message,
            retryable,
        } => {
            set(Ready, False, failed(*action), message);
            set(Released, False, failed(*action), message);
            if *retryable {
                set(Reconciling, True, Reason::ProgressingWithRetry, message);
                reconciling = true;
            } else {
                set(Stalled, True, failed(*action), message);
                stalled = true;
            }
        }
        Outcome::Uninstalling { progress } => {
            set(Ready, False, Reason::Progressing, progress);
            set(Reconciling, True, Reason::Progressing, progress);
            reconciling = true;
        }
        Outcome::UninstallFailed { message } => {
            set(Ready, False, Reason::UninstallFailed, message);
            set(Reconciling, True, Reason::ProgressingWithRetry, message);
            reconciling = true;
        }
        // The last verdict stands, also while nobody looks.
        Outcome::Standing | Outcome::Suspended => {
            status.observed_generation = Some(generation);
            return;
        }
    }
    if !reconciling {
        conditions::remove(&mut status.conditions, Reconciling);
    }
    if !stalled {
        conditions::remove(&mut status.conditions, Stalled);
    }
    status.observed_generation = Some(generation);
}

/// Moves the newest snapshot to Helm's word for where it stands now.
fn move_newest(status: &mut HelmReleaseStatus, outcome: &Outcome) {
    let word = match outcome {
        Outcome::Deployed { .. } => "deployed",
        // A revision that failed is attempted again.
        Outcome::Progressing { action, .. }
            if status.history.first().is_some_and(|newest| newest.status == "failed") =>
        {
            match action {
                ReleaseAction::Install => "pending-install",
                ReleaseAction::Upgrade => "pending-upgrade",
            }
        }
        // A revision that was once whole stays deployed when a later correction of it fails.
        Outcome::Failed { .. } | Outcome::Conflicted { .. }
            if status.history.first().is_some_and(|newest| newest.status != "deployed") =>
        {
            "failed"
        }
        Outcome::Uninstalling { .. } | Outcome::UninstallFailed { .. } => "uninstalling",
        Outcome::Failed { .. }
        | Outcome::Conflicted { .. }
        | Outcome::Blocked { .. }
        | Outcome::Progressing { .. }
        | Outcome::Compared { .. }
        | Outcome::Standing
        | Outcome::Suspended => return,
    };
    for (position, snapshot) in status.history.iter_mut().enumerate() {
        if position == 0 {
            word.clone_into(&mut snapshot.status);
        } else if word == "deployed" && snapshot.status == "deployed" {
            "superseded".clone_into(&mut snapshot.status);
        }
    }
}

fn count(status: &mut HelmReleaseStatus, outcome: &Outcome) {
    match outcome {
        Outcome::Deployed { .. } => {
            status.failures = 0;
            status.install_failures = 0;
            status.upgrade_failures = 0;
        }
        Outcome::Failed { action, .. } | Outcome::Conflicted { action, .. } => {
            status.failures += 1;
            match action {
                ReleaseAction::Install => status.install_failures += 1,
                ReleaseAction::Upgrade => status.upgrade_failures += 1,
            }
        }
        Outcome::UninstallFailed { .. } => status.failures += 1,
        Outcome::Blocked { .. }
        | Outcome::Progressing { .. }
        | Outcome::Compared { .. }
        | Outcome::Uninstalling { .. }
        | Outcome::Standing
        | Outcome::Suspended => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Time {
        Time(Timestamp::from_second(second).unwrap())
    }

    fn begun(action: ReleaseAction, number: u32, status: &mut HelmReleaseStatus) {
        let identity = Identity {
            release_name: "shop".into(),
            namespace: "prod".into(),
            chart_name: "shop".into(),
            chart_version: "1.0.0".into(),
            app_version: None,
            chart_digest: "sha256:chart".into(),
            config_digest: "sha256:values".into(),
        };
        let began = at(i64::from(number)).0;
        begin(
            status,
            &identity,
            &Revision {
                action,
                number,
                began,
                phase: None,
            },
            None,
        );
    }

    fn conditions(status: &HelmReleaseStatus) -> Vec<(&str, &str, &str)> {
        let all = status.conditions.iter();
        all.map(|found| (found.type_.as_str(), found.status.as_str(), found.reason.as_str()))
            .collect()
    }

    fn deployed(action: ReleaseAction) -> Outcome {
        Outcome::Deployed {
            action,
            chart: "shop@1.0.0".into(),
        }
    }

    fn failed(retryable: bool) -> Outcome {
        Outcome::Failed {
            action: ReleaseAction::Upgrade,
            message: "no".into(),
            retryable,
        }
    }

    #[test]
    fn an_install_goes_from_progressing_to_ready() {
        let mut status = HelmReleaseStatus::default();
        begun(ReleaseAction::Install, 1, &mut status);
        let progress = Outcome::Progressing {
            action: ReleaseAction::Install,
            progress: "0/1".into(),
        };
        record(&mut status, &progress, 1, &at(1));
        assert_eq!(
            conditions(&status),
            [
                ("Ready", "Unknown", "Progressing"),
                ("Reconciling", "True", "Progressing")
            ]
        );
        assert_eq!(status.history[0].status, "pending-install");
        record(&mut status, &deployed(ReleaseAction::Install), 1, &at(2));
        assert_eq!(
            conditions(&status),
            [
                ("Ready", "True", "InstallSucceeded"),
                ("Released", "True", "InstallSucceeded")
            ]
        );
        assert_eq!(
            (status.history[0].status.as_str(), status.observed_generation),
            ("deployed", Some(1))
        );
    }

    #[test]
    fn a_comparison_is_ready_and_moves_nothing_of_what_was_applied() {
        let mut status = HelmReleaseStatus::default();
        begun(ReleaseAction::Install, 1, &mut status);
        record(&mut status, &failed(true), 1, &at(2));
        let before = (status.history.clone(), status.failures);
        let compared = Outcome::Compared {
            summary: "nothing was written".into(),
            applies: false,
        };
        record(&mut status, &compared, 2, &at(3));
        assert_eq!((status.history.clone(), status.failures), before);
        assert_eq!(
            conditions(&status),
            [
                ("Ready", "True", "ShadowCompared"),
                ("Released", "False", "UpgradeFailed")
            ]
        );
    }

    #[test]
    fn the_same_outcome_twice_gives_the_same_status() {
        let mut status = HelmReleaseStatus::default();
        begun(ReleaseAction::Install, 1, &mut status);
        record(&mut status, &deployed(ReleaseAction::Install), 1, &at(2));
        let before = status.clone();
        record(&mut status, &deployed(ReleaseAction::Install), 1, &at(99));
        assert_eq!(status, before);
        record(&mut status, &Outcome::Standing, 1, &at(100));
        assert_eq!(status, before);
    }

    #[test]
    fn a_failed_upgrade_leaves_the_last_good_revision_deployed() {
        let mut status = HelmReleaseStatus::default();
        begun(ReleaseAction::Install, 1, &mut status);
        record(&mut status, &deployed(ReleaseAction::Install), 1, &at(1));
        begun(ReleaseAction::Upgrade, 2, &mut status);
        record(&mut status, &failed(true), 2, &at(2));
        let words: Vec<&str> = status.history.iter().map(|snapshot| snapshot.status.as_str()).collect();
        assert_eq!(words, ["failed", "deployed"]);
        assert_eq!(
            (status.failures, status.upgrade_failures, status.install_failures),
            (1, 1, 0)
        );
        record(&mut status, &deployed(ReleaseAction::Upgrade), 2, &at(3));
        let words: Vec<&str> = status.history.iter().map(|snapshot| snapshot.status.as_str()).collect();
        assert_eq!(
            (words.as_slice(), status.failures),
            (["deployed", "superseded"].as_slice(), 0)
        );
        assert_eq!(status.history[0].first_deployed, at(1));
    }

    #[test]
    fn an_attempt_at_a_failed_revision_is_pending_again() {
        let mut status = HelmReleaseStatus::default();
        begun(ReleaseAction::Upgrade, 2, &mut status);
        record(&mut status, &failed(true), 1, &at(1));
        let progress = Outcome::Progressing {
            action: ReleaseAction::Upgrade,
            progress: "again".into(),
        };
        record(&mut status, &progress, 1, &at(2));
        assert_eq!(status.history[0].status, "pending-upgrade");
        assert_eq!(conditions(&status)[0], ("Ready", "Unknown", "Progressing"));
    }

    #[test]
    fn a_failed_correction_does_not_undo_that_the_revision_was_deployed() {
        let mut status = HelmReleaseStatus::default();
        begun(ReleaseAction::Install, 1, &mut status);
        record(&mut status, &deployed(ReleaseAction::Install), 1, &at(1));
        let stopped = Outcome::Conflicted {
            action: ReleaseAction::Install,
            reason: Reason::ConflictFailed,
            message: "a field".into(),
        };
        record(&mut status, &stopped, 1, &at(2));
        assert_eq!(status.history[0].status, "deployed");
        assert_eq!(conditions(&status)[0], ("Ready", "False", "ConflictFailed"));
    }

    #[test]
    fn only_what_nothing_but_an_edit_can_change_is_stalled() {
        let mut status = HelmReleaseStatus::default();
        let blocked = |retryable| Outcome::Blocked {
            reason: Reason::ArtifactFailed,
            message: "no such chart".into(),
            retryable,
        };
        record(&mut status, &blocked(true), 1, &at(1));
        assert_eq!(conditions(&status)[1], ("Reconciling", "True", "ProgressingWithRetry"));
        record(&mut status, &blocked(false), 1, &at(2));
        assert_eq!(
            conditions(&status),
            [
                ("Ready", "False", "ArtifactFailed"),
                ("Stalled", "True", "ArtifactFailed")
            ]
        );
        record(&mut status, &failed(false), 1, &at(3));
        assert!(conditions(&status).contains(&("Stalled", "True", "UpgradeFailed")));
        record(&mut status, &deployed(ReleaseAction::Upgrade), 1, &at(4));
        assert!(!conditions(&status).iter().any(|(type_, ..)| *type_ == "Stalled"));
    }

    #[test]
    fn a_desired_state_that_overtakes_an_attempt_ends_it() {
        let mut status = HelmReleaseStatus::default();
        begun(ReleaseAction::Install, 1, &mut status);
        begun(ReleaseAction::Install, 2, &mut status);
        let words: Vec<&str> = status.history.iter().map(|snapshot| snapshot.status.as_str()).collect();
        assert_eq!(words, ["pending-install", "failed"]);
        for number in 3..20 {
            begun(ReleaseAction::Install, number, &mut status);
        }
        assert_eq!(status.history.len(), MAX_HISTORY);
    }
}
