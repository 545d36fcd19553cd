//! The tokens of YAML.

use std::borrow::Cow;

/// A token and the lines that it begins and ends on, counted from zero.
#[derive(Debug)]
pub(super) struct Token<'i> {
    pub(super) kind: TokenKind<'i>,
    pub(super) line: u32,
    pub(super) end_line: u32,
}

/// What a token is.
#[derive(Debug)]
pub(super) enum TokenKind<'i> {
    StreamEnd,
    Version {
        major: u32,
        minor: u32,
    },
    TagDirective {
        handle: String,
        prefix: String,
    },
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(&'i str),
    Anchor(&'i str),
    /// `handle` is empty for a tag in full (`!<...>`) and for a lone `!`.
    Tag {
        handle: String,
        suffix: String,
    },
    Scalar {
        text: Cow<'i, str>,
        plain: bool,
    },
}
