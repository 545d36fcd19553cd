//! The state of one rendering, and what functions may do with it.

use super::budget::ELEMENT;
use super::error::{ExecutionError, FunctionError, LimitError};
use super::execute::Operand;
use super::host::{Host, Mode};
use super::limits::{Limits, Used};
use super::parse::{Workspace, parse};
use super::set::TemplateSet;
use super::texts::Texts;
use super::tree::{Source, Template, Templates};
use super::value::{Text, Value};
use crate::go::strconv;
use memchr::memmem::{self, Finder};
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

/// The name that Helm gives to a `tpl` text.
const TPL_NAME: &str = "gotpl";
/// How many times as much as its text a parsed template takes, roughly.
const PARSED: usize = 16;
/// What Go prints for a value that is not there.
const NO_VALUE: &[u8] = b"<no value>";
/// Looks for it: made once, as outputs are short and many.
static FIND_NO_VALUE: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(NO_VALUE));

/// The largest output, in bytes, whose memory is kept.
const SPARE_OUTPUT: usize = 1 << 18;
/// How many of them are.
const SPARE_OUTPUTS: usize = 16;

/// One rendering: passed to functions, shared by all templates executed in it.
pub struct Context<'run> {
    pub(super) set: &'run TemplateSet,
    pub(super) limits: Limits,
    /// The variables of all templates under way, one frame upon the other.
    pub(super) variables: Vec<Option<Operand>>,
    pub(super) depth: usize,
    pub(super) used: Used,
    /// What the `tpl` texts under way define.
    pub(super) overlay: Option<Rc<Overlay>>,
    host: &'run mut dyn Host,
    mode: Mode,
    /// The names of the `include`s under way, outermost first.
    includes: Vec<Text>,
    texts: Texts,
    /// What parsing them shares.
    workspace: Workspace,
    /// What the top level of each is called.
    text_name: Arc<str>,
    caches: HashMap<TypeId, Box<dyn Any>>,
    /// Empty lists of arguments and empty outputs, which keep their memory for the next call.
    pub(super) spare_arguments: Vec<Vec<Value>>,
    spare_outputs: Vec<Vec<u8>>,
}

/// Templates that are seen only while a `tpl` text is executed.
pub(super) struct Overlay {
    pub(super) templates: Rc<Templates>,
    pub(super) below: Option<Rc<Overlay>>,
}

impl<'run> Context<'run> {
    /// A rendering with the templates of this set.
    pub fn new(set: &'run TemplateSet, host: &'run mut dyn Host, limits: Limits, mode: Mode) -> Self {
        let used = Used::new(&limits, host.elapsed());
        Self {
            set,
            limits,
            variables: Vec::new(),
            depth: 0,
            used,
            overlay: None,
            host,
            mode,
            includes: Vec::new(),
            texts: Texts::default(),
            workspace: Workspace::default(),
            text_name: Arc::from(TPL_NAME),
            caches: HashMap::new(),
            spare_arguments: Vec::new(),
            spare_outputs: Vec::new(),
        }
    }

    /// Executes a template with this data and appends what it prints. `<no value>` stays in the output: Helm removes it
    /// afterwards. After an error the output holds what was printed before it.
    pub fn execute(&mut self, name: &str, data: &Value, output: &mut Vec<u8>) -> Result<(), ExecutionError> {
        let Some(template) = self.find(name.as_bytes()) else {
            return Err(ExecutionError::NoTemplate(name.to_owned()));
        };
        self.execute_template(&template, data, output)
    }

    fn execute_template(
        &mut self,
        template: &Template,
        data: &Value,
        output: &mut Vec<u8>,
    ) -> Result<(), ExecutionError> {
        let (depth, variables) = (self.depth, self.variables.len());
        let result = self.run(template, &Operand::concrete(data.clone()), output);
        if result.is_err() {
            // An error leaves the levels that it passed through as they were.
            self.depth = depth;
            self.variables.truncate(variables);
        }
        result
    }

    /// The outside world.
    pub fn host(&mut self) -> &mut (dyn Host + 'run) {
        self.host
    }

    /// The limits of this rendering.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How strict this rendering is.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Fails when a function is about to make a string of this many bytes and that is too much.
    pub fn check_size(&self, bytes: usize) -> Result<(), LimitError> {
        if bytes > self.limits.bytes {
            Err(LimitError::Bytes(self.limits.bytes))
        } else {
            Ok(())
        }
    }

    /// Fails when a function is about to make a list with too many elements. There are at most `most` of them; they are
    /// counted only where that would be too many.
    pub fn check_elements(&self, most: usize, count: impl FnOnce() -> usize) -> Result<(), LimitError> {
        self.check_size(most.saturating_mul(ELEMENT))
            .or_else(|_| self.check_size(count().saturating_mul(ELEMENT)))
    }

