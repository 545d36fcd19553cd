//! The little language of `--set` and its relatives.

use fairlead::chart::JsonMap;
use fairlead::chart::strvals::{self, MAX_ITEMS, StrvalsError};
use serde_json::{Value, json};

/// Input: which flag, whether there are values before, and the flag's text. The same text gives the same values, also on top
/// of its own; the values stay bounded.
pub fn set(data: &[u8]) {
    let Some((choice, text)) = data.split_first() else {
        return;
    };
    let Ok(text) = str::from_utf8(text) else { return };
    let mut base = JsonMap::new();
    if choice & 8 != 0
        && let Value::Object(values) = json!({
            "a": {"b": [1.0, {"c": null}], "d": "x"}, "l": [[1.0], 2.0], "n": null, "s": "x", "t": true, "f": 1.5,
        })
    {
        base = values;
    }
    let (mut first, mut second) = (base.clone(), base);
    let outcome = apply(*choice, text, &mut first);
    assert_eq!(outcome.clone().err(), apply(*choice, text, &mut second).err());
    assert!(first == second, "two readings differ");
    let items: usize = first.values().map(count).sum();
    assert!(items <= MAX_ITEMS + 2 * text.len() + 100, "{items} items");
    if outcome.is_ok() {
        // Whatever this says, it ends.
        let _ = apply(*choice, text, &mut second);
    }
}

fn apply(choice: u8, text: &str, values: &mut JsonMap) -> Result<(), StrvalsError> {
    match choice % 5 {
        0 => strvals::set(text, values),
        1 => strvals::set_string(text, values),
        2 => strvals::set_literal(text, values),
        3 => strvals::set_json(text, values),
        _ => strvals::set_file(text, values, &mut |name| match name {
            "" => Err("no such file".to_owned()),
            name => Ok(format!("content of {name}")),
        }),
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(entries) => entries.values().map(count).sum::<usize>(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}
