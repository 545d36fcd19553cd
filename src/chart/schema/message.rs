//! A validation error as santhosh-tekuri/jsonschema v6 prints it, which is what Helm shows.
//!
//! The tree is boon's, by the same author. Where Go's order of siblings is that of a map, ours is sorted.

use std::fmt::Write as _;

use boon::{ErrorKind, InstanceToken, Type, ValidationError};
use serde_json::{Number, Value};

use crate::go::strconv;

use super::patterns::{NAMED, Patterns};

/// The whole tree: a heading, then one line an error, indented by two for each level.
pub(super) fn display(error: &ValidationError<'_, '_>, patterns: &Patterns) -> String {
    let mut text = String::new();
    write_error(&mut text, error, 0, error.schema_url, patterns);
    text
}

fn write_error(
    text: &mut String,
    error: &ValidationError<'_, '_>,
    mut indent: usize,
    parent_url: &str,
    patterns: &Patterns,
) {
    for depth in hidden_all_of(error, parent_url) {
        let tokens = &error.instance_location.tokens;
        let location = &tokens[..tokens.len().saturating_sub(depth)];
        start_line(text, indent);
        indent += 1;
        let _ = write!(text, "at {}: 'allOf' failed", quote(&pointer(location)));
    }
    let passes_on = matches!(error.kind, ErrorKind::Reference { .. }) && error.causes.len() == 1;
    if !passes_on {
        start_line(text, indent);
        indent += 1;
        // Writing to a String cannot fail.
        let _ = match &error.kind {
            ErrorKind::Schema { url } => write!(text, "jsonschema validation failed with {}", quote(url)),
            ErrorKind::Pattern { got, want } => {
                let want = patterns.get(*want).map_or(*want, |pattern| pattern.original.as_str());
                let location = quote(&pointer(&error.instance_location.tokens));
                write!(
                    text,
                    "at {location}: {} does not match pattern {}",
                    quote(got),
                    quote(want)
                )
            }
            kind => write!(
                text,
                "at {}: {}",
                quote(&pointer(&error.instance_location.tokens)),
                kind_text(kind)
            ),
        };
    }
    // Behind a reference and below the heading the causes' schema is another one.
    let url = match &error.kind {
        ErrorKind::Reference { url, .. } | ErrorKind::Schema { url } => url,
        ErrorKind::AllOf => "",
        _ => error.schema_url,
    };
    for cause in &error.causes {
        write_error(text, cause, indent, url, patterns);
    }
}

fn start_line(text: &mut String, indent: usize) {
    if indent > 0 {
        text.push('\n');
        text.extend(std::iter::repeat_n("  ", indent - 1));
        text.push_str("- ");
    }
}

/// boon leaves out an `allOf` with a single error, Go does not. Gives for each, outermost first, how many tokens of the
/// instance's location lie below it.
fn hidden_all_of(error: &ValidationError<'_, '_>, parent_url: &str) -> Vec<usize> {
    let Some(below) = error.schema_url.strip_prefix(parent_url) else {
        return Vec::new();
    };
    if parent_url.is_empty() || !(below.is_empty() || below.starts_with('/')) {
        return Vec::new();
    }
    let mut tokens = below.split('/').skip(1).peekable();
    let mut found = Vec::new();
    let mut descended = 0;
    while let Some(keyword) = tokens.next() {
        match keyword {
            "allOf" => {
                tokens.next();
                found.push(descended);
            }
            "properties" | "patternProperties" | "prefixItems" => {
                tokens.next();
                descended += 1;
            }
            "items" | "additionalItems" => {
                tokens.next_if(|token| token.bytes().all(|byte| byte.is_ascii_digit()));
                descended += 1;
            }
            "additionalProperties" | "contains" | "unevaluatedItems" | "unevaluatedProperties" => descended += 1,
            named if NAMED.contains(&named) => {
                tokens.next();
            }
            _ => {}
        }
    }
    found.into_iter().map(|before| descended - before).collect()
}

