//! Rendered files to manifests and hooks.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use super::error::Document;
use super::head::{self, Head};
use super::shared_text::SharedText;
use super::{RenderError, Rendered, order};
use crate::chart::{View, Warning};
use crate::render::scope::base_name;
use crate::template::Content;
use crate::yaml;

/// The annotation that makes a hook.
const HOOK: &str = "helm.sh/hook";

/// One document of a rendered template.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The template's path: `web/templates/service.yaml`.
    pub path: String,
    /// The document as the template made it, without white space at its start.
    pub text: SharedText,
    /// `apiVersion`, or empty.
    pub api_version: String,
    /// `kind`, or empty.
    pub kind: String,
    /// `metadata.name`, or empty.
    pub name: String,
    /// See [`Manifest::object`].
    object: OnceLock<Value>,
}

impl Manifest {
    /// The document as JSON. Integers are kept. Null when the document has only comments.
    ///
    /// Made when it is first asked for: who only prints the text does not pay for it.
    pub fn object(&self) -> &Value {
        // Rendering has read the text, so there is no error here.
        self.object
            .get_or_init(|| yaml::to_json(self.text.as_bytes()).unwrap_or_default())
    }

    /// The object, or the items of a list; nothing for a document of comments.
    pub fn objects(&self) -> impl Iterator<Item = &Value> {
        flatten(self.object())
    }
}

/// One document with the `helm.sh/hook` annotation.
#[derive(Clone, Debug)]
pub struct Hook {
    /// The document.
    pub manifest: Manifest,
    /// When it runs.
    pub events: Vec<HookEvent>,
    /// Hooks run by ascending weight, then name.
    pub weight: i64,
    /// `helm.sh/hook-delete-policy`, lower case; unknown entries are kept.
    pub delete_policies: Vec<String>,
    /// `helm.sh/hook-output-log-policy`, lower case; unknown entries are kept.
    pub output_log_policies: Vec<String>,
}

impl Hook {
    /// Whether this is a test.
    pub fn is_test(&self) -> bool {
        self.events.contains(&HookEvent::Test)
    }
}

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HookEvent {
    /// Before anything of an installation.
    PreInstall,
    /// After it.
    PostInstall,
    /// Before anything of an uninstallation.
    PreDelete,
    /// After it.
    PostDelete,
    /// Before anything of an upgrade.
    PreUpgrade,
    /// After it.
    PostUpgrade,
    /// Before anything of a rollback.
    PreRollback,
    /// After it.
    PostRollback,
    /// On `helm test`.
    Test,
}

impl HookEvent {
    /// The name in annotations and release records.
    pub fn name(self) -> &'static str {
        match self {
            Self::PreInstall => "pre-install",
            Self::PostInstall => "post-install",
            Self::PreDelete => "pre-delete",
            Self::PostDelete => "post-delete",
            Self::PreUpgrade => "pre-upgrade",
            Self::PostUpgrade => "post-upgrade",
            Self::PreRollback => "pre-rollback",
            Self::PostRollback => "post-rollback",
            Self::Test => "test",
        }
    }

    /// The event of an annotation's entry, in any case and with spaces around it.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name.trim().to_lowercase().as_str() {
            "pre-install" => Self::PreInstall,
            "post-install" => Self::PostInstall,
            "pre-delete" => Self::PreDelete,
            "post-delete" => Self::PostDelete,
            "pre-upgrade" => Self::PreUpgrade,
            "post-upgrade" => Self::PostUpgrade,
            "pre-rollback" => Self::PreRollback,
            "post-rollback" => Self::PostRollback,
            "test" | "test-success" => Self::Test,
            _ => return None,
        })
    }
}

/// One file under `crds/`.
#[derive(Clone, Debug)]
pub struct Crd {
    /// Its path in the tree of charts.
    pub path: String,
    /// The file as it is, shared with the chart: it may have several documents, and it is not a template.
    pub text: Content,
}

