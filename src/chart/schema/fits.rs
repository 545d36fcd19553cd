//! Whether values fit a plain schema beyond doubt, so that it need not be compiled.
//!
//! Most values fit, and compiling a large schema takes longer than all else of a rendering. Knows the keywords that charts use; what
//! depends on others, and what does not fit, is left to the library, which also has the words for what is wrong.
//!
//! An answer is `Some` where the library's is known to be the same, and `None` where it is not known.

use std::cell::Cell;
use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use super::patterns::Patterns;
use super::plain::{self, Draft};

/// How many schemas are looked at before it is left to the library.
const STEPS: u32 = 1 << 20;
/// How many references are followed for one value.
const REFERENCES: u8 = 16;
/// Numbers below this are told apart exactly, as integers and as floats.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Whether the values fit. The schema must be plain; `patterns` are its own.
pub(super) fn fits(schema: &Value, draft: Draft, patterns: &Patterns, values: &Value) -> Option<bool> {
    let steps = Cell::new(STEPS);
    let fitting = Fitting {
        root: schema,
        draft,
        patterns,
        steps: &steps,
    };
    fitting.schema(schema, values, REFERENCES)
}

#[derive(Clone, Copy)]
struct Fitting<'a> {
    root: &'a Value,
    draft: Draft,
    patterns: &'a Patterns,
    steps: &'a Cell<u32>,
}

impl Fitting<'_> {
    fn schema(self, schema: &Value, value: &Value, references: u8) -> Option<bool> {
        self.steps.set(self.steps.get().checked_sub(1)?);
        match schema {
            Value::Bool(fits) => Some(*fits),
            // Drafts before 2019-09 ignore what stands beside a reference.
            Value::Object(keywords)
                if self.draft < Draft::Of2019 && keywords.len() > 1 && keywords.contains_key("$ref") =>
            {
                None
            }
            Value::Object(keywords) => all(keywords
                .iter()
                .map(|(keyword, operand)| self.keyword(keywords, keyword, operand, value, references))),
            Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
        }
    }

    /// Whether a value is what one keyword asks for.
    fn keyword(
        self,
        schema: &Map<String, Value>,
        keyword: &str,
        operand: &Value,
        value: &Value,
        references: u8,
    ) -> Option<bool> {
        let each = |schemas: &Value| -> Option<Vec<Option<bool>>> {
            let schemas = schemas.as_array()?.iter();
            Some(schemas.map(|schema| self.schema(schema, value, references)).collect())
        };
        match keyword {
            "type" => is_of_type(operand, value),
            "enum" => any(operand.as_array()?.iter().map(|allowed| equals(allowed, value))),
            "const" if self.draft >= Draft::Six => equals(operand, value),
            "$ref" => {
                let referred = plain::referred(self.root, operand.as_str()?)?;
                self.schema(referred, value, references.checked_sub(1)?)
            }
            "allOf" => all(each(operand)?),
            "anyOf" => any(each(operand)?),
            "oneOf" => {
                let each: Option<Vec<bool>> = each(operand)?.into_iter().collect();
                Some(each?.into_iter().filter(|fits| *fits).count() == 1)
            }
            "not" => self.schema(operand, value, references).map(|fits| !fits),
            "if" if self.draft >= Draft::Seven => {
                let branch = if self.schema(operand, value, references)? {
                    "then"
                } else {
                    "else"
                };
                schema
                    .get(branch)
                    .map_or(Some(true), |branch| self.schema(branch, value, references))
            }
            // Looked at with `if`.
            "then" | "else" if self.draft >= Draft::Seven => Some(true),
            "const" | "if" | "then" | "else" => None,
            _ => match value {
                Value::Object(fields) => self.object(schema, keyword, operand, fields),
                Value::Array(items) => self.array(keyword, operand, items),
                Value::String(text) => self.string(keyword, operand, text),
                Value::Number(number) => self.number(keyword, operand, number),
                Value::Null | Value::Bool(_) => Some(true),
            },
        }
    }

    fn object(
        self,
        schema: &Map<String, Value>,
        keyword: &str,
        operand: &Value,
        fields: &Map<String, Value>,
    ) -> Option<bool> {
        match keyword {
            "required" => {
                let required = operand.as_array()?.iter();
                all(required.map(|name| name.as_str().map(|name| fields.contains_key(name))))
            }
            "properties" => {
                let properties = operand.as_object()?;
                let named = |(name, value)| Some(self.schema(properties.get(name)?, value, REFERENCES));
                all(fields.iter().filter_map(named))
            }
            "patternProperties" => all(operand.as_object()?.iter().map(|(pattern, schema)| {
                all(fields.iter().map(|(name, value)| {
                    if self.matches(pattern, name)? {
                        self.schema(schema, value, REFERENCES)
                    } else {
                        Some(true)
                    }
                }))
            })),
            "additionalProperties" => all(fields.iter().map(|(name, value)| {
                if self.is_named(schema, name)? {
                    Some(true)
                } else {
                    self.schema(operand, value, REFERENCES)
                }
            })),
            "minProperties" => is_at_least(fields.len(), operand),
            "maxProperties" => is_at_most(fields.len(), operand),
            "dependencies" | "propertyNames" | "unevaluatedProperties" => None,
            _ => Some(true),
        }
    }

    /// Whether `properties` or `patternProperties` speak of a field.
    fn is_named(self, schema: &Map<String, Value>, name: &str) -> Option<bool> {
        let keyword = |keyword| schema.get(keyword).and_then(Value::as_object);
        if keyword("properties").is_some_and(|properties| properties.contains_key(name)) {
            return Some(true);
        }
        let patterns = keyword("patternProperties").into_iter().flat_map(Map::keys);
        any(patterns.map(|pattern| self.matches(pattern, name)))
    }

    fn array(self, keyword: &str, operand: &Value, items: &[Value]) -> Option<bool> {
        match keyword {
            "items" => all(items.iter().map(|item| self.schema(operand, item, REFERENCES))),
            "minItems" => is_at_least(items.len(), operand),
            "maxItems" => is_at_most(items.len(), operand),
            "uniqueItems" => (*operand == false || items.len() < 2).then_some(true),
            "additionalItems" | "contains" | "prefixItems" | "unevaluatedItems" => None,
            _ => Some(true),
        }
    }

    fn string(self, keyword: &str, operand: &Value, text: &str) -> Option<bool> {
        match keyword {
            "pattern" => self.matches(operand.as_str()?, text),
            "minLength" if text.is_ascii() => is_at_least(text.len(), operand),
            "maxLength" if text.is_ascii() => is_at_most(text.len(), operand),
            "contentEncoding" | "contentMediaType" | "format" | "maxLength" | "minLength" => None,
            _ => Some(true),
        }
    }

    fn matches(self, pattern: &str, text: &str) -> Option<bool> {
        Some(self.patterns.get(pattern)?.compiled.is_match(text))
    }

    fn number(self, keyword: &str, operand: &Value, number: &Number) -> Option<bool> {
        let compared = || Some((exactly(number)?, exactly(operand.as_number()?)?));
        match keyword {
            "minimum" => compared().map(|(number, least)| number >= least),
            "maximum" => compared().map(|(number, most)| number <= most),
            "exclusiveMinimum" if self.draft > Draft::Four => compared().map(|(number, limit)| number > limit),
            "exclusiveMaximum" if self.draft > Draft::Four => compared().map(|(number, limit)| number < limit),
            "exclusiveMinimum" | "exclusiveMaximum" | "format" | "multipleOf" => None,
            _ => Some(true),
        }
    }
}

