//! One window of time: when it is open, and when it opens next.
//!
//! Days and the start are those of a clock on a wall in the window's time zone, the duration is what passes.

use k8s_openapi::jiff::civil::{self, Date};
use k8s_openapi::jiff::tz::TimeZone;
use k8s_openapi::jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::GateError;
use crate::api::helm_release::gate::{GateWindow, LONGEST_WINDOW, Weekday};
use crate::go::time::Zone;

/// How many days around today are looked at: the longest window began a week ago, the next opening of each is within a week, and where
/// the clock is changed, or a zone skips a date, it is a day more.
const DAYS: i64 = 9;

/// A window as it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Window {
    /// All days if none.
    days: Vec<civil::Weekday>,
    start: civil::Time,
    duration: SignedDuration,
    zone: TimeZone,
}

impl Window {
    /// The window at a position of the list.
    pub(super) fn of(index: usize, window: &GateWindow) -> Result<Self, GateError> {
        let GateWindow {
            days,
            start,
            duration,
            time_zone,
        } = window;
        if duration.is_zero() || *duration > LONGEST_WINDOW {
            let duration = *duration;
            return Err(GateError::Duration { index, duration });
        }
        let zone = match time_zone {
            None => Some(TimeZone::UTC),
            Some(name) => zone(name),
        };
        Ok(Self {
            days: days.iter().copied().map(weekday).collect(),
            start: time(start).ok_or_else(|| GateError::Start {
                index,
                start: start.clone(),
            })?,
            duration: SignedDuration::try_from(duration.as_std()).unwrap_or(SignedDuration::MAX),
            zone: zone.ok_or_else(|| GateError::TimeZone {
                index,
                name: time_zone.clone().unwrap_or_default(),
            })?,
        })
    }

    /// Whether it is open.
    pub(super) fn is_open(&self, now: Timestamp) -> bool {
        let mut openings = self.openings(now);
        openings.any(|opening| opening <= now && now.duration_since(opening) < self.duration)
    }

    /// When it opens next; `None` at the end of time.
    pub(super) fn opens_after(&self, now: Timestamp) -> Option<Timestamp> {
        self.openings(now).find(|opening| *opening > now)
    }

    /// When it opens around now, in order.
    fn openings(&self, now: Timestamp) -> impl Iterator<Item = Timestamp> {
        let today = self.zone.to_datetime(now).date();
        let days = (-DAYS..=DAYS).filter_map(move |days| today.checked_add(days.days()).ok());
        let opens = days.filter(|day| self.days.is_empty() || self.days.contains(&day.weekday()));
        opens.filter_map(|day| self.opens_on(day))
    }

    fn opens_on(&self, day: Date) -> Option<Timestamp> {
        let wall = day.to_datetime(self.start);
        self.zone.to_ambiguous_timestamp(wall).compatible().ok()
    }
}

/// A time zone by its name in the IANA database, from the database in the binary.
fn zone(name: &str) -> Option<TimeZone> {
    // Names that only Go knows.
    if matches!(name, "" | "Local") {
        return None;
    }
    match Zone::load(name, &Zone::Utc)? {
        Zone::Utc => Some(TimeZone::UTC),
        Zone::Fixed {
            abbreviation: _,
            offset,
        } => Some(offset.to_time_zone()),
        Zone::Named(zone) => Some(zone),
    }
}

/// A time of a day with two digits each for hours and minutes.
fn time(text: &str) -> Option<civil::Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str| {
        let is_whole = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
        digits.parse().ok().filter(|_| is_whole)
    };
    civil::Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

const fn weekday(day: Weekday) -> civil::Weekday {
    match day {
        Weekday::Monday => civil::Weekday::Monday,
        Weekday::Tuesday => civil::Weekday::Tuesday,
        Weekday::Wednesday => civil::Weekday::Wednesday,
        Weekday::Thursday => civil::Weekday::Thursday,
        Weekday::Friday => civil::Weekday::Friday,
        Weekday::Saturday => civil::Weekday::Saturday,
        Weekday::Sunday => civil::Weekday::Sunday,
    }
}
