//! Which revision of the chart a reconcile is about: the newest one, or one that begins now.
//!
//! Pure. It is decided before rendering, because templates see the revision's number and whether it is an upgrade; the
//! time at which a revision began is the time that its templates see, so that rendering it again gives the same bytes.

mod cause;

pub use cause::{Cause, causes};

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::records::Standing;
use crate::api::helm_release::HelmReleaseSpec;
use crate::api::helm_release::actions::HelmAction;
use crate::api::helm_release::history::{Snapshot, SnapshotAction};
use crate::api::helm_release::post_render::PostRenderStrategy;

/// What identifies a revision of a release: a new one begins when any of it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Name of the Helm release.
    pub release_name: String,
    /// Namespace that the objects are released to.
    pub namespace: String,
    /// Name of the chart, from its Chart.yaml.
    pub chart_name: String,
    /// Version of the chart, from its Chart.yaml.
    pub chart_version: String,
    /// `appVersion` of the chart.
    pub app_version: Option<String>,
    /// `sha256:...` of the chart's archive.
    pub chart_digest: String,
    /// `sha256:...` of the manifest of the OCI artifact that the chart came from, if it came from one. Tells of the chart's digest,
    /// and is nothing to compare: another manifest may have the same chart.
    pub oci_digest: Option<String>,
    /// `sha256:...` of the values that the user gave.
    pub config_digest: String,
    /// What is changed in what the chart is rendered to.
    pub post_rendering: PostRenderingDigests,
}

/// Digests of what is changed in what a chart is rendered to, as Flux calculates them: `sha256:...` of JSON and a line feed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PostRenderingDigests {
    /// Of the post-renderers and, unless it is the default, of their strategy.
    pub post_renderers: Option<String>,
    /// Of the common metadata.
    pub common_metadata: Option<String>,
}

impl PostRenderingDigests {
    /// Those of a revision.
    pub fn recorded(snapshot: &Snapshot) -> Self {
        Self {
            post_renderers: snapshot.post_renderers_digest.clone(),
            common_metadata: snapshot.common_metadata_digest.clone(),
        }
    }

    /// Those of a spec.
    pub fn of(spec: &HelmReleaseSpec) -> Self {
        let strategy = spec
            .post_render_strategy
            .filter(|strategy| *strategy != PostRenderStrategy::default());
        let digest = |what: Value| {
            let text = strategy.map_or_else(|| what.to_string(), |strategy| json!([what, strategy]).to_string());
            format!("sha256:{:x}", Sha256::digest(text + "\n"))
        };
        let common = spec.common_metadata.as_ref();
        Self {
            post_renderers: (!spec.post_renderers.is_empty()).then(|| digest(json!(spec.post_renderers))),
            common_metadata: common.map(|common| digest(json!(common))),
        }
    }
}

/// Where the newest revision stands, read from Helm's word in its snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// `pending-*`: its objects are being applied, or it is awaited that they become ready.
    Pending,
    /// `deployed`: all was applied and became ready.
    Deployed,
    /// `failed`: it was not applied, or did not become ready in time.
    Failed,
    /// `uninstalled`, `uninstalling`, `superseded` or a word that this version does not know: to be released anew.
    Gone,
}

impl Phase {
    /// Reads Helm's status word.
    pub fn of(snapshot: &Snapshot) -> Self {
        match snapshot.status.as_str() {
            "deployed" => Self::Deployed,
            "failed" => Self::Failed,
            status if status.starts_with("pending-") => Self::Pending,
            _ => Self::Gone,
        }
    }
}

/// The revision that a reconcile is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// What makes it.
    pub action: HelmAction,
    /// Helm's number of the revision.
    pub number: u32,
    /// When it began.
    pub began: Timestamp,
    /// Where it stands; `None` for one that begins now.
    pub phase: Option<Phase>,
}

/// What is known of the revisions so far.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// What was released, newest first.
    pub history: &'a [Snapshot],
    /// The digest of the chart that was attempted last.
    pub chart_digest: Option<&'a str>,
    /// Whose the newest release record is.
    pub standing: &'a Standing,
}

