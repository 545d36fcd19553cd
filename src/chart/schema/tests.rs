//! A table frozen from Helm 4.3.1's `ValidateAgainstSingleSchema`.

use serde_json::{Value, json};

use super::*;

fn validate(schema: &[u8], values: &Value) -> Result<(), SchemaError> {
    let schema = Validator::new(schema)?;
    without_panic(|| schema.check(&whole_floats_as_integers(values)))
}

#[test]
fn errors_are_helms() {
    let mut rows = 0;
    for line in include_str!("testdata.jsonl").lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let outcome = validate(row["schema"].as_str().unwrap().as_bytes(), &row["base"]);
        let expected = row.get("err").and_then(Value::as_str).map(str::to_owned);
        assert_eq!(outcome.map_err(|error| error.to_string()).err(), expected, "{line}");
        rows += 1;
    }
    assert!(rows > 80);
}

#[test]
fn whole_floats_are_integers() {
    validate(
        br#"{"properties": {"port": {"type": "integer", "enum": [8080]}}}"#,
        &json!({"port": 8080.0}),
    )
    .unwrap();
}

#[test]
fn nothing_is_fetched() {
    let error = validate(br#"{"$ref": "https://example.com/schema.json"}"#, &json!({})).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("put the schema into values.schema.json itself"),
        "{error}"
    );
    let error = validate(br#"{"$ref": "file:///etc/passwd"}"#, &json!({})).unwrap_err();
    assert!(matches!(error, SchemaError::Schema(_)), "{error}");
    validate(br#"{"$ref": "urn:anything:goes"}"#, &json!({"a": 1})).unwrap();
}

#[test]
fn what_go_refuses_is_refused() {
    for pattern in ["(?=a)", "(a)\\\\1", "a{2000}", "["] {
        let schema = format!(r#"{{"properties": {{"a": {{"pattern": "{pattern}"}}}}}}"#);
        let error = validate(schema.as_bytes(), &json!({})).unwrap_err();
        assert!(matches!(error, SchemaError::Pattern { .. }), "{pattern}: {error}");
    }
    // A property may have any name, and data may look like anything.
    validate(
        br#"{"properties": {"pattern": {"default": {"pattern": "("}}}}"#,
        &json!({}),
    )
    .unwrap();
}

#[test]
fn a_schema_that_is_none_is_refused() {
    assert!(matches!(validate(b"{", &json!({})), Err(SchemaError::Json(_))));
    assert!(matches!(
        validate(br#"{"type": "nope"}"#, &json!({})),
        Err(SchemaError::Schema(_))
    ));
}
