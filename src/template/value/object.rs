//! Values with fields and methods of their own: `.Files`, `.Capabilities`, times, versions, certificates.

use super::{Kind, Text, Value};
use crate::template::function::Function;
use std::any::Any;
use std::fmt::Debug;

/// A struct's field.
#[derive(Clone, Debug)]
pub struct Field {
    /// Go's field name.
    pub name: &'static str,
    /// Its value.
    pub value: Value,
    /// Whether the field is of an interface type.
    pub interface: bool,
}

/// What an object is made of, for printing, ranging, comparing and encoding.
#[derive(Debug)]
pub enum Underlying {
    /// A struct, with its fields in order of declaration.
    Struct(Vec<Field>),
    /// A map, sorted by key.
    Map(Vec<(Text, Value)>),
    /// A named type over a basic one, e.g. `time.Duration` over `int64`.
    Scalar(Value),
}

/// A Go value of a named type. Implementations are immutable.
pub trait Object: Debug {
    /// The type as `%T` prints it: `*common.Capabilities`.
    fn type_name(&self) -> &'static str;

    /// Go's kind. For `Pointer`, [`Object::underlying`] describes what it points to.
    fn kind(&self) -> Kind;

    /// What it is made of.
    fn underlying(&self) -> Underlying;

    /// This object, for [`Value::downcast`].
    fn as_any(&self) -> &dyn Any;

    /// What Go's `Error()` or `String()` says, for types that have one.
    fn stringer(&self) -> Option<Text> {
        None
    }

    /// What `String()` says, for types that have it on the pointer only. `fmt` does not see it, but an action prints so
    /// what it reached as a field of a pointer: `{{ .Capabilities.KubeVersion }}`.
    fn addressable_stringer(&self) -> Option<Text> {
        None
    }

    /// The methods. The first parameter of each is the receiver and declared as `&Value`.
    fn methods(&self) -> &'static [Function] {
        &[]
    }

    /// A struct's field, or a map's entry, by name.
    fn field(&self, name: &[u8]) -> Option<Field> {
        match self.underlying() {
            Underlying::Struct(fields) => fields.into_iter().find(|field| field.name.as_bytes() == name),
            Underlying::Map(_) | Underlying::Scalar(_) => None,
        }
    }

    /// A map's entry by key.
    fn entry(&self, key: &[u8]) -> Option<Value> {
        match self.underlying() {
            Underlying::Map(entries) => entries
                .into_iter()
                .find(|(name, _)| name.as_bytes() == key)
                .map(|(_, value)| value),
            Underlying::Struct(_) | Underlying::Scalar(_) => None,
        }
    }

    /// The value of a key that a map does not have.
    fn zero_entry(&self) -> Value {
        Value::Nil
    }

    /// Whether this is a nil pointer.
    fn is_nil(&self) -> bool {
        false
    }

    /// Truth: structs and pointers are true, maps when not empty, scalars when not zero.
    fn is_true(&self) -> bool {
        match self.underlying() {
            Underlying::Struct(_) => true,
            Underlying::Map(entries) => !entries.is_empty(),
            Underlying::Scalar(value) => value.is_true(),
        }
    }

    /// The number behind a named integer type.
    fn as_int(&self) -> Option<i64> {
        match self.underlying() {
            Underlying::Scalar(value) => value.as_int(),
            Underlying::Struct(_) | Underlying::Map(_) => None,
        }
    }

    /// What Go's encoding/json sees: plain maps, lists and scalars. `None` leaves it to [`Object::underlying`].
    fn encoded(&self) -> Option<Value> {
        None
    }

    /// The fields of a struct with json tags, as encoding/json names and orders them. `None` leaves them to
    /// [`Object::underlying`].
    fn tagged(&self) -> Option<Vec<Field>> {
        None
    }
}
