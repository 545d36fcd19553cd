//! Lists. Every function makes a new list; the argument is not changed.

use std::borrow::Cow;

use super::defaults::is_empty;
use super::equality::deep_equal;
use super::{message, nil_dereference};
use crate::go::cast::to_i64;
use crate::template::context::Context;
use crate::template::error::FunctionError;
use crate::template::function::{Cost, Function, Int, Type, Variadic, function};
use crate::template::value::{List, ListType, Value};

type Result<T> = std::result::Result<T, FunctionError>;

/// Sprig's functions panic where their `must` forms return an error; in a template both are the call's error.
pub(super) const FUNCTIONS: &[Function] = &[
    function!("list", list, (; &Value) -> List),
    function!("tuple", list, (; &Value) -> List),
    function!("append", append, (&Value, &Value) -> Result<List>),
    function!("push", append, (&Value, &Value) -> Result<List>),
    function!("mustAppend", append, (&Value, &Value) -> Result<List>),
    function!("mustPush", append, (&Value, &Value) -> Result<List>),
    function!("prepend", prepend, (&Value, &Value) -> Result<List>),
    function!("mustPrepend", prepend, (&Value, &Value) -> Result<List>),
    function!("first", first, (&Value) -> Result<Value>),
    function!("mustFirst", first, (&Value) -> Result<Value>),
    function!("last", last, (&Value) -> Result<Value>),
    function!("mustLast", last, (&Value) -> Result<Value>),
    function!("rest", rest, (&Value) -> Result<List>),
    function!("mustRest", rest, (&Value) -> Result<List>),
    function!("initial", initial, (&Value) -> Result<List>),
    function!("mustInitial", initial, (&Value) -> Result<List>),
    function!("reverse", reverse, (&Value) -> Result<List>),
    function!("mustReverse", reverse, (&Value) -> Result<List>),
    function!("compact", compact, (&Value) -> Result<List>),
    function!("mustCompact", compact, (&Value) -> Result<List>),
    function!("uniq", @context uniq, (&Value) -> Result<List>),
    function!("mustUniq", @context uniq, (&Value) -> Result<List>),
    function!("without", @context without, (&Value; &Value) -> Result<List>),
    function!("mustWithout", @context without, (&Value; &Value) -> Result<List>),
    function!("has", has, (&Value, &Value) -> Result<bool>).costs(Cost::Walks),
    function!("mustHas", has, (&Value, &Value) -> Result<bool>).costs(Cost::Walks),
    function!("slice", slice, (&Value; &Value) -> Result<Value>),
    function!("mustSlice", slice, (&Value; &Value) -> Result<Value>),
    function!("concat", concat, (; &Value) -> Result<Value>),
    function!("chunk", chunk, (Int, &Value) -> Result<Value> as Type::List(ListType::Lists)),
    function!("mustChunk", chunk, (Int, &Value) -> Result<Value> as Type::List(ListType::Lists)),
];

/// The elements, or the error in Sprig's words: `Cannot {what} type {kind}`.
fn items<'v>(value: &'v Value, what: &str) -> Result<Cow<'v, [Value]>> {
    match value {
        Value::List(list) => Ok(Cow::Borrowed(list.as_slice())),
        Value::Bytes(bytes) => Ok(bytes.as_bytes().iter().copied().map(Value::Uint8).collect()),
        Value::Nil => Err(nil_dereference()),
        other => Err(message(format!("Cannot {what} type {}", other.kind().name()))),
    }
}

fn list(values: Variadic<'_, &Value>) -> List {
    List::new(values.as_slice().to_vec())
}

fn append(list: &Value, value: &Value) -> Result<List> {
    let items = items(list, "push on")?;
    Ok(List::new(items.iter().chain([value]).cloned().collect()))
}

fn prepend(list: &Value, value: &Value) -> Result<List> {
    let items = items(list, "prepend on")?;
    Ok(List::new([value].into_iter().chain(items.iter()).cloned().collect()))
}

fn first(list: &Value) -> Result<Value> {
    Ok(items(list, "find first on")?.first().cloned().unwrap_or_default())
}

fn last(list: &Value) -> Result<Value> {
    Ok(items(list, "find last on")?.last().cloned().unwrap_or_default())
}

/// A part of a list; of an empty one, the nil slice.
fn part(part: Option<&[Value]>) -> List {
    part.map_or_else(|| List::nil(ListType::Any), |items| List::new(items.to_vec()))
}

fn rest(list: &Value) -> Result<List> {
    let items = items(list, "find rest on")?;
    Ok(part(items.split_first().map(|(_, rest)| rest)))
}

fn initial(list: &Value) -> Result<List> {
    let items = items(list, "find initial on")?;
    Ok(part(items.split_last().map(|(_, initial)| initial)))
}

