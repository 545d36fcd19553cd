//! What a plain scalar is: go-yaml's table of words and its rules for numbers (YAML 1.1 with Go's number syntax).

use super::emit::Dialect;
use super::timestamp::is_timestamp;
use crate::go::strconv;

/// A plain scalar's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    /// Only what does not fit an `i64`.
    Uint(u64),
    Float(f64),
    /// Looks like a time; its value is the text.
    Timestamp,
    Str,
}

/// Resolves a plain scalar without a tag.
pub(super) fn resolve(text: &str, dialect: Dialect) -> Scalar {
    if is_timestamp(text) {
        Scalar::Timestamp
    } else {
        resolve_in(text, dialect)
    }
}

/// Resolves a scalar whose tag says that it is something else than a time.
pub(super) fn resolve_without_timestamps(text: &str) -> Scalar {
    resolve_in(text, Dialect::V2)
}

fn resolve_in(text: &str, dialect: Dialect) -> Scalar {
    let Some(first) = text.bytes().next() else {
        return Scalar::Null;
    };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => word(text, dialect),
        b'.' => match special_float(text) {
            Some(float) => Scalar::Float(float),
            // Where the point comes first, go-yaml takes all that Go takes for a number, with its underscores.
            None => strconv::parse_float(text.as_bytes()).map_or(Scalar::Str, Scalar::Float),
        },
        b'+' | b'-' | b'0'..=b'9' => number(text, dialect),
        _ => Scalar::Str,
    }
}

/// Whether the text has the form of a base-60 number (`12:30`), which go-yaml quotes though it no longer reads it as one.
pub(super) fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !unsigned.starts_with(|first: char| first.is_ascii_digit()) {
        return false;
    }
    let mut parts = unsigned.split(':');
    let head = parts.next().unwrap_or_default();
    if !head.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') {
        return false;
    }
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return false;
    }
    while let Some(part) = parts.next() {
        let whole = match part.split_once('.') {
            Some((whole, fraction)) if parts.peek().is_none() => {
                if !fraction.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') {
                    return false;
                }
                whole
            }
            _ => part,
        };
        if !matches!(whole.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']) {
            return false;
        }
    }
    true
}

/// Whether the text is a boolean of YAML 1.1 that version 3 reads as a string but still writes in quotes.
pub(super) fn is_old_bool(text: &str) -> bool {
    matches!(
        text,
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF"
    )
}

fn word(text: &str, dialect: Dialect) -> Scalar {
    match text {
        "true" | "True" | "TRUE" => Scalar::Bool(true),
        "false" | "False" | "FALSE" => Scalar::Bool(false),
        "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" if dialect == Dialect::V2 => Scalar::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" if dialect == Dialect::V2 => Scalar::Bool(false),
        _ => Scalar::Str,
    }
}

