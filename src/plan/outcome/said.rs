//! What conditions say of an outcome. Reasons and messages are Flux's where Flux has them: people search for them.

use super::{Outcome, held};
use crate::api::conditions::{ConditionStatus, ConditionType, Reason};
use crate::api::helm_release::HelmReleaseStatus;
use crate::api::helm_release::actions::HelmAction;
use crate::plan::course::Removal;
use crate::plan::remedy::{Aftermath, Stall};

use ConditionStatus::{False, True, Unknown};
use ConditionType::{Ready, Reconciling, Released, Remediated, Stalled, TestSuccess};

/// What is said in a condition: which, whether it holds, why, and what a person should know.
pub(super) type Said = (ConditionType, ConditionStatus, Reason, String);

pub(super) fn succeeded(action: HelmAction) -> Reason {
    match action {
        HelmAction::Install => Reason::InstallSucceeded,
        HelmAction::Upgrade => Reason::UpgradeSucceeded,
        HelmAction::Rollback => Reason::RollbackSucceeded,
    }
}

pub(super) fn failed(action: HelmAction) -> Reason {
    match action {
        HelmAction::Install => Reason::InstallFailed,
        HelmAction::Upgrade => Reason::UpgradeFailed,
        HelmAction::Rollback => Reason::RollbackFailed,
    }
}

/// Whether what was said of tests does not hold any more: there are none, or it was said of another revision.
pub(super) fn is_untested(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Deployed { .. }) || is_under_way(outcome)
}

/// Whether the chart is what is released, so that nothing is remediated any more.
pub(super) fn is_of_the_chart(outcome: &Outcome) -> bool {
    let is_deployed = matches!(
        outcome,
        Outcome::Deployed { .. } | Outcome::Testing { .. } | Outcome::Tested { .. } | Outcome::TestFailed { .. }
    );
    is_deployed || is_under_way(outcome)
}

/// Whether the chart is being installed or upgraded.
fn is_under_way(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Progressing { action, .. } if *action != HelmAction::Rollback)
}

/// What the conditions say.
pub(super) fn said(status: &HelmReleaseStatus, outcome: &Outcome) -> Vec<Said> {
    match outcome {
        Outcome::Blocked {
            reason,
            message,
            retryable,
        } => vec![
            (Ready, False, *reason, message.clone()),
            retried_or_stalled(*reason, message, *retryable),
        ],
        Outcome::Progressing { action: _, progress } => vec![
            (Ready, Unknown, Reason::Progressing, progress.clone()),
            (Reconciling, True, Reason::Progressing, progress.clone()),
        ],
        Outcome::Deployed { action } => done(status, *action),
        Outcome::Testing { action, progress } => testing(status, *action, progress),
        Outcome::Tested { action, number } => tested(status, *action, *number),
        Outcome::TestFailed {
            action,
            message,
            ignored,
            aftermath,
        } => test_failed(status, *action, message, (*ignored, *aftermath)),
        // What the spec asks for is done. What the release would do stands in its message, in `Conflicted` and in `Drifted`.
        Outcome::Compared { summary, applies: _ } => vec![(Ready, True, Reason::ShadowCompared, summary.clone())],
        Outcome::Conflicted {
            action,
            reason,
            message,
            aftermath,
        } => vec![
            (Ready, False, *reason, message.clone()),
            (of(*action), False, failed(*action), message.clone()),
            followed(*reason, message, *reason != Reason::ConflictHandedOff, *aftermath),
        ],
        Outcome::Failed {
            action,
            message,
            retryable,
            aftermath,
        } => {
            let message = failure(status, *action, message);
            vec![
                (Ready, False, failed(*action), message.clone()),
                (of(*action), False, failed(*action), message.clone()),
                followed(failed(*action), &message, *retryable, *aftermath),
            ]
        }
        Outcome::RolledBack {
            source,
            chart,
            aftermath,
        } => {
            let message = format!("Helm rollback to previous release {source} with chart {chart} succeeded");
            remediated(Reason::RollbackSucceeded, &message, *aftermath)
        }
        Outcome::Removed { aftermath } => {
            let message = format!("{} succeeded", uninstall_remediation(status));
            remediated(Reason::UninstallSucceeded, &message, *aftermath)
        }
        Outcome::UninstallFailed { why, message } => not_uninstalled(status, *why, message),
        Outcome::Uninstalling { why: _, progress } => vec![
            (Ready, False, Reason::Progressing, progress.clone()),
            (Reconciling, True, Reason::Progressing, progress.clone()),
        ],
        Outcome::Held => {
            let message = held::message(status).unwrap_or_default().to_owned();
            vec![(Ready, Unknown, Reason::UpgradeHeld, message)]
        }
        Outcome::Standing | Outcome::Suspended => Vec::new(),
    }
}

/// The condition that tells how an action ended.
fn of(action: HelmAction) -> ConditionType {
    match action {
        HelmAction::Install | HelmAction::Upgrade => Released,
        HelmAction::Rollback => Remediated,
    }
}

fn done(status: &HelmReleaseStatus, action: HelmAction) -> Vec<Said> {
    let message = success(status, action);
    vec![
        (Ready, True, succeeded(action), message.clone()),
        (Released, True, succeeded(action), message),
    ]
}

