//! What can go wrong in a template, with Go's texts.

use super::position::Position;
use super::subject::Subject;
use super::value::{EncodeError, NilMap};
use std::time::Duration;

/// Why a set of templates could not be parsed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template: {template}:{line}: {message}")]
pub struct ParseError {
    /// The name of the source text.
    pub template: String,
    /// The line in it, from 1.
    pub line: usize,
    /// Go's message.
    pub message: String,
    /// The token at which it became clear.
    pub position: Position,
    /// The length of that token in bytes.
    pub length: usize,
}

/// Why a function failed. The executor adds the function's name and the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FunctionError {
    /// The error text of the Go function.
    #[error("{0}")]
    Message(String),
    /// Helm's `required` and `fail`: the chart's author speaks to the user.
    #[error("{0}")]
    Abort(String),
    /// A template that was executed by the function (`include`, `tpl`) failed. The first field is what the function
    /// says before it.
    #[error("{0}{1}")]
    Template(String, ExecutionError),
    /// The text that the function was given is no template. The first field is what the function says before that.
    #[error("{0}{1}")]
    Parse(String, Box<ParseError>),
    /// The rendering is over a limit; nothing may catch this.
    #[error(transparent)]
    Limit(#[from] LimitError),
}

impl FunctionError {
    /// An error with this text.
    pub fn message(text: impl Into<String>) -> Self {
        Self::Message(text.into())
    }
}

impl From<NilMap> for FunctionError {
    fn from(error: NilMap) -> Self {
        Self::Message(error.to_string())
    }
}

impl From<EncodeError> for FunctionError {
    fn from(error: EncodeError) -> Self {
        Self::Message(error.to_string())
    }
}

impl From<String> for FunctionError {
    fn from(text: String) -> Self {
        Self::Message(text)
    }
}

impl From<&str> for FunctionError {
    fn from(text: &str) -> Self {
        Self::Message(text.to_owned())
    }
}

/// A limit of [`Limits`](super::Limits) was reached. The text names it and says how to raise it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// Too many templates, expressions or blocks inside each other.
    #[error("templates and expressions nest deeper than {0} levels; raise this with --limit depth=NUMBER")]
    Depth(usize),
    /// Too much text, in the output of one template or in one string.
    #[error("a text is longer than {0} bytes; raise this with --limit bytes=NUMBER")]
    Bytes(usize),
    /// Too much text and too many elements in all.
    #[error("the templates made more than {0} bytes of texts and lists; raise this with --limit memory=NUMBER")]
    Memory(u64),
    /// Too much work.
    #[error("the templates need more than {0} steps; raise this with --limit steps=NUMBER")]
    Steps(u64),
    /// A regular expression that compiles to too much.
    #[error("a regular expression compiles to more than {0} bytes; raise this with --limit regex=NUMBER")]
    Regex(usize),
    /// Too many private keys, certificates and password hashes.
    #[error(
        "the templates make more than {0} keys, certificates and password hashes; raise this with --limit keys=NUMBER"
    )]
    Keys(u32),
    /// Too long.
    #[error("the templates run longer than {}; raise this with --limit time=DURATION", seconds(*.0))]
    Time(Duration),
}

impl LimitError {
    /// The name of the limit, as `--limit` and [`Limits::set`](super::Limits::set) take it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Depth(_) => "depth",
            Self::Bytes(_) => "bytes",
            Self::Memory(_) => "memory",
            Self::Steps(_) => "steps",
            Self::Regex(_) => "regex",
            Self::Keys(_) => "keys",
            Self::Time(_) => "time",
        }
    }
}

fn seconds(time: Duration) -> String {
    format!("{time:?}")
}

/// Why executing a template failed. `Display` is Go's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExecutionError {
    /// There is no such template.
    #[error("template: no template {0:?} associated with template \"gotpl\"")]
    NoTemplate(String),
    /// A node could not be evaluated.
    #[error("{0}")]
    At(Box<Located>),
}

/// An error at a place in a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template: {position}: executing {template:?} at <{node}>: {cause}")]
pub struct Located {
    /// Where: shown as `chart/templates/x.yaml:3:7`.
    pub position: Position,
    /// The template that was executing (a file or a `define`).
    pub template: String,
    /// The node as Go prints it, shortened as Go does.
    pub node: String,
    /// What went wrong there.
    pub cause: Cause,
    /// The values that it went wrong with.
    pub wrong: Vec<Subject>,
    /// The `{{ template }}` calls that led here, innermost first. Go does not tell them.
    pub callers: Vec<Caller>,
}

/// A `{{ template }}` call under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Where the call stands.
    pub position: Position,
    /// The template that the call stands in.
    pub template: String,
    /// The call as Go prints it.
    pub node: String,
}

/// What went wrong at a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// Evaluation itself.
    #[error("{0}")]
    Evaluation(String),
    /// A function or method call.
    #[error("error calling {function}: {error}")]
    Call {
        /// The function's name.
        function: String,
        /// Its error.
        error: FunctionError,
    },
    /// A limit.
    #[error(transparent)]
    Limit(LimitError),
}

impl ExecutionError {
    /// The message of the `required` or `fail` at the bottom of this error, if that is what it is.
    pub fn abort(&self) -> Option<&str> {
        match self.innermost()? {
            FunctionError::Abort(message) => Some(message),
            FunctionError::Message(_)
            | FunctionError::Template(..)
            | FunctionError::Parse(..)
            | FunctionError::Limit(_) => None,
        }
    }

    /// The limit that was reached, if that is what happened.
    pub fn limit(&self) -> Option<LimitError> {
        match self {
            Self::NoTemplate(_) => None,
            Self::At(located) => match &located.cause {
                Cause::Evaluation(_) => None,
                Cause::Limit(limit) => Some(*limit),
                Cause::Call { function: _, error } => match error {
                    FunctionError::Limit(limit) => Some(*limit),
                    FunctionError::Template(_, inner) => inner.limit(),
                    FunctionError::Message(_) | FunctionError::Abort(_) | FunctionError::Parse(..) => None,
                },
            },
        }
    }

    /// Notes the values that it went wrong with.
    #[must_use]
    pub(super) fn about(mut self, subjects: Vec<Subject>) -> Self {
        if let Self::At(located) = &mut self {
            located.wrong = subjects;
        }
        self
    }

    /// Tells where a piped value comes from.
    #[must_use]
    pub(super) fn piped_from(mut self, commands: impl FnOnce() -> String) -> Self {
        if let Self::At(located) = &mut self
            && !located.wrong.is_empty()
        {
            let commands = commands();
            located
                .wrong
                .iter_mut()
                .for_each(|subject| subject.piped_from(&commands));
        }
        self
    }

    /// Notes that the failed template was called from here.
    #[must_use]
    pub(super) fn called_by(mut self, caller: Caller) -> Self {
        if let Self::At(located) = &mut self {
            located.callers.push(caller);
        }
        self
    }

    /// The function error at the bottom of nested templates.
    fn innermost(&self) -> Option<&FunctionError> {
        match self {
            Self::NoTemplate(_) => None,
            Self::At(located) => match &located.cause {
                Cause::Evaluation(_) | Cause::Limit(_) => None,
                Cause::Call {
                    error: FunctionError::Template(_, inner),
                    ..
                } => inner.innermost(),
                Cause::Call { error, .. } => Some(error),
            },
        }
    }
}
