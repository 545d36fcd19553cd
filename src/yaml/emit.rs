//! The emitter: JSON values as go-yaml v2 (`toYaml`) or v3 (`toYamlPretty`) lays them out.
//!
//! Only what a JSON value can need: block mappings and sequences, `{}`, `[]` and scalars; no tags, anchors or comments.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::error::Error;
use super::json_text;
use super::limits::MAX_DEPTH;
use super::number::{ThroughJson, format_float, through_json};
use super::order::sort_keys;
use super::scalar::{Style, analyze, choose_style, is_printable};

/// Which go-yaml to write like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Through JSON, folded at 80 columns, sequences at their key's indentation (sigs.k8s.io/yaml).
    V2,
    /// Directly, never folded, sequences indented by two.
    V3,
}

/// A scalar is broken at the first single space behind this column (version 2).
const FOLD_COLUMN: usize = 80;
/// Longer keys are written with `? `, in bytes.
const MAX_SIMPLE_KEY: usize = 128;
const INDENT: usize = 2;

/// Where a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The document's root, or an item of a sequence.
    Item,
    /// The value of a mapping's key.
    Value,
}

/// Writes one document, trailing newline included.
pub(super) fn emit(value: &Value, dialect: Dialect) -> Result<String, Error> {
    let mut emitter = Emitter {
        out: String::new(),
        line_start: 0,
        at_indent: true,
        after_space: true,
        dialect,
        depth: 0,
    };
    emitter.node(value, None, Place::Item)?;
    emitter.start_line(0);
    Ok(emitter.out)
}

struct Emitter {
    out: String,
    /// Where the current line begins in `out`.
    line_start: usize,
    /// Nothing but indentation and `- `, `? `, `: ` on this line yet.
    at_indent: bool,
    /// No space needed before the next thing.
    after_space: bool,
    dialect: Dialect,
    depth: usize,
}

impl Emitter {
    /// `indent` is that of the collection around, `None` at the root.
    fn node(&mut self, value: &Value, indent: Option<usize>, place: Place) -> Result<(), Error> {
        match value {
            Value::Null => self.word("null"),
            Value::Bool(true) => self.word("true"),
            Value::Bool(false) => self.word("false"),
            Value::Number(number) => self.word(&self.number(number)),
            Value::String(text) => match self.dialect {
                Dialect::V2 => self.string(&json_text::string(text)?, indent, false),
                Dialect::V3 => self.string(text, indent, false),
            },
            Value::Array(items) if items.is_empty() => self.word("[]"),
            Value::Object(entries) if entries.is_empty() => self.word("{}"),
            Value::Array(items) => return self.nested(|emitter| emitter.sequence(items, indent, place)),
            Value::Object(entries) => return self.nested(|emitter| emitter.mapping(entries, indent)),
        }
        Ok(())
    }

    fn nested(&mut self, write: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        if self.depth >= MAX_DEPTH {
            return Err(Error::TooDeep { line: None });
        }
        self.depth += 1;
        let written = write(self);
        self.depth -= 1;
        written
    }

    fn sequence(&mut self, items: &[Value], indent: Option<usize>, place: Place) -> Result<(), Error> {
        let compact = self.dialect == Dialect::V2 && place == Place::Value && !self.at_indent;
        let own = if compact { indent.unwrap_or(0) } else { deeper(indent) };
        for item in items {
            self.start_line(own);
            self.indicator('-');
            self.node(item, Some(own), Place::Item)?;
        }
        Ok(())
    }

    fn mapping(&mut self, entries: &Map<String, Value>, indent: Option<usize>) -> Result<(), Error> {
        let own = deeper(indent);
        let mut sorted: Vec<(&str, &Value)> = entries.iter().map(|(key, value)| (key.as_str(), value)).collect();
        sort_keys(&mut sorted, self.dialect);
        for (key, value) in sorted {
            if self.dialect == Dialect::V2 {
                json_text::key(key)?;
            }
            self.start_line(own);
            if key.len() <= MAX_SIMPLE_KEY && !analyze(key, self.dialect).multiline {
                self.string(key, Some(own), true);
                self.out.push(':');
                (self.at_indent, self.after_space) = (false, false);
            } else {
                self.indicator('?');
                self.string(key, Some(own), false);
                self.start_line(own);
                self.indicator(':');
            }
            self.node(value, Some(own), Place::Value)?;
        }
        Ok(())
    }

