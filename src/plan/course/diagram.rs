//! The diagram of the state machine in ARCHITECTURE.md is what the code does: each arrow is asked for, and none is missing.

use std::collections::BTreeSet;

use super::tests::{Scene, history, remediation};
use super::*;
use crate::api::helm_release::HelmReleaseStatus;
use crate::plan::outcome::{Outcome, record};
use crate::plan::remedy::Aftermath;

/// Two states, and what leads from one to the other.
type Arrow = (State, State, &'static str);

/// A name, and what makes a scene one of it.
type Situation = (&'static str, fn(&mut Scene));

/// What may be wanted of a release, or have happened to it, and how it is called in the diagram.
const SITUATIONS: &[Situation] = &[
    (DESIRED, |scene| scene.attempted.failures = 0),
    ("something else is desired, or it is forced", |scene| {
        scene.wants = "three";
    }),
    ("remediated by a rollback", |scene| {
        scene.attempted.on_failure = remediation(Some(1), true, RemediationStrategy::Rollback);
    }),
    ("remediated by uninstalling", |scene| {
        scene.attempted.on_failure = remediation(Some(1), true, RemediationStrategy::Uninstall);
    }),
];

const DESIRED: &str = "it is desired";

/// Where a course leads; `None` when it keeps what is there.
fn destination(course: &Course) -> Option<State> {
    match course {
        Course::Release(revision) if revision.phase.is_none() => Some(match revision.action {
            HelmAction::Install => State::Installing,
            HelmAction::Upgrade | HelmAction::Rollback => State::Upgrading,
        }),
        Course::RollBack { revision, .. } if revision.phase.is_none() => Some(State::RollingBack),
        Course::Uninstall(Removal::Remediation) => Some(State::Uninstalling),
        Course::Uninstall(Removal::Move | Removal::Deletion) => Some(State::Absent),
        Course::Release(_) | Course::Keep { .. } | Course::RollBack { .. } | Course::Idle { .. } => None,
    }
}

/// The arrows that decisions make.
fn decided() -> impl Iterator<Item = Arrow> {
    let pairs = State::ALL
        .iter()
        .flat_map(|state| SITUATIONS.iter().map(move |situation| (*state, situation)));
    let at_once = pairs.filter_map(|(state, (label, change))| {
        let mut scene = Scene::of(state, 1);
        change(&mut scene);
        // Undoing is for what failed; what was undone waits.
        let is_waiting = matches!(state, State::RolledBack | State::Uninstalled) && !label.starts_with("something");
        let is_the_only = state == State::Absent && *label != DESIRED;
        let to = destination(&scene.course(101)).filter(|_| !is_waiting && !is_the_only)?;
        Some((state, to, *label))
    });
    let later = [State::RolledBack, State::Uninstalled].into_iter().filter_map(|state| {
        let to = destination(&Scene::of(state, 2).course(86_500))?;
        Some((state, to, "the wait is over, or somebody asks"))
    });
    at_once.chain(later)
}

/// Where an outcome leads from a state.
fn after(state: State, outcome: &Outcome) -> State {
    let mut status = HelmReleaseStatus {
        history: history(state),
        ..HelmReleaseStatus::default()
    };
    record(
        &mut status,
        outcome,
        1,
        &k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(Timestamp::UNIX_EPOCH),
    );
    State::of(&status.history)
}

/// The arrows that outcomes make.
fn ended() -> Vec<Arrow> {
    let mut arrows = Vec::new();
    let failed = |action| Outcome::Failed {
        action,
        message: String::new(),
        retryable: true,
        aftermath: Aftermath::Retried,
    };
    let again = |action| Outcome::Progressing {
        action,
        progress: String::new(),
    };
    let restored = Outcome::RolledBack {
        source: String::new(),
        chart: String::new(),
        aftermath: Aftermath::Retried,
    };
    for (action, under_way, has_failed) in [
        (HelmAction::Install, State::Installing, State::InstallFailed),
        (HelmAction::Upgrade, State::Upgrading, State::UpgradeFailed),
        (HelmAction::Rollback, State::RollingBack, State::RollbackFailed),
    ] {
        let done = match action {
            HelmAction::Install | HelmAction::Upgrade => Outcome::Deployed { action },
            HelmAction::Rollback => restored.clone(),
        };
        arrows.push((under_way, after(under_way, &done), "all is ready"));
        arrows.push((has_failed, after(has_failed, &done), "all is ready after all"));
        arrows.push((
            under_way,
            after(under_way, &failed(action)),
            "it fails, or its time is up",
        ));
        arrows.push((has_failed, after(has_failed, &again(action)), "it is attempted again"));
    }
    let removed = Outcome::Removed {
        aftermath: Aftermath::Retried,
    };
    arrows.push((State::Uninstalling, after(State::Uninstalling, &removed), "all is gone"));
    arrows.push((State::Deployed, State::of(&history(State::TestFailed)), "a test fails"));
    arrows
}

#[test]
fn the_diagram_in_architecture_md_is_what_the_code_does() {
    let arrows: BTreeSet<Arrow> = decided().chain(ended()).filter(|(from, to, _)| from != to).collect();
    let mut diagram = "```mermaid\nstateDiagram-v2\n".to_owned();
    for (from, to, why) in arrows {
        diagram += &["    ", &format!("{from:?} --> {to:?}: {why}"), "\n"].concat();
    }
    diagram.push_str("```\n");
    let document = include_str!("../../../ARCHITECTURE.md");
    assert!(
        document.contains(&diagram),
        "ARCHITECTURE.md does not have this diagram:\n{diagram}"
    );
}
