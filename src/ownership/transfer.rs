//! Fields that change hands without their values changing: managedFields as it is to be written.
//!
//! The server takes managedFields as a client writes them, which is how client-side owners are migrated. What our own apply
//! then leaves out is removed with it, in one write. Pure: knows entries, writes nothing.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::class::Roster;
use super::fieldset::{FieldSet, Relation};
use super::managed::{ManagedEntry, ManagedFields, Manager, Operation};
use super::path::{FieldPath, PathElement};
use super::reference::ObjectReference;
use super::value::lookup;

/// Which fields change hands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transfer {
    released: Vec<(Manager, FieldSet)>,
    gained: FieldSet,
}

impl Transfer {
    /// What predecessors hold of the fields that the body sets, or that we apply and the body drops. Beside such owners,
    /// a field that leaves the chart would stay in the object for ever (kubernetes#99003).
    ///
    /// `keeps` says which predecessor a rule protects.
    pub fn from_predecessors(
        managed: &ManagedFields,
        roster: &Roster,
        body: &Value,
        keeps: impl Fn(&Manager) -> bool,
    ) -> Self {
        let ours = managed.applied_by(roster.field_manager());
        let is_ours = |path: &FieldPath| {
            lookup(body, path).is_some() || ours.is_some_and(|ours| ours.relation(path) == Some(Relation::Exact))
        };
        let released = managed
            .others(roster.field_manager())
            .filter(|entry| roster.is_predecessor(&entry.manager) && !keeps(&entry.manager))
            .map(|entry| {
                let fields: FieldSet = entry.fields.paths().into_iter().filter(&is_ours).collect();
                (entry.manager.clone(), fields)
            })
            .filter(|(_, fields)| !fields.is_empty())
            .collect();
        Self {
            released,
            gained: FieldSet::new(),
        }
    }

    /// Takes a path and everything below it from one manager.
    pub fn take_from(&mut self, manager: &Manager, path: &FieldPath, managed: &ManagedFields) {
        let mut entries = managed.entries().iter();
        if let Some(entry) = entries.find(|entry| entry.manager == *manager) {
            let fields = entry.fields.at_or_below(path);
            self.gained = self.gained.union(&fields);
            self.gained.insert(path);
            if !fields.is_empty() {
                self.released.push((manager.clone(), fields));
            }
        }
    }

    /// Takes a path and everything below it from everybody, so that an apply without it removes it.
    pub fn take(&mut self, path: &FieldPath, managed: &ManagedFields, manager: &str, live: &Value) {
        let mut taken: FieldSet = leaves_below(live, path).into_iter().collect();
        for entry in managed.others(manager) {
            let fields = entry.fields.at_or_below(path);
            if !fields.is_empty() {
                taken = taken.union(&fields);
                self.released.push((entry.manager.clone(), fields));
            }
        }
        self.gained = self.gained.union(&taken);
    }

    /// What both transfer.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        let Self { released, gained } = other;
        self.released.extend(released);
        self.gained = self.gained.union(&gained);
        self
    }

    /// Whether no field changes hands.
    pub fn is_empty(&self) -> bool {
        self.released.is_empty() && self.gained.is_empty()
    }

    /// The managedFields of a live object after the transfer to `manager`, who applies in `api_version`.
    pub fn managed_fields(&self, live: &Value, manager: &str, api_version: &str) -> Vec<Value> {
        let mut entries = Vec::new();
        let mut gained = Some(&self.gained).filter(|gained| !gained.is_empty());
        for entry in raw_entries(live) {
            if let Some(fields) = gained.filter(|_| is_applier(entry, manager)) {
                entries.push(with_fields(entry, &fields_of(entry).union(fields)));
                gained = None;
                continue;
            }
            let kept = self.left_to(entry);
            match kept {
                None => entries.push(entry.clone()),
                Some(kept) if kept.is_empty() => {}
                Some(kept) => entries.push(with_fields(entry, &kept)),
            }
        }
        // Of an object without entries the server makes up an owner of everything, `before-first-apply`, who would then be
        // beside us for ever: so what was released becomes ours before we apply it.
        let released = || {
            self.released
                .iter()
                .fold(FieldSet::new(), |all, (_, fields)| all.union(fields))
        };
        let gained = gained.cloned().or_else(|| entries.is_empty().then(released));
        if let Some(gained) = gained {
            entries.push(json!({
                "manager": manager, "operation": "Apply", "apiVersion": api_version,
                "fieldsType": "FieldsV1", "fieldsV1": gained.to_fields_v1(),
            }));
        }
        entries
    }

    /// What an entry keeps; `None` if it gives nothing.
    fn left_to(&self, entry: &Value) -> Option<FieldSet> {
        let mut released = self
            .released
            .iter()
            .filter(|(manager, _)| is_of(entry, manager))
            .peekable();
        released.peek()?;
        let before = fields_of(entry);
        let kept = released.fold(before.clone(), |kept, (_, fields)| kept.difference(fields));
        Some(without_empty_parents(kept, &before))
    }
}

