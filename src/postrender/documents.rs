//! The documents of a rendering as objects, and back.

use std::collections::HashMap;

use serde_json::Value;

use super::PostRendering;
use super::error::PostRenderError;
use super::object::Object;
use crate::api::helm_release::post_render::PostRenderStrategy;
use crate::render::{Hook, Manifest, Position, Rendered};
use crate::yaml;

/// A document while its objects are changed.
struct Document {
    position: Position,
    /// The document as it was rendered.
    rendered: Value,
    items: Vec<Item>,
}

/// One of a document's objects.
enum Item {
    /// Its place among all objects that are changed.
    Object(usize),
    /// It names no object, so no patch can be about it.
    Nameless(Value),
}

impl PostRendering {
    /// Changes what a chart was rendered to. Documents that no change is about keep their text; the others are written anew.
    ///
    /// # Errors
    /// When a patch cannot be applied, or what comes of it is no manifest.
    pub fn apply(&self, rendered: &mut Rendered, strategy: PostRenderStrategy) -> Result<(), PostRenderError> {
        if self.is_empty() {
            return Ok(());
        }
        let manifests: Vec<Position> = (0..rendered.manifests.len()).map(Position::Manifest).collect();
        let hooks = (0..rendered.hooks.len()).map(Position::Hook);
        let groups = match strategy {
            PostRenderStrategy::NoHooks => vec![manifests],
            PostRenderStrategy::Combined => vec![manifests.into_iter().chain(hooks).collect()],
            PostRenderStrategy::Separate => vec![manifests, hooks.collect()],
        };
        let mut texts = HashMap::new();
        for group in groups {
            self.change_group(rendered, &group, &mut texts)?;
        }
        rendered
            .replace(texts)
            .map_err(|source| PostRenderError::Document(Box::new(source)))
    }

    /// Changes documents together; `texts` gets what comes of those that change.
    fn change_group(
        &self,
        rendered: &Rendered,
        group: &[Position],
        texts: &mut HashMap<Position, Option<String>>,
    ) -> Result<(), PostRenderError> {
        let mut objects = Vec::new();
        let documents: Vec<Document> = group
            .iter()
            .filter_map(|position| Document::of(*position, manifest(rendered, *position)?, &mut objects))
            .collect();
        self.change(&mut objects)?;
        for document in documents.into_iter().filter(|document| document.is_changed(&objects)) {
            texts.insert(document.position, document.into_text(&objects));
        }
        Ok(())
    }
}

fn manifest(rendered: &Rendered, position: Position) -> Option<&Manifest> {
    match position {
        Position::Manifest(index) => rendered.manifests.get(index),
        Position::Hook(index) => rendered.hooks.get(index).map(|Hook { manifest, .. }| manifest),
    }
}

impl Document {
    /// Takes a document apart; nothing for one of comments.
    fn of(position: Position, manifest: &Manifest, objects: &mut Vec<Object>) -> Option<Self> {
        let items: Vec<Item> = manifest
            .objects()
            .map(|object| match Object::new(object.clone()) {
                Some(object) => {
                    objects.push(object);
                    Item::Object(objects.len() - 1)
                }
                None => Item::Nameless(object.clone()),
            })
            .collect();
        (!items.is_empty()).then(|| Self {
            position,
            rendered: manifest.object().clone(),
            items,
        })
    }

    fn is_changed(&self, objects: &[Object]) -> bool {
        self.items.iter().any(|item| match item {
            Item::Object(index) => objects.get(*index).is_some_and(Object::is_changed),
            Item::Nameless(_) => false,
        })
    }

    /// The document with its objects as they are now; nothing when none is left.
    fn into_text(self, objects: &[Object]) -> Option<String> {
        let Self {
            position: _,
            mut rendered,
            items,
        } = self;
        let mut values: Vec<Value> = items
            .into_iter()
            .filter_map(|item| match item {
                Item::Object(index) => objects.get(index)?.value().cloned(),
                Item::Nameless(value) => Some(value),
            })
            .collect();
        let value = match rendered.get_mut("items") {
            Some(items) if !values.is_empty() => {
                *items = Value::Array(values);
                rendered
            }
            _ => values.pop()?,
        };
        // JSON is YAML, too: it carries the few texts that cannot be written as YAML.
        let text = yaml::try_to_string(&value).unwrap_or_else(|_| value.to_string());
        Some(text.trim_end().to_owned())
    }
}
