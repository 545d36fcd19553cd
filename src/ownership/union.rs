//! Fields that exclude each other: from the server's refusal to the member that somebody else set and the one that we set.
//!
//! The server names positions in lists that exist only in the merged object, and sometimes fields of its internal version;
//! so the refusal only says where to look. Sources of the texts: `k8s.io/kubernetes/pkg/apis/*/validation`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::conflict::StatusCause;
use super::managed::{ManagedEntry, ManagedFields, Manager};
use super::path::{FieldPath, PathElement, Scalar};
use super::value::{default_of_key, lookup, satisfies};

/// A member of a union that is there, and those of ours that it excludes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exclusion {
    /// What somebody else, or defaulting, has set.
    pub theirs: FieldPath,
    /// What we set and cannot have beside it.
    pub ours: Vec<FieldPath>,
}

/// What excludes what, sorted; nothing for a cause that cannot be made out.
pub fn exclusions(causes: &[StatusCause], managed: &ManagedFields, live: &Value, body: &Value) -> Vec<Exclusion> {
    let scene = Scene { managed, live, body };
    let found: BTreeSet<Exclusion> = causes.iter().flat_map(|cause| scene.exclusions_of(cause)).collect();
    found.into_iter().collect()
}

/// What others have set beside the fields that a refusal is about, and our body has not, with its owner: where a rule of a
/// custom resource names no field, one of them may be what ours cannot stand beside.
pub fn beside<'a>(
    causes: &[StatusCause],
    managed: &'a ManagedFields,
    manager: &str,
    live: &Value,
    body: &Value,
) -> Vec<(FieldPath, &'a Manager)> {
    let scene = Scene { managed, live, body };
    let parents: BTreeSet<FieldPath> = causes.iter().flat_map(|cause| scene.parents_of(cause)).collect();
    let mut found: Vec<(FieldPath, &Manager)> = Vec::new();
    for ManagedEntry { manager, fields } in managed.others(manager) {
        for path in fields.leaves() {
            let is_inside = |parent: &FieldPath| path.elements().starts_with(parent.elements());
            if parents.iter().any(is_inside) && lookup(body, &path).is_none() && lookup(live, &path).is_some() {
                found.push((path, manager));
            }
        }
    }
    found
}

/// One step of the server's text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    /// An item of a list, at a position that means nothing to us.
    Item,
}

/// `spec.ports[1].name`; brackets around a name are a map's key.
fn steps(field: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for part in field.split('.') {
        let mut pieces = part.split('[');
        if let Some(name) = pieces.next().filter(|name| !name.is_empty()) {
            steps.push(Step::Field(name.to_owned()));
        }
        for piece in pieces {
            let inside = piece.trim_end_matches(']');
            steps.push(if inside.parse::<u32>().is_ok() {
                Step::Item
            } else {
                Step::Field(inside.to_owned())
            });
        }
    }
    steps
}

/// The field that a cause is about. Where the schema itself refuses, such as by `oneOf`, the text has it:
/// `Invalid value: "": "spec" must validate one and only one schema (oneOf)`.
fn field_of(cause: &StatusCause) -> &str {
    let quoted = || {
        let (before, _) = cause.message.split_once("\" must ")?;
        before.rsplit('"').next()
    };
    match cause.field.as_str() {
        "<nil>" => quoted().unwrap_or_default(),
        field => field,
    }
}

/// What stands in backticks: the field that excludes the one that the cause names.
fn quoted(message: &str) -> impl Iterator<Item = &str> {
    message.split('`').skip(1).step_by(2)
}

/// `Duplicate value: "http"`.
fn duplicate(message: &str) -> Option<&str> {
    let (_, value) = message.split_once("Duplicate value: ")?;
    Some(value.trim_matches('"'))
}

struct Scene<'a> {
    managed: &'a ManagedFields,
    live: &'a Value,
    body: &'a Value,
}

