//! Strategic merge: a patch that looks like a part of the object.
//!
//! Fields are merged and null removes a field, as in a JSON merge patch; lists of built-in kinds whose items have keys are merged item by
//! item, with the patch's items first; every other list is replaced. `$patch` and its kin say what a value cannot.

mod directive;
mod list;

use serde_json::{Map, Value};

use super::builtin::{Field, Schema};
use super::error::ChangeError;
use directive::{Directive, Directives};

/// Applies a strategic merge patch to an object; nothing comes of it when the patch deletes the object.
pub(super) fn merge(object: Value, patch: &Value) -> Result<Option<Value>, ChangeError> {
    value(Some(object), patch, &Field::Plain(Schema::Unknown), &Path::Root)
}

/// Where a value is, for messages: made into a text only when there is one.
#[derive(Clone, Copy)]
enum Path<'a> {
    Root,
    Field(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, &'a str),
}

impl std::fmt::Display for Path<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(parent, name) => write!(formatter, "{parent}.{name}"),
            Self::Item(parent, key) => write!(formatter, "{parent}[{key}]"),
        }
    }
}

/// Applies a patch to a value that may not be there.
fn value(live: Option<Value>, patch: &Value, field: &Field, path: &Path<'_>) -> Result<Option<Value>, ChangeError> {
    let live = live.filter(|live| !live.is_null());
    match (live, patch) {
        (_, Value::Null) => Ok(None),
        (None, Value::Object(patch)) => object(Map::new(), patch, field, path),
        (Some(Value::Object(live)), Value::Object(patch)) => object(live, patch, field, path),
        (None, Value::Array(patch)) => array(None, patch, field, path),
        (Some(Value::Array(live)), Value::Array(patch)) => array(Some(live), patch, field, path),
        (
            None | Some(Value::Bool(_) | Value::Number(_) | Value::String(_)),
            Value::Bool(_) | Value::Number(_) | Value::String(_),
        ) => Ok(Some(patch.clone())),
        (Some(live), _) => Err(ChangeError::OtherType {
            path: path.to_string(),
            expected: type_name(&live),
            found: type_name(patch),
        }),
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) | Value::Number(_) | Value::String(_) => "a plain value",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn object(
    mut live: Map<String, Value>,
    patch: &Map<String, Value>,
    field: &Field,
    path: &Path<'_>,
) -> Result<Option<Value>, ChangeError> {
    let schema = match field {
        Field::Plain(schema) => *schema,
        // A list in the schema and an object in the manifest: the API server will say so.
        Field::Merged(_) => Schema::Unknown,
    };
    let schema = schema.or_of(&live).or_of(patch);
    let Directives {
        patch: directive,
        retain_keys,
        delete_from,
        element_orders,
    } = Directives::of(patch, path)?;
    match directive {
        Directive::Delete => return Ok(None),
        Directive::Replace => live.clear(),
        Directive::Merge => {}
    }
    if let Some(kept) = retain_keys {
        live.retain(|name, _| kept.iter().any(|kept| kept == name));
    }
    for (name, values) in delete_from {
        if let Some(Value::Array(items)) = live.get_mut(name) {
            items.retain(|item| !values.contains(item));
        }
    }
    for (name, patch) in patch.iter().filter(|(name, _)| !directive::is_directive(name)) {
        let path = Path::Field(path, name);
        if let Some(merged) = value(live.remove(name), patch, schema.field(name), &path)? {
            live.insert(name.clone(), merged);
        }
    }
    for (name, order) in element_orders {
        if let (Some(Value::Array(items)), Field::Merged(merged)) = (live.get_mut(name), schema.field(name)) {
            list::order(items, order, &merged.keys);
        }
    }
    Ok(Some(Value::Object(live)))
}

fn array(
    live: Option<Vec<Value>>,
    patch: &[Value],
    field: &Field,
    path: &Path<'_>,
) -> Result<Option<Value>, ChangeError> {
    match field {
        Field::Plain(_) => Ok(Some(Value::Array(patch.to_vec()))),
        Field::Merged(merged) => Ok(list::merge(live.unwrap_or_default(), patch, merged, path)?.map(Value::Array)),
    }
}

#[cfg(test)]
mod tests;
