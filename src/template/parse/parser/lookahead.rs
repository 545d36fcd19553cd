//! Tokens read ahead and put back, and the errors that name them.

use super::{Kind, Parsed, Parser, Token};
use crate::template::error::ParseError;
use crate::template::position::Position;

impl<'s> Parser<'_, 's> {
    pub(super) fn next(&mut self) -> Token<'s> {
        match self.peeked.checked_sub(1) {
            Some(peeked) => self.peeked = peeked,
            None => self.tokens[0] = self.input.lexer.next(),
        }
        self.tokens[self.peeked]
    }

    pub(super) fn backup(&mut self) {
        self.peeked += 1;
    }

    pub(super) fn peek(&mut self) -> &Token<'s> {
        if self.peeked == 0 {
            self.peeked = 1;
            self.tokens[0] = self.input.lexer.next();
        }
        &self.tokens[self.peeked - 1]
    }

    pub(super) fn next_non_space(&mut self) -> Token<'s> {
        loop {
            let token = self.next();
            if token.kind != Kind::Space {
                return token;
            }
        }
    }

    pub(super) fn peek_non_space(&mut self) -> Token<'s> {
        let token = self.next_non_space();
        self.backup();
        token
    }

    pub(super) fn error<T>(&self, message: impl Into<String>) -> Parsed<T> {
        self.error_at(&self.tokens[0], message.into())
    }

    /// An error with the line of the token that was read last, as Go's, but with the place of this token.
    pub(super) fn error_at<T>(&self, token: &Token<'_>, message: String) -> Parsed<T> {
        let source = self.input.source;
        let offset = match token.kind {
            // The end that follows an error is nowhere.
            Kind::Eof => source.text.len(),
            _ => token.position,
        };
        Err(Box::new(ParseError {
            template: source.name.to_string(),
            line: self.tokens[0].line,
            message,
            position: Position::new(source, offset),
            length: token.text.len(),
        }))
    }

    pub(super) fn unexpected<T>(&self, token: &Token<'_>, context: &str) -> Parsed<T> {
        if token.kind != Kind::Error {
            return self.error_at(
                token,
                format!("unexpected {} in {context}", token.describe(self.input.lexer.message())),
            );
        }
        let mut message = token.describe(self.input.lexer.message());
        if self.action_line != 0 && self.action_line != token.line {
            let place = format!(" in action started at {}:{}", self.input.source.name, self.action_line);
            // Not "action in action".
            message += if message.ends_with(" action") {
                &place[" in action".len()..]
            } else {
                &place
            };
        }
        self.error_at(token, message)
    }

    pub(super) fn expect_right_delimiter(&mut self, context: &str) -> Parsed<()> {
        let token = self.next_non_space();
        if token.kind == Kind::RightDelimiter {
            Ok(())
        } else {
            self.unexpected(&token, context)
        }
    }
}
