//! Tokens into trees: a recursive descent that reads as many tokens ahead as Go's does, so that messages name the
//! same line and the same token.

use super::lexer::{Keyword, Kind, Lexer, Token, quoted};
use super::number;
use crate::go::strconv;
use crate::template::error::ParseError;
use crate::template::functions;
use crate::template::tree::{
    Branch, Builtin, Command, Expression, List, Node, Pipe, Source, Template, UNDEFINED, Variable,
};
use crate::template::value::Text;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How deep blocks and parentheses may nest. Go allows 10000 parentheses and any number of blocks; no chart comes near,
/// and both parser and executor use the stack for each level.
const DEPTH: usize = 400;

/// Parses one source into its templates: the top level under the source's name, and what it defines.
pub(in crate::template) fn parse(source: &Arc<Source>) -> Result<BTreeMap<Arc<str>, Template>, ParseError> {
    let text = Arc::clone(&source.text);
    let mut input = Input {
        source,
        lexer: Lexer::new(&text),
        templates: BTreeMap::new(),
        depth: 0,
    };
    let mut parser = Parser::new(&mut input);
    let root = parser.top_level()?;
    parser.add(Arc::clone(&source.name), root)?;
    Ok(input.templates)
}

/// What the parsers of one source share.
struct Input<'s> {
    source: &'s Arc<Source>,
    lexer: Lexer<'s>,
    templates: BTreeMap<Arc<str>, Template>,
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
    /// The pipeline that declares it is still being parsed, and does not see it yet.
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

type Parsed<T> = Result<T, ParseError>;

impl<'i, 's> Parser<'i, 's> {
    fn new(input: &'i mut Input<'s>) -> Self {
        let token = Token {
            kind: Kind::Error,
            position: 0,
            line: 0,
            text: b"",
            error: None,
        };
        Self {
            input,
            tokens: [token.clone(), token.clone(), token],
            peeked: 0,
            variables: vec![Scoped {
                name: Text::from("$"),
                slot: 0,
                pending: false,
            }],
            slots: 1,
            range_depth: 0,
            action_line: 0,
        }
    }

