//! Every field of a HelmRelease's spec acts, or says that it does not: the reference in `docs/helmrelease.md` is made from the schema,
//! and names for each field the test that proves it.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be read fails the test")]

mod proofs;

#[path = "../it/support/documents.rs"]
mod documents;

use std::fmt::Write as _;
use std::path::Path;

use fairlead::api::custom_resource_definitions;
use serde_json::Value;

use proofs::{NOT_ACTED_ON, PROOFS, Proof};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A field of the spec.
struct Field {
    /// Its path; `[]` stands for every item of a list.
    path: String,
    schema: Value,
}

fn fields() -> Vec<Field> {
    let definitions = custom_resource_definitions();
    let release = definitions
        .into_iter()
        .find(|definition| definition.spec.names.kind == "HelmRelease");
    let schema = serde_json::to_value(release.unwrap().spec.versions[0].schema.clone()).unwrap();
    let mut fields = Vec::new();
    below("", &schema["openAPIV3Schema"]["properties"]["spec"], &mut fields);
    fields
}

fn below(path: &str, schema: &Value, fields: &mut Vec<Field>) {
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        fields.push(Field {
            path: path.clone(),
            schema: schema.clone(),
        });
        below(&path, schema, fields);
        below(&format!("{path}[]"), &schema["items"], fields);
    }
}

/// Whether a path is that of a field, or of a part of it.
fn is_within(path: &str, field: &str) -> bool {
    let rest = path.strip_prefix(field);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// The proof of a field: its own, or that of the nearest field that it is part of.
fn proof(path: &str) -> Option<&'static Proof> {
    let covering = PROOFS.iter().filter(|proof| is_within(path, proof.field));
    covering.max_by_key(|proof| proof.field.len())
}

fn is_not_acted_on(path: &str) -> bool {
    NOT_ACTED_ON.iter().any(|field| is_within(path, field))
}

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    std::fs::read_to_string(&path).unwrap()
}

#[test]
fn every_field_has_a_test_that_proves_that_it_acts() {
    let mut problems = Vec::new();
    for Field { path, .. } in fields() {
        match (proof(&path), is_not_acted_on(&path)) {
            (None, false) => problems.push(format!("spec.{path} has no test")),
            (Some(proof), true) if proof.field == path => {
                problems.push(format!("spec.{path} acts, and is said not to"));
            }
            (Some(_), _) | (None, true) => {}
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// A test that does not exist, or whose file does not even name the field, proves nothing.
#[test]
fn every_proof_is_a_test_that_sets_its_field() {
    let mut problems = Vec::new();
    let fields = fields();
    for Proof { field, file, test } in PROOFS {
        if !read(file).contains(&format!("fn {test}(")) {
            problems.push(format!("spec.{field}: {file} has no test {test}"));
        }
        if !fields.iter().any(|known| known.path == *field) {
            problems.push(format!("spec.{field} is no field"));
        }
    }
    for Field { path, .. } in fields.iter().filter(|field| !is_not_acted_on(&field.path)) {
        let name = path
            .rsplit(['.', '[', ']'])
            .find(|part| !part.is_empty())
            .unwrap_or_default();
        let Some(Proof { file, test, .. }) = proof(path) else {
            continue;
        };
        if !read(file).contains(name) {
            problems.push(format!("spec.{path}: {file} with {test} does not set it"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Whoever comes from Flux finds every field.
#[test]
fn every_field_of_flux_is_a_field() {
    let known: Vec<String> = fields().into_iter().map(|field| field.path).collect();
    let text = read("tests/fields/flux.txt");
    let missing: Vec<&str> = text
        .lines()
        .filter(|field| !known.iter().any(|known| known == field))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_reference_is_current() -> Result {
    let mut document = String::from(
        "# The fields of a HelmRelease\n\n\
        <!-- Written by `FAIRLEAD_WRITE_DOCS=1 cargo test --test fields`; a test fails when it is stale. -->\n\n\
        Made from the schema of the resource; `kubectl explain helmrelease.fairlead.dev.spec` says the same. The last column names the test \
        that proves that the field acts. A field that this version accepts and does not act on is told of in the condition \
        `FieldsIgnored` of each release that sets it.\n\n\
        | field of `spec` | type | default | values | meaning | proved by |\n|---|---|---|---|---|---|\n",
    );
    for field in fields() {
        writeln!(document, "{}", row(&field))?;
    }
    documents::check("docs/helmrelease.md", &document)
}

fn row(Field { path, schema }: &Field) -> String {
    let proved = match proof(path).filter(|proof| proof.field == path || !is_not_acted_on(path)) {
        Some(Proof { file, test, .. }) => format!("[`{test}`](../{file})"),
        None => "not acted on yet".to_owned(),
    };
    let default = schema
        .get("default")
        .map_or(String::new(), |default| format!("`{default}`"));
    let meaning = schema["description"].as_str().unwrap_or_default();
    let cells = [
        format!("`{path}`"),
        type_of(schema),
        default,
        values_of(schema),
        meaning.to_owned(),
        proved,
    ];
    let cells = cells.map(|cell| {
        cell.split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .replace('|', "\\|")
    });
    format!("| {} |", cells.join(" | "))
}

fn type_of(schema: &Value) -> String {
    match schema["type"].as_str() {
        Some("array") => format!("list of {}", type_of(&schema["items"])),
        Some("object") if schema["additionalProperties"].is_object() => {
            format!("map of {}", type_of(&schema["additionalProperties"]))
        }
        Some(other) => other.to_owned(),
        None => "any".to_owned(),
    }
}

/// What the schema allows.
fn values_of(schema: &Value) -> String {
    let mut allowed = Vec::new();
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
        allowed.push(values.join(", "));
    }
    for (key, word) in [
        ("minLength", "at least this long:"),
        ("maxLength", "at most this long:"),
        ("minimum", "at least"),
        ("maximum", "at most"),
        ("maxItems", "at most this many:"),
    ] {
        if let Some(bound) = schema.get(key).filter(|bound| !bound.is_null()) {
            allowed.push(format!("{word} {bound}"));
        }
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        allowed.push(format!("`{pattern}`"));
    }
    allowed.join("; ")
}
