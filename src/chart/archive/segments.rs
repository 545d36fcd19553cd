//! A gzipped tar file in parts that are complete one after the other, so that its first files can be used while the last ones are
//! still being decompressed.
//!
//! Knows places and sizes, not names: who reads the headers says where a file is to lie.

use std::cell::RefCell;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;

use super::ArchiveLimits;

/// What is decompressed at once: it stays in the processor's cache until its checksum is made. What lies beyond a segment's
/// last file is copied into the next.
pub(super) const STEP: usize = 32 << 10;

/// How large a segment is, unless a file needs more.
pub(super) const SEGMENT: usize = 512 << 10;

/// A part of a tar file that will not change any more. No file lies in two.
pub(super) struct Segment {
    /// Where in the tar file it begins.
    pub(super) start: usize,
    pub(super) bytes: Arc<Vec<u8>>,
}

/// A tar file that is decompressed as far as it is read: what an entry says of its size is seen before its content is there.
pub(super) struct Decompressing<'a> {
    stream: MultiGzDecoder<&'a [u8]>,
    /// What the reader of the files has not taken yet.
    complete: Vec<Segment>,
    /// The segment that is being filled.
    current: Vec<u8>,
    /// Where in the tar file that begins.
    start: usize,
    /// How much of the tar file is there.
    filled: usize,
    /// No more is decompressed, however long the stream is.
    most: usize,
    /// How long the tar file will be, as far as is known.
    expected: usize,
}

impl<'a> Decompressing<'a> {
    pub(super) fn new(bytes: &'a [u8], allowed: u64, limits: &ArchiveLimits) -> Self {
        // Headers and padding take at most 4 blocks a file beside long names; a stream beyond that is a bomb.
        let overhead = u64::try_from(limits.files)
            .unwrap_or(u64::MAX)
            .saturating_mul(2048 + 1024);
        let most = usize::try_from(allowed.saturating_add(overhead)).unwrap_or(usize::MAX);
        let expected = promised_size(bytes).min(most);
        Self {
            stream: MultiGzDecoder::new(bytes),
            complete: Vec::new(),
            current: vec![0; expected.min(SEGMENT)],
            start: 0,
            filled: 0,
            most,
            expected,
        }
    }

    /// The segments that became complete since the last call.
    pub(super) fn take_complete(&mut self) -> Vec<Segment> {
        std::mem::take(&mut self.complete)
    }

    /// Where the segment that is being filled ends.
    fn end(&self) -> usize {
        self.start.saturating_add(self.current.len())
    }

    /// Where in the current segment a place of the tar file is.
    fn within(&self, place: usize) -> usize {
        place.saturating_sub(self.start)
    }

    /// Decompresses up to a place, or to the end.
    fn fill(&mut self, place: usize) -> io::Result<()> {
        while self.filled < place.min(self.most) {
            if self.filled == self.end() {
                // Between two files, or in one that nobody asked for room for: a header.
                self.begin_segment(self.filled, 0);
            }
            let from = self.within(self.filled);
            let to = self.current.len().min(from + STEP).min(self.within(self.most));
            match self.stream.read(&mut self.current[from..to])? {
                0 => break,
                count => self.filled += count,
            }
        }
        Ok(())
    }

    /// Makes sure that a file will lie in one segment.
    pub(super) fn make_room(&mut self, part: &Range<usize>) -> io::Result<()> {
        if part.start < self.start || part.start > self.filled {
            return Err(io::ErrorKind::InvalidInput.into()); // tar has read its header just now
        }
        if part.end > self.end() {
            self.begin_segment(part.start, part.len());
        }
        Ok(())
    }

    /// Begins a segment at a place that is there already, for a file of a size. The one before is complete, up to there.
    fn begin_segment(&mut self, place: usize, size: usize) {
        let there = self.current.get(self.within(place)..self.within(self.filled));
        let there = there.unwrap_or_default();
        // Memory that is reserved costs nothing until it is written, so a wrong promise does no harm.
        let rest = self.expected.saturating_sub(place);
        let mut next = vec![0; rest.min(SEGMENT).max(size).max(STEP)];
        next[..there.len()].copy_from_slice(there);
        self.complete(place, next);
    }

    fn complete(&mut self, place: usize, next: Vec<u8>) {
        let mut bytes = std::mem::replace(&mut self.current, next);
        bytes.truncate(self.within(place));
        self.complete.push(Segment {
            start: std::mem::replace(&mut self.start, place),
            bytes: Arc::new(bytes),
        });
    }

    /// Completes the last segment of a tar file, which must reach this far.
    pub(super) fn finish(&mut self, end: usize) -> io::Result<()> {
        self.fill(end)?;
        if self.filled < end {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.complete(self.filled, Vec::new());
        Ok(())
    }
}

/// Reads a tar file at a position.
pub(super) struct Reader<'a, 'b> {
    stream: &'a RefCell<Decompressing<'b>>,
    position: usize,
}

impl<'a, 'b> Reader<'a, 'b> {
    pub(super) fn new(stream: &'a RefCell<Decompressing<'b>>) -> Self {
        Self { stream, position: 0 }
    }
}

impl Read for Reader<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut stream = self.stream.borrow_mut();
        // A segment's last bytes are given before the next one begins.
        let end = self.position.saturating_add(buffer.len());
        let end = if self.position < stream.end() {
            end.min(stream.end())
        } else {
            end
        };
        stream.fill(end)?;
        let from = self.position.checked_sub(stream.start);
        let there = from.and_then(|from| stream.current.get(from..stream.within(stream.filled)));
        let there = there.unwrap_or_default();
        let count = there.len().min(buffer.len());
        buffer[..count].copy_from_slice(&there[..count]);
        self.position += count;
        Ok(count)
    }
}

impl Seek for Reader<'_, '_> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        let place = match position {
            SeekFrom::Start(place) => usize::try_from(place).ok(),
            SeekFrom::Current(by) => isize::try_from(by)
                .ok()
                .and_then(|by| self.position.checked_add_signed(by)),
            SeekFrom::End(_) => None,
        };
        self.position = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position as u64)
    }
}

/// How large a gzip stream says its content is, in its last four bytes, and a byte more to see its end.
fn promised_size(bytes: &[u8]) -> usize {
    let last = bytes.last_chunk().copied().map_or(0, u32::from_le_bytes);
    usize::try_from(last).unwrap_or(usize::MAX).saturating_add(1)
}
