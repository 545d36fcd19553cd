//! todo
pub(super) const FUNCTIONS: &[crate::template::function::Function] = &[];
