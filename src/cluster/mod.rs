//! The Kubernetes API as Fairlead uses it: discovery, server-side apply, pruning, observing, release records.
//!
//! Edge: does the IO; what to do is decided in `ownership` and `plan`.

pub mod apply;
pub mod calls;
pub mod delete;
pub mod discovery;
pub mod observe;
pub mod records;
pub mod storage;
