//! The user's values of a release, read from where `spec.valuesFrom` says.
//!
//! Edge. Each object is read once a reconcile. How values are composed is `plan::values`'s.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::inputs::InputError;
use crate::api::HelmRelease;
use crate::api::helm_release::values::{ValuesKind, ValuesReference};
use crate::operator::referred::Referred;
use crate::plan::values::{BadContent, Composed, Content, compose};

/// What an object holds, by key; `None` for an object that does not exist.
type Held = Option<BTreeMap<String, Vec<u8>>>;

/// Reads and composes the values of a release.
///
/// # Errors
/// When an object or a key is missing that is not optional, or what a key holds makes no values.
pub async fn values(referred: &Referred, release: &HelmRelease) -> Result<Composed, InputError> {
    let references = &release.spec.values_from;
    let mut objects: BTreeMap<(ValuesKind, &str), Held> = BTreeMap::new();
    for (index, reference) in references.iter().enumerate() {
        let object = (reference.kind, reference.name.as_str());
        if let Entry::Vacant(unread) = objects.entry(object) {
            let held = read(referred, release.own_namespace(), object).await;
            let held = held.map_err(|error| failed(release, index, error.to_string()))?;
            unread.insert(held);
        }
    }
    let mut contents = Vec::with_capacity(references.len());
    for (index, reference) in references.iter().enumerate() {
        let held = objects.get(&(reference.kind, reference.name.as_str()));
        let bytes =
            content(held.and_then(Option::as_ref), reference).map_err(|problem| failed(release, index, problem))?;
        contents.extend(bytes.map(|bytes| Content {
            index,
            reference,
            bytes,
        }));
    }
    compose(&contents, release.spec.values.as_ref())
        .map_err(|BadContent { index, problem }| failed(release, index, problem))
}

fn failed(release: &HelmRelease, index: usize, problem: String) -> InputError {
    let reference = release.spec.values_from.get(index);
    InputError::Values {
        index,
        kind: match reference.map(|reference| reference.kind) {
            Some(ValuesKind::ConfigMap) => "ConfigMap",
            Some(ValuesKind::Secret) | None => "Secret",
        },
        namespace: release.own_namespace().to_owned(),
        name: reference.map(|reference| reference.name.clone()).unwrap_or_default(),
        problem,
    }
}

/// What the key of a reference holds; nothing if it is missing and may be.
fn content<'a>(
    held: Option<&'a BTreeMap<String, Vec<u8>>>,
    reference: &ValuesReference,
) -> Result<Option<&'a [u8]>, String> {
    let key = reference.effective_key();
    match held.map(|held| held.get(key)) {
        Some(Some(bytes)) => Ok(Some(bytes)),
        Some(None) | None if reference.optional => Ok(None),
        Some(None) => Err(format!("it has no key {key:?}; add it, or set valuesKey or optional")),
        None => Err("it does not exist; create it, or set optional".to_owned()),
    }
}

async fn read(referred: &Referred, namespace: &str, (kind, name): (ValuesKind, &str)) -> kube::Result<Held> {
    Ok(match kind {
        ValuesKind::Secret => referred.secret(namespace, name).await?.map(|secret| {
            let data = secret.data.iter().flatten();
            data.map(|(key, content)| (key.clone(), content.0.clone())).collect()
        }),
        ValuesKind::ConfigMap => referred.config_map(namespace, name).await?.map(|map| {
            let binary = map.binary_data.iter().flatten();
            let binary = binary.map(|(key, content)| (key.clone(), content.0.clone()));
            let data = map.data.iter().flatten();
            binary
                .chain(data.map(|(key, text)| (key.clone(), text.clone().into_bytes())))
                .collect()
        }),
    })
}
