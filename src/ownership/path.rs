//! The exact path of a field, as managedFields names it, and its readable form.
//!
//! The server's own rendering in conflict causes does not escape map keys (`.data.a.yaml`), so it cannot be read back.
//! Ours can: `.metadata.labels["app.kubernetes.io/name"]`, `.spec.ports[port=80,protocol="TCP"].nodePort`,
//! `.metadata.finalizers[="example.com/hold"]`, `.spec.args[0]`. `.` alone is the whole object.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use super::path_parser::{Parser, Step};

/// The longest path text that is parsed, in bytes.
pub const MAX_PATH_LENGTH: usize = 4096;

/// The deepest path that is read; the API server itself refuses JSON that is nested deeper than this.
pub const MAX_PATH_DEPTH: usize = 128;

/// A value that identifies an item of a list: totally ordered and hashable, which `serde_json::Value` is not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scalar {
    /// JSON `null`.
    Null,
    /// JSON `true` and `false`.
    Bool(bool),
    /// A number, as its JSON text.
    Number(String),
    /// A string.
    Text(String),
    /// An array or object, as its JSON text: allowed in a set by the format, never seen from a real schema.
    Composite(String),
}

impl Scalar {
    /// The scalar of a JSON value.
    pub fn from_json(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(b) => Self::Bool(*b),
            Value::Number(n) => Self::Number(n.to_string()),
            Value::String(s) => Self::Text(s.clone()),
            Value::Array(_) | Value::Object(_) => Self::Composite(value.to_string()),
        }
    }

    /// The JSON value again.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(b) => Value::Bool(*b),
            Self::Text(s) => Value::String(s.clone()),
            Self::Number(text) | Self::Composite(text) => serde_json::from_str(text).unwrap_or(Value::Null),
        }
    }

    /// Whether a JSON value is this scalar.
    pub fn equals(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Null, Value::Null) => true,
            (Self::Bool(a), Value::Bool(b)) => a == b,
            (Self::Text(a), Value::String(b)) => a == b,
            (Self::Number(a), Value::Number(b)) => *a == b.to_string(),
            (Self::Composite(_), Value::Array(_) | Value::Object(_)) => *self == Self::from_json(value),
            _ => false,
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(b) => write!(f, "{b}"),
            Self::Number(text) | Self::Composite(text) => f.write_str(text),
            Self::Text(text) => write_quoted(f, text),
        }
    }
}

/// One step of a path (FieldsV1: `f:`, `k:`, `v:`, `i:`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathElement {
    /// A struct field or a map key.
    Field(String),
    /// The item of an associative list that has these keys, defaulted ones included.
    Key(BTreeMap<String, Scalar>),
    /// The item of a set.
    Value(Scalar),
    /// The item at a position.
    Index(i64),
}

impl PathElement {
    /// A field step.
    pub fn field(name: impl Into<String>) -> Self {
        Self::Field(name.into())
    }
}

impl fmt::Display for PathElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) if is_plain(name) => write!(f, ".{name}"),
            Self::Field(name) => {
                f.write_str("[")?;
                write_quoted(f, name)?;
                f.write_str("]")
            }
            Self::Key(keys) => {
                f.write_str("[")?;
                for (position, (name, value)) in keys.iter().enumerate() {
                    if position > 0 {
                        f.write_str(",")?;
                    }
                    if is_plain(name) {
                        f.write_str(name)?;
                    } else {
                        write_quoted(f, name)?;
                    }
                    write!(f, "={value}")?;
                }
                f.write_str("]")
            }
            Self::Value(value) => write!(f, "[={value}]"),
            Self::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// The exact path of a field; the empty path is the whole object.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath(Vec<PathElement>);

impl FieldPath {
    /// A path of these steps.
    pub fn new(elements: Vec<PathElement>) -> Self {
        Self(elements)
    }

    /// A path of plain field names.
    pub fn of_fields<const N: usize>(names: [&str; N]) -> Self {
        Self(names.into_iter().map(PathElement::field).collect())
    }

    /// The steps from the root down.
    pub fn elements(&self) -> &[PathElement] {
        &self.0
    }

    /// Whether it is the other path, or lies below it.
    pub fn is_at_or_below(&self, above: &Self) -> bool {
        self.0.starts_with(&above.0)
    }

