//! Who holds each field of a live object: every leaf with its owners, and what the chart has to do with it.
//!
//! Pure: the live object, its managedFields and what is known of the release come in. Values are not part of the answer.

use serde_json::Value;

use super::fieldset::{FieldSet, Relation};
use super::managed::{ManagedFields, Manager};
use super::path::{FieldPath, PathElement};
use super::value::position;

/// What the release's chart has to do with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChartStake {
    /// The chart sets it, and the release holds it.
    Sets,
    /// The chart sets it, and it is left to its owner.
    Yields,
    /// The chart does not set it.
    None,
}

impl ChartStake {
    /// The word in tables and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sets => "sets",
            Self::Yields => "yields",
            Self::None => "none",
        }
    }
}

/// One field of a live object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlamedField {
    /// The field; the lowest that is owned as a whole.
    pub path: FieldPath,
    /// Everybody who holds it, in the order of managedFields; none for what the server set by default.
    pub owners: Vec<Manager>,
    /// What the chart has to do with it.
    pub chart: ChartStake,
}

/// Every field of a live object, in order of the paths.
///
/// `applier` is the release's field manager, if the object belongs to a release, and `yielded` are the fields that it
/// leaves to others.
pub fn blame(live: &Value, managed: &ManagedFields, applier: Option<&str>, yielded: &[FieldPath]) -> Vec<BlamedField> {
    let all = managed
        .entries()
        .iter()
        .fold(FieldSet::new(), |all, entry| all.union(&entry.fields));
    let ours = applier.and_then(|applier| managed.applied_by(applier));
    let holds = |fields: &FieldSet, path: &FieldPath| {
        matches!(fields.relation(path), Some(Relation::Exact | Relation::Ancestor))
    };
    let owned = all.leaves().into_iter().map(|path| {
        let holders = managed.entries().iter().filter(|entry| holds(&entry.fields, &path));
        BlamedField {
            owners: holders.map(|entry| entry.manager.clone()).collect(),
            chart: if ours.is_some_and(|ours| holds(ours, &path)) {
                ChartStake::Sets
            } else if yielded.iter().any(|yielded| path.is_at_or_below(yielded)) {
                ChartStake::Yields
            } else {
                ChartStake::None
            },
            path,
        }
    });
    let mut fields: Vec<BlamedField> = owned.collect();
    let mut defaulted = Vec::new();
    unowned(live, &all, &mut Vec::new(), &mut defaulted);
    fields.extend(
        defaulted
            .into_iter()
            .filter(|path| !is_of_the_server(path))
            .map(|path| BlamedField {
                path,
                owners: Vec::new(),
                chart: ChartStake::None,
            }),
    );
    fields.sort_by(|a, b| a.path.cmp(&b.path));
    fields
}

/// What names the object, and what the server keeps of its own: nobody ever owns it.
fn is_of_the_server(path: &FieldPath) -> bool {
    const METADATA: [&str; 8] = [
        "creationTimestamp",
        "generation",
        "managedFields",
        "name",
        "namespace",
        "resourceVersion",
        "selfLink",
        "uid",
    ];
    let is = |element: Option<&PathElement>, name: &str| element == Some(&PathElement::field(name));
    let mut elements = path.elements().iter();
    let first = elements.next();
    let second = elements.next();
    is(first, "apiVersion")
        || is(first, "kind")
        || is(first, "metadata") && METADATA.iter().any(|name| is(second, name))
}

