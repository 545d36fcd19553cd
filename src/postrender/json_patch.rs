//! JSON patches (RFC 6902), applied operation by operation.
//!
//! The operations are the crate's; here are what kustomize has besides the RFC (see [`resolve`] and [`JsonPatch::apply`]), what an
//! operation says when it fails, and how much it may do.

use json_patch::jsonptr::{Pointer, PointerBuf};
use json_patch::{
    AddOperation, CopyOperation, MoveOperation, PatchErrorKind, PatchOperation, RemoveOperation, ReplaceOperation,
    TestOperation,
};
use serde_json::{Map, Value};

use super::error::{ChangeError, SpecError};
use super::limits::{MAXIMUM_COPIED, MAXIMUM_DEPTH, MAXIMUM_OPERATIONS};

/// A JSON patch.
#[derive(Debug)]
pub(super) struct JsonPatch {
    operations: Vec<PatchOperation>,
}

impl JsonPatch {
    /// Reads a list of operations.
    pub(super) fn read(operations: Value) -> Result<Self, SpecError> {
        let Value::Array(operations) = operations else {
            return Ok(Self { operations: Vec::new() });
        };
        if operations.len() > MAXIMUM_OPERATIONS {
            return Err(SpecError::TooManyOperations {
                maximum: MAXIMUM_OPERATIONS,
            });
        }
        let read = |(index, operation)| {
            let message = what_is_wrong(&operation);
            // The parser's own message could quote a value.
            serde_json::from_value(operation).map_err(|_| SpecError::Operation { index, message })
        };
        let operations = operations.into_iter().enumerate().map(read);
        Ok(Self {
            operations: operations.collect::<Result<_, _>>()?,
        })
    }

    /// Applies the operations in their order. Annotations can be added one by one also where there are none, as with kustomize, which
    /// has some of its own in each object.
    pub(super) fn apply(&self, mut object: Value) -> Result<Value, ChangeError> {
        let mut copied = 0;
        if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
            metadata
                .entry("annotations")
                .or_insert_with(|| Value::Object(Map::new()));
        }
        for (index, operation) in self.operations.iter().enumerate() {
            let failed = |problem| ChangeError::Operation {
                index,
                operation: name(operation),
                path: operation.path().to_string(),
                problem,
            };
            let resolved = resolve(operation, &object);
            check_size(&resolved, &object, &mut copied).map_err(failed)?;
            json_patch::patch(&mut object, std::slice::from_ref(&resolved))
                .map_err(|error| failed(words(&error.kind)))?;
        }
        if let Some(Value::Object(metadata)) = object.get_mut("metadata")
            && metadata
                .get("annotations")
                .and_then(Value::as_object)
                .is_some_and(Map::is_empty)
        {
            metadata.remove("annotations");
        }
        Ok(object)
    }
}

/// What is missing in an operation that cannot be read.
fn what_is_wrong(operation: &Value) -> &'static str {
    let is_pointer = |field: &str| {
        let text = operation.get(field).and_then(Value::as_str);
        text.is_some_and(|text| PointerBuf::parse(text).is_ok())
    };
    match operation.get("op").and_then(Value::as_str) {
        None => "it has no op",
        Some("add" | "remove" | "replace" | "move" | "copy" | "test") if !is_pointer("path") => {
            "its path must be a JSON pointer, such as /spec/replicas"
        }
        Some("move" | "copy") if !is_pointer("from") => "its from must be a JSON pointer, such as /spec/replicas",
        Some("add" | "replace" | "test") => "it has no value",
        Some(_) => "op must be add, remove, replace, move, copy or test",
    }
}

const fn name(operation: &PatchOperation) -> &'static str {
    match operation {
        PatchOperation::Add(_) => "add",
        PatchOperation::Remove(_) => "remove",
        PatchOperation::Replace(_) => "replace",
        PatchOperation::Move(_) => "move",
        PatchOperation::Copy(_) => "copy",
        PatchOperation::Test(_) => "test",
    }
}