fn special_float(text: &str) -> Option<f64> {
    match text {
        ".nan" | ".NaN" | ".NAN" => Some(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Some(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

fn number(text: &str, dialect: Dialect) -> Scalar {
    if let Some(float) = special_float(text) {
        return Scalar::Float(float);
    }
    let without_underscores;
    let plain = if text.contains('_') {
        without_underscores = text.replace('_', "");
        without_underscores.as_str()
    } else {
        text
    };
    if let Some(integer) = integer(plain) {
        return integer;
    }
    if has_float_form(plain)
        && let Some(float) = finite(plain)
    {
        return Scalar::Float(float);
    }
    sign_behind_prefix(plain, "0b", 2)
        .or_else(|| {
            if dialect == Dialect::V3 {
                sign_behind_prefix(plain, "0o", 8)
            } else {
                None
            }
        })
        .unwrap_or(Scalar::Str)
}

/// Go's `ParseInt(text, 0, 64)`, then `ParseUint`: `0x`, `0o`, `0b`, and a leading zero means octal.
fn integer(text: &str) -> Option<Scalar> {
    let (negative, signed, digits) = match text.as_bytes().first()? {
        b'-' => (true, true, &text[1..]),
        b'+' => (false, true, &text[1..]),
        _ => (false, false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', _, ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', _, ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    parse_magnitude(digits, radix, negative, signed)
}

/// The sign comes before the prefix in Go's syntax; go-yaml strips the prefix and so accepts one behind it too (`0b-1`).
fn sign_behind_prefix(text: &str, prefix: &str, radix: u32) -> Option<Scalar> {
    if let Some(digits) = text.strip_prefix(prefix) {
        let (negative, signed, digits) = match digits.as_bytes().first()? {
            b'-' => (true, true, &digits[1..]),
            b'+' => (false, true, &digits[1..]),
            _ => (false, false, digits),
        };
        return parse_magnitude(digits, radix, negative, signed);
    }
    let digits = text.strip_prefix('-')?.strip_prefix(prefix)?;
    parse_magnitude(digits, radix, true, true)
}

fn parse_magnitude(digits: &str, radix: u32, negative: bool, signed: bool) -> Option<Scalar> {
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if negative {
        return 0_i64.checked_sub_unsigned(magnitude).map(Scalar::Int);
    }
    match i64::try_from(magnitude) {
        Ok(int) => Some(Scalar::Int(int)),
        // `ParseUint` takes no sign.
        Err(_) => (!signed).then_some(Scalar::Uint(magnitude)),
    }
}

/// go-yaml's pattern of floats: `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
fn has_float_form(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && all_digits(fraction),
        Some((whole, fraction)) => all_digits(whole) && all_digits(fraction),
        None => !mantissa.is_empty() && all_digits(mantissa),
    };
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    mantissa_fits && exponent_fits
}

/// The float, unless it is out of range: then Go reports an error and the text stays a string.
fn finite(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|float| float.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_of_version_2() {
        let rows = [
            ("", Scalar::Null),
            ("~", Scalar::Null),
            ("y", Scalar::Bool(true)),
            ("On", Scalar::Bool(true)),
            ("OFF", Scalar::Bool(false)),
            ("nO", Scalar::Str),
            ("n", Scalar::Bool(false)),
            ("0777", Scalar::Int(511)),
            ("0o17", Scalar::Int(15)),
            ("0x1F", Scalar::Int(31)),
            ("-0x8000000000000000", Scalar::Int(i64::MIN)),
            ("1_000", Scalar::Int(1000)),
            ("08", Scalar::Float(8.0)),
            ("18446744073709551615", Scalar::Uint(u64::MAX)),
            ("+18446744073709551615", Scalar::Float(18_446_744_073_709_552_000.0)),
            ("18446744073709551616", Scalar::Float(18_446_744_073_709_552_000.0)),
            ("1e400", Scalar::Str),
            ("1.", Scalar::Float(1.0)),
            (".5", Scalar::Float(0.5)),
            (".5_0", Scalar::Float(0.5)),
            (".5_", Scalar::Str),
            ("12:30", Scalar::Str),
            ("0b-1", Scalar::Int(-1)),
            ("2020-01-01", Scalar::Timestamp),
            ("<<", Scalar::Str),
            ("-", Scalar::Str),
            ("0x", Scalar::Str),
        ];
        for (text, scalar) in rows {
            assert_eq!(resolve(text, Dialect::V2), scalar, "{text}");
        }
    }

    #[test]
    fn version_3_has_fewer_booleans() {
        assert_eq!(resolve("yes", Dialect::V3), Scalar::Str);
        assert_eq!(resolve("True", Dialect::V3), Scalar::Bool(true));
    }

    #[test]
    fn base_60_is_recognised() {
        for text in ["12:30", "190:20:30", "-1:00.5_", "1_0:59"] {
            assert!(is_base_60(text), "{text}");
        }
        for text in ["12:60", "12:", ":30", "a:30", "12", "1.5:30", "1:2.3:4"] {
            assert!(!is_base_60(text), "{text}");
        }
    }
}
