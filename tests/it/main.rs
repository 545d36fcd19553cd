//! Integration tests on real parts: one binary, one control plane.

mod conflicts;
mod fixtures;
mod releases;
mod resources;
mod source;
mod support;
