//! Which style a string gets: what libyaml's analysis of a scalar allows, and what go-yaml asks for.

use super::emit::Dialect;
use super::resolve::{Scalar, is_base_60, is_old_bool, resolve};

/// How a string is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal,
}

/// What the characters of a string allow.
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent questions, answered in one pass"
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Analysis {
    pub(super) multiline: bool,
    plain_allowed: bool,
    single_quoted_allowed: bool,
    block_allowed: bool,
}

/// The characters that cannot begin a plain scalar.
const FIRST_INDICATORS: &[u8] = b"#,[]{}&*!|>'\"%@`";

/// Looks at every character once.
pub(super) fn analyze(text: &str, dialect: Dialect) -> Analysis {
    let bytes = text.as_bytes();
    let Some(first) = bytes.first() else {
        return Analysis {
            multiline: false,
            plain_allowed: true,
            single_quoted_allowed: true,
            block_allowed: false,
        };
    };
    let mut indicators = bytes.starts_with(b"---") || bytes.starts_with(b"...");
    indicators |= FIRST_INDICATORS.contains(first);
    indicators |= matches!(first, b'?' | b'-') && followed_by_blank(bytes, 1);

    let (mut line_breaks, mut special, mut tabs) = (false, false, false);
    let (mut space_break, mut break_space) = (false, false);
    let (mut edge_space, mut edge_break, mut trailing_space) = (false, false, false);
    let (mut previous_space, mut previous_break, mut preceded_by_blank) = (false, false, true);
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let width = width(byte);
        let edge = at == 0 || at + width >= bytes.len();
        // The common case first: nothing that means anything.
        if byte.is_ascii_alphanumeric() {
            (previous_space, previous_break, preceded_by_blank) = (false, false, false);
            at += 1;
            continue;
        }
        match byte {
            b':' if followed_by_blank(bytes, at + 1) => indicators = true,
            b'#' if preceded_by_blank => indicators = true,
            _ => {}
        }
        let is_break = break_width(bytes, at) > 0;
        match byte {
            b'\t' if dialect == Dialect::V3 => tabs = true,
            _ => special |= !is_printable(bytes, at),
        }
        if byte == b' ' {
            edge_space |= edge;
            trailing_space |= at + 1 == bytes.len();
            break_space |= previous_break;
        } else if is_break {
            line_breaks = true;
            edge_break |= edge;
            space_break |= previous_space;
        }
        (previous_space, previous_break) = (byte == b' ', is_break);
        preceded_by_blank = is_break || matches!(byte, b' ' | b'\t' | 0);
        at += width;
    }
    let unquotable = space_break || special;
    Analysis {
        multiline: line_breaks,
        plain_allowed: !(indicators || edge_space || edge_break || break_space || unquotable || tabs || line_breaks),
        single_quoted_allowed: !(break_space || unquotable || tabs),
        block_allowed: !(trailing_space || unquotable),
    }
}

/// The style of a string with this analysis, in the place where it stands.
pub(super) fn choose_style(text: &str, analysis: Analysis, simple_key: bool, dialect: Dialect) -> Style {
    let wanted = if text.contains('\n') {
        Style::Literal
    } else if reads_as_string(text, dialect) {
        Style::Plain
    } else {
        Style::DoubleQuoted
    };
    match wanted {
        Style::Literal if analysis.block_allowed && !simple_key => Style::Literal,
        Style::Literal | Style::DoubleQuoted => Style::DoubleQuoted,
        _ if simple_key && analysis.multiline => Style::DoubleQuoted,
        _ if analysis.plain_allowed && !(text.is_empty() && simple_key) => Style::Plain,
        _ if analysis.single_quoted_allowed => Style::SingleQuoted,
        _ => Style::DoubleQuoted,
    }
}

/// Whether the text without quotes would still be a string for every reader that go-yaml cares about.
fn reads_as_string(text: &str, dialect: Dialect) -> bool {
    resolve(text, dialect) == Scalar::Str && !is_base_60(text) && !(dialect == Dialect::V3 && is_old_bool(text))
}

fn followed_by_blank(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at), None | Some(b' ' | b'\t'))
}

/// The length in bytes of the character that begins with this byte.
pub(super) fn width(byte: u8) -> usize {
    match byte {
        0..=0x7F => 1,
        0x80..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xFF => 4,
    }
}

/// The length in bytes of the line break here, or 0: LF, CR, NEL, LS, PS.
pub(super) fn break_width(bytes: &[u8], at: usize) -> usize {
    match &bytes[at..] {
        [b'\n' | b'\r', ..] => 1,
        [0xC2, 0x85, ..] => 2,
        [0xE2, 0x80, 0xA8 | 0xA9, ..] => 3,
        _ => 0,
    }
}

/// go-yaml's idea of printable, which ends at U+FFFD: characters beyond the basic plane are escaped.
pub(super) fn is_printable(bytes: &[u8], at: usize) -> bool {
    match &bytes[at..] {
        [b'\n' | 0x20..=0x7E | 0xC3..=0xEC | 0xEE, ..] => true,
        [0xC2, second, ..] => *second >= 0xA0,
        [0xED, second, ..] => *second < 0xA0,
        [0xEF, second, third, ..] => !matches!((second, third), (0xBB, 0xBF) | (0xBF, 0xBE | 0xBF)),
        _ => false,
    }
}
