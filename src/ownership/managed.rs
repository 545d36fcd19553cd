//! The managedFields of a live object: who owns which field, since when, by which kind of write.

use jiff::Timestamp;
use serde_json::Value;

use super::fields_v1::FieldsError;
use super::fieldset::{FieldSet, Relation};
use super::path::FieldPath;
pub use crate::api::helm_release::ownership_status::ManagerOperation as Operation;

/// Who wrote: the identity under which the server keeps a set of fields.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Manager {
    /// The field manager's name.
    pub name: String,
    /// How it wrote.
    pub operation: Operation,
    /// `scale`, `status`, or `None` for the object itself.
    pub subresource: Option<String>,
    /// The version in which the paths are named; `None` where a conflict cause does not say.
    pub api_version: Option<String>,
    /// When a write of this manager last changed something; a co-owner that never did has none.
    pub time: Option<Timestamp>,
}

/// One entry of managedFields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedEntry {
    /// Who.
    pub manager: Manager,
    /// What.
    pub fields: FieldSet,
}

/// An owner of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner<'a> {
    /// Who.
    pub manager: &'a Manager,
    /// Whether it owns the path itself, an atomic parent, or something below.
    pub relation: Relation,
}

/// Why managedFields cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManagedFieldsError {
    /// The entry has no manager, or an operation other than Apply and Update.
    #[error("metadata.managedFields[{index}]: {problem}")]
    BadEntry {
        /// The position of the entry.
        index: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// The entry's field set cannot be read.
    #[error("metadata.managedFields[{index}] of {manager:?}: {source}")]
    BadFields {
        /// The position of the entry.
        index: usize,
        /// The entry's manager.
        manager: String,
        /// What is wrong.
        source: FieldsError,
    },
}

/// All entries of one object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManagedFields {
    entries: Vec<ManagedEntry>,
}

impl ManagedFields {
    /// Reads `metadata.managedFields`; an object without it has no entries.
    pub fn of(object: &Value) -> Result<Self, ManagedFieldsError> {
        let Some(Value::Array(entries)) = object.pointer("/metadata/managedFields") else {
            return Ok(Self::default());
        };
        let entries = entries
            .iter()
            .enumerate()
            .map(|(index, entry)| read_entry(index, entry));
        Ok(Self {
            entries: entries.collect::<Result<_, _>>()?,
        })
    }

    /// The entries in the server's order: Apply before Update, then by time.
    pub fn entries(&self) -> &[ManagedEntry] {
        &self.entries
    }

    /// What this manager owns by applying the object itself.
    pub fn applied_by(&self, manager: &str) -> Option<&FieldSet> {
        self.entries
            .iter()
            .find(|entry| is_applied_by(&entry.manager, manager))
            .map(|entry| &entry.fields)
    }

    /// The entries of everybody but this applier.
    ///
    /// Writers of the status count too: the Deployment controller numbers its revisions in an annotation that way.
    pub fn others<'a>(&'a self, applier: &str) -> impl Iterator<Item = &'a ManagedEntry> {
        self.entries
            .iter()
            .filter(move |entry| !is_applied_by(&entry.manager, applier))
    }

    /// The same with what this manager owns by updating the object as what it applied.
    #[must_use]
    pub fn with_updates_applied(mut self, manager: &str) -> Self {
        let mut own: Option<ManagedEntry> = None;
        self.entries.retain(|entry| {
            if entry.manager.name != manager || entry.manager.subresource.is_some() {
                return true;
            }
            own = Some(match own.take() {
                None => entry.clone(),
                Some(ManagedEntry { manager, fields }) => ManagedEntry {
                    manager,
                    fields: fields.union(&entry.fields),
                },
            });
            false
        });
        if let Some(mut entry) = own {
            entry.manager.operation = Operation::Apply;
            self.entries.insert(0, entry);
        }
        self
    }

    /// The owners of a path, an atomic parent of it, or something below it.
    pub fn owners_of(&self, path: &FieldPath) -> Vec<Owner<'_>> {
        let owners = self.entries.iter().filter_map(|ManagedEntry { manager, fields }| {
            fields.relation(path).map(|relation| Owner { manager, relation })
        });
        owners.collect()
    }
}

/// Whether the entry is that of this applier on the object itself.
fn is_applied_by(manager: &Manager, name: &str) -> bool {
    manager.name == name && manager.operation == Operation::Apply && manager.subresource.is_none()
}

