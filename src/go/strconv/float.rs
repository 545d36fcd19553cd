//! Floating-point numbers.

use super::{NumberError, NumberFault, split_sign, underscores_are_good};

/// Go's `strconv.ParseFloat(text, 64)`. A number too large is an error of its own (Go also returns the infinity).
pub fn parse_float(text: &[u8]) -> Result<f64, NumberError> {
    parse(text).map_err(|reason| NumberError::new("ParseFloat", text, reason))
}

fn parse(text: &[u8]) -> Result<f64, NumberFault> {
    let (negative, body) = split_sign(text);
    let sign = if negative { -1.0 } else { 1.0 };
    if body.eq_ignore_ascii_case(b"inf") || body.eq_ignore_ascii_case(b"infinity") {
        return Ok(sign * f64::INFINITY);
    }
    if text.eq_ignore_ascii_case(b"nan") {
        return Ok(f64::NAN);
    }
    if body.contains(&b'_') && !underscores_are_good(text) {
        return Err(NumberFault::Syntax);
    }
    let digits: Vec<u8> = body.iter().copied().filter(|byte| *byte != b'_').collect();
    let value = match digits.as_slice() {
        [b'0', b'x' | b'X', digits @ ..] => hexadecimal(digits)?,
        digits => decimal(digits)?,
    };
    if value.is_infinite() {
        Err(NumberFault::Range)
    } else {
        Ok(sign * value)
    }
}

fn decimal(digits: &[u8]) -> Result<f64, NumberFault> {
    // Rust also takes "inf", "nan" and "infinity", which must not pass here.
    if !digits
        .iter()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'))
    {
        return Err(NumberFault::Syntax);
    }
    if !digits
        .first()
        .is_some_and(|first| first.is_ascii_digit() || *first == b'.')
    {
        return Err(NumberFault::Syntax);
    }
    let text = std::str::from_utf8(digits).map_err(|_| NumberFault::Syntax)?;
    text.parse().map_err(|_| NumberFault::Syntax)
}

/// The digits after `0x`; the exponent `p` is required.
fn hexadecimal(digits: &[u8]) -> Result<f64, NumberFault> {
    let split = digits
        .iter()
        .position(|byte| matches!(byte, b'p' | b'P'))
        .ok_or(NumberFault::Syntax)?;
    let (mantissa_text, exponent_text) = (&digits[..split], &digits[split + 1..]);
    let mut mantissa = 0_u64;
    let mut exponent = 0_i64;
    let (mut seen_digit, mut seen_point) = (false, false);
    for &byte in mantissa_text {
        if byte == b'.' {
            if seen_point {
                return Err(NumberFault::Syntax);
            }
            seen_point = true;
            continue;
        }
        let digit = char::from(byte).to_digit(16).ok_or(NumberFault::Syntax)?;
        seen_digit = true;
        if mantissa >> 59 == 0 {
            mantissa = mantissa << 4 | u64::from(digit);
            exponent -= if seen_point { 4 } else { 0 };
        } else {
            // What no longer fits only says on which side of a tie the number is.
            mantissa |= u64::from(digit != 0);
            exponent += if seen_point { 0 } else { 4 };
        }
    }
    if !seen_digit {
        return Err(NumberFault::Syntax);
    }
    let (negative, exponent_digits) = split_sign(exponent_text);
    if exponent_digits.is_empty() || !exponent_digits.iter().all(u8::is_ascii_digit) {
        return Err(NumberFault::Syntax);
    }
    // Beyond this the result is zero or infinite anyway.
    let written = exponent_digits
        .iter()
        .fold(0_i64, |sum, byte| (sum * 10 + i64::from(byte - b'0')).min(100_000));
    Ok(scale(mantissa, exponent + if negative { -written } else { written }))
}

/// `mantissa * 2^exponent`, rounded once, half to even.
fn scale(mantissa: u64, exponent: i64) -> f64 {
    const MANTISSA_BITS: i64 = 53;
    const SMALLEST: i64 = -1074;
    if mantissa == 0 {
        return 0.0;
    }
    let bits = i64::from(64 - mantissa.leading_zeros());
    let lowest = (exponent + bits - MANTISSA_BITS).max(SMALLEST);
    let shift = lowest - exponent;
    let rounded = match u32::try_from(shift) {
        Err(_) | Ok(0) => mantissa,
        Ok(shift) if shift > 64 => 0,
        Ok(shift) => {
            let wide = u128::from(mantissa);
            let (kept, half) = (wide >> shift, 1_u128 << (shift - 1));
            let remainder = wide - (kept << shift);
            let up = remainder > half || (remainder == half && kept & 1 == 1);
            u64::try_from(kept + u128::from(up)).unwrap_or(u64::MAX)
        }
    };
    let exponent = if shift > 0 { lowest } else { exponent };
    if rounded == 0 {
        return 0.0;
    }
    if exponent + i64::from(64 - rounded.leading_zeros()) > 1024 {
        return f64::INFINITY;
    }
    // `rounded` has at most 53 bits here, so each multiplication by a power of two is exact.
    #[expect(clippy::cast_precision_loss, reason = "at most 53 bits")]
    let mut value = rounded as f64;
    let mut left = exponent;
    while left != 0 {
        let step = left.clamp(-1000, 1000);
        value *= 2_f64.powi(i32::try_from(step).unwrap_or_default());
        left -= step;
    }
    value
}

