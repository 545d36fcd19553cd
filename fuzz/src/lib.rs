//! What the fuzz targets do with the bytes that they get: each checks properties, not only that nothing panics.
//!
//! The fuzzer reaches this as a crate, `tests/fuzz_corpus.rs` as a module; so only the public interface of the chart
//! engine is used here.

mod archive;
mod execute;
mod expressions;
mod host;
mod parse;
mod set;
mod yaml;

pub use archive::archive;
pub use execute::{execute, functions};
pub use parse::parse;
pub use set::set;
pub use yaml::{yaml_read, yaml_write};

/// The body of a target.
pub type Target = fn(&[u8]);

/// All targets by name: the names of their corpora.
pub const TARGETS: &[(&str, Target)] = &[
    ("parse", parse),
    ("execute", execute),
    ("functions", functions),
    ("yaml_read", yaml_read),
    ("yaml_write", yaml_write),
    ("archive", archive),
    ("set", set),
];
