//! The grammar: from tokens to the nodes of the first document, with the errors that libyaml's parser gives.

use std::borrow::Cow;
use std::collections::HashMap;

use super::error::Error;
use super::limits::MAX_DEPTH;
use super::scanner::Scanner;
use super::token::{Token, TokenKind};
use super::tree::{Kind, Node, NodeId, Tree};

const CORE_TAGS: &str = "tag:yaml.org,2002:";

/// Reads the first document. What follows it is not looked at, as Helm does not.
pub(super) fn read(text: &str) -> Result<Tree<'_>, Error> {
    let mut parser = Parser {
        scanner: Scanner::new(text),
        tree: Tree::default(),
        anchors: HashMap::new(),
        tags: Vec::new(),
        depth: 0,
    };
    parser.document()?;
    Ok(parser.tree)
}

struct Parser<'i> {
    scanner: Scanner<'i>,
    tree: Tree<'i>,
    anchors: HashMap<&'i str, NodeId>,
    /// Handles and what they stand for.
    tags: Vec<(String, String)>,
    depth: usize,
}

/// Where a node stands, which decides what it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Block,
    /// In a block mapping, where a sequence needs no indentation.
    BlockInMapping,
    Flow,
}

/// What stands before a node's content.
#[derive(Debug, Default)]
struct Properties<'i> {
    anchor: Option<&'i str>,
    tag: Option<String>,
}

impl<'i> Parser<'i> {
    fn document(&mut self) -> Result<(), Error> {
        let root = match self.scanner.peek()?.kind {
            TokenKind::StreamEnd => return Ok(()),
            TokenKind::Version { .. } | TokenKind::TagDirective { .. } | TokenKind::DocumentStart => {
                self.directives()?;
                let token = self.scanner.peek()?;
                if !matches!(token.kind, TokenKind::DocumentStart) {
                    return Err(problem("did not find expected <document start>", token.line));
                }
                self.scanner.take()?;
                self.document_content()?
            }
            _ => {
                self.directives()?;
                self.node(Place::Block)?
            }
        };
        self.tree.root = Some(root);
        // The end of the document is seen at the next token, which may be none.
        self.scanner.peek()?;
        Ok(())
    }

    fn document_content(&mut self) -> Result<NodeId, Error> {
        let token = self.scanner.peek()?;
        match token.kind {
            TokenKind::Version { .. }
            | TokenKind::TagDirective { .. }
            | TokenKind::DocumentStart
            | TokenKind::DocumentEnd
            | TokenKind::StreamEnd => {
                let line = token.line;
                Ok(self.empty(line))
            }
            _ => self.node(Place::Block),
        }
    }

    fn directives(&mut self) -> Result<(), Error> {
        let mut version_seen = false;
        loop {
            let token = self.scanner.peek()?;
            let line = token.line;
            match &token.kind {
                TokenKind::Version { major, minor } => {
                    if version_seen {
                        return Err(problem("found duplicate %YAML directive", line));
                    }
                    if (*major, *minor) != (1, 1) {
                        return Err(problem("found incompatible YAML document", line));
                    }
                    version_seen = true;
                }
                TokenKind::TagDirective { handle, prefix } => {
                    if self.tags.iter().any(|(known, _)| known == handle) {
                        return Err(problem("found duplicate %TAG directive", line));
                    }
                    self.tags.push((handle.clone(), prefix.clone()));
                }
                _ => break,
            }
            self.scanner.take()?;
        }
        for (handle, prefix) in [("!", "!"), ("!!", CORE_TAGS)] {
            if !self.tags.iter().any(|(known, _)| known == handle) {
                self.tags.push((handle.to_owned(), prefix.to_owned()));
            }
        }
        Ok(())
    }

    fn node(&mut self, place: Place) -> Result<NodeId, Error> {
        let line = self.scanner.peek()?.line;
        if let TokenKind::Alias(name) = self.scanner.peek()?.kind {
            self.scanner.take()?;
            let Some(&target) = self.anchors.get(name) else {
                return Err(Error::Invalid(format!("unknown anchor '{name}' referenced")));
            };
            self.tree.has_aliases = true;
            return Ok(self.push(line, Properties::default(), Kind::Alias { name, target }));
        }
        let properties = self.properties()?;
        let token = self.scanner.peek()?;
        let token_line = token.line;
        match token.kind {
            TokenKind::BlockEntry if place == Place::BlockInMapping => {
                self.collection(line, properties, Kind::Sequence(Vec::new()), Self::indentless_sequence)
            }
            TokenKind::Scalar { .. } => {
                let Token {
                    kind: TokenKind::Scalar { text, plain },
                    ..
                } = self.scanner.take()?
                else {
                    return Ok(self.empty(line));
                };
                let plain = match properties.tag.as_deref() {
                    None => plain,
                    Some(tag) => tag == "!",
                };
                Ok(self.push(line, properties, Kind::Scalar { text, plain }))
            }
            TokenKind::FlowSequenceStart => {
                self.collection(line, properties, Kind::Sequence(Vec::new()), Self::flow_sequence)
            }
            TokenKind::FlowMappingStart => {
                self.collection(line, properties, Kind::Mapping(Vec::new()), Self::flow_mapping)
            }
            TokenKind::BlockSequenceStart if place != Place::Flow => {
                self.collection(line, properties, Kind::Sequence(Vec::new()), Self::block_sequence)
            }
            TokenKind::BlockMappingStart if place != Place::Flow => {
                self.collection(line, properties, Kind::Mapping(Vec::new()), Self::block_mapping)
            }
            _ if properties.anchor.is_some() || properties.tag.is_some() => {
                let plain = properties.tag.is_none();
                Ok(self.push(
                    line,
                    properties,
                    Kind::Scalar {
                        text: Cow::Borrowed(""),
                        plain,
                    },
                ))
            }
            _ => Err(problem("did not find expected node content", token_line)),
        }
    }

