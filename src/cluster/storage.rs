//! Helm's release records in the cluster: Secrets as Helm's storage driver keeps them, or ConfigMaps where Helm was told to keep
//! them in such before Fairlead continued the release. What is new becomes a Secret.
//!
//! Edge. Helm overwrites records without looking; here a change is made only of the version that was looked at. Which record is
//! written when is `plan::records`'s.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, ObjectMeta, PostParams, Preconditions, TypeMeta};
use serde_json::json;

use super::records::{held, resource};
use crate::api::names;
use crate::release::label::{self, Driver, Written};
use crate::release::{Document, RecordError, Status};

/// Why a record could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the release record {namespace}/{name}: {problem}")]
pub struct StorageError {
    /// The namespace of the object that holds it.
    pub namespace: String,
    /// The name of that object.
    pub name: String,
    /// What is wrong.
    pub problem: StorageProblem,
}

/// What is wrong with a record.
#[derive(Debug, thiserror::Error)]
pub enum StorageProblem {
    /// The API server refused, or could not be reached.
    #[error("{0}")]
    Call(Box<kube::Error>),
    /// No answer in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// It is not known which records there are.
    #[error("it is not known which records there are")]
    NotListed,
    /// It cannot be read.
    #[error("{0}")]
    Record(#[from] RecordError),
    /// It holds no record.
    #[error("{0}")]
    NoRecord(String),
    /// Somebody else wrote it meanwhile.
    #[error("another tool wrote it at the same time")]
    Changed,
}

impl StorageError {
    /// Whether trying again can help.
    pub fn is_retryable(&self) -> bool {
        match &self.problem {
            StorageProblem::Call(error) => match error.as_ref() {
                // Too large, not allowed, or not valid.
                kube::Error::Api(status) => !matches!(status.code, 400 | 403 | 413 | 422),
                _ => true,
            },
            StorageProblem::Timeout(_) | StorageProblem::NotListed | StorageProblem::Changed => true,
            StorageProblem::Record(_) | StorageProblem::NoRecord(_) => false,
        }
    }
}

/// A record as it is kept.
#[derive(Debug)]
pub struct Kept {
    /// The version of its object.
    pub resource_version: String,
    /// The labels of its object: a person's own are carried on.
    pub labels: BTreeMap<String, String>,
    /// The record.
    pub document: Document,
}

/// What is written of a record.
#[derive(Debug, Clone, Copy)]
pub struct Writing<'a> {
    /// The number of the revision.
    pub revision: u32,
    /// Where the revision stands.
    pub status: Status,
    /// The annotation and its value that say who wrote it.
    pub mark: (&'a str, &'a str),
    /// The record, encoded.
    pub encoded: &'a str,
    /// When.
    pub at: Timestamp,
}

/// The records of one release.
#[derive(Clone)]
pub struct Storage {
    client: Client,
    namespace: String,
    release: String,
    timeout: Duration,
    /// The revisions whose records are ConfigMaps; the others are Secrets.
    in_config_maps: BTreeSet<u32>,
}

impl Storage {
    /// Those of a release, in the namespace of its records. Each call is answered within the timeout.
    pub fn new(client: Client, namespace: &str, release: &str, timeout: Duration) -> Self {
        Self {
            client,
            namespace: namespace.to_owned(),
            release: release.to_owned(),
            timeout,
            in_config_maps: BTreeSet::new(),
        }
    }

    /// The same, with the records of these revisions in ConfigMaps.
    #[must_use]
    pub fn with_config_maps(self, revisions: impl IntoIterator<Item = u32>) -> Self {
        Self {
            in_config_maps: revisions.into_iter().collect(),
            ..self
        }
    }

    /// Where the record of a revision is.
    pub fn driver(&self, revision: u32) -> Driver {
        if self.in_config_maps.contains(&revision) {
            Driver::ConfigMaps
        } else {
            Driver::Secrets
        }
    }

    fn objects(&self, revision: u32) -> Api<DynamicObject> {
        let kind = resource(self.driver(revision)).api;
        Api::namespaced_with(self.client.clone(), &self.namespace, &kind)
    }

    /// Makes a record that does not exist yet; gives its version.
    ///
    /// # Errors
    /// When it exists ([`StorageProblem::Changed`]), or a call fails.
    pub async fn create(&self, writing: &Writing<'_>) -> Result<String, StorageError> {
        let object = self.object(writing, Written::Created, None, BTreeMap::new());
        let (objects, parameters) = (self.objects(writing.revision), parameters());
        let call = objects.create(&parameters, &object);
        let written = self.call(writing.revision, call).await?;
        Ok(written.metadata.resource_version.unwrap_or_default())
    }

