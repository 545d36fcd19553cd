//! The report as a value: what `fairlead shadow -o json` prints. Its shape is stable: fields are added, not changed.
//!
//! ```json
//! {
//!   "releases": [{
//!     "namespace": "prod", "release": "shop",
//!     "source": "HelmRelease",              // or HelmRecord: the manifest that Helm stored
//!     "chart": "shop@1.0.0",
//!     "fieldManager": "fairlead:prod/shop",
//!     "applies": false,                     // false: a conflict would stop it, or the API server refuses an object
//!     "objects": {"created": 0, "changed": 1, "adopted": 3, "unchanged": 0, "removed": 0, "refused": 0},
//!     "conflicts": {"total": 1, "byClass": {"Real": 1}, "byAction": {"Failed": 1}},
//!     "adopted": {"Legacy": 12, "Phantom": 2},
//!     "policies": {"Fail": {"stops": true, "byAction": {"Failed": 1}}, "Force": {"stops": false, "byAction": {"Forced": 1}}},
//!     "changes": [{"object": "apps/v1 Deployment prod/shop", "effect": "Changed", "changed": 1,
//!                  "fields": [{"path": ".spec.replicas", "live": 3, "foretold": 5}]}],
//!     "contested": [{"object": "v1 ConfigMap prod/shop", "path": ".data.key", "ours": "a", "theirs": "b", "manager": "kubectl-edit",
//!                    "operation": "Update", "time": "2026-11-22T21:00:00Z", "class": "Real", "action": "Failed", "rule": "onConflict"}]
//!   }],
//!   "failures": [{"namespace": "prod", "release": "web", "message": "..."}],
//!   "totals": {"releases": 1, "applied": 0, "stopped": 1, "contested": 1, "adopted": 14, "failures": 1}
//! }
//! ```
//!
//! Lists are sorted, and what is empty is left out of maps. Values are shortened, and those of Secrets are salted digests.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::outlook::{adopted, conflicts, counts, policies};
use super::{ReleaseShadow, Undecided};
use crate::api::helm_release::ownership::ConflictAction;
use crate::api::helm_release::ownership_status::{ConflictClass, ConflictCounts, ConflictOutcome, ManagerOperation};
use crate::api::helm_release::shadow::{PolicyOutlook, ShadowCounts, ShadowEffect};
use crate::ownership::contested::ContestedField;
use crate::ownership::managed::Manager;
use crate::ownership::redact::ShownValue;
use crate::ownership::shadow::{Effect, FieldChange, ObjectShadow};

/// Where the manifests of a release come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Source {
    /// The chart and the values of a HelmRelease.
    HelmRelease,
    /// The manifest of the newest deployed revision, as Helm stored it.
    HelmRecord,
}

/// What would become of some releases.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShadowReports {
    /// The releases that could be looked at, by namespace and name.
    pub releases: Vec<ShadowReport>,
    /// The others, by namespace and name.
    pub failures: Vec<Failure>,
    /// All of them in numbers.
    pub totals: Totals,
}

/// A release that could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Failure {
    /// Namespace of the release.
    pub namespace: String,
    /// Name of the release.
    pub release: String,
    /// Why, and the way out.
    pub message: String,
}

/// Some releases in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Releases that could be looked at.
    pub releases: usize,
    /// Those of them that could be applied as they are.
    pub applied: usize,
    /// The others of them.
    pub stopped: usize,
    /// Contested fields about which somebody or a policy decides.
    pub contested: u64,
    /// Contested fields that adoption settles.
    pub adopted: u64,
    /// Releases that could not be looked at.
    pub failures: usize,
}

/// What would become of one release.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShadowReport {
    /// Namespace of the HelmRelease, or of Helm's record.
    pub namespace: String,
    /// Name of the HelmRelease, or of the Helm release.
    pub release: String,
    /// Where the manifests come from.
    pub source: Source,
    /// Name and version of the chart.
    pub chart: String,
    /// The field manager that it would be applied with.
    pub field_manager: String,
    /// Whether it could be applied as it is.
    pub applies: bool,
    /// The objects by what would be done to them.
    pub objects: ShadowCounts,
    /// The contested fields that adoption does not settle.
    pub conflicts: ConflictCounts,
    /// The contested fields that adoption settles, by class.
    pub adopted: BTreeMap<ConflictClass, u32>,
    /// What each value of `onConflict` would do about the contested fields.
    pub policies: BTreeMap<ConflictAction, PolicyOutlook>,
    /// What would be done, by object; objects that would not change are left out.
    pub changes: Vec<ObjectReport>,
    /// The contested fields that adoption does not settle, by object, then by field.
    pub contested: Vec<ContestedReport>,
}

