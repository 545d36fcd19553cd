//! Writing TOML: plain keys first, then tables, each sorted; nested tables are indented.

use crate::go::strconv;
use crate::template::value::{Object, Text, Underlying, Value};

/// How deep tables may be nested: more is a cycle.
const DEPTH: usize = 1_000;

/// What cannot be written as TOML, in the library's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A nil, or an unset dictionary, as an element of a list.
    #[error("toml: cannot encode array with nil element")]
    NilElement,
    /// A list of dictionaries that has no key.
    #[error("toml: top-level values must be Go maps or structs")]
    NoKey,
    /// A kind of value that TOML does not have.
    #[error("unsupported type: {0}")]
    Unsupported(&'static str),
    /// Nil alone, which makes the library panic.
    #[error("reflect: call of reflect.Value.Type on zero Value")]
    Nil,
    /// A cycle.
    #[error("toml: the value contains itself")]
    Cycle,
}

type Result<T> = std::result::Result<T, EncodeError>;

/// A value with what is behind an object laid open.
enum Shape<'v> {
    Nothing,
    /// Written after `=`, as it stands.
    Scalar(Vec<u8>),
    Array(Vec<Value>),
    /// Sorted, or in a struct's order.
    Table(Vec<(Text, Value)>),
    Unsupported(&'v Value),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Nothing,
    Plain,
    Table,
    ArrayOfTables,
}

/// `Encoder.Encode`.
pub fn encode(value: &Value) -> Result<Vec<u8>> {
    if matches!(value, Value::Nil) {
        return Err(EncodeError::Nil);
    }
    let mut writer = Writer::default();
    writer.value(&[], value, DEPTH)?;
    Ok(writer.output)
}

fn shape(value: &Value) -> Shape<'_> {
    match value {
        Value::Nil => Shape::Nothing,
        other if other.is_nil() => Shape::Nothing,
        Value::Bool(flag) => Shape::Scalar(flag.to_string().into_bytes()),
        Value::Int(number) | Value::Int64(number) => Shape::Scalar(number.to_string().into_bytes()),
        Value::Int32(number) => Shape::Scalar(number.to_string().into_bytes()),
        Value::Uint8(number) => Shape::Scalar(number.to_string().into_bytes()),
        Value::Uint64(number) => Shape::Scalar(number.to_string().into_bytes()),
        Value::Float64(number) => Shape::Scalar(float(*number).into_bytes()),
        Value::Complex(..) => Shape::Unsupported(value),
        Value::String(text) => Shape::Scalar(quoted(text)),
        Value::Bytes(bytes) => Shape::Array(bytes.as_bytes().iter().copied().map(Value::Uint8).collect()),
        Value::List(list) => Shape::Array(list.as_slice().to_vec()),
        Value::Map(map) => Shape::Table(map.entries()),
        Value::Object(object) => object_shape(value, object.as_ref()),
    }
}

fn object_shape<'v>(value: &'v Value, object: &dyn Object) -> Shape<'v> {
    use crate::template::functions::sprig::TimeObject;
    if let Some(TimeObject(time)) = value.downcast::<TimeObject>() {
        return Shape::Scalar(super::decode::write_time(time).into_bytes());
    }
    if object.type_name() == "time.Duration" {
        return Shape::Scalar(quoted(&object.stringer().unwrap_or_default()));
    }
    // What encodes itself as text (a version) is written as text.
    if let Some(Value::String(text)) = object.encoded() {
        return Shape::Scalar(quoted(&text));
    }
    match object.underlying() {
        Underlying::Scalar(Value::String(text)) => Shape::Scalar(quoted(&text)),
        Underlying::Scalar(Value::Int(number) | Value::Int64(number)) => Shape::Scalar(number.to_string().into_bytes()),
        Underlying::Scalar(_) => Shape::Unsupported(value),
        Underlying::Map(entries) => Shape::Table(entries),
        Underlying::Struct(fields) => {
            let exported = fields
                .into_iter()
                .filter(|field| field.name.starts_with(|first: char| first.is_uppercase()));
            Shape::Table(exported.map(|field| (field.name.into(), field.value)).collect())
        }
    }
}

fn float(number: f64) -> String {
    if number.is_nan() {
        return if number.is_sign_negative() { "-nan" } else { "nan" }.to_owned();
    }
    if number.is_infinite() {
        return if number < 0.0 { "-inf" } else { "inf" }.to_owned();
    }
    let text = strconv::format_float(number, b'g', -1);
    if text.contains(['e', '.']) {
        text
    } else {
        format!("{text}.0")
    }
}