    /// Writes a record in the place of the version that was looked at; gives its new version.
    ///
    /// # Errors
    /// When it is another version by now ([`StorageProblem::Changed`]), or a call fails.
    pub async fn replace(
        &self,
        writing: &Writing<'_>,
        resource_version: &str,
        labels: BTreeMap<String, String>,
    ) -> Result<String, StorageError> {
        let object = self.object(writing, Written::Modified, Some(resource_version.to_owned()), labels);
        let name = label::object_name(&self.release, writing.revision);
        let (objects, parameters) = (self.objects(writing.revision), parameters());
        let call = objects.replace(&name, &parameters, &object);
        let written = self.call(writing.revision, call).await?;
        Ok(written.metadata.resource_version.unwrap_or_default())
    }

    /// Reads a record; `None` if there is none.
    ///
    /// # Errors
    /// When a call fails, or what is kept is no record.
    pub async fn read(&self, revision: u32) -> Result<Option<Kept>, StorageError> {
        let name = label::object_name(&self.release, revision);
        let objects = self.objects(revision);
        let Some(object) = self.call(revision, objects.get_opt(&name)).await? else {
            return Ok(None);
        };
        let DynamicObject {
            types: _,
            metadata,
            data,
        } = object;
        let encoded = held(self.driver(revision), &data);
        let encoded = encoded.map_err(|problem| self.failed(revision, StorageProblem::NoRecord(problem)))?;
        let document = Document::decode(&encoded).map_err(|error| self.failed(revision, error.into()))?;
        Ok(Some(Kept {
            resource_version: metadata.resource_version.unwrap_or_default(),
            labels: metadata.labels.unwrap_or_default(),
            document,
        }))
    }

    /// Deletes a record, if it is still the version that was looked at.
    ///
    /// # Errors
    /// When it is another version by now ([`StorageProblem::Changed`]), or a call fails.
    pub async fn delete(&self, revision: u32, resource_version: &str) -> Result<(), StorageError> {
        let name = label::object_name(&self.release, revision);
        let conditions = Preconditions {
            uid: None,
            resource_version: Some(resource_version.to_owned()),
        };
        let parameters = DeleteParams::default().preconditions(conditions);
        let objects = self.objects(revision);
        let call = async {
            match objects.delete(&name, &parameters).await {
                Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
                answer => answer.map(drop),
            }
        };
        self.call(revision, call).await
    }

    fn object(
        &self,
        writing: &Writing<'_>,
        written: Written,
        resource_version: Option<String>,
        mut labels: BTreeMap<String, String>,
    ) -> DynamicObject {
        let Writing {
            revision,
            status,
            mark: (annotation, value),
            encoded,
            at,
        } = *writing;
        // As Helm: an update says when it was made, and no longer when the record was.
        labels.remove("createdAt");
        labels.extend(label::labels(&self.release, revision, status, written, at));
        let driver = self.driver(revision);
        DynamicObject {
            types: Some(TypeMeta {
                api_version: "v1".to_owned(),
                kind: driver.kind().to_owned(),
            }),
            metadata: ObjectMeta {
                name: Some(label::object_name(&self.release, revision)),
                labels: Some(labels),
                annotations: Some([(annotation.to_owned(), value.to_owned())].into()),
                resource_version,
                ..ObjectMeta::default()
            },
            data: match driver {
                Driver::Secrets => {
                    json!({"type": label::SECRET_TYPE, "data": {(label::KEY): STANDARD.encode(encoded)}})
                }
                Driver::ConfigMaps => json!({"data": {(label::KEY): encoded}}),
            },
        }
    }

    async fn call<T>(&self, revision: u32, call: impl Future<Output = kube::Result<T>>) -> Result<T, StorageError> {
        let problem = match tokio::time::timeout(self.timeout, call).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(kube::Error::Api(status))) if status.is_conflict() || status.is_already_exists() => {
                StorageProblem::Changed
            }
            Ok(Err(error)) => StorageProblem::Call(Box::new(error)),
            Err(_elapsed) => StorageProblem::Timeout(self.timeout),
        };
        Err(self.failed(revision, problem))
    }

    fn failed(&self, revision: u32, problem: StorageProblem) -> StorageError {
        StorageError {
            namespace: self.namespace.clone(),
            name: label::object_name(&self.release, revision),
            problem,
        }
    }
}

fn parameters() -> PostParams {
    PostParams {
        field_manager: Some(names::CONTROLLER_FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    }
}
