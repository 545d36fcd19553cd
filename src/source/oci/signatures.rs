//! The signatures of an artifact: where a registry keeps them, and whether one of them is accepted.
//!
//! cosign keeps them in two places: Sigstore bundles in manifests that refer to the artifact (OCI 1.1, with a tag for registries
//! that do not list such manifests), and before its version 3 signed payloads in a manifest of its own with a tag made from
//! the artifact's digest. What a signature says is known in `signature`.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use reqwest::StatusCode;
use sha2::{Digest as _, Sha256};

use super::manifest::{Descriptor, Manifest};
use super::registry::{Registry, next_page};
use super::repository::Repository;
use crate::signature::{Rejection, Signature, SignedPayload, Trust};
use crate::source::digest::Digest;
use crate::source::error::{Category, SourceError};
use crate::source::http::expect_success;
use crate::source::transport::shown;

/// The media type of lists of manifests.
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// What the types of bundles begin with; their version follows.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
/// What cosign says of a bundle without anybody having to read it.
const PREDICATE: &str = "dev.sigstore.bundle.predicateType";
/// The predicate of a bundle that is a signature.
const SIGN: &str = "https://sigstore.dev/cosign/sign/v1";
/// The media type of signed payloads.
const PAYLOAD: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// What is looked for, for messages.
const LOOKED_FOR: &str = "Sigstore bundle and no cosign signature";
/// How many pages of referrers are read.
const PAGES: usize = 20;
/// How long looking at all signatures of an artifact may take; each request has its own, shorter time.
const TIMEOUT: Duration = Duration::from_mins(3);
/// How many artifacts are remembered as verified.
const REMEMBERED: usize = 4096;
/// How many signatures an error tells of.
const TOLD: usize = 3;

/// What was verified, by artifact and by who is trusted.
#[derive(Default)]
pub(super) struct Verified(Mutex<HashSet<[u8; 32]>>);

impl Verified {
    fn has(&self, key: &[u8; 32]) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(key)
    }

    fn add(&self, key: [u8; 32]) {
        let mut verified = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= REMEMBERED {
            verified.clear();
        }
        verified.insert(key);
    }
}

/// What came of the signatures that were looked at.
struct Examined<'a> {
    digest: Digest,
    trust: &'a Trust,
    /// Why those were not accepted that were looked at.
    rejected: Vec<(String, Rejection)>,
    left: usize,
}

impl Examined<'_> {
    /// Counts a signature before anything of it is fetched; `false` when there are too many.
    fn may_look(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        self.left > 0
    }

    /// What was fetched; what is not as it should be counts as a signature that is not accepted, so that it stands in no other's way.
    fn sound<T>(&mut self, called: &str, fetched: Result<Option<T>, SourceError>) -> Result<Option<T>, SourceError> {
        match fetched {
            Err(error)
                if matches!(
                    error.category(),
                    Category::Content | Category::Integrity | Category::TooLarge
                ) =>
            {
                let rejection = Rejection::unreadable(&error);
                self.rejected.push((called.to_owned(), rejection));
                Ok(None)
            }
            fetched => fetched,
        }
    }

    /// Whether it is accepted.
    fn accepts(&mut self, called: String, signature: Signature<'_>) -> bool {
        match self.trust.verify(signature, self.digest.bytes()) {
            Ok(()) => true,
            Err(rejection) => {
                self.rejected.push((called, rejection));
                false
            }
        }
    }
}

impl Registry {
    /// Whether somebody who is trusted has signed the artifact with this digest. Who was found once is not looked for again.
    ///
    /// # Errors
    /// When nobody has, or when the registry does not tell.
    pub(in crate::source) async fn verify(
        &self,
        repository: &Repository,
        digest: Digest,
        trust: &Trust,
    ) -> Result<(), SourceError> {
        let key = Sha256::new_with_prefix(digest.bytes()).chain_update(trust.fingerprint());
        let key = key.chain_update(repository.to_string()).finalize().into();
        if self.verified().has(&key) {
            return Ok(());
        }
        let what = repository.reference(&digest.to_string());
        let mut examined = Examined {
            digest,
            trust,
            rejected: Vec::new(),
            left: self.limits().signatures + 1,
        };
        let is_accepted = tokio::time::timeout(TIMEOUT, self.examine(repository, &mut examined)).await;
        let is_accepted = is_accepted.map_err(|_| SourceError::Timeout {
            url: format!("{what} with its signatures"),
            timeout: TIMEOUT,
        })??;
        if is_accepted {
            self.verified().add(key);
            return Ok(());
        }
        let Examined { rejected, left, .. } = examined;
        if left == 0 {
            return Err(SourceError::TooMany {
                what,
                things: "signatures",
                limit: self.limits().signatures,
            });
        }
        Err(refusal(what, trust, &rejected))
    }

    async fn examine(&self, repository: &Repository, examined: &mut Examined<'_>) -> Result<bool, SourceError> {
        Ok(self.examine_bundles(repository, examined).await? || self.examine_payloads(repository, examined).await?)
    }

