//! The functions of Sprig 3.3.0 that Helm leaves in: one module a family.
//!
//! Where the Go function panics, text/template turns that into the call's error, and so the text is an error here.

mod certificates;
mod ciphers;
mod conversions;
mod dates;
mod defaults;
mod dictionaries;
mod encodings;
mod equality;
mod hashes;
mod keys;
mod lists;
mod merge;
mod numbers;
mod passwords;
mod paths;
mod primes;
mod random;
mod regexes;
mod strings;
mod types;
mod urls;
mod versions;

use crate::go::fmt;
use crate::template::error::FunctionError;
use crate::template::function::Function;
use crate::template::value::{Text, Value};

pub use dates::TimeObject;
pub(crate) use dates::{DURATION, DurationObject, duration_value, local_zone};

/// The functions, in families.
pub const FAMILIES: &[&[Function]] = &[
    certificates::FUNCTIONS,
    ciphers::FUNCTIONS,
    conversions::FUNCTIONS,
    dates::FUNCTIONS,
    defaults::FUNCTIONS,
    dictionaries::FUNCTIONS,
    encodings::FUNCTIONS,
    hashes::FUNCTIONS,
    keys::FUNCTIONS,
    lists::FUNCTIONS,
    merge::FUNCTIONS,
    numbers::FUNCTIONS,
    passwords::FUNCTIONS,
    paths::FUNCTIONS,
    random::FUNCTIONS,
    regexes::FUNCTIONS,
    strings::FUNCTIONS,
    types::FUNCTIONS,
    urls::FUNCTIONS,
    versions::FUNCTIONS,
];

/// Sprig's `strval`: strings and bytes as they are, anything else as `%v` prints it.
fn strval(value: &Value) -> Text {
    match value {
        Value::String(text) => text.clone(),
        Value::Bytes(bytes) => bytes.to_text(),
        other => print(other).into(),
    }
}

/// What `%v` prints.
fn print(value: &Value) -> Vec<u8> {
    let mut output = Vec::new();
    fmt::write_value(&mut output, value);
    output
}

/// An error with the text of another.
fn message(error: impl std::fmt::Display) -> FunctionError {
    FunctionError::message(error.to_string())
}

/// What Go's `reflect.TypeOf(nil).Kind()` ends in.
fn nil_dereference() -> FunctionError {
    FunctionError::message("runtime error: invalid memory address or nil pointer dereference")
}

/// A failed type assertion on an `interface {}`.
fn failed_assertion(value: &Value, wanted: &str) -> FunctionError {
    let found = if matches!(value, Value::Nil) {
        "nil"
    } else {
        value.type_name()
    };
    FunctionError::message(format!("interface conversion: interface {{}} is {found}, not {wanted}"))
}

/// The length of a text in Go's `int`.
fn length(text: &[u8]) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}
