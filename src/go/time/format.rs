//! Printing a time by a Go layout.

use std::fmt::Write as _;

use jiff::civil::{DateTime, Weekday};

use super::Time;
use super::layout::{OffsetStyle, Token, next_chunk};
use super::zone::InForce;

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

impl Time {
    /// `Format`.
    pub fn format(&self, layout: &str) -> String {
        let (wall, in_force) = self.zone.wall(self.instant);
        let mut output = String::with_capacity(layout.len() + 10);
        let mut rest = layout;
        loop {
            let chunk = next_chunk(rest);
            output.push_str(chunk.prefix);
            let Some((token, _)) = chunk.token else {
                return output;
            };
            // Writing to a String cannot fail.
            let _ = append(&mut output, token, wall, &in_force);
            rest = chunk.rest;
        }
    }

    /// The parts of the wall clock time: for methods such as `Year` and `Hour`.
    pub fn wall_clock(&self) -> DateTime {
        self.zone.wall(self.instant).0
    }

    /// `Weekday().String()`.
    pub fn weekday_name(&self) -> &'static str {
        weekday(self.wall_clock().weekday())
    }

    /// `Month().String()`.
    pub fn month_name(&self) -> &'static str {
        month(self.wall_clock().month())
    }
}

fn month(number: i8) -> &'static str {
    usize::try_from(number - 1)
        .ok()
        .and_then(|index| MONTHS.get(index))
        .copied()
        .unwrap_or_default()
}

fn weekday(day: Weekday) -> &'static str {
    usize::try_from(day.to_sunday_zero_offset())
        .ok()
        .and_then(|index| WEEKDAYS.get(index))
        .copied()
        .unwrap_or_default()
}

fn append(output: &mut String, token: Token, wall: DateTime, in_force: &InForce) -> std::fmt::Result {
    let hour12 = match wall.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    let year = wall.year();
    let sign = if year < 0 { "-" } else { "" };
    match token {
        Token::Year => write!(output, "{:02}", year.rem_euclid(100)),
        Token::LongYear => write!(output, "{sign}{:04}", year.unsigned_abs()),
        Token::Month => output.write_str(&month(wall.month())[..3]),
        Token::LongMonth => output.write_str(month(wall.month())),
        Token::NumberMonth => write!(output, "{}", wall.month()),
        Token::ZeroMonth => write!(output, "{:02}", wall.month()),
        Token::Weekday => output.write_str(&weekday(wall.weekday())[..3]),
        Token::LongWeekday => output.write_str(weekday(wall.weekday())),
        Token::Day => write!(output, "{}", wall.day()),
        Token::SpaceDay => write!(output, "{:2}", wall.day()),
        Token::ZeroDay => write!(output, "{:02}", wall.day()),
        Token::SpaceYearDay => write!(output, "{:3}", wall.day_of_year()),
        Token::ZeroYearDay => write!(output, "{:03}", wall.day_of_year()),
        Token::Hour => write!(output, "{:02}", wall.hour()),
        Token::Hour12 => write!(output, "{hour12}"),
        Token::ZeroHour12 => write!(output, "{hour12:02}"),
        Token::Minute => write!(output, "{}", wall.minute()),
        Token::ZeroMinute => write!(output, "{:02}", wall.minute()),
        Token::Second => write!(output, "{}", wall.second()),
        Token::ZeroSecond => write!(output, "{:02}", wall.second()),
        Token::UpperHalf => output.write_str(if wall.hour() >= 12 { "PM" } else { "AM" }),
        Token::LowerHalf => output.write_str(if wall.hour() >= 12 { "pm" } else { "am" }),
        Token::ZoneName => append_zone_name(output, in_force),
        Token::Offset(style) => append_offset(output, style, in_force.offset.seconds()),
        Token::Fraction(separator, digits) => append_fraction(output, separator, digits, wall, false),
        Token::TrimmedFraction(separator, digits) => append_fraction(output, separator, digits, wall, true),
    }
}

/// A zone without a name is shown by its offset.
fn append_zone_name(output: &mut String, in_force: &InForce) -> std::fmt::Result {
    if !in_force.abbreviation.is_empty() {
        return output.write_str(&in_force.abbreviation);
    }
    let seconds = in_force.offset.seconds();
    let sign = if seconds / 60 < 0 { '-' } else { '+' };
    let minutes = (seconds / 60).abs();
    write!(output, "{sign}{:02}{:02}", minutes / 60, minutes % 60)
}

fn append_offset(output: &mut String, style: OffsetStyle, seconds: i32) -> std::fmt::Result {
    if style.iso && seconds == 0 {
        return output.write_str("Z");
    }
    let sign = if seconds / 60 < 0 { '-' } else { '+' };
    let minutes = (seconds / 60).abs();
    let colon = if style.colon { ":" } else { "" };
    write!(output, "{sign}{:02}", minutes / 60)?;
    if style.minutes {
        write!(output, "{colon}{:02}", minutes % 60)?;
    }
    if style.seconds {
        write!(output, "{colon}{:02}", seconds.abs() % 60)?;
    }
    Ok(())
}

fn append_fraction(
    output: &mut String,
    separator: u8,
    digits: usize,
    wall: DateTime,
    trimmed: bool,
) -> std::fmt::Result {
    let all = format!("{:09}", wall.subsec_nanosecond());
    let mut shown = &all[..digits.min(9)];
    if trimmed {
        shown = shown.trim_end_matches('0');
        if shown.is_empty() {
            return Ok(());
        }
    }
    write!(output, "{}{shown}", char::from(separator))
}