fn kind_text(kind: &ErrorKind<'_, '_>) -> String {
    match kind {
        ErrorKind::Group | ErrorKind::Reference { .. } => "validation failed".to_owned(),
        ErrorKind::Schema { url } => format!("jsonschema validation failed with {}", quote(url)),
        ErrorKind::ContentSchema => "'contentSchema' failed".to_owned(),
        ErrorKind::PropertyName { prop } => format!("invalid propertyName {}", quote(prop)),
        ErrorKind::RefCycle { url, kw_loc1, kw_loc2 } => {
            format!("both {kw_loc1} and {kw_loc2} resolve to {url:?} causing reference cycle")
        }
        ErrorKind::FalseSchema => "false schema".to_owned(),
        ErrorKind::Type { got, want } => {
            let want: Vec<&str> = want.iter().map(type_name).collect();
            format!("got {}, want {}", type_name(*got), want.join(" or "))
        }
        ErrorKind::Enum { want } => enumeration(want),
        ErrorKind::Const {
            want: Value::Array(_) | Value::Object(_),
        } => "'const' failed".to_owned(),
        ErrorKind::Const { want } => format!("value must be {}", primitive(want)),
        ErrorKind::Format { got, want, err } => format!("{} is not valid {want}: {err}", primitive(got)),
        ErrorKind::MinProperties { got, want } => counts("minProperties", *got, *want),
        ErrorKind::MaxProperties { got, want } => counts("maxProperties", *got, *want),
        ErrorKind::MinItems { got, want } => counts("minItems", *got, *want),
        ErrorKind::MaxItems { got, want } => counts("maxItems", *got, *want),
        ErrorKind::MinLength { got, want } => counts("minLength", *got, *want),
        ErrorKind::MaxLength { got, want } => counts("maxLength", *got, *want),
        ErrorKind::AdditionalProperties { got } => {
            format!(
                "additional properties {} not allowed",
                list(got.iter().map(AsRef::as_ref))
            )
        }
        ErrorKind::AdditionalItems { got } => format!("last {} additionalItem(s) not allowed", grouped_count(*got)),
        ErrorKind::Required { want } => match want.as_slice() {
            [one] => format!("missing property {}", quote(one)),
            more => format!("missing properties {}", list(more.iter().copied())),
        },
        ErrorKind::Dependency { prop, missing } | ErrorKind::DependentRequired { prop, missing } => {
            format!(
                "properties {} required, if {} exists",
                list(missing.iter().copied()),
                quote(prop)
            )
        }
        ErrorKind::UniqueItems { got: [first, second] } => {
            format!(
                "items at {} and {} are equal",
                grouped_count(*first),
                grouped_count(*second)
            )
        }
        ErrorKind::Contains => "no items match contains schema".to_owned(),
        ErrorKind::MinContains { got, want } if got.is_empty() => {
            format!(
                "min {} items required to match contains schema, but none matched",
                grouped_count(*want)
            )
        }
        ErrorKind::MinContains { got, want } => contained("min", got, *want),
        ErrorKind::MaxContains { got, want } => contained("max", got, *want),
        ErrorKind::Pattern { got, want } => format!("{} does not match pattern {}", quote(got), quote(want)),
        ErrorKind::ContentEncoding { want, err } => format!("value is not {} encoded: {err}", quote(want)),
        ErrorKind::ContentMediaType { want, err, got: _ } => {
            format!("value is not of mediatype {}: {err}", quote(want))
        }
        ErrorKind::Minimum { got, want } => numbers("minimum", got, want),
        ErrorKind::Maximum { got, want } => numbers("maximum", got, want),
        ErrorKind::ExclusiveMinimum { got, want } => numbers("exclusiveMinimum", got, want),
        ErrorKind::ExclusiveMaximum { got, want } => numbers("exclusiveMaximum", got, want),
        ErrorKind::MultipleOf { got, want } => numbers("multipleOf", got, want),
        ErrorKind::Not => "'not' failed".to_owned(),
        ErrorKind::AllOf => "'allOf' failed".to_owned(),
        ErrorKind::AnyOf => "'anyOf' failed".to_owned(),
        ErrorKind::OneOf(None) => "'oneOf' failed, none matched".to_owned(),
        ErrorKind::OneOf(Some((first, second))) => {
            let (first, second) = (grouped_count(*first), grouped_count(*second));
            format!("'oneOf' failed, subschemas {first}, {second} matched")
        }
    }
}

