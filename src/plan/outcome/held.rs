//! What a status says of an upgrade that the gate holds back.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::conditions::{self, ConditionType, ConditionUpdate, Reason};
use crate::api::helm_release::HelmReleaseStatus;
use crate::api::helm_release::gate::HeldUpgrade;
use crate::api::names::ANNOTATION_APPROVE;
use crate::plan::gate::{Hold, change};
use crate::plan::revision::Identity;

/// An upgrade that is held back.
#[derive(Debug, Clone, Copy)]
pub struct HeldBack<'a> {
    /// What it waits for.
    pub hold: Hold,
    /// What would be released.
    pub identity: &'a Identity,
    /// Namespace of the HelmRelease.
    pub namespace: &'a str,
    /// Name of the HelmRelease.
    pub name: &'a str,
}

impl HeldBack<'_> {
    /// Why it is held back, in a word and in a sentence that says what lets it begin. `change` stands for it, where that is known.
    pub fn why(&self, change: Option<&str>) -> (Reason, String) {
        let Self {
            hold: Hold { approved, opens_at },
            identity,
            namespace,
            name,
        } = self;
        let upgrade = format!("an upgrade to {}@{}", identity.chart_name, identity.chart_version);
        let window = opens_at.map(|opens_at| format!("the next window opens at {opens_at:.0}"));
        if *approved {
            let change = change.map_or_else(String::new, |change| format!(" (change {change})"));
            let window = window.unwrap_or_else(|| "no window opens any more".to_owned());
            let message = format!("{upgrade}{change} is held back until a window opens: {window}");
            return (Reason::WindowClosed, message);
        }
        let approval = change.map_or_else(String::new, |change| {
            format!(": kubectl annotate --overwrite helmrelease.fairlead.dev {name} -n {namespace} {ANNOTATION_APPROVE}={change}")
        });
        let window = window.map_or_else(String::new, |window| format!("; {window}"));
        let message = format!("{upgrade} is held back until somebody approves it{approval}{window}");
        (Reason::AwaitingApproval, message)
    }
}

/// Says which upgrade is held back, or that none is.
pub fn hold(status: &mut HelmReleaseStatus, held: Option<HeldBack<'_>>, generation: i64, now: &Time) {
    let Some(held) = held else {
        status.held_upgrade = None;
        conditions::remove(&mut status.conditions, ConditionType::Held);
        return;
    };
    let change = change(held.identity);
    let (reason, message) = held.why(Some(&change));
    let Hold { approved, opens_at } = held.hold;
    status.held_upgrade = Some(HeldUpgrade {
        chart_version: held.identity.chart_version.clone(),
        change,
        approved,
        opens_at: opens_at.map(Time),
    });
    let update = ConditionUpdate::new(ConditionType::Held, true, reason, message);
    conditions::set(&mut status.conditions, update, Some(generation), now);
}

/// What is held back and why, as `Held` says it; nothing when nothing is.
pub(super) fn message(status: &HelmReleaseStatus) -> Option<&str> {
    let held = conditions::get(&status.conditions, ConditionType::Held)?;
    Some(&held.message)
}

/// Lets `Ready` of a release that is ready say that it is as it was, and why. One that is not ready keeps its reason.
pub(super) fn summarize(status: &mut HelmReleaseStatus, generation: i64, now: &Time) {
    if !conditions::is_true(&status.conditions, ConditionType::Ready) {
        return;
    }
    let (Some(held), Some(newest)) = (message(status), status.history.first()) else {
        return;
    };
    let (release, chart, version) = (newest.full_name(), &newest.chart_name, &newest.chart_version);
    let message = format!("release {release} with chart {chart}@{version} is as it was deployed; {held}");
    let update = ConditionUpdate::new(ConditionType::Ready, true, Reason::UpgradeHeld, message);
    conditions::set(&mut status.conditions, update, Some(generation), now);
}

