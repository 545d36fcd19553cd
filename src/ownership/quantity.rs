//! Equality of resource quantities: `1000m` is `1`, `1024Mi` is `1Gi`. Source: apimachinery's `resource.Quantity`.

use serde_json::Value;

/// The longest text that is read as a quantity.
const MAX_LENGTH: usize = 40;

/// A quantity in units of 10⁻⁹; `None` if the value is none or does not fit.
pub(super) fn nanos(value: &Value) -> Option<i128> {
    match value {
        Value::Number(number) => parse(&number.to_string()),
        Value::String(text) => parse(text),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn parse(text: &str) -> Option<i128> {
    if text.len() > MAX_LENGTH {
        return None;
    }
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (digits, suffix) = text.split_at_checked(end)?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
    let (numerator, exponent) = scale(suffix)?;
    let places = i32::try_from(fraction.len()).ok()?;
    let shifted = shift(
        mantissa.checked_mul(numerator)?,
        exponent.checked_add(9)?.checked_sub(places)?,
    )?;
    Some(if negative { -shifted } else { shifted })
}

/// The factor of a suffix as integer × 10^exponent.
fn scale(suffix: &str) -> Option<(i128, i32)> {
    let decimal = |exponent| Some((1, exponent));
    let binary = |power: u32| Some((1_i128 << (10 * power), 0));
    match suffix {
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        _ => decimal(
            suffix
                .strip_prefix(['e', 'E'])?
                .parse()
                .ok()
                .filter(|exponent| (-20..=20).contains(exponent))?,
        ),
    }
}

/// `value` × 10^`exponent`, if that is a whole number that fits.
fn shift(value: i128, exponent: i32) -> Option<i128> {
    let factor = 10_i128.checked_pow(exponent.unsigned_abs())?;
    if exponent >= 0 {
        return value.checked_mul(factor);
    }
    (value % factor == 0).then(|| value / factor)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn equal_quantities() {
        for (a, b) in [
            (json!("1000m"), json!("1")),
            (json!(1), json!("1")),
            (json!("1024Mi"), json!("1Gi")),
            (json!(0.5), json!("500m")),
            (json!("1e3"), json!("1k")),
            (json!("0.1Gi"), json!("107374182400m")),
        ] {
            assert!(nanos(&a).is_some(), "{a}");
            assert_eq!(nanos(&a), nanos(&b), "{a} {b}");
        }
        assert_ne!(nanos(&json!("1G")), nanos(&json!("1Gi")));
        for bad in ["", "1x", "Mi", "1.2.3", "e3", "1e99"] {
            assert_eq!(nanos(&json!(bad)), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[0-9.eEkmMGi+-]{0,40}") {
            let _ = parse(&text);
        }
    }
}
