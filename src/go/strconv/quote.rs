//! Quoted strings and characters, written and read.

use super::printable::is_printable;

/// Go's `strconv.Quote`.
pub fn quote(text: &[u8]) -> Vec<u8> {
    quoted(text, b'"', false)
}

/// Go's `strconv.QuoteToASCII`.
pub fn quote_to_ascii(text: &[u8]) -> Vec<u8> {
    quoted(text, b'"', true)
}

/// Go's `strconv.QuoteRune`.
pub fn quote_rune(character: char) -> Vec<u8> {
    quoted(character.encode_utf8(&mut [0; 4]).as_bytes(), b'\'', false)
}

/// Go's `strconv.QuoteRuneToASCII`.
pub fn quote_rune_to_ascii(character: char) -> Vec<u8> {
    quoted(character.encode_utf8(&mut [0; 4]).as_bytes(), b'\'', true)
}

/// Go's `strconv.CanBackquote`.
pub fn can_backquote(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| {
        text.chars().all(|character| match character {
            '\t' => true,
            '`' | '\x7f' | '\u{feff}' => false,
            other => other >= ' ',
        })
    })
}

fn quoted(text: &[u8], mark: u8, ascii: bool) -> Vec<u8> {
    let mut output = Vec::with_capacity(text.len() + 2);
    output.push(mark);
    // Most texts begin with a long run that stays as it is, or are nothing else.
    let plain = |byte: &&u8| matches!(**byte, b' '..=b'~') && **byte != mark && **byte != b'\\';
    let (run, text) = text.split_at(text.iter().take_while(plain).count());
    output.extend_from_slice(run);
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            escape(&mut output, character, mark, ascii);
        }
        for byte in chunk.invalid() {
            output.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
        }
    }
    output.push(mark);
    output
}

fn escape(output: &mut Vec<u8>, character: char, mark: u8, ascii: bool) {
    let short = match character {
        '\\' => Some(b'\\'),
        '\x07' => Some(b'a'),
        '\x08' => Some(b'b'),
        '\x0c' => Some(b'f'),
        '\n' => Some(b'n'),
        '\r' => Some(b'r'),
        '\t' => Some(b't'),
        '\x0b' => Some(b'v'),
        other if other == char::from(mark) => Some(mark),
        _ => None,
    };
    if let Some(letter) = short {
        output.extend_from_slice(&[b'\\', letter]);
    } else if is_printable(character) && (!ascii || character.is_ascii()) {
        output.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        let code = u32::from(character);
        let escaped = match code {
            0..=0x1f | 0x7f => format!("\\x{code:02x}"),
            0x20..=0xffff => format!("\\u{code:04x}"),
            _ => format!("\\U{code:08x}"),
        };
        output.extend_from_slice(escaped.as_bytes());
    }
}

/// Go's `strconv.Unquote` for double quotes and back quotes; `None` for anything that is no such literal.
pub fn unquote(literal: &[u8]) -> Option<Vec<u8>> {
    match literal {
        [b'`', body @ .., b'`'] if !body.contains(&b'`') => {
            if body.contains(&b'\r') {
                return Some(body.iter().copied().filter(|byte| *byte != b'\r').collect());
            }
            Some(body.to_vec())
        }
        [b'"', body @ .., b'"'] => {
            let mut output = Vec::with_capacity(body.len());
            let mut rest = body;
            loop {
                // What stands for itself, at once.
                let plain = |byte: &u8| byte.is_ascii() && !matches!(byte, b'\\' | b'"' | b'\n');
                let (run, tail) = rest.split_at(rest.iter().position(|byte| !plain(byte)).unwrap_or(rest.len()));
                output.extend_from_slice(run);
                rest = tail;
                match rest.first() {
                    None => return Some(output),
                    Some(b'\n') => return None,
                    Some(_) => {}
                }
                let (character, tail) = unquote_char(rest, b'"')?;
                character.push_to(&mut output);
                rest = tail;
            }
        }
        _ => None,
    }
}

/// One element of a quoted literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unquoted {
    /// A code point; for `\u` escapes Go accepts no surrogates.
    Character(char),
    /// A byte, from `\x` or an octal escape.
    Byte(u8),
}