    fn number(&self, number: &serde_json::Number) -> String {
        if let Some(int) = number.as_i64() {
            return int.to_string();
        }
        if let Some(uint) = number.as_u64() {
            return uint.to_string();
        }
        let float = number.as_f64().unwrap_or(f64::NAN);
        match self.dialect {
            Dialect::V3 => format_float(float),
            Dialect::V2 => match through_json(float) {
                ThroughJson::Int(int) => int.to_string(),
                ThroughJson::Uint(uint) => uint.to_string(),
                ThroughJson::Float(float) => format_float(float),
            },
        }
    }

    fn string(&mut self, text: &str, indent: Option<usize>, simple_key: bool) {
        let analysis = analyze(text, self.dialect);
        let indent = indent.map_or(INDENT, |indent| indent + INDENT);
        let fold = self.dialect == Dialect::V2 && !simple_key && text.contains(' ');
        match choose_style(text, analysis, simple_key, self.dialect) {
            Style::Plain => {
                // Version 3 writes nothing for an empty text, not even the space.
                if !(self.dialect == Dialect::V3 && text.is_empty()) {
                    self.space();
                }
                self.plain(text, indent, fold);
            }
            Style::SingleQuoted => {
                self.space();
                self.out.push('\'');
                self.single_quoted(text, indent, fold);
                self.out.push('\'');
            }
            Style::DoubleQuoted => {
                self.space();
                self.out.push('"');
                self.double_quoted(text, indent, fold);
                self.out.push('"');
            }
            Style::Literal => return self.literal(text, indent),
        }
        (self.at_indent, self.after_space) = (false, false);
    }

    fn plain(&mut self, text: &str, indent: usize, fold: bool) {
        if !fold {
            self.out.push_str(text);
            return;
        }
        let mut column = self.column();
        let mut after_space = false;
        let mut end = 0;
        for piece in text.split_inclusive(' ') {
            end += piece.len();
            let word = piece.strip_suffix(' ').unwrap_or(piece);
            self.out.push_str(word);
            column += word.chars().count();
            after_space &= word.is_empty();
            if word.len() < piece.len() {
                let breakable = !after_space && text.as_bytes().get(end) != Some(&b' ');
                column = self.space_or_fold(column, indent, breakable);
                after_space = true;
            }
        }
    }

    fn single_quoted(&mut self, text: &str, indent: usize, fold: bool) {
        let mut column = self.column();
        let bytes = text.as_bytes();
        let mut after_space = false;
        let mut after_break = false;
        for (at, character) in text.char_indices() {
            if character == ' ' {
                let inside = at > 0 && at + 1 < bytes.len();
                let breakable = fold && !after_space && inside && bytes.get(at + 1) != Some(&b' ');
                column = self.space_or_fold(column, indent, breakable);
                after_space = true;
                continue;
            }
            if is_break(character) {
                // Never LF: a text with one is a literal or in double quotes.
                self.out.push(character);
                self.line_start = self.out.len();
                column = 0;
                after_break = true;
                continue;
            }
            if after_break {
                (self.at_indent, self.after_space) = (true, true);
                self.start_line(indent);
                column = indent;
            }
            if character == '\'' {
                self.out.push('\'');
                column += 1;
            }
            self.out.push(character);
            column += 1;
            (after_space, after_break) = (false, false);
        }
    }

