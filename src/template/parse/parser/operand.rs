//! Commands and their operands.

use super::{Kind, Parsed, Parser, Place, Token, collected, collected_first, quoted};
use crate::template::functions;
use crate::template::parse::number;
use crate::template::tree::{Builtin, Command, Expression, UNDEFINED};
use crate::template::value::Text;

impl Parser<'_, '_> {
    pub(super) fn command(&mut self) -> Parsed<Command> {
        let position = self.peek_non_space().position;
        let start = self.input.workspace.operands.len();
        loop {
            self.peek_non_space();
            if let Some(operand) = self.operand()? {
                self.input.workspace.operands.push(operand);
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
        match collected_first(&mut self.input.workspace.operands, start) {
            Some((first, arguments)) => Ok(Command {
                position,
                first,
                arguments,
            }),
            None => self.error("empty command"),
        }
    }

    fn operand(&mut self) -> Parsed<Option<Expression>> {
        let Some(term) = self.term()? else { return Ok(None) };
        if self.peek().kind != Kind::Field {
            return Ok(Some(term));
        }
        let position = self.peek().position;
        let fields = self.fields(None);
        let operand = match term {
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
            | Expression::Dot { .. }
            | Expression::Field { .. } => {
                // (A field takes all fields behind it, so none of them is left here.)
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

    /// The names of fields behind each other, `first` and those that follow.
    fn fields(&mut self, first: Option<&Token<'_>>) -> Vec<Text> {
        let start = self.input.workspace.fields.len();
        if let Some(first) = first {
            let name = self.input.workspace.names.share(&first.text[1..]);
            self.input.workspace.fields.push(name);
        }
        while self.peek().kind == Kind::Field {
            let field = self.next();
            let name = self.input.workspace.names.share(&field.text[1..]);
            self.input.workspace.fields.push(name);
        }
        collected(&mut self.input.workspace.fields, start)
    }

    fn term(&mut self) -> Parsed<Option<Expression>> {
        let token = self.next_non_space();
        let position = token.position;
        Ok(Some(match token.kind {
            Kind::Identifier => self.function(&token)?,
            Kind::Dot => Expression::Dot { position },
            Kind::Nil => Expression::Nil { position },
            Kind::Variable => self.variable(&token)?,
            Kind::Field => {
                let second = self.peek();
                // As Go, whose node for several names is made when the second one is read.
                let position = if second.kind == Kind::Field {
                    second.position
                } else {
                    position
                };
                let names = self.fields(Some(&token));
                Expression::Field { position, names }
            }
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
            return self.error_at(token, format!("function {} not defined", quoted(&name)));
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

    fn variable(&mut self, token: &Token<'_>) -> Parsed<Expression> {
        let name = self.input.workspace.names.share(token.text);
        if !self.variables.iter().any(|known| known.name == name) {
            return self.error_at(token, format!("undefined variable {}", quoted(&name.to_str_lossy())));
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
