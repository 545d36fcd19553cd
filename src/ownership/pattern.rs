//! Patterns of field paths for rules: `.spec.template.spec.containers[*].resources`, `.data[*]`.
//!
//! A pattern matches the path that it describes and everything below it. It never matches what lies above: taking or
//! leaving an atomic parent would reach further than the rule says.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::path::{FieldPath, PathElement, PathError, Scalar};
use super::path_parser::{Parser, Step};

/// One step of a pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PatternElement {
    /// Exactly this step; a key matches every item that has these keys, others (defaulted ones) may be there too.
    Exactly(PathElement),
    /// Any one step: `[*]` or `.*`.
    Any,
}

impl PatternElement {
    fn matches(&self, element: &PathElement) -> bool {
        match (self, element) {
            (Self::Any, _) => true,
            (Self::Exactly(PathElement::Key(wanted)), PathElement::Key(found)) => has_keys(wanted, found),
            (Self::Exactly(wanted), found) => wanted == found,
        }
    }
}

fn has_keys(wanted: &BTreeMap<String, Scalar>, found: &BTreeMap<String, Scalar>) -> bool {
    wanted.iter().all(|(name, value)| found.get(name) == Some(value))
}

/// A set of paths: everything at or below what the pattern describes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathPattern(Vec<PatternElement>);

impl PathPattern {
    /// The pattern that matches this path and everything below it.
    pub fn exactly(path: &FieldPath) -> Self {
        Self(path.elements().iter().cloned().map(PatternElement::Exactly).collect())
    }

    /// Whether the path is what the pattern describes or lies below it.
    pub fn matches(&self, path: &FieldPath) -> bool {
        let elements = path.elements();
        elements.len() >= self.0.len()
            && self
                .0
                .iter()
                .zip(elements)
                .all(|(pattern, element)| pattern.matches(element))
    }
}

impl FromStr for PathPattern {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let mut parser = Parser::new(text)?;
        let mut elements = Vec::new();
        while let Some(step) = parser.next_step()? {
            elements.push(match step {
                Step::Field(name) => PatternElement::Exactly(PathElement::Field(name)),
                Step::Key(keys) => PatternElement::Exactly(PathElement::Key(keys)),
                Step::Value(value) => PatternElement::Exactly(PathElement::Value(value)),
                Step::Index(index) => PatternElement::Exactly(PathElement::Index(index)),
                Step::Any => PatternElement::Any,
            });
        }
        Ok(Self(elements))
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(".");
        }
        self.0.iter().try_for_each(|element| match element {
            PatternElement::Exactly(element) => element.fmt(f),
            PatternElement::Any => f.write_str("[*]"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        pattern.parse::<PathPattern>().unwrap().matches(&path.parse().unwrap())
    }

    #[test]
    fn matches_the_path_and_below() {
        assert!(matches(".spec.replicas", ".spec.replicas"));
        assert!(matches(
            ".spec.template",
            ".spec.template.spec.containers[name=\"a\"].image"
        ));
        assert!(!matches(".spec.replicas", ".spec"));
        assert!(!matches(".spec.replicas", ".spec.replicasX"));
        assert!(matches(".", ".spec.replicas"));
    }

    #[test]
    fn star_is_any_one_step() {
        assert!(matches(".data[*]", ".data[\"a.yaml\"]"));
        assert!(matches(".data.*", ".data.key"));
        assert!(matches(
            ".spec.containers[*].resources",
            ".spec.containers[name=\"a\"].resources.limits.cpu"
        ));
        assert!(!matches(".data[*]", ".data"));
        assert!(!matches(
            ".spec.containers[*].resources",
            ".spec.containers[name=\"a\"].image"
        ));
    }

    #[test]
    fn keys_may_be_given_in_part() {
        assert!(matches(
            ".spec.ports[port=80]",
            ".spec.ports[port=80,protocol=\"TCP\"].nodePort"
        ));
        assert!(!matches(
            ".spec.ports[port=81]",
            ".spec.ports[port=80,protocol=\"TCP\"].nodePort"
        ));
    }

    #[test]
    fn prints_what_it_reads() {
        for text in [
            ".",
            ".spec.containers[*].resources",
            ".data[*]",
            ".metadata.labels[\"a.b/c\"]",
        ] {
            assert_eq!(text.parse::<PathPattern>().unwrap().to_string(), text);
        }
    }
}
