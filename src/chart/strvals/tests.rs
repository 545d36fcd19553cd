//! A table frozen from helm.sh/helm/v4/pkg/strvals 4.3.1, and the bounds that are ours.

use serde_json::{Value, json};

use super::*;

fn apply(operation: &str, text: &str, values: &mut JsonMap) -> Result<(), StrvalsError> {
    match operation {
        "set" => set(text, values),
        "string" => set_string(text, values),
        "file" => set_file(text, values, &mut |path| Ok(format!("<{path}>"))),
        "json" => set_json(text, values),
        "literal" => set_literal(text, values),
        other => panic!("unknown operation {other}"),
    }
}

#[test]
fn texts_set_what_helm_sets() {
    let mut rows = 0;
    for line in include_str!("testdata.jsonl").lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let mut values = row["base"].as_object().cloned().unwrap_or_default();
        let (operation, text) = (row["op"].as_str().unwrap(), row["in"].as_str().unwrap());
        let outcome = apply(operation, text, &mut values);
        match (outcome, row.get("err").and_then(Value::as_str)) {
            (Ok(()), None) => {
                let mut expected: Value = serde_json::from_str(row["out"].as_str().unwrap()).unwrap();
                if operation == "json" {
                    expected = with_floats(expected);
                    values = with_floats(Value::Object(values)).as_object().cloned().unwrap();
                }
                assert_eq!(Value::Object(values), expected, "{line}");
            }
            // The words of Go's JSON errors are not ours; Helm does not print them either.
            (Err(StrvalsError::Json(_)), Some(_)) => {}
            (outcome, error) => {
                assert_eq!(
                    outcome.map_err(|error| error.to_string()).err().as_deref(),
                    error,
                    "{line}"
                );
            }
        }
        rows += 1;
    }
    assert!(rows > 300);
}

#[test]
fn json_numbers_are_floats_and_set_numbers_integers() {
    let mut values = JsonMap::new();
    set("a=1", &mut values).unwrap();
    set_json("b=1,c=[2]", &mut values).unwrap();
    assert_eq!(Value::Object(values).to_string(), r#"{"a":1,"b":1.0,"c":[2.0]}"#);
}

#[test]
fn an_object_is_merged() {
    let mut values = json!({"a": {"b": 1, "c": 2}}).as_object().cloned().unwrap();
    set_json(r#" {"a": {"c": 3}} "#, &mut values).unwrap();
    assert_eq!(Value::Object(values), json!({"a": {"b": 1, "c": 3.0}}));
}

#[test]
fn paths_and_lists_are_bounded() {
    let mut values = JsonMap::new();
    let deep = format!("a{}=1", "[0]".repeat(100_000));
    assert_eq!(set(&deep, &mut values), Err(StrvalsError::TooDeep));
    let deep = format!("{}=1", "a[0].".repeat(100_000));
    assert_eq!(set(&deep, &mut values), Err(StrvalsError::TooDeep));
    let wide = format!("a{}=1", "[65536]".repeat(100));
    assert_eq!(set(&wide, &mut JsonMap::new()), Err(StrvalsError::TooManyItems));
}

#[test]
fn a_file_that_cannot_be_read_is_said() {
    let error = set_file("a=nope", &mut JsonMap::new(), &mut |path| {
        Err(format!("open {path}: no such file"))
    });
    assert_eq!(error.unwrap_err().to_string(), "open nope: no such file");
}