/// Decides which revision a reconcile of the chart is about.
pub fn revision(known: Known<'_>, desired: &Identity, now: Timestamp) -> Revision {
    let Known {
        history,
        chart_digest,
        standing,
    } = known;
    let newest = history.first();
    let version = newest.map_or(0, |newest| newest.version);
    match standing {
        Standing::Foreign {
            newest: foreign,
            was_whole,
        } => {
            let action = if *was_whole {
                HelmAction::Upgrade
            } else {
                HelmAction::Install
            };
            return beginning(action, version.max(*foreign).saturating_add(1), now);
        }
        Standing::Gone => return beginning(HelmAction::Install, 1, now),
        // Nothing is begun while others are at it; the history stands.
        Standing::Own | Standing::Busy { .. } | Standing::Taken { .. } => {}
    }
    match newest {
        Some(newest)
            if Phase::of(newest) != Phase::Gone && is_of_chart(newest) && describes(newest, chart_digest, desired) =>
        {
            goes_on(newest)
        }
        Some(_) | None => begins(history, now),
    }
}

/// The newest revision of the chart, with which it is gone on.
pub fn goes_on(newest: &Snapshot) -> Revision {
    Revision {
        action: action_of(newest),
        number: newest.version,
        began: newest.last_deployed.0,
        phase: Some(Phase::of(newest)),
    }
}

/// The revision of the chart that follows on what was released.
pub fn begins(history: &[Snapshot], now: Timestamp) -> Revision {
    let Some(newest) = history.first() else {
        return beginning(HelmAction::Install, 1, now);
    };
    let action = if Phase::of(newest) != Phase::Gone && was_whole(newest) {
        HelmAction::Upgrade
    } else {
        HelmAction::Install
    };
    beginning(action, newest.version.saturating_add(1), now)
}

fn beginning(action: HelmAction, number: u32, now: Timestamp) -> Revision {
    Revision {
        action,
        number,
        began: now,
        phase: None,
    }
}

/// Whether the revision was made of the chart, and not of an earlier revision.
pub fn is_of_chart(snapshot: &Snapshot) -> bool {
    snapshot.action != Some(SnapshotAction::Rollback)
}

/// Whether the snapshot is of what is desired now.
pub fn describes(snapshot: &Snapshot, chart_digest: Option<&str>, desired: &Identity) -> bool {
    causes(snapshot, chart_digest, desired).is_empty()
}

/// Whether the release was ever deployed: what follows is an upgrade then, an install else.
fn was_whole(newest: &Snapshot) -> bool {
    Phase::of(newest) == Phase::Deployed || action_of(newest) == HelmAction::Upgrade
}

