//! `html`, `js` and `urlquery`.

use crate::go::fmt;
use crate::go::strconv::is_printable;
use crate::template::Value;
use crate::template::function::Variadic;

/// The text of the arguments: a single string as it is, anything else as `print` does, but nil as `<no value>`.
fn text_of(arguments: Variadic<'_, &Value>) -> Vec<u8> {
    if let [Value::String(text)] = arguments.as_slice() {
        return text.to_vec();
    }
    let printable: Vec<Value> = arguments
        .as_slice()
        .iter()
        .map(|argument| {
            if let Value::Nil = argument {
                Value::from("<no value>")
            } else {
                argument.clone()
            }
        })
        .collect();
    if let [object @ Value::Object(_)] = printable.as_slice() {
        let mut output = Vec::new();
        fmt::write_printable(&mut output, object);
        return output;
    }
    fmt::sprint(&printable)
}

pub(super) fn html(arguments: Variadic<'_, &Value>) -> Vec<u8> {
    let text = text_of(arguments);
    let mut output = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            b'\0' => output.extend_from_slice("\u{fffd}".as_bytes()),
            b'"' => output.extend_from_slice(b"&#34;"),
            b'\'' => output.extend_from_slice(b"&#39;"),
            b'&' => output.extend_from_slice(b"&amp;"),
            b'<' => output.extend_from_slice(b"&lt;"),
            b'>' => output.extend_from_slice(b"&gt;"),
            other => output.push(other),
        }
    }
    output
}

pub(super) fn js(arguments: Variadic<'_, &Value>) -> Vec<u8> {
    let text = text_of(arguments);
    let mut output = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => output.extend_from_slice(br"\\"),
                '\'' => output.extend_from_slice(br"\'"),
                '"' => output.extend_from_slice(b"\\\""),
                '<' | '>' | '&' | '=' | '\0'..='\x1f' => {
                    output.extend_from_slice(format!("\\u{:04X}", u32::from(character)).as_bytes());
                }
                other if other.is_ascii() || is_printable(other) => {
                    output.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
                }
                other => output.extend_from_slice(format!("\\u{:04X}", u32::from(other)).as_bytes()),
            }
        }
        // Go decodes each invalid byte as U+FFFD, which is printable, and writes the byte.
        output.extend_from_slice(chunk.invalid());
    }
    output
}

pub(super) fn urlquery(arguments: Variadic<'_, &Value>) -> Vec<u8> {
    let mut output = Vec::new();
    for byte in text_of(arguments) {
        match byte {
            b' ' => output.push(b'+'),
            b'-' | b'_' | b'.' | b'~' => output.push(byte),
            byte if byte.is_ascii_alphanumeric() => output.push(byte),
            byte => output.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    output
}
