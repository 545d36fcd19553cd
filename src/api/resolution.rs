//! What a person decided about contested fields: the content of the annotation `fairlead.dev/resolve`.
//!
//! `fairlead resolve` writes it, and so may anybody who may annotate the HelmRelease. Knows the shape and its bounds; how
//! the decisions become rules is in `crate::plan::policy`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::{Deserialize, Serialize};

use super::names::ANNOTATION_RESOLVE;

/// The longest content of the annotation, in bytes.
pub const MAX_BYTES: usize = 32 * 1024;
/// The largest number of decisions in one annotation.
pub const MAX_RESOLUTIONS: usize = 64;

/// What a person decided about one contested field, or about those that a path pattern covers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resolution {
    /// The object. Default: all of the release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ResolvedObject>,
    /// The field, with everything below it, in the syntax of `spec.ownership.rules[].paths`.
    pub path: String,
    /// The other field manager, exactly. Default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager: Option<String>,
    /// What is done.
    pub decision: ResolutionDecision,
    /// When the decision ends. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// Who decided, for those who read it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// One object of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResolvedObject {
    /// Its API group. Default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Its kind.
    pub kind: String,
    /// Its namespace. Default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// What a person may decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResolutionDecision {
    /// The field is left to its owner for as long as it owns it.
    Yield,
    /// The field is taken.
    Force,
    /// The field is owned beside its owner, with the owner's value.
    Adopt,
}

/// Why the annotation cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ResolutionError {
    /// It is too long.
    #[error("{ANNOTATION_RESOLVE} has {0} bytes; at most {MAX_BYTES} are allowed")]
    TooLong(usize),
    /// It holds too many decisions.
    #[error("{ANNOTATION_RESOLVE} holds {0} decisions; at most {MAX_RESOLUTIONS} are allowed")]
    TooMany(usize),
    /// It is not a list of decisions.
    #[error("{ANNOTATION_RESOLVE} is not a JSON list of decisions: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// Reads the annotation; no text is no decision.
pub fn parse(text: &str) -> Result<Vec<Resolution>, ResolutionError> {
    if text.len() > MAX_BYTES {
        return Err(ResolutionError::TooLong(text.len()));
    }
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let resolutions: Vec<Resolution> = serde_json::from_str(text)?;
    if resolutions.len() > MAX_RESOLUTIONS {
        return Err(ResolutionError::TooMany(resolutions.len()));
    }
    Ok(resolutions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let text = r#"[{"object":{"kind":"Deployment","name":"web"},"path":".spec.replicas","manager":"kubectl","decision":"Adopt","until":"2026-12-24T00:00:00Z"}]"#;
        let read = parse(text).unwrap();
        assert_eq!(read[0].decision, ResolutionDecision::Adopt);
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        assert!(parse(" ").unwrap().is_empty());
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let errors = [
            parse("{}").unwrap_err(),
            parse(r#"[{"path": ".a", "decision": "Maybe"}]"#).unwrap_err(),
            parse(r#"[{"path": ".a", "decision": "Yield", "pth": 1}]"#).unwrap_err(),
            parse(&" ".repeat(MAX_BYTES + 1)).unwrap_err(),
            parse(&format!("[{}]", [r#"{"path":".a","decision":"Yield"}"#; 65].join(","))).unwrap_err(),
        ];
        for error in errors {
            assert!(error.to_string().starts_with("fairlead.dev/resolve "), "{error}");
        }
    }
}
