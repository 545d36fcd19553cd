//! Go's `unicode` and `unicode/utf8`: decoding, categories, simple case mappings.

use std::sync::LazyLock;

use regex::Regex;

/// `utf8.DecodeRune`: the first character and its width; U+FFFD and 1 for a byte that starts none, (U+FFFD, 0) at the
/// end.
pub fn decode(text: &[u8]) -> (char, usize) {
    let Some(&first) = text.first() else {
        return (char::REPLACEMENT_CHARACTER, 0);
    };
    let width = match first {
        0..=0x7F => return (char::from(first), 1),
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return (char::REPLACEMENT_CHARACTER, 1),
    };
    let valid = text.get(..width).and_then(|bytes| std::str::from_utf8(bytes).ok());
    match valid.and_then(|text| text.chars().next()) {
        Some(character) => (character, width),
        None => (char::REPLACEMENT_CHARACTER, 1),
    }
}

/// `utf8.DecodeLastRune`.
pub fn decode_last(text: &[u8]) -> (char, usize) {
    for width in 1..=text.len().min(4) {
        let (character, decoded) = decode(&text[text.len() - width..]);
        if decoded == width && (width > 1 || character != char::REPLACEMENT_CHARACTER) {
            return (character, width);
        }
    }
    (char::REPLACEMENT_CHARACTER, text.len().min(1))
}

/// `range` over a string: its characters.
pub fn runes(text: &[u8]) -> impl Iterator<Item = char> + '_ {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (character, width) = decode(rest);
        rest = &rest[width..];
        (width > 0).then_some(character)
    })
}

/// Appends a character as UTF-8.
pub fn push(output: &mut Vec<u8>, character: char) {
    output.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

/// `strings.Map`, for mappings that drop nothing.
pub fn map(text: &[u8], mut mapping: impl FnMut(char) -> char) -> Vec<u8> {
    let mut output = Vec::with_capacity(text.len());
    for character in runes(text) {
        push(&mut output, mapping(character));
    }
    output
}

/// `unicode.IsSpace`.
pub fn is_space(character: char) -> bool {
    character.is_whitespace()
}

/// Whether a character outside ASCII is of a category that the pattern names; ASCII is decided by the caller.
fn in_category(category: &LazyLock<Option<Regex>>, character: char) -> bool {
    let mut buffer = [0; 4];
    let text: &str = character.encode_utf8(&mut buffer);
    LazyLock::force(category)
        .as_ref()
        .is_some_and(|pattern| pattern.is_match(text))
}

/// `unicode.IsLetter` (category L).
pub fn is_letter(character: char) -> bool {
    static LETTER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\pL").ok());
    if character.is_ascii() {
        character.is_ascii_alphabetic()
    } else {
        in_category(&LETTER, character)
    }
}

/// `unicode.IsUpper` (category Lu).
pub fn is_upper(character: char) -> bool {
    static UPPER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\p{Lu}").ok());
    if character.is_ascii() {
        character.is_ascii_uppercase()
    } else {
        in_category(&UPPER, character)
    }
}

/// `unicode.IsLower` (category Ll).
pub fn is_lower(character: char) -> bool {
    static LOWER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\p{Ll}").ok());
    if character.is_ascii() {
        character.is_ascii_lowercase()
    } else {
        in_category(&LOWER, character)
    }
}

/// `unicode.IsTitle` (category Lt).
pub fn is_title(character: char) -> bool {
    to_title(character) == character
        && matches!(
            character,
            '\u{1C5}' | '\u{1C8}' | '\u{1CB}' | '\u{1F2}' | '\u{1F88}'..='\u{1FFC}'
        )
        && !is_upper(character)
        && !is_lower(character)
        && is_letter(character)
}

/// `unicode.IsDigit` (category Nd).
pub fn is_digit(character: char) -> bool {
    static DIGIT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\p{Nd}").ok());
    if character.is_ascii() {
        character.is_ascii_digit()
    } else {
        in_category(&DIGIT, character)
    }
}

/// `unicode.IsNumber` (category N).
pub fn is_number(character: char) -> bool {
    static NUMBER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\pN").ok());
    if character.is_ascii() {
        character.is_ascii_digit()
    } else {
        in_category(&NUMBER, character)
    }
}

/// `unicode.IsPunct` (category P).
pub fn is_punct(character: char) -> bool {
    static PUNCT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\pP").ok());
    if character.is_ascii() {
        character.is_ascii_punctuation() && !"$+<=>^`|~".contains(character)
    } else {
        in_category(&PUNCT, character)
    }
}

/// `unicode.ToUpper`: the simple mapping, one character to one.
pub fn to_upper(character: char) -> char {
    let mut mapped = character.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(single), None) => single,
        // The full mapping is longer. The Greek letters with an iota below have a simple one, the others have none.
        _ => greek_title(character).unwrap_or(character),
    }
}

/// `unicode.ToLower`: the simple mapping.
pub fn to_lower(character: char) -> char {
    // The only longer full mapping is that of U+0130, to `i` and a dot; the simple one is `i`.
    character.to_lowercase().next().unwrap_or(character)
}

/// `unicode.ToTitle`: as upper case, but for the characters that are two letters in one.
pub fn to_title(character: char) -> char {
    match character {
        '\u{1C4}'..='\u{1C6}' => '\u{1C5}',
        '\u{1C7}'..='\u{1C9}' => '\u{1C8}',
        '\u{1CA}'..='\u{1CC}' => '\u{1CB}',
        '\u{1F1}'..='\u{1F3}' => '\u{1F2}',
        // Georgian has capitals, but does not use them in titles.
        '\u{10D0}'..='\u{10FA}' | '\u{10FD}'..='\u{10FF}' => character,
        _ => to_upper(character),
    }
}

fn greek_title(character: char) -> Option<char> {
    let code = u32::from(character);
    let mapped = match code {
        0x1F80..=0x1F87 | 0x1F90..=0x1F97 | 0x1FA0..=0x1FA7 => code + 8,
        0x1FB3 | 0x1FC3 | 0x1FF3 => code + 9,
        _ => return None,
    };
    char::from_u32(mapped)
}

/// `strings.ToUpper`.
pub fn upper(text: &[u8]) -> Vec<u8> {
    if text.is_ascii() {
        text.to_ascii_uppercase()
    } else {
        map(text, to_upper)
    }
}

/// `strings.ToLower`.
pub fn lower(text: &[u8]) -> Vec<u8> {
    if text.is_ascii() {
        text.to_ascii_lowercase()
    } else {
        map(text, to_lower)
    }
}

/// `strings.Title`: the first letter of each word. A letter, digit or `_` goes on with a word, and so does, outside
/// ASCII, all but white space.
pub fn title(text: &[u8]) -> Vec<u8> {
    let mut previous = ' ';
    map(text, |character| {
        let starts_word = separates(previous);
        previous = character;
        if starts_word { to_title(character) } else { character }
    })
}

fn separates(character: char) -> bool {
    if character.is_ascii() {
        return !character.is_ascii_alphanumeric() && character != '_';
    }
    is_space(character)
}
