//! YAML: reading and writing as sigs.k8s.io/yaml and go-yaml do; and the texts behind `--set`.

use fairlead::chart::{JsonMap, strvals};
use fairlead::yaml;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::check::{self, Subject, base64, equal, unbase64};

struct Reading;

impl Subject for Reading {
    type Case = String;

    const NAME: &'static str = "yaml reading";

    fn question(case: &String) -> Value {
        json!({"op": "yaml", "text": base64(case.as_bytes())})
    }

    fn ours(case: &String) -> Value {
        let text = case.as_bytes();
        let answer = |read: Result<Value, yaml::Error>| match read {
            Ok(value) => json!({"value": value, "error": ""}),
            Err(error) => json!({"value": null, "error": error.to_string()}),
        };
        json!({
            "any": answer(yaml::from_slice(text)),
            "map": answer(yaml::from_slice_map(text).map(Value::Object)),
            "list": answer(yaml::from_slice_array(text).map(Value::Array)),
            "json": answer(yaml::to_json(text)),
            "strict": answer(yaml::to_json_strict(text)),
        })
    }

    fn theirs(mut answer: Value) -> Value {
        // A nil map or list is an empty one to us.
        for (key, empty) in [("map", json!({})), ("list", json!([]))] {
            if answer[key]["value"].is_null() && answer[key]["error"] == "" {
                answer[key]["value"] = empty;
            }
        }
        answer
    }

    fn same(_: &String, ours: &Value, theirs: &Value) -> bool {
        // The value of a null key is shown as we have it, which is its JSON.
        let is_null_key = |answer: &Value| {
            answer["json"]["error"]
                .as_str()
                .is_some_and(|error| error.starts_with(NULL_KEY))
        };
        equal(ours, theirs) || is_null_key(ours) && is_null_key(theirs)
    }
}

const NULL_KEY: &str = "unsupported map key of type: %!s(<nil>), key: <nil>, value: ";

