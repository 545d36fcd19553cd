//! Calls: argument types, arity, nil rules, short circuits.

use super::frame::{Evaluated, Frame, Operand, Place};
use crate::template::context::Context;
use crate::template::error::FunctionError;
use crate::template::function::{Function, Type};
use crate::template::subject::{PIPED, Subject};
use crate::template::tree::{Builtin, Command, Expression};
use crate::template::value::{Bytes, Kind, List, Map, MapType, Value};

impl Context<'_> {
    #[expect(clippy::too_many_arguments, reason = "what Go's evalCall takes")]
    pub(super) fn call<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        dot: &Operand,
        function: &'static Function,
        builtin: Builtin,
        node: Place<'t>,
        arguments: &'t [Expression],
        last: Option<Operand>,
    ) -> Evaluated<Operand> {
        check_count(frame, function, function.parameters, arguments.len(), last.is_some())?;
        match builtin {
            Builtin::And => return self.short_circuit(frame, dot, false, arguments, last),
            Builtin::Or => return self.short_circuit(frame, dot, true, arguments, last),
            Builtin::No | Builtin::Len | Builtin::Call => {}
        }
        if builtin == Builtin::Len
            && let [only] = arguments
        {
            return self.length(frame, dot, function, node, only);
        }
        let mut values = self.spare_arguments.pop().unwrap_or_default();
        self.arguments(frame, dot, function, function.parameters, arguments, last, &mut values)?;
        if builtin == Builtin::Call {
            frame.place = node;
            let message = match values.first() {
                None | Some(Value::Nil) => "call of nil".to_owned(),
                Some(value) => {
                    let source = &frame.template.source.text;
                    // A callee from the pipeline is named by Go's reflect.Value.String.
                    let name = match (arguments.first(), value) {
                        (Some(callee), _) => callee.display(source).to_string(),
                        (None, Value::String(text)) => text.to_string(),
                        (None, value) => format!("<{} Value>", value.type_name()),
                    };
                    format!("non-function {name} of type {}", value.type_name())
                }
            };
            return Err(frame.call_error(function.name, FunctionError::Message(message)));
        }
        let result = self.invoke(frame, function, node, &values);
        values.clear();
        self.spare_arguments.push(values);
        result
    }

    #[expect(clippy::too_many_arguments, reason = "what Go's evalCall takes")]
    pub(super) fn call_method<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        dot: &Operand,
        receiver: Value,
        method: &Function,
        node: Place<'t>,
        arguments: &'t [Expression],
        last: Option<Operand>,
    ) -> Evaluated<Operand> {
        let parameters = method.parameters.get(1..).unwrap_or_default();
        check_count(frame, method, parameters, arguments.len(), last.is_some())?;
        let mut values = self.spare_arguments.pop().unwrap_or_default();
        values.push(receiver);
        self.arguments(frame, dot, method, parameters, arguments, last, &mut values)?;
        let result = self.invoke(frame, method, node, &values);
        values.clear();
        self.spare_arguments.push(values);
        result
    }

    fn invoke<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        function: &Function,
        node: Place<'t>,
        values: &[Value],
    ) -> Evaluated<Operand> {
        match self.invoke_counted(function, values) {
            Ok(value) => Ok(Operand::held(
                value,
                matches!(function.result, Type::Any | Type::Reflect),
            )),
            Err(error) => {
                frame.place = node;
                let subjects = subjects(frame, node, &error, values);
                Err(frame.call_error(function.name, error).about(subjects))
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "what Go's evalCall takes")]
    fn arguments<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        dot: &Operand,
        function: &Function,
        parameters: &[Type],
        arguments: &'t [Expression],
        last: Option<Operand>,
        values: &mut Vec<Value>,
    ) -> Evaluated<()> {
        let type_of = |index: usize| {
            parameters
                .get(index)
                .copied()
                .or(function.variadic)
                .unwrap_or(Type::Any)
        };
        for (index, expression) in arguments.iter().enumerate() {
            values.push(self.argument(frame, dot, type_of(index), expression)?);
        }
        if let Some(last) = last {
            values.push(validate(frame, last, type_of(arguments.len()), None)?);
        }
        Ok(())
    }

    /// Evaluates an argument for a parameter of this type.
    fn argument<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        dot: &Operand,
        parameter: Type,
        expression: &'t Expression,
    ) -> Evaluated<Value> {
        frame.at(expression);
        let found = |what: &str, frame: &Frame<'t>| {
            frame.error(format!(
                "expected {what}; found {}",
                expression.display(&frame.template.source.text)
            ))
        };
        match (expression, parameter) {
            (Expression::Nil { .. }, _) => match nil_of(parameter) {
                Some(nil) => Ok(nil),
                None => frame.error(format!("cannot assign nil to {}", parameter.name())),
            },
            (
                Expression::Dot { .. }
                | Expression::Field { .. }
                | Expression::Variable { .. }
                | Expression::Pipe(_)
                | Expression::Function { .. }
                | Expression::Chain { .. },
                _,
            ) => {
                let operand = self.operand(frame, dot, expression)?;
                validate(frame, operand, parameter, Some(expression))
            }
            (_, Type::Any | Type::Reflect) => Ok(self.operand(frame, dot, expression)?.value),
            (Expression::Bool { value, .. }, Type::Bool) => Ok(Value::Bool(*value)),
            (_, Type::Bool) => found("bool", frame),
            (Expression::String { text, .. }, Type::String) => Ok(Value::String(text.clone())),
            (_, Type::String) => found("string", frame),
            (Expression::Number { number, .. }, Type::Int | Type::Int64) => match number.int {
                Some(int) if parameter == Type::Int => Ok(Value::Int(int)),
                Some(int) => Ok(Value::Int64(int)),
                None => found("integer", frame),
            },
            (_, Type::Int | Type::Int64) => found("integer", frame),
            (Expression::Number { number, .. }, Type::Uint64) => match number.uint {
                Some(uint) => Ok(Value::Uint64(uint)),
                None => found("unsigned integer", frame),
            },
            // The only narrow unsigned parameter is that of `derivePassword`; Go cuts the constant off.
            (Expression::Number { number, .. }, Type::Named(_, Kind::Uint32)) => match number.uint {
                Some(uint) => Ok(Value::Uint64(uint & u64::from(u32::MAX))),
                None => found("unsigned integer", frame),
            },
            (_, Type::Uint64 | Type::Named(_, Kind::Uint32)) => found("unsigned integer", frame),
            (Expression::Number { number, .. }, Type::Float64) => match number.float {
                Some(float) => Ok(Value::Float64(float)),
                None => found("float", frame),
            },
            (_, Type::Float64) => found("float", frame),
            (_, Type::Bytes | Type::List(_) | Type::Map(_) | Type::Named(..)) => {
                let shown = expression.display(&frame.template.source.text);
                frame.error(format!("can't handle {shown} for arg of type {}", parameter.name()))
            }
        }
    }

    /// `and` and `or`: the first argument that decides, or the last one.
    fn short_circuit<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        dot: &Operand,
        deciding: bool,
        arguments: &'t [Expression],
        last: Option<Operand>,
    ) -> Evaluated<Operand> {
        let mut result = Operand::default();
        for expression in arguments {
            result = self.operand(frame, dot, expression)?;
            if result.value.is_true() == deciding {
                return Ok(result);
            }
        }
        Ok(last.unwrap_or(result))
    }

    /// `len` is the one function that tells a nil in an interface from an untyped nil.
    fn length<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        dot: &Operand,
        function: &'static Function,
        node: Place<'t>,
        expression: &'t Expression,
    ) -> Evaluated<Operand> {
        let operand = self.operand(frame, dot, expression)?;
        if operand.interface && matches!(operand.value, Value::Nil) {
            frame.place = node;
            return Err(frame.call_error(function.name, FunctionError::message("len of nil pointer")));
        }
        self.invoke(frame, function, node, &[operand.value])
    }
}

