//! Charts in a folder of a packed tree: what a Git repository or a bucket is published as.
//!
//! Pure but for the thread that it works on.

use std::io::{self, Read as _};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;

use super::archive::with_slashes;
use super::error::SourceError;
use super::limits::Limits;
use crate::chart::File;
use crate::chart::ignore::{HELM_IGNORE, Rules};

/// The files below `folder` of a packed tree, without what the `.helmignore` there leaves out, sorted by name. Links are left out:
/// nothing in a tree that somebody else packed may point out of it.
pub(super) async fn read(what: &str, tree: Bytes, folder: &str, limits: Limits) -> Result<Vec<File>, SourceError> {
    let wanted = folder.to_owned();
    let read = tokio::task::spawn_blocking(move || read_blocking(&tree, &wanted, &limits)).await;
    let failed = |reason| SourceError::NotAChart {
        what: format!("{what}, folder {folder:?}"),
        reason,
    };
    read.map_err(|error| failed(error.to_string()))?.map_err(failed)
}

fn read_blocking(tree: &[u8], folder: &str, limits: &Limits) -> Result<Vec<File>, String> {
    let unreadable = |error: io::Error| format!("it cannot be unpacked: {error}");
    let folder = parts(folder.as_bytes()).ok_or("the folder leads out of the tree")?;
    let mut files = Vec::new();
    let mut total = 0;
    let mut tar = tar::Archive::new(MultiGzDecoder::new(tree).take(limits.directory));
    for (index, entry) in tar.entries().map_err(unreadable)?.enumerate() {
        if index >= limits.files {
            return Err(format!("it has more than {} files", limits.files));
        }
        let entry = entry.map_err(unreadable)?;
        let path = with_slashes(&entry.path_bytes());
        let Some(path) = parts(&path).filter(|path| path.starts_with(&folder) && path.len() > folder.len()) else {
            continue;
        };
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = path[folder.len()..].join("/");
        let mut data = Vec::new();
        let mut entry = entry.take(limits.file.saturating_add(1));
        entry.read_to_end(&mut data).map_err(unreadable)?;
        total += data.len() as u64;
        if data.len() as u64 > limits.file || total > limits.directory {
            return Err(format!(
                "{name} is larger than {} bytes, or all files together are larger than {}",
                limits.file, limits.directory
            ));
        }
        files.push(File::new(name, data));
    }
    if !files.iter().any(|file| file.name == "Chart.yaml") {
        return Err("it has no Chart.yaml".to_owned());
    }
    let ignore = files.iter().find(|file| file.name == HELM_IGNORE);
    let rules = Rules::parse(ignore.map_or(&[], |file| &*file.data)).map_err(|error| error.to_string())?;
    files.retain(|file| !rules.ignores_file(&file.name));
    files.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(files)
}

/// The parts of a path, without those that stay where they are; `None` for a path that goes up or is no text.
fn parts(path: &[u8]) -> Option<Vec<String>> {
    let path = std::str::from_utf8(path).ok()?;
    let parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
    parts.map(|part| (part != "..").then(|| part.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn tree(files: &[(&str, &str)]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, data) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(data.len() as u64);
            header.set_mode(0o644);
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            tar.append(&header, data.as_bytes()).unwrap();
        }
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&tar.into_inner().unwrap()).unwrap();
        gzip.finish().unwrap()
    }

    fn names(files: &[(&str, &str)], folder: &str) -> Result<Vec<String>, String> {
        let files = read_blocking(&tree(files), folder, &Limits::default())?;
        Ok(files.into_iter().map(|file| file.name).collect())
    }

    #[test]
    fn only_the_chart_is_read() {
        let files = [
            ("README.md", "no"),
            ("./charts/shop/Chart.yaml", "name: shop"),
            ("charts/shop/templates/one.yaml", ""),
            ("charts/shop/notes.swp", ""),
            ("charts/shop/.helmignore", "*.swp"),
            ("charts/shop-other/Chart.yaml", "name: other"),
            ("../charts/shop/escape", ""),
        ];
        let expected = [".helmignore", "Chart.yaml", "templates/one.yaml"];
        assert_eq!(names(&files, "./charts/shop/").unwrap(), expected);
        assert_eq!(names(&files, "charts").unwrap_err(), "it has no Chart.yaml");
        assert_eq!(names(&files, "../etc").unwrap_err(), "the folder leads out of the tree");
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let limits = Limits {
            file: 4,
            ..Limits::default()
        };
        let packed = tree(&[("Chart.yaml", "name: shop")]);
        assert!(
            read_blocking(&packed, ".", &limits)
                .unwrap_err()
                .contains("larger than 4 bytes")
        );
    }
}