impl Unquoted {
    /// The value as Go's rune.
    pub fn rune(self) -> i64 {
        match self {
            Self::Character(character) => i64::from(u32::from(character)),
            Self::Byte(byte) => i64::from(byte),
        }
    }

    fn push_to(self, output: &mut Vec<u8>) {
        match self {
            Self::Character(character) => output.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            Self::Byte(byte) => output.push(byte),
        }
    }
}

/// Go's `strconv.UnquoteChar`: the first element of a literal in these quotes, and the rest.
pub fn unquote_char(text: &[u8], mark: u8) -> Option<(Unquoted, &[u8])> {
    match text {
        [] | [b'\\'] => None,
        [first, ..] if *first == mark => None,
        [b'\\', letter, rest @ ..] => escape_sequence(*letter, rest, mark),
        [first, rest @ ..] if first.is_ascii() => Some((Unquoted::Character(char::from(*first)), rest)),
        _ => {
            let chunk = text.utf8_chunks().next()?;
            match chunk.valid().chars().next() {
                Some(character) => Some((Unquoted::Character(character), &text[character.len_utf8()..])),
                None => Some((Unquoted::Character(char::REPLACEMENT_CHARACTER), &text[1..])),
            }
        }
    }
}

fn escape_sequence(letter: u8, rest: &[u8], mark: u8) -> Option<(Unquoted, &[u8])> {
    let simple = match letter {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        b'\\' => b'\\',
        b'\'' | b'"' if letter == mark => letter,
        b'x' => {
            let (code, rest) = digits(rest, 2, 16)?;
            return Some((Unquoted::Byte(u8::try_from(code).ok()?), rest));
        }
        b'u' | b'U' => {
            let (code, rest) = digits(rest, if letter == b'u' { 4 } else { 8 }, 16)?;
            return Some((Unquoted::Character(char::from_u32(code)?), rest));
        }
        b'0'..=b'7' => {
            let (low, rest) = digits(rest, 2, 8)?;
            let code = u32::from(letter - b'0') * 64 + low;
            return Some((Unquoted::Byte(u8::try_from(code).ok()?), rest));
        }
        _ => return None,
    };
    Some((Unquoted::Character(char::from(simple)), rest))
}

fn digits(text: &[u8], count: usize, radix: u32) -> Option<(u32, &[u8])> {
    let (head, rest) = text.split_at_checked(count)?;
    let mut code = 0_u32;
    for byte in head {
        code = code.checked_mul(radix)? + char::from(*byte).to_digit(radix)?;
    }
    Some((code, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_quote_as_in_go() {
        let text = b"a\x00\x07\"\\\n\t\x7f\xff\xc3\xa9\xe2\x80\x8b\xf0\x9f\x98\x80\xe2\x80\xa8\xef\xbb\xbf'";
        let expected = "\"a\\x00\\a\\\"\\\\\\n\\t\\x7f\\xffé\\u200b😀\\u2028\\ufeff'\"";
        assert_eq!(String::from_utf8(quote(text)).unwrap(), expected);
        assert_eq!(quote_to_ascii("é😀".as_bytes()), b"\"\\u00e9\\U0001f600\"");
        assert_eq!(quote_rune('\''), b"'\\''");
        assert_eq!(quote_rune_to_ascii('é'), b"'\\u00e9'");
    }

    #[test]
    fn literals_unquote_as_in_go() {
        let table: &[(&str, Option<&[u8]>)] = &[
            (r#""a\tb""#, Some(b"a\tb")),
            (r#""\x41\u00e9\U0001F600\101""#, Some("Aé😀A".as_bytes())),
            (r#""\xff""#, Some(b"\xff")),
            (r#""\'""#, None),
            (r#""\ud800""#, None),
            (r#""\q""#, None),
            ("\"a\nb\"", None),
            ("`a\\n\r`", Some(b"a\\n")),
            ("\"", None),
            ("\"a", None),
        ];
        for (literal, expected) in table {
            assert_eq!(unquote(literal.as_bytes()).as_deref(), *expected, "{literal}");
        }
    }

    #[test]
    fn backquotes_suit_only_plain_text() {
        assert!(can_backquote(b"a\tb\"") && !can_backquote(b"a`") && !can_backquote(b"\n") && !can_backquote(b"\xff"));
    }
}
