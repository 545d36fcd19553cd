//! Integration tests on real parts: one binary, one control plane.

mod bad_input;
mod conflicts;
mod deployed;
mod fixtures;
mod noop;
mod policies;
mod releases;
mod resources;
mod source;
mod support;
