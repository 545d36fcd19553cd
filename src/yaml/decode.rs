//! From nodes to values: tags, merge keys, aliases, and keys made strings, as go-yaml v2 and sigs.k8s.io/yaml do it.

use std::collections::HashSet;

use base64::Engine as _;
use serde_json::{Map, Number, Value};

use super::emit::Dialect;
use super::error::Error;
use super::go_syntax;
use super::limits::{ALIAS_RATIO_HIGH, ALIAS_RATIO_LOW, MAX_ALIAS_TEXT, MAX_DEPTH};
use super::number::{ThroughJson, format_float_single, through_json};
use super::resolve::{Scalar, resolve, resolve_without_timestamps};
use super::tree::{Kind, NodeId, Tree};

const TAG_PREFIX: &str = "tag:yaml.org,2002:";

/// What numbers become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// As in the JSON text: whole numbers are integers.
    Exact,
    /// As the YAML says: 1.0 and 1e3 are floats, for fields that want the text.
    Written,
    /// Every number a float, as Go's `any` has it.
    Floats,
}

/// Whether a key may come twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Duplicates {
    LastWins,
    Refused,
}

/// Makes the value of a document; an empty one is null.
pub(super) fn decode(mut tree: Tree<'_>, numbers: Numbers, duplicates: Duplicates) -> Result<Value, Error> {
    let Some(root) = tree.root else { return Ok(Value::Null) };
    let mut decoder = Decoder {
        tree: &mut tree,
        numbers,
        duplicates,
        depth: 0,
        decoded: 1,
        from_aliases: 0,
        alias_text: 0,
        aliases: Vec::new(),
        repeated: Vec::new(),
        unsupported: Unsupported::default(),
    };
    let value = decoder.node(root)?;
    // The order in which sigs.k8s.io/yaml finds them.
    if !decoder.repeated.is_empty() {
        return Err(Error::Duplicate(decoder.repeated));
    }
    let Unsupported {
        key,
        value: unsupported,
    } = decoder.unsupported;
    match key.or(unsupported) {
        Some(error) => Err(error),
        None => Ok(value),
    }
}

/// A key before it became a string: `1` and `"1"` are two keys to go-yaml.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    kind: KeyKind,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum KeyKind {
    Null,
    Bool,
    Int,
    Uint,
    Float,
    Str,
}

struct Decoder<'t, 'i> {
    tree: &'t mut Tree<'i>,
    numbers: Numbers,
    duplicates: Duplicates,
    depth: usize,
    decoded: u32,
    from_aliases: u32,
    /// Bytes of text that came from aliases.
    alias_text: usize,
    /// The aliases that are being followed.
    aliases: Vec<NodeId>,
    repeated: Vec<String>,
    unsupported: Unsupported,
}

/// The first key and the first value that JSON cannot have. They are errors at the end only: an entry that another one
/// with the same key replaces does no harm.
#[derive(Debug, Default)]
struct Unsupported {
    key: Option<Error>,
    value: Option<Error>,
}

impl Unsupported {
    fn is_empty(&self) -> bool {
        self.key.is_none() && self.value.is_none()
    }

    fn or(self, later: Self) -> Self {
        Self {
            key: self.key.or(later.key),
            value: self.value.or(later.value),
        }
    }
}

impl Decoder<'_, '_> {
    fn node(&mut self, id: NodeId) -> Result<Value, Error> {
        self.count()?;
        match &self.tree.nodes[id].kind {
            Kind::Scalar { .. } => self.scalar_value(id),
            Kind::Alias { target, .. } => {
                let target = *target;
                self.through_alias(id, |decoder| decoder.node(target))
            }
            Kind::Sequence(_) => self.nested(id, |decoder, children| {
                children
                    .iter()
                    .map(|&child| decoder.node(child))
                    .collect::<Result<_, _>>()
                    .map(Value::Array)
            }),
            Kind::Mapping(_) => self.nested(id, |decoder, children| {
                let mut map = Map::new();
                let mut seen = HashSet::new();
                decoder.mapping(children, &mut map, &mut seen)?;
                Ok(Value::Object(map))
            }),
        }
    }

