//! The controller: wiring, the reconcile pipeline, watches, the admin server.
//!
//! Edge.
