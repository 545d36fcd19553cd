//! Go's fmt: verbs, flags, widths and precisions with arguments of all types that templates have.

use std::collections::BTreeMap;

use fairlead::go::fmt;
use fairlead::go::time::Duration;
use fairlead::template::value::{Bytes, List, ListType, Value as Template};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::check::{self, Subject, base64, unbase64};

struct Formats;

/// A value of a type that Go prints.
#[derive(Clone, Debug)]
enum Argument {
    Nil,
    Bool(bool),
    Int(i64),
    Int32(i32),
    Int64(i64),
    Uint8(u8),
    Uint64(u64),
    Float(f64),
    String(Vec<u8>),
    Bytes(Vec<u8>),
    Strings(Vec<String>),
    List(Vec<Argument>),
    Map(BTreeMap<String, Argument>),
}

impl Argument {
    fn question(&self) -> Value {
        match self {
            Self::Nil => json!({}),
            Self::Bool(value) => json!({ "bool": value }),
            Self::Int(value) => json!({ "int": value }),
            Self::Int32(value) => json!({ "int32": value }),
            Self::Int64(value) => json!({ "int64": value }),
            Self::Uint8(value) => json!({ "uint8": value }),
            Self::Uint64(value) => json!({ "uint64": value }),
            Self::Float(value) => json!({ "float": value.to_bits() }),
            Self::String(value) => json!({ "string": base64(value) }),
            Self::Bytes(value) => json!({ "bytes": base64(value) }),
            Self::Strings(items) => json!({ "strings": items }),
            Self::List(items) => json!({ "list": items.iter().map(Self::question).collect::<Vec<_>>() }),
            Self::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| (key.clone(), value.question()));
                json!({ "map": entries.collect::<serde_json::Map<_, _>>() })
            }
        }
    }

    fn ours(&self) -> Template {
        match self {
            Self::Nil => Template::Nil,
            Self::Bool(value) => Template::Bool(*value),
            Self::Int(value) => Template::Int(*value),
            Self::Int32(value) => Template::Int32(*value),
            Self::Int64(value) => Template::Int64(*value),
            Self::Uint8(value) => Template::Uint8(*value),
            Self::Uint64(value) => Template::Uint64(*value),
            Self::Float(value) => Template::Float64(*value),
            Self::String(value) => Template::text(value.clone()),
            Self::Bytes(value) => Template::Bytes(Bytes::new(value.clone())),
            Self::Strings(items) => {
                let items = items.iter().map(|item| Template::text(item.as_str()));
                Template::List(List::of(ListType::String, items.collect()))
            }
            Self::List(items) => Template::list(items.iter().map(Self::ours).collect()),
            Self::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| (key.as_str(), value.ours()));
                Template::Map(entries.collect())
            }
        }
    }
}

impl Subject for Formats {
    type Case = (Vec<u8>, Vec<Argument>);

    const NAME: &'static str = "formats";

    fn question((format, arguments): &Self::Case) -> Value {
        let arguments: Vec<Value> = arguments.iter().map(Argument::question).collect();
        json!({"op": "printf", "format": base64(format), "arguments": arguments})
    }

    fn ours((format, arguments): &Self::Case) -> Value {
        let arguments: Vec<Template> = arguments.iter().map(Argument::ours).collect();
        json!({
            "printf": String::from_utf8_lossy(&fmt::sprintf(format, &arguments)),
            "print": String::from_utf8_lossy(&fmt::sprint(&arguments)),
            "println": String::from_utf8_lossy(&fmt::sprintln(&arguments)),
        })
    }

    fn theirs(mut answer: Value) -> Value {
        for key in ["printf", "print", "println"] {
            let bytes = unbase64(answer[key].as_str().unwrap_or_default());
            answer[key] = String::from_utf8_lossy(&bytes).into();
        }
        answer
    }
}

#[test]
fn formats_print_what_go_prints() {
    check::check::<Formats>(1_000, || (format(), prop::collection::vec(argument(), 0..4)).boxed());
}

