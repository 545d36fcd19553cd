//! TOML in and out. An error comes back as text, but from `mustToToml`.

use crate::go::toml::{decode, encode};
use crate::template::context::Context;
use crate::template::error::FunctionError;
use crate::template::function::{Cost, Function, function};
use crate::template::functions::sprig::local_zone;
use crate::template::value::{Map, Text, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    function!("toToml", to_toml, (&Value) -> Result<Vec<u8>, FunctionError>).costs(Cost::Walks),
    function!("mustToToml", must_to_toml, (&Value) -> Result<Vec<u8>, FunctionError>).costs(Cost::Walks),
    function!("fromToml", @context from_toml, (&Text) -> Map).costs(Cost::Walks),
];

fn to_toml(value: &Value) -> Result<Vec<u8>, FunctionError> {
    if matches!(value, Value::Nil) {
        // The library panics, and Helm does not catch that.
        return must_to_toml(value);
    }
    Ok(encode(value).unwrap_or_else(|error| error.to_string().into_bytes()))
}

fn must_to_toml(value: &Value) -> Result<Vec<u8>, FunctionError> {
    encode(value).map_err(|error| FunctionError::message(error.to_string()))
}

fn from_toml(context: &mut Context<'_>, text: &Text) -> Map {
    let local = local_zone(context);
    decode(text, &local).unwrap_or_else(|error| Map::from_iter([("Error", error.to_string())]))
}
