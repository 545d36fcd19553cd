//! From text to trees: Go's template grammar, with Go's error texts.

mod lexer;
mod names;
mod number;
mod parser;
mod workspace;

use names::Names;
pub(super) use parser::parse;
pub(super) use workspace::Workspace;
