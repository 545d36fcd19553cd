//! Tables frozen from real go-yaml (sigs.k8s.io/yaml 1.6.0, yaml/v2 2.4.4, yaml/v3 3.0.5), properties and bounds.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// One line of a table: what was asked and what Go answered.
struct Row {
    operation: String,
    input: String,
    value: Value,
    answer: Result<String, String>,
}

fn rows(table: &str) -> Vec<Row> {
    let text = |row: &Value, field: &str| row.get(field).and_then(Value::as_str).map(str::to_owned);
    let parsed: Vec<Row> = table
        .lines()
        .map(|line| {
            let row: Value = serde_json::from_str(line).unwrap();
            Row {
                operation: text(&row, "op").unwrap(),
                input: text(&row, "in").unwrap_or_default(),
                value: row.get("v").cloned().unwrap_or_default(),
                answer: text(&row, "err").map_or_else(|| Ok(text(&row, "out").unwrap()), Err),
            }
        })
        .collect();
    assert!(parsed.len() > 400);
    parsed
}

/// As JSON compares numbers: 1 and 1.0 are one.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        (a, b) => a == b,
    }
}

#[test]
fn values_are_written_as_go_writes_them() {
    for Row {
        operation,
        value,
        answer,
        ..
    } in rows(include_str!("testdata/emit.jsonl"))
    {
        let written = match operation.as_str() {
            "marshal" => try_to_string(&value).map_err(|error| error.to_string()),
            "pretty" => Ok(to_string_pretty(&value)),
            other => panic!("unknown operation {other}"),
        };
        assert_eq!(written, answer, "{operation} {value}");
    }
}

#[test]
fn texts_are_read_as_go_reads_them() {
    for Row {
        operation,
        input,
        answer,
        ..
    } in rows(include_str!("testdata/read.jsonl"))
    {
        let bytes = input.as_bytes();
        let read = match operation.as_str() {
            "tojson" => to_json(bytes),
            "tojsonstrict" => to_json_strict(bytes),
            "unmarshal" => from_slice(bytes),
            "map" => from_slice_map(bytes).map(Value::Object),
            other => panic!("unknown operation {other}"),
        };
        match (read, answer) {
            (Ok(read), Ok(json)) => {
                let expected: Value = serde_json::from_str(&json).unwrap();
                assert!(
                    same(&read, &expected),
                    "{operation} {input:?}: {read} is not {expected}"
                );
            }
            (read, answer) => {
                assert_eq!(
                    read.map(|value| value.to_string()).map_err(|error| error.to_string()),
                    answer,
                    "{input:?}"
                );
            }
        }
    }
}

#[test]
fn entries_that_are_left_out_are_checked_all_the_same() {
    let also = [
        "keep: 1\ndrop: .inf",
        "keep: 1\ndrop: [{a: -.inf}]",
        "keep: 1\ndrop: !!int x",
        "keep: 1\n~: 1",
        "keep: 1\n18446744073709551615: 1",
        "keep: 1\ndrop: {~: 1}",
        "drop: &a {b: 1}\nkeep: *a",
        "<<: {keep: 1}\ndrop: 2",
        "drop: 1\nkeep: 2\nkeep: 3",
        "{a: 1}: 2",
        "drop: .5",
        "- keep: 1",
    ];
    let table = rows(include_str!("testdata/read.jsonl"));
    let inputs = table.iter().map(|row| row.input.as_str()).chain(also);
    for input in inputs {
        let whole = to_json(input.as_bytes()).map_err(|error| error.to_string());
        let read =
            |wanted: fn(&str) -> bool| to_json_entries(input.as_bytes(), wanted).map_err(|error| error.to_string());
        assert_eq!(read(|_| true), whole, "{input:?}");
        assert_eq!(read(|_| false).err(), whole.clone().err(), "{input:?}");
        if let (Ok(whole), Ok(kept)) = (whole, read(|key| key == "keep")) {
            assert_eq!(kept.get("keep"), whole.get("keep"), "{input:?}");
        }
    }
    assert_eq!(
        to_json_entries(b"keep: 1\ndrop: {a: [b]}", |key| key == "keep"),
        Ok(json!({"keep": 1}))
    );
}

