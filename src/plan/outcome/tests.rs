//! What each outcome makes of a status.

use k8s_openapi::jiff::Timestamp;

use super::*;
use crate::api::helm_release::history::MAX_HISTORY;
use crate::api::helm_release::status::ReleaseAction;
use crate::plan::remedy::Stall;
use crate::plan::revision::PostRenderingDigests;
use crate::plan::revision::{Identity, Revision};
use crate::plan::state::State;

fn at(second: i64) -> Time {
    Time(Timestamp::from_second(second).unwrap())
}

fn begun(action: HelmAction, number: u32, status: &mut HelmReleaseStatus) {
    let identity = Identity {
        release_name: "shop".into(),
        namespace: "prod".into(),
        chart_name: "shop".into(),
        chart_version: "1.0.0".into(),
        app_version: None,
        chart_digest: "sha256:chart".into(),
        oci_digest: None,
        config_digest: "sha256:values".into(),
        post_rendering: PostRenderingDigests::default(),
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
        crate::api::helm_release::history::ApplyMethod::default(),
        None,
    );
}

fn conditions(status: &HelmReleaseStatus) -> Vec<(&str, &str, &str)> {
    let all = status.conditions.iter();
    all.map(|found| (found.type_.as_str(), found.status.as_str(), found.reason.as_str()))
        .collect()
}

fn deployed(action: HelmAction) -> Outcome {
    Outcome::Deployed { action }
}

fn failed(retryable: bool) -> Outcome {
    Outcome::Failed {
        action: HelmAction::Upgrade,
        message: "no".into(),
        retryable,
        aftermath: Aftermath::Retried,
    }
}

