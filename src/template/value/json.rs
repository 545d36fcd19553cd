//! Values from and to JSON trees.

use super::{Field, List, Map, MapType, Object, Text, Underlying, Value};
use serde_json::Value as Json;

/// How deep a value may be nested to be encoded; a deeper one is most likely a cycle.
const DEPTH: usize = 250;

/// A value that has no JSON form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// NaN or an infinity, with Go's text for it.
    #[error("json: unsupported value: {0}")]
    Number(&'static str),
    /// A complex number or a function.
    #[error("json: unsupported type: {0}")]
    Type(&'static str),
    /// A cycle, or nesting beyond any use.
    #[error("json: unsupported value: encountered a cycle via {0}")]
    Depth(&'static str),
}

impl Value {
    /// A value from JSON. An integer literal becomes an `int64`, any other number a `float64`: Helm's values are
    /// `float64` throughout, so whoever parses them makes floats; `--set` gives integers.
    pub fn from_json(json: &Json) -> Self {
        match json {
            Json::Null => Self::Nil,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => match number.as_i64() {
                Some(value) if !number.is_f64() => Self::Int64(value),
                _ => Self::Float64(number.as_f64().unwrap_or_default()),
            },
            Json::String(text) => Self::String(text.into()),
            Json::Array(items) => Self::List(List::new(items.iter().map(Self::from_json).collect())),
            Json::Object(entries) => Self::Map(Map::of(
                MapType::Any,
                entries
                    .iter()
                    .map(|(key, value)| (Text::from(key), Self::from_json(value)))
                    .collect(),
            )),
        }
    }

    /// The JSON tree that Go's encoding/json makes of this value. Whole floats stay floats.
    pub fn to_json(&self) -> Result<Json, EncodeError> {
        self.to_json_within(DEPTH)
    }

    fn to_json_within(&self, depth: usize) -> Result<Json, EncodeError> {
        let below = depth.checked_sub(1).ok_or(EncodeError::Depth(self.type_name()))?;
        Ok(match self {
            Self::Nil => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Int(value) | Self::Int64(value) => Json::from(*value),
            Self::Int32(value) => Json::from(*value),
            Self::Uint8(value) => Json::from(*value),
            Self::Uint64(value) => Json::from(*value),
            Self::Float64(value) => {
                serde_json::Number::from_f64(*value)
                    .map(Json::Number)
                    .ok_or(EncodeError::Number(if value.is_nan() {
                        "NaN"
                    } else if *value > 0.0 {
                        "+Inf"
                    } else {
                        "-Inf"
                    }))?
            }
            Self::Complex(..) => return Err(EncodeError::Type("complex128")),
            Self::String(text) => Json::String(text.to_str_lossy().into_owned()),
            Self::Bytes(bytes) if bytes.is_nil() => Json::Null,
            Self::Bytes(bytes) => {
                use base64::Engine as _;
                Json::String(base64::engine::general_purpose::STANDARD.encode(bytes.as_bytes()))
            }
            Self::List(list) if list.is_nil() => Json::Null,
            Self::List(list) => Json::Array(
                list.iter()
                    .map(|item| item.to_json_within(below))
                    .collect::<Result<_, _>>()?,
            ),
            Self::Map(map) if map.as_frozen().is_some_and(|frozen| frozen.extent().depth <= depth) => {
                map.as_frozen().map_or(Json::Null, |frozen| frozen.to_json())
            }
            Self::Map(map) => match map.borrow() {
                None => Json::Null,
                Some(entries) => entries
                    .iter()
                    .map(|(key, value)| Ok((key.to_str_lossy().into_owned(), value.to_json_within(below)?)))
                    .collect::<Result<serde_json::Map<_, _>, EncodeError>>()?
                    .into(),
            },
            Self::Object(object) if object.is_nil() => Json::Null,
            Self::Object(object) => object_to_json(object.as_ref(), below)?,
        })
    }
}

fn object_to_json(object: &dyn Object, depth: usize) -> Result<Json, EncodeError> {
    if let Some(encoded) = object.encoded() {
        return encoded.to_json_within(depth);
    }
    let named = |field: Field| (field.name.to_owned(), field.value);
    if let Some(fields) = object.tagged() {
        return struct_to_json(fields.into_iter().map(named), depth);
    }
    let entries: Vec<(String, Value)> = match object.underlying() {
        Underlying::Scalar(value) => return value.to_json_within(depth),
        Underlying::Map(entries) => entries
            .into_iter()
            .map(|(key, value)| (key.to_string(), value))
            .collect(),
        Underlying::Struct(fields) => fields
            .into_iter()
            .filter(|field| field.name.starts_with(|first: char| first.is_uppercase()))
            .map(named)
            .collect(),
    };
    struct_to_json(entries.into_iter(), depth)
}

fn struct_to_json(entries: impl Iterator<Item = (String, Value)>, depth: usize) -> Result<Json, EncodeError> {
    let encoded = entries.map(|(key, value)| Ok((key, value.to_json_within(depth)?)));
    Ok(Json::Object(encoded.collect::<Result<_, EncodeError>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_keep_their_kind() {
        let value = Value::from_json(&json!({"i": 1, "f": 1.0, "l": [null, "x", true]}));
        let map = value.as_map().unwrap();
        assert_eq!(map.get(b"i").unwrap().type_name(), "int64");
        assert_eq!(map.get(b"f").unwrap().type_name(), "float64");
        assert_eq!(
            value.to_json().unwrap(),
            json!({"i": 1, "f": 1.0, "l": [null, "x", true]})
        );
    }

    #[test]
    fn what_has_no_json_form_is_an_error() {
        assert_eq!(Value::Float64(f64::NAN).to_json(), Err(EncodeError::Number("NaN")));
        let map = Map::new();
        map.insert("self", Value::Map(map.clone())).unwrap();
        assert!(matches!(Value::Map(map.clone()).to_json(), Err(EncodeError::Depth(_))));
        map.remove(b"self");
    }
}
