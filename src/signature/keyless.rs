//! Signatures of people who have no key: a certificate for ten minutes says who they are, and a log says that they signed within these.
//!
//! What is proven by whom is Sigstore's crate's to know. Here is which identities are accepted, and how cosign's older format is
//! read as the newer one. The crate asks the clock, once: a signature from the future is refused.

use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use sigstore_verify::trust_root::{SIGSTORE_PRODUCTION_TRUSTED_ROOT, TrustedRoot};
use sigstore_verify::types::bundle::{
    InclusionPromise, LogId, MessageSignature, TransparencyLogEntry, VerificationMaterialContent, X509Certificate,
};
use sigstore_verify::types::{
    Artifact, Bundle, CanonicalizedBody, DerCertificate, KindVersion, LogIndex, LogKeyId, MediaType, Sha256Hash,
    SignatureContent, SignedTimestamp, VerificationMaterial,
};
use sigstore_verify::{SubjectAltName, VerificationPolicy, VerificationResult, Verifier};

use super::error::{Rejection, TrustError};
use super::payload::SignedPayload;
use super::provider;
use crate::go::regexp::Regexp;

/// How many identities are read.
const IDENTITIES: usize = 64;
/// The longest regular expression in bytes.
const EXPRESSION: usize = 4096;
/// The largest trusted root in bytes: what a Secret can hold.
const ROOT: usize = 1024 * 1024;

/// The annotations of cosign's older format.
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const CHAIN: &str = "dev.sigstore.cosign/chain";
const PROMISE: &str = "dev.sigstore.cosign/bundle";
/// How many certificates of a chain are read.
const CERTIFICATES: usize = 8;

/// Who may have signed: regular expressions, either of which has to match a part, as in Go without anchors.
struct Identity {
    issuer: Regexp,
    subject: Regexp,
}

/// Whose certificates and logs are believed, and which identities are accepted.
pub struct Keyless {
    verifier: Verifier,
    /// What has to be proven of each signature.
    policy: VerificationPolicy,
    identities: Vec<Identity>,
    fingerprint: [u8; 32],
}

impl Identity {
    fn read(index: usize, issuer: &str, subject: &str) -> Result<Self, TrustError> {
        let compile = |field: &'static str, expression: &str| {
            let refused = |reason: String| TrustError::Identity { index, field, reason };
            if expression.len() > EXPRESSION {
                return Err(refused(format!("it is longer than {EXPRESSION} bytes")));
            }
            Regexp::compile(expression).map_err(|error| refused(error.to_string()))
        };
        Ok(Self {
            issuer: compile("issuer", issuer)?,
            subject: compile("subject", subject)?,
        })
    }
}

impl Keyless {
    /// Believes a trusted root, as Sigstore's `trusted_root.json` has it; without one, that of the public instance. Accepts the
    /// identities, each an issuer and a subject.
    ///
    /// A root that knows no log of certificates is one of an instance without such a log: certificates need not be in one then.
    ///
    /// # Errors
    /// When one of them cannot be read, or no identity is given.
    pub fn read<'a>(
        root: Option<&[u8]>,
        identities: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, TrustError> {
        provider::install();
        let json = root.unwrap_or(SIGSTORE_PRODUCTION_TRUSTED_ROOT.as_bytes());
        if json.len() > ROOT {
            return Err(TrustError::root(&format_args!("it is larger than {ROOT} bytes")));
        }
        let root: TrustedRoot = serde_json::from_slice(json).map_err(|error| TrustError::root(&error))?;
        let verifier = Verifier::new(&root).map_err(|error| TrustError::root(&error))?;
        if root.certificate_authorities.is_empty() || root.tlogs.is_empty() {
            return Err(TrustError::root(
                &"it has no certificate authority or no transparency log",
            ));
        }
        let policy = VerificationPolicy::any_identity();
        let policy = if root.ctlogs.is_empty() {
            policy.skip_sct()
        } else {
            policy
        };
        let mut hasher = Sha256::new_with_prefix(Sha256::digest(json));
        let mut read = Vec::new();
        for (index, (issuer, subject)) in identities.into_iter().enumerate() {
            if index == IDENTITIES {
                return Err(TrustError::TooManyIdentities { limit: IDENTITIES });
            }
            read.push(Identity::read(index, issuer, subject)?);
            hasher.update(Sha256::digest(issuer));
            hasher.update(Sha256::digest(subject));
        }
        if read.is_empty() {
            return Err(TrustError::NoIdentities);
        }
        Ok(Self {
            verifier,
            policy,
            identities: read,
            fingerprint: hasher.finalize().into(),
        })
    }

