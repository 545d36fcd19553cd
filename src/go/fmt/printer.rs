//! Which verb does what to which value, down through maps, lists and structs.

use super::format::{Flags, Format};
use crate::template::value::{Field, Kind, Object, Underlying, Value};

/// Where Go would overflow its stack on a cyclic value, printing stops.
const DEPTH: usize = 500;
/// What one value may print before printing stops: a cyclic value printed in full has no end.
const BYTES: usize = 256 << 20;
/// What `%p` and pointers inside other values print. Go prints a real address, which is different every time.
const ADDRESS: u64 = 0xc0_0000_0000;

/// Go's printer state.
#[derive(Debug, Default)]
pub(super) struct Printer {
    pub(super) format: Format,
    /// Set while the operand of a bad verb is printed, without its methods.
    erroring: bool,
}

impl Printer {
    /// A printer that appends to a buffer.
    pub(super) fn onto(output: Vec<u8>) -> Self {
        Self {
            format: Format {
                output,
                flags: Flags::default(),
            },
            erroring: false,
        }
    }

    fn write(&mut self, text: &[u8]) {
        self.format.output.extend_from_slice(text);
    }

    /// Prints an operand.
    pub(super) fn print_argument(&mut self, value: &Value, verb: char) {
        match (value, verb) {
            (Value::Nil, 'T' | 'v') => self.format.pad(b"<nil>"),
            (Value::Nil, _) => self.bad_verb(value, verb),
            (_, 'T') => self.format.string(value.type_name().as_bytes()),
            (_, 'p') => self.pointer(value, 'p'),
            (Value::Bytes(bytes), 'v' | 'd') if self.format.flags.sharp_v => {
                self.sharp_bytes(bytes.as_bytes(), bytes.is_nil(), "[]byte");
            }
            _ => self.print(value, verb, 0),
        }
    }

    /// Prints what a pointer points to.
    pub(super) fn print_pointee(&mut self, object: &dyn Object, verb: char) {
        self.underlying(object, verb, 0);
    }

    fn print(&mut self, value: &Value, verb: char, depth: usize) {
        if depth > DEPTH || self.format.output.len() > BYTES {
            self.write(b"...");
            return;
        }
        let is_container = match value {
            Value::List(_) | Value::Map(_) | Value::Object(_) => true,
            Value::Bytes(_) => depth > 0,
            _ => false,
        };
        if verb == 'w' && is_container && !self.erroring {
            // Only `Errorf` wraps, and Go says so before it looks into the value.
            return self.bad_verb(value, verb);
        }
        match value {
            Value::Nil if self.format.flags.sharp_v => self.write(b"interface {}(nil)"),
            Value::Nil => self.write(b"<nil>"),
            Value::Bool(flag) => match verb {
                't' | 'v' => self.format.boolean(*flag),
                _ => self.bad_verb(value, verb),
            },
            Value::Int(number) | Value::Int64(number) => self.signed(*number, value, verb),
            Value::Int32(number) => self.signed(i64::from(*number), value, verb),
            Value::Uint8(number) => self.unsigned(u64::from(*number), value, verb),
            Value::Uint64(number) => self.unsigned(*number, value, verb),
            Value::Float64(number) => self.float(*number, value, verb),
            Value::Complex(real, imaginary) => self.complex(*real, *imaginary, value, verb),
            Value::String(text) => self.string(text, value, verb),
            Value::Bytes(bytes) => self.bytes(value, bytes.as_bytes(), bytes.is_nil(), verb, depth),
            Value::List(list) => {
                let items = list.as_slice();
                self.sequence(value.type_name(), list.is_nil(), items.len(), |printer, index| {
                    printer.print(&items[index], verb, depth + 1);
                });
            }
            Value::Map(map) => {
                let entries = map.borrow();
                let entries: Vec<_> = entries.iter().flat_map(|entries| entries.iter()).collect();
                self.mapping(value.type_name(), map.is_nil(), entries.len(), |printer, index| {
                    let (key, element) = entries[index];
                    printer.entry(key, element, verb, depth);
                });
            }
            Value::Object(object) => self.object(value, object.as_ref(), verb, depth),
        }
    }

    fn entry(&mut self, key: &[u8], element: &Value, verb: char, depth: usize) {
        self.string(key, &Value::text(key), verb);
        self.write(b":");
        self.print(element, verb, depth + 1);
    }

