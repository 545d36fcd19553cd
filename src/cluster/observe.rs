//! What Fairlead needs to know of a live object to tell whether anybody changed it.
//!
//! Edge: it can ask for an object's metadata; reading what it says is a function.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use kube::api::{DynamicObject, PartialObjectMeta};
use serde::Deserialize as _;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::calls::{CallError, Calls};
use super::discovery::Resource;
use crate::api::names;

/// The metadata of a live object, reduced to what tells change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveMetadata {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// Changes when anybody writes anything but the status (see [`fingerprint`]).
    pub fingerprint: String,
    /// Whether the object is being deleted.
    pub terminating: bool,
    /// Whether an annotation or label of it says that drift of it is not looked for.
    pub left_alone: bool,
}

impl LiveMetadata {
    /// Reads an object's metadata; `None` where the server has set no uid or resourceVersion, which it always does.
    pub fn of(metadata: &ObjectMeta) -> Option<Self> {
        Some(Self {
            uid: metadata.uid.clone()?,
            resource_version: metadata.resource_version.clone()?,
            fingerprint: fingerprint(metadata),
            terminating: metadata.deletion_timestamp.is_some(),
            left_alone: is_left_alone(metadata),
        })
    }
}

/// Whether a watch tells of an object as it was before it was written or read at the resourceVersion `known`, or cannot be said not to.
/// Versions of one kind are numbers that grow (KEP-5504; up to then it was so, too).
pub fn is_older(seen: &str, known: &str) -> bool {
    let number = |version: &str| version.parse::<u64>().ok();
    seen != known
        && match (number(seen), number(known)) {
            (Some(seen), Some(known)) => seen < known,
            (None, _) | (_, None) => true,
        }
}

fn is_left_alone(metadata: &ObjectMeta) -> bool {
    let names = [names::ANNOTATION_DRIFT_DETECTION, names::FLUX_DRIFT_DETECTION];
    let maps = [&metadata.annotations, &metadata.labels];
    let mut values = maps
        .into_iter()
        .flatten()
        .flat_map(|map| names.map(|name| map.get(name)));
    values.any(|value| value.is_some_and(|value| value == "disabled"))
}

/// A digest of an object's generation and of its managed fields without those of its status.
///
/// The resourceVersion moves with every status update, so that it says little about a Deployment. Each other write moves
/// the generation or leaves its trace in `managedFields`: who owns which field, and when that writer last changed one
/// (Kubernetes sets the time of an entry when a write changed something, in whole seconds).
///
/// An object without generation and without a status, such as a Secret, has nothing but writes that count to move its
/// resourceVersion: there it tells of two of them within a second.
pub fn fingerprint(metadata: &ObjectMeta) -> String {
    let mut hash = Sha256::new();
    let entries = metadata.managed_fields.as_deref().unwrap_or_default();
    let has_status = entries
        .iter()
        .any(|entry| entry.subresource.as_deref() == Some("status"));
    match (metadata.generation, &metadata.resource_version) {
        (None, Some(version)) if !has_status => hash.update(version),
        (generation, _) => hash.update(generation.unwrap_or_default().to_be_bytes()),
    }
    for entry in entries {
        let ManagedFieldsEntry {
            api_version,
            fields_type: _,
            fields_v1,
            manager,
            operation,
            subresource,
            time,
        } = entry;
        if subresource.as_deref() == Some("status") {
            continue;
        }
        for text in [api_version, manager, operation, subresource] {
            hash.update(text.as_deref().unwrap_or_default());
            hash.update([0]);
        }
        if let Some(time) = time {
            hash.update(time.0.as_second().to_be_bytes());
        }
        if let Some(fields) = fields_v1 {
            hash.update(fields.0.to_string());
        }
        hash.update([0]);
    }
    format!("{:x}", hash.finalize())
}

/// The [`fingerprint`] of an object that is at hand as JSON; that of empty metadata if it has none that can be read.
pub fn fingerprint_of(object: &Value) -> String {
    let metadata = object
        .get("metadata")
        .and_then(|metadata| ObjectMeta::deserialize(metadata).ok());
    fingerprint(&metadata.unwrap_or_default())
}

impl Calls {
    /// The metadata of an object; `None` if it does not exist.
    pub async fn metadata(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<LiveMetadata>, CallError> {
        let object: Option<PartialObjectMeta<DynamicObject>> = self.get_metadata(resource, namespace, name).await?;
        Ok(object.and_then(|object| LiveMetadata::of(&object.metadata)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_watch_that_lags_behind_says_nothing() {
        assert!(is_older("9", "10"));
        assert!(!is_older("10", "10"));
        assert!(!is_older("11", "10"));
        assert!(is_older("x", "10"));
        assert!(!is_older("x", "x"));
        assert!(is_older("11", ""));
    }

    fn secret(value: &str, time: &str) -> Value {
        json!({"metadata": {"generation": 1, "managedFields": [{
            "manager": "fairlead", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "time": time,
            "fieldsV1": {"f:data": {"f:password": {}}},
        }]}, "data": {"password": value}})
    }

    #[test]
    fn two_writes_within_a_second_differ_where_the_version_tells() {
        let config = |version: &str, status: bool| {
            let mut entries = vec![json!({"manager": "web", "operation": "Update", "time": "2026-01-01T00:00:00Z"})];
            entries.extend(status.then(|| json!({"manager": "node", "operation": "Update", "subresource": "status"})));
            fingerprint_of(&json!({"metadata": {"resourceVersion": version, "managedFields": entries}}))
        };
        assert_ne!(config("1", false), config("2", false));
        assert_eq!(config("1", true), config("2", true));
    }

    #[test]
    fn a_value_alone_leaves_no_trace() {
        let (first, later) = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z");
        assert_eq!(
            fingerprint_of(&secret("YQ==", first)),
            fingerprint_of(&secret("Yg==", first))
        );
        assert_ne!(
            fingerprint_of(&secret("YQ==", first)),
            fingerprint_of(&secret("YQ==", later))
        );
    }
}
