//! Which objects a change is for, in the terms of kustomize's `target`.

use serde_json::Value;

use super::error::SpecError;
use super::object::{Identity, Object};
use crate::api::label_selector::MetadataSelector;
use crate::api::reference::Selector;
use crate::go::regexp::Regexp;

/// Which objects a change is for: all that every given part matches.
#[derive(Debug)]
pub struct Target {
    group: Option<Regexp>,
    version: Option<Regexp>,
    kind: Option<Regexp>,
    name: Option<Regexp>,
    namespace: Option<Regexp>,
    annotations: MetadataSelector,
    labels: MetadataSelector,
}

impl Target {
    /// Reads the parts of a target. An empty part is as good as none.
    ///
    /// # Errors
    /// When a regular expression or a selector cannot be read.
    pub fn new(selector: &Selector) -> Result<Self, SpecError> {
        let Selector {
            group,
            version,
            kind,
            name,
            namespace,
            annotation_selector,
            label_selector,
        } = selector;
        Ok(Self {
            group: anchored("target.group", group.as_deref())?,
            version: anchored("target.version", version.as_deref())?,
            kind: anchored("target.kind", kind.as_deref())?,
            name: anchored("target.name", name.as_deref())?,
            namespace: anchored("target.namespace", namespace.as_deref())?,
            annotations: MetadataSelector::of_annotations(annotation_selector.as_deref())
                .map_err(|message| unreadable("target.annotationSelector", message))?,
            labels: MetadataSelector::of_labels(label_selector.as_deref())
                .map_err(|message| unreadable("target.labelSelector", message))?,
        })
    }

    /// Whether an object is meant, by the name that it has or the one that it had.
    pub(super) fn matches(&self, object: &Object) -> bool {
        match (object.identities(), object.value()) {
            (Some(identities), Some(value)) => self.fits(identities, value),
            _ => false,
        }
    }

    /// Whether an object is meant, by its own name alone.
    pub fn selects(&self, object: &Value) -> bool {
        Identity::of(object).is_ok_and(|identity| self.fits([&identity, &identity], object))
    }

    /// Whether an object is meant that has the first name, and had the second.
    fn fits(&self, identities: [&Identity; 2], value: &Value) -> bool {
        let Self {
            group,
            version,
            kind,
            name,
            namespace,
            annotations,
            labels,
        } = self;
        let [current, _] = identities;
        let any = |wanted: &Option<Regexp>, text: fn(&Identity) -> &str| {
            identities.iter().any(|identity| fits(wanted.as_ref(), text(identity)))
        };
        fits(group.as_ref(), current.group())
            && fits(version.as_ref(), current.version())
            && fits(kind.as_ref(), &current.kind)
            && any(name, |identity| &identity.name)
            && any(namespace, Identity::effective_namespace)
            && annotations.selects(Some(value))
            && labels.selects(Some(value))
    }
}

fn fits(wanted: Option<&Regexp>, text: &str) -> bool {
    wanted.is_none_or(|wanted| wanted.is_match(text.as_bytes()))
}

/// A regular expression that the whole text must match.
fn anchored(field: &'static str, pattern: Option<&str>) -> Result<Option<Regexp>, SpecError> {
    let Some(pattern) = pattern.filter(|pattern| !pattern.is_empty()) else {
        return Ok(None);
    };
    let compiled = Regexp::compile(&format!("^(?:{pattern})$")).map_err(|error| SpecError::Regex {
        field,
        message: error.to_string(),
    })?;
    Ok(Some(compiled))
}

const fn unreadable(field: &'static str, message: String) -> SpecError {
    SpecError::Selector { field, message }
}
