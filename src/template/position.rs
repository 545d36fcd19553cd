//! Places in source texts, as errors carry them. Line, column and text are worked out only when somebody asks.

use super::tree::Source;
use std::fmt::{self, Debug, Display, Formatter};
use std::sync::Arc;

/// A place in a source text. It keeps the text alive, so that an error can show it long after.
#[derive(Clone)]
pub struct Position {
    source: Arc<Source>,
    offset: usize,
}

impl Position {
    pub(super) fn new(source: &Arc<Source>, offset: usize) -> Self {
        Self {
            source: Arc::clone(source),
            offset: offset.min(source.text.len()),
        }
    }

    /// The name of the source: a path in the chart, or `gotpl` for a text of `tpl`.
    pub fn source_name(&self) -> &str {
        &self.source.name
    }

    /// The whole source.
    pub fn text(&self) -> &[u8] {
        &self.source.text
    }

    /// The place as a byte offset, at most the length of the text.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The line, from 1.
    pub fn line(&self) -> usize {
        1 + memchr::memchr_iter(b'\n', self.before()).count()
    }

    /// The column in bytes, from 0, as Go counts it.
    pub fn column(&self) -> usize {
        let before = self.before();
        before.iter().rev().take_while(|byte| **byte != b'\n').count()
    }

    fn before(&self) -> &[u8] {
        self.source.text.get(..self.offset).unwrap_or_default()
    }
}

/// Go's form: `name:line:column`.
impl Display for Position {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.source.name, self.line(), self.column())
    }
}

impl Debug for Position {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "Position({self})")
    }
}

impl PartialEq for Position {
    fn eq(&self, other: &Self) -> bool {
        self.offset == other.offset && self.source.name == other.source.name
    }
}

impl Eq for Position {}