    /// An anchor and a tag, in either order.
    fn properties(&mut self) -> Result<Properties<'i>, Error> {
        let mut properties = Properties::default();
        let mut tagged = false;
        loop {
            match self.scanner.peek()?.kind {
                TokenKind::Anchor(name) if properties.anchor.is_none() => {
                    self.scanner.take()?;
                    properties.anchor = Some(name);
                }
                TokenKind::Tag { .. } if !tagged => {
                    let Token {
                        kind: TokenKind::Tag { handle, suffix },
                        line,
                        ..
                    } = self.scanner.take()?
                    else {
                        return Ok(properties);
                    };
                    tagged = true;
                    // Resolved only now, so that an error of the scanner behind it comes first.
                    self.scanner.peek()?;
                    properties.tag = Some(self.resolve_tag(&handle, suffix, line)?);
                }
                _ => return Ok(properties),
            }
        }
    }

    fn resolve_tag(&self, handle: &str, suffix: String, line: u32) -> Result<String, Error> {
        if handle.is_empty() {
            return Ok(suffix);
        }
        match self.tags.iter().find(|(known, _)| known == handle) {
            Some((_, prefix)) => Ok(format!("{prefix}{suffix}")),
            None => Err(problem("found undefined tag handle", line)),
        }
    }

    /// Adds a collection and reads its children into it.
    fn collection(
        &mut self,
        line: u32,
        properties: Properties<'i>,
        kind: Kind<'i>,
        read: fn(&mut Self) -> Result<Vec<NodeId>, Error>,
    ) -> Result<NodeId, Error> {
        if self.depth >= MAX_DEPTH {
            return Err(Error::TooDeep {
                line: Some(u64::from(line) + 1),
            });
        }
        let id = self.push(line, properties, kind);
        self.depth += 1;
        let read = read(self)?;
        self.depth -= 1;
        if let Some(Node {
            kind: Kind::Sequence(children) | Kind::Mapping(children),
            ..
        }) = self.tree.nodes.get_mut(id)
        {
            *children = read;
        }
        Ok(id)
    }

    fn block_sequence(&mut self) -> Result<Vec<NodeId>, Error> {
        self.scanner.take()?;
        let mut items = Vec::new();
        loop {
            let token = self.scanner.peek()?;
            match token.kind {
                TokenKind::BlockEntry => {
                    let line = self.scanner.take()?.end_line;
                    items.push(match self.scanner.peek()?.kind {
                        TokenKind::BlockEntry | TokenKind::BlockEnd => self.empty(line),
                        _ => self.node(Place::Block)?,
                    });
                }
                TokenKind::BlockEnd => {
                    self.scanner.take()?;
                    return Ok(items);
                }
                _ => return Err(problem("did not find expected '-' indicator", token.line)),
            }
        }
    }

    fn indentless_sequence(&mut self) -> Result<Vec<NodeId>, Error> {
        let mut items = Vec::new();
        while matches!(self.scanner.peek()?.kind, TokenKind::BlockEntry) {
            let line = self.scanner.take()?.end_line;
            items.push(match self.scanner.peek()?.kind {
                TokenKind::BlockEntry | TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => self.empty(line),
                _ => self.node(Place::Block)?,
            });
        }
        Ok(items)
    }

    fn block_mapping(&mut self) -> Result<Vec<NodeId>, Error> {
        self.scanner.take()?;
        let mut pairs = Vec::new();
        loop {
            let token = self.scanner.peek()?;
            match token.kind {
                TokenKind::Key => {
                    pairs.push(self.block_mapping_part()?);
                    let token = self.scanner.peek()?;
                    let line = token.line;
                    pairs.push(match token.kind {
                        TokenKind::Value => self.block_mapping_part()?,
                        _ => self.empty(line),
                    });
                }
                TokenKind::BlockEnd => {
                    self.scanner.take()?;
                    return Ok(pairs);
                }
                _ => return Err(problem("did not find expected key", token.line)),
            }
        }
    }

    /// What stands behind `?` or `:`.
    fn block_mapping_part(&mut self) -> Result<NodeId, Error> {
        let line = self.scanner.take()?.end_line;
        match self.scanner.peek()?.kind {
            TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => Ok(self.empty(line)),
            _ => self.node(Place::BlockInMapping),
        }
    }

    fn flow_sequence(&mut self) -> Result<Vec<NodeId>, Error> {
        self.scanner.take()?;
        let mut items = Vec::new();
        let mut first = true;
        loop {
            if matches!(self.scanner.peek()?.kind, TokenKind::FlowSequenceEnd) {
                break;
            }
            if !first {
                self.flow_separator("did not find expected ',' or ']'")?;
            }
            first = false;
            let token = self.scanner.peek()?;
            let line = token.line;
            match token.kind {
                TokenKind::FlowSequenceEnd => break,
                TokenKind::Key => {
                    self.scanner.take()?;
                    items.push(self.collection(
                        line,
                        Properties::default(),
                        Kind::Mapping(Vec::new()),
                        Self::single_pair,
                    )?);
                }
                _ => items.push(self.node(Place::Flow)?),
            }
        }
        self.scanner.take()?;
        Ok(items)
    }

    /// `[key: value]`, behind the KEY token.
    fn single_pair(&mut self) -> Result<Vec<NodeId>, Error> {
        let token = self.scanner.peek()?;
        let key = match token.kind {
            TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowSequenceEnd => {
                let line = token.end_line;
                // libyaml loses this token.
                self.scanner.take()?;
                self.empty(line)
            }
            _ => self.node(Place::Flow)?,
        };
        let mut token = self.scanner.peek()?;
        let line = token.line;
        if matches!(token.kind, TokenKind::Value) {
            self.scanner.take()?;
            token = self.scanner.peek()?;
            if !matches!(token.kind, TokenKind::FlowEntry | TokenKind::FlowSequenceEnd) {
                let value = self.node(Place::Flow)?;
                return Ok(vec![key, value]);
            }
        }
        let value = self.empty(line);
        Ok(vec![key, value])
    }

    fn flow_mapping(&mut self) -> Result<Vec<NodeId>, Error> {
        self.scanner.take()?;
        let mut pairs = Vec::new();
        let mut first = true;
        loop {
            if matches!(self.scanner.peek()?.kind, TokenKind::FlowMappingEnd) {
                break;
            }
            if !first {
                self.flow_separator("did not find expected ',' or '}'")?;
            }
            first = false;
            match self.scanner.peek()?.kind {
                TokenKind::FlowMappingEnd => break,
                TokenKind::Key => {
                    self.scanner.take()?;
                    let token = self.scanner.peek()?;
                    let line = token.line;
                    pairs.push(match token.kind {
                        TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowMappingEnd => self.empty(line),
                        _ => self.node(Place::Flow)?,
                    });
                    pairs.push(self.flow_mapping_value()?);
                }
                _ => {
                    pairs.push(self.node(Place::Flow)?);
                    let line = self.scanner.peek()?.line;
                    pairs.push(self.empty(line));
                }
            }
        }
        self.scanner.take()?;
        Ok(pairs)
    }

    fn flow_mapping_value(&mut self) -> Result<NodeId, Error> {
        if matches!(self.scanner.peek()?.kind, TokenKind::Value) {
            self.scanner.take()?;
            if !matches!(
                self.scanner.peek()?.kind,
                TokenKind::FlowEntry | TokenKind::FlowMappingEnd
            ) {
                return self.node(Place::Flow);
            }
        }
        let line = self.scanner.peek()?.line;
        Ok(self.empty(line))
    }

    fn flow_separator(&mut self, missing: &str) -> Result<(), Error> {
        let token = self.scanner.peek()?;
        if !matches!(token.kind, TokenKind::FlowEntry) {
            return Err(problem(missing, token.line));
        }
        self.scanner.take()?;
        Ok(())
    }

    fn empty(&mut self, line: u32) -> NodeId {
        self.push(
            line,
            Properties::default(),
            Kind::Scalar {
                text: Cow::Borrowed(""),
                plain: true,
            },
        )
    }

    fn push(&mut self, line: u32, properties: Properties<'i>, kind: Kind<'i>) -> NodeId {
        let Properties { anchor, tag } = properties;
        let id = self.tree.nodes.len();
        self.tree.nodes.push(Node {
            line: line + 1,
            tag,
            kind,
        });
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, id);
        }
        id
    }
}

/// go-yaml counts the lines of these errors from zero, and names no line where that gives zero.
fn problem(problem: &str, line: u32) -> Error {
    Error::Syntax {
        line: (line != 0).then_some(u64::from(line)),
        editor_line: Some(u64::from(line) + 1),
        problem: problem.to_owned(),
    }
}
