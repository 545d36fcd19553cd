//! Observed x desired x now -> plan, and outcome -> status.
//!
//! Pure and total: no clock, no client; every state has an answer.

pub mod cluster;
pub mod course;
pub mod decide;
pub mod dependencies;
pub mod diff;
pub mod drift;
pub mod election;
pub mod gate;
pub mod hooks;
pub mod inventory;
pub mod method;
pub mod outcome;
pub mod ownership_status;
pub mod policy;
pub mod records;
pub mod remedy;
pub mod retry;
pub mod revision;
pub mod settle;
pub mod shadow;
pub mod source;
pub mod state;
pub mod values;
