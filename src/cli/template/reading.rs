//! What is done for a chart while it is still being read: helpers parse its templates.

use super::threads::start_helpers;
use crate::chart::File;
use crate::template::Ahead;

/// Bytes of files that take longer to render than it takes to start a thread, some 50 microseconds.
const WORTH_HELP: usize = 64 << 10;

/// How many times smaller the files of a chart become when they are packed, roughly.
const PACKING: usize = 5;

/// A chart that is being read.
#[derive(Default)]
pub(super) struct Reading {
    /// Bytes of its files so far, or what they will come to.
    size: usize,
    ahead: Option<Ahead>,
}

impl Reading {
    /// Notes that a packed chart will be unpacked.
    pub(super) fn expect(&mut self, packed: usize) {
        self.grow(packed.saturating_mul(PACKING));
    }

    /// Notes a file.
    pub(super) fn see(&mut self, file: &File) {
        if self.ahead.is_none() {
            self.grow(file.data.len());
        }
        let name = file.name.as_str();
        if let Some(ahead) = &self.ahead
            && (name.starts_with("templates/") || name.contains("/templates/"))
        {
            ahead.offer(name, &file.data);
        }
    }

    /// What is parsed meanwhile.
    pub(super) fn finish(self) -> Ahead {
        self.ahead.unwrap_or_default()
    }

    fn grow(&mut self, by: usize) {
        self.size = self.size.saturating_add(by);
        if self.size >= WORTH_HELP {
            start_helpers();
            self.ahead = Some(Ahead::start());
        }
    }
}
