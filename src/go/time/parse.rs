//! Reading a time by a Go layout (`time.ParseInLocation`), with Go's errors.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

use super::format::{MONTHS, WEEKDAYS};
use super::layout::{OffsetStyle, Token, next_chunk};
use super::{Time, Zone, quote};

/// What Go says about a text that does not follow its layout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// A part of the text is not what its part of the layout asks for.
    #[error("parsing time {} as {}: cannot parse {} as {}", quote(.value), quote(.layout), quote(.value_part), quote(.layout_part))]
    Mismatch {
        /// The whole layout.
        layout: String,
        /// The whole text.
        value: String,
        /// The part of the layout.
        layout_part: String,
        /// The text from where it fails.
        value_part: String,
    },
    /// A number is out of its range, or text is left.
    #[error("parsing time {}: {reason}", quote(.value))]
    Invalid {
        /// The whole text.
        value: String,
        /// Go's words.
        reason: String,
    },
}

/// Why one token does not fit.
enum Misfit {
    Malformed,
    OutOfRange(&'static str),
}

type Fit<'v, T> = Result<(T, &'v str), Misfit>;

#[derive(Default)]
struct Fields {
    year: i16,
    month: Option<i8>,
    day: Option<i32>,
    year_day: Option<i32>,
    hour: i8,
    minute: i8,
    second: i8,
    nanosecond: i32,
    /// Some(true) for PM.
    afternoon: Option<bool>,
    utc: bool,
    offset_seconds: Option<i32>,
    zone_name: Option<String>,
}

impl Time {
    /// `time.ParseInLocation`: a text without a zone is read in `local`.
    pub fn parse(layout: &str, value: &str, local: &Zone) -> Result<Self, ParseError> {
        let mut fields = Fields::default();
        let (mut layout_rest, mut value_rest) = (layout, value);
        let mismatch = |layout_part: &str, value_part: &str| ParseError::Mismatch {
            layout: layout.to_owned(),
            value: value.to_owned(),
            layout_part: layout_part.to_owned(),
            value_part: value_part.to_owned(),
        };
        let invalid = |reason: String| ParseError::Invalid {
            value: value.to_owned(),
            reason,
        };
        loop {
            let chunk = next_chunk(layout_rest);
            value_rest = skip(value_rest, chunk.prefix).map_err(|at| mismatch(chunk.prefix, at))?;
            let Some((token, token_text)) = chunk.token else {
                break;
            };
            layout_rest = chunk.rest;
            value_rest = match fields.read(token, value_rest, layout_rest) {
                Ok(rest) => rest,
                Err(Misfit::Malformed) => return Err(mismatch(token_text, value_rest)),
                Err(Misfit::OutOfRange(what)) => return Err(invalid(format!("{what} out of range"))),
            };
        }
        if !value_rest.is_empty() {
            return Err(invalid(format!("extra text: {}", quote(value_rest))));
        }
        fields.finish(local).map_err(|reason| invalid(reason.to_owned()))
    }
}

/// Skips literal text of the layout; runs of spaces match runs of spaces. The error is the text from where it differs.
fn skip<'v>(mut value: &'v str, mut prefix: &str) -> Result<&'v str, &'v str> {
    while let Some(expected) = prefix.chars().next() {
        if expected == ' ' {
            if !value.is_empty() && !value.starts_with(' ') {
                return Err(value);
            }
            prefix = prefix.trim_start_matches(' ');
            value = value.trim_start_matches(' ');
            continue;
        }
        value = value.strip_prefix(expected).ok_or(value)?;
        prefix = &prefix[expected.len_utf8()..];
    }
    Ok(value)
}

/// One or two digits; `fixed` wants two.
fn number(value: &str, fixed: bool) -> Fit<'_, i8> {
    let digits = value.bytes().take(2).take_while(u8::is_ascii_digit).count();
    if digits == 0 || (fixed && digits < 2) {
        return Err(Misfit::Malformed);
    }
    let (text, rest) = value.split_at(digits);
    Ok((text.parse().map_err(|_| Misfit::Malformed)?, rest))
}

