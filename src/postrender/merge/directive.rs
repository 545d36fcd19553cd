//! The keys of a patch that begin with `$` and say what to do.

use serde_json::{Map, Value};

use super::Path;
use crate::postrender::error::ChangeError;

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const ELEMENT_ORDER: &str = "$setElementOrder/";

/// What `$patch` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Directive {
    /// Delete the value.
    Delete,
    /// Merge the patch into it, as without a directive.
    Merge,
    /// Put the patch in its place.
    Replace,
}

/// The directives of one object of a patch.
pub(super) struct Directives<'a> {
    /// What to do with the object as a whole.
    pub(super) patch: Directive,
    /// The only fields to keep of the live object.
    pub(super) retain_keys: Option<&'a [Value]>,
    /// By field, values to remove from a list of plain values.
    pub(super) delete_from: Vec<(&'a str, &'a [Value])>,
    /// By field, the order in which items of a list are to be.
    pub(super) element_orders: Vec<(&'a str, &'a [Value])>,
}

/// Whether a key of a patch is a directive, and no field.
pub(super) fn is_directive(name: &str) -> bool {
    name == PATCH || name == RETAIN_KEYS || name.starts_with(DELETE_FROM) || name.starts_with(ELEMENT_ORDER)
}

impl<'a> Directives<'a> {
    /// Reads the directives of an object.
    pub(super) fn of(patch: &'a Map<String, Value>, path: &Path<'_>) -> Result<Self, ChangeError> {
        let mut directives = Self {
            patch: Directive::Merge,
            retain_keys: None,
            delete_from: Vec::new(),
            element_orders: Vec::new(),
        };
        for (name, value) in patch.iter().filter(|(name, _)| is_directive(name)) {
            if name == PATCH {
                directives.patch = read(value, path)?;
                continue;
            }
            let Value::Array(items) = value else {
                return Err(ChangeError::DirectiveForm {
                    path: path.to_string(),
                    directive: name.clone(),
                });
            };
            if let Some(field) = name.strip_prefix(DELETE_FROM) {
                directives.delete_from.push((field, items));
            } else if let Some(field) = name.strip_prefix(ELEMENT_ORDER) {
                directives.element_orders.push((field, items));
            } else {
                directives.retain_keys = Some(items);
            }
        }
        Ok(directives)
    }
}

/// Reads the value of `$patch`.
fn read(value: &Value, path: &Path<'_>) -> Result<Directive, ChangeError> {
    match value.as_str() {
        Some("delete") => Ok(Directive::Delete),
        Some("merge") => Ok(Directive::Merge),
        Some("replace") => Ok(Directive::Replace),
        Some(_) | None => Err(ChangeError::Directive { path: path.to_string() }),
    }
}

/// What a list of a patch says of the list as a whole: an item that has a `$patch` and nothing else.
pub(super) fn of_list(items: &[Value], path: &Path<'_>) -> Result<Directive, ChangeError> {
    match items
        .iter()
        .find(|item| is_of_list(item))
        .and_then(|item| item.get(PATCH))
    {
        Some(value) => read(value, path),
        None => Ok(Directive::Merge),
    }
}

/// Whether an item of a list of a patch is about the list as a whole.
pub(super) fn is_of_list(item: &Value) -> bool {
    item.as_object()
        .is_some_and(|item| item.len() == 1 && item.contains_key(PATCH))
}
