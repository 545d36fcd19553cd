//! Templates built of a fuzzer's bytes: calls of any function with arguments of fitting types, and some of others.

use std::fmt::Write as _;

use arbitrary::{Result, Unstructured};
use fairlead::template::function::{Function, Type};
use fairlead::template::functions::{builtin, helm, sprig};

/// Texts that functions parse: formats, dates, versions, patterns, documents, addresses.
const TEXTS: &[&str] = &[
    "",
    "a",
    "A b-c_d",
    "abcdefgh",
    "a,b,,c",
    "ü€𝄞",
    "\\xff\\xfe",
    "\\u0130",
    " x ",
    "a\\nb\\r\\n",
    "<no value>",
    "{{ .m }}",
    "{{ fail `x` }}",
    "{{ define `d` }}x{{ end }}{{ template `d` }}",
    "true",
    "no",
    "null",
    "0",
    "007",
    "-1",
    "1e3",
    "0x1F",
    "1_000",
    "9223372036854775808",
    ".5",
    "NaN",
    "%v",
    "%5.2f|%-8q|%+d|%x",
    "%[2]*[1]d%!",
    "%T %p %U %c %b %o %e %t",
    "2006-01-02T15:04:05Z07:00",
    "Mon Jan _2 .000 PM MST",
    "2024-02-30",
    "1970-01-01",
    "24h",
    "-1.5h2m",
    "1h30",
    "UTC",
    "Europe/Berlin",
    "1.2.3",
    "v1.2.3-rc.1+b",
    ">=1.2, <2 || ~3",
    "^0",
    "*",
    "1.x",
    "[a-z]+(b)?",
    "(?i)^\\\\w{2,3}$",
    "(a+)+$",
    "[^x",
    "${1}$0$name",
    "a{1000}{1000}",
    "a: 1",
    "- a\\n- b: c\\n",
    "&a [*a]",
    "a: b: c",
    "{\\\"a\\\": [1, 2.5, null]}",
    "[1]",
    "[1",
    "a = 1\\n[b]\\nc = 1979-05-27",
    "a = ",
    "aGk=",
    "!!!",
    "MFRGG===",
    "http://u:p@h:80/p?q=1#f",
    "//h",
    "mailto:x",
    "%zz",
    "../a/./b",
    "/x/y.tar.gz",
    "10.0.0.1",
    "::1",
    "localhost",
    "v1",
    "Secret",
    "Forbidden",
    "long",
    "-----BEGIN X-----\\n-----END X-----",
];

/// Numbers at the edges of what Go's kinds hold.
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "3",
    "7",
    "10",
    "60",
    "64",
    "100",
    "1000",
    "65537",
    "2147483648",
    "-9223372036854775808",
    "9223372036854775807",
    "1.5",
    "-0.0",
    "1e3",
    "1e100",
    "1e308",
    "0x7f",
    "'a'",
    "0b11",
    "1_0",
    "4294967296",
    "86400",
    "1700000000",
];

/// What else there is: data, variables, values of rarer types.
const OTHERS: &[&str] = &[
    "nil",
    "true",
    "false",
    ".",
    "$",
    ".m",
    ".m.a",
    ".m.a.b",
    ".m.n",
    ".l",
    ".t",
    ".s",
    ".nope",
    "$a",
    "$b",
    "$c",
    "now",
    "(list)",
    "(dict)",
    "(tuple 1 2)",
    "(until 5)",
    "(splitList \",\" \"a,b\")",
    "(split \",\" \"a,b\")",
    "(int 5)",
    "(int64 6)",
    "(float64 1.5)",
    "(toString 1)",
    "(toDate \"2006-01-02\" \"2020-01-02\")",
    "(semver \"1.2.3\")",
    "(urlParse \"http://h/p\")",
    "(dict \"a\" 1 \"b\" (list 1 2))",
    "(list 1 \"a\" nil)",
    "(list (dict \"k\" 1))",
    "(len .l)",
    "(index .l 0)",
    "(fromJson \"{}\")",
    "(regexFindAll \"a\" \"aa\" -1)",
];

/// How deep expressions stand in each other.
const DEPTH: usize = 4;

/// The template that these bytes choose.
pub(crate) fn template(data: &[u8]) -> String {
    let mut writer = Writer {
        input: Unstructured::new(data),
        functions: table(),
        text: "{{$a := list 1 2 3}}{{$b := dict \"a\" 1}}{{$c := \"c\"}}".to_owned(),
    };
    // Data that ends early ends the template, too.
    let _ = writer.statements(0);
    writer.text
}

