//! Fields inside a JSON object, found by exact path: look up, remove, copy out, compare as the server would.
//!
//! Never goes through typed structs: what an object holds beyond the types that we know must survive.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::fieldset::{FieldSet, Node};
use super::path::{FieldPath, PathElement, Scalar};
use super::quantity::nanos;

/// The defaults of list keys in the built-in kinds: an item that leaves the key out has this one.
pub(super) fn default_of_key(name: &str) -> Option<Value> {
    (name == "protocol").then(|| Value::String("TCP".to_owned()))
}

/// The value at a path; the empty path is the object itself.
pub fn lookup<'a>(object: &'a Value, path: &FieldPath) -> Option<&'a Value> {
    path.elements()
        .iter()
        .try_fold(object, |value, element| step(value, element))
}

fn step<'a>(value: &'a Value, element: &PathElement) -> Option<&'a Value> {
    match (value, element) {
        (Value::Object(map), PathElement::Field(name)) => map.get(name),
        (Value::Array(items), element) => items.get(position(items, element)?),
        _ => None,
    }
}

/// Where in a list the item of this element is.
pub(super) fn position(items: &[Value], element: &PathElement) -> Option<usize> {
    match element {
        PathElement::Field(_) => None,
        PathElement::Index(index) => usize::try_from(*index).ok().filter(|index| *index < items.len()),
        PathElement::Value(wanted) => items.iter().position(|item| wanted.equals(item)),
        PathElement::Key(keys) => items.iter().position(|item| has_keys(item, keys)),
    }
}

fn has_keys(item: &Value, keys: &BTreeMap<String, Scalar>) -> bool {
    keys.iter().all(|(name, wanted)| match item.get(name) {
        Some(found) => wanted.equals(found),
        None => default_of_key(name).is_some_and(|default| wanted.equals(&default)),
    })
}

/// Takes the field at a path out of the object, and the parents that are empty without it; items of lists stay
/// with their keys. `None` if there was nothing.
pub fn remove(object: &mut Value, path: &FieldPath) -> Option<Value> {
    remove_elements(object, path.elements())
}

fn remove_elements(value: &mut Value, elements: &[PathElement]) -> Option<Value> {
    let (first, rest) = elements.split_first()?;
    match (value, first) {
        (Value::Object(map), PathElement::Field(name)) => {
            if rest.is_empty() {
                return map.remove(name);
            }
            let child = map.get_mut(name)?;
            let removed = remove_elements(child, rest)?;
            if is_empty_container(child) {
                map.remove(name);
            }
            Some(removed)
        }
        (Value::Array(items), element) => {
            let position = position(items, element)?;
            if rest.is_empty() {
                Some(items.remove(position))
            } else {
                remove_elements(items.get_mut(position)?, rest)
            }
        }
        _ => None,
    }
}

/// Puts another value where the object has one, with list keys in the path as in [`lookup`]. `false` if it has none there.
pub fn replace(object: &mut Value, path: &FieldPath, new: Value) -> bool {
    let mut place = object;
    for element in path.elements() {
        let next = match (place, element) {
            (Value::Object(map), PathElement::Field(name)) => map.get_mut(name),
            (Value::Array(items), element) => position(items, element).and_then(|position| items.get_mut(position)),
            _ => None,
        };
        let Some(next) = next else { return false };
        place = next;
    }
    *place = new;
    true
}

/// Puts a value at a path whose parent the object has: a field of a map, or an item of a list. `false` without the parent.
pub fn insert(object: &mut Value, path: &FieldPath, new: Value) -> bool {
    if lookup(object, path).is_some() {
        return replace(object, path, new);
    }
    let Some((last, above)) = path.elements().split_last() else {
        return false;
    };
    let mut parent = lookup(object, &FieldPath::new(above.to_vec()))
        .cloned()
        .unwrap_or_default();
    match (&mut parent, last) {
        (Value::Object(map), PathElement::Field(name)) => {
            map.insert(name.clone(), new);
        }
        (Value::Array(items), PathElement::Key(_) | PathElement::Value(_) | PathElement::Index(_)) => items.push(new),
        _ => return false,
    }
    replace(object, &FieldPath::new(above.to_vec()), parent)
}

