//! The functions that Go's text/template itself has. The executor evaluates `and`, `or` and `call` by itself;
//! `slice` is missing because Sprig's replaces it.

mod comparison;
mod elements;
mod escape;

use crate::go::fmt;
use crate::template::context::Context;
use crate::template::function::{Argument, Cost, Function, Int, Type, Variadic, function};
use crate::template::value::Text;
use crate::template::{FunctionError, Value};
use comparison::{eq, ge, gt, le, lt, ne};
use elements::{index, length};

/// A parameter of Go type `reflect.Value`: any value, nil included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reflect<'a>(&'a Value);

impl<'a> Argument<'a> for Reflect<'a> {
    const TYPE: Type = Type::Reflect;

    fn take(value: &'a Value) -> Result<Self, FunctionError> {
        Ok(Self(value))
    }
}

/// This family's functions.
pub const FUNCTIONS: &[Function] = &[
    function!("and", first, (Reflect<'_>; Reflect<'_>) -> Value as Type::Reflect),
    function!("call", first, (Reflect<'_>; Reflect<'_>) -> Value as Type::Reflect),
    function!("eq", @context eq, (Reflect<'_>; Reflect<'_>) -> Result<bool, FunctionError>),
    function!("ge", ge, (Reflect<'_>, Reflect<'_>) -> Result<bool, FunctionError>),
    function!("gt", gt, (Reflect<'_>, Reflect<'_>) -> Result<bool, FunctionError>),
    function!("html", escape::html, (; &Value) -> Vec<u8>).costs(Cost::Walks),
    function!("index", index, (Reflect<'_>; Reflect<'_>) -> Result<Value, FunctionError> as Type::Reflect),
    function!("js", escape::js, (; &Value) -> Vec<u8>).costs(Cost::Walks),
    function!("le", le, (Reflect<'_>, Reflect<'_>) -> Result<bool, FunctionError>),
    function!("len", length, (Reflect<'_>) -> Result<Int, FunctionError>),
    function!("lt", lt, (Reflect<'_>, Reflect<'_>) -> Result<bool, FunctionError>),
    function!("ne", @context ne, (Reflect<'_>, Reflect<'_>) -> Result<bool, FunctionError>),
    function!("not", not, (Reflect<'_>) -> bool),
    function!("or", first, (Reflect<'_>; Reflect<'_>) -> Value as Type::Reflect),
    function!("print", print, (; &Value) -> Vec<u8>).costs(Cost::Walks),
    function!("printf", @context printf, (&Text; &Value) -> Result<Vec<u8>, FunctionError>).costs(Cost::Walks),
    function!("println", println, (; &Value) -> Vec<u8>).costs(Cost::Walks),
    function!("urlquery", escape::urlquery, (; &Value) -> Vec<u8>).costs(Cost::Walks),
];

/// What stands in the table for functions that the executor evaluates.
fn first(first: Reflect<'_>, _rest: Variadic<'_, Reflect<'_>>) -> Value {
    first.0.clone()
}

fn not(value: Reflect<'_>) -> bool {
    !value.0.is_true()
}

fn print(arguments: Variadic<'_, &Value>) -> Vec<u8> {
    fmt::sprint(arguments.as_slice())
}

fn println(arguments: Variadic<'_, &Value>) -> Vec<u8> {
    fmt::sprintln(arguments.as_slice())
}

fn printf(context: &mut Context<'_>, format: &Text, arguments: Variadic<'_, &Value>) -> Result<Vec<u8>, FunctionError> {
    let mut largest = 1;
    let padding = padding(format);
    // Every element of a list is padded.
    for argument in arguments.as_slice().iter().filter(|_| padding > 0) {
        largest = largest.max(usize::try_from(context.measure(argument)?.nodes).unwrap_or(usize::MAX));
    }
    context.check_size(padding.saturating_mul(largest))?;
    Ok(fmt::sprintf(format, arguments.as_slice()))
}

/// How many bytes the widths and precisions of a format ask for at most.
fn padding(format: &[u8]) -> usize {
    /// Go takes no larger ones.
    const LARGEST: usize = 1_000_000;
    let (mut sum, mut number) = (0_usize, 0_usize);
    for byte in format {
        match byte {
            b'0'..=b'9' => number = (number * 10 + usize::from(byte - b'0')).min(LARGEST),
            b'*' => sum = sum.saturating_add(LARGEST),
            _ => sum = sum.saturating_add(std::mem::take(&mut number)),
        }
    }
    sum
}
