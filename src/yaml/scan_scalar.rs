//! Scalars in their four styles: how lines are joined, blanks are dropped and escapes are read.

use std::borrow::Cow;

use super::error::Error;
use super::scanner::Scanner;

/// What separates two words of a scalar that may go over several lines.
#[derive(Debug, Default)]
struct Gap<'i> {
    /// Blanks within a line.
    blanks: &'i str,
    /// The first line break; `None` within a line.
    first_break: Option<&'static str>,
    /// The line breaks after it.
    more_breaks: String,
}

impl Gap<'_> {
    /// One line feed becomes a space, more become one less; other breaks stay.
    fn join(&self, text: &mut String) {
        match self.first_break {
            None => text.push_str(self.blanks),
            Some("\n") if self.more_breaks.is_empty() => text.push(' '),
            Some("\n") => text.push_str(&self.more_breaks),
            Some(other) => {
                text.push_str(other);
                text.push_str(&self.more_breaks);
            }
        }
    }
}

/// What a block scalar does with the line breaks at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chomping {
    Strip,
    Clip,
    Keep,
}

impl<'i> Scanner<'i> {
    pub(super) fn scan_plain(&mut self) -> Result<Cow<'i, str>, Error> {
        let indent = self.indent + 1;
        let mut text = Cow::Borrowed("");
        let mut gap = Gap::default();
        loop {
            if self.cursor.at_document_marker() || self.cursor.peek(0) == b'#' {
                break;
            }
            let from = self.cursor.offset();
            while !self.plain_ends() {
                self.cursor.skip();
                self.cursor
                    .skip_ascii(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'/' | b'_'));
            }
            let word = self.cursor.since(from);
            if !word.is_empty() {
                if text.is_empty() {
                    text = Cow::Borrowed(word);
                } else {
                    let joined = text.to_mut();
                    gap.join(joined);
                    joined.push_str(word);
                }
                gap = Gap::default();
            }
            if !(self.cursor.is_blank(0) || self.cursor.is_break(0)) {
                break;
            }
            self.plain_gap(&mut gap, indent)?;
            if self.flow_level == 0 && self.cursor.mark.column.cast_signed() < indent {
                break;
            }
        }
        if gap.first_break.is_some() {
            self.simple_key_allowed = true;
        }
        Ok(text)
    }

    fn plain_ends(&self) -> bool {
        match self.cursor.peek(0) {
            b':' => self.cursor.is_blank_or_end(1),
            b',' | b'?' | b'[' | b']' | b'{' | b'}' => self.flow_level > 0,
            byte if byte.is_ascii_alphanumeric() => false,
            _ => self.cursor.is_blank_or_end(0),
        }
    }

    fn plain_gap(&mut self, gap: &mut Gap<'i>, indent: isize) -> Result<(), Error> {
        let from = self.cursor.offset();
        loop {
            if self.cursor.is_blank(0) {
                let after_break = gap.first_break.is_some();
                let indenting = after_break && self.cursor.mark.column.cast_signed() < indent;
                if indenting && self.cursor.peek(0) == b'\t' {
                    return Err(self.error("found a tab character that violates indentation"));
                }
                self.cursor.skip();
                if !after_break {
                    gap.blanks = self.cursor.since(from);
                }
            } else if self.cursor.is_break(0) {
                self.gap_break(gap);
            } else {
                return Ok(());
            }
        }
    }

    fn gap_break(&mut self, gap: &mut Gap<'i>) {
        let line_break = self.cursor.take_break();
        match gap.first_break {
            None => gap.first_break = Some(line_break),
            Some(_) => gap.more_breaks.push_str(line_break),
        }
    }

    pub(super) fn scan_quoted(&mut self, quote: u8) -> Result<Cow<'i, str>, Error> {
        self.cursor.skip();
        let mut text: Option<String> = None;
        let start = self.cursor.offset();
        loop {
            if self.cursor.at_document_marker() {
                return Err(self.error("found unexpected document indicator"));
            }
            if self.cursor.at_end() {
                return Err(self.error("found unexpected end of stream"));
            }
            let from = self.cursor.offset();
            while !self.cursor.is_blank_or_end(0) && self.cursor.peek(0) != quote && !self.at_escape(quote) {
                self.cursor.skip();
                self.cursor
                    .skip_ascii(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'/' | b'_'));
            }
            let word = self.cursor.since(from);
            if let Some(text) = &mut text {
                text.push_str(word);
            }
            let mut escaped_break = false;
            if self.cursor.peek(0) == quote {
                if quote == b'\'' && self.cursor.peek(1) == b'\'' {
                    text.get_or_insert_with(|| self.cursor.since(start).to_owned())
                        .push('\'');
                    self.cursor.skip_many(2);
                    continue;
                }
                let whole = self.cursor.since(start);
                self.cursor.skip();
                return Ok(text.map_or(Cow::Borrowed(whole), Cow::Owned));
            } else if self.at_escape(quote) {
                let text = text.get_or_insert_with(|| self.cursor.since(start).to_owned());
                if !self.cursor.is_break(1) {
                    let character = self.scan_escape()?;
                    text.push(character);
                    continue;
                }
                self.cursor.skip();
                self.cursor.take_break();
                escaped_break = true;
            }
            let until_here = self.cursor.since(start);
            let gap = self.quoted_gap(escaped_break);
            match (&mut text, gap.first_break) {
                // Blanks within a line stay as they are.
                (None, None) if !escaped_break => {}
                (None, _) => {
                    let mut joined = until_here.to_owned();
                    gap.join(&mut joined);
                    text = Some(joined);
                }
                (Some(text), None) if escaped_break => text.push_str(&gap.more_breaks),
                (Some(text), _) => gap.join(text),
            }
        }
    }

    fn at_escape(&self, quote: u8) -> bool {
        quote == b'"' && self.cursor.peek(0) == b'\\'
    }

    /// Blanks and line breaks inside quotes. Behind an escaped break all further breaks stay and all blanks go.
    fn quoted_gap(&mut self, escaped_break: bool) -> Gap<'i> {
        let mut gap = Gap::default();
        let from = self.cursor.offset();
        loop {
            if self.cursor.is_blank(0) {
                self.cursor.skip();
                if !escaped_break && gap.first_break.is_none() {
                    gap.blanks = self.cursor.since(from);
                }
            } else if !self.cursor.is_break(0) {
                return gap;
            } else if escaped_break {
                gap.more_breaks.push_str(self.cursor.take_break());
            } else {
                self.gap_break(&mut gap);
            }
        }
    }

    /// A backslash and what follows it.
    fn scan_escape(&mut self) -> Result<char, Error> {
        let digits = match self.cursor.peek(1) {
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            other => {
                let character = simple_escape(other).ok_or_else(|| self.error("found unknown escape character"))?;
                self.cursor.skip_many(2);
                return Ok(character);
            }
        };
        self.cursor.skip_many(2);
        let mut code = 0_u64;
        for ahead in 0..digits {
            let digit = char::from(self.cursor.peek(ahead)).to_digit(16);
            let digit = digit.ok_or_else(|| self.error("did not find expected hexdecimal number"))?;
            code = code * 16 + u64::from(digit);
        }
        let character = u32::try_from(code).ok().and_then(char::from_u32);
        let character = character.ok_or_else(|| self.error("found invalid Unicode character escape code"))?;
        self.cursor.skip_many(digits);
        Ok(character)
    }

    /// `|` and `>`.
    pub(super) fn scan_block_scalar(&mut self, literal: bool) -> Result<String, Error> {
        self.cursor.skip();
        let (chomping, increment) = self.block_header()?;
        let mut indent = match increment {
            0 => 0,
            increment => self.indent.max(0).cast_unsigned() + increment,
        };
        let mut text = String::new();
        let mut first_break = "";
        let mut more_breaks = String::new();
        self.block_breaks(&mut indent, &mut more_breaks)?;
        let mut after_blank = false;
        while self.cursor.mark.column == indent && !self.cursor.at_end() {
            let blank = self.cursor.is_blank(0);
            if !literal && first_break == "\n" && !after_blank && !blank {
                if more_breaks.is_empty() {
                    text.push(' ');
                }
            } else {
                text.push_str(first_break);
            }
            text.push_str(&more_breaks);
            more_breaks.clear();
            after_blank = blank;
            let from = self.cursor.offset();
            self.cursor.skip_line();
            text.push_str(self.cursor.since(from));
            first_break = self.cursor.take_break();
            self.block_breaks(&mut indent, &mut more_breaks)?;
        }
        if chomping != Chomping::Strip {
            text.push_str(first_break);
        }
        if chomping == Chomping::Keep {
            text.push_str(&more_breaks);
        }
        Ok(text)
    }

    /// Chomping and indentation in either order, and the rest of the line.
    fn block_header(&mut self) -> Result<(Chomping, usize), Error> {
        let mut chomping = self.block_chomping();
        let mut increment = 0;
        let digit = self.cursor.peek(0);
        if digit.is_ascii_digit() {
            if digit == b'0' {
                return Err(self.error("found an indentation indicator equal to 0"));
            }
            increment = usize::from(digit - b'0');
            self.cursor.skip();
            if chomping == Chomping::Clip {
                chomping = self.block_chomping();
            }
        }
        self.cursor.skip_blanks();
        self.cursor.skip_comment();
        if !self.cursor.is_break_or_end(0) {
            return Err(self.error("did not find expected comment or line break"));
        }
        self.cursor.take_break();
        Ok((chomping, increment))
    }

    fn block_chomping(&mut self) -> Chomping {
        let chomping = match self.cursor.peek(0) {
            b'+' => Chomping::Keep,
            b'-' => Chomping::Strip,
            _ => return Chomping::Clip,
        };
        self.cursor.skip();
        chomping
    }

    /// Empty lines and the indentation of the next one, which tells the scalar's if nothing else has.
    fn block_breaks(&mut self, indent: &mut usize, breaks: &mut String) -> Result<(), Error> {
        let mut deepest = 0;
        loop {
            while (*indent == 0 || self.cursor.mark.column < *indent) && self.cursor.peek(0) == b' ' {
                self.cursor.skip();
            }
            deepest = deepest.max(self.cursor.mark.column);
            if (*indent == 0 || self.cursor.mark.column < *indent) && self.cursor.peek(0) == b'\t' {
                return Err(self.error("found a tab character where an indentation space is expected"));
            }
            if !self.cursor.is_break(0) {
                break;
            }
            breaks.push_str(self.cursor.take_break());
        }
        if *indent == 0 {
            *indent = deepest.max((self.indent + 1).max(1).cast_unsigned());
        }
        Ok(())
    }
}

fn simple_escape(byte: u8) -> Option<char> {
    Some(match byte {
        b'0' => '\0',
        b'a' => '\u{7}',
        b'b' => '\u{8}',
        b't' | b'\t' => '\t',
        b'n' => '\n',
        b'v' => '\u{b}',
        b'f' => '\u{c}',
        b'r' => '\r',
        b'e' => '\u{1b}',
        b' ' => ' ',
        b'"' => '"',
        b'\'' => '\'',
        b'\\' => '\\',
        b'N' => '\u{85}',
        b'_' => '\u{a0}',
        b'L' => '\u{2028}',
        b'P' => '\u{2029}',
        _ => return None,
    })
}
