//! The functions that Helm adds to Sprig's, or puts in their place.

mod durations;
mod json;
mod templates;
mod toml;
mod values;
mod versions;
mod yaml;

use crate::template::function::Function;

/// The functions, in families.
pub const FAMILIES: &[&[Function]] = &[
    durations::FUNCTIONS,
    json::FUNCTIONS,
    templates::FUNCTIONS,
    toml::FUNCTIONS,
    yaml::FUNCTIONS,
];

pub use values::METHODS as VALUES_METHODS;
pub use versions::METHODS as VERSION_SET_METHODS;
