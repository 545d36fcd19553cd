//! spf13/cast 1.7: how Sprig's arithmetic reads any value as a number. What cannot be read is 0.

use super::strconv;
use crate::template::value::Value;

/// `cast.ToInt64` and, on the 64-bit machines that Helm runs on, `cast.ToInt`.
pub fn to_i64(value: &Value) -> i64 {
    match value {
        Value::Bool(flag) => i64::from(*flag),
        Value::Int(number) | Value::Int64(number) => *number,
        Value::Int32(number) => i64::from(*number),
        Value::Uint8(number) => i64::from(*number),
        Value::Uint64(number) => number.cast_signed(),
        Value::Float64(number) => truncate(*number),
        Value::String(text) => strconv::parse_int(trim_zero_decimal(text), 0, 64).unwrap_or(0),
        Value::Object(object) if is_calendar(object.type_name()) => object.as_int().unwrap_or(0),
        Value::Nil | Value::Complex(..) | Value::Bytes(_) | Value::List(_) | Value::Map(_) | Value::Object(_) => 0,
    }
}

/// `cast.ToFloat64`.
#[expect(clippy::cast_precision_loss, reason = "Go converts the same way")]
pub fn to_f64(value: &Value) -> f64 {
    match value {
        Value::Bool(flag) => f64::from(u8::from(*flag)),
        Value::Int(number) | Value::Int64(number) => *number as f64,
        Value::Int32(number) => f64::from(*number),
        Value::Uint8(number) => f64::from(*number),
        Value::Uint64(number) => *number as f64,
        Value::Float64(number) => *number,
        Value::String(text) => strconv::parse_float(text).unwrap_or(0.0),
        Value::Object(object) if is_calendar(object.type_name()) => object.as_int().unwrap_or(0) as f64,
        Value::Nil | Value::Complex(..) | Value::Bytes(_) | Value::List(_) | Value::Map(_) | Value::Object(_) => 0.0,
    }
}

/// The named integers that the library knows; a `time.Duration` is none of them.
fn is_calendar(type_name: &str) -> bool {
    matches!(type_name, "time.Month" | "time.Weekday")
}

/// Go's conversion on amd64: what does not fit becomes the least integer (on arm64 it saturates).
pub fn truncate(number: f64) -> i64 {
    // 2^63 is a float exactly, the largest i64 is not.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    #[expect(clippy::cast_possible_truncation, reason = "checked to fit")]
    if (-LIMIT..LIMIT).contains(&number) {
        number as i64
    } else {
        i64::MIN
    }
}

/// Drops a fraction of zeros: `1.00` is read as `1`, `1.5` not at all.
fn trim_zero_decimal(text: &[u8]) -> &[u8] {
    let zeros = text.iter().rev().take_while(|&&byte| byte == b'0').count();
    let before = &text[..text.len() - zeros];
    match before.split_last() {
        Some((b'.', whole)) if zeros > 0 => whole,
        _ => text,
    }
}
