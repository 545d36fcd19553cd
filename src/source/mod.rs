//! Where charts come from: directories, archives, HTTP repositories, OCI registries.
//!
//! Edge: does the IO, with bounds and typed errors; parsing is `chart`.
