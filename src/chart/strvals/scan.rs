//! Reading up to a delimiter.

/// Whether a backslash takes the next character as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    Backslash,
    None,
}

/// The text that is left to read.
#[derive(Debug)]
pub(super) struct Scan<'t> {
    rest: &'t str,
    escapes: Escapes,
}

impl<'t> Scan<'t> {
    pub(super) fn new(text: &'t str, escapes: Escapes) -> Self {
        Self { rest: text, escapes }
    }

    pub(super) fn escapes(&self) -> Escapes {
        self.escapes
    }

    pub(super) fn rest(&self) -> &'t str {
        self.rest
    }

    pub(super) fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// Takes the next character if it is this one.
    pub(super) fn accept(&mut self, character: char) -> bool {
        match self.rest.strip_prefix(character) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// The text up to one of the delimiters, which is taken; `None` in its place at the end.
    pub(super) fn until(&mut self, delimiters: &[char]) -> (String, Option<char>) {
        let mut text = String::new();
        let mut characters = self.rest.char_indices();
        while let Some((at, character)) = characters.next() {
            if delimiters.contains(&character) {
                self.rest = &self.rest[at + character.len_utf8()..];
                return (text, Some(character));
            }
            if character == '\\' && self.escapes == Escapes::Backslash {
                text.extend(characters.next().map(|(_, escaped)| escaped));
            } else {
                text.push(character);
            }
        }
        self.rest = "";
        (text, None)
    }
}
