//! Whether a schema is one beyond doubt, so that it need not be validated against the schema of its draft, nor compiled for values that
//! fit it (`fits`).
//!
//! Compiling the drafts' own schemas, which the library does when the first schema is validated, takes five times as long as reading a
//! usual schema. What is not known here for certain is left to the library, which also has the words for what is wrong.

use serde_json::{Map, Value};

use super::patterns::Patterns;

/// The types that a schema may name.
const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];

/// The drafts, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Draft {
    Four,
    Six,
    Seven,
    Of2019,
    Of2020,
}

impl Draft {
    /// The draft that a schema names; the last one where it names none.
    fn of(schema: &Map<String, Value>) -> Option<Self> {
        let Some(named) = schema.get("$schema") else {
            return Some(Self::Of2020);
        };
        let url = named.as_str()?;
        let url = url.strip_suffix('#').unwrap_or(url);
        let path = url
            .strip_prefix("http://json-schema.org/")
            .or_else(|| url.strip_prefix("https://json-schema.org/"))?;
        match path {
            "draft-04/schema" => Some(Self::Four),
            "draft-06/schema" => Some(Self::Six),
            "draft-07/schema" => Some(Self::Seven),
            "draft/2019-09/schema" => Some(Self::Of2019),
            "draft/2020-12/schema" | "schema" => Some(Self::Of2020),
            _ => None,
        }
    }
}

/// The draft of a schema, whose patterns are translated, if it is plain: valid by the schema of its draft, and all its references lead to
/// schemas in itself.
pub(super) fn plain(schema: &Value, patterns: &Patterns) -> Option<Draft> {
    let keywords = schema.as_object()?;
    let draft = Draft::of(keywords)?;
    let look = Look {
        root: schema,
        draft,
        patterns,
    };
    let is_plain = keywords.iter().all(|(keyword, value)| match keyword.as_str() {
        "$schema" => true,
        "$id" => value.as_str().is_some_and(is_whole_url),
        _ => look.is_keyword(keywords, keyword, value),
    });
    is_plain.then_some(draft)
}

/// The schema in `root` that a reference leads to, which a look at all of `root` has looked at. `None` where it leads elsewhere, or has
/// characters that a reference has to escape.
pub(super) fn referred<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"/_-.$".contains(&byte);
    let fragment = reference.strip_prefix('#')?;
    let is_pointer = fragment.is_empty() || fragment.starts_with('/');
    if !is_pointer || !fragment.bytes().all(is_safe) {
        return None;
    }
    let mut found = root;
    let mut tokens = fragment.split('/').skip(1);
    while let Some(keyword) = tokens.next() {
        let operand = found.get(keyword)?;
        found = match keyword {
            "$defs" | "definitions" | "properties" => operand.get(tokens.next()?)?,
            "allOf" | "anyOf" | "oneOf" => operand.get(tokens.next()?.parse::<usize>().ok()?)?,
            "additionalProperties" | "items" | "not" => operand,
            _ => return None,
        };
    }
    (found.is_object() || found.is_boolean()).then_some(found)
}

/// Whether it is a URL that does not depend on where it stands, in characters that no URL has to escape.
fn is_whole_url(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"/_-.".contains(&byte);
    // Those of the drafts are the library's.
    rest.is_some_and(|rest| rest.bytes().all(is_safe) && !rest.starts_with("json-schema.org"))
}

/// What a look at a schema knows.
#[derive(Clone, Copy)]
struct Look<'a> {
    root: &'a Value,
    draft: Draft,
    patterns: &'a Patterns,
}

