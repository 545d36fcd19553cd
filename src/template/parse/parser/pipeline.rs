//! Pipelines and the variables that they declare.

use super::{Kind, Parsed, Parser, Place, Scoped, Token, collected};
use crate::template::tree::{Expression, Pipe, UNDEFINED, Variable};

impl Parser<'_, '_> {
    pub(super) fn pipeline(&mut self, place: Place) -> Parsed<Pipe> {
        let position = self.peek_non_space().position;
        let mut pipe = Pipe {
            position,
            declarations: Vec::new(),
            is_assignment: false,
            commands: Vec::new(),
        };
        let start = self.input.commands.len();
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
                    pipe.commands = collected(&mut self.input.commands, start);
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
                    let command = self.command()?;
                    self.input.commands.push(command);
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
        let after = *self.peek();
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
        let name = self.input.names.share(variable.text);
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
    pub(super) fn slot(&self, name: &[u8], count: usize) -> Option<usize> {
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
}
