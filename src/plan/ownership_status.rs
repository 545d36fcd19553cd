//! The ledger -> `status.ownership` and the condition `Conflicted`.
//!
//! Pure. Sorted and capped, so that the same ledger gives the same bytes.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use crate::api::conditions::{self, ConditionType, ConditionUpdate, Reason};
use crate::api::helm_release::HelmReleaseStatus;
use crate::api::helm_release::ownership_status::{
    ConflictCounts, ContestedField, FieldCounts, MAX_CONTESTED, OwnershipStatus,
};
use crate::api::listing::first_few;
use crate::ownership::class::Class;
use crate::ownership::fights::Fight;
use crate::ownership::ledger::{ContestRecord, Ledger, ObjectRecord};
use crate::ownership::policy::Action;
use crate::ownership::redact::ShownValue;
use crate::ownership::reference::ObjectReference;

/// How many contested fields the condition's message names.
const NAMED: usize = 3;

/// A field that was contested when its object was last looked at.
#[derive(Debug, Clone, Copy)]
pub struct Current<'a> {
    /// The object.
    pub object: &'a ObjectReference,
    /// The field, its other owner, and what was done.
    pub field: &'a ContestRecord,
}

impl Current<'_> {
    /// Whether the other owner still has the field.
    pub const fn is_unresolved(&self) -> bool {
        self.field.action.is_unresolved()
    }
}

/// All fields that were contested when their object was last looked at, by object, then by field.
pub fn current(ledger: &Ledger) -> impl Iterator<Item = Current<'_>> {
    ledger.objects().flat_map(|record| {
        contested_now(record).map(|field| Current {
            object: &record.reference,
            field,
        })
    })
}

/// Whether somebody else still has a field that the release wants.
pub fn is_contested(ledger: &Ledger) -> bool {
    let mut sorts = ledger.objects().flat_map(|record| record.tally.keys());
    sorts.any(|(_, action, _)| action.is_unresolved())
}

fn contested_now(record: &ObjectRecord) -> impl Iterator<Item = &ContestRecord> {
    let is_contested = |field: &&ContestRecord| field.is_current(&record.contested);
    record.history.iter().filter(is_contested)
}

/// What the ledger says, as the status shows it.
pub fn ownership_status(field_manager: String, ledger: &Ledger) -> OwnershipStatus {
    let mut status = OwnershipStatus {
        field_manager,
        ..OwnershipStatus::default()
    };
    for record in ledger.objects().filter(|record| !record.uid.is_empty()) {
        status.objects = status.objects.saturating_add(1);
        status.fields.owned = status
            .fields
            .owned
            .saturating_add(u32::try_from(record.owned.len()).unwrap_or(u32::MAX));
    }
    for record in ledger.objects() {
        for ((class, action, _), number) in &record.tally {
            count(&mut status.conflicts, &mut status.fields, (*class, *action), *number);
        }
    }
    let shown = current(ledger).map(|Current { object, field }| shown(object, field));
    status.contested = shown.take(MAX_CONTESTED).collect();
    status
}

fn count(conflicts: &mut ConflictCounts, fields: &mut FieldCounts, sort: (Class, Action), number: u32) {
    let (class, action) = sort;
    let add = |count: &mut u32| *count = count.saturating_add(number);
    add(&mut conflicts.total);
    add(conflicts.by_class.entry(class).or_default());
    add(conflicts.by_action.entry(action).or_default());
    match action {
        Action::Yielded => add(&mut fields.yielded),
        Action::Forced => add(&mut fields.forced),
        Action::Resolved | Action::Adopted => add(&mut fields.shared),
        Action::Retrying | Action::HandedOff | Action::Failed => {}
    }
}

