//! Nodes: text, actions, conditions, template calls.

use super::frame::{Evaluated, Frame, Operand, Place};
use crate::go::fmt;
use crate::template::context::Context;
use crate::template::error::LimitError;
use crate::template::tree::{Branch, List, Node, Pipe, Template};
use crate::template::value::{Text, Value};
use std::sync::Arc;

/// How a list ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Break,
    Continue,
}

impl Context<'_> {
    /// Executes one template with this data.
    pub(in crate::template) fn run(
        &mut self,
        template: &Template,
        data: &Operand,
        output: &mut Vec<u8>,
    ) -> Evaluated<()> {
        let base = self.variables.len();
        let mut frame = Frame {
            template,
            place: Place::List(&template.root),
            base,
        };
        self.enter(&frame)?;
        self.variables.resize(base + template.slots, None);
        if let Some(root) = self.variables.get_mut(base) {
            *root = Some(data.clone());
        }
        let result = self.walk_list(&mut frame, data, &template.root, output);
        self.variables.truncate(base);
        self.leave();
        result.map(|_| ())
    }

    pub(super) fn walk_list<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        dot: &Operand,
        list: &'t List,
        output: &mut Vec<u8>,
    ) -> Evaluated<Flow> {
        frame.place = Place::List(list);
        self.enter(frame)?;
        let mut flow = Flow::Next;
        for node in &list.nodes {
            frame.place = Place::Node(node);
            flow = self.walk(frame, dot, node, output)?;
            if flow != Flow::Next {
                break;
            }
        }
        self.leave();
        Ok(flow)
    }

    fn walk<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        dot: &Operand,
        node: &'t Node,
        output: &mut Vec<u8>,
    ) -> Evaluated<Flow> {
        match node {
            Node::Text { range } => {
                let text = &frame.template.source.text[range.clone()];
                self.append(frame, output, |output| output.extend_from_slice(text))?;
            }
            Node::Raw { literal } => {
                self.step(frame)?;
                let text = &frame.template.source.text[literal.clone()];
                let text = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
                self.append(frame, output, |output| output.extend_from_slice(text))?;
            }
            Node::Action { pipe } => {
                let operand = self.pipeline(frame, dot, pipe)?;
                if !pipe.declares() {
                    frame.place = Place::Node(node);
                    if let Value::List(_) | Value::Map(_) = operand.value {
                        self.measure(&operand.value).or_else(|limit| frame.limit(limit))?;
                    }
                    self.append(frame, output, |output| print(output, &operand.value, pipe))?;
                }
            }
            Node::If(branch) => return self.walk_if(frame, dot, branch, output),
            Node::With(branch) => return self.walk_with(frame, dot, branch, output),
            Node::Range(branch) => return self.walk_range(frame, dot, node, branch, output),
            Node::Template { name, pipe, .. } => self.walk_template(frame, dot, node, name, pipe.as_deref(), output)?,
            Node::Break { .. } => return Ok(Flow::Break),
            Node::Continue { .. } => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    /// Writes to the output, unless it gets too long: then it stays as it was.
    fn append(&self, frame: &Frame<'_>, output: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> Evaluated<()> {
        let before = output.len();
        write(output);
        if output.len() > self.limits.bytes {
            output.truncate(before);
            return frame.limit(LimitError::Bytes(self.limits.bytes));
        }
        Ok(())
    }

    fn walk_if<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        dot: &Operand,
        branch: &'t Branch,
        output: &mut Vec<u8>,
    ) -> Evaluated<Flow> {
        if self.pipeline(frame, dot, &branch.pipe)?.value.is_true() {
            self.walk_list(frame, dot, &branch.list, output)
        } else {
            self.walk_else(frame, dot, branch, output)
        }
    }

    fn walk_with<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        dot: &Operand,
        branch: &'t Branch,
        output: &mut Vec<u8>,
    ) -> Evaluated<Flow> {
        let operand = self.pipeline(frame, dot, &branch.pipe)?;
        if operand.value.is_true() {
            self.walk_list(frame, &operand, &branch.list, output)
        } else {
            self.walk_else(frame, dot, branch, output)
        }
    }

    pub(super) fn walk_else<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        dot: &Operand,
        branch: &'t Branch,
        output: &mut Vec<u8>,
    ) -> Evaluated<Flow> {
        match &branch.else_list {
            Some(list) => self.walk_list(frame, dot, list, output),
            None => Ok(Flow::Next),
        }
    }

    fn walk_template<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        dot: &Operand,
        node: &'t Node,
        name: &Text,
        pipe: Option<&'t Pipe>,
        output: &mut Vec<u8>,
    ) -> Evaluated<()> {
        let Some(template) = self.find(name) else {
            let quoted = crate::go::strconv::quote(name);
            return frame.error(format!("template {} not defined", String::from_utf8_lossy(&quoted)));
        };
        let data = match pipe {
            Some(pipe) => self.pipeline(frame, dot, pipe)?,
            None => Operand::default(),
        };
        self.run(&template, &data, output)
            .map_err(|error| error.called_by(frame.as_caller(node)))
    }

    /// The template of that name that is seen from here: those of the `tpl` texts under way come first.
    pub(in crate::template) fn find(&self, name: &[u8]) -> Option<Arc<Template>> {
        let name = std::str::from_utf8(name).ok()?;
        let mut overlay = self.overlay.as_deref();
        while let Some(current) = overlay {
            if let Some(template) = current.templates.get(name) {
                return Some(Arc::clone(template));
            }
            overlay = current.below.as_deref();
        }
        self.set.find(name).cloned()
    }
}

fn print(output: &mut Vec<u8>, value: &Value, pipe: &Pipe) {
    match value {
        Value::Nil => output.extend_from_slice(b"<no value>"),
        Value::Object(object) => match object.addressable_stringer() {
            // What a function returns is a copy, which has no address.
            Some(text) if !pipe.ends_with_call() => output.extend_from_slice(&text),
            _ => fmt::write_printable(output, value),
        },
        value => fmt::write_printable(output, value),
    }
}
