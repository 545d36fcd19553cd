//! The records that Helm keeps of its releases: which there are, and what one says. Nothing is written.
//!
//! Edge. Helm keeps them in Secrets, or in ConfigMaps where `HELM_DRIVER=configmap` is set.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt as _;
use kube::api::ApiResource;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::calls::{CallError, Calls};
use super::discovery::Resource;
use crate::ownership::intent::{Intent, ReleaseIdentity};
use crate::ownership::reference::ObjectReference;
use crate::release::label::{Driver, KEY, SECRET_TYPE, SELECTOR};
use crate::release::{Labelled, Record, RecordError, newest_deployed};

/// Why a record has no content for us.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// The API server refused, or could not be reached.
    #[error("{kind}s with Helm's records: {source}")]
    Call {
        /// `Secret` or `ConfigMap`.
        kind: &'static str,
        /// Why.
        source: CallError,
    },
    /// The object holds no record.
    #[error("{kind} {namespace}/{name} {problem}")]
    NoRecord {
        /// `Secret` or `ConfigMap`.
        kind: &'static str,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// What is wrong.
        problem: String,
    },
}

/// Helm's records in a cluster.
#[derive(Debug, Clone)]
pub struct Records {
    calls: Calls,
}

impl Records {
    /// Read with these calls.
    pub const fn new(calls: Calls) -> Self {
        Self { calls }
    }

    /// The newest deployed revision of each release, or of the one of this name, in a namespace or in all; by the labels of
    /// the records, without reading one.
    ///
    /// # Errors
    /// When a call fails.
    pub async fn deployed(
        &self,
        namespace: Option<&str>,
        release: Option<&str>,
    ) -> Result<Vec<Labelled>, RecordsError> {
        let selector = match release {
            Some(name) => format!("{SELECTOR},name={name}"),
            None => SELECTOR.to_owned(),
        };
        let (secrets, config_maps) = futures::try_join!(
            self.listed(Driver::Secrets, namespace, &selector),
            self.listed(Driver::ConfigMaps, namespace, &selector)
        )?;
        Ok(newest_deployed(secrets.into_iter().chain(config_maps)))
    }

    async fn listed(
        &self,
        driver: Driver,
        namespace: Option<&str>,
        selector: &str,
    ) -> Result<Vec<Labelled>, RecordsError> {
        let listed = self.calls.list_metadata(&resource(driver), namespace, selector).await;
        let listed = listed.map_err(|source| RecordsError::Call {
            kind: driver.kind(),
            source,
        })?;
        let labelled = |object: kube::api::PartialObjectMeta<kube::api::DynamicObject>| {
            let namespace = object.namespace().unwrap_or_default();
            Some(Labelled::of(&namespace, &object.name_any(), object.labels())?.kept_by(driver))
        };
        Ok(listed.into_iter().filter_map(labelled).collect())
    }

    /// What a record says.
    ///
    /// # Errors
    /// When it is gone, cannot be read, or is none.
    pub async fn read(&self, labelled: &Labelled) -> Result<Record, RecordsError> {
        let kind = labelled.driver.kind();
        let no_record = |problem: String| RecordsError::NoRecord {
            kind,
            namespace: labelled.namespace.clone(),
            name: labelled.object.clone(),
            problem,
        };
        let resource = resource(labelled.driver);
        let read = self
            .calls
            .get(&resource, Some(&labelled.namespace), &labelled.object)
            .await;
        let object = read
            .map_err(|source| RecordsError::Call { kind, source })?
            .ok_or_else(|| no_record("does not exist any more".to_owned()))?;
        let held = held(labelled.driver, &object).map_err(&no_record)?;
        let unreadable = |error: RecordError| no_record(format!("holds no record: {error}"));
        Record::decode(&held).map_err(unreadable)
    }
}

/// The encoded record that an object holds, or what is wrong with it.
pub(super) fn held(driver: Driver, object: &Value) -> Result<Vec<u8>, String> {
    let held = object
        .get("data")
        .and_then(|data| data.get(KEY))
        .and_then(Value::as_str);
    let held = held.ok_or_else(|| format!("has no key {KEY}"))?;
    match driver {
        Driver::ConfigMaps => Ok(held.as_bytes().to_vec()),
        Driver::Secrets if object.get("type").and_then(Value::as_str) != Some(SECRET_TYPE) => {
            Err(format!("is not of the type {SECRET_TYPE}"))
        }
        Driver::Secrets => STANDARD
            .decode(held)
            .map_err(|error| format!("holds no record: {}", RecordError::from(error))),
    }
}

/// How the objects of a driver are served.
pub(crate) fn resource(driver: Driver) -> Resource {
    let api = match driver {
        Driver::Secrets => ApiResource::erase::<Secret>(&()),
        Driver::ConfigMaps => ApiResource::erase::<ConfigMap>(&()),
    };
    Resource { api, namespaced: true }
}

/// What a release of Helm applied last, if there is one of this name: read when it is asked for first.
#[derive(Debug)]
pub struct FormerRelease {
    records: Records,
    storage_namespace: String,
    release: ReleaseIdentity,
    manifests: OnceCell<HashMap<ObjectReference, Value>>,
}

impl FormerRelease {
    /// The release with this name whose records are in the storage namespace.
    pub fn new(records: Records, storage_namespace: impl Into<String>, release: ReleaseIdentity) -> Self {
        Self {
            records,
            storage_namespace: storage_namespace.into(),
            release,
            manifests: OnceCell::new(),
        }
    }

    /// What was applied of an object, in canonical form; `None` if it was no part of the release, or there was none.
    ///
    /// # Errors
    /// When a call fails. A record that cannot be read tells nothing, and is no error: it must not keep the release from being
    /// taken over for ever.
    pub async fn manifest_of(&self, object: &ObjectReference) -> Result<Option<&Value>, CallError> {
        let manifests = self.manifests.get_or_try_init(|| self.read()).await?;
        Ok(manifests.get(&self.key(object.clone())))
    }

    async fn read(&self) -> Result<HashMap<ObjectReference, Value>, CallError> {
        match self.objects().await {
            Ok(objects) => Ok(self.indexed(objects)),
            Err(RecordsError::Call { kind: _, source }) => Err(source),
            Err(error @ RecordsError::NoRecord { .. }) => {
                tracing::warn!(%error, "what left the chart since Helm's last revision cannot be found out");
                Ok(HashMap::new())
            }
        }
    }

    async fn objects(&self) -> Result<Vec<Value>, RecordsError> {
        let namespace = self.storage_namespace.as_str();
        let deployed = self.records.deployed(Some(namespace), Some(&self.release.name)).await?;
        let Some(newest) = deployed.first() else {
            return Ok(Vec::new());
        };
        let record = self.records.read(newest).await?;
        record.objects().map_err(|error| RecordsError::NoRecord {
            kind: newest.driver.kind(),
            namespace: newest.namespace.clone(),
            name: newest.object.clone(),
            problem: error.to_string(),
        })
    }

    fn indexed(&self, objects: Vec<Value>) -> HashMap<ObjectReference, Value> {
        let intents = objects
            .into_iter()
            .filter_map(|object| Intent::new(object, Some(&self.release)).ok());
        intents
            .map(|intent| (self.key(intent.reference().clone()), intent.body().clone()))
            .collect()
    }

    /// Whether a kind has namespaces plays no part: an object without one is as good as in the release's.
    fn key(&self, mut object: ObjectReference) -> ObjectReference {
        object.namespace.get_or_insert_with(|| self.release.namespace.clone());
        object
    }
}
