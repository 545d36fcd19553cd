//! The scanner: from text to tokens, with libyaml's rules of indentation and simple keys as go-yaml v2 has them.
//!
//! A key without `?` is known as such only at its `:`. Until then its first token is remembered as a possible simple key,
//! and a KEY token (and the start of a mapping) is put before it afterwards.

use std::collections::VecDeque;

use super::cursor::{Cursor, Mark};
use super::error::Error;
use super::token::{Token, TokenKind};

/// A simple key ends within so many characters.
const MAX_SIMPLE_KEY: usize = 1024;

#[derive(Debug, Clone, Copy, Default)]
struct SimpleKey {
    possible: bool,
    /// A block mapping stands at this column, so that here must be a key.
    required: bool,
    token: usize,
    mark: Mark,
}

/// Gives the tokens of a text one by one.
pub(super) struct Scanner<'i> {
    pub(super) cursor: Cursor<'i>,
    tokens: VecDeque<Token<'i>>,
    /// How many tokens have been taken.
    taken: usize,
    /// Whether the first token cannot become a key any more: it is looked at several times.
    ready: bool,
    ended: bool,
    /// The column of the innermost block collection, -1 outside all.
    pub(super) indent: isize,
    indents: Vec<isize>,
    pub(super) flow_level: usize,
    pub(super) simple_key_allowed: bool,
    /// One a flow level and one for the block level.
    simple_keys: Vec<SimpleKey>,
    /// Token numbers of the possible keys that are not taken yet, ascending, with their place in `simple_keys`.
    keys_by_token: VecDeque<(usize, usize)>,
}

impl<'i> Scanner<'i> {
    pub(super) fn new(text: &'i str) -> Self {
        Self {
            cursor: Cursor::new(text),
            tokens: VecDeque::new(),
            taken: 0,
            ready: false,
            ended: false,
            indent: -1,
            indents: Vec::new(),
            flow_level: 0,
            simple_key_allowed: true,
            simple_keys: vec![SimpleKey::default()],
            keys_by_token: VecDeque::new(),
        }
    }

