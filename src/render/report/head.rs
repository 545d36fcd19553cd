//! What is wrong with the head of a manifest: Helm names the Go field, people look for the YAML one.

use serde_json::Value;

use super::MAXIMUM_TEXT;
use crate::template::subject::shorten;
use crate::yaml;

/// How many fields are told.
const MAXIMUM_FIELDS: usize = 5;

/// A field that Helm cannot read.
pub(super) struct WrongField {
    /// Which it is, and what.
    pub(super) told: String,
    /// The line on which its name stands, from 1, if it stands on one.
    pub(super) line: Option<usize>,
}

/// The fields of a document's head that are of a wrong type; none where it is no YAML.
pub(super) fn wrong_fields(text: &str) -> Vec<WrongField> {
    let Ok(object) = yaml::to_json(text.as_bytes()) else {
        return Vec::new();
    };
    let mut wrong = Vec::new();
    if !matches!(object, Value::Object(_) | Value::Null) {
        wrong.push(("the document".to_owned(), &object, "a map"));
    }
    let scalars = ["apiVersion", "kind"].map(|name| (name.to_owned(), &object[name]));
    let metadata = &object["metadata"];
    if !matches!(metadata, Value::Object(_) | Value::Null) {
        wrong.push(("metadata".to_owned(), metadata, "a map"));
    }
    let annotations = &metadata["annotations"];
    if !matches!(annotations, Value::Object(_) | Value::Null) {
        wrong.push(("metadata.annotations".to_owned(), annotations, "a map"));
    }
    let annotations = annotations.as_object().into_iter().flatten();
    let annotations = annotations.map(|(key, value)| (format!("metadata.annotations.{key}"), value));
    let all = scalars
        .into_iter()
        .chain([("metadata.name".to_owned(), &metadata["name"])])
        .chain(annotations);
    wrong.extend(
        all.filter(|(_, value)| value.is_object() || value.is_array())
            .map(|(path, value)| (path, value, "a text")),
    );
    let told = wrong
        .into_iter()
        .take(MAXIMUM_FIELDS)
        .map(|(path, value, wanted)| WrongField {
            line: line_of(text, &path),
            told: format!(
                "{} is {}, and must be {wanted}",
                shorten(&path, MAXIMUM_TEXT),
                kind(value)
            ),
        });
    told.collect()
}

/// The line on which the last key of a path stands.
fn line_of(text: &str, path: &str) -> Option<usize> {
    let key = path
        .strip_prefix("metadata.annotations.")
        .unwrap_or_else(|| path.rsplit('.').next().unwrap_or(path));
    let index = text.lines().position(|line| {
        let line = line.trim_start().trim_start_matches(['"', '\'']);
        let rest = line.strip_prefix(key).map(|rest| rest.trim_start_matches(['"', '\'']));
        rest.is_some_and(|rest| rest.trim_start().starts_with(':'))
    })?;
    Some(index + 1)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
