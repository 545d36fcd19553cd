//! Why a version or a range is refused, in the words of the Go library: templates and Helm users see these texts.

use super::constraint::{MAXIMUM_ALTERNATIVES, MAXIMUM_CONSTRAINT_LENGTH};
use super::version::MAXIMUM_VERSION_LENGTH;
use crate::go::strconv;

/// Why a text is not a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// The text has not the form of a version.
    #[error("invalid semantic version")]
    Invalid,
    /// Nothing was given (strict parsing only; lenient parsing calls it invalid).
    #[error("version string empty")]
    Empty,
    /// A number holds something other than digits (strict parsing only).
    #[error("invalid characters in version")]
    InvalidCharacters,
    /// A number has a leading zero.
    #[error("version segment starts with 0")]
    LeadingZero,
    /// The part after `+` has an empty or malformed identifier.
    #[error("invalid metadata string")]
    InvalidMetadata,
    /// The part after `-` has an empty or malformed identifier.
    #[error("invalid prerelease string")]
    InvalidPrerelease,
    /// The text is longer than [`MAXIMUM_VERSION_LENGTH`].
    #[error("version string is too long (max {MAXIMUM_VERSION_LENGTH} bytes)")]
    TooLong,
    /// A number does not fit into 64 bits (lenient parsing).
    #[error("error parsing version segment: strconv.ParseUint: parsing \"{0}\": value out of range")]
    SegmentOutOfRange(String),
    /// A number does not fit into 64 bits (strict parsing).
    #[error("strconv.ParseUint: parsing \"{0}\": value out of range")]
    OutOfRange(String),
    /// A number is missing (strict parsing).
    #[error("strconv.ParseUint: parsing \"\": invalid syntax")]
    EmptySegment,
    /// The next version of this component does not fit into 64 bits.
    #[error("{0} version increment would overflow uint64")]
    Overflow(&'static str),
}

/// Why a text is not a version range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConstraintError {
    /// The text is longer than [`MAXIMUM_CONSTRAINT_LENGTH`].
    #[error("constraint string is too long (max {MAXIMUM_CONSTRAINT_LENGTH} bytes)")]
    TooLong,
    /// There are more than [`MAXIMUM_ALTERNATIVES`] alternatives.
    #[error("too many constraint groups (max {MAXIMUM_ALTERNATIVES})")]
    TooManyAlternatives,
    /// One alternative (named, with its ranges already rewritten to comparisons) has not the form of a constraint.
    #[error("improper constraint: {}", quote(.0))]
    Improper(String),
    /// The form is right but the version in it is not one.
    #[error("constraint parser error")]
    Parser,
}

/// Quotes as Go's `%q`.
fn quote(text: &str) -> String {
    String::from_utf8_lossy(&strconv::quote(text.as_bytes())).into_owned()
}
