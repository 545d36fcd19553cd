//! The arithmetic of signatures for Sigstore's crates, from the crates that templates make keys with.
//!
//! Sigstore's default brings a C library that needs CMake; ring cannot verify over a digest.

use std::fmt;
use std::sync::Once;

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use rsa::pkcs1::DecodeRsaPublicKey as _;
use rsa::{Pkcs1v15Sign, Pss, RsaPublicKey};
use sha2::{Digest, Sha256, Sha384, Sha512};
use sigstore_verify::crypto::error::{Error, Result};
use sigstore_verify::crypto::{CryptoProvider, HashContext, SigningScheme, install_default_provider};
use sigstore_verify::types::HashAlgorithm;

/// Makes Sigstore's crates use this arithmetic. May be called any number of times, and must be before they verify anything.
pub(super) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // An error says that whoever embeds this crate has installed another one, which then is used.
        let _ = install_default_provider(&Provider);
    });
}

#[derive(Debug)]
struct Provider;

struct Hash<D>(D);

impl<D: Digest + Send> HashContext for Hash<D> {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn finalize(self: Box<Self>) -> Vec<u8> {
        self.0.finalize().to_vec()
    }
}

impl CryptoProvider for Provider {
    fn hash(&self, algorithm: HashAlgorithm) -> Result<Box<dyn HashContext>> {
        match algorithm {
            HashAlgorithm::Sha2256 => Ok(Box::new(Hash(Sha256::new()))),
            HashAlgorithm::Sha2384 => Ok(Box::new(Hash(Sha384::new()))),
            HashAlgorithm::Sha2512 => Ok(Box::new(Hash(Sha512::new()))),
            other => Err(Error::UnsupportedAlgorithm(other.to_string())),
        }
    }

    fn verify_raw(&self, scheme: SigningScheme, key: &[u8], data: &[u8], signature: &[u8]) -> Result<()> {
        match scheme.hash_algorithm() {
            Some(algorithm) => {
                let mut hash = self.hash(algorithm)?;
                hash.update(data);
                self.verify_prehashed(scheme, key, &hash.finalize(), signature)
            }
            None if scheme == SigningScheme::Ed25519 => {
                let key = <&[u8; 32]>::try_from(key).map_err(|_| invalid_key("it has not 32 bytes"))?;
                let key = ed25519_dalek::VerifyingKey::from_bytes(key).map_err(invalid_key)?;
                let signature = ed25519_dalek::Signature::from_slice(signature).map_err(|_| wrong(scheme))?;
                key.verify_strict(data, &signature).map_err(|_| wrong(scheme))
            }
            None => Err(unsupported(scheme)),
        }
    }

    fn verify_prehashed(&self, scheme: SigningScheme, key: &[u8], digest: &[u8], signature: &[u8]) -> Result<()> {
        match scheme {
            SigningScheme::EcdsaP256Sha256 | SigningScheme::EcdsaP256Sha384 => {
                let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(key).map_err(invalid_key)?;
                let signature = p256::ecdsa::Signature::from_der(signature).map_err(|_| wrong(scheme))?;
                key.verify_prehash(digest, &signature).map_err(|_| wrong(scheme))
            }
            SigningScheme::EcdsaP384Sha256 | SigningScheme::EcdsaP384Sha384 => {
                let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(key).map_err(invalid_key)?;
                let signature = p384::ecdsa::Signature::from_der(signature).map_err(|_| wrong(scheme))?;
                key.verify_prehash(digest, &signature).map_err(|_| wrong(scheme))
            }
            SigningScheme::RsaPkcs1Sha256 => rsa(scheme, key, Pkcs1v15Sign::new::<Sha256>(), digest, signature),
            SigningScheme::RsaPkcs1Sha384 => rsa(scheme, key, Pkcs1v15Sign::new::<Sha384>(), digest, signature),
            SigningScheme::RsaPkcs1Sha512 => rsa(scheme, key, Pkcs1v15Sign::new::<Sha512>(), digest, signature),
            SigningScheme::RsaPssSha256 => rsa(scheme, key, Pss::new::<Sha256>(), digest, signature),
            SigningScheme::RsaPssSha384 => rsa(scheme, key, Pss::new::<Sha384>(), digest, signature),
            SigningScheme::RsaPssSha512 => rsa(scheme, key, Pss::new::<Sha512>(), digest, signature),
            other => Err(unsupported(other)),
        }
    }
}

fn rsa(
    scheme: SigningScheme,
    key: &[u8],
    padding: impl rsa::traits::SignatureScheme,
    digest: &[u8],
    signature: &[u8],
) -> Result<()> {
    let key = RsaPublicKey::from_pkcs1_der(key).map_err(invalid_key)?;
    key.verify(padding, digest, signature).map_err(|_| wrong(scheme))
}

fn invalid_key(reason: impl fmt::Display) -> Error {
    Error::InvalidKey(reason.to_string())
}

fn wrong(scheme: SigningScheme) -> Error {
    Error::Verification(format!("the {} signature is not valid", scheme.name()))
}

fn unsupported(scheme: SigningScheme) -> Error {
    Error::UnsupportedAlgorithm(scheme.name().to_owned())
}
