//! Go's `time.Duration`: parsing, printing, rounding.

use std::fmt;

/// A Go duration: signed nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(pub i64);

/// Nanoseconds in a microsecond.
const MICROSECOND: u64 = 1_000;
/// Nanoseconds in a millisecond.
const MILLISECOND: u64 = 1_000_000;
/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;
/// Nanoseconds in a minute.
const MINUTE: u64 = 60 * SECOND;
/// Nanoseconds in an hour.
const HOUR: u64 = 60 * MINUTE;

/// What `time.ParseDuration` says about a text that it rejects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Not of the form `1h2.5m`, or out of range.
    #[error("time: invalid duration {}", super::quote(.0))]
    Invalid(String),
    /// A number without a unit.
    #[error("time: missing unit in duration {}", super::quote(.0))]
    MissingUnit(String),
    /// A unit that Go does not know.
    #[error("time: unknown unit {} in duration {}", super::quote(.unit), super::quote(.text))]
    UnknownUnit {
        /// The whole text.
        text: String,
        /// The unit in it.
        unit: String,
    },
}

impl Duration {
    /// `time.ParseDuration`: `300ms`, `-1.5h`, `2h45m`.
    pub fn parse(text: &str) -> Result<Self, DurationError> {
        let invalid = || DurationError::Invalid(text.to_owned());
        let (negative, mut rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        if rest == "0" {
            return Ok(Self(0));
        }
        if rest.is_empty() {
            return Err(invalid());
        }
        // One past the largest positive value is allowed until the sign is known.
        let limit = 1_u64 << 63;
        let mut total = 0_u64;
        while !rest.is_empty() {
            let (nanoseconds, after) = parse_component(text, rest)?;
            total = total
                .checked_add(nanoseconds)
                .filter(|sum| *sum <= limit)
                .ok_or_else(invalid)?;
            rest = after;
        }
        if negative {
            return Ok(Self(0_i64.wrapping_sub_unsigned(total)));
        }
        i64::try_from(total).map(Self).map_err(|_| invalid())
    }

    /// `Round`: to the nearest multiple, halves away from zero.
    #[must_use]
    pub fn round(self, multiple: Self) -> Self {
        if multiple.0 <= 0 {
            return self;
        }
        let remainder = self.0 % multiple.0;
        let down = self.0 - remainder;
        let (distance, step) = if remainder < 0 {
            (-remainder, -multiple.0)
        } else {
            (remainder, multiple.0)
        };
        if distance < multiple.0 - distance {
            return Self(down);
        }
        Self(down.saturating_add(step))
    }

    /// `Truncate`: towards zero, to a multiple.
    #[must_use]
    pub fn truncate(self, multiple: Self) -> Self {
        if multiple.0 <= 0 {
            return self;
        }
        Self(self.0 - self.0 % multiple.0)
    }

    /// `Seconds`, as Go computes it.
    pub fn seconds(self) -> f64 {
        self.in_units(SECOND)
    }

    /// `Minutes`.
    pub fn minutes(self) -> f64 {
        self.in_units(MINUTE)
    }

    /// `Hours`.
    pub fn hours(self) -> f64 {
        self.in_units(HOUR)
    }

    #[expect(clippy::cast_precision_loss, reason = "Go converts the same way")]
    fn in_units(self, unit: u64) -> f64 {
        let unit = unit.cast_signed();
        (self.0 / unit) as f64 + (self.0 % unit) as f64 / unit as f64
    }
}

/// One number with its unit at the start of `rest`: its nanoseconds, and what follows.
fn parse_component<'t>(text: &str, rest: &'t str) -> Result<(u64, &'t str), DurationError> {
    let invalid = || DurationError::Invalid(text.to_owned());
    let limit = 1_u64 << 63;
    let (whole, after_whole) = digits(rest);
    let (fraction, after_number) = match after_whole.strip_prefix('.') {
        Some(tail) => digits(tail),
        None => ("", after_whole),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(invalid());
    }
    let number = if whole.is_empty() {
        0
    } else {
        let whole = whole.parse::<u64>().ok();
        whole.filter(|whole| *whole <= limit).ok_or_else(invalid)?
    };
    let unit_length = after_number
        .find(|character: char| character == '.' || character.is_ascii_digit())
        .unwrap_or(after_number.len());
    let (unit_name, after) = after_number.split_at(unit_length);
    if unit_name.is_empty() {
        return Err(DurationError::MissingUnit(text.to_owned()));
    }
    let unit = unit_nanoseconds(unit_name).ok_or_else(|| DurationError::UnknownUnit {
        text: text.to_owned(),
        unit: unit_name.to_owned(),
    })?;
    let nanoseconds = number
        .checked_mul(unit)
        .filter(|value| *value <= limit)
        .ok_or_else(invalid)?;
    let total = nanoseconds + fraction_nanoseconds(fraction, unit);
    if total > limit {
        return Err(invalid());
    }
    Ok((total, after))
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

/// The part after the point. Go computes it in floating point, with the digits that fit.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "Go converts the same way, and the value is below one unit"
)]
fn fraction_nanoseconds(fraction: &str, unit: u64) -> u64 {
    let limit = (1_u64 << 63) - 1;
    let (mut value, mut scale) = (0_u64, 1.0_f64);
    for digit in fraction.bytes().map(|byte| u64::from(byte - b'0')) {
        let next = if value > limit / 10 {
            limit + 1
        } else {
            value * 10 + digit
        };
        if next > limit {
            break;
        }
        value = next;
        scale *= 10.0;
    }
    (value as f64 * (unit as f64 / scale)) as u64
}

fn unit_nanoseconds(name: &str) -> Option<u64> {
    Some(match name {
        "ns" => 1,
        // U+00B5 is the micro sign, U+03BC the Greek letter.
        "us" | "\u{b5}s" | "\u{3bc}s" => MICROSECOND,
        "ms" => MILLISECOND,
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        _ => return None,
    })
}

impl fmt::Display for Duration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = self.0.unsigned_abs();
        if nanoseconds == 0 {
            return formatter.write_str("0s");
        }
        if self.0 < 0 {
            formatter.write_str("-")?;
        }
        match nanoseconds {
            value if value < MICROSECOND => write!(formatter, "{value}ns"),
            value if value < MILLISECOND => write!(formatter, "{}\u{b5}s", decimal(value, MICROSECOND)),
            value if value < SECOND => write!(formatter, "{}ms", decimal(value, MILLISECOND)),
            value => {
                let (hours, minutes) = (value / HOUR, value % HOUR / MINUTE);
                if hours > 0 {
                    write!(formatter, "{hours}h")?;
                }
                if value >= MINUTE {
                    write!(formatter, "{minutes}m")?;
                }
                write!(formatter, "{}s", decimal(value % MINUTE, SECOND))
            }
        }
    }
}

/// `value / unit` with as many decimals as it has; `unit` is a power of ten.
fn decimal(value: u64, unit: u64) -> String {
    let (whole, fraction) = (value / unit, value % unit);
    if fraction == 0 {
        return whole.to_string();
    }
    let width = unit.ilog10() as usize;
    let digits = format!("{fraction:0width$}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}
