//! The lifetime of values: iterative dropping, and breaking the cycles that `set` can make.

use super::Value;
use super::map::Entries;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

/// How many containers inside one another are dropped by recursion, which is the fastest; what is nested deeper waits.
const RECURSION: u32 = 32;

thread_local! {
    /// How many containers are being dropped inside one another.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// Containers that are nested too deep, to be dropped when the stack is free again.
    static WAITING: RefCell<Vec<Value>> = const { RefCell::new(Vec::new()) };
    /// Maps that were given a container inside the current scope: each may be part of a cycle.
    static WATCHED: RefCell<Option<Vec<Weak<Entries>>>> = const { RefCell::new(None) };
}

/// Drops children of a container with a bounded stack, however deep the nesting is.
pub(super) fn release(children: impl Iterator<Item = Value>) {
    let depth = DEPTH.get();
    if depth == RECURSION {
        let containers = children.filter(|child| matches!(child, Value::List(_) | Value::Map(_) | Value::Object(_)));
        // Only while its thread ends is the list not there any more.
        let _ = WAITING.try_with(|waiting| waiting.borrow_mut().extend(containers));
        return;
    }
    DEPTH.set(depth + 1);
    children.for_each(drop);
    while depth == 0
        && let Ok(Some(child)) = WAITING.try_with(|waiting| waiting.borrow_mut().pop())
    {
        drop(child);
    }
    DEPTH.set(depth);
}

/// Notes a map that is given a container, while a [`Scope`] is open.
pub(super) fn watch(map: &Rc<Entries>, value: &Value) {
    if !matches!(value, Value::List(_) | Value::Map(_) | Value::Object(_)) {
        return;
    }
    WATCHED.with(|watched| {
        if let Some(maps) = watched.borrow_mut().as_mut()
            && map.is_first_watch()
        {
            maps.push(Rc::downgrade(map));
        }
    });
}

/// The extent of one rendering. A chart may tie maps into cycles (`set $ "self" $`), which reference counting never
/// frees; when the outermost scope of a thread ends, every map that was written to inside it is emptied. Values must
/// therefore not be used after the scope in which they were changed.
#[derive(Debug)]
pub struct Scope {
    outermost: bool,
    /// Bound to the thread whose values it watches.
    _thread: std::marker::PhantomData<Rc<()>>,
}

impl Scope {
    /// Opens a scope on this thread; inside another one it does nothing.
    #[expect(
        clippy::new_without_default,
        reason = "a guard that is made by accident would empty maps"
    )]
    pub fn new() -> Self {
        let outermost = WATCHED.with(|watched| {
            let mut watched = watched.borrow_mut();
            let outermost = watched.is_none();
            watched.get_or_insert_with(Vec::new);
            outermost
        });
        Self {
            outermost,
            _thread: std::marker::PhantomData,
        }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        if !self.outermost {
            return;
        }
        let maps = WATCHED
            .try_with(|watched| watched.borrow_mut().take())
            .ok()
            .flatten()
            .unwrap_or_default();
        for map in maps.iter().filter_map(Weak::upgrade) {
            release(map.take().into_values());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Map;
    use super::*;

    #[test]
    fn a_cycle_is_freed_with_the_scope() {
        let scope = Scope::new();
        let map = Map::new();
        map.insert("self", Value::Map(map.clone())).unwrap();
        let inner = Map::new();
        inner
            .insert("outer", Value::list(vec![Value::Map(map.clone())]))
            .unwrap();
        map.insert("inner", Value::Map(inner.clone())).unwrap();
        drop(scope);
        assert!(map.is_empty() && inner.is_empty());
    }

    #[test]
    fn an_inner_scope_leaves_the_outer_one_alone() {
        let _outer = Scope::new();
        let map = Map::new();
        {
            let _inner = Scope::new();
            map.insert("list", Value::list(Vec::new())).unwrap();
        }
        assert_eq!(map.len(), 1);
    }
}
