//! The place in the input, and what stands there. Past the end every look gives a zero byte, which no input contains.

use memchr::memchr2;

/// A place: byte offset, and the line, column and index that libyaml counts in characters.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mark {
    pub(super) index: usize,
    pub(super) line: u32,
    pub(super) column: usize,
}

/// Walks over the input.
#[derive(Debug)]
pub(super) struct Cursor<'i> {
    text: &'i str,
    offset: usize,
    pub(super) mark: Mark,
}

impl<'i> Cursor<'i> {
    pub(super) fn new(text: &'i str) -> Self {
        Self {
            text,
            offset: 0,
            mark: Mark::default(),
        }
    }

    pub(super) fn peek(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.offset + ahead).copied().unwrap_or(0)
    }

    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    /// The text from an earlier offset to here.
    pub(super) fn since(&self, offset: usize) -> &'i str {
        self.text.get(offset..self.offset).unwrap_or_default()
    }

    pub(super) fn at_end(&self) -> bool {
        self.offset >= self.text.len()
    }

    pub(super) fn is_blank(&self, ahead: usize) -> bool {
        matches!(self.peek(ahead), b' ' | b'\t')
    }

    pub(super) fn is_break(&self, ahead: usize) -> bool {
        match self.peek(ahead) {
            b'\n' | b'\r' => true,
            0xC2 => self.peek(ahead + 1) == 0x85,
            0xE2 => self.peek(ahead + 1) == 0x80 && matches!(self.peek(ahead + 2), 0xA8 | 0xA9),
            _ => false,
        }
    }

    /// A blank, a line break or the end.
    pub(super) fn is_blank_or_end(&self, ahead: usize) -> bool {
        self.is_blank(ahead) || self.is_break_or_end(ahead)
    }

    /// A line break or the end.
    pub(super) fn is_break_or_end(&self, ahead: usize) -> bool {
        self.peek(ahead) == 0 || self.is_break(ahead)
    }

    /// `---` or `...` at the beginning of a line.
    pub(super) fn at_document_marker(&self) -> bool {
        self.mark.column == 0 && (self.is_marker(b'-') || self.is_marker(b'.'))
    }

    pub(super) fn is_marker(&self, byte: u8) -> bool {
        (0..3).all(|ahead| self.peek(ahead) == byte) && self.is_blank_or_end(3)
    }

    /// Steps over one character that is no line break.
    pub(super) fn skip(&mut self) {
        let width = match self.peek(0) {
            0..=0x7F => 1,
            0x80..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xFF => 4,
        };
        self.offset = (self.offset + width).min(self.text.len());
        self.mark.index += 1;
        self.mark.column += 1;
    }

    /// Steps over a run of ASCII characters, none of them a line break.
    pub(super) fn skip_ascii(&mut self, belongs: impl Fn(u8) -> bool) {
        let rest = self.text.as_bytes().get(self.offset..).unwrap_or_default();
        let run = rest
            .iter()
            .take_while(|byte| byte.is_ascii() && belongs(**byte))
            .count();
        self.offset += run;
        self.mark.index += run;
        self.mark.column += run;
    }

    /// Steps to the end of the line.
    pub(super) fn skip_line(&mut self) {
        let rest = self.text.as_bytes().get(self.offset..).unwrap_or_default();
        let length = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        if rest[..length].is_ascii() {
            self.offset += length;
            self.mark.index += length;
            self.mark.column += length;
            return;
        }
        // The other line breaks are no ASCII, and characters are counted, not bytes.
        while !self.is_break_or_end(0) {
            self.skip();
            self.skip_ascii(|byte| !matches!(byte, b'\n' | b'\r'));
        }
    }

    pub(super) fn skip_many(&mut self, count: usize) {
        for _ in 0..count {
            self.skip();
        }
    }

    pub(super) fn skip_blanks(&mut self) {
        while self.is_blank(0) {
            self.skip();
        }
    }

    /// Steps over a comment, if one begins here, up to the end of its line.
    pub(super) fn skip_comment(&mut self) {
        if self.peek(0) == b'#' {
            self.skip_line();
        }
    }

    /// Steps over a line break, if one is here, and gives it as YAML reads it: a line feed, except for the two breaks
    /// that Unicode added.
    pub(super) fn take_break(&mut self) -> &'static str {
        let (width, text) = match self.peek(0) {
            b'\r' if self.peek(1) == b'\n' => (2, "\n"),
            b'\r' | b'\n' => (1, "\n"),
            0xC2 if self.peek(1) == 0x85 => (2, "\n"),
            0xE2 if self.peek(1) == 0x80 && self.peek(2) == 0xA8 => (3, "\u{2028}"),
            0xE2 if self.peek(1) == 0x80 && self.peek(2) == 0xA9 => (3, "\u{2029}"),
            _ => return "",
        };
        self.offset += width;
        self.mark.index += 1;
        self.mark.column = 0;
        self.mark.line += 1;
        text
    }
}
