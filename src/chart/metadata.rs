//! Chart.yaml: its fields, how Helm reads them, and what it refuses.
//!
//! The JSON form is that of Helm's release record.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::decode::{Fields, TypeError};
use crate::go::semver::Version;

/// What Chart.yaml says. Absent fields are empty, as in Go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The chart's name; for an aliased dependency the alias.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The project's page.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub home: String,
    /// Where the source code is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// The chart's version, a semantic version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// One sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Words to search for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// Who maintains the chart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub maintainers: Vec<Maintainer>,
    /// The URL of an icon.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub icon: String,
    /// `v1` or `v2`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// Unused by Helm, but visible to templates.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub condition: String,
    /// Unused by Helm, but visible to templates.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tags: String,
    /// The version of the application inside.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub app_version: String,
    /// Whether the chart is no longer maintained.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub deprecated: bool,
    /// Free annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The range of Kubernetes versions that the chart works with.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kube_version: String,
    /// The charts that this one depends on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<Dependency>,
    /// `application` (also when empty) or `library`.
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    pub chart_type: String,
}

/// One maintainer of a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Maintainer {
    /// A user or organisation.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// An address.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub email: String,
    /// A page.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub url: String,
}

/// One entry of `dependencies`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Dependency {
    /// The name in the other chart's Chart.yaml.
    pub name: String,
    /// A range of its versions.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Where it comes from.
    pub repository: String,
    /// Comma-separated paths in the values; the first that is a boolean decides.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub condition: String,
    /// Names in the top-level `tags` table of the values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The result of conditions and tags; only set in a processed chart.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub enabled: bool,
    /// Which of its values the parent imports: names under `exports`, or `{child, parent}` paths.
    #[serde(rename = "import-values", skip_serializing_if = "Vec::is_empty")]
    pub import_values: Vec<Value>,
    /// The name that it goes by in this chart.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub alias: String,
}

impl Dependency {
    /// The key of its values in the parent's: the alias, or else the name.
    pub fn key(&self) -> &str {
        if self.alias.is_empty() { &self.name } else { &self.alias }
    }
}

/// What Helm refuses in a Chart.yaml. Terminal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("validation: {0}")]
pub struct ValidationError(String);

impl Metadata {
    /// Takes over the fields that a document (Chart.yaml, or requirements.yaml after it) sets.
    pub fn read(&mut self, document: &Value) -> Result<(), TypeError> {
        let object = match document {
            Value::Null => return Ok(()),
            Value::Object(object) => object,
            other => return Err(TypeError::document(other, "v2.Metadata")),
        };
        let fields = Fields::new(object, "Metadata");
        for (name, target) in [
            ("name", &mut self.name),
            ("home", &mut self.home),
            ("version", &mut self.version),
            ("description", &mut self.description),
            ("icon", &mut self.icon),
            ("apiVersion", &mut self.api_version),
            ("condition", &mut self.condition),
            ("tags", &mut self.tags),
            ("appVersion", &mut self.app_version),
            ("kubeVersion", &mut self.kube_version),
            ("type", &mut self.chart_type),
        ] {
            set(target, fields.string(name)?);
        }
        set(&mut self.sources, fields.strings("sources")?);
        set(&mut self.keywords, fields.strings("keywords")?);
        set(&mut self.deprecated, fields.bool("deprecated")?);
        set(&mut self.annotations, fields.string_map("annotations")?);
        if let Some(items) = fields.objects("maintainers", "Maintainer")? {
            self.maintainers = items.into_iter().map(Maintainer::read).collect::<Result<_, _>>()?;
        }
        if let Some(items) = fields.objects("dependencies", "Dependency")? {
            self.dependencies = items.into_iter().map(Dependency::read).collect::<Result<_, _>>()?;
        }
        Ok(())
    }

