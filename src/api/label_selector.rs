//! Selectors as text, as `kubectl get -l` has them (`app=web,tier in (a, b),!canary`), of objects by their labels or annotations.

use std::collections::{BTreeMap, BTreeSet};

use kube::core::{Expression, Selector, SelectorExt as _};
use serde_json::Value;

/// What the labels or the annotations of an object must be.
#[derive(Debug, Clone)]
pub struct MetadataSelector {
    /// JSON pointer to the map in the object.
    map: &'static str,
    selector: Selector,
}

impl MetadataSelector {
    /// Reads a selector of labels; none, and an empty text, select everything.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn of_labels(text: Option<&str>) -> Result<Self, String> {
        Self::of("/metadata/labels", text)
    }

    /// Reads a selector of annotations; none, and an empty text, select everything.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn of_annotations(text: Option<&str>) -> Result<Self, String> {
        Self::of("/metadata/annotations", text)
    }

    fn of(map: &'static str, text: Option<&str>) -> Result<Self, String> {
        let selector = parse(text.unwrap_or_default())?;
        Ok(Self { map, selector })
    }

    /// Whether it selects an object; what is not known is selected only by what selects everything.
    pub fn selects(&self, object: Option<&Value>) -> bool {
        let Self { map, selector } = self;
        if selector.selects_all() {
            return true;
        }
        let Some(object) = object else { return false };
        let entries = object.pointer(map).and_then(Value::as_object);
        let texts = entries
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
        selector.matches(&texts.collect::<BTreeMap<_, _>>())
    }
}

/// One word or sign of a selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Sign(&'a str),
}

/// Reads a selector; an empty text selects everything.
fn parse(text: &str) -> Result<Selector, String> {
    let tokens = tokens(text)?;
    let mut rest = tokens.as_slice();
    let mut expressions = Vec::new();
    while !rest.is_empty() {
        let (expression, after) = requirement(rest)?;
        expressions.push(expression);
        rest = match after {
            [] => after,
            [Token::Sign(","), further @ ..] if !further.is_empty() => further,
            _ => {
                return Err(format!(
                    "a comma and a requirement must follow on {:?}",
                    spelled(&tokens, after)
                ));
            }
        };
    }
    Ok(expressions.into_iter().collect())
}

fn requirement<'t, 'a>(tokens: &'t [Token<'a>]) -> Result<(Expression, &'t [Token<'a>]), String> {
    use Token::{Sign, Word};
    match tokens {
        [Sign("!"), Word(key), rest @ ..] => Ok((Expression::DoesNotExist((*key).to_owned()), rest)),
        [Word(key), Word("in"), rest @ ..] => {
            let (values, rest) = set(rest)?;
            Ok((Expression::In((*key).to_owned(), values), rest))
        }
        [Word(key), Word("notin"), rest @ ..] => {
            let (values, rest) = set(rest)?;
            Ok((Expression::NotIn((*key).to_owned(), values), rest))
        }
        [Word(key), Sign("=" | "=="), rest @ ..] => {
            let (value, rest) = value(rest);
            Ok((Expression::Equal((*key).to_owned(), value), rest))
        }
        [Word(key), Sign("!="), rest @ ..] => {
            let (value, rest) = value(rest);
            Ok((Expression::NotEqual((*key).to_owned(), value), rest))
        }
        [Word(key), rest @ ..] => Ok((Expression::Exists((*key).to_owned()), rest)),
        _ => Err("a requirement must begin with a key, or with ! and a key".to_owned()),
    }
}

/// The value after an operator; it may be empty.
fn value<'t, 'a>(tokens: &'t [Token<'a>]) -> (String, &'t [Token<'a>]) {
    match tokens {
        [Token::Word(value), rest @ ..] => ((*value).to_owned(), rest),
        rest => (String::new(), rest),
    }
}

/// `(a, b)`.
fn set<'t, 'a>(tokens: &'t [Token<'a>]) -> Result<(BTreeSet<String>, &'t [Token<'a>]), String> {
    let [Token::Sign("("), rest @ ..] = tokens else {
        return Err("( must follow on in and notin".to_owned());
    };
    let mut values = BTreeSet::new();
    let mut rest = rest;
    loop {
        let (value, after) = value(rest);
        values.insert(value);
        rest = match after {
            [Token::Sign(","), after @ ..] => after,
            [Token::Sign(")"), after @ ..] => return Ok((values, after)),
            _ => return Err(") must follow on the values of in and notin".to_owned()),
        };
    }
}

/// What a part of the tokens says, for messages.
fn spelled(tokens: &[Token<'_>], after: &[Token<'_>]) -> String {
    let before = tokens.len().saturating_sub(after.len());
    let words = tokens.iter().take(before).map(|token| match token {
        Token::Word(text) | Token::Sign(text) => *text,
    });
    words.collect::<Vec<_>>().join(" ")
}

fn tokens(text: &str) -> Result<Vec<Token<'_>>, String> {
    const SIGNS: [&str; 7] = ["==", "!=", "=", "!", ",", "(", ")"];
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (token, after) = if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            (Token::Sign(sign), rest.split_at(sign.len()).1)
        } else {
            let end = rest.find(|character| !is_of_word(character)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            if word.is_empty() {
                let found = rest.chars().next().unwrap_or_default();
                return Err(format!("{found:?} is not expected here"));
            }
            (Token::Word(word), after)
        };
        tokens.push(token);
        rest = after.trim_start();
    }
    Ok(tokens)
}

fn is_of_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.' | '/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_read_as_kubectl_reads_them() {
        let cases = [
            ("", ""),
            ("app=web", "app=web"),
            (" app == web , tier!=db", "app=web,tier!=db"),
            ("app in (a, b),tier notin (c)", "app in (a,b),tier notin (c)"),
            ("example.com/app,!canary", "example.com/app,!canary"),
            ("app=,b", "app=,b"),
        ];
        for (text, expected) in cases {
            assert_eq!(
                parse(text).map(|selector| selector.to_string()),
                Ok(expected.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn labels_and_annotations_are_told_apart_and_nothing_is_selected_unseen() {
        let object = serde_json::json!({"metadata": {"labels": {"app": "web"}, "annotations": {"tier": "front"}}});
        let labels = |text| MetadataSelector::of_labels(Some(text)).unwrap();
        let annotations = |text| MetadataSelector::of_annotations(Some(text)).unwrap();
        assert!(labels("app=web,!tier").selects(Some(&object)));
        assert!(annotations("tier=front,!app").selects(Some(&object)));
        assert!(!annotations("app").selects(Some(&object)));
        assert!(!labels("!tier").selects(None));
        assert!(labels("").selects(None) && MetadataSelector::of_labels(None).unwrap().selects(None));
    }

    #[test]
    fn what_is_no_selector_is_an_error() {
        for text in [
            "=", ",", "a,", "a b", "a in", "a in (", "a in (b", "a=b c", "a>1", "a=b,,c", "!", "é",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