/// The highest fields of a value of which nobody owns anything.
fn unowned(value: &Value, owned: &FieldSet, prefix: &mut Vec<PathElement>, found: &mut Vec<FieldPath>) {
    match value {
        Value::Object(map) => {
            for (name, child) in map {
                descend(child, PathElement::field(name), owned, prefix, found);
            }
        }
        Value::Array(items) => {
            // The items that somebody owns have the element of their owner; the others have their position.
            let mut elements: Vec<PathElement> = (0..).take(items.len()).map(PathElement::Index).collect();
            for (element, _) in &owned.entries {
                if let Some(place) = position(items, element).and_then(|index| elements.get_mut(index)) {
                    place.clone_from(element);
                }
            }
            for (child, element) in items.iter().zip(elements) {
                descend(child, element, owned, prefix, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn descend(
    child: &Value,
    element: PathElement,
    owned: &FieldSet,
    prefix: &mut Vec<PathElement>,
    found: &mut Vec<FieldPath>,
) {
    let below = owned.children(&element);
    prefix.push(element);
    let is_metadata = *prefix == [PathElement::field("metadata")];
    match below {
        // Part of it is the server's even when nobody owns anything there.
        None if is_metadata => unowned(child, &FieldSet::new(), prefix, found),
        None => found.push(FieldPath::new(prefix.clone())),
        // A leaf: owned as a whole.
        Some(below) if below.is_empty() => {}
        Some(below) => unowned(child, below, prefix, found),
    }
    prefix.pop();
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn blamed(live: &Value, yielded: &[&str]) -> Vec<(String, Vec<String>, ChartStake)> {
        let managed = ManagedFields::of(live).unwrap();
        let yielded: Vec<FieldPath> = yielded.iter().map(|path| path.parse().unwrap()).collect();
        blame(live, &managed, Some("fairlead:a/b"), &yielded)
            .into_iter()
            .map(|field| {
                let owners = field.owners.into_iter().map(|owner| owner.name).collect();
                (field.path.to_string(), owners, field.chart)
            })
            .collect()
    }

    #[test]
    fn every_field_has_its_owners_and_its_stake() {
        let live = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "uid": "1", "labels": {"app": "web"}, "managedFields": [
                {"manager": "fairlead:a/b", "operation": "Apply", "apiVersion": "apps/v1", "fieldsV1": {
                    "f:metadata": {"f:labels": {"f:app": {}}},
                    "f:spec": {"f:containers": {"k:{\"name\":\"app\"}": {".": {}, "f:name": {}, "f:image": {}}}}}},
                {"manager": "kube-controller-manager", "operation": "Update", "subresource": "scale",
                    "apiVersion": "apps/v1", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
                {"manager": "kubectl", "operation": "Update", "apiVersion": "apps/v1", "fieldsV1": {
                    "f:metadata": {"f:labels": {"f:app": {}}}}},
            ]},
            "spec": {"replicas": 4, "paused": false, "containers": [
                {"name": "side", "image": "b"}, {"name": "app", "image": "a", "terminationMessagePath": "/dev/x"}]},
        });
        let none = Vec::new();
        let by = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let expected = [
            (
                ".metadata.labels.app",
                by(&["fairlead:a/b", "kubectl"]),
                ChartStake::Sets,
            ),
            (
                ".spec.containers[name=\"app\"].image",
                by(&["fairlead:a/b"]),
                ChartStake::Sets,
            ),
            (
                ".spec.containers[name=\"app\"].name",
                by(&["fairlead:a/b"]),
                ChartStake::Sets,
            ),
            (
                ".spec.containers[name=\"app\"].terminationMessagePath",
                none.clone(),
                ChartStake::None,
            ),
            (".spec.containers[0]", none.clone(), ChartStake::None),
            (".spec.paused", none, ChartStake::None),
            (".spec.replicas", by(&["kube-controller-manager"]), ChartStake::Yields),
        ];
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(path, owners, chart)| (path.to_owned(), owners, chart))
            .collect();
        assert_eq!(blamed(&live, &[".spec.replicas"]), expected);
    }

    #[test]
    fn an_atomic_list_is_one_field() {
        let live = json!({"metadata": {"managedFields": [
            {"manager": "kubectl", "operation": "Update", "apiVersion": "v1", "fieldsV1": {"f:spec": {"f:args": {}}}}]},
            "spec": {"args": ["a", "b"]}});
        assert_eq!(
            blamed(&live, &[]),
            [(".spec.args".to_owned(), vec!["kubectl".to_owned()], ChartStake::None)]
        );
    }
}
