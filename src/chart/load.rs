//! Files to a [`Chart`], with the charts packed inside it.
//!
//! Knows Helm's layout of a chart and its error texts; the bytes come from `archive` or from `source::directory`.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::archive::{self, ArchiveError, ArchiveLimits, Budget};
use super::decode::{Fields, TypeError};
use super::ignore::{self, IgnoreError, Rules};
use super::metadata::{Metadata, ValidationError};
use super::values::merge_maps;
use super::{Chart, File, JsonMap};
use crate::template::Content;
use crate::yaml;

/// Why a chart could not be loaded. Terminal: the same bytes fail again.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The archive itself.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A YAML file of the chart does not parse.
    #[error("cannot load {file}: {message}")]
    File {
        /// Its path in the chart.
        file: &'static str,
        /// What the parser or decoder says.
        message: String,
    },
    /// The .helmignore.
    #[error(transparent)]
    Ignore(#[from] IgnoreError),
    /// No Chart.yaml.
    #[error("Chart.yaml file is missing")]
    NoMetadata,
    /// Neither `v1` nor `v2`, and not `v3`, which Helm is preparing.
    #[error("unsupported chart version")]
    ApiVersion,
    /// `v3`: Helm 4.3.1 reads such charts, but installs none.
    #[error("invalid chart apiVersion")]
    FutureApiVersion,
    /// Chart.yaml says something that Helm refuses.
    #[error(transparent)]
    Validation(#[from] ValidationError),
    /// A packed chart whose path is not what it should be.
    #[error("error unpacking subchart tar in {chart}: expected {expected}, got {found}")]
    SubchartPath {
        /// The parent.
        chart: String,
        /// The archive's name.
        expected: String,
        /// The path found.
        found: String,
    },
    /// A chart under `charts/`.
    #[error("error unpacking subchart {subchart} in {chart}: {source}")]
    Subchart {
        /// Its file or directory.
        subchart: String,
        /// The parent.
        chart: String,
        /// What is wrong with it.
        source: Box<LoadError>,
    },
    /// More charts inside each other than [`ArchiveLimits::depth`].
    #[error("charts are nested more than {0} deep")]
    Depth(usize),
}

impl Chart {
    /// Loads a packed chart (tar.gz).
    pub fn from_archive(bytes: &[u8], limits: &ArchiveLimits) -> Result<Self, LoadError> {
        Self::from_archive_with(bytes, limits, &mut |_| ())
    }

    /// As [`Chart::from_archive`]; `seen` is told of each file as soon as its content is there. Those of charts inside have their paths
    /// in the chart around them, or in their own archive.
    pub fn from_archive_with(
        bytes: &[u8],
        limits: &ArchiveLimits,
        seen: &mut dyn FnMut(&File),
    ) -> Result<Self, LoadError> {
        let mut loader = Loader::new(limits, seen);
        let files = loader.unpack(bytes)?;
        loader.load(files, 0)
    }

    /// Loads a chart from all files of a directory, leaving out what its .helmignore says.
    pub fn from_directory(files: Vec<File>, limits: &ArchiveLimits) -> Result<Self, LoadError> {
        Self::from_directory_with(files, limits, &mut |_| ())
    }

    /// As [`Chart::from_directory`]; `seen` is told of the files in packed charts below it.
    pub fn from_directory_with(
        mut files: Vec<File>,
        limits: &ArchiveLimits,
        seen: &mut dyn FnMut(&File),
    ) -> Result<Self, LoadError> {
        let rules = files.iter().find(|file| file.name == ignore::HELM_IGNORE);
        let rules = Rules::parse(rules.map_or(b"", |file| &*file.data))?;
        files.retain(|file| !rules.ignores_file(&file.name));
        Loader::new(limits, seen).load(files, 0)
    }

    /// Loads a chart from its files, named relative to its root.
    pub fn from_files(files: Vec<File>, limits: &ArchiveLimits) -> Result<Self, LoadError> {
        Loader::new(limits, &mut |_| ()).load(files, 0)
    }
}

/// values.yaml, or a file of the user's: YAML documents, each merged over the one before. All numbers become floats.
pub fn read_values(text: &[u8]) -> Result<JsonMap, String> {
    let mut values = JsonMap::new();
    for document in value_documents(text)? {
        let parsed = parse_values(&document).map_err(|error| format!("cannot unmarshal yaml document: {error}"))?;
        values = if values.is_empty() {
            parsed
        } else {
            merge_maps(values, parsed)
        };
    }
    Ok(values)
}

fn parse_values(document: &[u8]) -> Result<JsonMap, String> {
    yaml::from_slice_map(document).map_err(|error| error.to_string())
}

/// Splits at lines that start with `---`, as apimachinery's YAMLReader does: a separator may be followed by a comment
/// only, and one before any content belongs to the first document.
fn value_documents(text: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut documents = Vec::new();
    let mut current = Vec::with_capacity(text.len() + 1);
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    for line in text.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(rest) = line.strip_prefix(b"---") {
            let rest = rest.trim_ascii();
            if !rest.is_empty() && rest[0] != b'#' {
                let rest = String::from_utf8_lossy(rest);
                return Err(format!(
                    "error reading yaml document: invalid Yaml document separator: {rest}"
                ));
            }
            if !current.is_empty() {
                documents.push(std::mem::take(&mut current));
                continue;
            }
        }
        current.extend_from_slice(line);
        current.push(b'\n');
    }
    documents.push(current);
    Ok(documents)
}

