//! `time.Time`, `time.Duration`, `time.Month` and `time.Weekday` as values with methods.

use std::any::Any;

use super::message;
use crate::go::time::{Duration, Time, Zone};
use crate::template::context::Context;
use crate::template::error::FunctionError;
use crate::template::function::{Argument, Function, Int, Type, function, wrong_type};
use crate::template::value::{Field, Kind, Object, Text, Underlying, Value};

type Result<T> = std::result::Result<T, FunctionError>;

pub(super) const TIME: Type = Type::Named("time.Time", Kind::Struct);
pub(crate) const DURATION: Type = Type::Named("time.Duration", Kind::Int64);
const MONTH: Type = Type::Named("time.Month", Kind::Int);
const WEEKDAY: Type = Type::Named("time.Weekday", Kind::Int);

/// Go's `time.Time` in a template.
#[derive(Debug)]
pub struct TimeObject(pub Time);

/// Go's `time.Duration` in a template.
#[derive(Debug)]
pub(crate) struct DurationObject(pub(crate) Duration);

/// A named `int` with a name for each value: `time.Month`, `time.Weekday`.
#[derive(Debug)]
struct NamedInt {
    go_type: Type,
    number: i64,
    name: &'static str,
}

/// A time as a value.
pub(crate) fn instant_value(time: Time) -> Value {
    Value::object(TimeObject(time))
}

/// A duration as a value.
pub(crate) fn duration_value(duration: Duration) -> Value {
    Value::object(DurationObject(duration))
}

impl Object for TimeObject {
    fn type_name(&self) -> &'static str {
        TIME.name()
    }

    fn kind(&self) -> Kind {
        Kind::Struct
    }

    /// Go's own fields are private; these tell times apart in the same way.
    fn underlying(&self) -> Underlying {
        let Self(time) = self;
        let location = time.format("MST -070000");
        let nanoseconds = i64::from(time.instant.subsec_nanosecond());
        let fields = [
            ("wall", Value::Int64(nanoseconds)),
            ("ext", Value::Int64(time.instant.as_second())),
            ("loc", Value::text(location)),
        ];
        Underlying::Struct(
            fields
                .into_iter()
                .map(|(name, value)| Field {
                    name,
                    value,
                    interface: false,
                })
                .collect(),
        )
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn stringer(&self) -> Option<Text> {
        Some(self.0.to_string().into())
    }

    fn methods(&self) -> &'static [Function] {
        TIME_METHODS
    }

    fn encoded(&self) -> Option<Value> {
        Some(Value::text(self.0.to_rfc3339()))
    }
}

impl Object for DurationObject {
    fn type_name(&self) -> &'static str {
        DURATION.name()
    }

    fn kind(&self) -> Kind {
        Kind::Int64
    }

    fn underlying(&self) -> Underlying {
        Underlying::Scalar(Value::Int64(self.0.0))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn stringer(&self) -> Option<Text> {
        Some(self.0.to_string().into())
    }

    fn methods(&self) -> &'static [Function] {
        DURATION_METHODS
    }
}

impl Object for NamedInt {
    fn type_name(&self) -> &'static str {
        self.go_type.name()
    }

    fn kind(&self) -> Kind {
        Kind::Int
    }

    fn underlying(&self) -> Underlying {
        Underlying::Scalar(Value::Int(self.number))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn stringer(&self) -> Option<Text> {
        Some(self.name.into())
    }

    fn methods(&self) -> &'static [Function] {
        const METHODS: &[Function] = &[function!("String", named_int_name, (&Value) -> &'static str)];
        METHODS
    }
}

fn named_int_name(value: &Value) -> &'static str {
    value.downcast::<NamedInt>().map_or("", |named| named.name)
}

impl<'a> Argument<'a> for &'a TimeObject {
    const TYPE: Type = TIME;

    fn take(value: &'a Value) -> Result<Self> {
        value.downcast().ok_or_else(|| wrong_type(TIME, value))
    }
}

impl<'a> Argument<'a> for &'a DurationObject {
    const TYPE: Type = DURATION;

    fn take(value: &'a Value) -> Result<Self> {
        value.downcast().ok_or_else(|| wrong_type(DURATION, value))
    }
}

