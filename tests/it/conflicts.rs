//! Field conflicts on a real API server: who wins, what is reported, what is never touched.
//!
//! Other managers are played under their true names, through the kind of write that they use.

mod catalogue;
mod ends;
mod promises;
mod told;

macro_rules! scenarios {
    ($($module:ident),+) => {$(
        #[allow(
            clippy::unwrap_used,
            clippy::panic,
            reason = "scenarios are the bodies of tests, which fail in this way; not every module needs both"
        )]
        mod $module;
    )+};
}

scenarios!(
    admission,
    adoption,
    contest,
    controllers,
    exclusive,
    history,
    losses,
    operators,
    people,
    play,
    race,
    refusals,
    stage,
    unions,
    webhooks,
    yields
);
