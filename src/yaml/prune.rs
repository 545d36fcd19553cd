//! Leaves out of a document what its reader does not want, before values are made of it.
//!
//! Only what certainly decodes is left out: whatever could be an error stays, so that `decode` finds the same errors in the
//! same order.

use super::emit::Dialect;
use super::resolve::{Scalar, resolve};
use super::tree::{Kind, Node, NodeId, Tree};

/// Drops the entries of the root mapping whose keys are not wanted. The nodes of the tree stay.
///
/// If one of them may be an error, all stay: a later entry of the same key can make it none.
pub(super) fn prune(tree: &mut Tree<'_>, wanted: fn(&str) -> bool) {
    let Some(root) = tree.root else { return };
    // go-yaml's bound on aliases counts all nodes.
    if tree.has_aliases {
        return;
    }
    let Kind::Mapping(children) = &tree.nodes[root].kind else {
        return;
    };
    let mut kept = Vec::new();
    for pair in children.chunks_exact(2) {
        if !is_unwanted(&tree.nodes[pair[0]], wanted) {
            kept.extend_from_slice(pair);
        } else if !is_harmless_key(tree, pair[0]) || !is_harmless(tree, pair[1]) {
            return;
        }
    }
    if let Kind::Mapping(children) = &mut tree.nodes[root].kind {
        *children = kept;
    }
}

fn is_unwanted(key: &Node<'_>, wanted: fn(&str) -> bool) -> bool {
    match &key.kind {
        Kind::Scalar { text, .. } => !wanted(text),
        Kind::Sequence(_) | Kind::Mapping(_) | Kind::Alias { .. } => false,
    }
}

/// Whether a node decodes without an error and without meaning anything for other nodes. The grammar bounds its depth.
fn is_harmless(tree: &Tree<'_>, id: NodeId) -> bool {
    let node = &tree.nodes[id];
    if node.tag.is_some() {
        return false;
    }
    match &node.kind {
        Kind::Scalar { text, plain } => !plain || is_harmless_plain(text),
        Kind::Sequence(items) => items.iter().all(|item| is_harmless(tree, *item)),
        Kind::Mapping(children) => children
            .chunks_exact(2)
            .all(|pair| is_harmless_key(tree, pair[0]) && is_harmless(tree, pair[1])),
        Kind::Alias { .. } => false,
    }
}

/// Not an infinity and not NaN, which JSON cannot say. Both have a dot at their beginning or behind their sign.
fn is_harmless_plain(text: &str) -> bool {
    match text.as_bytes() {
        [b'.', ..] | [b'+' | b'-', b'.', ..] => {
            !matches!(resolve(text, Dialect::V2), Scalar::Float(float) if !float.is_finite())
        }
        _ => true,
    }
}

/// A string of its own. All keys that are no strings begin with one of few characters.
fn is_harmless_key(tree: &Tree<'_>, id: NodeId) -> bool {
    let node = &tree.nodes[id];
    let Kind::Scalar { text, plain } = &node.kind else {
        return false;
    };
    node.tag.is_none()
        && (!plain
            || match text.as_bytes().first() {
                None | Some(b'<') => false,
                Some(b'~' | b'+' | b'-' | b'.' | b'0'..=b'9' | b'n' | b'N') => {
                    matches!(resolve(text, Dialect::V2), Scalar::Str | Scalar::Timestamp)
                }
                Some(_) => true,
            })
}
