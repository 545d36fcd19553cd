//! The documents of files: HelmReleases, and what they refer to.
//!
//! Edge: reads files and standard input, within bounds. What is made of the documents is the commands'.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use kube::Resource as _;
use serde_json::{Value, json};

use crate::api::HelmRelease;
use crate::operator::given::{Given, Taken};
use crate::render::flatten;
use crate::yaml;

/// The name of standard input.
const STDIN: &str = "-";

/// Documents that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum DocumentError {
    /// A file cannot be read.
    #[error("{file}: {source}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// A file is too large.
    #[error("{file}: it is larger than {} bytes", yaml::MAX_INPUT)]
    TooLarge {
        /// The file.
        file: String,
    },
    /// A document is no YAML.
    #[error("{file}, document {number}: {source}")]
    Yaml {
        /// The file.
        file: String,
        /// The document, counted from 1.
        number: usize,
        /// What is wrong.
        source: yaml::Error,
    },
    /// An object is not what its kind says.
    #[error("{file}, document {number}, {object}: {problem}")]
    Object {
        /// The file.
        file: String,
        /// The document, counted from 1.
        number: usize,
        /// Its kind and name.
        object: String,
        /// What is wrong.
        problem: String,
    },
    /// There is nothing to look at.
    #[error("there is no HelmRelease ({}){}", HelmRelease::api_version(&()), .name.as_ref().map(|name| format!(" {name}")).unwrap_or_default())]
    NoRelease {
        /// The name that is wanted.
        name: Option<String>,
    },
}

/// What stands in files.
#[derive(Debug, Default)]
pub(super) struct Documents {
    /// HelmReleases, as they stand there.
    pub(super) releases: Vec<Value>,
    /// What they may refer to.
    pub(super) given: Given,
    /// What a person should know.
    pub(super) notes: Vec<String>,
}

impl Documents {
    /// Reads files; `-` is standard input. What names no namespace is in this one.
    pub(super) fn read(files: &[PathBuf], namespace: &str) -> Result<Self, DocumentError> {
        let mut documents = Self::default();
        for path in files {
            let text = text(path)?;
            documents.add(&path.display().to_string(), &text, namespace)?;
        }
        Ok(documents)
    }

    /// Keeps only the HelmRelease of this name, if one is wanted.
    pub(super) fn only(mut self, name: Option<&str>) -> Result<Self, DocumentError> {
        if let Some(name) = name {
            self.releases.retain(|release| release["metadata"]["name"] == name);
        }
        if self.releases.is_empty() {
            let name = name.map(str::to_owned);
            return Err(DocumentError::NoRelease { name });
        }
        Ok(self)
    }

    fn add(&mut self, file: &str, text: &str, namespace: &str) -> Result<(), DocumentError> {
        for (index, document) in yaml::split_documents(text).enumerate() {
            let number = index + 1;
            let document = yaml::to_json_strict(document.as_bytes()).map_err(|source| DocumentError::Yaml {
                file: file.to_owned(),
                number,
                source,
            })?;
            for object in flatten(&document) {
                let name = format!("{} {}", shown(&object["kind"]), shown(&object["metadata"]["name"]));
                self.object(object.clone(), namespace, &name)
                    .map_err(|problem| DocumentError::Object {
                        file: file.to_owned(),
                        number,
                        object: name,
                        problem,
                    })?;
            }
        }
        Ok(())
    }

    fn object(&mut self, mut object: Value, namespace: &str, name: &str) -> Result<(), String> {
        if !object.is_object() {
            return Err("it is no object".to_owned());
        }
        if object["metadata"]["name"].as_str().is_none_or(str::is_empty) {
            return Err("it has no metadata.name".to_owned());
        }
        if object["metadata"]["namespace"].is_null() && object["kind"] != "Namespace" {
            object["metadata"]["namespace"] = json!(namespace);
        }
        if object["kind"] == HelmRelease::kind(&()).as_ref()
            && object["apiVersion"] == HelmRelease::api_version(&()).as_ref()
        {
            self.releases.push(object);
            return Ok(());
        }
        match self.given.take(object) {
            Ok(Taken::Used | Taken::NotUsed) => Ok(()),
            Ok(Taken::Encrypted) => {
                self.notes
                    .push(format!("{name} is encrypted; the one in the cluster is used"));
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

fn shown(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

fn text(path: &Path) -> Result<String, DocumentError> {
    let file = || path.display().to_string();
    let read = if path.as_os_str() == STDIN {
        bounded(io::stdin().lock())
    } else {
        File::open(path).and_then(bounded)
    };
    let text = read.map_err(|source| DocumentError::Read { file: file(), source })?;
    if text.len() > yaml::MAX_INPUT {
        return Err(DocumentError::TooLarge { file: file() });
    }
    Ok(text)
}

fn bounded(input: impl Read) -> io::Result<String> {
    let mut text = String::new();
    input.take(yaml::MAX_INPUT as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELEASE: &str =
        "apiVersion: fairlead.dev/v1alpha1\nkind: HelmRelease\nmetadata: {name: web}\nspec: {interval: 1m}\n";

    fn read(text: &str) -> Result<Documents, String> {
        let mut documents = Documents::default();
        documents
            .add("f.yaml", text, "prod")
            .map_err(|error| error.to_string())?;
        Ok(documents)
    }

    #[test]
    fn releases_and_what_they_refer_to_are_told_apart() {
        let map = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a}\n  data: {b: c}\n";
        let other = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n";
        let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: other}\nsops: {mac: x}\n";
        let found = read(&[RELEASE, map, "# nothing\n", other, secret].join("---\n")).unwrap();
        assert_eq!(found.releases.len(), 1);
        assert_eq!(found.releases[0]["metadata"]["namespace"], "prod");
        assert!(found.given.config_maps.get("prod", "a").is_some());
        assert_eq!(found.notes, ["Secret s is encrypted; the one in the cluster is used"]);
        assert!(
            found
                .only(Some("db"))
                .unwrap_err()
                .to_string()
                .ends_with("HelmRelease (fairlead.dev/v1alpha1) db")
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let cases = [
            (format!("{RELEASE}---\na: [\n"), "f.yaml, document 2: "),
            (format!("{RELEASE}---\na: 1\na: 2\n"), "f.yaml, document 2: "),
            (
                "kind: ConfigMap\n".to_owned(),
                "f.yaml, document 1, ConfigMap ?: it has no metadata.name",
            ),
            (
                "apiVersion: fairlead.dev/v1alpha1\nkind: OCIRepository\nmetadata: {name: a}\n".to_owned(),
                "f.yaml, document 1, OCIRepository a: missing field `spec`",
            ),
        ];
        for (text, expected) in cases {
            let problem = read(&text).unwrap_err();
            assert!(problem.starts_with(expected), "{problem}");
        }
    }
}
