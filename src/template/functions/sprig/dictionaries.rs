//! Dictionaries. `set` and `unset` change their argument, for everyone who holds it.
//!
//! Go gives `keys` and `values` in random order; here they are sorted by key.

use super::{failed_assertion, message, strval};
use crate::template::context::Context;
use crate::template::error::FunctionError;
use crate::template::function::{Cost, Function, Strings, Variadic, function};
use crate::template::value::{List, Map, MapType, Text, Value};

type Result<T> = std::result::Result<T, FunctionError>;

/// How deep `deepCopy` goes; below that is a cycle, on which Go's library overflows its stack.
const DEPTH: usize = 1_000;

pub(super) const FUNCTIONS: &[Function] = &[
    function!("dict", @context dict, (; &Value) -> Result<Map>),
    function!("get", get, (&Map, &Text) -> Value),
    function!("set", set, (&Map, &Text, &Value) -> Result<Map>),
    function!("unset", unset, (&Map, &Text) -> Map),
    function!("hasKey", has_key, (&Map, &Text) -> bool),
    function!("pluck", pluck, (&Text; &Map) -> Result<List>),
    function!("keys", keys, (; &Map) -> Result<Strings>).costs(Cost::Scans),
    function!("values", values, (&Map) -> List).costs(Cost::Scans),
    function!("pick", pick, (&Map; &Text) -> Result<Map>),
    function!("omit", omit, (&Map; &Text) -> Result<Map>).costs(Cost::Walks),
    function!("dig", dig, (; &Value) -> Result<Value>),
    function!("deepCopy", deep_copy, (&Value) -> Result<Value>).costs(Cost::Walks),
    function!("mustDeepCopy", deep_copy, (&Value) -> Result<Value>).costs(Cost::Walks),
];

/// A key without a value gets an empty string.
fn dict(context: &mut Context<'_>, pairs: Variadic<'_, &Value>) -> Result<Map> {
    for key in pairs.as_slice().iter().step_by(2) {
        if let Value::List(_) | Value::Map(_) | Value::Object(_) = key {
            let size = context.measure(key)?;
            context.make(size.bytes)?;
        }
    }
    let pairs = pairs.as_slice().chunks(2);
    let entries = pairs.filter_map(|pair| match pair {
        [key, value] => Some((strval(key), value.clone())),
        [key] => Some((strval(key), Value::text(""))),
        _ => None,
    });
    Ok(Map::of(MapType::Any, entries.collect()))
}

/// A missing key is an empty string, not nil.
fn get(map: &Map, key: &Text) -> Value {
    map.get(key).unwrap_or_else(|| Value::text(""))
}

fn set(map: &Map, key: &Text, value: &Value) -> Result<Map> {
    map.insert(key.clone(), value.clone())?;
    Ok(map.clone())
}

fn unset(map: &Map, key: &Text) -> Map {
    map.remove(key);
    map.clone()
}

fn has_key(map: &Map, key: &Text) -> bool {
    map.contains(key)
}

fn pluck(key: &Text, maps: Variadic<'_, &Map>) -> Result<List> {
    let maps = maps.collect()?;
    Ok(List::new(maps.into_iter().filter_map(|map| map.get(key)).collect()))
}

fn keys(maps: Variadic<'_, &Map>) -> Result<Strings> {
    Ok(Strings(maps.collect()?.into_iter().flat_map(Map::keys).collect()))
}

fn values(map: &Map) -> List {
    List::new(
        map.borrow()
            .map_or_else(Vec::new, |entries| entries.values().cloned().collect()),
    )
}

fn pick(map: &Map, keys: Variadic<'_, &Text>) -> Result<Map> {
    let keys = keys.collect()?;
    let picked = keys.into_iter().filter_map(|key| Some((key.clone(), map.get(key)?)));
    Ok(Map::of(MapType::Any, picked.collect()))
}

fn omit(map: &Map, keys: Variadic<'_, &Text>) -> Result<Map> {
    let kept = Map::of(MapType::Any, map.entries().into_iter().collect());
    for key in keys.collect()? {
        kept.remove(key);
    }
    Ok(kept)
}

/// The keys, the default, the dictionary. A `common.Values` is not the type that Sprig asserts.
fn dig(arguments: Variadic<'_, &Value>) -> Result<Value> {
    let [keys @ .., default, root] = arguments.as_slice() else {
        return Err(message("dig needs at least three arguments"));
    };
    if keys.is_empty() {
        return Err(message("dig needs at least three arguments"));
    }
    let mut map = as_dictionary(root)?.clone();
    let keys = keys
        .iter()
        .map(|key| key.as_text().ok_or_else(|| failed_assertion(key, "string")));
    let keys = keys.collect::<Result<Vec<_>>>()?;
    let Some((last, path)) = keys.split_last() else {
        return Ok(default.clone());
    };
    for key in path {
        match map.get(key) {
            None => return Ok(default.clone()),
            Some(step) => map = as_dictionary(&step)?.clone(),
        }
    }
    Ok(map.get(last).unwrap_or_else(|| default.clone()))
}

fn as_dictionary(value: &Value) -> Result<&Map> {
    match value {
        Value::Map(map) if map.map_type() == MapType::Any => Ok(map),
        other => Err(failed_assertion(other, "map[string]interface {}")),
    }
}

fn deep_copy(value: &Value) -> Result<Value> {
    if matches!(value, Value::Nil) {
        return Err(message("reflect: call of reflect.Value.Type on zero Value"));
    }
    copy_within(value, DEPTH)
}

fn copy_within(value: &Value, depth: usize) -> Result<Value> {
    let below = depth
        .checked_sub(1)
        .ok_or_else(|| message("deepCopy: the value contains itself"))?;
    match value {
        Value::Map(map) if !map.is_nil() => {
            let entries = map
                .entries()
                .into_iter()
                .map(|(key, item)| Ok((key, copy_within(&item, below)?)));
            Ok(Value::Map(Map::of(map.map_type(), entries.collect::<Result<_>>()?)))
        }
        Value::List(list) if !list.is_nil() => {
            let items = list
                .iter()
                .map(|item| copy_within(item, below))
                .collect::<Result<_>>()?;
            Ok(Value::List(List::of(list.list_type(), items)))
        }
        // Strings and objects never change, so that sharing them is copying them.
        other => Ok(other.clone()),
    }
}
