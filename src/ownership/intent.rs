//! What we want of an object, in the one form in which it is applied, hashed and compared.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::drift::keep_live;
use super::path::{FieldPath, PathElement};
use super::reference::ObjectReference;
use super::value::remove;
use crate::resting::Resting;

/// The label by which Helm knows its objects.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY_LABEL`].
pub const MANAGED_BY_HELM: &str = "Helm";
/// The annotation with the release's name.
pub const RELEASE_NAME_ANNOTATION: &str = "meta.helm.sh/release-name";
/// The annotation with the release's namespace.
pub const RELEASE_NAMESPACE_ANNOTATION: &str = "meta.helm.sh/release-namespace";

/// The release that an object belongs to, as Helm marks it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReleaseIdentity {
    /// The release's name.
    pub name: String,
    /// The release's namespace.
    pub namespace: String,
}

impl ReleaseIdentity {
    /// Whether a live object carries this release's marks.
    pub fn owns(&self, object: &Value) -> bool {
        let metadata = |kind: &str, key: &str| {
            object
                .get("metadata")
                .and_then(|m| m.get(kind))
                .and_then(|map| map.get(key))
                .and_then(Value::as_str)
        };
        metadata("labels", MANAGED_BY_LABEL) == Some(MANAGED_BY_HELM)
            && metadata("annotations", RELEASE_NAME_ANNOTATION) == Some(self.name.as_str())
            && metadata("annotations", RELEASE_NAMESPACE_ANNOTATION) == Some(self.namespace.as_str())
    }
}

impl fmt::Display for ReleaseIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Why an object cannot be applied at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntentError {
    /// It has no apiVersion, kind or name.
    #[error("the manifest has no apiVersion, kind or metadata.name: {0}")]
    NoIdentity(String),
    /// A part that must be an object is none.
    #[error("{object}: {field} must be an object")]
    NotAnObject {
        /// The object.
        object: ObjectReference,
        /// `metadata.labels`, `stringData`, …
        field: &'static str,
    },
    /// A Secret's `stringData` holds something other than text; its value is not shown.
    #[error("{object}: stringData[{key:?}] must be a string; quote it in the template")]
    NotAString {
        /// The Secret.
        object: ObjectReference,
        /// The key.
        key: String,
    },
}

/// An object in its canonical form: no nulls, no status, no server's bookkeeping, Secrets with `data` only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    reference: ObjectReference,
    body: Resting,
    hash: String,
    warnings: Vec<String>,
}

impl Intent {
    /// Brings a rendered manifest into its canonical form; `release` adds Helm's marks of ownership.
    pub fn new(manifest: Value, release: Option<&ReleaseIdentity>) -> Result<Self, IntentError> {
        let reference = ObjectReference::of(&manifest).ok_or_else(|| IntentError::NoIdentity(identity(&manifest)))?;
        let mut warnings = Vec::new();
        let mut body = manifest;
        drop_nulls(&mut body);
        let not_an_object = |field| IntentError::NotAnObject {
            object: reference.clone(),
            field,
        };
        let Value::Object(object) = &mut body else {
            return Err(not_an_object("the manifest"));
        };
        if object.remove("status").is_some() {
            warnings.push(format!(
                "{reference}: status is not applied; it belongs to the object's controller"
            ));
        }
        let Some(Value::Object(metadata)) = object.get_mut("metadata") else {
            return Err(not_an_object("metadata"));
        };
        drop_bookkeeping(metadata, &reference, &mut warnings);
        if let Some(release) = release {
            mark(metadata, release).map_err(not_an_object)?;
        }
        if reference.is_secret() {
            encode_string_data(object, &reference)?;
        }
        let hash = hash_of(&body);
        Ok(Self {
            reference,
            body: body.into(),
            hash,
            warnings,
        })
    }