impl Look<'_> {
    fn is_schema(self, value: &Value) -> bool {
        match value {
            Value::Bool(_) => self.draft > Draft::Four,
            Value::Object(schema) => schema
                .iter()
                .all(|(keyword, value)| self.is_keyword(schema, keyword, value)),
            Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) => false,
        }
    }

    /// Whether the value of a keyword is what the drafts say. Keywords that they do not know mean nothing.
    fn is_keyword(self, schema: &Map<String, Value>, keyword: &str, value: &Value) -> bool {
        match keyword {
            "$anchor" | "$dynamicAnchor" | "$dynamicRef" | "$id" | "$recursiveAnchor" | "$recursiveRef" | "$schema"
            | "$vocabulary" | "contentSchema" | "dependentRequired" | "dependentSchemas" | "id" | "maxContains"
            | "minContains" => false,
            "$ref" => value
                .as_str()
                .is_some_and(|reference| referred(self.root, reference).is_some()),
            "type" => is_type(value),
            "$defs" | "definitions" | "properties" => self.are_named(value, |_| true),
            "patternProperties" => self.are_named(value, |pattern| self.patterns.contains_key(pattern)),
            "dependencies" => is_object(value, |_, value| self.is_schema(value) || are_distinct_texts(value, 1)),
            "allOf" | "anyOf" | "oneOf" | "prefixItems" => self.are_schemas(value),
            "items" => self.is_schema(value) || (self.draft < Draft::Of2020 && self.are_schemas(value)),
            "additionalItems" | "additionalProperties" => value.is_boolean() || self.is_schema(value),
            "contains"
            | "else"
            | "if"
            | "not"
            | "propertyNames"
            | "then"
            | "unevaluatedItems"
            | "unevaluatedProperties" => self.is_schema(value),
            "required" => are_distinct_texts(value, usize::from(self.draft == Draft::Four)),
            "enum" => are_distinct(value),
            "$comment" | "contentEncoding" | "contentMediaType" | "description" | "format" | "title" => {
                value.is_string()
            }
            "pattern" => value
                .as_str()
                .is_some_and(|pattern| self.patterns.contains_key(pattern)),
            "examples" => value.is_array(),
            "maximum" | "minimum" => value.is_number(),
            "exclusiveMaximum" => self.is_exclusive(schema, "maximum", value),
            "exclusiveMinimum" => self.is_exclusive(schema, "minimum", value),
            "multipleOf" => value.as_f64().is_some_and(|number| number > 0.0),
            "maxItems" | "maxLength" | "maxProperties" | "minItems" | "minLength" | "minProperties" => value.is_u64(),
            "deprecated" | "readOnly" | "uniqueItems" | "writeOnly" => value.is_boolean(),
            _ => true,
        }
    }

    fn are_named(self, value: &Value, is_name: impl Fn(&str) -> bool) -> bool {
        is_object(value, |name, schema| is_name(name) && self.is_schema(schema))
    }

    fn are_schemas(self, value: &Value) -> bool {
        let schemas = value.as_array().filter(|schemas| !schemas.is_empty());
        schemas.is_some_and(|schemas| schemas.iter().all(|schema| self.is_schema(schema)))
    }

    /// Draft 4 has a flag beside the limit, the others a limit of its own.
    fn is_exclusive(self, schema: &Map<String, Value>, limit: &str, value: &Value) -> bool {
        if self.draft == Draft::Four {
            value.is_boolean() && schema.contains_key(limit)
        } else {
            value.is_number()
        }
    }
}

fn is_type(value: &Value) -> bool {
    let is_named = |value: &Value| value.as_str().is_some_and(|name| TYPES.contains(&name));
    match value {
        Value::Array(names) => are_distinct_texts(value, 1) && names.iter().all(is_named),
        _ => is_named(value),
    }
}

fn is_object(value: &Value, is_entry: impl Fn(&str, &Value) -> bool) -> bool {
    let entries = value.as_object();
    entries.is_some_and(|entries| entries.iter().all(|(name, value)| is_entry(name, value)))
}

fn are_distinct_texts(value: &Value, least: usize) -> bool {
    let texts = value.as_array().filter(|texts| texts.len() >= least);
    texts.is_some_and(|texts| texts.iter().all(Value::is_string)) && are_different(value)
}

fn are_distinct(value: &Value) -> bool {
    let values = value.as_array().filter(|values| !values.is_empty());
    // Numbers may be the same and be written differently, also inside of others.
    let is_simple = |value: &Value| value.is_null() || value.is_boolean() || value.is_string();
    values.is_some_and(|values| values.iter().all(is_simple)) && are_different(value)
}

/// Whether a short list has nothing twice. A long one is not looked at.
fn are_different(list: &Value) -> bool {
    /// Each is compared with each.
    const SHORT: usize = 64;
    let Some(values) = list.as_array().filter(|values| values.len() <= SHORT) else {
        return false;
    };
    let mut rest = values.as_slice();
    while let Some((first, others)) = rest.split_first() {
        if others.contains(first) {
            return false;
        }
        rest = others;
    }
    true
}