/// Install or upgrade, whichever made the revision.
fn action_of(snapshot: &Snapshot) -> HelmAction {
    match snapshot.action {
        Some(SnapshotAction::Upgrade | SnapshotAction::Rollback) => HelmAction::Upgrade,
        Some(SnapshotAction::Install | SnapshotAction::Uninstall | SnapshotAction::UninstallRemediation) | None => {
            HelmAction::Install
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use std::collections::BTreeMap;

    use super::*;

    pub(in crate::plan) fn identity(version: &str) -> Identity {
        Identity {
            release_name: "shop".into(),
            namespace: "prod".into(),
            chart_name: "shop".into(),
            chart_version: version.into(),
            app_version: None,
            chart_digest: format!("sha256:{version}"),
            oci_digest: None,
            config_digest: "sha256:values".into(),
            post_rendering: PostRenderingDigests::default(),
        }
    }

    fn snapshot(version: &str, number: u32, status: &str, action: SnapshotAction) -> Snapshot {
        let began = Time(Timestamp::from_second(100).unwrap());
        Snapshot {
            api_version: None,
            digest: String::new(),
            manifest_digest: None,
            action: Some(action),
            apply_method: crate::api::helm_release::history::ApplyMethod::default(),
            name: "shop".into(),
            namespace: "prod".into(),
            version: number,
            status: status.into(),
            chart_name: "shop".into(),
            chart_version: version.into(),
            app_version: None,
            config_digest: "sha256:values".into(),
            post_renderers_digest: None,
            common_metadata_digest: None,
            oci_digest: None,
            first_deployed: began.clone(),
            last_deployed: began,
            deleted: None,
            hooks: BTreeMap::new(),
            test_hooks: BTreeMap::new(),
            plugins: Vec::new(),
        }
    }

    fn decided(newest: Option<&Snapshot>, desired: &str) -> (HelmAction, u32, Option<Phase>, i64) {
        let digest = newest.map(|newest| format!("sha256:{}", newest.chart_version));
        let now = Timestamp::from_second(900).unwrap();
        let known = Known {
            history: newest.map(std::slice::from_ref).unwrap_or_default(),
            chart_digest: digest.as_deref(),
            standing: &Standing::Own,
        };
        let revision = revision(known, &identity(desired), now);
        (
            revision.action,
            revision.number,
            revision.phase,
            revision.began.as_second(),
        )
    }

    #[test]
    fn the_first_revision_is_an_install() {
        assert_eq!(decided(None, "1.0.0"), (HelmAction::Install, 1, None, 900));
    }

    #[test]
    fn what_is_desired_already_goes_on_as_it_began() {
        let newest = snapshot("1.0.0", 3, "pending-upgrade", SnapshotAction::Upgrade);
        assert_eq!(
            decided(Some(&newest), "1.0.0"),
            (HelmAction::Upgrade, 3, Some(Phase::Pending), 100)
        );
    }

    #[test]
    fn a_change_upgrades_what_was_once_whole_and_installs_what_never_was() {
        for (status, action, expected) in [
            ("deployed", SnapshotAction::Install, HelmAction::Upgrade),
            ("failed", SnapshotAction::Upgrade, HelmAction::Upgrade),
            ("failed", SnapshotAction::Install, HelmAction::Install),
            ("pending-install", SnapshotAction::Install, HelmAction::Install),
        ] {
            let newest = snapshot("1.0.0", 1, status, action);
            assert_eq!(decided(Some(&newest), "1.1.0"), (expected, 2, None, 900), "{status}");
        }
    }

    #[test]
    fn what_is_gone_is_installed_anew() {
        for status in ["uninstalled", "uninstalling", "superseded", "a word of a later Helm"] {
            let newest = snapshot("1.0.0", 4, status, SnapshotAction::Upgrade);
            assert_eq!(
                decided(Some(&newest), "1.0.0"),
                (HelmAction::Install, 5, None, 900),
                "{status}"
            );
        }
    }

    #[test]
    fn what_another_tool_made_is_followed_and_what_it_took_away_begins_anew() {
        let newest = snapshot("1.0.0", 4, "deployed", SnapshotAction::Upgrade);
        let begins = |newest: Option<&Snapshot>, standing: &Standing| {
            let known = Known {
                history: newest.map(std::slice::from_ref).unwrap_or_default(),
                chart_digest: Some("sha256:1.0.0"),
                standing,
            };
            let revision = revision(known, &identity("1.0.0"), Timestamp::from_second(900).unwrap());
            (revision.action, revision.number, revision.phase)
        };
        let foreign = |newest, was_whole| Standing::Foreign { newest, was_whole };
        let cases = [
            (Some(&newest), foreign(6, true), (HelmAction::Upgrade, 7, None)),
            (None, foreign(6, true), (HelmAction::Upgrade, 7, None)),
            (None, foreign(1, false), (HelmAction::Install, 2, None)),
            (Some(&newest), Standing::Gone, (HelmAction::Install, 1, None)),
        ];
        for (newest, standing, expected) in cases {
            assert_eq!(begins(newest, &standing), expected, "{standing:?}");
        }
    }

    #[test]
    fn every_part_of_the_identity_counts() {
        let newest = snapshot("1.0.0", 1, "deployed", SnapshotAction::Install);
        let now = Timestamp::from_second(900).unwrap();
        let begins = |desired: &Identity| {
            let known = Known {
                history: std::slice::from_ref(&newest),
                chart_digest: Some("sha256:1.0.0"),
                standing: &Standing::Own,
            };
            revision(known, desired, now).phase.is_none()
        };
        let same = identity("1.0.0");
        assert!(!begins(&same));
        assert!(begins(&Identity {
            release_name: "other".into(),
            ..same.clone()
        }));
        assert!(begins(&Identity {
            namespace: "other".into(),
            ..same.clone()
        }));
        assert!(begins(&Identity {
            chart_name: "other".into(),
            ..same.clone()
        }));
        assert!(begins(&Identity {
            chart_digest: "sha256:rebuilt".into(),
            ..same.clone()
        }));
        assert!(begins(&Identity {
            config_digest: "sha256:other".into(),
            ..same.clone()
        }));
        for post_rendering in [
            PostRenderingDigests {
                post_renderers: Some("sha256:patches".into()),
                common_metadata: None,
            },
            PostRenderingDigests {
                post_renderers: None,
                common_metadata: Some("sha256:labels".into()),
            },
        ] {
            assert!(begins(&Identity {
                post_rendering,
                ..same.clone()
            }));
        }
    }
}