/// Go's `strconv.FormatFloat(value, verb, precision, 64)` for the verbs `e E f g G x X b`; precision -1 asks for the
/// fewest digits that read back as the same number.
pub fn format_float(value: f64, verb: u8, precision: i32) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let magnitude = value.abs();
    let precision = usize::try_from(precision).ok();
    match verb {
        b'b' => binary(sign, magnitude),
        b'x' | b'X' => hexadecimal_form(sign, magnitude, precision, verb),
        b'f' => match precision {
            None => format!("{sign}{magnitude}"),
            Some(precision) => {
                // No double has more decimals, and Rust's own formatting has a limit.
                let exact = precision.min(1_100);
                format!("{sign}{magnitude:.exact$}{}", "0".repeat(precision - exact))
            }
        },
        b'e' | b'E' => exponential(sign, &digits_of(magnitude, precision), precision, verb),
        b'g' | b'G' => general(sign, magnitude, precision, verb),
        _ => format!("%{}", char::from(verb)),
    }
}

/// Significant digits and the decimal exponent of the first one.
struct Digits {
    digits: Vec<u8>,
    exponent: i32,
}

/// The digits of a number: `precision` of them after the first, or the fewest that identify it.
fn digits_of(magnitude: f64, precision: Option<usize>) -> Digits {
    let text = match precision {
        None => format!("{magnitude:e}"),
        Some(precision) => {
            let exact = precision.min(1_100);
            format!("{magnitude:.exact$e}")
        }
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).collect();
    Digits {
        digits,
        exponent: exponent.parse().unwrap_or_default(),
    }
}

fn exponential(sign: &str, number: &Digits, precision: Option<usize>, verb: u8) -> String {
    let wanted = precision.map_or(number.digits.len(), |precision| precision + 1);
    let mut text = String::from(sign);
    for index in 0..wanted {
        if index == 1 {
            text.push('.');
        }
        text.push(char::from(number.digits.get(index).copied().unwrap_or(b'0')));
    }
    let exponent_sign = if number.exponent < 0 { '-' } else { '+' };
    text.push(char::from(verb));
    text + &format!("{exponent_sign}{:02}", number.exponent.unsigned_abs())
}

fn general(sign: &str, magnitude: f64, precision: Option<usize>, verb: u8) -> String {
    let mut number = digits_of(magnitude, precision.map(|precision| precision.max(1) - 1));
    if precision.is_some() {
        let significant = number
            .digits
            .iter()
            .rposition(|digit| *digit != b'0')
            .map_or(1, |last| last + 1);
        number.digits.truncate(significant);
    }
    let count = i32::try_from(number.digits.len()).unwrap_or(i32::MAX);
    // The exponent form is for exponents below -4 and from the precision on; the shortest form decides as for 6.
    let threshold = match precision {
        None => 6,
        Some(precision) => match i32::try_from(precision.max(1)).unwrap_or(i32::MAX) {
            precision if precision > count && count > number.exponent => count,
            precision => precision,
        },
    };
    if number.exponent < -4 || number.exponent >= threshold {
        let exponent_verb = if verb == b'G' { b'E' } else { b'e' };
        return exponential(sign, &number, Some(number.digits.len() - 1), exponent_verb);
    }
    let mut text = String::from(sign);
    plain(&mut text, &number);
    text
}

/// Digits with a decimal point and no exponent.
fn plain(text: &mut String, number: &Digits) {
    let point = number.exponent + 1;
    let whole = usize::try_from(point).unwrap_or_default();
    if whole == 0 {
        text.push('0');
    }
    for index in 0..whole {
        text.push(char::from(number.digits.get(index).copied().unwrap_or(b'0')));
    }
    if number.digits.len() > whole || point < 0 {
        text.push('.');
        for _ in point..0 {
            text.push('0');
        }
        text.extend(number.digits.iter().skip(whole).map(|digit| char::from(*digit)));
    }
}

/// Mantissa, binary exponent of its lowest bit.
fn parts(magnitude: f64) -> (u64, i32) {
    let bits = magnitude.to_bits();
    let exponent = i32::try_from(bits >> 52 & 0x7ff).unwrap_or_default();
    let fraction = bits & ((1 << 52) - 1);
    if exponent == 0 {
        (fraction, -1074)
    } else {
        (fraction | 1 << 52, exponent - 1075)
    }
}

fn binary(sign: &str, magnitude: f64) -> String {
    let (mantissa, exponent) = parts(magnitude);
    format!("{sign}{mantissa}p{exponent:+}")
}

