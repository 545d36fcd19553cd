//! Outcome -> status: how a reconcile ended becomes conditions, the newest snapshot, and counters.
//!
//! Pure. A status is made only here, and only from an outcome.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use super::revision::{Identity, PostRenderingDigests, Revision};
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
    /// All is applied and ready, and the chart's tests are run.
    Testing {
        /// Install or upgrade.
        action: ReleaseAction,
        /// Name and version of the chart.
        chart: String,
        /// What is waited for.
        progress: String,
    },
    /// All is applied and ready, and the chart's tests have succeeded.
    Tested {
        /// Install or upgrade.
        action: ReleaseAction,
        /// Name and version of the chart.
        chart: String,
        /// How many tests there were.
        number: usize,
    },
    /// All is applied and ready, and a test of the chart failed.
    TestFailed {
        /// Install or upgrade.
        action: ReleaseAction,
        /// Name and version of the chart.
        chart: String,
        /// Which test, and why.
        message: String,
        /// Whether the release is ready all the same.
        ignored: bool,
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
            | Self::Testing { .. }
            | Self::Uninstalling { .. }
            | Self::Standing => Verdict::Waiting,
            Self::Deployed { .. }
            | Self::Tested { .. }
            | Self::TestFailed { ignored: true, .. }
            | Self::Compared { .. }
            | Self::Suspended => Verdict::Succeeded,
            Self::Conflicted { .. } => Verdict::Conflicted,
            Self::Blocked { .. }
            | Self::Failed { .. }
            | Self::TestFailed { ignored: false, .. }
            | Self::UninstallFailed { .. } => Verdict::Failed,
        }
    }

    /// The outcome in a word, for the metric.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Blocked { reason, .. } | Self::Conflicted { reason, .. } => reason.as_str(),
            Self::Progressing { .. } | Self::Uninstalling { .. } => Reason::Progressing.as_str(),
            Self::Deployed { action, .. } => succeeded(*action).as_str(),
            Self::Testing { .. } => Reason::AwaitingTests.as_str(),
            Self::Tested { .. } => Reason::TestSucceeded.as_str(),
            Self::TestFailed { .. } => Reason::TestFailed.as_str(),
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
        post_rendering: PostRenderingDigests {
            post_renderers,
            common_metadata,
        },
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
        post_renderers_digest: post_renderers,
        common_metadata_digest: common_metadata,
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

fn success(action: ReleaseAction, chart: &str) -> String {
    format!("Helm {} succeeded: chart {chart}", verb(action))
}

/// Records how a reconcile ended in conditions, the newest snapshot and the counters.
pub fn record(status: &mut HelmReleaseStatus, outcome: &Outcome, generation: i64, now: &Time) {
    move_newest(status, outcome);
    count(status, outcome);
    status.observed_generation = Some(generation);
    let said = match outcome {
        // The last verdict stands, also while nobody looks.
        Outcome::Standing | Outcome::Suspended => return,
        Outcome::Testing { .. } | Outcome::Tested { .. } | Outcome::TestFailed { .. } => said_of_tests(outcome),
        Outcome::Blocked { .. }
        | Outcome::Progressing { .. }
        | Outcome::Deployed { .. }
        | Outcome::Compared { .. }
        | Outcome::Conflicted { .. }
        | Outcome::Failed { .. }
        | Outcome::Uninstalling { .. }
        | Outcome::UninstallFailed { .. } => said(outcome),
    };
    let is_said = |type_| said.iter().any(|(said, ..)| *said == type_);
    // Without tests, or for another revision, what was said of them does not hold.
    let is_untested = matches!(outcome, Outcome::Deployed { .. } | Outcome::Progressing { .. });
    for (type_, goes) in [
        (ConditionType::TestSuccess, is_untested),
        (ConditionType::Reconciling, !is_said(ConditionType::Reconciling)),
        (ConditionType::Stalled, !is_said(ConditionType::Stalled)),
    ] {
        if goes {
            conditions::remove(&mut status.conditions, type_);
        }
    }
    for (type_, holds, reason, message) in said {
        let update = ConditionUpdate::new(type_, holds, reason, message);
        conditions::set(&mut status.conditions, update, Some(generation), now);
    }
}

/// What is said in a condition: which, whether it holds, why, and what a person should know.
type Said = (ConditionType, ConditionStatus, Reason, String);

