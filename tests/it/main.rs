//! Integration tests on real parts: one binary, one control plane.

mod conflicts;
mod fixtures;
mod source;
mod support;
