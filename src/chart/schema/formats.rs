//! The formats whose rules or words are Go's rather than the validator's own.

use std::error::Error;

use boon::{Compiler, Format};
use serde_json::Value;

use crate::go::strconv;
use crate::go::url::Url;

type Outcome = Result<(), Box<dyn Error>>;
/// A format and its rule.
type Rule = (&'static str, fn(&Value) -> Outcome);

/// The lengths of a UUID's parts.
const UUID_PARTS: [usize; 5] = [8, 4, 4, 4, 12];

/// Makes the compiler use them.
pub(super) fn register(compiler: &mut Compiler) {
    let formats: [Rule; 4] = [
        ("ipv4", |value| on_text(value, ipv4)),
        ("json-pointer", |value| on_text(value, json_pointer)),
        ("uri", |value| on_text(value, uri)),
        ("uuid", |value| on_text(value, uuid)),
    ];
    for (name, func) in formats {
        compiler.register_format(Format { name, func });
    }
}

/// Other values than strings have every format.
fn on_text(value: &Value, check: fn(&str) -> Outcome) -> Outcome {
    value.as_str().map_or(Ok(()), check)
}

fn ipv4(text: &str) -> Outcome {
    let parts: Vec<&str> = text.split('.').collect();
    if parts.len() != 4 {
        return Err("expected four decimals".into());
    }
    for part in parts {
        if part.len() > 1 && part.starts_with('0') {
            return Err("leading zeros".into());
        }
        if !(0..=255).contains(&strconv::atoi(part.as_bytes())?) {
            return Err("decimal must be between 0 and 255".into());
        }
    }
    Ok(())
}

fn json_pointer(text: &str) -> Outcome {
    if text.is_empty() {
        return Ok(());
    }
    if !text.starts_with('/') {
        return Err("not starting with /".into());
    }
    for (at, _) in text.match_indices('~') {
        if !matches!(text.as_bytes().get(at + 1), Some(b'0' | b'1')) {
            return Err("~ must be followed by 0 or 1".into());
        }
    }
    Ok(())
}

fn uri(text: &str) -> Outcome {
    let url = Url::parse(text.as_bytes()).map_err(|error| error.to_string())?;
    if url.scheme.is_empty() {
        return Err("relative url".into());
    }
    Ok(())
}

fn uuid(text: &str) -> Outcome {
    let parts: Vec<&str> = text.split('-').collect();
    if parts.len() != UUID_PARTS.len() {
        return Err(format!("must have {} elements", UUID_PARTS.len()).into());
    }
    for (index, (part, length)) in parts.iter().zip(UUID_PARTS).enumerate() {
        if part.len() != length {
            return Err(format!("element {} must be {length} characters long", index + 1).into());
        }
        if let Some(character) = part.chars().find(|character| !character.is_ascii_hexdigit()) {
            let quoted = strconv::quote_rune(character);
            return Err(format!("non-hex character {}", String::from_utf8_lossy(&quoted)).into());
        }
    }
    Ok(())
}
