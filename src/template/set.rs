//! A set of named templates, parsed once and executed often.

use super::error::ParseError;
use super::parse::parse;
use super::tree::{Source, Template};
use std::collections::HashMap;
use std::sync::Arc;

/// Parsed templates. Immutable: share one between threads and renderings.
#[derive(Debug, Default)]
pub struct TemplateSet {
    templates: HashMap<Arc<str>, Arc<Template>>,
}

impl TemplateSet {
    /// Parses sources in the given order into one set. A definition replaces an earlier one of the same name, unless it
    /// is empty.
    pub fn parse<N, T>(sources: impl IntoIterator<Item = (N, T)>) -> Result<Self, ParseError>
    where
        N: Into<Arc<str>>,
        T: AsRef<[u8]>,
    {
        let mut set = Self::default();
        for (name, text) in sources {
            let source = Arc::new(Source {
                name: name.into(),
                text: text.as_ref().into(),
            });
            for (name, template) in parse(&source)? {
                if !template.is_empty() || !set.templates.contains_key(&name) {
                    set.templates.insert(name, Arc::new(template));
                }
            }
        }
        Ok(set)
    }

    /// Whether a template of that name is there.
    pub fn contains(&self, name: &str) -> bool {
        self.templates.contains_key(name)
    }

    /// The names of all templates, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.templates.keys().map(AsRef::as_ref).collect();
        names.sort_unstable();
        names
    }

    /// A template's source as Go's `Tree.Root.String()` prints it: comments, trimmed blanks and definitions are gone.
    pub fn source(&self, name: &str) -> Option<String> {
        let template = self.templates.get(name)?;
        Some(template.root.display(&template.source.text).to_string())
    }

    pub(super) fn find(&self, name: &str) -> Option<&Arc<Template>> {
        self.templates.get(name)
    }
}
