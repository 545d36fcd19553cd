//! What Helm logs while it goes on: values that were ignored, hooks that it does not know.
//!
//! Knows the form of a log line (logfmt, as Go's `slog.TextHandler` writes it); not where lines go.

use std::fmt::{self, Display, Formatter};

use crate::go::strconv::{is_printable, quote};

/// How much a warning matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Logged as `INFO`.
    Info,
    /// Logged as `WARN`.
    Warn,
}

/// Something that was not as it should be, and how it was dealt with. Shown as Helm logs it, without the time:
/// `level=WARN msg="returned non-bool value" path=web.enabled chart=web`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// How much it matters.
    pub level: Level,
    /// The message.
    pub message: String,
    /// Names and values that belong to it.
    pub attributes: Vec<(&'static str, String)>,
}

impl Warning {
    /// A message of level `WARN`.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            level: Level::Warn,
            message: message.into(),
            attributes: Vec::new(),
        }
    }

    /// A message of level `INFO`.
    pub fn info(message: impl Into<String>) -> Self {
        Self {
            level: Level::Info,
            ..Self::new(message)
        }
    }

    /// The same with an attribute more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }

    /// The message and what belongs to it, for people: `returned non-bool value path=web.enabled chart=web`.
    pub fn text(&self) -> String {
        let attributes = self
            .attributes
            .iter()
            .map(|(name, value)| format!(" {name}={}", word(value)));
        std::iter::once(self.message.clone()).chain(attributes).collect()
    }
}

impl Display for Warning {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            level,
            message,
            attributes,
        } = self;
        let level = match level {
            Level::Info => "INFO",
            Level::Warn => "WARN",
        };
        write!(formatter, "level={level} msg={}", word(message))?;
        attributes
            .iter()
            .try_for_each(|(name, value)| write!(formatter, " {name}={}", word(value)))
    }
}

/// A value as it stands in a log line: quoted only where it must be.
fn word(text: &str) -> String {
    let plain = |character: char| character > ' ' && !matches!(character, '"' | '=') && is_printable(character);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    String::from_utf8_lossy(&quote(text.as_bytes())).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_where_they_must_be() {
        let warning = Warning::info("a b")
            .with("plain", "ünï.x[0]")
            .with("empty", "")
            .with("q", "a=\"b\"\n");
        assert_eq!(
            warning.to_string(),
            r#"level=INFO msg="a b" plain=ünï.x[0] empty="" q="a=\"b\"\n""#
        );
        assert_eq!(Warning::new("word").to_string(), "level=WARN msg=word");
        assert_eq!(
            Warning::new("not a table").with("at", "a b").text(),
            "not a table at=\"a b\""
        );
    }
}
