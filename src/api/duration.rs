//! Durations as Kubernetes resources write them: Go's syntax, for example `1h30m`, `10m` or `1.5s`.
//!
//! Knows Go's `time.ParseDuration` and `Duration.String` for values that are not negative; knows no field.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration as StdDuration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::schema::DURATION_PATTERN;

const NANOS_PER_SECOND: u64 = 1_000_000_000;
const NANOS_PER_MILLISECOND: u64 = 1_000_000;
/// Go's durations are signed 64-bit nanoseconds: about 292 years.
const MAX_NANOS: u64 = i64::MAX as u64;
/// Longer texts are refused before they are parsed.
const MAX_TEXT: usize = 256;

/// A length of time that is not negative, in nanoseconds, at most Go's maximum of about 292 years.
///
/// It is read and printed in Go's syntax. The schema is narrower (no `us` and `ns`, no bare `0`), as in Flux's resources;
/// what this type prints always fits the schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(u64);

/// Why a text is not a [`Duration`]. The message names the text and what is accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// The text is not a sequence of numbers with units.
    #[error("invalid duration {0:?}: write numbers with the units ms, s, m or h, for example 1h30m or 500ms")]
    Syntax(String),
    /// The text has a minus sign.
    #[error("invalid duration {0:?}: it must not be negative")]
    Negative(String),
    /// The value does not fit Go's 64-bit nanoseconds.
    #[error("invalid duration {0:?}: longer than 292 years")]
    Overflow(String),
}

impl Duration {
    /// The duration of zero length.
    pub const ZERO: Self = Self(0);

    /// A duration of whole milliseconds, at most the maximum.
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self::clamped(milliseconds.saturating_mul(NANOS_PER_MILLISECOND))
    }

    /// A duration of whole seconds, at most the maximum.
    pub const fn from_secs(seconds: u64) -> Self {
        Self::clamped(seconds.saturating_mul(NANOS_PER_SECOND))
    }

    /// A duration of whole minutes, at most the maximum.
    pub const fn from_mins(minutes: u64) -> Self {
        Self::from_secs(minutes.saturating_mul(60))
    }

    const fn clamped(nanos: u64) -> Self {
        Self(if nanos > MAX_NANOS { MAX_NANOS } else { nanos })
    }

    /// Whether the duration has no length.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The same length as the standard library's type.
    pub const fn as_std(self) -> StdDuration {
        StdDuration::from_nanos(self.0)
    }
}

impl From<Duration> for StdDuration {
    fn from(value: Duration) -> Self {
        value.as_std()
    }
}

/// Longer values than Go's maximum become the maximum.
impl From<StdDuration> for Duration {
    fn from(value: StdDuration) -> Self {
        u64::try_from(value.as_nanos()).map_or(Self(MAX_NANOS), Self::clamped)
    }
}

impl FromStr for Duration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shown = || text.chars().take(MAX_TEXT).collect::<String>();
        if text.len() > MAX_TEXT {
            return Err(DurationError::Syntax(shown()));
        }
        let unsigned = match text.strip_prefix('-') {
            Some(_) => return Err(DurationError::Negative(shown())),
            None => text.strip_prefix('+').unwrap_or(text),
        };
        if unsigned == "0" {
            return Ok(Self::ZERO);
        }
        if unsigned.is_empty() {
            return Err(DurationError::Syntax(shown()));
        }
        let mut rest = unsigned;
        let mut total: u64 = 0;
        while !rest.is_empty() {
            let (term, after) = Term::split(rest).ok_or_else(|| DurationError::Syntax(shown()))?;
            total = term
                .nanos()
                .and_then(|nanos| total.checked_add(nanos))
                .filter(|sum| *sum <= MAX_NANOS)
                .ok_or_else(|| DurationError::Overflow(shown()))?;
            rest = after;
        }
        Ok(Self(total))
    }
}

/// One number with its unit.
struct Term<'a> {
    whole: &'a str,
    fraction: &'a str,
    unit: u64,
}

