//! values.schema.json: whether values fit it, and Helm's words where they do not.
//!
//! Knows one schema and one set of values; which chart's values are checked against which schema is the caller's affair.
//! Nothing is fetched: a `$ref` to a URL is an error that says so, except `urn:`, which Helm takes for "anything goes".
//! Patterns are Go's, so that what Helm refuses (look-around, back-references) is refused here.

mod fits;
mod formats;
mod message;
mod patterns;
mod plain;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::sync::OnceLock;

use boon::{CompileError, Compiler, SchemaIndex, Schemas, UrlLoader};
use serde_json::{Number, Value};

use self::fits::fits;
use self::patterns::Patterns;
use self::plain::{Draft, plain};
use super::JsonMap;
use crate::go::json::{self, DecodeError};

/// The longest schema, in bytes.
pub const MAX_SCHEMA: usize = 16 << 20;

/// The name under which Helm knows every chart's schema.
const LOCATION: &str = "file:///values.schema.json";

/// The name under which a schema is compiled that is one beyond doubt: the library takes those of this host for valid without validating
/// them. Where another version of it does not, it only takes longer.
const PLAIN_LOCATION: &str = "https://json-schema.org/fairlead/values.schema.json";

/// Why values were not accepted. None of these is worth a retry with the same chart and values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// The values do not fit. One line an error, newline at the end, as Helm prints it below the chart's name.
    #[error("{0}\n")]
    Mismatch(String),
    /// The schema is no JSON.
    #[error("{0}")]
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

/// A schema that was read, and that is compiled where that is needed: share it between all sets of values.
pub struct Validator {
    source: Source,
    patterns: Patterns,
}

/// What values are checked with.
enum Source {
    /// A plain schema: it is compiled when values may not fit it.
    Plain {
        schema: Value,
        draft: Draft,
        compiled: OnceLock<Result<Compiled, SchemaError>>,
    },
    /// Any other.
    Compiled(Compiled),
}

struct Compiled {
    schemas: Schemas,
    index: SchemaIndex,
}

impl std::fmt::Debug for Validator {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Validator").finish_non_exhaustive()
    }
}

impl Validator {
    /// Reads a schema, and compiles it unless it is plain. The draft is its `$schema`, or 2020-12.
    pub fn new(schema: &[u8]) -> Result<Self, SchemaError> {
        if schema.len() > MAX_SCHEMA {
            return Err(SchemaError::TooLarge { size: schema.len() });
        }
        let (schema, patterns) = read(schema)?;
        let source = match plain(&schema, &patterns) {
            Some(draft) => Source::Plain {
                schema,
                draft,
                compiled: OnceLock::new(),
            },
            None => Source::Compiled(without_panic(|| Compiled::new(LOCATION, schema))?),
        };
        Ok(Self { source, patterns })
    }

    /// Checks values against the schema.
    pub fn validate(&self, values: &JsonMap) -> Result<(), SchemaError> {
        let values = Value::Object(whole_floats_in(values));
        // A panic while compiling leaves nothing behind.
        without_panic(AssertUnwindSafe(|| self.check(&values)))
    }

    fn check(&self, values: &Value) -> Result<(), SchemaError> {
        let compiled = match &self.source {
            Source::Plain { schema, draft, .. } if fits(schema, *draft, &self.patterns, values) == Some(true) => {
                return Ok(());
            }
            Source::Plain { schema, compiled, .. } => {
                let compiled = compiled.get_or_init(|| Compiled::plain(schema));
                compiled.as_ref().map_err(SchemaError::clone)?
            }
            Source::Compiled(compiled) => compiled,
        };
        compiled.check(values, &self.patterns)
    }
}

impl Compiled {
    fn new(location: &str, schema: Value) -> Result<Self, SchemaError> {
        let mut compiler = Compiler::new();
        compiler.use_loader(Box::new(NoNetwork));
        formats::register(&mut compiler);
        let mut schemas = Schemas::new();
        let failed = |error: CompileError| SchemaError::Schema(compile_message(&error));
        compiler.add_resource(location, schema).map_err(failed)?;
        let index = compiler.compile(location, &mut schemas).map_err(failed)?;
        Ok(Self { schemas, index })
    }

    /// One that need not be validated.
    fn plain(schema: &Value) -> Result<Self, SchemaError> {
        // Should it not be possible after all, the words for that have the usual name.
        Self::new(PLAIN_LOCATION, schema.clone()).or_else(|_| Self::new(LOCATION, schema.clone()))
    }

    fn check(&self, values: &Value, patterns: &Patterns) -> Result<(), SchemaError> {
        self.schemas.validate(values, self.index).map_err(|error| {
            let text = message::display(&error, patterns).replace(PLAIN_LOCATION, LOCATION);
            let heading = format!("jsonschema validation failed with '{LOCATION}#'\n");
            SchemaError::Mismatch(text.strip_prefix(&heading).unwrap_or(&text).to_owned())
        })
    }
}

/// A schema with its patterns translated.
fn read(schema: &[u8]) -> Result<(Value, Patterns), SchemaError> {
    let read = serde_json::from_slice(schema).map_err(|error| json_error(schema, &error))?;
    patterns::translate(read, LOCATION)
}

/// The library is not ours: Helm, too, turns a panic of its validator into an error.
fn without_panic<T>(run: impl FnOnce() -> Result<T, SchemaError> + std::panic::UnwindSafe) -> Result<T, SchemaError> {
    std::panic::catch_unwind(run).unwrap_or_else(|_| Err(SchemaError::Validator("the validator panicked".to_owned())))
}

/// The error in Go's words.
fn json_error(schema: &[u8], error: &serde_json::Error) -> SchemaError {
    SchemaError::Json(match json::decode(schema) {
        Err(DecodeError::End) if schema.trim_ascii().is_empty() => "EOF".to_owned(),
        Err(DecodeError::End) => "unexpected EOF".to_owned(),
        Err(error) => error.to_string(),
        Ok(_) => format!("values.schema.json is not valid JSON: {error}"),
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
                message::display(src, &Patterns::new())
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
        Value::Object(entries) => Value::Object(whole_floats_in(entries)),
        other @ (Value::Null | Value::Bool(_) | Value::String(_)) => other.clone(),
    }
}

fn whole_floats_in(entries: &JsonMap) -> JsonMap {
    entries
        .iter()
        .map(|(key, value)| (key.clone(), whole_floats_as_integers(value)))
        .collect()
}
