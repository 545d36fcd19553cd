//! A set of named templates, parsed once and executed often.

use super::Content;
use super::error::ParseError;
use super::parse::{Names, parse};
use super::tree::{Source, Template};
use crate::parallel;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::sync::Arc;

/// Parsed templates. Immutable: share one between threads and renderings.
#[derive(Debug, Default)]
pub struct TemplateSet {
    templates: HashMap<Arc<str>, Arc<Template>, RandomState>,
    sources: Vec<Arc<Parsed>>,
}

/// Bytes of templates that take several times as long to parse as a thread takes to start.
const WORTH_A_THREAD: usize = 64 << 10;

/// A source and what it defines.
#[derive(Debug)]
struct Parsed {
    source: Arc<Source>,
    templates: Vec<(Arc<str>, Arc<Template>)>,
}

impl Parsed {
    fn new(source: &Arc<Source>, names: &mut Names) -> Result<Self, ParseError> {
        let templates = parse(source, names)?.into_iter();
        Ok(Self {
            templates: templates.map(|(name, template)| (name, Arc::new(template))).collect(),
            source: Arc::clone(source),
        })
    }
}

impl TemplateSet {
    /// Parses sources in the given order into one set. A definition replaces an earlier one of the same name, unless it
    /// is empty. A [`Content`] is shared, not copied.
    pub fn parse<N, T>(sources: impl IntoIterator<Item = (N, T)>) -> Result<Self, ParseError>
    where
        N: Into<Arc<str>>,
        T: Into<Content>,
    {
        Self::parse_with(&[], sources)
    }

    /// As [`TemplateSet::parse`]. A source that a known set has, under the same name and with the very same memory, is
    /// not parsed again.
    pub(crate) fn parse_with<N, T>(
        known: &[&Self],
        sources: impl IntoIterator<Item = (N, T)>,
    ) -> Result<Self, ParseError>
    where
        N: Into<Arc<str>>,
        T: Into<Content>,
    {
        let known = known.iter().flat_map(|set| &set.sources);
        let known: HashMap<&str, &Arc<Parsed>> = known.map(|parsed| (&*parsed.source.name, parsed)).collect();
        let source = |(name, text): (N, T)| Source {
            name: name.into(),
            text: text.into(),
        };
        let sources: Vec<Arc<Source>> = sources.into_iter().map(source).map(Arc::new).collect();
        let known = |source: &Source| {
            let parsed = known.get(&*source.name).copied();
            parsed.filter(|parsed| parsed.source.text.is_same(&source.text))
        };
        let new = sources.iter().filter(|source| known(source).is_none());
        let is_much = new.map(|source| source.text.len()).sum::<usize>() > WORTH_A_THREAD;
        let parsed = parallel::map(&sources, is_much, Names::default, |names, source| match known(source) {
            Some(parsed) => Ok(Arc::clone(parsed)),
            None => Parsed::new(source, names).map(Arc::new),
        });
        let mut set = Self::default();
        for parsed in parsed {
            set.add(parsed?);
        }
        Ok(set)
    }

    fn add(&mut self, parsed: Arc<Parsed>) {
        for (name, template) in &parsed.templates {
            if !template.is_empty() || !self.templates.contains_key(name) {
                self.templates.insert(Arc::clone(name), Arc::clone(template));
            }
        }
        self.sources.push(parsed);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_source_is_not_parsed_again() {
        let (same, other) = (
            Content::from("{{define \"x\"}}1{{end}}"),
            Content::from("{{define \"y\"}}1{{end}}"),
        );
        let first = TemplateSet::parse([("a", same.clone()), ("b", other)]).unwrap();
        let changed = Content::from("{{define \"y\"}}2{{end}}");
        let second = TemplateSet::parse_with(&[&first], [("b", changed), ("a", same)]).unwrap();
        let is_shared = |name| Arc::ptr_eq(first.find(name).unwrap(), second.find(name).unwrap());
        assert!(is_shared("x") && !is_shared("y"));
        assert_eq!(second.source("y").as_deref(), Some("2"));
    }
}
