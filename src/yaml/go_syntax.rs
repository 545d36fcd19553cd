//! A value as Go's `%#v` prints what go-yaml made of it, for error messages.

use serde_json::Value;

use crate::go::strconv;

use super::number::format_float;

/// As an operand of its own.
pub(super) fn operand(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        other => element(other),
    }
}

/// As an element of a collection, where nil has a type.
fn element(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".to_owned(),
        Value::Bool(boolean) => boolean.to_string(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => int.to_string(),
            (None, Some(uint)) => format!("{uint:#x}"),
            (None, None) => number.as_f64().map(format_float).unwrap_or_default(),
        },
        Value::String(text) => quote(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(element).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Value::Object(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{}:{}", quote(key), element(value)))
                .collect();
            format!("map[interface {{}}]interface {{}}{{{}}}", entries.join(", "))
        }
    }
}

/// `strconv.Quote`.
pub(super) fn quote(text: &str) -> String {
    String::from_utf8_lossy(&strconv::quote(text.as_bytes())).into_owned()
}
