//! What a dry run says of one object: what would be changed, what is contested, and what each policy would do about it.
//!
//! Pure. It compares the live object with the one that the API server foretells; both come in.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::contested::ContestedField;
use super::fieldset::FieldSet;
use super::intent::{MANAGED_BY_LABEL, RELEASE_NAME_ANNOTATION, RELEASE_NAMESPACE_ANNOTATION};
use super::managed::ManagedFields;
use super::path::{FieldPath, PathElement};
use super::policy::Action;
use super::redact::ShownValue;
use super::reference::ObjectReference;
use super::value::lookup;
use crate::api::helm_release::ownership::ConflictAction;
use crate::api::names;

/// How many changed fields of one object are listed; all are counted.
pub const MAX_CHANGES: usize = 64;

/// What applying would do to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// It does not exist, and would be created.
    Created,
    /// Fields would get another value.
    Changed,
    /// No value would change, but the release would own its fields from then on, and mark the object as its own.
    Adopted,
    /// Nothing.
    Unchanged,
}

/// A field that would get another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// The field; where a whole part of the object comes or goes, the highest such part.
    pub path: FieldPath,
    /// What is there; `None` if nothing.
    pub live: Option<ShownValue>,
    /// What would be there; `None` if nothing.
    pub foretold: Option<ShownValue>,
}

/// What every policy would do about the contested fields of one object: for each value of `onConflict`, how often each action.
///
/// Rules come before `onConflict` under each of them. What adoption resolves is not in it (see [`is_adopted`]).
pub type Alternatives = BTreeMap<ConflictAction, BTreeMap<Action, usize>>;

/// What a dry run says of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectShadow {
    /// The object.
    pub reference: ObjectReference,
    /// What applying would do, contested fields that somebody else keeps left aside.
    pub effect: Effect,
    /// What would change, sorted by path, at most [`MAX_CHANGES`].
    pub changes: Vec<FieldChange>,
    /// How many fields would change, listed or not.
    pub changed: usize,
    /// What is contested, and what the policy would do about it, sorted.
    pub contested: Vec<ContestedField>,
    /// What other policies would do about it.
    pub alternatives: Alternatives,
    /// How many fields our manager owns of the live object now; `None` if it has not applied it.
    pub owned: Option<usize>,
    /// What the answer was found on; `None` if it depends on more than that.
    pub seen: Option<Seen>,
}

/// What the answer about an existing object depends on: while it is the same, so is the answer, unless the API server itself
/// has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The object's uid.
    pub uid: String,
    /// A digest of all of it but its status.
    pub content: String,
    /// The hash of what was wanted of it.
    pub intent_hash: String,
    /// The policy's fingerprint.
    pub policy: String,
}

impl ObjectShadow {
    /// An object that would be created.
    pub const fn created(reference: ObjectReference) -> Self {
        Self {
            reference,
            effect: Effect::Created,
            changes: Vec::new(),
            changed: 0,
            contested: Vec::new(),
            alternatives: Alternatives::new(),
            owned: None,
            seen: None,
        }
    }
}

/// Whether adoption settles it without anybody's decision: nobody loses a value, or only an earlier tool of this release does.
pub const fn is_adopted(field: &ContestedField) -> bool {
    matches!(field.action, Action::Resolved)
}

/// How often each action was decided, without what adoption settles.
pub fn count_actions(contested: &[ContestedField]) -> BTreeMap<Action, usize> {
    let mut counts = BTreeMap::new();
    for field in contested.iter().filter(|field| !is_adopted(field)) {
        *counts.entry(field.action).or_default() += 1;
    }
    counts
}

/// Two values of one field; at least one of them is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference<'a> {
    /// The field.
    pub path: FieldPath,
    /// Its value in the live object.
    pub live: Option<&'a Value>,
    /// Its value in the object that the server foretells.
    pub foretold: Option<&'a Value>,
}

