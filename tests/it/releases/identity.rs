//! As whom a release is released: a ServiceAccount's rights are the release's rights.

use std::collections::BTreeSet;

use fairlead::api::HelmRelease;
use fairlead_controlplane::AuditEvent;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::resources::installed;
use crate::support::Result;
use crate::support::installation::{DEADLINE, Installation};
use crate::support::wait::{becomes, is_absent};

const OBJECTS: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data:
  seen: {{ (lookup "v1" "ConfigMap" .Release.Namespace "seen").data.key | quote }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-hook, annotations: {helm.sh/hook: "pre-install,pre-delete"}}
"#;
const DEPLOYMENT: &str = r"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: example.com/web}]}}
";

/// What the account `deployer` of the namespace may do.
fn role(resources: &[&str]) -> Value {
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "deployer"},
        "rules": [{"apiGroups": ["", "apps"], "resources": resources, "verbs": ["*"]}]})
}

async fn account(installation: &Installation, resources: &[&str]) -> Result {
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "deployer"}});
    installation.apply::<ServiceAccount>(&account).await?;
    installation.apply::<Role>(&role(resources)).await?;
    let subject = json!({"kind": "ServiceAccount", "name": "deployer", "namespace": installation.namespace.name()});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "deployer"}, "subjects": [subject],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "deployer"}});
    installation.apply::<RoleBinding>(&binding).await?;
    Ok(())
}

/// An operator that releases as `deployer` where releases say nothing, and the charts `plain` and `wide`.
async fn installation(prefix: &str) -> Result<Installation> {
    let plane = installed().await?;
    let flags = ["--default-service-account=deployer", "--no-cross-namespace-refs"];
    let namespace = plane.namespace(prefix).await?;
    let installation = Installation::with_flags(plane, namespace, plane.kubeconfig_path(), &flags).await?;
    let plain = ("templates/objects.yaml", OBJECTS);
    installation.repository.add("plain", "1.0.0", &[plain]).await?;
    let wide = [plain, ("templates/deployment.yaml", DEPLOYMENT)];
    installation.repository.add("wide", "1.0.0", &wide).await?;
    let seen = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "seen"}, "data": {"key": "value"}});
    installation.apply::<ConfigMap>(&seen).await?;
    Ok(installation)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_of_a_release_is_done_with_the_rights_of_its_service_account() -> Result {
    let installation = installation("identity").await?;
    let namespace = installation.namespace.name();
    let deployer = format!("system:serviceaccount:{namespace}:deployer");
    installation.release("plain", json!({})).await?;
    let texts = [
        "ServiceAccount",
        "deployer",
        "does not exist",
        "--default-service-account",
    ];
    let blocked = installation.ready_is("plain", "False", &texts).await?;
    assert_eq!(ready_reason(&blocked), "AccessDenied");

    account(&installation, &["configmaps", "secrets"]).await?;
    let mark = installation.plane.audit_mark().await?;
    installation.request("plain", "now").await?;
    installation.ready_is("plain", "True", &[]).await?;
    let map = installation.api::<ConfigMap>().get("plain").await?;
    assert_eq!(
        json!(map.data),
        json!({"seen": "value"}),
        "lookup sees what the account may see"
    );

    // Changing the identity is no new release.
    let elsewhere = json!({"serviceAccountName": "nobody"});
    installation.release("plain", elsewhere).await?;
    installation
        .ready_is("plain", "False", &["nobody", "spec.serviceAccountName"])
        .await?;
    installation.release("plain", json!({})).await?;
    installation.ready_is("plain", "True", &[]).await?;
    installation.uninstall("plain").await?;
    assert!(installation.api::<ConfigMap>().get_opt("plain").await?.is_none());

    let mut as_deployer = 0;
    for event in installation.plane.requests_since(mark).await? {
        let Some(object) = &event.object_ref else { continue };
        if object.namespace != namespace {
            continue;
        }
        // Watches are of metadata, and shared by all releases.
        let is_of_the_release =
            object.name.starts_with("plain") || object.name.starts_with("sh.helm.release.v1.plain.");
        let is_of_fairlead = matches!(object.resource.as_str(), "helmreleases" | "releaseledgers" | "events");
        if !is_of_the_release || event.verb == "watch" {
            continue;
        }
        if is_of_fairlead {
            assert_eq!(event.impersonated(), None, "{event:?}");
        } else if let Some(user) = event.impersonated() {
            assert_eq!(user, deployer, "{event:?}");
            as_deployer += 1;
        } else {
            // What the test itself looked at.
            assert!(!event.wrote(), "{event:?}");
        }
    }
    assert!(
        as_deployer >= 8,
        "{as_deployer} requests: objects, hooks, records, look-ups and their ends"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_right_is_named_and_nothing_is_applied_without_it() -> Result {
    let installation = installation("rights").await?;
    let namespace = installation.namespace.name();
    account(&installation, &["configmaps", "secrets"]).await?;
    installation.release("wide", json!({})).await?;
    let deployer = format!("system:serviceaccount:{namespace}:deployer");
    let texts = ["Deployment", "forbidden", "\"deployments\"", "cannot", &deployer];
    installation.ready_is("wide", "False", &texts).await?;
    assert!(installation.api::<ConfigMap>().get_opt("wide").await?.is_none());

    let source = json!({"chart": {"spec": {"chart": "plain", "sourceRef": {"namespace": "elsewhere"}}}});
    installation.release("far", source).await?;
    let texts = ["spec.chart.spec.sourceRef", "elsewhere", "--no-cross-namespace-refs"];
    let refused = installation.ready_is("far", "False", &texts).await?;
    assert_eq!(ready_reason(&refused), "AccessDenied");

    installation
        .apply::<Role>(&role(&["configmaps", "secrets", "deployments"]))
        .await?;
    installation.request("wide", "now").await?;
    installation.ready_is("wide", "True", &[]).await?;
    Ok(())
}

/// What a release depends on is looked at as the release is released: it must not tell what the account may not see.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dependency_is_looked_at_with_the_rights_of_the_service_account() -> Result {
    let installation = installation("depending").await?;
    let namespace = installation.namespace.name();
    account(&installation, &["configmaps", "secrets"]).await?;
    let gate = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "gate"},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "gate"}},
            "template": {"metadata": {"labels": {"app": "gate"}},
                "spec": {"containers": [{"name": "main", "image": "example.com/gate"}]}}}});
    installation.apply::<Deployment>(&gate).await?;
    let on_gate = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "gate"}]);
    let mark = installation.plane.audit_mark().await?;
    installation.release("plain", json!({"dependsOn": on_gate})).await?;
    let deployer = format!("system:serviceaccount:{namespace}:deployer");
    let texts = ["gate cannot be read", "forbidden", deployer.as_str()];
    let blocked = installation.ready_is("plain", "False", &texts).await?;
    assert_eq!(ready_reason(&blocked), "DependencyNotReady");
    assert!(installation.api::<ConfigMap>().get_opt("plain").await?.is_none());

    installation
        .apply::<Role>(&role(&["configmaps", "secrets", "deployments"]))
        .await?;
    installation.request("plain", "now").await?;
    installation.ready_is("plain", "True", &[]).await?;
    // Nobody else reads it.
    let events = installation.plane.requests_since(mark).await?;
    let of_gate = |event: &&AuditEvent| {
        let is_gate = event.object_ref.as_ref().is_some_and(|object| object.name == "gate");
        is_gate && event.verb == "get" && event.concerns("deployments", Some(namespace))
    };
    let readers: BTreeSet<_> = events.iter().filter(of_gate).map(AuditEvent::impersonated).collect();
    assert_eq!(readers, BTreeSet::from([Some(deployer.as_str())]));
    Ok(())
}

