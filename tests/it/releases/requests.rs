//! What a release costs the API server.

use std::collections::BTreeMap;

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
/// Two for each object, and finalizer, ledger, record, the status before, while and after it is waited for the Deployment, and the
/// looks at it.
const MOST: usize = 13;

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
    let mark = plane.audit_mark().await?;
    for number in 0..RELEASES {
        let spec = json!({"chart": {"spec": {"chart": "small"}}});
        installation.release(&format!("small-{number}"), spec).await?;
    }
    for number in 0..RELEASES {
        installation.ready_is(&format!("small-{number}"), "True", &[]).await?;
    }
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let mut all = 0;
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
            all += 1;
        }
    }
    eprintln!("{RELEASES} releases of two objects: {all} requests: {kinds:#?}");
    assert!(all <= RELEASES * MOST, "{kinds:#?}");
    Ok(())
}
