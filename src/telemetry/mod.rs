//! Logs, metrics and events.
//!
//! Edge.
