//! Flags, padding and the basic kinds: what Go's fmt does once it knows what to print.

use crate::go::strconv;

/// The flags of one directive.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "one field for each of Go's flags")]
pub(super) struct Flags {
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
    pub(super) minus: bool,
    pub(super) plus: bool,
    pub(super) sharp: bool,
    pub(super) space: bool,
    pub(super) zero: bool,
    /// `%+v`.
    pub(super) plus_v: bool,
    /// `%#v`.
    pub(super) sharp_v: bool,
}

impl Flags {
    /// Whether a number looks as without any flag.
    pub(super) fn is_plain(&self) -> bool {
        let Self {
            width,
            precision,
            plus,
            space,
            sharp_v,
            minus: _,
            sharp: _,
            zero: _,
            plus_v: _,
        } = self;
        width.is_none() && precision.is_none() && !(*plus || *space || *sharp_v)
    }
}

/// An output buffer with the flags of the current directive.
#[derive(Debug, Default)]
pub(super) struct Format {
    pub(super) output: Vec<u8>,
    pub(super) flags: Flags,
}

impl Format {
    fn write_padding(&mut self, count: usize) {
        let padding = if self.flags.zero && !self.flags.minus {
            b'0'
        } else {
            b' '
        };
        self.output.resize(self.output.len() + count, padding);
    }

    /// Writes text padded to the width, which counts characters.
    pub(super) fn pad(&mut self, text: &[u8]) {
        let Some(width) = self.flags.width.filter(|width| *width > 0) else {
            self.output.extend_from_slice(text);
            return;
        };
        let missing = width.saturating_sub(count_characters(text));
        if self.flags.minus {
            self.output.extend_from_slice(text);
            self.write_padding(missing);
        } else {
            self.write_padding(missing);
            self.output.extend_from_slice(text);
        }
    }

    fn pad_with_spaces(&mut self, text: &[u8]) {
        let zero = std::mem::replace(&mut self.flags.zero, false);
        self.pad(text);
        self.flags.zero = zero;
    }

    pub(super) fn boolean(&mut self, value: bool) {
        self.pad(if value { b"true" } else { b"false" });
    }

    /// `%U`.
    pub(super) fn unicode(&mut self, code: u64) {
        let precision = self.flags.precision.unwrap_or_default().max(4);
        let mut text = format!("U+{}", zero_padded(&format!("{code:X}"), precision));
        let character = u32::try_from(code).ok().and_then(char::from_u32);
        if let Some(character) = character.filter(|character| strconv::is_printable(*character))
            && self.flags.sharp
        {
            text.extend([" '", character.encode_utf8(&mut [0; 4]), "'"]);
        }
        self.pad_with_spaces(text.as_bytes());
    }

    /// An integer of which the sign is known. `verb` is only looked at for `%O` and `%X`.
    pub(super) fn integer(&mut self, magnitude: u64, negative: bool, base: u32, verb: char) {
        let flags = self.flags;
        let mut precision = 0;
        if let Some(wanted) = flags.precision {
            precision = wanted;
            if precision == 0 && magnitude == 0 {
                let zero = std::mem::replace(&mut self.flags.zero, false);
                self.write_padding(flags.width.unwrap_or_default());
                self.flags.zero = zero;
                return;
            }
        } else if let Some(width) = flags.width.filter(|_| flags.zero && !flags.minus) {
            precision = width.saturating_sub(usize::from(negative || flags.plus || flags.space));
        }
        let digits = match base {
            2 => format!("{magnitude:b}"),
            8 => format!("{magnitude:o}"),
            16 if verb == 'X' => format!("{magnitude:X}"),
            16 => format!("{magnitude:x}"),
            _ => magnitude.to_string(),
        };
        let digits = zero_padded(&digits, precision);
        let prefix = match base {
            2 if flags.sharp => "0b",
            8 if flags.sharp && !digits.starts_with('0') => "0",
            16 if flags.sharp && verb == 'X' => "0X",
            16 if flags.sharp => "0x",
            _ => "",
        };
        let octal = if verb == 'O' { "0o" } else { "" };
        let sign = match (negative, flags.plus, flags.space) {
            (true, _, _) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            (false, false, false) => "",
        };
        self.pad_with_spaces(format!("{sign}{octal}{prefix}{digits}").as_bytes());
    }

