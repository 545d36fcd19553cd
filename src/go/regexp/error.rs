//! What Go's `regexp/syntax` says about a pattern that it rejects.

use std::fmt;

/// Why a pattern is rejected; the texts are Go's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// A range whose ends are the wrong way round, or an unknown class name.
    InvalidCharRange,
    /// An escape that Go does not know.
    InvalidEscape,
    /// A group name that is empty or has other characters than letters, digits and `_`.
    InvalidNamedCapture,
    /// A `(?` that Go does not know, such as a look-around.
    InvalidPerlOp,
    /// A repetition of a repetition.
    InvalidRepeatOp,
    /// A repetition of more than 1000.
    InvalidRepeatSize,
    /// A pattern that is not UTF-8.
    InvalidUtf8,
    /// A `[` without its `]`.
    MissingBracket,
    /// A `(` without its `)`.
    MissingParen,
    /// A repetition of nothing.
    MissingRepeatArgument,
    /// A `\` at the end.
    TrailingBackslash,
    /// A `)` without its `(`.
    UnexpectedParen,
    /// Groups nested beyond the limit.
    NestingDepth,
    /// An expression that would take too much memory.
    Large,
}

impl Code {
    fn text(self) -> &'static str {
        match self {
            Self::InvalidCharRange => "invalid character class range",
            Self::InvalidEscape => "invalid escape sequence",
            Self::InvalidNamedCapture => "invalid named capture",
            Self::InvalidPerlOp => "invalid or unsupported Perl syntax",
            Self::InvalidRepeatOp => "invalid nested repetition operator",
            Self::InvalidRepeatSize => "invalid repeat count",
            Self::InvalidUtf8 => "invalid UTF-8",
            Self::MissingBracket => "missing closing ]",
            Self::MissingParen => "missing closing )",
            Self::MissingRepeatArgument => "missing argument to repetition operator",
            Self::TrailingBackslash => "trailing backslash at end of expression",
            Self::UnexpectedParen => "unexpected )",
            Self::NestingDepth => "expression nests too deeply",
            Self::Large => "expression too large",
        }
    }
}

/// A pattern that Go's `regexp.Compile` rejects, with the part that it blames.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    /// Why.
    pub code: Code,
    /// The part of the pattern that Go shows.
    pub expression: String,
}

impl Error {
    /// An error about a part of a pattern.
    pub fn new(code: Code, expression: &str) -> Self {
        Self {
            code,
            expression: expression.to_owned(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "error parsing regexp: {}: `{}`",
            self.code.text(),
            self.expression
        )
    }
}
