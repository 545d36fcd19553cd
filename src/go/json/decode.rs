//! JSON text into values: every number is a `float64`, as in Go's `interface {}`.

use super::DEPTH;
use crate::go::strconv::{parse_float, quote};
use crate::template::value::{List, Map, MapType, Text, Value};
use std::collections::BTreeMap;

/// Why a text is no JSON; the texts are Go's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The text stops in the middle.
    #[error("unexpected end of JSON input")]
    End,
    /// A character that may not stand there.
    #[error("invalid character {character} {place}")]
    Character {
        /// The character, quoted.
        character: String,
        /// Where it stands.
        place: String,
    },
    /// A number that no `float64` can hold.
    #[error("json: cannot unmarshal number {0} into Go value of type float64")]
    Number(String),
    /// Nesting beyond any use.
    #[error("exceeded max depth")]
    Depth,
}

/// Go's `json.Unmarshal` into an `interface {}`.
pub fn decode(text: &[u8]) -> Result<Value, DecodeError> {
    let mut decoder = Decoder {
        text,
        position: 0,
        overflow: None,
    };
    decoder.skip_spaces();
    let value = decoder.value(0)?;
    decoder.skip_spaces();
    if decoder.peek().is_some() {
        return Err(decoder.invalid("after top-level value"));
    }
    // Go checks the whole syntax first.
    decoder
        .overflow
        .map_or(Ok(value), |number| Err(DecodeError::Number(number)))
}

struct Decoder<'a> {
    text: &'a [u8],
    position: usize,
    /// The first number that is too large.
    overflow: Option<String>,
}