fn bounded<'v>(value: &'v str, fixed: bool, most: i8, what: &'static str) -> Fit<'v, i8> {
    let (found, rest) = number(value, fixed)?;
    if found > most {
        return Err(Misfit::OutOfRange(what));
    }
    Ok((found, rest))
}

fn split(value: &str, length: usize) -> Fit<'_, &str> {
    value.split_at_checked(length).ok_or(Misfit::Malformed)
}

/// A name at the start, any case: its index, and what follows.
fn name<'v>(names: &[&str], length: Option<usize>, value: &'v str) -> Fit<'v, i8> {
    for (index, full) in (0_i8..).zip(names) {
        let candidate = &full[..length.unwrap_or(full.len())];
        let matches = value
            .get(..candidate.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(candidate));
        if matches {
            return Ok((index, &value[candidate.len()..]));
        }
    }
    Err(Misfit::Malformed)
}

/// A separator and digits at the start of `text`, which has nothing else: nanoseconds.
fn nanoseconds(text: &str) -> Result<i32, Misfit> {
    if !text.starts_with(['.', ',']) {
        return Err(Misfit::Malformed);
    }
    let digits = text.get(1..text.len().min(10)).ok_or(Misfit::Malformed)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Misfit::Malformed);
    }
    format!("{digits:0<9}").parse().map_err(|_| Misfit::Malformed)
}

/// How long the fraction (`.123`) at the start is; 0 when there is none.
fn fraction_length(value: &str) -> usize {
    if !value.starts_with(['.', ',']) {
        return 0;
    }
    match value[1..].bytes().take_while(u8::is_ascii_digit).count() {
        0 => 0,
        digits => digits + 1,
    }
}

