//! The text that is searched. Knows how Go reads bytes that are no UTF-8, and where each match is in the bytes as given.

use std::borrow::Cow;
use std::ops::Range;

/// A text, each bad byte of it replaced by U+FFFD: so Go's `regexp` decodes it (`utf8.DecodeRune`), and so `.` and a
/// negated class match it. It costs one look over the text unless bytes are bad.
pub(super) struct Text<'t> {
    read: Cow<'t, [u8]>,
    /// Where the replacements end in what is read, in ascending order.
    replacements: Vec<usize>,
}

impl<'t> Text<'t> {
    pub(super) fn new(given: &'t [u8]) -> Self {
        if std::str::from_utf8(given).is_ok() {
            return Self {
                read: Cow::Borrowed(given),
                replacements: Vec::new(),
            };
        }
        let (mut read, mut replacements) = (Vec::with_capacity(given.len()), Vec::new());
        for chunk in given.utf8_chunks() {
            read.extend_from_slice(chunk.valid().as_bytes());
            for _ in chunk.invalid() {
                read.extend_from_slice("\u{FFFD}".as_bytes());
                replacements.push(read.len());
            }
        }
        Self {
            read: Cow::Owned(read),
            replacements,
        }
    }

    /// What expressions are matched against.
    pub(super) fn read(&self) -> &[u8] {
        &self.read
    }

    /// The range of the given bytes for one of those that are read. It ends at characters.
    pub(super) fn given(&self, range: &Range<usize>) -> Range<usize> {
        let offset = |at: usize| {
            let before = self.replacements.partition_point(|end| *end <= at);
            at - before * ("\u{FFFD}".len() - 1)
        };
        offset(range.start)..offset(range.end)
    }
}