    /// The object with its namespace settled: given for a namespaced kind, removed for a cluster-scoped one.
    #[must_use]
    pub fn in_namespace(mut self, namespace: Option<&str>) -> Self {
        if self.reference.namespace.as_deref() == namespace {
            return self;
        }
        self.reference.namespace = namespace.map(str::to_owned);
        self.body.change(|body| {
            if let Some(Value::Object(metadata)) = body.get_mut("metadata") {
                match namespace {
                    Some(namespace) => metadata.insert("namespace".to_owned(), Value::String(namespace.to_owned())),
                    None => metadata.remove("namespace"),
                };
            }
        });
        self.hash = hash_of(self.body.tree());
        self
    }

    /// The same intent with the live values of the fields at these JSON pointers. The hash stays: what is wanted is the same.
    #[must_use]
    pub fn keeping(&self, live: &Value, pointers: &[String]) -> Self {
        let mut kept = self.clone();
        kept.body.change(|body| keep_live(body, live, pointers));
        kept
    }

    /// Takes a field out of what is applied; says whether it was there. The hash stays: what is wanted is the same.
    pub fn leave_out(&mut self, path: &FieldPath) -> bool {
        !is_identity(path) && self.body.change(|body| remove(body, path)).is_some()
    }

    /// The object's name.
    pub const fn reference(&self) -> &ObjectReference {
        &self.reference
    }

    /// What is applied.
    pub fn body(&self) -> &Value {
        self.body.tree()
    }

    /// Takes as little memory as possible until somebody asks for what is applied.
    pub fn rest(&mut self) {
        self.body.rest();
    }

    /// The SHA-256 of the canonical JSON, in hexadecimal.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// What was left out of the manifest and should not be in it.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// The paths that name an object; a policy never decides about them.
pub fn is_identity(path: &FieldPath) -> bool {
    let names = |element: &PathElement, names: &[&str]| match element {
        PathElement::Field(name) => names.contains(&name.as_str()),
        PathElement::Key(_) | PathElement::Value(_) | PathElement::Index(_) => false,
    };
    match path.elements() {
        [] => true,
        [only] => names(only, &["apiVersion", "kind", "metadata"]),
        [first, second] => names(first, &["metadata"]) && names(second, &["name", "namespace"]),
        [..] => false,
    }
}

fn identity(manifest: &Value) -> String {
    let text = |pointer| {
        manifest
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or("?")
            .chars()
            .take(80)
            .collect::<String>()
    };
    format!(
        "apiVersion {}, kind {}, name {}",
        text("/apiVersion"),
        text("/kind"),
        text("/metadata/name")
    )
}

/// A null in a manifest means "not set". Nulls in lists stay: leaving them out would move the other items.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn drop_bookkeeping(metadata: &mut Map<String, Value>, reference: &ObjectReference, warnings: &mut Vec<String>) {
    for field in [
        "creationTimestamp",
        "generation",
        "managedFields",
        "resourceVersion",
        "selfLink",
        "uid",
    ] {
        if metadata.remove(field).is_some() {
            warnings.push(format!(
                "{reference}: metadata.{field} is set by the server and not applied; remove it from the chart"
            ));
        }
    }
}

fn mark(metadata: &mut Map<String, Value>, release: &ReleaseIdentity) -> Result<(), &'static str> {
    let labels = object_in(metadata, "labels").ok_or("metadata.labels")?;
    labels.insert(MANAGED_BY_LABEL.to_owned(), Value::String(MANAGED_BY_HELM.to_owned()));
    let annotations = object_in(metadata, "annotations").ok_or("metadata.annotations")?;
    annotations.insert(RELEASE_NAME_ANNOTATION.to_owned(), Value::String(release.name.clone()));
    annotations.insert(
        RELEASE_NAMESPACE_ANNOTATION.to_owned(),
        Value::String(release.namespace.clone()),
    );
    Ok(())
}

fn object_in<'a>(parent: &'a mut Map<String, Value>, name: &str) -> Option<&'a mut Map<String, Value>> {
    parent
        .entry(name)
        .or_insert_with(|| Value::Object(Map::new()))
        .as_object_mut()
}