#[test]
fn numbers_are_floats_or_exact() {
    assert_eq!(from_slice(b"[1, 1e3, 0x10]").unwrap().to_string(), "[1.0,1000.0,16.0]");
    assert_eq!(
        to_json(b"[1, 1e3, 1.5, 18446744073709551615]").unwrap().to_string(),
        "[1,1000,1.5,18446744073709551615]"
    );
}

#[test]
fn merged_keys_go_over_those_before_and_under_those_behind() {
    let yaml = b"base: &base {a: 1, b: 1, c: 1}\nuse: {a: 2, <<: *base, c: 3}";
    assert_eq!(to_json(yaml).unwrap()["use"].to_string(), r#"{"a":1,"b":1,"c":3}"#);
}

#[test]
fn a_document_that_grows_by_its_aliases_is_refused() {
    let mut yaml = vec!["a0: &a0 [x, x, x, x, x, x, x, x, x, x]".to_owned()];
    for level in 1..9 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        yaml.push(format!("a{level}: &a{level} [{aliases}]"));
    }
    let yaml = yaml.join("\n");
    let error = from_slice(yaml.as_bytes()).unwrap_err().to_string();
    assert_eq!(
        error,
        "error converting YAML to JSON: yaml: document contains excessive aliasing"
    );
}

/// Few nodes, but each with a large text.
#[test]
fn a_text_that_aliases_repeat_is_bounded() {
    let mut yaml = vec![format!("a0: &a0 {}", "x".repeat(100_000))];
    for level in 1..4 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        yaml.push(format!("a{level}: &a{level} [{aliases}]"));
    }
    let error = to_json(yaml.join("\n").as_bytes()).unwrap_err().to_string();
    assert_eq!(error, "yaml: document contains excessive aliasing");
    // As keys, too.
    let key = format!("? &k {}\n: 1\n", "x".repeat(100_000));
    let uses = "- {? *k : 1}\n".repeat(1000);
    let error = to_json(format!("a:\n  {}\nb:\n{uses}", key.replace('\n', "\n  ")).as_bytes());
    assert_eq!(
        error.unwrap_err().to_string(),
        "yaml: document contains excessive aliasing"
    );
}

#[test]
fn nesting_is_bounded_in_both_directions() {
    for deep in [
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
        "? ".repeat(100_000),
    ] {
        assert!(matches!(to_json(deep.as_bytes()), Err(Error::TooDeep { .. })));
    }
    let mut value = Value::Null;
    for _ in 0..=MAX_DEPTH {
        value = Value::Array(vec![value]);
    }
    assert!(matches!(try_to_string(&value), Err(Error::TooDeep { .. })));
    assert_eq!(to_string_pretty(&value), "");
    let deepest = format!("{}{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
    let value = to_json(deepest.as_bytes()).unwrap();
    assert_eq!(to_json(to_string(&value).as_bytes()).unwrap(), value);
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,20}",
        "[a-f \n'\"\\\\:#-]{0,40}",
        "([a-z]{1,12} {1,2}){5,30}[a-z]",
        // Without what JSON leaves and YAML refuses or takes for a line break.
        "[^\u{7f}-\u{9f}\u{fffe}\u{ffff}]{0,12}",
        "[-+0-9._:eExobTZ]{1,12}",
    ]
}

/// Without `<<`, which Helm writes unquoted and reads back as a merge (`helms_merge_key_is_not_read_back` below).
fn key() -> impl Strategy<Value = String> {
    text().prop_filter("a merge key is not read back", |key| key != "<<")
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("finite", |float| float.is_finite())
            .prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(key(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

#[test]
fn helms_merge_key_is_not_read_back() {
    let written = to_string(&json!({"<<": 1}));
    assert_eq!(written, "<<: 1\n");
    let error = to_json(written.as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "yaml: map merge requires map or sequence of maps as the value"
    );
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(value in value()) {
        let written = try_to_string(&value).unwrap();
        let read = to_json(written.as_bytes()).unwrap();
        prop_assert!(same(&read, &value), "{} became {}", value, written);
    }

    #[test]
    fn no_text_panics(text in "[ab:\\-#?{}\\[\\],&*!|>'\"%@`~<=\n \t\\\\0-9.éx\u{85}\u{2028}\r]{0,60}") {
        let _ = to_json(text.as_bytes());
        let _ = from_slice_strict(text.as_bytes());
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = to_json(&bytes);
    }

    #[test]
    fn no_value_panics(value in value()) {
        let _ = to_string_pretty(&value);
    }
}
