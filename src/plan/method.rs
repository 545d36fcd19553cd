//! How the objects of a revision are written: server-side, unless the spec says otherwise.
//!
//! Pure. A revision that is deployed is kept right in the way in which it was applied; what has yet to get there, as the spec says now.

use super::revision::{Phase, Revision};
use crate::api::helm_release::HelmReleaseSpec;
use crate::api::helm_release::actions::{HelmAction, ServerSideApply};
use crate::api::helm_release::history::{ApplyMethod, Snapshot};

/// How the objects of a revision are written; `restores` is the number of the revision that a rollback restores.
pub fn method(spec: &HelmReleaseSpec, history: &[Snapshot], revision: &Revision, restores: Option<u32>) -> ApplyMethod {
    let of = |number: u32| {
        let snapshot = history.iter().find(|snapshot| snapshot.version == number);
        snapshot.map(|snapshot| snapshot.apply_method)
    };
    let own = revision.phase.and_then(|_| of(revision.number));
    if revision.phase == Some(Phase::Deployed)
        && let Some(own) = own
    {
        return own;
    }
    // The last revision counts, also one that failed. What Fairlead did not apply itself it applies server-side from now on.
    let last = || {
        own.or_else(|| history.first().map(|last| last.apply_method))
            .unwrap_or_default()
    };
    let chosen = |setting: Option<ServerSideApply>, before: ApplyMethod| match setting.unwrap_or_default() {
        ServerSideApply::Enabled => ApplyMethod::ServerSide,
        ServerSideApply::Disabled => ApplyMethod::ClientSide,
        ServerSideApply::Auto => before,
    };
    match revision.action {
        HelmAction::Install => match spec.install.as_ref().and_then(|install| install.server_side_apply) {
            Some(false) => ApplyMethod::ClientSide,
            Some(true) | None => ApplyMethod::ServerSide,
        },
        HelmAction::Upgrade => {
            let setting = spec.upgrade.as_ref().and_then(|upgrade| upgrade.server_side_apply);
            chosen(setting, last())
        }
        HelmAction::Rollback => {
            let setting = spec.rollback.as_ref().and_then(|rollback| rollback.server_side_apply);
            chosen(setting, own.or_else(|| of(restores?)).unwrap_or_else(last))
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;

    fn snapshot(version: u32, method: &str) -> Snapshot {
        let time = "2026-01-01T00:00:00Z";
        serde_json::from_value(json!({"applyMethod": method, "digest": "", "name": "a", "namespace": "b", "version": version,
            "status": "deployed", "chartName": "c", "chartVersion": "1.0.0", "configDigest": "", "firstDeployed": time, "lastDeployed": time}))
        .unwrap()
    }

    /// The method of a revision after these, newest first.
    fn found(
        spec: Value,
        action: HelmAction,
        phase: Option<Phase>,
        history: &[(u32, &str)],
        restores: Option<u32>,
    ) -> &'static str {
        let mut whole = spec;
        whole["interval"] = json!("1m");
        let history: Vec<Snapshot> = history
            .iter()
            .map(|(version, method)| snapshot(*version, method))
            .collect();
        let newest = history.first().map_or(0, |newest| newest.version);
        let revision = Revision {
            action,
            number: if phase.is_some() { newest } else { newest + 1 },
            began: Timestamp::UNIX_EPOCH,
            phase,
        };
        method(&serde_json::from_value(whole).unwrap(), &history, &revision, restores).as_word()
    }

    #[test]
    fn each_action_has_its_option_and_auto_is_as_before() {
        use HelmAction::{Install, Rollback, Upgrade};
        assert_eq!(found(json!({}), Install, None, &[], None), "ssa");
        assert_eq!(
            found(json!({"install": {"serverSideApply": false}}), Install, None, &[], None),
            "csa"
        );
        for (setting, after_csa, after_ssa) in [
            ("enabled", "ssa", "ssa"),
            ("disabled", "csa", "csa"),
            ("auto", "csa", "ssa"),
        ] {
            let spec = json!({"upgrade": {"serverSideApply": setting}});
            assert_eq!(
                found(spec.clone(), Upgrade, None, &[(1, "csa")], None),
                after_csa,
                "{setting}"
            );
            assert_eq!(found(spec, Upgrade, None, &[(1, "ssa")], None), after_ssa, "{setting}");
            let spec = json!({"rollback": {"serverSideApply": setting}});
            // What counts is the revision that is restored, not the one that failed.
            let history = [(2, "ssa"), (1, "csa")];
            assert_eq!(found(spec, Rollback, None, &history, Some(1)), after_csa, "{setting}");
        }
        // Another tool's release is continued server-side.
        assert_eq!(found(json!({}), Upgrade, None, &[], None), "ssa");
        assert_eq!(found(json!({}), Rollback, None, &[(2, "csa")], Some(1)), "csa");
    }

    #[test]
    fn what_is_deployed_is_kept_as_it_was_applied_and_what_failed_follows_the_spec() {
        let spec = json!({"upgrade": {"serverSideApply": "disabled"}});
        let history = [(2, "ssa"), (1, "ssa")];
        assert_eq!(
            found(spec.clone(), HelmAction::Upgrade, Some(Phase::Deployed), &history, None),
            "ssa"
        );
        assert_eq!(
            found(spec, HelmAction::Upgrade, Some(Phase::Failed), &history, None),
            "csa"
        );
        let auto = json!({});
        assert_eq!(
            found(
                auto,
                HelmAction::Upgrade,
                Some(Phase::Pending),
                &[(2, "csa"), (1, "ssa")],
                None
            ),
            "csa"
        );
    }
}
