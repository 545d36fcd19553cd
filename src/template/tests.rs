//! The engine against a table that Go's text/template wrote.

use super::value::Scope;
use super::*;
use serde_json::json;

/// A host that knows nothing.
pub(crate) struct Nowhere;

impl Host for Nowhere {
    fn now(&mut self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn random(&mut self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
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

/// Runs a test on the stack that the default limits are made for.
fn on_recommended_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new()
        .stack_size(Limits::STACK_BYTES)
        .spawn(test)
        .unwrap();
    assert!(thread.join().is_ok());
}

/// Each text recurses without end in its own way; none may exhaust the stack.
#[test]
fn endless_recursion_is_an_error() {
    on_recommended_stack(|| {
        let depth = "templates and expressions nest deeper than 6000 levels; raise this with --limit depth=NUMBER";
        let includes = "rendering template has a nested reference name: a: unable to execute template";
        let texts = [
            (depth, r#"{{define "a"}}{{template "a" .}}{{end}}{{template "a" .}}"#),
            (
                depth,
                r#"{{define "a"}}{{range .l}}{{template "a" $}}{{end}}{{end}}{{template "a" .}}"#,
            ),
            (includes, r#"{{define "a"}}{{include "a" .}}{{end}}{{include "a" .}}"#),
            (
                includes,
                r#"{{define "a"}}{{if true}}{{print (include "a" .)}}{{end}}{{end}}{{include "a" .}}"#,
            ),
            (depth, r#"{{$_ := set . "x" "{{ tpl .x . }}"}}{{tpl .x .}}"#),
            (
                depth,
                r#"{{$_ := set . "x" "{{ if true }}{{ tpl (print .x) . }}{{ end }}"}}{{tpl .x .}}"#,
            ),
        ];
        for (expected, text) in texts {
            let (_, error) = execute(text);
            assert!(error.ends_with(expected), "{text}: {error}");
        }
    });
}

#[test]
fn deep_source_is_an_error() {
    on_recommended_stack(|| {
        let parentheses = format!("{{{{{}1{}}}}}", "(".repeat(5_000), ")".repeat(5_000));
        let blocks = format!("{}{}", "{{if true}}".repeat(5_000), "{{end}}".repeat(5_000));
        let chain = format!("{{{{if false}}}}{}{{{{end}}}}", "{{else if false}}".repeat(5_000));
        for text in [parentheses, blocks, chain] {
            assert_eq!(execute(&text).1, "template: file.yaml:1: max expression depth exceeded");
        }
    });
}

#[test]
fn output_and_work_are_bounded() {
    let limits = Limits {
        bytes: 1_000,
        steps: 10_000,
        ..Limits::default()
    };
    let (output, error) = execute_with("{{range 100000}}0123456789{{end}}", &data(), limits);
    assert!(error.contains("a text is longer than 1000 bytes"), "{error}");
    assert!(output.len() <= 1_010);
    let (_, error) = execute_with("{{range 1000000000000}}{{end}}", &data(), limits);
    assert!(error.contains("more than 10000 steps"), "{error}");
}

#[test]
fn tpl_sees_the_set_and_keeps_its_own_definitions() {
    let table = [
        // What a tpl text defines is seen by what it includes, but not afterwards.
        (
            r#"{{define "a"}}A{{end}}{{tpl "{{define `a`}}B{{end}}{{include `a` .}}" .}}{{include "a" .}}"#,
            "BA",
        ),
        // An empty definition does not replace.
        (
            r#"{{define "a"}}A{{end}}{{tpl "{{define `a`}} {{end}}{{include `a` .}}" .}}"#,
            "A",
        ),
        (
            r#"{{define "a"}}{{include "b" .}}{{end}}{{tpl "{{define `b`}}{{.s}}{{end}}{{include `a` .}}" .}}"#,
            "str",
        ),
        (
            r#"{{tpl "{{.nope}}|<no value>" .}}{{tpl "<no value>x" .}}{{.nope}}"#,
            "|x<no value>",
        ),
        (
            r#"{{tpl "{{tpl `{{.s}}` .}}" .}}{{tpl "" .}}{{tpl "{{/* c */}}" .}}"#,
            "str",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(execute(text), (expected.to_owned(), String::new()), "{text}");
    }
}

#[test]
fn errors_of_nested_templates_are_chained() {
    let (_, error) = execute("{{define \"a\"}}\n{{.m.x.y}}{{end}}{{include \"a\" . | print}}");
    let expected = "template: file.yaml:2:19: executing \"file.yaml\" at <include \"a\" .>: error calling include: \
        template: file.yaml:2:4: executing \"a\" at <.m.x.y>: can't evaluate field y in type interface {}";
    assert_eq!(error, expected);
    let (_, error) = execute("{{include \"nope\" .}}");
    let expected = "template: file.yaml:1:2: executing \"file.yaml\" at <include \"nope\" .>: error calling include: \
        template: no template \"nope\" associated with template \"gotpl\"";
    assert_eq!(error, expected);
    let (_, error) = execute("{{tpl \"{{\" .}}");
    let expected = "template: file.yaml:1:2: executing \"file.yaml\" at <tpl \"{{\" .>: error calling tpl: \
        cannot parse template \"{{\": template: gotpl:1: unclosed action";
    assert_eq!(error, expected);
}

#[test]
fn required_and_fail_are_found_at_the_bottom() {
    let set = TemplateSet::parse([("f", "{{define \"a\"}}{{fail \"boom\"}}{{end}}{{include \"a\" .}}")]).unwrap();
    let mut host = Nowhere;
    let mut context = Context::new(&set, &mut host, Limits::default(), Mode::default());
    let error = context.execute("f", &Value::Nil, &mut Vec::new()).unwrap_err();
    assert_eq!(error.abort(), Some("boom"));
    // The context is good for another execution after an error.
    assert!(
        context
            .execute("f", &Value::Nil, &mut Vec::new())
            .unwrap_err()
            .limit()
            .is_none()
    );
}
