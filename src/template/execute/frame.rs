//! What one execution of one template keeps: its place, its variables.

use crate::template::context::Context;
use crate::template::error::{Caller, Cause, ExecutionError, FunctionError, LimitError, Located};
use crate::template::position::Position;
use crate::template::subject::Subject;
use crate::template::tree::{Command, Expression, List, Node, Pipe, Template};
use crate::template::value::{Text, Value};

/// A value and whether its static type is `interface {}`: a nil in an interface is another thing than no value at all.
#[derive(Clone, Debug, Default)]
pub(in crate::template) struct Operand {
    pub(in crate::template) value: Value,
    pub(in crate::template) interface: bool,
}

impl Operand {
    /// A value of its own type.
    pub(in crate::template) fn concrete(value: Value) -> Self {
        Self {
            value,
            interface: false,
        }
    }

    /// A value held in an interface, or not.
    pub(in crate::template) fn held(value: Value, interface: bool) -> Self {
        Self { value, interface }
    }

    /// Go's zero `reflect.Value`: no value, not even a nil of some type.
    pub(in crate::template) fn is_invalid(&self) -> bool {
        matches!(self.value, Value::Nil) && !self.interface
    }

    /// The static type, as Go prints it.
    pub(in crate::template) fn type_name(&self) -> &'static str {
        if self.interface {
            "interface {}"
        } else {
            self.value.type_name()
        }
    }
}

/// The node that an error is reported at: the one that was last begun.
#[derive(Clone, Copy)]
pub(super) enum Place<'t> {
    Node(&'t Node),
    List(&'t List),
    Pipe(&'t Pipe),
    Command(&'t Command),
    Expression(&'t Expression),
}

/// One execution of one template.
pub(super) struct Frame<'t> {
    pub(super) template: &'t Template,
    pub(super) place: Place<'t>,
    /// Where its variables begin on the context's stack.
    pub(super) base: usize,
}

/// What evaluation results in. The error is small, as it travels through every level.
pub(super) type Evaluated<T> = Result<T, ExecutionError>;

impl<'t> Frame<'t> {
    pub(super) fn at(&mut self, expression: &'t Expression) {
        self.place = Place::Expression(expression);
    }

    /// An error at the current place.
    pub(super) fn fail(&self, cause: Cause) -> ExecutionError {
        let text = &self.template.source.text;
        let (position, node) = match self.place {
            Place::Node(node) => (node.position(), node.display(text).to_string()),
            Place::List(list) => (
                list.nodes.first().map_or(0, Node::position),
                list.display(text).to_string(),
            ),
            Place::Pipe(pipe) => (pipe.position, pipe.display(text).to_string()),
            Place::Command(command) => (command.position, command.display(text).to_string()),
            Place::Expression(expression) => (expression.position(), expression.display(text).to_string()),
        };
        ExecutionError::At(Box::new(Located {
            position: Position::new(&self.template.source, position),
            template: self.template.name.to_string(),
            node,
            cause,
            wrong: Vec::new(),
            callers: Vec::new(),
        }))
    }

    pub(super) fn error<T>(&self, message: impl Into<String>) -> Evaluated<T> {
        Err(self.fail(Cause::Evaluation(message.into())))
    }

    /// An error at the current place about the value of an expression.
    pub(super) fn error_about<T>(&self, message: String, expression: &str, value: &Value) -> Evaluated<T> {
        let error = self.fail(Cause::Evaluation(message));
        Err(error.about(vec![Subject::new(expression, value)]))
    }

    /// Commands as Go prints them.
    pub(super) fn shown<'c>(&self, commands: impl Iterator<Item = &'c Command>) -> String {
        let text = &self.template.source.text;
        let commands: Vec<String> = commands.map(|command| command.display(text).to_string()).collect();
        commands.join(" | ")
    }

    /// This template as the one that called, from the given node.
    pub(super) fn as_caller(&self, node: &Node) -> Caller {
        let source = &self.template.source;
        Caller {
            position: Position::new(source, node.position()),
            template: self.template.name.to_string(),
            node: node.display(&source.text).to_string(),
        }
    }

    pub(super) fn limit<T>(&self, limit: LimitError) -> Evaluated<T> {
        Err(self.fail(Cause::Limit(limit)))
    }

    pub(super) fn call_error(&self, function: &str, error: FunctionError) -> ExecutionError {
        self.fail(Cause::Call {
            function: function.to_owned(),
            error,
        })
    }
}

impl Context<'_> {
    /// The value of a variable.
    pub(super) fn variable(&self, frame: &Frame<'_>, name: &Text, slot: usize) -> Evaluated<Operand> {
        match slot.checked_add(frame.base).and_then(|index| self.variables.get(index)) {
            Some(Some(operand)) => Ok(operand.clone()),
            Some(None) | None => frame.error(format!("undefined variable: {name}")),
        }
    }

    /// Gives a variable a value.
    pub(super) fn set_variable(
        &mut self,
        frame: &Frame<'_>,
        name: &Text,
        slot: usize,
        operand: Operand,
    ) -> Evaluated<()> {
        match slot
            .checked_add(frame.base)
            .and_then(|index| self.variables.get_mut(index))
        {
            Some(variable) => {
                *variable = Some(operand);
                Ok(())
            }
            None => frame.error(format!("undefined variable: {name}")),
        }
    }

    /// Goes one level deeper; every level uses some of the stack.
    pub(super) fn enter(&mut self, frame: &Frame<'_>) -> Evaluated<()> {
        if self.depth >= self.limits.depth {
            return frame.limit(LimitError::Depth(self.limits.depth));
        }
        self.depth += 1;
        Ok(())
    }

    /// Comes back one level.
    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Counts one piece of work.
    pub(super) fn step(&mut self, frame: &Frame<'_>) -> Evaluated<()> {
        self.used.steps += 1;
        if self.used.steps > self.used.look_at {
            self.look().or_else(|limit| frame.limit(limit))
        } else {
            Ok(())
        }
    }
}