fn check_count(
    frame: &Frame<'_>,
    function: &Function,
    parameters: &[Type],
    arguments: usize,
    piped: bool,
) -> Evaluated<()> {
    let (name, fixed) = (function.name, parameters.len());
    let given = arguments + usize::from(piped);
    if function.variadic.is_some() {
        if given < fixed {
            return frame.error(format!(
                "wrong number of args for {name}: want at least {fixed} got {arguments}"
            ));
        }
    } else if given != fixed {
        return frame.error(format!("wrong number of args for {name}: want {fixed} got {given}"));
    }
    Ok(())
}

/// What Go passes for nil where the type has one.
fn nil_of(parameter: Type) -> Option<Value> {
    match parameter {
        Type::Any
        | Type::Reflect
        | Type::Named(_, Kind::Pointer | Kind::Map | Kind::Slice | Kind::Func | Kind::Interface) => Some(Value::Nil),
        Type::Bytes => Some(Value::Bytes(Bytes::nil())),
        Type::List(list_type) => Some(Value::List(List::nil(list_type))),
        Type::Map(map_type) => Some(Value::Map(Map::nil(map_type))),
        Type::Bool | Type::Int | Type::Int64 | Type::Uint64 | Type::Float64 | Type::String | Type::Named(..) => None,
    }
}

