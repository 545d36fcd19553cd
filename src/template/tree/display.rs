//! Trees as text, the way Go's error messages show nodes.

use super::{Branch, Command, Expression, List, Node, Pipe};
use crate::go::strconv;
use crate::template::value::Text;
use std::fmt::{self, Display, Formatter};

/// A part of a tree together with the source that it was parsed from.
pub(in crate::template) struct Shown<'t, T> {
    part: &'t T,
    source: &'t [u8],
}

impl<'t, T> Shown<'t, T> {
    fn with<U>(&self, part: &'t U) -> Shown<'t, U> {
        Shown {
            part,
            source: self.source,
        }
    }
}

/// Gives parts of a tree their `display`.
macro_rules! displayed {
    ($($part:ty),*) => {
        $(impl $part {
            /// The part as Go prints it.
            pub(in crate::template) fn display<'t>(&'t self, source: &'t [u8]) -> Shown<'t, Self> {
                Shown { part: self, source }
            }
        })*
    };
}

displayed!(Node, List, Pipe, Command, Expression);

impl Expression {
    /// What stands before one of this expression's field names: of `.a.b.c` and the name `c`, `.a.b`.
    pub(in crate::template) fn before(&self, name: &Text, source: &[u8]) -> String {
        let (start, names): (String, &[Text]) = match self {
            Self::Field { names, .. } => (String::new(), names),
            Self::Variable { name, fields, .. } => (name.to_string(), fields),
            Self::Chain { base, fields, .. } => {
                let shown = Shown {
                    part: base.as_ref(),
                    source,
                };
                (InParentheses(&shown).to_string(), fields)
            }
            Self::Dot { .. }
            | Self::Nil { .. }
            | Self::Bool { .. }
            | Self::Number { .. }
            | Self::String { .. }
            | Self::Function { .. }
            | Self::Pipe(_) => return self.display(source).to_string(),
        };
        let path = names.iter().take_while(|known| !std::ptr::eq(*known, name));
        let expression = path.fold(start, |path, name| format!("{path}.{name}"));
        if expression.is_empty() {
            ".".to_owned()
        } else {
            expression
        }
    }
}

/// An expression as an operand of another one.
struct InParentheses<'s, 't>(&'s Shown<'t, Expression>);

impl Display for InParentheses<'_, '_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.0.in_parentheses(formatter)
    }
}

fn write_fields(formatter: &mut Formatter<'_>, fields: &[Text]) -> fmt::Result {
    fields.iter().try_for_each(|field| write!(formatter, ".{field}"))
}

fn write_bytes(formatter: &mut Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    formatter.write_str(&String::from_utf8_lossy(bytes))
}

impl Display for Shown<'_, List> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.part
            .nodes
            .iter()
            .try_for_each(|node| self.with(node).fmt(formatter))
    }
}

impl Display for Shown<'_, Node> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self.part {
            Node::Text { range } => write_bytes(formatter, &self.source[range.clone()]),
            Node::Raw { literal } => {
                formatter.write_str("{{")?;
                write_bytes(formatter, &self.source[literal.clone()])?;
                formatter.write_str("}}")
            }
            Node::Action { pipe } => write!(formatter, "{{{{{}}}}}", self.with(pipe.as_ref())),
            Node::If(branch) => self.branch(formatter, "if", branch),
            Node::With(branch) => self.branch(formatter, "with", branch),
            Node::Range(branch) => self.branch(formatter, "range", branch),
            Node::Template { name, pipe, .. } => {
                formatter.write_str("{{template ")?;
                write_bytes(formatter, &strconv::quote(name))?;
                if let Some(pipe) = pipe {
                    write!(formatter, " {}", self.with(pipe.as_ref()))?;
                }
                formatter.write_str("}}")
            }
            Node::Break { .. } => formatter.write_str("{{break}}"),
            Node::Continue { .. } => formatter.write_str("{{continue}}"),
        }
    }
}

impl Shown<'_, Node> {
    fn branch(&self, formatter: &mut Formatter<'_>, name: &str, branch: &Branch) -> fmt::Result {
        let Branch { pipe, list, else_list } = branch;
        let shown = |list| Shown {
            part: list,
            source: self.source,
        };
        write!(
            formatter,
            "{{{{{name} {}}}}}{}",
            Shown {
                part: pipe,
                source: self.source
            },
            shown(list)
        )?;
        if let Some(else_list) = else_list {
            write!(formatter, "{{{{else}}}}{}", shown(else_list))?;
        }
        formatter.write_str("{{end}}")
    }
}

impl Display for Shown<'_, Pipe> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        for (index, variable) in self.part.declarations.iter().enumerate() {
            let separator = if index > 0 { ", " } else { "" };
            write!(formatter, "{separator}{}", variable.name)?;
        }
        if self.part.declares() {
            formatter.write_str(if self.part.is_assignment { " = " } else { " := " })?;
        }
        for (index, command) in self.part.commands().enumerate() {
            let separator = if index > 0 { " | " } else { "" };
            write!(formatter, "{separator}{}", self.with(command))?;
        }
        Ok(())
    }
}

impl Display for Shown<'_, Command> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        for (index, operand) in self.part.operands().enumerate() {
            let separator = if index > 0 { " " } else { "" };
            write!(formatter, "{separator}")?;
            self.with(operand).in_parentheses(formatter)?;
        }
        Ok(())
    }
}

impl Shown<'_, Expression> {
    fn in_parentheses(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        if let Expression::Pipe(_) = self.part {
            write!(formatter, "({self})")
        } else {
            self.fmt(formatter)
        }
    }
}

impl Display for Shown<'_, Expression> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self.part {
            Expression::Dot { .. } => formatter.write_str("."),
            Expression::Nil { .. } => formatter.write_str("nil"),
            Expression::Bool { value, .. } => write!(formatter, "{value}"),
            Expression::Number { number, .. } => write!(formatter, "{}", number.text),
            Expression::String { literal, .. } => write_bytes(formatter, &self.source[literal.clone()]),
            Expression::Field { names, .. } => write_fields(formatter, names),
            Expression::Variable { name, fields, .. } => {
                write!(formatter, "{name}")?;
                write_fields(formatter, fields)
            }
            Expression::Function { function, .. } => formatter.write_str(function.name),
            Expression::Chain { base, fields, .. } => {
                self.with(base.as_ref()).in_parentheses(formatter)?;
                write_fields(formatter, fields)
            }
            Expression::Pipe(pipe) => self.with(pipe.as_ref()).fmt(formatter),
        }
    }
}
