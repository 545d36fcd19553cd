//! `index` and `len`.

use super::Reflect;
use crate::template::FunctionError;
use crate::template::function::{Int, Variadic};
use crate::template::value::{Kind, Underlying, Value};

fn fail<T>(message: impl Into<String>) -> Result<T, FunctionError> {
    Err(FunctionError::message(message))
}

/// An index into something of this length. Go lets the length itself pass here and fails where it is used.
fn position(index: &Value, limit: usize) -> Result<usize, FunctionError> {
    let number = match index {
        Value::Nil => return fail("cannot index slice/array with nil"),
        index => match (index.as_int(), index.as_uint()) {
            (Some(number), _) => number,
            (None, Some(number)) => number.cast_signed(),
            (None, None) => return fail(format!("cannot index slice/array with type {}", index.type_name())),
        },
    };
    match usize::try_from(number) {
        Ok(position) if position <= limit => Ok(position),
        _ => fail(format!("index out of range: {number}")),
    }
}

pub(super) fn index(item: Reflect<'_>, indexes: Variadic<'_, Reflect<'_>>) -> Result<Value, FunctionError> {
    if let Value::Nil = item.0 {
        return fail("index of untyped nil");
    }
    let mut item = item.0.clone();
    for index in indexes.as_slice() {
        item = element(&item, index)?;
    }
    Ok(item)
}

fn element(item: &Value, index: &Value) -> Result<Value, FunctionError> {
    match item {
        Value::Nil => fail("index of nil pointer"),
        Value::List(list) => {
            let position = position(index, list.len())?;
            match list.as_slice().get(position) {
                Some(element) => Ok(element.clone()),
                None => fail("reflect: slice index out of range"),
            }
        }
        Value::Bytes(bytes) => byte(bytes.as_bytes(), index, "reflect: slice index out of range"),
        Value::String(text) => byte(text, index, "reflect: string index out of range"),
        Value::Map(map) => {
            let key = key(index)?;
            Ok(map.get(key).unwrap_or_else(|| map.map_type().zero()))
        }
        Value::Object(object) if object.is_nil() => fail("index of nil pointer"),
        Value::Object(object) => match object.underlying() {
            Underlying::Map(_) => Ok(object.entry(key(index)?).unwrap_or_else(|| object.zero_entry())),
            Underlying::Struct(_) | Underlying::Scalar(_) => fail(format!(
                "can't index item of type {}",
                item.type_name().trim_start_matches('*')
            )),
        },
        other => fail(format!("can't index item of type {}", other.type_name())),
    }
}

fn byte(bytes: &[u8], index: &Value, out_of_range: &str) -> Result<Value, FunctionError> {
    match bytes.get(position(index, bytes.len())?) {
        Some(byte) => Ok(Value::Uint8(*byte)),
        None => fail(out_of_range),
    }
}

fn key(index: &Value) -> Result<&[u8], FunctionError> {
    match index {
        Value::String(text) => Ok(text),
        Value::Nil => fail("value is nil; should be of type string"),
        other => fail(format!("value has type {}; should be string", other.type_name())),
    }
}

pub(super) fn length(item: Reflect<'_>) -> Result<Int, FunctionError> {
    let length = match item.0 {
        Value::Nil => return fail("reflect: call of reflect.Value.Type on zero Value"),
        Value::String(text) => text.len(),
        Value::Bytes(bytes) => bytes.as_bytes().len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        Value::Object(object) if object.kind() == Kind::Pointer && object.is_nil() => {
            return fail("len of nil pointer");
        }
        Value::Object(object) => match object.underlying() {
            Underlying::Map(entries) => entries.len(),
            Underlying::Struct(_) | Underlying::Scalar(_) => {
                return fail(format!("len of type {}", object.type_name().trim_start_matches('*')));
            }
        },
        other => return fail(format!("len of type {}", other.type_name())),
    };
    Ok(Int(i64::try_from(length).unwrap_or(i64::MAX)))
}