fn shown(object: &ObjectReference, record: &ContestRecord) -> ContestedField {
    let ContestRecord {
        field,
        manager,
        operation,
        subresource,
        ours,
        theirs,
        class,
        action,
        rule,
        first_seen,
        last_seen,
        count,
    } = record;
    let json = |value: &Option<ShownValue>| value.as_ref().map(|value| value.as_json().clone());
    ContestedField {
        object: object.to_string(),
        path: field.clone(),
        ours: json(ours),
        theirs: json(theirs),
        manager: manager.clone(),
        operation: *operation,
        subresource: subresource.clone(),
        time: None,
        class: *class,
        action: *action,
        rule: Some(rule.clone()),
        first_seen: whole_seconds(*first_seen),
        last_seen: whole_seconds(*last_seen),
        count: u32::try_from(*count).unwrap_or(u32::MAX),
    }
}

/// The time as the API server gives it back. With a fraction, a status would never equal what is stored of it, and every
/// reconcile would write it anew.
pub(super) fn whole_seconds(time: Timestamp) -> Time {
    Time(Timestamp::from_second(time.as_second()).unwrap_or(time))
}

/// Sets `Conflicted` from `status.ownership` and the fights that go on.
pub fn conflicted(status: &mut HelmReleaseStatus, fights: &[Fight], generation: i64, now: &Time) {
    let Some(ownership) = &status.ownership else { return };
    let update = if !fights.is_empty() {
        let message = fighting(fights);
        ConditionUpdate::new(ConditionType::Conflicted, true, Reason::FieldFight, message)
    } else if ownership.conflicts.total == 0 {
        ConditionUpdate::new(
            ConditionType::Conflicted,
            false,
            Reason::NoConflicts,
            "no other field manager contests a field",
        )
    } else {
        ConditionUpdate::new(
            ConditionType::Conflicted,
            true,
            reason(&ownership.conflicts),
            message(ownership),
        )
    };
    conditions::set(&mut status.conditions, update, Some(generation), now);
}

fn fighting(fights: &[Fight]) -> String {
    first_few(fights, fights.len(), NAMED, "; ")
}

/// The most urgent thing that was done.
fn reason(conflicts: &ConflictCounts) -> Reason {
    let has = |outcome| conflicts.by_action.contains_key(&outcome);
    if has(Action::Failed) {
        Reason::ConflictFailed
    } else if has(Action::HandedOff) {
        Reason::ConflictHandedOff
    } else if has(Action::Retrying) {
        Reason::ConflictRetrying
    } else {
        Reason::ConflictsResolved
    }
}

fn message(ownership: &OwnershipStatus) -> String {
    let total = ownership.conflicts.total;
    let fields = ownership.contested.iter().map(|field| {
        format!(
            "{} {} of {} ({})",
            field.object, field.path, field.manager, field.action
        )
    });
    format!(
        "{total} contested: {}",
        first_few(fields, usize::try_from(total).unwrap_or(usize::MAX), NAMED, "; ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ownership::contested::ContestedField as Contested;
    use crate::ownership::managed::{Manager, Operation};
    use crate::ownership::path::FieldPath;

    #[test]
    fn a_status_is_what_the_api_server_gives_back_of_it() {
        let path: FieldPath = ".spec.replicas".parse().unwrap();
        let contested = Contested {
            field: path.to_string(),
            path: Some(path),
            ours: None,
            theirs: None,
            manager: Manager {
                name: "kubectl".into(),
                operation: Operation::Update,
                subresource: Some("scale".into()),
                api_version: None,
                time: None,
            },
            class: Class::Real,
            action: Action::Yielded,
            rule: "onConflict".into(),
        };
        let reference = ObjectReference {
            api_version: "apps/v1".into(),
            kind: "Deployment".into(),
            namespace: Some("prod".into()),
            name: "shop".into(),
        };
        let mut ledger = Ledger::default();
        let seen = Timestamp::new(1_700_000_000, 123_456_789).unwrap();
        ledger.stopped(&reference, &[contested], "policy", seen);

        let status = ownership_status("fairlead:prod/shop".into(), &ledger);
        assert_eq!((status.contested.len(), status.fields.yielded), (1, 1));
        let stored = serde_json::from_value(serde_json::to_value(&status).unwrap()).unwrap();
        assert_eq!(status, stored);
    }
}
