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
    extent: Extent,
}

/// How large something frozen is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// How many tables, lists and scalars are inside each other at most, itself included.
    pub depth: usize,
    /// Tables, lists and scalars in it, without itself.
    pub nodes: u64,
    /// Bytes of all keys and texts in it.
    pub text: usize,
    /// The sum of the depths of all nodes in it, counted from 1.
    pub levels: u64,
}

impl Extent {
    /// What holds these.
    fn around(inner: impl Iterator<Item = Extent>) -> Self {
        let mut outer = Self {
            depth: 1,
            ..Self::default()
        };
        for extent in inner {
            outer.depth = outer.depth.max(1 + extent.depth);
            outer.nodes += 1 + extent.nodes;
            outer.text += extent.text;
            outer.levels += 1 + extent.levels + extent.nodes;
        }
        outer
    }
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
        let extent = Extent::around(entries.iter().map(|(key, item)| {
            let extent = item.extent();
            Extent {
                text: extent.text + key.len(),
                ..extent
            }
        }));
        Self {
            entries,
            has_nulls,
            extent,
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

    /// How large it is.
    pub fn extent(&self) -> Extent {
        self.extent
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

    fn extent(&self) -> Extent {
        match self {
            Self::Nil | Self::Bool(_) | Self::Int64(_) | Self::Float64(_) => Extent::around(std::iter::empty()),
            Self::String(text) => Extent {
                text: text.len(),
                ..Extent::around(std::iter::empty())
            },
            Self::List(items) => Extent::around(items.iter().map(Self::extent)),
            Self::Map(table) => table.extent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_knows_its_extent() {
        let Json::Object(json) = serde_json::json!({"ab": {"c": "def"}, "g": [1.0, null]}) else {
            panic!("a table")
        };
        let expected = Extent {
            depth: 3,
            nodes: 5,
            text: 7,
            levels: 1 + 2 + 1 + 2 + 2,
        };
        assert_eq!(Frozen::new(&json).extent(), expected);
    }
}
