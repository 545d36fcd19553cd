//! Go's regular expressions: syntax, errors, matches, replacing and splitting.

use fairlead::go::regexp::Regexp;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::check::{self, Subject, base64};

struct Regexps;

#[derive(Clone, Debug)]
struct Case {
    pattern: String,
    text: String,
    replacement: String,
    limit: i64,
}

impl Subject for Regexps {
    type Case = Case;

    const NAME: &'static str = "regexps";

    fn question(case: &Case) -> Value {
        let (text, replacement) = (base64(case.text.as_bytes()), base64(case.replacement.as_bytes()));
        json!({"op": "regexp", "pattern": case.pattern, "text": text, "replacement": replacement, "limit": case.limit})
    }

    fn ours(case: &Case) -> Value {
        let (text, replacement) = (case.text.as_bytes(), case.replacement.as_bytes());
        let list = |parts: Vec<&[u8]>| {
            if parts.is_empty() {
                return Value::Null;
            }
            parts.into_iter().map(base64).collect::<Vec<_>>().into()
        };
        let regexp = match Regexp::compile(&case.pattern) {
            Ok(regexp) => regexp,
            Err(error) => {
                return json!({
                    "error": error.to_string(), "match": false, "find": null, "all": null, "replace": null, "literal": null, "split": null,
                });
            }
        };
        let find = regexp.find(text).map_or(&b""[..], |range| &text[range]);
        json!({
            "error": "",
            "match": regexp.is_match(text),
            "find": base64(find),
            "all": list(regexp.find_all(text, case.limit).into_iter().map(|range| &text[range]).collect()),
            "replace": base64(&regexp.replace_all(text, replacement)),
            "literal": base64(&regexp.replace_all_literal(text, replacement)),
            "split": list(regexp.split(text, case.limit)),
        })
    }

    fn same(_: &Case, ours: &Value, theirs: &Value) -> bool {
        // Our bound on the compiled size (COMPATIBILITY.md).
        let is_too_large = ours["error"]
            .as_str()
            .is_some_and(|error| error.contains("expression too large"));
        is_too_large || ours == theirs
    }
}

fn pattern() -> BoxedStrategy<String> {
    let atom = prop_oneof![
        6 => select(vec!["a", "b", "c", "x", "1", "é", "-", " ", ".", "^", "$", "_"]),
        3 => select(vec![
            "\\d", "\\w", "\\s", "\\D", "\\W", "\\S", "\\b", "\\B", "\\A", "\\z", "\\pL", "\\p{Greek}", "\\PN", "\\p{^Lu}", "\\x41", "\\x{e9}", "\\101", "\\n", "\\t",
            "\\.", "\\-", "\\Q.a\\E", "\\Qb", "\\C", "\\Z", "\\1", "\\e", "\\_", "\\p{Nope}", "\\8", "\\", "\\x", "\\ç", "\\a", "\\0", "\\pX",
        ]),
        3 => select(vec![
            "[abc]", "[^a]", "[a-c]", "[[:alpha:]]", "[[:^digit:]]", "[\\d-]", "[]a]", "[^]]", "[-a]", "[a-]", "[c-a]", "[", "[a", "[]", "[[:nope:]]", "[\\w\\s]", "[\\pL1]",
            "[^\\x00-\\x7f]", "[.]", "[$^]", "[a\\]b]", "[\\Q]\\E]", "[[a]", "[a&&b]", "[a-\\d]", "[α-ω]", "[[:word:]_]", "[^\\D]", "[\\b]", "[--/]", "[~~a]",
        ]),
    ]
    .prop_map(str::to_owned);
    let repeat = prop_oneof![
        8 => Just(""),
        4 => select(vec!["*", "+", "?", "*?", "+?", "??", "{2}", "{1,}", "{0,2}", "{1,2}?"]),
        1 => select(vec!["**", "{2,1}", "{1001}", "{,2}", "{a}", "{", "}", "{1", "*+", "+*", "{1}{2}", "?+", "{0}", "{1000}", "{2}*"]),
    ];
    let flags = select(vec![
        "(?i)", "(?s)", "(?m)", "(?U)", "(?-s)", "(?i:", "(?im-s:", "(?x)", "(?", "(?P<n>", "(?<n>", "(?P<n", "(?:",
        "(", "(", "(?P=n)", "(?=", "(?!", "(?#", "(?<=", "(?P<1>", "(?P<>", "(?i-:", "(?-)", "(?i-i)", "(?P<é>",
    ]);
    atom.prop_recursive(3, 16, 4, move |inner| {
        let group = (flags.clone(), inner.clone(), prop_oneof![9 => Just(")"), 1 => Just("")]).prop_map(|(open, inner, close)| {
            if open.ends_with(')') { open.to_owned() + &inner } else { format!("{open}{inner}{close}") }
        });
        prop_oneof![
            4 => prop::collection::vec((inner.clone(), repeat.clone()), 1..4).prop_map(|parts| parts.into_iter().map(|(part, repeat)| part + repeat).collect()),
            2 => prop::collection::vec(inner, 2..4).prop_map(|parts| parts.join("|")),
            3 => group,
        ]
    })
    .boxed()
}

#[test]
fn regular_expressions_are_gos() {
    check::check::<Regexps>(1_000, || {
        let text = prop_oneof![4 => "[abcx1é _.A\n-]{0,12}", 1 => "[ -~à-ÿα-ωА-я日本\u{1F600}\u{212a}ſ]{0,8}", 1 => select(vec!["", "aaa", "abcabc", "Ab1-é", "a\nb", "αβγ", "x.a1", "\u{212a}kK ſsS"]).prop_map(str::to_owned)];
        let replacement = prop_oneof![2 => select(vec!["", "X", "$0", "$1", "${1}", "$1x", "${n}", "$n", "$$", "$", "${", "$2$1", "${1", "$-", "[${0}]"]).prop_map(str::to_owned), 1 => "[$a1n{}]{0,6}"];
        (pattern(), text, replacement, -1i64..4)
            .prop_map(|(pattern, text, replacement, limit)| Case {
                pattern,
                text,
                replacement,
                limit,
            })
            .boxed()
    });
}
