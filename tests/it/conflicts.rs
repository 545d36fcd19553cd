//! Field conflicts on a real API server: who wins, what is reported, what is never touched.
//!
//! Other managers are played under their true names, through the kind of write that they use.

mod adoption;
mod catalogue;
mod controllers;
mod history;
mod losses;
mod operators;
mod people;
mod play;
mod promises;
mod refusals;
mod seen;
#[expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a stage that cannot be set up fails the test"
)]
mod stage;
mod unions;
mod webhooks;