impl Crd {
    /// The objects in the file.
    pub fn objects(&self) -> Result<Vec<Value>, RenderError> {
        let mut objects = Vec::new();
        for document in yaml::split_documents(&self.text.to_str_lossy()) {
            let object = parse(&self.path, document, yaml::to_json)?;
            objects.extend(flatten(&object).cloned());
        }
        Ok(objects)
    }
}

/// The CRDs of a chart and its enabled subcharts.
pub(super) fn crds(view: &View) -> Vec<Crd> {
    let mut found = Vec::new();
    collect_crds(view, &view.metadata.name, &mut found);
    found
}

fn collect_crds(view: &View, path: &str, found: &mut Vec<Crd>) {
    found.extend(view.chart.crds().map(|file| Crd {
        path: format!("{path}/{}", file.name),
        text: file.data.clone(),
    }));
    for subchart in &view.subcharts {
        collect_crds(subchart, &format!("{path}/charts/{}", subchart.metadata.name), found);
    }
}

/// What one rendered file becomes.
pub(super) struct Sorted {
    path: String,
    text: Arc<String>,
    documents: Result<Documents, RenderError>,
}

/// The documents of one rendered file, or of all.
#[derive(Default)]
struct Documents {
    manifests: Vec<Manifest>,
    hooks: Vec<Hook>,
    warnings: Vec<Warning>,
}

/// Whether a rendered file may hold objects: it is no notes and no partial.
pub(super) fn may_have_objects(path: &str) -> bool {
    !is_notes(path) && !base_name(path).starts_with('_')
}

/// Splits a file and sorts its documents into manifests and hooks.
pub(super) fn sort_file(path: String, text: String) -> Sorted {
    let text = Arc::new(text);
    let documents = sort_documents(&path, &text);
    Sorted { path, text, documents }
}

/// Puts the documents of all files into install order.
pub(super) fn install_order(mut files: Vec<Sorted>, rendered: &mut Rendered) -> Result<(), RenderError> {
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let mut all = Documents::default();
    let count = |file: &Sorted| file.documents.as_ref().map_or(0, |documents| documents.manifests.len());
    all.manifests.reserve_exact(files.iter().map(count).sum());
    for file in &mut files {
        match std::mem::replace(&mut file.documents, Ok(Documents::default())) {
            Ok(documents) => all.append(documents),
            Err(error) => return Err(with_files(error, files)),
        }
    }
    rendered.take_in(all);
    Ok(())
}

/// One document of a rendering, by its position there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Position {
    /// Of [`Rendered::manifests`].
    Manifest(usize),
    /// Of [`Rendered::hooks`].
    Hook(usize),
}

impl Rendered {
    /// Puts other texts in the place of documents (none removes a document), and brings all of them into install order again. A
    /// document becomes a hook, or is none any more, as its new text says.
    pub fn replace(&mut self, mut texts: HashMap<Position, Option<String>>) -> Result<(), RenderError> {
        let mut all = Documents::default();
        for (index, manifest) in std::mem::take(&mut self.manifests).into_iter().enumerate() {
            match texts.remove(&Position::Manifest(index)) {
                None => all.manifests.push(manifest),
                Some(text) => all.sort(&manifest.path, text)?,
            }
        }
        for (index, hook) in std::mem::take(&mut self.hooks).into_iter().enumerate() {
            match texts.remove(&Position::Hook(index)) {
                None => all.hooks.push(hook),
                Some(text) => all.sort(&hook.manifest.path, text)?,
            }
        }
        self.take_in(all);
        Ok(())
    }

    fn take_in(&mut self, documents: Documents) {
        let Documents {
            mut manifests,
            mut hooks,
            warnings,
        } = documents;
        manifests.sort_by(|a, b| order::compare(&a.kind, &b.kind));
        hooks.sort_by(|a, b| order::compare(&a.manifest.kind, &b.manifest.kind));
        self.manifests = manifests;
        self.hooks = hooks;
        self.warnings.extend(warnings);
    }
}

