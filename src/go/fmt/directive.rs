//! The format string: flags, argument numbers, width, precision, verb.

use super::format::Flags;
use super::printer::Printer;
use crate::template::value::{Kind, Value};

/// Widths, precisions and argument numbers beyond this are taken for mistakes, as in Go.
const TOO_LARGE: i64 = 1_000_000;

/// Where in the format and in the arguments printing is.
struct Cursor<'a> {
    format: &'a [u8],
    position: usize,
    arguments: &'a [Value],
    argument: usize,
    /// Some directive had an argument number: arguments left over are then no mistake.
    reordered: bool,
    /// The current directive's argument number, if any, was good.
    good_number: bool,
}

/// Go's `Printer.doPrintf`.
pub(super) fn print(printer: &mut Printer, format: &[u8], arguments: &[Value]) {
    let mut cursor = Cursor {
        format,
        position: 0,
        arguments,
        argument: 0,
        reordered: false,
        good_number: true,
    };
    while cursor.position < format.len() {
        let rest = &format[cursor.position..];
        let literal = rest.iter().position(|byte| *byte == b'%').unwrap_or(rest.len());
        printer.format.output.extend_from_slice(&rest[..literal]);
        cursor.position += literal + 1;
        if literal < rest.len() && !cursor.directive(printer) {
            break;
        }
    }
    if !cursor.reordered && cursor.argument < arguments.len() {
        extra(printer, &arguments[cursor.argument..]);
    }
}

fn extra(printer: &mut Printer, arguments: &[Value]) {
    printer.format.flags = Flags::default();
    printer.format.output.extend_from_slice(b"%!(EXTRA ");
    for (index, argument) in arguments.iter().enumerate() {
        if index > 0 {
            printer.format.output.extend_from_slice(b", ");
        }
        if let Value::Nil = argument {
            printer.format.output.extend_from_slice(b"<nil>");
        } else {
            printer.format.output.extend_from_slice(argument.type_name().as_bytes());
            printer.format.output.push(b'=');
            printer.print_argument(argument, 'v');
        }
    }
    printer.format.output.push(b')');
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.format.get(self.position).copied()
    }

    /// One directive, from behind its percent sign; false at the end of the format.
    fn directive(&mut self, printer: &mut Printer) -> bool {
        self.good_number = true;
        printer.format.flags = self.flags();
        let flags = &mut printer.format.flags;
        let mut after_index = self.argument_number();
        if self.peek() == Some(b'*') {
            self.position += 1;
            match self.integer_argument() {
                Some(width) => {
                    flags.width = usize::try_from(width.unsigned_abs()).ok();
                    if width < 0 {
                        flags.minus = true;
                        flags.zero = false;
                    }
                }
                None => printer.format.output.extend_from_slice(b"%!(BADWIDTH)"),
            }
            after_index = false;
        } else {
            flags.width = self.number();
            if after_index && flags.width.is_some() {
                self.good_number = false;
            }
        }
        if self.peek() == Some(b'.') && self.position + 1 < self.format.len() {
            self.position += 1;
            if after_index {
                self.good_number = false;
            }
            after_index = self.argument_number();
            if self.peek() == Some(b'*') {
                self.position += 1;
                let precision = self
                    .integer_argument()
                    .and_then(|precision| usize::try_from(precision).ok());
                if precision.is_none() {
                    printer.format.output.extend_from_slice(b"%!(BADPREC)");
                }
                printer.format.flags.precision = precision;
                after_index = false;
            } else {
                printer.format.flags.precision = Some(self.number().unwrap_or_default());
            }
        }
        if !after_index {
            self.argument_number();
        }
        self.verb(printer)
    }

    fn flags(&mut self) -> Flags {
        let mut flags = Flags::default();
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                _ => break,
            }
            self.position += 1;
        }
        flags
    }

    fn verb(&mut self, printer: &mut Printer) -> bool {
        let rest = self.format.get(self.position..).unwrap_or_default();
        let Some(first) = rest.utf8_chunks().next() else {
            printer.format.output.extend_from_slice(b"%!(NOVERB)");
            return false;
        };
        let (verb, size) = match first.valid().chars().next() {
            Some(verb) => (verb, verb.len_utf8()),
            None => (char::REPLACEMENT_CHARACTER, 1),
        };
        self.position += size;
        if verb == '%' {
            printer.format.output.push(b'%');
        } else if !self.good_number {
            printer
                .format
                .output
                .extend_from_slice(format!("%!{verb}(BADINDEX)").as_bytes());
        } else if let Some(argument) = self.arguments.get(self.argument) {
            if matches!(verb, 'v' | 'w') {
                let flags = &mut printer.format.flags;
                flags.sharp_v = std::mem::take(&mut flags.sharp);
                flags.plus_v = std::mem::take(&mut flags.plus);
            }
            printer.print_argument(argument, verb);
            self.argument += 1;
        } else {
            printer
                .format
                .output
                .extend_from_slice(format!("%!{verb}(MISSING)").as_bytes());
        }
        true
    }

    /// A decimal number; `None` when there is none. One that is too large swallows the rest of the format.
    fn number(&mut self) -> Option<usize> {
        let digits = self.format.get(self.position..).unwrap_or_default();
        let (value, length) = parse_number(digits)?;
        self.position += length;
        value
    }

    /// `[3]`: goes to that argument. Tells whether a well-formed one was there.
    fn argument_number(&mut self) -> bool {
        if self.peek() != Some(b'[') {
            return false;
        }
        self.reordered = true;
        let rest = &self.format[self.position..];
        let Some(close) = rest.iter().position(|byte| *byte == b']').filter(|_| rest.len() >= 3) else {
            self.good_number = false;
            self.position += 1;
            return false;
        };
        self.position += close + 1;
        let index = match parse_number(&rest[1..close]) {
            Some((Some(number), length)) if length == close - 1 => number.checked_sub(1),
            _ => {
                self.good_number = false;
                return false;
            }
        };
        match index.filter(|index| *index < self.arguments.len()) {
            Some(index) => self.argument = index,
            None => self.good_number = false,
        }
        true
    }

    /// The next argument as a width or precision.
    fn integer_argument(&mut self) -> Option<i64> {
        let argument = self.arguments.get(self.argument)?;
        self.argument += 1;
        let number = match argument.kind() {
            Kind::Uint8 | Kind::Uint32 | Kind::Uint64 => i64::try_from(argument.as_uint()?).ok()?,
            _ => argument.as_int()?,
        };
        (-TOO_LARGE..=TOO_LARGE).contains(&number).then_some(number)
    }
}

/// Leading digits and their number; no value when they are too many. `None` without a digit.
fn parse_number(text: &[u8]) -> Option<(Option<usize>, usize)> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 {
        return None;
    }
    let mut value = 0_i64;
    for byte in &text[..length] {
        if value > TOO_LARGE {
            return Some((None, text.len()));
        }
        value = value * 10 + i64::from(byte - b'0');
    }
    Some((usize::try_from(value).ok(), length))
}
