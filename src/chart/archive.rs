//! Chart archives: tar.gz bytes to files, within limits.
//!
//! Knows paths and sizes, not what the files mean. Nothing is ever unpacked to disk.

mod segments;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read};
use std::ops::Range;

use self::segments::{Decompressing, Reader, Segment};
use super::File;
use crate::template::Content;

/// How much of an untrusted archive is read before it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// Bytes of the archive as it comes from the network. Default: 64 MiB.
    pub compressed: usize,
    /// Bytes of all files of one archive. Default: 100 MiB, Helm's `MaxDecompressedChartSize`.
    pub decompressed: u64,
    /// Bytes of all files of the archive and of all archives packed into it, together. Default: 256 MiB.
    pub nested: u64,
    /// Files in one archive. Default: 20 000.
    pub files: usize,
    /// Bytes of one path. Default: 1024.
    pub path: usize,
    /// Charts inside each other. Default: 16.
    pub depth: usize,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self {
            compressed: 64 << 20,
            decompressed: 100 << 20,
            nested: 256 << 20,
            files: 20_000,
            path: 1024,
            depth: 16,
        }
    }
}

/// Why an archive was refused. All of these are terminal: the same bytes fail again.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Larger than [`ArchiveLimits::compressed`].
    #[error("chart archive is larger than the maximum size {0}")]
    Compressed(usize),
    /// Larger than [`ArchiveLimits::decompressed`] or [`ArchiveLimits::nested`].
    #[error("decompressed chart is larger than the maximum size {0}")]
    Decompressed(u64),
    /// More than [`ArchiveLimits::files`].
    #[error("chart archive has more than {0} files")]
    Files(usize),
    /// Longer than [`ArchiveLimits::path`].
    #[error("chart archive has a path of {length} bytes, longer than the maximum {limit}")]
    PathLength {
        /// The length found.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// Not a gzip stream.
    #[error("gzip: invalid header")]
    Header,
    /// A gzip stream that is cut off, or does not hold a tar file.
    #[error("chart archive cannot be read as a gzipped tar file: {0}")]
    Malformed(#[source] io::Error),
    /// A path that is not UTF-8.
    #[error("chart archive has a path that is not UTF-8: {0:?}")]
    PathEncoding(String),
    /// A path from the root of a file system.
    #[error("chart illegally contains absolute paths: {0:?}")]
    Absolute(String),
    /// A path that leaves the chart.
    #[error("chart illegally references parent directory: {0:?}")]
    Parent(String),
    /// A file beside the chart's directory.
    #[error("chart illegally contains content outside the base directory: {0:?}")]
    OutsideBase(String),
    /// A path with a Windows drive.
    #[error("chart contains illegally named files: {0:?}")]
    Drive(String),
    /// Chart.yaml at the top.
    #[error("chart yaml not in base directory")]
    NoBaseDirectory,
    /// A link, a device or anything else that is no plain file.
    #[error("chart archive contains {0:?}, which is neither a file nor a directory: links and devices are not allowed")]
    Irregular(String),
    /// Nothing in it.
    #[error("no files in chart archive")]
    Empty,
}

/// How many bytes may still be decompressed, over all archives of one chart.
#[derive(Debug)]
pub(super) struct Budget(pub(super) u64);

/// Reads the files of an archive, in its order, with the limits that are left of the chart around it. `seen` is told of each file
/// soon after its content is there, while the rest is still being decompressed.
pub(super) fn read(
    bytes: &[u8],
    limits: &ArchiveLimits,
    budget: &mut Budget,
    seen: &mut dyn FnMut(&File),
) -> Result<Vec<File>, ArchiveError> {
    if bytes.len() > limits.compressed {
        return Err(ArchiveError::Compressed(limits.compressed));
    }
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(ArchiveError::Header);
    }
    let allowed = limits.decompressed.min(budget.0);
    let stream = RefCell::new(Decompressing::new(bytes, allowed, limits));
    let mut archive = tar::Archive::new(Reader::new(&stream));
    let mut remaining = allowed;
    let mut files = Files {
        seen,
        waiting: VecDeque::new(),
        done: Vec::new(),
    };
    for entry in archive.entries_with_seek().map_err(ArchiveError::Malformed)? {
        let entry = entry.map_err(ArchiveError::Malformed)?;
        let Some(name) = entry_name(&entry, limits)? else {
            continue;
        };
        if files.count() >= limits.files {
            return Err(ArchiveError::Files(limits.files));
        }
        let size = entry.size();
        if size > remaining {
            return Err(ArchiveError::Decompressed(allowed));
        }
        remaining -= size;
        let part = range(entry.raw_file_position(), size).map_err(ArchiveError::Malformed)?;
        stream.borrow_mut().make_room(&part).map_err(ArchiveError::Malformed)?;
        files.take_from(&stream);
        files.waiting.push_back((name, part));
    }
    budget.0 = budget.0.saturating_sub(allowed - remaining);
    let (_, last) = files.waiting.back().ok_or(ArchiveError::Empty)?;
    stream.borrow_mut().finish(last.end).map_err(ArchiveError::Malformed)?;
    files.take_from(&stream);
    Ok(files.done)
}