    /// Helm's checks, and its clean-up of spaces and unprintable characters.
    pub fn validate(&mut self) -> Result<(), ValidationError> {
        for text in [
            &mut self.name,
            &mut self.description,
            &mut self.home,
            &mut self.icon,
            &mut self.condition,
            &mut self.tags,
            &mut self.app_version,
            &mut self.kube_version,
        ] {
            sanitize(text);
        }
        self.sources.iter_mut().chain(&mut self.keywords).for_each(sanitize);
        self.validate_name()?;
        if self.version.is_empty() {
            return Err(invalid("chart.metadata.version is required"));
        }
        if Version::parse(&self.version).is_err() {
            return Err(invalid(format!("chart.metadata.version {:?} is invalid", self.version)));
        }
        if !matches!(self.chart_type.as_str(), "" | "application" | "library") {
            return Err(invalid("chart.metadata.type must be application or library"));
        }
        for maintainer in &mut self.maintainers {
            if *maintainer == Maintainer::default() {
                return Err(invalid("maintainers must not contain empty or null nodes"));
            }
            [&mut maintainer.name, &mut maintainer.email, &mut maintainer.url]
                .into_iter()
                .for_each(sanitize);
        }
        self.validate_dependencies()
    }

    fn validate_name(&self) -> Result<(), ValidationError> {
        if self.api_version.is_empty() {
            return Err(invalid("chart.metadata.apiVersion is required"));
        }
        match self.name.as_str() {
            "" => Err(invalid("chart.metadata.name is required")),
            "." | ".." => Err(invalid(format!("chart.metadata.name {:?} is not allowed", self.name))),
            name if name.contains('/') => Err(invalid(format!("chart.metadata.name {name:?} is invalid"))),
            _ => Ok(()),
        }
    }

    fn validate_dependencies(&mut self) -> Result<(), ValidationError> {
        let mut seen = BTreeSet::new();
        for dependency in &mut self.dependencies {
            if *dependency == Dependency::default() {
                return Err(invalid("dependencies must not contain empty or null nodes"));
            }
            for text in [
                &mut dependency.name,
                &mut dependency.version,
                &mut dependency.repository,
                &mut dependency.condition,
            ] {
                sanitize(text);
            }
            dependency.tags.iter_mut().for_each(sanitize);
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
            if !dependency.alias.bytes().all(allowed) {
                let message = format!(
                    "dependency {:?} has disallowed characters in the alias",
                    dependency.name
                );
                return Err(invalid(message));
            }
            if !seen.insert(dependency.key().to_owned()) {
                return Err(invalid(format!(
                    "more than one dependency with name or alias {:?}",
                    dependency.key()
                )));
            }
        }
        Ok(())
    }
}

impl Maintainer {
    fn read(fields: Option<Fields<'_>>) -> Result<Self, TypeError> {
        let Some(fields) = fields else {
            return Ok(Self::default());
        };
        let text = |name| fields.string(name).map(Option::unwrap_or_default);
        Ok(Self {
            name: text("name")?,
            email: text("email")?,
            url: text("url")?,
        })
    }
}

impl Dependency {
    fn read(fields: Option<Fields<'_>>) -> Result<Self, TypeError> {
        let Some(fields) = fields else {
            return Ok(Self::default());
        };
        let text = |name| fields.string(name).map(Option::unwrap_or_default);
        Ok(Self {
            name: text("name")?,
            version: text("version")?,
            repository: text("repository")?,
            condition: text("condition")?,
            tags: fields.strings("tags")?.unwrap_or_default(),
            enabled: fields.bool("enabled")?.unwrap_or_default(),
            import_values: fields
                .list("import-values", "[]interface {}")?
                .unwrap_or_default()
                .to_vec(),
            alias: text("alias")?,
        })
    }
}

fn set<T>(target: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *target = value;
    }
}

fn invalid(message: impl Into<String>) -> ValidationError {
    ValidationError(message.into())
}

