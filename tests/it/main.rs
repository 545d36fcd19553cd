//! Integration tests on real parts: one binary, one control plane.

mod conflicts;
