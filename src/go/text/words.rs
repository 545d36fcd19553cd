//! Words as Masterminds/goutils sees them: wrapping, abbreviating, initials. It works on bytes, and where it takes a
//! byte for a character, a character outside ASCII comes out as Go's library breaks it.

use super::unicode::{self, push};

/// A byte taken for a Latin-1 character, as goutils does.
fn latin1_space(byte: u8) -> bool {
    unicode::is_space(char::from(byte))
}

/// `DeleteWhiteSpace`.
pub fn delete_white_space(text: &[u8]) -> Vec<u8> {
    if !text.iter().copied().any(latin1_space) {
        return text.to_vec();
    }
    let mut output = Vec::with_capacity(text.len());
    for &byte in text.iter().filter(|byte| !latin1_space(**byte)) {
        push(&mut output, char::from(byte));
    }
    output
}

/// `Initials`.
pub fn initials(text: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    let mut after_gap = true;
    for &byte in text {
        let gap = latin1_space(byte);
        if after_gap && !gap {
            push(&mut output, char::from(byte));
        }
        after_gap = gap;
    }
    output
}

/// `Uncapitalize`: the first letter of each word.
pub fn uncapitalize(text: &[u8]) -> Vec<u8> {
    let mut starts_word = true;
    unicode::map(text, |character| {
        if unicode::is_space(character) {
            starts_word = true;
            return character;
        }
        if std::mem::take(&mut starts_word) {
            unicode::to_lower(character)
        } else {
            character
        }
    })
}

/// `SwapCase`: a small letter at the start of a word becomes a title letter.
pub fn swap_case(text: &[u8]) -> Vec<u8> {
    let mut after_space = true;
    unicode::map(text, |character| {
        if unicode::is_upper(character) || unicode::is_title(character) {
            after_space = false;
            unicode::to_lower(character)
        } else if unicode::is_lower(character) {
            if std::mem::take(&mut after_space) {
                unicode::to_title(character)
            } else {
                unicode::to_upper(character)
            }
        } else {
            after_space = unicode::is_space(character);
            character
        }
    })
}

/// `AbbreviateFull`: at most `width` bytes, starting near `offset`. `width` is at least 4, and 7 with an offset.
pub fn abbreviate(text: &[u8], offset: i64, width: i64) -> Vec<u8> {
    const MARKER: &[u8] = b"...";
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    if length <= width {
        return text.to_vec();
    }
    let kept = width - 3;
    let offset = offset.min(length);
    let offset = if length - offset < kept { length - kept } else { offset };
    let part = |from: i64, to: i64| {
        let from = usize::try_from(from).unwrap_or(0);
        let to = usize::try_from(to).unwrap_or(0);
        text.get(from..to).unwrap_or_default()
    };
    if offset <= 4 {
        return [part(0, kept), MARKER].concat();
    }
    if width < 7 {
        return Vec::new();
    }
    if offset + kept < length {
        return [MARKER, &abbreviate(part(offset, length), 0, kept)].concat();
    }
    [MARKER, part(length - kept, length)].concat()
}

/// `WrapCustom`: breaks lines at spaces so that none is longer than `width` bytes; longer words are cut or kept.
pub fn wrap(text: &[u8], width: i64, line_break: &[u8], cut_long_words: bool) -> Vec<u8> {
    let line_break = if line_break.is_empty() { b"\n" } else { line_break };
    let width = usize::try_from(width).unwrap_or(0).max(1);
    let mut output = Vec::with_capacity(text.len());
    let mut rest = text;
    while rest.len() > width {
        if rest[0] == b' ' {
            rest = &rest[1..];
            continue;
        }
        let space_within = rest[..=width].iter().rposition(|&byte| byte == b' ');
        let space = if cut_long_words {
            space_within
        } else {
            space_within.or_else(|| rest[width..].iter().position(|&byte| byte == b' ').map(|at| at + width))
        };
        match space {
            Some(at) => {
                output.extend_from_slice(&rest[..at]);
                output.extend_from_slice(line_break);
                rest = &rest[at + 1..];
            }
            None if cut_long_words => {
                output.extend_from_slice(&rest[..width]);
                output.extend_from_slice(line_break);
                rest = &rest[width..];
            }
            None => break,
        }
    }
    output.extend_from_slice(rest);
    output
}
