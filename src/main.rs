//! Start-up of the `fairlead` binary.

fn main() {}
