//! The values that templates work on: Go's kinds, with Go's sharing.
//!
//! Maps are references (a `set` through one handle is seen through all), lists are immutable, strings are bytes.
//! Knows nothing of templates: formatting is in `go::fmt`, evaluation in `template::execute`.

mod frozen;
mod json;
mod kind;
mod list;
mod map;
mod object;
mod scope;
mod text;

pub use frozen::{Extent, Frozen};
pub use json::EncodeError;
pub use kind::Kind;
pub use list::{List, ListType};
pub use map::{Map, MapType, NilMap};
pub use object::{Field, Object, Underlying};
pub use scope::Scope;
pub use text::{Bytes, Text};

use std::rc::Rc;

/// One Go value as a template sees it. Cloning is cheap: containers and strings are shared.
#[derive(Clone, Default)]
pub enum Value {
    /// Go's untyped nil.
    #[default]
    Nil,
    /// `bool`.
    Bool(bool),
    /// `int`.
    Int(i64),
    /// `int32`, Go's rune.
    Int32(i32),
    /// `int64`.
    Int64(i64),
    /// `uint8`, an element of a `[]byte`.
    Uint8(u8),
    /// `uint64`.
    Uint64(u64),
    /// `float64`.
    Float64(f64),
    /// `complex128`: real and imaginary part.
    Complex(f64, f64),
    /// `string`.
    String(Text),
    /// `[]byte`.
    Bytes(Bytes),
    /// A slice of anything else.
    List(List),
    /// A map with string keys.
    Map(Map),
    /// Anything with fields or methods of its own.
    Object(Rc<dyn Object>),
}

impl Value {
    /// A string value.
    pub fn text(text: impl Into<Text>) -> Self {
        Self::String(text.into())
    }

    /// A `[]interface {}`.
    pub fn list(items: Vec<Value>) -> Self {
        Self::List(List::new(items))
    }

    /// Wraps an object.
    pub fn object(object: impl Object + 'static) -> Self {
        Self::Object(Rc::new(object))
    }

    /// Go's `reflect.Kind`.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Nil => Kind::Invalid,
            Self::Bool(_) => Kind::Bool,
            Self::Int(_) => Kind::Int,
            Self::Int32(_) => Kind::Int32,
            Self::Int64(_) => Kind::Int64,
            Self::Uint8(_) => Kind::Uint8,
            Self::Uint64(_) => Kind::Uint64,
            Self::Float64(_) => Kind::Float64,
            Self::Complex(..) => Kind::Complex128,
            Self::String(_) => Kind::String,
            Self::Bytes(_) | Self::List(_) => Kind::Slice,
            Self::Map(_) => Kind::Map,
            Self::Object(object) => object.kind(),
        }
    }

    /// The type as Go's `%T` prints it; `<nil>` for nil.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Int32(_) => "int32",
            Self::Int64(_) => "int64",
            Self::Uint8(_) => "uint8",
            Self::Uint64(_) => "uint64",
            Self::Float64(_) => "float64",
            Self::Complex(..) => "complex128",
            Self::String(_) => "string",
            Self::Bytes(_) => "[]uint8",
            Self::List(list) => list.list_type().name(),
            Self::Map(map) => map.map_type().name(),
            Self::Object(object) => object.type_name(),
        }
    }

    /// Whether this is nil, or a nil map, slice or pointer.
    pub fn is_nil(&self) -> bool {
        match self {
            Self::Nil => true,
            Self::Bytes(bytes) => bytes.is_nil(),
            Self::List(list) => list.is_nil(),
            Self::Map(map) => map.is_nil(),
            Self::Object(object) => object.is_nil(),
            Self::Bool(_)
            | Self::Int(_)
            | Self::Int32(_)
            | Self::Int64(_)
            | Self::Uint8(_)
            | Self::Uint64(_)
            | Self::Float64(_)
            | Self::Complex(..)
            | Self::String(_) => false,
        }
    }

    /// Truth as `if`, `and` and `not` see it: false for the zero value and for empty containers; a struct is true.
    pub fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value) | Self::Int64(value) => *value != 0,
            Self::Int32(value) => *value != 0,
            Self::Uint8(value) => *value != 0,
            Self::Uint64(value) => *value != 0,
            Self::Float64(value) => *value != 0.0,
            Self::Complex(real, imaginary) => *real != 0.0 || *imaginary != 0.0,
            Self::String(text) => !text.is_empty(),
            Self::Bytes(bytes) => !bytes.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Object(object) => object.is_true(),
        }
    }

    /// The bytes of a string, and of nothing else.
    pub fn as_text(&self) -> Option<&Text> {
        if let Self::String(text) = self {
            Some(text)
        } else {
            None
        }
    }

    /// The map, if this is one (of any map type).
    pub fn as_map(&self) -> Option<&Map> {
        if let Self::Map(map) = self { Some(map) } else { None }
    }

    /// The object behind this value when it is of that Rust type.
    pub fn downcast<T: Object + 'static>(&self) -> Option<&T> {
        if let Self::Object(object) = self {
            object.as_any().downcast_ref()
        } else {
            None
        }
    }

    /// Any signed integer kind, widened.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) | Self::Int64(value) => Some(*value),
            Self::Int32(value) => Some(i64::from(*value)),
            Self::Object(object) => object.as_int(),
            _ => None,
        }
    }

    /// Any unsigned integer kind, widened.
    pub fn as_uint(&self) -> Option<u64> {
        match self {
            Self::Uint8(value) => Some(u64::from(*value)),
            Self::Uint64(value) => Some(*value),
            _ => None,
        }
    }
}

impl std::fmt::Debug for Value {
    /// The type and, for scalars, the value: containers may be cyclic and are only named.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nil => formatter.write_str("nil"),
            Self::Bool(value) => write!(formatter, "{value}"),
            Self::Int(value) | Self::Int64(value) => write!(formatter, "{}({value})", self.type_name()),
            Self::Int32(value) => write!(formatter, "int32({value})"),
            Self::Uint8(value) => write!(formatter, "uint8({value})"),
            Self::Uint64(value) => write!(formatter, "uint64({value})"),
            Self::Float64(value) => write!(formatter, "float64({value})"),
            Self::Complex(real, imaginary) => write!(formatter, "complex128({real}, {imaginary})"),
            Self::String(text) => write!(formatter, "{text:?}"),
            Self::Bytes(_) | Self::List(_) | Self::Map(_) | Self::Object(_) => formatter.write_str(self.type_name()),
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    /// An `int64`; Go's `int` is `Value::Int`.
    fn from(value: i64) -> Self {
        Self::Int64(value)
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Uint64(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float64(value)
    }
}

impl From<Text> for Value {
    fn from(value: Text) -> Self {
        Self::String(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(value.into())
    }
}

impl From<Bytes> for Value {
    fn from(value: Bytes) -> Self {
        Self::Bytes(value)
    }
}

impl From<List> for Value {
    fn from(value: List) -> Self {
        Self::List(value)
    }
}

impl From<Map> for Value {
    fn from(value: Map) -> Self {
        Self::Map(value)
    }
}

impl From<Rc<dyn Object>> for Value {
    fn from(value: Rc<dyn Object>) -> Self {
        Self::Object(value)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nil, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_three_words() {
        assert_eq!(std::mem::size_of::<Value>(), 24);
    }
}