impl Fields {
    /// Reads one token; what follows in the value is returned.
    fn read<'v>(&mut self, token: Token, value: &'v str, layout_rest: &str) -> Result<&'v str, Misfit> {
        let rest;
        match token {
            Token::Year | Token::LongYear => return self.read_year(token == Token::LongYear, value),
            Token::Month | Token::LongMonth => {
                let length = (token == Token::Month).then_some(3);
                let (index, after) = name(&MONTHS, length, value)?;
                self.month = Some(index + 1);
                rest = after;
            }
            Token::NumberMonth | Token::ZeroMonth => {
                let (month, after) = bounded(value, token == Token::ZeroMonth, 12, "month")?;
                if month == 0 {
                    return Err(Misfit::OutOfRange("month"));
                }
                self.month = Some(month);
                rest = after;
            }
            Token::Weekday => (_, rest) = name(&WEEKDAYS, Some(3), value)?,
            Token::LongWeekday => (_, rest) = name(&WEEKDAYS, None, value)?,
            Token::Day | Token::SpaceDay | Token::ZeroDay => {
                let padded = token == Token::SpaceDay;
                let text = if padded {
                    value.strip_prefix(' ').unwrap_or(value)
                } else {
                    value
                };
                let (day, after) = number(text, token == Token::ZeroDay)?;
                self.day = Some(i32::from(day));
                rest = after;
            }
            Token::SpaceYearDay | Token::ZeroYearDay => return self.read_year_day(token, value),
            Token::Hour => (self.hour, rest) = bounded(value, false, 23, "hour")?,
            Token::Hour12 => (self.hour, rest) = bounded(value, false, 12, "hour")?,
            Token::ZeroHour12 => (self.hour, rest) = bounded(value, true, 12, "hour")?,
            Token::Minute => (self.minute, rest) = bounded(value, false, 59, "minute")?,
            Token::ZeroMinute => (self.minute, rest) = bounded(value, true, 59, "minute")?,
            Token::Second | Token::ZeroSecond => {
                return self.read_second(token == Token::ZeroSecond, value, layout_rest);
            }
            Token::UpperHalf | Token::LowerHalf => {
                let (half, after) = split(value, 2)?;
                let upper = token == Token::UpperHalf;
                self.afternoon = Some(match half {
                    "PM" if upper => true,
                    "AM" if upper => false,
                    "pm" if !upper => true,
                    "am" if !upper => false,
                    _ => return Err(Misfit::Malformed),
                });
                rest = after;
            }
            Token::ZoneName => return self.read_zone_name(value),
            Token::Offset(style) => return self.read_offset(style, value),
            Token::Fraction(_, digits) => {
                let (text, after) = split(value, digits + 1)?;
                self.nanosecond = nanoseconds(text)?;
                rest = after;
            }
            Token::TrimmedFraction(..) => return self.read_fraction(value),
        }
        Ok(rest)
    }

    fn read_year<'v>(&mut self, long: bool, value: &'v str) -> Result<&'v str, Misfit> {
        let (text, rest) = split(value, if long { 4 } else { 2 })?;
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Misfit::Malformed);
        }
        let year: i16 = text.parse().map_err(|_| Misfit::Malformed)?;
        self.year = match (long, year) {
            (true, _) => year,
            (false, 69..) => year + 1900,
            (false, _) => year + 2000,
        };
        Ok(rest)
    }

    fn read_year_day<'v>(&mut self, token: Token, mut value: &'v str) -> Result<&'v str, Misfit> {
        if token == Token::SpaceYearDay {
            for _ in 0..2 {
                value = value.strip_prefix(' ').unwrap_or(value);
            }
        }
        let digits = value.bytes().take(3).take_while(u8::is_ascii_digit).count();
        if digits == 0 || (token == Token::ZeroYearDay && digits < 3) {
            return Err(Misfit::Malformed);
        }
        let (text, rest) = value.split_at(digits);
        self.year_day = text.parse().ok();
        Ok(rest)
    }

    /// A fraction after the seconds is read even where the layout has none.
    fn read_second<'v>(&mut self, fixed: bool, value: &'v str, layout_rest: &str) -> Result<&'v str, Misfit> {
        let (second, rest) = bounded(value, fixed, 59, "second")?;
        self.second = second;
        let next = next_chunk(layout_rest).token;
        if matches!(next, Some((Token::Fraction(..) | Token::TrimmedFraction(..), _))) {
            return Ok(rest);
        }
        self.read_fraction(rest)
    }

    /// A fraction if there is one.
    fn read_fraction<'v>(&mut self, value: &'v str) -> Result<&'v str, Misfit> {
        let length = fraction_length(value);
        if length == 0 {
            return Ok(value);
        }
        let (text, rest) = value.split_at(length);
        self.nanosecond = nanoseconds(text)?;
        Ok(rest)
    }

    fn read_offset<'v>(&mut self, style: OffsetStyle, value: &'v str) -> Result<&'v str, Misfit> {
        if style.iso && value.starts_with('Z') {
            self.utc = true;
            return Ok(&value[1..]);
        }
        let (sign, mut rest) = split(value, 1)?;
        let mut parts = [0_i32; 3];
        let wanted = 1 + usize::from(style.minutes) + usize::from(style.seconds);
        for (index, part) in parts.iter_mut().take(wanted).enumerate() {
            if index > 0 && style.colon {
                rest = rest.strip_prefix(':').ok_or(Misfit::Malformed)?;
            }
            let (found, after) = number(rest, true)?;
            *part = i32::from(found);
            rest = after;
        }
        let [hours, minutes, seconds] = parts;
        for (part, most, what) in [
            (hours, 24, "time zone offset hour"),
            (minutes, 60, "time zone offset minute"),
            (seconds, 60, "time zone offset second"),
        ] {
            if part > most {
                return Err(Misfit::OutOfRange(what));
            }
        }
        let total = (hours * 60 + minutes) * 60 + seconds;
        self.offset_seconds = Some(match sign {
            "+" => total,
            "-" => -total,
            _ => return Err(Misfit::Malformed),
        });
        Ok(rest)
    }

    fn read_zone_name<'v>(&mut self, value: &'v str) -> Result<&'v str, Misfit> {
        if let Some(rest) = value.strip_prefix("UTC") {
            self.utc = true;
            return Ok(rest);
        }
        let length = zone_name_length(value).ok_or(Misfit::Malformed)?;
        let (text, rest) = value.split_at(length);
        self.zone_name = Some(text.to_owned());
        Ok(rest)
    }

    fn finish(mut self, local: &Zone) -> Result<Time, &'static str> {
        self.hour = match self.afternoon {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let date = self.date()?;
        let wall = DateTime::new(
            date.year(),
            date.month(),
            date.day(),
            self.hour,
            self.minute,
            self.second,
            self.nanosecond,
        )
        .map_err(|_| "day out of range")?;
        self.in_zone(wall, local).ok_or("year out of range")
    }

    fn date(&self) -> Result<Date, &'static str> {
        let Some(year_day) = self.year_day else {
            let month = self.month.unwrap_or(1);
            let day = self.day.unwrap_or(1);
            let day = i8::try_from(day).map_err(|_| "day out of range")?;
            return Date::new(self.year, month, day).map_err(|_| "day out of range");
        };
        let first = Date::new(self.year, 1, 1).map_err(|_| "day-of-year out of range")?;
        let date = i16::try_from(year_day)
            .ok()
            .and_then(|day| first.with().day_of_year(day).build().ok())
            .ok_or("day-of-year out of range")?;
        if self.month.is_some_and(|month| month != date.month()) {
            return Err("day-of-year does not match month");
        }
        if self.day.is_some_and(|day| day != i32::from(date.day())) {
            return Err("day-of-year does not match day");
        }
        Ok(date)
    }

    /// Go prefers the local zone where it agrees with the offset or the name that was read.
    fn in_zone(self, wall: DateTime, local: &Zone) -> Option<Time> {
        let zone = if self.utc {
            Zone::Utc
        } else if let Some(seconds) = self.offset_seconds {
            let offset = Offset::from_seconds(seconds).ok()?;
            let instant = offset.to_timestamp(wall).ok()?;
            if agrees(local, instant, offset, self.zone_name.as_deref()) {
                local.clone()
            } else {
                fixed(self.zone_name.as_deref().unwrap_or_default(), offset)
            }
        } else if let Some(name) = self.zone_name.as_deref() {
            return by_name(name, wall, local);
        } else {
            local.clone()
        };
        let instant = zone.instant(wall)?;
        Some(Time { instant, zone })
    }
}

