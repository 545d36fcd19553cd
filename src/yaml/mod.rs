//! YAML as Helm reads and writes it: the parser rules of go-yaml v2 (YAML 1.1) behind sigs.k8s.io/yaml, and its emitter.
//!
//! Pure. Knows nothing of charts or Kubernetes objects. Text becomes tokens (`scanner`), nodes (`grammar`) and values
//! (`decode`); values become text in `emit`. All of it is ours, because Helm's bytes and errors are go-yaml's and no crate has its
//! rules (libyaml-safer also panics on a block scalar that ends with the input).
//! Input and nesting are bounded: see [`MAX_INPUT`] and [`MAX_DEPTH`].

mod cursor;
mod decode;
mod documents;
mod emit;
mod error;
mod go_syntax;
mod grammar;
mod input;
mod json_text;
mod limits;
mod number;
mod order;
mod prune;
mod resolve;
mod scalar;
mod scan_directive;
mod scan_scalar;
mod scanner;
#[cfg(test)]
mod tests;
mod timestamp;
mod token;
mod tree;

use std::borrow::Cow;

use serde_json::{Map, Value};

use self::decode::{Duplicates, Numbers};
pub use self::documents::split_documents;
use self::emit::Dialect;
pub use self::error::Error;
pub use self::limits::{MAX_DEPTH, MAX_INPUT};

/// Reads the first document as sigs.k8s.io/yaml's `Unmarshal` into Go's `any`: every number a float, keys made strings,
/// the last of two equal keys wins. An empty text is null.
pub fn from_slice(yaml: &[u8]) -> Result<Value, Error> {
    read(yaml, Numbers::Floats, Duplicates::LastWins).map_err(Error::converting)
}

/// As [`from_slice`], into `map[string]any`: values files, `fromYaml`. Null is an empty map.
pub fn from_slice_map(yaml: &[u8]) -> Result<Map<String, Value>, Error> {
    match from_slice(yaml)? {
        Value::Object(map) => Ok(map),
        Value::Null => Ok(Map::new()),
        other => Err(wrong_kind(&other, "map[string]interface {}")),
    }
}

/// As [`from_slice`], into `[]any`: `fromYamlArray`. Null is an empty list.
pub fn from_slice_array(yaml: &[u8]) -> Result<Vec<Value>, Error> {
    match from_slice(yaml)? {
        Value::Array(items) => Ok(items),
        Value::Null => Ok(Vec::new()),
        other => Err(wrong_kind(&other, "[]interface {}")),
    }
}

/// Reads the first document as sigs.k8s.io/yaml's `UnmarshalStrict`: as [`from_slice`], but a key that comes twice is an
/// error. Helm reads repository indexes this way, and `Chart.yaml` when it lints.
pub fn from_slice_strict(yaml: &[u8]) -> Result<Value, Error> {
    read(yaml, Numbers::Floats, Duplicates::Refused).map_err(Error::converting)
}

/// Reads the first document as sigs.k8s.io/yaml's `YAMLToJSON`: whole numbers stay integers. For Kubernetes manifests.
pub fn to_json(yaml: &[u8]) -> Result<Value, Error> {
    read(yaml, Numbers::Exact, Duplicates::LastWins)
}

/// As [`to_json`], but what is written as a float stays one: Go's structs take over a number for a text as YAML has it.
pub fn to_json_as_written(yaml: &[u8]) -> Result<Value, Error> {
    read(yaml, Numbers::Written, Duplicates::LastWins)
}

/// As [`to_json`], but a key that comes twice is an error (`YAMLToJSONStrict`).
pub fn to_json_strict(yaml: &[u8]) -> Result<Value, Error> {
    read(yaml, Numbers::Exact, Duplicates::Refused)
}

/// As [`to_json`], but of a mapping only the entries whose keys are wanted: what is wrong with the others is found as well,
/// but no values are made of them.
pub fn to_json_entries(yaml: &[u8], wanted: fn(&str) -> bool) -> Result<Value, Error> {
    let text = read_text(yaml)?;
    let mut tree = grammar::read(&text)?;
    prune::prune(&mut tree, wanted);
    decode::decode(tree, Numbers::Exact, Duplicates::LastWins)
}

/// Writes a value as sigs.k8s.io/yaml's `Marshal` does, trailing newline included.
///
/// Empty where go-yaml refuses the value (see [`try_to_string`]), as Helm's `toYaml` is.
pub fn to_string(value: &Value) -> String {
    try_to_string(value).unwrap_or_default()
}

/// As [`to_string`]; fails on strings and keys that do not survive the way through JSON: control characters from DEL on,
/// keys of more than 1024 characters.
pub fn try_to_string(value: &Value) -> Result<String, Error> {
    emit::emit(value, Dialect::V2)
}

/// Writes a value as go-yaml v3 with an indentation of 2, trailing newline included: `toYamlPretty`.
///
/// Integers and floats are told apart here: the float 1e6 is `1e+06`, the integer `1000000`.
/// Empty when the value is nested deeper than [`MAX_DEPTH`].
pub fn to_string_pretty(value: &Value) -> String {
    emit::emit(value, Dialect::V3).unwrap_or_default()
}

fn read(yaml: &[u8], numbers: Numbers, duplicates: Duplicates) -> Result<Value, Error> {
    let text = read_text(yaml)?;
    decode::decode(grammar::read(&text)?, numbers, duplicates)
}

fn read_text(yaml: &[u8]) -> Result<Cow<'_, str>, Error> {
    if yaml.len() > MAX_INPUT {
        return Err(Error::TooLarge { size: yaml.len() });
    }
    input::decode(yaml)
}

fn wrong_kind(value: &Value, wanted: &'static str) -> Error {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    Error::Unmarshaling(Box::new(Error::WrongKind { found, wanted }))
}