#[test]
fn an_install_goes_from_progressing_to_ready() {
    let mut status = HelmReleaseStatus::default();
    begun(HelmAction::Install, 1, &mut status);
    let progress = Outcome::Progressing {
        action: HelmAction::Install,
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
    record(&mut status, &deployed(HelmAction::Install), 1, &at(2));
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
    begun(HelmAction::Install, 1, &mut status);
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
    begun(HelmAction::Install, 1, &mut status);
    record(&mut status, &deployed(HelmAction::Install), 1, &at(2));
    let before = status.clone();
    record(&mut status, &deployed(HelmAction::Install), 1, &at(99));
    assert_eq!(status, before);
    record(&mut status, &Outcome::Standing, 1, &at(100));
    assert_eq!(status, before);
}

#[test]
fn a_failed_upgrade_leaves_the_last_good_revision_deployed() {
    let mut status = HelmReleaseStatus::default();
    begun(HelmAction::Install, 1, &mut status);
    record(&mut status, &deployed(HelmAction::Install), 1, &at(1));
    begun(HelmAction::Upgrade, 2, &mut status);
    record(&mut status, &failed(true), 2, &at(2));
    let words: Vec<&str> = status.history.iter().map(|snapshot| snapshot.status.as_str()).collect();
    assert_eq!(words, ["failed", "deployed"]);
    assert_eq!(
        (status.failures, status.upgrade_failures, status.install_failures),
        (1, 1, 0)
    );
    record(&mut status, &deployed(HelmAction::Upgrade), 2, &at(3));
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
    begun(HelmAction::Upgrade, 2, &mut status);
    record(&mut status, &failed(true), 1, &at(1));
    let progress = Outcome::Progressing {
        action: HelmAction::Upgrade,
        progress: "again".into(),
    };
    record(&mut status, &progress, 1, &at(2));
    assert_eq!(status.history[0].status, "pending-upgrade");
    assert_eq!(conditions(&status)[0], ("Ready", "Unknown", "Progressing"));
}

#[test]
fn a_failed_correction_does_not_undo_that_the_revision_was_deployed() {
    let mut status = HelmReleaseStatus::default();
    begun(HelmAction::Install, 1, &mut status);
    record(&mut status, &deployed(HelmAction::Install), 1, &at(1));
    let stopped = Outcome::Conflicted {
        action: HelmAction::Install,
        reason: Reason::ConflictFailed,
        message: "a field".into(),
        aftermath: Aftermath::Uncounted,
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
    record(&mut status, &deployed(HelmAction::Upgrade), 1, &at(4));
    assert!(!conditions(&status).iter().any(|(type_, ..)| *type_ == "Stalled"));
}

#[test]
fn a_desired_state_that_overtakes_an_attempt_ends_it() {
    let mut status = HelmReleaseStatus::default();
    begun(HelmAction::Install, 1, &mut status);
    begun(HelmAction::Install, 2, &mut status);
    let words: Vec<&str> = status.history.iter().map(|snapshot| snapshot.status.as_str()).collect();
    assert_eq!(words, ["pending-install", "failed"]);
    for number in 3..20 {
        begun(HelmAction::Install, number, &mut status);
    }
    assert_eq!(status.history.len(), MAX_HISTORY);
}

/// How an upgrade fails of which this follows.
fn upgrade_fails(aftermath: Aftermath) -> Outcome {
    Outcome::Failed {
        action: HelmAction::Upgrade,
        message: "no room".into(),
        retryable: true,
        aftermath,
    }
}

#[test]
fn a_failed_upgrade_that_is_rolled_back_says_so_in_the_words_of_flux() {
    let mut status = HelmReleaseStatus::default();
    begun(HelmAction::Install, 1, &mut status);
    record(&mut status, &deployed(HelmAction::Install), 1, &at(1));
    begun(HelmAction::Upgrade, 2, &mut status);
    record(&mut status, &upgrade_fails(Aftermath::Undone), 1, &at(2));
    let failure = "Helm upgrade failed for release prod/shop with chart shop@1.0.0: no room";
    assert_eq!(status.conditions[0].message, failure);
    assert_eq!(cause(failure), "no room");
    begun(HelmAction::Rollback, 3, &mut status);
    assert_eq!(
        (status.upgrade_failures, status.history[0].status.as_str()),
        (1, "pending-rollback")
    );
    let exceeded = Stall::RetriesExceeded {
        action: ReleaseAction::Upgrade,
        attempts: 1,
    };
    for (aftermath, last) in [
        (Aftermath::Retried, ("Reconciling", "True", "ProgressingWithRetry")),
        (Aftermath::Stalled(exceeded), ("Stalled", "True", "RetriesExceeded")),
    ] {
        let restored = Outcome::RolledBack {
            source: "prod/shop.v1".into(),
            chart: "shop@1.0.0".into(),
            aftermath,
        };
        record(&mut status, &restored, 1, &at(3));
        assert_eq!(
            conditions(&status),
            [
                ("Ready", "False", "RollbackSucceeded"),
                last,
                ("Released", "False", "UpgradeFailed"),
                ("Remediated", "True", "RollbackSucceeded"),
            ]
        );
    }
    let said = |position: usize| status.conditions[position].message.as_str();
    assert_eq!(
        said(0),
        "Helm rollback to previous release prod/shop.v1 with chart shop@1.0.0 succeeded"
    );
    assert!(
        said(1).starts_with("Failed to upgrade after 1 attempt(s)"),
        "{}",
        said(1)
    );
    let words: Vec<&str> = status.history.iter().map(|snapshot| snapshot.status.as_str()).collect();
    assert_eq!(words, ["deployed", "failed", "superseded"]);

    begun(HelmAction::Upgrade, 4, &mut status);
    record(&mut status, &deployed(HelmAction::Upgrade), 1, &at(4));
    assert_eq!(
        conditions(&status),
        [
            ("Ready", "True", "UpgradeSucceeded"),
            ("Released", "True", "UpgradeSucceeded")
        ]
    );
    assert_eq!(
        status.conditions[0].message,
        "Helm upgrade succeeded for release prod/shop.v4 with chart shop@1.0.0"
    );
}

#[test]
fn a_failed_install_that_is_uninstalled_leaves_a_snapshot_that_says_so() {
    let mut status = HelmReleaseStatus::default();
    begun(HelmAction::Install, 1, &mut status);
    let install_fails = Outcome::Failed {
        action: HelmAction::Install,
        message: "no room".into(),
        retryable: true,
        aftermath: Aftermath::Undone,
    };
    record(&mut status, &install_fails, 1, &at(1));
    let why = Removal::Remediation;
    let progress = "waiting".to_owned();
    record(&mut status, &Outcome::Uninstalling { why, progress }, 1, &at(2));
    assert_eq!(State::of(&status.history), State::Uninstalling);
    let message = "not now".to_owned();
    record(&mut status, &Outcome::UninstallFailed { why, message }, 1, &at(3));
    assert!(conditions(&status).contains(&("Remediated", "False", "UninstallFailed")));
    let aftermath = Aftermath::Retried;
    record(&mut status, &Outcome::Removed { aftermath }, 1, &at(4));
    assert_eq!(
        (State::of(&status.history), &status.history[0].deleted),
        (State::Uninstalled, &Some(at(4)))
    );
    assert_eq!(
        conditions(&status),
        [
            ("Ready", "False", "UninstallSucceeded"),
            ("Reconciling", "True", "ProgressingWithRetry"),
            ("Released", "False", "InstallFailed"),
            ("Remediated", "True", "UninstallSucceeded"),
        ]
    );
    assert_eq!((status.failures, status.install_failures), (2, 1));
}

#[test]
fn only_the_verdict_on_the_current_generation_says_that_all_is_as_desired() {
    let mut status = HelmReleaseStatus::default();
    assert!(!is_as_desired(&status, Some(1)));
    for (ready, observed, expected) in [(true, 1, true), (false, 1, false), (true, 2, false)] {
        let update = ConditionUpdate::new(ConditionType::Ready, ready, Reason::UpgradeSucceeded, "");
        conditions::set(&mut status.conditions, update, Some(observed), &at(100));
        assert_eq!(is_as_desired(&status, Some(1)), expected, "{ready} {observed}");
    }
}
