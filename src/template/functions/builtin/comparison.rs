//! `eq ne lt le gt ge`: only values of the same basic kind compare.

use super::Reflect;
use crate::go::fmt;
use crate::template::function::Variadic;
use crate::template::value::{Kind, Object, Value};
use crate::template::{Context, FunctionError};
use std::cmp::Ordering;
use std::rc::Rc;

/// A value by its basic kind.
enum Basic<'a> {
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Complex(f64, f64),
    String(&'a [u8]),
    Other,
}

fn basic(value: &Value) -> Basic<'_> {
    match value {
        Value::Bool(value) => Basic::Bool(*value),
        Value::Int(value) | Value::Int64(value) => Basic::Int(*value),
        Value::Int32(value) => Basic::Int(i64::from(*value)),
        Value::Uint8(value) => Basic::Uint(u64::from(*value)),
        Value::Uint64(value) => Basic::Uint(*value),
        Value::Float64(value) => Basic::Float(*value),
        Value::Complex(real, imaginary) => Basic::Complex(*real, *imaginary),
        Value::String(text) => Basic::String(text),
        Value::Object(object) => object.as_int().map_or(Basic::Other, Basic::Int),
        Value::Nil | Value::Bytes(_) | Value::List(_) | Value::Map(_) => Basic::Other,
    }
}

fn incompatible(left: &Value, right: &Value) -> FunctionError {
    let (left, right) = (left.type_name(), right.type_name());
    FunctionError::message(format!("incompatible types for comparison: {left} and {right}"))
}

const NOT_COMPARABLE: &str = "invalid type for comparison";

pub(super) fn eq(
    context: &mut Context<'_>,
    left: Reflect<'_>,
    others: Variadic<'_, Reflect<'_>>,
) -> Result<bool, FunctionError> {
    if others.as_slice().is_empty() {
        return Err(FunctionError::message("missing argument for comparison"));
    }
    for right in others.as_slice() {
        if equal(context, left.0, right)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn equal(context: &mut Context<'_>, left: &Value, right: &Value) -> Result<bool, FunctionError> {
    Ok(match (basic(left), basic(right)) {
        (Basic::Bool(left), Basic::Bool(right)) => left == right,
        (Basic::Int(left), Basic::Int(right)) => left == right,
        (Basic::Uint(left), Basic::Uint(right)) => left == right,
        (Basic::Int(int), Basic::Uint(uint)) | (Basic::Uint(uint), Basic::Int(int)) => u64::try_from(int) == Ok(uint),
        #[expect(clippy::float_cmp, reason = "Go compares so")]
        (Basic::Float(left), Basic::Float(right)) => left == right,
        #[expect(clippy::float_cmp, reason = "Go compares so")]
        (Basic::Complex(left, left_i), Basic::Complex(right, right_i)) => left == right && left_i == right_i,
        (Basic::String(left), Basic::String(right)) => left == right,
        (Basic::Other, Basic::Other) => equal_others(context, left, right)?,
        _ if matches!(left, Value::Nil) || matches!(right, Value::Nil) => false,
        _ => return Err(incompatible(left, right)),
    })
}

fn equal_others(context: &mut Context<'_>, left: &Value, right: &Value) -> Result<bool, FunctionError> {
    let (left_kind, right_kind) = (left.kind(), right.kind());
    if left_kind != right_kind && left_kind != Kind::Invalid && right_kind != Kind::Invalid {
        // Go has these two the wrong way round, as here.
        let left_text = shown(context, b"%s", left)?;
        let right_text = shown(context, b"%v", right)?;
        let (left, right) = (left.type_name(), right.type_name());
        return Err(FunctionError::message(format!(
            "non-comparable types {left_text}: {left}, {right}: {right_text}"
        )));
    }
    if left.is_nil() || right.is_nil() {
        return Ok(left.is_nil() == right.is_nil());
    }
    match (left, right) {
        (Value::Object(left), Value::Object(right)) if right_kind != Kind::Map => Ok(same_object(left, right)),
        _ => {
            let text = shown(context, b"%s", right)?;
            Err(FunctionError::message(format!(
                "non-comparable type {text}: {}",
                right.type_name()
            )))
        }
    }
}

/// A value for an error. A map that holds itself has no end.
fn shown(context: &mut Context<'_>, format: &[u8], value: &Value) -> Result<String, FunctionError> {
    context.measure(value)?;
    let text = fmt::sprintf(format, std::slice::from_ref(value));
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Pointers are equal when they are the same, structs when their types and contents are.
fn same_object(left: &Rc<dyn Object>, right: &Rc<dyn Object>) -> bool {
    if Rc::ptr_eq(left, right) {
        return true;
    }
    let shown = |object: &Rc<dyn Object>| fmt::sprintf(b"%#v", &[Value::Object(Rc::clone(object))]);
    left.kind() == Kind::Struct && left.type_name() == right.type_name() && shown(left) == shown(right)
}

pub(super) fn ne(context: &mut Context<'_>, left: Reflect<'_>, right: Reflect<'_>) -> Result<bool, FunctionError> {
    Ok(!equal(context, left.0, right.0)?)
}

/// How two values are ordered; `None` for NaN.
fn order(left: &Value, right: &Value) -> Result<Option<Ordering>, FunctionError> {
    let (left_basic, right_basic) = (basic(left), basic(right));
    if matches!(left_basic, Basic::Other) || matches!(right_basic, Basic::Other) {
        return Err(FunctionError::message(NOT_COMPARABLE));
    }
    Ok(match (left_basic, right_basic) {
        (Basic::Int(left), Basic::Int(right)) => Some(left.cmp(&right)),
        (Basic::Uint(left), Basic::Uint(right)) => Some(left.cmp(&right)),
        (Basic::Int(left), Basic::Uint(right)) => Some(i128::from(left).cmp(&i128::from(right))),
        (Basic::Uint(left), Basic::Int(right)) => Some(i128::from(left).cmp(&i128::from(right))),
        (Basic::Float(left), Basic::Float(right)) => left.partial_cmp(&right),
        (Basic::String(left), Basic::String(right)) => Some(left.cmp(right)),
        (Basic::Bool(_), Basic::Bool(_)) | (Basic::Complex(..), Basic::Complex(..)) => {
            return Err(FunctionError::message(NOT_COMPARABLE));
        }
        _ => return Err(incompatible(left, right)),
    })
}

pub(super) fn lt(left: Reflect<'_>, right: Reflect<'_>) -> Result<bool, FunctionError> {
    Ok(order(left.0, right.0)? == Some(Ordering::Less))
}

pub(super) fn le(left: Reflect<'_>, right: Reflect<'_>) -> Result<bool, FunctionError> {
    Ok(matches!(
        order(left.0, right.0)?,
        Some(Ordering::Less | Ordering::Equal)
    ))
}

/// Go's is the opposite of `le`, even where neither holds (NaN).
pub(super) fn gt(left: Reflect<'_>, right: Reflect<'_>) -> Result<bool, FunctionError> {
    Ok(!le(left, right)?)
}

/// Go's is the opposite of `lt`, even where neither holds (NaN).
pub(super) fn ge(left: Reflect<'_>, right: Reflect<'_>) -> Result<bool, FunctionError> {
    Ok(!lt(left, right)?)
}
