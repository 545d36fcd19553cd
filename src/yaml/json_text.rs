//! What happens to a string between Go's `json.Marshal` and go-yaml's parser, which reads the JSON as YAML.
//!
//! JSON leaves some characters as they are that YAML does not allow (DEL, C1 controls, U+FFFE) or takes for a line break
//! (NEL). Rare, but `toYaml` of such a string is what Helm makes of it.

use std::borrow::Cow;

use super::error::Error;
use super::limits::MAX_JSON_KEY;

const NEL: char = '\u{85}';

/// The string as it comes out of the parser.
pub(super) fn string(text: &str) -> Result<Cow<'_, str>, Error> {
    if !text.bytes().any(|byte| matches!(byte, 0x7F | 0xC2 | 0xEF)) {
        return Ok(Cow::Borrowed(text));
    }
    if text.chars().any(is_refused) {
        return Err(Error::ControlCharacter);
    }
    if text.contains(NEL) {
        fold(text).map(Cow::Owned)
    } else {
        Ok(Cow::Borrowed(text))
    }
}

/// Whether a string can be a key on that way: on one line and not too long.
pub(super) fn key(text: &str) -> Result<(), Error> {
    string(text)?;
    if text.contains(NEL) || text.len() > MAX_JSON_KEY / 6 && json_length(text) > MAX_JSON_KEY {
        return Err(Error::JsonKey);
    }
    Ok(())
}

fn is_refused(character: char) -> bool {
    matches!(character, '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}')
}

/// A line break inside quotes: blanks around it go, one break becomes a space, more become one break less.
fn fold(text: &str) -> Result<String, Error> {
    let mut folded = String::with_capacity(text.len());
    let mut lines = text.split(NEL).enumerate().peekable();
    let mut breaks = 0_usize;
    while let Some((index, line)) = lines.next() {
        let is_last = lines.peek().is_none();
        let mut content = line;
        if index > 0 {
            if is_document_marker(line, is_last) {
                return Err(Error::DocumentMarker);
            }
            content = content.trim_start_matches(' ');
        }
        if !is_last {
            content = content.trim_end_matches(' ');
        }
        if index > 0 {
            breaks += 1;
        }
        if content.is_empty() && !is_last && index > 0 {
            continue;
        }
        match breaks {
            0 => {}
            1 => folded.push(' '),
            _ => folded.extend(std::iter::repeat_n('\n', breaks - 1)),
        }
        breaks = 0;
        folded.push_str(content);
    }
    Ok(folded)
}

/// `---` or `...` at the beginning of a line ends the document, even inside quotes.
fn is_document_marker(line: &str, is_last: bool) -> bool {
    match line.strip_prefix("---").or_else(|| line.strip_prefix("...")) {
        Some("") => !is_last,
        Some(rest) => rest.starts_with(' '),
        None => false,
    }
}

/// The length of the key in JSON, in characters and with its quotes.
fn json_length(text: &str) -> usize {
    2 + text
        .chars()
        .map(|character| match character {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => 6,
            _ => 1,
        })
        .sum::<usize>()
}