/// What predecessors applied of an object and the body no longer has, each with its owner: nobody else would remove it.
///
/// What one applied server-side is what it owns. One that wrote by other means owns what the server defaulted, too, so that
/// `previous`, its last manifest, tells.
pub fn left_behind<'a>(
    managed: &'a ManagedFields,
    roster: &Roster,
    live: &Value,
    body: &Value,
    previous: Option<&Value>,
) -> Vec<(FieldPath, &'a Manager)> {
    let api_version = live.get("apiVersion").and_then(Value::as_str);
    let mut found: Vec<(FieldPath, &Manager)> = Vec::new();
    for ManagedEntry { manager, fields } in managed.others(roster.field_manager()) {
        if !roster.is_predecessor(manager) || manager.api_version.as_deref() != api_version {
            continue;
        }
        let was_applied = |path: &FieldPath| match manager.operation {
            Operation::Apply => true,
            Operation::Update => previous.is_some_and(|previous| lookup(previous, path).is_some()),
        };
        for path in fields.paths().into_iter().map(|path| stored_as(live, path)) {
            // What is below a path comes right after it.
            let is_inside = found
                .last()
                .is_some_and(|(above, owner)| *owner == manager && path.elements().starts_with(above.elements()));
            if !is_inside && lookup(body, &path).is_none() && lookup(live, &path).is_some() && was_applied(&path) {
                found.push((path, manager));
            }
        }
    }
    found
}

/// Where the server keeps what was applied under this path: a Secret's `stringData` becomes `data`, which nobody owns then.
fn stored_as(live: &Value, path: FieldPath) -> FieldPath {
    let is_secret = ObjectReference::of(live).is_some_and(|object| object.is_secret());
    match path.elements() {
        [first, key] if is_secret && *first == PathElement::field("stringData") => {
            FieldPath::new(vec![PathElement::field("data"), key.clone()])
        }
        _ => path,
    }
}

/// The managedFields of a live object with every entry of a version that is served no more moved to one that is.
pub fn in_served_version(live: &Value, removed: &str, served: &str) -> Vec<Value> {
    let moved = raw_entries(live).map(|entry| {
        let mut entry = entry.clone();
        if entry.get("apiVersion").and_then(Value::as_str) == Some(removed) {
            entry["apiVersion"] = Value::String(served.to_owned());
        }
        entry
    });
    moved.collect()
}

/// The managers whose entries are in a version.
pub fn managers_in<'a>(managed: &'a ManagedFields, api_version: &'a str) -> impl Iterator<Item = &'a Manager> {
    managed
        .entries()
        .iter()
        .map(|entry| &entry.manager)
        .filter(move |manager| manager.api_version.as_deref() == Some(api_version))
}