/// How the fields that our manager owns in either object differ between the two, sorted by path.
///
/// Left out are fields below `kept`, which stay with somebody else, and the marks of ownership that the live object has not.
pub fn differences<'a>(
    live: &'a Value,
    foretold: &'a Value,
    manager: &str,
    kept: &[&FieldPath],
) -> Vec<Difference<'a>> {
    let owned = |object: &Value| {
        let managed = ManagedFields::of(object).ok();
        managed.and_then(|managed| managed.applied_by(manager).cloned())
    };
    let (before, after) = (owned(live).unwrap_or_default(), owned(foretold).unwrap_or_default());
    let fields: FieldSet = before.union(&after);
    let mut paths = BTreeSet::new();
    for path in fields.leaves() {
        let (is, will_be) = (lookup(live, &path), lookup(foretold, &path));
        let is_kept = kept
            .iter()
            .any(|kept| path.is_at_or_below(kept) || kept.is_at_or_below(&path));
        if is == will_be || is_kept || is.is_none() && is_mark(&path) {
            continue;
        }
        paths.insert(match (is, will_be) {
            (None, _) => highest_missing(live, &path),
            (_, None) => highest_missing(foretold, &path),
            (Some(_), Some(_)) => path,
        });
    }
    let with_values = |path: FieldPath| Difference {
        live: lookup(live, &path),
        foretold: lookup(foretold, &path),
        path,
    };
    paths.into_iter().map(with_values).collect()
}

/// The highest part of the path that the object has not.
fn highest_missing(object: &Value, path: &FieldPath) -> FieldPath {
    let elements = path.elements();
    let missing = |length: &usize| {
        let part = FieldPath::new(elements.iter().take(*length).cloned().collect());
        lookup(object, &part).is_none()
    };
    let length = (1..=elements.len()).find(missing).unwrap_or(elements.len());
    FieldPath::new(elements.iter().take(length).cloned().collect())
}

/// Whether the field says only whose the object is.
fn is_mark(path: &FieldPath) -> bool {
    let [
        PathElement::Field(metadata),
        PathElement::Field(kind),
        PathElement::Field(name),
    ] = path.elements()
    else {
        return false;
    };
    metadata == "metadata"
        && match kind.as_str() {
            "labels" => [names::LABEL_NAME, names::LABEL_NAMESPACE, MANAGED_BY_LABEL].contains(&name.as_str()),
            "annotations" => [RELEASE_NAME_ANNOTATION, RELEASE_NAMESPACE_ANNOTATION].contains(&name.as_str()),
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(body: Value, fields: &Value) -> Value {
        let mut object = body;
        object["metadata"]["managedFields"] =
            json!([{"manager": "us", "operation": "Apply", "apiVersion": "apps/v1", "fieldsV1": fields}]);
        object
    }

    fn shown(differences: &[Difference<'_>]) -> Vec<String> {
        let value = |value: Option<&Value>| value.map_or("-".to_owned(), ToString::to_string);
        differences
            .iter()
            .map(|change| format!("{} {} {}", change.path, value(change.live), value(change.foretold)))
            .collect()
    }

    #[test]
    fn only_fields_of_ours_differ_and_whole_parts_are_told_once() {
        let live = object(
            json!({"spec": {"replicas": 3, "old": {"a": 1, "b": 2}, "theirs": 1}}),
            &json!({"f:spec": {"f:old": {"f:a": {}, "f:b": {}}}}),
        );
        let foretold = object(
            json!({"spec": {"replicas": 5, "theirs": 2, "list": [{"name": "x", "image": "y", "port": 1}]},
                "metadata": {"labels": {"fairlead.dev/name": "shop"}}}),
            &json!({"f:spec": {"f:replicas": {}, "f:list": {"k:{\"name\":\"x\"}": {".": {}, "f:image": {}, "f:name": {}}}},
                "f:metadata": {"f:labels": {"f:fairlead.dev/name": {}}}}),
        );
        let found = differences(&live, &foretold, "us", &[]);
        assert_eq!(
            shown(&found),
            [
                ".spec.list - [{\"image\":\"y\",\"name\":\"x\",\"port\":1}]",
                ".spec.old {\"a\":1,\"b\":2} -",
                ".spec.replicas 3 5",
            ]
        );
        let replicas: FieldPath = ".spec.replicas".parse().unwrap();
        assert_eq!(differences(&live, &foretold, "us", &[&replicas]).len(), 2);
        assert!(differences(&live, &live, "us", &[]).is_empty());
    }

    #[test]
    fn a_mark_that_says_something_else_is_a_change() {
        let fields = json!({"f:metadata": {"f:labels": {"f:app.kubernetes.io/managed-by": {}}}});
        let labelled = |value: &str| json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": value}}});
        let foretold = object(labelled("Helm"), &fields);
        assert_eq!(differences(&labelled("Tiller"), &foretold, "us", &[]).len(), 1);
        assert!(differences(&json!({"metadata": {}}), &foretold, "us", &[]).is_empty());
    }
}
