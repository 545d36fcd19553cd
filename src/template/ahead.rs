//! Parsing texts while the chart that they belong to is still being read.
//!
//! Knows neither which of them are templates nor what they will be called: a text that was parsed in vain, or not without an
//! error, is forgotten, and who needs it parses it anew.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;

use super::Content;
use super::parse::Workspace;
use super::set::Parsed;
use super::tree::Source;
use crate::parallel;

/// Bytes of text that are worth waking a thread.
const PARCEL: usize = 16 << 10;

/// ParsedAhead that a helper parses, if one was started; nothing happens otherwise.
#[derive(Debug, Default)]
pub struct Ahead(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Arc<Source>>,
    /// Bytes of the waiting texts.
    size: usize,
    /// Nobody is interested any more.
    is_closed: bool,
    /// The helper is at work on a text.
    is_busy: bool,
    parsed: HashMap<Content, Parsed, RandomState>,
}

/// What was parsed, by text.
#[derive(Debug, Default)]
pub(crate) struct ParsedAhead(HashMap<Content, Parsed, RandomState>);

impl ParsedAhead {
    /// What a source defines; `None` if its text was not parsed, or means something else under this name.
    pub(super) fn find(&self, source: &Arc<Source>) -> Option<Parsed> {
        self.0.get(&source.text)?.moved(source)
    }

    pub(super) fn contains(&self, text: &Content) -> bool {
        self.0.contains_key(text)
    }
}

impl Ahead {
    /// Lets a helper wait for texts.
    pub fn start() -> Self {
        let ahead = Self::default();
        let shared = Arc::clone(&ahead.0);
        parallel::in_background(move || shared.parse_all());
        ahead
    }

    /// Hands over a text that may be a template.
    pub fn offer(&self, name: &str, text: &Content) {
        let mut state = self.0.lock();
        state.size += text.len();
        state.waiting.push(Arc::new(Source {
            name: name.into(),
            text: text.clone(),
        }));
        if state.size >= PARCEL {
            self.0.changed.notify_all();
        }
    }

    /// Ends the work, and gives what was done. A text that is being parsed is waited for.
    pub(crate) fn finish(&self) -> ParsedAhead {
        let mut state = self.0.lock();
        state.is_closed = true;
        self.0.changed.notify_all();
        while state.is_busy {
            state = self.0.wait(state);
        }
        state.waiting = Vec::new();
        ParsedAhead(std::mem::take(&mut state.parsed))
    }
}

impl Shared {
    fn parse_all(&self) {
        let mut workspace = Workspace::default();
        let mut state = self.lock();
        while !state.is_closed {
            if state.size < PARCEL {
                state = self.wait(state);
                continue;
            }
            let sources = std::mem::take(&mut state.waiting);
            state.size = 0;
            for source in sources {
                if state.is_closed {
                    break;
                }
                if state.parsed.contains_key(&source.text) {
                    continue;
                }
                state.is_busy = true;
                drop(state);
                let parsed = Parsed::new(&source, &mut workspace);
                state = self.lock();
                state.is_busy = false;
                if let Ok(parsed) = parsed {
                    state.parsed.insert(source.text.clone(), parsed);
                }
            }
        }
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::template::TemplateSet;

    /// What became of texts that were offered under their names.
    fn parsed(texts: &[(&str, Content)]) -> ParsedAhead {
        let ahead = Ahead::default();
        for (name, text) in texts {
            ahead.offer(name, text);
        }
        let shared = Arc::clone(&ahead.0);
        let helper = thread::spawn(move || shared.parse_all());
        let is_done = || {
            let state = ahead.0.lock();
            state.waiting.is_empty() && !state.is_busy
        };
        while !is_done() {
            thread::yield_now();
        }
        let texts = ahead.finish();
        helper.join().unwrap();
        texts
    }

    fn long(text: &str) -> Content {
        Content::from(format!("{text}{}", "x".repeat(PARCEL)))
    }

    #[test]
    fn a_text_that_was_parsed_ahead_is_not_parsed_again() {
        let text = long("{{define \"a\"}}{{.}}{{end}}");
        let ahead = parsed(&[("templates/_a.tpl", text.clone())]);
        let sources = [("web/templates/_a.tpl", text.clone())];
        let root = |set: &TemplateSet| Arc::clone(&set.find("a").unwrap().root);
        let first = TemplateSet::parse_with(&[], &ahead, sources.clone()).unwrap();
        let second = TemplateSet::parse_with(&[], &ahead, sources.clone()).unwrap();
        let anew = TemplateSet::parse_with(&[], &ParsedAhead::default(), sources).unwrap();
        assert!(Arc::ptr_eq(&root(&first), &root(&second)) && !Arc::ptr_eq(&root(&first), &root(&anew)));
        assert_eq!(first.names(), ["a", "web/templates/_a.tpl"]);
        assert_eq!(&*first.find("a").unwrap().source.name, "web/templates/_a.tpl");
    }

    #[test]
    fn what_depends_on_the_name_or_fails_is_parsed_as_what_it_is() {
        let (own, bad) = (long("{{define \"b.tpl\"}}{{end}}"), long("{{"));
        let ahead = parsed(&[("a.tpl", own.clone()), ("bad.tpl", bad.clone())]);
        let set = TemplateSet::parse_with(&[], &ahead, [("b.tpl", own)]).unwrap();
        assert!(set.source("b.tpl").unwrap().starts_with('x'));
        let error = TemplateSet::parse_with(&[], &ahead, [("web/bad.tpl", bad)]).unwrap_err();
        assert!(error.to_string().starts_with("template: web/bad.tpl:1: "), "{error}");
    }

    #[test]
    fn nobody_waits_for_a_helper_that_is_not_there() {
        let ahead = Ahead::default();
        ahead.offer("a.tpl", &long("{{"));
        assert!(ahead.finish().0.is_empty());
    }
}
