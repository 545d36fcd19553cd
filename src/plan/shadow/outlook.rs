//! The numbers: objects by what would be done to them, contested fields by class, and what each policy would do.

use std::collections::BTreeMap;

use super::ReleaseShadow;
use crate::api::helm_release::ownership::ConflictAction;
use crate::api::helm_release::ownership_status::{ConflictClass, ConflictCounts};
use crate::api::helm_release::shadow::{PolicyOutlook, ShadowCounts};
use crate::ownership::shadow::{Effect, is_adopted};

/// The values of `onConflict`, in the order in which they are told of.
const POLICIES: [ConflictAction; 5] = [
    ConflictAction::Fail,
    ConflictAction::Retry,
    ConflictAction::HandOff,
    ConflictAction::Yield,
    ConflictAction::Force,
];

pub(super) fn saturating(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The objects by what would be done to them.
pub fn counts(release: &ReleaseShadow) -> ShadowCounts {
    let with = |effect| saturating(release.objects.iter().filter(|object| object.effect == effect).count());
    ShadowCounts {
        created: with(Effect::Created),
        changed: with(Effect::Changed),
        adopted: with(Effect::Adopted),
        unchanged: with(Effect::Unchanged),
        removed: saturating(release.removed.len()),
        refused: saturating(release.refused.len()),
    }
}

/// The contested fields that adoption settles, by class.
pub fn adopted(release: &ReleaseShadow) -> BTreeMap<ConflictClass, u32> {
    let mut classes = BTreeMap::new();
    let fields = release.objects.iter().flat_map(|object| &object.contested);
    for field in fields.filter(|field| is_adopted(field)) {
        *classes.entry(field.class).or_default() += 1;
    }
    classes
}

/// The contested fields that adoption does not settle.
pub(super) fn conflicts(release: &ReleaseShadow) -> ConflictCounts {
    let mut conflicts = ConflictCounts::default();
    for undecided in release.contested() {
        conflicts.total = conflicts.total.saturating_add(1);
        *conflicts.by_class.entry(undecided.field.class).or_default() += 1;
        *conflicts.by_action.entry(undecided.field.action).or_default() += 1;
    }
    conflicts
}

/// What each value of `onConflict` would do about the contested fields; nothing where there are none.
pub fn policies(release: &ReleaseShadow) -> BTreeMap<ConflictAction, PolicyOutlook> {
    if release.objects.iter().all(|object| object.alternatives.is_empty()) {
        return BTreeMap::new();
    }
    let outlook = |policy: ConflictAction| {
        let mut outlook = PolicyOutlook::default();
        let counted = release
            .objects
            .iter()
            .filter_map(|object| object.alternatives.get(&policy));
        for (action, count) in counted.flatten() {
            let sum: &mut u32 = outlook.by_action.entry(*action).or_default();
            *sum = sum.saturating_add(saturating(*count));
            outlook.stops |= action.stops();
        }
        (policy, outlook)
    };
    POLICIES.map(outlook).into()
}
