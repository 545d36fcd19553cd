//! Reads single fields out of large YAML files: an index of many megabytes never becomes a tree in memory.

use libyaml_safer::{EventData, Parser, ScalarStyle};

/// How deep what is skipped may nest.
const DEPTH: usize = 1_000;

/// Why a file cannot be read, and on which line (from one).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) line: u64,
    pub(super) reason: String,
}

/// The events of the first document of a file.
pub(super) struct Events<'a> {
    bytes: &'a [u8],
    parser: Parser<&'a [u8]>,
    line: u64,
}

impl<'a> Events<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let mut parser = Parser::new();
        parser.set_input(bytes);
        Self { bytes, parser, line: 1 }
    }

    /// The line of the last event.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Something wrong at the last event.
    pub(super) fn broken<T>(&self, reason: impl Into<String>) -> Result<T, Broken> {
        Err(Broken {
            line: self.line,
            reason: reason.into(),
        })
    }

    pub(super) fn next(&mut self) -> Result<EventData, Broken> {
        let event = self.parser.parse().map_err(|error| Broken {
            line: error
                .problem_mark()
                .map_or_else(|| unreadable_line(self.bytes), |mark| mark.line + 1),
            reason: error.problem().to_owned(),
        })?;
        self.line = event.start_mark.line + 1;
        Ok(event.data)
    }

    /// Goes to the document's content; fails when that is no mapping.
    pub(super) fn enter_document(&mut self) -> Result<(), Broken> {
        loop {
            match self.next()? {
                EventData::StreamStart { .. } | EventData::DocumentStart { .. } => {}
                EventData::MappingStart { .. } => return Ok(()),
                _ => return self.broken("it is not a YAML mapping"),
            }
        }
    }

    /// Calls `field` for each key of the mapping just entered, with the value's first event: `field` has to read the
    /// value to its end.
    pub(super) fn mapping(
        &mut self,
        mut field: impl FnMut(&mut Self, &str, EventData) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        loop {
            match self.next()? {
                EventData::MappingEnd => return Ok(()),
                EventData::Scalar { value: key, .. } => {
                    let value = self.next()?;
                    field(self, &key, value)?;
                }
                other => {
                    self.skip(&other)?;
                    let value = self.next()?;
                    self.skip(&value)?;
                }
            }
        }
    }

    /// Calls `item` for each item of the sequence just entered, as [`Events::mapping`] does.
    pub(super) fn sequence(
        &mut self,
        mut item: impl FnMut(&mut Self, EventData) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        loop {
            match self.next()? {
                EventData::SequenceEnd => return Ok(()),
                value => item(self, value)?,
            }
        }
    }

    /// Reads a scalar that was just begun (`None` for null); anything else is skipped and counts as null.
    pub(super) fn text(&mut self, value: EventData) -> Result<Option<String>, Broken> {
        match value {
            EventData::Scalar { value, style, .. } => {
                let plain = matches!(style, ScalarStyle::Plain | ScalarStyle::Any);
                let null = plain && matches!(value.as_str(), "" | "~" | "null" | "Null" | "NULL");
                Ok((!null).then_some(value))
            }
            other => {
                self.skip(&other)?;
                Ok(None)
            }
        }
    }

    /// Reads the rest of a value whose first event is given.
    pub(super) fn skip(&mut self, first: &EventData) -> Result<(), Broken> {
        let mut depth = usize::from(opens(first));
        while depth > 0 {
            let event = self.next()?;
            if opens(&event) {
                depth += 1;
            } else if matches!(event, EventData::SequenceEnd | EventData::MappingEnd) {
                depth -= 1;
            }
            if depth > DEPTH {
                return self.broken(format!("it nests deeper than {DEPTH} levels"));
            }
        }
        Ok(())
    }
}

/// The line of the first byte that no YAML file may have; the parser does not tell it.
fn unreadable_line(bytes: &[u8]) -> u64 {
    let valid = match std::str::from_utf8(bytes) {
        Ok(text) => text.len(),
        Err(error) => error.valid_up_to(),
    };
    let read = bytes.get(..valid).unwrap_or(bytes);
    let control = |byte: &u8| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n' | b'\r');
    let end = read.iter().position(control).unwrap_or(valid);
    1 + read.iter().take(end).filter(|byte| **byte == b'\n').count() as u64
}

fn opens(event: &EventData) -> bool {
    matches!(event, EventData::SequenceStart { .. } | EventData::MappingStart { .. })
}
