//! Dates and durations, by Go's layouts. The time and the local zone are the host's.

mod objects;

use super::conversions::nearest;
use super::message;
use crate::go::strconv;
use crate::go::time::{Duration, Time, Zone};
use crate::template::context::Context;
use crate::template::error::FunctionError;
use crate::template::function::{Function, function};
use crate::template::value::{Text, Value};

use objects::TIME;
pub use objects::TimeObject;
pub(crate) use objects::{DURATION, DurationObject, duration_value, instant_value};

type Result<T> = std::result::Result<T, FunctionError>;

pub(super) const FUNCTIONS: &[Function] = &[
    function!("now", @context now_value, () -> Value as TIME),
    function!("date", @context date, (&Text, &Value) -> String),
    function!("dateInZone", @context date_in_zone, (&Text, &Value, &Text) -> String),
    function!("date_in_zone", @context date_in_zone, (&Text, &Value, &Text) -> String),
    function!("htmlDate", @context html_date, (&Value) -> String),
    function!("htmlDateInZone", @context html_date_in_zone, (&Value, &Text) -> String),
    function!("dateModify", date_modify, (&Text, &TimeObject) -> Value as TIME),
    function!("date_modify", date_modify, (&Text, &TimeObject) -> Value as TIME),
    function!("mustDateModify", must_date_modify, (&Text, &TimeObject) -> Result<Value> as TIME),
    function!("must_date_modify", must_date_modify, (&Text, &TimeObject) -> Result<Value> as TIME),
    function!("toDate", @context to_date, (&Text, &Text) -> Value as TIME),
    function!("mustToDate", @context must_to_date, (&Text, &Text) -> Result<Value> as TIME),
    function!("unixEpoch", unix_epoch, (&TimeObject) -> String),
    function!("ago", @context ago, (&Value) -> String),
    function!("duration", duration, (&Value) -> String),
    function!("durationRound", @context duration_round, (&Value) -> String),
];

/// What Go calls Local.
pub(crate) fn local_zone(context: &mut Context<'_>) -> Zone {
    let zone = context.host().time_zone();
    if zone == jiff::tz::TimeZone::UTC {
        Zone::Utc
    } else {
        Zone::Named(zone)
    }
}

fn now(context: &mut Context<'_>) -> Time {
    let zone = local_zone(context);
    Time {
        instant: context.host().now(),
        zone,
    }
}

fn now_value(context: &mut Context<'_>) -> Value {
    instant_value(now(context))
}

/// A time, or seconds since 1970 as one of Go's signed integers; anything else is now.
fn as_time(context: &mut Context<'_>, value: &Value) -> Time {
    match value {
        Value::Int(seconds) | Value::Int64(seconds) => Time::from_unix(*seconds, Zone::Utc),
        Value::Int32(seconds) => Time::from_unix(i64::from(*seconds), Zone::Utc),
        other => match other.downcast::<TimeObject>() {
            Some(TimeObject(time)) => time.clone(),
            None => now(context),
        },
    }
}

/// An unknown zone means UTC.
fn format_in_zone(context: &mut Context<'_>, layout: &str, date: &Value, zone: &str) -> String {
    let local = local_zone(context);
    let zone = Zone::load(zone, &local).unwrap_or(Zone::Utc);
    as_time(context, date).in_zone(zone).format(layout)
}

fn date(context: &mut Context<'_>, layout: &Text, date: &Value) -> String {
    format_in_zone(context, &layout.to_str_lossy(), date, "Local")
}

fn date_in_zone(context: &mut Context<'_>, layout: &Text, date: &Value, zone: &Text) -> String {
    format_in_zone(context, &layout.to_str_lossy(), date, &zone.to_str_lossy())
}

fn html_date(context: &mut Context<'_>, date: &Value) -> String {
    format_in_zone(context, "2006-01-02", date, "Local")
}

fn html_date_in_zone(context: &mut Context<'_>, date: &Value, zone: &Text) -> String {
    format_in_zone(context, "2006-01-02", date, &zone.to_str_lossy())
}

fn date_modify(change: &Text, date: &TimeObject) -> Value {
    let TimeObject(time) = date;
    let changed = Duration::parse(&change.to_str_lossy()).map_or_else(|_| time.clone(), |by| time.add(by));
    instant_value(changed)
}

fn must_date_modify(change: &Text, date: &TimeObject) -> Result<Value> {
    let by = Duration::parse(&change.to_str_lossy()).map_err(message)?;
    let TimeObject(time) = date;
    Ok(instant_value(time.add(by)))
}

fn to_date(context: &mut Context<'_>, layout: &Text, text: &Text) -> Value {
    must_to_date(context, layout, text).unwrap_or_else(|_| instant_value(Time::zero()))
}

fn must_to_date(context: &mut Context<'_>, layout: &Text, text: &Text) -> Result<Value> {
    let local = local_zone(context);
    let time = Time::parse(&layout.to_str_lossy(), &text.to_str_lossy(), &local).map_err(message)?;
    Ok(instant_value(time))
}

fn unix_epoch(date: &TimeObject) -> String {
    let TimeObject(time) = date;
    time.unix().to_string()
}

fn ago(context: &mut Context<'_>, date: &Value) -> String {
    let time = match date {
        // Unlike `date`, this one does not know int32.
        Value::Int32(_) => now(context),
        other => as_time(context, other),
    };
    now(context).since(&time).round(Duration(1_000_000_000)).to_string()
}

/// Seconds as text or int64; any other type, an int among them, is none.
fn duration(seconds: &Value) -> String {
    let seconds = match seconds {
        Value::Int64(seconds) => *seconds,
        Value::String(text) => strconv::parse_int(text, 10, 64).unwrap_or_else(|error| nearest(text, error.reason)),
        _ => 0,
    };
    Duration(seconds.wrapping_mul(1_000_000_000)).to_string()
}

/// The largest unit that fits more than once, rounded down.
fn duration_round(context: &mut Context<'_>, duration: &Value) -> String {
    const SECOND: u64 = 1_000_000_000;
    const HOUR: u64 = 3_600 * SECOND;
    const UNITS: [(u64, &str); 6] = [
        (HOUR * 24 * 365, "y"),
        (HOUR * 24 * 30, "mo"),
        (HOUR * 24, "d"),
        (HOUR, "h"),
        (60 * SECOND, "m"),
        (SECOND, "s"),
    ];
    let nanoseconds = match duration {
        Value::String(text) => Duration::parse(&text.to_str_lossy()).unwrap_or_default().0,
        Value::Int64(nanoseconds) => *nanoseconds,
        other => match other.downcast::<TimeObject>() {
            Some(TimeObject(time)) => now(context).since(time).0,
            None => 0,
        },
    };
    let size = nanoseconds.unsigned_abs();
    let unit = UNITS.iter().find(|(unit, _)| size > *unit);
    unit.map_or_else(|| "0s".to_owned(), |(unit, name)| format!("{}{name}", size / unit))
}
