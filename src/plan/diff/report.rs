//! The report as a value: what `fairlead diff -o json` prints. Its shape is stable: fields are added, not changed, or else
//! `schemaVersion` is raised.
//!
//! ```json
//! {
//!   "schemaVersion": 1,
//!   "verdict": "Differs",                  // Same, Differs, Stopped or Failed: what the exit code says
//!   "releases": [{
//!     // All that `fairlead shadow -o json` says of a release (see `plan::shadow`): namespace, release, chart, fieldManager, applies,
//!     // objects, conflicts, adopted, policies, changes, contested.
//!     "differs": true,
//!     "suspended": false,
//!     "revision": {
//!       "newest": {"number": 1, "chart": "shop@1.0.0", "status": "deployed"},   // left out if there is none
//!       "next": {"number": 2, "action": "upgrade", "because": ["ChartVersion", "Values"], "reinstalls": false,
//!                "hooks": [{"event": "pre-upgrade", "kind": "Job", "name": "migrate"}],
//!                "held": {"reason": "AwaitingApproval", "message": "...", "change": "0123456789ab"}}   // left out if no gate holds it
//!                                                      // `next` is left out if none would begin
//!     },
//!     "adopts": ["v1 Service prod/shop"],   // no value would change, but the release would own its fields from then on
//!     "kept": ["v1 PersistentVolumeClaim prod/data"]   // they leave the release, and stay in the cluster
//!   }],
//!   "failures": [{"namespace": "prod", "release": "web", "message": "..."}]
//! }
//! ```
//!
//! Values of Secrets are salted digests.

use serde::Serialize;

use super::{Newest, Next, ReleaseDiff};
use crate::ownership::shadow::Effect;
use crate::plan::shadow::{Failure, ShadowReport};

/// The version of the report's shape.
const SCHEMA_VERSION: u32 = 1;

/// What would become of some releases.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DiffReports {
    /// The version of the shape.
    pub schema_version: u32,
    /// All of it in a word.
    pub verdict: Verdict,
    /// The releases that could be looked at, in the order in which they were given.
    pub releases: Vec<DiffReport>,
    /// The others.
    pub failures: Vec<Failure>,
}

/// What a comparison comes to; what is worse counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Verdict {
    /// Nothing would be written.
    Same,
    /// Something would be.
    Differs,
    /// A release could not be applied: a conflict would stop it, or the API server would refuse an object.
    Stopped,
    /// A release could not be looked at.
    Failed,
}

/// What would become of one release.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DiffReport {
    /// What would become of its objects.
    #[serde(flatten)]
    pub release: ShadowReport,
    /// Whether anything would be written.
    pub differs: bool,
    /// Whether nothing is done before somebody resumes the release.
    pub suspended: bool,
    /// What would become of its revisions.
    pub revision: Revisions,
    /// Objects of which no value would change, but whose fields the release would own from then on.
    pub adopts: Vec<String>,
    /// Objects that leave the release, and stay in the cluster.
    pub kept: Vec<String>,
}

/// The revisions of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Revisions {
    /// The newest one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<Newest>,
    /// The one that would begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
}

impl DiffReports {
    /// The report on these releases.
    pub fn of(releases: &[ReleaseDiff], failures: Vec<Failure>) -> Self {
        let verdicts = releases.iter().map(verdict).max();
        let verdict = if failures.is_empty() {
            verdicts.unwrap_or(Verdict::Same)
        } else {
            Verdict::Failed
        };
        Self {
            schema_version: SCHEMA_VERSION,
            verdict,
            releases: releases.iter().map(report).collect(),
            failures,
        }
    }
}

fn verdict(diff: &ReleaseDiff) -> Verdict {
    match (diff.release.applies(), diff.differs()) {
        (false, _) => Verdict::Stopped,
        (true, true) => Verdict::Differs,
        (true, false) => Verdict::Same,
    }
}

fn report(diff: &ReleaseDiff) -> DiffReport {
    let ReleaseDiff {
        release,
        newest,
        next,
        kept,
        is_suspended,
    } = diff;
    let adopted = release.objects.iter().filter(|object| object.effect == Effect::Adopted);
    DiffReport {
        release: ShadowReport::of(release),
        differs: diff.differs(),
        suspended: *is_suspended,
        revision: Revisions {
            newest: newest.clone(),
            next: next.clone(),
        },
        adopts: adopted.map(|object| object.reference.to_string()).collect(),
        kept: kept.iter().map(ToString::to_string).collect(),
    }
}