    /// A cache that lives as long as the rendering, one for each Rust type: compiled regular expressions and the like.
    pub fn cache<T: Default + 'static>(&mut self) -> &mut T {
        let entry = self.caches.entry(TypeId::of::<T>());
        let cache = entry.or_insert_with(|| Box::<T>::default());
        match cache.downcast_mut() {
            Some(cache) => cache,
            None => unreachable!("the entry is keyed by its type"),
        }
    }

    /// Helm's `include`: executes a named template with this data.
    pub fn include(&mut self, name: &Text, data: &Value) -> Result<Text, FunctionError> {
        let known = self.includes.iter().filter(|known| *known == name).count();
        if known > self.limits.includes as usize {
            return Err(FunctionError::message(format!(
                "rendering template has a nested reference name: {name}: unable to execute template"
            )));
        }
        self.includes.push(name.clone());
        let result = self.include_counted(name, data);
        self.includes.pop();
        result
    }

    fn include_counted(&mut self, name: &Text, data: &Value) -> Result<Text, FunctionError> {
        let Some(template) = self.find(name) else {
            let error = ExecutionError::NoTemplate(name.to_string());
            return Err(FunctionError::Template(String::new(), error));
        };
        let mut output = self.spare_outputs.pop().unwrap_or_default();
        let result = self.execute_template(&template, data, &mut output);
        let text = Text::from(output.as_slice());
        self.give_back(output);
        match result {
            Ok(()) => Ok(text),
            Err(error) => Err(FunctionError::Template(String::new(), error)),
        }
    }

    /// Keeps the memory of an output for another one.
    fn give_back(&mut self, mut output: Vec<u8>) {
        if output.capacity() <= SPARE_OUTPUT && self.spare_outputs.len() < SPARE_OUTPUTS {
            output.clear();
            self.spare_outputs.push(output);
        }
    }

    /// Helm's `tpl`: executes a text as a template; what it defines is seen only by itself.
    pub fn tpl(&mut self, text: &Text, data: &Value) -> Result<Text, FunctionError> {
        if memmem::find(text, b"{{").is_none() {
            return Ok(without_no_value(text).map_or_else(|| text.clone(), Text::from));
        }
        let templates = self.parse_text(text)?;
        let Some(template) = templates.get(TPL_NAME).cloned() else {
            return Ok(Text::default());
        };
        let below = self.overlay.clone();
        self.overlay = Some(Rc::new(self.overlay_of(templates)));
        let mut output = self.spare_outputs.pop().unwrap_or_default();
        let result = self.execute_template(&template, data, &mut output);
        self.overlay = below;
        let printed = without_no_value(&output).map_or_else(|| Text::from(output.as_slice()), Text::from);
        self.give_back(output);
        match result {
            Ok(()) => Ok(printed),
            Err(error) => {
                let prefix = format!("error during tpl function execution for {}: ", quoted(text));
                Err(FunctionError::Template(prefix, error))
            }
        }
    }

    /// The templates of a text; charts pass the same text many times.
    fn parse_text(&mut self, text: &Text) -> Result<Rc<Templates>, FunctionError> {
        if let Some(templates) = self.texts.get(text) {
            return Ok(templates);
        }
        // A parsed text takes some times as much as the text.
        let size = text.len().saturating_mul(PARSED);
        self.check_size(size)?;
        self.make(size)?;
        self.spend(text.len() / 4)?;
        let source = Arc::new(Source {
            name: Arc::clone(&self.text_name),
            text: text.clone().into(),
        });
        let parsed = parse(&source, &mut self.workspace).map_err(|error| {
            let prefix = format!("cannot parse template {}: ", quoted(text));
            FunctionError::Parse(prefix, Box::new(error))
        })?;
        let templates = Rc::new(parsed);
        self.texts.insert(text.clone(), Rc::clone(&templates));
        Ok(templates)
    }

    fn overlay_of(&self, templates: Rc<Templates>) -> Overlay {
        let is_visible = |(name, template): &(&Arc<str>, &Arc<Template>)| {
            !template.is_empty() || self.find(name.as_bytes()).is_none()
        };
        let templates = if templates.iter().all(|entry| is_visible(&entry)) {
            templates
        } else {
            let visible = templates.iter().filter(is_visible);
            Rc::new(
                visible
                    .map(|(name, template)| (Arc::clone(name), Arc::clone(template)))
                    .collect(),
            )
        };
        Overlay {
            templates,
            below: self.overlay.clone(),
        }
    }
}

fn quoted(text: &[u8]) -> String {
    String::from_utf8_lossy(&strconv::quote(text)).into_owned()
}

/// The text without each `<no value>`; `None` when there is none.
fn without_no_value(text: &[u8]) -> Option<Vec<u8>> {
    let mut found = FIND_NO_VALUE.find_iter(text).peekable();
    found.peek()?;
    let mut output = Vec::with_capacity(text.len());
    let mut from = 0;
    for at in found {
        output.extend_from_slice(&text[from..at]);
        from = at + NO_VALUE.len();
    }
    output.extend_from_slice(&text[from..]);
    Some(output)
}
