//! How the cluster is reached that a release is released to.
//!
//! Edge. Reads the Secret or ConfigMap that `spec.kubeConfig` names, and makes a client of it.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::Api;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::error::{ClusterProblem, TargetError};
use super::kubeconfig;
use super::token::{TokenSource, bearing_tokens};
use crate::api::HelmRelease;
use crate::api::helm_release::KubeConfigReference;
use crate::operator::clients::Clients;
use crate::operator::context::Tenancy;
use crate::yaml;

/// Keys of a Secret in which a kubeconfig is looked for.
const KUBECONFIG_KEYS: [&str; 2] = ["value", "value.yaml"];
/// The one provider of identities for another cluster.
const GENERIC: &str = "generic";

/// How a cluster is reached.
#[derive(Debug)]
pub(super) enum Cluster {
    /// It is the one that the operator's own resources are in.
    Own,
    /// By a kubeconfig.
    Kubeconfig(String),
    /// With tokens of a ServiceAccount.
    Tokens(Tokens),
}

/// What tells one cluster from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum ClusterKey {
    /// The operator's own.
    Own,
    /// By the digest of a kubeconfig.
    Kubeconfig([u8; 32]),
    /// By everything that it is reached with.
    Tokens(Tokens),
}

/// A cluster that trusts ServiceAccounts of the operator's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Tokens {
    address: String,
    /// PEM.
    certificate_authority: Option<String>,
    source: TokenSource,
}

/// The cluster that a release describes.
///
/// # Errors
/// When the object that describes it cannot be read, or lacks something.
pub(super) async fn described(
    client: &Client,
    release: &HelmRelease,
    timeout: Duration,
) -> Result<Cluster, TargetError> {
    let namespace = release.own_namespace();
    let described = match object(release) {
        None => return Ok(Cluster::Own),
        Some(Object::Secret { name, key }) => {
            let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
            let secret = read(secrets.get_opt(name), timeout).await;
            secret
                .and_then(|secret| kubeconfig_in(secret, key))
                .map(Cluster::Kubeconfig)
        }
        Some(Object::ConfigMap { name }) => {
            let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
            let map = read(maps.get_opt(name), timeout).await;
            let tokens = map.and_then(|map| Tokens::of(namespace, &map.data.unwrap_or_default()));
            tokens.map(Cluster::Tokens)
        }
    };
    described.map_err(|problem| self::problem(release, problem))
}

/// The object that describes a cluster.
enum Object<'a> {
    Secret { name: &'a str, key: Option<&'a str> },
    ConfigMap { name: &'a str },
}

fn object(release: &HelmRelease) -> Option<Object<'_>> {
    let KubeConfigReference {
        config_map_ref,
        secret_ref,
    } = release.spec.kube_config.as_ref()?;
    let secret = secret_ref.as_ref().map(|secret| Object::Secret {
        name: &secret.name,
        key: secret.key.as_deref(),
    });
    secret.or_else(|| config_map_ref.as_ref().map(|map| Object::ConfigMap { name: &map.name }))
}

/// What is wrong with the cluster that a release describes.
pub(super) fn problem(release: &HelmRelease, problem: ClusterProblem) -> TargetError {
    let object = release.cluster_object().unwrap_or_default();
    TargetError::Described { object, problem }
}

async fn read<K>(call: impl Future<Output = kube::Result<Option<K>>>, timeout: Duration) -> Result<K, ClusterProblem> {
    match tokio::time::timeout(timeout, call).await {
        Ok(Ok(Some(object))) => Ok(object),
        Ok(Ok(None)) => Err(ClusterProblem::Missing),
        Ok(Err(error)) => Err(ClusterProblem::Unreadable(Box::new(error))),
        Err(_elapsed) => Err(ClusterProblem::Timeout),
    }
}

fn kubeconfig_in(secret: Secret, key: Option<&str>) -> Result<String, ClusterProblem> {
    let mut data = secret.data.unwrap_or_default();
    let found = match key {
        Some(key) => data.remove(key),
        None => KUBECONFIG_KEYS.iter().find_map(|key| data.remove(*key)),
    };
    let missing = || ClusterProblem::NoKey(key.map_or_else(|| KUBECONFIG_KEYS.join(" or "), str::to_owned));
    let text = String::from_utf8(found.ok_or_else(missing)?.0);
    text.map_err(|_| ClusterProblem::Unusable("it is not text".to_owned()))
}

impl Cluster {
    pub(super) fn key(&self) -> ClusterKey {
        match self {
            Self::Own => ClusterKey::Own,
            Self::Kubeconfig(text) => ClusterKey::Kubeconfig(Sha256::digest(text).into()),
            Self::Tokens(tokens) => ClusterKey::Tokens(tokens.clone()),
        }
    }

