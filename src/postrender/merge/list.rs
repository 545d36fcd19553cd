//! Lists that are merged item by item.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::Value;

use super::Path;
use super::directive::{self, Directive};
use crate::postrender::builtin::{Field, MergedList};
use crate::postrender::error::ChangeError;

/// Merges the items of a patch into a list: they come first, in their order, and the other items follow in theirs. (Where items have
/// several keys, only new items come first.) Nothing comes of it when the patch deletes the list.
pub(super) fn merge(
    live: Vec<Value>,
    patch: &[Value],
    merged: &MergedList,
    path: &Path<'_>,
) -> Result<Option<Vec<Value>>, ChangeError> {
    let live = match directive::of_list(patch, path)? {
        Directive::Delete => return Ok(None),
        Directive::Replace => Vec::new(),
        Directive::Merge => live,
    };
    let patch = patch.iter().filter(|item| !directive::is_of_list(item));
    match merged.keys.as_slice() {
        [] => Ok(Some(merge_plain(live, patch))),
        [key, further @ ..] => merge_keyed(live, patch, Keys { key, further }, merged, path).map(Some),
    }
}

/// Merges lists of plain values.
fn merge_plain<'a>(live: Vec<Value>, patch: impl Iterator<Item = &'a Value>) -> Vec<Value> {
    let mut items: Vec<Value> = Vec::with_capacity(live.len());
    let mut seen = std::collections::HashSet::new();
    for item in patch.cloned().chain(live) {
        if seen.insert(text(&item).into_owned()) {
            items.push(item);
        }
    }
    items
}

/// What tells the items of a list apart.
#[derive(Clone, Copy)]
struct Keys<'a> {
    /// The field that every item has.
    key: &'static str,
    /// Fields that an item may leave out: it is then the first one with the other keys.
    further: &'a [&'static str],
}

impl Keys<'_> {
    fn are_of_one_item(self, a: &Value, b: &Value) -> bool {
        let compatible = |key: &&str| match (a.get(key), b.get(key)) {
            (Some(a), Some(b)) => text(a) == text(b),
            (None, _) | (_, None) => true,
        };
        self.further.iter().all(compatible)
    }

    fn are_same(self, a: &Value, b: &Value) -> bool {
        let same = |key: &&str| a.get(key).map(text) == b.get(key).map(text);
        self.further.iter().all(same)
    }
}

/// The list while it is merged: what comes of the patch's items, and what of the live ones is left.
struct Merging<'a> {
    keys: Keys<'a>,
    placed: Vec<Option<Value>>,
    live: Vec<Option<Value>>,
    /// Where the items with the same first key are in `live`.
    positions: HashMap<String, Vec<usize>>,
    placed_positions: HashMap<String, Vec<usize>>,
}

fn merge_keyed<'a>(
    live: Vec<Value>,
    patch: impl Iterator<Item = &'a Value>,
    keys: Keys<'_>,
    merged: &MergedList,
    path: &Path<'_>,
) -> Result<Vec<Value>, ChangeError> {
    let mut positions: HashMap<String, Vec<usize>> = HashMap::new();
    for (position, item) in live.iter().enumerate() {
        if let Some(value) = item.get(keys.key) {
            positions.entry(text(value).into_owned()).or_default().push(position);
        }
    }
    let mut merging = Merging {
        keys,
        placed: Vec::new(),
        live: live.into_iter().map(Some).collect(),
        positions,
        placed_positions: HashMap::new(),
    };
    let field = Field::Plain(merged.items);
    for item in patch {
        merging.take(item, &field, path)?;
    }
    let Merging { placed, live, .. } = merging;
    Ok(placed.into_iter().chain(live).flatten().collect())
}

impl Merging<'_> {
    /// Merges one item of the patch.
    fn take(&mut self, item: &Value, field: &Field, path: &Path<'_>) -> Result<(), ChangeError> {
        let Some(key) = item.get(self.keys.key).filter(|key| !key.is_null()) else {
            return Err(ChangeError::NoKey {
                path: path.to_string(),
                key: self.keys.key,
            });
        };
        let key = text(key).into_owned();
        let path = Path::Item(path, &key);
        if let Some(position) = self.placed_before(&key, item) {
            if let Some(slot) = self.placed.get_mut(position) {
                *slot = super::value(slot.take(), item, field, &path)?;
            }
            return Ok(());
        }
        let position = self.live_position(&key, item);
        let live = position.and_then(|position| self.take_live(position));
        match (super::value(live, item, field, &path)?, position) {
            // Where items have several keys, what was there stays at its place: so does kustomize have it.
            (Some(merged), Some(position)) if !self.keys.further.is_empty() => {
                if let Some(slot) = self.live.get_mut(position) {
                    *slot = Some(merged);
                }
            }
            (Some(merged), _) => {
                self.placed_positions.entry(key).or_default().push(self.placed.len());
                self.placed.push(Some(merged));
            }
            (None, _) => {
                // Further items with these keys go, too.
                while let Some(position) = self.live_position(&key, item) {
                    self.take_live(position);
                }
            }
        }
        Ok(())
    }

    /// Where an item of the patch with the same keys was put.
    fn placed_before(&self, key: &str, item: &Value) -> Option<usize> {
        let positions = self.placed_positions.get(key)?;
        let is_same = |position: &&usize| {
            let placed = self.placed.get(**position).and_then(Option::as_ref);
            placed.is_some_and(|placed| self.keys.are_same(placed, item))
        };
        positions.iter().find(is_same).copied()
    }

    /// Where the live item is that an item of the patch is about: the one with all its keys, or else the first one that leaves a key out.
    fn live_position(&self, key: &str, item: &Value) -> Option<usize> {
        let positions = self.positions.get(key)?;
        let find = |fits: &dyn Fn(&Value) -> bool| {
            let live = |position: &usize| self.live.get(*position).and_then(Option::as_ref);
            let mut positions = positions.iter().copied();
            positions.find(|position| live(position).is_some_and(fits))
        };
        find(&|live| self.keys.are_same(live, item)).or_else(|| find(&|live| self.keys.are_of_one_item(live, item)))
    }

    fn take_live(&mut self, position: usize) -> Option<Value> {
        self.live.get_mut(position)?.take()
    }
}

/// Puts the items that `order` names into that order, at the places where they are; the others stay where they are.
pub(super) fn order(items: &mut [Value], order: &[Value], keys: &[&'static str]) {
    let identity = |item: &Value| -> Vec<String> {
        match keys {
            [] => vec![text(item).into_owned()],
            keys => keys
                .iter()
                .map(|key| item.get(key).map(|key| text(key).into_owned()).unwrap_or_default())
                .collect(),
        }
    };
    let ranks: HashMap<Vec<String>, usize> = order
        .iter()
        .enumerate()
        .map(|(rank, item)| (identity(item), rank))
        .collect();
    let (places, mut named): (Vec<usize>, Vec<(usize, Value)>) = items
        .iter_mut()
        .enumerate()
        .filter_map(|(place, item)| {
            let rank = *ranks.get(&identity(item))?;
            Some((place, (rank, item.take())))
        })
        .unzip();
    named.sort_by_key(|(rank, _)| *rank);
    for (place, (_, item)) in places.into_iter().zip(named) {
        if let Some(slot) = items.get_mut(place) {
            *slot = item;
        }
    }
}

/// A value as keys are compared: the port 80 is the port "80".
fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}
