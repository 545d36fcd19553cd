//! A field set at rest: one block of bytes, about a twentieth of the tree that it is made from.
//!
//! The steps of the tree in order, each as in FieldsV1. A step that occurred before is written as its number: the
//! containers of a Pod mostly have the same fields. Knows nothing about what the set means.

use std::collections::HashMap;

use super::fields_v1::{read_element, write_element};
use super::fieldset::{FieldSet, Node};
use super::path::{FieldPath, PathElement};

/// A set of field paths that is kept for long and compared seldom. Equal sets have equal bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackedFields {
    bytes: Box<[u8]>,
    /// How many paths are in the set.
    members: usize,
}

impl PackedFields {
    /// Packs a set.
    pub fn of(set: &FieldSet) -> Self {
        if set.is_empty() {
            return Self::default();
        }
        let mut writer = Writer::default();
        writer.number(set.entries.len());
        writer.entries(set);
        Self {
            bytes: writer.bytes.into_boxed_slice(),
            members: set.len(),
        }
    }

    /// The set again.
    pub fn unpack(&self) -> FieldSet {
        let mut reader = Reader {
            bytes: &self.bytes,
            steps: Vec::new(),
        };
        // Only `of` makes the bytes, so they can be read.
        let length = reader.number();
        length.and_then(|length| reader.entries(length)).unwrap_or_default()
    }

    /// How many paths are in the set.
    pub const fn len(&self) -> usize {
        self.members
    }

    /// Whether no path is in the set.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether this very path is in the set.
    pub fn contains(&self, path: &FieldPath) -> bool {
        self.unpack().contains(path)
    }
}

#[derive(Default)]
struct Writer<'a> {
    bytes: Vec<u8>,
    /// The steps that were written, by their number.
    steps: HashMap<&'a PathElement, usize>,
}

impl<'a> Writer<'a> {
    fn entries(&mut self, set: &'a FieldSet) {
        for (step, Node { member, children }) in &set.entries {
            self.step(step);
            // The lowest bit says whether the path itself is in the set.
            self.number(children.entries.len() << 1 | usize::from(*member));
            self.entries(children);
        }
    }

    /// Zero and the text of a new step, or the number of a known one and one.
    fn step(&mut self, step: &'a PathElement) {
        if let Some(known) = self.steps.get(step) {
            return self.number(known + 1);
        }
        self.steps.insert(step, self.steps.len());
        let text = write_element(step);
        self.number(0);
        self.number(text.len());
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// Seven bits a byte, the lowest first; the eighth says that more follow.
    fn number(&mut self, mut number: usize) {
        loop {
            let [lowest, ..] = number.to_le_bytes();
            number >>= 7;
            if number == 0 {
                return self.bytes.push(lowest);
            }
            self.bytes.push(lowest | 0x80);
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    steps: Vec<PathElement>,
}

impl Reader<'_> {
    fn entries(&mut self, length: usize) -> Option<FieldSet> {
        let mut entries = Vec::with_capacity(length);
        for _ in 0..length {
            let step = self.step()?;
            let node = self.number()?;
            let member = node & 1 == 1;
            let children = self.entries(node >> 1)?;
            entries.push((step, Node { member, children }));
        }
        Some(FieldSet { entries })
    }

    fn step(&mut self) -> Option<PathElement> {
        if let Some(known) = self.number()?.checked_sub(1) {
            return self.steps.get(known).cloned();
        }
        let length = self.number()?;
        let (text, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        let step = read_element(std::str::from_utf8(text).ok()?).ok()?;
        self.steps.push(step.clone());
        Some(step)
    }

    fn number(&mut self) -> Option<usize> {
        let mut number = 0;
        let mut shift = 0;
        loop {
            let (byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            number |= usize::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
            shift += 7;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ownership::path::tests::any_element;

    #[test]
    fn a_step_is_written_once() {
        let container = |name: &str| format!(".spec.containers[name=\"{name}\"].terminationMessagePolicy");
        let one: FieldSet = [container("a").parse().unwrap()].into_iter().collect();
        let paths = ["a", "b", "c"].map(|name| container(name).parse::<FieldPath>().unwrap());
        let three: FieldSet = paths.into_iter().collect();
        let grown = PackedFields::of(&three).bytes.len() - PackedFields::of(&one).bytes.len();
        let step = "00k:{\"name\":\"b\"}".len();
        assert!(grown < 2 * (step + "member, children, step".len()), "{grown}");
    }

    #[test]
    fn nothing_takes_no_room() {
        let empty = PackedFields::of(&FieldSet::new());
        assert!(empty.is_empty() && empty.bytes.is_empty());
        assert_eq!((empty.len(), empty.unpack()), (0, FieldSet::new()));
    }

    proptest! {
        #[test]
        fn round_trips(paths in prop::collection::vec(prop::collection::vec(any_element(), 1..5), 0..8)) {
            let set: FieldSet = paths.into_iter().map(FieldPath::new).collect();
            let packed = PackedFields::of(&set);
            prop_assert_eq!((packed.len(), packed.is_empty()), (set.len(), set.is_empty()));
            prop_assert_eq!(packed.unpack(), set);
        }

        #[test]
        fn many_steps_are_numbered(count in 100usize..400) {
            let paths = (0..count).flat_map(|i| [format!(".a.k{i}"), format!(".b.k{i}")]);
            let set: FieldSet = paths.map(|path| path.parse::<FieldPath>().unwrap()).collect();
            prop_assert_eq!(PackedFields::of(&set).unpack(), set);
        }
    }
}