/// The server owns `stringData` apart from `data` and never removes a key there: kubernetes#108008.
fn encode_string_data(object: &mut Map<String, Value>, reference: &ObjectReference) -> Result<(), IntentError> {
    let not_an_object = |field| IntentError::NotAnObject {
        object: reference.clone(),
        field,
    };
    let texts = match object.remove("stringData") {
        None => return Ok(()),
        Some(Value::Object(texts)) => texts,
        Some(_) => return Err(not_an_object("stringData")),
    };
    let data = object_in(object, "data").ok_or_else(|| not_an_object("data"))?;
    for (key, text) in texts {
        let Value::String(text) = text else {
            return Err(IntentError::NotAString {
                object: reference.clone(),
                key,
            });
        };
        data.insert(key, Value::String(STANDARD.encode(text)));
    }
    Ok(())
}

fn hash_of(body: &Value) -> String {
    // `serde_json` keeps maps sorted (without its `preserve_order`), so equal objects have equal texts.
    Sha256::digest(body.to_string())
        .iter()
        .fold(String::with_capacity(64), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn release() -> ReleaseIdentity {
        ReleaseIdentity {
            name: "shop".into(),
            namespace: "prod".into(),
        }
    }

    #[test]
    fn canonical_form() {
        let manifest = json!({"apiVersion": "v1", "kind": "ConfigMap", "status": {"x": 1}, "data": {"a": "1", "b": null},
            "metadata": {"name": "a", "creationTimestamp": null, "managedFields": [], "labels": {"x": "y", "z": null}}});
        let intent = Intent::new(manifest, Some(&release())).unwrap();
        let expected = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1"}, "metadata": {
            "name": "a", "labels": {"x": "y", "app.kubernetes.io/managed-by": "Helm"},
            "annotations": {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "prod"}}});
        assert_eq!(*intent.body(), expected);
        assert_eq!(intent.warnings().len(), 2, "{:?}", intent.warnings());
        assert!(release().owns(intent.body()));
        assert!(
            !ReleaseIdentity {
                name: "other".into(),
                ..release()
            }
            .owns(intent.body())
        );
        assert_eq!(Intent::new(expected, None).unwrap().hash(), intent.hash());
        let moved = intent.clone().in_namespace(Some("prod"));
        assert_eq!(moved.body().pointer("/metadata/namespace"), Some(&json!("prod")));
        assert_ne!(moved.hash(), intent.hash());
    }

    #[test]
    fn string_data_becomes_data() {
        let manifest = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
            "data": {"a": "b2xk", "b": "eA=="}, "stringData": {"a": "new"}});
        let intent = Intent::new(manifest, None).unwrap();
        assert_eq!(intent.body().get("data"), Some(&json!({"a": "bmV3", "b": "eA=="})));
        assert_eq!(intent.body().get("stringData"), None);
        let manifest =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": 12345}});
        let error = Intent::new(manifest, None).unwrap_err();
        assert!(!error.to_string().contains("12345"), "{error}");
    }

    #[test]
    fn manifests_without_identity_are_refused() {
        for manifest in [
            json!(null),
            json!({"kind": "A", "metadata": {"name": "a"}}),
            json!({"apiVersion": "v1", "kind": "A"}),
        ] {
            assert!(matches!(Intent::new(manifest, None), Err(IntentError::NoIdentity(_))));
        }
        let manifest = json!({"apiVersion": "v1", "kind": "A", "metadata": {"name": "a", "labels": []}});
        assert!(matches!(
            Intent::new(manifest, Some(&release())),
            Err(IntentError::NotAnObject {
                field: "metadata.labels",
                ..
            })
        ));
    }

    #[test]
    fn identity_paths() {
        for (path, expected) in [
            (".metadata.name", true),
            (".kind", true),
            (".metadata.labels", false),
            (".spec.name", false),
        ] {
            assert_eq!(is_identity(&path.parse().unwrap()), expected, "{path}");
        }
    }
}
