//! Who we are to a server and whom we trust: credentials, certificates, proxies. Nothing here shows a secret.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::digest::Digest;

/// A text that must not be shown: `Debug` writes only that it is there.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a text under protection.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, to be handed to a server and to nobody else.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<redacted>")
    }
}

/// How to log in to a server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Credentials {
    /// Not at all.
    #[default]
    Anonymous,
    /// With a name and a password.
    Basic {
        /// The user.
        username: String,
        /// The password or access token.
        password: Secret,
    },
    /// With a token.
    Bearer(Secret),
}

/// Certificates as PEM.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// Authorities to trust in addition to those of the system (`ca.crt`).
    pub certificate_authorities: Option<Vec<u8>>,
    /// Our certificate chain and private key (`tls.crt`, `tls.key`).
    pub client: Option<ClientCertificate>,
    /// Accepts any server certificate; only for tests and at the user's explicit wish.
    pub insecure_skip_verify: bool,
}

/// A client certificate as PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate chain.
    pub certificate: Vec<u8>,
    /// The private key.
    pub key: Secret,
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Tls")
            .field("certificate_authorities", &self.certificate_authorities.is_some())
            .field("client", &self.client.is_some())
            .field("insecure_skip_verify", &self.insecure_skip_verify)
            .finish()
    }
}

/// A proxy. Without one the usual environment variables (`HTTPS_PROXY`, `NO_PROXY`, ...) hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Its URL.
    pub address: String,
    /// The login, if it wants one.
    pub credentials: Option<(String, Secret)>,
}

/// Everything about how to talk to one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The login.
    pub credentials: Credentials,
    /// The certificates.
    pub tls: Tls,
    /// The proxy.
    pub proxy: Option<Proxy>,
    /// How long one request may take, its body included.
    pub timeout: Duration,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            credentials: Credentials::default(),
            tls: Tls::default(),
            proxy: None,
            timeout: Duration::from_mins(1),
        }
    }
}

impl Access {
    /// Stands for everything in here: what one login was allowed to see is not handed to another from memory.
    pub(super) fn fingerprint(&self) -> Digest {
        let Self {
            credentials,
            tls,
            proxy,
            timeout: _,
        } = self;
        let mut hasher = Sha256::new();
        match credentials {
            Credentials::Anonymous => add(&mut hasher, b"anonymous"),
            Credentials::Basic { username, password } => {
                add(&mut hasher, b"basic");
                add(&mut hasher, username.as_bytes());
                add(&mut hasher, password.expose().as_bytes());
            }
            Credentials::Bearer(token) => {
                add(&mut hasher, b"bearer");
                add(&mut hasher, token.expose().as_bytes());
            }
        }
        hash_connection(&mut hasher, tls, proxy.as_ref());
        Digest::finish(hasher)
    }

    /// Stands for what a connection depends on, that is everything but the login.
    pub(super) fn connection_fingerprint(&self) -> Digest {
        let mut hasher = Sha256::new();
        hash_connection(&mut hasher, &self.tls, self.proxy.as_ref());
        Digest::finish(hasher)
    }
}

fn hash_connection(hasher: &mut Sha256, tls: &Tls, proxy: Option<&Proxy>) {
    let Tls {
        certificate_authorities,
        client,
        insecure_skip_verify,
    } = tls;
    add(hasher, certificate_authorities.as_deref().unwrap_or_default());
    add(hasher, client.as_ref().map_or(&[][..], |client| &client.certificate));
    add(
        hasher,
        client.as_ref().map_or(&[][..], |client| client.key.expose().as_bytes()),
    );
    add(hasher, &[u8::from(*insecure_skip_verify)]);
    add(hasher, proxy.map_or(&[][..], |proxy| proxy.address.as_bytes()));
    if let Some((username, password)) = proxy.and_then(|proxy| proxy.credentials.as_ref()) {
        add(hasher, username.as_bytes());
        add(hasher, password.expose().as_bytes());
    }
}

/// Adds a part with its length, so that no two lists of parts look the same.
fn add(hasher: &mut Sha256, part: &[u8]) {
    hasher.update((part.len() as u64).to_be_bytes());
    hasher.update(part);
}

/// Why a Docker configuration gives no credentials. Never quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DockerConfigError {
    /// It is not JSON of the expected form.
    #[error("the Docker configuration is not JSON with an `auths` object")]
    Malformed,
    /// An `auth` field is not base64 of `user:password`.
    #[error("an `auth` field of the Docker configuration is not base64 of `user:password`")]
    Auth,
    /// Only an identity token is given.
    #[error("the Docker configuration holds an identity token for this registry; give a user and a password")]
    IdentityToken,
}