    /// go-yaml's bound against documents that grow by their aliases.
    fn count(&mut self) -> Result<(), Error> {
        self.decoded = self.decoded.saturating_add(1);
        if self.aliases.is_empty() {
            return Ok(());
        }
        self.from_aliases = self.from_aliases.saturating_add(1);
        let ratio = f64::from(self.from_aliases) / f64::from(self.decoded);
        if self.from_aliases > 100 && self.decoded > 1000 && ratio > allowed_alias_ratio(self.decoded) {
            return Err(excessive_aliasing());
        }
        Ok(())
    }

    /// Counting nodes bounds what aliases of small texts become, not what those of large ones do.
    fn count_text(&mut self, bytes: usize) -> Result<(), Error> {
        if self.aliases.is_empty() {
            return Ok(());
        }
        self.alias_text = self.alias_text.saturating_add(bytes);
        if self.alias_text > MAX_ALIAS_TEXT {
            return Err(excessive_aliasing());
        }
        Ok(())
    }

    fn through_alias<T>(&mut self, id: NodeId, decode: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.aliases.contains(&id) {
            let name = match &self.tree.nodes[id].kind {
                Kind::Alias { name, .. } => name,
                Kind::Scalar { .. } | Kind::Sequence(_) | Kind::Mapping(_) => "",
            };
            return Err(Error::Invalid(format!("anchor '{name}' value contains itself")));
        }
        self.aliases.push(id);
        let decoded = decode(self);
        self.aliases.pop();
        decoded
    }

    /// Decodes a collection with its children borrowed out of the tree.
    fn nested<T>(
        &mut self,
        id: NodeId,
        decode: impl FnOnce(&mut Self, &[NodeId]) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.depth >= MAX_DEPTH {
            return Err(Error::TooDeep {
                line: Some(u64::from(self.tree.nodes[id].line)),
            });
        }
        let children = match &mut self.tree.nodes[id].kind {
            Kind::Sequence(children) | Kind::Mapping(children) if !self.tree.has_aliases => std::mem::take(children),
            Kind::Sequence(children) | Kind::Mapping(children) => children.clone(),
            Kind::Scalar { .. } | Kind::Alias { .. } => Vec::new(),
        };
        self.depth += 1;
        let decoded = decode(self, &children);
        self.depth -= 1;
        decoded
    }

    fn mapping(
        &mut self,
        children: &[NodeId],
        map: &mut Map<String, Value>,
        seen: &mut HashSet<Key>,
    ) -> Result<(), Error> {
        let mut unsupported: Vec<(Key, Unsupported)> = Vec::new();
        for pair in children.chunks_exact(2) {
            let (key, value) = (pair[0], pair[1]);
            if self.is_merge(key) {
                self.merge(value, map, seen)?;
                continue;
            }
            let key = self.key(key)?;
            let line = self.tree.nodes[value].line;
            let around = std::mem::take(&mut self.unsupported);
            let value = self.node(value)?;
            let mut own = std::mem::replace(&mut self.unsupported, around);
            if self.duplicates == Duplicates::Refused {
                if seen.contains(&key) {
                    self.repeated
                        .push(format!("line {line}: key {} already set in map", key.go_syntax()));
                    continue;
                }
                seen.insert(key.clone());
            }
            if matches!(key.kind, KeyKind::Null | KeyKind::Uint) {
                own.key = Some(Error::UnsupportedKey {
                    kind: if key.kind == KeyKind::Null {
                        "%!s(<nil>)"
                    } else {
                        "uint64"
                    }
                    .to_owned(),
                    key: key.go_syntax(),
                    value: go_syntax::operand(&value),
                });
            }
            unsupported.retain(|(replaced, _)| *replaced != key);
            if !own.is_empty() {
                unsupported.push((key.clone(), own));
            }
            map.insert(key.text, value);
        }
        for (_, own) in unsupported {
            let first = std::mem::take(&mut self.unsupported);
            self.unsupported = first.or(own);
        }
        Ok(())
    }

    fn is_merge(&self, id: NodeId) -> bool {
        let node = &self.tree.nodes[id];
        match &node.kind {
            Kind::Scalar { text, plain } => {
                text == "<<" && (*plain || node.tag.as_deref().and_then(core_tag) == Some("merge"))
            }
            Kind::Alias { .. } | Kind::Sequence(_) | Kind::Mapping(_) => false,
        }
    }