    async fn examine_bundles(&self, repository: &Repository, examined: &mut Examined<'_>) -> Result<bool, SourceError> {
        for referrer in self.referrers(repository, examined.digest).await? {
            if !may_be_bundle(&referrer) {
                continue;
            }
            if !examined.may_look() {
                return Ok(false);
            }
            let called = format!("bundle {}", referrer.digest);
            let json = self.bundle(repository, &referrer).await;
            if let Some(json) = examined.sound(&called, json)?
                && examined.accepts(called, Signature::Bundle(&json))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn examine_payloads(
        &self,
        repository: &Repository,
        examined: &mut Examined<'_>,
    ) -> Result<bool, SourceError> {
        let tag = format!("sha256-{}.sig", examined.digest.hexadecimal());
        let manifest = self.single_manifest(repository, &tag).await;
        let Some((manifest, _)) = examined.sound(&tag, manifest)? else {
            return Ok(false);
        };
        for layer in manifest.layers.iter().filter(|layer| layer.media_type == PAYLOAD) {
            if !examined.may_look() {
                return Ok(false);
            }
            let (called, annotations) = (format!("payload {}", layer.digest), &layer.annotations);
            let bytes = self.signature_blob(repository, layer).await;
            if let Some(bytes) = &examined.sound(&called, bytes)?
                && examined.accepts(called, Signature::Payload(SignedPayload { bytes, annotations }))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The bundle in a manifest; `None` if there is none.
    async fn bundle(&self, repository: &Repository, referrer: &Descriptor) -> Result<Option<Bytes>, SourceError> {
        // Not the text as it is: it goes into an address.
        let digest = digest_of(repository, referrer)?;
        // A list can be older than what it lists.
        let Some((manifest, _)) = self.single_manifest(repository, &digest.to_string()).await? else {
            return Ok(None);
        };
        let mut layers = manifest.layers.iter();
        match layers.find(|layer| layer.media_type.starts_with(BUNDLE)) {
            Some(layer) => self.signature_blob(repository, layer).await,
            None => Ok(None),
        }
    }

    async fn signature_blob(&self, repository: &Repository, layer: &Descriptor) -> Result<Option<Bytes>, SourceError> {
        let digest = digest_of(repository, layer)?;
        self.blob(repository, digest, self.limits().signature).await
    }

    /// The manifests that refer to an artifact, as far as they are listed.
    async fn referrers(&self, repository: &Repository, digest: Digest) -> Result<Vec<Descriptor>, SourceError> {
        let mut url = repository.api(&format!("referrers/{digest}"))?;
        let mut found = Vec::new();
        for _ in 0..PAGES {
            let answer = self.get(repository, &url, INDEX, self.limits().manifest).await?;
            // What registries answer that do not have this list: a tag has it then.
            if let StatusCode::NOT_FOUND
            | StatusCode::BAD_REQUEST
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::NOT_ACCEPTABLE = answer.status
            {
                let tag = format!("sha256-{}", digest.hexadecimal());
                let index = self.single_manifest(repository, &tag).await?;
                return Ok(index.map(|(index, _)| index.manifests).unwrap_or_default());
            }
            expect_success(&answer, &url, &repository.access.credentials)?;
            let page: Manifest = serde_json::from_slice(&answer.body).map_err(|error| SourceError::Protocol {
                url: shown(&url),
                reason: format!("its list of referrers cannot be read: {error}"),
            })?;
            found.extend(page.manifests);
            match next_page(&url, &answer.headers)? {
                Some(next) => url = next,
                None => return Ok(found),
            }
        }
        Err(SourceError::TooMany {
            what: repository.reference(&digest.to_string()),
            things: "pages of referrers",
            limit: PAGES,
        })
    }
}

fn digest_of(repository: &Repository, descriptor: &Descriptor) -> Result<Digest, SourceError> {
    let invalid = |error| SourceError::Protocol {
        url: repository.to_string(),
        reason: format!("the digest of a signature is {error}"),
    };
    descriptor.digest.parse().map_err(invalid)
}

/// Whether a referrer may be a bundle with a signature, by what the list says of it. Some lists do not say.
fn may_be_bundle(referrer: &Descriptor) -> bool {
    let is_bundle = |type_: &String| type_.starts_with(BUNDLE);
    referrer.artifact_type.as_ref().is_none_or(is_bundle)
        && referrer
            .annotations
            .get(PREDICATE)
            .is_none_or(|predicate| predicate == SIGN)
}

fn refusal(what: String, trust: &Trust, rejected: &[(String, Rejection)]) -> SourceError {
    if rejected.is_empty() {
        let looked_for = LOOKED_FOR;
        return SourceError::NotSigned { what, looked_for };
    }
    let told = rejected.iter().take(TOLD);
    let mut reason: Vec<String> = told
        .map(|(called, rejection)| format!("{called}: {rejection}"))
        .collect();
    if rejected.len() > TOLD {
        reason.push(format!("and {} more", rejected.len() - TOLD));
    }
    SourceError::NotTrusted {
        what,
        trusted: trust.to_string(),
        reason: reason.join("; "),
    }
}
