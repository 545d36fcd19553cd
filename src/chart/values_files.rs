//! `valuesFiles`: other files of a chart in the place of its values.yaml.

use std::sync::OnceLock;

use super::load::read_values;
use super::values::merge_maps;
use super::{Chart, JsonMap};

/// The name of the values that a chart has by itself.
const VALUES: &str = "values.yaml";

/// Why the files cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValuesFilesError {
    /// The chart has no such file.
    #[error("the chart has no file {0:?}; correct spec.chart.spec.valuesFiles, or set ignoreMissingValuesFiles")]
    Missing(String),
    /// A file is not what a values file is.
    #[error("{file} of the chart: {message}")]
    Unreadable {
        /// Its path in the chart.
        file: String,
        /// What the parser says.
        message: String,
    },
}

impl Chart {
    /// The chart with these of its files in the place of values.yaml: each merged over the one before. When none of them is there, and
    /// that is ignored, the chart keeps its own values.
    ///
    /// # Errors
    /// When a file is missing and that is not ignored, or cannot be read.
    pub fn with_values_files(mut self, paths: &[String], ignore_missing: bool) -> Result<Self, ValuesFilesError> {
        let mut merged: Option<JsonMap> = None;
        for path in paths {
            match self.values_file(path)? {
                Some(values) => merged = Some(merge_maps(merged.unwrap_or_default(), values)),
                None if ignore_missing => {}
                None => return Err(ValuesFilesError::Missing(path.clone())),
            }
        }
        if let Some(values) = merged {
            self.values = values;
            self.frozen = OnceLock::new();
        }
        Ok(self)
    }

    fn values_file(&self, path: &str) -> Result<Option<JsonMap>, ValuesFilesError> {
        let name = cleaned(path);
        if name == VALUES {
            return Ok(Some(self.values.clone()));
        }
        let Some(file) = self.files.iter().find(|file| file.name == name) else {
            return Ok(None);
        };
        match read_values(&file.data) {
            Ok(values) => Ok(Some(values)),
            Err(message) => Err(ValuesFilesError::Unreadable { file: name, message }),
        }
    }
}

/// A path without what leads nowhere: `./a//b` is `a/b`. No path leads out of a chart: what begins with `..` is no file of it.
fn cleaned(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match (part, parts.last()) {
            ("..", Some(last)) if *last != ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::chart::{ArchiveLimits, File};

    fn chart() -> Chart {
        let files = [
            ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0"),
            ("values.yaml", "replicas: 1\nimage: {tag: a, pull: Always}"),
            ("values-prod.yaml", "replicas: 3\nimage: {tag: b}"),
            ("env/eu.yaml", "region: eu\nimage: {tag: c}"),
            ("broken.yaml", "a: ["),
        ];
        let files = files.map(|(name, text)| File::new(name, text.as_bytes().to_vec()));
        Chart::from_files(files.into(), &ArchiveLimits::default()).unwrap()
    }

    fn values(paths: &[&str], ignore_missing: bool) -> Result<serde_json::Value, String> {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        let chart = chart().with_values_files(&paths, ignore_missing);
        chart
            .map(|chart| chart.values.into())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn files_replace_the_charts_values_and_the_last_wins() {
        assert_eq!(
            values(&["values-prod.yaml"], false),
            Ok(json!({"replicas": 3.0, "image": {"tag": "b"}}))
        );
        let all = values(&["values.yaml", "./values-prod.yaml", "env//eu.yaml"], false);
        let expected = json!({"replicas": 3.0, "region": "eu", "image": {"tag": "c", "pull": "Always"}});
        assert_eq!(all, Ok(expected));
    }

    #[test]
    fn a_missing_file_is_an_error_unless_that_is_ignored() {
        let error = values(&["values.yaml", "absent.yaml"], false).unwrap_err();
        assert!(error.contains("no file \"absent.yaml\""), "{error}");
        let own = json!({"replicas": 1.0, "image": {"tag": "a", "pull": "Always"}});
        assert_eq!(values(&["absent.yaml"], true), Ok(own));
        assert_eq!(
            values(&["absent.yaml", "env/eu.yaml"], true),
            Ok(json!({"region": "eu", "image": {"tag": "c"}}))
        );
        assert!(values(&["../values.yaml"], false).is_err());
        assert!(
            values(&["broken.yaml"], true)
                .unwrap_err()
                .starts_with("broken.yaml of the chart")
        );
    }
}
