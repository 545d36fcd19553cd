//! `.Files`: the files of a chart that are neither templates nor its own metadata.

use std::any::Any;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use base64::Engine as _;

use super::scope::base_name;
use crate::chart::{Chart, File};
use crate::go::glob::Glob;
use crate::template::Content;
use crate::template::function::{Function, Strings, function};
use crate::template::value::{Bytes, Kind, Object, Text, Underlying, Value};
use crate::yaml;

type Entries = Rc<BTreeMap<Text, Rc<Entry>>>;

/// A file, and its text once a template has asked for it.
#[derive(Debug)]
struct Entry {
    content: Content,
    text: OnceCell<Text>,
}

impl Entry {
    fn text(&self) -> Text {
        self.text.get_or_init(|| self.content.to_text()).clone()
    }
}

#[derive(Debug)]
struct Files(Entries);

/// The object that templates see. Contents are shared with the chart.
pub(super) fn value(chart: &Chart) -> Value {
    let entry = |file: &File| {
        let (content, text) = (file.data.clone(), OnceCell::new());
        (Text::from(file.name.as_str()), Rc::new(Entry { content, text }))
    };
    let entries = chart.files.iter().map(entry);
    Value::object(Files(Rc::new(entries.collect())))
}

const METHODS: &[Function] = &[
    function!("Get", get, (&Value, &Text) -> Text),
    function!("GetBytes", get_bytes, (&Value, &Text) -> Bytes),
    function!("Glob", glob, (&Value, &Text) -> Value as crate::template::function::Type::Named("engine.files", Kind::Map)),
    function!("AsConfig", as_config, (&Value) -> String),
    function!("AsSecrets", as_secrets, (&Value) -> String),
    function!("Lines", lines, (&Value, &Text) -> Strings),
];

fn entries(receiver: &Value) -> Entries {
    receiver
        .downcast()
        .map_or_else(Entries::default, |Files(entries)| Rc::clone(entries))
}

fn get(receiver: &Value, name: &Text) -> Text {
    entries(receiver)
        .get(name)
        .map(|entry| entry.text())
        .unwrap_or_default()
}

fn get_bytes(receiver: &Value, name: &Text) -> Bytes {
    Bytes::new(get(receiver, name))
}

/// A pattern that does not compile matches everything, as in Helm.
fn glob(receiver: &Value, pattern: &Text) -> Value {
    let glob = pattern.to_str().and_then(|pattern| Glob::new(pattern).ok());
    let files = entries(receiver);
    let matching = files
        .iter()
        .filter(|(name, _)| glob.as_ref().is_none_or(|glob| glob.matches(name)));
    let matching = matching.map(|(name, entry)| (name.clone(), Rc::clone(entry))).collect();
    Value::object(Files(Rc::new(matching)))
}

fn as_config(receiver: &Value) -> String {
    to_yaml(receiver, |content| content.to_str_lossy().into_owned())
}

fn as_secrets(receiver: &Value) -> String {
    to_yaml(receiver, |content| {
        base64::engine::general_purpose::STANDARD.encode(content)
    })
}

/// A table of the files by the last part of their names.
fn to_yaml(receiver: &Value, text: impl Fn(&Content) -> String) -> String {
    let files = entries(receiver);
    let table = files.iter().map(|(name, entry)| {
        let name = name.to_str_lossy();
        (
            base_name(&name).to_owned(),
            serde_json::Value::String(text(&entry.content)),
        )
    });
    let mut yaml = yaml::to_string(&serde_json::Value::Object(table.collect()));
    if yaml.ends_with('\n') {
        yaml.pop();
    }
    yaml
}

fn lines(receiver: &Value, name: &Text) -> Strings {
    let data = get(receiver, name);
    if data.is_empty() {
        return Strings::default();
    }
    let data = data.strip_suffix(b"\n").unwrap_or(&data);
    Strings(data.split(|byte| *byte == b'\n').map(Text::from).collect())
}

impl Object for Files {
    fn type_name(&self) -> &'static str {
        "engine.files"
    }

    fn kind(&self) -> Kind {
        Kind::Map
    }

    fn underlying(&self) -> Underlying {
        let entry = |(name, entry): (&Text, &Rc<Entry>)| (name.clone(), Value::Bytes(Bytes::new(entry.text())));
        Underlying::Map(self.0.iter().map(entry).collect())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn methods(&self) -> &'static [Function] {
        METHODS
    }

    fn entry(&self, key: &[u8]) -> Option<Value> {
        self.0.get(key).map(|entry| Value::Bytes(Bytes::new(entry.text())))
    }

    fn zero_entry(&self) -> Value {
        Value::Bytes(Bytes::nil())
    }

    fn is_true(&self) -> bool {
        !self.0.is_empty()
    }
}
