//! Unpacked charts: reads a directory's files within bounds, without what its `.helmignore` leaves out.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tracing::info;

use super::digest::Digest;
use super::error::{SourceError, system_error};
use super::limits::Limits;
use crate::chart::File;
use crate::chart::ignore::{HELM_IGNORE, Rules};

/// How deep directories may nest; also ends cycles of symbolic links.
const DEPTH: usize = 32;

/// How many links Go follows for one path.
const MAXIMUM_LINKS: usize = 255;

/// What Helm says of a symbolic link: it may lead out of the chart.
pub(super) const LINK: &str = "found symbolic link in path. Contents of linked file included and used";

/// Reads the files below `root`, sorted by directory. Symbolic links are followed, as Helm does.
pub(super) async fn read(root: &Path, limits: Limits) -> Result<Vec<File>, SourceError> {
    let owned = root.to_owned();
    let mut log =
        |link: &Path, resolved: &Path| info!(path = %link.display(), resolved = %resolved.display(), "{LINK}");
    let read = tokio::task::spawn_blocking(move || read_blocking(&owned, limits, &mut log, &mut |_| ()));
    read.await.map_err(|error| SourceError::Local {
        path: root.display().to_string(),
        reason: error.to_string(),
    })?
}

/// As [`read`], on the calling thread. `on_link` is told of each symbolic link that is followed, and where it leads; `seen` of each
/// file that was read.
pub(super) fn read_blocking(
    root: &Path,
    limits: Limits,
    on_link: &mut dyn FnMut(&Path, &Path),
    seen: &mut dyn FnMut(&File),
) -> Result<Vec<File>, SourceError> {
    // As in Helm, messages name absolute paths.
    let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
    find_metadata(&root.join("Chart.yaml"))?;
    let rules = read_rules(&root, &limits)?;
    let mut walk = Walk {
        rules,
        root: root.clone(),
        limits,
        files: Vec::new(),
        total: 0,
        on_link,
        seen,
    };
    walk.directory(&root, "", 0)?;
    Ok(walk.files)
}

/// Stands for the paths and contents of a chart's files.
pub(super) fn digest(files: &[File]) -> Digest {
    let mut hasher = Sha256::new();
    for File { name, data } in files {
        for part in [name.as_bytes(), &**data] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
    }
    Digest::finish(hasher)
}

/// Without a Chart.yaml a directory is no chart, whatever else is in it.
fn find_metadata(path: &Path) -> Result<(), SourceError> {
    let no_chart = |error| SourceError::NoChart {
        path: path.display().to_string(),
        reason: system_error("open", path, &error),
    };
    fs::metadata(path).map_err(no_chart).map(drop)
}

/// The rules in the directory's `.helmignore`.
fn read_rules(root: &Path, limits: &Limits) -> Result<Rules, SourceError> {
    let path = root.join(HELM_IGNORE);
    let text = match fs::File::open(&path) {
        Ok(_) => read_file(&path, limits.file)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(failure(&path, &error)),
    };
    Rules::parse(&text).map_err(|error| SourceError::Ignore {
        path: path.display().to_string(),
        reason: error.to_string(),
    })
}

/// Reads a file of at most `limit` bytes.
fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, SourceError> {
    let failure = |error| failure(path, &error);
    let file = fs::File::open(path).map_err(failure)?;
    let (size, most) = (file.metadata().map_err(failure)?.len(), limit.saturating_add(1));
    let mut data = Vec::with_capacity(usize::try_from(size.min(most)).unwrap_or_default());
    // What has a size is read to that size, without asking whether more has come. Files that the kernel makes up have none.
    let most = if size == 0 { most } else { size.min(most) };
    file.take(most).read_to_end(&mut data).map_err(failure)?;
    if data.len() as u64 > limit {
        return Err(SourceError::TooLarge {
            what: path.display().to_string(),
            limit,
        });
    }
    Ok(data)
}

