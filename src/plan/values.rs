//! How the values of a release are composed: `spec.values` and what `spec.valuesFrom` refers to.
//!
//! Pure: what the objects hold comes in. The rule is that of Helm's command line, where files come before `--set`: documents of
//! `valuesFrom` in their order, then `spec.values`, then contents with a `targetPath` in their order; each overrides what came
//! before. Flux says the same of a `targetPath`, but does otherwise when its first key is in `spec.values`.

use serde_json::Value;

use crate::api::helm_release::values::{ValuesKind, ValuesReference};
use crate::chart::values::merge_maps;
use crate::chart::{JsonMap, strvals};
use crate::yaml;

/// What a reference was found to hold.
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    /// Position in `spec.valuesFrom`.
    pub index: usize,
    /// The reference.
    pub reference: &'a ValuesReference,
    /// The content of its key.
    pub bytes: &'a [u8],
}

/// A content that no values can be made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadContent {
    /// Position in `spec.valuesFrom`.
    pub index: usize,
    /// What is wrong; never a value.
    pub problem: String,
}

/// The values of a release.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Composed {
    /// All of them.
    pub values: JsonMap,
    /// Those that come from Secrets.
    pub from_secrets: JsonMap,
}

/// Composes the values of a release.
///
/// # Errors
/// When a content is no YAML map, or cannot be set at its path.
pub fn compose(contents: &[Content<'_>], inline: Option<&JsonMap>) -> Result<Composed, BadContent> {
    let mut composed = Composed::default();
    let at_a_path = |content: &&Content<'_>| content.reference.target_path.is_some();
    for content in contents.iter().filter(|content| !at_a_path(content)) {
        composed.add(content)?;
    }
    let mut inline = inline.cloned().unwrap_or_default();
    inline.values_mut().for_each(floats);
    composed.values = merge_maps(std::mem::take(&mut composed.values), inline);
    for content in contents.iter().filter(at_a_path) {
        composed.add(content)?;
    }
    Ok(composed)
}

impl Composed {
    fn add(&mut self, content: &Content<'_>) -> Result<(), BadContent> {
        let Content {
            index,
            reference,
            bytes,
        } = *content;
        let bad = |problem| BadContent { index, problem };
        add(&mut self.values, reference, bytes).map_err(bad)?;
        match reference.kind {
            ValuesKind::Secret => add(&mut self.from_secrets, reference, bytes).map_err(bad),
            ValuesKind::ConfigMap => Ok(()),
        }
    }
}

fn add(values: &mut JsonMap, reference: &ValuesReference, bytes: &[u8]) -> Result<(), String> {
    if let Some(path) = &reference.target_path {
        return set_at(values, path, bytes, reference.literal);
    }
    let key = reference.effective_key();
    match yaml::from_slice(bytes) {
        Ok(Value::Object(document)) => {
            *values = merge_maps(std::mem::take(values), document);
            Ok(())
        }
        Ok(Value::Null) => Ok(()),
        Ok(_) => Err(format!("key {key:?} is not a YAML map")),
        // The parser's message names a line and no value.
        Err(error) => Err(format!("key {key:?}: {error}")),
    }
}

/// Sets one value at a path in the syntax of `--set`. One in quotes is a text, whatever it looks like; so is a literal one, in which
/// nothing has a meaning. The line break that editors put at the end of files is no part of others.
fn set_at(values: &mut JsonMap, path: &str, bytes: &[u8], literal: bool) -> Result<(), String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    let set = if literal {
        strvals::set_string(&format!("{path}={}", escaped(text)), values)
    } else {
        let text = text.trim_end_matches(['\r', '\n']);
        match unquoted(text) {
            Some(text) => strvals::set_string(&format!("{path}={text}"), values),
            None => strvals::set(&format!("{path}={text}"), values),
        }
    };
    // The parser's message could quote the value.
    set.map_err(|_| format!("its content cannot be set at targetPath {path:?}; try literal: true"))
}