fn said(outcome: &Outcome) -> Vec<Said> {
    use ConditionStatus::{False, True, Unknown};
    use ConditionType::{Ready, Reconciling, Released};

    match outcome {
        Outcome::Blocked {
            reason,
            message,
            retryable,
        } => vec![
            (Ready, False, *reason, message.clone()),
            held_up(*reason, message, *retryable),
        ],
        Outcome::Progressing { action: _, progress } => vec![
            (Ready, Unknown, Reason::Progressing, progress.clone()),
            (Reconciling, True, Reason::Progressing, progress.clone()),
        ],
        Outcome::Deployed { action, chart } => {
            let message = success(*action, chart);
            vec![
                (Ready, True, succeeded(*action), message.clone()),
                (Released, True, succeeded(*action), message),
            ]
        }
        // What the spec asks for is done. What the release would do stands in its message, in `Conflicted` and in `Drifted`.
        Outcome::Compared { summary, applies: _ } => vec![(Ready, True, Reason::ShadowCompared, summary.clone())],
        Outcome::Conflicted {
            action,
            reason,
            message,
        } => vec![
            (Ready, False, *reason, message.clone()),
            (Released, False, failed(*action), message.clone()),
            held_up(*reason, message, *reason != Reason::ConflictHandedOff),
        ],
        Outcome::Failed {
            action,
            message,
            retryable,
        } => vec![
            (Ready, False, failed(*action), message.clone()),
            (Released, False, failed(*action), message.clone()),
            held_up(failed(*action), message, *retryable),
        ],
        Outcome::Uninstalling { progress } => vec![
            (Ready, False, Reason::Progressing, progress.clone()),
            (Reconciling, True, Reason::Progressing, progress.clone()),
        ],
        Outcome::UninstallFailed { message } => vec![
            (Ready, False, Reason::UninstallFailed, message.clone()),
            held_up(Reason::UninstallFailed, message, true),
        ],
        Outcome::Testing { .. }
        | Outcome::Tested { .. }
        | Outcome::TestFailed { .. }
        | Outcome::Standing
        | Outcome::Suspended => Vec::new(),
    }
}

/// Whether what failed is tried again, or waits for somebody to change something.
fn held_up(reason: Reason, message: &str, retryable: bool) -> Said {
    let message = message.to_owned();
    if retryable {
        (
            ConditionType::Reconciling,
            ConditionStatus::True,
            Reason::ProgressingWithRetry,
            message,
        )
    } else {
        (ConditionType::Stalled, ConditionStatus::True, reason, message)
    }
}

fn said_of_tests(outcome: &Outcome) -> Vec<Said> {
    use ConditionStatus::{False, True, Unknown};
    use ConditionType::{Ready, Reconciling, Released, TestSuccess};

    let released = |action: ReleaseAction, chart: &str| (Released, True, succeeded(action), success(action, chart));
    let ready = |action: ReleaseAction, chart: &str| (Ready, True, succeeded(action), success(action, chart));
    match outcome {
        Outcome::Testing {
            action,
            chart,
            progress,
        } => vec![
            (Ready, Unknown, Reason::Progressing, progress.clone()),
            released(*action, chart),
            (TestSuccess, Unknown, Reason::AwaitingTests, progress.clone()),
            (Reconciling, True, Reason::Progressing, progress.clone()),
        ],
        Outcome::Tested { action, chart, number } => {
            let message = format!("Helm test succeeded: {number} tests completed successfully");
            vec![
                ready(*action, chart),
                released(*action, chart),
                (TestSuccess, True, Reason::TestSucceeded, message),
            ]
        }
        Outcome::TestFailed {
            action,
            chart,
            message,
            ignored,
        } => {
            let mut said = vec![
                released(*action, chart),
                (TestSuccess, False, Reason::TestFailed, message.clone()),
            ];
            if *ignored {
                said.push(ready(*action, chart));
            } else {
                said.push((Ready, False, Reason::TestFailed, message.clone()));
                said.push(held_up(Reason::TestFailed, message, true));
            }
            said
        }
        Outcome::Blocked { .. }
        | Outcome::Progressing { .. }
        | Outcome::Deployed { .. }
        | Outcome::Compared { .. }
        | Outcome::Conflicted { .. }
        | Outcome::Failed { .. }
        | Outcome::Uninstalling { .. }
        | Outcome::UninstallFailed { .. }
        | Outcome::Standing
        | Outcome::Suspended => Vec::new(),
    }
}

/// Moves the newest snapshot to Helm's word for where it stands now.
fn move_newest(status: &mut HelmReleaseStatus, outcome: &Outcome) {
    let word = match outcome {
        Outcome::Deployed { .. } | Outcome::Testing { .. } | Outcome::Tested { .. } | Outcome::TestFailed { .. } => {
            "deployed"
        }
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

fn count(status: &mut HelmReleaseStatus, outcome: &Outcome) {
    match outcome {
        Outcome::Deployed { .. } | Outcome::Tested { .. } | Outcome::TestFailed { ignored: true, .. } => {
            status.failures = 0;
            status.install_failures = 0;
            status.upgrade_failures = 0;
            observe_post_rendering(status);
        }
        Outcome::Failed { action, .. } | Outcome::Conflicted { action, .. } => {
            status.failures += 1;
            match action {
                ReleaseAction::Install => status.install_failures += 1,
                ReleaseAction::Upgrade => status.upgrade_failures += 1,
            }
        }
        Outcome::UninstallFailed { .. } | Outcome::TestFailed { ignored: false, .. } => status.failures += 1,
        Outcome::Blocked { .. }
        | Outcome::Progressing { .. }
        | Outcome::Testing { .. }
        | Outcome::Compared { .. }
        | Outcome::Uninstalling { .. }
        | Outcome::Standing
        | Outcome::Suspended => {}
    }
}

#[cfg(test)]
mod tests;
