//! The patterns of a schema, checked with Go's rules before the validator sees them.

use serde_json::Value;

use crate::go::regexp::Regexp;

use super::SchemaError;
use super::message::pointer_token;

/// Keywords whose value is data, in which nothing is a schema.
const DATA: [&str; 5] = ["const", "default", "enum", "example", "examples"];

/// Compiles every `pattern` and every name in `patternProperties`.
pub(super) fn check(schema: &Value, location: &str) -> Result<(), SchemaError> {
    check_at(schema, &format!("{location}#"))
}

fn check_at(schema: &Value, location: &str) -> Result<(), SchemaError> {
    match schema {
        Value::Object(keywords) => {
            for (keyword, value) in keywords {
                if DATA.contains(&keyword.as_str()) {
                    continue;
                }
                let here = || format!("{location}/{}", pointer_token(keyword));
                match (keyword.as_str(), value) {
                    ("pattern", Value::String(pattern)) => compile(pattern, &here())?,
                    ("patternProperties", Value::Object(properties)) => {
                        for pattern in properties.keys() {
                            compile(pattern, &here())?;
                        }
                        check_children(properties, &here())?;
                    }
                    // Names of properties are no keywords.
                    ("properties" | "$defs" | "definitions" | "dependentSchemas", Value::Object(schemas)) => {
                        check_children(schemas, &here())?;
                    }
                    (_, Value::Object(_) | Value::Array(_)) => check_at(value, &here())?,
                    (_, Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {}
                }
            }
            Ok(())
        }
        Value::Array(schemas) => schemas
            .iter()
            .enumerate()
            .try_for_each(|(index, schema)| check_at(schema, &format!("{location}/{index}"))),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn check_children(schemas: &serde_json::Map<String, Value>, location: &str) -> Result<(), SchemaError> {
    schemas
        .iter()
        .try_for_each(|(name, schema)| check_at(schema, &format!("{location}/{}", pointer_token(name))))
}

fn compile(pattern: &str, location: &str) -> Result<(), SchemaError> {
    match Regexp::compile(pattern) {
        Ok(_) => Ok(()),
        Err(error) => Err(SchemaError::Pattern {
            pattern: format!("{pattern:?}"),
            location: format!("{location:?}"),
            reason: error.to_string(),
        }),
    }
}
