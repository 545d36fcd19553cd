//! Which value an error is about: the expression that it came from, its type, and as much of it as can be told without
//! giving away a secret.

use super::value::Value;

/// The longest expression that is kept, in characters.
const MAXIMUM_EXPRESSION: usize = 80;

/// How a value that comes from the command before is called, until the pipeline says which one that was.
pub(super) const PIPED: &str = "the piped value";

/// A value that could not be used, with the expression that gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The expression as Go prints it, e.g. `.Values.image`.
    pub expression: String,
    /// The type as Go prints it, e.g. `string`.
    pub type_name: &'static str,
    /// What is known of the value.
    pub found: Found,
}

/// As much of a value as is kept. Texts, the elements of lists and the entries of dictionaries never are: they may be
/// secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// There is no value.
    Nothing,
    /// A truth value or a number, in Go's form. A caller must not show it where the expression speaks of a secret.
    Scalar(String),
    /// A text of so many bytes.
    Text(usize),
    /// A list of so many elements.
    List(usize),
    /// A dictionary with so many keys.
    Map(usize),
    /// Something that Helm or Sprig made.
    Object,
}

impl Subject {
    /// What an expression gave.
    pub fn new(expression: &str, value: &Value) -> Self {
        let found = match value {
            Value::Nil => Found::Nothing,
            Value::Bool(_)
            | Value::Int(_)
            | Value::Int32(_)
            | Value::Int64(_)
            | Value::Uint8(_)
            | Value::Uint64(_)
            | Value::Float64(_)
            | Value::Complex(..) => {
                let shown = crate::go::fmt::sprint(std::slice::from_ref(value));
                Found::Scalar(String::from_utf8_lossy(&shown).into_owned())
            }
            Value::String(text) => Found::Text(text.len()),
            Value::Bytes(bytes) => Found::Text(bytes.as_bytes().len()),
            Value::List(list) => Found::List(list.len()),
            Value::Map(map) => Found::Map(map.len()),
            Value::Object(_) => Found::Object,
        };
        Self {
            expression: shorten(expression, MAXIMUM_EXPRESSION),
            type_name: value.type_name(),
            found,
        }
    }
}

impl Subject {
    /// Tells where a piped value comes from.
    pub(super) fn piped_from(&mut self, commands: &str) {
        if self.expression == PIPED {
            self.expression = shorten(commands, MAXIMUM_EXPRESSION);
        }
    }
}

/// The first characters of a text, with an ellipsis where something was cut off.
pub(crate) fn shorten(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}
