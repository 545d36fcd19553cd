//! Reading YAML, and reading back what was written.

use arbitrary::{Result, Unstructured};
use fairlead::yaml;
use serde_json::{Map, Value};

/// Input: a YAML text. What is read is bounded, strict reading agrees, and what is written of it is read back.
pub fn yaml_read(data: &[u8]) {
    let read = yaml::to_json(data);
    let floats = yaml::from_slice(data);
    assert_eq!(read.is_ok(), floats.is_ok(), "reading as floats does not agree");
    if let Ok(strict) = yaml::to_json_strict(data) {
        assert_eq!(read.as_ref().ok(), Some(&strict), "strict reading reads something else");
    }
    if let Ok(text) = str::from_utf8(data) {
        let documents: usize = yaml::split_documents(text).map(str::len).sum();
        assert!(documents <= text.len());
    }
    match read {
        Ok(value) => {
            if let Ok(floats) = floats {
                assert!(same(&floats, &value), "{floats} is not {value}");
            }
            round_trip(&value);
        }
        Err(error) => assert!(error.to_string().len() < 4 * data.len() + 1000, "a long message"),
    }
}

/// Input: 0 and JSON, or the choices of which a value is built. What is written is read back.
pub fn yaml_write(data: &[u8]) {
    let value = match data.split_first() {
        Some((0, json)) => serde_json::from_slice(json).ok(),
        Some((_, choices)) => value(&mut Unstructured::new(choices), 0).ok(),
        None => None,
    };
    if let Some(value) = value {
        round_trip(&value);
    }
}

fn round_trip(value: &Value) {
    // Refused are control characters and long keys (`try_to_string` says which).
    let Ok(written) = yaml::try_to_string(value) else {
        return;
    };
    if !is_kept(value) {
        return;
    }
    match yaml::to_json(written.as_bytes()) {
        Ok(read) => assert!(same(&read, value), "{value} became {read} by way of\n{written}"),
        Err(error) => panic!("{value} became\n{written}{error}"),
    }
    // Version 3's blocks are not always read by version 2 (a tab at the beginning of one), in Helm neither.
    let pretty = yaml::to_string_pretty(value);
    if !holds_for_texts(value, &|text| !text.contains(char::is_control)) {
        return;
    }
    match yaml::to_json(pretty.as_bytes()) {
        Ok(read) => assert!(
            same(&read, value),
            "{value} became {read} by way of the pretty form\n{pretty}"
        ),
        Err(error) => panic!("{value} became, pretty,\n{pretty}{error}"),
    }
}

/// Whether Helm itself would read back what it writes: a merge key is taken for one, and the line break U+0085 for a blank.
fn is_kept(value: &Value) -> bool {
    holds_for_texts(value, &|text| text != "<<" && !text.contains('\u{85}'))
}

/// Whether something is true of all strings and keys of a value.
fn holds_for_texts(value: &Value, test: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => test(text),
        Value::Array(items) => items.iter().all(|item| holds_for_texts(item, test)),
        Value::Object(entries) => {
            let mut entries = entries.iter();
            entries.all(|(key, value)| test(key) && holds_for_texts(value, test))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

/// As JSON compares numbers: 1 and 1.0 are one.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            let mut pairs = a.iter().zip(b);
            a.len() == b.len() && pairs.all(|((key, a), (other, b))| key == other && same(a, b))
        }
        (a, b) => a == b,
    }
}

/// Pieces that mean something to YAML; strings are made of them.
const PIECES: &[&str] = &[
    "a",
    "b ",
    " ",
    "\n",
    "\n\n",
    "\t",
    ": ",
    ":",
    "#",
    " #",
    "- ",
    "-",
    "? ",
    "?",
    "'",
    "\"",
    "\\",
    "|",
    ">",
    "&a",
    "*a",
    "!",
    "!!str",
    "%",
    "@",
    "`",
    "[",
    "]",
    "{",
    "}",
    ",",
    "---",
    "...",
    "<<",
    "=",
    "~",
    "null",
    "true",
    "yes",
    "off",
    "y",
    "1",
    "0",
    "0x1f",
    "0o7",
    "0b1",
    "1_0",
    ".5",
    "1e3",
    "+1",
    "-1",
    ".inf",
    ".nan",
    "1:20",
    "2020-01-02",
    "T03:04:05Z",
    "é",
    "€",
    "𝄞",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "\r",
    "\r\n",
    "\u{1}",
    "\u{7f}",
    "word word word word word word word word word word word word word word word word word word",
];

fn value(input: &mut Unstructured<'_>, depth: usize) -> Result<Value> {
    Ok(match input.int_in_range(0..=9_u8)? {
        0 => Value::Null,
        1 => Value::Bool(input.arbitrary()?),
        2 => Value::from(input.arbitrary::<i64>()?),
        3 => Value::from(input.arbitrary::<f64>()?),
        4 if depth < 6 => {
            let count = input.int_in_range(0..=5_u8)?;
            Value::Array((0..count).map(|_| value(input, depth + 1)).collect::<Result<_>>()?)
        }
        5 | 6 if depth < 6 => {
            let mut entries = Map::new();
            for _ in 0..input.int_in_range(0..=5_u8)? {
                entries.insert(text(input)?, value(input, depth + 1)?);
            }
            Value::Object(entries)
        }
        _ => Value::String(text(input)?),
    })
}

fn text(input: &mut Unstructured<'_>) -> Result<String> {
    if input.ratio(1, 4_u8)? {
        return input.arbitrary();
    }
    let mut text = String::new();
    for _ in 0..input.int_in_range(0..=6_u8)? {
        text.push_str(input.choose(PIECES)?);
    }
    Ok(text)
}
