//! Go semantics that charts rely on: fmt verbs, strconv, regexp syntax, time, JSON, Masterminds semver.
//!
//! Pure. Knows nothing of templates, charts or Kubernetes: each function is specified by what Go (or the named Go
//! library) prints, and tested against tables made with the real Go. Only the value type is the templates' one.

pub mod base32;
pub mod base64;
pub mod cast;
pub mod decimal;
pub mod fmt;
pub mod glob;
pub mod path;
pub mod path_match;
pub mod regexp;
pub mod semver;
pub mod strconv;
pub mod text;
pub mod time;
pub mod toml;
pub mod url;
