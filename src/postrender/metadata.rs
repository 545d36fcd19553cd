//! `spec.commonMetadata`: labels and annotations of all objects.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::error::{ChangeError, PostRenderError};
use super::object::Object;
use crate::api::reference::CommonMetadata;

/// Sets the labels and annotations in each object, over what the chart and the patches have.
pub(super) fn set(objects: &mut [Object], common: &CommonMetadata) -> Result<(), PostRenderError> {
    let CommonMetadata { annotations, labels } = common;
    for object in objects {
        let changed = object.edit(|value| {
            let labels = insert(value, "labels", "metadata.labels", labels)?;
            Ok(insert(value, "annotations", "metadata.annotations", annotations)? || labels)
        });
        changed.map_err(|source| PostRenderError::Change {
            place: "spec.commonMetadata".to_owned(),
            object: object.label(),
            source,
        })?;
    }
    Ok(())
}

fn insert(
    object: &mut Value,
    name: &str,
    field: &'static str,
    entries: &BTreeMap<String, String>,
) -> Result<bool, ChangeError> {
    let Some(Value::Object(metadata)) = object.get_mut("metadata").filter(|_| !entries.is_empty()) else {
        return Ok(false);
    };
    let there = metadata.entry(name).or_insert(Value::Null);
    if there.is_null() {
        *there = Value::Object(Map::new());
    }
    let Value::Object(there) = there else {
        return Err(ChangeError::NotAnObject(field));
    };
    let mut changed = false;
    for (key, value) in entries {
        let before = there.insert(key.clone(), Value::String(value.clone()));
        changed |= before.is_none_or(|before| before.as_str() != Some(value));
    }
    Ok(changed)
}