    /// Version 2 writes the merged keys where `<<` stands: over the keys before it, under those behind it.
    fn merge(&mut self, id: NodeId, map: &mut Map<String, Value>, seen: &mut HashSet<Key>) -> Result<(), Error> {
        match &self.tree.nodes[id].kind {
            Kind::Sequence(sources) => {
                for source in sources.clone().into_iter().rev() {
                    self.merge_one(source, map, seen)?;
                }
                Ok(())
            }
            Kind::Mapping(_) | Kind::Alias { .. } | Kind::Scalar { .. } => self.merge_one(id, map, seen),
        }
    }

    fn merge_one(&mut self, id: NodeId, map: &mut Map<String, Value>, seen: &mut HashSet<Key>) -> Result<(), Error> {
        let target = match self.tree.nodes[id].kind {
            Kind::Alias { target, .. } => target,
            Kind::Mapping(_) | Kind::Sequence(_) | Kind::Scalar { .. } => id,
        };
        if !matches!(self.tree.nodes[target].kind, Kind::Mapping(_)) {
            return Err(Error::Invalid(
                "map merge requires map or sequence of maps as the value".to_owned(),
            ));
        }
        self.count()?;
        if target == id {
            return self.nested(id, |decoder, children| decoder.mapping(children, map, seen));
        }
        self.through_alias(id, |decoder| {
            decoder.count()?;
            decoder.nested(target, |decoder, children| decoder.mapping(children, map, seen))
        })
    }

    fn key(&mut self, id: NodeId) -> Result<Key, Error> {
        self.count()?;
        match &self.tree.nodes[id].kind {
            Kind::Scalar { .. } => {}
            Kind::Alias { target, .. } => {
                let target = *target;
                return self.through_alias(id, |decoder| decoder.key(target));
            }
            Kind::Sequence(_) | Kind::Mapping(_) => {
                let value = self.node(id)?;
                return Err(Error::Invalid(format!(
                    "invalid map key: {}",
                    go_syntax::operand(&value)
                )));
            }
        }
        let (scalar, text) = self.scalar(id)?;
        let (kind, text) = match scalar {
            Scalar::Null => (KeyKind::Null, String::new()),
            Scalar::Bool(boolean) => (KeyKind::Bool, boolean.to_string()),
            Scalar::Int(int) => (KeyKind::Int, int.to_string()),
            Scalar::Uint(uint) => (KeyKind::Uint, uint.to_string()),
            Scalar::Float(float) => (KeyKind::Float, format_float_single(float)),
            Scalar::Timestamp | Scalar::Str => (KeyKind::Str, text),
        };
        Ok(Key { kind, text })
    }

    fn scalar_value(&mut self, id: NodeId) -> Result<Value, Error> {
        let (scalar, text) = self.scalar(id)?;
        Ok(match scalar {
            Scalar::Null => Value::Null,
            Scalar::Bool(boolean) => Value::Bool(boolean),
            Scalar::Timestamp | Scalar::Str => Value::String(text),
            Scalar::Int(int) => match self.numbers {
                Numbers::Exact | Numbers::Written => Value::Number(int.into()),
                #[expect(clippy::cast_precision_loss, reason = "Go rounds here too")]
                Numbers::Floats => self.float(int as f64),
            },
            Scalar::Uint(uint) => match self.numbers {
                Numbers::Exact | Numbers::Written => Value::Number(uint.into()),
                #[expect(clippy::cast_precision_loss, reason = "Go rounds here too")]
                Numbers::Floats => self.float(uint as f64),
            },
            Scalar::Float(float) => match (self.numbers, through_json(float)) {
                (Numbers::Exact, ThroughJson::Int(int)) => Value::Number(int.into()),
                (Numbers::Exact, ThroughJson::Uint(uint)) => Value::Number(uint.into()),
                (Numbers::Exact, ThroughJson::Float(_)) | (Numbers::Written | Numbers::Floats, _) => self.float(float),
            },
        })
    }

    fn float(&mut self, float: f64) -> Value {
        if let Some(number) = Number::from_f64(float) {
            return Value::Number(number);
        }
        let name = match (float.is_nan(), float < 0.0) {
            (true, _) => "NaN",
            (false, true) => "-Inf",
            (false, false) => "+Inf",
        };
        self.unsupported.value.get_or_insert(Error::UnsupportedValue(name));
        Value::Null
    }

