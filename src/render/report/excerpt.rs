//! Lines of a source with a marker under the part that is meant.

use std::fmt::{self, Display, Formatter};
use std::ops::Range;

use unicode_width::UnicodeWidthChar as _;

use super::Secrets;

/// How many lines are shown before and after the marked one.
const CONTEXT: usize = 2;
/// How wide a shown line may be, in columns.
const WIDTH: usize = 110;
/// Where the marker comes to stand in a line that is too wide.
const SHIFTED: usize = 40;
/// Tabs are shown up to the next multiple of this many columns.
const TAB: usize = 4;
/// How far before a node's position its text may begin, in bytes.
const BACKWARDS: usize = 400;

/// Some lines of a text, one of them marked. Bounded in lines and in width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The lines, in order.
    pub lines: Vec<ExcerptLine>,
    /// What stands behind the marker.
    pub label: String,
}

/// One line of an excerpt, fit for a terminal: tabs are spaces, control characters are replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExcerptLine {
    /// Its number in the text, from 1.
    pub number: usize,
    /// The line, or the part of it around the marker.
    pub text: String,
    /// The columns of `text` that are marked.
    pub marked: Option<Range<usize>>,
}

impl Excerpt {
    /// The lines around the bytes from `start` to `end`; of more than one line, the first is marked.
    pub fn new(text: &[u8], start: usize, end: usize) -> Self {
        let start = start.min(text.len());
        let before = text.get(..start).unwrap_or_default();
        let number = 1 + memchr::memchr_iter(b'\n', before).count();
        let line_start = start - before.iter().rev().take_while(|byte| **byte != b'\n').count();
        Self::around(text, number, Some((start - line_start, end.saturating_sub(line_start))))
    }

    /// The lines around the line of this number, which is marked from its first character on.
    pub fn of_line(text: &[u8], number: usize) -> Self {
        Self::around(text, number, None)
    }

    /// `bytes` are offsets in the marked line; none for the whole of it.
    fn around(text: &[u8], number: usize, bytes: Option<(usize, usize)>) -> Self {
        let first = number.saturating_sub(CONTEXT).max(1);
        let lines: Vec<&[u8]> = text
            .split(|byte| *byte == b'\n')
            .skip(first - 1)
            .take(number + CONTEXT + 1 - first)
            .collect();
        let marked = lines.get(number - first).map(|line| columns(line, bytes));
        let shift = marked
            .as_ref()
            .filter(|marked| marked.start + 1 > WIDTH)
            .map_or(0, |marked| marked.start - SHIFTED);
        let line = |(index, line): (usize, &&[u8])| ExcerptLine {
            number: first + index,
            text: window(line, shift),
            marked: marked
                .clone()
                .filter(|_| first + index == number)
                .map(|marked| (marked.start - shift)..(marked.end - shift).min(WIDTH)),
        };
        let mut lines: Vec<ExcerptLine> = lines.iter().enumerate().map(line).collect();
        // The empty line behind the last line break is none.
        if lines
            .last()
            .is_some_and(|last| last.text.is_empty() && last.marked.is_none())
        {
            lines.pop();
        }
        Self {
            lines,
            label: String::new(),
        }
    }

    /// Puts a text behind the marker.
    #[must_use]
    pub fn labelled(mut self, label: &str) -> Self {
        label.clone_into(&mut self.label);
        self
    }

    /// Without the texts that must not be shown. The marker moves to the start of a line that changes.
    #[must_use]
    pub fn hiding(mut self, secrets: &Secrets) -> Self {
        for line in &mut self.lines {
            let hidden = secrets.hide(&line.text);
            if *hidden != line.text {
                let text = hidden.into_owned();
                line.marked = line.marked.as_ref().map(|_| 0..width(&text));
                line.text = text;
            }
        }
        self
    }
}

impl Display for Excerpt {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let digits = self.lines.last().map_or(1, |line| line.number.to_string().len());
        for ExcerptLine { number, text, marked } in &self.lines {
            writeln!(formatter, "{}", format!("  {number:digits$} | {text}").trim_end())?;
            if let Some(marked) = marked {
                let marker = "^".repeat(marked.len().max(1));
                let line = format!(
                    "  {:digits$} | {:indent$}{marker} {}",
                    "",
                    "",
                    self.label,
                    indent = marked.start
                );
                writeln!(formatter, "{}", line.trim_end())?;
            }
        }
        Ok(())
    }
}