fn argument() -> BoxedStrategy<Argument> {
    let float = prop_oneof![
        select(vec![
            0.0,
            -0.0,
            1.0,
            0.5,
            1e21,
            1e20,
            1e-7,
            123.456,
            2.5,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MAX,
            f64::MIN_POSITIVE,
            5e-324
        ]),
        any::<f64>(),
        (-100_000i32..100_000).prop_map(|number| f64::from(number) / 64.0),
    ];
    let text = prop_oneof![
        select(vec![
            "",
            "a",
            "hi",
            "héllo",
            "日本",
            "\u{1F600}",
            "a\"b",
            "`",
            "\n\t",
            "\u{7f}\u{0}",
            "\u{feff}",
            "x y z"
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..5),
        "\\PC{0,8}".prop_map(String::into_bytes),
    ];
    let leaf = prop_oneof![
        1 => Just(Argument::Nil),
        2 => any::<bool>().prop_map(Argument::Bool),
        3 => (-300i64..300).prop_map(Argument::Int),
        1 => any::<i64>().prop_map(Argument::Int),
        1 => prop_oneof![any::<i32>(), 0x20..0x2ff].prop_map(Argument::Int32),
        1 => any::<i64>().prop_map(Argument::Int64),
        1 => any::<u8>().prop_map(Argument::Uint8),
        1 => any::<u64>().prop_map(Argument::Uint64),
        4 => float.prop_map(Argument::Float),
        5 => text.clone().prop_map(Argument::String),
        1 => text.prop_map(Argument::Bytes),
        1 => prop::collection::vec("[a-c ]{0,3}", 0..3).prop_map(Argument::Strings),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Argument::List),
            prop::collection::btree_map("[a-c1]{0,2}", inner, 0..3).prop_map(Argument::Map),
        ]
    })
    .boxed()
}

fn format() -> impl Strategy<Value = Vec<u8>> {
    let verb = prop_oneof![
        8 => select(b"vTtbcdoOqxXUeEfFgGs%".to_vec()),
        1 => select(b"zywN!.*[]# ".to_vec()),
        1 => any::<u8>().prop_filter("an address", |verb| *verb != b'p'),
    ];
    let size = || prop_oneof![4 => Just(String::new()), 4 => (0..20u32).prop_map(|size| size.to_string()), 1 => Just("*".to_owned())];
    let precision = prop_oneof![3 => Just(String::new()), 2 => size().prop_map(|size| format!(".{size}"))];
    let index = || prop_oneof![9 => Just(""), 1 => select(vec!["[1]", "[2]", "[3]", "[0]", "[x]", "[", "[5]", "[-1]", "[2]*", "[1]*"])];
    let directive = ("[-+# 0]{0,3}", index(), size(), precision, index(), verb);
    let directive = directive.prop_map(|(flags, a, size, precision, b, verb)| {
        let mut text = format!("%{flags}{a}{size}{precision}{b}").into_bytes();
        text.push(verb);
        text
    });
    let part = prop_oneof![4 => directive, 1 => "[ -~é]{0,3}".prop_map(String::into_bytes), 1 => Just(b"%".to_vec())];
    prop::collection::vec(part, 0..4).prop_map(|parts| parts.concat())
}

/// Go's durations, and their rounding.
struct Durations;

impl Subject for Durations {
    type Case = (String, i64);

    const NAME: &'static str = "durations";

    fn question((text, multiple): &Self::Case) -> Value {
        json!({"op": "duration", "text": text, "multiple": multiple})
    }

    fn ours((text, multiple): &Self::Case) -> Value {
        let parsed = Duration::parse(text);
        let error = parsed.as_ref().err().map(ToString::to_string).unwrap_or_default();
        let duration = parsed.unwrap_or(Duration(0));
        json!({
            "text": duration.to_string(), "nanos": duration.0, "error": error,
            "rounded": duration.round(Duration(*multiple)).0, "truncated": duration.truncate(Duration(*multiple)).0,
        })
    }
}

#[test]
fn durations_are_read_and_rounded_as_by_go() {
    check::check::<Durations>(400, || {
        let number = prop_oneof!["[0-9]{0,3}", "[0-9]{0,3}\\.[0-9]{0,12}", "[0-9]{8,20}", "[.+-]"];
        let unit = select(vec!["h", "m", "s", "ms", "us", "µs", "μs", "ns", "", "d", "H", " "]);
        let parts = prop::collection::vec((number, unit), 0..4);
        let text = ("[-+]?", parts).prop_map(|(sign, parts)| {
            let parts: String = parts.into_iter().map(|(number, unit)| number + unit).collect();
            sign + &parts
        });
        let units = select(vec![
            0,
            1,
            -1,
            1_000,
            1_000_000,
            1_000_000_000,
            60_000_000_000,
            3_600_000_000_000,
            i64::MAX,
        ]);
        (text, prop_oneof![units, any::<i64>()]).boxed()
    });
}
