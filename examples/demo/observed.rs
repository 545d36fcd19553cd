//! What the API server and the operator's metrics say, read back for the demo's expectations.

use std::time::Duration;

use fairlead::api::HelmRelease;
use fairlead::api::helm_release::ownership_status::ContestedField;
use k8s_openapi::api::apps::v1::Deployment;
use kube::{Api, Client};
use serde_json::Value;

use crate::error::DemoError;

const HTTP_TIMEOUT: Duration = Duration::from_secs(10);

/// A HelmRelease as it is stored now.
pub(crate) struct Release(HelmRelease);

impl Release {
    pub(crate) async fn read(client: &Client, name: &str) -> Result<Self, DemoError> {
        let api: Api<HelmRelease> = Api::default_namespaced(client.clone());
        Ok(Self(api.get(name).await?))
    }

    /// Status and reason of a condition, as `True InstallSucceeded`.
    pub(crate) fn condition(&self, type_: &str) -> String {
        let conditions = self.0.status.iter().flat_map(|status| &status.conditions);
        let condition = conditions.into_iter().find(|condition| condition.type_ == type_);
        condition.map_or_else(
            || "absent".to_owned(),
            |condition| format!("{} {}", condition.status, condition.reason),
        )
    }

    /// Of each contested field: path, our value, theirs, manager, class, action and rule.
    pub(crate) fn contested(&self) -> Vec<String> {
        let ownership = self.0.status.iter().filter_map(|status| status.ownership.as_ref());
        ownership.flat_map(|ownership| &ownership.contested).map(told).collect()
    }
}

fn told(field: &ContestedField) -> String {
    let value = |value: &Option<Value>| value.as_ref().map_or_else(|| "-".to_owned(), Value::to_string);
    format!(
        "{} {}: {} or {} of {}, {}, {} by {}",
        field.object,
        field.path,
        value(&field.ours),
        value(&field.theirs),
        field.manager,
        field.class,
        field.action,
        field.rule.as_deref().unwrap_or("-"),
    )
}

/// Replicas and image of a Deployment as it is stored now, as `3 of registry.example.com/shop:1.4.2`.
pub(crate) async fn deployment(client: &Client, name: &str) -> Result<String, DemoError> {
    let api: Api<Deployment> = Api::default_namespaced(client.clone());
    let spec = api.get(name).await?.spec;
    let replicas = spec.replicas.unwrap_or_default();
    let containers = spec.template.spec.map(|pod| pod.containers).unwrap_or_default();
    let images: Vec<String> = containers.into_iter().filter_map(|container| container.image).collect();
    Ok(format!("{replicas} of {}", images.join(", ")))
}

/// The samples of the operator's metrics whose names start with `prefix`.
pub(crate) async fn metrics(url: &str, prefix: &str) -> Result<Vec<String>, DemoError> {
    let failed = |source| DemoError::Http {
        url: url.to_owned(),
        source,
    };
    let client = reqwest::Client::builder().no_proxy().timeout(HTTP_TIMEOUT).build();
    let answer = client.map_err(failed)?.get(url).send().await.map_err(failed)?;
    let text = answer
        .error_for_status()
        .map_err(failed)?
        .text()
        .await
        .map_err(failed)?;
    let samples = text.lines().filter(|line| line.starts_with(prefix));
    Ok(samples.map(str::to_owned).collect())
}
