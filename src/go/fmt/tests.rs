use super::*;
use crate::template::value::{Bytes, List, ListType, Map, MapType, Text};
use base64::Engine as _;
use serde_json::Value as Json;

fn bytes(json: &Json) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD
        .decode(json.as_str().unwrap())
        .unwrap()
}

fn float(json: &Json) -> f64 {
    json.as_str().unwrap().trim_start_matches('+').parse().unwrap()
}

fn list(list_type: ListType, json: &Json) -> Value {
    Value::List(List::of(
        list_type,
        json.as_array().unwrap().iter().map(value).collect(),
    ))
}

fn map(map_type: MapType, json: &Json) -> Value {
    let entries = json
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, element)| (Text::from(key), value(element)));
    Value::Map(Map::of(map_type, entries.collect()))
}

/// A value from the generator's form: an object with the type as its only key.
fn value(json: &Json) -> Value {
    let (kind, inner) = json.as_object().unwrap().iter().next().unwrap();
    match kind.as_str() {
        "nil" => Value::Nil,
        "bool" => Value::Bool(inner.as_bool().unwrap()),
        "int" => Value::Int(inner.as_i64().unwrap()),
        "int32" => Value::Int32(i32::try_from(inner.as_i64().unwrap()).unwrap()),
        "int64" => Value::Int64(inner.as_str().unwrap().parse().unwrap()),
        "uint8" => Value::Uint8(u8::try_from(inner.as_i64().unwrap()).unwrap()),
        "uint64" => Value::Uint64(inner.as_str().unwrap().parse().unwrap()),
        "float64" => Value::Float64(float(inner)),
        "complex" => Value::Complex(float(&inner[0]), float(&inner[1])),
        "string" => Value::text(bytes(inner)),
        "bytes" => Value::Bytes(Bytes::new(bytes(inner))),
        "nilbytes" => Value::Bytes(Bytes::nil()),
        "list" => list(ListType::Any, inner),
        "nillist" => Value::List(List::nil(ListType::Any)),
        "strings" => list(ListType::String, inner),
        "ints" => list(ListType::Int, inner),
        "map" => map(MapType::Any, inner),
        "nilmap" => Value::Map(Map::nil(MapType::Any)),
        "stringmap" => map(MapType::Strings, inner),
        other => panic!("unknown type {other}"),
    }
}

#[test]
fn sprintf_prints_what_go_prints() {
    let mut failures = Vec::new();
    let mut count = 0;
    for line in include_str!("testdata/cases.jsonl").lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let format = bytes(&case[0]);
        let arguments: Vec<Value> = case[1].as_array().unwrap().iter().map(value).collect();
        let (printed, expected) = (sprintf(&format, &arguments), bytes(&case[2]));
        count += 1;
        if printed != expected {
            let text = String::from_utf8_lossy;
            let (format, printed, expected) = (text(&format), text(&printed), text(&expected));
            failures.push(format!(
                "{format:?} {arguments:?}\n   ours {printed:?}\n   Go's {expected:?}"
            ));
        }
    }
    assert!(count > 2_000, "only {count} cases");
    assert!(
        failures.is_empty(),
        "{} of {count}:\n{}",
        failures.len(),
        failures[..failures.len().min(40)].join("\n")
    );
}

#[test]
fn sprint_puts_spaces_only_between_two_that_are_no_strings() {
    let arguments = [
        Value::Int(1),
        Value::Int(2),
        "a".into(),
        "b".into(),
        Value::Int(3),
        Value::Nil,
        Value::Nil,
    ];
    assert_eq!(sprint(&arguments), b"1 2ab3 <nil> <nil>");
    assert_eq!(sprintln(&arguments[..3]), b"1 2 a\n");
}

#[test]
fn a_cyclic_value_stops() {
    let cycle = Map::new();
    cycle.insert("self", Value::Map(cycle.clone())).unwrap();
    let printed = sprint(&[Value::Map(cycle.clone())]);
    assert!(printed.starts_with(b"map[self:map[self:") && printed.len() < 100_000);
    cycle.remove(b"self");
}
