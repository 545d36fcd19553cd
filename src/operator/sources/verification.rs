//! Whose signatures of a chart are trusted, as the release or the source says.
//!
//! Edge. Reads Secrets; what is made of a signature is known in `signature`.

use std::collections::BTreeMap;
use std::fmt::Display;

use k8s_openapi::ByteString;
use kube::ResourceExt;

use super::error::SourcesError;
use super::reference::is_registry;
use super::secrets::Secrets;
use super::{Located, Sources};
use crate::api::oci_repository::OCIRepository;
use crate::api::reference::{LocalReference, OidcIdentity, Verification, VerificationProvider};
use crate::signature::{Keyless, PublicKeys, Trust, TrustError, is_key_name};

/// The key of a Secret that has a trusted root.
const TRUSTED_ROOT: &str = "trusted_root.json";

/// The names of the Secrets that a verification refers to.
pub(in crate::operator) fn secrets(verify: &Verification) -> impl Iterator<Item = &str> {
    let Verification {
        provider: _,
        secret_ref,
        match_oidc_identity: _,
        trusted_root_secret_ref,
    } = verify;
    let secrets = secret_ref.iter().chain(trusted_root_secret_ref);
    secrets.map(|secret| secret.name.as_str())
}

impl Sources {
    /// Whose signatures of the chart are trusted; `None` if none is asked for. The Secrets are in the namespace of the source, as with
    /// Flux.
    ///
    /// # Errors
    /// When a signature is asked for and it cannot be said whose.
    pub async fn trust(&self, located: &Located) -> Result<Option<Trust>, SourcesError> {
        match located {
            Located::Repository { repository, verify, .. } => match verify {
                None => Ok(None),
                Some(_) if !is_registry(repository) => Err(SourcesError::Verification {
                    field: "spec.chart.spec.verify".to_owned(),
                    problem: format!(
                        "HelmRepository {} is not of the type oci, and only charts in registries have signatures; remove it",
                        repository.name_any()
                    ),
                }),
                Some(verify) => {
                    let namespace = repository.namespace().unwrap_or_default();
                    let field = "spec.chart.spec.verify".to_owned();
                    self.trusted(verify, namespace, field).await.map(Some)
                }
            },
            Located::Artifact { repository } => self.artifact_trust(repository).await,
            // Flux's source-controller verified it, or did not.
            Located::Published(_) => Ok(None),
        }
    }

    pub(super) async fn artifact_trust(&self, repository: &OCIRepository) -> Result<Option<Trust>, SourcesError> {
        let Some(verify) = &repository.spec.verify else {
            return Ok(None);
        };
        let namespace = repository.namespace().unwrap_or_default();
        let field = format!("spec.verify of OCIRepository {namespace}/{}", repository.name_any());
        self.trusted(verify, namespace, field).await.map(Some)
    }

    async fn trusted(&self, verify: &Verification, namespace: String, field: String) -> Result<Trust, SourcesError> {
        let Verification {
            provider,
            secret_ref,
            match_oidc_identity,
            trusted_root_secret_ref,
        } = verify;
        let asked = Asked {
            secrets: Secrets {
                referred: &self.referred,
                source_name: field.clone(),
                namespace,
            },
            field,
        };
        let is_keyless = !match_oidc_identity.is_empty() || trusted_root_secret_ref.is_some();
        match (provider, secret_ref) {
            (VerificationProvider::Notation, _) => {
                Err(asked
                    .refused("the provider notation is not supported yet, and nothing is fetched without; use cosign"))
            }
            (VerificationProvider::Cosign, Some(_)) if is_keyless => Err(asked.refused(
                "matchOIDCIdentity and trustedRootSecretRef are for keyless signatures, and secretRef is for keys; \
                 remove the one or the other",
            )),
            (VerificationProvider::Cosign, Some(secret)) => asked.keys(&secret.name).await,
            (VerificationProvider::Cosign, None) => {
                asked
                    .identities(match_oidc_identity, trusted_root_secret_ref.as_ref())
                    .await
            }
        }
    }
}

/// A verification that is asked for.
struct Asked<'a> {
    secrets: Secrets<'a>,
    /// The field, and whose it is.
    field: String,
}

impl Asked<'_> {
    fn refused(&self, problem: impl Display) -> SourcesError {
        SourcesError::Verification {
            field: self.field.clone(),
            problem: problem.to_string(),
        }
    }

    /// A Secret by its full name, for messages, and what it holds.
    async fn secret(&self, name: &str) -> Result<(String, BTreeMap<String, ByteString>), SourcesError> {
        let origin = format!("Secret {}/{name}", self.secrets.namespace);
        let data = self.secrets.data(name).await;
        let data = data.map_err(|problem| self.refused(format_args!("{origin}: {problem}")))?;
        Ok((origin, data))
    }

    /// Trust in the public keys of a Secret.
    async fn keys(&self, secret: &str) -> Result<Trust, SourcesError> {
        let (origin, data) = self.secret(secret).await?;
        let keys = data.iter().filter(|(name, _)| is_key_name(name));
        let keys = PublicKeys::read(keys.map(|(name, value)| (name.as_str(), value.0.as_slice())));
        let keys = keys.map_err(|error| self.refused(format_args!("{origin}: {error}")))?;
        Ok(Trust::in_keys(keys, origin))
    }

    /// Trust in identities, as a trusted root vouches for them.
    async fn identities(
        &self,
        identities: &[OidcIdentity],
        root: Option<&LocalReference>,
    ) -> Result<Trust, SourcesError> {
        let (root, origin) = match root {
            None => (None, "the trusted root of the public Sigstore".to_owned()),
            Some(LocalReference { name }) => {
                let (origin, mut data) = self.secret(name).await?;
                let missing = || self.refused(format_args!("{origin}: it has no key {TRUSTED_ROOT}"));
                (Some(data.remove(TRUSTED_ROOT).ok_or_else(missing)?), origin)
            }
        };
        let identities = identities
            .iter()
            .map(|OidcIdentity { issuer, subject }| (issuer.as_str(), subject.as_str()));
        let keyless = Keyless::read(root.as_ref().map(|root| root.0.as_slice()), identities);
        let keyless = keyless.map_err(|error| match error {
            TrustError::Root { .. } => self.refused(format_args!("{origin}: {error}")),
            error => self.refused(error),
        })?;
        Ok(Trust::in_identities(keyless, origin))
    }
}
