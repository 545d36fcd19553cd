//! Against a table made with Go's own `regexp` (tests/golden/go).

use serde::Deserialize;

use super::Regexp;

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Row {
    pattern: String,
    text: String,
    error: String,
    all: Vec<String>,
    replace: String,
    split: Vec<String>,
    split2: Vec<String>,
}

fn texts(pieces: Vec<&[u8]>) -> Vec<String> {
    pieces
        .into_iter()
        .map(|piece| String::from_utf8(piece.to_vec()).unwrap())
        .collect()
}

fn check(row: &Row) -> Result<(), String> {
    let compiled = match Regexp::compile(&row.pattern) {
        Ok(compiled) => compiled,
        Err(error) if error.to_string() == row.error => return Ok(()),
        Err(error) => return Err(format!("{error}, want {:?}", row.error)),
    };
    if !row.error.is_empty() {
        return Err(format!("compiles, want {:?}", row.error));
    }
    let text = row.text.as_bytes();
    let all = compiled
        .find_all(text, -1)
        .into_iter()
        .map(|range| &text[range])
        .collect();
    let replaced = compiled.replace_all(text, b"<$0|${1}|$1x|$n|${n|$$|$|${}>");
    let got = (
        texts(all),
        String::from_utf8(replaced).unwrap(),
        texts(compiled.split(text, -1)),
        texts(compiled.split(text, 2)),
    );
    let want = (
        row.all.clone(),
        row.replace.clone(),
        row.split.clone(),
        row.split2.clone(),
    );
    if got == want {
        Ok(())
    } else {
        Err(format!("{got:?}, want {want:?}"))
    }
}

#[test]
fn as_go_matches() {
    let table = include_str!("../../../tests/golden/go/regexp.jsonl");
    let mut wrong = Vec::new();
    for line in table.lines() {
        let row: Row = serde_json::from_str(line).unwrap();
        if let Err(difference) = check(&row) {
            wrong.push(format!("{:?} on {:?}: {difference}", row.pattern, row.text));
        }
    }
    assert!(table.lines().count() > 1000);
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// What Go 1.26 gives; the tables hold no bytes that are no UTF-8.
#[test]
fn a_bad_byte_is_one_character() {
    let text = b"a\xff\xe2\x82b\xef\xbf\xbdc";
    let compile = |pattern| Regexp::compile(pattern).unwrap();
    assert!(compile("[^a-c]").is_match(b"\xff\xfe"));
    assert!(!compile("\u{ff}").is_match(b"\xff"));
    assert_eq!(
        compile(".").find_all(text, -1),
        [0..1, 1..2, 2..3, 3..4, 4..5, 5..8, 8..9]
    );
    assert_eq!(compile(r"[^\w]+").find(text), Some(1..4));
    let swapped = compile("(.)(?P<second>.)").replace_all(text, b"${second}$1");
    assert_eq!(swapped, b"\xffa\x82\xe2\xef\xbf\xbdbc");
    let pieces: [&[u8]; 3] = [b"a", b"b", b"c"];
    assert_eq!(compile("\u{fffd}+").split(text, -1), pieces);
}

#[test]
fn all_engines_find_the_same() {
    for pattern in [r"[^a-c]", r"(?i)K+", r"\bs|.$", r"\W*?b", r"(a|b)*\x{41}?", "é|a"] {
        let expression = Regexp::compile(pattern).unwrap();
        let found = |text: &str| expression.find_all(text.as_bytes(), -1);
        for short in ["", "abc", "KkS s", "a.b c\nA"] {
            // What follows a long text is of no concern to its first part.
            let long = format!("{short}\n{}", "\n".repeat(5000));
            let beyond_ascii = format!("{short}\n\u{e9}");
            let within = |text: &str| {
                let mut all = found(text);
                all.retain(|range| range.end < short.len());
                all
            };
            assert_eq!(within(&long), within(&format!("{short}\n")), "{pattern} {short:?}");
            assert_eq!(within(&beyond_ascii), within(&long), "{pattern} {short:?}");
        }
    }
}

#[test]
fn deep_nesting_is_refused() {
    let pattern = format!("{}a{}", "(".repeat(5000), ")".repeat(5000));
    let error = Regexp::compile(&pattern).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("error parsing regexp: expression nests too deeply: `(((")
    );
}

#[test]
fn a_huge_expression_is_refused() {
    let error = Regexp::compile(r"(?i)\pL{900}\pL{900}\pL{900}").unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("error parsing regexp: expression too large"),
        "{error}"
    );
}
