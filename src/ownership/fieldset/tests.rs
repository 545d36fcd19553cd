//! The algebra of field sets, against a plain set of paths as the model.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn small_path() -> impl Strategy<Value = FieldPath> {
    prop::collection::vec("[ab]".prop_map(PathElement::Field), 1..4).prop_map(FieldPath::new)
}

fn small_set() -> impl Strategy<Value = BTreeSet<FieldPath>> {
    prop::collection::btree_set(small_path(), 0..6)
}

fn tree(paths: &BTreeSet<FieldPath>) -> FieldSet {
    paths.iter().cloned().collect()
}

proptest! {
    #[test]
    fn algebra_is_that_of_sets(a in small_set(), b in small_set()) {
        let (left, right) = (tree(&a), tree(&b));
        prop_assert_eq!(left.union(&right), tree(&a.union(&b).cloned().collect()));
        prop_assert_eq!(left.intersection(&right), tree(&a.intersection(&b).cloned().collect()));
        prop_assert_eq!(left.difference(&right), tree(&a.difference(&b).cloned().collect()));
        prop_assert_eq!(left.is_subset_of(&right), a.is_subset(&b));
        prop_assert_eq!(left.len(), a.len());
        prop_assert_eq!(left.paths().into_iter().collect::<BTreeSet<_>>(), a);
    }

    #[test]
    fn union_is_a_monoid(a in small_set(), b in small_set(), c in small_set()) {
        let (a, b, c) = (tree(&a), tree(&b), tree(&c));
        prop_assert_eq!(a.union(&b), b.union(&a));
        prop_assert_eq!(a.union(&b).union(&c), a.union(&b.union(&c)));
        prop_assert_eq!(a.union(&a), a.clone());
        prop_assert_eq!(a.union(&FieldSet::new()), a.clone());
        prop_assert_eq!(a.difference(&b).union(&a.intersection(&b)), a.clone());
    }

    #[test]
    fn parts_are_what_is_at_or_below(set in small_set(), path in small_path()) {
        let (below, rest): (BTreeSet<_>, BTreeSet<_>) =
            set.iter().cloned().partition(|candidate| candidate.is_at_or_below(&path));
        prop_assert_eq!(tree(&set).at_or_below(&path), tree(&below));
        prop_assert_eq!(tree(&set).without(&path), tree(&rest));
    }

    #[test]
    fn a_relation_says_where_a_path_stands(set in small_set(), path in small_path()) {
        let leaf_above = |path: &FieldPath| set.iter().any(|member| {
            member != path && path.is_at_or_below(member) && !set.iter().any(|other| other != member && other.is_at_or_below(member))
        });
        let expected = if set.contains(&path) {
            Some(Relation::Exact)
        } else if set.iter().any(|member| member.is_at_or_below(&path)) {
            Some(Relation::Descendant)
        } else if leaf_above(&path) {
            Some(Relation::Ancestor)
        } else {
            None
        };
        prop_assert_eq!(tree(&set).relation(&path), expected);
    }

    #[test]
    fn contains_what_was_put_in(set in small_set(), path in small_path()) {
        prop_assert_eq!(tree(&set).contains(&path), set.contains(&path));
    }
}

#[test]
fn relations() {
    let set: FieldSet = [".spec.selector", ".metadata.labels.app"]
        .iter()
        .map(|path| path.parse().unwrap())
        .collect();
    let relation = |path: &str| set.relation(&path.parse().unwrap());
    assert_eq!(relation(".spec.selector"), Some(Relation::Exact));
    assert_eq!(relation(".spec.selector.app"), Some(Relation::Ancestor));
    assert_eq!(relation(".metadata.labels"), Some(Relation::Descendant));
    assert_eq!(relation(".metadata.labels.other"), None);
    assert_eq!(relation(".status"), None);
}

#[test]
fn leaves_leave_out_parents() {
    let set: FieldSet = [".spec.ports", ".spec.ports[0]", ".spec.ports[0].name"]
        .iter()
        .map(|path| path.parse().unwrap())
        .collect();
    assert_eq!(set.len(), 3);
    assert_eq!(set.leaves(), vec![".spec.ports[0].name".parse().unwrap()]);
}