/// Whether all are true: one that is not decides, whatever is not known of the others.
fn all(answers: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let mut all = Some(true);
    for answer in answers {
        match answer {
            Some(true) => {}
            Some(false) => return Some(false),
            None => all = None,
        }
    }
    all
}

/// Whether one is true.
fn any(answers: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    all(answers.into_iter().map(|answer| answer.map(|is| !is))).map(|none| !none)
}

fn is_of_type(operand: &Value, value: &Value) -> Option<bool> {
    if let Value::Array(types) = operand {
        return any(types.iter().map(|named| is_of_type(named, value)));
    }
    Some(match operand.as_str()? {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => return None,
    })
}

/// Whether two values are the same. Lists and maps are not compared: the numbers in them may be written differently.
fn equals(one: &Value, other: &Value) -> Option<bool> {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => exactly(one)?.partial_cmp(&exactly(other)?).map(Ordering::is_eq),
        (Value::Array(_), Value::Array(_)) | (Value::Object(_), Value::Object(_)) => None,
        _ => Some(one == other),
    }
}

fn exactly(number: &Number) -> Option<f64> {
    number.as_f64().filter(|number| number.abs() < EXACT)
}

fn is_at_least(count: usize, operand: &Value) -> Option<bool> {
    Some(u64::try_from(count).ok()? >= operand.as_u64()?)
}

fn is_at_most(count: usize, operand: &Value) -> Option<bool> {
    Some(u64::try_from(count).ok()? <= operand.as_u64()?)
}