    fn double_quoted(&mut self, text: &str, indent: usize, fold: bool) {
        let mut column = self.column();
        let bytes = text.as_bytes();
        // libyaml looks for the mark at the beginning of the text, wherever it stands: then everything is escaped.
        let escape_all = text.starts_with('\u{feff}');
        let mut after_space = false;
        for (at, character) in text.char_indices() {
            let escaped = escape_all
                || matches!(character, '"' | '\\')
                || !matches!(character, ' '..='~') && (is_break(character) || !is_printable(bytes, at));
            if escaped {
                let from = self.out.len();
                self.escape(character);
                column += self.out.len() - from;
                after_space = false;
            } else if character == ' ' {
                let breakable = fold && !after_space && at > 0 && at + 1 < bytes.len();
                let folded = breakable && column > FOLD_COLUMN;
                column = self.space_or_fold(column, indent, breakable);
                if folded && bytes.get(at + 1) == Some(&b' ') {
                    self.out.push('\\');
                    column += 1;
                }
                after_space = true;
            } else {
                self.out.push(character);
                column += 1;
                after_space = false;
            }
        }
    }

    /// Writes a space, or a line break in its place when the line is long enough. Gives the new column.
    fn space_or_fold(&mut self, column: usize, indent: usize, breakable: bool) -> usize {
        if breakable && column > FOLD_COLUMN {
            self.at_indent = false;
            self.start_line(indent);
            return indent;
        }
        self.out.push(' ');
        column + 1
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.space();
        self.out.push('|');
        if text.starts_with(|first| first == ' ' || is_break(first)) {
            self.out.push('2');
        }
        let mut characters = text.chars().rev();
        let last = characters.next().is_some_and(is_break);
        let last_but_one = characters.next().is_none_or(is_break);
        match (last, last_but_one) {
            (false, _) => self.out.push('-'),
            (true, true) => self.out.push('+'),
            (true, false) => {}
        }
        self.newline();
        (self.at_indent, self.after_space) = (true, true);
        for line in text.split_inclusive(is_break) {
            let content = line.strip_suffix(is_break).unwrap_or(line);
            if !content.is_empty() {
                self.start_line(indent);
                self.out.push_str(content);
                self.at_indent = false;
            }
            if content.len() < line.len() {
                self.out.push_str(&line[content.len()..]);
                self.line_start = self.out.len();
                self.at_indent = true;
            }
        }
    }

    /// Begins a new line at the indentation, unless this one has only come as far.
    fn start_line(&mut self, indent: usize) {
        let column = if self.at_indent { self.column() } else { 0 };
        if !self.at_indent || column > indent || column == indent && !self.after_space {
            self.newline();
        }
        for _ in self.column()..indent {
            self.out.push(' ');
        }
        (self.at_indent, self.after_space) = (true, true);
    }

    /// `-`, `?` or `:` before a node, behind which a nested collection may go on in the same line.
    fn indicator(&mut self, indicator: char) {
        self.space();
        self.out.push(indicator);
        self.after_space = false;
    }

    /// A scalar that needs no thought.
    fn word(&mut self, text: &str) {
        self.space();
        self.out.push_str(text);
        (self.at_indent, self.after_space) = (false, false);
    }

    fn space(&mut self) {
        if !self.after_space {
            self.out.push(' ');
            self.after_space = true;
        }
    }

    fn newline(&mut self) {
        self.out.push('\n');
        self.line_start = self.out.len();
    }

    /// In characters, as libyaml counts.
    fn column(&self) -> usize {
        self.out[self.line_start..].chars().count()
    }

    fn escape(&mut self, character: char) {
        self.out.push('\\');
        let short = match character {
            '\0' => '0',
            '\u{7}' => 'a',
            '\u{8}' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\u{b}' => 'v',
            '\u{c}' => 'f',
            '\r' => 'r',
            '\u{1b}' => 'e',
            '"' => '"',
            '\\' => '\\',
            '\u{85}' => 'N',
            '\u{a0}' => '_',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            _ => {
                let code = u32::from(character);
                // Writing to a String cannot fail.
                let _ = match code {
                    0..=0xFF => write!(self.out, "x{code:02X}"),
                    0x100..=0xFFFF => write!(self.out, "u{code:04X}"),
                    _ => write!(self.out, "U{code:08X}"),
                };
                return;
            }
        };
        self.out.push(short);
    }
}

fn deeper(indent: Option<usize>) -> usize {
    indent.map_or(0, |indent| indent + INDENT)
}

fn is_break(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}