fn raw_entries(live: &Value) -> impl Iterator<Item = &Value> {
    live.pointer("/metadata/managedFields")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn text<'a>(entry: &'a Value, key: &str) -> Option<&'a str> {
    entry.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn is_applier(entry: &Value, manager: &str) -> bool {
    text(entry, "manager") == Some(manager)
        && text(entry, "operation") == Some("Apply")
        && text(entry, "subresource").is_none()
}

fn is_of(entry: &Value, manager: &Manager) -> bool {
    let Manager {
        name,
        operation,
        subresource,
        api_version,
        time: _,
    } = manager;
    let operation = match operation {
        Operation::Apply => "Apply",
        Operation::Update => "Update",
    };
    text(entry, "manager").unwrap_or_default() == name
        && text(entry, "operation") == Some(operation)
        && text(entry, "subresource") == subresource.as_deref()
        && text(entry, "apiVersion") == api_version.as_deref()
}

/// A list or map in which nothing is held any more would be held as a whole.
fn without_empty_parents(mut kept: FieldSet, before: &FieldSet) -> FieldSet {
    let leaves: BTreeSet<FieldPath> = before.leaves().into_iter().collect();
    loop {
        let emptied: FieldSet = kept
            .leaves()
            .into_iter()
            .filter(|path| !leaves.contains(path))
            .collect();
        if emptied.is_empty() {
            return kept;
        }
        kept = kept.difference(&emptied);
    }
}

/// An entry was read before as part of the object; one that cannot be read owns nothing.
fn fields_of(entry: &Value) -> FieldSet {
    entry
        .get("fieldsV1")
        .and_then(|fields| FieldSet::from_fields_v1(fields).ok())
        .unwrap_or_default()
}

fn with_fields(entry: &Value, fields: &FieldSet) -> Value {
    let mut entry = entry.clone();
    entry["fieldsV1"] = fields.to_fields_v1();
    entry
}

