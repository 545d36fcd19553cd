//! Packed charts: whether bytes are one, and of which name and version; reading them from a file.

use std::io::{self, Read};
use std::path::Path;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use tokio::io::AsyncReadExt as _;

use super::error::SourceError;
use super::limits::Limits;
use crate::chart::Metadata;
use crate::yaml;

/// The name and version in a chart's `Chart.yaml`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) name: String,
    pub(super) version: String,
}

/// Reads a packed chart from a file.
pub(super) async fn read(path: &Path, limits: &Limits) -> Result<Bytes, SourceError> {
    let failure = |error: io::Error| SourceError::Local {
        path: path.display().to_string(),
        reason: error.to_string(),
    };
    let file = tokio::fs::File::open(path).await.map_err(failure)?;
    let mut bytes = Vec::new();
    file.take(limits.archive.saturating_add(1))
        .read_to_end(&mut bytes)
        .await
        .map_err(failure)?;
    if bytes.len() as u64 > limits.archive {
        return Err(SourceError::TooLarge {
            what: path.display().to_string(),
            limit: limits.archive,
        });
    }
    Ok(bytes.into())
}

/// Finds name and version of a packed chart, reading no more of it than needed.
pub(super) async fn identify(what: &str, archive: Bytes, limits: Limits) -> Result<Identity, SourceError> {
    let identified = tokio::task::spawn_blocking(move || identify_blocking(&archive, &limits)).await;
    let not_a_chart = |reason| SourceError::NotAChart {
        what: what.to_owned(),
        reason,
    };
    identified
        .map_err(|error| not_a_chart(error.to_string()))?
        .map_err(not_a_chart)
}

fn identify_blocking(archive: &[u8], limits: &Limits) -> Result<Identity, String> {
    if !archive.starts_with(&[0x1f, 0x8b]) {
        let text = String::from_utf8_lossy(archive.get(..40).unwrap_or(archive)).into_owned();
        return Err(format!("it is not gzip-compressed, it starts with {text:?}"));
    }
    let unreadable = |error: io::Error| format!("it cannot be unpacked: {error}");
    let mut tar = tar::Archive::new(MultiGzDecoder::new(archive).take(limits.directory));
    for (index, entry) in tar.entries().map_err(unreadable)?.enumerate() {
        if index >= limits.files {
            return Err(format!("it has more than {} files", limits.files));
        }
        let entry = entry.map_err(unreadable)?;
        let path = with_slashes(&entry.path_bytes());
        let mut parts = path
            .split(|byte| *byte == b'/')
            .filter(|part| !part.is_empty() && *part != b".");
        if !entry.header().entry_type().is_file() || parts.nth(1) != Some(b"Chart.yaml") || parts.next().is_some() {
            continue;
        }
        let mut yaml = Vec::new();
        entry
            .take(limits.file.saturating_add(1))
            .read_to_end(&mut yaml)
            .map_err(unreadable)?;
        if yaml.len() as u64 > limits.file {
            return Err(format!("its Chart.yaml is larger than {} bytes", limits.file));
        }
        return identity(&yaml);
    }
    Err("it has no Chart.yaml in its top folder".to_owned())
}

/// Name and version of a `Chart.yaml`.
pub(super) fn identity(text: &[u8]) -> Result<Identity, String> {
    let broken = |error: &dyn std::fmt::Display| format!("its Chart.yaml is broken: {error}");
    let chart = yaml::to_json_as_written(text).map_err(|error| broken(&error))?;
    let mut metadata = Metadata::default();
    metadata.read(&chart).map_err(|error| broken(&error))?;
    let given = |field: String, key| {
        let missing = || format!("its Chart.yaml has no {key}");
        (!field.is_empty()).then_some(field).ok_or_else(missing)
    };
    Ok(Identity {
        name: given(metadata.name, "name")?,
        version: given(metadata.version, "version")?,
    })
}

/// The path as it is on other systems, for charts packed on Windows.
pub(super) fn with_slashes(path: &[u8]) -> Vec<u8> {
    path.iter()
        .map(|byte| if *byte == b'\\' { b'/' } else { *byte })
        .collect()
}
