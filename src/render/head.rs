//! The head of a manifest: what Helm reads of every document that a template makes.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::chart::decode::{Fields, TypeError};

/// `apiVersion`, `kind` and the parts of `metadata` that decide what becomes of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) annotations: BTreeMap<String, String>,
}

/// Whether an entry of a document is looked at here, in whatever case its key is written.
pub(super) fn is_read(key: &str) -> bool {
    ["apiVersion", "kind", "metadata"]
        .iter()
        .any(|known| key.eq_ignore_ascii_case(known))
}

impl Head {
    pub(super) fn read(document: &Value) -> Result<Self, TypeError> {
        const METADATA: &str =
            r#"struct { Name string "json:\"name\""; Annotations map[string]string "json:\"annotations\"" }"#;
        let object = match document {
            Value::Null => return Ok(Self::default()),
            Value::Object(object) => object,
            other => return Err(TypeError::document(other, "util.SimpleHead")),
        };
        let fields = Fields::new(object, "SimpleHead");
        let mut head = Self {
            api_version: fields.string("apiVersion")?.unwrap_or_default(),
            kind: fields.string("kind")?.unwrap_or_default(),
            ..Self::default()
        };
        if let Some(metadata) = fields.object("metadata", METADATA, "")? {
            head.name = metadata.string("name")?.unwrap_or_default();
            head.annotations = metadata.string_map("annotations")?.unwrap_or_default();
        }
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn errors_are_those_of_go() {
        // As printed by Helm 4.3.1 for documents of these kinds.
        for (document, expected) in [
            (json!("foo"), "string into Go value of type util.SimpleHead"),
            (json!([1]), "array into Go value of type util.SimpleHead"),
            (
                json!({"metadata": {"annotations": {"a": {"b": "c"}}}}),
                "object into Go struct field .metadata.annotations of type string",
            ),
            (
                json!({"metadata": {"annotations": [1]}}),
                "array into Go struct field .metadata.annotations of type map[string]string",
            ),
            (
                json!({"kind": ["a"]}),
                "array into Go struct field SimpleHead.kind of type string",
            ),
        ] {
            let error = Head::read(&document).unwrap_err().to_string();
            let prefix = "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ";
            assert_eq!(error, format!("{prefix}{expected}"));
        }
    }

    #[test]
    fn scalars_become_texts() {
        let head =
            Head::read(&json!({"apiVersion": 1, "kind": true, "metadata": {"name": 2, "annotations": {"a": 5}}}));
        let head = head.unwrap();
        assert_eq!(
            (head.api_version.as_str(), head.kind.as_str(), head.name.as_str()),
            ("1", "true", "2")
        );
        assert_eq!(head.annotations["a"], "5");
    }
}
