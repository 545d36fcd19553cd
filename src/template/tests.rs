//! The engine against a table that Go's text/template wrote.

use super::value::Scope;
use super::*;
use serde_json::json;

/// A host that knows nothing.
pub(super) struct Nowhere;

impl Host for Nowhere {
    fn lookup(&mut self, _: &str, _: &str, _: &str, _: &str) -> Result<serde_json::Value, String> {
        Ok(json!({}))
    }

    fn host_by_name(&mut self, _: &str) -> String {
        String::new()
    }

    fn now(&mut self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn time_zone(&self) -> jiff::tz::TimeZone {
        jiff::tz::TimeZone::UTC
    }

    fn random(&mut self, buffer: &mut [u8]) {
        buffer.fill(7);
    }

    fn warn(&mut self, _: &str) {}
}

/// The generator's data.
fn data() -> Value {
    Value::from_json(&json!({
        "m": {"a": {"b": 1.0, "c": [1.0, 2.0]}, "x": "hello", "z": 0.0, "f": false, "n": null, "e": ""},
        "l": [3.0, 1.0, 2.0],
        "s": "str",
        "i": 5,
        "t": true,
        "empty": {},
        "none": [],
        "mixed": [{"k": "v"}, null, [], "text", 1.5],
        "null": null,
        "html": "<a href='x'>\"&\"</a>",
    }))
}

/// What executing a text prints, and the error's text.
fn execute_with(text: &str, data: &Value, limits: Limits) -> (String, String) {
    let _scope = Scope::new();
    let set = match TemplateSet::parse([("file.yaml", text)]) {
        Ok(set) => set,
        Err(error) => return (String::new(), error.to_string()),
    };
    let mut output = Vec::new();
    let result = Context::new(&set, &mut Nowhere, limits, Mode::default()).execute("file.yaml", data, &mut output);
    let error = result.map_or_else(|error| error.to_string(), |()| String::new());
    (String::from_utf8_lossy(&output).into_owned(), error)
}

fn execute(text: &str) -> (String, String) {
    execute_with(text, &data(), Limits::default())
}

#[test]
fn templates_do_what_go_does() {
    let mut failures = Vec::new();
    let mut count = 0;
    for line in include_str!("testdata/cases.jsonl").lines() {
        let (text, output, error): (String, String, String) = serde_json::from_str(line).unwrap();
        count += 1;
        let ours = execute(&text);
        if ours != (output.clone(), error.clone()) {
            failures.push(format!(
                "{text:?}\n   ours {:?} {}\n   Go's {output:?} {error}",
                ours.0, ours.1
            ));
        }
    }
    assert!(count > 400, "only {count} cases");
    assert!(
        failures.is_empty(),
        "{} of {count}:\n{}",
        failures.len(),
        failures.join("\n")
    );
}