/// A text without the quotes around it, if it has any.
fn unquoted(text: &str) -> Option<&str> {
    let between = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    between('"').or_else(|| between('\''))
}

/// A text in which nothing has a meaning in the syntax of `--set`.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '\\' | ',' | '{' | '}' | '[' | ']' | '=' | '.') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// Where values are null, which takes a default of the chart away: keys joined by dots, in order. Nulls in lists take nothing away.
pub fn nulls(values: &JsonMap) -> Vec<String> {
    let below = |(key, value): (&String, &Value)| match value {
        Value::Null => vec![key.clone()],
        Value::Object(fields) => nulls(fields).into_iter().map(|path| format!("{key}.{path}")).collect(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Vec::new(),
    };
    values.iter().flat_map(below).collect()
}

/// Helm reads values through YAML and JSON, where every number becomes a float; so must those of the spec.
fn floats(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(float) = number.as_f64().and_then(serde_json::Number::from_f64) {
                *number = float;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(floats),
        Value::Object(map) => map.values_mut().for_each(floats),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A reference of the kind, with more of its fields, and what it refers to.
    type Source<'a> = (&'a str, Value, &'a str);

    fn composed(sources: &[Source<'_>], inline: &Value) -> Result<Composed, BadContent> {
        let references: Vec<ValuesReference> = sources
            .iter()
            .map(|(kind, more, _)| {
                let mut reference = json!({"kind": kind, "name": "source"});
                let more = more.as_object().unwrap().clone();
                reference.as_object_mut().unwrap().extend(more);
                serde_json::from_value(reference).unwrap()
            })
            .collect();
        let contents: Vec<Content<'_>> = sources
            .iter()
            .zip(&references)
            .enumerate()
            .map(|(index, ((_, _, text), reference))| Content {
                index,
                reference,
                bytes: text.as_bytes(),
            })
            .collect();
        compose(&contents, inline.as_object())
    }

    fn values(sources: &[Source<'_>], inline: &Value) -> Value {
        Value::Object(composed(sources, inline).unwrap().values)
    }

    fn document(text: &str) -> Source<'_> {
        ("ConfigMap", json!({}), text)
    }

    fn at<'a>(path: &str, text: &'a str) -> Source<'a> {
        ("ConfigMap", json!({"targetPath": path}), text)
    }

    fn literal<'a>(path: &str, text: &'a str) -> Source<'a> {
        ("ConfigMap", json!({"targetPath": path, "literal": true}), text)
    }

    #[test]
    fn each_overrides_what_came_before() {
        let cases = [
            (
                vec![document("a: x\nb: {c: x, d: x}"), document("b: {c: z}")],
                json!({}),
                json!({"a": "x", "b": {"c": "z", "d": "x"}}),
            ),
            (
                vec![document("a: [1, 2]"), document("a: ['3']")],
                json!({}),
                json!({"a": ["3"]}),
            ),
            (
                vec![document("a: x\nb: x")],
                json!({"b": "inline"}),
                json!({"a": "x", "b": "inline"}),
            ),
            // A null goes on to the chart, where it takes the default away.
            (
                vec![document("a: null")],
                json!({"b": null}),
                json!({"a": null, "b": null}),
            ),
            (
                vec![document(""), document("# nothing")],
                json!({"a": "x"}),
                json!({"a": "x"}),
            ),
            (vec![at("a", "x"), at("a", "y")], json!({}), json!({"a": "y"})),
            (vec![at("a", "x"), document("a: z")], json!({}), json!({"a": "x"})),
        ];
        for (sources, inline, expected) in cases {
            assert_eq!(values(&sources, &inline), expected, "{sources:?}");
        }
    }

    /// Flux 2.9 gives the first three in the same way, and lets the inline values win in the others, against its documentation.
    #[test]
    fn a_content_at_a_path_wins_over_inline_values() {
        let cases = [
            (
                vec![at("db.password", "p")],
                json!({"db": {"user": "u", "password": "x"}}),
                json!({"db": {"user": "u", "password": "p"}}),
            ),
            (
                vec![at("list[1]", "p")],
                json!({"list": ["a", "b"]}),
                json!({"list": ["a", "p"]}),
            ),
            (vec![at("a\\.b", "p")], json!({"a.b": "x"}), json!({"a.b": "p"})),
            (
                vec![at("password", "p")],
                json!({"password": "x"}),
                json!({"password": "p"}),
            ),
            (
                vec![document("db: {host: h}"), at("db.password", "p")],
                json!({"db": {"password": "x"}}),
                json!({"db": {"host": "h", "password": "p"}}),
            ),
        ];
        for (sources, inline, expected) in cases {
            assert_eq!(values(&sources, &inline), expected, "{sources:?}");
        }
    }

    #[test]
    fn a_content_at_a_path_has_the_type_that_it_looks_like_unless_it_is_quoted() {
        let cases = [
            ("8080", json!(8080)),
            ("8080\n", json!(8080)),
            ("true", json!(true)),
            ("null", json!(null)),
            ("0123", json!("0123")),
            ("\"8080\"", json!("8080")),
            ("'true'\n", json!("true")),
            ("\"", json!("\"")),
            ("a b\nc\n", json!("a b\nc")),
            ("{a,b}", json!(["a", "b"])),
            ("pass=word", json!("pass=word")),
            ("a\\,b", json!("a,b")),
        ];
        for (text, expected) in cases {
            let found = values(&[at("nested.key", text)], &json!({}));
            assert_eq!(
                found.pointer("/nested/key").cloned().unwrap_or_default(),
                expected,
                "{text:?}"
            );
        }
    }

    #[test]
    fn nothing_in_a_literal_content_has_a_meaning() {
        for text in [
            "8080",
            "a,b=c",
            "{a}",
            "x\\y",
            "p\n",
            "\"quoted\"",
            "a.b[0]",
            "{\"a\": [1, 2]}",
        ] {
            let found = values(&[literal("a\\.b.c", text)], &json!({}));
            assert_eq!(found, json!({"a.b": {"c": text}}), "{text:?}");
        }
    }

    #[test]
    fn numbers_are_floats_as_with_helm() {
        let found = values(&[document("a: 3")], &json!({"b": {"c": [4]}}));
        assert!(found["a"].is_f64() && found["b"]["c"][0].is_f64(), "{found}");
    }

    #[test]
    fn nulls_are_found_where_they_take_defaults_away() {
        let values = json!({"a": null, "b": {"c": null, "d": 1}, "e": [null], "f": {"g": {"h": null}}});
        assert_eq!(nulls(values.as_object().unwrap()), ["a", "b.c", "f.g.h"]);
    }

    #[test]
    fn what_comes_from_secrets_is_known() {
        let sources = [
            document("a: x"),
            ("Secret", json!({}), "b: {c: z}"),
            ("Secret", json!({"targetPath": "d", "literal": true}), "z"),
        ];
        let found = composed(&sources, &json!({"e": 1})).unwrap();
        assert_eq!(Value::Object(found.from_secrets), json!({"b": {"c": "z"}, "d": "z"}));
    }

    #[test]
    fn what_is_wrong_is_told_without_a_value() {
        for (source, named) in [
            (document("hunter2"), "values.yaml"),
            (document("a: [hunter2"), "line"),
            (at("a[1].b", "{hunter2"), "a[1].b"),
        ] {
            let sources = [document("a: x"), source];
            let bad = composed(&sources, &json!({})).unwrap_err();
            assert_eq!(bad.index, 1);
            assert!(
                bad.problem.contains(named) && !bad.problem.contains("hunter2"),
                "{bad:?}"
            );
        }
    }
}
