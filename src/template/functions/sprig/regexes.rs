//! Regular expressions. Those without `must` panic on a bad pattern (`regexMatch` says false); in a template that is an
//! error like any other, with another text.

use std::collections::HashMap;
use std::rc::Rc;

use super::message;
use crate::go::regexp::{self, Code, Error, Regexp};
use crate::go::strconv;
use crate::template::context::Context;
use crate::template::error::{FunctionError, LimitError};
use crate::template::function::{Function, Int, Type, function};
use crate::template::value::{List, ListType, Text, Value};

type Result<T> = std::result::Result<T, FunctionError>;

const TEXTS: Type = Type::List(ListType::String);

pub(super) const FUNCTIONS: &[Function] = &[
    function!("regexMatch", @context regex_match, (&Text, &Text) -> Result<bool>),
    function!("mustRegexMatch", @context must_regex_match, (&Text, &Text) -> Result<bool>),
    function!("regexFind", @context regex_find, (&Text, &Text) -> Result<Text>),
    function!("mustRegexFind", @context must_regex_find, (&Text, &Text) -> Result<Text>),
    function!("regexFindAll", @context regex_find_all, (&Text, &Text, Int) -> Result<Value> as TEXTS),
    function!("mustRegexFindAll", @context must_regex_find_all, (&Text, &Text, Int) -> Result<Value> as TEXTS),
    function!("regexReplaceAll", @context replace_all, (&Text, &Text, &Text) -> Result<Vec<u8>>),
    function!("mustRegexReplaceAll", @context must_replace_all, (&Text, &Text, &Text) -> Result<Vec<u8>>),
    function!("regexReplaceAllLiteral", @context replace_literal, (&Text, &Text, &Text) -> Result<Vec<u8>>),
    function!("mustRegexReplaceAllLiteral", @context must_replace_literal, (&Text, &Text, &Text) -> Result<Vec<u8>>),
    function!("regexSplit", @context regex_split, (&Text, &Text, Int) -> Result<Value> as TEXTS),
    function!("mustRegexSplit", @context must_regex_split, (&Text, &Text, Int) -> Result<Value> as TEXTS),
    function!("regexQuoteMeta", quote_meta, (&Text) -> Vec<u8>),
];

/// The expressions of one rendering, compiled. Bounded: a template may make patterns without end.
#[derive(Default)]
struct Compiled(HashMap<Text, Rc<Regexp>>);

/// How many expressions are kept.
const KEPT: usize = 64;
/// How many states of an expression are compiled, or taken by a byte of text, in the time of a step.
const STATES_PER_STEP: usize = 32;

/// `regexp.Compile`, and counts what matching this text takes.
fn compile(
    context: &mut Context<'_>,
    pattern: &Text,
    text: &Text,
) -> std::result::Result<std::result::Result<Rc<Regexp>, Error>, LimitError> {
    let limit = context.limits().regex;
    let known = context.cache::<Compiled>().0.get(pattern).map(Rc::clone);
    let expression = match known {
        Some(expression) => expression,
        None => match compile_new(pattern, limit) {
            Err(error) if error.code == Code::Large => return Err(LimitError::Regex(limit)),
            Err(error) => return Ok(Err(error)),
            Ok(expression) => {
                let expression = Rc::new(expression);
                // Compiling takes some passes over all states.
                context.spend(expression.states() / 4)?;
                let Compiled(expressions) = context.cache::<Compiled>();
                if expressions.len() >= KEPT {
                    expressions.clear();
                }
                expressions.insert(pattern.clone(), Rc::clone(&expression));
                expression
            }
        },
    };
    context.spend(text.len().saturating_mul(expression.states()) / STATES_PER_STEP)?;
    Ok(Ok(expression))
}

fn compile_new(pattern: &Text, limit: usize) -> std::result::Result<Regexp, Error> {
    let text = pattern
        .to_str()
        .ok_or_else(|| Error::new(Code::InvalidUtf8, &pattern.to_str_lossy()))?;
    Regexp::compile_within(text, limit)
}

/// `regexp.MustCompile`.
fn must_compile(context: &mut Context<'_>, pattern: &Text, text: &Text) -> Result<Rc<Regexp>> {
    compile(context, pattern, text)?.map_err(|error| {
        let quoted = if strconv::can_backquote(pattern) {
            format!("`{pattern}`")
        } else {
            String::from_utf8_lossy(&strconv::quote(pattern)).into_owned()
        };
        message(format!("regexp: Compile({quoted}): {error}"))
    })
}

/// `regexp.Compile`, with its error as the function's.
fn try_compile(context: &mut Context<'_>, pattern: &Text, text: &Text) -> Result<Rc<Regexp>> {
    compile(context, pattern, text)?.map_err(message)
}