impl Scene<'_> {
    fn exclusions_of(&self, cause: &StatusCause) -> Vec<Exclusion> {
        let steps = steps(&cause.field);
        let Some((Step::Field(field), above)) = steps.split_last() else {
            return Vec::new();
        };
        match (duplicate(&cause.message), above.split_last()) {
            (Some(value), Some((Step::Item, list))) => self.duplicates(list, field, value),
            _ => self
                .places(above)
                .iter()
                .flat_map(|parent| self.members(parent, field, &cause.message))
                .collect(),
        }
    }

    /// The maps that a cause is about: the field itself, or what it is in.
    fn parents_of(&self, cause: &StatusCause) -> Vec<FieldPath> {
        let steps = steps(field_of(cause));
        let places = self.places(&steps).into_iter().filter_map(|place| {
            let is_map = matches!(lookup(self.live, &place), Some(Value::Object(_)));
            if is_map { Some(place) } else { place.parent() }
        });
        // Not the whole object: its metadata has many owners.
        places.filter(|place| !place.elements().is_empty()).collect()
    }

    /// The exact paths that the steps may stand for: items as their owners name them.
    fn places(&self, steps: &[Step]) -> Vec<FieldPath> {
        steps.iter().fold(vec![FieldPath::default()], |places, step| {
            let next = |place: &FieldPath| match step {
                Step::Field(name) => vec![place.child(PathElement::field(name.as_str()))],
                Step::Item => self.items(place),
            };
            places.iter().flat_map(next).collect()
        })
    }

    fn items(&self, list: &FieldPath) -> Vec<FieldPath> {
        let depth = list.elements().len();
        let mut found = BTreeSet::new();
        for entry in self.managed.entries() {
            for path in entry.fields.at_or_below(list).paths() {
                if let Some(element @ PathElement::Key(_)) = path.elements().get(depth) {
                    found.insert(list.child(element.clone()));
                }
            }
        }
        found.into_iter().collect()
    }

    /// The members of a union below one parent that both the object and our body have.
    fn members(&self, parent: &FieldPath, named: &str, message: &str) -> Vec<Exclusion> {
        let (Some(Value::Object(live)), Some(Value::Object(body))) =
            (lookup(self.live, parent), lookup(self.body, parent))
        else {
            return Vec::new();
        };
        let path = |name: &String| parent.child(PathElement::field(name.as_str()));
        let ours: Vec<FieldPath> = body
            .iter()
            .filter(|(name, wanted)| live.get(*name).is_none_or(|live| !satisfies(live, wanted)))
            .map(|(name, _)| path(name))
            .collect();
        if ours.is_empty() {
            return Vec::new();
        }
        let only_there: Vec<&String> = live.keys().filter(|name| !body.contains_key(*name)).collect();
        theirs(live, &only_there, named, message)
            .into_iter()
            .map(|name| Exclusion {
                theirs: path(name),
                ours: ours.clone(),
            })
            .collect()
    }

    /// Items that survive under an old key, with a name that one of ours has now.
    fn duplicates(&self, list: &[Step], field: &str, value: &str) -> Vec<Exclusion> {
        let mut found = Vec::new();
        for list in self.places(list) {
            let Some(Value::Array(wanted)) = lookup(self.body, &list) else {
                continue;
            };
            let is_named = |item: &Value| item.get(field).and_then(Value::as_str) == Some(value);
            for theirs in self.items(&list) {
                let is_there = lookup(self.live, &theirs).is_some_and(is_named);
                let Some(PathElement::Key(keys)) = theirs.elements().last() else {
                    continue;
                };
                if !is_there || lookup(self.body, &theirs).is_some() {
                    continue;
                }
                let ours = wanted.iter().filter(|item| is_named(item));
                let ours: Vec<FieldPath> = ours
                    .filter_map(|item| Some(list.child(PathElement::Key(keys_of(item, keys)?))))
                    .collect();
                if !ours.is_empty() {
                    found.push(Exclusion { theirs, ours });
                }
            }
        }
        found
    }
}

/// Which of the fields that only the object has is the one that excludes ours.
fn theirs<'a>(live: &Map<String, Value>, only_there: &[&'a String], named: &str, message: &str) -> Vec<&'a String> {
    let has = |wanted: &str| only_there.iter().copied().find(|name| *name == wanted);
    if let Some(name) = has(named).or_else(|| quoted(message).find_map(has)) {
        return vec![name];
    }
    // The cause names our member, or a field of the internal version. Members of unions are maps.
    let is_map = |name: &&&String| live.get(**name).is_some_and(Value::is_object);
    only_there.iter().filter(is_map).copied().collect()
}

