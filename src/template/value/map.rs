//! Go maps with string keys: shared and mutable, so that a `set` is seen through every handle.

use super::{Frozen, Text, Value, scope};
use std::cell::{Cell, Ref, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// The static type of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapType {
    /// `map[string]interface {}`.
    Any,
    /// `map[string]string`.
    Strings,
    /// Helm's `common.Values`: a `map[string]interface {}` with methods.
    Values,
}

impl MapType {
    /// The type as `%T` prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "map[string]interface {}",
            Self::Strings => "map[string]string",
            Self::Values => "common.Values",
        }
    }

    /// The value of a key that is not there.
    pub fn zero(self) -> Value {
        match self {
            Self::Any | Self::Values => Value::Nil,
            Self::Strings => Value::String(Text::default()),
        }
    }

    /// Whether elements are held in an interface (their static type is `interface {}`).
    pub fn holds_interfaces(self) -> bool {
        match self {
            Self::Any | Self::Values => true,
            Self::Strings => false,
        }
    }
}

/// Writing into a nil map, which Go forbids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("assignment to entry in nil map")]
pub struct NilMap;

/// A handle on a Go map. Clones share the entries.
#[derive(Clone)]
pub struct Map {
    entries: Option<Rc<Entries>>,
    map_type: MapType,
}

/// The shared part. Sorted, because everything that a template can see of a map is sorted by key.
pub(super) struct Entries {
    live: RefCell<BTreeMap<Text, Value>>,
    /// What `live` is made of when it is first looked at; until then it is empty.
    frozen: Cell<Option<Arc<Frozen>>>,
    /// Whether the scope of the rendering knows this map already.
    watched: Cell<bool>,
}

impl Map {
    /// An empty `map[string]interface {}`.
    pub fn new() -> Self {
        Self::of(MapType::Any, BTreeMap::new())
    }

    /// A map of the given type with these entries.
    pub fn of(map_type: MapType, entries: BTreeMap<Text, Value>) -> Self {
        Self {
            entries: Some(Rc::new(Entries {
                live: RefCell::new(entries),
                frozen: Cell::new(None),
                watched: Cell::new(false),
            })),
            map_type,
        }
    }

    /// A map of its own with the entries of a frozen table, which are not copied before they are looked at.
    pub fn frozen(map_type: MapType, entries: Arc<Frozen>) -> Self {
        Self {
            entries: Some(Rc::new(Entries {
                live: RefCell::default(),
                frozen: Cell::new(Some(entries)),
                watched: Cell::new(false),
            })),
            map_type,
        }
    }

    /// The nil map.
    pub fn nil(map_type: MapType) -> Self {
        Self {
            entries: None,
            map_type,
        }
    }

    /// The same map seen as another type, as a Go conversion does. Entries stay shared.
    #[must_use]
    pub fn with_type(&self, map_type: MapType) -> Self {
        Self {
            entries: self.entries.clone(),
            map_type,
        }
    }

    /// The static type.
    pub fn map_type(&self) -> MapType {
        self.map_type
    }

    /// Whether this is the nil map.
    pub fn is_nil(&self) -> bool {
        self.entries.is_none()
    }

    /// The value at a key. Nil stored and key missing differ.
    pub fn get(&self, key: &[u8]) -> Option<Value> {
        self.entries.as_ref()?.live().borrow().get(key).cloned()
    }

