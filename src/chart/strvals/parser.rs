//! The parser. It writes into the values as it reads, so that a path goes through what earlier paths have made.

use serde_json::Value;

use crate::go::strconv;

use super::scan::{Escapes, Scan};
use super::{JsonMap, Kind, MAX_INDEX, MAX_ITEMS, MAX_NESTED_NAMES, MAX_PATH, StrvalsError, with_floats};

/// Why reading stops.
pub(super) enum Stop {
    /// The text is used up, which may be in the middle of a path: what was set stays set.
    End,
    Error(StrvalsError),
}

impl From<StrvalsError> for Stop {
    fn from(error: StrvalsError) -> Self {
        Self::Error(error)
    }
}

/// What stands behind a `=`.
enum Assigned {
    Value(Value),
    /// Nothing: the text ends there.
    Nothing,
}

pub(super) struct Parser<'t, 'r> {
    scan: Scan<'t>,
    kind: Kind<'r>,
    depth: usize,
    items_added: usize,
}

impl<'t, 'r> Parser<'t, 'r> {
    pub(super) fn new(text: &'t str, kind: Kind<'r>, escapes: Escapes) -> Self {
        Self {
            scan: Scan::new(text, escapes),
            kind,
            depth: 0,
            items_added: 0,
        }
    }

    pub(super) fn run(mut self, values: &mut JsonMap) -> Result<(), StrvalsError> {
        loop {
            match self.key(values, 0) {
                Ok(()) => {}
                Err(Stop::End) => return Ok(()),
                Err(Stop::Error(error)) => return Err(error),
            }
        }
    }

    fn is_literal(&self) -> bool {
        self.scan.escapes() == Escapes::None
    }

    /// One name of a path and all that follows it.
    fn key(&mut self, map: &mut JsonMap, names: usize) -> Result<(), Stop> {
        let delimiters: &[char] = if self.is_literal() {
            &['=', '[', '.']
        } else {
            &['=', '[', ',', '.']
        };
        let (name, delimiter) = self.scan.until(delimiters);
        match delimiter {
            None if name.is_empty() => Err(Stop::End),
            None => Err(StrvalsError::NoValue(quoted(&name)).into()),
            Some('[') => self.indexed(map, name, names),
            Some('=') => match self.assigned()? {
                Assigned::Value(value) => {
                    insert(map, name, value);
                    Ok(())
                }
                Assigned::Nothing => {
                    insert(map, name, Value::from(""));
                    Err(Stop::End)
                }
            },
            Some('.') => self.nested(map, &name, names + 1),
            Some(_) => {
                let error = StrvalsError::EndsWithComma(quoted(&name));
                Err(error.into())
            }
        }
    }

    /// `name.`
    fn nested(&mut self, map: &mut JsonMap, name: &str, names: usize) -> Result<(), Stop> {
        if names > MAX_NESTED_NAMES {
            return Err(StrvalsError::TooManyNames.into());
        }
        let existing = map.get_mut(name);
        let existed = existing.is_some();
        let mut inner = match existing {
            None => JsonMap::new(),
            Some(Value::Object(inner)) => std::mem::take(inner),
            Some(other) => return Err(wrong_kind(other, "map[string]interface {}")),
        };
        let outcome = self.deeper(|parser| parser.key(&mut inner, names));
        let empty = inner.is_empty();
        if existed {
            map.insert(name.to_owned(), Value::Object(inner));
        } else if !empty {
            insert(map, name.to_owned(), Value::Object(inner));
        }
        match outcome {
            Ok(()) if empty => Err(StrvalsError::EmptyMap(quoted(name)).into()),
            outcome => outcome,
        }
    }

    /// `name[`
    fn indexed(&mut self, map: &mut JsonMap, name: String, names: usize) -> Result<(), Stop> {
        let index = self.index()?;
        let mut list = match map.get_mut(&name) {
            None => Vec::new(),
            Some(Value::Array(list)) => std::mem::take(list),
            Some(other) => return Err(wrong_kind(other, "[]interface {}")),
        };
        let outcome = self.deeper(|parser| parser.item(&mut list, index, names));
        insert(map, name, Value::Array(list));
        outcome
    }

    /// The number up to `]`.
    fn index(&mut self) -> Result<i64, Stop> {
        let (digits, delimiter) = self.scan.until(&[']']);
        if delimiter.is_none() {
            return Err(Stop::End);
        }
        strconv::atoi(digits.as_bytes()).map_err(|error| StrvalsError::BadIndex(error.to_string()).into())
    }

    /// What follows `[index]`.
    fn item(&mut self, list: &mut Vec<Value>, index: i64, names: usize) -> Result<(), Stop> {
        if index < 0 {
            return Err(StrvalsError::NegativeIndex(index).into());
        }
        let (between, delimiter) = self.scan.until(&['[', '.', '=']);
        if !between.is_empty() {
            let quoted: Vec<String> = between.chars().map(quoted_character).collect();
            return Err(StrvalsError::BehindIndex(format!("[{}]", quoted.join(" "))).into());
        }
        let existing = usize::try_from(index).ok().and_then(|index| list.get_mut(index));
        match delimiter {
            None => Err(Stop::End),
            Some('=') => {
                let value = match self.assigned()? {
                    Assigned::Value(value) => value,
                    Assigned::Nothing => Value::from(""),
                };
                self.set_item(list, index, value)
            }
            Some('[') => {
                let next = self.index()?;
                let (mut inner, slot) = match existing {
                    None => (Vec::new(), None),
                    Some(slot @ Value::Null) => (Vec::new(), Some((slot, false))),
                    Some(slot @ Value::Array(_)) => (take_list(slot), Some((slot, true))),
                    Some(other) => return Err(wrong_kind(other, "[]interface {}")),
                };
                let outcome = self.deeper(|parser| parser.item(&mut inner, next, names));
                match (outcome, slot) {
                    (Ok(()), _) => self.set_item(list, index, Value::Array(inner)),
                    (stop, Some((slot, true))) => {
                        *slot = Value::Array(inner);
                        stop
                    }
                    (stop, _) => stop,
                }
            }
            Some(_) => {
                let (mut inner, slot) = match existing {
                    None => (JsonMap::new(), None),
                    Some(slot) => (take_map(slot), Some(slot)),
                };
                let outcome = self.deeper(|parser| parser.key(&mut inner, names));
                match (outcome, slot) {
                    (Ok(()), _) => self.set_item(list, index, Value::Object(inner)),
                    (stop, Some(slot)) => {
                        *slot = Value::Object(inner);
                        stop
                    }
                    (stop, None) => stop,
                }
            }
        }
    }

