//! Parsed templates. Immutable, and shared between threads.

use super::Content;
use super::function::Function;
use super::value::Text;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

mod display;

/// A text that templates were parsed from.
#[derive(Debug)]
pub(super) struct Source {
    /// Its name in error messages.
    pub(super) name: Arc<str>,
    /// The text.
    pub(super) text: Content,
}

/// Templates by name.
pub(super) type Templates = BTreeMap<Arc<str>, Arc<Template>>;

/// One named template: a source's top level, a `define` or a `block`.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) name: Arc<str>,
    pub(super) source: Arc<Source>,
    /// Shared by templates of the same text in several sources.
    pub(super) root: Arc<List>,
    /// How many variables are alive at most; the first is `$`.
    pub(super) slots: usize,
}

impl Template {
    /// The same template in another source with the very same text.
    pub(super) fn moved(&self, name: &Arc<str>, source: &Arc<Source>) -> Self {
        Self {
            name: Arc::clone(name),
            source: Arc::clone(source),
            root: Arc::clone(&self.root),
            slots: self.slots,
        }
    }

    /// Whether there is nothing but blanks, comments and definitions.
    pub(super) fn is_empty(&self) -> bool {
        self.root.nodes.iter().all(|node| match node {
            Node::Text { range, .. } => self.source.text[range.clone()].trim_ascii().is_empty(),
            Node::Action { .. }
            | Node::Raw { .. }
            | Node::If(_)
            | Node::With(_)
            | Node::Range(_)
            | Node::Template { .. }
            | Node::Break { .. }
            | Node::Continue { .. } => false,
        })
    }
}

/// A sequence of nodes.
#[derive(Debug, Default)]
pub(super) struct List {
    pub(super) nodes: Vec<Node>,
}

/// One node of a template. Comments leave none.
#[derive(Debug)]
pub(super) enum Node {
    Text {
        range: Range<usize>,
    },
    Action {
        pipe: Box<Pipe>,
    },
    /// An action that is one raw string, such as {{`{{`}}: charts full of braces have thousands of them.
    Raw {
        /// Where it stands, with its quotes.
        literal: Range<usize>,
    },
    If(Box<Branch>),
    With(Box<Branch>),
    Range(Box<Branch>),
    Template {
        position: usize,
        name: Text,
        pipe: Option<Box<Pipe>>,
    },
    Break {
        position: usize,
    },
    Continue {
        position: usize,
    },
}

/// `if`, `with` and `range`.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) pipe: Pipe,
    pub(super) list: List,
    pub(super) else_list: Option<List>,
}

/// A pipeline: `$a, $b := first | second`. Most have one command of one operand, which stand in it: a large chart has too many of them for
/// the processor's cache, and each further piece of memory would be waited for.
#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) position: usize,
    pub(super) declarations: Vec<Variable>,
    /// `=` instead of `:=`.
    pub(super) is_assignment: bool,
    pub(super) first: Command,
    /// What its value goes through.
    pub(super) rest: Vec<Command>,
}

impl Pipe {
    /// All commands.
    pub(super) fn commands(&self) -> impl Iterator<Item = &Command> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    /// Whether its value is what a function returns.
    pub(super) fn ends_with_call(&self) -> bool {
        let last = self.rest.last().unwrap_or(&self.first);
        matches!(last.first, Expression::Function { .. })
    }
}

/// The slot of a variable that will not be there at run time.
pub(super) const UNDEFINED: usize = usize::MAX;

/// A variable that a pipeline sets.
#[derive(Debug)]
pub(super) struct Variable {
    pub(super) name: Text,
    pub(super) slot: usize,
}

/// A command: an operand with its arguments.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) position: usize,
    pub(super) first: Expression,
    pub(super) arguments: Vec<Expression>,
}

impl Command {
    /// The operand and its arguments.
    pub(super) fn operands(&self) -> impl Iterator<Item = &Expression> {
        std::iter::once(&self.first).chain(&self.arguments)
    }
}

/// An operand.
#[derive(Debug)]
pub(super) enum Expression {
    Dot {
        position: usize,
    },
    Nil {
        position: usize,
    },
    Bool {
        position: usize,
        value: bool,
    },
    Number {
        position: usize,
        number: Box<Number>,
    },
    String {
        position: usize,
        literal: Range<usize>,
        text: Text,
    },
    Field {
        position: usize,
        names: Vec<Text>,
    },
    /// `$x.a.b`.
    Variable {
        position: usize,
        name: Text,
        slot: usize,
        fields: Vec<Text>,
    },
    Function {
        position: usize,
        function: &'static Function,
        builtin: Builtin,
    },
    /// `(pipeline).a.b`.
    Chain {
        position: usize,
        base: Box<Expression>,
        fields: Vec<Text>,
    },
    Pipe(Box<Pipe>),
}

/// Functions that the executor itself has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Builtin {
    /// None of them.
    No,
    /// Evaluates its arguments only as far as needed.
    And,
    /// Evaluates its arguments only as far as needed.
    Or,
    /// Tells an untyped nil from a nil in an interface.
    Len,
    /// Calls a function value, of which templates have none.
    Call,
}

/// A numeric constant, in every kind that its text can be.
#[derive(Debug)]
pub(super) struct Number {
    pub(super) text: Text,
    pub(super) int: Option<i64>,
    pub(super) uint: Option<u64>,
    pub(super) float: Option<f64>,
    pub(super) complex: Option<(f64, f64)>,
}

impl Pipe {
    /// The variables of a pipeline are alive from their declaration on.
    pub(super) fn declares(&self) -> bool {
        !self.declarations.is_empty()
    }
}

impl Expression {
    /// Where it stands in the source.
    pub(super) fn position(&self) -> usize {
        match self {
            Self::Dot { position }
            | Self::Nil { position }
            | Self::Bool { position, .. }
            | Self::Number { position, .. }
            | Self::String { position, .. }
            | Self::Field { position, .. }
            | Self::Variable { position, .. }
            | Self::Function { position, .. }
            | Self::Chain { position, .. } => *position,
            Self::Pipe(pipe) => pipe.position,
        }
    }
}

impl Node {
    /// Where it stands in the source.
    pub(super) fn position(&self) -> usize {
        match self {
            Self::Text { range } => range.start,
            Self::Raw { literal } => literal.start,
            Self::Action { pipe } => pipe.position,
            Self::If(branch) | Self::With(branch) | Self::Range(branch) => branch.pipe.position,
            Self::Template { position, .. } | Self::Break { position } | Self::Continue { position } => *position,
        }
    }
}