/// Makes of what a manager applied what it updates, in place of what it has updated so far: managedFields as they are written with an
/// object that has exactly these fields of it.
pub fn applied_as_updates(entries: &mut Vec<Value>, manager: &str) {
    let is_own = |entry: &Value, operation: &str| {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
        text("manager") == manager && text("operation") == operation && text("subresource").is_empty()
    };
    if !entries.iter().any(|entry| is_own(entry, "Apply")) {
        return;
    }
    entries.retain(|entry| !is_own(entry, "Update"));
    for entry in entries.iter_mut().filter(|entry| is_own(entry, "Apply")) {
        entry["operation"] = Value::String("Update".to_owned());
    }
}

fn read_entry(index: usize, entry: &Value) -> Result<ManagedEntry, ManagedFieldsError> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let bad = |problem| ManagedFieldsError::BadEntry { index, problem };
    let operation = match text("operation") {
        Some("Apply") => Operation::Apply,
        Some("Update") => Operation::Update,
        _ => return Err(bad("operation must be Apply or Update")),
    };
    // A writer may have an empty name: an empty User-Agent.
    let name = text("manager").unwrap_or_default().to_owned();
    let fields = match entry.get("fieldsV1") {
        None | Some(Value::Null) => FieldSet::new(),
        Some(fields) => FieldSet::from_fields_v1(fields).map_err(|source| ManagedFieldsError::BadFields {
            index,
            manager: name.clone(),
            source,
        })?,
    };
    let manager = Manager {
        name,
        operation,
        subresource: text("subresource").map(str::to_owned),
        api_version: text("apiVersion").map(str::to_owned),
        time: text("time").and_then(|time| time.parse().ok()),
    };
    Ok(ManagedEntry { manager, fields })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn managed() -> ManagedFields {
        ManagedFields::of(&json!({"metadata": {"managedFields": [
            {"manager": "fairlead", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
             "fieldsV1": {"f:spec": {"f:replicas": {}, "f:selector": {}}}},
            {"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "apps/v1",
             "time": "2026-01-02T03:04:05Z", "fieldsType": "FieldsV1", "subresource": "scale",
             "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "apps/v1",
             "fieldsType": "FieldsV1", "subresource": "status", "fieldsV1": {"f:status": {"f:replicas": {}}}},
        ]}}))
        .unwrap()
    }

    #[test]
    fn finds_owners() {
        let managed = managed();
        let owners = managed.owners_of(&".spec.replicas".parse().unwrap());
        assert_eq!(owners.len(), 2);
        assert_eq!(owners.last().unwrap().manager.subresource.as_deref(), Some("scale"));
        let inside = managed.owners_of(&".spec.selector.matchLabels".parse().unwrap());
        assert_eq!(inside.first().unwrap().relation, Relation::Ancestor);
    }

    #[test]
    fn others_are_all_but_the_applier() {
        let managed = managed();
        let others: Vec<_> = managed.others("fairlead").collect();
        assert_eq!(others.len(), 2);
        assert_eq!(managed.applied_by("fairlead").unwrap().len(), 2);
        assert_eq!(managed.applied_by("other"), None);
    }

    #[test]
    fn what_is_updated_is_read_and_written_as_what_is_applied() {
        let entry = |operation: &str, field: &str, subresource: Option<&str>| {
            let mut entry = json!({"manager": "us", "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1",
                "fieldsV1": {"f:data": {field: {}}}});
            if let Some(subresource) = subresource {
                entry["subresource"] = json!(subresource);
            }
            entry
        };
        let mut entries = vec![
            entry("Apply", "f:a", None),
            entry("Update", "f:b", None),
            entry("Update", "f:c", Some("status")),
        ];
        let object = json!({"metadata": {"managedFields": entries}});
        let managed = ManagedFields::of(&object).unwrap().with_updates_applied("us");
        assert_eq!(managed.applied_by("us").unwrap().len(), 2);
        assert_eq!(managed.others("us").count(), 1);
        applied_as_updates(&mut entries, "us");
        assert_eq!(
            entries,
            [entry("Update", "f:a", None), entry("Update", "f:c", Some("status"))]
        );
    }

    #[test]
    fn bad_entries_are_named() {
        let object =
            json!({"metadata": {"managedFields": [{"manager": "a", "operation": "Apply", "fieldsV1": {"x": {}}}]}});
        let error = ManagedFields::of(&object).unwrap_err();
        assert!(
            error.to_string().starts_with("metadata.managedFields[0] of \"a\""),
            "{error}"
        );
        let object = json!({"metadata": {"managedFields": [{"manager": "a"}]}});
        ManagedFields::of(&object).unwrap_err();
    }
}
