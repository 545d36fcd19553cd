//! How much one rendering may use.

use super::error::LimitError;
use crate::parallel;
use std::time::Duration;

/// Limits of one rendering. The defaults are far above what real charts need and stop a hostile one within a second of
/// processor time, the making of keys excepted ([`Limits::keys`]).
///
/// | Name | Default | The most that any of 375 cases of 117 real charts needs |
/// |---|---|---|
/// | `depth` | 6000 | |
/// | `bytes` | 64 MiB | |
/// | `memory` | 512 MiB | 14 MiB |
/// | `steps` | 20 million | 1.5 million; all but one chart 0.3 million |
/// | `regex` | 2 MiB | |
/// | `keys` | 64 | 1 |
/// | `time` | 750 ms, so that with what lies between two looks at the clock it ends within a second | 30 ms |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Templates, blocks and nested expressions inside each other, in evaluation steps that use the stack.
    pub depth: usize,
    /// Bytes of output of one execution, and of any one string that a function makes. A list counts with what its
    /// elements take.
    pub bytes: usize,
    /// Bytes of all strings, lists and dictionaries that functions make in one rendering, whether they are kept or not:
    /// a bound of its memory.
    pub memory: u64,
    /// Work in one rendering: one for each node that is evaluated, and more for functions that read or write much.
    pub steps: u64,
    /// How often one template may include itself, Helm's constant.
    pub includes: u32,
    /// Bytes of one compiled regular expression.
    pub regex: usize,
    /// Keys, certificates and password hashes in one rendering. `genPrivateKey` counts eight times, for its RSA keys have
    /// 4096 bits. One takes up to 0.2 s, such a private key some 2 s, which the chart cannot help: it does not count as
    /// `time`.
    pub keys: u32,
    /// Time of one rendering as [`Host::elapsed`](super::Host::elapsed) tells it; processor time where that is known. It
    /// catches what `steps` counts too cheaply.
    pub time: Duration,
}

impl Limits {
    /// The stack on which the default depth is safe, also in an unoptimised build (which uses at most 2.7 KiB a level;
    /// measured). Render on a thread with at least this much: memory is only taken for what is used.
    pub const STACK_BYTES: usize = parallel::STACK_BYTES;

    /// The names that [`Limits::set`] takes.
    pub const NAMES: [&str; 7] = ["depth", "bytes", "memory", "steps", "regex", "keys", "time"];

    /// The deepest that may be asked for: beyond it [`Limits::STACK_BYTES`] would not do.
    const MAXIMUM_DEPTH: usize = 6_000;

    /// Sets a limit from `NAME=VALUE`: a number, or for `time` a duration such as `1500ms` or `10s`.
    pub fn set(&mut self, assignment: &str) -> Result<(), InvalidLimit> {
        let invalid = |reason: &str| InvalidLimit {
            assignment: assignment.to_owned(),
            reason: reason.to_owned(),
        };
        let (name, value) = assignment
            .split_once('=')
            .ok_or_else(|| invalid("it is no NAME=VALUE"))?;
        let number = || {
            value
                .parse::<u64>()
                .map_err(|_| invalid("the value is no whole number"))
        };
        let size =
            || number().and_then(|number| usize::try_from(number).map_err(|_| invalid("the value is too large")));
        let count = || number().and_then(|number| u32::try_from(number).map_err(|_| invalid("the value is too large")));
        match name {
            "depth" => {
                let depth = size()?;
                if depth > Self::MAXIMUM_DEPTH {
                    return Err(invalid("more than 6000 levels do not fit on the stack"));
                }
                self.depth = depth;
            }
            "bytes" => self.bytes = size()?,
            "memory" => self.memory = number()?,
            "steps" => self.steps = number()?,
            "regex" => self.regex = size()?,
            "keys" => self.keys = count()?,
            "time" => {
                let duration = crate::go::time::Duration::parse(value).map_err(|error| invalid(&error.to_string()))?;
                let nanoseconds = u64::try_from(duration.0).map_err(|_| invalid("the value is negative"))?;
                self.time = Duration::from_nanos(nanoseconds);
            }
            _ => return Err(invalid(&format!("there are {}", Self::NAMES.join(", ")))),
        }
        Ok(())
    }
}

/// An assignment that [`Limits::set`] does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid limit {assignment:?}: {reason}")]
pub struct InvalidLimit {
    assignment: String,
    reason: String,
}

impl Default for Limits {
    fn default() -> Self {
        // Unoptimised code is some thirty times slower.
        const MILLISECONDS: u64 = if cfg!(debug_assertions) { 30_000 } else { 750 };
        Self {
            depth: 6_000,
            bytes: 64 << 20,
            memory: 512 << 20,
            steps: 20_000_000,
            includes: 1_000,
            regex: 2 << 20,
            keys: 64,
            time: Duration::from_millis(MILLISECONDS),
        }
    }
}

/// What one rendering has used so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Used {
    pub(super) steps: u64,
    /// The count of steps at which [`Used::steps`] must be looked at: the limit, or the next look at the clock.
    pub(super) look_at: u64,
    pub(super) memory: u64,
    pub(super) keys: u32,
    /// What the clock said at the start, and what is not to count, together.
    pub(super) since: Duration,
}

impl Used {
    /// How many steps pass between two looks at the clock.
    pub(super) const INTERVAL: u64 = 1 << 16;

    pub(super) fn new(limits: &Limits, since: Duration) -> Self {
        Self {
            steps: 0,
            look_at: Self::INTERVAL.min(limits.steps),
            memory: 0,
            keys: 0,
            since,
        }
    }

    /// Counts bytes that a function made.
    pub(super) fn make(&mut self, limits: &Limits, bytes: usize) -> Result<(), LimitError> {
        self.memory = self.memory.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if self.memory > limits.memory {
            return Err(LimitError::Memory(limits.memory));
        }
        Ok(())
    }
}