/// Every white space becomes a plain space, and what cannot be printed goes.
fn sanitize(text: &mut String) {
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return;
    }
    *text = text
        .chars()
        .filter_map(|character| match character {
            character if character.is_whitespace() => Some(' '),
            character if character.is_control() || is_format(character) => None,
            character => Some(character),
        })
        .collect();
}

/// Characters beside the control ones that Go's `unicode.IsPrint` refuses and that occur in text: the format
/// characters, the private use area and non-characters.
fn is_format(character: char) -> bool {
    matches!(character,
        '\u{AD}' | '\u{600}'..='\u{605}' | '\u{61C}' | '\u{6DD}' | '\u{70F}' | '\u{180E}' | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{E000}'..='\u{F8FF}' | '\u{FEFF}'
        | '\u{FFF0}'..='\u{FFFB}' | '\u{FFFE}'..='\u{FFFF}' | '\u{E0000}'..='\u{E007F}' | '\u{F0000}'..)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(document: &Value) -> Metadata {
        let mut metadata = Metadata::default();
        metadata.read(document).unwrap();
        metadata
    }

    fn refusal(document: &Value) -> String {
        read(document).validate().unwrap_err().to_string()
    }

    #[test]
    fn scalars_become_the_text_that_a_field_wants() {
        let metadata = read(
            &json!({"name": "web", "version": 1.5, "appVersion": true, "Description": "d",
            "annotations": {"a": 1, "b": null}, "keywords": ["x", 2]}),
        );
        assert_eq!(
            (metadata.version.as_str(), metadata.app_version.as_str()),
            ("1.5", "true")
        );
        assert_eq!(
            (metadata.description.as_str(), metadata.keywords[1].as_str()),
            ("d", "2")
        );
        assert_eq!(metadata.annotations["a"], "1");
        assert_eq!(metadata.annotations["b"], "");
    }

    #[test]
    fn a_wrong_type_is_named_as_go_names_it() {
        let error = Metadata::default().read(&json!({"version": ["1"]})).unwrap_err();
        assert_eq!(
            error.to_string(),
            "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go struct field \
             Metadata.version of type string"
        );
    }

    #[test]
    fn refuses_what_helm_refuses() {
        assert_eq!(
            refusal(&json!({"name": "a"})),
            "validation: chart.metadata.apiVersion is required"
        );
        assert_eq!(
            refusal(&json!({"apiVersion": "v2"})),
            "validation: chart.metadata.name is required"
        );
        let base = |name: &str, version: &str| json!({"apiVersion": "v2", "name": name, "version": version});
        assert_eq!(
            refusal(&base("..", "1")),
            "validation: chart.metadata.name \"..\" is not allowed"
        );
        assert_eq!(
            refusal(&base("a/b", "1")),
            "validation: chart.metadata.name \"a/b\" is invalid"
        );
        assert_eq!(
            refusal(&base("a", "")),
            "validation: chart.metadata.version is required"
        );
        assert_eq!(
            refusal(&base("a", "x")),
            "validation: chart.metadata.version \"x\" is invalid"
        );
        let twice = json!({"apiVersion": "v2", "name": "a", "version": "1.0.0",
            "dependencies": [{"name": "b"}, {"name": "c", "alias": "b"}]});
        assert_eq!(
            refusal(&twice),
            "validation: more than one dependency with name or alias \"b\""
        );
        let alias = json!({"apiVersion": "v2", "name": "a", "version": "1.0.0",
            "dependencies": [{"name": "b", "alias": "b.c"}]});
        assert_eq!(
            refusal(&alias),
            "validation: dependency \"b\" has disallowed characters in the alias"
        );
    }

    #[test]
    fn sanitizes_texts() {
        let mut metadata = read(&json!({"apiVersion": "v2", "name": "a", "version": "1.0.0",
            "description": "two\nlines\u{7}\u{200b} é"}));
        metadata.validate().unwrap();
        assert_eq!(metadata.description, "two lines é");
    }
}