struct Walk<'w> {
    rules: Rules,
    root: PathBuf,
    limits: Limits,
    files: Vec<File>,
    total: u64,
    on_link: &'w mut dyn FnMut(&Path, &Path),
    seen: &'w mut dyn FnMut(&File),
}

impl Walk<'_> {
    fn directory(&mut self, directory: &Path, prefix: &str, depth: usize) -> Result<(), SourceError> {
        if depth > DEPTH {
            return Err(self.too_many("levels of directories", DEPTH));
        }
        let failure = |error| failure(directory, &error);
        let entries = fs::read_dir(directory).map_err(failure)?;
        let mut entries = entries
            .map(|entry| entry.and_then(|entry| Ok((entry.file_name(), entry.file_type()?))))
            .collect::<io::Result<Vec<_>>>()
            .map_err(failure)?;
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (name, mut kind) in entries {
            let path = directory.join(&name);
            let name = name.to_str().ok_or_else(|| SourceError::Local {
                path: path.display().to_string(),
                reason: "its name is not UTF-8".to_owned(),
            })?;
            let relative = format!("{prefix}{name}");
            if kind.is_symlink() {
                let target = fs::canonicalize(&path).map_err(|error| unreachable_file(&path, &error))?;
                (self.on_link)(&path, &target);
                kind = fs::metadata(&target).map_err(failure)?.file_type();
            }
            if self.rules.ignores(&relative, kind.is_dir()) {
                continue;
            }
            if kind.is_dir() {
                self.directory(&path, &format!("{relative}/"), depth + 1)?;
            } else if kind.is_file() {
                self.file(&path, relative)?;
            } else {
                let path = path.display().to_string();
                return Err(SourceError::Irregular { path });
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, relative: String) -> Result<(), SourceError> {
        if self.files.len() >= self.limits.files {
            return Err(self.too_many("files", self.limits.files));
        }
        let data = read_file(path, self.limits.directory)?;
        self.total += data.len() as u64;
        if self.total > self.limits.directory {
            return Err(SourceError::TooLarge {
                what: self.root.display().to_string(),
                limit: self.limits.directory,
            });
        }
        let file = File::new(relative, data);
        (self.seen)(&file);
        self.files.push(file);
        Ok(())
    }

    fn too_many(&self, things: &'static str, limit: usize) -> SourceError {
        SourceError::TooMany {
            what: self.root.display().to_string(),
            things,
            limit,
        }
    }
}

/// A file that is listed but cannot be looked at: in nearly all cases a link that leads nowhere.
fn unreachable_file(path: &Path, error: &io::Error) -> SourceError {
    let Some(reason) = why_unresolved(path) else {
        return failure(path, error);
    };
    SourceError::Link {
        path: path.display().to_string(),
        reason,
    }
}

/// Why a path leads to no file, in the words of Go's `filepath.EvalSymlinks`; `None` if it leads to one.
fn why_unresolved(path: &Path) -> Option<String> {
    let (mut resolved, mut rest) = (PathBuf::new(), path.to_owned());
    let mut links = 0;
    loop {
        let mut parts = rest.components();
        let part = parts.next()?;
        let after = parts.as_path().to_owned();
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(resolved.pop()),
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => resolved.push(part),
        }
        match fs::symlink_metadata(&resolved) {
            Err(error) => return Some(system_error("lstat", &resolved, &error)),
            Ok(metadata) if metadata.is_symlink() => {
                links += 1;
                if links > MAXIMUM_LINKS {
                    return Some("EvalSymlinks: too many links".to_owned());
                }
                let target = fs::read_link(&resolved).ok()?;
                resolved.pop();
                rest = target.join(after);
            }
            Ok(metadata) if !metadata.is_dir() && after.components().next().is_some() => {
                return Some("not a directory".to_owned());
            }
            Ok(_) => rest = after,
        }
    }
}

fn failure(path: &Path, error: &io::Error) -> SourceError {
    SourceError::Local {
        path: path.display().to_string(),
        reason: error.to_string(),
    }
}
