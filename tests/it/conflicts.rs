//! Field conflicts on a real API server: who wins, what is reported, what is never touched.
//!
//! Other managers are played under their true names, through the kind of write that they use.

mod catalogue;
mod promises;
mod seen;

macro_rules! scenarios {
    ($($module:ident),+) => {$(
        #[expect(
            clippy::unwrap_used,
            clippy::panic,
            reason = "scenarios are the bodies of tests; a stage that cannot be set up fails the test"
        )]
        mod $module;
    )+};
}

scenarios!(
    adoption,
    controllers,
    history,
    losses,
    operators,
    people,
    play,
    race,
    refusals,
    stage,
    unions,
    webhooks
);