fn quoted(text: &[u8]) -> Vec<u8> {
    let mut output = Vec::with_capacity(text.len() + 2);
    output.push(b'"');
    for &byte in text {
        match byte {
            b'"' => output.extend(br#"\""#),
            b'\\' => output.extend(br"\\"),
            0x08 => output.extend(br"\b"),
            b'\t' => output.extend(br"\t"),
            b'\n' => output.extend(br"\n"),
            0x0C => output.extend(br"\f"),
            b'\r' => output.extend(br"\r"),
            0..=0x1F | 0x7F => output.extend(format!("\\u{byte:04x}").into_bytes()),
            _ => output.push(byte),
        }
    }
    output.push(b'"');
    output
}

fn key_text(key: &[u8]) -> Vec<u8> {
    let bare = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !key.is_empty() && key.iter().all(bare) {
        key.to_vec()
    } else {
        quoted(key)
    }
}

/// What a value is to TOML.
fn form(value: &Value, depth: usize) -> Result<Form> {
    let below = depth.checked_sub(1).ok_or(EncodeError::Cycle)?;
    Ok(match shape(value) {
        Shape::Nothing => Form::Nothing,
        Shape::Scalar(_) => Form::Plain,
        Shape::Table(_) => Form::Table,
        Shape::Unsupported(value) => return Err(EncodeError::Unsupported(value.kind().name())),
        Shape::Array(items) => {
            let mut all_tables = !items.is_empty();
            for item in &items {
                match form(item, below)? {
                    Form::Nothing => return Err(EncodeError::NilElement),
                    Form::Table => {}
                    Form::Plain | Form::ArrayOfTables => all_tables = false,
                }
            }
            if all_tables { Form::ArrayOfTables } else { Form::Plain }
        }
    })
}

#[derive(Default)]
struct Writer {
    output: Vec<u8>,
}

impl Writer {
    fn newline(&mut self) {
        if !self.output.is_empty() {
            self.output.push(b'\n');
        }
    }

    fn indent(&mut self, key: &[Text]) {
        let width = key.len().saturating_sub(1) * 2;
        self.output.resize(self.output.len() + width, b' ');
    }

    /// The indentation and `[key]` or `[[key]]`.
    fn heading(&mut self, key: &[Text], open: &[u8], close: &[u8]) {
        self.indent(key);
        self.output.extend_from_slice(open);
        let parts: Vec<Vec<u8>> = key.iter().map(|part| key_text(part)).collect();
        self.output.extend(parts.join(&b'.'));
        self.output.extend_from_slice(close);
        self.newline();
    }

    fn value(&mut self, key: &[Text], value: &Value, depth: usize) -> Result<()> {
        let below = depth.checked_sub(1).ok_or(EncodeError::Cycle)?;
        match (form(value, depth)?, shape(value)) {
            (Form::ArrayOfTables, Shape::Array(items)) => {
                if key.is_empty() {
                    return Err(EncodeError::NoKey);
                }
                for item in &items {
                    self.newline();
                    self.heading(key, b"[[", b"]]");
                    if let Shape::Table(entries) = shape(item) {
                        self.table(key, &entries, below)?;
                    }
                }
            }
            (Form::Table, Shape::Table(entries)) => {
                if key.len() == 1 {
                    self.newline();
                }
                if !key.is_empty() {
                    self.heading(key, b"[", b"]");
                }
                self.table(key, &entries, below)?;
            }
            (Form::Nothing, _) => {}
            (_, shape) => match key.last() {
                None => self.element(shape, below)?,
                Some(name) => {
                    self.indent(key);
                    self.assignment(name, shape, below)?;
                    self.newline();
                }
            },
        }
        Ok(())
    }

    /// The entries with plain values, then those with tables.
    fn table(&mut self, key: &[Text], entries: &[(Text, Value)], depth: usize) -> Result<()> {
        let (plain, tables) = split_entries(entries, depth)?;
        for (name, value) in plain.into_iter().chain(tables) {
            let mut path = key.to_vec();
            path.push(name.clone());
            self.value(&path, value, depth)?;
        }
        Ok(())
    }

    fn assignment(&mut self, name: &[u8], shape: Shape<'_>, depth: usize) -> Result<()> {
        self.output.extend(key_text(name));
        self.output.extend_from_slice(b" = ");
        self.element(shape, depth)
    }

    fn element(&mut self, shaped: Shape<'_>, depth: usize) -> Result<()> {
        let below = depth.checked_sub(1).ok_or(EncodeError::Cycle)?;
        match shaped {
            Shape::Nothing => {}
            Shape::Scalar(text) => self.output.extend(text),
            Shape::Unsupported(value) => return Err(EncodeError::Unsupported(value.kind().name())),
            Shape::Array(items) => {
                self.output.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.output.extend_from_slice(b", ");
                    }
                    self.element(shape(item), below)?;
                }
                self.output.push(b']');
            }
            Shape::Table(entries) => self.inline_table(&entries, below)?,
        }
        Ok(())
    }

    /// The library puts its commas by position, nil values counted, and so a `, ` may stand at the end.
    fn inline_table(&mut self, entries: &[(Text, Value)], depth: usize) -> Result<()> {
        let (plain, tables) = split_entries(entries, depth)?;
        self.output.push(b'{');
        let trailing = !tables.is_empty();
        for (group, always) in [(plain, trailing), (tables, false)] {
            let count = group.len();
            for (index, (name, value)) in group.into_iter().enumerate() {
                if value.is_nil() {
                    continue;
                }
                self.assignment(name, shape(value), depth)?;
                if always || index + 1 < count {
                    self.output.extend_from_slice(b", ");
                }
            }
        }
        self.output.push(b'}');
        Ok(())
    }
}

type Entries<'e> = Vec<&'e (Text, Value)>;

fn split_entries(entries: &[(Text, Value)], depth: usize) -> Result<(Entries<'_>, Entries<'_>)> {
    let (mut plain, mut tables) = (Vec::new(), Vec::new());
    for entry in entries {
        match form(&entry.1, depth)? {
            Form::Table | Form::ArrayOfTables => tables.push(entry),
            Form::Nothing | Form::Plain => plain.push(entry),
        }
    }
    Ok((plain, tables))
}
