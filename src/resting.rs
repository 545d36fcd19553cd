//! JSON documents that are kept for long and read seldom: trees while they are worked on, text at rest.
//!
//! A tree takes several times the memory of its text. Knows nothing of what a document says. Pure.

use std::fmt;
use std::sync::OnceLock;

use serde_json::Value;

/// Trees that are deeper stay what they are: `serde_json` would not read their text.
const DEEPEST: usize = 100;

/// A JSON document, which [`rest`](Self::rest)s as text until somebody looks at its [`tree`](Self::tree).
#[derive(Clone)]
pub(crate) struct Resting(State);

#[derive(Clone)]
enum State {
    Tree(Value),
    Text {
        text: Box<str>,
        /// Filled once somebody looks.
        read: OnceLock<Value>,
    },
}

impl Resting {
    /// The document.
    pub(crate) fn tree(&self) -> &Value {
        match &self.0 {
            State::Tree(tree) => tree,
            State::Text { text, read } => read.get_or_init(|| parse(text)),
        }
    }

    /// Changes the document.
    pub(crate) fn change<R>(&mut self, change: impl FnOnce(&mut Value) -> R) -> R {
        let mut tree = match std::mem::replace(&mut self.0, State::Tree(Value::Null)) {
            State::Tree(tree) => tree,
            State::Text { text, mut read } => read.take().unwrap_or_else(|| parse(&text)),
        };
        let changed = change(&mut tree);
        self.0 = State::Tree(tree);
        changed
    }

    /// Keeps the text alone.
    pub(crate) fn rest(&mut self) {
        match &mut self.0 {
            State::Tree(tree) => {
                if depth(tree) <= DEEPEST {
                    self.0 = State::Text {
                        text: tree.to_string().into(),
                        read: OnceLock::new(),
                    };
                }
            }
            State::Text { text: _, read } => drop(read.take()),
        }
    }
}

/// Reads what was written from a tree that is not too deep, which cannot fail.
fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

/// How deep a tree is; a leaf is 0 deep.
fn depth(tree: &Value) -> usize {
    let deepest = match tree {
        Value::Array(items) => items.iter().map(depth).max(),
        Value::Object(fields) => fields.values().map(depth).max(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return 0,
    };
    deepest.unwrap_or_default() + 1
}

impl From<Value> for Resting {
    fn from(tree: Value) -> Self {
        Self(State::Tree(tree))
    }
}

impl PartialEq for Resting {
    fn eq(&self, other: &Self) -> bool {
        self.tree() == other.tree()
    }
}

impl Eq for Resting {}

impl fmt::Debug for Resting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tree().fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn is_text(document: &Resting) -> bool {
        matches!(&document.0, State::Text { text: _, read } if read.get().is_none())
    }

    /// Documents with all that may stand in one.
    fn documents() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn properties_of_a_document_that_rested(document in documents()) {
            let mut resting = Resting::from(document.clone());
            resting.rest();
            prop_assert!(is_text(&resting));
            prop_assert_eq!(resting.tree(), &document);
            // It rests again after a look.
            resting.rest();
            prop_assert!(is_text(&resting));
            prop_assert_eq!(resting, Resting::from(document));
        }
    }

    #[test]
    fn a_document_is_changed_at_rest_as_well() {
        let mut document = Resting::from(json!({"a": 1, "b": 2}));
        document.rest();
        let removed = document.change(|tree| tree.as_object_mut().unwrap().remove("a"));
        assert_eq!((removed, document.tree()), (Some(json!(1)), &json!({"b": 2})));
        document.rest();
        document.tree();
        document.change(|tree| tree["c"] = json!(3));
        assert_eq!(document.tree(), &json!({"b": 2, "c": 3}));
    }

    #[test]
    fn a_document_that_could_not_be_read_again_does_not_rest() {
        let nested = |depth| (0..depth).fold(json!(1), |inner, _| json!([inner]));
        for (depth, rests) in [(DEEPEST, true), (DEEPEST + 1, false)] {
            let mut document = Resting::from(nested(depth));
            document.rest();
            assert_eq!((is_text(&document), document.tree() == &nested(depth)), (rests, true));
        }
    }
}
