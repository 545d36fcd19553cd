//! Text into tokens. Positions are byte offsets; the line of a token is that of its first byte.

use memchr::{memchr, memchr_iter, memchr3};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Error,
    Eof,
    Text,
    Comment,
    LeftDelimiter,
    RightDelimiter,
    Space,
    Assign,
    Declare,
    Pipe,
    LeftParenthesis,
    RightParenthesis,
    Bool,
    Char,
    CharConstant,
    Complex,
    Number,
    String,
    RawString,
    Dot,
    Nil,
    Field,
    Identifier,
    Variable,
    Keyword(Keyword),
}

/// The words that are no functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    Block,
    Break,
    Continue,
    Define,
    Else,
    End,
    If,
    Range,
    Template,
    With,
}

/// One token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'s> {
    pub(super) kind: Kind,
    pub(super) position: usize,
    pub(super) line: usize,
    /// The text, unless this is an error.
    pub(super) text: &'s [u8],
}

impl Token<'_> {
    /// The token as Go's messages show it; `error` is what the lexer says of an error.
    pub(super) fn describe(&self, error: &str) -> String {
        let text = String::from_utf8_lossy(self.text);
        match self.kind {
            Kind::Eof => "EOF".to_owned(),
            Kind::Error => error.to_owned(),
            Kind::Keyword(_) | Kind::Nil | Kind::Dot => format!("<{text}>"),
            _ if self.text.len() > 10 => format!("{}...", quoted(&text.chars().take(10).collect::<String>())),
            _ => quoted(&text),
        }
    }
}

/// Go's `%q`.
pub(super) fn quoted(text: &str) -> String {
    String::from_utf8_lossy(&crate::go::strconv::quote(text.as_bytes())).into_owned()
}

const SPACES: &[u8] = b" \t\r\n";
/// The length of `- ` and ` -`.
const TRIM_MARKER: usize = 2;

/// Go's template lexer.
pub(super) struct Lexer<'s> {
    input: &'s [u8],
    position: usize,
    start: usize,
    line: usize,
    start_line: usize,
    parentheses: usize,
    inside_action: bool,
    /// What is wrong, once an error was given out: nothing follows it.
    error: Option<String>,
}

/// What a lexing step came to.
enum Step<'s> {
    Token(Token<'s>),
    /// Nothing yet (a comment or an empty text was passed).
    Again,
}

impl<'s> Lexer<'s> {
    pub(super) fn new(input: &'s [u8]) -> Self {
        Self {
            input,
            position: 0,
            start: 0,
            line: 1,
            start_line: 1,
            parentheses: 0,
            inside_action: false,
            error: None,
        }
    }

