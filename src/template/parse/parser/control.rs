//! Actions: keywords, blocks, template calls.

use super::{Item, Keyword, Kind, Parsed, Parser, Place, Token};
use crate::go::strconv;
use crate::template::tree::{Branch, List, Node};
use crate::template::value::Text;

impl<'s> Parser<'_, 's> {
    pub(super) fn action(&mut self) -> Parsed<Item> {
        let token = self.next_non_space();
        if let Some(raw) = self.raw(&token) {
            return Ok(Item::Node(raw));
        }
        let Kind::Keyword(keyword) = token.kind else {
            self.backup();
            return Ok(Item::Node(self.plain()?));
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
                self.plain()?
            }
        }))
    }

    /// An action without a keyword.
    fn plain(&mut self) -> Parsed<Node> {
        let pipe = Box::new(self.pipeline(Place::Command)?);
        Ok(Node::Action { pipe })
    }

    /// The whole action, if it is nothing but a raw string. From those that have them, carriage returns are taken away.
    fn raw(&mut self, token: &Token<'s>) -> Option<Node> {
        if token.kind != Kind::RawString || token.text.contains(&b'\r') {
            return None;
        }
        if self.peek().kind != Kind::RightDelimiter {
            self.tokens[1] = *token; // for `backup`
            return None;
        }
        self.next();
        let literal = token.position..token.position + token.text.len();
        Some(Node::Raw { literal })
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
        let inside = self.variables.len();
        self.range_depth += usize::from(place == Place::Range);
        let (list, end) = self.item_list()?;
        self.range_depth -= usize::from(place == Place::Range);
        // Go's parser still knows what the list declares when it comes to the else, its executor does not: there the
        // name is that of a variable further out, if there is one.
        for variable in &mut self.variables[inside..] {
            variable.pending = true;
        }
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
        if let Item::Else = self.deeper(|parser| Parser::new(parser.input).body(&name))? {
            // Go reports it where the parser around stands: at the end of the clause.
            return self.error(format!("unexpected {{{{else}}}} in {context}"));
        }
        Ok(Node::Template {
            position: token.position,
            name,
            pipe: Some(Box::new(pipe)),
        })
    }

    fn template(&mut self) -> Parsed<Node> {
        let token = self.next_non_space();
        let name = self.template_name(&token, Place::Template.name())?;
        let mut pipe = None;
        if self.next_non_space().kind != Kind::RightDelimiter {
            self.backup();
            pipe = Some(Box::new(self.pipeline(Place::Template)?));
        }
        Ok(Node::Template {
            position: token.position,
            name,
            pipe,
        })
    }

    pub(super) fn template_name(&mut self, token: &Token<'_>, context: &str) -> Parsed<Text> {
        match token.kind {
            Kind::String | Kind::RawString => self.unquote(token),
            _ => self.unexpected(token, context),
        }
    }

    pub(super) fn unquote(&self, token: &Token<'_>) -> Parsed<Text> {
        match strconv::unquote(token.text) {
            Some(text) => Ok(text.into()),
            None => self.error("invalid syntax"),
        }
    }
}
