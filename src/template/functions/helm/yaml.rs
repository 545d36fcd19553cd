//! YAML in and out. What cannot be written is empty, but an error from `mustToYaml`; what cannot be read is a
//! dictionary with the key `Error`.

use serde_json::Value as Json;

use crate::template::error::FunctionError;
use crate::template::function::{Cost, Function, function};
use crate::template::value::{List, Map, Text, Value};
use crate::yaml;

pub(super) const FUNCTIONS: &[Function] = &[
    function!("toYaml", to_yaml, (&Value) -> String).costs(Cost::Walks),
    function!("mustToYaml", must_to_yaml, (&Value) -> Result<String, FunctionError>).costs(Cost::Walks),
    function!("toYamlPretty", to_yaml_pretty, (&Value) -> String).costs(Cost::Walks),
    function!("fromYaml", from_yaml, (&Text) -> Map).costs(Cost::Walks),
    function!("fromYamlArray", from_yaml_array, (&Text) -> List).costs(Cost::Walks),
];

/// Helm takes one newline off the end.
fn trimmed(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
    }
    text
}

fn to_yaml(value: &Value) -> String {
    must_to_yaml(value).unwrap_or_default()
}

pub(super) fn must_to_yaml(value: &Value) -> Result<String, FunctionError> {
    let json = value
        .to_json()
        .map_err(|error| format!("error marshaling into JSON: {error}"))?;
    let text = yaml::try_to_string(&json).map_err(|error| error.to_string())?;
    Ok(trimmed(text))
}

fn to_yaml_pretty(value: &Value) -> String {
    pretty_tree(value, yaml::MAX_DEPTH).map_or_else(String::new, |tree| trimmed(yaml::to_string_pretty(&tree)))
}

/// What go-yaml v3 sees, which looks at Go's values itself and not at their JSON: nil maps and lists are empty ones, bytes
/// are numbers, durations are text.
fn pretty_tree(value: &Value, depth: usize) -> Option<Json> {
    let below = depth.checked_sub(1)?;
    match value {
        Value::List(list) => list.iter().map(|item| pretty_tree(item, below)).collect(),
        Value::Map(map) => {
            let entries = map.borrow();
            let entries = entries.iter().flat_map(|entries| entries.iter());
            let entry =
                |(key, value): (&Text, &Value)| Some((key.to_str_lossy().into_owned(), pretty_tree(value, below)?));
            entries
                .map(entry)
                .collect::<Option<serde_json::Map<_, _>>>()
                .map(Json::Object)
        }
        Value::Bytes(bytes) => Some(bytes.as_bytes().iter().copied().map(Json::from).collect()),
        Value::Object(object) if object.type_name() == "time.Duration" => {
            Some(object.stringer()?.to_str_lossy().into_owned().into())
        }
        _ => value.to_json().ok(),
    }
}

/// A value of what was read, where every number is a float.
fn from_json(json: Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(flag) => Value::Bool(flag),
        Json::Number(number) => Value::Float64(number.as_f64().unwrap_or_default()),
        Json::String(text) => Value::text(text),
        Json::Array(items) => Value::list(items.into_iter().map(from_json).collect()),
        Json::Object(entries) => Value::Map(to_map(entries)),
    }
}

fn to_map(entries: serde_json::Map<String, Json>) -> Map {
    entries
        .into_iter()
        .map(|(key, value)| (key, from_json(value)))
        .collect()
}

fn from_yaml(text: &Text) -> Map {
    match yaml::from_slice_map(text) {
        Ok(entries) => to_map(entries),
        Err(error) => Map::from_iter([("Error", error.to_string())]),
    }
}

fn from_yaml_array(text: &Text) -> List {
    match yaml::from_slice_array(text) {
        Ok(items) => List::new(items.into_iter().map(from_json).collect()),
        Err(error) => List::new(vec![Value::text(error.to_string())]),
    }
}
