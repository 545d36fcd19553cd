//! The functions that Go's text/template itself has.

use crate::template::function::Function;

/// This family's functions.
pub const FUNCTIONS: &[Function] = &[];
