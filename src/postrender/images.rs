//! Container images: `images` of kustomize.

use std::convert::Infallible;

use serde_json::Value;

use super::error::{PostRenderError, SpecError};
use super::object::Object;
use crate::api::helm_release::post_render::Image;
use crate::go::regexp::Regexp;

/// Where images are besides the lists of containers: each field, through whatever lists are on the way.
const FIELDS: [&[&str]; 6] = [
    &["spec", "containers", "image"],
    &["spec", "initContainers", "image"],
    &["spec", "volumes", "image", "reference"],
    &["spec", "template", "spec", "containers", "image"],
    &["spec", "template", "spec", "initContainers", "image"],
    &["spec", "template", "spec", "volumes", "image", "reference"],
];

/// One entry of `images`.
#[derive(Debug)]
pub(super) struct ImageChange {
    /// Matches the whole of an image whose name is meant.
    meant: Regexp,
    new_name: Option<String>,
    new_tag: Option<String>,
    digest: Option<String>,
}

/// Reads the entries of `images` at a place of the spec.
pub(super) fn read_all(place: &str, images: &[Image]) -> Result<Vec<ImageChange>, PostRenderError> {
    images
        .iter()
        .enumerate()
        .map(|(index, image)| read(&format!("{place}.images[{index}]"), image))
        .collect()
}

fn read(place: &str, image: &Image) -> Result<ImageChange, PostRenderError> {
    let Image {
        name,
        new_name,
        new_tag,
        digest,
    } = image;
    // As kustomize does, the name is taken for a regular expression.
    let pattern = format!("^{name}(:[a-zA-Z0-9_.{{}}-]*)?(@sha256:[a-zA-Z0-9_.{{}}-]*)?$");
    let meant = Regexp::compile(&pattern).map_err(|error| PostRenderError::Spec {
        place: place.to_owned(),
        source: SpecError::Regex {
            field: "name",
            message: error.to_string(),
        },
    })?;
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    Ok(ImageChange {
        meant,
        new_name: given(new_name),
        new_tag: given(new_tag),
        digest: given(digest),
    })
}

impl ImageChange {
    /// Changes the image wherever an object has it. CRDs are left alone: what looks like an image there is a schema.
    pub(super) fn apply(&self, objects: &mut [Object]) {
        for object in objects {
            let Ok(()) = object.edit(|value| Ok::<_, Infallible>(self.change(value)));
        }
    }

    fn change(&self, object: &mut Value) -> bool {
        if object.get("kind").and_then(Value::as_str) == Some("CustomResourceDefinition") {
            return false;
        }
        let mut changed = self.change_containers(object);
        for path in FIELDS {
            changed |= self.change_at(object, path);
        }
        changed
    }

    /// The containers in every list of that name, at any depth.
    fn change_containers(&self, value: &mut Value) -> bool {
        let mut changed = false;
        match value {
            Value::Object(fields) => {
                for (name, below) in fields {
                    changed |= self.change_containers(below);
                    if let ("containers" | "initContainers", Value::Array(items)) = (name.as_str(), below) {
                        for image in items.iter_mut().filter_map(|item| item.get_mut("image")) {
                            changed |= self.change_image(image);
                        }
                    }
                }
            }
            Value::Array(items) => {
                for item in items {
                    changed |= self.change_containers(item);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        changed
    }

    fn change_at(&self, value: &mut Value, path: &[&str]) -> bool {
        match (value, path) {
            (Value::Array(items), _) => {
                let mut changed = false;
                for item in items {
                    changed |= self.change_at(item, path);
                }
                changed
            }
            (value, []) => self.change_image(value),
            (Value::Object(fields), [name, below @ ..]) => {
                fields.get_mut(*name).is_some_and(|value| self.change_at(value, below))
            }
            (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_), [_, ..]) => false,
        }
    }

    fn change_image(&self, value: &mut Value) -> bool {
        let Value::String(image) = value else { return false };
        if !self.meant.is_match(image.as_bytes()) {
            return false;
        }
        let changed = self.changed(image);
        let differs = *image != changed;
        *image = changed;
        differs
    }

    /// The image with what this says of it. A new tag or a digest takes the place of both.
    fn changed(&self, image: &str) -> String {
        let (name, tag, digest) = split(image);
        let mut changed = self.new_name.as_deref().unwrap_or(name).to_owned();
        let (tag, digest) = match (&self.new_tag, &self.digest) {
            (None, None) => (tag, digest),
            (tag, digest) => (tag.as_deref(), digest.as_deref()),
        };
        for (mark, part) in [(':', tag), ('@', digest)] {
            if let Some(part) = part.filter(|part| !part.is_empty()) {
                changed.push(mark);
                changed.push_str(part);
            }
        }
        changed
    }
}

/// Name, tag and digest of an image. A colon before the first slash is that of a port.
fn split(image: &str) -> (&str, Option<&str>, Option<&str>) {
    let (rest, digest) = match image.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (image, None),
    };
    let path = rest.find('/').unwrap_or(0);
    match rest.get(path..).and_then(|below| below.find(':')) {
        Some(colon) => {
            let (name, tag) = rest.split_at(path + colon);
            (name, tag.strip_prefix(':'), digest)
        }
        None => (rest, None, digest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_a_name_a_tag_and_a_digest() {
        let cases = [
            ("nginx", ("nginx", None, None)),
            ("nginx:1.2", ("nginx", Some("1.2"), None)),
            ("host:5000/a/nginx", ("host:5000/a/nginx", None, None)),
            (
                "host:5000/a/nginx:1@sha256:ab",
                ("host:5000/a/nginx", Some("1"), Some("sha256:ab")),
            ),
            ("nginx@sha256:ab", ("nginx", None, Some("sha256:ab"))),
        ];
        for (image, expected) in cases {
            assert_eq!(split(image), expected, "{image}");
        }
    }
}