    /// The next token, which stays.
    #[inline]
    pub(super) fn peek(&mut self) -> Result<&Token<'i>, Error> {
        if !self.ready {
            self.prepare()?;
        }
        Ok(&self.tokens[0])
    }

    /// Sees to it that there is a first token, and that it is what it is.
    fn prepare(&mut self) -> Result<(), Error> {
        self.fill()?;
        let line = self.cursor.mark.line;
        if self.tokens.is_empty() {
            self.tokens.push_back(Token {
                kind: TokenKind::StreamEnd,
                line,
                end_line: line,
            });
        }
        self.ready = true;
        Ok(())
    }

    /// Takes the token that was looked at.
    pub(super) fn take(&mut self) -> Result<Token<'i>, Error> {
        self.peek()?;
        self.taken += 1;
        self.ready = false;
        let line = self.cursor.mark.line;
        Ok(self.tokens.pop_front().unwrap_or(Token {
            kind: TokenKind::StreamEnd,
            line,
            end_line: line,
        }))
    }

    /// An error at the present place. go-yaml names no first line.
    pub(super) fn error(&self, problem: &str) -> Error {
        let line = u64::from(self.cursor.mark.line);
        Error::Syntax {
            line: (line != 0).then_some(line + 1),
            editor_line: Some(line + 1),
            problem: problem.to_owned(),
        }
    }

    /// Scans on until the first token cannot become a key any more.
    fn fill(&mut self) -> Result<(), Error> {
        loop {
            if !self.tokens.is_empty() {
                // A token that was taken does not come back: without this the list grows with the text.
                while self
                    .keys_by_token
                    .pop_front_if(|(token, _)| *token < self.taken)
                    .is_some()
                {}
                let key = match self.keys_by_token.front() {
                    Some((token, key)) if *token == self.taken => *key,
                    Some(_) | None => return Ok(()),
                };
                if !self.key_is_valid(key)? {
                    return Ok(());
                }
            }
            if self.ended {
                return Ok(());
            }
            self.scan_next()?;
        }
    }

    fn scan_next(&mut self) -> Result<(), Error> {
        self.skip_to_next_token();
        let column = self.cursor.mark.column.cast_signed();
        self.unroll_indent(column);
        if self.cursor.at_end() {
            return self.stream_end();
        }
        let at_line_start = column == 0;
        let in_flow = self.flow_level > 0;
        match self.cursor.peek(0) {
            b'%' if at_line_start => self.directive(),
            b'-' if at_line_start && self.cursor.is_marker(b'-') => self.document_marker(TokenKind::DocumentStart),
            b'.' if at_line_start && self.cursor.is_marker(b'.') => self.document_marker(TokenKind::DocumentEnd),
            b'[' => self.flow_start(TokenKind::FlowSequenceStart),
            b'{' => self.flow_start(TokenKind::FlowMappingStart),
            b']' => self.flow_end(TokenKind::FlowSequenceEnd),
            b'}' => self.flow_end(TokenKind::FlowMappingEnd),
            b',' => {
                self.remove_simple_key()?;
                self.simple_key_allowed = true;
                self.indicator(TokenKind::FlowEntry, 1);
                Ok(())
            }
            b'-' if self.cursor.is_blank_or_end(1) => self.block_entry(),
            b'?' if in_flow || self.cursor.is_blank_or_end(1) => self.key(),
            b':' if in_flow || self.cursor.is_blank_or_end(1) => self.value(),
            b'*' => self.named(TokenKind::Alias),
            b'&' => self.named(TokenKind::Anchor),
            b'!' => {
                self.save_simple_key()?;
                self.simple_key_allowed = false;
                let start = self.cursor.mark;
                let kind = self.scan_tag()?;
                self.push(kind, start);
                Ok(())
            }
            indicator @ (b'|' | b'>') if !in_flow => {
                self.remove_simple_key()?;
                self.simple_key_allowed = true;
                let start = self.cursor.mark;
                let text = self.scan_block_scalar(indicator == b'|')?;
                self.push(
                    TokenKind::Scalar {
                        text: text.into(),
                        plain: false,
                    },
                    start,
                );
                Ok(())
            }
            quote @ (b'\'' | b'"') => {
                self.save_simple_key()?;
                self.simple_key_allowed = false;
                let start = self.cursor.mark;
                let text = self.scan_quoted(quote)?;
                self.push(TokenKind::Scalar { text, plain: false }, start);
                Ok(())
            }
            _ if self.begins_plain() => {
                self.save_simple_key()?;
                self.simple_key_allowed = false;
                let start = self.cursor.mark;
                let text = self.scan_plain()?;
                self.push(TokenKind::Scalar { text, plain: true }, start);
                Ok(())
            }
            _ => Err(self.error("found character that cannot start any token")),
        }
    }

    fn begins_plain(&self) -> bool {
        match self.cursor.peek(0) {
            b'-' => !self.cursor.is_blank(1),
            b'?' | b':' => self.flow_level == 0 && !self.cursor.is_blank_or_end(1),
            b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\'' | b'"' | b'%' | b'@'
            | b'`' => false,
            _ => !self.cursor.is_blank_or_end(0),
        }
    }

    /// Over blanks, comments and line breaks. Tabs only where no key can begin.
    fn skip_to_next_token(&mut self) {
        loop {
            if self.cursor.offset() == 0 && [0xEF, 0xBB, 0xBF] == [0, 1, 2].map(|ahead| self.cursor.peek(ahead)) {
                self.cursor.skip();
            }
            self.cursor.skip_ascii(|byte| byte == b' ');
            let tabs_too = self.flow_level > 0 || !self.simple_key_allowed;
            while self.cursor.peek(0) == b' ' || tabs_too && self.cursor.peek(0) == b'\t' {
                self.cursor.skip();
            }
            self.cursor.skip_comment();
            if self.cursor.take_break().is_empty() {
                return;
            }
            if self.flow_level == 0 {
                self.simple_key_allowed = true;
            }
        }
    }

    fn push(&mut self, kind: TokenKind<'i>, start: Mark) {
        self.tokens.push_back(Token {
            kind,
            line: start.line,
            end_line: self.cursor.mark.line,
        });
    }

    fn indicator(&mut self, kind: TokenKind<'i>, width: usize) {
        let start = self.cursor.mark;
        self.cursor.skip_many(width);
        self.push(kind, start);
    }

    fn stream_end(&mut self) -> Result<(), Error> {
        // The end is on a line of its own.
        if self.cursor.mark.column != 0 {
            self.cursor.mark.column = 0;
            self.cursor.mark.line += 1;
        }
        self.unroll_indent(-1);
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        self.push(TokenKind::StreamEnd, self.cursor.mark);
        self.ended = true;
        Ok(())
    }

    fn directive(&mut self) -> Result<(), Error> {
        self.unroll_indent(-1);
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        let start = self.cursor.mark;
        let kind = self.scan_directive()?;
        self.push(kind, start);
        Ok(())
    }

    fn document_marker(&mut self, kind: TokenKind<'i>) -> Result<(), Error> {
        self.unroll_indent(-1);
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        self.indicator(kind, 3);
        Ok(())
    }

    fn flow_start(&mut self, kind: TokenKind<'i>) -> Result<(), Error> {
        self.save_simple_key()?;
        let token = self.next_token_number();
        self.simple_keys.push(SimpleKey {
            token,
            mark: self.cursor.mark,
            ..SimpleKey::default()
        });
        self.flow_level += 1;
        self.simple_key_allowed = true;
        self.indicator(kind, 1);
        Ok(())
    }

    fn flow_end(&mut self, kind: TokenKind<'i>) -> Result<(), Error> {
        self.remove_simple_key()?;
        if self.flow_level > 0 {
            self.flow_level -= 1;
            if let Some(key) = self.simple_keys.pop() {
                // As in go-yaml: an empty collection forgets that it could be a key itself.
                self.forget(key.token);
            }
        }
        self.simple_key_allowed = false;
        self.indicator(kind, 1);
        Ok(())
    }

    fn block_entry(&mut self) -> Result<(), Error> {
        if self.flow_level == 0 {
            if !self.simple_key_allowed {
                return Err(self.error("block sequence entries are not allowed in this context"));
            }
            self.roll_indent(self.cursor.mark, None, TokenKind::BlockSequenceStart);
        }
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        self.indicator(TokenKind::BlockEntry, 1);
        Ok(())
    }

    fn key(&mut self) -> Result<(), Error> {
        if self.flow_level == 0 {
            if !self.simple_key_allowed {
                return Err(self.error("mapping keys are not allowed in this context"));
            }
            self.roll_indent(self.cursor.mark, None, TokenKind::BlockMappingStart);
        }
        self.remove_simple_key()?;
        self.simple_key_allowed = self.flow_level == 0;
        self.indicator(TokenKind::Key, 1);
        Ok(())
    }

    fn value(&mut self) -> Result<(), Error> {
        let last = self.simple_keys.len().saturating_sub(1);
        if self.key_is_valid(last)? {
            let key = self.simple_keys[last];
            let at = key.token.saturating_sub(self.taken).min(self.tokens.len());
            let line = key.mark.line;
            self.tokens.insert(
                at,
                Token {
                    kind: TokenKind::Key,
                    line,
                    end_line: line,
                },
            );
            self.roll_indent(key.mark, Some(key.token), TokenKind::BlockMappingStart);
            self.simple_keys[last].possible = false;
            self.forget(key.token);
            self.simple_key_allowed = false;
        } else {
            if self.flow_level == 0 {
                if !self.simple_key_allowed {
                    return Err(self.error("mapping values are not allowed in this context"));
                }
                self.roll_indent(self.cursor.mark, None, TokenKind::BlockMappingStart);
            }
            self.simple_key_allowed = self.flow_level == 0;
        }
        self.indicator(TokenKind::Value, 1);
        Ok(())
    }

    fn named(&mut self, kind: fn(&'i str) -> TokenKind<'i>) -> Result<(), Error> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let start = self.cursor.mark;
        self.cursor.skip();
        let from = self.cursor.offset();
        self.skip_name();
        let name = self.cursor.since(from);
        let ends = self.cursor.is_blank_or_end(0)
            || matches!(
                self.cursor.peek(0),
                b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`'
            );
        if name.is_empty() || !ends {
            return Err(self.error("did not find expected alphabetic or numeric character"));
        }
        self.push(kind(name), start);
        Ok(())
    }

    /// Over letters, digits, `_` and `-`.
    pub(super) fn skip_name(&mut self) {
        while matches!(self.cursor.peek(0), b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'-') {
            self.cursor.skip();
        }
    }

    fn next_token_number(&self) -> usize {
        self.taken + self.tokens.len()
    }

    fn key_is_valid(&mut self, at: usize) -> Result<bool, Error> {
        let Some(&key) = self.simple_keys.get(at) else {
            return Ok(false);
        };
        if !key.possible {
            return Ok(false);
        }
        let here = self.cursor.mark;
        if key.mark.line < here.line || key.mark.index + MAX_SIMPLE_KEY < here.index {
            if key.required {
                return Err(self.error("could not find expected ':'"));
            }
            self.simple_keys[at].possible = false;
            return Ok(false);
        }
        Ok(true)
    }

    fn save_simple_key(&mut self) -> Result<(), Error> {
        if !self.simple_key_allowed {
            return Ok(());
        }
        let mark = self.cursor.mark;
        let required = self.flow_level == 0 && self.indent == mark.column.cast_signed();
        let token = self.next_token_number();
        self.remove_simple_key()?;
        let last = self.simple_keys.len().saturating_sub(1);
        if let Some(key) = self.simple_keys.last_mut() {
            *key = SimpleKey {
                possible: true,
                required,
                token,
                mark,
            };
        }
        self.forget(token);
        self.keys_by_token.push_back((token, last));
        Ok(())
    }

    fn remove_simple_key(&mut self) -> Result<(), Error> {
        let Some(key) = self.simple_keys.last_mut() else {
            return Ok(());
        };
        if !key.possible {
            return Ok(());
        }
        if key.required {
            return Err(self.error("could not find expected ':'"));
        }
        key.possible = false;
        let token = key.token;
        self.forget(token);
        Ok(())
    }

    fn forget(&mut self, token: usize) {
        self.keys_by_token.retain(|(known, _)| *known != token);
    }

    /// Opens a block collection at a deeper column; before an earlier token, if one is given.
    fn roll_indent(&mut self, mark: Mark, before: Option<usize>, kind: TokenKind<'i>) {
        let column = mark.column.cast_signed();
        if self.flow_level > 0 || self.indent >= column {
            return;
        }
        self.indents.push(self.indent);
        self.indent = column;
        let at = before.map_or(self.tokens.len(), |token| {
            token.saturating_sub(self.taken).min(self.tokens.len())
        });
        self.tokens.insert(
            at,
            Token {
                kind,
                line: mark.line,
                end_line: mark.line,
            },
        );
    }

    /// Closes the block collections that are deeper than the column.
    fn unroll_indent(&mut self, column: isize) {
        if self.flow_level > 0 {
            return;
        }
        while self.indent > column {
            self.push(TokenKind::BlockEnd, self.cursor.mark);
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn possible_keys_do_not_pile_up() {
        let yaml = "list:\n".to_owned() + &"- a plain text\n- [a, {b: c}]\n".repeat(1000);
        let mut scanner = Scanner::new(&yaml);
        while !matches!(scanner.take().unwrap().kind, TokenKind::StreamEnd) {
            assert!(scanner.keys_by_token.len() < 5);
        }
    }
}
