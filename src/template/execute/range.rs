//! `range`.

use super::frame::{Evaluated, Frame, Operand, Place};
use super::walk::Flow;
use crate::go::fmt;
use crate::template::context::Context;
use crate::template::tree::{Branch, Node};
use crate::template::value::{Kind, Underlying, Value};

/// The loop's unchanging parts.
struct Loop<'t, 'o> {
    branch: &'t Branch,
    output: &'o mut Vec<u8>,
}

impl Context<'_> {
    pub(super) fn walk_range<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        dot: &Operand,
        node: &'t Node,
        branch: &'t Branch,
        output: &mut Vec<u8>,
    ) -> Evaluated<Flow> {
        frame.place = Place::Node(node);
        let operand = self.pipeline(frame, dot, &branch.pipe)?;
        let mut body = Loop { branch, output };
        let entered = match &operand.value {
            Value::Nil => false,
            Value::List(list) => {
                let interface = list.list_type().holds_interfaces();
                let items = list.iter().enumerate();
                self.iterate(
                    frame,
                    &mut body,
                    items.map(|(index, item)| (Operand::concrete(int(index)), Operand::held(item.clone(), interface))),
                )?
            }
            Value::Bytes(bytes) => {
                let items = bytes.as_bytes().iter().enumerate();
                self.iterate(
                    frame,
                    &mut body,
                    items.map(|(index, byte)| (Operand::concrete(int(index)), Operand::concrete(Value::Uint8(*byte)))),
                )?
            }
            Value::Map(map) => {
                let interface = map.map_type().holds_interfaces();
                // The entries are copied before the first is looked at.
                self.spend(map.len() / 8).or_else(|limit| frame.limit(limit))?;
                self.iterate(
                    frame,
                    &mut body,
                    map.entries()
                        .into_iter()
                        .map(|(key, value)| (Operand::concrete(Value::String(key)), Operand::held(value, interface))),
                )?
            }
            Value::Int(_) | Value::Int32(_) | Value::Int64(_) | Value::Uint8(_) | Value::Uint64(_) => {
                self.count(frame, &mut body, &operand.value)?
            }
            Value::Object(object) if object.kind() == Kind::Map => match object.underlying() {
                Underlying::Map(entries) => self.iterate(
                    frame,
                    &mut body,
                    entries
                        .into_iter()
                        .map(|(key, value)| (Operand::concrete(Value::String(key)), Operand::concrete(value))),
                )?,
                Underlying::Struct(_) | Underlying::Scalar(_) => return not_iterable(frame, branch, &operand.value),
            },
            Value::Object(object) if object.as_int().is_some() => self.count(frame, &mut body, &operand.value)?,
            Value::Bool(_) | Value::Float64(_) | Value::Complex(..) | Value::String(_) | Value::Object(_) => {
                return not_iterable(frame, branch, &operand.value);
            }
        };
        if entered {
            return Ok(Flow::Next);
        }
        self.walk_else(frame, dot, branch, body.output)
    }

    /// Runs the body for each pair; false when there was none.
    fn iterate<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        body: &mut Loop<'t, '_>,
        pairs: impl Iterator<Item = (Operand, Operand)>,
    ) -> Evaluated<bool> {
        let mut entered = false;
        for (index, element) in pairs {
            entered = true;
            if self.one_iteration(frame, body, index, &element)? == Flow::Break {
                break;
            }
        }
        Ok(entered)
    }

    /// `range 5`: the element counts, and there is no index.
    fn count<'t>(&mut self, frame: &mut Frame<'t>, body: &mut Loop<'t, '_>, limit: &Value) -> Evaluated<bool> {
        if body.branch.pipe.declarations.len() > 1 {
            let shown = shown(limit);
            return frame.error(format!("can't use {shown} to iterate over more than one variable"));
        }
        let end = limit
            .as_int()
            .or_else(|| limit.as_uint().and_then(|end| i64::try_from(end).ok()))
            .unwrap_or(i64::MAX);
        let same_kind = |number: i64| match limit {
            Value::Int32(_) => Value::Int32(i32::try_from(number).unwrap_or(i32::MAX)),
            Value::Int64(_) => Value::Int64(number),
            Value::Uint8(_) => Value::Uint8(u8::try_from(number).unwrap_or(u8::MAX)),
            Value::Uint64(_) => Value::Uint64(number.unsigned_abs()),
            _ => Value::Int(number),
        };
        self.iterate(
            frame,
            body,
            (0..end).map(|number| (Operand::default(), Operand::concrete(same_kind(number)))),
        )
    }

    fn one_iteration<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        body: &mut Loop<'t, '_>,
        index: Operand,
        element: &Operand,
    ) -> Evaluated<Flow> {
        self.step(frame)?;
        match body.branch.pipe.declarations.as_slice() {
            [] => {}
            [only] => self.set_variable(frame, &only.name, only.slot, element.clone())?,
            [first, second, ..] => {
                self.set_variable(frame, &first.name, first.slot, index)?;
                self.set_variable(frame, &second.name, second.slot, element.clone())?;
            }
        }
        self.walk_list(frame, element, &body.branch.list, body.output)
    }
}

fn int(index: usize) -> Value {
    Value::Int(i64::try_from(index).unwrap_or(i64::MAX))
}

fn shown(value: &Value) -> String {
    String::from_utf8_lossy(&fmt::sprint(std::slice::from_ref(value))).into_owned()
}

fn not_iterable<T>(frame: &Frame<'_>, branch: &Branch, value: &Value) -> Evaluated<T> {
    let mut text = Vec::new();
    fmt::write_printable(&mut text, value);
    // Without what is declared: the value is that of the commands.
    let shown = frame.shown(branch.pipe.commands());
    let message = format!("range can't iterate over {}", String::from_utf8_lossy(&text));
    frame.error_about(message, &shown, value)
}
