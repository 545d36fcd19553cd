//! How the values of a chart, of the charts around it and of the user become one table, by the rules of Helm 4.3.1.
//!
//! Two modes: *coalescing* (what templates see: nulls of chart defaults vanish, a user's null deletes a default) and
//! *merging* (what import-values work on: nulls are kept). The tables are the templates' shared maps, because Helm
//! shares sub-tables of `global` between charts and a later merge or `set` shows through.

use serde_json::Value as Json;

use super::{JsonMap, View, Warning};
use crate::template::value::{List, Map, Text, Value};

/// The key whose table every chart sees.
const GLOBAL: &[u8] = b"global";

/// Values that cannot be put together. Terminal until the values change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValuesError {
    /// Something other than a table where a subchart's values belong.
    #[error("type mismatch on {chart}: {value}")]
    TypeMismatch {
        /// The subchart.
        chart: String,
        /// The value, as Go's `%t` prints it.
        value: String,
    },
}

/// How nulls are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nulls {
    /// Coalescing: nulls delete.
    Delete,
    /// Merging: nulls stay.
    Keep,
}

/// Merges `over` into `base`: tables are merged, everything else is replaced. This is how several values files of the
/// user become one.
pub fn merge_maps(mut base: JsonMap, over: JsonMap) -> JsonMap {
    for (key, value) in over {
        let merged = match (base.remove(&key), value) {
            (Some(Json::Object(below)), Json::Object(above)) => Json::Object(merge_maps(below, above)),
            (_, value) => value,
        };
        base.insert(key, merged);
    }
    base
}

/// A fresh template table of JSON values.
pub fn table(values: &JsonMap) -> Map {
    values
        .iter()
        .map(|(key, value)| (key.as_str(), Value::from_json(value)))
        .collect()
}

/// Puts the values of a chart and of its subcharts below the given ones, which win. `values` is changed in place.
pub fn coalesce(chart: &View, values: &Map, nulls: Nulls, warnings: &mut Vec<Warning>) -> Result<(), ValuesError> {
    Coalescer { nulls, warnings }.chart(chart, values, "")
}

/// The table at a dotted path.
pub fn table_at(values: &Map, path: &str) -> Option<Map> {
    let mut current = values.clone();
    for key in path.split('.') {
        let next = current.get(key.as_bytes())?;
        current = next.as_map()?.clone();
    }
    Some(current)
}

/// Merges `below` into `above`, whose values win; nulls are kept.
pub(super) fn merge_tables(above: &Map, below: &Map, warnings: &mut Vec<Warning>) {
    Coalescer {
        nulls: Nulls::Keep,
        warnings,
    }
    .tables(above, below, "", Nulls::Keep);
}

/// A copy that shares nothing with the original.
pub(super) fn deep_copy(map: &Map) -> Map {
    if let Some(frozen) = map.as_frozen() {
        return Map::frozen(map.map_type(), frozen);
    }
    let Some(entries) = map.borrow() else {
        return Map::nil(map.map_type());
    };
    Map::of(
        map.map_type(),
        entries
            .iter()
            .map(|(key, value)| (key.clone(), copy_value(value)))
            .collect(),
    )
}

fn copy_value(value: &Value) -> Value {
    match value {
        Value::Map(map) => Value::Map(deep_copy(map)),
        Value::List(list) if !list.is_nil() => {
            Value::List(List::of(list.list_type(), list.iter().map(copy_value).collect()))
        }
        other => other.clone(),
    }
}

fn shallow_copy(map: &Map) -> Map {
    map.entries().into_iter().collect()
}

struct Coalescer<'a> {
    nulls: Nulls,
    warnings: &'a mut Vec<Warning>,
}

