//! A document as a tree of nodes.
//!
//! Values are not decided here (that is `decode`), nor is the grammar (that is `grammar`): a node keeps its text, its tag
//! and the line that errors name.

use std::borrow::Cow;

/// An index into a [`Tree`].
pub(super) type NodeId = usize;

/// One node. Its tag is in the long form (`tag:yaml.org,2002:int`).
#[derive(Debug)]
pub(super) struct Node<'i> {
    /// As editors count.
    pub(super) line: u32,
    pub(super) tag: Option<String>,
    pub(super) kind: Kind<'i>,
}

/// What a node is.
#[derive(Debug)]
pub(super) enum Kind<'i> {
    /// `plain`: not quoted, so that without a tag the text decides what it is.
    Scalar {
        text: Cow<'i, str>,
        plain: bool,
    },
    Sequence(Vec<NodeId>),
    /// Keys and values in turn.
    Mapping(Vec<NodeId>),
    Alias {
        name: &'i str,
        target: NodeId,
    },
}

/// The first document of a stream.
#[derive(Debug, Default)]
pub(super) struct Tree<'i> {
    pub(super) nodes: Vec<Node<'i>>,
    /// `None` for an empty stream.
    pub(super) root: Option<NodeId>,
    pub(super) has_aliases: bool,
}
