//! What this module refuses, so that no input exhausts memory or stack.

/// Collections inside collections, in what is read and in what is written. go-yaml stops at 10 000; no chart comes near either.
pub const MAX_DEPTH: usize = 200;

/// The longest input of one call, in bytes. Helm's own limit of a whole chart archive is 100 MiB.
pub const MAX_INPUT: usize = 64 << 20;

/// The longest key on the way through JSON, in bytes of JSON text: libyaml's bound of a simple key.
pub(super) const MAX_JSON_KEY: usize = 1024;

/// Up to so many decoded nodes nearly all may come from aliases (go-yaml's own bound against expanding documents).
pub(super) const ALIAS_RATIO_LOW: u32 = 400_000;

/// From so many decoded nodes on only a tenth may come from aliases.
pub(super) const ALIAS_RATIO_HIGH: u32 = 4_000_000;

/// Bytes of text that may come from aliases, which go-yaml does not bound. Real documents have some kilobytes.
pub(super) const MAX_ALIAS_TEXT: usize = MAX_INPUT;
