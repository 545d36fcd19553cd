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

/// Whether a schema is plain: then the library must have nothing against it.
fn is_plain(schema: &Value) -> bool {
    let Ok((translated, patterns)) = read(schema.to_string().as_bytes()) else {
        return false;
    };
    let is_plain = plain(&translated, &patterns).is_some();
    if let Err(problem) = without_panic(|| Compiled::new(LOCATION, translated)) {
        assert!(!is_plain, "{schema}: {problem}");
    }
    is_plain
}

/// Whether values fit a schema, if that is known without the library, which has to be of the same opinion.
fn fit(schema: &Value, values: &Value) -> Option<bool> {
    let (translated, patterns) = read(schema.to_string().as_bytes()).ok()?;
    let fit = fits(&translated, plain(&translated, &patterns)?, &patterns, values);
    if let Some(fit) = fit {
        let compiled = Compiled::new(LOCATION, translated).unwrap();
        let checked = without_panic(AssertUnwindSafe(|| compiled.check(values, &patterns)));
        assert_eq!(checked.is_ok(), fit, "{schema}, {values}: {checked:?}");
    }
    fit
}

#[test]
fn what_is_plain_is_valid() {
    let (mut plain, mut known) = (0, 0);
    for line in include_str!("testdata.jsonl").lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let Ok(schema) = serde_json::from_str(row["schema"].as_str().unwrap()) else {
            continue;
        };
        plain += usize::from(is_plain(&schema));
        known += usize::from(fit(&schema, &row["base"]).is_some());
    }
    assert!(plain > 80 && known > 60, "{plain}, {known}");
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
    let words = |location: &str| {
        let compiled = Compiled::new(location, named.clone()).unwrap();
        compiled.check(&json!({"a": 1}), &Patterns::new()).unwrap_err()
    };
    assert_eq!(words(PLAIN_LOCATION), words(LOCATION));
    for doubtful in [
        json!(true),
        json!({"$id": "a.json"}),
        json!({"$id": "http://json-schema.org/draft-07/schema"}),
        json!({"properties": {"a": {"$id": "https://example.com/a.json"}}}),
        json!({"$ref": "other.json"}),
        json!({"$ref": "#/$defs/a"}),
        json!({"$ref": "#a", "$defs": {"a": {}}}),
        json!({"$ref": "#/x", "x": {}}),
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

    /// The path of a draft's own schema, or nothing for the newest.
    fn draft() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "draft-04",
            "draft-06",
            "draft-07",
            "draft/2019-09",
            "draft/2020-12",
            "",
        ])
    }

    fn of_draft(mut schema: Value, draft: &str) -> Value {
        if let Value::Object(fields) = &mut schema
            && !draft.is_empty()
        {
            fields.insert(
                "$schema".to_owned(),
                json!(format!("http://json-schema.org/{draft}/schema")),
            );
        }
        schema
    }

    proptest! {
        #[test]
        fn what_is_plain_is_valid(
            schema in any(),
            draft in draft(),
        ) {
            let schema = of_draft(schema, draft);
            is_plain(&schema);
        }
    }

    /// A schema as charts have them.
    fn usual() -> impl Strategy<Value = Value> {
        let number = || prop_oneof![(-1..4_i64).prop_map(Value::from), Just(json!(0.5)), Just(json!(2.0))];
        let count = || (0..3_u64).prop_map(Value::from);
        let kind = || {
            prop::sample::select(vec![
                "string", "object", "array", "integer", "number", "boolean", "null",
            ])
        };
        let limit = |keyword: &'static str, operand: BoxedStrategy<Value>| {
            operand.prop_map(move |operand| json!({keyword: operand}))
        };
        let leaf = prop_oneof![
            4 => kind().prop_map(|kind| json!({"type": kind})),
            1 => (kind(), kind()).prop_map(|(one, other)| json!({"type": [one, other]})),
            1 => prop::sample::select(vec!["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"])
                .prop_flat_map(move |keyword| limit(keyword, number().boxed())),
            1 => prop::sample::select(vec!["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"])
                .prop_flat_map(move |keyword| limit(keyword, count().boxed())),
            1 => values().prop_map(|value| json!({"const": value})),
            1 => prop::sample::select(vec!["#", "#/$defs/a", "#/properties/a", "#/anyOf/1", "#/items"])
                .prop_map(|reference| json!({"$ref": reference})),
            1 => Just(json!({"enum": ["a", null, true]})),
            1 => Just(json!({"required": ["a"]})),
            1 => pattern().prop_map(|pattern| json!({"pattern": pattern})),
            1 => Just(json!({"uniqueItems": true})),
            1 => Just(json!({})),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            let joined = (inner.clone(), inner.clone()).prop_map(|(one, other)| {
                let (mut one, Value::Object(other)) = (one, other) else { return json!({}) };
                if let Value::Object(fields) = &mut one {
                    fields.extend(other);
                }
                one
            });
            let one = prop::sample::select(vec!["items", "additionalProperties", "not", "if", "then", "else", "propertyNames"]);
            let many = prop::sample::select(vec!["allOf", "anyOf", "oneOf"]);
            let named = prop::sample::select(vec!["properties", "properties", "$defs"]);
            prop_oneof![
                2 => joined,
                2 => (named, inner.clone(), inner.clone()).prop_map(|(keyword, one, other)| json!({keyword: {"a": one, "b": other}})),
                1 => (pattern(), inner.clone()).prop_map(|(pattern, schema)| json!({"patternProperties": {pattern: schema}})),
                2 => (one, inner.clone()).prop_map(|(keyword, schema)| json!({keyword: schema})),
                1 => (many, inner.clone(), inner).prop_map(|(keyword, one, other)| json!({keyword: [one, other]})),
            ]
        })
    }

    fn pattern() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec!["^a", "[b-z]+$", r"\w", r"(?i)\bA", "."])
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any_with::<bool>(()).prop_map(Value::Bool),
            (-2..4_i64).prop_map(Value::from),
            Just(json!(1.0)),
            Just(json!(0.5)),
            Just(json!(u64::MAX)),
            prop::sample::select(vec!["", "a", "abc", "\u{e4}"]).prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            let key = prop::sample::select(vec!["a", "b", "c"]);
            prop_oneof![
                vec(inner.clone(), 0..3).prop_map(Value::Array),
                btree_map(key, inner, 0..3)
                    .prop_map(|map| map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_fits_beyond_doubt_fits(
            schema in usual(),
            draft in draft(),
            values in vec(values(), 4),
        ) {
            let schema = of_draft(schema, draft);
            for values in values {
                fit(&schema, &values);
            }
        }
    }
}

