//! The ConfigMaps and Secrets that releases and sources refer to, as they are in the cluster, unless somebody gave them.
//!
//! Edge. Reads one object at a time; what is made of it is known elsewhere.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Client;
use kube::api::Api;

use super::given::Given;

/// Reads what releases and sources refer to. Cheap to clone.
#[derive(Clone)]
pub struct Referred {
    client: Client,
    given: Arc<Given>,
}

impl Referred {
    /// From the cluster behind the client, unless it is given.
    pub fn new(client: &Client, given: Given) -> Self {
        Self {
            client: client.clone(),
            given: Arc::new(given),
        }
    }

    /// What is given.
    pub fn given(&self) -> &Given {
        &self.given
    }

    /// A ConfigMap; `None` if it does not exist.
    ///
    /// # Errors
    /// When the API server refuses, or does not answer.
    pub async fn config_map(&self, namespace: &str, name: &str) -> kube::Result<Option<Arc<ConfigMap>>> {
        if let Some(given) = self.given.config_maps.get(namespace, name) {
            return Ok(Some(given));
        }
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
        Ok(api.get_opt(name).await?.map(Arc::new))
    }

    /// A Secret; `None` if it does not exist.
    ///
    /// # Errors
    /// When the API server refuses, or does not answer.
    pub async fn secret(&self, namespace: &str, name: &str) -> kube::Result<Option<Arc<Secret>>> {
        if let Some(given) = self.given.secrets.get(namespace, name) {
            return Ok(Some(given));
        }
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        Ok(api.get_opt(name).await?.map(Arc::new))
    }
}
