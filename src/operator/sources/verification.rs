//! Whose signatures of a chart are trusted, as the release or the source says.
//!
//! Edge. Reads Secrets; what is made of a signature is known in `signature`.

use std::fmt::Display;

use kube::ResourceExt;

use super::error::SourcesError;
use super::reference::is_registry;
use super::secrets::Secrets;
use super::{Located, Sources};
use crate::api::oci_repository::OCIRepository;
use crate::api::reference::{Verification, VerificationProvider};
use crate::signature::{PublicKeys, Trust, is_key_name};

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
        let refused = |problem: &str| SourcesError::Verification {
            field: field.clone(),
            problem: problem.to_owned(),
        };
        let secret = match (provider, secret_ref) {
            (VerificationProvider::Notation, _) => {
                return Err(refused(
                    "the provider notation is not supported yet, and nothing is fetched without; use cosign",
                ));
            }
            (VerificationProvider::Cosign, None) => {
                return Err(refused(
                    "keyless signatures are not supported yet, and nothing is fetched without; name a Secret with public keys in secretRef",
                ));
            }
            (VerificationProvider::Cosign, Some(secret)) => &secret.name,
        };
        if !match_oidc_identity.is_empty() || trusted_root_secret_ref.is_some() {
            return Err(refused(
                "matchOIDCIdentity and trustedRootSecretRef are for keyless signatures, and secretRef is for keys; remove the one or the other",
            ));
        }
        let secrets = Secrets {
            client: &self.client,
            source_name: field.clone(),
            namespace,
        };
        let origin = format!("Secret {}/{secret}", secrets.namespace);
        let unusable = |problem: &dyn Display| refused(&format!("{origin}: {problem}"));
        let data = secrets.data(secret).await.map_err(|problem| unusable(&problem))?;
        let keys = data.iter().filter(|(name, _)| is_key_name(name));
        let keys = PublicKeys::read(keys.map(|(name, value)| (name.as_str(), value.0.as_slice())));
        let keys = keys.map_err(|error| unusable(&error))?;
        Ok(Trust::in_keys(keys, origin))
    }
}
