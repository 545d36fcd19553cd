//! Text functions. Lengths and positions are in bytes, as in Go.

use super::{length, message, print, strval};
use crate::go::strconv;
use crate::go::text::{self, cases, unicode, words};
use crate::template::context::Context;
use crate::template::error::FunctionError;
use crate::template::function::{Cost, Function, Int, StringMap, Strings, Variadic, function};
use crate::template::value::{Text, Value};

type Result<T> = std::result::Result<T, FunctionError>;

pub(super) const FUNCTIONS: &[Function] = &[
    function!("hello", || "Hello!", () -> &'static str),
    function!("abbrev", abbrev, (Int, &Text) -> Text),
    function!("abbrevboth", abbrev_both, (Int, Int, &Text) -> Text),
    function!("trunc", trunc, (Int, &Text) -> Text),
    function!("trim", trim, (&Text) -> Text),
    function!("upper", upper, (&Text) -> Vec<u8>),
    function!("lower", lower, (&Text) -> Vec<u8>),
    function!("title", title, (&Text) -> Vec<u8>),
    function!("untitle", untitle, (&Text) -> Vec<u8>),
    function!("substr", substr, (Int, Int, &Text) -> Result<Text>),
    function!("repeat", @context repeat, (Int, &Text) -> Result<Vec<u8>>),
    function!("trimall", trim_all, (&Text, &Text) -> Text),
    function!("trimAll", trim_all, (&Text, &Text) -> Text),
    function!("trimSuffix", trim_suffix, (&Text, &Text) -> Text),
    function!("trimPrefix", trim_prefix, (&Text, &Text) -> Text),
    function!("nospace", nospace, (&Text) -> Vec<u8>),
    function!("initials", initials, (&Text) -> Vec<u8>),
    function!("swapcase", swapcase, (&Text) -> Vec<u8>),
    function!("snakecase", snakecase, (&Text) -> Vec<u8>),
    function!("camelcase", camelcase, (&Text) -> Vec<u8>),
    function!("kebabcase", kebabcase, (&Text) -> Vec<u8>),
    function!("wrap", wrap, (Int, &Text) -> Vec<u8>),
    function!("wrapWith", @context wrap_with, (Int, &Text, &Text) -> Result<Vec<u8>>),
    function!("contains", contains, (&Text, &Text) -> bool),
    function!("hasPrefix", has_prefix, (&Text, &Text) -> bool),
    function!("hasSuffix", has_suffix, (&Text, &Text) -> bool),
    function!("quote", quote, (; &Value) -> Vec<u8>).costs(Cost::Walks),
    function!("squote", squote, (; &Value) -> Vec<u8>).costs(Cost::Walks),
    function!("cat", cat, (; &Value) -> Vec<u8>).costs(Cost::Walks),
    function!("indent", @context indent, (Int, &Text) -> Result<Vec<u8>>),
    function!("nindent", @context nindent, (Int, &Text) -> Result<Vec<u8>>),
    function!("replace", @context replace, (&Text, &Text, &Text) -> Result<Vec<u8>>),
    function!("plural", plural, (&Text, &Text, Int) -> Text),
    function!("toString", strval, (&Value) -> Text).costs(Cost::Walks),
    function!("toStrings", to_strings, (&Value) -> Strings).costs(Cost::Walks),
    function!("join", @context join, (&Text, &Value) -> Result<Vec<u8>>).costs(Cost::Walks),
    function!("sortAlpha", sort_alpha, (&Value) -> Strings).costs(Cost::Walks),
    function!("splitList", @context split_list, (&Text, &Text) -> Result<Strings>),
    function!("split", @context split, (&Text, &Text) -> Result<StringMap>),
    function!("splitn", @context splitn, (&Text, Int, &Text) -> Result<StringMap>),
];

fn abbrev(Int(width): Int, text: &Text) -> Text {
    if width < 4 {
        text.clone()
    } else {
        words::abbreviate(text, 0, width).into()
    }
}

fn abbrev_both(Int(left): Int, Int(right): Int, text: &Text) -> Text {
    if right < 4 || (left > 0 && right < 7) {
        return text.clone();
    }
    words::abbreviate(text, left, right).into()
}

fn trunc(Int(count): Int, text: &Text) -> Text {
    let kept = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if kept >= text.len() {
        text.clone()
    } else if count < 0 {
        text[text.len() - kept..].into()
    } else {
        text[..kept].into()
    }
}

fn trim(text: &Text) -> Text {
    text::trim_space(text).into()
}

fn upper(text: &Text) -> Vec<u8> {
    unicode::upper(text)
}

fn lower(text: &Text) -> Vec<u8> {
    unicode::lower(text)
}

fn title(text: &Text) -> Vec<u8> {
    unicode::title(text)
}

fn untitle(text: &Text) -> Vec<u8> {
    words::uncapitalize(text)
}

/// A negative start means the beginning, a negative or too large end the end.
fn substr(Int(start): Int, Int(end): Int, text: &Text) -> Result<Text> {
    let size = length(text);
    let out_of_range = |range: String| message(format!("runtime error: slice bounds out of range [{range}"));
    let (from, to) = if start < 0 {
        if end < 0 {
            return Err(out_of_range(format!(":{end}]")));
        }
        if end > size {
            return Err(out_of_range(format!(":{end}] with length {size}")));
        }
        (0, end)
    } else if end < 0 || end > size {
        (start, size)
    } else {
        (start, end)
    };
    if from > to {
        return Err(out_of_range(format!("{from}:{to}]")));
    }
    let from = usize::try_from(from).unwrap_or(0);
    let to = usize::try_from(to).unwrap_or(0);
    Ok(text.get(from..to).unwrap_or_default().into())
}

/// The size of `count` copies, if Go and the limits allow it.
fn copies(context: &Context<'_>, count: i64, text: &[u8]) -> Result<usize> {
    let count = usize::try_from(count).map_err(|_| message("strings: negative Repeat count"))?;
    context.check_size(count.saturating_mul(text.len()))?;
    Ok(count)
}

fn repeat(context: &mut Context<'_>, Int(count): Int, text: &Text) -> Result<Vec<u8>> {
    Ok(text.as_bytes().repeat(copies(context, count, text)?))
}

fn trim_all(cutset: &Text, text: &Text) -> Text {
    text::trim(text, cutset).into()
}

fn trim_suffix(suffix: &Text, text: &Text) -> Text {
    text.strip_suffix(suffix.as_bytes())
        .map_or_else(|| text.clone(), Text::from)
}

fn trim_prefix(prefix: &Text, text: &Text) -> Text {
    text.strip_prefix(prefix.as_bytes())
        .map_or_else(|| text.clone(), Text::from)
}

fn nospace(text: &Text) -> Vec<u8> {
    words::delete_white_space(text)
}

fn initials(text: &Text) -> Vec<u8> {
    words::initials(text)
}

fn swapcase(text: &Text) -> Vec<u8> {
    words::swap_case(text)
}

fn snakecase(text: &Text) -> Vec<u8> {
    cases::separated(text, '_')
}

fn camelcase(text: &Text) -> Vec<u8> {
    cases::pascal(text)
}

fn kebabcase(text: &Text) -> Vec<u8> {
    cases::separated(text, '-')
}

fn wrap(Int(width): Int, text: &Text) -> Vec<u8> {
    words::wrap(text, width, b"", false)
}

fn wrap_with(context: &mut Context<'_>, Int(width): Int, line_break: &Text, text: &Text) -> Result<Vec<u8>> {
    context.check_size(text.len().saturating_mul(line_break.len().max(1)))?;
    Ok(words::wrap(text, width, line_break, true))
}

fn contains(wanted: &Text, text: &Text) -> bool {
    text::find(text, wanted).is_some()
}

fn has_prefix(prefix: &Text, text: &Text) -> bool {
    text.starts_with(prefix)
}

fn has_suffix(suffix: &Text, text: &Text) -> bool {
    text.ends_with(suffix)
}

/// Each value but nil, made by `write`, with spaces between.
fn spaced(values: Variadic<'_, &Value>, mut write: impl FnMut(&mut Vec<u8>, &Value)) -> Vec<u8> {
    let mut output = Vec::new();
    let present = values.as_slice().iter().filter(|value| !matches!(value, Value::Nil));
    for (index, value) in present.enumerate() {
        if index > 0 {
            output.push(b' ');
        }
        write(&mut output, value);
    }
    output
}

fn quote(values: Variadic<'_, &Value>) -> Vec<u8> {
    spaced(values, |output, value| output.extend(strconv::quote(&strval(value))))
}

fn squote(values: Variadic<'_, &Value>) -> Vec<u8> {
    spaced(values, |output, value| {
        output.push(b'\'');
        output.extend(print(value));
        output.push(b'\'');
    })
}

fn cat(values: Variadic<'_, &Value>) -> Vec<u8> {
    spaced(values, |output, value| output.extend(print(value)))
}

/// Appends the text with `spaces` before each of its lines.
fn append_indented(context: &Context<'_>, output: &mut Vec<u8>, spaces: i64, text: &[u8]) -> Result<()> {
    let spaces = copies(context, spaces, b" ")?;
    let lines = text.split(|&byte| byte == b'\n').count();
    let size = text.len().saturating_add(spaces.saturating_mul(lines));
    context.check_size(size)?;
    output.reserve(size);
    for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
        if index > 0 {
            output.push(b'\n');
        }
        output.resize(output.len() + spaces, b' ');
        output.extend_from_slice(line);
    }
    Ok(())
}

