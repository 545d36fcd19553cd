//! Signatures of artifacts in registries: from a signature's bytes, what is trusted and a digest to a verdict.
//!
//! Pure. It knows cosign's two formats (signed payloads, Sigstore bundles) and which keys or identities are trusted; where
//! signatures are kept in a registry, and how they are fetched, is known in `source`. What it is given may come from an
//! attacker: everything is bounded, and what cannot be read is an error that says why.

mod bundle;
mod error;
mod keyless;
mod keys;
mod payload;
mod provider;
#[cfg(test)]
mod tests;

use std::fmt;

use sha2::{Digest as _, Sha256};
use sigstore_verify::types::Sha256Hash;

pub use self::error::{Rejection, TrustError};
pub use self::keyless::Keyless;
pub use self::keys::{PublicKeys, is_key_name};
pub use self::payload::SignedPayload;

/// A signature as it was found.
#[derive(Debug, Clone, Copy)]
pub enum Signature<'a> {
    /// cosign's older format: a payload, with the signature beside it.
    Payload(SignedPayload<'a>),
    /// A Sigstore bundle, as JSON.
    Bundle(&'a [u8]),
}

/// Whose signatures are accepted.
#[derive(Debug)]
pub struct Trust {
    who: Who,
    /// Where they are from, for messages.
    origin: String,
    fingerprint: [u8; 32],
}

#[derive(Debug)]
enum Who {
    /// Whoever has one of these keys.
    Keys(PublicKeys),
    /// Whoever is one of these identities.
    Identities(Box<Keyless>),
}

impl Trust {
    /// Trusts signatures that were made with one of these keys, which are from `origin`.
    pub fn in_keys(keys: PublicKeys, origin: String) -> Self {
        let mut hasher = Sha256::new_with_prefix(b"cosign, keys");
        keys.hash(&mut hasher);
        let fingerprint = hasher.finalize().into();
        let who = Who::Keys(keys);
        Self {
            who,
            origin,
            fingerprint,
        }
    }

    /// Trusts signatures without a key by these identities; the trusted root is from `origin`.
    pub fn in_identities(keyless: Keyless, origin: String) -> Self {
        let hasher = Sha256::new_with_prefix(b"cosign, identities").chain_update(keyless.fingerprint());
        let fingerprint = hasher.finalize().into();
        let who = Who::Identities(Box::new(keyless));
        Self {
            who,
            origin,
            fingerprint,
        }
    }

    /// Whether the signature is one of the artifact whose manifest has this SHA-256 digest, by somebody who is trusted.
    ///
    /// # Errors
    /// With the reason why it is not.
    pub fn verify(&self, signature: Signature<'_>, digest: [u8; 32]) -> Result<(), Rejection> {
        let digest = Sha256Hash::new(digest);
        match signature {
            Signature::Payload(payload) => {
                match &self.who {
                    Who::Keys(keys) => keys.verify(payload.bytes, &payload.signature()?)?,
                    Who::Identities(keyless) => keyless.verify_payload(&payload)?,
                }
                payload.is_about(digest)
            }
            Signature::Bundle(json) => {
                let bundle = bundle::read(json)?;
                match &self.who {
                    Who::Keys(keys) => bundle::verify(&bundle, keys, digest)?,
                    Who::Identities(keyless) => keyless.verify_digest(&bundle, digest)?,
                }
                bundle::is_about(&bundle, digest)
            }
        }
    }

    /// Stands for everything that is trusted: the same verdict for the same fingerprint.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }
}

impl fmt::Display for Trust {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { who, origin, .. } = self;
        match who {
            Who::Keys(keys) => write!(formatter, "cosign with {keys} of {origin}"),
            Who::Identities(_) => write!(
                formatter,
                "cosign without a key, by the identities in matchOIDCIdentity and {origin}"
            ),
        }
    }
}
