//! Go's `time`: durations, instants with a zone, layouts.
//!
//! Knows: Go's layouts, its printing and parsing with its error texts, its zone names. Does not know: what time it is
//! or which zone is local; both come in. Calendar arithmetic and the zone database are the `jiff` crates'.

mod duration;
mod format;
mod layout;
mod parse;
mod zone;

#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};

pub use duration::{Duration, DurationError};
pub use parse::ParseError;
pub use zone::Zone;

/// A Go `time.Time`: an instant, and the zone that it is shown in.
///
/// The years that it can hold are -9999 to 9999; Go's are more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Time {
    /// The instant.
    pub instant: Timestamp,
    /// Where it is shown.
    pub zone: Zone,
}

impl Time {
    /// Go's zero time, 0001-01-01 00:00:00 UTC.
    pub fn zero() -> Self {
        Self::from_unix(-62_135_596_800, Zone::Utc)
    }

    /// `time.Unix(seconds, 0)` in a zone; beyond the years that fit, the nearest that does.
    pub fn from_unix(seconds: i64, zone: Zone) -> Self {
        let clamped = seconds.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
        let instant = Timestamp::from_second(clamped).unwrap_or(Timestamp::UNIX_EPOCH);
        Self { instant, zone }
    }

    /// `IsZero`.
    pub fn is_zero(&self) -> bool {
        self.instant == Self::zero().instant
    }

    /// `Unix`: seconds since 1970, rounded down.
    pub fn unix(&self) -> i64 {
        let below = i64::from(self.instant.subsec_nanosecond() < 0);
        self.instant.as_second() - below
    }

    /// `In`.
    #[must_use]
    pub fn in_zone(&self, zone: Zone) -> Self {
        Self {
            instant: self.instant,
            zone,
        }
    }

    /// `Add`; beyond the years that fit, the nearest that does.
    #[must_use]
    pub fn add(&self, duration: Duration) -> Self {
        let span = SignedDuration::from_nanos(duration.0);
        let instant = self.instant.saturating_add(span).unwrap_or(self.instant);
        self.with_instant(instant)
    }

    fn with_instant(&self, instant: Timestamp) -> Self {
        Self {
            instant,
            zone: self.zone.clone(),
        }
    }

    /// `Sub`: saturates like Go's.
    pub fn since(&self, earlier: &Self) -> Duration {
        let nanoseconds = self.instant.as_nanosecond() - earlier.instant.as_nanosecond();
        let least = i128::from(i64::MIN);
        let clamped = nanoseconds.clamp(least, i128::from(i64::MAX));
        Duration(i64::try_from(clamped).unwrap_or_default())
    }

    /// `AddDate`: a day that the month does not have runs on into the next. `None` beyond the years that fit.
    pub fn add_date(&self, years: i64, months: i64, days: i64) -> Option<Self> {
        let wall = self.wall_clock();
        let month_index = i64::from(wall.month() - 1).checked_add(months)?;
        let year = i64::from(wall.year())
            .checked_add(years)?
            .checked_add(month_index.div_euclid(12))?;
        let month = i8::try_from(month_index.rem_euclid(12) + 1).ok()?;
        let first = jiff::civil::Date::new(i16::try_from(year).ok()?, month, 1).ok()?;
        let span = jiff::Span::new()
            .try_days(days.checked_add(i64::from(wall.day() - 1))?)
            .ok()?;
        let date = first.checked_add(span).ok()?;
        let instant = self.zone.instant(date.to_datetime(wall.time()))?;
        Some(self.with_instant(instant))
    }

    /// `MarshalJSON` without the quotes: RFC 3339 with the fraction that there is.
    pub fn to_rfc3339(&self) -> String {
        self.format("2006-01-02T15:04:05.999999999Z07:00")
    }
}

impl std::fmt::Display for Time {
    /// `String`. A time taken from a clock also prints Go's monotonic reading (`m=+0.01`); that is left out.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.format("2006-01-02 15:04:05.999999999 -0700 MST"))
    }
}

/// How Go's `time` package quotes a text in its errors: bytes outside printable ASCII as `\xNN`.
fn quote(text: &str) -> String {
    use std::fmt::Write as _;
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => {
                quoted.push('\\');
                quoted.push(char::from(byte));
            }
            b' '..=0x7F => quoted.push(char::from(byte)),
            // Writing to a String cannot fail.
            _ => drop(write!(quoted, "\\x{byte:02x}")),
        }
    }
    quoted.push('"');
    quoted
}
