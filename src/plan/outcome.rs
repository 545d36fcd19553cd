//! Outcome -> status: how a reconcile ended becomes conditions, the newest snapshot, and counters.
//!
//! Pure. A status is made only here, and only from an outcome.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::course::Removal;
use super::remedy::Aftermath;
use crate::api::conditions::{self, ConditionStatus, ConditionType, ConditionUpdate, Reason};
use crate::api::helm_release::HelmReleaseStatus;
use crate::api::helm_release::actions::HelmAction;

mod held;
mod progress;
mod said;

pub use self::held::{HeldBack, hold, is_held_alike};
pub use self::progress::{begin, forget_failures, moved};
pub use self::said::cause;

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
        /// What is done.
        action: HelmAction,
        /// What is done or waited for.
        progress: String,
    },
    /// All is applied and ready.
    Deployed {
        /// What is done.
        action: HelmAction,
    },
    /// All is applied and ready, and the chart's tests are run.
    Testing {
        /// What is done.
        action: HelmAction,
        /// What is waited for.
        progress: String,
    },
    /// All is applied and ready, and the chart's tests have succeeded.
    Tested {
        /// What is done.
        action: HelmAction,
        /// How many tests there were.
        number: usize,
    },
    /// All is applied and ready, and a test of the chart failed.
    TestFailed {
        /// What is done.
        action: HelmAction,
        /// Which test, and why.
        message: String,
        /// Whether the release is ready all the same.
        ignored: bool,
        /// What follows.
        aftermath: Aftermath,
    },
    /// An earlier revision was restored after a failure, and is ready.
    RolledBack {
        /// The revision that was restored, as `<namespace>/<name>.v<revision>`.
        source: String,
        /// Name and version of its chart.
        chart: String,
        /// What follows.
        aftermath: Aftermath,
    },
    /// The release was uninstalled after a failure.
    Removed {
        /// What follows.
        aftermath: Aftermath,
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
        /// What is done.
        action: HelmAction,
        /// `ConflictFailed`, `ConflictRetrying` or `ConflictHandedOff`.
        reason: Reason,
        /// The contested fields.
        message: String,
        /// What follows.
        aftermath: Aftermath,
    },
    /// The attempt failed.
    Failed {
        /// What is done.
        action: HelmAction,
        /// The object, the field and the way out.
        message: String,
        /// Whether trying again may help without anybody changing anything.
        retryable: bool,
        /// What follows.
        aftermath: Aftermath,
    },
    /// The release is being uninstalled.
    Uninstalling {
        /// Why.
        why: Removal,
        /// What is waited for.
        progress: String,
    },
    /// Uninstalling failed and will be tried again.
    UninstallFailed {
        /// Why it is uninstalled.
        why: Removal,
        /// The object and the way out.
        message: String,
    },
    /// Nothing is done: an upgrade is held back, and there is no revision of the release's own to go on with.
    Held,
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
            | Self::Held
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
            | Self::RolledBack { .. }
            | Self::Removed { .. }
            | Self::UninstallFailed { .. } => Verdict::Failed,
        }
    }

    /// The outcome in a word, for the metric.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Blocked { reason, .. } | Self::Conflicted { reason, .. } => reason.as_str(),
            Self::Progressing { .. } | Self::Uninstalling { .. } => Reason::Progressing.as_str(),
            Self::Deployed { action, .. } => said::succeeded(*action).as_str(),
            Self::Testing { .. } => Reason::AwaitingTests.as_str(),
            Self::Tested { .. } => Reason::TestSucceeded.as_str(),
            Self::TestFailed { .. } => Reason::TestFailed.as_str(),
            Self::Compared { .. } => Reason::ShadowCompared.as_str(),
            Self::Failed { action, .. } => said::failed(*action).as_str(),
            Self::RolledBack { .. } => Reason::RollbackSucceeded.as_str(),
            Self::Removed { .. } => Reason::UninstallSucceeded.as_str(),
            Self::UninstallFailed { .. } => Reason::UninstallFailed.as_str(),
            Self::Held => Reason::UpgradeHeld.as_str(),
            Self::Standing => STANDING,
            Self::Suspended => Reason::Suspended.as_str(),
        }
    }
}

/// Whether the release is as its spec says, by the last verdict.
pub fn is_as_desired(status: &HelmReleaseStatus, generation: Option<i64>) -> bool {
    let ready = conditions::get(&status.conditions, ConditionType::Ready);
    ready.is_some_and(|ready| ready.status == "True" && ready.observed_generation == generation)
}

/// Records how a reconcile ended in conditions, the newest snapshot and the counters.
pub fn record(status: &mut HelmReleaseStatus, outcome: &Outcome, generation: i64, now: &Time) {
    progress::move_newest(status, outcome, now);
    progress::count(status, outcome);
    status.observed_generation = Some(generation);
    if *outcome == Outcome::Suspended {
        return; // The last verdict stands, also while nobody looks.
    }
    if !stands(status, outcome) {
        say(status, outcome, generation, now);
    }
    held::summarize(status, generation, now);
}

/// Whether the last verdict stands.
fn stands(status: &HelmReleaseStatus, outcome: &Outcome) -> bool {
    let ready = conditions::get(&status.conditions, ConditionType::Ready);
    let has_failed = ready.is_some_and(|ready| ready.status == ConditionStatus::False.as_str());
    *outcome == Outcome::Standing || (*outcome == Outcome::Held && has_failed)
}

/// Brings the conditions to an outcome.
fn say(status: &mut HelmReleaseStatus, outcome: &Outcome, generation: i64, now: &Time) {
    let said = said::said(status, outcome);
    let is_said = |type_| said.iter().any(|(said, ..)| *said == type_);
    for (type_, goes) in [
        (ConditionType::TestSuccess, said::is_untested(outcome)),
        (ConditionType::Remediated, said::is_of_the_chart(outcome)),
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

#[cfg(test)]
mod tests;
