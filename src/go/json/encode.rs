//! Values into JSON text.

use super::DEPTH;
use crate::go::strconv::format_float;
use crate::template::value::{EncodeError, Object, Underlying, Value};
use base64::Engine as _;

/// Go's `json.Marshal`; without `html` as an encoder with `SetEscapeHTML(false)`.
pub fn encode(value: &Value, html: bool) -> Result<Vec<u8>, EncodeError> {
    let mut encoder = Encoder {
        output: Vec::new(),
        html,
        layout: None,
    };
    encoder.value(value, 0)?;
    Ok(encoder.output)
}

/// Go's `json.MarshalIndent`.
pub fn encode_indent(value: &Value, prefix: &str, indent: &str, html: bool) -> Result<Vec<u8>, EncodeError> {
    let mut encoder = Encoder {
        output: Vec::new(),
        html,
        layout: Some((prefix, indent)),
    };
    encoder.value(value, 0)?;
    Ok(encoder.output)
}

struct Encoder<'a> {
    output: Vec<u8>,
    html: bool,
    /// Prefix and indent of each line, if lines are wanted.
    layout: Option<(&'a str, &'a str)>,
}

impl Encoder<'_> {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), EncodeError> {
        if depth > DEPTH {
            return Err(EncodeError::Depth(value.type_name()));
        }
        match value {
            Value::Nil => self.write("null"),
            Value::Bool(value) => self.write(if *value { "true" } else { "false" }),
            Value::Int(number) | Value::Int64(number) => self.write(&number.to_string()),
            Value::Int32(number) => self.write(&number.to_string()),
            Value::Uint8(number) => self.write(&number.to_string()),
            Value::Uint64(number) => self.write(&number.to_string()),
            Value::Float64(number) => self.float(*number)?,
            Value::Complex(..) => return Err(EncodeError::Type("complex128")),
            Value::String(text) => self.string(text),
            Value::Bytes(bytes) if bytes.is_nil() => self.write("null"),
            Value::Bytes(bytes) => {
                let text = base64::engine::general_purpose::STANDARD.encode(bytes.as_bytes());
                self.write(&format!("\"{text}\""));
            }
            Value::List(list) if list.is_nil() => self.write("null"),
            Value::List(list) => {
                self.container(b'[', b']', list.iter(), depth, |encoder, item| {
                    encoder.value(item, depth + 1)
                })?;
            }
            Value::Map(map) => match map.borrow() {
                None => self.write("null"),
                Some(entries) => self.container(b'{', b'}', entries.iter(), depth, |encoder, (key, value)| {
                    encoder.entry(key, value, depth)
                })?,
            },
            Value::Object(object) if object.is_nil() => self.write("null"),
            Value::Object(object) => self.object(object.as_ref(), depth)?,
        }
        Ok(())
    }

    fn object(&mut self, object: &dyn Object, depth: usize) -> Result<(), EncodeError> {
        if let Some(encoded) = object.encoded() {
            return self.value(&encoded, depth);
        }
        if let Some(fields) = object.tagged() {
            return self.container(b'{', b'}', fields.iter(), depth, |encoder, field| {
                encoder.entry(field.name.as_bytes(), &field.value, depth)
            });
        }
        match object.underlying() {
            Underlying::Scalar(value) => self.value(&value, depth),
            Underlying::Map(entries) => self.container(b'{', b'}', entries.iter(), depth, |encoder, (key, value)| {
                encoder.entry(key, value, depth)
            }),
            Underlying::Struct(fields) => {
                let exported = fields.iter().filter(|field| field.name.starts_with(char::is_uppercase));
                self.container(b'{', b'}', exported, depth, |encoder, field| {
                    encoder.entry(field.name.as_bytes(), &field.value, depth)
                })
            }
        }
    }

    fn entry(&mut self, key: &[u8], value: &Value, depth: usize) -> Result<(), EncodeError> {
        self.string(key);
        self.write(if self.layout.is_some() { ": " } else { ":" });
        self.value(value, depth + 1)
    }

    fn container<T>(
        &mut self,
        open: u8,
        close: u8,
        items: impl Iterator<Item = T>,
        depth: usize,
        mut encode: impl FnMut(&mut Self, T) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.output.push(open);
        let mut empty = true;
        for item in items {
            if !empty {
                self.output.push(b',');
            }
            empty = false;
            self.line(depth + 1);
            encode(self, item)?;
        }
        if !empty {
            self.line(depth);
        }
        self.output.push(close);
        Ok(())
    }

    fn line(&mut self, depth: usize) {
        if let Some((prefix, indent)) = self.layout {
            self.output.push(b'\n');
            self.write(prefix);
            for _ in 0..depth {
                self.write(indent);
            }
        }
    }

    fn write(&mut self, text: &str) {
        self.output.extend_from_slice(text.as_bytes());
    }

    /// As in JavaScript: plain digits from 1e-6 up to 1e21, else an exponent without a leading zero.
    fn float(&mut self, number: f64) -> Result<(), EncodeError> {
        if number.is_nan() {
            return Err(EncodeError::Number("NaN"));
        }
        if number.is_infinite() {
            return Err(EncodeError::Number(if number > 0.0 { "+Inf" } else { "-Inf" }));
        }
        let magnitude = number.abs();
        if magnitude == 0.0 || (1e-6..1e21).contains(&magnitude) {
            self.write(&format_float(number, b'f', -1));
        } else {
            let text = format_float(number, b'e', -1);
            self.write(&text.replace("e-0", "e-"));
        }
        Ok(())
    }

    fn string(&mut self, text: &[u8]) {
        self.output.push(b'"');
        for chunk in text.utf8_chunks() {
            for character in chunk.valid().chars() {
                self.character(character);
            }
            for _ in chunk.invalid() {
                self.write("\\ufffd");
            }
        }
        self.output.push(b'"');
    }

    fn character(&mut self, character: char) {
        match character {
            '"' => self.write("\\\""),
            '\\' => self.write("\\\\"),
            '\n' => self.write("\\n"),
            '\r' => self.write("\\r"),
            '\t' => self.write("\\t"),
            '\x08' => self.write("\\b"),
            '\x0c' => self.write("\\f"),
            '<' | '>' | '&' if !self.html => self.write(character.encode_utf8(&mut [0; 4])),
            '\0'..='\x1f' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                self.write(&format!("\\u{:04x}", u32::from(character)));
            }
            other => self.write(other.encode_utf8(&mut [0; 4])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::value::{Bytes, List, ListType, Map, MapType};

    fn json(value: &Value) -> String {
        String::from_utf8(encode(value, true).unwrap()).unwrap()
    }

    #[test]
    fn floats_encode_as_in_go() {
        let table = [
            (1.0, "1"),
            (1.5, "1.5"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (123_456_789.125, "123456789.125"),
            (-0.0, "-0"),
            (5e-324, "5e-324"),
            (1e100, "1e+100"),
        ];
        for (number, text) in table {
            assert_eq!(json(&Value::Float64(number)), text);
        }
        assert_eq!(encode(&Value::Float64(f64::NAN), true), Err(EncodeError::Number("NaN")));
    }

    #[test]
    fn strings_escape_as_in_go() {
        let text = Value::text(b"a\xe2\x80\xa8\x00\x1f\x7f<>&\"\\/\x08\x0c\n\r\t\xff\xc3\xa9".to_vec());
        let escaped = "\"a\\u2028\\u0000\\u001f\u{7f}\\u003c\\u003e\\u0026\\\"\\\\/\\b\\f\\n\\r\\t\\ufffdé\"";
        assert_eq!(json(&text), escaped);
        assert_eq!(encode(&Value::text("<&>"), false).unwrap(), b"\"<&>\"");
    }

    #[test]
    fn nil_and_empty_containers_differ() {
        let map = Map::from_iter([
            ("b", Value::Bytes(Bytes::new("hi"))),
            ("n", Value::Bytes(Bytes::nil())),
            ("l", Value::List(List::nil(ListType::Any))),
            ("m", Value::Map(Map::nil(MapType::Any))),
            ("e", Value::list(Vec::new())),
        ]);
        assert_eq!(
            json(&Value::Map(map)),
            r#"{"b":"aGk=","e":[],"l":null,"m":null,"n":null}"#
        );
    }

    #[test]
    fn lines_are_indented() {
        let inner = Map::from_iter([("x", Value::Nil)]);
        let list = Value::list(vec![Value::Int(1), Value::Map(inner)]);
        let map = Map::from_iter([
            ("a", Value::list(Vec::new())),
            ("b", Value::Map(Map::new())),
            ("c", list),
        ]);
        let text = "{\n  \"a\": [],\n  \"b\": {},\n  \"c\": [\n    1,\n    {\n      \"x\": null\n    }\n  ]\n}";
        assert_eq!(
            encode_indent(&Value::Map(map), "", "  ", true).unwrap(),
            text.as_bytes()
        );
    }

    #[test]
    fn a_cycle_is_an_error() {
        let map = Map::new();
        map.insert("self", Value::Map(map.clone())).unwrap();
        assert!(matches!(
            encode(&Value::Map(map.clone()), true),
            Err(EncodeError::Depth(_))
        ));
        map.remove(b"self");
    }
}
