//! The executor and the functions of templates, within tight limits.

use fairlead::template::value::Scope;
use fairlead::template::{Context, Limits, Mode, TemplateSet, Value};
use serde_json::json;

use super::expressions;
use super::host::Still;

/// Tight, so that a hostile template is stopped within milliseconds.
fn limits() -> Limits {
    Limits {
        depth: 300,
        bytes: 32 << 10,
        steps: 5_000,
        includes: 20,
        memory: 4 << 20,
        regex: 64 << 10,
        keys: 0,
        ..Limits::default()
    }
}

/// Input: a template; behind a NUL the data, as JSON.
pub fn execute(data: &[u8]) {
    let (template, values) = match data.iter().position(|byte| *byte == 0) {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &[][..]),
    };
    let values = serde_json::from_slice(values).unwrap_or_else(|_| {
        json!({
            "m": {"a": {"b": 1.0, "c": [1.0, 2.0]}, "x": "hello", "z": 0.0, "f": false, "n": null, "e": ""},
            "l": [3.0, 1.0, 2.0], "s": "str", "i": 5, "t": true, "empty": {}, "none": [],
            "mixed": [{"k": "v"}, null, [], "text", 1.5], "null": null,
        })
    });
    run_twice(template, &values);
}

/// Input: the choices of which a template is built that calls functions with arguments of fitting and of other types.
pub fn functions(data: &[u8]) {
    let template = expressions::template(data);
    run_twice(
        template.as_bytes(),
        &json!({"m": {"a": {"b": 1.0}, "n": null}, "l": [3.0, 1.0, "x"], "t": true, "s": "str"}),
    );
}

/// The same template and the same world give the same output and the same error, within the limits.
fn run_twice(template: &[u8], values: &serde_json::Value) {
    let Ok(set) = TemplateSet::parse([("input", template)]) else {
        return;
    };
    let first = run(&set, values);
    assert!(first.0.len() <= limits().bytes, "{} bytes of output", first.0.len());
    assert!(first.1.len() <= 64 * (limits().bytes + template.len()), "a long error");
    assert!(first == run(&set, values), "two renderings differ");
}

fn run(set: &TemplateSet, values: &serde_json::Value) -> (Vec<u8>, String) {
    let _scope = Scope::new();
    let (mut host, mut output) = (Still(1), Vec::new());
    let data = Value::from_json(values);
    let mut context = Context::new(set, &mut host, limits(), Mode::default());
    let result = context.execute("input", &data, &mut output);
    let error = result.map_or_else(|error| error.to_string(), |()| String::new());
    (output, error)
}
