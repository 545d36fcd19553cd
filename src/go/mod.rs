//! Go semantics that charts rely on: fmt verbs, strconv, regexp syntax, time, JSON, Masterminds semver.
//!
//! Pure. Knows nothing of templates, charts or Kubernetes: each function is specified by what Go (or the named Go
//! library) prints, and tested against tables made with the real Go. Only the value type is the templates' one.

pub mod fmt;
pub mod json;
pub mod strconv;
