//! Reading TOML. The grammar is the `toml` crate's, and so are the words of its errors; types and values are Go's.

use std::sync::Arc;

use jiff::tz::Offset;
use toml::value::{Datetime, Value as Toml};

use crate::go::time::{Time, Zone};
use crate::template::functions::sprig::TimeObject;
use crate::template::value::{List, ListType, Map, Text, Value};

/// A text that is not TOML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Bytes that are not text.
    #[error("toml: files must be UTF-8")]
    Encoding,
    /// Anything else, in the parser's words.
    #[error("toml: {0}")]
    Syntax(String),
}

/// `toml.Unmarshal` into `map[string]any`. `local` is the zone that Go calls Local.
pub fn decode(text: &[u8], local: &Zone) -> Result<Map, DecodeError> {
    let text = std::str::from_utf8(text).map_err(|_| DecodeError::Encoding)?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error
            .span()
            .map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
        DecodeError::Syntax(format!("line {line}: {}", error.message()))
    })?;
    Ok(to_map(table, local))
}

fn to_map(table: toml::Table, local: &Zone) -> Map {
    table
        .into_iter()
        .map(|(key, value)| (Text::from(key), to_value(value, local)))
        .collect()
}

fn to_value(value: Toml, local: &Zone) -> Value {
    match value {
        Toml::String(text) => Value::text(text),
        Toml::Integer(number) => Value::Int64(number),
        Toml::Float(number) => Value::Float64(number),
        Toml::Boolean(flag) => Value::Bool(flag),
        Toml::Datetime(datetime) => {
            let time = to_time(&datetime, local);
            time.map_or(Value::Nil, |time| Value::object(TimeObject(time)))
        }
        Toml::Table(table) => Value::Map(to_map(table, local)),
        Toml::Array(items) => {
            // The library makes a typed slice of an array of tables.
            let tables = !items.is_empty() && items.iter().all(Toml::is_table);
            let list_type = if tables { ListType::Maps } else { ListType::Any };
            Value::List(List::of(
                list_type,
                items.into_iter().map(|item| to_value(item, local)).collect(),
            ))
        }
    }
}

const DATE_AND_TIME: &str = "2006-01-02T15:04:05.999999999";

/// The three kinds of time without an offset, by the names that the library gives their zones, with their layouts.
const WITHOUT_OFFSET: [(&str, &str); 3] = [
    ("datetime-local", DATE_AND_TIME),
    ("date-local", "2006-01-02"),
    ("time-local", "15:04:05.999999999"),
];

fn to_time(datetime: &Datetime, local: &Zone) -> Option<Time> {
    let text = datetime.to_string().replace(' ', "T");
    if datetime.offset.is_some() {
        return Time::parse("2006-01-02T15:04:05.999999999Z07:00", &text, local).ok();
    }
    let (name, layout) = match (datetime.date, datetime.time) {
        (Some(_), Some(_)) => WITHOUT_OFFSET[0],
        (Some(_), None) => WITHOUT_OFFSET[1],
        (None, _) => WITHOUT_OFFSET[2],
    };
    let zone = Zone::Fixed {
        abbreviation: Arc::from(name),
        offset: Offset::UTC,
    };
    Time::parse(layout, &text, &zone).ok()
}

/// A time as TOML: one without an offset as it was read.
pub(super) fn write_time(time: &Time) -> String {
    let name = time.format("MST");
    let without_offset = WITHOUT_OFFSET.iter().find(|(zone, _)| *zone == name);
    without_offset.map_or_else(|| time.to_rfc3339(), |(_, layout)| time.format(layout))
}