fn indent(context: &mut Context<'_>, Int(spaces): Int, text: &Text) -> Result<Vec<u8>> {
    let mut output = Vec::new();
    append_indented(context, &mut output, spaces, text)?;
    Ok(output)
}

fn nindent(context: &mut Context<'_>, Int(spaces): Int, text: &Text) -> Result<Vec<u8>> {
    let mut output = vec![b'\n'];
    append_indented(context, &mut output, spaces, text)?;
    Ok(output)
}

fn replace(context: &mut Context<'_>, old: &Text, new: &Text, text: &Text) -> Result<Vec<u8>> {
    // At most one replacement for each byte and one at the end; looked at closely only where that could be too much.
    let most = text.len().saturating_add(1).saturating_mul(new.len().saturating_add(1));
    if context.check_size(most).is_err() && !old.is_empty() {
        let found = text::split(text, old, -1).len();
        context.check_size(text.len().saturating_add(found.saturating_mul(new.len())))?;
    } else {
        context.check_size(most)?;
    }
    Ok(text::replace(text, old, new))
}

fn plural(one: &Text, many: &Text, Int(count): Int) -> Text {
    if count == 1 { one.clone() } else { many.clone() }
}

/// Sprig's `strslice`: the elements but nil as strings; anything else but nil as one string.
fn strings(value: &Value) -> Vec<Text> {
    match value {
        Value::Nil => Vec::new(),
        Value::List(list) => list
            .iter()
            .filter(|item| !matches!(item, Value::Nil))
            .map(strval)
            .collect(),
        Value::Bytes(bytes) => bytes
            .as_bytes()
            .iter()
            .map(|byte| Text::from(byte.to_string()))
            .collect(),
        other => vec![strval(other)],
    }
}