    pub(super) fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// Whether somebody who is accepted signed the artifact with this digest, by a bundle that says so.
    pub(super) fn verify_digest(&self, bundle: &Bundle, digest: Sha256Hash) -> Result<(), Rejection> {
        self.verify(bundle, digest.into())
    }

    /// Whether somebody who is accepted signed the payload.
    pub(super) fn verify_payload(&self, payload: &SignedPayload<'_>) -> Result<(), Rejection> {
        self.verify(&as_bundle(payload)?, Artifact::from_blob(payload.bytes))
    }

    fn verify(&self, bundle: &Bundle, artifact: Artifact<'_>) -> Result<(), Rejection> {
        if let VerificationMaterialContent::PublicKey(_) = bundle.verification_material.content {
            return Err(Rejection::NotKeyless);
        }
        let verified = self.verifier.verify(artifact, bundle, &self.policy);
        self.accepts(&verified.map_err(|error| Rejection::unproven(&error))?)
    }

    fn accepts(&self, verified: &VerificationResult) -> Result<(), Rejection> {
        let subject = verified.identity().map(SubjectAltName::as_str).unwrap_or_default();
        let issuer = verified.issuer().unwrap_or_default();
        let is_accepted = |identity: &Identity| {
            identity.issuer.is_match(issuer.as_bytes()) && identity.subject.is_match(subject.as_bytes())
        };
        if !subject.is_empty() && !issuer.is_empty() && self.identities.iter().any(is_accepted) {
            Ok(())
        } else {
            Err(Rejection::other_identity(subject, issuer))
        }
    }
}

impl fmt::Debug for Keyless {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Keyless({} identities)", self.identities.len())
    }
}

/// What a log promised, as cosign's older format has it.
#[derive(Deserialize)]
struct Promise {
    #[serde(rename = "SignedEntryTimestamp")]
    signed_entry_timestamp: SignedTimestamp,
    #[serde(rename = "Payload")]
    entry: Entry,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    body: CanonicalizedBody,
    integrated_time: i64,
    log_index: u64,
    #[serde(rename = "logID")]
    log_id: String,
}

/// A signed payload, as the bundle that it would be.
fn as_bundle(payload: &SignedPayload<'_>) -> Result<Bundle, Rejection> {
    let annotation = |name: &str| payload.annotations.get(name).map(String::as_str);
    let certificate = annotation(CERTIFICATE).ok_or(Rejection::NotKeyless)?;
    let promise = annotation(PROMISE).ok_or(Rejection::NotLogged)?;
    let certificates = certificates(certificate, annotation(CHAIN).unwrap_or_default())?;
    let content = VerificationMaterialContent::X509CertificateChain { certificates };
    let material = VerificationMaterial::new(content).with_tlog_entries(vec![logged(promise)?]);
    let signature = SignatureContent::MessageSignature(MessageSignature::new(payload.signature()?));
    Ok(Bundle::new(MediaType::Bundle0_1, material, signature))
}

/// The certificate, and what of its chain is between it and a root.
fn certificates(own: &str, chain: &str) -> Result<Vec<X509Certificate>, Rejection> {
    const END: &str = "-----END CERTIFICATE-----";
    let blocks = own.split_inclusive(END).take(1).chain(chain.split_inclusive(END));
    let blocks = blocks.filter(|block| block.contains(END)).take(CERTIFICATES);
    let read = blocks.map(|block| {
        let der = DerCertificate::from_pem(block).map_err(|error| Rejection::malformed("its certificate", &error))?;
        Ok(X509Certificate::new(der))
    });
    read.collect()
}

fn logged(promise: &str) -> Result<TransparencyLogEntry, Rejection> {
    let malformed = |reason: &dyn fmt::Display| Rejection::malformed("what a log says of it", reason);
    let Promise {
        signed_entry_timestamp,
        entry,
    } = serde_json::from_str(promise).map_err(|error| malformed(&error))?;
    let index = LogIndex::new(entry.log_index).map_err(|error| malformed(&error))?;
    let id = Sha256Hash::from_hex(&entry.log_id).map_err(|error| malformed(&error))?;
    let id = LogId::new(LogKeyId::from_bytes(id.as_slice()));
    let at = Timestamp::from_second(entry.integrated_time).map_err(|error| malformed(&error))?;
    let logged = TransparencyLogEntry::new(index, id, KindVersion::HashedRekordV001, entry.body);
    let promised = InclusionPromise::new(signed_entry_timestamp);
    Ok(logged.with_integrated_time(at).with_inclusion_promise(promised))
}

#[cfg(test)]
mod tests;
