//! A release's shadow -> `status.ownership`, `status.shadow`, and the conditions about them.
//!
//! Sorted and capped. What was seen before keeps its times, so that the same facts give the same bytes.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use serde_json::Value;

use super::outlook::{adopted, conflicts, counts, policies, saturating};
use super::{ObjectReport, ReleaseShadow, Undecided, report};
use crate::api::conditions::{self, ConditionType, ConditionUpdate, Reason};
use crate::api::helm_release::HelmReleaseStatus;
use crate::api::helm_release::ownership_status::{ContestedField, FieldCounts, MAX_CONTESTED, OwnershipStatus};
use crate::api::helm_release::shadow::{
    MAX_CHANGES, MAX_PATH_LENGTH, MAX_PATHS, ShadowChange, ShadowCounts, ShadowEffect, ShadowStatus,
};
use crate::api::listing::first_few;
use crate::ownership::contested::ContestedField as Contested;
use crate::ownership::managed::Manager;
use crate::ownership::policy::Action;
use crate::ownership::redact::{ShownValue, is_redacted};
use crate::plan::ownership_status;

/// The longest reason of a refusal in status, in characters.
const MAX_MESSAGE: usize = 512;
/// How many objects the message of `Drifted` names.
const NAMED: usize = 3;

/// Sets what a status says of the release's shadow. Everything else of it stays: history and inventory are of what was applied.
pub fn apply_to(status: &mut HelmReleaseStatus, release: &ReleaseShadow, generation: i64, now: &Time) {
    let changes = changes(release);
    let drifted = if changes.is_empty() {
        let message = "applying the release would change nothing";
        ConditionUpdate::new(ConditionType::Drifted, false, Reason::NoDriftDetected, message)
    } else {
        let message = drift(&changes);
        ConditionUpdate::new(ConditionType::Drifted, true, Reason::DriftDetected, message)
    };
    status.ownership = Some(ownership(release, status.ownership.as_ref(), now));
    status.shadow = Some(ShadowStatus {
        objects: counts(release),
        adopted: adopted(release),
        policies: policies(release),
        changes: changes.into_iter().take(MAX_CHANGES).collect(),
    });
    conditions::set(&mut status.conditions, drifted, Some(generation), now);
    // What a fight is, only writes tell.
    ownership_status::conflicted(status, &[], generation, now);
}

/// `2 created, 1 changed`: how many objects of each sort there are; nothing where there are none.
pub fn counted(sorts: [(u32, &str); 6]) -> Option<String> {
    let some = sorts.into_iter().filter(|(count, _)| *count > 0);
    let told: Vec<String> = some.map(|(count, what)| format!("{count} {what}")).collect();
    (!told.is_empty()).then(|| told.join(", "))
}

/// The release's shadow in a line.
pub fn summary(release: &ReleaseShadow) -> String {
    let ShadowCounts {
        created,
        changed,
        adopted,
        unchanged,
        removed,
        refused,
    } = counts(release);
    let objects = [
        (created, "created"),
        (changed, "changed"),
        (removed, "removed"),
        (refused, "refused"),
        (adopted, "adopted without a change"),
        (unchanged, "left as they are"),
    ];
    let objects = match counted(objects) {
        Some(told) => format!("objects that would be {told}"),
        None => "no objects".to_owned(),
    };
    let contested = release.contested();
    let stopping = contested
        .iter()
        .filter(|undecided| undecided.field.action.stops())
        .count();
    let conflicts = match (contested.len(), stopping) {
        (0, _) => "no conflicts".to_owned(),
        (all, 0) => format!("{all} contested fields, all decided by policy"),
        (all, stopping) => format!("{all} contested fields, of which {stopping} would stop the release"),
    };
    format!("shadow mode, nothing was written: {objects}; {conflicts}")
}

