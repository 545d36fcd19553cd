//! A document as a tree of nodes, from libyaml's events.
//!
//! Values are not decided here (that is `decode`): a node keeps its text, its tag and the line that errors name.

use std::collections::HashMap;

use libyaml_safer::{ErrorKind, Event, EventData, Parser};

use super::error::Error;
use super::limits::{MAX_DEPTH, MAX_INPUT};

/// An index into a [`Tree`].
pub(super) type NodeId = usize;

/// One node. Its tag is in the long form (`tag:yaml.org,2002:int`).
#[derive(Debug)]
pub(super) struct Node {
    /// As editors count.
    pub(super) line: u64,
    pub(super) tag: Option<String>,
    pub(super) kind: Kind,
}

/// What a node is.
#[derive(Debug)]
pub(super) enum Kind {
    /// `plain`: neither quoted nor tagged, so that the text decides what it is.
    Scalar {
        text: String,
        plain: bool,
    },
    Sequence(Vec<NodeId>),
    /// Keys and values in turn.
    Mapping(Vec<NodeId>),
    Alias {
        name: String,
        target: NodeId,
    },
}

/// The first document of a stream.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    /// `None` for an empty stream.
    pub(super) root: Option<NodeId>,
    pub(super) has_aliases: bool,
}

/// Reads the first document. What follows it is not looked at, as Helm does not.
pub(super) fn read(input: &[u8]) -> Result<Tree, Error> {
    if input.len() > MAX_INPUT {
        return Err(Error::TooLarge { size: input.len() });
    }
    let mut parser = Parser::new();
    parser.set_input(input);
    let mut builder = Builder::default();
    loop {
        let event = parser.parse().map_err(|error| syntax_error(&error))?;
        if builder.add(event)? {
            return Ok(builder.tree);
        }
    }
}

/// go-yaml counts the lines of the grammar's errors from zero, and names no line where that gives zero.
fn syntax_error(error: &libyaml_safer::Error) -> Error {
    let problem_line = error.problem_mark().map_or(0, |mark| mark.line);
    let line = match problem_line {
        0 => error.context_mark().map_or(0, |mark| mark.line),
        line if error.kind() == ErrorKind::Scanner => line + 1,
        line => line,
    };
    Error::Syntax {
        line: (line != 0).then_some(line),
        problem: error.problem().to_owned(),
    }
}

#[derive(Default)]
struct Builder {
    tree: Tree,
    anchors: HashMap<String, NodeId>,
    /// The collections that are not closed yet.
    open: Vec<NodeId>,
}

impl Builder {
    /// Takes one event; `true` when the document is complete.
    fn add(&mut self, event: Event) -> Result<bool, Error> {
        let line = event.start_mark.line + 1;
        match event.data {
            EventData::StreamStart { .. } | EventData::DocumentStart { .. } => {}
            EventData::StreamEnd | EventData::DocumentEnd { .. } => return Ok(true),
            EventData::Scalar {
                anchor,
                tag,
                value,
                plain_implicit,
                ..
            } => {
                self.push(
                    line,
                    tag,
                    anchor,
                    Kind::Scalar {
                        text: value,
                        plain: plain_implicit,
                    },
                );
            }
            EventData::SequenceStart { anchor, tag, .. } => {
                self.open(line, tag, anchor, Kind::Sequence(Vec::new()))?;
            }
            EventData::MappingStart { anchor, tag, .. } => {
                self.open(line, tag, anchor, Kind::Mapping(Vec::new()))?;
            }
            EventData::SequenceEnd | EventData::MappingEnd => {
                self.open.pop();
            }
            EventData::Alias { anchor } => {
                let Some(&target) = self.anchors.get(&anchor) else {
                    return Err(Error::Invalid(format!("unknown anchor '{anchor}' referenced")));
                };
                self.tree.has_aliases = true;
                self.push(line, None, None, Kind::Alias { name: anchor, target });
            }
        }
        Ok(false)
    }

    fn open(&mut self, line: u64, tag: Option<String>, anchor: Option<String>, kind: Kind) -> Result<(), Error> {
        if self.open.len() >= MAX_DEPTH {
            return Err(Error::TooDeep { line: Some(line) });
        }
        let id = self.push(line, tag, anchor, kind);
        self.open.push(id);
        Ok(())
    }

    fn push(&mut self, line: u64, tag: Option<String>, anchor: Option<String>, kind: Kind) -> NodeId {
        let id = self.tree.nodes.len();
        self.tree.nodes.push(Node { line, tag, kind });
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, id);
        }
        match self.open.last().and_then(|&parent| self.tree.nodes.get_mut(parent)) {
            Some(Node {
                kind: Kind::Sequence(children) | Kind::Mapping(children),
                ..
            }) => children.push(id),
            Some(_) => {}
            None => self.tree.root = Some(id),
        }
        id
    }
}
