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

/// Whether a schema is taken for one without asking the library, which has to be of the same opinion.
fn is_plain(schema: &Value) -> bool {
    let text = schema.to_string();
    let Ok((translated, originals)) = read(text.as_bytes()) else {
        return false;
    };
    let is_plain = plain::is_plain(&translated, &originals);
    if let Err(SchemaError::Schema(problem)) = Validator::validated(text.as_bytes()) {
        assert!(!is_plain || !problem.contains("metaschema"), "{schema}: {problem}");
    }
    is_plain
}

#[test]
fn what_is_plain_is_valid() {
    let mut plain = 0;
    for line in include_str!("testdata.jsonl").lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let Ok(schema) = serde_json::from_str(row["schema"].as_str().unwrap()) else {
            continue;
        };
        plain += usize::from(is_plain(&schema));
    }
    assert!(plain > 80, "{plain}");
    let draft = |number: &str, rest: Value| {
        let mut schema = json!({"$schema": format!("http://json-schema.org/draft-{number}/schema#")});
        schema
            .as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        schema
    };
    let usual = json!({"type": "object", "required": ["image"], "properties": {
        "image": {"type": ["string", "null"], "pattern": "^[a-z]+$", "minLength": 1}, "port": {"$ref": "#/definitions/port"}},
        "definitions": {"port": {"type": "integer", "minimum": 1, "maximum": 65535}}, "x-unknown": {"type": 7}});
    for number in ["04", "06", "07"] {
        assert!(is_plain(&draft(number, usual.clone())), "{number}");
    }
    assert!(is_plain(&usual));
    let named = json!({"$schema": "http://json-schema.org/schema#", "$id": "https://example.com/a.json", "$defs": {"b": {"type": "null"}},
        "properties": {"a": {"$ref": "#/$defs/b"}}});
    assert!(is_plain(&named));
    let text = |validator: Result<Validator, SchemaError>| {
        let mismatch = validator.unwrap().check(&json!({"a": 1})).unwrap_err();
        mismatch.to_string()
    };
    let named = named.to_string();
    assert_eq!(
        text(Validator::new(named.as_bytes())),
        text(Validator::validated(named.as_bytes()))
    );
    for doubtful in [
        json!(true),
        json!({"$id": "a.json"}),
        json!({"$id": "http://json-schema.org/draft-07/schema"}),
        json!({"properties": {"a": {"$id": "https://example.com/a.json"}}}),
        json!({"$ref": "other.json"}),
        json!({"type": "nope"}),
        json!({"properties": {"a": {"minLength": -1}}}),
        json!({"items": []}),
        json!({"enum": [1, 1.0]}),
        json!({"required": ["a", "a"]}),
        draft("04", json!({"required": []})),
        draft("04", json!({"additionalProperties": {"not": true}})),
        draft("04", json!({"exclusiveMinimum": true})),
        draft("07", json!({"exclusiveMinimum": true})),
        draft("03", json!({})),
    ] {
        assert!(!is_plain(&doubtful), "{doubtful}");
    }
}

mod properties {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::*;

    const KEYWORDS: [&str; 52] = [
        "$comment",
        "$defs",
        "$id",
        "$ref",
        "$schema",
        "additionalItems",
        "additionalProperties",
        "allOf",
        "anyOf",
        "const",
        "contains",
        "contentEncoding",
        "default",
        "definitions",
        "dependencies",
        "dependentRequired",
        "deprecated",
        "description",
        "else",
        "enum",
        "examples",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "id",
        "if",
        "items",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minContains",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "multipleOf",
        "not",
        "oneOf",
        "pattern",
        "patternProperties",
        "prefixItems",
        "properties",
        "propertyNames",
        "readOnly",
        "required",
        "then",
        "title",
        "type",
        "unevaluatedProperties",
        "uniqueItems",
        "x",
    ];

    fn any() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any_with::<bool>(()).prop_map(Value::Bool),
            (-2..4_i64).prop_map(|number| json!(number)),
            Just(json!(1.0)),
            Just(json!(0.5)),
            prop::sample::select(vec!["string", "object", "a", "#", "#/$defs/a", "^a", "(", "nope", ""])
                .prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let key = prop_oneof![4 => prop::sample::select(KEYWORDS.to_vec()), 1 => Just("a")];
            prop_oneof![
                vec(inner.clone(), 0..3).prop_map(Value::Array),
                btree_map(key, inner, 0..4)
                    .prop_map(|map| map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_plain_is_valid(
            schema in any(),
            draft in prop::sample::select(vec!["draft-04", "draft-06", "draft-07", "draft/2019-09", "draft/2020-12", ""]),
        ) {
            let mut schema = schema;
            if let Value::Object(fields) = &mut schema && !draft.is_empty() {
                fields.insert("$schema".to_owned(), json!(format!("http://json-schema.org/{draft}/schema")));
            }
            is_plain(&schema);
        }
    }
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
