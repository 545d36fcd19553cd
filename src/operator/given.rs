//! What somebody gives in place of what is in the cluster: objects of a file, and a chart of this machine.
//!
//! Plain data. The operator is given nothing; on the command line, a person gives what is to be tried.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::{Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::helm_repository::HelmRepository;
use crate::api::oci_repository::OCIRepository;
use crate::source::ChartReference;

/// Where SOPS leaves what it needs to decrypt a manifest.
const SOPS: &str = "sops";

/// Objects of a kind, by namespace and name.
#[derive(Debug)]
pub struct Objects<K>(BTreeMap<(String, String), Arc<K>>);

impl<K> Default for Objects<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K> Objects<K> {
    /// One of them.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        self.0.get(&(namespace.to_owned(), name.to_owned())).cloned()
    }
}

impl<K: Resource + DeserializeOwned> Objects<K> {
    fn take(&mut self, object: Value, change: impl FnOnce(&mut K)) -> serde_json::Result<Taken> {
        let mut object: K = serde_json::from_value(object)?;
        change(&mut object);
        let key = (object.namespace().unwrap_or_default(), object.name_any());
        self.0.insert(key, Arc::new(object));
        Ok(Taken::Used)
    }
}

/// What becomes of an object that is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It takes the place of the one in the cluster.
    Used,
    /// It is encrypted, so that the one in the cluster is used.
    Encrypted,
    /// Its kind is none that releases refer to.
    NotUsed,
}

/// What is given.
#[derive(Debug, Default)]
pub struct Given {
    /// The chart of every release.
    pub chart: Option<ChartReference>,
    /// Namespaces that would be there.
    pub namespaces: HashSet<String>,
    /// Repositories of charts.
    pub repositories: Objects<HelmRepository>,
    /// Charts in registries.
    pub artifacts: Objects<OCIRepository>,
    /// ConfigMaps.
    pub config_maps: Objects<ConfigMap>,
    /// Secrets.
    pub secrets: Objects<Secret>,
}

impl Given {
    /// Takes an object in. One that comes twice counts as it comes last.
    ///
    /// # Errors
    /// When it is not what its kind says.
    pub fn take(&mut self, object: Value) -> serde_json::Result<Taken> {
        if object.get(SOPS).is_some() {
            return Ok(Taken::Encrypted);
        }
        let is = |api_version: &str, kind: &str| {
            let text = |field: &str| object.get(field).and_then(Value::as_str);
            text("apiVersion") == Some(api_version) && text("kind") == Some(kind)
        };
        let ours = HelmRepository::api_version(&());
        if is(&ours, "HelmRepository") {
            self.repositories.take(object, |_| ())
        } else if is(&ours, "OCIRepository") {
            self.artifacts.take(object, |_| ())
        } else if is("v1", "ConfigMap") {
            self.config_maps.take(object, |_| ())
        } else if is("v1", "Secret") {
            self.secrets.take(object, as_stored)
        } else if is("v1", "Namespace") {
            let namespace: Namespace = serde_json::from_value(object)?;
            self.namespaces.insert(namespace.name_any());
            Ok(Taken::Used)
        } else {
            Ok(Taken::NotUsed)
        }
    }
}

/// A Secret as the API server keeps it: `stringData` becomes `data`.
fn as_stored(secret: &mut Secret) {
    let texts = secret.string_data.take().unwrap_or_default().into_iter();
    let texts = texts.map(|(key, text)| (key, ByteString(text.into_bytes())));
    secret.data.get_or_insert_default().extend(texts);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_given_is_found_by_namespace_and_name() {
        let mut given = Given::default();
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "prod"},
            "data": {"old": "b2xk", "both": "b2xk"}, "stringData": {"both": "new"}});
        assert_eq!(given.take(secret.clone()).unwrap(), Taken::Used);
        assert!(given.secrets.get("other", "a").is_none());
        let data = given.secrets.get("prod", "a").unwrap().data.clone().unwrap();
        assert_eq!(
            (data["old"].0.as_slice(), data["both"].0.as_slice()),
            (&b"old"[..], &b"new"[..])
        );

        let mut encrypted = secret;
        encrypted["sops"] = json!({"version": "3.9.0"});
        encrypted["metadata"]["name"] = json!("b");
        assert_eq!(given.take(encrypted).unwrap(), Taken::Encrypted);
        assert!(given.secrets.get("prod", "b").is_none());
    }

    #[test]
    fn other_kinds_and_wrong_objects_are_told_apart() {
        let mut given = Given::default();
        let flux =
            json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "HelmRepository", "metadata": {"name": "a"}});
        assert_eq!(given.take(flux).unwrap(), Taken::NotUsed);
        let wrong = json!({"apiVersion": "fairlead.dev/v1alpha1", "kind": "HelmRepository", "metadata": {"name": "a"}});
        assert!(given.take(wrong).unwrap_err().to_string().contains("spec"));
    }
}
