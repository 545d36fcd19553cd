//! Tokens with a syntax of their own that charts hardly use: directives and tags.

use super::error::Error;
use super::scanner::Scanner;
use super::token::TokenKind;

/// The digits of a version number.
const MAX_VERSION_DIGITS: usize = 2;

impl<'i> Scanner<'i> {
    /// `%YAML 1.1` or `%TAG ! prefix`, to the end of the line.
    pub(super) fn scan_directive(&mut self) -> Result<TokenKind<'i>, Error> {
        self.cursor.skip();
        let from = self.cursor.offset();
        self.skip_name();
        let name = self.cursor.since(from);
        if name.is_empty() {
            return Err(self.error("could not find expected directive name"));
        }
        if !self.cursor.is_blank_or_end(0) {
            return Err(self.error("found unexpected non-alphabetical character"));
        }
        let kind = match name {
            "YAML" => self.version()?,
            "TAG" => self.tag_directive()?,
            _ => return Err(self.error("found unknown directive name")),
        };
        self.cursor.skip_blanks();
        self.cursor.skip_comment();
        if !self.cursor.is_break_or_end(0) {
            return Err(self.error("did not find expected comment or line break"));
        }
        self.cursor.take_break();
        Ok(kind)
    }

    fn version(&mut self) -> Result<TokenKind<'i>, Error> {
        self.cursor.skip_blanks();
        let major = self.version_number()?;
        if self.cursor.peek(0) != b'.' {
            return Err(self.error("did not find expected digit or '.' character"));
        }
        self.cursor.skip();
        let minor = self.version_number()?;
        Ok(TokenKind::Version { major, minor })
    }

    fn version_number(&mut self) -> Result<u32, Error> {
        let mut number = 0;
        let mut length = 0;
        while self.cursor.peek(0).is_ascii_digit() {
            length += 1;
            if length > MAX_VERSION_DIGITS {
                return Err(self.error("found extremely long version number"));
            }
            number = number * 10 + u32::from(self.cursor.peek(0) - b'0');
            self.cursor.skip();
        }
        if length == 0 {
            Err(self.error("did not find expected version number"))
        } else {
            Ok(number)
        }
    }

    fn tag_directive(&mut self) -> Result<TokenKind<'i>, Error> {
        self.cursor.skip_blanks();
        let handle = self.tag_handle(true)?;
        if !self.cursor.is_blank(0) {
            return Err(self.error("did not find expected whitespace"));
        }
        self.cursor.skip_blanks();
        let prefix = self.tag_uri("")?;
        if !self.cursor.is_blank_or_end(0) {
            return Err(self.error("did not find expected whitespace or line break"));
        }
        Ok(TokenKind::TagDirective { handle, prefix })
    }

    /// `!`, `!suffix`, `!!suffix`, `!handle!suffix` or `!<uri>`.
    pub(super) fn scan_tag(&mut self) -> Result<TokenKind<'i>, Error> {
        let kind = if self.cursor.peek(1) == b'<' {
            self.cursor.skip_many(2);
            let suffix = self.tag_uri("")?;
            if self.cursor.peek(0) != b'>' {
                return Err(self.error("did not find the expected '>'"));
            }
            self.cursor.skip();
            TokenKind::Tag {
                handle: String::new(),
                suffix,
            }
        } else {
            let handle = self.tag_handle(false)?;
            if handle.len() > 1 && handle.ends_with('!') {
                let suffix = self.tag_uri("")?;
                TokenKind::Tag { handle, suffix }
            } else {
                match self.tag_uri(&handle)? {
                    suffix if suffix.is_empty() => TokenKind::Tag {
                        handle: suffix,
                        suffix: "!".to_owned(),
                    },
                    suffix => TokenKind::Tag {
                        handle: "!".to_owned(),
                        suffix,
                    },
                }
            }
        };
        if !self.cursor.is_blank_or_end(0) {
            return Err(self.error("did not find expected whitespace or line break"));
        }
        Ok(kind)
    }

    fn tag_handle(&mut self, directive: bool) -> Result<String, Error> {
        if self.cursor.peek(0) != b'!' {
            return Err(self.error("did not find expected '!'"));
        }
        let from = self.cursor.offset();
        self.cursor.skip();
        self.skip_name();
        if self.cursor.peek(0) == b'!' {
            self.cursor.skip();
        } else if directive && self.cursor.since(from) != "!" {
            return Err(self.error("did not find expected '!'"));
        }
        Ok(self.cursor.since(from).to_owned())
    }

    /// The rest of a tag behind what was taken for its handle; only a lone `!` may end here.
    fn tag_uri(&mut self, head: &str) -> Result<String, Error> {
        let mut uri = head.as_bytes().get(1..).unwrap_or_default().to_vec();
        let mut found = !head.is_empty();
        loop {
            match self.cursor.peek(0) {
                b'%' => self.uri_escape(&mut uri)?,
                byte @ (b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z') => self.uri_byte(&mut uri, byte),
                byte if b"_-;/?:@&=+$,.!~*'()[]".contains(&byte) => self.uri_byte(&mut uri, byte),
                _ => break,
            }
            found = true;
        }
        if !found {
            return Err(self.error("did not find expected tag URI"));
        }
        Ok(String::from_utf8_lossy(&uri).into_owned())
    }

    fn uri_byte(&mut self, uri: &mut Vec<u8>, byte: u8) {
        uri.push(byte);
        self.cursor.skip();
    }

    /// `%C3%A9`: as many bytes as the first one announces.
    fn uri_escape(&mut self, uri: &mut Vec<u8>) -> Result<(), Error> {
        let mut missing = None;
        while missing != Some(0) {
            let digits = [self.cursor.peek(1), self.cursor.peek(2)].map(|digit| char::from(digit).to_digit(16));
            let (b'%', [Some(high), Some(low)]) = (self.cursor.peek(0), digits) else {
                return Err(self.error("did not find URI escaped octet"));
            };
            let octet = u8::try_from(high * 16 + low).unwrap_or_default();
            missing = Some(match (missing, octet) {
                (None, 0..=0x7F) => 0,
                (None, 0xC0..=0xDF) => 1,
                (None, 0xE0..=0xEF) => 2,
                (None, 0xF0..=0xF7) => 3,
                (None, _) => return Err(self.error("found an incorrect leading UTF-8 octet")),
                (Some(missing), 0x80..=0xBF) => missing - 1,
                (Some(_), _) => return Err(self.error("found an incorrect trailing UTF-8 octet")),
            });
            uri.push(octet);
            self.cursor.skip_many(3);
        }
        Ok(())
    }
}
