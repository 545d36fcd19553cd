//! Helm's functions for durations. A number, or a text that is one, means seconds.

use crate::go::cast;
use crate::go::strconv;
use crate::go::text;
use crate::go::time::Duration;
use crate::template::error::FunctionError;
use crate::template::function::{Function, function};
use crate::template::functions::sprig::{DURATION, DurationObject, duration_value};
use crate::template::value::{Kind, Value};

type Result<T> = std::result::Result<T, FunctionError>;

pub(super) const FUNCTIONS: &[Function] = &[
    function!("mustToDuration", must_to_duration, (&Value) -> Result<Value> as DURATION),
    function!("durationSeconds", |value: &Value| or_zero(value).seconds(), (&Value) -> f64),
    function!("durationMilliseconds", |value: &Value| or_zero(value).0 / 1_000_000, (&Value) -> i64),
    function!("durationMicroseconds", |value: &Value| or_zero(value).0 / 1_000, (&Value) -> i64),
    function!("durationNanoseconds", |value: &Value| or_zero(value).0, (&Value) -> i64),
    function!("durationMinutes", |value: &Value| or_zero(value).minutes(), (&Value) -> f64),
    function!("durationHours", |value: &Value| or_zero(value).hours(), (&Value) -> f64),
    function!("durationDays", |value: &Value| or_zero(value).hours() / 24.0, (&Value) -> f64),
    function!("durationWeeks", |value: &Value| or_zero(value).hours() / 24.0 / 7.0, (&Value) -> f64),
    function!("durationRoundTo", round_to, (&Value, &Value) -> Value as DURATION),
    function!("durationTruncateTo", truncate_to, (&Value, &Value) -> Value as DURATION),
];

const NANOSECONDS: i64 = 1_000_000_000;

fn as_duration(value: &Value) -> Result<Duration> {
    match value {
        Value::Nil => Err("invalid duration".into()),
        Value::String(text) => from_text(text),
        Value::Float64(seconds) => from_float(*seconds),
        Value::Uint8(seconds) => Ok(Duration(i64::from(*seconds) * NANOSECONDS)),
        Value::Uint64(seconds) => {
            let signed = i64::try_from(*seconds).ok();
            let nanoseconds = signed.and_then(|seconds| seconds.checked_mul(NANOSECONDS));
            nanoseconds.map(Duration).ok_or_else(|| overflow(seconds))
        }
        other => {
            if let Some(DurationObject(duration)) = other.downcast() {
                return Ok(*duration);
            }
            let integer = matches!(other.kind(), Kind::Int | Kind::Int32 | Kind::Int64)
                .then(|| other.as_int())
                .flatten();
            let unsupported = || FunctionError::message(format!("unsupported duration type {}", other.type_name()));
            let seconds = integer.ok_or_else(unsupported)?;
            seconds
                .checked_mul(NANOSECONDS)
                .map(Duration)
                .ok_or_else(|| overflow(seconds))
        }
    }
}

fn overflow(seconds: impl std::fmt::Display) -> FunctionError {
    FunctionError::message(format!("duration seconds overflow: {seconds}"))
}

fn from_text(text: &[u8]) -> Result<Duration> {
    let trimmed = text::trim_space(text);
    if trimmed.is_empty() {
        return Err("empty duration".into());
    }
    if let Ok(duration) = Duration::parse(&String::from_utf8_lossy(trimmed)) {
        return Ok(duration);
    }
    match strconv::parse_float(trimmed) {
        Ok(seconds) => from_float(seconds),
        Err(_) => {
            let quoted = strconv::quote(text);
            Err(format!("could not parse duration {}", String::from_utf8_lossy(&quoted)).into())
        }
    }
}

fn from_float(seconds: f64) -> Result<Duration> {
    const MOST: f64 = 9_223_372_036.854_775_807;
    let shown = || strconv::format_float(seconds, b'g', -1);
    if seconds.is_nan() || seconds.is_infinite() {
        return Err(format!("invalid duration seconds: {}", shown()).into());
    }
    if seconds.abs() > MOST {
        return Err(overflow(shown()));
    }
    Ok(Duration(cast::truncate(seconds * 1e9)))
}

fn or_zero(value: &Value) -> Duration {
    as_duration(value).unwrap_or_default()
}

fn must_to_duration(value: &Value) -> Result<Value> {
    as_duration(value).map(duration_value)
}

/// A value that is no duration gives 0, a multiple that is none changes nothing.
fn adjusted(value: &Value, multiple: &Value, adjust: fn(Duration, Duration) -> Duration) -> Value {
    let duration = or_zero(value);
    duration_value(as_duration(multiple).map_or(duration, |multiple| adjust(duration, multiple)))
}

fn round_to(value: &Value, multiple: &Value) -> Value {
    adjusted(value, multiple, Duration::round)
}

fn truncate_to(value: &Value, multiple: &Value) -> Value {
    adjusted(value, multiple, Duration::truncate)
}
