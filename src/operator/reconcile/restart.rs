//! `rollback.recreate`: the Pods of what a rollback restored are deleted, and their controllers make new ones.
//!
//! Edge. Only Pods that are older than the rollback: one that is gone on with after a crash restarts nothing twice.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use kube::api::ApiResource;
use kube::core::{Expression, Selector};
use serde_json::Value;
use tracing::{info, warn};

use super::attempt::Desired;
use super::record::Recorded;
use super::render::DesiredObject;
use crate::api::helm_release::actions::{DeletionPropagation, HelmAction};
use crate::cluster::calls::CallError;
use crate::cluster::discovery::Resource;
use crate::operator::context::Context;
use crate::ownership::reference::ObjectReference;

/// Deletes the Pods of the restored objects, where the revision is a rollback and the spec says so. A Pod that cannot be deleted is no
/// reason for a rollback to fail: what it restores is there.
pub(super) async fn restarted(context: &Context, recorded: &Recorded, desired: &Desired) {
    let Desired {
        revision, rendering, ..
    } = desired;
    let rollback = recorded.release().spec.rollback.as_ref();
    if revision.action != HelmAction::Rollback || !rollback.is_some_and(|rollback| rollback.recreate) {
        return;
    }
    for object in &rendering.objects {
        let reference = object.intent.reference();
        if !has_pods(reference) {
            continue;
        }
        match restart(context, object, revision.began).await {
            Ok(0) => {}
            Ok(pods) => info!(object = %reference, pods, "deleted its Pods, as spec.rollback.recreate says"),
            Err(error) => warn!(object = %reference, %error, "its Pods are not recreated"),
        }
    }
}

/// Whether Pods that are deleted are made anew by it.
fn has_pods(object: &ObjectReference) -> bool {
    matches!(
        (object.group(), object.kind.as_str()),
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") | ("", "ReplicationController")
    )
}

/// Deletes the Pods of an object that are older than this, and counts them.
async fn restart(context: &Context, object: &DesiredObject, before: Timestamp) -> Result<usize, CallError> {
    let (calls, reference) = (&context.target.calls, object.intent.reference());
    let Some(selector) = selector_of(object.intent.body()) else {
        return Ok(0);
    };
    let pods = Resource {
        api: ApiResource::erase::<k8s_openapi::api::core::v1::Pod>(&()),
        namespaced: true,
    };
    let namespace = reference.namespace.as_deref();
    let mut deleted = 0;
    for pod in calls.list_metadata(&pods, namespace, &selector.to_string()).await? {
        let created = pod.creation_timestamp();
        let is_older = created.is_none_or(|created| created.0.as_second() < before.as_second());
        if !is_older || pod.metadata.deletion_timestamp.is_some() {
            continue;
        }
        let uid = pod.uid().unwrap_or_default();
        let propagation = DeletionPropagation::Background;
        match calls.delete(&pods, namespace, &pod.name_any(), &uid, propagation).await {
            Ok(()) => deleted += 1,
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(deleted)
}

/// Which Pods are an object's; `None` without a selector, which must not stand for all of the namespace.
fn selector_of(object: &Value) -> Option<Selector> {
    let selector = object.pointer("/spec/selector")?;
    let selector = if object["kind"] == "ReplicationController" {
        let labels = selector.as_object()?.iter();
        let expressions =
            labels.filter_map(|(key, value)| Some(Expression::Equal(key.clone(), value.as_str()?.to_owned())));
        expressions.collect()
    } else {
        let selector: LabelSelector = serde_json::from_value(selector.clone()).ok()?;
        Selector::try_from(selector).ok()?
    };
    Some(selector).filter(|selector| !selector.to_string().is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pods_are_selected_as_their_controller_does_and_never_all() {
        let selects = |kind: &str, selector: Value| {
            let object = json!({"kind": kind, "spec": {"selector": selector}});
            selector_of(&object).map(|selector| selector.to_string())
        };
        assert_eq!(
            selects("Deployment", json!({"matchLabels": {"app": "web"}})),
            Some("app=web".to_owned())
        );
        let expressions = json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]});
        assert_eq!(selects("StatefulSet", expressions), Some("app in (a,b)".to_owned()));
        assert_eq!(
            selects("ReplicationController", json!({"app": "web"})),
            Some("app=web".to_owned())
        );
        assert_eq!(selects("Deployment", json!({})), None);
        assert_eq!(selector_of(&json!({"kind": "Deployment"})), None);
    }
}
