//! Number constants: one text may stand for several kinds of number.

use super::lexer::quoted;
use crate::go::strconv;
use crate::template::tree::Number;

/// A number token's text as a constant; the error is Go's.
pub(super) fn number(text: &[u8], is_complex: bool) -> Result<Number, String> {
    let shown = String::from_utf8_lossy(text);
    if text.first() == Some(&b'\'') {
        return character(text);
    }
    if is_complex {
        return complex_pair(text).ok_or_else(|| "syntax error scanning complex number".to_owned());
    }
    if let Some(imaginary) = text
        .strip_suffix(b"i")
        .and_then(|digits| strconv::parse_float(digits).ok())
    {
        return Ok(complex(0.0, imaginary, text));
    }
    let mut number = Number {
        text: text.into(),
        int: None,
        uint: None,
        float: None,
        complex: None,
    };
    number.uint = strconv::parse_uint(text, 0, 64).ok();
    number.int = strconv::parse_int(text, 0, 64).ok();
    if number.int == Some(0) {
        number.uint = Some(0);
    }
    if let Some(float) = integer_as_float(&number) {
        number.float = Some(float);
    } else if let Ok(float) = strconv::parse_float(text) {
        if !text.iter().any(|byte| b".eEpP".contains(byte)) {
            return Err(format!("integer overflow: {}", quoted(&shown)));
        }
        number.float = Some(float);
        number.int = whole_int(float);
        number.uint = whole_uint(float);
    }
    if number.int.is_none() && number.uint.is_none() && number.float.is_none() {
        return Err(format!("illegal number syntax: {}", quoted(&shown)));
    }
    Ok(number)
}

#[expect(clippy::cast_precision_loss, reason = "Go converts so")]
fn integer_as_float(number: &Number) -> Option<f64> {
    number.int.map(|int| int as f64).or(number.uint.map(|uint| uint as f64))
}

fn character(text: &[u8]) -> Result<Number, String> {
    let (element, tail) = strconv::unquote_char(&text[1..], b'\'').ok_or("invalid syntax")?;
    if tail != b"'" {
        return Err(format!(
            "malformed character constant: {}",
            String::from_utf8_lossy(text)
        ));
    }
    let rune = element.rune();
    let mut number = Number {
        text: text.into(),
        int: Some(rune),
        uint: u64::try_from(rune).ok(),
        float: None,
        complex: None,
    };
    number.float = integer_as_float(&number);
    Ok(number)
}

/// `1+2i`: the sign in the middle is the last one that no exponent mark precedes.
fn complex_pair(text: &[u8]) -> Option<Number> {
    let digits = text.strip_suffix(b"i")?;
    let middle = (1..digits.len())
        .rev()
        .find(|index| matches!(digits[*index], b'+' | b'-') && !b"eEpP".contains(&digits[index - 1]))?;
    let (real, imaginary) = digits.split_at(middle);
    Some(complex(
        strconv::parse_float(real).ok()?,
        strconv::parse_float(imaginary).ok()?,
        text,
    ))
}

/// A complex constant, which is also of the simpler kinds when it has no imaginary part.
fn complex(real: f64, imaginary: f64, text: &[u8]) -> Number {
    let float = (imaginary == 0.0).then_some(real);
    Number {
        text: text.into(),
        int: float.and_then(whole_int),
        uint: float.and_then(whole_uint),
        float,
        complex: Some((real, imaginary)),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "the range is checked, and only an exact number is whole"
)]
fn whole_int(float: f64) -> Option<i64> {
    let in_range = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&float);
    (in_range && (float as i64) as f64 == float).then_some(float as i64)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "the range is checked, and only an exact number is whole"
)]
fn whole_uint(float: f64) -> Option<u64> {
    let in_range = (0.0..18_446_744_073_709_551_616.0).contains(&float);
    (in_range && (float as u64) as f64 == float).then_some(float as u64)
}
