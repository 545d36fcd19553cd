//! What can be wrong with a YAML text, in the words of go-yaml and sigs.k8s.io/yaml.

use super::limits::{MAX_DEPTH, MAX_INPUT};

/// Why a text could not be read, or a value not be written. None of these is worth a retry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is no YAML. `line` is what go-yaml reports: one less than the editor's line for errors of the grammar,
    /// none on the first line.
    #[error("yaml: {}{problem}", line_prefix(*.line))]
    Syntax {
        /// go-yaml's line number.
        line: Option<u64>,
        /// The line in an editor, from 1, if it is known.
        editor_line: Option<u64>,
        /// libyaml's words.
        problem: String,
    },
    /// Well-formed, but no value: an unknown anchor, a bad merge, a collection as key, a tag that does not fit.
    #[error("yaml: {0}")]
    Invalid(String),
    /// Keys that are set more than once, in strict mode; one entry a line.
    #[error("yaml: unmarshal errors:\n  {}", .0.join("\n  "))]
    Duplicate(Vec<String>),
    /// A key that JSON cannot have: null or an integer beyond `i64`.
    #[error("unsupported map key of type: {kind}, key: {key}, value: {value}")]
    UnsupportedKey {
        /// Go's name of the key's type.
        kind: String,
        /// The key in Go's syntax.
        key: String,
        /// The value in Go's syntax.
        value: String,
    },
    /// Infinity or not-a-number, which JSON has not.
    #[error("json: unsupported value: {0}")]
    UnsupportedValue(&'static str),
    /// The document is something else than what was asked for.
    #[error("json: cannot unmarshal {found} into Go value of type {wanted}")]
    WrongKind {
        /// What the document is, in JSON's terms.
        found: &'static str,
        /// The Go type that Helm reads into.
        wanted: &'static str,
    },
    /// sigs.k8s.io/yaml's wrapping of everything that happens before the JSON.
    #[error("error converting YAML to JSON: {0}")]
    Converting(#[source] Box<Error>),
    /// sigs.k8s.io/yaml's wrapping of what happens behind it.
    #[error("error unmarshaling JSON: while decoding JSON: {0}")]
    Unmarshaling(#[source] Box<Error>),
    /// A string with a character that YAML does not allow and JSON does not escape.
    #[error("yaml: control characters are not allowed")]
    ControlCharacter,
    /// A key that YAML cannot read from JSON: more than one line, or more than 1024 characters.
    #[error("yaml: did not find expected ',' or '}}'")]
    JsonKey,
    /// `---` behind a line break inside a string.
    #[error("yaml: found unexpected document indicator")]
    DocumentMarker,
    /// More nested than [`MAX_DEPTH`].
    #[error("yaml: {}exceeded max depth of {MAX_DEPTH}", line_prefix(*.line))]
    TooDeep {
        /// Where reading stopped.
        line: Option<u64>,
    },
    /// Longer than [`MAX_INPUT`].
    #[error("yaml: document of {size} bytes is larger than the limit of {MAX_INPUT}")]
    TooLarge {
        /// In bytes.
        size: usize,
    },
}

impl Error {
    /// The line that go-yaml names, if it names one.
    pub fn line(&self) -> Option<u64> {
        match self {
            Self::Syntax { line, .. } | Self::TooDeep { line } => *line,
            Self::Converting(error) | Self::Unmarshaling(error) => error.line(),
            Self::Invalid(_)
            | Self::Duplicate(_)
            | Self::UnsupportedKey { .. }
            | Self::UnsupportedValue(_)
            | Self::WrongKind { .. }
            | Self::ControlCharacter
            | Self::JsonKey
            | Self::DocumentMarker
            | Self::TooLarge { .. } => None,
        }
    }

    /// The line as editors count it, from 1, if it is known.
    pub fn editor_line(&self) -> Option<u64> {
        match self {
            Self::Syntax { editor_line, .. } => *editor_line,
            Self::Converting(error) | Self::Unmarshaling(error) => error.editor_line(),
            Self::TooDeep { line } => *line,
            Self::Invalid(_)
            | Self::Duplicate(_)
            | Self::UnsupportedKey { .. }
            | Self::UnsupportedValue(_)
            | Self::WrongKind { .. }
            | Self::ControlCharacter
            | Self::JsonKey
            | Self::DocumentMarker
            | Self::TooLarge { .. } => None,
        }
    }

    pub(super) fn converting(self) -> Self {
        Self::Converting(Box::new(self))
    }
}

fn line_prefix(line: Option<u64>) -> String {
    line.map_or_else(String::new, |line| format!("line {line}: "))
}
