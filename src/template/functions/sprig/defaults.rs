//! Values that may be missing: `default`, `empty`, `coalesce`, `ternary` and their kin.

use crate::template::function::{Function, Variadic, function};
use crate::template::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    function!("default", default, (&Value; &Value) -> Value),
    function!("empty", is_empty, (&Value) -> bool),
    function!("coalesce", coalesce, (; &Value) -> Value),
    function!("all", all, (; &Value) -> bool),
    function!("any", any, (; &Value) -> bool),
    function!("ternary", ternary, (&Value, &Value, bool) -> Value),
];

/// Sprig's `empty`: what is not true, which is how text/template sees it too.
pub(super) fn is_empty(value: &Value) -> bool {
    !value.is_true()
}

fn default(fallback: &Value, given: Variadic<'_, &Value>) -> Value {
    given
        .as_slice()
        .first()
        .filter(|value| value.is_true())
        .unwrap_or(fallback)
        .clone()
}

fn coalesce(values: Variadic<'_, &Value>) -> Value {
    values
        .as_slice()
        .iter()
        .find(|value| value.is_true())
        .cloned()
        .unwrap_or_default()
}

fn all(values: Variadic<'_, &Value>) -> bool {
    values.as_slice().iter().all(Value::is_true)
}

fn any(values: Variadic<'_, &Value>) -> bool {
    values.as_slice().iter().any(Value::is_true)
}

fn ternary(when_true: &Value, when_false: &Value, condition: bool) -> Value {
    if condition {
        when_true.clone()
    } else {
        when_false.clone()
    }
}
