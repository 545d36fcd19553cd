//! JSON in and out, as Go's encoding/json writes and reads it. What cannot be written is empty, but an error from the
//! `must` functions and `toRawJson`.

use crate::go::json;
use crate::template::error::FunctionError;
use crate::template::function::{Cost, Function, function};
use crate::template::value::{List, Map, MapType, Text, Value};

type Result<T> = std::result::Result<T, FunctionError>;

pub(super) const FUNCTIONS: &[Function] = &[
    function!("toJson", to_json, (&Value) -> Vec<u8>).costs(Cost::Walks),
    function!("mustToJson", must_to_json, (&Value) -> Result<Vec<u8>>).costs(Cost::Walks),
    function!("toPrettyJson", to_pretty_json, (&Value) -> Vec<u8>).costs(Cost::Walks),
    function!("mustToPrettyJson", must_to_pretty_json, (&Value) -> Result<Vec<u8>>).costs(Cost::Walks),
    function!("toRawJson", must_to_raw_json, (&Value) -> Result<Vec<u8>>).costs(Cost::Walks),
    function!("mustToRawJson", must_to_raw_json, (&Value) -> Result<Vec<u8>>).costs(Cost::Walks),
    function!("fromJson", from_json, (&Text) -> Map).costs(Cost::Walks),
    function!("fromJsonArray", from_json_array, (&Text) -> List).costs(Cost::Walks),
    function!("mustFromJson", must_from_json, (&Text) -> Result<Value>).costs(Cost::Walks),
];

fn to_json(value: &Value) -> Vec<u8> {
    must_to_json(value).unwrap_or_default()
}

fn must_to_json(value: &Value) -> Result<Vec<u8>> {
    Ok(json::encode(value, true)?)
}

fn to_pretty_json(value: &Value) -> Vec<u8> {
    must_to_pretty_json(value).unwrap_or_default()
}

fn must_to_pretty_json(value: &Value) -> Result<Vec<u8>> {
    Ok(json::encode_indent(value, "", "  ", true)?)
}

fn must_to_raw_json(value: &Value) -> Result<Vec<u8>> {
    Ok(json::encode(value, false)?)
}

/// Go's name of what a JSON text is, in its errors.
fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "bool",
        Value::String(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) => "object",
        _ => "number",
    }
}

fn wrong_kind(value: &Value, wanted: &str) -> String {
    format!(
        "json: cannot unmarshal {} into Go value of type {wanted}",
        json_kind(value)
    )
}

/// An error comes back under the key `Error`; null is the nil map.
fn from_json(text: &Text) -> Map {
    let error = match json::decode(text) {
        Ok(Value::Map(map)) => return map,
        Ok(Value::Nil) => return Map::nil(MapType::Any),
        Ok(other) => wrong_kind(&other, "map[string]interface {}"),
        Err(error) => error.to_string(),
    };
    Map::from_iter([("Error", error)])
}

/// An error comes back as the only element.
fn from_json_array(text: &Text) -> List {
    let error = match json::decode(text) {
        Ok(Value::List(list)) => return list,
        Ok(Value::Nil) => return List::nil(crate::template::value::ListType::Any),
        Ok(other) => wrong_kind(&other, "[]interface {}"),
        Err(error) => error.to_string(),
    };
    List::new(vec![Value::text(error)])
}

fn must_from_json(text: &Text) -> Result<Value> {
    json::decode(text).map_err(|error| error.to_string().into())
}
