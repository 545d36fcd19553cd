//! TOML as BurntSushi/toml 1.6 writes and reads it, which is what Helm's `toToml` and `fromToml` do.

mod decode;
mod encode;

pub use decode::{DecodeError, decode};
pub use encode::{EncodeError, encode};