/// The keys of an item, by the names that another item of its list has.
fn keys_of(item: &Value, like: &BTreeMap<String, Scalar>) -> Option<BTreeMap<String, Scalar>> {
    let key = |name: &String| {
        let value = item.get(name).cloned().or_else(|| default_of_key(name))?;
        Some((name.clone(), Scalar::from_json(&value)))
    };
    like.keys().map(key).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cause(field: &str, message: &str) -> StatusCause {
        StatusCause {
            field: field.into(),
            reason: String::new(),
            message: message.into(),
        }
    }

    fn found(cause: &StatusCause, fields: &Value, live: &Value, body: &Value) -> Vec<(String, Vec<String>)> {
        let mut live = live.clone();
        live["metadata"] =
            json!({"managedFields": [{"manager": "kubectl", "operation": "Update", "fieldsV1": fields}]});
        let managed = ManagedFields::of(&live).unwrap();
        exclusions(std::slice::from_ref(cause), &managed, &live, body)
            .into_iter()
            .map(|found| {
                (
                    found.theirs.to_string(),
                    found.ours.iter().map(ToString::to_string).collect(),
                )
            })
            .collect()
    }

    fn pair(theirs: &str, ours: &str) -> Vec<(String, Vec<String>)> {
        vec![(theirs.to_owned(), vec![ours.to_owned()])]
    }

    #[test]
    fn an_environment_variable_has_one_source() {
        let fields = json!({"f:spec": {"f:env": {"k:{\"name\":\"N\"}": {".": {}, "f:name": {}, "f:valueFrom": {".": {}, "f:x": {}}}}}});
        let from = json!({"spec": {"env": [{"name": "M"}, {"name": "N", "valueFrom": {"x": 1}}]}});
        let value = json!({"spec": {"env": [{"name": "N", "value": "1"}]}});
        let message = "Invalid value: \"\": may not be specified when `value` is not empty";
        let cause = cause("spec.env[0].valueFrom", message);
        let item = ".spec.env[name=\"N\"]";
        assert_eq!(
            found(&cause, &fields, &from, &value),
            pair(&format!("{item}.valueFrom"), &format!("{item}.value"))
        );
        // The other way round: the cause names ours, the message theirs.
        let fields = json!({"f:spec": {"f:env": {"k:{\"name\":\"N\"}": {".": {}, "f:name": {}, "f:value": {}}}}});
        assert_eq!(
            found(&cause, &fields, &value, &from),
            pair(&format!("{item}.value"), &format!("{item}.valueFrom"))
        );
    }

    #[test]
    fn defaults_and_internal_names_are_found() {
        let live = json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}});
        let body = json!({"spec": {"strategy": {"type": "Recreate"}}});
        let message = "Forbidden: may not be specified when strategy `type` is 'Recreate'";
        assert_eq!(
            found(&cause("spec.strategy.rollingUpdate", message), &json!({}), &live, &body),
            pair(".spec.strategy.rollingUpdate", ".spec.strategy.type")
        );
        let live = json!({"spec": {"conversion": {"strategy": "Webhook", "webhook": {"clientConfig": {}}}}});
        let body = json!({"spec": {"conversion": {"strategy": "None"}}});
        let message = "Forbidden: should not be set when strategy is not set to Webhook";
        assert_eq!(
            found(
                &cause("spec.conversion.webhookClientConfig", message),
                &json!({}),
                &live,
                &body
            ),
            pair(".spec.conversion.webhook", ".spec.conversion.strategy")
        );
    }

    #[test]
    fn a_renumbered_port_keeps_its_name() {
        let fields = json!({"f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:name": {}, "f:port": {}}}}});
        let live = json!({"spec": {"ports": [{"name": "h", "port": 80, "protocol": "TCP"}]}});
        let body = json!({"spec": {"ports": [{"name": "h", "port": 81}, {"name": "g", "port": 82}]}});
        let expected = pair(
            ".spec.ports[port=80,protocol=\"TCP\"]",
            ".spec.ports[port=81,protocol=\"TCP\"]",
        );
        let cause = cause("spec.ports[1].name", "Duplicate value: \"h\"");
        assert_eq!(found(&cause, &fields, &live, &body), expected);
    }

    #[test]
    fn what_others_set_beside_the_field_is_named() {
        let live = json!({"spec": {"size": 1, "b": "x", "deep": {"c": 1}, "ours": 1}, "metadata": {"labels": {"l": "x"}, "managedFields": [
            {"manager": "us", "operation": "Apply", "fieldsV1": {"f:spec": {"f:ours": {}}}},
            {"manager": "kubectl", "operation": "Update",
             "fieldsV1": {"f:metadata": {"f:labels": {"f:l": {}}}, "f:spec": {"f:size": {}, "f:b": {}, "f:deep": {"f:c": {}}}}}]}});
        let body = json!({"spec": {"size": 1, "a": "y", "ours": 2}});
        let managed = ManagedFields::of(&live).unwrap();
        let named = |field: &str| -> Vec<String> {
            let found = beside(&[cause(field, "Invalid value")], &managed, "us", &live, &body);
            found
                .iter()
                .map(|(path, owner)| format!("{path} {}", owner.name))
                .collect()
        };
        assert_eq!(named("spec"), [".spec.b kubectl", ".spec.deep.c kubectl"]);
        assert_eq!(named("spec.a"), [".spec.b kubectl", ".spec.deep.c kubectl"]);
        assert_eq!(named("spec.deep"), [".spec.deep.c kubectl"]);
        let one_of = "Invalid value: \"\": \"spec\" must validate one and only one schema (oneOf). Found none valid";
        let found = beside(&[cause("<nil>", one_of)], &managed, "us", &live, &body);
        assert_eq!(found.len(), 2);
        for unknown in ["", "<nil>", "spec[0].x"] {
            assert_eq!(named(unknown), Vec::<String>::new(), "{unknown}");
        }
    }

    #[test]
    fn what_cannot_be_made_out_gives_nothing() {
        for field in [
            "",
            "spec",
            "spec.x.y",
            "spec[0]",
            "[",
            "..",
            "spec.ports[99999999999].name",
        ] {
            let live = json!({"spec": {"x": 1}});
            let cause = cause(field, "Duplicate value: ");
            assert_eq!(found(&cause, &json!({}), &live, &live), [], "{field}");
        }
    }
}
