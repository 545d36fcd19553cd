//! A set of named templates, parsed once and executed often.

use super::Content;
use super::ahead::ParsedAhead;
use super::error::ParseError;
use super::parse::{Workspace, parse};
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
pub(super) struct Parsed {
    pub(super) source: Arc<Source>,
    templates: Vec<(Arc<str>, Arc<Template>)>,
}

impl Parsed {
    pub(super) fn new(source: &Arc<Source>, workspace: &mut Workspace) -> Result<Self, ParseError> {
        Ok(Self {
            templates: parse(source, workspace)?.into_iter().collect(),
            source: Arc::clone(source),
        })
    }

    /// What another source with the very same text defines; `None` if that depends on its name, because the text defines a template
    /// that is named as one of the two.
    pub(super) fn moved(&self, source: &Arc<Source>) -> Option<Self> {
        let own = &self.source.name;
        let mut moved = Vec::with_capacity(self.templates.len());
        for (name, template) in &self.templates {
            // The top level has the very name of its source. A definition of that name, which stands in for an empty one, has its own.
            if *name == source.name || (name == own && !Arc::ptr_eq(&template.name, own)) {
                return None;
            }
            let name = if name == own { &source.name } else { name };
            moved.push((Arc::clone(name), Arc::new(template.moved(name, source))));
        }
        Some(Self {
            templates: moved,
            source: Arc::clone(source),
        })
    }
}

/// What becomes of a source.
enum Found {
    Parsed(Arc<Parsed>),
    /// Its text is that of an earlier one.
    As(usize),
}

/// For each source the first one of the same text, if that is another one: subcharts bring copies of the same library.
fn originals(sources: &[Arc<Source>]) -> Vec<Option<usize>> {
    let mut firsts: HashMap<&[u8], usize, RandomState> = HashMap::default();
    let each = sources.iter().enumerate().map(|(index, source)| {
        let first = *firsts.entry(&source.text).or_insert(index);
        (first != index).then_some(first)
    });
    each.collect()
}

impl TemplateSet {
    /// Parses sources in the given order into one set. A definition replaces an earlier one of the same name, unless it
    /// is empty. A [`Content`] is shared, not copied.
    pub fn parse<N, T>(sources: impl IntoIterator<Item = (N, T)>) -> Result<Self, ParseError>
    where
        N: Into<Arc<str>>,
        T: Into<Content>,
    {
        Self::parse_with(&[], &ParsedAhead::default(), sources)
    }

    /// As [`TemplateSet::parse`]. A source that a known set has, under the same name and with the very same memory, is
    /// not parsed again, nor is a text that was parsed ahead.
    pub(crate) fn parse_with<N, T>(
        known: &[&Self],
        ahead: &ParsedAhead,
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
        let originals = originals(&sources);
        let each: Vec<(&Arc<Source>, Option<usize>)> = sources.iter().zip(originals).collect();
        let new = each.iter().filter(|(source, original)| {
            original.is_none() && known(source).is_none() && !ahead.contains(&source.text)
        });
        let is_much = new.map(|(source, _)| source.text.len()).sum::<usize>() > WORTH_A_THREAD;
        let found = parallel::map(&each, is_much, Workspace::default, |workspace, (source, original)| {
            Ok(match (known(source), original) {
                (Some(parsed), _) => Found::Parsed(Arc::clone(parsed)),
                (None, Some(original)) => Found::As(*original),
                (None, None) => Found::Parsed(Arc::new(match ahead.find(source) {
                    Some(parsed) => parsed,
                    None => Parsed::new(source, workspace)?,
                })),
            })
        });
        let mut set = Self::default();
        for (source, found) in sources.iter().zip(found) {
            let parsed = match found? {
                Found::Parsed(parsed) => parsed,
                Found::As(earlier) => match set.sources[earlier].moved(source) {
                    Some(parsed) => Arc::new(parsed),
                    None => Arc::new(Parsed::new(source, &mut Workspace::default())?),
                },
            };
            set.add(parsed);
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
        let second =
            TemplateSet::parse_with(&[&first], &ParsedAhead::default(), [("b", changed), ("a", same)]).unwrap();
        let is_shared = |name| Arc::ptr_eq(first.find(name).unwrap(), second.find(name).unwrap());
        assert!(is_shared("x") && !is_shared("y"));
        assert_eq!(second.source("y").as_deref(), Some("2"));
    }

    #[test]
    fn a_text_in_two_sources_is_parsed_once() {
        let text = "top {{define \"x\"}}{{.}}{{end}}";
        let set = TemplateSet::parse([("a.tpl", text), ("b.tpl", text)]).unwrap();
        let template = |name| set.find(name).unwrap();
        assert!(Arc::ptr_eq(&template("a.tpl").root, &template("b.tpl").root));
        assert_eq!(
            (&*template("b.tpl").name, &*template("b.tpl").source.name),
            ("b.tpl", "b.tpl")
        );
        // The last definition is the one that errors name.
        assert_eq!(&*template("x").source.name, "b.tpl");
        // What is defined may depend on the source's own name.
        let text = "{{define \"b.tpl\"}}{{end}}top";
        let set = TemplateSet::parse([("a.tpl", text), ("b.tpl", text)]).unwrap();
        assert_eq!(set.source("b.tpl").as_deref(), Some("top"));
        for name in ["b.tpl", "a.tpl", "b\\x2etpl", "a\\x2etpl"] {
            let text = format!("{{{{define \"{name}\"}}}}defined{{{{end}}}}");
            let set = TemplateSet::parse([("a.tpl", text.as_str()), ("b.tpl", text.as_str())]).unwrap();
            let defined = |source: &str| set.source(source).unwrap() == "defined";
            assert_eq!(
                (defined("a.tpl"), defined("b.tpl")),
                (name.starts_with('a'), name.starts_with('b')),
                "{name}"
            );
        }
        assert_eq!(
            TemplateSet::parse([("a", "{{"), ("b", "{{")]).unwrap_err().to_string(),
            "template: a:1: unclosed action"
        );
    }
}
