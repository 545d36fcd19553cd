//! values.schema.json: whether values fit it, and Helm's words where they do not.
//!
//! Knows one schema and one set of values; which chart's values are checked against which schema is the caller's affair.
//! Nothing is fetched: a `$ref` to a URL is an error that says so, except `urn:`, which Helm takes for "anything goes".
//! Patterns are Go's, so that what Helm refuses (look-around, back-references) is refused here.

mod formats;
mod message;
mod patterns;
#[cfg(test)]
mod tests;

use std::error::Error;

use boon::{CompileError, Compiler, Schemas, UrlLoader};
use serde_json::{Number, Value};

use self::patterns::Originals;

/// The longest schema, in bytes.
pub const MAX_SCHEMA: usize = 16 << 20;

/// The name under which Helm knows every chart's schema.
const LOCATION: &str = "file:///values.schema.json";

/// Why values were not accepted. None of these is worth a retry with the same chart and values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// The values do not fit. One line an error, newline at the end, as Helm prints it below the chart's name.
    #[error("{0}\n")]
    Mismatch(String),
    /// The schema is no JSON.
    #[error("values.schema.json is not valid JSON: {0}")]
    Json(String),
    /// The schema is JSON but no schema, or refers to something that is not there.
    #[error("{0}")]
    Schema(String),
    /// A pattern that Go's regexp does not accept.
    #[error("invalid regex {pattern} at {location}: {reason}")]
    Pattern {
        /// The pattern in quotes.
        pattern: String,
        /// Where in the schema, in quotes.
        location: String,
        /// Go's words.
        reason: String,
    },
    /// Longer than [`MAX_SCHEMA`].
    #[error("values.schema.json has {size} bytes, more than the limit of {MAX_SCHEMA}")]
    TooLarge {
        /// In bytes.
        size: usize,
    },
    /// The validator failed on this schema, which is a fault of ours or of the library.
    #[error("unable to validate schema: {0}")]
    Validator(String),
}

impl SchemaError {
    /// The JSON pointers of the values that do not fit, in the order of the message, each once.
    pub fn pointers(&self) -> Vec<String> {
        let Self::Mismatch(text) = self else {
            return Vec::new();
        };
        let mut pointers: Vec<String> = Vec::new();
        for line in text.lines() {
            let pointer = line
                .trim_start()
                .strip_prefix("- at '")
                .and_then(|rest| rest.split_once("': "));
            if let Some((pointer, _)) = pointer
                && !pointers.iter().any(|known| known == pointer)
            {
                pointers.push(pointer.to_owned());
            }
        }
        pointers
    }
}

/// Checks values against a schema. The draft is the schema's `$schema`, or 2020-12.
pub fn validate(schema: &[u8], values: &Value) -> Result<(), SchemaError> {
    if schema.len() > MAX_SCHEMA {
        return Err(SchemaError::TooLarge { size: schema.len() });
    }
    let schema: Value = serde_json::from_slice(schema).map_err(|error| SchemaError::Json(error.to_string()))?;
    let (schema, originals) = patterns::translate(schema, LOCATION)?;
    let values = whole_floats_as_integers(values);
    // The library is not ours: Helm, too, turns a panic of its validator into an error.
    std::panic::catch_unwind(|| check(schema, &originals, &values))
        .unwrap_or_else(|_| Err(SchemaError::Validator("the validator panicked".to_owned())))
}

fn check(schema: Value, originals: &Originals, values: &Value) -> Result<(), SchemaError> {
    let mut compiler = Compiler::new();
    compiler.use_loader(Box::new(NoNetwork));
    formats::register(&mut compiler);
    let mut schemas = Schemas::new();
    let failed = |error: CompileError| SchemaError::Schema(compile_message(&error));
    compiler.add_resource(LOCATION, schema).map_err(failed)?;
    let compiled = compiler.compile(LOCATION, &mut schemas).map_err(failed)?;
    schemas.validate(values, compiled).map_err(|error| {
        let text = message::display(&error, originals);
        let heading = format!("jsonschema validation failed with '{LOCATION}#'\n");
        SchemaError::Mismatch(text.strip_prefix(&heading).unwrap_or(&text).to_owned())
    })
}

/// Answers references: the drafts' own schemas are built in and never come here.
struct NoNetwork;

impl UrlLoader for NoNetwork {
    fn load(&self, url: &str) -> Result<Value, Box<dyn Error>> {
        if url.starts_with("urn:") {
            return Ok(Value::Bool(true));
        }
        Err("references to other documents are not followed; put the schema into values.schema.json itself".into())
    }
}

fn compile_message(error: &CompileError) -> String {
    match error {
        CompileError::ValidationError { url, src } => {
            format!(
                "{url:?} is not valid against metaschema: {}",
                message::display(src, &Originals::new())
            )
        }
        CompileError::LoadUrlError { url, src } => format!("failing loading {url:?}: {src}"),
        CompileError::UnsupportedUrlScheme { url } => format!("no URLLoader registered for {url:?}"),
        CompileError::UnsupportedDraft { url } => format!("draft {url:?} is not supported"),
        CompileError::MetaSchemaCycle { url } => format!("cycle in resolving $schema in {url:?}"),
        CompileError::InvalidMetaSchemaUrl { url, src } => format!("invalid $schema in {url:?}: {src}"),
        CompileError::UnsupportedVocabulary { url, vocabulary } => {
            format!("unsupported vocabulary {vocabulary:?} in {url:?}")
        }
        CompileError::AnchorNotFound { url, reference } => {
            format!("anchor in {reference:?} not found in schema {url:?}")
        }
        CompileError::JsonPointerNotFound(pointer) => format!("json-pointer in {pointer:?} not found"),
        CompileError::InvalidRegex { url, regex, src } => format!("invalid regex {regex:?} at {url:?}: {src}"),
        other => other.to_string(),
    }
}

/// Values from YAML are floats only; for a schema 8080.0 is 8080.
fn whole_floats_as_integers(value: &Value) -> Value {
    /// Up to here every whole float is an exact integer.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) => Value::Number(match number.as_f64() {
            #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() <= EXACT => {
                Number::from(float as i64)
            }
            _ => number.clone(),
        }),
        Value::Array(items) => items.iter().map(whole_floats_as_integers).collect(),
        Value::Object(entries) => entries
            .iter()
            .map(|(key, value)| (key.clone(), whole_floats_as_integers(value)))
            .collect(),
        other @ (Value::Null | Value::Bool(_) | Value::String(_)) => other.clone(),
    }
}