fn is_empty_container(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Whether a value says nothing: null, `""`, `[]` or `{}`.
pub fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        other => is_empty_container(other),
    }
}

/// Whether a value is Go's zero value, which the server leaves out of many fields (`omitempty`): [`is_empty`], false or 0.
pub fn is_zero(value: &Value) -> bool {
    is_empty(value) || *value == Value::Bool(false) || value.as_f64() == Some(0.0)
}

/// The part of an object that a field set names, with the keys of list items; `None` if nothing of it is there.
pub fn project(source: &Value, fields: &FieldSet) -> Option<Value> {
    match source {
        Value::Object(map) => {
            let mut picked = Map::new();
            for (element, node) in &fields.entries {
                let PathElement::Field(name) = element else { continue };
                if let Some(value) = map.get(name).and_then(|value| project_node(value, node)) {
                    picked.insert(name.clone(), value);
                }
            }
            (!picked.is_empty()).then_some(Value::Object(picked))
        }
        Value::Array(items) => {
            let picked: Vec<Value> = fields
                .entries
                .iter()
                .filter_map(|(element, node)| project_item(items, element, node))
                .collect();
            (!picked.is_empty()).then_some(Value::Array(picked))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn project_node(value: &Value, node: &Node) -> Option<Value> {
    if node.children.is_empty() {
        Some(value.clone())
    } else {
        project(value, &node.children)
    }
}

fn project_item(items: &[Value], element: &PathElement, node: &Node) -> Option<Value> {
    let item = items.get(position(items, element)?)?;
    let mut picked = project_node(item, node)?;
    if let (PathElement::Key(keys), Value::Object(map)) = (element, &mut picked) {
        for (name, value) in keys {
            map.insert(name.clone(), value.to_json());
        }
    }
    Some(picked)
}

/// Whether a live value is what we asked for, as far as the server's normalising and defaulting goes: quantities are
/// compared by amount, and what defaulting added to a map does not count.
pub fn satisfies(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted.iter().all(|(name, wanted)| match live.get(name) {
            Some(live) => satisfies(live, wanted),
            None => is_zero(wanted),
        }),
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(live, wanted)| satisfies(live, wanted))
        }
        (live, wanted) => live == wanted || nanos(live).is_some_and(|amount| nanos(wanted) == Some(amount)),
    }
}