/// Makes sure that a value can be passed to a parameter of this type. It comes from the expression, or is piped in.
fn validate(frame: &Frame<'_>, operand: Operand, parameter: Type, expression: Option<&Expression>) -> Evaluated<Value> {
    let about = |message: String, value: &Value| {
        let shown = expression.map(|expression| expression.display(&frame.template.source.text).to_string());
        frame.error_about(message, shown.as_deref().unwrap_or(PIPED), value)
    };
    if operand.is_invalid() {
        return match nil_of(parameter) {
            Some(nil) => Ok(nil),
            None => about(format!("invalid value; expected {}", parameter.name()), &operand.value),
        };
    }
    if is_assignable(&operand.value, parameter) {
        return Ok(operand.value);
    }
    // A nil in an interface is of the interface's type.
    let got = if let Value::Nil = operand.value {
        "interface {}"
    } else {
        operand.value.type_name()
    };
    about(
        format!("wrong type for value; expected {}; got {got}", parameter.name()),
        &operand.value,
    )
}

/// How many arguments of a failed call are told.
const MAXIMUM_SUBJECTS: usize = 4;

/// The arguments of a failed call that are no constants. Where a template inside the call failed, that one tells more.
fn subjects(frame: &Frame<'_>, node: Place<'_>, error: &FunctionError, values: &[Value]) -> Vec<Subject> {
    if let FunctionError::Template(..) | FunctionError::Limit(_) = error {
        return Vec::new();
    }
    let Place::Command(Command { arguments, .. }) = node else {
        return Vec::new();
    };
    let arguments = arguments.iter().map(Some).chain(std::iter::repeat(None));
    let told = arguments
        .zip(values)
        .filter_map(|(expression, value)| match expression {
            None => Some(Subject::new(PIPED, value)),
            Some(
                Expression::Bool { .. }
                | Expression::Number { .. }
                | Expression::String { .. }
                | Expression::Nil { .. },
            ) => None,
            Some(expression) => {
                let shown = expression.display(&frame.template.source.text).to_string();
                Some(Subject::new(&shown, value))
            }
        });
    told.take(MAXIMUM_SUBJECTS).collect()
}

fn is_assignable(value: &Value, parameter: Type) -> bool {
    match (parameter, value) {
        (Type::Any | Type::Reflect, _)
        | (Type::Bool, Value::Bool(_))
        | (Type::Int, Value::Int(_))
        | (Type::Int64, Value::Int64(_))
        | (Type::Uint64, Value::Uint64(_))
        | (Type::Float64, Value::Float64(_))
        | (Type::String, Value::String(_))
        | (Type::Bytes, Value::Bytes(_)) => true,
        (Type::List(list_type), Value::List(list)) => list.list_type() == list_type,
        // A named map type goes where its unnamed form is wanted, and the other way round.
        (Type::Map(MapType::Any | MapType::Values), Value::Map(map)) => map.map_type() != MapType::Strings,
        (Type::Map(MapType::Strings), Value::Map(map)) => map.map_type() == MapType::Strings,
        // Go follows one pointer.
        (Type::Named(name, _), value) => {
            let type_name = value.type_name();
            type_name == name || type_name.strip_prefix('*') == Some(name)
        }
        (_, _) => false,
    }
}