fn by_name(name: &str, wall: DateTime, local: &Zone) -> Option<Time> {
    if let Some(offset) = local.offset_by_name(name, wall) {
        return Some(Time {
            instant: offset.to_timestamp(wall).ok()?,
            zone: local.clone(),
        });
    }
    // The offset of an unknown name is 0; the hours of `GMT+3` are taken, but the wall clock is not moved by them.
    let hours = name
        .strip_prefix("GMT")
        .and_then(|hours| hours.parse::<i8>().ok())
        .unwrap_or(0);
    let offset = Offset::from_hours(hours).ok()?;
    Some(Time {
        instant: Offset::UTC.to_timestamp(wall).ok()?,
        zone: fixed(name, offset),
    })
}

fn agrees(local: &Zone, instant: Timestamp, offset: Offset, name: Option<&str>) -> bool {
    let in_force = local.in_force(instant);
    in_force.offset == offset && name.is_none_or(|name| name == in_force.abbreviation)
}

fn fixed(name: &str, offset: Offset) -> Zone {
    Zone::Fixed {
        abbreviation: Arc::from(name),
        offset,
    }
}

/// What looks like a zone's name: three to five capitals, `GMT+3`, `+03`, and the two names with a small letter.
fn zone_name_length(value: &str) -> Option<usize> {
    if value.len() < 3 {
        return None;
    }
    if value.starts_with("ChST") || value.starts_with("MeST") {
        return Some(4);
    }
    if let Some(rest) = value.strip_prefix("GMT") {
        return Some(3 + signed_offset_length(rest).unwrap_or(0));
    }
    if value.starts_with(['+', '-']) {
        return signed_offset_length(value);
    }
    let capitals = value.bytes().take(6).take_while(u8::is_ascii_uppercase).count();
    let ends_in_t = |length: usize| value.as_bytes().get(length - 1) == Some(&b'T');
    match capitals {
        5 if ends_in_t(5) => Some(5),
        4 if ends_in_t(4) || value.starts_with("WITA") => Some(4),
        3 => Some(3),
        _ => None,
    }
}

fn signed_offset_length(value: &str) -> Option<usize> {
    let digits = value.strip_prefix(['+', '-'])?;
    let length = digits.bytes().take_while(u8::is_ascii_digit).count();
    let hours: u64 = digits[..length].parse().ok()?;
    (hours <= 23).then_some(length + 1)
}
