//! Pipelines, commands and operands.

use super::frame::{Evaluated, Frame, Operand, Place};
use crate::template::context::Context;
use crate::template::tree::{Command, Expression, Number, Pipe};
use crate::template::value::{Text, Value};

impl Context<'_> {
    /// Evaluates a pipeline and sets the variables that it declares. The result is what an interface holds, never the
    /// interface.
    pub(super) fn pipeline<'t>(&mut self, frame: &mut Frame<'t>, dot: &Operand, pipe: &'t Pipe) -> Evaluated<Operand> {
        frame.place = Place::Pipe(pipe);
        self.enter(frame)?;
        let mut value = self.command(frame, dot, &pipe.first, None)?;
        value.interface = false;
        for (index, command) in pipe.rest.iter().enumerate() {
            value = self
                .command(frame, dot, command, Some(value))
                .map_err(|error| error.piped_from(|| frame.shown(pipe.commands().take(index + 1))))?;
            value.interface = false;
        }
        for variable in &pipe.declarations {
            self.set_variable(frame, &variable.name, variable.slot, value.clone())?;
        }
        self.leave();
        Ok(value)
    }

    /// Evaluates a command; `last` is what comes from the command before it in the pipeline.
    fn command<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        dot: &Operand,
        command: &'t Command,
        last: Option<Operand>,
    ) -> Evaluated<Operand> {
        self.step(frame)?;
        let Command {
            position: _,
            first,
            arguments,
        } = command;
        match first {
            Expression::Field { names, .. } => {
                frame.at(first);
                self.field_chain(frame, dot, dot.clone(), first, names, arguments, last)
            }
            Expression::Chain { base, fields, .. } => {
                let receiver = self.chain_base(frame, dot, first, base)?;
                self.field_chain(frame, dot, receiver, first, fields, arguments, last)
            }
            Expression::Function { function, builtin, .. } => {
                frame.at(first);
                self.call(frame, dot, function, *builtin, Place::Command(command), arguments, last)
            }
            Expression::Pipe(pipe) => {
                not_a_function(frame, first, arguments, last.as_ref())?;
                self.pipeline(frame, dot, pipe)
            }
            Expression::Variable { name, slot, fields, .. } => {
                frame.at(first);
                let value = self.variable(frame, name, *slot)?;
                if fields.is_empty() {
                    not_a_function(frame, first, arguments, last.as_ref())?;
                    return Ok(value);
                }
                self.field_chain(frame, dot, value, first, fields, arguments, last)
            }
            Expression::Bool { .. }
            | Expression::Dot { .. }
            | Expression::Nil { .. }
            | Expression::Number { .. }
            | Expression::String { .. } => {
                frame.at(first);
                not_a_function(frame, first, arguments, last.as_ref())?;
                match first {
                    Expression::Dot { .. } => Ok(dot.clone()),
                    Expression::Nil { .. } => frame.error("nil is not a command"),
                    _ => constant(frame, first),
                }
            }
        }
    }

    /// The value before the fields of `(pipeline).a.b`.
    pub(super) fn chain_base<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        dot: &Operand,
        chain: &'t Expression,
        base: &'t Expression,
    ) -> Evaluated<Operand> {
        frame.at(chain);
        frame.at(base);
        match base {
            Expression::Pipe(pipe) => self.pipeline(frame, dot, pipe),
            _ => self.operand(frame, dot, base),
        }
    }

    /// Evaluates an operand that stands as an argument, without regard to the parameter's type.
    pub(super) fn operand<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        dot: &Operand,
        expression: &'t Expression,
    ) -> Evaluated<Operand> {
        frame.at(expression);
        match expression {
            Expression::Dot { .. } => Ok(dot.clone()),
            Expression::Field { names, .. } => self.field_chain(frame, dot, dot.clone(), expression, names, &[], None),
            Expression::Variable { name, slot, fields, .. } => {
                let value = self.variable(frame, name, *slot)?;
                if fields.is_empty() {
                    return Ok(value);
                }
                self.field_chain(frame, dot, value, expression, fields, &[], None)
            }
            Expression::Pipe(pipe) => self.pipeline(frame, dot, pipe),
            Expression::Function { function, builtin, .. } => {
                self.call(frame, dot, function, *builtin, Place::Expression(expression), &[], None)
            }
            Expression::Chain { base, fields, .. } => {
                let receiver = self.chain_base(frame, dot, expression, base)?;
                self.field_chain(frame, dot, receiver, expression, fields, &[], None)
            }
            Expression::Nil { .. } => Ok(Operand::default()),
            Expression::Bool { .. } | Expression::Number { .. } | Expression::String { .. } => {
                constant(frame, expression)
            }
        }
    }
}

/// A constant where any type would do.
fn constant(frame: &Frame<'_>, expression: &Expression) -> Evaluated<Operand> {
    Ok(Operand::concrete(match expression {
        Expression::Bool { value, .. } => Value::Bool(*value),
        Expression::String { text, .. } => Value::String(text.clone()),
        Expression::Number { number, .. } => ideal(frame, number)?,
        _ => return frame.error("internal error: not a constant"),
    }))
}

/// The value of a number by its syntax alone.
fn ideal(frame: &Frame<'_>, number: &Number) -> Evaluated<Value> {
    let Number {
        text,
        int,
        float,
        complex,
        ..
    } = number;
    if let Some((real, imaginary)) = complex {
        return Ok(Value::Complex(*real, *imaginary));
    }
    match (float, int) {
        (Some(float), _) if has_float_syntax(text) => Ok(Value::Float64(*float)),
        (_, Some(int)) => Ok(Value::Int(*int)),
        (_, None) => frame.error(format!("{text} overflows int")),
    }
}

fn has_float_syntax(text: &Text) -> bool {
    let is_hexadecimal =
        matches!(text.as_bytes(), [b'0', b'x' | b'X', _, ..]) && !text.iter().any(|byte| b"pP".contains(byte));
    !is_hexadecimal && text.first() != Some(&b'\'') && text.iter().any(|byte| b".eEpP".contains(byte))
}

fn not_a_function(
    frame: &Frame<'_>,
    first: &Expression,
    arguments: &[Expression],
    last: Option<&Operand>,
) -> Evaluated<()> {
    if arguments.is_empty() && last.is_none() {
        return Ok(());
    }
    let shown = first.display(&frame.template.source.text);
    frame.error(format!("can't give argument to non-function {shown}"))
}
