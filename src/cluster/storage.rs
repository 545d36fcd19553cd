//! Helm's release records in the cluster: Secrets as Helm's storage driver keeps them.
//!
//! Edge. Helm overwrites records without looking; here a change is made only of the version that was looked at. Which record is
//! written when is `plan::records`'s.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, DeleteParams, ObjectMeta, PostParams, Preconditions};

use crate::api::names;
use crate::release::label::{self, Written};
use crate::release::{Document, RecordError, Status};

/// Why a record could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the release record {namespace}/{name}: {problem}")]
pub struct StorageError {
    /// The Secret's namespace.
    pub namespace: String,
    /// The Secret's name.
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
            StorageProblem::Record(_) => false,
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
    secrets: Api<Secret>,
    namespace: String,
    release: String,
    timeout: Duration,
}

impl Storage {
    /// Those of a release, in the namespace of its records. Each call is answered within the timeout.
    pub fn new(client: Client, namespace: &str, release: &str, timeout: Duration) -> Self {
        Self {
            secrets: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            release: release.to_owned(),
            timeout,
        }
    }

    /// Makes a record that does not exist yet; gives its version.
    ///
    /// # Errors
    /// When it exists ([`StorageProblem::Changed`]), or a call fails.
    pub async fn create(&self, writing: &Writing<'_>) -> Result<String, StorageError> {
        let secret = self.secret(writing, Written::Created, None, BTreeMap::new());
        let written = self
            .call(writing.revision, self.secrets.create(&parameters(), &secret))
            .await?;
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
        let secret = self.secret(writing, Written::Modified, Some(resource_version.to_owned()), labels);
        let name = label::object_name(&self.release, writing.revision);
        let parameters = parameters();
        let call = self.secrets.replace(&name, &parameters, &secret);
        let written = self.call(writing.revision, call).await?;
        Ok(written.metadata.resource_version.unwrap_or_default())
    }

    /// Reads a record; `None` if there is none.
    ///
    /// # Errors
    /// When a call fails, or what is kept is no record.
    pub async fn read(&self, revision: u32) -> Result<Option<Kept>, StorageError> {
        let name = label::object_name(&self.release, revision);
        let Some(secret) = self.call(revision, self.secrets.get_opt(&name)).await? else {
            return Ok(None);
        };
        let Secret { metadata, data, .. } = secret;
        let encoded = data.and_then(|mut data| data.remove(label::KEY)).unwrap_or_default();
        let document = Document::decode(&encoded.0).map_err(|error| self.failed(revision, error.into()))?;
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
        let call = async {
            match self.secrets.delete(&name, &parameters).await {
                Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
                answer => answer.map(drop),
            }
        };
        self.call(revision, call).await
    }

    fn secret(
        &self,
        writing: &Writing<'_>,
        written: Written,
        resource_version: Option<String>,
        mut labels: BTreeMap<String, String>,
    ) -> Secret {
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
        Secret {
            metadata: ObjectMeta {
                name: Some(label::object_name(&self.release, revision)),
                labels: Some(labels),
                annotations: Some([(annotation.to_owned(), value.to_owned())].into()),
                resource_version,
                ..ObjectMeta::default()
            },
            type_: Some(label::SECRET_TYPE.to_owned()),
            data: Some([(label::KEY.to_owned(), ByteString(encoded.as_bytes().to_vec()))].into()),
            ..Secret::default()
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