    /// Cuts text to the precision, which counts characters.
    fn truncate<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        match self.flags.precision {
            Some(precision) => &text[..end_of_characters(text, precision)],
            None => text,
        }
    }

    /// `%s`.
    pub(super) fn string(&mut self, text: &[u8]) {
        let text = self.truncate(text);
        self.pad(text);
    }

    /// `%q`.
    pub(super) fn quoted(&mut self, text: &[u8]) {
        let text = self.truncate(text);
        if self.flags.sharp && strconv::can_backquote(text) {
            self.pad(&[b"`", text, b"`"].concat());
        } else if self.flags.plus {
            self.pad(&strconv::quote_to_ascii(text));
        } else {
            self.pad(&strconv::quote(text));
        }
    }

    /// `%x` and `%X` of a string: the precision counts bytes.
    pub(super) fn hexadecimal(&mut self, text: &[u8], upper: bool) {
        let flags = self.flags;
        let length = flags
            .precision
            .map_or(text.len(), |precision| precision.min(text.len()));
        if length == 0 {
            self.write_padding(flags.width.unwrap_or_default());
            return;
        }
        let prefix = match (flags.sharp, upper) {
            (false, _) => "",
            (true, false) => "0x",
            (true, true) => "0X",
        };
        let mut width = 2 * length;
        if flags.space {
            width += length - 1 + length * prefix.len();
        } else {
            width += prefix.len();
        }
        let padding = flags.width.unwrap_or_default().saturating_sub(width);
        if !flags.minus {
            self.write_padding(padding);
        }
        self.output.extend_from_slice(prefix.as_bytes());
        for (index, byte) in text[..length].iter().enumerate() {
            if flags.space && index > 0 {
                self.output.push(b' ');
                self.output.extend_from_slice(prefix.as_bytes());
            }
            let digits = if upper {
                format!("{byte:02X}")
            } else {
                format!("{byte:02x}")
            };
            self.output.extend_from_slice(digits.as_bytes());
        }
        if flags.minus {
            self.write_padding(padding);
        }
    }

    /// `%c`.
    pub(super) fn character(&mut self, code: u64) {
        self.pad(to_character(code).encode_utf8(&mut [0; 4]).as_bytes());
    }

    /// `%q` of a number.
    pub(super) fn quoted_character(&mut self, code: u64) {
        let character = to_character(code);
        if self.flags.plus {
            self.pad(&strconv::quote_rune_to_ascii(character));
        } else {
            self.pad(&strconv::quote_rune(character));
        }
    }

    /// A float in one of strconv's forms.
    pub(super) fn float(&mut self, value: f64, verb: u8, precision: i32) {
        let flags = self.flags;
        let precision = flags
            .precision
            .map_or(precision, |precision| i32::try_from(precision).unwrap_or(i32::MAX));
        let text = strconv::format_float(value, verb, precision);
        // The sign is always there from here on, and left out at the end when it is not wanted.
        let mut number = if text.starts_with(['-', '+']) {
            text
        } else {
            format!("+{text}")
        };
        if flags.space && number.starts_with('+') && !flags.plus {
            number.replace_range(..1, " ");
        }
        if value.is_nan() || value.is_infinite() {
            // The sign of an infinity is always shown, that of NaN only when asked for.
            let skipped = usize::from(value.is_nan() && !flags.space && !flags.plus);
            self.pad_with_spaces(&number.as_bytes()[skipped..]);
            return;
        }
        if flags.sharp && verb != b'b' {
            number = with_decimal_point(&number, verb, precision);
        }
        if flags.plus || !number.starts_with('+') {
            match flags
                .width
                .filter(|width| flags.zero && !flags.minus && *width > number.len())
            {
                Some(width) => {
                    self.output.extend_from_slice(&number.as_bytes()[..1]);
                    self.write_padding(width - number.len());
                    self.output.extend_from_slice(&number.as_bytes()[1..]);
                }
                None => self.pad(number.as_bytes()),
            }
            return;
        }
        self.pad(&number.as_bytes()[1..]);
    }
}

/// The sharp flag on floats: always a decimal point, and for `%g` no trailing zeros removed.
fn with_decimal_point(number: &str, verb: u8, precision: i32) -> String {
    let mut missing = match (verb, precision) {
        (b'g' | b'G' | b'x', -1) => 6,
        (b'g' | b'G' | b'x', precision) => precision,
        _ => 0,
    };
    let exponents: &[char] = if matches!(verb, b'x' | b'X') {
        &['p', 'P']
    } else {
        &['p', 'P', 'e', 'E']
    };
    let (mantissa, tail) = number.split_at(number.find(exponents).unwrap_or(number.len()));
    let digits = &mantissa[1..];
    let significant = digits.trim_start_matches(['0', '.']);
    missing -= i32::try_from(significant.chars().filter(|character| *character != '.').count()).unwrap_or_default();
    let mut text = mantissa.to_owned();
    if !digits.contains('.') {
        if digits == "0" {
            missing -= 1;
        }
        text.push('.');
    }
    text.extend(std::iter::repeat_n('0', usize::try_from(missing).unwrap_or_default()));
    text + tail
}

/// Digits with zeros before them. Rust's own padding stops at 65535 characters.
fn zero_padded(digits: &str, count: usize) -> String {
    let mut text = "0".repeat(count.saturating_sub(digits.len()));
    text.push_str(digits);
    text
}

fn to_character(code: u64) -> char {
    u32::try_from(code)
        .ok()
        .and_then(char::from_u32)
        .unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Go's `utf8.RuneCount`: each invalid byte counts as one.
pub(super) fn count_characters(text: &[u8]) -> usize {
    text.utf8_chunks()
        .map(|chunk| chunk.valid().chars().count() + chunk.invalid().len())
        .sum()
}

/// Where the first `count` characters end.
fn end_of_characters(text: &[u8], count: usize) -> usize {
    let mut end = 0;
    let mut left = count;
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            if left == 0 {
                return end;
            }
            left -= 1;
            end += character.len_utf8();
        }
        let invalid = chunk.invalid().len().min(left);
        left -= invalid;
        end += invalid;
        if left == 0 {
            return end;
        }
    }
    end
}
