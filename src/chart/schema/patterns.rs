//! The patterns of a schema: checked with Go's rules, and put into the syntax of the validator's regular expressions.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::go::regexp::Regexp;

use super::SchemaError;
use super::message::pointer_token;

/// Keywords whose value is data, in which nothing is a schema.
const DATA: [&str; 5] = ["const", "default", "enum", "example", "examples"];

/// Keywords that map names, which are no keywords, to schemas.
pub(super) const NAMED: [&str; 6] = [
    "$defs",
    "definitions",
    "dependencies",
    "dependentSchemas",
    "patternProperties",
    "properties",
];

/// A pattern that was translated.
#[derive(Debug)]
pub(super) struct Pattern {
    /// As it is in the schema.
    pub(super) original: String,
    /// What it became.
    pub(super) compiled: regex::Regex,
}

/// The patterns of a schema, by what they became.
pub(super) type Patterns = HashMap<String, Pattern>;

/// Translates every `pattern` and every name in `patternProperties`.
pub(super) fn translate(schema: Value, location: &str) -> Result<(Value, Patterns), SchemaError> {
    let mut patterns = Patterns::new();
    let schema = translate_at(schema, &format!("{location}#"), &mut patterns)?;
    Ok((schema, patterns))
}

fn translate_at(schema: Value, location: &str, patterns: &mut Patterns) -> Result<Value, SchemaError> {
    match schema {
        Value::Object(keywords) => {
            let mut translated = Map::new();
            for (keyword, value) in keywords {
                let value = if DATA.contains(&keyword.as_str()) {
                    value
                } else {
                    translate_keyword(&keyword, value, location, patterns)?
                };
                translated.insert(keyword, value);
            }
            Ok(Value::Object(translated))
        }
        Value::Array(schemas) => schemas
            .into_iter()
            .enumerate()
            .map(|(index, schema)| translate_at(schema, &format!("{location}/{index}"), patterns))
            .collect(),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => Ok(other),
    }
}

fn translate_keyword(
    keyword: &str,
    value: Value,
    location: &str,
    patterns: &mut Patterns,
) -> Result<Value, SchemaError> {
    let here = format!("{location}/{}", pointer_token(keyword));
    match value {
        Value::String(pattern) if keyword == "pattern" => compile(pattern, &here, patterns).map(Value::String),
        Value::Object(schemas) if NAMED.contains(&keyword) => {
            let mut translated = Map::new();
            for (name, schema) in schemas {
                let schema = translate_at(schema, &format!("{here}/{}", pointer_token(&name)), patterns)?;
                let mut name = if keyword == "patternProperties" {
                    compile(name, &here, patterns)?
                } else {
                    name
                };
                // Two patterns may mean the same.
                while translated.contains_key(&name) {
                    name.push_str("(?:)");
                }
                translated.insert(name, schema);
            }
            Ok(Value::Object(translated))
        }
        value => translate_at(value, &here, patterns),
    }
}

fn compile(pattern: String, location: &str, patterns: &mut Patterns) -> Result<String, SchemaError> {
    let compiled = Regexp::compile(&pattern).map_err(|error| SchemaError::Pattern {
        pattern: format!("{pattern:?}"),
        location: format!("{location:?}"),
        reason: error.to_string(),
    })?;
    // The validator matches text where Go matches bytes; a pattern that cannot be put so is left as it is.
    let Ok(compiled) = regex::Regex::new(compiled.as_rust()) else {
        return Ok(pattern);
    };
    let translated = compiled.as_str().to_owned();
    let original = pattern;
    patterns.insert(translated.clone(), Pattern { original, compiled });
    Ok(translated)
}
