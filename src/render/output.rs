//! What `helm template` writes: the documents with their sources, and the choice of some of them.

use std::fmt::Write;

use super::{Hook, Rendered};
use crate::go::path_match::path_match;
use crate::yaml;

/// Which parts of a rendering are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TemplateOutput {
    /// `--include-crds`.
    pub include_crds: bool,
    /// `--no-hooks`.
    pub no_hooks: bool,
    /// `--skip-tests`.
    pub skip_tests: bool,
}

impl TemplateOutput {
    /// The standard output of `helm template`.
    pub fn write(self, rendered: &Rendered) -> String {
        let texts = rendered
            .manifests
            .iter()
            .map(|manifest| manifest.text.len() + manifest.path.len() + 20);
        let mut text = String::with_capacity(texts.sum::<usize>() + 1024);
        for (path, document) in self.released(rendered) {
            write_document(&mut text, path, document);
        }
        let trimmed = text.trim();
        let mut output = if trimmed.len() + 1 == text.len() && text.ends_with('\n') {
            // The usual case: nothing to trim but the line break that comes back.
            text
        } else {
            format!("{trimmed}\n")
        };
        for hook in self.hooks(rendered) {
            write_document(&mut output, &hook.manifest.path, &hook.manifest.text);
        }
        output
    }

    /// What `--output-dir` writes: path and content of each file, in order of writing. Hooks come last, and a path may
    /// come more than once: then the file is appended to.
    pub fn files(self, rendered: &Rendered) -> Vec<(String, String)> {
        let hooks = self
            .hooks(rendered)
            .map(|hook| (hook.manifest.path.as_str(), hook.manifest.text.as_str()));
        let all = self.released(rendered).chain(hooks);
        let file = |(path, document): (&str, &str)| {
            let mut text = String::with_capacity(document.len() + path.len() + 20);
            write_document(&mut text, path, document);
            (path.to_owned(), text)
        };
        all.map(file).collect()
    }

    fn released(self, rendered: &Rendered) -> impl Iterator<Item = (&str, &str)> + use<'_> {
        let crds = if self.include_crds {
            rendered.crds.as_slice()
        } else {
            &[]
        };
        let crds = crds.iter().map(|crd| (crd.path.as_str(), crd.text.as_str()));
        crds.chain(
            rendered
                .manifests
                .iter()
                .map(|manifest| (manifest.path.as_str(), manifest.text.as_str())),
        )
    }

    fn hooks(self, rendered: &Rendered) -> impl Iterator<Item = &Hook> + use<'_> {
        let Self {
            no_hooks,
            skip_tests,
            include_crds: _,
        } = self;
        rendered
            .hooks
            .iter()
            .filter(move |hook| !(no_hooks || skip_tests && hook.is_test()))
    }
}

fn write_document(text: &mut String, path: &str, document: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "---\n# Source: {path}\n{document}");
}

/// A `--show-only` that matches nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not find template {0} in chart")]
pub struct NotFound(pub String);

/// `--show-only`: of a whole output, the documents whose source (without the chart's name) matches a pattern. The
/// patterns' order decides; a document that two of them match comes twice.
pub fn select(output: &str, patterns: &[String]) -> Result<String, NotFound> {
    let documents: Vec<(&str, &str)> = yaml::split_documents(output)
        .filter_map(|document| source(document).map(|source| (source, document)))
        .collect();
    let mut selected = String::new();
    for pattern in patterns {
        let mut found = false;
        for (source, document) in &documents {
            if path_match(pattern, source).unwrap_or(false) {
                found = true;
                let _ = writeln!(selected, "---\n{document}");
            }
        }
        if !found {
            return Err(NotFound(pattern.clone()));
        }
    }
    Ok(selected)
}

/// The path in a document's first `# Source: ` line, without the chart's name.
fn source(document: &str) -> Option<&str> {
    document.lines().find_map(|line| {
        let (_, path) = line.split_once("# Source: ")?;
        let (chart, path) = path.split_once('/')?;
        (!chart.is_empty() && !path.is_empty()).then_some(path)
    })
}
