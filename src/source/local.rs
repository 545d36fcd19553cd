//! Charts on this machine, read at once: no runtime, no cache, no digest. For commands that use a chart only once.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use super::directory;
use super::error::SourceError;
use super::limits::Limits;
use crate::chart::{self, Warning};

/// Reads a packed chart. Blocks.
pub fn read_archive(path: &Path, limits: Limits) -> Result<Vec<u8>, SourceError> {
    let failure = |error: io::Error| SourceError::Local {
        path: path.display().to_string(),
        reason: error.to_string(),
    };
    let file = File::open(path).map_err(failure)?;
    let size = file.metadata().map_err(failure)?.len().min(limits.archive);
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0).saturating_add(1));
    file.take(limits.archive.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(failure)?;
    if bytes.len() as u64 > limits.archive {
        return Err(SourceError::TooLarge {
            what: path.display().to_string(),
            limit: limits.archive,
        });
    }
    Ok(bytes)
}

/// Reads the files of an unpacked chart, without those that its `.helmignore` leaves out. Blocks. `log` is told of each symbolic link
/// that is followed, as Helm does; `seen` of each file that was read.
pub fn read_directory(
    path: &Path,
    limits: Limits,
    log: &mut dyn FnMut(&Warning),
    seen: &mut dyn FnMut(&chart::File),
) -> Result<Vec<chart::File>, SourceError> {
    let mut on_link = |link: &Path, resolved: &Path| {
        let found = Warning::info(directory::LINK).with("path", link.display().to_string());
        log(&found.with("resolved", resolved.display().to_string()));
    };
    directory::read_blocking(path, limits, &mut on_link, seen)
}
