//! What a release costs the API server.

use std::collections::BTreeMap;

use fairlead::api::HelmRelease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::FieldsV1;
use serde_json::json;

use crate::resources::installed;
use crate::support::Result;
use crate::support::installation::Installation;

const OBJECTS: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {key: value}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: 0
  selector: {matchLabels: {app: "{{ .Release.Name }}"}}
  template:
    metadata: {labels: {app: "{{ .Release.Name }}"}}
    spec: {containers: [{name: web, image: example.com/web}]}
"#;

const RELEASES: usize = 5;
/// What each release takes: an apply for each object, a look at all but the first, finalizer, ledger and record.
const EACH: [&str; 6] = [
    "patch configmaps ",
    "get deployments ",
    "patch deployments ",
    "patch helmreleases ",
    "patch releaseledgers ",
    "create secrets ",
];
/// And the status before and after. On a busy machine, on which the Deployment is not ready within a second, also one between.
const STATUSES: std::ops::RangeInclusive<usize> = 2..=3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_install_of_two_objects_takes_few_requests() -> Result {
    let plane = installed().await?;
    let namespace = plane.namespace("requests").await?;
    let kubeconfig = plane
        .service_account_kubeconfig("fairlead-system", "fairlead-controller")
        .await?;
    let installation = Installation::with(plane, namespace, &kubeconfig).await?;
    let files = [("templates/objects.yaml", OBJECTS)];
    installation.repository.add("small", "1.0.0", &files).await?;
    let spec = || json!({"chart": {"spec": {"chart": "small"}}});
    // The first of its kinds starts their watches.
    installation.release("first", spec()).await?;
    installation.ready_is("first", "True", &[]).await?;
    let mark = plane.audit_mark().await?;
    for number in 0..RELEASES {
        installation.release(&format!("small-{number}"), spec()).await?;
    }
    for number in 0..RELEASES {
        installation.ready_is(&format!("small-{number}"), "True", &[]).await?;
    }
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for event in plane.requests_since(mark).await? {
        let Some(object) = &event.object_ref else { continue };
        let is_ours = event.user().starts_with("system:serviceaccount:fairlead-system:");
        // Events are joined, and watches are of all releases.
        let is_of_a_release = object.namespace == installation.namespace.name()
            && object.resource != "events"
            && event.verb != "watch"
            && event.verb != "list";
        if is_ours && is_of_a_release {
            *kinds
                .entry(format!("{} {} {}", event.verb, object.resource, object.subresource))
                .or_default() += 1;
        }
    }
    eprintln!("{RELEASES} releases of two objects: {kinds:#?}");
    let statuses = kinds.remove("update helmreleases status").unwrap_or_default();
    assert!(STATUSES.contains(&statuses.div_ceil(RELEASES)), "{statuses} statuses");
    assert_eq!(kinds, EACH.map(|kind| (kind.to_owned(), RELEASES)).into());
    // The statuses are sent without managedFields, which the API server keeps all the same.
    let release = installation.api::<HelmRelease>().get("small-0").await?;
    let sets = release.metadata.managed_fields.unwrap_or_default();
    let sets_spec = |fields: &FieldsV1| fields.0.get("f:spec").is_some();
    assert!(
        sets.iter().filter_map(|set| set.fields_v1.as_ref()).any(sets_spec),
        "{sets:?}"
    );
    Ok(())
}
