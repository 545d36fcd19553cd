//! Walks a tree: Go's executor. It runs on a [`Context`], which functions get as well.

mod call;
mod evaluate;
mod field;
mod frame;
mod range;
mod walk;

pub(super) use frame::Operand;