fn parse_yaml(text: &[u8]) -> Result<serde_json::Value, String> {
    yaml::to_json_as_written(text).map_err(|error| format!("error converting YAML to JSON: {error}"))
}

struct Loader<'a> {
    limits: &'a ArchiveLimits,
    budget: Budget,
    seen: &'a mut dyn FnMut(&File),
}

impl<'a> Loader<'a> {
    fn new(limits: &'a ArchiveLimits, seen: &'a mut dyn FnMut(&File)) -> Self {
        Self {
            limits,
            budget: Budget(limits.nested),
            seen,
        }
    }

    fn unpack(&mut self, bytes: &[u8]) -> Result<Vec<File>, ArchiveError> {
        archive::read(bytes, self.limits, &mut self.budget, self.seen)
    }

    fn load(&mut self, files: Vec<File>, depth: usize) -> Result<Chart, LoadError> {
        if depth > self.limits.depth {
            return Err(LoadError::Depth(self.limits.depth));
        }
        let mut metadata = read_metadata(&files, depth == 0)?;
        let mut parts = Parts::default();
        for file in files {
            parts.add(file, &mut metadata)?;
        }
        let mut metadata = metadata.ok_or(LoadError::NoMetadata)?;
        metadata.validate()?;
        if depth == 0 && metadata.api_version == "v3" {
            return Err(LoadError::FutureApiVersion);
        }
        let mut subcharts = Vec::new();
        for (directory, files) in std::mem::take(&mut parts.charts) {
            if directory.starts_with(['_', '.']) {
                continue;
            }
            let subchart = self.load_subchart(&directory, files, &metadata.name, depth + 1);
            subcharts.push(Arc::new(subchart?));
        }
        let Parts {
            lock,
            values,
            schema,
            templates,
            files,
            charts: _,
        } = parts;
        Ok(Chart {
            metadata,
            lock,
            values,
            schema,
            templates,
            files,
            subcharts,
            frozen: OnceLock::new(),
            validator: OnceLock::new(),
        })
    }

    fn load_subchart(
        &mut self,
        directory: &str,
        files: Vec<File>,
        parent: &str,
        depth: usize,
    ) -> Result<Chart, LoadError> {
        let wrap = |source| LoadError::Subchart {
            subchart: directory.to_owned(),
            chart: parent.to_owned(),
            source: Box::new(source),
        };
        if has_extension(directory, "tgz") {
            let Some(file) = files.first() else {
                return Err(wrap(LoadError::NoMetadata));
            };
            if file.name != directory {
                return Err(LoadError::SubchartPath {
                    chart: parent.to_owned(),
                    expected: directory.to_owned(),
                    found: file.name.clone(),
                });
            }
            let files = self.unpack(&file.data).map_err(|error| wrap(error.into()))?;
            return self.load(files, depth).map_err(wrap);
        }
        let files = files.into_iter().filter_map(|file| {
            let name = file.name.split_once('/')?.1.to_owned();
            Some(File { name, data: file.data })
        });
        self.load(files.collect(), depth).map_err(wrap)
    }
}

