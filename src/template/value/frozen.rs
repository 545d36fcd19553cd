//! Values that never change, shared between threads and renderings: the default values of charts.
//!
//! A [`Map`](super::Map) over a frozen table takes its entries from it when they are first looked at, one level at a
//! time. Most of a chart's defaults are never looked at.

use super::{List, Map, MapType, Text, Value};
use serde_json::Value as Json;
use std::sync::Arc;

/// A table of values, sorted by key.
#[derive(Debug, Default)]
pub struct Frozen {
    entries: Vec<(Text, Item)>,
    has_nulls: bool,
    /// How many tables, lists and scalars are inside each other at most.
    depth: usize,
}

#[derive(Debug)]
enum Item {
    Nil,
    Bool(bool),
    Int64(i64),
    Float64(f64),
    String(Text),
    List(Vec<Item>),
    Map(Arc<Frozen>),
}

impl Frozen {
    /// A table from JSON, with numbers as in [`Value::from_json`].
    pub fn new(entries: &serde_json::Map<String, Json>) -> Self {
        let mut has_nulls = false;
        let mut item = |json: &Json| {
            let item = Item::new(json);
            has_nulls |= match &item {
                Item::Nil => true,
                Item::Map(table) => table.has_nulls,
                Item::Bool(_) | Item::Int64(_) | Item::Float64(_) | Item::String(_) | Item::List(_) => false,
            };
            item
        };
        let mut entries: Vec<(Text, Item)> = entries
            .iter()
            .map(|(key, json)| (Text::from(key), item(json)))
            .collect();
        entries.sort_by(|(left, _), (right, _)| left.cmp(right));
        let depth = 1 + entries.iter().map(|(_, item)| item.depth()).max().unwrap_or(0);
        Self {
            entries,
            has_nulls,
            depth,
        }
    }

    /// Whether there is a null in this table or in the tables in it, lists left aside.
    pub fn has_nulls(&self) -> bool {
        self.has_nulls
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The entries as values of their own. Tables in them stay frozen until they are looked at.
    pub(super) fn thaw(&self) -> impl Iterator<Item = (Text, Value)> + use<'_> {
        self.entries.iter().map(|(key, item)| (key.clone(), item.thaw()))
    }

    pub(super) fn to_json(&self) -> Json {
        let entries = self.entries.iter();
        Json::Object(
            entries
                .map(|(key, item)| (key.to_str_lossy().into_owned(), item.to_json()))
                .collect(),
        )
    }

    pub(super) fn depth(&self) -> usize {
        self.depth
    }
}

impl Item {
    fn new(json: &Json) -> Self {
        match json {
            Json::Null => Self::Nil,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => match number.as_i64() {
                Some(value) if !number.is_f64() => Self::Int64(value),
                _ => Self::Float64(number.as_f64().unwrap_or_default()),
            },
            Json::String(text) => Self::String(text.into()),
            Json::Array(items) => Self::List(items.iter().map(Self::new).collect()),
            Json::Object(entries) => Self::Map(Arc::new(Frozen::new(entries))),
        }
    }

    fn thaw(&self) -> Value {
        match self {
            Self::Nil => Value::Nil,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int64(value) => Value::Int64(*value),
            Self::Float64(value) => Value::Float64(*value),
            Self::String(text) => Value::String(text.clone()),
            Self::List(items) => Value::List(List::new(items.iter().map(Self::thaw).collect())),
            Self::Map(table) => Value::Map(Map::frozen(MapType::Any, Arc::clone(table))),
        }
    }

    fn to_json(&self) -> Json {
        match self {
            Self::Nil => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Int64(value) => Json::from(*value),
            // JSON has no other floats than finite ones.
            Self::Float64(value) => Json::from(*value),
            Self::String(text) => Json::String(text.to_str_lossy().into_owned()),
            Self::List(items) => items.iter().map(Self::to_json).collect(),
            Self::Map(table) => table.to_json(),
        }
    }

    fn depth(&self) -> usize {
        match self {
            Self::Nil | Self::Bool(_) | Self::Int64(_) | Self::Float64(_) | Self::String(_) => 1,
            Self::List(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Self::Map(table) => table.depth,
        }
    }
}
