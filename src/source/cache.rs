//! Packed charts by digest, in memory or in a directory, bounded; the least recently used ones go first.
//!
//! What is read back is verified, so a damaged or forged file counts as missing. Trouble with the directory never
//! fails a fetch: the archive is then only not kept.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;

use super::digest::Digest;

/// How files of the cache end; nothing else in its directory is touched, except what was left half written.
const SUFFIX: &str = ".tgz";
const UNFINISHED: &str = ".fairlead-unfinished";

/// The cache.
pub(super) struct Cache {
    directory: Option<PathBuf>,
    capacity: u64,
    entries: Mutex<Entries>,
    unfinished: AtomicU64,
}

#[derive(Default)]
struct Entries {
    by_digest: HashMap<Digest, Entry>,
    by_use: BTreeMap<u64, Digest>,
    clock: u64,
    total: u64,
}

struct Entry {
    used: u64,
    size: u64,
    /// The archive itself, where there is no directory.
    bytes: Option<Bytes>,
}

impl Cache {
    /// A cache of at most `capacity` bytes. A directory is created if needed and its archives are taken over.
    pub(super) async fn open(directory: Option<PathBuf>, capacity: u64) -> io::Result<Self> {
        let found = match directory.clone() {
            Some(directory) => tokio::task::spawn_blocking(move || scan(&directory)).await??,
            None => Vec::new(),
        };
        let mut entries = Entries::default();
        for (_, digest, size) in found {
            entries.insert(digest, size, None);
        }
        let cache = Self {
            directory,
            capacity,
            entries: Mutex::new(entries),
            unfinished: AtomicU64::new(0),
        };
        cache.evict().await;
        Ok(cache)
    }