fn to_strings(value: &Value) -> Strings {
    Strings(strings(value))
}

fn join(context: &mut Context<'_>, separator: &Text, value: &Value) -> Result<Vec<u8>> {
    let strings = strings(value);
    context.check_size(strings.len().saturating_mul(separator.len()))?;
    Ok(strings.join(separator.as_bytes()))
}

fn sort_alpha(value: &Value) -> Strings {
    if !matches!(value, Value::List(_) | Value::Bytes(_)) {
        return Strings(vec![strval(value)]);
    }
    let mut sorted = strings(value);
    sorted.sort_unstable();
    Strings(sorted)
}

fn split_list(context: &mut Context<'_>, separator: &Text, text: &Text) -> Result<Strings> {
    let pieces = text::split(text, separator, -1);
    context.check_elements(pieces.len(), || pieces.len())?;
    Ok(Strings(pieces.into_iter().map(Text::from).collect()))
}

fn split(context: &mut Context<'_>, separator: &Text, text: &Text) -> Result<StringMap> {
    splitn(context, separator, Int(-1), text)
}

fn splitn(context: &mut Context<'_>, separator: &Text, Int(limit): Int, text: &Text) -> Result<StringMap> {
    let pieces = text::split(text, separator, limit);
    context.check_elements(pieces.len(), || pieces.len())?;
    let pieces = pieces.into_iter().enumerate();
    Ok(StringMap(
        pieces
            .map(|(index, piece)| (format!("_{index}").into(), piece.into()))
            .collect(),
    ))
}
