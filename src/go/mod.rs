//! Go semantics that charts rely on: fmt verbs, strconv, regexp syntax, time, JSON, Masterminds semver.
//!
//! Pure. Knows nothing of templates, charts or Kubernetes: each function is specified by what Go (or the named Go
//! library) prints, and tested against tables made with the real Go.

pub mod regexp;
pub mod strconv;
pub mod time;