    fn next(&mut self) -> Token<'s> {
        match self.peeked.checked_sub(1) {
            Some(peeked) => self.peeked = peeked,
            None => self.tokens[0] = self.input.lexer.next(),
        }
        self.tokens[self.peeked].clone()
    }

    fn backup(&mut self) {
        self.peeked += 1;
    }

    fn peek(&mut self) -> &Token<'s> {
        if self.peeked == 0 {
            self.peeked = 1;
            self.tokens[0] = self.input.lexer.next();
        }
        &self.tokens[self.peeked - 1]
    }

    fn next_non_space(&mut self) -> Token<'s> {
        loop {
            let token = self.next();
            if token.kind != Kind::Space {
                return token;
            }
        }
    }

    fn peek_non_space(&mut self) -> Token<'s> {
        let token = self.next_non_space();
        self.backup();
        token
    }

    fn error<T>(&self, message: impl Into<String>) -> Parsed<T> {
        Err(ParseError {
            template: self.input.source.name.to_string(),
            line: self.tokens[0].line,
            message: message.into(),
        })
    }

    fn unexpected<T>(&self, token: &Token<'_>, context: &str) -> Parsed<T> {
        if token.kind != Kind::Error {
            return self.error(format!("unexpected {} in {context}", token.describe()));
        }
        let mut message = token.describe();
        if self.action_line != 0 && self.action_line != token.line {
            let place = format!(" in action started at {}:{}", self.input.source.name, self.action_line);
            // Not "action in action".
            message += if message.ends_with(" action") {
                &place[" in action".len()..]
            } else {
                &place
            };
        }
        self.error(message)
    }

    fn expect_right_delimiter(&mut self, context: &str) -> Parsed<()> {
        let token = self.next_non_space();
        if token.kind == Kind::RightDelimiter {
            Ok(())
        } else {
            self.unexpected(&token, context)
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
            root,
            slots: self.slots,
        };
        if self.input.templates.get(&name).is_none_or(Template::is_empty) {
            self.input.templates.insert(name, template);
        } else if !template.is_empty() {
            return self.error(format!("template: multiple definition of template {}", quoted(&name)));
        }
        Ok(())
    }

    fn top_level(&mut self) -> Parsed<List> {
        let mut list = List::default();
        loop {
            match self.peek().kind {
                Kind::Eof => return Ok(list),
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
                Item::Node(node) => list.nodes.push(node),
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
        self.body(&name, CONTEXT)
    }

    /// The rest of a `define` or `block`, up to its end.
    fn body(&mut self, name: &Text, context: &str) -> Parsed<()> {
        let (root, end) = self.item_list()?;
        if let Item::Else = end {
            return self.error(format!("unexpected {{{{else}}}} in {context}"));
        }
        self.add(Arc::from(name.to_str_lossy()), root)
    }

    /// Items up to an end or else.
    fn item_list(&mut self) -> Parsed<(List, Item)> {
        let mut list = List::default();
        while self.peek_non_space().kind != Kind::Eof {
            match self.text_or_action()? {
                Item::Node(node) => list.nodes.push(node),
                end @ (Item::End | Item::Else) => return Ok((list, end)),
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

    fn action(&mut self) -> Parsed<Item> {
        let token = self.next_non_space();
        let Kind::Keyword(keyword) = token.kind else {
            self.backup();
            let pipe = self.pipeline(Place::Command)?;
            return Ok(Item::Node(Node::Action { pipe }));
        };
        Ok(Item::Node(match keyword {
            Keyword::Block => self.block()?,
            Keyword::Break => self.jump(
                "{{break}}",
                Node::Break {
                    position: token.position,
                },
            )?,
            Keyword::Continue => self.jump(
                "{{continue}}",
                Node::Continue {
                    position: token.position,
                },
            )?,
            Keyword::Else => {
                let next = self.peek_non_space().kind;
                if !matches!(next, Kind::Keyword(Keyword::If | Keyword::With)) {
                    self.expect_right_delimiter("else")?;
                }
                return Ok(Item::Else);
            }
            Keyword::End => {
                self.expect_right_delimiter("end")?;
                return Ok(Item::End);
            }
            Keyword::If => Node::If(Box::new(self.deeper(|parser| parser.control(Place::If))?)),
            Keyword::With => Node::With(Box::new(self.deeper(|parser| parser.control(Place::With))?)),
            Keyword::Range => Node::Range(Box::new(self.deeper(|parser| parser.control(Place::Range))?)),
            Keyword::Template => self.template()?,
            Keyword::Define => {
                // Only the top level defines: here it is a word that starts no command.
                self.backup();
                let pipe = self.pipeline(Place::Command)?;
                Node::Action { pipe }
            }
        }))
    }

    fn jump(&mut self, name: &str, node: Node) -> Parsed<Node> {
        let token = self.next_non_space();
        if token.kind != Kind::RightDelimiter {
            return self.unexpected(&token, name);
        }
        if self.range_depth == 0 {
            return self.error(format!("{name} outside {{{{range}}}}"));
        }
        Ok(node)
    }

    fn control(&mut self, place: Place) -> Parsed<Branch> {
        let scope = self.variables.len();
        let pipe = self.pipeline(place)?;
        self.range_depth += usize::from(place == Place::Range);
        let (list, end) = self.item_list()?;
        self.range_depth -= usize::from(place == Place::Range);
        let else_list = if let Item::Else = end {
            Some(self.else_list(place)?)
        } else {
            None
        };
        self.variables.truncate(scope);
        Ok(Branch { pipe, list, else_list })
    }

    fn else_list(&mut self, place: Place) -> Parsed<List> {
        let nested = match (place, self.peek().kind) {
            (Place::If, Kind::Keyword(Keyword::If)) => {
                self.next();
                Node::If(Box::new(self.deeper(|parser| parser.control(Place::If))?))
            }
            (Place::With, Kind::Keyword(Keyword::With)) => {
                self.next();
                Node::With(Box::new(self.deeper(|parser| parser.control(Place::With))?))
            }
            _ => {
                let (list, end) = self.item_list()?;
                return if let Item::Else = end {
                    self.error("expected end; found {{else}}")
                } else {
                    Ok(list)
                };
            }
        };
        Ok(List { nodes: vec![nested] })
    }

    fn block(&mut self) -> Parsed<Node> {
        let context = Place::Block.name();
        let token = self.next_non_space();
        let name = self.template_name(&token, context)?;
        let pipe = self.pipeline(Place::Block)?;
        self.deeper(|parser| Parser::new(parser.input).body(&name, context))?;
        Ok(Node::Template {
            position: token.position,
            name,
            pipe: Some(pipe),
        })
    }

    fn template(&mut self) -> Parsed<Node> {
        let token = self.next_non_space();
        let name = self.template_name(&token, Place::Template.name())?;
        let mut pipe = None;
        if self.next_non_space().kind != Kind::RightDelimiter {
            self.backup();
            pipe = Some(self.pipeline(Place::Template)?);
        }
        Ok(Node::Template {
            position: token.position,
            name,
            pipe,
        })
    }

    fn template_name(&mut self, token: &Token<'_>, context: &str) -> Parsed<Text> {
        match token.kind {
            Kind::String | Kind::RawString => self.unquote(token),
            _ => self.unexpected(token, context),
        }
    }

    fn unquote(&self, token: &Token<'_>) -> Parsed<Text> {
        match strconv::unquote(token.text) {
            Some(text) => Ok(text.into()),
            None => self.error("invalid syntax"),
        }
    }

    fn pipeline(&mut self, place: Place) -> Parsed<Pipe> {
        let position = self.peek_non_space().position;
        let mut pipe = Pipe {
            position,
            declarations: Vec::new(),
            is_assignment: false,
            commands: Vec::new(),
        };
        let declared = self.variables.len();
        while self.declaration(&mut pipe, place)? {}
        let end = if place == Place::Parentheses {
            Kind::RightParenthesis
        } else {
            Kind::RightDelimiter
        };
        loop {
            let token = self.next_non_space();
            match token.kind {
                kind if kind == end => {
                    self.check_pipeline(&pipe, place)?;
                    for variable in self.variables.iter_mut().skip(declared).take(pipe.declarations.len()) {
                        variable.pending = false;
                    }
                    return Ok(pipe);
                }
                Kind::Bool
                | Kind::CharConstant
                | Kind::Complex
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParenthesis => {
                    self.backup();
                    pipe.commands.push(self.command()?);
                }
                _ => return self.unexpected(&token, place.name()),
            }
        }
    }

    /// One declared variable; true when another one has to follow.
    fn declaration(&mut self, pipe: &mut Pipe, place: Place) -> Parsed<bool> {
        let variable = self.peek_non_space();
        if variable.kind != Kind::Variable {
            return Ok(false);
        }
        self.next();
        // Remembers the space after the variable: it separates arguments if this turns out to be a command.
        let after = self.peek().clone();
        let next = self.peek_non_space();
        match next.kind {
            Kind::Assign | Kind::Declare => {
                pipe.is_assignment = next.kind == Kind::Assign;
                self.next_non_space();
                self.declare(pipe, &variable);
                if pipe.is_assignment {
                    self.resolve_assignment(pipe);
                }
                Ok(false)
            }
            Kind::Char if next.text == b"," => {
                self.next_non_space();
                self.declare(pipe, &variable);
                if place != Place::Range || pipe.declarations.len() >= 2 {
                    return self.error(format!("too many declarations in {}", place.name()));
                }
                match self.peek_non_space().kind {
                    Kind::Variable | Kind::RightDelimiter | Kind::RightParenthesis => Ok(true),
                    _ => self.error("range can only initialize variables"),
                }
            }
            _ => {
                if after.kind == Kind::Space {
                    self.tokens[1] = after;
                    self.tokens[2] = variable;
                    self.peeked = 3;
                } else {
                    self.tokens[1] = variable;
                    self.peeked = 2;
                }
                Ok(false)
            }
        }
    }

    fn declare(&mut self, pipe: &mut Pipe, variable: &Token<'_>) {
        let name = Text::from(variable.text);
        let slot = self.variables.len();
        pipe.declarations.push(Variable {
            name: name.clone(),
            slot,
        });
        self.variables.push(Scoped {
            name,
            slot,
            pending: true,
        });
        self.slots = self.slots.max(self.variables.len());
    }

    /// Go's parser takes `$x = 1` for a declaration, its executor for a write to the innermost `$x` there is: the names
    /// just declared become other names for the slots of those.
    fn resolve_assignment(&mut self, pipe: &mut Pipe) {
        let first = self.variables.len() - pipe.declarations.len();
        for (offset, variable) in pipe.declarations.iter_mut().enumerate() {
            variable.slot = self.slot(&variable.name, first).unwrap_or(UNDEFINED);
            self.variables[first + offset].slot = variable.slot;
            self.variables[first + offset].pending = false;
        }
    }

    /// The slot of the innermost variable of that name among the first `count`.
    fn slot(&self, name: &[u8], count: usize) -> Option<usize> {
        let known = self.variables[..count]
            .iter()
            .rev()
            .find(|known| !known.pending && *known.name == *name);
        known.map(|known| known.slot)
    }

    fn check_pipeline(&self, pipe: &Pipe, place: Place) -> Parsed<()> {
        if pipe.commands.is_empty() {
            return self.error(format!("missing value for {}", place.name()));
        }
        for (index, command) in pipe.commands.iter().enumerate().skip(1) {
            let executable = match command.operands.first() {
                Some(
                    Expression::Bool { .. }
                    | Expression::Dot { .. }
                    | Expression::Nil { .. }
                    | Expression::Number { .. }
                    | Expression::String { .. },
                )
                | None => false,
                Some(
                    Expression::Field { .. }
                    | Expression::Variable { .. }
                    | Expression::Function { .. }
                    | Expression::Chain { .. }
                    | Expression::Pipe(_),
                ) => true,
            };
            if !executable {
                return self.error(format!("non executable command in pipeline stage {}", index + 1));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Parsed<Command> {
        let mut command = Command {
            position: self.peek_non_space().position,
            operands: Vec::new(),
        };
        loop {
            self.peek_non_space();
            if let Some(operand) = self.operand()? {
                command.operands.push(operand);
            }
            let token = self.next();
            match token.kind {
                Kind::Space => continue,
                Kind::RightDelimiter | Kind::RightParenthesis => self.backup(),
                Kind::Pipe => {}
                _ => return self.unexpected(&token, "operand"),
            }
            break;
        }
        if command.operands.is_empty() {
            self.error("empty command")
        } else {
            Ok(command)
        }
    }

    fn operand(&mut self) -> Parsed<Option<Expression>> {
        let Some(term) = self.term()? else { return Ok(None) };
        if self.peek().kind != Kind::Field {
            return Ok(Some(term));
        }
        let position = self.peek().position;
        let mut fields = Vec::new();
        while self.peek().kind == Kind::Field {
            fields.push(Text::from(&self.next().text[1..]));
        }
        let operand = match term {
            Expression::Field { mut names, .. } => {
                names.append(&mut fields);
                Expression::Field { position, names }
            }
            Expression::Variable { name, slot, .. } => Expression::Variable {
                position,
                name,
                slot,
                fields,
            },
            Expression::Bool { .. }
            | Expression::String { .. }
            | Expression::Number { .. }
            | Expression::Nil { .. }
            | Expression::Dot { .. } => {
                let shown = term.display(&self.input.source.text).to_string();
                return self.error(format!("unexpected . after term {}", quoted(&shown)));
            }
            Expression::Function { .. } | Expression::Chain { .. } | Expression::Pipe(_) => Expression::Chain {
                position,
                base: Box::new(term),
                fields,
            },
        };
        Ok(Some(operand))
    }

    fn term(&mut self) -> Parsed<Option<Expression>> {
        let token = self.next_non_space();
        let position = token.position;
        Ok(Some(match token.kind {
            Kind::Identifier => self.function(&token)?,
            Kind::Dot => Expression::Dot { position },
            Kind::Nil => Expression::Nil { position },
            Kind::Variable => self.variable(&token)?,
            Kind::Field => Expression::Field {
                position,
                names: vec![Text::from(&token.text[1..])],
            },
            Kind::Bool => Expression::Bool {
                position,
                value: token.text == b"true",
            },
            Kind::CharConstant | Kind::Complex | Kind::Number => {
                match number::number(token.text, token.kind == Kind::Complex) {
                    Ok(number) => Expression::Number {
                        position,
                        number: Box::new(number),
                    },
                    Err(message) => return self.error(message),
                }
            }
            Kind::LeftParenthesis => {
                Expression::Pipe(Box::new(self.deeper(|parser| parser.pipeline(Place::Parentheses))?))
            }
            Kind::String | Kind::RawString => {
                let text = self.unquote(&token)?;
                Expression::String {
                    position,
                    literal: position..position + token.text.len(),
                    text,
                }
            }
            _ => {
                self.backup();
                return Ok(None);
            }
        }))
    }

    fn function(&self, token: &Token<'_>) -> Parsed<Expression> {
        let Some(function) = functions::find(token.text) else {
            let name = String::from_utf8_lossy(token.text);
            return self.error(format!("function {} not defined", quoted(&name)));
        };
        let builtin = match token.text {
            b"and" => Builtin::And,
            b"or" => Builtin::Or,
            b"len" => Builtin::Len,
            b"call" => Builtin::Call,
            _ => Builtin::No,
        };
        Ok(Expression::Function {
            position: token.position,
            function,
            builtin,
        })
    }

    fn variable(&self, token: &Token<'_>) -> Parsed<Expression> {
        let name = Text::from(token.text);
        if !self.variables.iter().any(|known| known.name == name) {
            return self.error(format!("undefined variable {}", quoted(&name.to_str_lossy())));
        }
        // One that is only just being declared is known to Go's parser, but not to its executor.
        let slot = self.slot(&name, self.variables.len()).unwrap_or(UNDEFINED);
        Ok(Expression::Variable {
            position: token.position,
            name,
            slot,
            fields: Vec::new(),
        })
    }
}