/// Scalars of YAML 1.1 in all their dress, and what surrounds them.
fn document() -> BoxedStrategy<String> {
    let scalar = prop_oneof![
        6 => select(vec![
            "a", "b", "1", "-1", "1.5", "true", "no", "~", "null", "\"x\"", "'y'", "", "0x1F", "012", "0o17", "0b11", "1_000", "1e3", "1E+3", ".5", "5.", ".inf", "-.Inf", ".nan", "+1", "1:30", "190:20:30",
            "2020-01-02", "2001-12-14t21:59:43.10-05:00", "2001-12-14 21:59:43.10", "y", "Y", "on", "OFF", "TRUE", "True", "tRue", "Null", "NULL", "=", "<<", "0", "-0", "00", "08", "9223372036854775808",
            "18446744073709551616", "1e400", "-1e-400", "0x", "0b2", "+.inf", "1__0", "_1", "1_", "- a", "a b", "a: b", "a #c", "a#c", "'it''s'", "\"a\\tb\\u00e9\\x41\\n\"", "\"\\q\"", "\"a\n  b\"", "'a\n\n  b'", "a\n  b",
            "!!str 1", "!!int \"3\"", "!!float 1", "!!bool \"yes\"", "!!null \"\"", "!!binary aGk=", "!!binary =", "!foo x", "!!map {}", "!!set {a}", "!!seq []", "!!timestamp 2020-01-02", "! x", "!!str", "!!int x", "!!float x", "!!omap []",
            "&a x", "*a", "&b {c: d}", "*b", "*nope", "&a", "[a, b]", "{a: 1}", "[]", "{}", "[a, {b: c}]", "{a, b: }", "[a", "{a: b", "]", "[,]", "[a,,b]", "{a: 1, a: 2}", "@x", "`x", "%x", "-", "?", ":", "?x", ":x", "-x", "- - x", "? a\n: b",
            "|\n  x\n  y\n", ">\n  x\n  y\n\n  z\n", "|-\n  x\n", "|+\n  x\n\n", ">-\n  x\n   y\n  z\n", "|2\n    x\n", "|\n", "|1-\n  x\n", ">+\n\n  a\n\n\n", "|x\n", "|0\n", "\t", "a\tb", "\"\t\"", "é", "日本", "\u{1F600}", "\u{feff}", "\u{85}", "\u{2028}x", "\"a\\\n  b\"",
            "0777", "0888", "1.2.3", "1,000", "12e03", "-.5", "+.5", "-.", ".", "..", "...", "---", "0.0", "-0.0", "1e", "e1", "0x1G", "-0x1F", "-0b1", "-012", "0o8", "4294967296", "1.7976931348623157e309", "685_230.15", "0b1010_0111", "1:2:3.4",
        ]).prop_map(str::to_owned),
        1 => "[ -~]{0,8}",
        1 => "[-0-9_.eExob:+]{1,6}",
    ];
    let key = prop_oneof![
        8 => select(vec!["a", "b", "c", "x1", "\"q\"", "'s'", "1", "true", "on", "null", "1.5", "<<", "é", "a b", "0x10", "2020-01-02", "? k\n", "[x]", "{x: y}", "", "*a", "&k k", "!!str 1", "-", "1e3", "~", ".inf", "!!binary aGk="]).prop_map(str::to_owned),
        1 => "[a-d]{1,2}",
    ];
    let gap = select(vec![
        ": ",
        ": ",
        ": ",
        ":",
        ":  ",
        ":\t",
        " : ",
        ": # c\n  ",
        ":\n  ",
        ":\n",
    ]);
    let end = select(vec![
        "\n", "\n", "\n", "\n", "\r\n", "\n\n", " # c\n", "\n# c\n", "", " \n", "\t\n", "\r", "\n\t\n",
    ]);
    let leaf = scalar.clone();
    let node = leaf.prop_recursive(3, 12, 4, move |inner| {
        let pair = (key.clone(), gap.clone(), inner.clone(), end.clone());
        let pair = pair.prop_map(|(key, gap, value, end)| {
            let value = if value.contains('\n') {
                format!("\n{}", indented(&value, "  "))
            } else {
                value
            };
            format!("{key}{gap}{value}{end}")
        });
        let item = (inner, end.clone()).prop_map(|(value, end)| {
            let value = indented(&value, "  ");
            format!("- {}{end}", value.trim_start())
        });
        prop_oneof![
            3 => prop::collection::vec(pair, 1..4).prop_map(|pairs| pairs.concat()),
            2 => prop::collection::vec(item, 1..4).prop_map(|items| items.concat()),
        ]
    });
    let around = select(vec![
        "",
        "",
        "",
        "",
        "",
        "---\n",
        "\u{feff}",
        "%YAML 1.1\n---\n",
        "# c\n",
        "\n",
        "--- ",
        "%TAG ! tag:x,2000:\n---\n",
        "%FOO\n---\n",
        " ",
        "...\n",
    ]);
    let after = select(vec![
        "",
        "",
        "",
        "",
        "",
        "\n...\n",
        "\n---\n",
        "\n---\nb: 2\n",
        " # c",
        "\n...\nx",
        "\n  ",
        "\n\t",
    ]);
    (around, node, after)
        .prop_map(|(before, node, after)| format!("{before}{node}{after}"))
        .boxed()
}

