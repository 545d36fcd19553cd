//! Tokens into trees: a recursive descent that reads as many tokens ahead as Go's does, so that messages name the
//! same line and the same token.
//!
//! This file holds what the parser keeps and the top level; the rooms beside it hold the parts of the grammar.

mod control;
mod lookahead;
mod operand;
mod pipeline;

use super::Workspace;
use super::lexer::{Keyword, Kind, Lexer, Token, quoted};
use crate::template::error::ParseError;
use crate::template::tree::{List, Node, Source, Template, Templates};
use crate::template::value::Text;
use std::sync::Arc;

/// How deep blocks and parentheses may nest. Go allows 10000 parentheses and any number of blocks; no chart comes near,
/// and both parser and executor use the stack for each level.
const DEPTH: usize = 400;

/// Parses one source into its templates: the top level under the source's name, and what it defines.
pub(in crate::template) fn parse(source: &Arc<Source>, workspace: &mut Workspace) -> Result<Templates, ParseError> {
    workspace.clear();
    let text = source.text.clone();
    let mut input = Input {
        source,
        lexer: Lexer::new(&text),
        templates: Templates::new(),
        workspace,
        depth: 0,
    };
    let mut parser = Parser::new(&mut input);
    let parsed = parser
        .top_level()
        .and_then(|root| parser.add(Arc::clone(&source.name), root));
    match parsed {
        Ok(()) => Ok(input.templates),
        Err(error) => Err(*error),
    }
}

/// Takes what a list was collected in from `start` on, in exactly the memory that it needs: trees live as long as their chart.
fn collected<T>(scratch: &mut Vec<T>, start: usize) -> Vec<T> {
    scratch.drain(start..).collect()
}

/// As [`collected`], the first one by itself; `None` if there is none.
fn collected_first<T>(scratch: &mut Vec<T>, start: usize) -> Option<(T, Vec<T>)> {
    let mut found = scratch.drain(start..);
    let first = found.next()?;
    Some((first, found.collect()))
}

/// What the parsers of one source share.
struct Input<'s> {
    source: &'s Arc<Source>,
    lexer: Lexer<'s>,
    templates: Templates,
    workspace: &'s mut Workspace,
    depth: usize,
}

/// Builds the tree of one template.
struct Parser<'i, 's> {
    input: &'i mut Input<'s>,
    tokens: [Token<'s>; 3],
    peeked: usize,
    variables: Vec<Scoped>,
    slots: usize,
    range_depth: usize,
    /// Where the current action starts; 0 outside of one.
    action_line: usize,
}

/// A variable in scope.
struct Scoped {
    name: Text,
    /// Where its value is at run time.
    slot: usize,
    /// Known to Go's parser, but not to its executor: the pipeline that declares it is still being parsed, or the list
    /// that it belongs to is over and its `else` has begun.
    pending: bool,
}

/// What one step of a list is.
enum Item {
    Node(Node),
    End,
    Else,
}

/// Where a pipeline stands, which decides what it may declare.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Command,
    If,
    With,
    Range,
    Block,
    Template,
    Parentheses,
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::If => "if",
            Self::With => "with",
            Self::Range => "range",
            Self::Block => "block clause",
            Self::Template => "template clause",
            Self::Parentheses => "parenthesized pipeline",
        }
    }
}

/// The error is boxed: results are moved all the time, and errors are rare.
type Parsed<T> = Result<T, Box<ParseError>>;

impl<'i, 's> Parser<'i, 's> {
    fn new(input: &'i mut Input<'s>) -> Self {
        let token = Token {
            kind: Kind::Error,
            position: 0,
            line: 0,
            text: b"",
        };
        let dollar = input.workspace.names.share(b"$");
        Self {
            input,
            tokens: [token; 3],
            peeked: 0,
            variables: vec![Scoped {
                name: dollar,
                slot: 0,
                pending: false,
            }],
            slots: 1,
            range_depth: 0,
            action_line: 0,
        }
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.input.depth >= DEPTH {
            return self.error("max expression depth exceeded");
        }
        self.input.depth += 1;
        let parsed = parse(self);
        self.input.depth -= 1;
        parsed
    }

    /// Puts a finished template beside the others of this source.
    fn add(&mut self, name: Arc<str>, root: List) -> Parsed<()> {
        let source = Arc::clone(self.input.source);
        let template = Template {
            name: Arc::clone(&name),
            source,
            root: Arc::new(root),
            slots: self.slots,
        };
        if self.input.templates.get(&name).is_none_or(|known| known.is_empty()) {
            self.input.templates.insert(name, Arc::new(template));
        } else if !template.is_empty() {
            return self.error(format!("template: multiple definition of template {}", quoted(&name)));
        }
        Ok(())
    }

    fn top_level(&mut self) -> Parsed<List> {
        let start = self.input.workspace.nodes.len();
        loop {
            match self.peek().kind {
                Kind::Eof => {
                    let nodes = collected(&mut self.input.workspace.nodes, start);
                    return Ok(List { nodes });
                }
                Kind::LeftDelimiter => {
                    let delimiter = self.next();
                    if self.next_non_space().kind == Kind::Keyword(Keyword::Define) {
                        Parser::new(self.input).definition()?;
                        continue;
                    }
                    self.tokens[1] = delimiter;
                    self.peeked = 2;
                }
                _ => {}
            }
            match self.text_or_action()? {
                Item::Node(node) => self.input.workspace.nodes.push(node),
                Item::End => return self.error("unexpected {{end}}"),
                Item::Else => return self.error("unexpected {{else}}"),
            }
        }
    }

    fn definition(&mut self) -> Parsed<()> {
        const CONTEXT: &str = "define clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        self.expect_right_delimiter(CONTEXT)?;
        match self.body(&name)? {
            Item::Else => self.error(format!("unexpected {{{{else}}}} in {CONTEXT}")),
            Item::Node(_) | Item::End => Ok(()),
        }
    }

    /// The rest of a `define` or `block`, and what ends it. Only one that ends well is defined.
    fn body(&mut self, name: &Text) -> Parsed<Item> {
        let (root, end) = self.item_list()?;
        if let Item::End = end {
            self.add(Arc::from(name.to_str_lossy()), root)?;
        }
        Ok(end)
    }

    /// Items up to an end or else.
    fn item_list(&mut self) -> Parsed<(List, Item)> {
        let start = self.input.workspace.nodes.len();
        while self.peek_non_space().kind != Kind::Eof {
            match self.text_or_action()? {
                Item::Node(node) => self.input.workspace.nodes.push(node),
                end @ (Item::End | Item::Else) => {
                    let nodes = collected(&mut self.input.workspace.nodes, start);
                    return Ok((List { nodes }, end));
                }
            }
        }
        self.error("unexpected EOF")
    }

    fn text_or_action(&mut self) -> Parsed<Item> {
        let token = self.next_non_space();
        match token.kind {
            Kind::Text => Ok(Item::Node(Node::Text {
                range: token.position..token.position + token.text.len(),
            })),
            Kind::LeftDelimiter => {
                self.action_line = token.line;
                let item = self.action();
                self.action_line = 0;
                item
            }
            _ => self.unexpected(&token, "input"),
        }
    }
}