fn words(kind: &PatchErrorKind) -> &'static str {
    match kind {
        PatchErrorKind::TestFailed => "the object has another value there",
        PatchErrorKind::InvalidFromPointer => "there is nothing at from",
        PatchErrorKind::InvalidPointer => "there is no such place in the object",
        PatchErrorKind::CannotMoveInsideItself => "a value cannot be moved into itself",
        _ => "it cannot be applied",
    }
}

/// The operation as the RFC has it: an index below zero counts from the end of a list, and `replace` adds a field that is not there.
fn resolve(operation: &PatchOperation, object: &Value) -> PatchOperation {
    let resolve = |path: &Pointer| resolve_pointer(path, object);
    match operation {
        PatchOperation::Add(AddOperation { path, value }) => PatchOperation::Add(AddOperation {
            path: resolve(path),
            value: value.clone(),
        }),
        PatchOperation::Remove(RemoveOperation { path }) => {
            PatchOperation::Remove(RemoveOperation { path: resolve(path) })
        }
        PatchOperation::Replace(ReplaceOperation { path, value }) => {
            let (path, value) = (resolve(path), value.clone());
            let parent = path.parent().and_then(|parent| parent.resolve(object).ok());
            match parent {
                Some(Value::Object(_)) => PatchOperation::Add(AddOperation { path, value }),
                _ => PatchOperation::Replace(ReplaceOperation { path, value }),
            }
        }
        PatchOperation::Move(MoveOperation { from, path }) => PatchOperation::Move(MoveOperation {
            from: resolve(from),
            path: resolve(path),
        }),
        PatchOperation::Copy(CopyOperation { from, path }) => PatchOperation::Copy(CopyOperation {
            from: resolve(from),
            path: resolve(path),
        }),
        PatchOperation::Test(TestOperation { path, value }) => PatchOperation::Test(TestOperation {
            path: resolve(path),
            value: value.clone(),
        }),
    }
}

fn resolve_pointer(path: &Pointer, object: &Value) -> PointerBuf {
    let mut resolved = PointerBuf::new();
    let mut place = Some(object);
    for token in path.tokens() {
        let name = token.decoded();
        let from_end = || {
            let items = place?.as_array()?;
            let back: usize = name.strip_prefix('-')?.parse().ok()?;
            items.len().checked_sub(back).filter(|_| back > 0)
        };
        let name = from_end().map_or_else(|| name.to_string(), |index| index.to_string());
        place = place.and_then(|place| match place {
            Value::Object(fields) => fields.get(&name),
            Value::Array(items) => items.get(name.parse::<usize>().ok()?),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        });
        resolved.push_back(name);
    }
    resolved
}

/// Whether what an operation puts into the object is within the bounds.
fn check_size(operation: &PatchOperation, object: &Value, copied: &mut usize) -> Result<(), &'static str> {
    let (path, value) = match operation {
        PatchOperation::Add(AddOperation { path, value })
        | PatchOperation::Replace(ReplaceOperation { path, value }) => (path, Some(value)),
        PatchOperation::Move(MoveOperation { from, path }) => (path, from.resolve(object).ok()),
        PatchOperation::Copy(CopyOperation { from, path }) => {
            let value = from.resolve(object).ok();
            *copied += value.map_or(0, size);
            if *copied > MAXIMUM_COPIED {
                return Err("it copies too much");
            }
            (path, value)
        }
        PatchOperation::Remove(_) | PatchOperation::Test(_) => return Ok(()),
    };
    if path.count() + value.map_or(0, depth) > MAXIMUM_DEPTH {
        return Err("the value would be nested too deep");
    }
    Ok(())
}

/// About how many bytes a value takes as text.
fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => text.len() + 8,
        Value::Array(items) => items.iter().map(size).sum::<usize>() + 8,
        Value::Object(fields) => {
            fields
                .iter()
                .map(|(name, value)| name.len() + 8 + size(value))
                .sum::<usize>()
                + 8
        }
    }
}

/// How deep a value is: 0 for one without further values.
fn depth(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
        Value::Array(items) => items.iter().map(depth).max().map_or(0, |deepest| deepest + 1),
        Value::Object(fields) => fields.values().map(depth).max().map_or(0, |deepest| deepest + 1),
    }
}