impl<'a> Term<'a> {
    /// The term at the start of `text`, and what follows it.
    fn split(text: &'a str) -> Option<(Self, &'a str)> {
        let (whole, rest) = split_digits(text);
        let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), split_digits);
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let end = rest
            .find(|c: char| c == '.' || c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (unit, after) = rest.split_at(end);
        let unit = match unit {
            "ns" => 1,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
            "ms" => NANOS_PER_MILLISECOND,
            "s" => NANOS_PER_SECOND,
            "m" => 60 * NANOS_PER_SECOND,
            "h" => 3_600 * NANOS_PER_SECOND,
            _ => return None,
        };
        Some((Self { whole, fraction, unit }, after))
    }

    /// The length in nanoseconds, the rest of a nanosecond cut off; `None` when it overflows.
    fn nanos(&self) -> Option<u64> {
        let whole = if self.whole.is_empty() {
            0
        } else {
            self.whole.parse::<u64>().ok()?
        };
        let mut fraction = 0;
        // Each digit is worth a tenth of the one before; 18 digits are finer than a nanosecond of an hour.
        let (mut numerator, mut scale) = (0_u128, 1_u128);
        for digit in self.fraction.bytes().take(18) {
            numerator = numerator * 10 + u128::from(digit - b'0');
            scale *= 10;
        }
        if numerator > 0 {
            fraction = u64::try_from(numerator * u128::from(self.unit) / scale).ok()?;
        }
        whole.checked_mul(self.unit)?.checked_add(fraction)
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// Prints as Go does (`1h30m0s`, `10m0s`, `1.5s`, `100ms`, `0s`), except that less than a millisecond stays in
/// milliseconds (`0.5ms`), because the schema has no smaller unit.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        if self.0 < NANOS_PER_SECOND {
            return write_decimal(f, self.0, NANOS_PER_MILLISECOND, 6, "ms");
        }
        let minutes = self.0 / (60 * NANOS_PER_SECOND);
        if minutes >= 60 {
            write!(f, "{}h", minutes / 60)?;
        }
        if minutes > 0 {
            write!(f, "{}m", minutes % 60)?;
        }
        write_decimal(f, self.0 % (60 * NANOS_PER_SECOND), NANOS_PER_SECOND, 9, "s")
    }
}

/// Writes `value / scale` without trailing zeros, where `scale` is ten to the power of `digits`.
fn write_decimal(f: &mut fmt::Formatter<'_>, value: u64, scale: u64, digits: usize, unit: &str) -> fmt::Result {
    write!(f, "{}", value / scale)?;
    let fraction = value % scale;
    if fraction > 0 {
        let text = format!("{fraction:0digits$}");
        write!(f, ".{}", text.trim_end_matches('0'))?;
    }
    f.write_str(unit)
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": DURATION_PATTERN })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts with what Go 1.26 prints for `time.ParseDuration(text)`.
    const LIKE_GO: &[(&str, &str)] = &[
        ("0", "0s"),
        ("+5s", "5s"),
        ("5m", "5m0s"),
        ("1h30m", "1h30m0s"),
        ("90m", "1h30m0s"),
        ("1.5h", "1h30m0s"),
        (".5s", "500ms"),
        ("1.s", "1s"),
        ("100ms", "100ms"),
        ("1s500ms", "1.5s"),
        ("1.000000001s", "1.000000001s"),
        ("1500us", "1.5ms"),
        ("2562047h47m16.854775807s", "2562047h47m16.854775807s"),
    ];

    #[test]
    fn reads_and_prints_as_go() {
        for (text, printed) in LIKE_GO {
            let duration: Duration = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(&duration.to_string(), printed, "{text}");
            assert_eq!(duration.to_string().parse::<Duration>(), Ok(duration), "{text}");
        }
    }

    #[test]
    fn refuses_what_go_refuses() {
        for text in [
            "", "+", "1", "s", ".s", "1d", "1 s", "1h 2m", "1e3s", "0x1s", "-", "1ss",
        ] {
            let error = text.parse::<Duration>().unwrap_err();
            assert!(!matches!(error, DurationError::Overflow(_)), "{text}: {error}");
        }
        assert_eq!("-1s".parse::<Duration>(), Err(DurationError::Negative("-1s".into())));
        for text in ["2562048h", "2562047h47m16.854775808s", "99999999999999999999h"] {
            assert_eq!(text.parse::<Duration>(), Err(DurationError::Overflow(text.into())));
        }
    }

    #[test]
    fn prints_what_the_schema_accepts() {
        let pattern = regex::Regex::new(DURATION_PATTERN).unwrap();
        for nanos in [
            0,
            1,
            500_000,
            1_500_000,
            NANOS_PER_SECOND,
            61 * NANOS_PER_SECOND,
            MAX_NANOS,
        ] {
            let printed = Duration(nanos).to_string();
            assert!(pattern.is_match(&printed), "{printed}");
            assert_eq!(printed.parse::<Duration>(), Ok(Duration(nanos)));
        }
    }

    #[test]
    fn converts_to_the_standard_type_and_back() {
        assert_eq!(StdDuration::from(Duration::from_mins(5)), StdDuration::from_mins(5));
        assert_eq!(Duration::from(StdDuration::MAX), Duration(MAX_NANOS));
        assert_eq!(Duration::from_secs(u64::MAX), Duration(MAX_NANOS));
        assert_eq!(serde_json::to_value(Duration::from_secs(600)).unwrap(), "10m0s");
    }
}