/// The files of an archive, some of whose contents are not there yet.
struct Files<'a> {
    seen: &'a mut dyn FnMut(&File),
    waiting: VecDeque<(String, Range<usize>)>,
    done: Vec<File>,
}

impl Files<'_> {
    fn count(&self) -> usize {
        self.done.len() + self.waiting.len()
    }

    /// Takes those that lie in what is complete by now.
    fn take_from(&mut self, stream: &RefCell<Decompressing<'_>>) {
        let complete = stream.borrow_mut().take_complete();
        for Segment { start, bytes } in complete {
            let is_in = |(_, part): &mut (String, Range<usize>)| part.end <= start + bytes.len();
            while let Some((name, part)) = self.waiting.pop_front_if(is_in) {
                let part = part.start.saturating_sub(start)..part.end.saturating_sub(start);
                let file = File::shared(name, Content::part_of(&bytes, part));
                (self.seen)(&file);
                self.done.push(file);
            }
        }
    }
}

/// Where an entry's content is. An archive may end before it.
fn range(start: u64, size: u64) -> io::Result<Range<usize>> {
    let end = start.checked_add(size).and_then(|end| usize::try_from(end).ok());
    match (usize::try_from(start), end) {
        (Ok(start), Some(end)) => Ok(start..end),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// The path in the chart, or nothing for a directory or a header without content.
fn entry_name<R: Read>(entry: &tar::Entry<'_, R>, limits: &ArchiveLimits) -> Result<Option<String>, ArchiveError> {
    use tar::EntryType;
    let path = entry.path_bytes();
    match entry.header().entry_type() {
        EntryType::Directory | EntryType::XGlobalHeader | EntryType::XHeader => return Ok(None),
        EntryType::Regular | EntryType::Continuous if path.ends_with(b"/") => return Ok(None),
        // First of all its length: the other errors quote it.
        _ if path.len() > limits.path => {
            return Err(ArchiveError::PathLength {
                length: path.len(),
                limit: limits.path,
            });
        }
        EntryType::Regular | EntryType::Continuous => {}
        _ => return Err(ArchiveError::Irregular(String::from_utf8_lossy(&path).into_owned())),
    }
    let path = std::str::from_utf8(&path)
        .map_err(|_| ArchiveError::PathEncoding(String::from_utf8_lossy(&path).into_owned()))?;
    inner_path(path).map(Some)
}

/// The path below the chart's directory, cleaned. A path with backslashes is one that was packed on Windows.
fn inner_path(path: &str) -> Result<String, ArchiveError> {
    let delimiter = if path.contains('\\') { '\\' } else { '/' };
    let (base, inner) = path.split_once(delimiter).unwrap_or((path, ""));
    let inner = inner.replace(delimiter, "/");
    if inner.starts_with('/') {
        return Err(ArchiveError::Absolute(path.to_owned()));
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in inner.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or_else(|| ArchiveError::Parent(path.to_owned()))?;
            }
            part => parts.push(part),
        }
    }
    let inner = parts.join("/");
    if inner.is_empty() {
        return Err(ArchiveError::OutsideBase(path.to_owned()));
    }
    if inner.starts_with("..") {
        // Helm refuses every name that begins with two dots.
        return Err(ArchiveError::Parent(path.to_owned()));
    }
    let bytes = inner.as_bytes();
    if bytes.len() > 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' && bytes[2] == b'/' {
        return Err(ArchiveError::Drive(path.to_owned()));
    }
    if base == "Chart.yaml" {
        return Err(ArchiveError::NoBaseDirectory);
    }
    Ok(inner)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::bufread::MultiGzDecoder;

    use super::segments::{SEGMENT, STEP};
    use super::*;

    fn gzip(tar: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(tar).unwrap();
        encoder.finish().unwrap()
    }

    /// An archive with names exactly as given: `tar::Builder` would refuse the bad ones.
    fn archive(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, entry_type, data) in entries {
            let mut header = tar::Header::new_gnu();
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(data.len() as u64);
            header.set_entry_type(*entry_type);
            header.set_cksum();
            builder.append(&header, *data).unwrap();
        }
        gzip(&builder.into_inner().unwrap())
    }

    fn read_default(bytes: &[u8]) -> Result<Vec<File>, ArchiveError> {
        read(bytes, &ArchiveLimits::default(), &mut Budget(u64::MAX), &mut |_| ())
    }

    fn file(name: &str) -> Vec<u8> {
        archive(&[(name, tar::EntryType::Regular, b"x")])
    }

    /// Bytes that are others at each place.
    fn content(seed: usize, size: usize) -> Vec<u8> {
        (0..size)
            .map(|place| (place.wrapping_mul(31) ^ (place >> 8) ^ seed).to_le_bytes()[0])
            .collect()
    }

    #[test]
    fn a_file_is_whole_wherever_it_lies() {
        let sizes = [
            0,
            1,
            511,
            512,
            513,
            STEP - 512,
            STEP,
            SEGMENT - 2048,
            0,
            SEGMENT,
            SEGMENT + 1,
        ];
        for seed in 0..3 {
            let sizes = (0..40).map(|index: usize| sizes[(index * index + index * seed + seed) % sizes.len()]);
            let wanted: Vec<(String, Vec<u8>)> = sizes
                .enumerate()
                .map(|(index, size)| (format!("c/{index}"), content(index + seed, size)))
                .collect();
            let entries: Vec<(&str, tar::EntryType, &[u8])> = wanted
                .iter()
                .map(|(name, content)| (name.as_str(), tar::EntryType::Regular, content.as_slice()))
                .collect();
            let whole = archive(&entries);
            // In a second stream, whose promise is about that one alone.
            let mut tar = Vec::new();
            MultiGzDecoder::new(&*whole).read_to_end(&mut tar).unwrap();
            let (first, second) = tar.split_at(tar.len() - 1024);
            for packed in [whole, [gzip(first), gzip(second)].concat()] {
                let mut seen = Vec::new();
                let mut see = |file: &File| seen.push(file.name.clone());
                let files = read(&packed, &ArchiveLimits::default(), &mut Budget(u64::MAX), &mut see).unwrap();
                assert!(files.iter().map(|file| &file.name).eq(&seen));
                assert_eq!(files.len(), wanted.len());
                for (file, (name, content)) in files.iter().zip(&wanted) {
                    assert!(
                        name.ends_with(&file.name) && *file.data == **content,
                        "{name}, seed {seed}"
                    );
                }
            }
        }
    }

    #[test]
    fn strips_the_base_directory_and_cleans_paths() {
        let names = |bytes: &[u8]| {
            read_default(bytes)
                .unwrap()
                .into_iter()
                .map(|file| file.name)
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&file("web/templates/a.yaml")), ["templates/a.yaml"]);
        assert_eq!(names(&file("web/./templates//../a.yaml")), ["a.yaml"]);
        assert_eq!(names(&file("web\\templates\\a.yaml")), ["templates/a.yaml"]);
    }

    #[test]
    fn drops_the_byte_order_mark() {
        let files = read_default(&archive(&[("c/a", tar::EntryType::Regular, b"\xEF\xBB\xBFhi")])).unwrap();
        assert_eq!(&*files[0].data, b"hi");
    }

    #[test]
    fn refuses_paths_that_leave_the_chart() {
        assert!(matches!(
            read_default(&file("web/../../etc/passwd")),
            Err(ArchiveError::Parent(_))
        ));
        assert!(matches!(
            read_default(&file("web//etc/passwd")),
            Err(ArchiveError::Absolute(_))
        ));
        assert!(matches!(
            read_default(&file("web/c:/windows")),
            Err(ArchiveError::Drive(_))
        ));
        assert!(matches!(
            read_default(&file("README.md")),
            Err(ArchiveError::OutsideBase(_))
        ));
        assert!(matches!(
            read_default(&file("Chart.yaml/x")),
            Err(ArchiveError::NoBaseDirectory)
        ));
    }

    #[test]
    fn refuses_links_and_devices() {
        for entry_type in [
            tar::EntryType::Symlink,
            tar::EntryType::Link,
            tar::EntryType::Char,
            tar::EntryType::Fifo,
        ] {
            let bytes = archive(&[("web/a", entry_type, b"")]);
            assert!(
                matches!(read_default(&bytes), Err(ArchiveError::Irregular(_))),
                "{entry_type:?}"
            );
        }
    }

    #[test]
    fn refuses_what_is_no_archive() {
        assert!(matches!(read_default(b"values: yaml"), Err(ArchiveError::Header)));
        assert!(matches!(read_default(&gzip(&[0; 1024])), Err(ArchiveError::Empty)));
        let cut = file("web/a");
        assert!(read_default(&cut[..cut.len() / 2]).is_err());
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let limits = ArchiveLimits {
            decompressed: 1000,
            files: 4,
            ..ArchiveLimits::default()
        };
        let read_limited = |bytes: &[u8]| read(bytes, &limits, &mut Budget(u64::MAX), &mut |_| ());
        let large = archive(&[("c/a", tar::EntryType::Regular, &[b'x'; 1001])]);
        assert!(matches!(read_limited(&large), Err(ArchiveError::Decompressed(1000))));
        let two = archive(&[
            ("c/a", tar::EntryType::Regular, &[b'x'; 600]),
            ("c/b", tar::EntryType::Regular, &[b'x'; 600]),
        ]);
        assert!(matches!(read_limited(&two), Err(ArchiveError::Decompressed(1000))));
        let names = ["c/a", "c/b", "c/c", "c/d", "c/e"];
        let many = archive(&names.map(|name| (name, tar::EntryType::Regular, b"" as &[u8])));
        assert!(matches!(read_limited(&many), Err(ArchiveError::Files(4))));
        let names = ArchiveLimits {
            path: 3,
            ..ArchiveLimits::default()
        };
        assert!(matches!(
            read(&file("c/aa"), &names, &mut Budget(9), &mut |_| ()),
            Err(ArchiveError::PathLength { length: 4, .. })
        ));
        // Not even one that is refused for another reason is quoted.
        let link = archive(&[("c/aa", tar::EntryType::Symlink, b"")]);
        assert!(matches!(
            read(&link, &names, &mut Budget(9), &mut |_| ()),
            Err(ArchiveError::PathLength { length: 4, .. })
        ));
    }

    #[test]
    fn nested_archives_share_one_budget() {
        let mut budget = Budget(10);
        let bytes = archive(&[("c/a", tar::EntryType::Regular, b"sixsix")]);
        assert!(read(&bytes, &ArchiveLimits::default(), &mut budget, &mut |_| ()).is_ok());
        assert!(matches!(
            read(&bytes, &ArchiveLimits::default(), &mut budget, &mut |_| ()),
            Err(ArchiveError::Decompressed(4))
        ));
    }
}
