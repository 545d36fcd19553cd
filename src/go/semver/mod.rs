//! Semantic versions and version ranges as github.com/Masterminds/semver 3.5.0 understands them.
//!
//! Helm resolves chart versions with that library and Sprig hands it to templates, so its lenient parsing, its
//! operators and its rules for prereleases are what charts are written against. `golden.jsonl` holds its own answers.
//! This module knows text and order; it does not know charts or repositories.

mod constraint;
mod error;
mod scan;
mod version;

#[cfg(test)]
mod tests;

pub use constraint::{Constraint, MAXIMUM_ALTERNATIVES, MAXIMUM_CONSTRAINT_LENGTH};
pub use error::{ConstraintError, VersionError};
pub use version::{MAXIMUM_VERSION_LENGTH, Version};
