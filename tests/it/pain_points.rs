//! What Flux's users complain about most, and what they wanted instead: the tests that show it, and those that nothing else shows.

mod catalogue;
mod drift;
mod gates;
mod inputs;
mod leaving;
mod preview;
mod scale;
mod stuck;
