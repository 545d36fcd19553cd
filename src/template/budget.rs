//! Counting what a rendering uses: steps, bytes, keys, time.
//!
//! Every call of a function passes through here. What a function reads and makes is counted by its size, so that no
//! function can be made to work much for one step; functions that walk whole trees are counted by the tree, because a
//! few calls can build one that is larger than any memory (a list that holds another one twice, thirty times over).

use super::context::Context;
use super::error::{FunctionError, LimitError};
use super::function::{Cost, Function};
use super::limits::Used;
use super::value::{Extent, Underlying, Value};

/// How many bytes are read or written in the time of a step.
const BYTES_PER_STEP: usize = 32;
/// What an element of a list takes in memory, roughly.
pub(super) const ELEMENT: usize = 64;
/// What an entry of a dictionary takes in memory, roughly.
const ENTRY: usize = 128;
/// How many times as much as its text a tree that is read from it may take, roughly; or a text that is written with
/// escapes.
const READ: usize = 8;
/// How deep trees are counted. Whatever walks them gives up earlier.
const DEPTH: usize = 1_000;

/// The size of a tree.
#[derive(Clone, Copy, Debug, Default)]
pub struct Size {
    /// Its nodes.
    pub nodes: u64,
    /// The bytes that it takes as text, indented; never too few by much.
    pub bytes: usize,
}

impl Context<'_> {
    /// Calls a function and counts what that takes.
    pub(super) fn invoke_counted(&mut self, function: &Function, values: &[Value]) -> Result<Value, FunctionError> {
        self.count_arguments(function, values)?;
        if let Cost::Keys(count) = function.cost {
            return self.make_keys(count, |context| (function.body)(context, values));
        }
        let value = (function.body)(self, values)?;
        self.count_result(function, &value)?;
        Ok(value)
    }

    fn count_arguments(&mut self, function: &Function, values: &[Value]) -> Result<(), LimitError> {
        let mut read = 0_usize;
        for value in values {
            match (value, function.cost) {
                (Value::String(text), _) => read += text.len(),
                (Value::Bytes(bytes), _) => read += bytes.as_bytes().len(),
                (Value::List(_) | Value::Map(_) | Value::Object(_), Cost::Walks) => {
                    self.measure(value)?;
                }
                (Value::Map(map), Cost::Scans) => read += map.len() * BYTES_PER_STEP,
                _ => {}
            }
        }
        if function.cost == Cost::Walks {
            // A text that is read into a tree (`fromYaml`) takes many times as much there.
            self.check_size(read.saturating_mul(READ))?;
        }
        self.spend(read / BYTES_PER_STEP)
    }

    fn count_result(&mut self, function: &Function, value: &Value) -> Result<(), LimitError> {
        let made = match value {
            Value::String(text) => text.len(),
            Value::Bytes(bytes) => bytes.as_bytes().len(),
            Value::List(_) | Value::Map(_) if function.cost == Cost::Walks => {
                let Size { nodes, bytes } = self.measure(value)?;
                usize::try_from(nodes)
                    .unwrap_or(usize::MAX)
                    .saturating_mul(ELEMENT)
                    .saturating_add(bytes)
            }
            // One that others hold as well is not new.
            Value::List(list) if list.is_unique() => list.len() * ELEMENT,
            Value::Map(map) if map.is_unique() => (map.len() + 1) * ENTRY,
            _ => return Ok(()),
        };
        self.used.make(&self.limits, made)?;
        self.spend(made / BYTES_PER_STEP)
    }

    /// Counts work that takes as long as so many steps.
    pub fn spend(&mut self, steps: usize) -> Result<(), LimitError> {
        self.used.steps = self.used.steps.saturating_add(u64::try_from(steps).unwrap_or(u64::MAX));
        if self.used.steps > self.used.look_at {
            self.look()
        } else {
            Ok(())
        }
    }

    /// Counts bytes that are made and may be kept.
    pub(super) fn make(&mut self, bytes: usize) -> Result<(), LimitError> {
        self.used.make(&self.limits, bytes)
    }

    /// Counts the nodes of a tree, as a tree, before something walks it.
    pub fn measure(&mut self, value: &Value) -> Result<Size, LimitError> {
        let left = self.limits.steps.saturating_sub(self.used.steps);
        let mut size = Size::default();
        let is_bounded = add(value, left, self.limits.bytes, 0, &mut size);
        let nodes = usize::try_from(size.nodes).unwrap_or(usize::MAX);
        self.spend(nodes.saturating_add(size.bytes / BYTES_PER_STEP))?;
        self.check_size(size.bytes)?;
        if is_bounded {
            Ok(size)
        } else {
            Err(LimitError::Steps(self.limits.steps))
        }
    }

    /// Makes keys: they are counted, and the time that they take is not.
    fn make_keys<T>(
        &mut self,
        count: u32,
        make: impl FnOnce(&mut Self) -> Result<T, FunctionError>,
    ) -> Result<T, FunctionError> {
        self.used.keys = self.used.keys.saturating_add(count);
        if self.used.keys > self.limits.keys {
            return Err(LimitError::Keys(self.limits.keys).into());
        }
        let before = self.host().elapsed();
        let made = make(self);
        let took = self.host().elapsed().saturating_sub(before);
        self.used.since += took;
        made
    }

    /// Looks at the limit of steps and at the clock.
    #[cold]
    pub(super) fn look(&mut self) -> Result<(), LimitError> {
        if self.used.steps > self.limits.steps {
            return Err(LimitError::Steps(self.limits.steps));
        }
        let elapsed = self.host().elapsed();
        if elapsed.saturating_sub(self.used.since) > self.limits.time {
            return Err(LimitError::Time(self.limits.time));
        }
        self.used.look_at = self.used.steps.saturating_add(Used::INTERVAL).min(self.limits.steps);
        Ok(())
    }
}

