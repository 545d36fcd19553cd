//! Character classes: `[...]`, `\d`, `[:alpha:]`, `\p{Greek}`, written out so that only `regex` syntax with no
//! second meaning is left (no `&&`, `--`, nested `[`).

use std::fmt::Write as _;

use super::error::{Code, Error};
use super::parser::{parse_escape, take_char};

/// Matches nothing: Go allows an empty class, and surrogates, which no text has.
pub(super) const NOTHING: &str = r"[^\x{0}-\x{10FFFF}]";

/// A Perl class escape (`\d`) at the start, as class items without brackets, and what follows.
pub(super) fn perl(text: &str) -> Option<(&'static str, &str)> {
    let items = match text.as_bytes().get(..2)? {
        br"\d" => "0-9",
        br"\D" => "[^0-9]",
        br"\s" => r"\t\n\x0C\r\x20",
        br"\S" => r"[^\t\n\x0C\r\x20]",
        br"\w" => "0-9A-Za-z_",
        br"\W" => "[^0-9A-Za-z_]",
        _ => return None,
    };
    Some((items, &text[2..]))
}

/// A POSIX class (`[:alpha:]`, `[:^alpha:]`) at the start. `None` when it is not of that form.
fn posix(text: &str) -> Result<Option<(String, &str)>, Error> {
    let Some(inner) = text.strip_prefix("[:") else {
        return Ok(None);
    };
    let Some(end) = inner.find(":]") else {
        return Ok(None);
    };
    let name = &inner[..end];
    let (negated, plain) = name.strip_prefix('^').map_or((false, name), |rest| (true, rest));
    let Some(items) = posix_items(plain) else {
        return Err(Error::new(Code::InvalidCharRange, &text[..end + 4]));
    };
    let items = if negated {
        format!("[^{items}]")
    } else {
        items.to_owned()
    };
    Ok(Some((items, &inner[end + 2..])))
}

fn posix_items(name: &str) -> Option<&'static str> {
    Some(match name {
        "alnum" => "0-9A-Za-z",
        "alpha" => "A-Za-z",
        "ascii" => r"\x00-\x7F",
        "blank" => r"\t\x20",
        "cntrl" => r"\x00-\x1F\x7F",
        "digit" => "0-9",
        "graph" => r"\x21-\x7E",
        "lower" => "a-z",
        "print" => r"\x20-\x7E",
        "punct" => r"\x21-\x2F\x3A-\x40\x5B-\x60\x7B-\x7E",
        "space" => r"\t\n\x0B\x0C\r\x20",
        "upper" => "A-Z",
        "word" => "0-9A-Za-z_",
        "xdigit" => "0-9A-Fa-f",
        _ => return None,
    })
}

/// A Unicode class (`\pL`, `\P{^Greek}`) at the start. `None` when it is not of that form.
pub(super) fn unicode(text: &str) -> Result<Option<(String, &str)>, Error> {
    let (mut negated, rest) = match text.as_bytes().get(..2) {
        Some(br"\p") => (false, &text[2..]),
        Some(br"\P") => (true, &text[2..]),
        _ => return Ok(None),
    };
    let Some(first) = rest.chars().next() else {
        return Err(Error::new(Code::InvalidCharRange, text));
    };
    let (mut name, after) = if first == '{' {
        let Some(end) = rest.find('}') else {
            return Err(Error::new(Code::InvalidCharRange, text));
        };
        (&rest[1..end], &rest[end + 1..])
    } else {
        rest.split_at(first.len_utf8())
    };
    let sequence = &text[..text.len() - after.len()];
    if let Some(plain) = name.strip_prefix('^') {
        negated = !negated;
        name = plain;
    }
    let Some(positive) = unicode_items(name) else {
        return Err(Error::new(Code::InvalidCharRange, sequence));
    };
    let items = if negated { format!("[^{positive}]") } else { positive };
    Ok(Some((items, after)))
}

/// Go knows categories and scripts, nothing else that `\p` means to `regex`.
fn unicode_items(name: &str) -> Option<String> {
    if !name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ' '))
        || name.is_empty()
    {
        return None;
    }
    ["gc", "sc"].into_iter().find_map(|property| {
        let items = format!(r"\p{{{property}={name}}}");
        regex::bytes::Regex::new(&items).is_ok().then_some(items)
    })
}

/// A bracketed class at the start (`text` starts with `[`), in `regex` syntax, and what follows.
pub(super) fn bracketed(text: &str) -> Result<(String, &str), Error> {
    let mut rest = &text[1..];
    let negated = rest.starts_with('^');
    if negated {
        rest = &rest[1..];
    }
    let mut items = String::new();
    let mut first = true;
    while first || !rest.starts_with(']') {
        first = false;
        if let Some((posix_items, after)) = posix(rest)? {
            items.push_str(&posix_items);
            rest = after;
        } else if let Some((unicode_items, after)) = unicode(rest)? {
            items.push_str(&unicode_items);
            rest = after;
        } else if let Some((perl_items, after)) = perl(rest) {
            items.push_str(perl_items);
            rest = after;
        } else {
            rest = range(rest, text, &mut items)?;
        }
    }
    let class = match (items.is_empty(), negated) {
        (true, false) => NOTHING.to_owned(),
        (true, true) => r"[\x{0}-\x{10FFFF}]".to_owned(),
        (false, false) => format!("[{items}]"),
        (false, true) => format!("[^{items}]"),
    };
    Ok((class, &rest[1..]))
}

/// A single character or `low-high` at the start; what follows is returned.
fn range<'t>(text: &'t str, whole: &str, items: &mut String) -> Result<&'t str, Error> {
    let (low, mut rest) = class_char(text, whole)?;
    let mut high = low;
    if rest.starts_with('-') && rest.len() >= 2 && !rest[1..].starts_with(']') {
        (high, rest) = class_char(&rest[1..], whole)?;
        if high < low {
            return Err(Error::new(Code::InvalidCharRange, &text[..text.len() - rest.len()]));
        }
    }
    push_range(items, low, high);
    Ok(rest)
}

fn class_char<'t>(text: &'t str, whole: &str) -> Result<(u32, &'t str), Error> {
    if text.starts_with('\\') {
        return parse_escape(text);
    }
    match take_char(text) {
        Some((character, rest)) => Ok((u32::from(character), rest)),
        None => Err(Error::new(Code::MissingBracket, whole)),
    }
}

/// Adds the range without the surrogates, which `regex` does not take.
fn push_range(items: &mut String, low: u32, high: u32) {
    const BEFORE: u32 = 0xD7FF;
    const AFTER: u32 = 0xE000;
    for (from, to) in [(low, high.min(BEFORE)), (low.max(AFTER), high)] {
        if from <= to {
            // Writing to a String cannot fail.
            let _ = write!(items, r"\x{{{from:X}}}-\x{{{to:X}}}");
        }
    }
}
