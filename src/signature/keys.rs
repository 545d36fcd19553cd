//! Trusted public keys.

use std::fmt;

use sha2::{Digest as _, Sha256};
use sigstore_verify::crypto::{KeyAlgorithm, SigningScheme, VerificationKey};
use sigstore_verify::types::{DerPublicKey, Sha256Hash, SignatureBytes};

use super::error::{Rejection, TrustError};
use super::provider;

/// How many keys are read.
const KEYS: usize = 32;
/// The longest key in bytes: an RSA key of 8192 bits as PEM has 1.5 KiB.
const KEY_SIZE: usize = 16 * 1024;
/// How the data of a Secret names a public key.
const SUFFIX: &str = ".pub";

/// Whether data of this name is a public key.
pub fn is_key_name(name: &str) -> bool {
    name.ends_with(SUFFIX)
}

/// Public keys, each with its name. At least one.
pub struct PublicKeys(Vec<PublicKey>);

struct PublicKey {
    name: String,
    der: DerPublicKey,
    /// The key in each of the ways in which cosign may have used it.
    schemes: Vec<VerificationKey>,
}

impl PublicKeys {
    /// Reads keys in PEM, by name.
    ///
    /// # Errors
    /// When there is none, there are too many, or one cannot be read: a key that is left out silently would be missed when
    /// its signature comes.
    pub fn read<'a>(keys: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<Self, TrustError> {
        provider::install();
        let mut read = Vec::new();
        for (name, pem) in keys {
            if read.len() == KEYS {
                return Err(TrustError::TooManyKeys { limit: KEYS });
            }
            read.push(PublicKey::read(name, pem)?);
        }
        if read.is_empty() {
            return Err(TrustError::NoKeys);
        }
        Ok(Self(read))
    }

    /// Whether one of the keys signed the message.
    pub(super) fn verify(&self, message: &[u8], signature: &SignatureBytes) -> Result<(), Rejection> {
        self.any(|key| key.verify(message, signature).is_ok())
    }

    /// Whether one of the keys signed the message with this digest.
    pub(super) fn verify_digest(&self, digest: Sha256Hash, signature: &SignatureBytes) -> Result<(), Rejection> {
        self.any(|key| key.verify_prehashed(digest.as_slice(), signature).is_ok())
    }

    fn any(&self, is_by: impl Fn(&VerificationKey) -> bool) -> Result<(), Rejection> {
        let mut keys = self.0.iter().flat_map(|key| &key.schemes);
        keys.any(is_by).then_some(()).ok_or(Rejection::OtherKey)
    }

    pub(super) fn hash(&self, hasher: &mut Sha256) {
        for PublicKey {
            name: _,
            der,
            schemes: _,
        } in &self.0
        {
            hasher.update(Sha256::digest(der.as_bytes()));
        }
    }
}

impl PublicKey {
    fn read(name: &str, pem: &[u8]) -> Result<Self, TrustError> {
        let unusable = |reason: &dyn fmt::Display| TrustError::key(name, reason);
        if pem.len() > KEY_SIZE {
            return Err(unusable(&format_args!("it is longer than {KEY_SIZE} bytes")));
        }
        let text = std::str::from_utf8(pem).map_err(|_| unusable(&"it is not text"))?;
        let der = DerPublicKey::from_pem(text).map_err(|error| unusable(&error))?;
        let algorithm = KeyAlgorithm::from_spki(&der).map_err(|error| unusable(&error))?;
        let schemes: &[SigningScheme] = match algorithm {
            KeyAlgorithm::EcdsaP256 => &[SigningScheme::EcdsaP256Sha256],
            // By its version, cosign hashes with SHA-256 for every key, or with what is usual for the curve.
            KeyAlgorithm::EcdsaP384 => &[SigningScheme::EcdsaP384Sha256, SigningScheme::EcdsaP384Sha384],
            KeyAlgorithm::Ed25519 => &[SigningScheme::Ed25519],
            KeyAlgorithm::Rsa => &[SigningScheme::RsaPkcs1Sha256],
            other => return Err(unusable(&format_args!("its algorithm is {other:?}"))),
        };
        let schemes = schemes
            .iter()
            .map(|scheme| VerificationKey::from_spki_with_scheme(&der, *scheme))
            .collect::<Result<_, _>>()
            .map_err(|error| unusable(&error))?;
        Ok(Self {
            name: name.to_owned(),
            der,
            schemes,
        })
    }
}

impl fmt::Debug for PublicKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PublicKeys({self})")
    }
}

impl fmt::Display for PublicKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, PublicKey { name, .. }) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(formatter, "{separator}{name}")?;
        }
        Ok(())
    }
}
