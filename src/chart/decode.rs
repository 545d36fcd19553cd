//! YAML documents into typed fields, with the conversions and error texts of sigs.k8s.io/yaml and encoding/json.
//!
//! Helm decodes Chart.yaml and the head of each manifest this way: keys match regardless of case, null leaves a
//! field alone, and a number or boolean where a string is wanted becomes its text.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};

/// A value of the wrong type. The text is encoding/json's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {found} into Go {target}")]
pub struct TypeError {
    found: &'static str,
    target: String,
}

impl TypeError {
    /// A whole document of the wrong type, e.g. a string where an object is wanted.
    pub fn document(value: &Value, type_name: &str) -> Self {
        Self {
            found: json_type(value),
            target: format!("value of type {type_name}"),
        }
    }

    fn field(value: &Value, path: &str, wanted: &str) -> Self {
        Self {
            found: json_type(value),
            target: format!("struct field {path} of type {wanted}"),
        }
    }
}

/// What encoding/json calls a value's type.
fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// One object that is being decoded, with the path that errors name.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    object: &'a Map<String, Value>,
    /// The Go struct that the fields belong to; empty for an anonymous one.
    type_name: &'static str,
    /// The path of this object in the document, with a dot behind it.
    prefix: String,
}

impl<'a> Fields<'a> {
    /// The fields of a document; errors name the Go type first.
    pub fn new(object: &'a Map<String, Value>, type_name: &'static str) -> Self {
        Self {
            object,
            type_name,
            prefix: String::new(),
        }
    }

    /// The value of a field that is there and not null.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        let exact = self.object.get(name);
        let value = match exact {
            Some(value) => value,
            None => self.object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?.1,
        };
        if value.is_null() { None } else { Some(value) }
    }

    fn path(&self, name: &str) -> String {
        format!("{}.{}{name}", self.type_name, self.prefix)
    }

    /// A string.
    pub fn string(&self, name: &str) -> Result<Option<String>, TypeError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        to_string(value)
            .map(Some)
            .ok_or_else(|| TypeError::field(value, &self.path(name), "string"))
    }

    /// A boolean.
    pub fn bool(&self, name: &str) -> Result<Option<bool>, TypeError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(value) => Err(TypeError::field(value, &self.path(name), "bool")),
        }
    }

    /// A list of strings; null elements become empty ones.
    pub fn strings(&self, name: &str) -> Result<Option<Vec<String>>, TypeError> {
        let Some(items) = self.list(name, "[]string")? else {
            return Ok(None);
        };
        let texts = items.iter().map(|item| match item {
            Value::Null => Ok(String::new()),
            item => to_string(item).ok_or_else(|| TypeError::field(item, &self.path(name), "string")),
        });
        texts.collect::<Result<_, _>>().map(Some)
    }

    /// A list of anything.
    pub fn list(&self, name: &str, type_name: &str) -> Result<Option<&'a [Value]>, TypeError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(value) => Err(TypeError::field(value, &self.path(name), type_name)),
        }
    }

    /// A map of strings; null values become empty ones.
    pub fn string_map(&self, name: &str) -> Result<Option<BTreeMap<String, String>>, TypeError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let Value::Object(entries) = value else {
            return Err(TypeError::field(value, &self.path(name), "map[string]string"));
        };
        let entries = entries.iter().map(|(key, value)| match value {
            Value::Null => Ok((key.clone(), String::new())),
            value => match to_string(value) {
                Some(text) => Ok((key.clone(), text)),
                None => Err(TypeError::field(value, &self.path(name), "string")),
            },
        });
        entries.collect::<Result<_, _>>().map(Some)
    }

    /// A nested object. `wanted` is its Go type in errors, `type_name` the name of that type, if it has one.
    pub fn object(&self, name: &str, wanted: &str, type_name: &'static str) -> Result<Option<Fields<'a>>, TypeError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(Fields {
                object,
                type_name,
                prefix: format!("{}{name}.", self.prefix),
            })),
            Some(value) => Err(TypeError::field(value, &self.path(name), wanted)),
        }
    }

    /// The elements of a list of structs; `None` for a null element.
    pub fn objects(&self, name: &str, type_name: &'static str) -> Result<Option<Vec<Option<Fields<'a>>>>, TypeError> {
        let Some(items) = self.list(name, &format!("[]*v2.{type_name}"))? else {
            return Ok(None);
        };
        let fields = items.iter().map(|item| match item {
            Value::Null => Ok(None),
            Value::Object(object) => Ok(Some(Fields {
                object,
                type_name,
                prefix: format!("{}{name}.", self.prefix),
            })),
            other => Err(TypeError::field(other, &self.path(name), &format!("v2.{type_name}"))),
        });
        fields.collect::<Result<_, _>>().map(Some)
    }
}

/// The text of a scalar that stands where a string is wanted.
fn to_string(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => Some(number_text(number)),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn number_text(number: &Number) -> String {
    if number.is_f64() {
        number
            .as_f64()
            .map(|value| crate::go::strconv::format_float(value, b'g', -1))
            .unwrap_or_default()
    } else {
        number.to_string()
    }
}
