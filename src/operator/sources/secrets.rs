//! The logins and certificates that a source names.
//!
//! Edge. They are read when they are needed, and not kept.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;

use super::error::SourcesError;
use crate::operator::referred::Referred;
use crate::source::{ClientCertificate, Credentials, DockerConfigError, Secret, Tls};

/// Key of a Secret of the type `kubernetes.io/dockerconfigjson`.
const DOCKER_CONFIG: &str = ".dockerconfigjson";

/// The Secrets of one source.
pub(super) struct Secrets<'a> {
    pub(super) referred: &'a Referred,
    pub(super) namespace: String,
    pub(super) source_name: String,
}

impl Secrets<'_> {
    fn error(&self, name: &str, problem: impl Into<String>) -> SourcesError {
        SourcesError::Secret {
            namespace: self.namespace.clone(),
            name: name.to_owned(),
            source_name: self.source_name.clone(),
            problem: problem.into(),
        }
    }

    async fn read(&self, name: &str) -> Result<BTreeMap<String, ByteString>, SourcesError> {
        let data = self.data(name).await;
        data.map_err(|problem| self.error(name, problem))
    }

    /// What a Secret holds, or what is wrong.
    pub(super) async fn data(&self, name: &str) -> Result<BTreeMap<String, ByteString>, String> {
        match self.referred.secret(&self.namespace, name).await {
            Ok(Some(secret)) => Ok(secret.data.clone().unwrap_or_default()),
            Ok(None) => Err("it does not exist".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// A login: `username` and `password`, `bearerToken`, or for a registry a Docker configuration.
    pub(super) async fn credentials(&self, name: &str, registry: Option<&String>) -> Result<Credentials, SourcesError> {
        let data = self.read(name).await?;
        if let (Some(config), Some(registry)) = (data.get(DOCKER_CONFIG), registry) {
            let credentials = Credentials::from_docker_config(&config.0, registry);
            return credentials.map_err(|error: DockerConfigError| self.error(name, error.to_string()));
        }
        let text = |key: &str| {
            let bytes = data.get(key).map(|bytes| bytes.0.clone());
            bytes.map(|bytes| String::from_utf8(bytes).map_err(|_| self.error(name, format!("{key} is not text"))))
        };
        match (
            text("username").transpose()?,
            text("password").transpose()?,
            text("bearerToken").transpose()?,
        ) {
            (Some(username), Some(password), _) => Ok(Credentials::Basic {
                username,
                password: Secret::new(password),
            }),
            (None, None, Some(token)) => Ok(Credentials::Bearer(Secret::new(token))),
            _ => Err(self.error(
                name,
                "it has neither username and password, nor bearerToken, nor .dockerconfigjson",
            )),
        }
    }

    /// `ca.crt`, and `tls.crt` with `tls.key`.
    pub(super) async fn tls(&self, name: &str) -> Result<Tls, SourcesError> {
        let data = self.read(name).await?;
        let bytes = |key: &str| data.get(key).map(|bytes| bytes.0.clone());
        let client = match (bytes("tls.crt"), bytes("tls.key")) {
            (Some(certificate), Some(key)) => {
                let key = String::from_utf8(key).map_err(|_| self.error(name, "tls.key is not PEM"))?;
                Some(ClientCertificate {
                    certificate,
                    key: Secret::new(key),
                })
            }
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err(self.error(name, "tls.crt and tls.key must be there together"));
            }
        };
        Ok(Tls {
            certificate_authorities: bytes("ca.crt"),
            client,
            insecure_skip_verify: false,
        })
    }
}
