//! FieldsV1, the JSON form of a field set in managedFields: reading and writing, nothing else.
//!
//! The format: `f:` struct field or map key, `k:` item of an associative list, `v:` item of a set, `i:` position,
//! `.` the parent itself; an object without entries is a member.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::fieldset::{FieldSet, Node};
use super::path::{MAX_PATH_DEPTH, PathElement, Scalar};

/// Why a JSON value is not FieldsV1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldsError {
    /// An entry is not an object.
    #[error("FieldsV1: {0:?} must be an object")]
    NotAnObject(String),
    /// An entry has an unknown prefix or a value that cannot be read.
    #[error("FieldsV1: {0:?} is none of `.`, `f:`, `k:`, `v:`, `i:`")]
    BadElement(String),
    /// The nesting is deeper than any object can be.
    #[error("FieldsV1 is nested deeper than 128 levels")]
    TooDeep,
}

impl FieldSet {
    /// Reads FieldsV1.
    pub fn from_fields_v1(fields: &Value) -> Result<Self, FieldsError> {
        match fields {
            Value::Object(map) => read_set(map, 0),
            _ => Err(FieldsError::NotAnObject("fieldsV1".to_owned())),
        }
    }

    /// Writes FieldsV1.
    pub fn to_fields_v1(&self) -> Value {
        Value::Object(write_set(self))
    }
}

fn read_set(map: &Map<String, Value>, depth: usize) -> Result<FieldSet, FieldsError> {
    if depth > MAX_PATH_DEPTH {
        return Err(FieldsError::TooDeep);
    }
    let mut entries = Vec::with_capacity(map.len());
    for (key, value) in map {
        if key == "." {
            continue;
        }
        let Value::Object(below) = value else {
            return Err(FieldsError::NotAnObject(shorten(key)));
        };
        let node = Node {
            member: below.is_empty() || below.contains_key("."),
            children: read_set(below, depth + 1)?,
        };
        entries.push((read_element(key)?, node));
    }
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    entries.dedup_by(|(a, _), (b, _)| a == b);
    Ok(FieldSet { entries })
}

pub(super) fn read_element(key: &str) -> Result<PathElement, FieldsError> {
    let bad = || FieldsError::BadElement(shorten(key));
    let (prefix, text) = key.split_once(':').ok_or_else(bad)?;
    match prefix {
        "f" => Ok(PathElement::Field(text.to_owned())),
        "k" => {
            let keys: BTreeMap<String, Value> = serde_json::from_str(text).map_err(|_| bad())?;
            Ok(PathElement::Key(
                keys.into_iter()
                    .map(|(name, value)| (name, Scalar::from_json(&value)))
                    .collect(),
            ))
        }
        "v" => serde_json::from_str(text)
            .map(|value| PathElement::Value(Scalar::from_json(&value)))
            .map_err(|_| bad()),
        "i" => text.parse().map(PathElement::Index).map_err(|_| bad()),
        _ => Err(bad()),
    }
}

fn write_set(set: &FieldSet) -> Map<String, Value> {
    set.entries
        .iter()
        .map(|(element, node)| {
            let mut below = write_set(&node.children);
            if node.member && !below.is_empty() {
                below.insert(".".to_owned(), Value::Object(Map::new()));
            }
            (write_element(element), Value::Object(below))
        })
        .collect()
}

pub(super) fn write_element(element: &PathElement) -> String {
    match element {
        PathElement::Field(name) => format!("f:{name}"),
        PathElement::Key(keys) => {
            let keys: Map<String, Value> = keys
                .iter()
                .map(|(name, value)| (name.clone(), value.to_json()))
                .collect();
            format!("k:{}", Value::Object(keys))
        }
        PathElement::Value(value) => format!("v:{}", value.to_json()),
        PathElement::Index(index) => format!("i:{index}"),
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::ownership::path::FieldPath;

    #[test]
    fn reads_what_the_server_writes() {
        let fields = json!({
            "f:metadata": {"f:labels": {".": {}, "f:app.kubernetes.io/name": {}}, "f:finalizers": {"v:\"a/b\"": {}}},
            "f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {
                "k:{\"name\":\"app\"}": {".": {}, "f:image": {}, "f:name": {},
                    "f:ports": {"k:{\"containerPort\":53,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}}}}}}},
        });
        let set = FieldSet::from_fields_v1(&fields).unwrap();
        let paths: Vec<String> = set.paths().iter().map(ToString::to_string).collect();
        assert!(
            paths.contains(&".metadata.labels[\"app.kubernetes.io/name\"]".to_owned()),
            "{paths:?}"
        );
        assert!(paths.contains(&".metadata.finalizers[=\"a/b\"]".to_owned()));
        assert!(paths.contains(&".spec.template.spec.containers[name=\"app\"]".to_owned()));
        assert!(!paths.contains(&".spec".to_owned()));
        assert_eq!(set.to_fields_v1(), fields);
    }

    #[test]
    fn bad_fields_are_refused() {
        for fields in [
            json!([]),
            json!({"f:a": 1}),
            json!({"x:a": {}}),
            json!({"i:a": {}}),
            json!({"k:[]": {}}),
        ] {
            FieldSet::from_fields_v1(&fields).unwrap_err();
        }
        let mut deep = json!({});
        for _ in 0..200 {
            deep = json!({"f:a": deep});
        }
        assert_eq!(FieldSet::from_fields_v1(&deep), Err(FieldsError::TooDeep));
    }

    proptest! {
        #[test]
        fn round_trips(paths in prop::collection::vec(
            prop::collection::vec(crate::ownership::path::tests::any_element(), 1..5), 0..8)) {
            let set: FieldSet = paths.into_iter().map(FieldPath::new).collect();
            prop_assert_eq!(FieldSet::from_fields_v1(&set.to_fields_v1()).unwrap(), set);
        }
    }
}