/// Whether two statuses tell of the same upgrade that waits for the same: when its window opens is no news.
pub fn is_held_alike(one: Option<&HelmReleaseStatus>, other: Option<&HelmReleaseStatus>) -> bool {
    let held = |status: Option<&HelmReleaseStatus>| {
        let held = status?.held_upgrade.as_ref()?;
        Some((held.change.clone(), held.approved))
    };
    held(one) == held(other)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;

    use super::*;
    use crate::api::helm_release::actions::HelmAction;
    use crate::api::helm_release::history::ApplyMethod;
    use crate::plan::outcome::{Outcome, begin, record};
    use crate::plan::revision::Revision;
    use crate::plan::revision::tests::identity;

    const INSTALL: Outcome = Outcome::Deployed {
        action: HelmAction::Install,
    };

    fn at(second: i64) -> Time {
        Time(Timestamp::from_second(second).unwrap())
    }

    fn deployed() -> HelmReleaseStatus {
        let mut status = HelmReleaseStatus::default();
        let revision = Revision {
            action: HelmAction::Install,
            number: 1,
            began: at(1).0,
            phase: None,
        };
        begin(&mut status, &identity("1.0.0"), &revision, ApplyMethod::default(), None);
        record(&mut status, &INSTALL, 1, &at(2));
        status
    }

    fn holds(status: &mut HelmReleaseStatus, approved: bool, opens_at: Option<i64>, now: i64) {
        let identity = identity("2.0.0");
        let held = HeldBack {
            hold: Hold {
                approved,
                opens_at: opens_at.map(|second| at(second).0),
            },
            identity: &identity,
            namespace: "apps",
            name: "web",
        };
        hold(status, Some(held), 2, &at(now));
    }

    fn said(status: &HelmReleaseStatus, type_: ConditionType) -> (String, String, String) {
        let found = conditions::get(&status.conditions, type_).unwrap();
        (found.status.clone(), found.reason.clone(), found.message.clone())
    }

    #[test]
    fn a_release_that_is_ready_says_that_it_is_as_it_was_and_what_it_waits_for() {
        let mut status = deployed();
        let before = status.clone();
        holds(&mut status, false, None, 3);
        record(&mut status, &INSTALL, 2, &at(3));
        let change = change(&identity("2.0.0"));
        let waits = format!(
            "an upgrade to shop@2.0.0 is held back until somebody approves it: \
             kubectl annotate --overwrite helmrelease.fairlead.dev web -n apps fairlead.dev/approve={change}"
        );
        let (holds_true, reason, message) = said(&status, ConditionType::Held);
        assert_eq!((holds_true.as_str(), reason.as_str()), ("True", "AwaitingApproval"));
        assert_eq!(message, waits);
        let (ready, reason, message) = said(&status, ConditionType::Ready);
        assert_eq!((ready.as_str(), reason.as_str()), ("True", "UpgradeHeld"));
        assert_eq!(
            message,
            format!("release prod/shop.v1 with chart shop@1.0.0 is as it was deployed; {waits}")
        );
        let held = status.held_upgrade.clone().unwrap();
        assert_eq!((held.chart_version.as_str(), held.approved), ("2.0.0", false));
        assert_eq!(held.change, change);
        assert!(!is_held_alike(Some(&before), Some(&status)));

        // Again, and when nothing new is known, nothing changes.
        let told = status.clone();
        for outcome in [INSTALL, Outcome::Standing] {
            holds(&mut status, false, None, 9);
            record(&mut status, &outcome, 2, &at(9));
            assert_eq!(status, told);
        }
        // When it is not held any more, nothing is left of it.
        hold(&mut status, None, 2, &at(10));
        record(&mut status, &INSTALL, 2, &at(10));
        assert_eq!(status.held_upgrade, None);
        assert!(conditions::get(&status.conditions, ConditionType::Held).is_none());
        assert_eq!(said(&status, ConditionType::Ready).1, "InstallSucceeded");
    }

    #[test]
    fn what_waits_for_a_window_says_when_it_opens() {
        let mut status = deployed();
        holds(&mut status, true, Some(7200), 3);
        let (_, reason, message) = said(&status, ConditionType::Held);
        assert_eq!(reason, "WindowClosed");
        assert!(
            message.ends_with("until a window opens: the next window opens at 1970-01-01T02:00:00Z"),
            "{message}"
        );
        let approved = status.clone();
        holds(&mut status, false, Some(7200), 3);
        let (_, reason, message) = said(&status, ConditionType::Held);
        assert_eq!(reason, "AwaitingApproval");
        assert!(
            message.ends_with("; the next window opens at 1970-01-01T02:00:00Z"),
            "{message}"
        );
        assert!(!is_held_alike(Some(&approved), Some(&status)));
        let later = {
            let mut status = status.clone();
            holds(&mut status, false, Some(9999), 3);
            status
        };
        assert!(is_held_alike(Some(&later), Some(&status)));
    }

    #[test]
    fn a_release_that_is_not_ready_keeps_its_reason_and_one_that_is_not_looked_after_says_so() {
        let mut status = deployed();
        let blocked = Outcome::Blocked {
            reason: Reason::ClusterError,
            message: "no".into(),
            retryable: true,
        };
        record(&mut status, &blocked, 2, &at(3));
        holds(&mut status, false, None, 4);
        let before = status.clone();
        record(&mut status, &Outcome::Held, 2, &at(5));
        assert_eq!(status, before);

        let mut status = deployed();
        holds(&mut status, false, None, 4);
        record(&mut status, &Outcome::Held, 2, &at(5));
        let (ready, reason, message) = said(&status, ConditionType::Ready);
        assert_eq!((ready.as_str(), reason.as_str()), ("Unknown", "UpgradeHeld"));
        assert_eq!(message, said(&status, ConditionType::Held).2);
        assert!(conditions::get(&status.conditions, ConditionType::Reconciling).is_none());
    }
}