/// flux2#4793, helm-controller#554: an account that goes before its release neither blocks the release for ever nor leaves objects
/// that could have been deleted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_whose_service_account_is_gone_can_be_deleted() -> Result {
    let installation = installation("gone").await?;
    account(&installation, &["configmaps", "secrets"]).await?;
    for name in ["first", "second"] {
        installation
            .release(name, json!({"chart": {"spec": {"chart": "plain"}}}))
            .await?;
        installation.ready_is(name, "True", &[]).await?;
    }
    let parameters = DeleteParams::default();
    installation
        .api::<ServiceAccount>()
        .delete("deployer", &parameters)
        .await?;
    // Its rights are still there, so that everything can be deleted as it would be otherwise.
    installation.uninstall("first").await?;
    assert!(installation.api::<ConfigMap>().get_opt("first").await?.is_none());
    assert!(
        installation
            .api::<Secret>()
            .get_opt("sh.helm.release.v1.first.v1")
            .await?
            .is_none()
    );

    installation
        .api::<RoleBinding>()
        .delete("deployer", &parameters)
        .await?;
    let release: HelmRelease = installation.api().get("second").await?;
    installation.uninstall("second").await?;
    assert!(installation.api::<ConfigMap>().get_opt("second").await?.is_some());
    let told = installation.event_is(
        &release,
        "UninstallFailed",
        &["ConfigMap", "second", "left", "ServiceAccount"],
    );
    told.await
}

fn ready_reason(release: &HelmRelease) -> Value {
    crate::support::installation::condition(release, "Ready")["reason"].clone()
}

/// A suspended release goes without its objects and without the records that Helm has of it, for another tool to go on with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_release_is_let_go_with_everything_that_another_tool_needs() -> Result {
    let installation = Installation::start("let-go").await?;
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n";
    installation
        .repository
        .add("web", "1.0.0", &[("templates/map.yaml", map)])
        .await?;
    installation.release("web", json!({})).await?;
    installation.ready_is("web", "True", &[]).await?;
    installation.release("web", json!({"suspend": true})).await?;
    installation.uninstall("web").await?;
    assert!(installation.api::<ConfigMap>().get_opt("web").await?.is_some());
    let list = ["list", "--short", "--namespace", installation.namespace.name()];
    assert_eq!(installation.plane.helm(&list).await?.checked()?.trim(), "web");
    let uninstall = ["uninstall", "web", "--namespace", installation.namespace.name()];
    installation.plane.helm(&uninstall).await?.checked()?;
    becomes(&installation.api::<ConfigMap>(), "web", DEADLINE, is_absent()).await?;
    Ok(())
}
