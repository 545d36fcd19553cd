//! `merge` and `mergeOverwrite`: dario.cat/mergo 1.0 on dictionaries.
//!
//! The first dictionary is changed and returned. What is taken over is shared with its source, not copied.

use super::{defaults::is_empty, message};
use crate::template::error::FunctionError;
use crate::template::function::{Cost, Function, Type, Variadic, function};
use crate::template::value::{Kind, Map, MapType, Value};

type Result<T> = std::result::Result<T, FunctionError>;

/// How deep dictionaries are merged; below that is a cycle, on which mergo overflows its stack.
const DEPTH: usize = 1_000;

pub(super) const FUNCTIONS: &[Function] = &[
    function!("merge", merge, (&Map; &Map) -> Result<Map> as Type::Any).costs(Cost::Walks),
    function!("mustMerge", merge, (&Map; &Map) -> Result<Map> as Type::Any).costs(Cost::Walks),
    function!("mergeOverwrite", merge_overwrite, (&Map; &Map) -> Result<Map> as Type::Any).costs(Cost::Walks),
    function!("mustMergeOverwrite", merge_overwrite, (&Map; &Map) -> Result<Map> as Type::Any).costs(Cost::Walks),
];

/// Values of the first win, unless they are empty.
fn merge(target: &Map, sources: Variadic<'_, &Map>) -> Result<Map> {
    merge_all(target, sources, false)
}

/// Values of the last win, even empty ones.
fn merge_overwrite(target: &Map, sources: Variadic<'_, &Map>) -> Result<Map> {
    merge_all(target, sources, true)
}

fn merge_all(target: &Map, sources: Variadic<'_, &Map>, overwrite: bool) -> Result<Map> {
    let mut target = target.with_type(MapType::Any);
    for source in sources.collect()? {
        if target.is_nil() && !source.is_nil() {
            target = Map::new();
        }
        merge_maps(&target, source, overwrite, DEPTH)?;
    }
    Ok(target)
}

fn merge_maps(target: &Map, source: &Map, overwrite: bool, depth: usize) -> Result<()> {
    let below = depth
        .checked_sub(1)
        .ok_or_else(|| message("merge: the dictionary contains itself"))?;
    for (key, theirs) in source.entries() {
        if matches!(theirs, Value::Nil) {
            // A nil is never added, it only overwrites.
            if overwrite {
                target.insert(key, Value::Nil)?;
            }
            continue;
        }
        let ours = target.get(&key);
        if let (Some(Value::Map(ours)), Value::Map(theirs)) = (&ours, &theirs)
            && !ours.is_nil()
        {
            merge_maps(ours, theirs, overwrite, below)?;
        }
        // mergo's own test for emptiness is Sprig's, for all that a template can hold.
        let present = ours.as_ref().filter(|value| !is_empty(value));
        let replaced = match (present, theirs.kind()) {
            // An empty dictionary was filled above all the same, and is then replaced by the source's.
            (None, _) => true,
            (Some(ours), Kind::Map) if ours.kind() == Kind::Map => false,
            (Some(_), _) => overwrite,
        };
        if replaced {
            target.insert(key, theirs)?;
        }
    }
    Ok(())
}
