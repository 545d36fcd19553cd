//! Go's regular expression syntax, translated to the `regex` crate's.
//!
//! Every piece is written out with the flags that hold where it stands (`(?i:a)`), so that no flag state is left in
//! the result and a repetition binds to the piece that Go binds it to.

use super::class::{self, NOTHING};
use super::error::{Code, Error};

/// How deep groups may nest. Go's own limit is 1000; this one also bounds the stack of the compiler underneath.
pub(super) const NESTING_LIMIT: u32 = 250;

/// The most copies that a repetition may ask for, nested ones multiplied.
const REPEAT_LIMIT: u64 = 1000;

/// A pattern in `regex` syntax.
pub(super) struct Translated {
    pub(super) pattern: String,
    /// The names of the capture groups, from group 1 on.
    pub(super) names: Vec<Option<String>>,
    /// How often counted repetitions, nested ones multiplied, repeat a part at most.
    pub(super) repeats: u64,
}

#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are Go's four flags, each on or off")]
struct Flags {
    fold_case: bool,
    multi_line: bool,
    dot_newline: bool,
    non_greedy: bool,
}

/// A piece of a concatenation.
struct Piece {
    text: String,
    /// The product of the nested repetitions in it.
    weight: u64,
}

/// An open group: what was being built around it.
struct Group {
    capturing: bool,
    flags: Flags,
    /// Pieces of the alternative being read.
    pieces: Vec<Piece>,
    /// Alternatives already read, joined.
    alternatives: Option<Piece>,
}

struct Parser<'p> {
    whole: &'p str,
    flags: Flags,
    /// Never empty: the first one is the whole pattern.
    groups: Vec<Group>,
    current: Group,
    names: Vec<Option<String>>,
}

/// Translates a pattern, or says what Go says against it.
pub(super) fn translate(pattern: &str) -> Result<Translated, Error> {
    let mut parser = Parser {
        whole: pattern,
        flags: Flags::default(),
        groups: Vec::new(),
        current: Group::new(false, Flags::default()),
        names: Vec::new(),
    };
    parser.run()?;
    if !parser.groups.is_empty() {
        return Err(Error::new(Code::MissingParen, pattern));
    }
    let Piece { text, weight } = parser.current.close();
    Ok(Translated {
        pattern: text,
        names: parser.names,
        repeats: weight,
    })
}

/// The first character and what follows it.
pub(super) fn take_char(text: &str) -> Option<(char, &str)> {
    let character = text.chars().next()?;
    Some((character, &text[character.len_utf8()..]))
}

impl Group {
    fn new(capturing: bool, flags: Flags) -> Self {
        Self {
            capturing,
            flags,
            pieces: Vec::new(),
            alternatives: None,
        }
    }

    /// Ends the alternative being read.
    fn end_alternative(&mut self) {
        let weight = self.pieces.iter().map(|piece| piece.weight).max().unwrap_or(1);
        let text: String = self.pieces.drain(..).map(|piece| piece.text).collect();
        match &mut self.alternatives {
            Some(before) => {
                before.text.push('|');
                before.text.push_str(&text);
                before.weight = before.weight.max(weight);
            }
            None => self.alternatives = Some(Piece { text, weight }),
        }
    }

    fn close(mut self) -> Piece {
        self.end_alternative();
        self.alternatives.unwrap_or(Piece {
            text: String::new(),
            weight: 1,
        })
    }
}

impl<'p> Parser<'p> {
    fn run(&mut self) -> Result<(), Error> {
        let mut rest = self.whole;
        // Where the repetition that was read last starts, if it was the last thing read.
        let mut last_repeat: Option<&'p str> = None;
        while let Some(first) = rest.chars().next() {
            let before = rest;
            let mut repeated = false;
            match first {
                '(' if rest.starts_with("(?") => rest = self.perl_group(rest)?,
                '(' => {
                    self.names.push(None);
                    self.open(true)?;
                    rest = &rest[1..];
                }
                ')' => {
                    self.close_group()?;
                    rest = &rest[1..];
                }
                '|' => {
                    self.current.end_alternative();
                    rest = &rest[1..];
                }
                '*' | '+' | '?' => {
                    rest = self.repeat(before, &rest[1..], &before[..1], 1, last_repeat)?;
                    repeated = true;
                }
                '{' => {
                    if let Some((bounds, after)) = parse_repeat(rest) {
                        rest = self.counted(before, after, &bounds, last_repeat)?;
                        repeated = true;
                    } else {
                        self.literal('{');
                        rest = &rest[1..];
                    }
                }
                _ => rest = self.single(rest, first)?,
            }
            last_repeat = repeated.then_some(before);
        }
        Ok(())
    }

