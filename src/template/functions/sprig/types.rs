//! Go types by name, and deep equality.

use super::equality::deep_equal;
use crate::template::function::{Cost, Function, function};
use crate::template::value::{Text, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    function!("typeOf", Value::type_name, (&Value) -> &'static str),
    function!("typeIs", type_is, (&Text, &Value) -> bool),
    function!("typeIsLike", type_is_like, (&Text, &Value) -> bool),
    function!("kindOf", kind_of, (&Value) -> &'static str),
    function!("kindIs", kind_is, (&Text, &Value) -> bool),
    function!("deepEqual", deep_equal, (&Value, &Value) -> bool).costs(Cost::Walks),
];

fn type_is(name: &Text, value: &Value) -> bool {
    value.type_name().as_bytes() == name.as_bytes()
}

fn type_is_like(name: &Text, value: &Value) -> bool {
    type_is(name, value) || value.type_name().as_bytes().strip_prefix(b"*") == Some(name.as_bytes())
}

fn kind_of(value: &Value) -> &'static str {
    value.kind().name()
}

fn kind_is(name: &Text, value: &Value) -> bool {
    kind_of(value).as_bytes() == name.as_bytes()
}
