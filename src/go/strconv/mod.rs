//! Go's strconv: numbers and quoted strings as text.

mod float;
mod integer;
mod printable;
mod quote;

pub use float::{format_float, parse_float};
pub use integer::{atoi, parse_bool, parse_int, parse_uint};
pub use printable::is_printable;
pub use quote::{can_backquote, quote, quote_rune, quote_rune_to_ascii, quote_to_ascii, unquote, unquote_char};

/// Why a text is not the number that was asked for. `Display` is Go's `NumError`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("strconv.{function}: parsing {}: {reason}", String::from_utf8_lossy(&quote(text)))]
pub struct NumberError {
    /// Go's function name.
    pub function: &'static str,
    /// The text that was parsed.
    pub text: Vec<u8>,
    /// What is wrong with it.
    pub reason: NumberFault,
}

/// What is wrong with a text that should be a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberFault {
    /// Not a number.
    #[error("invalid syntax")]
    Syntax,
    /// A number that the type cannot hold. Go returns the nearest value with this error.
    #[error("value out of range")]
    Range,
    /// The caller's base is none.
    #[error("invalid base {0}")]
    Base(u32),
}

impl NumberError {
    fn new(function: &'static str, text: &[u8], reason: NumberFault) -> Self {
        Self {
            function,
            text: text.to_vec(),
            reason,
        }
    }
}

/// Whether the text is negative, and what follows its sign, if it has one.
fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [sign @ (b'+' | b'-'), rest @ ..] => (*sign == b'-', rest),
        _ => (false, text),
    }
}

/// Whether each underscore stands between digits, or between a base prefix and a digit.
fn underscores_are_good(text: &[u8]) -> bool {
    let (_, mut rest) = split_sign(text);
    // What was seen last: a digit or prefix may precede an underscore, and only a digit may follow one.
    let mut digit_before = false;
    let mut underscore_before = false;
    let mut hexadecimal = false;
    if let [b'0', prefix, tail @ ..] = rest
        && matches!(prefix.to_ascii_lowercase(), b'b' | b'o' | b'x')
    {
        hexadecimal = prefix.eq_ignore_ascii_case(&b'x');
        digit_before = true;
        rest = tail;
    }
    for &byte in rest {
        if byte.is_ascii_digit() || (hexadecimal && byte.is_ascii_hexdigit()) {
            (digit_before, underscore_before) = (true, false);
        } else if byte == b'_' {
            if !digit_before {
                return false;
            }
            (digit_before, underscore_before) = (false, true);
        } else {
            if underscore_before {
                return false;
            }
            (digit_before, underscore_before) = (false, false);
        }
    }
    !underscore_before
}
