//! Camel, snake and kebab case as huandu/xstrings 1.5 makes them.

use super::unicode::{self, decode, push};

/// What kind of characters a word is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The end of the text, or text that starts with a broken character.
    Invalid,
    Number,
    Upper,
    Alphabet,
    Connector,
    Punctuation,
    Other,
}

fn is_connector(character: char) -> bool {
    character == '-' || character == '_' || unicode::is_space(character)
}

/// A letter that words are made of: all but the common Chinese ones.
fn is_alphabetic(character: char) -> bool {
    let chinese = matches!(character, '\u{4E00}'..='\u{9FCC}' | '\u{3400}'..='\u{4D85}' | '\u{20000}'..='\u{2B81D}');
    unicode::is_letter(character) && !chinese
}

/// `ToPascalCase`: leading connectors stay.
pub fn pascal(text: &[u8]) -> Vec<u8> {
    let mut output = Vec::with_capacity(text.len());
    let mut rest = unicode::runes(text);
    let mut current = loop {
        let Some(character) = rest.next() else {
            // The library writes the last of nothing but connectors twice.
            if let (last, 1..) = unicode::decode_last(text) {
                push(&mut output, last);
            }
            return output;
        };
        if !is_connector(character) {
            break character;
        }
        push(&mut output, character);
    };
    // A run of capitals at the start of a word keeps only its first one.
    let mut in_capitals = unicode::is_upper(current);
    current = unicode::to_upper(current);
    let mut last = current;
    for character in rest {
        let previous = last;
        last = character;
        if is_connector(previous) {
            if is_connector(character) {
                push(&mut output, previous);
                continue;
            }
            in_capitals = unicode::is_upper(character);
            last = unicode::to_upper(character);
            continue;
        }
        if in_capitals {
            if unicode::is_upper(character) {
                last = unicode::to_lower(character);
            } else {
                in_capitals = false;
            }
        }
        push(&mut output, previous);
    }
    push(&mut output, last);
    output
}

/// `ToSnakeCase` (`_`) and `ToKebabCase` (`-`).
pub fn separated(text: &[u8], connector: char) -> Vec<u8> {
    let mut words = Words { rest: text };
    let mut output = Vec::with_capacity(text.len() + 8);
    let (mut kind, mut word) = words.next();
    while !words.rest.is_empty() {
        if kind != Kind::Connector {
            append(&mut output, kind, word, connector);
        }
        let (previous_kind, previous) = (kind, word);
        (kind, word) = words.next();
        match previous_kind {
            Kind::Number => (kind, word) = after_number(&mut words, &mut output, kind, word, connector),
            Kind::Connector => append(&mut output, previous_kind, previous, connector),
            Kind::Punctuation => {}
            Kind::Invalid | Kind::Upper | Kind::Alphabet | Kind::Other if kind != Kind::Number => {
                if !matches!(kind, Kind::Connector | Kind::Punctuation) {
                    push(&mut output, connector);
                }
            }
            Kind::Invalid | Kind::Upper | Kind::Alphabet | Kind::Other => {
                if words.rest.is_empty() {
                    continue;
                }
                let number = word;
                (kind, word) = words.next();
                if kind == Kind::Alphabet {
                    // Small letters follow the number: the connector stands before the number ("http_2xx").
                    push(&mut output, connector);
                    append(&mut output, Kind::Number, number, connector);
                    (kind, word) = after_number(&mut words, &mut output, kind, word, connector);
                    continue;
                }
                // Otherwise the number belongs to the word before it ("bld4_floor").
                append(&mut output, Kind::Number, number, connector);
                if !matches!(kind, Kind::Connector | Kind::Punctuation) {
                    push(&mut output, connector);
                }
            }
        }
    }
    append(&mut output, kind, word, connector);
    output
}

/// Small letters and numbers after a number belong to it; then comes a connector.
fn after_number<'t>(
    words: &mut Words<'t>,
    output: &mut Vec<u8>,
    mut kind: Kind,
    mut word: &'t [u8],
    connector: char,
) -> (Kind, &'t [u8]) {
    while matches!(kind, Kind::Alphabet | Kind::Number) {
        append(output, kind, word, connector);
        (kind, word) = words.next();
    }
    if !matches!(kind, Kind::Invalid | Kind::Punctuation | Kind::Connector) {
        push(output, connector);
    }
    (kind, word)
}

fn append(output: &mut Vec<u8>, kind: Kind, word: &[u8], connector: char) {
    if kind != Kind::Upper && kind != Kind::Connector {
        output.extend_from_slice(word);
        return;
    }
    for character in unicode::runes(word) {
        push(
            output,
            if is_connector(character) {
                connector
            } else {
                unicode::to_lower(character)
            },
        );
    }
}

struct Words<'t> {
    rest: &'t [u8],
}

impl<'t> Words<'t> {
    /// The next word; an invalid empty one at the end.
    fn next(&mut self) -> (Kind, &'t [u8]) {
        if self.rest.is_empty() {
            return (Kind::Invalid, self.rest);
        }
        let (first, width) = next_valid(self.rest, char::REPLACEMENT_CHARACTER);
        let after = &self.rest[width..];
        let (kind, more) = match first {
            char::REPLACEMENT_CHARACTER => (Kind::Invalid, 0),
            _ if is_connector(first) => (Kind::Connector, run(after, first, is_connector)),
            _ if unicode::is_punct(first) => (Kind::Punctuation, run(after, first, unicode::is_punct)),
            _ if unicode::is_upper(first) => (Kind::Upper, capitals(after, first)),
            _ if is_alphabetic(first) => (Kind::Alphabet, run(after, first, is_small)),
            _ if unicode::is_number(first) => (Kind::Number, run(after, first, unicode::is_number)),
            _ => (Kind::Other, run(after, first, is_other)),
        };
        let (word, rest) = self.rest.split_at(width + more);
        self.rest = rest;
        (kind, word)
    }
}

fn is_small(character: char) -> bool {
    is_alphabetic(character) && !unicode::is_upper(character)
}

fn is_other(character: char) -> bool {
    !(is_connector(character)
        || is_alphabetic(character)
        || unicode::is_number(character)
        || unicode::is_punct(character))
}

/// What follows a capital: `TTP` of `HTTPStatus` without the capital of the next word, or the small letters of `Status`.
fn capitals(after: &[u8], first: char) -> usize {
    if after.is_empty() {
        return 0;
    }
    let (second, _) = next_valid(after, first);
    if !unicode::is_upper(second) {
        return if is_alphabetic(second) {
            run(after, second, is_small)
        } else {
            0
        };
    }
    let length = run(after, first, unicode::is_upper);
    let following = &after[length..];
    let ends_in_word = !following.is_empty() && is_alphabetic(next_valid(following, second).0);
    let last_width = unicode::decode_last(&after[..length]).1;
    if ends_in_word { length - last_width } else { length }
}

/// How many bytes of the start are characters of the kind; broken ones go with the one after them.
fn run(text: &[u8], previous: char, belongs: impl Fn(char) -> bool) -> usize {
    let mut length = 0;
    let mut last = previous;
    while length < text.len() {
        let (character, width) = next_valid(&text[length..], last);
        if !belongs(character) {
            break;
        }
        last = character;
        length += width;
    }
    length
}

/// The next character that is not broken, and how far it reaches; at the end, the one given.
fn next_valid(text: &[u8], previous: char) -> (char, usize) {
    let mut width = 0;
    while width < text.len() {
        let (character, more) = decode(&text[width..]);
        width += more;
        if character != char::REPLACEMENT_CHARACTER {
            return (character, width);
        }
    }
    (previous, width)
}
