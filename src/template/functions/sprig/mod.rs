//! The functions of Sprig 3.3.0 that Helm leaves in: one module a family.

use crate::template::function::Function;

/// The functions, in families.
pub const FAMILIES: &[&[Function]] = &[];
