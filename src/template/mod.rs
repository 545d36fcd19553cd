//! Go text/template: lexer, parser, tree, executor and the functions that Helm registers.
//!
//! Pure. Knows nothing of charts and files: a caller hands it named sources and a root value.

mod ahead;
mod content;
pub mod context;
pub mod error;
pub mod function;
pub mod functions;
pub mod host;
pub mod limits;
pub mod position;
pub mod subject;
pub mod trace;
pub mod value;

mod budget;
mod execute;
mod parse;
mod set;
mod texts;
mod tree;

pub use ahead::Ahead;
pub use content::Content;
pub use context::Context;
pub use error::{ExecutionError, FunctionError, LimitError, ParseError};
pub use host::{Host, Mode};
pub use limits::Limits;
pub use set::TemplateSet;
pub use value::Value;

#[cfg(test)]
pub(crate) mod tests;