    fn object(&mut self, value: &Value, object: &dyn Object, verb: char, depth: usize) {
        let is_nil_pointer = object.kind() == Kind::Pointer && object.is_nil();
        if !self.erroring
            && !self.format.flags.sharp_v
            && matches!(verb, 'v' | 's' | 'x' | 'X' | 'q')
            && !is_nil_pointer
            && let Some(text) = object.stringer()
        {
            self.string(&text, &Value::String(text.clone()), verb);
            return;
        }
        if object.kind() != Kind::Pointer {
            self.underlying(object, verb, depth);
        } else if depth == 0 && !object.is_nil() {
            self.write(b"&");
            self.underlying(object, verb, depth + 1);
        } else {
            self.pointer(value, verb);
        }
    }

    fn underlying(&mut self, object: &dyn Object, verb: char, depth: usize) {
        let name = object.type_name().trim_start_matches('*');
        match object.underlying() {
            Underlying::Scalar(scalar) => self.print(&scalar, verb, depth + 1),
            Underlying::Map(entries) => self.mapping(name, object.is_nil(), entries.len(), |printer, index| {
                let (key, element) = &entries[index];
                printer.entry(key, element, verb, depth);
            }),
            Underlying::Struct(fields) => self.structure(name, &fields, verb, depth),
        }
    }

    fn structure(&mut self, name: &str, fields: &[Field], verb: char, depth: usize) {
        let Flags { plus_v, sharp_v, .. } = self.format.flags;
        if sharp_v {
            self.write(name.as_bytes());
        }
        self.write(b"{");
        for (index, field) in fields.iter().enumerate() {
            if index > 0 {
                self.write(if sharp_v { b", " } else { b" " });
            }
            if plus_v || sharp_v {
                self.write(field.name.as_bytes());
                self.write(b":");
            }
            self.print(&field.value, verb, depth + 1);
        }
        self.write(b"}");
    }

    fn mapping(&mut self, name: &str, nil: bool, count: usize, mut print: impl FnMut(&mut Self, usize)) {
        let sharp = self.format.flags.sharp_v;
        if sharp {
            self.write(name.as_bytes());
            if nil {
                self.write(b"(nil)");
                return;
            }
            self.write(b"{");
        } else {
            self.write(b"map[");
        }
        for index in 0..count {
            if index > 0 {
                self.write(if sharp { b", " } else { b" " });
            }
            print(self, index);
        }
        self.write(if sharp { b"}" } else { b"]" });
    }

    fn sequence(&mut self, name: &str, nil: bool, count: usize, mut print: impl FnMut(&mut Self, usize)) {
        let sharp = self.format.flags.sharp_v;
        if sharp {
            self.write(name.as_bytes());
            if nil {
                self.write(b"(nil)");
                return;
            }
        }
        self.write(if sharp { b"{" } else { b"[" });
        for index in 0..count {
            if index > 0 {
                self.write(if sharp { b", " } else { b" " });
            }
            print(self, index);
        }
        self.write(if sharp { b"}" } else { b"]" });
    }

    fn bytes(&mut self, value: &Value, bytes: &[u8], nil: bool, verb: char, depth: usize) {
        match verb {
            's' => self.format.string(bytes),
            'x' => self.format.hexadecimal(bytes, false),
            'X' => self.format.hexadecimal(bytes, true),
            'q' => self.format.quoted(bytes),
            'v' | 'd' if self.format.flags.sharp_v => self.sharp_bytes(bytes, nil, value.type_name()),
            'v' | 'd' if self.format.flags.is_plain() => self.plain_bytes(bytes),
            _ => self.sequence(value.type_name(), nil, bytes.len(), |printer, index| {
                printer.print(&Value::Uint8(bytes[index]), verb, depth + 1);
            }),
        }
    }

    /// The usual form, `[1 20 255]`, in one pass: charts print `.Files`, which is megabytes, by mistake.
    fn plain_bytes(&mut self, bytes: &[u8]) {
        let output = &mut self.format.output;
        output.reserve(bytes.len().saturating_mul(4).saturating_add(2));
        output.push(b'[');
        for (index, byte) in bytes.iter().enumerate() {
            if index > 0 {
                output.push(b' ');
            }
            if *byte >= 100 {
                output.push(b'0' + byte / 100);
            }
            if *byte >= 10 {
                output.push(b'0' + byte / 10 % 10);
            }
            output.push(b'0' + byte % 10);
        }
        output.push(b']');
    }

