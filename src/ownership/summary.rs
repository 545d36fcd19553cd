//! The contested fields of a whole release in a few lines: counts, and a sorted, capped list that is the same for the
//! same facts whatever order they arrived in.

use crate::api::listing::first_few;
use std::collections::BTreeMap;

use super::class::Class;
use super::contested::ContestedField;
use super::policy::Action;
use super::reference::ObjectReference;

/// How many fields a message names.
const NAMED: usize = 3;

/// How many contested fields a status lists.
pub const MAX_LISTED: usize = 50;

/// A contested field and the object that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectContest {
    /// The object.
    pub object: ObjectReference,
    /// The field.
    pub contested: ContestedField,
}

/// The contested fields of a release.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConflictSummary {
    /// All of them, listed or not.
    pub total: usize,
    /// How many of each class; classes without any are left out.
    pub by_class: BTreeMap<Class, usize>,
    /// How often each action was taken; actions without any are left out.
    pub by_action: BTreeMap<Action, usize>,
    /// The first in order, at most [`MAX_LISTED`]; those that stopped the release come first.
    pub listed: Vec<ObjectContest>,
}

impl ConflictSummary {
    /// Sums up contested fields; the same field and owner given twice counts once.
    pub fn of(contests: impl IntoIterator<Item = ObjectContest>) -> Self {
        let mut all: Vec<ObjectContest> = contests.into_iter().collect();
        all.sort_by(|a, b| order(a).cmp(&order(b)));
        all.dedup_by(|a, b| order(a) == order(b));
        let mut by_class = BTreeMap::new();
        let mut by_action = BTreeMap::new();
        for contest in &all {
            *by_class.entry(contest.contested.class).or_default() += 1;
            *by_action.entry(contest.contested.action).or_default() += 1;
        }
        let total = all.len();
        all.truncate(MAX_LISTED);
        Self {
            total,
            by_class,
            by_action,
            listed: all,
        }
    }

    /// Whether some contested field kept the release from being written.
    pub fn stops(&self) -> bool {
        self.by_action.keys().any(|action| action.stops())
    }

    /// One line for a condition: stable, without times; at most three fields are named.
    pub fn message(&self) -> String {
        let named = first_few(self.listed.iter().map(describe), self.total, NAMED, ", ");
        match self.total {
            0 => "no contested fields".to_owned(),
            1 => format!("1 contested field: {named}"),
            total => format!("{total} contested fields: {named}"),
        }
    }
}

fn describe(contest: &ObjectContest) -> String {
    let ContestedField {
        path: _,
        field,
        ours: _,
        theirs: _,
        manager,
        class,
        action,
        rule,
    } = &contest.contested;
    format!(
        "{} {field} of {} ({class}, {action} by {rule})",
        contest.object, manager.name
    )
}

fn order(contest: &ObjectContest) -> (bool, &ObjectReference, (&str, &str, &str)) {
    (
        !contest.contested.action.stops(),
        &contest.object,
        contest.contested.sort_key(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ownership::managed::{Manager, Operation};

    fn contest(name: &str, field: &str, action: Action) -> ObjectContest {
        let object = ObjectReference {
            api_version: "v1".into(),
            kind: "ConfigMap".into(),
            namespace: None,
            name: name.into(),
        };
        let manager = Manager {
            name: "kubectl".into(),
            operation: Operation::Update,
            subresource: None,
            api_version: None,
            time: None,
        };
        let contested = ContestedField {
            path: None,
            field: field.into(),
            ours: None,
            theirs: None,
            manager,
            class: Class::Real,
            action,
            rule: "onConflict".into(),
        };
        ObjectContest { object, contested }
    }

    #[test]
    fn the_same_facts_give_the_same_summary() {
        let facts = [
            contest("b", ".data.x", Action::Yielded),
            contest("a", ".data.y", Action::Failed),
            contest("a", ".data.x", Action::Forced),
        ];
        let mut reversed = facts.to_vec();
        reversed.reverse();
        reversed.extend(facts.clone());
        let summary = ConflictSummary::of(facts);
        assert_eq!(summary, ConflictSummary::of(reversed));
        assert!(summary.stops());
        assert_eq!(summary.total, 3);
        assert_eq!(summary.listed.first().unwrap().contested.action, Action::Failed);
        assert_eq!(
            summary.message(),
            "3 contested fields: v1 ConfigMap a .data.y of kubectl (Real, Failed by onConflict), \
            v1 ConfigMap a .data.x of kubectl (Real, Forced by onConflict), v1 ConfigMap b .data.x of kubectl (Real, Yielded by onConflict)"
        );
    }

    #[test]
    fn long_lists_are_capped_but_counted() {
        let summary = ConflictSummary::of((0..120).map(|i| contest("a", &format!(".data.k{i:03}"), Action::Yielded)));
        assert_eq!((summary.total, summary.listed.len()), (120, MAX_LISTED));
        assert!(summary.message().ends_with("and 117 more"));
    }
}
