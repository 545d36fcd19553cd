//! A set of field paths, as managedFields carries it (FieldsV1), and its algebra.
//!
//! A tree of sorted vectors: every operation is one walk over both trees, and a set of a typical Deployment
//! takes a few kilobytes. Knows nothing about managers or values.

use std::cmp::Ordering;
use std::iter::Peekable;

use super::path::{FieldPath, PathElement};

/// What stands below one step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Node {
    /// Whether the path that ends here is in the set itself (FieldsV1: `.`, or `{}`).
    pub(super) member: bool,
    pub(super) children: FieldSet,
}

impl Node {
    fn is_empty(&self) -> bool {
        !self.member && self.children.is_empty()
    }
}

/// How a path relates to a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// The path itself is in the set.
    Exact,
    /// A path above it is in the set as a leaf: an atomic list or map that holds it.
    Ancestor,
    /// Paths below it are in the set.
    Descendant,
}

/// A set of field paths.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct FieldSet {
    /// Sorted by element; no node is empty.
    pub(super) entries: Vec<(PathElement, Node)>,
}

impl FieldSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// Whether no path is in the set.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many paths are in the set.
    pub fn len(&self) -> usize {
        self.entries
            .iter()
            .map(|(_, node)| usize::from(node.member) + node.children.len())
            .sum()
    }

    /// Adds a path; the root cannot be a member and is ignored.
    pub fn insert(&mut self, path: &FieldPath) {
        self.insert_elements(path.elements());
    }

    fn insert_elements(&mut self, elements: &[PathElement]) {
        let Some((first, rest)) = elements.split_first() else {
            return;
        };
        let position = match self.position(first) {
            Ok(position) => position,
            Err(position) => {
                self.entries.insert(position, (first.clone(), Node::default()));
                position
            }
        };
        if let Some((_, node)) = self.entries.get_mut(position) {
            if rest.is_empty() {
                node.member = true;
            } else {
                node.children.insert_elements(rest);
            }
        }
    }

    fn position(&self, element: &PathElement) -> Result<usize, usize> {
        self.entries.binary_search_by(|(candidate, _)| candidate.cmp(element))
    }

    fn node(&self, element: &PathElement) -> Option<&Node> {
        self.position(element)
            .ok()
            .and_then(|position| self.entries.get(position))
            .map(|(_, node)| node)
    }

    /// What of the set stands below one step from its root; `None` if nothing of it is there.
    pub(super) fn children(&self, element: &PathElement) -> Option<&Self> {
        self.node(element).map(|node| &node.children)
    }

    /// Whether this very path is in the set.
    pub fn contains(&self, path: &FieldPath) -> bool {
        self.relation(path) == Some(Relation::Exact)
    }

    /// How the path relates to the set; `None` if the set holds neither it, nor a leaf above it, nor anything below it.
    pub fn relation(&self, path: &FieldPath) -> Option<Relation> {
        let mut set = self;
        let mut elements = path.elements().iter().peekable();
        while let Some(element) = elements.next() {
            let node = set.node(element)?;
            if elements.peek().is_none() {
                return Some(if node.member {
                    Relation::Exact
                } else {
                    Relation::Descendant
                });
            }
            if node.children.is_empty() {
                return Some(Relation::Ancestor);
            }
            set = &node.children;
        }
        (!self.is_empty()).then_some(Relation::Descendant)
    }

    /// All paths of the set in order.
    pub fn paths(&self) -> Vec<FieldPath> {
        let mut found = Vec::new();
        self.walk(&mut Vec::new(), &mut |path, node| {
            if node.member {
                found.push(FieldPath::new(path.to_vec()));
            }
        });
        found
    }

    /// The paths of the set below which nothing else is in the set, in order.
    pub fn leaves(&self) -> Vec<FieldPath> {
        let mut found = Vec::new();
        self.walk(&mut Vec::new(), &mut |path, node| {
            if node.children.is_empty() {
                found.push(FieldPath::new(path.to_vec()));
            }
        });
        found
    }

    fn walk(&self, prefix: &mut Vec<PathElement>, visit: &mut impl FnMut(&[PathElement], &Node)) {
        for (element, node) in &self.entries {
            prefix.push(element.clone());
            visit(prefix, node);
            node.children.walk(prefix, visit);
            prefix.pop();
        }
    }

    /// Every path that is in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.combine(
            other,
            Keep {
                left: true,
                right: true,
            },
            |a, b| a || b,
        )
    }

    /// Every path that is in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.combine(
            other,
            Keep {
                left: false,
                right: false,
            },
            |a, b| a && b,
        )
    }

    /// Every path of this set that is not in the other.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.combine(
            other,
            Keep {
                left: true,
                right: false,
            },
            |a, b| a && !b,
        )
    }

    /// The part of the set at and below a path.
    #[must_use]
    pub fn at_or_below(&self, path: &FieldPath) -> Self {
        self.part(path.elements())
    }

    fn part(&self, elements: &[PathElement]) -> Self {
        let Some((first, rest)) = elements.split_first() else {
            return self.clone();
        };
        let Some(node) = self.node(first) else {
            return Self::new();
        };
        let node = if rest.is_empty() {
            node.clone()
        } else {
            Node {
                member: false,
                children: node.children.part(rest),
            }
        };
        let entries = if node.is_empty() {
            Vec::new()
        } else {
            vec![(first.clone(), node)]
        };
        Self { entries }
    }

    /// The set without a path and everything below it.
    #[must_use]
    pub fn without(&self, path: &FieldPath) -> Self {
        self.difference(&self.at_or_below(path))
    }

    /// Whether every path of this set is in the other.
    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.difference(other).is_empty()
    }

    fn combine(&self, other: &Self, keep: Keep, member: fn(bool, bool) -> bool) -> Self {
        let mut entries = Vec::new();
        let mut left = self.entries.iter().peekable();
        let mut right = other.entries.iter().peekable();
        while let Some(side) = next_side(&mut left, &mut right) {
            match side {
                Side::Left((element, node)) if keep.left => entries.push((element.clone(), node.clone())),
                Side::Right((element, node)) if keep.right => entries.push((element.clone(), node.clone())),
                Side::Left(_) | Side::Right(_) => {}
                Side::Both((element, ours), (_, theirs)) => {
                    let node = Node {
                        member: member(ours.member, theirs.member),
                        children: ours.children.combine(&theirs.children, keep, member),
                    };
                    if !node.is_empty() {
                        entries.push((element.clone(), node));
                    }
                }
            }
        }
        Self { entries }
    }
}

impl FromIterator<FieldPath> for FieldSet {
    fn from_iter<I: IntoIterator<Item = FieldPath>>(paths: I) -> Self {
        let mut set = Self::new();
        for path in paths {
            set.insert(&path);
        }
        set
    }
}

/// Which subtrees without a counterpart are kept.
#[derive(Clone, Copy)]
struct Keep {
    left: bool,
    right: bool,
}

type Entry = (PathElement, Node);

enum Side<'a> {
    Left(&'a Entry),
    Right(&'a Entry),
    Both(&'a Entry, &'a Entry),
}

/// The next entry of a merge of two sorted walks.
fn next_side<'a>(
    left: &mut Peekable<std::slice::Iter<'a, Entry>>,
    right: &mut Peekable<std::slice::Iter<'a, Entry>>,
) -> Option<Side<'a>> {
    let order = match (left.peek(), right.peek()) {
        (None, None) => return None,
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (Some((a, _)), Some((b, _))) => a.cmp(b),
    };
    match order {
        Ordering::Less => left.next().map(Side::Left),
        Ordering::Greater => right.next().map(Side::Right),
        Ordering::Equal => Some(Side::Both(left.next()?, right.next()?)),
    }
}

#[cfg(test)]
mod tests;