impl Decoder<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.position).copied()
    }

    fn skip_spaces(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.position += 1;
        }
    }

    /// The error for the current character; at the end, Go sees a space.
    fn invalid(&self, place: impl Into<String>) -> DecodeError {
        let character = match self.peek().unwrap_or(b' ') {
            b'\'' => r"'\''".to_owned(),
            b'"' => "'\"'".to_owned(),
            other => {
                let quoted = quote(char::from(other).encode_utf8(&mut [0; 4]).as_bytes());
                format!("'{}'", String::from_utf8_lossy(&quoted[1..quoted.len() - 1]))
            }
        };
        DecodeError::Character {
            character,
            place: place.into(),
        }
    }

    /// The error for the current character where a space could stand as well.
    fn expected(&self, place: &str) -> DecodeError {
        if self.peek().is_none() {
            DecodeError::End
        } else {
            self.invalid(place)
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, DecodeError> {
        if depth > DEPTH {
            return Err(DecodeError::Depth);
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => Ok(Value::String(self.string()?)),
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(b'n') => self.literal("null", Value::Nil),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.expected("looking for beginning of value")),
        }
    }

    fn literal(&mut self, word: &str, value: Value) -> Result<Value, DecodeError> {
        for (index, expected) in word.bytes().enumerate() {
            if self.peek() != Some(expected) {
                let place = format!("in literal {word} (expecting '{}')", char::from(word.as_bytes()[index]));
                return Err(self.invalid(place));
            }
            self.position += 1;
        }
        Ok(value)
    }

    fn digits(&mut self, place: &str) -> Result<(), DecodeError> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(self.invalid(place));
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.position += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Value, DecodeError> {
        let start = self.position;
        if self.peek() == Some(b'-') {
            self.position += 1;
        }
        if self.peek() == Some(b'0') {
            self.position += 1;
        } else {
            self.digits("in numeric literal")?;
        }
        if self.peek() == Some(b'.') {
            self.position += 1;
            self.digits("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.position += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.position += 1;
            }
            self.digits("in exponent of numeric literal")?;
        }
        let text = &self.text[start..self.position];
        let Ok(number) = parse_float(text) else {
            self.overflow
                .get_or_insert_with(|| String::from_utf8_lossy(text).into_owned());
            return Ok(Value::Nil);
        };
        Ok(Value::Float64(number))
    }

    fn array(&mut self, depth: usize) -> Result<Value, DecodeError> {
        self.position += 1;
        self.skip_spaces();
        let mut items = Vec::new();
        if self.peek() == Some(b']') {
            self.position += 1;
            return Ok(Value::List(List::new(items)));
        }
        loop {
            self.skip_spaces();
            items.push(self.value(depth + 1)?);
            self.skip_spaces();
            match self.peek() {
                Some(b',') => self.position += 1,
                Some(b']') => break,
                _ => return Err(self.expected("after array element")),
            }
        }
        self.position += 1;
        Ok(Value::List(List::new(items)))
    }

    fn object(&mut self, depth: usize) -> Result<Value, DecodeError> {
        self.position += 1;
        self.skip_spaces();
        let mut entries = BTreeMap::new();
        if self.peek() == Some(b'}') {
            self.position += 1;
            return Ok(Value::Map(Map::of(MapType::Any, entries)));
        }
        loop {
            self.skip_spaces();
            if self.peek() != Some(b'"') {
                return Err(self.expected("looking for beginning of object key string"));
            }
            let key = self.string()?;
            self.skip_spaces();
            if self.peek() != Some(b':') {
                return Err(self.expected("after object key"));
            }
            self.position += 1;
            self.skip_spaces();
            entries.insert(key, self.value(depth + 1)?);
            self.skip_spaces();
            match self.peek() {
                Some(b',') => self.position += 1,
                Some(b'}') => break,
                _ => return Err(self.expected("after object key:value pair")),
            }
        }
        self.position += 1;
        Ok(Value::Map(Map::of(MapType::Any, entries)))
    }

    fn string(&mut self) -> Result<Text, DecodeError> {
        self.position += 1;
        let mut output = Vec::new();
        loop {
            let rest = &self.text[self.position..];
            let plain = rest
                .iter()
                .take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f))
                .count();
            for chunk in rest[..plain].utf8_chunks() {
                output.extend_from_slice(chunk.valid().as_bytes());
                for _ in chunk.invalid() {
                    output.extend_from_slice("\u{fffd}".as_bytes());
                }
            }
            self.position += plain;
            match self.peek() {
                None => return Err(DecodeError::End),
                Some(b'"') => {
                    self.position += 1;
                    return Ok(output.into());
                }
                Some(b'\\') => {
                    self.position += 1;
                    let character = self.escape()?;
                    output.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Some(_) => return Err(self.invalid("in string literal")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, DecodeError> {
        let character = match self.peek() {
            Some(mark @ (b'"' | b'\\' | b'/')) => char::from(mark),
            Some(b'b') => '\x08',
            Some(b'f') => '\x0c',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.position += 1;
                return self.unicode_escape();
            }
            _ => return Err(self.invalid("in string escape code")),
        };
        self.position += 1;
        Ok(character)
    }

    fn hexadecimal(&mut self) -> Result<u32, DecodeError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let digit = digit.ok_or_else(|| self.invalid("in \\u hexadecimal character escape"))?;
            code = code * 16 + digit;
            self.position += 1;
        }
        Ok(code)
    }

    /// `\uXXXX`, or two of them for a pair; half a pair is U+FFFD.
    fn unicode_escape(&mut self) -> Result<char, DecodeError> {
        let first = self.hexadecimal()?;
        if (0xd800..0xdc00).contains(&first) && self.text[self.position..].starts_with(b"\\u") {
            let before = self.position;
            self.position += 2;
            let second = self.hexadecimal()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.position = before;
        }
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go::fmt::sprint;

    fn outcome(text: &[u8]) -> String {
        match decode(text) {
            Ok(value) => String::from_utf8(sprint(&[value])).unwrap(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn texts_decode_as_in_go() {
        let end = "unexpected end of JSON input";
        let table: &[(&[u8], &str)] = &[
            (b"", end),
            (b" ", end),
            (b"{", end),
            (b"{\"a\"", end),
            (b"{\"a\":", end),
            (b"{\"a\":1", end),
            (b"{\"a\":1,", end),
            (b"[1", end),
            (b"\"a", end),
            (
                b"{\"a\":1,}",
                "invalid character '}' looking for beginning of object key string",
            ),
            (
                b"{a:1}",
                "invalid character 'a' looking for beginning of object key string",
            ),
            (b"[1,]", "invalid character ']' looking for beginning of value"),
            (b"[1 2]", "invalid character '2' after array element"),
            (b"1 2", "invalid character '2' after top-level value"),
            (b"nul", "invalid character ' ' in literal null (expecting 'l')"),
            (b"nulL", "invalid character 'L' in literal null (expecting 'l')"),
            (b"\"a\nb\"", "invalid character '\\n' in string literal"),
            (b"\"\\q\"", "invalid character 'q' in string escape code"),
            (
                b"\"\\u12\"",
                "invalid character '\"' in \\u hexadecimal character escape",
            ),
            (b"01", "invalid character '1' after top-level value"),
            (b"1.", "invalid character ' ' after decimal point in numeric literal"),
            (b"-a", "invalid character 'a' in numeric literal"),
            (b"1e+", "invalid character ' ' in exponent of numeric literal"),
            (b"+1", "invalid character '+' looking for beginning of value"),
            (b"{\"a\" 1}", "invalid character '1' after object key"),
            (
                b"{\"a\":1 \"b\":2}",
                "invalid character '\"' after object key:value pair",
            ),
            (b"'a'", "invalid character '\\'' looking for beginning of value"),
            (b"\xc3\xa9", "invalid character 'Ã' looking for beginning of value"),
            (b"\x00", "invalid character '\\x00' looking for beginning of value"),
            (b"\"\\ud83d\\ude00\"", "😀"),
            (b"\"\\ud83dx\"", "\u{fffd}x"),
            (b"\"\xff\"", "\u{fffd}"),
            (
                b"1e400",
                "json: cannot unmarshal number 1e400 into Go value of type float64",
            ),
            (b"123456789012345678901234567890", "1.2345678901234568e+29"),
            (b"{\"a\":1,\"a\":2}", "map[a:2]"),
            (b" [ 1 , {\"x\" : null } ] ", "[1 map[x:<nil>]]"),
        ];
        for (text, expected) in table {
            assert_eq!(outcome(text), *expected, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn nesting_is_bounded() {
        assert_eq!(decode(&b"[".repeat(100_000)).unwrap_err(), DecodeError::Depth);
    }
}