fn table() -> Vec<&'static Function> {
    let families = [builtin::FUNCTIONS].into_iter().chain(sprig::FAMILIES.iter().copied());
    let functions = families.chain(helm::FAMILIES.iter().copied()).flatten();
    functions.collect()
}

struct Writer<'d> {
    input: Unstructured<'d>,
    functions: Vec<&'static Function>,
    text: String,
}

impl Writer<'_> {
    fn statements(&mut self, depth: usize) -> Result<()> {
        for _ in 0..self.input.int_in_range(1..=4_u8)? {
            if self.input.is_empty() {
                break;
            }
            self.statement(depth)?;
        }
        Ok(())
    }

    fn statement(&mut self, depth: usize) -> Result<()> {
        let kind = self.input.int_in_range(0..=9_u8)?;
        let block = match kind {
            0 => Some("{{if "),
            1 => Some("{{with "),
            2 => Some("{{range "),
            3 => Some("{{range $k, $v := "),
            _ => None,
        };
        let block = block.filter(|_| depth < 2);
        self.text.push_str(match (block, kind) {
            (Some(block), _) => block,
            (None, 4) => "{{$a = ",
            (None, 5) => "{{$b = ",
            (None, _) => "{{",
        });
        let written = self.pipeline(0);
        self.text.push_str("}}");
        if block.is_some() {
            let inner = written.and_then(|()| self.statements(depth + 1));
            self.text.push_str("{{end}}");
            return inner;
        }
        written
    }

    fn pipeline(&mut self, depth: usize) -> Result<()> {
        let written = self.call(depth, 0);
        for _ in 0..self.input.int_in_range(0..=2_u8).unwrap_or(0) {
            self.text.push_str(" | ");
            self.call(depth, 1)?;
        }
        written
    }

    /// A function with as many arguments as it takes, less those that come through the pipe.
    fn call(&mut self, depth: usize, piped: usize) -> Result<()> {
        let Ok(function) = self.input.choose(&self.functions) else {
            self.text.push_str("len .l");
            return Ok(());
        };
        let function = *function;
        self.text.push_str(function.name);
        let types = function.parameters.iter().copied();
        let more = function
            .variadic
            .map_or(0, |_| self.input.int_in_range(0..=3).unwrap_or(0));
        let types: Vec<Type> = types
            .chain(std::iter::repeat_n(function.variadic.unwrap_or(Type::Any), more))
            .collect();
        for of in types.iter().take(types.len().saturating_sub(piped)) {
            self.text.push(' ');
            self.argument(*of, depth)?;
        }
        Ok(())
    }

    /// Data that has ended is an argument, too: a call stays complete.
    fn argument(&mut self, of: Type, depth: usize) -> Result<()> {
        if depth < DEPTH && self.input.ratio(1, 4_u8).unwrap_or(false) {
            self.text.push('(');
            let written = self.pipeline(depth + 1);
            self.text.push(')');
            return written;
        }
        let of = if self.input.ratio(1, 10_u8).unwrap_or(false) {
            Type::Any
        } else {
            of
        };
        match of {
            Type::String | Type::Bytes => self.string(),
            Type::Int | Type::Int64 | Type::Uint64 | Type::Float64 | Type::Named(..) => self.one_of(NUMBERS),
            Type::Bool => self.one_of(&["true", "false"]),
            Type::List(_) => self.one_of(&[
                "$a",
                ".l",
                "(list)",
                "(list \"b\" \"a\" \"b\")",
                "(list 1 nil (list 2))",
                "(until 9)",
            ]),
            Type::Map(_) => self.one_of(&["$b", ".m", "(dict)", "(dict \"a\" 1 \"b\" (dict \"c\" nil))", "."]),
            Type::Any | Type::Reflect => match self.input.int_in_range(0..=2_u8).unwrap_or(0) {
                0 => self.one_of(OTHERS),
                1 => self.string(),
                _ => self.one_of(NUMBERS),
            },
        }
        Ok(())
    }

    fn one_of(&mut self, choices: &[&str]) {
        self.text
            .push_str(self.input.choose(choices).map_or("1", |choice| choice));
    }

    fn string(&mut self) {
        self.text.push('"');
        if self.input.ratio(1, 3_u8).unwrap_or(false) {
            for _ in 0..self.input.int_in_range(0..=12_u8).unwrap_or(0) {
                let byte = self.input.arbitrary::<u8>().unwrap_or(b'x');
                if byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\') {
                    self.text.push(char::from(byte));
                } else {
                    // Writing to a string does not fail.
                    let _ = write!(self.text, "\\x{byte:02x}");
                }
            }
        } else {
            self.one_of(TEXTS);
        }
        self.text.push('"');
    }
}
