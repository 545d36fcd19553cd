//! What may collide before anything is sent: other managers' fields that our intent touches with another value.

use std::collections::BTreeSet;

use serde_json::Value;

use super::class::{Class, Roster};
use super::fieldset::Relation;
use super::managed::{ManagedFields, Manager};
use super::path::{FieldPath, PathElement};
use super::reference::ObjectReference;
use super::value::{lookup, satisfies};

/// Whether somebody else owns a field that the body would change, or may do so: then a dry run must tell.
///
/// Paths of entries in another version cannot be looked up in our body, so such entries always count.
pub fn may_conflict(managed: &ManagedFields, manager: &str, live: &Value, body: &Value, api_version: &str) -> bool {
    managed.others(manager).any(|entry| {
        entry.manager.api_version.as_deref() != Some(api_version)
            || entry.fields.leaves().iter().any(|path| differs(live, body, path))
    })
}

/// Whether somebody else owns a field beside one that the body would change, so that the two may exclude each other: then a
/// dry run must tell, too.
pub fn may_exclude(managed: &ManagedFields, manager: &str, live: &Value, body: &Value) -> bool {
    managed.others(manager).any(|entry| {
        let leaves = entry.fields.leaves();
        let mut beside = leaves
            .iter()
            .filter(|path| !is_bookkeeping(path) && lookup(body, path).is_none());
        beside.any(|path| common_parent(body, path).is_some_and(|parent| changes_inside(live, body, &parent)))
    })
}

/// Metadata has no unions, and the status is not applied.
fn is_bookkeeping(path: &FieldPath) -> bool {
    let apart = ["metadata", "status"].map(PathElement::field);
    path.elements().first().is_none_or(|first| apart.contains(first))
}

/// The lowest map or list above a path that the body has, too.
fn common_parent(body: &Value, path: &FieldPath) -> Option<FieldPath> {
    let mut parent = path.parent()?;
    while lookup(body, &parent).is_none() {
        parent = parent.parent()?;
    }
    Some(parent)
}

/// Whether the body changes a value of this very map, or the items of this very list.
fn changes_inside(live: &Value, body: &Value, parent: &FieldPath) -> bool {
    match (lookup(live, parent), lookup(body, parent)) {
        (Some(Value::Object(live)), Some(Value::Object(body))) => body.iter().any(|(name, wanted)| match wanted {
            Value::Object(_) | Value::Array(_) => !live.contains_key(name),
            scalar => live.get(name) != Some(scalar),
        }),
        (Some(Value::Array(live)), Some(Value::Array(body))) => body
            .iter()
            .any(|wanted| !live.iter().any(|live| satisfies(live, wanted))),
        _ => false,
    }
}

/// Items of lists that we made and that left the body, while somebody else owns something in them: it goes with the item.
pub fn items_taken_along<'a>(
    managed: &'a ManagedFields,
    manager: &'a str,
    live: &Value,
    body: &Value,
) -> Vec<(FieldPath, &'a Manager)> {
    let Some(ours) = managed.applied_by(manager) else {
        return Vec::new();
    };
    let is_dropped_item = |path: &FieldPath| {
        matches!(path.elements().last(), Some(PathElement::Key(_)))
            && lookup(body, path).is_none()
            && lookup(live, path).is_some()
    };
    let mut found = Vec::new();
    for item in ours.paths().into_iter().filter(is_dropped_item) {
        // One who made the item, too, keeps it.
        let is_kept = managed
            .others(manager)
            .any(|entry| entry.fields.relation(&item) == Some(Relation::Exact));
        let inside = managed
            .others(manager)
            .filter(|entry| entry.fields.relation(&item) == Some(Relation::Descendant));
        if !is_kept {
            found.extend(inside.map(|entry| (item.clone(), &entry.manager)));
        }
    }
    found
}

fn differs(live: &Value, body: &Value, path: &FieldPath) -> bool {
    lookup(body, path).is_some_and(|ours| lookup(live, path) != Some(ours))
}

/// Who else holds this very field, an atomic parent of it, or something below it.
pub fn other_holders<'a>(managed: &'a ManagedFields, manager: &'a str, path: &FieldPath) -> Vec<&'a Manager> {
    managed
        .others(manager)
        .filter(|entry| entry.fields.relation(path).is_some())
        .map(|entry| &entry.manager)
        .collect()
}

/// The fields that others hold and we do not. What a predecessor of ours holds is as good as ours.
pub fn held_by_others_alone(managed: &ManagedFields, roster: &Roster) -> BTreeSet<FieldPath> {
    let ours = managed.applied_by(roster.field_manager());
    let is_ours = |path: &FieldPath| ours.is_some_and(|ours| ours.relation(path) == Some(Relation::Exact));
    let others = managed.others(roster.field_manager());
    others
        .filter(|entry| !roster.is_predecessor(&entry.manager))
        .flat_map(|entry| entry.fields.leaves())
        .filter(|path| !is_ours(path))
        .collect()
}