    /// An archive, if it is there and undamaged.
    pub(super) async fn get(&self, digest: Digest) -> Option<Bytes> {
        let kept = self.lock().touch(digest)?.bytes.clone();
        let Some(directory) = &self.directory else { return kept };
        let path = file(directory, digest);
        let undamaged = match tokio::fs::read(&path).await {
            Ok(bytes) if Digest::of(&bytes) == digest => Some(Bytes::from(bytes)),
            Ok(_) => {
                tracing::warn!(path = %path.display(), "damaged chart in the cache, it is fetched again");
                None
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "unreadable chart in the cache, it is fetched again");
                None
            }
        };
        if undamaged.is_none() {
            self.lock().remove(digest);
            let _ = tokio::fs::remove_file(&path).await;
        }
        undamaged
    }

    /// Keeps an archive, if it fits. The caller has verified its digest.
    pub(super) async fn put(&self, digest: Digest, bytes: &Bytes) {
        let size = bytes.len() as u64;
        if size > self.capacity {
            return;
        }
        let kept = match &self.directory {
            Some(directory) => {
                if let Err(error) = self.write(directory, digest, bytes).await {
                    tracing::warn!(directory = %directory.display(), %error, "a chart cannot be kept in the cache");
                    return;
                }
                None
            }
            None => Some(bytes.clone()),
        };
        self.lock().insert(digest, size, kept);
        self.evict().await;
    }

    /// Writes a file under another name first, so that nobody ever sees half of it.
    async fn write(&self, directory: &Path, digest: Digest, bytes: &Bytes) -> io::Result<()> {
        let number = self.unfinished.fetch_add(1, Ordering::Relaxed);
        let unfinished = directory.join(format!(
            "{}-{}-{number}{UNFINISHED}",
            digest.hexadecimal(),
            std::process::id()
        ));
        let written = async {
            tokio::fs::write(&unfinished, bytes).await?;
            tokio::fs::rename(&unfinished, file(directory, digest)).await
        };
        let written = written.await;
        if written.is_err() {
            let _ = tokio::fs::remove_file(&unfinished).await;
        }
        written
    }

    async fn evict(&self) {
        let evicted = self.lock().shrink(self.capacity);
        let Some(directory) = &self.directory else { return };
        for digest in evicted {
            let _ = tokio::fs::remove_file(file(directory, digest)).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn insert(&mut self, digest: Digest, size: u64, bytes: Option<Bytes>) {
        self.remove(digest);
        self.clock += 1;
        self.total += size;
        self.by_use.insert(self.clock, digest);
        self.by_digest.insert(
            digest,
            Entry {
                used: self.clock,
                size,
                bytes,
            },
        );
    }

    /// Marks an entry as used now.
    fn touch(&mut self, digest: Digest) -> Option<&Entry> {
        let entry = self.by_digest.get_mut(&digest)?;
        self.by_use.remove(&entry.used);
        self.clock += 1;
        entry.used = self.clock;
        self.by_use.insert(self.clock, digest);
        Some(entry)
    }

    fn remove(&mut self, digest: Digest) {
        if let Some(Entry { used, size, bytes: _ }) = self.by_digest.remove(&digest) {
            self.by_use.remove(&used);
            self.total -= size;
        }
    }

    fn shrink(&mut self, capacity: u64) -> Vec<Digest> {
        let mut evicted = Vec::new();
        while self.total > capacity
            && let Some((_, digest)) = self.by_use.first_key_value()
        {
            let digest = *digest;
            self.remove(digest);
            evicted.push(digest);
        }
        evicted
    }
}

fn file(directory: &Path, digest: Digest) -> PathBuf {
    directory.join(format!("{}{SUFFIX}", digest.hexadecimal()))
}

/// The archives of a cache directory, the least recently written first. Removes what was left half written.
fn scan(directory: &Path) -> io::Result<Vec<(SystemTime, Digest, u64)>> {
    std::fs::create_dir_all(directory)?;
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.ends_with(UNFINISHED) {
            let _ = std::fs::remove_file(entry.path());
        } else if let Some(Ok(digest)) = name.strip_suffix(SUFFIX).map(str::parse::<Digest>) {
            let metadata = entry.metadata()?;
            found.push((
                metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                digest,
                metadata.len(),
            ));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Cache, file};
    use crate::source::digest::Digest;

    fn archives() -> [(Digest, Bytes); 3] {
        [b'a', b'b', b'c'].map(|byte| {
            let bytes = Bytes::from(vec![byte; 10]);
            (Digest::of(&bytes), bytes)
        })
    }

    async fn forgets_the_least_recently_used(cache: Cache) {
        let [a, b, c] = archives();
        cache.put(a.0, &a.1).await;
        cache.put(b.0, &b.1).await;
        assert_eq!(cache.get(a.0).await, Some(a.1.clone()));
        cache.put(c.0, &c.1).await;
        assert_eq!(cache.get(b.0).await, None);
        assert_eq!(cache.get(a.0).await, Some(a.1));
        assert_eq!(cache.get(c.0).await, Some(c.1));
        let large = Bytes::from(vec![0; 26]);
        cache.put(Digest::of(&large), &large).await;
        assert_eq!(cache.get(Digest::of(&large)).await, None);
        assert_eq!(cache.lock().total, 20);
    }

    #[tokio::test]
    async fn is_bounded_in_memory() {
        forgets_the_least_recently_used(Cache::open(None, 25).await.unwrap()).await;
    }

    #[tokio::test]
    async fn is_bounded_and_verified_on_disk() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("charts");
        forgets_the_least_recently_used(Cache::open(Some(path.clone()), 25).await.unwrap()).await;
        std::fs::write(path.join("x-1.fairlead-unfinished"), "half").unwrap();
        std::fs::write(path.join("unrelated"), "kept").unwrap();

        let [a, b, c] = archives();
        let reopened = Cache::open(Some(path.clone()), 25).await.unwrap();
        assert_eq!(reopened.get(b.0).await, None);
        assert_eq!(reopened.get(c.0).await, Some(c.1));
        std::fs::write(file(&path, a.0), "forged").unwrap();
        assert_eq!(reopened.get(a.0).await, None);
        assert!(!file(&path, a.0).exists());
        let mut names: Vec<_> = path
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names.len(), 2, "{names:?}");

        let smaller = Cache::open(Some(path.clone()), 5).await.unwrap();
        assert_eq!(smaller.get(c.0).await, None);
        assert!(!file(&path, c.0).exists());
    }
}
