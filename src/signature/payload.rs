//! cosign's older format: a small JSON document that names the digest, signed as it is.

use std::collections::BTreeMap;

use serde::Deserialize;
use sigstore_verify::types::{Sha256Hash, SignatureBytes};

use super::error::Rejection;

/// What cosign and its forerunners write as the type of a payload.
const TYPES: [&str; 2] = ["cosign container image signature", "atomic container signature"];

/// A payload with its signature.
#[derive(Debug, Clone, Copy)]
pub struct SignedPayload<'a> {
    /// The payload.
    pub bytes: &'a [u8],
    /// What stands beside it, by name: the signature in base64, and what proves whose it is if nobody has a key.
    pub annotations: &'a BTreeMap<String, String>,
}

/// The annotation with the signature.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

#[derive(Deserialize)]
struct Document {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    image: Image,
    #[serde(rename = "type")]
    type_: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Image {
    docker_manifest_digest: String,
}

impl SignedPayload<'_> {
    pub(super) fn signature(&self) -> Result<SignatureBytes, Rejection> {
        let signature = self.annotations.get(SIGNATURE);
        let signature = signature.ok_or_else(|| Rejection::malformed("its signature", &"it has none"))?;
        let bytes = SignatureBytes::from_base64(signature.trim());
        bytes.map_err(|error| Rejection::malformed("its signature", &error))
    }

    /// Whether it is about the artifact with this digest.
    pub(super) fn is_about(&self, digest: Sha256Hash) -> Result<(), Rejection> {
        let document: Document =
            serde_json::from_slice(self.bytes).map_err(|error| Rejection::malformed("its payload", &error))?;
        let Document {
            critical: Critical { image, type_ },
        } = document;
        if !TYPES.contains(&type_.as_str()) {
            return Err(Rejection::unsupported("the type of its payload", &type_, TYPES[0]));
        }
        if image.docker_manifest_digest == format!("sha256:{}", digest.to_hex()) {
            Ok(())
        } else {
            Err(Rejection::OtherArtifact)
        }
    }
}
