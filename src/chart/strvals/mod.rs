//! The little language of `--set`, `--set-string`, `--set-file`, `--set-json` and `--set-literal`, and of Flux's
//! `targetPath`: `a.b[0].c=value,d={x,y}`.
//!
//! Knows values only. What it makes of each text, its errors included, is Helm's `strvals`; where that package leaves
//! things undone without a word (`a[0`, `a.`) so does this one, because scripts depend on it.

mod error;
mod parser;
mod scan;
#[cfg(test)]
mod tests;

use serde_json::Value;

use self::parser::Parser;
use self::scan::Escapes;
use super::JsonMap;
use super::values::merge_maps;

pub use error::StrvalsError;

/// The highest index of a list that a path may name.
pub const MAX_INDEX: i64 = 65_536;
/// How many `.` one path may have in a row.
pub const MAX_NESTED_NAMES: usize = 30;
/// How many lists and maps one path may go through, which Helm does not bound.
pub const MAX_PATH: usize = 300;
/// How many list items one text may add in all, which Helm does not bound: `a[65536][65536]` adds 131 074.
pub const MAX_ITEMS: usize = 1 << 20;

/// How the text behind a `=` becomes a value.
enum Kind<'r> {
    /// Numbers, booleans and null are recognised.
    Typed,
    /// Everything is a string.
    Text,
    /// The text names something that the caller reads.
    File(&'r mut dyn FnMut(&str) -> Result<String, String>),
    /// JSON.
    Json,
}

/// `--set`: decimal integers without leading zeros, `true`, `false` and `null` have their type, all else is a string.
pub fn set(text: &str, values: &mut JsonMap) -> Result<(), StrvalsError> {
    Parser::new(text, Kind::Typed, Escapes::Backslash).run(values)
}

/// `--set-string`: every value is a string.
pub fn set_string(text: &str, values: &mut JsonMap) -> Result<(), StrvalsError> {
    Parser::new(text, Kind::Text, Escapes::Backslash).run(values)
}

/// `--set-file`: every value is the content of a file. `read` does the IO, and its error is passed on.
pub fn set_file(
    text: &str,
    values: &mut JsonMap,
    read: &mut dyn FnMut(&str) -> Result<String, String>,
) -> Result<(), StrvalsError> {
    Parser::new(text, Kind::File(read), Escapes::Backslash).run(values)
}

/// `--set-json`: either one object, which is merged over the values, or paths with JSON behind their `=`.
pub fn set_json(text: &str, values: &mut JsonMap) -> Result<(), StrvalsError> {
    if !text.trim().starts_with('{') {
        return Parser::new(text, Kind::Json, Escapes::Backslash).run(values);
    }
    let object: JsonMap = serde_json::from_str(text.trim()).map_err(|error| StrvalsError::Json(error.to_string()))?;
    let Value::Object(object) = with_floats(Value::Object(object)) else {
        return Ok(());
    };
    *values = merge_maps(std::mem::take(values), object);
    Ok(())
}

/// `--set-literal`: one path, and everything behind its `=` is the value, as it is.
pub fn set_literal(text: &str, values: &mut JsonMap) -> Result<(), StrvalsError> {
    Parser::new(text, Kind::Text, Escapes::None).run(values)
}

/// Every number of Go's JSON is a float.
fn with_floats(value: Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
        Value::Array(items) => items.into_iter().map(with_floats).collect(),
        Value::Object(entries) => entries
            .into_iter()
            .map(|(key, value)| (key, with_floats(value)))
            .collect(),
        other @ (Value::Null | Value::Bool(_) | Value::String(_)) => other,
    }
}
