//! Values as they may be shown: never a Secret's, never a long one whole.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::path::{FieldPath, PathElement};
use super::reference::ObjectReference;

/// The longest JSON text of a value that is shown whole unless there is more room, in bytes.
pub const MAX_SHOWN_LENGTH: usize = 256;

/// How much of a longer one is shown, in characters.
const SHOWN_CHARACTERS: usize = 120;

/// What is shown of a secret value begins with this; its digest follows.
const REDACTED: &str = "<redacted ";

/// Whether what is shown stands for a secret value.
pub fn is_redacted(shown: &Value) -> bool {
    shown.as_str().is_some_and(|text| text.starts_with(REDACTED))
}

/// A value that is fit for a status, an event or a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownValue(Value);

impl ShownValue {
    /// The value to print or to store.
    pub const fn as_json(&self) -> &Value {
        &self.0
    }

    /// The value to print or to store.
    pub fn into_json(self) -> Value {
        self.0
    }
}

/// Makes values fit to be shown. The salt keeps digests of Secrets from being looked up in a table; the same salt
/// shows whether two values are equal.
#[derive(Debug, Clone)]
pub struct Redactor {
    salt: Vec<u8>,
    /// The longest JSON text of a value that is shown whole, in bytes.
    longest: usize,
}

impl Redactor {
    /// A redactor with a random, private salt that the caller keeps (at least 16 bytes make sense).
    pub fn new(salt: impl Into<Vec<u8>>) -> Self {
        Self {
            salt: salt.into(),
            longest: MAX_SHOWN_LENGTH,
        }
    }

    /// The same, but for where there is room: values of up to `longest` bytes are shown whole.
    #[must_use]
    pub fn showing(self, longest: usize) -> Self {
        Self { longest, ..self }
    }

    /// The value at a path of an object, as it may be shown.
    pub fn show(&self, object: &ObjectReference, path: &FieldPath, value: &Value) -> ShownValue {
        if object.is_secret() && !is_public_in_secret(path) {
            return ShownValue(Value::String(format!("{REDACTED}{}>", self.digest(value))));
        }
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if text.len() <= self.longest {
            return ShownValue(value.clone());
        }
        let start: String = text.chars().take(SHOWN_CHARACTERS).collect();
        ShownValue(Value::String(format!("{start}… ({} bytes)", text.len())))
    }

    fn digest(&self, value: &Value) -> String {
        let mut hash = Sha256::new();
        hash.update(&self.salt);
        hash.update(value.to_string());
        hash.finalize()
            .iter()
            .take(6)
            .fold(String::from("sha256:"), |text, byte| text + &format!("{byte:02x}"))
    }
}

/// What in a Secret is not secret. Annotations are not here: kubectl's last-applied one holds the whole Secret.
fn is_public_in_secret(path: &FieldPath) -> bool {
    let is = |element: Option<&PathElement>, name: &str| element == Some(&PathElement::field(name));
    let mut elements = path.elements().iter();
    let first = elements.next();
    is(first, "type") || is(first, "immutable") || is(first, "metadata") && is(elements.next(), "labels")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret() -> ObjectReference {
        ObjectReference {
            api_version: "v1".into(),
            kind: "Secret".into(),
            namespace: Some("a".into()),
            name: "s".into(),
        }
    }

    #[test]
    fn secrets_show_only_equality() {
        let redactor = Redactor::new(*b"salt");
        let shown = |path: &str, value: Value| redactor.show(&secret(), &path.parse().unwrap(), &value);
        let first = shown(".data.password", json!("aHVudGVyMg=="));
        assert_eq!(first, shown(".data.password", json!("aHVudGVyMg==")));
        assert_ne!(first, shown(".data.password", json!("b3RoZXI=")));
        for path in [".data", ".data.x", ".stringData.x", ".metadata.annotations[\"a\"]", "."] {
            assert!(
                !shown(path, json!("aHVudGVyMg=="))
                    .as_json()
                    .to_string()
                    .contains("aHVudGVyMg"),
                "{path}"
            );
        }
        assert_eq!(shown(".type", json!("Opaque")).into_json(), json!("Opaque"));
        let other_salt = Redactor::new(*b"other").show(&secret(), &".data.x".parse().unwrap(), &json!("aHVudGVyMg=="));
        assert_ne!(first, other_salt);
    }

    #[test]
    fn long_values_are_shortened() {
        let mut object = secret();
        object.kind = "ConfigMap".to_owned();
        let shown = Redactor::new(*b"salt").show(&object, &".data.x".parse().unwrap(), &json!("ä".repeat(1000)));
        let text = shown.as_json().as_str().unwrap();
        assert!(text.ends_with("… (2000 bytes)") && text.len() < 300, "{text}");
        let roomy = Redactor::new(*b"salt").showing(2000);
        let whole = roomy.show(&object, &".data.x".parse().unwrap(), &json!("ä".repeat(1000)));
        assert_eq!(whole.as_json().as_str().map(str::len), Some(2000));
    }
}