    /// What a scalar is, and its text where that is the value.
    fn scalar(&mut self, id: NodeId) -> Result<(Scalar, String), Error> {
        if let Kind::Scalar { text, .. } = &self.tree.nodes[id].kind {
            let bytes = text.len();
            self.count_text(bytes)?;
        }
        let take = !self.tree.has_aliases;
        let node = &mut self.tree.nodes[id];
        let Kind::Scalar { text, plain } = &mut node.kind else {
            return Ok((Scalar::Null, String::new()));
        };
        let scalar = match node.tag.as_deref() {
            None if *plain => resolve(text, Dialect::V2),
            None => Scalar::Str,
            Some(tag) => match core_tag(tag) {
                Some("binary") => return binary(text).map(|text| (Scalar::Str, text)),
                Some(name @ ("bool" | "int" | "float" | "null" | "timestamp")) => tagged(name, text)?,
                _ => Scalar::Str,
            },
        };
        let text = match scalar {
            Scalar::Str | Scalar::Timestamp if take => std::mem::take(text).into_owned(),
            Scalar::Str | Scalar::Timestamp => text.to_string(),
            Scalar::Null | Scalar::Bool(_) | Scalar::Int(_) | Scalar::Uint(_) | Scalar::Float(_) => String::new(),
        };
        Ok((scalar, text))
    }
}

impl Key {
    fn go_syntax(&self) -> String {
        match self.kind {
            KeyKind::Null => "<nil>".to_owned(),
            KeyKind::Str => go_syntax::quote(&self.text),
            KeyKind::Uint => self
                .text
                .parse::<u64>()
                .map(|uint| format!("{uint:#x}"))
                .unwrap_or_default(),
            KeyKind::Float => match self.text.as_str() {
                ".inf" => "+Inf".to_owned(),
                "-.inf" => "-Inf".to_owned(),
                ".nan" => "NaN".to_owned(),
                text => text.to_owned(),
            },
            KeyKind::Bool | KeyKind::Int => self.text.clone(),
        }
    }
}

fn core_tag(tag: &str) -> Option<&str> {
    tag.strip_prefix(TAG_PREFIX)
}

/// A scalar with one of the core tags, whose text must fit it.
fn tagged(tag: &str, text: &str) -> Result<Scalar, Error> {
    let scalar = if tag == "timestamp" {
        resolve(text, Dialect::V2)
    } else {
        resolve_without_timestamps(text)
    };
    let found = match scalar {
        Scalar::Null => "null",
        Scalar::Bool(_) => "bool",
        Scalar::Int(_) | Scalar::Uint(_) => "int",
        Scalar::Float(_) => "float",
        Scalar::Timestamp => "timestamp",
        Scalar::Str => "str",
    };
    match scalar {
        _ if found == tag => Ok(scalar),
        #[expect(clippy::cast_precision_loss, reason = "the tag asks for a float")]
        Scalar::Int(int) if tag == "float" => Ok(Scalar::Float(int as f64)),
        _ => Err(Error::Invalid(format!("cannot decode !!{found} `{text}` as a !!{tag}"))),
    }
}

/// Base64 with line breaks; bytes that are no UTF-8 become U+FFFD one by one, as in Go's JSON.
fn binary(text: &str) -> Result<String, Error> {
    let compact: String = text
        .chars()
        .filter(|character| !matches!(character, '\n' | '\r'))
        .collect();
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(compact)
        .map_err(|_| Error::Invalid("!!binary value contains invalid base64 data".to_owned()))?;
    let mut decoded = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        decoded.push_str(chunk.valid());
        decoded.extend(std::iter::repeat_n(char::REPLACEMENT_CHARACTER, chunk.invalid().len()));
    }
    Ok(decoded)
}

fn excessive_aliasing() -> Error {
    Error::Invalid("document contains excessive aliasing".to_owned())
}

fn allowed_alias_ratio(decoded: u32) -> f64 {
    match decoded {
        ..=ALIAS_RATIO_LOW => 0.99,
        ALIAS_RATIO_HIGH.. => 0.10,
        _ => 0.99 - 0.89 * (f64::from(decoded - ALIAS_RATIO_LOW) / f64::from(ALIAS_RATIO_HIGH - ALIAS_RATIO_LOW)),
    }
}
