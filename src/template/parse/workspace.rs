//! What the parsing of one source leaves for the next: names, and the memory in which lists are collected.
//!
//! Knows nothing of the grammar. A rendering parses thousands of small texts of `tpl`.

use super::Names;
use crate::template::tree::{Command, Expression, Node};
use crate::template::value::Text;

/// What sources that are parsed one after the other share.
#[derive(Debug, Default)]
pub(in crate::template) struct Workspace {
    pub(super) names: Names,
    /// Lists that are being read, each behind those around it. Empty between two sources.
    pub(super) nodes: Vec<Node>,
    pub(super) commands: Vec<Command>,
    pub(super) operands: Vec<Expression>,
    pub(super) fields: Vec<Text>,
}

impl Workspace {
    /// Forgets lists that an error has left unfinished.
    pub(super) fn clear(&mut self) {
        let Self {
            names: _,
            nodes,
            commands,
            operands,
            fields,
        } = self;
        nodes.clear();
        commands.clear();
        operands.clear();
        fields.clear();
    }
}
