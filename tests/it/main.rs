//! Integration tests on real parts: one binary, one control plane.

mod fixtures;
mod resources;
mod support;