    /// Sets an item; the items before it that are not there become null.
    fn set_item(&mut self, list: &mut Vec<Value>, index: i64, value: Value) -> Result<(), Stop> {
        if index > MAX_INDEX {
            return Err(StrvalsError::IndexTooLarge(index).into());
        }
        let index = usize::try_from(index).unwrap_or_default();
        if index >= list.len() {
            self.items_added += index + 1 - list.len();
            if self.items_added > MAX_ITEMS {
                return Err(StrvalsError::TooManyItems.into());
            }
            list.resize(index + 1, Value::Null);
        }
        list[index] = value;
        Ok(())
    }

    /// The value behind `=`, with the `,` that ends it.
    fn assigned(&mut self) -> Result<Assigned, Stop> {
        if matches!(self.kind, Kind::Json) {
            return self.json().map(Assigned::Value);
        }
        if self.is_literal() {
            let (text, _) = self.scan.until(&[]);
            return self.convert(text).map(Assigned::Value);
        }
        if self.scan.rest().is_empty() {
            return Ok(Assigned::Nothing);
        }
        if self.scan.accept('{') {
            return self.list().map(Assigned::Value);
        }
        let (text, _) = self.scan.until(&[',']);
        self.convert(text).map(Assigned::Value)
    }

    /// `a,b}`
    fn list(&mut self) -> Result<Value, Stop> {
        let mut items = Vec::new();
        loop {
            let (text, delimiter) = self.scan.until(&[',', '}']);
            if delimiter.is_none() {
                return Err(StrvalsError::OpenList.into());
            }
            items.push(self.convert(text)?);
            if delimiter == Some('}') {
                self.scan.accept(',');
                return Ok(Value::Array(items));
            }
        }
    }

    fn json(&mut self) -> Result<Value, Stop> {
        if self.blank_value() {
            return Ok(Value::Null);
        }
        let mut documents = serde_json::Deserializer::from_str(self.scan.rest()).into_iter::<Value>();
        let value = match documents.next() {
            Some(Ok(value)) => value,
            Some(Err(error)) => return Err(StrvalsError::Json(error.to_string()).into()),
            None => Value::Null,
        };
        let used = documents.byte_offset();
        self.scan.skip(used);
        self.blank_value();
        Ok(with_floats(value))
    }

    /// Over white space and a `,`; whether nothing else stands before the next path or the end.
    fn blank_value(&mut self) -> bool {
        let rest = self.scan.rest();
        let text = rest.trim_start();
        self.scan.skip(rest.len() - text.len());
        text.is_empty() || self.scan.accept(',')
    }

    fn convert(&mut self, text: String) -> Result<Value, Stop> {
        match &mut self.kind {
            Kind::Typed => Ok(typed(text)),
            Kind::Text | Kind::Json => Ok(Value::String(text)),
            Kind::File(read) => read(&text)
                .map(Value::String)
                .map_err(|error| StrvalsError::File(error).into()),
        }
    }

    fn deeper(&mut self, read: impl FnOnce(&mut Self) -> Result<(), Stop>) -> Result<(), Stop> {
        if self.depth >= MAX_PATH {
            return Err(StrvalsError::TooDeep.into());
        }
        self.depth += 1;
        let outcome = read(self);
        self.depth -= 1;
        outcome
    }
}

/// A path may begin with a delimiter; what has no name is nowhere.
fn insert(map: &mut JsonMap, name: String, value: Value) {
    if !name.is_empty() {
        map.insert(name, value);
    }
}

fn take_list(slot: &mut Value) -> Vec<Value> {
    match slot {
        Value::Array(list) => std::mem::take(list),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => Vec::new(),
    }
}

/// The map that is there; anything else gives way to an empty one.
fn take_map(slot: &mut Value) -> JsonMap {
    match slot {
        Value::Object(map) => std::mem::take(map),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => JsonMap::new(),
    }
}

fn typed(text: String) -> Value {
    if text.eq_ignore_ascii_case("true") {
        return Value::Bool(true);
    }
    if text.eq_ignore_ascii_case("false") {
        return Value::Bool(false);
    }
    if text.eq_ignore_ascii_case("null") {
        return Value::Null;
    }
    if text == "0" {
        return Value::from(0);
    }
    if text.starts_with('0') {
        return Value::String(text);
    }
    text.parse::<i64>().map_or(Value::String(text), Value::from)
}

fn wrong_kind(found: &Value, wanted: &'static str) -> Stop {
    let found = match found {
        Value::Null => "nil",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    };
    StrvalsError::WrongKind { found, wanted }.into()
}

fn quoted(text: &str) -> String {
    String::from_utf8_lossy(&strconv::quote(text.as_bytes())).into_owned()
}

fn quoted_character(character: char) -> String {
    String::from_utf8_lossy(&strconv::quote_rune(character)).into_owned()
}
