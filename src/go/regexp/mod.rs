//! Go's `regexp` (RE2 syntax) over the `regex` crate.
//!
//! Knows: Go's syntax with its rejections and error texts (`parser`, `class`), its match iteration, `Split`, and its
//! replacement templates, how it reads bytes that are no UTF-8 (`text`). Does not know: matching itself, which is the
//! `regex` crate's (same leftmost-first semantics).

mod class;
mod engine;
mod error;
mod parser;
mod template;
mod text;

#[cfg(test)]
mod tests;

use std::ops::Range;

use engine::{Engine, TooLarge};
pub use error::{Code, Error};
use text::Text;

/// Most bytes that one compiled expression may take unless the caller says otherwise: Go allows 128 MB, an operator
/// that runs untrusted charts does not.
pub const COMPILED_SIZE_LIMIT: usize = 32 << 20;

/// A compiled Go regular expression. It matches bytes, as Go's does.
#[derive(Debug)]
pub struct Regexp {
    engine: Engine,
    /// The pattern as the `regex` crate has it.
    translated: String,
    /// The name of each capture group from 1 on; Go lets several groups share a name.
    names: Vec<Option<String>>,
    empty_expression: bool,
    states: usize,
}

impl Regexp {
    /// Compiles a pattern in Go's syntax with Go's default flags (`syntax.Perl`).
    ///
    /// Fails with Go's own error for what Go rejects, and with `expression too large` beyond [`COMPILED_SIZE_LIMIT`].
    pub fn compile(pattern: &str) -> Result<Self, Error> {
        Self::compile_within(pattern, COMPILED_SIZE_LIMIT)
    }

    /// As [`compile`](Self::compile), with another bound of the compiled size in bytes.
    pub fn compile_within(pattern: &str, size: usize) -> Result<Self, Error> {
        let parser::Translated {
            pattern: translated,
            names,
            repeats,
        } = parser::translate(pattern)?;
        let repeats = usize::try_from(repeats).unwrap_or(usize::MAX);
        let states = pattern.len().saturating_mul(repeats);
        Ok(Self {
            engine: Engine::new(&translated, states, size).map_err(|TooLarge| Error::new(Code::Large, pattern))?,
            translated,
            names,
            empty_expression: pattern.is_empty(),
            states,
        })
    }

    /// How many states matching may have to keep for each byte of text, at most and roughly.
    pub fn states(&self) -> usize {
        self.states
    }

    /// The pattern as the `regex` crate has it.
    pub fn as_rust(&self) -> &str {
        &self.translated
    }

    fn regex_for(&self, text: &Text<'_>) -> &regex_automata::meta::Regex {
        self.engine.for_text(&self.translated, text.read())
    }

    /// `MatchString`.
    pub fn is_match(&self, text: &[u8]) -> bool {
        let text = Text::new(text);
        self.regex_for(&text).is_match(text.read())
    }

    /// `FindStringIndex`: where the first match is.
    pub fn find(&self, text: &[u8]) -> Option<Range<usize>> {
        self.find_all(text, 1).into_iter().next()
    }

    /// `FindAllStringIndex`: at most `limit` matches, all when it is negative.
    pub fn find_all(&self, text: &[u8], limit: i64) -> Vec<Range<usize>> {
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let text = Text::new(text);
        let found = self.regex_for(&text).find_iter(text.read()).map(|found| found.range());
        let whole = found.filter(|range| !splits_character(text.read(), range));
        whole.take(most).map(|range| text.given(&range)).collect()
    }

    /// `ReplaceAllString`: `$1`, `$name`, `${name}` and `$$` are expanded as Go does.
    pub fn replace_all(&self, text: &[u8], replacement: &[u8]) -> Vec<u8> {
        let pieces = template::parse(replacement);
        self.replace_with(text, |group, output| {
            for piece in &pieces {
                let range = match piece {
                    template::Piece::Literal(bytes) => {
                        output.extend_from_slice(bytes);
                        continue;
                    }
                    template::Piece::Number(number) => group(*number),
                    template::Piece::Name(name) => self.named(name, group),
                };
                output.extend_from_slice(range.map_or(&[], |range| &text[range]));
            }
        })
    }

    /// `ReplaceAllLiteralString`.
    pub fn replace_all_literal(&self, text: &[u8], replacement: &[u8]) -> Vec<u8> {
        self.replace_with(text, |_, output| output.extend_from_slice(replacement))
    }

    /// `append` is told where each group of a match is in `text`, if it took part.
    fn replace_with(
        &self,
        text: &[u8],
        mut append: impl FnMut(&dyn Fn(usize) -> Option<Range<usize>>, &mut Vec<u8>),
    ) -> Vec<u8> {
        let mut output = Vec::with_capacity(text.len());
        let mut copied = 0;
        let read = Text::new(text);
        for captures in self.regex_for(&read).captures_iter(read.read()) {
            let group = |number| captures.get_group(number).map(|group| read.given(&group.range()));
            let found = captures.get_match().map(|whole| whole.range());
            let Some(whole) = found.filter(|whole| !splits_character(read.read(), whole)) else {
                continue;
            };
            let whole = read.given(&whole);
            output.extend_from_slice(&text[copied..whole.start]);
            append(&group, &mut output);
            copied = whole.end;
        }
        output.extend_from_slice(&text[copied..]);
        output
    }

    /// A name means the first group of that name that took part in the match.
    fn named(&self, name: &[u8], group: &dyn Fn(usize) -> Option<Range<usize>>) -> Option<Range<usize>> {
        self.names.iter().enumerate().find_map(|(index, candidate)| {
            let same = candidate.as_deref().is_some_and(|text| text.as_bytes() == name);
            if same { group(index + 1) } else { None }
        })
    }

    /// `Split`: the text between the matches, in at most `limit` pieces (all when it is negative, none when 0).
    pub fn split<'t>(&self, text: &'t [u8], limit: i64) -> Vec<&'t [u8]> {
        if limit == 0 {
            return Vec::new();
        }
        if text.is_empty() && !self.empty_expression {
            return vec![text];
        }
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut pieces = Vec::new();
        let (mut begin, mut end) = (0, 0);
        for found in self.find_all(text, limit) {
            if pieces.len() == most - 1 {
                break;
            }
            end = found.start;
            if found.end != 0 {
                pieces.push(&text[begin..end]);
            }
            begin = found.end;
        }
        if end != text.len() {
            pieces.push(&text[begin..]);
        }
        pieces
    }
}

/// Whether an empty match stands inside a character: Go goes from character to character, `regex::bytes` from byte
/// to byte.
fn splits_character(text: &[u8], range: &Range<usize>) -> bool {
    let at = range.start;
    let continues = text.get(at).is_some_and(|byte| byte & 0xC0 == 0x80);
    range.is_empty()
        && continues
        && (1..=at.min(3)).any(|back| {
            let start = at - back;
            let width = match text[start] {
                0xC2..=0xDF => 2,
                0xE0..=0xEF => 3,
                0xF0..=0xF4 => 4,
                _ => return false,
            };
            width > back
                && text
                    .get(start..start + width)
                    .is_some_and(|bytes| std::str::from_utf8(bytes).is_ok())
        })
}

/// `QuoteMeta`: the text with every character that means something to Go's syntax escaped.
pub fn quote_meta(text: &[u8]) -> Vec<u8> {
    let mut output = Vec::with_capacity(text.len());
    for &byte in text {
        if br"\.+*?()|[]{}^$".contains(&byte) {
            output.push(b'\\');
        }
        output.push(byte);
    }
    output
}
