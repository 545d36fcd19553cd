//! The functions that templates call: one table, one module a family.

pub mod builtin;
pub mod helm;
pub mod sprig;

#[cfg(test)]
mod tests;

use super::function::Function;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::sync::LazyLock;

/// The families. A later one replaces functions of the same name, as Helm's map of functions does.
const FAMILIES: &[&[&[Function]]] = &[&[builtin::FUNCTIONS], sprig::FAMILIES, helm::FAMILIES];

static TABLE: LazyLock<HashMap<&'static [u8], &'static Function, RandomState>> = LazyLock::new(|| {
    let functions = FAMILIES.iter().copied().flatten().copied().flatten();
    functions.map(|function| (function.name.as_bytes(), function)).collect()
});

/// The names of all functions, sorted.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = TABLE.values().map(|function| function.name).collect();
    names.sort_unstable();
    names
}

/// The function of that name, if templates have one.
pub fn find(name: &[u8]) -> Option<&'static Function> {
    TABLE.get(name).copied()
}