fn regex_match(context: &mut Context<'_>, pattern: &Text, text: &Text) -> Result<bool> {
    Ok(compile(context, pattern, text)?.is_ok_and(|expression| expression.is_match(text)))
}

fn must_regex_match(context: &mut Context<'_>, pattern: &Text, text: &Text) -> Result<bool> {
    Ok(try_compile(context, pattern, text)?.is_match(text))
}

fn find(expression: &Regexp, text: &Text) -> Text {
    expression
        .find(text)
        .map_or_else(Text::default, |range| text[range].into())
}

fn regex_find(context: &mut Context<'_>, pattern: &Text, text: &Text) -> Result<Text> {
    Ok(find(&*must_compile(context, pattern, text)?, text))
}

fn must_regex_find(context: &mut Context<'_>, pattern: &Text, text: &Text) -> Result<Text> {
    Ok(find(&*try_compile(context, pattern, text)?, text))
}

/// Go's result is nil when nothing was found.
fn find_all(context: &Context<'_>, expression: &Regexp, text: &Text, limit: i64) -> Result<Value> {
    context.check_elements(text.len(), || expression.find_all(text, limit).len())?;
    let found: Vec<Text> = expression
        .find_all(text, limit)
        .into_iter()
        .map(|range| text[range].into())
        .collect();
    if found.is_empty() {
        return Ok(Value::List(List::nil(ListType::String)));
    }
    Ok(Value::List(List::strings(found)))
}

fn regex_find_all(context: &mut Context<'_>, pattern: &Text, text: &Text, Int(limit): Int) -> Result<Value> {
    let expression = must_compile(context, pattern, text)?;
    find_all(context, &expression, text, limit)
}

fn must_regex_find_all(context: &mut Context<'_>, pattern: &Text, text: &Text, Int(limit): Int) -> Result<Value> {
    let expression = try_compile(context, pattern, text)?;
    find_all(context, &expression, text, limit)
}

/// Replaces after a check that the result cannot be beyond the limit.
fn replaced(context: &Context<'_>, expression: &Regexp, text: &Text, with: &Text, literal: bool) -> Result<Vec<u8>> {
    // A reference to a group can bring the whole text once for each match.
    let most_for_one = if literal {
        with.len()
    } else {
        with.len().saturating_mul(text.len().max(1))
    };
    if context
        .check_size(text.len().saturating_add(1).saturating_mul(most_for_one.max(1)))
        .is_err()
    {
        let matches = expression.find_all(text, -1);
        let matched: usize = matches.iter().map(ExactSizeIterator::len).sum();
        let references = if literal { 0 } else { with.len() / 2 };
        let added = matches
            .len()
            .saturating_mul(with.len())
            .saturating_add(matched.saturating_mul(references));
        context.check_size(text.len().saturating_add(added))?;
    }
    Ok(if literal {
        expression.replace_all_literal(text, with)
    } else {
        expression.replace_all(text, with)
    })
}

fn replace_all(context: &mut Context<'_>, pattern: &Text, text: &Text, with: &Text) -> Result<Vec<u8>> {
    let expression = must_compile(context, pattern, text)?;
    replaced(context, &expression, text, with, false)
}

fn must_replace_all(context: &mut Context<'_>, pattern: &Text, text: &Text, with: &Text) -> Result<Vec<u8>> {
    let expression = try_compile(context, pattern, text)?;
    replaced(context, &expression, text, with, false)
}

fn replace_literal(context: &mut Context<'_>, pattern: &Text, text: &Text, with: &Text) -> Result<Vec<u8>> {
    let expression = must_compile(context, pattern, text)?;
    replaced(context, &expression, text, with, true)
}

fn must_replace_literal(context: &mut Context<'_>, pattern: &Text, text: &Text, with: &Text) -> Result<Vec<u8>> {
    let expression = try_compile(context, pattern, text)?;
    replaced(context, &expression, text, with, true)
}

fn split(context: &Context<'_>, expression: &Regexp, text: &Text, limit: i64) -> Result<Value> {
    if limit == 0 {
        return Ok(Value::List(List::nil(ListType::String)));
    }
    context.check_elements(text.len(), || expression.find_all(text, limit).len())?;
    Ok(Value::List(List::strings(expression.split(text, limit))))
}

fn regex_split(context: &mut Context<'_>, pattern: &Text, text: &Text, Int(limit): Int) -> Result<Value> {
    let expression = must_compile(context, pattern, text)?;
    split(context, &expression, text, limit)
}

fn must_regex_split(context: &mut Context<'_>, pattern: &Text, text: &Text, Int(limit): Int) -> Result<Value> {
    let expression = try_compile(context, pattern, text)?;
    split(context, &expression, text, limit)
}

fn quote_meta(text: &Text) -> Vec<u8> {
    regexp::quote_meta(text)
}
