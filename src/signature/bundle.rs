//! Sigstore bundles, which cosign writes since its version 3.
//!
//! With keys, a bundle's transparency log entries are not looked at, as Flux does not: whoever has the key may sign without a log.

use sigstore_verify::types::bundle::{MessageSignature, VerificationMaterialContent};
use sigstore_verify::types::{Bundle, DsseEnvelope, HashAlgorithm, Sha256Hash, SignatureContent, Statement};

use super::error::Rejection;
use super::keys::PublicKeys;

/// What a signed statement is written in.
const STATEMENT: &str = "application/vnd.in-toto+json";
/// What makes a statement a signature: others (provenance, scans) are by the same keys, and say less.
const SIGNATURE: &str = "https://sigstore.dev/cosign/sign/v1";

/// Whether the bundle holds a signature by one of the keys; if it is of a statement, whatever that says.
pub(super) fn verify(bundle: &Bundle, keys: &PublicKeys, digest: Sha256Hash) -> Result<(), Rejection> {
    match &bundle.verification_material.content {
        VerificationMaterialContent::PublicKey(_) => {}
        _ => return Err(Rejection::NotWithKey),
    }
    match &bundle.content {
        SignatureContent::DsseEnvelope(envelope) => keys.verify(&envelope.pae(), &envelope.signature.sig),
        SignatureContent::MessageSignature(message) => keys.verify_digest(digest, &message.signature),
        _ => Err(Rejection::of_another_kind()),
    }
}

/// Whether what is signed is that the artifact with this digest may be used.
pub(super) fn is_about(bundle: &Bundle, digest: Sha256Hash) -> Result<(), Rejection> {
    match &bundle.content {
        SignatureContent::DsseEnvelope(envelope) => states(envelope, digest),
        SignatureContent::MessageSignature(message) => has_digest(message, digest),
        _ => Err(Rejection::of_another_kind()),
    }
}

pub(super) fn read(json: &[u8]) -> Result<Bundle, Rejection> {
    serde_json::from_slice(json).map_err(|error| Rejection::malformed("its bundle", &error))
}

/// Whether the envelope's statement is a signature of the artifact with this digest.
fn states(envelope: &DsseEnvelope, digest: Sha256Hash) -> Result<(), Rejection> {
    let DsseEnvelope {
        payload_type, payload, ..
    } = envelope;
    if payload_type != STATEMENT {
        return Err(Rejection::unsupported(
            "the type of its payload",
            payload_type,
            STATEMENT,
        ));
    }
    let statement: Statement =
        serde_json::from_slice(payload.as_bytes()).map_err(|error| Rejection::malformed("its statement", &error))?;
    if statement.predicate_type != SIGNATURE {
        let found = &statement.predicate_type;
        return Err(Rejection::unsupported(
            "the predicate of its statement",
            found,
            SIGNATURE,
        ));
    }
    if statement.matches_sha256(&digest) {
        Ok(())
    } else {
        Err(Rejection::OtherArtifact)
    }
}

/// Whether a signature of a message is said to be of this digest; it need not say.
fn has_digest(message: &MessageSignature, digest: Sha256Hash) -> Result<(), Rejection> {
    match &message.message_digest {
        None => Ok(()),
        Some(said) if said.algorithm == HashAlgorithm::Sha2256 && said.digest.as_bytes() == digest.as_slice() => Ok(()),
        Some(_) => Err(Rejection::OtherArtifact),
    }
}