/// What would be done to one object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ObjectReport {
    /// The object.
    pub object: String,
    /// What would be done.
    pub effect: ShadowEffect,
    /// How many fields would get another value.
    #[serde(skip_serializing_if = "is_zero")]
    pub changed: usize,
    /// Those fields; the first of them where there are very many.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<ChangedField>,
    /// Why the API server would refuse it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A field that would get another value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChangedField {
    /// The field.
    pub path: String,
    /// What is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<Value>,
    /// What would be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foretold: Option<Value>,
}

/// A contested field and one of its other owners.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ContestedReport {
    /// The object.
    pub object: String,
    /// The field.
    pub path: String,
    /// The release's value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ours: Option<Value>,
    /// The live value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theirs: Option<Value>,
    /// The other field manager.
    pub manager: String,
    /// How it wrote the field.
    pub operation: ManagerOperation,
    /// Through which subresource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subresource: Option<String>,
    /// When it last wrote the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// What the conflict is.
    pub class: ConflictClass,
    /// What would be done about it.
    pub action: ConflictOutcome,
    /// The rule that says so.
    pub rule: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl ShadowReports {
    /// The report on these releases, in any order.
    pub fn of<'a>(releases: impl IntoIterator<Item = &'a ReleaseShadow>, mut failures: Vec<Failure>) -> Self {
        let mut releases: Vec<ShadowReport> = releases.into_iter().map(ShadowReport::of).collect();
        releases.sort_by(|a, b| (&a.namespace, &a.release, a.source).cmp(&(&b.namespace, &b.release, b.source)));
        failures.sort();
        let applied = releases.iter().filter(|release| release.applies).count();
        let totals = Totals {
            releases: releases.len(),
            applied,
            stopped: releases.len().saturating_sub(applied),
            contested: releases.iter().map(|release| u64::from(release.conflicts.total)).sum(),
            adopted: releases
                .iter()
                .flat_map(|release| release.adopted.values())
                .copied()
                .map(u64::from)
                .sum(),
            failures: failures.len(),
        };
        Self {
            releases,
            failures,
            totals,
        }
    }
}

impl ShadowReport {
    /// The report on one release.
    pub fn of(release: &ReleaseShadow) -> Self {
        Self {
            namespace: release.namespace.clone(),
            release: release.name.clone(),
            source: release.source,
            chart: release.chart.clone(),
            field_manager: release.field_manager.clone(),
            applies: release.applies(),
            objects: counts(release),
            conflicts: conflicts(release),
            adopted: adopted(release),
            policies: policies(release),
            changes: changes(release),
            contested: release.contested().into_iter().map(contested).collect(),
        }
    }
}

fn json(value: Option<&ShownValue>) -> Option<Value> {
    value.map(|value| value.as_json().clone())
}

/// What would be done, by object.
pub(super) fn changes(release: &ReleaseShadow) -> Vec<ObjectReport> {
    let report = |object: String, effect| ObjectReport {
        object,
        effect,
        changed: 0,
        fields: Vec::new(),
        message: None,
    };
    let refused = release.refused.iter().map(|refusal| ObjectReport {
        message: Some(refusal.message.clone()),
        ..report(refusal.object.to_string(), ShadowEffect::Refused)
    });
    let removed = release
        .removed
        .iter()
        .map(|object| report(object.to_string(), ShadowEffect::Removed));
    let applied = release.objects.iter().filter_map(|object| {
        let ObjectShadow {
            reference,
            effect,
            changes,
            changed,
            contested: _,
            alternatives: _,
            owned: _,
            seen: _,
        } = object;
        let effect = match effect {
            Effect::Created => ShadowEffect::Created,
            Effect::Changed => ShadowEffect::Changed,
            Effect::Adopted | Effect::Unchanged => return None,
        };
        Some(ObjectReport {
            changed: *changed,
            fields: changes.iter().map(field).collect(),
            ..report(reference.to_string(), effect)
        })
    });
    let mut all: Vec<ObjectReport> = refused.chain(removed).chain(applied).collect();
    all.sort_by(|a, b| (&a.object, a.effect).cmp(&(&b.object, b.effect)));
    all
}

fn field(change: &FieldChange) -> ChangedField {
    let FieldChange { path, live, foretold } = change;
    ChangedField {
        path: path.to_string(),
        live: json(live.as_ref()),
        foretold: json(foretold.as_ref()),
    }
}

fn contested(undecided: Undecided<'_>) -> ContestedReport {
    let Undecided { object, field } = undecided;
    let ContestedField {
        path: _,
        field,
        ours,
        theirs,
        manager,
        class,
        action,
        rule,
    } = field;
    let Manager {
        name,
        operation,
        subresource,
        api_version: _,
        time,
    } = manager;
    ContestedReport {
        object: object.to_string(),
        path: field.clone(),
        ours: json(ours.as_ref()),
        theirs: json(theirs.as_ref()),
        manager: name.clone(),
        operation: *operation,
        subresource: subresource.clone(),
        time: *time,
        class: *class,
        action: *action,
        rule: rule.clone(),
    }
}