/// Chart.yaml, wherever it is in the list: the other files are read by its rules.
fn read_metadata(files: &[File], is_root: bool) -> Result<Option<Metadata>, LoadError> {
    let mut found: Option<Metadata> = None;
    for file in files.iter().filter(|file| file.name == "Chart.yaml") {
        let metadata = found.get_or_insert_default();
        let document = parse_yaml(&file.data).map_err(|message| LoadError::File {
            file: "Chart.yaml",
            message,
        })?;
        let read = if is_root { read_api_version(&document) } else { Ok(()) };
        let read = read.and_then(|()| metadata.read(&document));
        read.map_err(|error| LoadError::File {
            file: "Chart.yaml",
            message: error.to_string(),
        })?;
        if metadata.api_version.is_empty() {
            // Helm 2 wrote charts without it.
            "v1".clone_into(&mut metadata.api_version);
        }
    }
    match found.as_ref().map(|metadata| metadata.api_version.as_str()) {
        None | Some("v1" | "v2" | "v3") => Ok(found),
        Some(_) if is_root => Err(LoadError::ApiVersion),
        // Helm asks no subchart for its version.
        Some(_) => Ok(found),
    }
}

/// Helm first decides by `apiVersion` alone how to load a chart, so errors name the type that it has for this.
fn read_api_version(document: &serde_json::Value) -> Result<(), TypeError> {
    match document {
        serde_json::Value::Null => Ok(()),
        serde_json::Value::Object(object) => Fields::new(object, "chartBase").string("apiVersion").map(drop),
        other => Err(TypeError::document(other, "loader.chartBase")),
    }
}

/// A chart's files by what they are.
#[derive(Default)]
struct Parts {
    lock: Option<serde_json::Value>,
    values: JsonMap,
    schema: Option<Content>,
    templates: Vec<File>,
    files: Vec<File>,
    charts: BTreeMap<String, Vec<File>>,
}

impl Parts {
    fn add(&mut self, file: File, metadata: &mut Option<Metadata>) -> Result<(), LoadError> {
        let is_v1 = metadata.as_ref().is_some_and(|metadata| metadata.api_version == "v1");
        match file.name.as_str() {
            "Chart.yaml" => {}
            "Chart.lock" => self.lock = Some(read_document("Chart.lock", &file.data)?),
            "values.yaml" => {
                self.values = read_values(&file.data).map_err(|message| LoadError::File {
                    file: "values.yaml",
                    message,
                })?;
            }
            "values.schema.json" => self.schema = Some(file.data),
            "requirements.yaml" => {
                let document = read_document("requirements.yaml", &file.data)?;
                metadata
                    .get_or_insert_default()
                    .read(&document)
                    .map_err(|error| LoadError::File {
                        file: "requirements.yaml",
                        message: error.to_string(),
                    })?;
                self.keep(file, is_v1);
            }
            "requirements.lock" => {
                self.lock = Some(read_document("requirements.lock", &file.data)?);
                self.keep(file, is_v1);
            }
            name if name.starts_with("templates/") => self.templates.push(file),
            name => match name.strip_prefix("charts/") {
                Some(inner) if !has_extension(name, "prov") => {
                    let directory = inner.split('/').next().unwrap_or(inner).to_owned();
                    let name = inner.to_owned();
                    self.charts
                        .entry(directory)
                        .or_default()
                        .push(File { name, data: file.data });
                }
                _ => self.files.push(file),
            },
        }
        Ok(())
    }

    /// Only charts of `apiVersion: v1` see the files of their dependencies in `.Files`.
    fn keep(&mut self, file: File, is_v1: bool) {
        if is_v1 {
            self.files.push(file);
        }
    }
}

/// Compares as Helm does, case included.
fn has_extension(name: &str, extension: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, found)| found == extension)
}

fn read_document(file: &'static str, text: &[u8]) -> Result<serde_json::Value, LoadError> {
    parse_yaml(text).map_err(|message| LoadError::File { file, message })
}
