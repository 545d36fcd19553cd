//! Functions that reach beyond their arguments: other templates, the cluster, the name service, the user.

use crate::template::context::Context;
use crate::template::error::FunctionError;
use crate::template::function::{Function, function};
use crate::template::value::{Map, Text, Value};

type Result<T> = std::result::Result<T, FunctionError>;

pub(super) const FUNCTIONS: &[Function] = &[
    function!("include", @context include, (&Text, &Value) -> Result<Text>),
    function!("tpl", @context tpl, (&Text, &Value) -> Result<Text>),
    function!("required", @context required, (&Text, &Value) -> Result<Value>),
    function!("fail", @context fail, (&Text) -> Result<&'static str>),
    function!("lookup", @context lookup, (&Text, &Text, &Text, &Text) -> Result<Map>),
    function!("getHostByName", @context host_by_name, (&Text) -> String),
];

fn include(context: &mut Context<'_>, name: &Text, data: &Value) -> Result<Text> {
    context.include(name, data)
}

fn tpl(context: &mut Context<'_>, text: &Text, data: &Value) -> Result<Text> {
    context.tpl(text, data)
}

/// Only nil and the empty string are missing.
fn required(context: &mut Context<'_>, warning: &Text, value: &Value) -> Result<Value> {
    let missing = match value {
        Value::Nil => true,
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    if !missing {
        return Ok(value.clone());
    }
    if context.mode().lint {
        context.host().warn(&warning.to_str_lossy());
        return Ok(Value::text(""));
    }
    Err(FunctionError::Abort(warning.to_string()))
}

fn fail(context: &mut Context<'_>, text: &Text) -> Result<&'static str> {
    if context.mode().lint {
        context.host().warn(&text.to_str_lossy());
        return Ok("");
    }
    Err(FunctionError::Abort(text.to_string()))
}

fn lookup(context: &mut Context<'_>, api_version: &Text, kind: &Text, namespace: &Text, name: &Text) -> Result<Map> {
    // A rendering that lints has no cluster.
    if context.mode().lint {
        return Ok(Map::new());
    }
    let (api_version, kind) = (api_version.to_str_lossy(), kind.to_str_lossy());
    let found = context
        .host()
        .lookup(&api_version, &kind, &namespace.to_str_lossy(), &name.to_str_lossy())?;
    Ok(Value::from_json(&found).as_map().cloned().unwrap_or_default())
}

fn host_by_name(context: &mut Context<'_>, name: &Text) -> String {
    context.host().host_by_name(&name.to_str_lossy())
}
