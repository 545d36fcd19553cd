//! What the watches of children ask for and keep: mostly metadata, of workloads also how they are.
//!
//! Pure but for the types of the client. The status of a workload changes many times while it is rolled out: told by the watch, each
//! change costs no read.

use std::fmt::Debug;

use kube::Resource;
use kube::api::{ApiResource, DynamicObject, PartialObjectMeta};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cluster::observe::LiveMetadata;
use crate::health::{Health, Rules, status_with};

/// A live object as a watch delivered it.
#[derive(Debug, Clone)]
pub(super) struct Child {
    /// Its metadata.
    pub(super) live: LiveMetadata,
    /// How it is by the rules of Kubernetes, where the watch tells.
    pub(super) health: Option<Health>,
}

/// Whether objects of the kind are watched whole: those that become ready step by step.
pub(super) fn is_workload(resource: &ApiResource) -> bool {
    let kind = (resource.group.as_str(), resource.kind.as_str());
    matches!(
        kind,
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet") | ("batch", "Job")
    )
}

/// What a watch may deliver.
pub(super) trait Delivered:
    Resource<DynamicType = ApiResource> + Clone + Debug + DeserializeOwned + Send + 'static
{
    /// How the object is, if that can be told.
    fn health(&self, resource: &ApiResource) -> Option<Health>;

    /// What is kept of it; `None` where the server has set no uid or resourceVersion, which it always does.
    fn child(&self, resource: &ApiResource) -> Option<Child> {
        Some(Child {
            live: LiveMetadata::of(self.meta())?,
            health: self.health(resource),
        })
    }
}

impl Delivered for PartialObjectMeta<DynamicObject> {
    fn health(&self, _resource: &ApiResource) -> Option<Health> {
        None
    }
}

impl Delivered for DynamicObject {
    fn health(&self, resource: &ApiResource) -> Option<Health> {
        let mut object = serde_json::to_value(self).ok()?;
        // Items of a list do not say what they are.
        let fields: &mut serde_json::Map<String, Value> = object.as_object_mut()?;
        fields.insert("apiVersion".to_owned(), resource.api_version.clone().into());
        fields.insert("kind".to_owned(), resource.kind.clone().into());
        let rules = Rules {
            jobs_must_complete: true,
        };
        Some(status_with(&object, rules))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::health::State;

    #[test]
    fn an_item_of_a_list_is_judged_by_the_kind_of_its_watch() {
        let resource = ApiResource {
            group: "apps".to_owned(),
            version: "v1".to_owned(),
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            plural: "deployments".to_owned(),
        };
        assert!(is_workload(&resource));
        let item = json!({
            "metadata": {"name": "web", "uid": "u", "resourceVersion": "7", "generation": 2},
            "spec": {"replicas": 1},
            "status": {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 0},
        });
        let whole: DynamicObject = serde_json::from_value(item.clone()).unwrap();
        let child = whole.child(&resource).unwrap();
        assert_eq!(child.live.resource_version, "7");
        assert_eq!(child.health.map(|health| health.state), Some(State::InProgress));
        let metadata: PartialObjectMeta<DynamicObject> = serde_json::from_value(item).unwrap();
        assert_eq!(metadata.child(&resource).unwrap().health, None);
    }
}