/// The characters of a line as they are shown, with the column where each begins and the bytes that it stands for.
fn shown(line: &[u8]) -> impl Iterator<Item = (usize, char, usize)> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut column = 0;
    line.utf8_chunks()
        .flat_map(|chunk| {
            let invalid = (!chunk.invalid().is_empty()).then_some((char::REPLACEMENT_CHARACTER, chunk.invalid().len()));
            let valid = chunk.valid().chars().map(|character| (character, character.len_utf8()));
            valid.chain(invalid)
        })
        .map(move |(character, bytes)| {
            let begin = column;
            let character = match character {
                '\t' => '\t',
                character if character.is_control() => char::REPLACEMENT_CHARACTER,
                character => character,
            };
            column += match character {
                '\t' => TAB - column % TAB,
                character => character.width().unwrap_or(1),
            };
            (begin, character, bytes)
        })
}

/// Byte offsets in a line as columns. Never empty.
fn columns(line: &[u8], bytes: Option<(usize, usize)>) -> Range<usize> {
    let Some((start, end)) = bytes else {
        let indent = line.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        return columns(line, Some((indent, line.len())));
    };
    let (mut from, mut to, mut at) = (None, None, 0);
    for (column, _, length) in shown(line) {
        if at >= start && from.is_none() {
            from = Some(column);
        }
        if at >= end && to.is_none() {
            to = Some(column);
        }
        at += length;
    }
    let from = from.unwrap_or_else(|| width_of(line));
    let to = to.unwrap_or_else(|| width_of(line));
    from..to.max(from + 1)
}

fn width_of(line: &[u8]) -> usize {
    shown(line).last().map_or(0, |(column, character, _)| match character {
        '\t' => column + TAB - column % TAB,
        character => column + character.width().unwrap_or(1),
    })
}

fn width(text: &str) -> usize {
    width_of(text.as_bytes())
}

/// The part of a line from a column on that fits.
fn window(line: &[u8], shift: usize) -> String {
    let mut text = String::new();
    for (column, character, _) in shown(line).skip_while(|(column, ..)| *column < shift) {
        if column - shift >= WIDTH {
            text.push('…');
            break;
        }
        if character == '\t' {
            text.extend(std::iter::repeat_n(' ', TAB - column % TAB));
        } else {
            text.push(character);
        }
    }
    text
}

/// The bytes of the source that a node stands for. Go gives only one position, which in `.a.b.c` is that of `.b`, and
/// prints the node in its own form; so it is looked for in the source, with any white space.
pub(super) fn extent(text: &[u8], position: usize, node: &str) -> (usize, usize) {
    let node = operand(node).as_bytes();
    let (Some(first), false) = (node.first(), position > text.len()) else {
        return (position, position + 1);
    };
    let earliest = position.saturating_sub(BACKWARDS);
    // The right place is where all of the node is found; the nearest one, for the same text may come often.
    let candidates = (earliest..=position)
        .rev()
        .filter(|start| text.get(*start) == Some(first));
    let mut whole = candidates.filter_map(|start| {
        let length = same_length(text.get(start..)?, node)?;
        (start + length > position).then_some((start, start + length))
    });
    whole.next().unwrap_or((position, position + 1))
}

/// The part of a printed node that stands at its position: `{{if .x}}...` is at `.x`.
fn operand(node: &str) -> &str {
    let Some(action) = node.strip_prefix("{{") else {
        return node;
    };
    let action = action.split_once("}}").map_or(action, |(action, _)| action);
    ["if ", "with ", "range ", "template "]
        .iter()
        .find_map(|keyword| action.strip_prefix(keyword))
        .unwrap_or(action)
}

/// How much of the source the node takes, if it is there. White space is as good as any other, or none.
fn same_length(source: &[u8], node: &[u8]) -> Option<usize> {
    let mut length = 0;
    for expected in node.iter().filter(|byte| !byte.is_ascii_whitespace()) {
        let spaces = source
            .get(length..)?
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace());
        length += spaces.count();
        if source.get(length)? != expected {
            return None;
        }
        length += 1;
    }
    Some(length)
}