/// The leaves of a live value, as far as maps go; a list is one.
fn leaves_below(live: &Value, path: &FieldPath) -> Vec<FieldPath> {
    match lookup(live, path) {
        Some(Value::Object(map)) if !map.is_empty() => map
            .keys()
            .flat_map(|name| leaves_below(live, &path.child(PathElement::field(name.as_str()))))
            .chain([path.clone()])
            .collect(),
        Some(_) => vec![path.clone()],
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object() -> Value {
        json!({"spec": {"a": 1, "b": {"c": 2, "d": 3}, "old": 4}, "metadata": {"managedFields": [
            {"manager": "us", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
             "fieldsV1": {"f:spec": {"f:a": {}, "f:old": {}}}},
            {"manager": "helm", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "time": "2026-01-01T00:00:00Z",
             "fieldsV1": {"f:spec": {"f:a": {}, "f:old": {}, "f:theirs": {}}}},
            {"manager": "kubectl", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
             "fieldsV1": {"f:spec": {"f:b": {".": {}, "f:c": {}}, "f:old": {}}}}]}})
    }

    fn roster() -> Roster {
        Roster::new("us", vec!["helm".to_owned()], None)
    }

    #[test]
    fn predecessors_give_what_we_set_and_what_we_drop() {
        let live = object();
        let managed = ManagedFields::of(&live).unwrap();
        let body = json!({"spec": {"a": 1}});
        let transfer = Transfer::from_predecessors(&managed, &roster(), &body, |_| false);
        let after = json!({"metadata": {"managedFields": transfer.managed_fields(&live, "us", "v1")}});
        let after = ManagedFields::of(&after).unwrap();
        let texts = |index: usize| {
            let entry: &super::super::managed::ManagedEntry = after.entries().get(index).unwrap();
            (entry.manager.name.clone(), entry.fields.to_fields_v1())
        };
        assert_eq!(texts(0), ("us".to_owned(), json!({"f:spec": {"f:a": {}, "f:old": {}}})));
        assert_eq!(texts(1), ("helm".to_owned(), json!({"f:spec": {"f:theirs": {}}})));
        assert_eq!(after.entries().get(2), managed.entries().get(2));
        assert!(Transfer::from_predecessors(&managed, &roster(), &body, |_| true).is_empty());
    }

    #[test]
    fn what_left_a_predecessors_chart_is_left_behind() {
        let mut live = object();
        live["apiVersion"] = json!("v1");
        live["spec"] = json!({"a": 1, "old": 4, "theirs": 5});
        let found = |live: &Value, previous: Option<&Value>| -> Vec<String> {
            let managed = ManagedFields::of(live).unwrap();
            let body = json!({"spec": {"a": 2}});
            let found = left_behind(&managed, &roster(), live, &body, previous);
            found
                .iter()
                .map(|(path, owner)| format!("{path} {}", owner.name))
                .collect()
        };
        // It owns `theirs`, too, but as a default: only the manifest tells.
        assert_eq!(found(&live, None), Vec::<String>::new());
        let previous = json!({"spec": {"a": 1, "old": 3, "gone": 1}});
        assert_eq!(found(&live, Some(&previous)), [".spec.old helm"]);
        live["metadata"]["managedFields"][1]["operation"] = json!("Apply");
        assert_eq!(found(&live, None), [".spec.old helm", ".spec.theirs helm"]);
        live["apiVersion"] = json!("v2");
        assert_eq!(found(&live, Some(&previous)), Vec::<String>::new());
    }

    #[test]
    fn what_is_taken_is_ours_alone_and_owners_without_fields_go() {
        let mut live = object();
        live["metadata"]["managedFields"][2]["fieldsV1"] = json!({"f:spec": {"f:b": {".": {}, "f:c": {}}}});
        let managed = ManagedFields::of(&live).unwrap();
        let mut transfer = Transfer::default();
        transfer.take(&".spec.b".parse().unwrap(), &managed, "us", &live);
        let entries = transfer.managed_fields(&live, "us", "v1");
        assert_eq!(entries.len(), 2, "{entries:?}");
        let expected = json!({"f:spec": {"f:a": {}, "f:b": {".": {}, "f:c": {}, "f:d": {}}, "f:old": {}}});
        assert_eq!(entries.first().unwrap()["fieldsV1"], expected);
        let new = transfer.managed_fields(&live, "someone-new", "v2");
        assert_eq!(new.last().unwrap()["apiVersion"], "v2");
    }

    #[test]
    fn what_the_only_owner_releases_is_ours_at_once() {
        let mut live = object();
        live["metadata"]["managedFields"] = json!([{"manager": "helm", "operation": "Update", "apiVersion": "v1",
            "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:a": {}}}}]);
        let managed = ManagedFields::of(&live).unwrap();
        let transfer = Transfer::from_predecessors(&managed, &roster(), &json!({"spec": {"a": 1}}), |_| false);
        let expected = json!([{"manager": "us", "operation": "Apply", "apiVersion": "v1",
            "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:a": {}}}}]);
        assert_eq!(json!(transfer.managed_fields(&live, "us", "v1")), expected);
    }

    #[test]
    fn nothing_is_left_of_a_list_whose_items_were_released() {
        let mut live = object();
        live["metadata"]["managedFields"][2]["fieldsV1"] =
            json!({"f:spec": {".": {}, "f:b": {".": {}, "f:c": {}}, "f:x": {}}});
        let managed = ManagedFields::of(&live).unwrap();
        let mut transfer = Transfer::default();
        transfer.take(&".spec.b.c".parse().unwrap(), &managed, "us", &live);
        let entries = transfer.managed_fields(&live, "us", "v1");
        assert_eq!(
            entries.last().unwrap()["fieldsV1"],
            json!({"f:spec": {".": {}, "f:x": {}}})
        );
    }

    #[test]
    fn entries_of_a_removed_version_move() {
        let entries = in_served_version(&object(), "v1", "v2");
        assert!(entries.iter().all(|entry| entry["apiVersion"] == "v2"));
        let live = object();
        let managed = ManagedFields::of(&live).unwrap();
        assert_eq!(managers_in(&managed, "v1").count(), 3);
    }
}