    /// The path one step up; the root has none.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.split_last().map(|(_, above)| Self(above.to_vec()))
    }

    /// The path one step down.
    #[must_use]
    pub fn child(&self, element: PathElement) -> Self {
        Self(self.0.iter().cloned().chain([element]).collect())
    }

    /// Whether this is the whole object.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<PathElement>> for FieldPath {
    fn from(elements: Vec<PathElement>) -> Self {
        Self(elements)
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(".");
        }
        self.0.iter().try_for_each(|element| element.fmt(f))
    }
}

/// Why a text is not a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path:?} is not a field path: {problem} at byte {offset}; write it like .spec.containers[name=\"app\"].image")]
pub struct PathError {
    /// The text as given, shortened.
    pub path: String,
    /// What is wrong.
    pub problem: &'static str,
    /// Where, in bytes from the start.
    pub offset: usize,
}

impl FromStr for FieldPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let mut parser = Parser::new(text)?;
        let mut elements = Vec::new();
        while let Some(step) = parser.next_step()? {
            elements.push(match step {
                Step::Field(name) => PathElement::Field(name),
                Step::Key(keys) => PathElement::Key(keys),
                Step::Value(value) => PathElement::Value(value),
                Step::Index(index) => PathElement::Index(index),
                Step::Any => return Err(parser.error("`*` is only allowed in a rule's pattern")),
            });
        }
        Ok(Self(elements))
    }
}

/// Whether a name can stand without quotes.
pub(super) fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'$'))
}

/// JSON's quoting: whatever the text holds, it can be read back.
pub(super) fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str(&serde_json::to_string(text).map_err(|_| fmt::Error)?)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn readable_forms_round_trip() {
        for text in [
            ".",
            ".spec.replicas",
            ".spec.template.spec.containers[name=\"app\"].image",
            ".metadata.labels[\"app.kubernetes.io/name\"]",
            ".spec.ports[port=80,protocol=\"TCP\"].nodePort",
            ".metadata.finalizers[=\"example.com/hold\"]",
            ".spec.args[0]",
            ".data[\"a\\\"b]\"]",
            "[\"\"]",
        ] {
            let path: FieldPath = text.parse().unwrap();
            assert_eq!(path.to_string(), text);
        }
    }

    #[test]
    fn the_first_dot_may_be_left_out() {
        assert_eq!(
            "spec.replicas".parse::<FieldPath>().unwrap(),
            FieldPath::of_fields(["spec", "replicas"])
        );
    }

    #[test]
    fn bad_texts_say_where() {
        for (text, offset) in [
            ("", 0),
            (".a..b", 3),
            (".a[", 3),
            (".a[name=]", 8),
            (".a[name=\"x]", 8),
            (".a b", 2),
            (".a[*]", 5),
            (".a.", 3),
        ] {
            let error = text.parse::<FieldPath>().unwrap_err();
            assert_eq!(error.offset, offset, "{error}");
        }
    }

    /// Any scalar that a set or key can hold.
    pub(in crate::ownership) fn any_scalar() -> impl Strategy<Value = Scalar> {
        prop_oneof![
            Just(Scalar::Null),
            any::<bool>().prop_map(Scalar::Bool),
            any::<i64>().prop_map(|number| Scalar::Number(number.to_string())),
            any::<String>().prop_map(Scalar::Text),
        ]
    }

    /// Any step.
    pub(in crate::ownership) fn any_element() -> impl Strategy<Value = PathElement> {
        prop_oneof![
            4 => prop_oneof!["[a-c]", any::<String>()].prop_map(PathElement::Field),
            1 => prop::collection::btree_map(prop_oneof!["[a-c]", any::<String>()], any_scalar(), 1..3).prop_map(PathElement::Key),
            1 => any_scalar().prop_map(PathElement::Value),
            1 => (0_i64..100).prop_map(PathElement::Index),
        ]
    }

    proptest! {
        #[test]
        fn every_path_round_trips(elements in prop::collection::vec(any_element(), 0..6)) {
            let path = FieldPath::new(elements);
            prop_assert_eq!(path.to_string().parse::<FieldPath>().unwrap(), path);
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = text.parse::<FieldPath>();
        }
    }
}