fn hexadecimal_form(sign: &str, magnitude: f64, precision: Option<usize>, verb: u8) -> String {
    let (mut mantissa, mut exponent) = parts(magnitude);
    if mantissa == 0 {
        exponent = 0;
    } else {
        // One digit before the point: bit 60, so that 15 hexadecimal digits follow.
        let shift = mantissa.leading_zeros() - 3;
        mantissa <<= shift;
        exponent += 60 - i32::try_from(shift).unwrap_or_default();
    }
    if let Some(precision) = precision.filter(|precision| *precision < 15) {
        let dropped = (15 - precision) * 4;
        let (half, odd) = (1_u64 << (dropped - 1), mantissa >> dropped & 1);
        let remainder = mantissa & ((1 << dropped) - 1);
        mantissa >>= dropped;
        mantissa += u64::from(remainder > half || (remainder == half && odd == 1));
        mantissa <<= dropped;
        if mantissa >> 61 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let fraction = format!("{:015x}", mantissa & ((1 << 60) - 1));
    let fraction = match precision {
        None => fraction.trim_end_matches('0').to_owned(),
        Some(precision) => fraction.chars().chain(std::iter::repeat('0')).take(precision).collect(),
    };
    let point = if fraction.is_empty() { "" } else { "." };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    let text = format!(
        "{sign}0x{}{point}{fraction}p{exponent_sign}{:02}",
        mantissa >> 60,
        exponent.unsigned_abs()
    );
    if verb == b'X' { text.to_uppercase() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_parse_as_in_go() {
        let table: &[(&str, Result<f64, &str>)] = &[
            ("1_2", Ok(12.0)),
            ("1_23.50_0_0e+1_2", Ok(1.235e14)),
            ("0x1p4", Ok(16.0)),
            ("0x1.8p1", Ok(3.0)),
            ("0x_1p0", Ok(1.0)),
            ("0x1.fffffffffffff8p0", Ok(2.0)),
            ("0x1p-1074", Ok(5e-324)),
            ("0x1p-1080", Ok(0.0)),
            ("0x1p1023", Ok(8.988_465_674_311_58e307)),
            ("0x1p1024", Err("value out of range")),
            ("1e400", Err("value out of range")),
            ("-1e400", Err("value out of range")),
            ("1e-400", Ok(0.0)),
            ("+Infinity", Ok(f64::INFINITY)),
            ("inf", Ok(f64::INFINITY)),
            ("-nan", Err("invalid syntax")),
            ("1e", Err("invalid syntax")),
            ("", Err("invalid syntax")),
            (".5", Ok(0.5)),
            ("5.", Ok(5.0)),
            (".", Err("invalid syntax")),
            ("0x1", Err("invalid syntax")),
            ("1__2", Err("invalid syntax")),
            ("_1", Err("invalid syntax")),
            ("0b11", Err("invalid syntax")),
            ("--1", Err("invalid syntax")),
            ("1p3", Err("invalid syntax")),
        ];
        for (text, expected) in table {
            let expected = expected.map_err(|reason| format!("strconv.ParseFloat: parsing {text:?}: {reason}"));
            assert_eq!(
                parse_float(text.as_bytes()).map_err(|error| error.to_string()),
                expected,
                "{text}"
            );
        }
        assert!(parse_float(b"NaN").unwrap().is_nan());
    }

    #[test]
    fn floats_print_as_in_go() {
        let table: &[(f64, u8, i32, &str)] = &[
            (1e6, b'g', -1, "1e+06"),
            (100_000.0, b'g', -1, "100000"),
            (1_234_567.5, b'g', -1, "1.2345675e+06"),
            (0.0001, b'g', -1, "0.0001"),
            (0.00001, b'g', -1, "1e-05"),
            (-0.0, b'g', -1, "-0"),
            (0.1, b'g', -1, "0.1"),
            (100.0, b'g', 2, "1e+02"),
            (100.0, b'g', 3, "100"),
            (100.0, b'g', 10, "100"),
            (1e21, b'g', 30, "1000000000000000000000"),
            (123_456.0, b'g', 0, "1e+05"),
            (1e-7, b'G', -1, "1E-07"),
            (3.24159, b'f', 2, "3.24"),
            (2.5, b'f', 0, "2"),
            (1e21, b'f', -1, "1000000000000000000000"),
            (3.24159, b'e', 3, "3.242e+00"),
            (1.0, b'e', -1, "1e+00"),
            (1.0, b'b', -1, "4503599627370496p-52"),
            (1.0, b'x', -1, "0x1p+00"),
            (3.5, b'x', 3, "0x1.c00p+01"),
            (0.1, b'X', -1, "0X1.999999999999AP-04"),
            (1.999, b'x', 0, "0x1p+01"),
            (f64::INFINITY, b'g', -1, "+Inf"),
            (f64::NAN, b'f', 2, "NaN"),
        ];
        for (value, verb, precision, expected) in table {
            assert_eq!(
                format_float(*value, *verb, *precision),
                *expected,
                "{value} {}",
                char::from(*verb)
            );
        }
    }
}