/// Compares two objects without what every write changes: managedFields, resourceVersion, generation.
pub fn same_content(a: &Value, b: &Value) -> bool {
    let (Value::Object(left), Value::Object(right)) = (a, b) else {
        return a == b;
    };
    let names = |map: &Map<String, Value>| {
        map.keys()
            .filter(|name| *name != "metadata")
            .cloned()
            .collect::<Vec<_>>()
    };
    let is_bookkeeping = |name: &str| matches!(name, "managedFields" | "resourceVersion" | "generation");
    let metadata = |map: &Map<String, Value>| -> Map<String, Value> {
        let Some(Value::Object(metadata)) = map.get("metadata") else {
            return Map::new();
        };
        metadata
            .iter()
            .filter(|(name, _)| !is_bookkeeping(name))
            .map(|(name, v)| (name.clone(), v.clone()))
            .collect()
    };
    let keys = names(left);
    keys == names(right)
        && keys.iter().all(|name| left.get(name) == right.get(name))
        && metadata(left) == metadata(right)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn path(text: &str) -> FieldPath {
        text.parse().unwrap()
    }

    fn deployment() -> Value {
        json!({"spec": {"replicas": 3, "template": {"spec": {"containers": [
            {"name": "app", "image": "a:1", "resources": {"limits": {"cpu": "1"}},
             "ports": [{"containerPort": 53, "protocol": "UDP", "name": "u"}, {"containerPort": 53, "name": "t"}]},
            {"name": "side"}]}}},
            "metadata": {"finalizers": ["a/b", "c"], "labels": {"a.b/c": "x"}}})
    }

    #[test]
    fn inserts_where_there_is_a_parent() {
        let mut object = json!({"a": {"list": [{"name": "x"}]}});
        assert!(insert(&mut object, &".a.b".parse().unwrap(), json!(1)));
        assert!(insert(&mut object, &".a.b".parse().unwrap(), json!(2)));
        assert!(insert(
            &mut object,
            &".a.list[name=\"y\"]".parse().unwrap(),
            json!({"name": "y"})
        ));
        assert!(!insert(&mut object, &".none.b".parse().unwrap(), json!(1)));
        assert!(!insert(&mut object, &".a.b.c".parse().unwrap(), json!(1)));
        assert_eq!(object, json!({"a": {"b": 2, "list": [{"name": "x"}, {"name": "y"}]}}));
    }

    #[test]
    fn looks_up_by_exact_path() {
        let object = deployment();
        let at = |text: &str| lookup(&object, &path(text)).cloned();
        assert_eq!(at(".spec.replicas"), Some(json!(3)));
        assert_eq!(at(".metadata.labels[\"a.b/c\"]"), Some(json!("x")));
        assert_eq!(at(".metadata.finalizers[=\"c\"]"), Some(json!("c")));
        let port = |key: &str| {
            at(&format!(
                ".spec.template.spec.containers[name=\"app\"].ports[{key}].name"
            ))
        };
        assert_eq!(port("containerPort=53,protocol=\"TCP\""), Some(json!("t")));
        assert_eq!(port("containerPort=53,protocol=\"UDP\""), Some(json!("u")));
        assert_eq!(port("containerPort=54,protocol=\"UDP\""), None);
        assert_eq!(at(".spec.replicas.x"), None);
    }

    #[test]
    fn removing_prunes_empty_parents_but_keeps_list_items() {
        let mut object = deployment();
        let cpu = path(".spec.template.spec.containers[name=\"app\"].resources.limits.cpu");
        assert_eq!(remove(&mut object, &cpu), Some(json!("1")));
        let app = lookup(&object, &path(".spec.template.spec.containers[name=\"app\"]")).unwrap();
        assert_eq!(app.get("resources"), None);
        assert_eq!(app.get("name"), Some(&json!("app")));
        assert_eq!(remove(&mut object, &cpu), None);
        let mut map = json!({"data": {"a": "1"}});
        remove(&mut map, &path(".data.a")).unwrap();
        assert_eq!(map, json!({}));
    }

    #[test]
    fn projects_with_keys() {
        let fields: FieldSet = [".spec.replicas", ".spec.template.spec.containers[name=\"app\"].image"]
            .iter()
            .map(|p| path(p))
            .collect();
        let expected =
            json!({"spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "app", "image": "a:1"}]}}}});
        assert_eq!(project(&deployment(), &fields), Some(expected));
        assert_eq!(project(&deployment(), &[path(".status")].into_iter().collect()), None);
    }

    #[test]
    fn normalising_is_no_difference() {
        assert!(satisfies(&json!({"cpu": "1"}), &json!({"cpu": "1000m"})));
        assert!(satisfies(
            &json!([{"port": 80, "protocol": "TCP"}]),
            &json!([{"port": 80}])
        ));
        // As the server answers a Pod template with `hostNetwork: false`.
        assert!(satisfies(&json!({}), &json!({"hostNetwork": false, "priority": 0})));
        assert!(!satisfies(&json!({}), &json!({"hostNetwork": true})));
        assert!(!satisfies(&json!("Fail"), &json!("Ignore")));
        assert!(!satisfies(&json!([1, 2]), &json!([1])));
    }

    #[test]
    fn bookkeeping_is_no_content() {
        let a = json!({"metadata": {"name": "a", "resourceVersion": "1", "managedFields": []}, "spec": 1});
        let b = json!({"metadata": {"name": "a", "resourceVersion": "2"}, "spec": 1});
        assert!(same_content(&a, &b));
        assert!(!same_content(&a, &json!({"metadata": {"name": "a"}, "spec": 2})));
        assert!(!same_content(
            &a,
            &json!({"metadata": {"name": "a"}, "spec": 1, "status": {}})
        ));
    }

    proptest! {
        #[test]
        fn removing_what_is_not_there_changes_nothing(elements in prop::collection::vec(
            crate::ownership::path::tests::any_element(), 0..5)) {
            let path = FieldPath::new(elements);
            let mut object = deployment();
            if remove(&mut object, &path).is_none() {
                prop_assert_eq!(object, deployment());
            } else {
                prop_assert!(lookup(&object, &path).is_none());
            }
        }
    }
}
