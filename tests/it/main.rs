//! Integration tests on real parts: one binary, one control plane.
#![expect(clippy::print_stderr, reason = "long tests say how far they are")]

mod alerts;
mod bad_input;
mod conflicts;
mod deployed;
mod diff;
mod fixtures;
mod leadership;
mod noop;
mod pain_points;
mod policies;
mod releases;
mod resources;
mod shadow;
mod source;
mod support;
