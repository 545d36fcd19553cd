//! The functions that Helm adds to Sprig's.

use crate::template::function::Function;

/// The functions, in families.
pub const FAMILIES: &[&[Function]] = &[];

/// The methods of `common.Values`, the type of `.Values`.
pub const VALUES_METHODS: &[Function] = &[];