fn type_name(kind: Type) -> &'static str {
    match kind {
        Type::Null => "null",
        Type::Boolean => "boolean",
        Type::Number => "number",
        Type::Integer => "integer",
        Type::String => "string",
        Type::Array => "array",
        Type::Object => "object",
    }
}

fn enumeration(want: &[Value]) -> String {
    if want.iter().any(|item| item.is_array() || item.is_object()) {
        return "'enum' failed".to_owned();
    }
    let items: Vec<String> = want.iter().map(primitive).collect();
    match items.as_slice() {
        [one] => format!("value must be {one}"),
        more => format!("value must be one of {}", more.join(", ")),
    }
}

fn primitive(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => quote(text),
        Value::Array(_) | Value::Object(_) => "value".to_owned(),
        Value::Bool(boolean) => boolean.to_string(),
        Value::Number(number) => number.to_string(),
    }
}

fn counts(keyword: &str, got: usize, want: usize) -> String {
    format!("{keyword}: got {}, want {}", grouped_count(got), grouped_count(want))
}

fn numbers(keyword: &str, got: &Number, want: &Number) -> String {
    format!("{keyword}: got {}, want {}", localized(got), localized(want))
}

fn contained(bound: &str, got: &[usize], want: usize) -> String {
    let places: Vec<String> = got.iter().map(ToString::to_string).collect();
    format!(
        "{bound} {} items required to match contains schema, but matched {} items at {}",
        grouped_count(want),
        grouped_count(got.len()),
        places.join(" ")
    )
}

/// Go prints numbers in English here: 65,536 and 1×10⁰⁶.
fn localized(number: &Number) -> String {
    let float = number.as_f64().unwrap_or_default();
    let scientific = format!("{float:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let power: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&power) {
        return grouped(&format!("{float}"));
    }
    let sign = if power < 0 { "⁻" } else { "" };
    let superscripts: String = format!("{:02}", power.abs())
        .chars()
        .filter_map(|digit| "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().nth(digit.to_digit(10)? as usize))
        .collect();
    format!("{digits}×10{sign}{superscripts}")
}

fn grouped_count(count: usize) -> String {
    grouped(&count.to_string())
}

/// A comma between every three digits before the point.
fn grouped(number: &str) -> String {
    let (sign, unsigned) = match number.strip_prefix('-') {
        Some(unsigned) => ("-", unsigned),
        None => ("", number),
    };
    let (whole, fraction) = match unsigned.find('.') {
        Some(point) => unsigned.split_at(point),
        None => (unsigned, ""),
    };
    let mut text = sign.to_owned();
    for (at, digit) in whole.char_indices() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text.push_str(fraction);
    text
}

fn list<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.map(quote).collect::<Vec<_>>().join(", ")
}

/// Go's quotes made single ones.
fn quote(text: &str) -> String {
    let quoted = strconv::quote(text.as_bytes());
    let quoted = String::from_utf8_lossy(&quoted);
    let inner = quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(&quoted);
    format!("'{}'", inner.replace("\\\"", "\"").replace('\'', "\\'"))
}

fn pointer(location: &[InstanceToken<'_>]) -> String {
    let mut text = String::new();
    for token in location {
        text.push('/');
        match token {
            InstanceToken::Prop(name) => text.push_str(&pointer_token(name)),
            InstanceToken::Item(index) => text.push_str(&index.to_string()),
        }
    }
    text
}

/// One part of a JSON pointer.
pub(super) fn pointer_token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
