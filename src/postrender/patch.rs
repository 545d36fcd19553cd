//! Patches: told apart by their text, and applied to the objects that they are for.

use serde_json::Value;

use super::error::{ChangeError, PostRenderError, SpecError};
use super::json_patch::JsonPatch;
use super::limits::MAXIMUM_PATCH_BYTES;
use super::merge::merge;
use super::object::{Identity, Object};
use super::target::Target;
use crate::api::helm_release::post_render as api;
use crate::render::flatten;
use crate::yaml;

/// One entry of `patches`.
#[derive(Debug)]
pub(super) struct Patch {
    /// The field that it comes from.
    place: String,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// Strategic merge patches, each for the object that it names.
    OfNamed(Vec<(Identity, Value)>),
    /// A strategic merge patch for every object of a target.
    OfTarget(Target, Value),
    /// A JSON patch for every object of a target.
    Json(Target, JsonPatch),
}

/// Reads the entries of `patches` at a place of the spec.
pub(super) fn read_all(place: &str, patches: &[api::Patch]) -> Result<Vec<Patch>, PostRenderError> {
    let read = |(index, patch): (usize, &api::Patch)| {
        let place = format!("{place}.patches[{index}]");
        match read(patch) {
            Ok(form) => Ok(Patch { place, form }),
            Err(source) => Err(PostRenderError::Spec { place, source }),
        }
    };
    patches.iter().enumerate().map(read).collect()
}

fn read(patch: &api::Patch) -> Result<Form, SpecError> {
    let api::Patch { patch: text, target } = patch;
    if text.len() > MAXIMUM_PATCH_BYTES {
        return Err(SpecError::TooLong {
            maximum: MAXIMUM_PATCH_BYTES,
        });
    }
    let target = target.as_ref().map(Target::new).transpose()?;
    let mut documents = documents(text)?;
    if let Some(position) = documents.iter().position(|(_, document)| document.is_array()) {
        let (_, operations) = documents.swap_remove(position);
        if !documents.is_empty() {
            return Err(SpecError::SeveralDocuments);
        }
        let patch = JsonPatch::read(operations)?;
        return Ok(Form::Json(target.ok_or(SpecError::NoTarget)?, patch));
    }
    let mut patches = Vec::new();
    for (document, value) in &documents {
        if !value.is_object() {
            return Err(SpecError::NeitherForm { document: *document });
        }
        for patch in flatten(value) {
            let identity = Identity::of(patch).map_err(|field| SpecError::NoIdentity {
                document: *document,
                field,
            })?;
            patches.push((identity, patch.clone()));
        }
    }
    match (target, patches.len()) {
        (_, 0) => Err(SpecError::Empty),
        (None, _) => Ok(Form::OfNamed(patches)),
        (Some(target), 1) => Ok(Form::OfTarget(target, patches.swap_remove(0).1)),
        (Some(_), count) => Err(SpecError::SeveralWithTarget { count }),
    }
}

/// The documents of a text, counted from one; those of comments are left out.
fn documents(text: &str) -> Result<Vec<(usize, Value)>, SpecError> {
    let mut documents = Vec::new();
    for (index, document) in yaml::split_documents(text).enumerate() {
        let document = (
            index + 1,
            yaml::to_json_strict(document.as_bytes()).map_err(|error| SpecError::Yaml {
                document: index + 1,
                message: error.to_string(),
            })?,
        );
        if !document.1.is_null() {
            documents.push(document);
        }
    }
    Ok(documents)
}

impl Patch {
    /// Applies the patch to those of the objects that it is for.
    pub(super) fn apply(&self, objects: &mut [Object]) -> Result<(), PostRenderError> {
        let Self { place, form } = self;
        match form {
            Form::OfNamed(patches) => {
                for (identity, patch) in patches {
                    let object = named(place, identity, objects)?;
                    change(place, object, |value| merge_keeping_name(value, patch))?;
                }
            }
            Form::OfTarget(target, patch) => {
                for object in objects.iter_mut().filter(|object| target.matches(object)) {
                    change(place, object, |value| merge_keeping_name(value, patch))?;
                }
            }
            Form::Json(target, patch) => {
                for object in objects.iter_mut().filter(|object| target.matches(object)) {
                    change(place, object, |value| patch.apply(value).map(Some))?;
                }
            }
        }
        Ok(())
    }
}

/// The one object that a patch without target names.
fn named<'o>(place: &str, identity: &Identity, objects: &'o mut [Object]) -> Result<&'o mut Object, PostRenderError> {
    let is_meant = |object: &&mut Object| {
        let identities = object.identities();
        identities.is_some_and(|identities| identities.iter().any(|known| known.is(identity)))
    };
    let mut meant = objects.iter_mut().filter(is_meant);
    match (meant.next(), meant.next()) {
        (Some(object), None) => Ok(object),
        (None, _) => Err(PostRenderError::NoObject {
            place: place.to_owned(),
            object: identity.to_string(),
        }),
        (Some(_), Some(_)) => Err(PostRenderError::SeveralObjects {
            place: place.to_owned(),
            object: identity.to_string(),
        }),
    }
}

fn change(
    place: &str,
    object: &mut Object,
    change: impl FnOnce(Value) -> Result<Option<Value>, ChangeError>,
) -> Result<(), PostRenderError> {
    let label = object.label();
    object.change(change).map_err(|source| PostRenderError::Change {
        place: place.to_owned(),
        object: label,
        source,
    })
}

/// Merges a patch into an object. A strategic merge patch changes neither the kind nor the name of an object: with a target, the patch
/// has others.
fn merge_keeping_name(object: Value, patch: &Value) -> Result<Option<Value>, ChangeError> {
    let identity = Identity::of(&object).map_err(ChangeError::NoIdentity)?;
    let mut patch = patch.clone();
    if let Some(fields) = patch.as_object_mut() {
        set(fields, "apiVersion", Some(identity.api_version));
        set(fields, "kind", Some(identity.kind));
    }
    if let Some(Value::Object(metadata)) = patch.get_mut("metadata") {
        set(metadata, "name", Some(identity.name));
        set(metadata, "namespace", identity.namespace);
    }
    merge(object, &patch)
}

fn set(fields: &mut serde_json::Map<String, Value>, name: &str, value: Option<String>) {
    match value {
        Some(value) => fields.insert(name.to_owned(), Value::String(value)),
        None => fields.remove(name),
    };
}