/// Whether what failed is tried again, or waits for somebody to change something.
fn retried_or_stalled(reason: Reason, message: &str, retryable: bool) -> Said {
    let message = message.to_owned();
    if retryable {
        (Reconciling, True, Reason::ProgressingWithRetry, message)
    } else {
        (Stalled, True, reason, message)
    }
}

/// What follows on a failure.
fn followed(reason: Reason, message: &str, retryable: bool, aftermath: Aftermath) -> Said {
    match aftermath {
        Aftermath::Undone => retried_or_stalled(reason, message, true),
        Aftermath::Uncounted | Aftermath::Retried => retried_or_stalled(reason, message, retryable),
        Aftermath::Stalled(stall) => stalled(stall),
    }
}

fn stalled(stall: Stall) -> Said {
    let reason = match stall {
        Stall::RetriesExceeded { .. } => Reason::RetriesExceeded,
        Stall::MissingRollbackTarget => Reason::MissingRollbackTarget,
    };
    (Stalled, True, reason, stall.to_string())
}

/// How Flux calls the uninstall that undoes a failure.
fn uninstall_remediation(status: &HelmReleaseStatus) -> String {
    let (release, chart) = newest(status);
    format!("Helm uninstall remediation for release {release} with chart {chart}")
}

fn not_uninstalled(status: &HelmReleaseStatus, why: Removal, cause: &str) -> Vec<Said> {
    let (condition, message) = match why {
        Removal::Remediation => (
            Some(Remediated),
            format!("{} failed: {cause}", uninstall_remediation(status)),
        ),
        Removal::Deletion | Removal::Move => (None, cause.to_owned()),
    };
    let mut said = vec![
        (Ready, False, Reason::UninstallFailed, message.clone()),
        retried_or_stalled(Reason::UninstallFailed, &message, true),
    ];
    said.extend(condition.map(|condition| (condition, False, Reason::UninstallFailed, message)));
    said
}

fn remediated(reason: Reason, message: &str, aftermath: Aftermath) -> Vec<Said> {
    vec![
        (Ready, False, reason, message.to_owned()),
        (Remediated, True, reason, message.to_owned()),
        followed(reason, message, true, aftermath),
    ]
}

fn released(status: &HelmReleaseStatus, action: HelmAction) -> Said {
    (Released, True, succeeded(action), success(status, action))
}

fn testing(status: &HelmReleaseStatus, action: HelmAction, progress: &str) -> Vec<Said> {
    vec![
        (Ready, Unknown, Reason::Progressing, progress.to_owned()),
        released(status, action),
        (TestSuccess, Unknown, Reason::AwaitingTests, progress.to_owned()),
        (Reconciling, True, Reason::Progressing, progress.to_owned()),
    ]
}

fn tested(status: &HelmReleaseStatus, action: HelmAction, number: usize) -> Vec<Said> {
    let (release, chart) = newest(status);
    let message = format!(
        "Helm test succeeded for release {release} with chart {chart}: {number} test hook(s) completed successfully"
    );
    let mut said = done(status, action);
    said.push((TestSuccess, True, Reason::TestSucceeded, message));
    said
}

fn test_failed(
    status: &HelmReleaseStatus,
    action: HelmAction,
    message: &str,
    (ignored, aftermath): (bool, Aftermath),
) -> Vec<Said> {
    let mut said = if ignored {
        done(status, action)
    } else {
        vec![
            (Ready, False, Reason::TestFailed, message.to_owned()),
            released(status, action),
            followed(Reason::TestFailed, message, true, aftermath),
        ]
    };
    said.push((TestSuccess, False, Reason::TestFailed, message.to_owned()));
    said
}

/// The newest revision as `<namespace>/<name>.v<revision>`, and its chart as `<name>@<version>`.
fn newest(status: &HelmReleaseStatus) -> (String, String) {
    status.history.first().map_or_else(Default::default, |newest| {
        (
            newest.full_name(),
            format!("{}@{}", newest.chart_name, newest.chart_version),
        )
    })
}

fn success(status: &HelmReleaseStatus, action: HelmAction) -> String {
    let (release, chart) = newest(status);
    format!(
        "Helm {} succeeded for release {release} with chart {chart}",
        action.verb()
    )
}

/// What comes before the cause of a failure.
const FAILED_FOR: &str = " failed for release ";

fn failure(status: &HelmReleaseStatus, action: HelmAction, cause: &str) -> String {
    let Some(newest) = status.history.first() else {
        return cause.to_owned();
    };
    let (namespace, name) = (&newest.namespace, &newest.name);
    let (chart, version) = (&newest.chart_name, &newest.chart_version);
    let verb = action.verb();
    format!("Helm {verb}{FAILED_FOR}{namespace}/{name} with chart {chart}@{version}: {cause}")
}

/// The cause of a failure, from what `Ready` says of it.
pub fn cause(message: &str) -> &str {
    match message.split_once(": ") {
        Some((before, cause)) if before.contains(FAILED_FOR) => cause,
        Some(_) | None => message,
    }
}