    fn sharp_bytes(&mut self, bytes: &[u8], nil: bool, name: &str) {
        self.sequence(name, nil, bytes.len(), |printer, index| {
            printer.hexadecimal_number(u64::from(bytes[index]), true);
        });
    }

    fn hexadecimal_number(&mut self, number: u64, prefix: bool) {
        let sharp = std::mem::replace(&mut self.format.flags.sharp, prefix);
        self.format.integer(number, false, 16, 'v');
        self.format.flags.sharp = sharp;
    }

    fn signed(&mut self, number: i64, value: &Value, verb: char) {
        let (magnitude, negative) = (number.unsigned_abs(), number < 0);
        self.integer(magnitude, negative, number.cast_unsigned(), value, verb);
    }

    fn unsigned(&mut self, number: u64, value: &Value, verb: char) {
        if verb == 'v' && self.format.flags.sharp_v {
            self.hexadecimal_number(number, true);
        } else {
            self.integer(number, false, number, value, verb);
        }
    }

    fn integer(&mut self, magnitude: u64, negative: bool, bits: u64, value: &Value, verb: char) {
        match verb {
            'v' | 'd' => self.format.integer(magnitude, negative, 10, verb),
            'b' => self.format.integer(magnitude, negative, 2, verb),
            'o' | 'O' => self.format.integer(magnitude, negative, 8, verb),
            'x' | 'X' => self.format.integer(magnitude, negative, 16, verb),
            'c' => self.format.character(bits),
            'q' => self.format.quoted_character(bits),
            'U' => self.format.unicode(bits),
            _ => self.bad_verb(value, verb),
        }
    }

    fn float(&mut self, number: f64, value: &Value, verb: char) {
        match verb {
            'v' | 'g' => self.format.float(number, b'g', -1),
            'G' => self.format.float(number, b'G', -1),
            'b' => self.format.float(number, b'b', -1),
            'x' => self.format.float(number, b'x', -1),
            'X' => self.format.float(number, b'X', -1),
            'e' => self.format.float(number, b'e', 6),
            'E' => self.format.float(number, b'E', 6),
            'f' | 'F' => self.format.float(number, b'f', 6),
            _ => self.bad_verb(value, verb),
        }
    }

    fn complex(&mut self, real: f64, imaginary: f64, value: &Value, verb: char) {
        if !matches!(verb, 'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E') {
            self.bad_verb(value, verb);
            return;
        }
        let plus = self.format.flags.plus;
        self.write(b"(");
        self.float(real, value, verb);
        self.format.flags.plus = true;
        self.float(imaginary, value, verb);
        self.write(b"i)");
        self.format.flags.plus = plus;
    }

    fn string(&mut self, text: &[u8], value: &Value, verb: char) {
        match verb {
            'v' if self.format.flags.sharp_v => self.format.quoted(text),
            'v' | 's' => self.format.string(text),
            'x' => self.format.hexadecimal(text, false),
            'X' => self.format.hexadecimal(text, true),
            'q' => self.format.quoted(text),
            _ => self.bad_verb(value, verb),
        }
    }

    fn pointer(&mut self, value: &Value, verb: char) {
        if !matches!(value.kind(), Kind::Pointer | Kind::Map | Kind::Slice | Kind::Func) {
            self.bad_verb(value, verb);
            return;
        }
        let address = if value.is_nil() { 0 } else { ADDRESS };
        match verb {
            'v' if self.format.flags.sharp_v => {
                self.write(format!("({})(", value.type_name()).as_bytes());
                if address == 0 {
                    self.write(b"nil");
                } else {
                    self.hexadecimal_number(address, true);
                }
                self.write(b")");
            }
            'v' if address == 0 => self.format.pad(b"<nil>"),
            'v' | 'p' => self.hexadecimal_number(address, !self.format.flags.sharp),
            'b' | 'o' | 'd' | 'x' | 'X' => self.integer(address, false, address, value, verb),
            _ => self.bad_verb(value, verb),
        }
    }

    /// `%!verb(type=value)`.
    fn bad_verb(&mut self, value: &Value, verb: char) {
        self.erroring = true;
        self.write(format!("%!{verb}(").as_bytes());
        if let Value::Nil = value {
            self.write(b"<nil>");
        } else {
            self.write(value.type_name().as_bytes());
            self.write(b"=");
            self.print_argument(value, 'v');
        }
        self.write(b")");
        self.erroring = false;
    }
}