    /// Anything that is one piece: an anchor, a class, an escape or a character.
    fn single(&mut self, text: &'p str, first: char) -> Result<&'p str, Error> {
        let rest = &text[first.len_utf8()..];
        match first {
            '^' => self.push(if self.flags.multi_line { "(?m:^)" } else { r"\A" }),
            '$' => self.push(if self.flags.multi_line { "(?m:$)" } else { r"\z" }),
            '.' => self.push(if self.flags.dot_newline { "(?s:.)" } else { "." }),
            '[' => {
                let (class, after) = class::bracketed(text)?;
                self.push_folded(&class);
                return Ok(after);
            }
            '\\' => return self.escape(text),
            _ => self.literal(first),
        }
        Ok(rest)
    }

    fn escape(&mut self, text: &'p str) -> Result<&'p str, Error> {
        match text.as_bytes().get(1) {
            Some(b'A') => self.push(r"\A"),
            Some(b'z') => self.push(r"\z"),
            Some(b'b') => self.push(r"(?-u:\b)"),
            Some(b'B') => self.push(r"(?-u:\B)"),
            Some(b'C') => return Err(Error::new(Code::InvalidEscape, &text[..2])),
            Some(b'Q') => {
                let quoted = &text[2..];
                let (literal, after) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
                literal.chars().for_each(|character| self.literal(character));
                return Ok(after);
            }
            _ => return self.class_or_character(text),
        }
        Ok(&text[2..])
    }

    fn class_or_character(&mut self, text: &'p str) -> Result<&'p str, Error> {
        if let Some((items, after)) = class::unicode(text)? {
            self.push_folded(&format!("[{items}]"));
            return Ok(after);
        }
        if let Some((items, after)) = class::perl(text) {
            self.push_folded(&format!("[{items}]"));
            return Ok(after);
        }
        let (code, after) = parse_escape(text)?;
        match char::from_u32(code) {
            Some(character) => self.literal(character),
            None => self.push(NOTHING),
        }
        Ok(after)
    }

    fn push(&mut self, text: &str) {
        self.current.pieces.push(Piece {
            text: text.to_owned(),
            weight: 1,
        });
    }

    fn push_folded(&mut self, text: &str) {
        if self.flags.fold_case {
            self.push(&format!("(?i:{text})"));
        } else {
            self.push(text);
        }
    }

    fn literal(&mut self, character: char) {
        let mut buffer = [0; 4];
        let escaped = regex::escape(character.encode_utf8(&mut buffer));
        self.push_folded(&escaped);
    }

    fn open(&mut self, capturing: bool) -> Result<(), Error> {
        if self.groups.len() >= NESTING_LIMIT as usize {
            return Err(Error::new(Code::NestingDepth, self.whole));
        }
        let outer = std::mem::replace(&mut self.current, Group::new(capturing, self.flags));
        self.groups.push(outer);
        Ok(())
    }

    fn close_group(&mut self) -> Result<(), Error> {
        let Some(outer) = self.groups.pop() else {
            return Err(Error::new(Code::UnexpectedParen, self.whole));
        };
        let inner = std::mem::replace(&mut self.current, outer);
        self.flags = inner.flags;
        let prefix = if inner.capturing { "(" } else { "(?:" };
        let Piece { text, weight } = inner.close();
        self.current.pieces.push(Piece {
            text: format!("{prefix}{text})"),
            weight,
        });
        Ok(())
    }

    /// A named group, a group that does not capture, or a change of flags.
    fn perl_group(&mut self, text: &'p str) -> Result<&'p str, Error> {
        let name_start = if text.starts_with("(?P<") && text.len() > 4 {
            Some(4)
        } else if text.starts_with("(?<") && text.len() > 3 {
            Some(3)
        } else {
            None
        };
        let Some(start) = name_start else {
            return self.flag_group(text);
        };
        let Some(end) = text.find('>') else {
            return Err(Error::new(Code::InvalidNamedCapture, text));
        };
        let name = text.get(start..end).unwrap_or_default();
        if name.is_empty() || !name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric()) {
            return Err(Error::new(Code::InvalidNamedCapture, &text[..=end]));
        }
        self.names.push(Some(name.to_owned()));
        self.open(true)?;
        Ok(&text[end + 1..])
    }

    fn flag_group(&mut self, text: &'p str) -> Result<&'p str, Error> {
        let mut rest = &text[2..];
        let mut flags = self.flags;
        let (mut on, mut saw_flag) = (true, false);
        while let Some((character, after)) = take_char(rest) {
            rest = after;
            match character {
                'i' => flags.fold_case = on,
                'm' => flags.multi_line = on,
                's' => flags.dot_newline = on,
                'U' => flags.non_greedy = on,
                '-' if on => {
                    on = false;
                    saw_flag = false;
                    continue;
                }
                ':' | ')' if on || saw_flag => {
                    if character == ':' {
                        self.open(false)?;
                    }
                    self.flags = flags;
                    return Ok(rest);
                }
                _ => break,
            }
            saw_flag = true;
        }
        Err(Error::new(Code::InvalidPerlOp, &text[..text.len() - rest.len()]))
    }

    fn counted(
        &mut self,
        before: &'p str,
        after: &'p str,
        bounds: &Bounds,
        last_repeat: Option<&'p str>,
    ) -> Result<&'p str, Error> {
        let operator = &before[..before.len() - after.len()];
        let Bounds { low, high } = *bounds;
        let too_many = low > REPEAT_LIMIT || high.is_some_and(|high| high > REPEAT_LIMIT || low > high);
        if too_many {
            return Err(Error::new(Code::InvalidRepeatSize, operator));
        }
        let copies = high.unwrap_or(low);
        self.repeat(before, after, operator, copies, last_repeat)
    }

    /// Binds a repetition to the piece before it; what follows it is returned.
    fn repeat(
        &mut self,
        before: &'p str,
        mut after: &'p str,
        operator: &str,
        copies: u64,
        last_repeat: Option<&'p str>,
    ) -> Result<&'p str, Error> {
        let mut lazy = self.flags.non_greedy;
        if let Some(rest) = after.strip_prefix('?') {
            after = rest;
            lazy = !lazy;
        }
        if let Some(last) = last_repeat {
            return Err(Error::new(Code::InvalidRepeatOp, &last[..last.len() - after.len()]));
        }
        let blamed = &before[..before.len() - after.len()];
        let Some(piece) = self.current.pieces.last_mut() else {
            return Err(Error::new(Code::MissingRepeatArgument, blamed));
        };
        // Copies of a piece that may occur zero times at most count as one: Go does not look into it.
        let weight = if copies == 0 {
            1
        } else {
            copies.saturating_mul(piece.weight)
        };
        if copies >= 2 && weight > REPEAT_LIMIT {
            return Err(Error::new(Code::InvalidRepeatSize, blamed));
        }
        let lazy_mark = if lazy { "?" } else { "" };
        // The group keeps a repetition of a repetition (through a flag group) one that `regex` reads the same way.
        piece.text = format!("(?:{}){operator}{lazy_mark}", piece.text);
        piece.weight = weight;
        Ok(after)
    }
}

struct Bounds {
    low: u64,
    high: Option<u64>,
}

/// `{n}`, `{n,}` or `{n,m}` at the start; anything else makes the `{` a character.
fn parse_repeat(text: &str) -> Option<(Bounds, &str)> {
    let (low, rest) = parse_count(&text[1..])?;
    let (high, rest) = match rest.strip_prefix(',') {
        None => (Some(low), rest),
        Some(open) if open.starts_with('}') => (None, open),
        Some(bounded) => {
            let (high, rest) = parse_count(bounded)?;
            (Some(high), rest)
        }
    };
    Some((Bounds { low, high }, rest.strip_prefix('}')?))
}

/// A number without leading zeros; a too large one saturates.
fn parse_count(text: &str) -> Option<(u64, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(length);
    if digits.is_empty() || (length > 1 && digits.starts_with('0')) {
        return None;
    }
    Some((digits.parse().unwrap_or(u64::MAX), rest))
}

/// A character escape at the start (`text` starts with `\`): its code point, which may be a surrogate, and what follows.
pub(super) fn parse_escape(text: &str) -> Result<(u32, &str), Error> {
    let Some((character, rest)) = take_char(&text[1..]) else {
        return Err(Error::new(Code::TrailingBackslash, ""));
    };
    let invalid = |rest: &str| Error::new(Code::InvalidEscape, &text[..text.len() - rest.len()]);
    let simple = match character {
        '0'..='7' => {
            // A single digit but 0 would be a back reference.
            let octal_follows = rest.starts_with(|next: char| ('0'..='7').contains(&next));
            if character != '0' && !octal_follows {
                return Err(invalid(rest));
            }
            return Ok(octal(&text[1..]));
        }
        'x' => return hexadecimal(rest).map_err(invalid),
        'a' => 0x07,
        'f' => 0x0C,
        'n' => 0x0A,
        'r' => 0x0D,
        't' => 0x09,
        'v' => 0x0B,
        _ if character.is_ascii() && !character.is_ascii_alphanumeric() => u32::from(character),
        _ => return Err(invalid(rest)),
    };
    Ok((simple, rest))
}

/// One to three octal digits.
fn octal(text: &str) -> (u32, &str) {
    let length = text
        .bytes()
        .take(3)
        .take_while(|byte| (b'0'..=b'7').contains(byte))
        .count();
    let (digits, rest) = text.split_at(length);
    (u32::from_str_radix(digits, 8).unwrap_or(0), rest)
}

/// What follows `\x`: two digits, or any number in braces. The error is where Go stopped reading.
fn hexadecimal(text: &str) -> Result<(u32, &str), &str> {
    let Some((first, mut rest)) = take_char(text) else {
        return Err(text);
    };
    if first != '{' {
        let (second, after) = take_char(rest).ok_or(rest)?;
        let value = |digit: char| digit.to_digit(16).ok_or(after);
        return Ok((value(first)? * 16 + value(second)?, after));
    }
    let mut code = None;
    loop {
        let (character, after) = take_char(rest).ok_or(rest)?;
        rest = after;
        if character == '}' {
            return code.map(|code| (code, rest)).ok_or(rest);
        }
        let digit = character.to_digit(16).ok_or(rest)?;
        let next = code.unwrap_or(0) * 16 + digit;
        if next > u32::from(char::MAX) {
            return Err(rest);
        }
        code = Some(next);
    }
}