/// Adds a tree to a size; false when there are more nodes than `most`, or more bytes.
fn add(value: &Value, most: u64, most_bytes: usize, depth: usize, size: &mut Size) -> bool {
    size.nodes += 1;
    size.bytes = size.bytes.saturating_add(4 + 2 * depth);
    if size.nodes > most || size.bytes > most_bytes {
        return false;
    }
    match value {
        Value::String(text) => size.bytes = size.bytes.saturating_add(text.len()),
        // A byte of a slice is printed as a number.
        Value::Bytes(bytes) => size.bytes = size.bytes.saturating_add(bytes.as_bytes().len().saturating_mul(4)),
        Value::Object(object) if depth < DEPTH => {
            let mut add = |value: &Value| add(value, most, most_bytes, depth + 1, size);
            return match object.underlying() {
                Underlying::Scalar(_) => true,
                Underlying::Struct(fields) => fields.iter().all(|field| add(&field.value)),
                Underlying::Map(entries) => entries.iter().all(|(_, value)| add(value)),
            };
        }
        Value::List(list) if depth < DEPTH => {
            return list.iter().all(|item| add(item, most, most_bytes, depth + 1, size));
        }
        Value::Map(map) if depth < DEPTH => {
            if let Some(frozen) = map.as_frozen() {
                // The same sums as below, made when it was frozen.
                let Extent {
                    nodes, text, levels, ..
                } = frozen.extent();
                let indents = levels + nodes * u64::try_from(depth).unwrap_or(u64::MAX);
                let bytes = usize::try_from(4 * nodes + 2 * indents).unwrap_or(usize::MAX);
                size.nodes = size.nodes.saturating_add(nodes);
                size.bytes = size.bytes.saturating_add(bytes).saturating_add(text);
                return size.nodes <= most && size.bytes <= most_bytes;
            }
            let Some(entries) = map.borrow() else { return true };
            return entries.iter().all(|(key, value)| {
                size.bytes = size.bytes.saturating_add(key.len());
                add(value, most, most_bytes, depth + 1, size)
            });
        }
        _ => {}
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::value::{Frozen, Map, MapType};
    use std::sync::Arc;

    #[test]
    fn a_frozen_table_counts_as_one_that_was_looked_at() {
        let json = serde_json::json!({"a": {"b": [1.0, {"c": "text"}], "long key": null}, "d": "more text", "e": {}});
        let serde_json::Value::Object(entries) = &json else {
            panic!("a table")
        };
        let frozen = Value::Map(Map::frozen(MapType::Any, Arc::new(Frozen::new(entries))));
        let nested = Value::list(vec![frozen.clone(), frozen]);
        let live = Value::from_json(&json);
        let live = Value::list(vec![live.clone(), live]);
        let size = |value: &Value| {
            let mut size = Size::default();
            assert!(add(value, u64::MAX, usize::MAX, 0, &mut size));
            (size.nodes, size.bytes)
        };
        assert_eq!(size(&nested), size(&live));
        let mut counted = Size::default();
        assert!(!add(&nested, 3, usize::MAX, 0, &mut counted), "three nodes are too few");
    }
}
