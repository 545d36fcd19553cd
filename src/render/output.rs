//! What `helm template` writes: the documents with their sources, and the choice of some of them.

use std::fmt::Write as _;
use std::io;

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
        let sizes = self
            .released(rendered)
            .map(|(path, document)| document.len() + path.len() + 20);
        let mut text = Vec::with_capacity(sizes.sum::<usize>() + 1024);
        // Writing to memory does not fail.
        let _ = self.write_to(rendered, &mut text);
        String::from_utf8(text).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    /// As [`Self::write`], piece by piece, and with the bytes of files under `crds/` as they are.
    pub fn write_to(self, rendered: &Rendered, output: &mut dyn io::Write) -> io::Result<()> {
        let mut released = self.released(rendered).peekable();
        if released.peek().is_none() {
            output.write_all(b"\n")?;
        }
        while let Some((path, document)) = released.next() {
            match released.peek() {
                Some(_) => write_document(output, path, document)?,
                // Helm trims the text up to here, which begins with `---`.
                None => match trim_end(document) {
                    b"" => write_source(output, path)?,
                    trimmed => write_document(output, path, trimmed)?,
                },
            }
        }
        for Hook { manifest, .. } in self.hooks(rendered) {
            write_document(output, &manifest.path, manifest.text.as_bytes())?;
        }
        Ok(())
    }

    /// What `--output-dir` writes: path and content of each file, in order of writing. Hooks come last, and a path may
    /// come more than once: then the file is appended to.
    pub fn files(self, rendered: &Rendered) -> Vec<(String, Vec<u8>)> {
        let hooks = self
            .hooks(rendered)
            .map(|hook| (hook.manifest.path.as_str(), hook.manifest.text.as_bytes()));
        let all = self.released(rendered).chain(hooks);
        let file = |(path, document): (&str, &[u8])| {
            let mut text = Vec::with_capacity(document.len() + path.len() + 20);
            // Writing to memory does not fail.
            let _ = write_document(&mut text, path, document);
            (path.to_owned(), text)
        };
        all.map(file).collect()
    }

    fn released(self, rendered: &Rendered) -> impl Iterator<Item = (&str, &[u8])> + use<'_> {
        let crds = if self.include_crds {
            rendered.crds.as_slice()
        } else {
            &[]
        };
        let crds = crds.iter().map(|crd| (crd.path.as_str(), &*crd.text));
        crds.chain(
            rendered
                .manifests
                .iter()
                .map(|manifest| (manifest.path.as_str(), manifest.text.as_bytes())),
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

impl Rendered {
    /// What Helm's record of the revision has as its manifest: all documents but hooks and CRDs of `crds/`, with their sources.
    pub fn manifest(&self) -> String {
        let mut text = Vec::new();
        for manifest in &self.manifests {
            // Writing to memory does not fail.
            let _ = write_document(&mut text, &manifest.path, manifest.text.as_bytes());
        }
        String::from_utf8(text).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

fn write_document(output: &mut dyn io::Write, path: &str, document: &[u8]) -> io::Result<()> {
    write_source(output, path)?;
    output.write_all(document)?;
    output.write_all(b"\n")
}

fn write_source(output: &mut dyn io::Write, path: &str) -> io::Result<()> {
    writeln!(output, "---\n# Source: {path}")
}

/// Without the white space at the end, as Go's `TrimSpace` has it.
fn trim_end(document: &[u8]) -> &[u8] {
    match std::str::from_utf8(document) {
        Ok(text) => text.trim_end().as_bytes(),
        Err(_) => document.trim_ascii_end(),
    }
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

#[cfg(test)]
mod tests {
    use super::super::Crd;
    use super::*;

    fn written(crds: &[&str]) -> String {
        let crd = |text: &&str| Crd {
            path: "a/crds/b.yaml".to_owned(),
            text: (*text).into(),
        };
        let rendered = Rendered {
            crds: crds.iter().map(crd).collect(),
            ..Rendered::default()
        };
        let output = TemplateOutput {
            include_crds: true,
            ..TemplateOutput::default()
        };
        output.write(&rendered)
    }

    #[test]
    fn only_the_end_is_trimmed() {
        assert_eq!(written(&[]), "\n");
        assert_eq!(
            written(&["a: 1\n\n", "b: 2\n\u{a0}\n"]),
            "---\n# Source: a/crds/b.yaml\na: 1\n\n\n---\n# Source: a/crds/b.yaml\nb: 2\n"
        );
        assert_eq!(written(&[" \n"]), "---\n# Source: a/crds/b.yaml\n");
    }
}