impl Coalescer<'_> {
    fn chart(&mut self, chart: &View, values: &Map, prefix: &str) -> Result<(), ValuesError> {
        let prefix = join(prefix, &chart.metadata.name);
        self.defaults(chart, values, &prefix);
        for subchart in &chart.subcharts {
            let name = subchart.metadata.name.as_bytes();
            let below = match values.get(name) {
                None => {
                    let created = Map::new();
                    insert(values, name, Value::Map(created.clone()));
                    created
                }
                Some(Value::Map(below)) => below,
                Some(other) => {
                    return Err(ValuesError::TypeMismatch {
                        chart: subchart.metadata.name.clone(),
                        value: describe(other),
                    });
                }
            };
            self.globals(&below, values, &prefix);
            self.chart(subchart, &below, &prefix)?;
        }
        Ok(())
    }

    /// Brings the parent's globals into a subchart's values. Tables are copied one level deep only, so that deeper
    /// ones are shared by parent and subchart, as in Helm.
    fn globals(&mut self, below: &Map, parent: &Map, prefix: &str) {
        let target = match below.get(GLOBAL) {
            None => Map::new(),
            Some(Value::Map(map)) => map,
            Some(_) => {
                self.warn("warning: skipping globals because destination global is not a table.".to_owned());
                return;
            }
        };
        let source = match parent.get(GLOBAL) {
            None => Map::new(),
            Some(Value::Map(map)) => map,
            Some(_) => {
                self.warn("warning: skipping globals because source global is not a table.".to_owned());
                return;
            }
        };
        for (key, value) in source.entries() {
            self.global(&target, &key, value, prefix);
        }
        insert(below, GLOBAL, Value::Map(target));
    }

    fn global(&mut self, target: &Map, key: &Text, value: Value, prefix: &str) {
        let existing = target.get(key);
        match (value, existing) {
            (Value::Map(table), None) => insert(target, key, Value::Map(shallow_copy(&table))),
            (Value::Map(table), Some(Value::Map(existing))) => {
                let copy = shallow_copy(&table);
                self.tables(&copy, &existing, &join(prefix, &key.to_str_lossy()), Nulls::Keep);
                insert(target, key, Value::Map(copy));
            }
            (Value::Map(_), Some(_)) => {
                self.warn(format!(
                    "Conflict: cannot merge map onto non-map for {:?}. Skipping.",
                    key.to_str_lossy()
                ));
            }
            (_, Some(Value::Map(_))) => self.warn(format!("key {key} is table. Skipping")),
            (value, _) => insert(target, key, value),
        }
    }

    /// The chart's own values below the given ones.
    fn defaults(&mut self, chart: &View, values: &Map, prefix: &str) {
        for (key, default) in chart.values.fresh().entries() {
            match values.get(&key) {
                Some(Value::Nil) if self.nulls == Nulls::Delete => {
                    values.remove(&key);
                }
                Some(Value::Map(table)) => match default {
                    Value::Map(below) => {
                        // A subchart's table is merged: its own coalescing deals with nulls.
                        let is_subchart = chart
                            .subcharts
                            .iter()
                            .any(|subchart| subchart.metadata.name.as_bytes() == &*key);
                        let nulls = if is_subchart { Nulls::Keep } else { self.nulls };
                        if nulls == Nulls::Delete {
                            remove_nulls(&below);
                        }
                        self.tables(&table, &below, &join(prefix, &key.to_str_lossy()), nulls);
                    }
                    Value::Nil => {}
                    _ => self.warn(format!("warning: skipped value for {prefix}.{key}: Not a table.")),
                },
                Some(_) => {}
                None => {
                    if self.nulls == Nulls::Delete {
                        match &default {
                            Value::Nil => continue,
                            Value::Map(below) => remove_nulls(below),
                            _ => {}
                        }
                    }
                    insert(values, &key, default);
                }
            }
        }
    }

    /// Merges `below` into `above`, whose values win. `below` is used up.
    fn tables(&mut self, above: &Map, below: &Map, prefix: &str, nulls: Nulls) {
        let below_entries = below.entries();
        for (key, value) in above.entries() {
            if !matches!(value, Value::Nil) {
                continue;
            }
            let default = below.get(&key);
            if nulls == Nulls::Delete && default.is_some_and(|default| !matches!(default, Value::Nil)) {
                above.remove(&key);
            }
            // A null above hides whatever is below; Helm writes it there too.
            insert(below, &key, Value::Nil);
        }
        for (key, default) in below_entries {
            match (above.get(&key), default) {
                // Deleted or kept as null in the loop above.
                (Some(Value::Nil), _) => {}
                (None, default) => {
                    if !matches!(below.get(&key), Some(Value::Nil)) || matches!(default, Value::Nil) {
                        insert(above, &key, default);
                    }
                }
                (Some(Value::Map(above)), Value::Map(below)) => {
                    self.tables(&above, &below, &join(prefix, &key.to_str_lossy()), nulls);
                }
                (Some(_), Value::Map(below)) => {
                    let path = join(prefix, &key.to_str_lossy());
                    let below = describe_plain(&Value::Map(below));
                    self.warn(format!(
                        "warning: cannot overwrite table with non table for {path} ({below})"
                    ));
                }
                (Some(Value::Map(_)), default) if !matches!(default, Value::Nil) => {
                    let path = join(prefix, &key.to_str_lossy());
                    let default = describe_plain(&default);
                    self.warn(format!(
                        "warning: destination for {path} is a table. Ignoring non-table value ({default})"
                    ));
                }
                (Some(_), _) => {}
            }
        }
    }

    fn warn(&mut self, warning: String) {
        self.warnings.push(Warning::info(warning));
    }
}

/// Drops nulls from a table and the tables in it, not from lists.
fn remove_nulls(table: &Map) {
    if table.as_frozen().is_some_and(|frozen| !frozen.has_nulls()) {
        return;
    }
    for (key, value) in table.entries() {
        match value {
            Value::Nil => {
                table.remove(&key);
            }
            Value::Map(inner) => remove_nulls(&inner),
            _ => {}
        }
    }
}

/// Values tables are made here and never nil, so that writing always works.
fn insert(map: &Map, key: &[u8], value: Value) {
    let written = map.insert(key, value);
    debug_assert!(written.is_ok(), "a values table is never nil");
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() {
        key.to_owned()
    } else {
        format!("{prefix}.{key}")
    }
}

/// A value as Go's `%t` prints it, which Helm uses for a value of any type.
fn describe(value: Value) -> String {
    String::from_utf8_lossy(&crate::go::fmt::sprintf(b"%t", &[value])).into_owned()
}

fn describe_plain(value: &Value) -> String {
    String::from_utf8_lossy(&crate::go::fmt::sprint(std::slice::from_ref(value))).into_owned()
}