    /// The next token; the end of the input repeats itself.
    pub(super) fn next(&mut self) -> Token<'s> {
        if self.error.is_some() {
            return Token {
                kind: Kind::Eof,
                position: 0,
                line: self.start_line,
                text: b"EOF",
            };
        }
        loop {
            let step = if self.inside_action { self.inside() } else { self.text() };
            if let Step::Token(token) = step {
                return token;
            }
        }
    }

    /// What is wrong, if the last token was an error.
    pub(super) fn message(&self) -> &str {
        self.error.as_deref().unwrap_or_default()
    }

    fn rest(&self) -> &'s [u8] {
        &self.input[self.position..]
    }

    /// The character at the position and its length; invalid UTF-8 is U+FFFD of one byte.
    fn peek(&self) -> Option<(char, usize)> {
        let rest = self.rest();
        match rest.first()? {
            first if first.is_ascii() => Some((char::from(*first), 1)),
            _ => {
                let head = &rest[..rest.len().min(4)];
                let valid = head.utf8_chunks().next()?.valid();
                let character = valid.chars().next();
                Some(character.map_or((char::REPLACEMENT_CHARACTER, 1), |character| {
                    (character, character.len_utf8())
                }))
            }
        }
    }

    fn advance(&mut self) -> Option<char> {
        let (character, length) = self.peek()?;
        self.position += length;
        self.line += usize::from(character == '\n');
        Some(character)
    }

    fn emit(&mut self, kind: Kind) -> Token<'s> {
        let token = Token {
            kind,
            position: self.start,
            line: self.start_line,
            text: &self.input[self.start..self.position],
        };
        self.start = self.position;
        self.start_line = self.line;
        token
    }

    /// Passes what was read since the last token, none of which has been counted for lines.
    fn ignore(&mut self) {
        self.line += newlines(&self.input[self.start..self.position]);
        self.start = self.position;
        self.start_line = self.line;
    }

    fn error(&mut self, message: impl Into<String>) -> Token<'s> {
        self.error = Some(message.into());
        Token {
            kind: Kind::Error,
            position: self.start,
            line: self.start_line,
            text: b"",
        }
    }

    fn text(&mut self) -> Step<'s> {
        let Some(length) = find(self.rest(), *b"{{") else {
            self.position = self.input.len();
            if self.position == self.start {
                return Step::Token(self.emit(Kind::Eof));
            }
            self.line += newlines(&self.input[self.start..]);
            return Step::Token(self.emit(Kind::Text));
        };
        if length > 0 {
            self.position += length;
            let mut trimmed = 0;
            if has_left_trim_marker(&self.input[self.position + 2..]) {
                let text = &self.input[self.start..self.position];
                trimmed = text.len() - trim_end(text).len();
            }
            self.position -= trimmed;
            self.line += newlines(&self.input[self.start..self.position]);
            let token = self.emit(Kind::Text);
            self.position += trimmed;
            self.ignore();
            if !token.text.is_empty() {
                return Step::Token(token);
            }
        }
        self.left_delimiter()
    }

    fn left_delimiter(&mut self) -> Step<'s> {
        self.position += 2;
        let marker = if has_left_trim_marker(self.rest()) {
            TRIM_MARKER
        } else {
            0
        };
        if self.input[self.position + marker..].starts_with(b"/*") {
            self.position += marker;
            self.ignore();
            return self.comment();
        }
        let token = self.emit(Kind::LeftDelimiter);
        self.inside_action = true;
        self.position += marker;
        self.ignore();
        self.parentheses = 0;
        Step::Token(token)
    }

    fn comment(&mut self) -> Step<'s> {
        self.position += 2;
        let Some(length) = find(self.rest(), *b"*/") else {
            return Step::Token(self.error("unclosed comment"));
        };
        self.position += length + 2;
        let Some(trim) = self.at_right_delimiter() else {
            return Step::Token(self.error("comment ends before closing delimiter"));
        };
        self.line += newlines(&self.input[self.start..self.position]);
        self.emit(Kind::Comment);
        self.position += 2;
        if trim {
            self.position += TRIM_MARKER;
            self.position += self.rest().len() - trim_start(self.rest()).len();
        }
        self.ignore();
        Step::Again
    }

    /// Whether the action ends here and, if so, whether the text behind it is trimmed.
    fn at_right_delimiter(&self) -> Option<bool> {
        let rest = self.rest();
        if has_right_trim_marker(rest) && rest[TRIM_MARKER..].starts_with(b"}}") {
            Some(true)
        } else if rest.starts_with(b"}}") {
            Some(false)
        } else {
            None
        }
    }

    fn right_delimiter(&mut self) -> Token<'s> {
        let trim = self.at_right_delimiter() == Some(true);
        if trim {
            self.position += TRIM_MARKER;
            self.ignore();
        }
        self.position += 2;
        let token = self.emit(Kind::RightDelimiter);
        if trim {
            self.position += self.rest().len() - trim_start(self.rest()).len();
            self.ignore();
        }
        self.inside_action = false;
        token
    }

    fn inside(&mut self) -> Step<'s> {
        if self.at_right_delimiter().is_some() {
            return Step::Token(match self.parentheses {
                0 => self.right_delimiter(),
                _ => self.error("unclosed left paren"),
            });
        }
        let Some((character, length)) = self.peek() else {
            return Step::Token(self.error("unclosed action"));
        };
        if is_space(character) {
            return Step::Token(self.space());
        }
        let number_follows = self.input.get(self.position + 1).is_some_and(u8::is_ascii_digit);
        let last = self.position + 1 == self.input.len();
        Step::Token(match character {
            '.' if !number_follows && !last => self.advance_then(Self::field),
            '.' | '+' | '-' | '0'..='9' => self.number(),
            _ if is_alphanumeric(character) => self.identifier(),
            _ => {
                self.position += length;
                self.line += usize::from(character == '\n');
                self.symbol(character)
            }
        })
    }

    fn advance_then(&mut self, next: fn(&mut Self) -> Token<'s>) -> Token<'s> {
        self.position += 1;
        next(self)
    }

    fn symbol(&mut self, character: char) -> Token<'s> {
        match character {
            '=' => self.emit(Kind::Assign),
            ':' => match self.advance() {
                Some('=') => self.emit(Kind::Declare),
                _ => self.error("expected :="),
            },
            '|' => self.emit(Kind::Pipe),
            '"' => self.quote(b'"', Kind::String, "unterminated quoted string"),
            '\'' => self.quote(b'\'', Kind::CharConstant, "unterminated character constant"),
            '`' => self.raw_quote(),
            '$' => self.variable(),
            '(' => {
                self.parentheses += 1;
                self.emit(Kind::LeftParenthesis)
            }
            ')' => match self.parentheses.checked_sub(1) {
                Some(parentheses) => {
                    self.parentheses = parentheses;
                    self.emit(Kind::RightParenthesis)
                }
                None => self.error("unexpected right paren"),
            },
            ' '..='~' => self.emit(Kind::Char),
            other => self.error(format!("unrecognized character in action: {}", unicode(other))),
        }
    }

    fn space(&mut self) -> Token<'s> {
        let mut spaces = 0;
        while self.peek().is_some_and(|(character, _)| is_space(character)) {
            self.advance();
            spaces += 1;
        }
        // The last space may belong to a trim marker.
        let before_last = &self.input[self.position - 1..];
        if has_right_trim_marker(before_last) && before_last[TRIM_MARKER..].starts_with(b"}}") {
            self.position -= 1;
            self.line -= usize::from(self.input[self.position] == b'\n');
            if spaces == 1 {
                return self.right_delimiter();
            }
        }
        self.emit(Kind::Space)
    }

    fn identifier(&mut self) -> Token<'s> {
        self.alphanumerics();
        if let Some(error) = self.bad_character() {
            return error;
        }
        let kind = match &self.input[self.start..self.position] {
            b"true" | b"false" => Kind::Bool,
            b"nil" => Kind::Nil,
            b"block" => Kind::Keyword(Keyword::Block),
            b"break" => Kind::Keyword(Keyword::Break),
            b"continue" => Kind::Keyword(Keyword::Continue),
            b"define" => Kind::Keyword(Keyword::Define),
            b"else" => Kind::Keyword(Keyword::Else),
            b"end" => Kind::Keyword(Keyword::End),
            b"if" => Kind::Keyword(Keyword::If),
            b"range" => Kind::Keyword(Keyword::Range),
            b"template" => Kind::Keyword(Keyword::Template),
            b"with" => Kind::Keyword(Keyword::With),
            _ => Kind::Identifier,
        };
        self.emit(kind)
    }

    fn field(&mut self) -> Token<'s> {
        if self.at_terminator() {
            return self.emit(Kind::Dot);
        }
        self.name(Kind::Field)
    }

    fn variable(&mut self) -> Token<'s> {
        if self.at_terminator() {
            return self.emit(Kind::Variable);
        }
        self.name(Kind::Variable)
    }

    fn name(&mut self, kind: Kind) -> Token<'s> {
        self.alphanumerics();
        match self.bad_character() {
            Some(error) => error,
            None => self.emit(kind),
        }
    }

    fn alphanumerics(&mut self) {
        let ascii = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
        self.position += self.rest().iter().take_while(ascii).count();
        while self.peek().is_some_and(|(character, _)| is_alphanumeric(character)) {
            self.advance();
        }
    }

    /// The error of a name that runs into something that may not follow a name.
    fn bad_character(&mut self) -> Option<Token<'s>> {
        if self.at_terminator() {
            return None;
        }
        let (character, _) = self.peek()?;
        Some(self.error(format!("bad character {}", unicode(character))))
    }

    fn at_terminator(&self) -> bool {
        match self.peek() {
            None | Some((' ' | '\t' | '\r' | '\n' | '.' | ',' | '|' | ':' | ')' | '(', _)) => true,
            Some(_) => self.rest().starts_with(b"}}"),
        }
    }

    fn quote(&mut self, mark: u8, kind: Kind, unterminated: &str) -> Token<'s> {
        loop {
            let rest = self.rest();
            self.position += memchr3(b'\\', mark, b'\n', rest).unwrap_or(rest.len());
            match self.advance() {
                Some('\\') if !matches!(self.advance(), None | Some('\n')) => {}
                None | Some('\n' | '\\') => return self.error(unterminated),
                Some(character) if character == char::from(mark) => return self.emit(kind),
                Some(_) => {}
            }
        }
    }

    fn raw_quote(&mut self) -> Token<'s> {
        let rest = self.rest();
        let end = memchr(b'`', rest);
        let length = end.map_or(rest.len(), |end| end + 1);
        self.line += newlines(&rest[..length]);
        self.position += length;
        match end {
            Some(_) => self.emit(Kind::RawString),
            None => self.error("unterminated raw quoted string"),
        }
    }

    fn number(&mut self) -> Token<'s> {
        if !self.scan_number() {
            return self.bad_number();
        }
        if !matches!(self.peek(), Some(('+' | '-', _))) {
            return self.emit(Kind::Number);
        }
        // Complex: 1+2i.
        if !self.scan_number() || self.input[self.position - 1] != b'i' {
            return self.bad_number();
        }
        self.emit(Kind::Complex)
    }

    fn bad_number(&mut self) -> Token<'s> {
        let text = String::from_utf8_lossy(&self.input[self.start..self.position]);
        self.error(format!("bad number syntax: {}", quoted(&text)))
    }

    fn accept(&mut self, valid: &[u8]) -> bool {
        let accepted = self.rest().first().is_some_and(|byte| valid.contains(byte));
        self.position += usize::from(accepted);
        accepted
    }

    fn accept_run(&mut self, valid: &[u8]) {
        while self.accept(valid) {}
    }

    fn scan_number(&mut self) -> bool {
        const DECIMAL: &[u8] = b"0123456789_";
        const HEXADECIMAL: &[u8] = b"0123456789abcdefABCDEF_";
        self.accept(b"+-");
        let mut digits = DECIMAL;
        if self.accept(b"0") {
            if self.accept(b"xX") {
                digits = HEXADECIMAL;
            } else if self.accept(b"oO") {
                digits = b"01234567_";
            } else if self.accept(b"bB") {
                digits = b"01_";
            }
        }
        self.accept_run(digits);
        if self.accept(b".") {
            self.accept_run(digits);
        }
        if (digits == DECIMAL && self.accept(b"eE")) || (digits == HEXADECIMAL && self.accept(b"pP")) {
            self.accept(b"+-");
            self.accept_run(DECIMAL);
        }
        self.accept(b"i");
        // The next thing must not be a letter or digit.
        if self.peek().is_some_and(|(character, _)| is_alphanumeric(character)) {
            self.advance();
            return false;
        }
        true
    }
}

fn find(text: &[u8], pattern: [u8; 2]) -> Option<usize> {
    memchr_iter(pattern[0], text).find(|at| text.get(at + 1) == Some(&pattern[1]))
}

fn newlines(text: &[u8]) -> usize {
    memchr_iter(b'\n', text).count()
}

fn trim_start(text: &[u8]) -> &[u8] {
    let skipped = text.iter().take_while(|byte| SPACES.contains(byte)).count();
    &text[skipped..]
}

fn trim_end(text: &[u8]) -> &[u8] {
    let skipped = text.iter().rev().take_while(|byte| SPACES.contains(byte)).count();
    &text[..text.len() - skipped]
}

fn has_left_trim_marker(text: &[u8]) -> bool {
    matches!(text, [b'-', space, ..] if SPACES.contains(space))
}

fn has_right_trim_marker(text: &[u8]) -> bool {
    matches!(text, [space, b'-', ..] if SPACES.contains(space))
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

fn is_alphanumeric(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

/// Go's `%#U`.
fn unicode(character: char) -> String {
    let code = u32::from(character);
    if crate::go::strconv::is_printable(character) {
        format!("U+{code:04X} '{character}'")
    } else {
        format!("U+{code:04X}")
    }
}
