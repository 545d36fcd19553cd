//! From bytes to text: byte order marks, encodings, and the characters that YAML does not allow.

use std::borrow::Cow;

use super::error::Error;

/// The text without its byte order mark.
pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, Error> {
    let text = match bytes {
        [0xFF, 0xFE, rest @ ..] => Cow::Owned(utf_16(rest, u16::from_le_bytes)?),
        [0xFE, 0xFF, rest @ ..] => Cow::Owned(utf_16(rest, u16::from_be_bytes)?),
        [0xEF, 0xBB, 0xBF, rest @ ..] => Cow::Borrowed(utf_8(rest)?),
        all => Cow::Borrowed(utf_8(all)?),
    };
    if has_refused(&text) {
        Err(Error::ControlCharacter)
    } else {
        Ok(text)
    }
}

fn utf_8(bytes: &[u8]) -> Result<&str, Error> {
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return Ok(text),
        Err(error) => error,
    };
    let (valid, rest) = bytes.split_at(error.valid_up_to());
    if std::str::from_utf8(valid).is_ok_and(has_refused) {
        return Err(Error::ControlCharacter);
    }
    let expected = match rest.first() {
        Some(0xC0..=0xDF) => 2,
        Some(0xE0..=0xEF) => 3,
        Some(0xF0..=0xF7) => 4,
        _ => return Err(syntax("invalid leading UTF-8 octet")),
    };
    if rest.len() < expected {
        return Err(syntax("incomplete UTF-8 octet sequence"));
    }
    if rest[1..expected].iter().any(|byte| byte & 0xC0 != 0x80) {
        return Err(syntax("invalid trailing UTF-8 octet"));
    }
    Err(match (rest[0], rest[1]) {
        (0xED | 0xF5.., _) | (0xF4, 0x90..) => syntax("invalid Unicode character"),
        _ => syntax("invalid length of a UTF-8 sequence"),
    })
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, Error> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(syntax("incomplete UTF-16 character"));
    }
    char::decode_utf16(pairs.iter().map(|pair| unit(*pair)))
        .collect::<Result<String, _>>()
        .map_err(|_| syntax("unexpected low surrogate area"))
}

/// Control characters but tab and line breaks, and U+FFFE and U+FFFF.
fn has_refused(text: &str) -> bool {
    const CHUNK: usize = 64;
    let bytes = text.as_bytes();
    // Most texts are printable ASCII throughout, which is seen many bytes at once if there is no way out of the loop.
    let is_plain = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7E);
    bytes.chunks(CHUNK).enumerate().any(|(number, chunk)| {
        let plain = chunk.iter().fold(true, |plain, byte| plain & is_plain(byte));
        let start = number * CHUNK;
        !plain && (start..start + chunk.len()).any(|at| is_refused(&bytes[at..]))
    })
}

/// Whether a refused character begins here.
fn is_refused(bytes: &[u8]) -> bool {
    match bytes {
        [b'\t' | b'\n' | b'\r' | 0x20..=0x7E, ..] => false,
        [0..=0x1F | 0x7F, ..] | [0xC2, 0x80..=0x84 | 0x86..=0x9F, ..] | [0xEF, 0xBF, 0xBE | 0xBF, ..] => true,
        _ => false,
    }
}

fn syntax(problem: &str) -> Error {
    Error::Syntax {
        line: None,
        editor_line: None,
        problem: problem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_told_by_their_mark() {
        assert_eq!(decode(b"\xEF\xBB\xBFa: 1").unwrap(), "a: 1");
        assert_eq!(decode(b"\xFF\xFEa\0:\0").unwrap(), "a:");
        assert_eq!(decode(b"\xFE\xFF\0a\0:").unwrap(), "a:");
    }

    #[test]
    fn bad_bytes_have_gos_words() {
        let rows: [(&[u8], &str); 7] = [
            (b"a\x80", "yaml: invalid leading UTF-8 octet"),
            (b"a\xC3", "yaml: incomplete UTF-8 octet sequence"),
            (b"a\xC3a", "yaml: invalid trailing UTF-8 octet"),
            (b"a\xE0\x80\x80", "yaml: invalid length of a UTF-8 sequence"),
            (b"a\xED\xA0\x80", "yaml: invalid Unicode character"),
            (b"a\x07", "yaml: control characters are not allowed"),
            (b"\x07\x80", "yaml: control characters are not allowed"),
        ];
        for (bytes, message) in rows {
            assert_eq!(decode(bytes).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn refused_characters_are_found_wherever_they_stand() {
        for refused in ["\u{0}", "\u{7f}", "\u{9f}", "\u{fffe}", "\u{ffff}"] {
            for before in 60..70 {
                let text = format!("{}{refused}{}", "a".repeat(before), "b".repeat(70));
                assert!(has_refused(&text), "{refused:?} behind {before}");
            }
        }
        for allowed in ["\u{85}", "\u{a0}", "\u{fffd}", "\u{1f600}", "\t\r\n"] {
            for before in 60..70 {
                let text = format!("{}{allowed}{}", "a".repeat(before), "b".repeat(70));
                assert!(!has_refused(&text), "{allowed:?} behind {before}");
            }
        }
    }
}
