//! What we owned and own no more although nobody told us: found by comparing an object with what the ledger remembers.
//!
//! A field that somebody else has changed is no silent loss: applying it is a conflict. This is about the others: fields
//! that are gone, fields that changed without an owner, and managedFields that forgot us.

use std::collections::BTreeSet;

use serde_json::Value;

use super::class::Class;
use super::contention::other_holders;
use super::contested::ContestedField;
use super::fieldset::{FieldSet, Relation};
use super::intent::is_identity;
use super::ledger::ObjectRecord;
use super::managed::{ManagedFields, Manager, Operation};
use super::packed::PackedFields;
use super::path::{FieldPath, PathElement};
use super::policy::Action;
use super::reference::ObjectReference;
use super::value::{is_empty, lookup, satisfies};

/// How a writer is called of whom nothing is known.
pub const UNKNOWN_MANAGER: &str = "unknown";

/// A writer of whom nothing is known.
pub fn unknown_manager() -> Manager {
    Manager {
        name: UNKNOWN_MANAGER.to_owned(),
        operation: Operation::Update,
        subresource: None,
        api_version: None,
        time: None,
    }
}

/// Whether managedFields has forgotten that we ever applied the object.
pub fn is_wiped(owned: &PackedFields, managed: &ManagedFields, manager: &str) -> bool {
    !owned.is_empty() && managed.applied_by(manager).is_none()
}

/// The fields of the body that we owned and that are gone, or that changed and have no owner, sorted; of an item that is gone,
/// the item.
///
/// `owned` is what we owned when we last applied the object. Values that changed in an object whose managedFields were
/// wiped are left out: the server invents an owner for them when we apply, and that is a conflict.
pub fn lost_fields(
    owned: &FieldSet,
    managed: &ManagedFields,
    manager: &str,
    live: &Value,
    body: &Value,
) -> Vec<FieldPath> {
    let now = managed.applied_by(manager);
    let is_held = |path: &FieldPath| now.is_some_and(|now| now.relation(path) == Some(Relation::Exact));
    let mut lost = BTreeSet::new();
    for path in owned.leaves() {
        let Some(wanted) = lookup(body, &path) else { continue };
        if is_held(&path) || is_identity(&path) {
            continue;
        }
        match lookup(live, &path) {
            None => {
                lost.insert(topmost_missing(live, path));
            }
            Some(found) => {
                let changed = !satisfies(found, wanted);
                if changed && now.is_some() && other_holders(managed, manager, &path).is_empty() {
                    lost.insert(path);
                }
            }
        }
    }
    lost.into_iter().collect()
}

/// The fields that we own as the ledger remembers, with other values than we applied, sorted: written under another name, as
/// a Secret's `stringData` is, or by admission. What admission is known to change,
/// and what has its other owner's value by a person's decision, is left out.
///
/// `body` must be what was applied: the record's intent without what it yields.
pub fn changed_behind(record: &ObjectRecord, live: &Value, body: &Value) -> Vec<FieldPath> {
    let is_known = |path: &FieldPath| {
        let mut contested = record.contested.iter();
        let is_other = |field: &ContestedField| field.class == Class::Admission || field.action == Action::Adopted;
        contested.any(|field| is_other(field) && field.path.as_ref() == Some(path))
    };
    let is_changed = |path: &FieldPath| {
        let (Some(wanted), Some(found)) = (lookup(body, path), lookup(live, path)) else {
            return false;
        };
        !found.is_null() && !is_empty(wanted) && !satisfies(found, wanted) && !is_identity(path)
    };
    let leaves = record.owned.unpack().leaves().into_iter();
    leaves.filter(|path| is_changed(path) && !is_known(path)).collect()
}

/// The name under which a Secret's value is written as text; `None` for any other field.
pub fn written_as(object: &ObjectReference, path: &FieldPath) -> Option<FieldPath> {
    let [first, key] = path.elements() else { return None };
    let is_data = object.is_secret() && *first == PathElement::field("data");
    is_data.then(|| FieldPath::new(vec![PathElement::field("stringData"), key.clone()]))
}

fn topmost_missing(live: &Value, mut path: FieldPath) -> FieldPath {
    while let Some(parent) = path.parent() {
        // An empty map that went with its last field is not what was removed.
        if lookup(live, &parent).is_some() || !is_item(&parent) && !has_missing_item(live, &parent) {
            break;
        }
        path = parent;
    }
    path
}

fn is_item(path: &FieldPath) -> bool {
    match path.elements().last() {
        Some(PathElement::Key(_) | PathElement::Value(_) | PathElement::Index(_)) => true,
        Some(PathElement::Field(_)) | None => false,
    }
}

fn has_missing_item(live: &Value, path: &FieldPath) -> bool {
    let mut path = Some(path.clone());
    while let Some(current) = path {
        if is_item(&current) && lookup(live, &current).is_none() {
            return true;
        }
        path = current.parent();
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lost(owned: &Value, live: &Value, body: &Value) -> Vec<String> {
        let managed = ManagedFields::of(live).unwrap();
        let owned = FieldSet::from_fields_v1(owned).unwrap();
        lost_fields(&owned, &managed, "us", live, body)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn what_is_gone_is_lost() {
        let owned = json!({"f:data": {"f:a": {}, "f:b": {}, "f:c": {}, "f:d": {}}});
        let body = json!({"data": {"a": "1", "b": "1", "c": "1"}});
        // `a` was removed, `b` taken, `c` is ours, `d` is not wanted any more.
        let live = json!({"data": {"b": "2", "c": "1"}, "metadata": {"managedFields": [
            {"manager": "us", "operation": "Apply", "fieldsV1": {"f:data": {"f:c": {}}}},
            {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:data": {"f:b": {}}}}]}});
        assert_eq!(lost(&owned, &live, &body), [".data.a"]);
        // Nobody owns `b`: the server would let us change it without a word.
        let live = json!({"data": {"a": "1", "b": "2", "c": "1"}, "metadata": {"managedFields": [
            {"manager": "us", "operation": "Apply", "fieldsV1": {"f:data": {"f:c": {}}}}]}});
        assert_eq!(lost(&owned, &live, &body), [".data.b"]);
        let all = PackedFields::of(&FieldSet::from_fields_v1(&owned).unwrap());
        assert!(!is_wiped(&all, &ManagedFields::of(&live).unwrap(), "us"));
        assert!(is_wiped(&all, &ManagedFields::default(), "us"));
    }

    #[test]
    fn of_an_item_that_is_gone_the_item_is_told() {
        let owned = json!({"f:spec": {"f:containers": {"k:{\"name\":\"side\"}": {".": {}, "f:name": {}, "f:image": {}, "f:resources": {"f:limits": {"f:cpu": {}}}}}}});
        let body =
            json!({"spec": {"containers": [{"name": "side", "image": "a", "resources": {"limits": {"cpu": "1"}}}]}});
        let live = json!({"spec": {"containers": [{"name": "other"}]}, "metadata": {"managedFields": [
            {"manager": "us", "operation": "Apply", "fieldsV1": {"f:spec": {"f:x": {}}}}]}});
        assert_eq!(lost(&owned, &live, &body), [".spec.containers[name=\"side\"]"]);
        let live = json!({"metadata": {"managedFields": [
            {"manager": "us", "operation": "Apply", "fieldsV1": {"f:spec": {"f:x": {}}}}]}, "data": {}});
        let owned = json!({"f:metadata": {"f:labels": {"f:team": {}}}});
        let body = json!({"metadata": {"labels": {"team": "x"}}});
        assert_eq!(lost(&owned, &live, &body), [".metadata.labels.team"]);
    }
}
