//! The reader of the readable path syntax, shared by exact paths and patterns: knows the syntax, not what a path is for.

use std::collections::BTreeMap;

use serde_json::Value;

use super::path::{MAX_PATH_DEPTH, MAX_PATH_LENGTH, PathError, Scalar};

/// One step as written.
pub(super) enum Step {
    Field(String),
    Key(BTreeMap<String, Scalar>),
    Value(Scalar),
    Index(i64),
    Any,
}

/// Reads one step after the other.
pub(super) struct Parser<'a> {
    text: &'a str,
    position: usize,
    steps: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str) -> Result<Self, PathError> {
        let parser = Self {
            text,
            position: 0,
            steps: 0,
        };
        if text.is_empty() {
            return Err(parser.error("a path is expected"));
        }
        if text.len() > MAX_PATH_LENGTH {
            return Err(parser.error("the path is longer than 4096 bytes"));
        }
        Ok(parser)
    }

    pub(super) fn error(&self, problem: &'static str) -> PathError {
        PathError {
            path: self.text.chars().take(200).collect(),
            problem,
            offset: self.position,
        }
    }

    /// The next step, or `None` at the end.
    pub(super) fn next_step(&mut self) -> Result<Option<Step>, PathError> {
        if self.position == 0 && self.text == "." {
            self.position = 1;
        }
        if self.rest().is_empty() {
            return Ok(None);
        }
        self.steps += 1;
        if self.steps > MAX_PATH_DEPTH {
            return Err(self.error("the path has more than 128 steps"));
        }
        let first = self.position == 0;
        if self.eat('[') {
            return self.bracket().map(Some);
        }
        if !self.eat('.') && !first {
            return Err(self.error("`.` or `[` is expected"));
        }
        if self.eat('*') {
            return Ok(Some(Step::Any));
        }
        let name = self.plain();
        if name.is_empty() {
            Err(self.error("a field name is expected"))
        } else {
            Ok(Some(Step::Field(name.to_owned())))
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.position..).unwrap_or_default()
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.position += wanted.len_utf8();
        }
        found
    }

    fn expect(&mut self, wanted: char, problem: &'static str) -> Result<(), PathError> {
        if self.eat(wanted) {
            Ok(())
        } else {
            Err(self.error(problem))
        }
    }

    fn plain(&mut self) -> &'a str {
        let rest = self.rest();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$');
        let end = rest.find(|c| !is_plain(c)).unwrap_or(rest.len());
        self.position += end;
        rest.get(..end).unwrap_or_default()
    }

    /// What follows `[`: `*]`, `0]`, `"a.b"]`, `="x"]` or `name="x",port=1]`.
    fn bracket(&mut self) -> Result<Step, PathError> {
        let step = if self.eat('*') {
            Step::Any
        } else if self.eat('=') {
            Step::Value(self.scalar()?)
        } else {
            let quoted = self.rest().starts_with('"');
            let name = self.name()?;
            if self.eat('=') {
                Step::Key(self.keys(name)?)
            } else if quoted {
                Step::Field(name)
            } else {
                let index = name
                    .parse()
                    .map_err(|_| self.error("an index, a quoted name or name=value is expected"))?;
                Step::Index(index)
            }
        };
        self.expect(']', "`]` is expected")?;
        Ok(step)
    }

    fn keys(&mut self, first: String) -> Result<BTreeMap<String, Scalar>, PathError> {
        let mut keys = BTreeMap::from([(first, self.scalar()?)]);
        while self.eat(',') {
            let name = self.name()?;
            self.expect('=', "`=` is expected")?;
            let value = self.scalar()?;
            if keys.insert(name, value).is_some() {
                return Err(self.error("a key is named twice"));
            }
        }
        Ok(keys)
    }

    fn name(&mut self) -> Result<String, PathError> {
        if self.rest().starts_with('"') {
            return self.quoted();
        }
        let name = self.plain();
        if name.is_empty() {
            Err(self.error("a name is expected"))
        } else {
            Ok(name.to_owned())
        }
    }

    fn quoted(&mut self) -> Result<String, PathError> {
        let problem = "a quoted string is not closed or has a bad escape";
        match self.json()? {
            Value::String(text) => Ok(text),
            _ => Err(self.error(problem)),
        }
    }

    fn scalar(&mut self) -> Result<Scalar, PathError> {
        Ok(Scalar::from_json(&self.json()?))
    }

    /// One JSON value; what follows it is left.
    fn json(&mut self) -> Result<Value, PathError> {
        let mut values = serde_json::Deserializer::from_str(self.rest()).into_iter::<Value>();
        let problem = "a JSON value such as \"text\", 80 or true is expected";
        match values.next() {
            Some(Ok(value)) => {
                self.position += values.byte_offset();
                Ok(value)
            }
            Some(Err(_)) | None => Err(self.error(problem)),
        }
    }
}
