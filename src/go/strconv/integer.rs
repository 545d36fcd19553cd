//! Integers and booleans.

use super::{NumberError, NumberFault, split_sign, underscores_are_good};

/// Go's `strconv.Atoi`.
pub fn atoi(text: &[u8]) -> Result<i64, NumberError> {
    signed(text, 10, 64).map_err(|reason| NumberError::new("Atoi", text, reason))
}

/// Go's `strconv.ParseInt`. Base 0 takes Go's prefixes and underscores.
pub fn parse_int(text: &[u8], base: u32, bits: u32) -> Result<i64, NumberError> {
    signed(text, base, bits).map_err(|reason| NumberError::new("ParseInt", text, reason))
}

/// Go's `strconv.ParseUint`. Base 0 takes Go's prefixes and underscores.
pub fn parse_uint(text: &[u8], base: u32, bits: u32) -> Result<u64, NumberError> {
    unsigned(text, base, bits).map_err(|reason| NumberError::new("ParseUint", text, reason))
}

/// Go's `strconv.ParseBool`.
pub fn parse_bool(text: &[u8]) -> Result<bool, NumberError> {
    match text {
        b"1" | b"t" | b"T" | b"true" | b"TRUE" | b"True" => Ok(true),
        b"0" | b"f" | b"F" | b"false" | b"FALSE" | b"False" => Ok(false),
        _ => Err(NumberError::new("ParseBool", text, NumberFault::Syntax)),
    }
}

fn signed(text: &[u8], base: u32, bits: u32) -> Result<i64, NumberFault> {
    let (negative, digits) = split_sign(text);
    let magnitude = unsigned(digits, base, 64)?;
    let limit = 1_u64 << (bits.clamp(1, 64) - 1);
    if negative {
        // The most negative number has no positive counterpart.
        if magnitude > limit {
            Err(NumberFault::Range)
        } else {
            Ok(magnitude.wrapping_neg().cast_signed())
        }
    } else {
        i64::try_from(magnitude)
            .ok()
            .filter(|_| magnitude < limit)
            .ok_or(NumberFault::Range)
    }
}

fn unsigned(text: &[u8], base: u32, bits: u32) -> Result<u64, NumberFault> {
    if text.is_empty() {
        return Err(NumberFault::Syntax);
    }
    let (radix, digits) = match (base, text) {
        (2..=36, _) => (base, text),
        (0, [b'0', b'x' | b'X', digits @ ..]) if !digits.is_empty() => (16, digits),
        (0, [b'0', b'b' | b'B', digits @ ..]) if !digits.is_empty() => (2, digits),
        (0, [b'0', b'o' | b'O', digits @ ..]) if !digits.is_empty() => (8, digits),
        (0, [b'0', digits @ ..]) => (8, if digits.is_empty() { text } else { digits }),
        (0, _) => (10, text),
        _ => return Err(NumberFault::Base(base)),
    };
    let mut value = 0_u64;
    let mut overflow = false;
    let mut underscores = false;
    for &byte in digits {
        if byte == b'_' && base == 0 {
            underscores = true;
            continue;
        }
        let digit = char::from(byte).to_digit(radix).ok_or(NumberFault::Syntax)?;
        // A syntax error later in the text does not matter any more: Go stops at the first digit that overflows.
        match value
            .checked_mul(u64::from(radix))
            .and_then(|value| value.checked_add(u64::from(digit)))
        {
            Some(next) if bits >= 64 || next >> bits == 0 => value = next,
            _ => overflow = true,
        }
        if overflow {
            return Err(NumberFault::Range);
        }
    }
    if underscores && !underscores_are_good(text) {
        Err(NumberFault::Syntax)
    } else {
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_parse_as_in_go() {
        // (text, base, result of ParseInt(text, base, 64))
        let table: &[(&str, u32, Result<i64, &str>)] = &[
            ("12", 10, Ok(12)),
            ("-12", 10, Ok(-12)),
            ("+12", 10, Ok(12)),
            ("9223372036854775807", 10, Ok(i64::MAX)),
            ("9223372036854775808", 10, Err("value out of range")),
            ("-9223372036854775808", 10, Ok(i64::MIN)),
            ("-9223372036854775809", 10, Err("value out of range")),
            ("", 10, Err("invalid syntax")),
            ("+", 10, Err("invalid syntax")),
            (" 1", 10, Err("invalid syntax")),
            ("1_000", 10, Err("invalid syntax")),
            ("1_000", 0, Ok(1000)),
            ("1__0", 0, Err("invalid syntax")),
            ("0x10", 0, Ok(16)),
            ("0x_f", 0, Ok(15)),
            ("0xg", 0, Err("invalid syntax")),
            ("0x", 0, Err("invalid syntax")),
            ("0b11", 0, Ok(3)),
            ("0o17", 0, Ok(15)),
            ("017", 0, Ok(15)),
            ("08", 0, Err("invalid syntax")),
            ("00", 0, Ok(0)),
            ("-0x8000000000000000", 0, Ok(i64::MIN)),
            ("1", 1, Err("invalid base 1")),
            ("99999999999999999999x", 10, Err("value out of range")),
        ];
        for (text, base, expected) in table {
            let result = parse_int(text.as_bytes(), *base, 64);
            let expected = expected.map_err(|reason| format!("strconv.ParseInt: parsing {text:?}: {reason}"));
            assert_eq!(result.map_err(|error| error.to_string()), expected, "{text}");
        }
    }

    #[test]
    fn narrow_integers_have_their_range() {
        assert_eq!(parse_int(b"127", 10, 8), Ok(127));
        assert_eq!(parse_int(b"-128", 10, 8), Ok(-128));
        assert_eq!(parse_int(b"128", 10, 8).unwrap_err().reason, NumberFault::Range);
        assert_eq!(parse_uint(b"256", 10, 8).unwrap_err().reason, NumberFault::Range);
        assert_eq!(parse_uint(b"18446744073709551615", 10, 64), Ok(u64::MAX));
        assert_eq!(parse_uint(b"-1", 10, 64).unwrap_err().reason, NumberFault::Syntax);
        assert_eq!(
            atoi(b"x").unwrap_err().to_string(),
            "strconv.Atoi: parsing \"x\": invalid syntax"
        );
    }
}