fn indented(text: &str, indent: &str) -> String {
    let lines = text.split('\n').map(|line| {
        if line.is_empty() {
            String::new()
        } else {
            format!("{indent}{line}")
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn texts_are_read_as_go_reads_them() {
    check::check::<Reading>(1_200, document);
}

struct Writing;

impl Subject for Writing {
    type Case = Value;

    const NAME: &'static str = "yaml writing";

    fn question(case: &Value) -> Value {
        json!({"op": "emit", "value": case})
    }

    fn ours(case: &Value) -> Value {
        let (text, error) = match yaml::try_to_string(case) {
            Ok(text) => (text, String::new()),
            Err(error) => (String::new(), error.to_string()),
        };
        json!({"yaml": text, "pretty": yaml::to_string_pretty(case), "error": error})
    }

    fn theirs(mut answer: Value) -> Value {
        for key in ["yaml", "pretty"] {
            let text = unbase64(answer[key].as_str().unwrap_or_default());
            answer[key] = String::from_utf8_lossy(&text).into();
        }
        answer
    }
}

fn json_value() -> BoxedStrategy<Value> {
    let text = prop_oneof![
        4 => document(),
        3 => "[ -~\n]{0,20}",
        2 => "([a-z]{1,12} ){0,20}[a-z]{0,30}",
        1 => "\\PC{0,10}",
        1 => "[ \t\n\r:#'\"|>é\u{85}\u{a0}\u{2028}\u{feff}-]{0,8}",
    ];
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        // The oracle reads every number as a float.
        1 => (-100_000i32..100_000).prop_map(|number| json!(f64::from(number))),
        1 => any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(|number| json!(number)),
        6 => text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, move |inner| {
        // go-yaml does not order these keys by any rule (COMPATIBILITY.md): one run of digits is enough.
        let key = prop_oneof![4 => "[a-zA-Z_]{0,6}", 2 => "[0-9]{0,4}", 1 => text.clone().prop_filter("order", |text| !text.contains(|c: char| c.is_ascii_digit() || c == '\u{85}'))];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..4).prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
    .boxed()
}

#[test]
fn values_are_written_as_go_writes_them() {
    check::check::<Writing>(800, json_value);
}

struct Sets;

impl Subject for Sets {
    type Case = (&'static str, String, Value);

    const NAME: &'static str = "--set";

    fn question((form, text, into): &Self::Case) -> Value {
        json!({"op": "strvals", "form": form, "text": text, "into": into})
    }

    fn ours((form, text, into): &Self::Case) -> Value {
        let mut values: JsonMap = into.as_object().unwrap().clone();
        let result = match *form {
            "set" => strvals::set(text, &mut values),
            "string" => strvals::set_string(text, &mut values),
            "json" => strvals::set_json(text, &mut values),
            "literal" => strvals::set_literal(text, &mut values),
            _ => strvals::set_file(text, &mut values, &mut |path| {
                if path.contains("missing") {
                    Err("no such file".to_owned())
                } else {
                    Ok(format!("content of {path}"))
                }
            }),
        };
        let error = result.err().map(|error| error.to_string()).unwrap_or_default();
        json!({"values": values, "error": error})
    }

    fn same((form, text, _): &Self::Case, ours: &Value, theirs: &Value) -> bool {
        // The words of Go's JSON errors are not ours; the values of a text that fails are nobody's.
        let (failed, fails) = (ours["error"] != "", theirs["error"] != "");
        if *form == "json" && text.trim_start().starts_with('{') {
            return true; // the command takes it for an object, before it is one of these texts
        }
        match (failed, fails) {
            (true, true) => *form == "json" || ours["error"] == theirs["error"],
            _ => failed == fails && equal(&ours["values"], &theirs["values"]),
        }
    }
}

#[test]
fn set_flags_are_read_as_helm_reads_them() {
    check::check::<Sets>(1_000, || {
        let key = prop_oneof![6 => select(vec!["a", "b", "m", "l", "s", "n"]).prop_map(str::to_owned), 1 => "[a-c\\\\.= \\[\\],{}]{0,4}"];
        let step = prop_oneof![
            3 => key.clone().prop_map(|key| format!(".{key}")),
            2 => select(vec!["[0]", "[1]", "[2]", "[5]", "[-1]", "[x]", "[", "[]", "[0][1]", "[ 1 ]", "[65537]", "[01]", "[0"]).prop_map(str::to_owned),
        ];
        let path = (key, prop::collection::vec(step, 0..3)).prop_map(|(key, steps)| key + &steps.concat());
        let value = prop_oneof![
            5 => select(vec!["1", "x", "true", "null", "", "007", "0", "-5", "1.5", "{a,b}", "{}", "{a", "{1,{2}}", "False", "NULL", "a b", "a\\,b", "{a\\,b,c}", "9223372036854775808", "[1,2]", "{\"a\":1}", "\"s\"", "missing", "x=y", "{,}", "{a,}", "é", "0x1", "1e3", " 1", "+1", "\\", "[{\"b\":null}]", "1.0"]).prop_map(str::to_owned),
            1 => "[a-c0-9\\\\.= \\[\\],{}\"]{0,6}",
        ];
        let pair = (path, select(vec!["=", "=", "=", "=", "", "=="]), value)
            .prop_map(|(path, equals, value)| format!("{path}{equals}{value}"));
        let text = prop::collection::vec(pair, 0..4).prop_map(|pairs| pairs.join(","));
        let into = select(vec![
            json!({}),
            json!({"a": {"b": "x"}, "l": [1.0, {"a": 2.0}, [3.0]], "s": "str", "n": null, "m": {"l": ["q"]}}),
        ]);
        (select(vec!["set", "string", "file", "json", "literal"]), text, into).boxed()
    });
}
