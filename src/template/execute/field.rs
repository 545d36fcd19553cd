//! `.a.b.c`: methods, struct fields and map entries.

use super::frame::{Evaluated, Frame, Operand, Place};
use crate::go::strconv;
use crate::template::context::Context;
use crate::template::function::Function;
use crate::template::functions::helm::{VALUES_METHODS, VERSION_SET_METHODS};
use crate::template::tree::Expression;
use crate::template::value::{Kind, ListType, Map, MapType, Object, Text, Value};

/// What a field evaluation may pass on to a method.
struct Arguments<'t, 'd> {
    dot: &'d Operand,
    node: &'t Expression,
    expressions: &'t [Expression],
    last: Option<Operand>,
}

impl Context<'_> {
    #[expect(clippy::too_many_arguments, reason = "what Go's evalFieldChain takes")]
    pub(super) fn field_chain<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        dot: &Operand,
        receiver: Operand,
        node: &'t Expression,
        names: &'t [Text],
        arguments: &'t [Expression],
        last: Option<Operand>,
    ) -> Evaluated<Operand> {
        let Some((final_name, path)) = names.split_last() else {
            return Ok(receiver);
        };
        let mut receiver = receiver;
        for name in path {
            let none = Arguments {
                dot,
                node,
                expressions: &[],
                last: None,
            };
            receiver = self.field(frame, receiver, name, none)?;
        }
        self.field(
            frame,
            receiver,
            final_name,
            Arguments {
                dot,
                node,
                expressions: arguments,
                last,
            },
        )
    }

    fn field<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        receiver: Operand,
        name: &'t Text,
        arguments: Arguments<'t, '_>,
    ) -> Evaluated<Operand> {
        match &receiver.value {
            Value::Nil if receiver.is_invalid() => {
                if self.mode().strict {
                    let message = format!("nil data; no entry for key {}", quoted(name));
                    return about_receiver(frame, message, &arguments, name, &receiver.value);
                }
                Ok(Operand::default())
            }
            Value::Nil => {
                let message = format!("nil pointer evaluating interface {{}}.{name}");
                about_receiver(frame, message, &arguments, name, &receiver.value)
            }
            Value::Map(map) => {
                if map.map_type() == MapType::Values
                    && let Some(method) = find(VALUES_METHODS, name)
                {
                    return self.method(frame, receiver.value, method, arguments);
                }
                if has_any(&arguments) {
                    return frame.error(format!("{name} is not a method but has arguments"));
                }
                self.entry(frame, map, name, &arguments)
            }
            Value::List(list) => match find(list_methods(list.list_type()), name) {
                Some(method) => self.method(frame, receiver.value, method, arguments),
                None => no_field(frame, &receiver, name, &arguments),
            },
            Value::Object(object) => {
                if let Some(method) = find(object.methods(), name) {
                    return self.method(frame, receiver.value, method, arguments);
                }
                self.object_field(frame, &receiver, object.as_ref(), name, &arguments)
            }
            Value::Bool(_)
            | Value::Int(_)
            | Value::Int32(_)
            | Value::Int64(_)
            | Value::Uint8(_)
            | Value::Uint64(_)
            | Value::Float64(_)
            | Value::Complex(..)
            | Value::String(_)
            | Value::Bytes(_) => no_field(frame, &receiver, name, &arguments),
        }
    }

    fn entry(&self, frame: &Frame<'_>, map: &Map, name: &Text, arguments: &Arguments<'_, '_>) -> Evaluated<Operand> {
        let value = match map.get(name) {
            Some(value) => value,
            None if self.mode().strict => {
                let message = format!("map has no entry for key {}", quoted(name));
                return about_receiver(frame, message, arguments, name, &Value::Map(map.clone()));
            }
            None => map.map_type().zero(),
        };
        Ok(Operand::held(value, map.map_type().holds_interfaces()))
    }

    fn object_field(
        &self,
        frame: &Frame<'_>,
        receiver: &Operand,
        object: &dyn Object,
        name: &Text,
        arguments: &Arguments<'_, '_>,
    ) -> Evaluated<Operand> {
        let has_arguments = has_any(arguments);
        if object.kind() == Kind::Map {
            if has_arguments {
                return frame.error(format!("{name} is not a method but has arguments"));
            }
            return match object.entry(name) {
                Some(value) => Ok(Operand::concrete(value)),
                None if self.mode().strict => frame.error(format!("map has no entry for key {}", quoted(name))),
                None => Ok(Operand::concrete(object.zero_entry())),
            };
        }
        if object.is_nil() {
            let message = format!("nil pointer evaluating {}.{name}", receiver.type_name());
            return about_receiver(frame, message, arguments, name, &receiver.value);
        }
        match object.field(name) {
            Some(_) if has_arguments => frame.error(format!("{name} has arguments but cannot be invoked as function")),
            Some(field) => Ok(Operand::held(field.value, field.interface)),
            None => no_field(frame, receiver, name, arguments),
        }
    }

    fn method<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        receiver: Value,
        method: &Function,
        arguments: Arguments<'t, '_>,
    ) -> Evaluated<Operand> {
        let Arguments {
            dot,
            node,
            expressions,
            last,
        } = arguments;
        self.call_method(frame, dot, receiver, method, Place::Expression(node), expressions, last)
    }
}

fn has_any(arguments: &Arguments<'_, '_>) -> bool {
    !arguments.expressions.is_empty() || arguments.last.is_some()
}

fn list_methods(list_type: ListType) -> &'static [Function] {
    match list_type {
        ListType::VersionSet => VERSION_SET_METHODS,
        ListType::Any | ListType::String | ListType::Int | ListType::Lists | ListType::Maps => &[],
    }
}

fn find(methods: &'static [Function], name: &[u8]) -> Option<&'static Function> {
    methods.iter().find(|method| method.name.as_bytes() == name)
}

fn no_field<T>(frame: &Frame<'_>, receiver: &Operand, name: &Text, arguments: &Arguments<'_, '_>) -> Evaluated<T> {
    let message = format!("can't evaluate field {name} in type {}", receiver.type_name());
    about_receiver(frame, message, arguments, name, &receiver.value)
}

/// An error about the value in which a field was looked for.
fn about_receiver<T>(
    frame: &Frame<'_>,
    message: String,
    arguments: &Arguments<'_, '_>,
    name: &Text,
    receiver: &Value,
) -> Evaluated<T> {
    let expression = arguments.node.before(name, &frame.template.source.text);
    frame.error_about(message, &expression, receiver)
}

fn quoted(name: &[u8]) -> String {
    String::from_utf8_lossy(&strconv::quote(name)).into_owned()
}