    /// Whether the key is there.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.entries
            .as_ref()
            .is_some_and(|entries| entries.live().borrow().contains_key(key))
    }

    /// Stores a value, for all handles.
    pub fn insert(&self, key: impl Into<Text>, value: Value) -> Result<(), NilMap> {
        let entries = self.entries.as_ref().ok_or(NilMap)?;
        scope::watch(entries, &value);
        let replaced = entries.live().borrow_mut().insert(key.into(), value);
        drop(replaced);
        Ok(())
    }

    /// Removes a key, for all handles; a nil map has none.
    pub fn remove(&self, key: &[u8]) -> Option<Value> {
        self.entries.as_ref()?.live().borrow_mut().remove(key)
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        let Some(entries) = &self.entries else {
            return 0;
        };
        match self.as_frozen() {
            Some(frozen) => frozen.len(),
            None => entries.live.borrow().len(),
        }
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The keys, sorted.
    pub fn keys(&self) -> Vec<Text> {
        self.borrow()
            .map_or_else(Vec::new, |entries| entries.keys().cloned().collect())
    }

    /// A copy of the entries, sorted by key: safe to walk while the map changes.
    pub fn entries(&self) -> Vec<(Text, Value)> {
        let pairs = |entries: Ref<'_, BTreeMap<Text, Value>>| {
            entries
                .iter()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect()
        };
        self.borrow().map_or_else(Vec::new, pairs)
    }

    /// The entries without a copy; `None` for a nil map. Nothing may write to the map while this is held: keep it
    /// away from code that calls back into templates.
    pub fn borrow(&self) -> Option<Ref<'_, BTreeMap<Text, Value>>> {
        self.entries.as_ref().map(|entries| entries.live().borrow())
    }

    /// The frozen table behind this map, as long as nobody has looked at its entries.
    pub fn as_frozen(&self) -> Option<Arc<Frozen>> {
        let entries = self.entries.as_ref()?;
        let frozen = entries.frozen.take();
        entries.frozen.set(frozen.clone());
        frozen
    }

    /// Whether nobody else holds this map; not for a nil one, of which there is nothing to hold.
    pub(crate) fn is_unique(&self) -> bool {
        self.entries
            .as_ref()
            .is_some_and(|entries| Rc::strong_count(entries) == 1)
    }

    /// Whether both handles share their entries.
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.entries, &other.entries) {
            (Some(ours), Some(theirs)) => Rc::ptr_eq(ours, theirs),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    /// An address that stands for the shared entries, for cycle checks; 0 for nil.
    pub fn address(&self) -> usize {
        self.entries.as_ref().map_or(0, |entries| Rc::as_ptr(entries).addr())
    }
}

impl Default for Map {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Into<Text>, V: Into<Value>> FromIterator<(K, V)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self::of(
            MapType::Any,
            pairs
                .into_iter()
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        )
    }
}

impl Entries {
    /// The entries, thawed if they are still frozen.
    fn live(&self) -> &RefCell<BTreeMap<Text, Value>> {
        if let Some(frozen) = self.frozen.take() {
            *self.live.borrow_mut() = frozen.thaw().collect();
        }
        &self.live
    }

    /// Takes all entries out, which breaks any cycle through this map.
    pub(super) fn take(&self) -> BTreeMap<Text, Value> {
        self.frozen.take();
        self.watched.set(false);
        self.live.take()
    }

    /// Notes that the scope knows this map; false when it did already.
    pub(super) fn is_first_watch(&self) -> bool {
        !self.watched.replace(true)
    }

    /// Whether there is nothing in it that would need care when it is dropped.
    fn is_plain(&mut self) -> bool {
        self.live.get_mut().is_empty()
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        if !self.is_plain() {
            scope::release(self.live.take().into_values());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_seen_through_every_handle() {
        let map = Map::new();
        let values = map.with_type(MapType::Values);
        map.insert("a", Value::Int(1)).unwrap();
        assert_eq!(values.get(b"a").unwrap().as_int(), Some(1));
        assert!(values.is_same(&map) && values.address() == map.address());
        values.remove(b"a");
        assert!(map.is_empty());
    }

    #[test]
    fn a_frozen_map_is_like_any_other() {
        let serde_json::Value::Object(json) =
            serde_json::json!({"a": {"b": {"c": 1.0}}, "l": [{"x": null}], "n": null})
        else {
            panic!("a table")
        };
        let frozen = Arc::new(Frozen::new(&json));
        let (ours, theirs) = [(); 2].map(|()| Map::frozen(MapType::Any, Arc::clone(&frozen))).into();
        assert_eq!(
            Value::Map(ours.clone()).to_json().unwrap(),
            serde_json::Value::Object(json.clone())
        );
        assert!(ours.as_frozen().is_some() && ours.len() == 3 && frozen.has_nulls());
        let inner = |map: &Map| map.get(b"a").unwrap().as_map().unwrap().clone();
        inner(&ours).insert("d", Value::Bool(true)).unwrap();
        // The same inner map each time, and nothing shows in the other copy.
        assert!(inner(&ours).is_same(&inner(&ours)) && inner(&ours).len() == 2);
        assert_eq!(Value::Map(theirs).to_json().unwrap(), serde_json::Value::Object(json));
        ours.remove(b"a");
        assert_eq!(ours.keys().len(), 2);
    }

    #[test]
    fn a_nil_map_reads_as_empty_and_refuses_writes() {
        let map = Map::nil(MapType::Any);
        assert!(map.get(b"a").is_none() && map.entries().is_empty());
        assert_eq!(map.insert("a", Value::Nil), Err(NilMap));
    }

    #[test]
    fn a_deep_map_is_dropped_without_recursion() {
        let mut value = Value::Nil;
        for _ in 0..100_000 {
            value = Value::Map(Map::from_iter([("a", value)]));
        }
        drop(value);
    }
}