#[derive(Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, DockerAuth>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct DockerAuth {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

impl Credentials {
    /// Finds the login for a registry host (with port) in the bytes of a `.dockerconfigjson` or `config.json`.
    /// Credential helpers are programs and are not run.
    pub fn from_docker_config(json: &[u8], registry: &str) -> Result<Self, DockerConfigError> {
        let config: DockerConfig = serde_json::from_slice(json).map_err(|_| DockerConfigError::Malformed)?;
        let docker_hub = registry == "docker.io" || registry == "registry-1.docker.io";
        let found = config.auths.into_iter().find(|(key, _)| {
            let host = docker_host(key);
            host == registry || docker_hub && matches!(host, "docker.io" | "index.docker.io" | "registry-1.docker.io")
        });
        let Some((_, auth)) = found else {
            return Ok(Self::Anonymous);
        };
        let DockerAuth {
            auth,
            username,
            password,
            identitytoken,
            registrytoken,
        } = auth;
        if !registrytoken.is_empty() {
            return Ok(Self::Bearer(Secret(registrytoken)));
        }
        if !auth.is_empty() {
            let decoded = STANDARD
                .decode(auth.trim())
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok());
            let decoded = decoded.ok_or(DockerConfigError::Auth)?;
            let (username, password) = decoded.split_once(':').ok_or(DockerConfigError::Auth)?;
            if !password.is_empty() {
                let password = Secret::new(password.trim_end_matches('\0'));
                return Ok(Self::Basic {
                    username: username.to_owned(),
                    password,
                });
            }
        }
        match (username.is_empty(), identitytoken.is_empty()) {
            (false, _) => Ok(Self::Basic {
                username,
                password: Secret(password),
            }),
            (true, false) => Err(DockerConfigError::IdentityToken),
            (true, true) => Ok(Self::Anonymous),
        }
    }
}

/// The host of a key such as `https://index.docker.io/v1/`.
fn docker_host(key: &str) -> &str {
    let bare = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(key);
    bare.split('/').next().unwrap_or(bare)
}

#[cfg(test)]
mod tests {
    use super::{Access, Credentials, DockerConfigError, Proxy, Secret};

    fn basic(username: &str, password: &str) -> Credentials {
        Credentials::Basic {
            username: username.to_owned(),
            password: Secret::new(password),
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let access = Access {
            credentials: basic("me", "hunter2"),
            proxy: Some(Proxy {
                address: "http://p".into(),
                credentials: Some(("u".into(), Secret::new("hunter2"))),
            }),
            ..Access::default()
        };
        assert!(!format!("{access:?}").contains("hunter2"));
        assert!(!format!("{:?}", Credentials::Bearer(Secret::new("hunter2"))).contains("hunter2"));
    }

    #[test]
    fn fingerprints_differ_where_access_differs() {
        let with = |credentials| {
            Access {
                credentials,
                ..Access::default()
            }
            .fingerprint()
        };
        let all = [
            with(Credentials::Anonymous),
            with(basic("a", "bc")),
            with(basic("ab", "c")),
            with(Credentials::Bearer(Secret::new("abc"))),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(all[index + 1..].iter().all(|other| other != one));
        }
    }

    #[test]
    fn reads_docker_configurations() {
        let config = br#"{"auths": {"https://index.docker.io/v1/": {"auth": "aHViOnA6dw=="},
            "ghcr.io": {"username": "u", "password": "p"}, "bad.io": {"auth": "%"}, "none.io": {},
            "id.io": {"identitytoken": "t"}, "token.io": {"registrytoken": "t"}}}"#;
        let find = |registry| Credentials::from_docker_config(config, registry);
        assert_eq!(find("docker.io"), Ok(basic("hub", "p:w")));
        assert_eq!(find("ghcr.io"), Ok(basic("u", "p")));
        assert_eq!(find("bad.io"), Err(DockerConfigError::Auth));
        assert_eq!(find("none.io"), Ok(Credentials::Anonymous));
        assert_eq!(find("other.io"), Ok(Credentials::Anonymous));
        assert_eq!(find("id.io"), Err(DockerConfigError::IdentityToken));
        assert_eq!(find("token.io"), Ok(Credentials::Bearer(Secret::new("t"))));
        assert_eq!(
            Credentials::from_docker_config(b"[", "x"),
            Err(DockerConfigError::Malformed)
        );
    }
}