fn ownership(release: &ReleaseShadow, before: Option<&OwnershipStatus>, now: &Time) -> OwnershipStatus {
    let contested = release.contested();
    let with = |action: Action| saturating(contested.iter().filter(|found| found.field.action == action).count());
    let owned = release.objects.iter().filter_map(|object| object.owned);
    OwnershipStatus {
        field_manager: release.field_manager.clone(),
        objects: saturating(owned.clone().count()),
        fields: FieldCounts {
            owned: saturating(owned.sum()),
            shared: with(Action::Adopted),
            yielded: with(Action::Yielded),
            forced: with(Action::Forced),
        },
        conflicts: conflicts(release),
        contested: contested
            .iter()
            .take(MAX_CONTESTED)
            .map(|undecided| shown(undecided, before, now))
            .collect(),
    }
}

fn shown(undecided: &Undecided<'_>, before: Option<&OwnershipStatus>, now: &Time) -> ContestedField {
    let Contested {
        path: _,
        field,
        ours,
        theirs,
        manager,
        class,
        action,
        rule,
    } = undecided.field;
    let Manager {
        name,
        operation,
        subresource,
        api_version: _,
        time: _,
    } = manager;
    let json = |value: &Option<ShownValue>| value.as_ref().map(|value| value.as_json().clone());
    let now = ownership_status::whole_seconds(now.0);
    let mut shown = ContestedField {
        object: undecided.object.to_string(),
        path: field.clone(),
        ours: json(ours),
        theirs: json(theirs),
        manager: name.clone(),
        operation: *operation,
        subresource: subresource.clone(),
        time: None,
        class: *class,
        action: *action,
        rule: Some(rule.clone()),
        first_seen: now.clone(),
        last_seen: now,
        count: 1,
    };
    let is_same = |known: &&ContestedField| {
        known.object == shown.object
            && known.path == shown.path
            && known.manager == shown.manager
            && known.subresource == shown.subresource
    };
    if let Some(known) = before.and_then(|before| before.contested.iter().find(is_same)) {
        shown.first_seen = known.first_seen.clone();
        shown.count = known.count;
        keep_digest(&mut shown.ours, known.ours.as_ref());
        keep_digest(&mut shown.theirs, known.theirs.as_ref());
        let (last_seen, count) = (known.last_seen.clone(), known.count);
        let unchanged = ContestedField {
            last_seen,
            ..shown.clone()
        };
        if unchanged == *known {
            return unchanged;
        }
        shown.count = count.saturating_add(1);
    }
    shown
}

/// Every process has its own salt: another digest of a Secret's value does not say that the value is another one.
fn keep_digest(shown: &mut Option<Value>, known: Option<&Value>) {
    if let (Some(value), Some(known)) = (shown, known)
        && is_redacted(value)
        && is_redacted(known)
    {
        value.clone_from(known);
    }
}

/// What would be done, by object: what is worst first.
fn changes(release: &ReleaseShadow) -> Vec<ShadowChange> {
    let mut all: Vec<ShadowChange> = report::changes(release).into_iter().map(in_short).collect();
    let rank = |effect: ShadowEffect| match effect {
        ShadowEffect::Refused => 0,
        ShadowEffect::Removed => 1,
        ShadowEffect::Changed => 2,
        ShadowEffect::Created => 3,
    };
    all.sort_by(|a, b| (rank(a.effect), &a.object).cmp(&(rank(b.effect), &b.object)));
    all
}

fn in_short(report: ObjectReport) -> ShadowChange {
    let ObjectReport {
        object,
        effect,
        changed,
        fields,
        message,
    } = report;
    ShadowChange {
        object,
        effect,
        fields: saturating(changed),
        paths: fields
            .iter()
            .take(MAX_PATHS)
            .map(|field| shortened(&field.path))
            .collect(),
        message: message.map(|message| message.chars().take(MAX_MESSAGE).collect()),
    }
}

fn shortened(path: &str) -> String {
    match path.char_indices().nth(MAX_PATH_LENGTH) {
        None => path.to_owned(),
        Some((end, _)) => format!("{}…", path.get(..end).unwrap_or_default()),
    }
}

fn drift(changes: &[ShadowChange]) -> String {
    let differing = changes
        .iter()
        .map(|change| format!("{} ({})", change.object, change.effect.as_str()));
    format!(
        "{} objects differ from the release: {}",
        changes.len(),
        first_few(differing, changes.len(), NAMED, ", ")
    )
}
