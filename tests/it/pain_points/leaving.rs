//! What is left of a release that goes: no object, and no series.

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::api::{Api, DeleteParams};
use serde_json::json;

use crate::support::Result;
use crate::support::installation::{DEADLINE, Installation, condition};
use crate::support::wait::{becomes, is_absent};

/// An object of the cluster, beside one of the namespace.
const OBJECTS: &str = r"
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: {{ .Release.Namespace }}-reader}
rules: []
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {key: {{ required `a key is needed` .Values.key | quote }}}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_20_a_namespace_that_is_deleted_takes_what_its_releases_have_in_the_cluster() -> Result {
    let installation = Installation::start("deleted").await?;
    let files = [("templates/objects.yaml", OBJECTS), ("values.yaml", "key: value\n")];
    installation.repository.add("web", "1.0.0", &files).await?;
    installation.release("web", json!({})).await?;
    installation.ready_is("web", "True", &[]).await?;
    let name = installation.namespace.name();
    let (namespaces, roles): (Api<Namespace>, Api<ClusterRole>) = (
        Api::all(installation.client.clone()),
        Api::all(installation.client.clone()),
    );
    let role = format!("{name}-reader");
    assert!(roles.get_opt(&role).await?.is_some());
    namespaces.delete(name, &DeleteParams::default()).await?;
    becomes(&namespaces, name, DEADLINE, is_absent()).await?;
    assert!(roles.get_opt(&role).await?.is_none(), "{role} was left behind");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_17_metrics_say_what_ready_says_and_go_with_the_release() -> Result {
    let installation = Installation::start("measured").await?;
    let files = [("templates/objects.yaml", OBJECTS), ("values.yaml", "key: value\n")];
    installation.repository.add("web", "1.0.0", &files).await?;
    let labels = [("namespace", installation.namespace.name()), ("release", "web")];
    let says = async |expected: f64| -> Result {
        let metrics = installation.operator.metrics().await?;
        assert_eq!(metrics.sum("fairlead_release_ready", &labels), Some(expected));
        Ok(())
    };
    installation.release("web", json!({})).await?;
    installation.ready_is("web", "True", &[]).await?;
    says(1.0).await?;
    installation.release("web", json!({"values": {"key": ""}})).await?;
    installation.ready_is("web", "False", &["a key is needed"]).await?;
    says(0.0).await?;
    installation.release("web", json!({"values": {"key": "again"}})).await?;
    installation.ready_is("web", "True", &[]).await?;
    says(1.0).await?;
    installation.uninstall("web").await?;
    let metrics = installation.operator.metrics().await?;
    for metric in [
        "fairlead_release_ready",
        "fairlead_release_suspended",
        "fairlead_drifted_fields_total",
    ] {
        assert_eq!(metrics.sum(metric, &labels), None, "{metric}");
    }
    Ok(())
}

/// Besides gates (`gates.rs`) there is a release that nobody touches until it is resumed, and a look at what would be done meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_25_a_release_is_held_until_a_person_opens_the_window() -> Result {
    let installation = Installation::start("window").await?;
    let files = [("templates/objects.yaml", OBJECTS), ("values.yaml", "key: value\n")];
    installation.repository.add("web", "1.0.0", &files).await?;
    let key = async || -> Result<Option<String>> {
        let map = installation.api::<ConfigMap>().get("web").await?;
        Ok(map.data.and_then(|mut data| data.remove("key")))
    };
    installation.release("web", json!({})).await?;
    installation.ready_is("web", "True", &[]).await?;
    let held = json!({"suspend": true, "values": {"key": "new"}});
    installation.release("web", held).await?;
    let release = installation.observed("web").await?;
    assert_eq!(condition(&release, "Ready")["status"], "True");
    assert_eq!(key().await?.as_deref(), Some("value"));

    installation
        .release("web", json!({"mode": "Shadow", "values": {"key": "new"}}))
        .await?;
    installation.ready_is("web", "True", &["shadow"]).await?;
    assert_eq!(key().await?.as_deref(), Some("value"));

    installation
        .release("web", json!({"mode": "Apply", "values": {"key": "new"}}))
        .await?;
    installation.ready_is("web", "True", &["upgrade succeeded"]).await?;
    assert_eq!(key().await?.as_deref(), Some("new"));
    Ok(())
}
