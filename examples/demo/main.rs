//! The main job on an embedded control plane.

fn main() {}
