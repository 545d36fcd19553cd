//! Logs, metrics and events.
//!
//! Edge. Says what happened; decides nothing.

pub mod events;
pub mod logs;
pub mod metrics;
pub mod requests;
