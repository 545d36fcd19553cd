//! The methods of `common.Values`, the type of `.Values`, `.Template` and the root.

use super::yaml::must_to_yaml;
use crate::go::strconv;
use crate::template::error::FunctionError;
use crate::template::function::{Cost, Function, Type, function};
use crate::template::value::{Map, MapType, Text, Value};

type Result<T> = std::result::Result<T, FunctionError>;

/// The methods; `Encode` takes a Go writer, which no template has.
pub const METHODS: &[Function] = &[
    function!("AsMap", as_map, (&Value) -> Map),
    function!("YAML", yaml, (&Value) -> Result<String>).costs(Cost::Walks),
    function!("Table", table, (&Value, &Text) -> Result<Value> as Type::Map(MapType::Values)),
    function!("PathValue", path_value, (&Value, &Text) -> Result<Value>),
];

fn receiver(value: &Value) -> Map {
    value.as_map().cloned().unwrap_or_else(|| Map::nil(MapType::Values))
}

/// The same entries as a plain dictionary; a new one when there are none.
fn as_map(value: &Value) -> Map {
    let map = receiver(value);
    if map.is_empty() {
        Map::new()
    } else {
        map.with_type(MapType::Any)
    }
}

fn yaml(value: &Value) -> Result<String> {
    Ok(must_to_yaml(value)? + "\n")
}

fn quoted(name: &[u8]) -> String {
    String::from_utf8_lossy(&strconv::quote(name)).into_owned()
}

/// Follows names separated by dots.
fn lookup(mut map: Map, path: &[u8]) -> Result<Map> {
    for name in path.split(|&byte| byte == b'.') {
        match map.get(name) {
            Some(Value::Map(table)) => map = table,
            _ => return Err(format!("{} is not a table", quoted(name)).into()),
        }
    }
    Ok(map)
}

fn table(value: &Value, path: &Text) -> Result<Value> {
    Ok(Value::Map(lookup(receiver(value), path)?.with_type(MapType::Values)))
}

fn path_value(value: &Value, path: &Text) -> Result<Value> {
    if path.is_empty() {
        return Err("YAML path cannot be empty".into());
    }
    let dot = path.iter().rposition(|&byte| byte == b'.');
    let (map, key) = match dot {
        None => (Some(receiver(value)), path.as_bytes()),
        Some(dot) => (lookup(receiver(value), &path[..dot]).ok(), &path[dot + 1..]),
    };
    let found = map
        .and_then(|map| map.get(key))
        .filter(|value| !matches!(value, Value::Map(_)));
    found.ok_or_else(|| format!("{} is not a value", quoted(key)).into())
}
