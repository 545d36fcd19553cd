//! What can go wrong in a template, with Go's texts.

use super::value::{EncodeError, NilMap};

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

/// A limit of [`Limits`](super::Limits) was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// Too many templates, expressions or blocks inside each other.
    #[error("exceeded maximum template depth ({0})")]
    Depth(usize),
    /// Too much text, in the output or in one string.
    #[error("exceeded maximum text size ({0} bytes)")]
    Bytes(usize),
    /// Too much work.
    #[error("exceeded maximum number of template steps ({0})")]
    Steps(u64),
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
#[error("template: {location}: executing {template:?} at <{node}>: {cause}")]
pub struct Located {
    /// Source name, line and column: `chart/templates/x.yaml:3:7`.
    pub location: String,
    /// The template that was executing (a file or a `define`).
    pub template: String,
    /// The node as Go prints it, shortened as Go does.
    pub node: String,
    /// What went wrong there.
    pub cause: Cause,
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
            FunctionError::Message(_) | FunctionError::Template(..) | FunctionError::Limit(_) => None,
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
                    FunctionError::Message(_) | FunctionError::Abort(_) => None,
                },
            },
        }
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