const TIME_METHODS: &[Function] = &[
    function!("String", |time: &Value| Ok(receiver(time)?.to_string()), (&Value) -> Result<String>),
    function!("Format", format, (&Value, &Text) -> Result<String>),
    function!("Year", |time: &Value| Ok(Int(receiver(time)?.wall_clock().year().into())), (&Value) -> Result<Int>),
    function!("Month", month, (&Value) -> Result<Value> as MONTH),
    function!("Day", |time: &Value| Ok(Int(receiver(time)?.wall_clock().day().into())), (&Value) -> Result<Int>),
    function!("Hour", |time: &Value| Ok(Int(receiver(time)?.wall_clock().hour().into())), (&Value) -> Result<Int>),
    function!("Minute", |time: &Value| Ok(Int(receiver(time)?.wall_clock().minute().into())), (&Value) -> Result<Int>),
    function!("Second", |time: &Value| Ok(Int(receiver(time)?.wall_clock().second().into())), (&Value) -> Result<Int>),
    function!("Nanosecond", nanosecond, (&Value) -> Result<Int>),
    function!("Weekday", weekday, (&Value) -> Result<Value> as WEEKDAY),
    function!("YearDay", year_day, (&Value) -> Result<Int>),
    function!("Unix", |time: &Value| Ok(receiver(time)?.unix()), (&Value) -> Result<i64>),
    function!("UnixMilli", |time: &Value| unix_in(time, 1_000_000), (&Value) -> Result<i64>),
    function!("UnixMicro", |time: &Value| unix_in(time, 1_000), (&Value) -> Result<i64>),
    function!("UnixNano", |time: &Value| unix_in(time, 1), (&Value) -> Result<i64>),
    function!("IsZero", |time: &Value| Ok(receiver(time)?.is_zero()), (&Value) -> Result<bool>),
    function!("UTC", |time: &Value| Ok(instant_value(receiver(time)?.in_zone(Zone::Utc))), (&Value) -> Result<Value> as TIME),
    function!("Local", @context local, (&Value) -> Result<Value> as TIME),
    function!("Add", add, (&Value, &DurationObject) -> Result<Value> as TIME),
    function!("AddDate", add_date, (&Value, Int, Int, Int) -> Result<Value> as TIME),
    function!("Sub", subtract, (&Value, &TimeObject) -> Result<Value> as DURATION),
    function!("After", |a: &Value, b: &TimeObject| Ok(receiver(a)?.instant > b.0.instant), (&Value, &TimeObject) -> Result<bool>),
    function!("Before", |a: &Value, b: &TimeObject| Ok(receiver(a)?.instant < b.0.instant), (&Value, &TimeObject) -> Result<bool>),
    function!("Equal", |a: &Value, b: &TimeObject| Ok(receiver(a)?.instant == b.0.instant), (&Value, &TimeObject) -> Result<bool>),
];

fn receiver(value: &Value) -> Result<&Time> {
    let TimeObject(time) = value.downcast().ok_or_else(|| wrong_type(TIME, value))?;
    Ok(time)
}

fn format(time: &Value, layout: &Text) -> Result<String> {
    Ok(receiver(time)?.format(&layout.to_str_lossy()))
}

fn month(time: &Value) -> Result<Value> {
    let time = receiver(time)?;
    let number = i64::from(time.wall_clock().month());
    Ok(Value::object(NamedInt {
        go_type: MONTH,
        number,
        name: time.month_name(),
    }))
}

fn weekday(time: &Value) -> Result<Value> {
    let time = receiver(time)?;
    let number = i64::from(time.wall_clock().weekday().to_sunday_zero_offset());
    Ok(Value::object(NamedInt {
        go_type: WEEKDAY,
        number,
        name: time.weekday_name(),
    }))
}

fn nanosecond(time: &Value) -> Result<Int> {
    Ok(Int(receiver(time)?.wall_clock().subsec_nanosecond().into()))
}

fn year_day(time: &Value) -> Result<Int> {
    Ok(Int(receiver(time)?.wall_clock().day_of_year().into()))
}

/// Units of so many nanoseconds since 1970, rounded down.
fn unix_in(time: &Value, unit: i128) -> Result<i64> {
    let units = receiver(time)?.instant.as_nanosecond().div_euclid(unit);
    i64::try_from(units).map_err(|_| message("time out of range"))
}

fn local(context: &mut Context<'_>, time: &Value) -> Result<Value> {
    let zone = super::local_zone(context);
    Ok(instant_value(receiver(time)?.in_zone(zone)))
}

fn add(time: &Value, duration: &DurationObject) -> Result<Value> {
    Ok(instant_value(receiver(time)?.add(duration.0)))
}

fn add_date(time: &Value, Int(years): Int, Int(months): Int, Int(days): Int) -> Result<Value> {
    let changed = receiver(time)?.add_date(years, months, days);
    changed.map(instant_value).ok_or_else(|| message("time out of range"))
}

fn subtract(time: &Value, earlier: &TimeObject) -> Result<Value> {
    Ok(duration_value(receiver(time)?.since(&earlier.0)))
}

const DURATION_METHODS: &[Function] = &[
    function!("String", |value: &Value| Ok(span(value)?.to_string()), (&Value) -> Result<String>),
    function!("Hours", |value: &Value| Ok(span(value)?.hours()), (&Value) -> Result<f64>),
    function!("Minutes", |value: &Value| Ok(span(value)?.minutes()), (&Value) -> Result<f64>),
    function!("Seconds", |value: &Value| Ok(span(value)?.seconds()), (&Value) -> Result<f64>),
    function!("Milliseconds", |value: &Value| Ok(span(value)?.0 / 1_000_000), (&Value) -> Result<i64>),
    function!("Microseconds", |value: &Value| Ok(span(value)?.0 / 1_000), (&Value) -> Result<i64>),
    function!("Nanoseconds", |value: &Value| Ok(span(value)?.0), (&Value) -> Result<i64>),
    function!("Abs", |value: &Value| Ok(duration_value(Duration(span(value)?.0.saturating_abs()))), (&Value) -> Result<Value> as DURATION),
    function!("Round", |value: &Value, to: &DurationObject| Ok(duration_value(span(value)?.round(to.0))), (&Value, &DurationObject) -> Result<Value> as DURATION),
    function!("Truncate", |value: &Value, to: &DurationObject| Ok(duration_value(span(value)?.truncate(to.0))), (&Value, &DurationObject) -> Result<Value> as DURATION),
];

fn span(value: &Value) -> Result<Duration> {
    let DurationObject(duration) = value.downcast().ok_or_else(|| wrong_type(DURATION, value))?;
    Ok(*duration)
}
