//! Matching, by the engine of the `regex` crate.
//!
//! Most expressions of templates are used once, on a short text of ASCII: making one ready for texts of any size and
//! language takes a hundred times as long as the match. So that is put off until such a text comes.

use std::sync::OnceLock;

use regex_automata::meta::{Builder, Config, Regex};
use regex_automata::util::syntax;

use super::parser::NESTING_LIMIT;

/// The longest text, in bytes, on which an engine that only simulates its states is fast enough.
const SHORT_TEXT: usize = 4 << 10;

/// Bytes that a state of an expression that is known to be of ASCII takes at most, whatever it is compiled for.
const BYTES_PER_STATE: usize = 4 << 10;

/// A compiled expression is beyond its limit.
#[derive(Debug)]
pub(super) struct TooLarge;

/// An expression, compiled as far as texts have needed it.
#[derive(Debug)]
pub(super) enum Engine {
    /// For every text.
    Full(Regex),
    /// First for short texts of ASCII.
    Simple {
        simple: Regex,
        full: OnceLock<Regex>,
        size: usize,
    },
}

impl Engine {
    /// `states` as [`Regexp::states`](super::Regexp::states) has it, `size` the bound in bytes.
    pub(super) fn new(translated: &str, states: usize, size: usize) -> Result<Self, TooLarge> {
        let may_be_simple = translated.is_ascii() && states.saturating_mul(BYTES_PER_STATE) <= size;
        match may_be_simple.then(|| simple(translated, size)).flatten() {
            Some(simple) => Ok(Self::Simple {
                simple,
                full: OnceLock::new(),
                size,
            }),
            None => full(translated, size).map(Self::Full).ok_or(TooLarge),
        }
    }

    /// What to match this text with, of the pattern that it was made of. The outcome does not depend on the choice.
    pub(super) fn for_text(&self, translated: &str, text: &[u8]) -> &Regex {
        match self {
            Self::Full(full) => full,
            Self::Simple { simple, .. } if text.len() <= SHORT_TEXT && text.is_ascii() => simple,
            // An expression that may be simple is below the limit for all texts.
            Self::Simple {
                simple,
                full: made,
                size,
            } => made.get_or_init(|| full(translated, *size).unwrap_or_else(|| simple.clone())),
        }
    }
}

/// Without tables, and without Unicode: an expression that is about characters beyond ASCII does not compile.
fn simple(translated: &str, size: usize) -> Option<Regex> {
    let without_tables = Config::new()
        .dfa(false)
        .onepass(false)
        .hybrid(false)
        .auto_prefilter(false);
    build(translated, size, without_tables, false)
}

fn full(translated: &str, size: usize) -> Option<Regex> {
    build(translated, size, Config::new().hybrid_cache_capacity(1 << 20), true)
}

fn build(translated: &str, size: usize, config: Config, unicode: bool) -> Option<Regex> {
    let syntax = syntax::Config::new()
        .utf8(false)
        .unicode(unicode)
        .nest_limit(4 * NESTING_LIMIT);
    let config = config.utf8_empty(false).nfa_size_limit(Some(size));
    Builder::new().configure(config).syntax(syntax).build(translated).ok()
}
