//! Pipelines and the variables that they declare.

use super::{Kind, Parsed, Parser, Place, Scoped, Token, collected_first};
use crate::template::tree::{Command, Expression, Pipe, UNDEFINED, Variable};

/// What stands before the commands of a pipeline.
#[derive(Default)]
struct Declared {
    variables: Vec<Variable>,
    is_assignment: bool,
}

impl Parser<'_, '_> {
    pub(super) fn pipeline(&mut self, place: Place) -> Parsed<Pipe> {
        let position = self.peek_non_space().position;
        let start = self.input.workspace.commands.len();
        let outside = self.variables.len();
        let mut declared = Declared::default();
        while self.declaration(&mut declared, place)? {}
        let end = if place == Place::Parentheses {
            Kind::RightParenthesis
        } else {
            Kind::RightDelimiter
        };
        loop {
            let token = self.next_non_space();
            match token.kind {
                kind if kind == end => {
                    let Some((first, rest)) = collected_first(&mut self.input.workspace.commands, start) else {
                        return self.error(format!("missing value for {}", place.name()));
                    };
                    self.check_stages(&rest)?;
                    let Declared {
                        variables,
                        is_assignment,
                    } = declared;
                    for variable in self.variables.iter_mut().skip(outside).take(variables.len()) {
                        variable.pending = false;
                    }
                    return Ok(Pipe {
                        position,
                        declarations: variables,
                        is_assignment,
                        first,
                        rest,
                    });
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
                    self.input.workspace.commands.push(command);
                }
                _ => return self.unexpected(&token, place.name()),
            }
        }
    }

    /// One declared variable; true when another one has to follow.
    fn declaration(&mut self, declared: &mut Declared, place: Place) -> Parsed<bool> {
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
                declared.is_assignment = next.kind == Kind::Assign;
                self.next_non_space();
                self.declare(declared, &variable);
                if declared.is_assignment {
                    self.resolve_assignment(declared);
                }
                Ok(false)
            }
            Kind::Char if next.text == b"," => {
                self.next_non_space();
                self.declare(declared, &variable);
                if place != Place::Range || declared.variables.len() >= 2 {
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

    fn declare(&mut self, declared: &mut Declared, variable: &Token<'_>) {
        let name = self.input.workspace.names.share(variable.text);
        let slot = self.variables.len();
        declared.variables.push(Variable {
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
    fn resolve_assignment(&mut self, declared: &mut Declared) {
        let first = self.variables.len() - declared.variables.len();
        for (offset, variable) in declared.variables.iter_mut().enumerate() {
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

    /// Values go through commands that take arguments.
    fn check_stages(&self, rest: &[Command]) -> Parsed<()> {
        for (index, command) in rest.iter().enumerate() {
            match command.first {
                Expression::Bool { .. }
                | Expression::Dot { .. }
                | Expression::Nil { .. }
                | Expression::Number { .. }
                | Expression::String { .. } => {
                    return self.error(format!("non executable command in pipeline stage {}", index + 2));
                }
                Expression::Field { .. }
                | Expression::Variable { .. }
                | Expression::Function { .. }
                | Expression::Chain { .. }
                | Expression::Pipe(_) => {}
            }
        }
        Ok(())
    }
}