    /// A client of the cluster; `own` is that of the operator's own cluster.
    pub(super) async fn connect(
        self,
        own: &Client,
        tenancy: &Tenancy,
        clients: &Clients,
    ) -> Result<Client, ClusterProblem> {
        match self {
            Self::Own => Ok(own.clone()),
            Self::Kubeconfig(text) => connect(kubeconfig::configuration(&text, tenancy).await?, clients),
            Self::Tokens(tokens) => {
                let client = connect(tokens.configuration().await?, clients)?;
                Ok(bearing_tokens(client, own.clone(), tokens.source))
            }
        }
    }
}

fn connect(config: Config, clients: &Clients) -> Result<Client, ClusterProblem> {
    let connected = clients.connect(config);
    connected.map_err(|error| ClusterProblem::Unusable(error.to_string()))
}

impl Tokens {
    /// From a ConfigMap with the keys that Flux has for it.
    fn of(namespace: &str, data: &BTreeMap<String, String>) -> Result<Self, ClusterProblem> {
        let get = |key: &str| data.get(key).map(|text| text.trim()).filter(|text| !text.is_empty());
        let needed = |key: &str| get(key).ok_or_else(|| ClusterProblem::NoKey(key.to_owned()));
        let provider = needed("provider")?;
        if provider != GENERIC {
            return Err(ClusterProblem::Provider(provider.to_owned()));
        }
        let address = needed("address")?;
        if !address.starts_with("https://") {
            return Err(wrong("address", "does not begin with https://"));
        }
        Ok(Self {
            address: address.to_owned(),
            certificate_authority: get("ca.crt").map(str::to_owned),
            source: TokenSource {
                namespace: namespace.to_owned(),
                service_account: needed("serviceAccountName")?.to_owned(),
                audiences: get("audiences").map_or_else(|| Ok(vec![address.to_owned()]), audiences)?,
            },
        })
    }

    async fn configuration(&self) -> Result<Config, ClusterProblem> {
        let mut cluster = json!({"server": self.address});
        if let Some(certificates) = &self.certificate_authority {
            cluster["certificate-authority-data"] = STANDARD.encode(certificates).into();
        }
        let kubeconfig = json!({
            "current-context": GENERIC,
            "contexts": [{"name": GENERIC, "context": {"cluster": GENERIC}}],
            "clusters": [{"name": GENERIC, "cluster": cluster}],
        });
        let unusable = |error: String| ClusterProblem::Unusable(error);
        let kubeconfig: Kubeconfig = serde_json::from_value(kubeconfig).map_err(|error| unusable(error.to_string()))?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        config.map_err(|error| unusable(error.to_string()))
    }
}

/// A YAML list, or one in each line.
fn audiences(text: &str) -> Result<Vec<String>, ClusterProblem> {
    if !text.starts_with(['-', '[']) {
        return Ok(text.lines().map(|line| line.trim().to_owned()).collect());
    }
    let listed = yaml::from_slice_array(text.as_bytes()).map_err(|error| wrong("audiences", &error.to_string()))?;
    let texts: Option<Vec<String>> = listed
        .iter()
        .map(|audience| audience.as_str().map(str::to_owned))
        .collect();
    texts.ok_or_else(|| wrong("audiences", "is not a list of texts"))
}

fn wrong(key: &str, problem: &str) -> ClusterProblem {
    ClusterProblem::Key {
        key: key.to_owned(),
        problem: problem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(data: &[(&str, &str)]) -> Result<Tokens, String> {
        let data = data.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned()));
        Tokens::of("prod", &data.collect()).map_err(|error| error.to_string())
    }

    const NEEDED: [(&str, &str); 3] = [
        ("provider", "generic"),
        ("address", "https://far.example.com"),
        ("serviceAccountName", "deployer"),
    ];

    #[test]
    fn a_cluster_that_trusts_tokens_is_described_by_a_config_map() {
        let plain = tokens(&NEEDED).unwrap();
        assert_eq!(plain.source.audiences, ["https://far.example.com"]);
        for text in ["- a\n- b", "[a, b]", "a\nb\n"] {
            let found = tokens(&[&NEEDED[..], &[("audiences", text)]].concat()).unwrap();
            assert_eq!(found.source.audiences, ["a", "b"], "{text}");
        }
    }

    #[test]
    fn what_a_config_map_lacks_is_named() {
        for (left_out, named) in [
            ("provider", "provider"),
            ("address", "address"),
            ("serviceAccountName", "serviceAccountName"),
        ] {
            let rest: Vec<_> = NEEDED.into_iter().filter(|(key, _)| *key != left_out).collect();
            assert_eq!(tokens(&rest).unwrap_err(), format!("it has no key {named}"));
        }
        let cloud = tokens(&[("provider", "aws")]).unwrap_err();
        assert!(cloud.contains("aws") && cloud.contains("use generic"), "{cloud}");
        let plain = tokens(&[("provider", "generic"), ("address", "http://far.example.com")]).unwrap_err();
        assert!(plain.contains("https://"), "{plain}");
    }
}
