//! Drift: fields that we applied, with what they are like now.
//!
//! Who changed them does not matter here: that is what conflicts and losses are about. Knows neither modes nor when it is looked.

use serde_json::Value;

use super::class::Class;
use super::contested::ContestedField;
use super::intent::{Intent, is_identity};
use super::ledger::ObjectRecord;
use super::path::FieldPath;
use super::policy::Action;
use super::redact::{Redactor, ShownValue};
use super::reference::ObjectReference;
use super::value::{is_empty, lookup, satisfies};

/// A field that differs from what was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriftedField {
    /// The object.
    pub object: ObjectReference,
    /// The field; the root for an object that does not exist any more.
    pub path: FieldPath,
    /// What was applied; none for the whole object.
    pub ours: Option<ShownValue>,
    /// What it is now; none if it is gone.
    pub live: Option<ShownValue>,
}

impl DriftedField {
    /// Of an object that does not exist any more.
    pub fn missing(object: ObjectReference) -> Self {
        Self {
            object,
            path: FieldPath::new(Vec::new()),
            ours: None,
            live: None,
        }
    }
}

/// The fields of `intent` that we applied and that are otherwise now, sorted. Left out is what was decided about on purpose: what
/// admission is known to change, and fields that are shared at their other owner's value.
pub fn drifted(intent: &Intent, record: &ObjectRecord, live: &Value, redactor: &Redactor) -> Vec<DriftedField> {
    let is_decided = |path: &FieldPath| {
        let is_on_purpose = |field: &ContestedField| field.class == Class::Admission || field.action == Action::Adopted;
        let mut contested = record.contested.iter().filter(|field| is_on_purpose(field));
        contested.any(|field| field.path.as_ref() == Some(path))
    };
    let differs = |path: &FieldPath| {
        let Some(wanted) = lookup(intent.body(), path) else {
            return false;
        };
        // The server leaves out some fields that are empty, and shows others as null.
        !is_identity(path)
            && match lookup(live, path).filter(|found| !found.is_null()) {
                Some(found) => !is_empty(wanted) && !satisfies(found, wanted),
                None => !is_empty(wanted),
            }
    };
    let object = intent.reference();
    let mut paths = record.owned.unpack().leaves();
    paths.retain(|path| differs(path) && !is_decided(path));
    paths.sort();
    let show = |source: &Value, path: &FieldPath| lookup(source, path).map(|value| redactor.show(object, path, value));
    let fields = paths.into_iter().map(|path| DriftedField {
        object: object.clone(),
        ours: show(intent.body(), &path),
        live: show(live, &path),
        path,
    });
    fields.collect()
}

/// Puts the live values of the fields at these JSON pointers into what is applied, so that applying it leaves them as they are. A
/// field that is gone is left out.
pub fn keep_live(body: &mut Value, live: &Value, pointers: &[String]) {
    for pointer in pointers {
        match (body.pointer_mut(pointer), live.pointer(pointer)) {
            (Some(ours), Some(theirs)) => ours.clone_from(theirs),
            (Some(_), None) => remove(body, pointer),
            (None, _) => {}
        }
    }
}

fn remove(body: &mut Value, pointer: &str) {
    let Some((parent, last)) = pointer.rsplit_once('/') else {
        return;
    };
    match body.pointer_mut(parent) {
        Some(Value::Object(fields)) => {
            fields.remove(&last.replace("~1", "/").replace("~0", "~"));
        }
        Some(Value::Array(items)) => {
            if let Some(index) = last.parse::<usize>().ok().filter(|index| *index < items.len()) {
                items.remove(index);
            }
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ignored_fields_keep_their_live_values() {
        let mut body =
            json!({"spec": {"replicas": 1, "paused": true, "list": [1, 2]}, "metadata": {"annotations": {"a/b": "x"}}});
        let live = json!({"spec": {"replicas": 7, "list": [1]}, "metadata": {"annotations": {"a/b": "y"}}});
        let pointers = [
            "/spec/replicas",
            "/spec/paused",
            "/spec/list/1",
            "/metadata/annotations/a~1b",
            "/spec/none",
        ];
        keep_live(&mut body, &live, &pointers.map(str::to_owned));
        assert_eq!(
            body,
            json!({"spec": {"replicas": 7, "list": [1]}, "metadata": {"annotations": {"a/b": "y"}}})
        );
    }
}