/// The fields that we hold alone and that the body no longer has: without us they go back to their defaults.
pub fn abandoned(managed: &ManagedFields, manager: &str, live: &Value, body: &Value) -> Vec<FieldPath> {
    let Some(ours) = managed.applied_by(manager) else {
        return Vec::new();
    };
    let held_by_others = |path: &FieldPath| {
        managed
            .others(manager)
            .any(|entry| matches!(entry.fields.relation(path), Some(Relation::Exact | Relation::Ancestor)))
    };
    let leaves = ours.leaves().into_iter();
    leaves
        .filter(|path| lookup(body, path).is_none() && lookup(live, path).is_some() && !held_by_others(path))
        .collect()
}

/// What an update has to remove so that the object is as if we had applied the body: whole items of lists, maps in which nobody else has
/// anything, and single fields. What others hold, too, stays; what they have inside of an item of ours goes with it.
pub fn to_be_removed(managed: &ManagedFields, manager: &str, live: &Value, body: &Value) -> Vec<FieldPath> {
    let Some(ours) = managed.applied_by(manager) else {
        return Vec::new();
    };
    let is_kept = |path: &FieldPath| {
        let is_item = matches!(
            path.elements().last(),
            Some(PathElement::Key(_) | PathElement::Value(_))
        );
        managed.others(manager).any(|entry| match entry.fields.relation(path) {
            Some(Relation::Exact | Relation::Ancestor) => true,
            Some(Relation::Descendant) => !is_item,
            None => false,
        })
    };
    let mut found: Vec<FieldPath> = Vec::new();
    for path in ours.paths() {
        // What is below a path comes right after it.
        let is_inside = found
            .last()
            .is_some_and(|above| path.elements().starts_with(above.elements()));
        if !is_inside && lookup(body, &path).is_none() && lookup(live, &path).is_some() && !is_kept(&path) {
            found.push(path);
        }
    }
    found
}

/// Whether an object is scaled by one of these autoscalers (`HorizontalPodAutoscaler`, KEDA's `ScaledObject`).
pub fn is_scaled_by<'a>(target: &ObjectReference, autoscalers: impl IntoIterator<Item = &'a Value>) -> bool {
    autoscalers.into_iter().any(|autoscaler| {
        let Some(reference) = ObjectReference::of(autoscaler) else {
            return false;
        };
        let is_autoscaler = matches!(
            (reference.group(), reference.kind.as_str()),
            ("autoscaling", "HorizontalPodAutoscaler") | ("keda.sh", "ScaledObject")
        );
        let text = |key: &str| {
            autoscaler
                .pointer("/spec/scaleTargetRef")
                .and_then(|scaled| scaled.get(key))
                .and_then(Value::as_str)
        };
        // KEDA's default is a Deployment.
        let same_group = text("apiVersion").is_none_or(|version| group_of(version) == target.group());
        is_autoscaler
            && reference
                .namespace
                .is_none_or(|namespace| Some(namespace) == target.namespace)
            && text("kind").unwrap_or("Deployment") == target.kind
            && text("name") == Some(target.name.as_str())
            && same_group
    })
}

fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// What the class of a field that was left out before is now, by the values alone.
pub fn class_of_yielded(live: Option<&Value>, ours: Option<&Value>) -> Class {
    if live == ours { Class::Phantom } else { Class::Real }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn live(replicas: i32, other_version: &str) -> (Value, ManagedFields) {
        let object = json!({"spec": {"replicas": replicas, "paused": true}, "metadata": {"managedFields": [
            {"manager": "us", "operation": "Apply", "apiVersion": "apps/v1",
             "fieldsV1": {"f:spec": {"f:replicas": {}, "f:paused": {}}}},
            {"manager": "hpa", "operation": "Update", "apiVersion": other_version, "subresource": "scale",
             "fieldsV1": {"f:spec": {"f:replicas": {}}}}]}});
        let managed = ManagedFields::of(&object).unwrap();
        (object, managed)
    }

    #[test]
    fn only_other_values_of_others_fields_may_conflict() {
        let (object, managed) = live(7, "apps/v1");
        let may = |body: Value| may_conflict(&managed, "us", &object, &body, "apps/v1");
        assert!(may(json!({"spec": {"replicas": 3}})));
        assert!(!may(json!({"spec": {"replicas": 7}})));
        assert!(!may(json!({"spec": {"paused": false}})));
        let (object, managed) = live(7, "apps/v1beta1");
        assert!(may_conflict(&managed, "us", &object, &json!({}), "apps/v1"));
    }

    #[test]
    fn an_update_removes_items_as_a_whole_and_leaves_what_others_hold() {
        let object = json!({"data": {"ours": "1", "theirs": "1", "both": "1", "kept": "1"}, "spec": {"list": [{"name": "a", "x": 1}, {"name": "b"}]},
            "metadata": {"managedFields": [
                {"manager": "us", "operation": "Update", "apiVersion": "v1", "fieldsV1": {
                    "f:data": {".": {}, "f:ours": {}, "f:both": {}, "f:kept": {}},
                    "f:spec": {"f:list": {"k:{\"name\":\"a\"}": {".": {}, "f:name": {}}, "k:{\"name\":\"b\"}": {".": {}, "f:name": {}}}}}},
                {"manager": "them", "operation": "Update", "apiVersion": "v1", "fieldsV1": {
                    "f:data": {"f:theirs": {}, "f:both": {}}, "f:spec": {"f:list": {"k:{\"name\":\"a\"}": {"f:x": {}}}}}}]}});
        let managed = ManagedFields::of(&object).unwrap().with_updates_applied("us");
        let removed = |body: Value| {
            let found = to_be_removed(&managed, "us", &object, &body);
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let body = json!({"data": {"kept": "2"}, "spec": {"list": [{"name": "b"}]}});
        assert_eq!(removed(body), [".data.ours", ".spec.list[name=\"a\"]"]);
        // The map stays with what others have in it.
        assert_eq!(removed(json!({"spec": object["spec"]})), [".data.kept", ".data.ours"]);
    }

    #[test]
    fn only_a_change_beside_others_fields_may_exclude() {
        let object = json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 2}}, "replicas": 1},
            "metadata": {"annotations": {"a": "1"}, "managedFields": [
            {"manager": "kubectl", "operation": "Update", "apiVersion": "apps/v1",
             "fieldsV1": {"f:spec": {"f:strategy": {"f:rollingUpdate": {"f:maxSurge": {}}}}, "f:metadata": {"f:annotations": {"f:a": {}}}}}]}});
        let managed = ManagedFields::of(&object).unwrap();
        let may = |body: Value| may_exclude(&managed, "us", &object, &body);
        assert!(may(json!({"spec": {"strategy": {"type": "Recreate"}}})));
        assert!(!may(json!({"spec": {"strategy": {"type": "RollingUpdate"}}})));
        assert!(!may(json!({"metadata": {"annotations": {"b": "2"}}})));
    }

    #[test]
    fn an_item_that_leaves_takes_along_what_others_have_in_it() {
        let object = json!({"hooks": [{"name": "a", "ca": "x"}], "metadata": {"managedFields": [
            {"manager": "us", "operation": "Apply", "fieldsV1": {"f:hooks": {"k:{\"name\":\"a\"}": {".": {}, "f:name": {}}}}},
            {"manager": "injector", "operation": "Update", "fieldsV1": {"f:hooks": {"k:{\"name\":\"a\"}": {"f:ca": {}}}}}]}});
        let managed = ManagedFields::of(&object).unwrap();
        let along = items_taken_along(&managed, "us", &object, &json!({"hooks": []}));
        let told: Vec<String> = along
            .iter()
            .map(|(path, manager)| format!("{path} {}", manager.name))
            .collect();
        assert_eq!(told, [".hooks[name=\"a\"] injector"]);
        assert!(items_taken_along(&managed, "us", &object, &object).is_empty());
    }

    #[test]
    fn what_nobody_else_holds_is_abandoned() {
        let (object, managed) = live(7, "apps/v1");
        assert_eq!(
            abandoned(&managed, "us", &object, &json!({"spec": {}})),
            [".spec.paused".parse().unwrap()]
        );
        assert!(abandoned(&managed, "us", &object, &json!({"spec": {"paused": true}})).is_empty());
        assert_eq!(
            other_holders(&managed, "us", &".spec.replicas".parse().unwrap()).len(),
            1
        );
    }

    #[test]
    fn autoscalers_are_recognised() {
        let target = ObjectReference {
            api_version: "apps/v1".into(),
            kind: "Deployment".into(),
            namespace: Some("a".into()),
            name: "web".into(),
        };
        let hpa = |kind: &str, name: &str| {
            json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "h", "namespace": "a"},
                "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": kind, "name": name}}})
        };
        assert!(is_scaled_by(&target, &[hpa("Deployment", "web")]));
        assert!(!is_scaled_by(
            &target,
            &[hpa("StatefulSet", "web"), hpa("Deployment", "other")]
        ));
        let keda = json!({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "s"}, "spec": {"scaleTargetRef": {"name": "web"}}});
        assert!(is_scaled_by(&target, &[keda]));
    }
}