#[test]
fn usual_values_fit_without_the_library() {
    let schema = json!({"$schema": "http://json-schema.org/schema#", "$defs": {"name": {"type": "string", "minLength": 1}},
        "type": "object", "required": ["image"], "additionalProperties": false, "properties": {
            "image": {"anyOf": [{"$ref": "#/$defs/name"}, {"type": "object", "properties": {"tag": {"$ref": "#/$defs/name"}}}]},
            "ports": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 65535}},
            "kind": {"enum": ["a", "b"]}, "list": {"contains": {"type": "null"}}}});
    let mut values = json!({"image": {"tag": "1"}, "ports": [80, 443], "kind": "b"});
    assert_eq!(fit(&schema, &values), Some(true));
    values["ports"][1] = json!(0);
    assert_eq!(fit(&schema, &values), Some(false));
    values["ports"] = json!([]);
    values["list"] = json!([null]);
    assert_eq!(fit(&schema, &values), None);
    let mut deep = json!({});
    for _ in 0..200 {
        deep = json!({"a": deep});
    }
    let deeper = json!({"additionalProperties": {"$ref": "#"}});
    assert_eq!(fits(&deeper, Draft::Of2020, &Patterns::new(), &deep), Some(true));
    // References in a circle come to no end.
    assert_eq!(
        fit(&json!({"anyOf": [{"$ref": "#"}, {"type": "null"}]}), &json!(1)),
        None
    );
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