/// The error of a document, with all that the templates made.
fn with_files(mut error: RenderError, files: Vec<Sorted>) -> RenderError {
    if let RenderError::Yaml { document, .. } = &mut error {
        let made = files.into_iter().filter(|file| !file.text.trim().is_empty());
        document.files = made.map(|file| (file.path, Arc::unwrap_or_clone(file.text))).collect();
    }
    error
}

impl Documents {
    /// Takes in a document, if there is one.
    fn sort(&mut self, path: &str, text: Option<String>) -> Result<(), RenderError> {
        match text {
            Some(text) => sort_document(path, text.into(), self),
            None => Ok(()),
        }
    }

    fn append(&mut self, other: Self) {
        let Self {
            manifests,
            hooks,
            warnings,
        } = other;
        self.manifests.extend(manifests);
        self.hooks.extend(hooks);
        self.warnings.extend(warnings);
    }
}

fn sort_documents(path: &str, text: &Arc<String>) -> Result<Documents, RenderError> {
    let mut sorted = Documents::default();
    for document in yaml::split_documents(text) {
        sort_document(path, SharedText::part_of(text, document), &mut sorted)?;
    }
    // Most files have one document, and a list has room for four to begin with.
    sorted.manifests.shrink_to_fit();
    Ok(sorted)
}

/// Whether a template is a NOTES.txt, of whatever chart.
pub(super) fn is_notes(path: &str) -> bool {
    path.ends_with("NOTES.txt")
}

fn sort_document(path: &str, document: SharedText, sorted: &mut Documents) -> Result<(), RenderError> {
    let entries = parse(path, &document, |text| yaml::to_json_entries(text, head::is_read))?;
    let head = Head::read(&entries).map_err(|error| RenderError::Yaml {
        path: path.to_owned(),
        message: error.to_string(),
        document: Box::new(Document {
            text: document.to_string(),
            line: None,
            files: Vec::new(),
        }),
    })?;
    let Head {
        api_version,
        kind,
        name,
        annotations,
    } = head;
    let manifest = Manifest {
        path: path.to_owned(),
        text: document,
        api_version,
        kind,
        name,
        object: OnceLock::new(),
    };
    let Some(events) = annotations.get(HOOK) else {
        sorted.manifests.push(manifest);
        return Ok(());
    };
    let Some(events) = events.split(',').map(HookEvent::parse).collect::<Option<Vec<_>>>() else {
        sorted
            .warnings
            .push(Warning::info("skipping unknown hooks").with("hookTypes", events.as_str()));
        return Ok(());
    };
    let policies = |annotation: &str| match annotations.get(annotation) {
        Some(policies) => policies.split(',').map(|policy| policy.trim().to_lowercase()).collect(),
        None => Vec::new(),
    };
    sorted.hooks.push(Hook {
        manifest,
        events,
        weight: annotations
            .get("helm.sh/hook-weight")
            .and_then(|weight| weight.parse().ok())
            .unwrap_or(0),
        delete_policies: policies("helm.sh/hook-delete-policy"),
        output_log_policies: policies("helm.sh/hook-output-log-policy"),
    });
    Ok(())
}

fn parse(
    path: &str,
    document: &str,
    read: impl FnOnce(&[u8]) -> Result<Value, yaml::Error>,
) -> Result<Value, RenderError> {
    read(document.as_bytes()).map_err(|error| RenderError::Yaml {
        path: path.to_owned(),
        message: format!("error converting YAML to JSON: {error}"),
        document: Box::new(Document {
            text: document.to_owned(),
            line: error.editor_line().and_then(|line| usize::try_from(line).ok()),
            files: Vec::new(),
        }),
    })
}

/// The items of a list kind, or the object itself. As for kubectl, whatever has `items` is a list.
pub fn flatten(object: &Value) -> impl Iterator<Item = &Value> {
    let (items, single) = match object {
        Value::Null => (None, None),
        object => match object.get("items").and_then(Value::as_array) {
            Some(items) => (Some(items), None),
            None => (None, Some(object)),
        },
    };
    items.into_iter().flatten().chain(single)
}
