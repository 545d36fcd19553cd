//! Charts: archive, metadata, ignore rules, values, dependencies, schema, capabilities.
//!
//! Pure: bytes come in, nothing is read from disk or network (that is `source`). A [`Chart`] never changes after it
//! was loaded, so one copy can be shared by all releases of it; what depends on values is in a [`View`].

pub mod archive;
pub mod capabilities;
pub mod decode;
pub mod dependencies;
pub mod ignore;
pub mod load;
pub mod metadata;
pub mod schema;
pub mod strvals;
pub mod values;
mod values_files;
pub mod warning;

use std::sync::{Arc, OnceLock};

pub use archive::ArchiveLimits;
pub use capabilities::{Capabilities, KubeVersion};
pub use dependencies::View;
pub use load::LoadError;
pub use metadata::{Dependency, Metadata};
pub use values_files::ValuesFilesError;
pub use warning::Warning;

use schema::{SchemaError, Validator};

use crate::template::Content;
use crate::template::value::Frozen;

/// A set of values as the release record keeps it: JSON with sorted keys. A number that came from YAML is a float,
/// one that came from `--set` an integer, as in Helm.
pub type JsonMap = serde_json::Map<String, serde_json::Value>;

/// One file of a chart. The name is relative to the chart's root and has `/` between its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The path in the chart.
    pub name: String,
    /// The content, without a byte order mark.
    pub data: Content,
}

impl File {
    /// A file; a UTF-8 byte order mark is dropped, as Helm does.
    pub fn new(name: impl Into<String>, data: Vec<u8>) -> Self {
        Self::shared(name, data.into())
    }

    /// As [`File::new`], of a content that is shared already.
    pub fn shared(name: impl Into<String>, data: Content) -> Self {
        Self {
            name: name.into(),
            data: data.without_prefix(b"\xEF\xBB\xBF"),
        }
    }
}

/// A loaded chart with the charts that are packed into it. Immutable; `Send` and `Sync`.
#[derive(Debug)]
pub struct Chart {
    /// Chart.yaml, with the dependencies of requirements.yaml for `apiVersion: v1`.
    pub metadata: Metadata,
    /// Chart.lock or requirements.lock, as JSON.
    pub lock: Option<serde_json::Value>,
    /// values.yaml.
    pub values: JsonMap,
    /// values.schema.json.
    pub schema: Option<Content>,
    /// Everything under `templates/`.
    pub templates: Vec<File>,
    /// Everything that is none of the above: `.Files` in templates, and `crds/`.
    pub files: Vec<File>,
    /// The charts under `charts/`, sorted by their path there.
    pub subcharts: Vec<Arc<Chart>>,
    /// `values` as templates see them, made once.
    frozen: OnceLock<Arc<Frozen>>,
    /// `schema`, read once.
    validator: OnceLock<Result<Validator, SchemaError>>,
}

impl Chart {
    /// The chart with these values in the place of its own.
    #[must_use]
    pub fn with_values(&self, values: JsonMap) -> Self {
        let Self {
            metadata,
            lock,
            values: _,
            schema,
            templates,
            files,
            subcharts,
            frozen: _,
            validator: _,
        } = self;
        Self {
            metadata: metadata.clone(),
            lock: lock.clone(),
            values,
            schema: schema.clone(),
            templates: templates.clone(),
            files: files.clone(),
            subcharts: subcharts.clone(),
            frozen: OnceLock::new(),
            validator: OnceLock::new(),
        }
    }

    /// The default values as a table that renderings share.
    pub(crate) fn frozen_values(&self) -> Arc<Frozen> {
        Arc::clone(self.frozen.get_or_init(|| Arc::new(Frozen::new(&self.values))))
    }

    /// Checks values against the schema, if the chart has one.
    pub fn validate(&self, values: &JsonMap) -> Result<(), SchemaError> {
        match self.validator() {
            None => Ok(()),
            Some(Ok(validator)) => validator.validate(values),
            Some(Err(error)) => Err(error.clone()),
        }
    }

    /// Whether there is a schema that has not been read so far; compiling one that is not plain takes some milliseconds.
    pub(crate) fn has_new_schema(&self) -> bool {
        self.schema.is_some() && self.validator.get().is_none()
    }

    /// The schema, read once; nothing when there is none.
    pub(crate) fn validator(&self) -> Option<&Result<Validator, SchemaError>> {
        let schema = self.schema.as_ref()?;
        Some(self.validator.get_or_init(|| Validator::new(schema)))
    }

    /// Whether this is a library chart, whose only templates are partials.
    pub fn is_library(&self) -> bool {
        self.metadata.chart_type.eq_ignore_ascii_case("library")
    }

    /// The files under `crds/` that are manifests by their extension, in archive order.
    pub fn crds(&self) -> impl Iterator<Item = &File> {
        self.files
            .iter()
            .filter(|file| file.name.starts_with("crds/") && has_manifest_extension(&file.name))
    }
}

fn has_manifest_extension(name: &str) -> bool {
    let base = name.rsplit('/').next().unwrap_or(name);
    base.rsplit_once('.').is_some_and(|(_, extension)| {
        ["yaml", "yml", "json"]
            .iter()
            .any(|known| extension.eq_ignore_ascii_case(known))
    })
}
