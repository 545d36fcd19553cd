//! Go's `strings` and `unicode`, and the two libraries that Sprig uses for words: huandu/xstrings, Masterminds/goutils.
//!
//! Text is bytes, as in Go: what is not valid UTF-8 is read as U+FFFD, one byte at a time.

pub mod cases;
pub mod unicode;
pub mod words;

/// `strings.Replace(text, old, new, -1)`.
pub fn replace(text: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    if old.is_empty() {
        return interleave(text, new);
    }
    let mut output = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = find(rest, old) {
        output.extend_from_slice(&rest[..at]);
        output.extend_from_slice(new);
        rest = &rest[at + old.len()..];
    }
    output.extend_from_slice(rest);
    output
}

/// Go finds the empty string before every character and at the end.
fn interleave(text: &[u8], new: &[u8]) -> Vec<u8> {
    let mut output = Vec::with_capacity(text.len() + new.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (_, width) = unicode::decode(rest);
        output.extend_from_slice(new);
        output.extend_from_slice(&rest[..width]);
        rest = &rest[width..];
    }
    output.extend_from_slice(new);
    output
}

/// `strings.Index`.
pub fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, wanted)
}

/// `strings.SplitN`: at most `limit` pieces, all when it is negative.
pub fn split<'t>(text: &'t [u8], separator: &[u8], limit: i64) -> Vec<&'t [u8]> {
    if limit == 0 {
        return Vec::new();
    }
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut pieces = Vec::new();
    let mut rest = text;
    while pieces.len() + 1 < most {
        let (at, skipped) = if separator.is_empty() {
            // Every character becomes a piece, and there is no empty one at the end.
            let (_, width) = unicode::decode(rest);
            if rest.len() <= width {
                break;
            }
            (width, 0)
        } else {
            let Some(at) = find(rest, separator) else { break };
            (at, separator.len())
        };
        pieces.push(&rest[..at]);
        rest = &rest[at + skipped..];
    }
    if separator.is_empty() && text.is_empty() {
        return Vec::new();
    }
    pieces.push(rest);
    pieces
}

/// `strings.Trim`: the characters of `cutset` off both ends.
pub fn trim<'t>(text: &'t [u8], cutset: &[u8]) -> &'t [u8] {
    let cut: Vec<char> = unicode::runes(cutset).collect();
    trim_by(text, |character| cut.contains(&character))
}

/// `strings.TrimSpace`.
pub fn trim_space(text: &[u8]) -> &[u8] {
    trim_by(text, unicode::is_space)
}

fn trim_by(text: &[u8], cut: impl Fn(char) -> bool) -> &[u8] {
    let mut rest = text;
    while !rest.is_empty() {
        let (character, width) = unicode::decode(rest);
        if !cut(character) {
            break;
        }
        rest = &rest[width..];
    }
    while !rest.is_empty() {
        let (character, width) = unicode::decode_last(rest);
        if !cut(character) {
            break;
        }
        rest = &rest[..rest.len() - width];
    }
    rest
}
