//! Small types that several resources share: references to objects, selectors, signature verification.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The name of an object in the namespace of the resource that refers to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LocalReference {
    /// Name of the object.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// A key of a Secret in the namespace of the resource that refers to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretKeyReference {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key in the Secret's data. Default: `value`, then `value.yaml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Labels and annotations to be set on other objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommonMetadata {
    /// Annotations to set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Labels to set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// Selects objects. All given parts must match; an empty selector matches every object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Selector {
    /// Regular expression that the whole API group must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub group: Option<String>,
    /// Regular expression that the whole API version must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub version: Option<String>,
    /// Regular expression that the whole kind must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub kind: Option<String>,
    /// Regular expression that the whole name must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub name: Option<String>,
    /// Regular expression that the whole namespace must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub namespace: Option<String>,
    /// Selector expression on annotations, in the syntax of label selectors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotation_selector: Option<String>,
    /// Selector expression on labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_selector: Option<String>,
}

/// How the signature of a chart is verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VerificationProvider {
    /// Sigstore's cosign, with keys or keyless.
    #[default]
    Cosign,
    /// The Notary Project's notation. Refused: it is not supported yet.
    Notation,
}

/// An identity that a keyless signature must have been made by. Both parts must match; the expressions are Go's, without anchors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OidcIdentity {
    /// Regular expression that the issuer of the certificate must match, for example `^https://token[.]actions[.]githubusercontent[.]com$`.
    pub issuer: String,
    /// Regular expression that the subject of the certificate (an address of mail or of a workflow) must match.
    pub subject: String,
}

/// How the signature of an artifact is verified before it is used. Secrets are in the namespace of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// The tool whose signatures are verified: `cosign`; `notation` is not supported yet, and nothing is fetched without.
    #[serde(default)]
    pub provider: VerificationProvider,
    /// Secret with the trusted public keys, as PEM in its data below names that end in `.pub`: one of them must have signed. Without it,
    /// a keyless signature is required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalReference>,
    /// Identities of which one must have made a keyless signature. Required for those, since anybody can make one.
    #[serde(default, rename = "matchOIDCIdentity", skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub match_oidc_identity: Vec<OidcIdentity>,
    /// Secret with Sigstore's trusted root in `trusted_root.json`, for a private Sigstore. Without it, the public one's is used, as it was when
    /// Fairlead was built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_root_secret_ref: Option<LocalReference>,
}