fn reverse(list: &Value) -> Result<List> {
    let items = items(list, "find reverse on")?;
    Ok(List::new(items.iter().rev().cloned().collect()))
}

fn compact(list: &Value) -> Result<List> {
    let items = items(list, "compact on")?;
    Ok(List::new(
        items.iter().filter(|item| !is_empty(item)).cloned().collect(),
    ))
}

/// Counts the comparison of every part of a list with so many others.
fn spend_comparing(context: &mut Context<'_>, list: &Value, others: usize) -> Result<()> {
    /// How many comparisons take the time of a step.
    const COMPARISONS_PER_STEP: usize = 16;
    let nodes = usize::try_from(context.measure(list)?.nodes).unwrap_or(usize::MAX);
    Ok(context.spend(nodes.saturating_mul(others) / COMPARISONS_PER_STEP)?)
}

fn uniq(context: &mut Context<'_>, list: &Value) -> Result<List> {
    let items = items(list, "find uniq on")?;
    spend_comparing(context, list, items.len())?;
    let mut kept: Vec<Value> = Vec::new();
    for item in items.iter() {
        if !contains(&kept, item) {
            kept.push(item.clone());
        }
    }
    Ok(List::new(kept))
}

fn contains(items: &[Value], wanted: &Value) -> bool {
    items.iter().any(|item| deep_equal(wanted, item))
}

fn without(context: &mut Context<'_>, list: &Value, omitted: Variadic<'_, &Value>) -> Result<List> {
    let items = items(list, "find without on")?;
    spend_comparing(context, list, omitted.as_slice().len())?;
    let kept = items.iter().filter(|item| !contains(omitted.as_slice(), item));
    Ok(List::new(kept.cloned().collect()))
}

fn has(wanted: &Value, list: &Value) -> Result<bool> {
    if matches!(list, Value::Nil) {
        return Ok(false);
    }
    Ok(contains(&items(list, "find has on")?, wanted))
}

fn slice(list: &Value, indices: Variadic<'_, &Value>) -> Result<Value> {
    let items = match list {
        Value::List(_) | Value::Bytes(_) => items(list, "slice")?,
        Value::Nil => return Err(nil_dereference()),
        other => {
            return Err(message(format!(
                "list should be type of slice or array but {}",
                other.kind().name()
            )));
        }
    };
    if items.is_empty() {
        return Ok(Value::Nil);
    }
    let size = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let index = |position: usize, otherwise: i64| indices.as_slice().get(position).map_or(otherwise, to_i64);
    let bounds = (usize::try_from(index(0, 0)), usize::try_from(index(1, size)));
    let (Ok(start), Ok(end)) = bounds else {
        return Err(message("reflect.Value.Slice: slice index out of bounds"));
    };
    let part = items
        .get(start..end)
        .ok_or_else(|| message("reflect.Value.Slice: slice index out of bounds"))?;
    Ok(match list {
        Value::List(list) => Value::List(List::of(list.list_type(), part.to_vec())),
        Value::Bytes(bytes) => {
            let part = bytes.as_bytes().get(start..end).unwrap_or_default();
            Value::Bytes(crate::template::value::Bytes::new(part))
        }
        _ => Value::Nil,
    })
}

/// Without any element the result is the nil slice.
fn concat(lists: Variadic<'_, &Value>) -> Result<Value> {
    let mut joined = Vec::new();
    for list in lists.as_slice() {
        match list {
            Value::List(_) | Value::Bytes(_) => joined.extend(items(list, "concat")?.iter().cloned()),
            Value::Nil => return Err(nil_dereference()),
            other => return Err(message(format!("Cannot concat type {} as list", other.kind().name()))),
        }
    }
    if joined.is_empty() {
        return Ok(Value::List(List::nil(ListType::Any)));
    }
    Ok(Value::list(joined))
}

fn chunk(Int(size): Int, list: &Value) -> Result<Value> {
    let items = items(list, "chunk")?;
    let too_long = || message("runtime error: makeslice: len out of range");
    let chunks = match usize::try_from(size).ok().filter(|&size| size > 0) {
        Some(size) => items.chunks(size).map(|chunk| Value::list(chunk.to_vec())).collect(),
        // Sprig counts them as floor((n - 1) / size) + 1, and means it for negative sizes, too.
        None if items.len() == 1 && size < -1 => vec![Value::list(items.to_vec())],
        None if items.len() > 1 && i64::try_from(items.len()).is_ok_and(|length| size <= 1 - length) => Vec::new(),
        None => return Err(too_long()),
    };
    Ok(Value::List(List::of(ListType::Lists, chunks)))
}
