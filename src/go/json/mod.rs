//! JSON as Go's encoding/json writes and reads it.

mod decode;
mod encode;

pub use decode::{DecodeError, decode};
pub use encode::{encode, encode_indent};

/// How deep a text or value may be nested: far beyond any real one, and safe on a small stack.
const DEPTH: usize = 250;
