//! The operator with just the rights that `deploy/` grants, as its ServiceAccount.

use std::path::PathBuf;

use fairlead_controlplane::{AuditEvent, Options};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, Role, RoleBinding};
use kube::ResourceExt as _;
use kube::api::Api;
use serde_json::{Value, json};

use crate::support::Result;
use crate::support::installation::{DEADLINE, Installation};
use crate::support::operator::Operator;
use crate::support::own_plane::OwnPlane;
use crate::support::wait::{becomes, is_absent};

const APPLICATION: &str = r#"
apiVersion: v1
kind: ServiceAccount
metadata: {name: {{ .Release.Name }}}
---
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}}
stringData: {password: {{ randAlphaNum 16 | quote }}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {version: {{ .Chart.Version | quote }}, greeting: {{ .Values.greeting | default "none" | quote }}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: {{ .Release.Name }}}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get, list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: {{ .Release.Name }}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: "{{ .Release.Name }}"}
subjects: [{kind: ServiceAccount, name: "{{ .Release.Name }}", namespace: "{{ .Release.Namespace }}"}]
---
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec: {selector: {app: "{{ .Release.Name }}"}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  selector: {matchLabels: {app: "{{ .Release.Name }}"}}
  template:
    metadata: {labels: {app: "{{ .Release.Name }}"}}
    spec:
      serviceAccountName: {{ .Release.Name }}
      containers: [{name: web, image: "example.com/web:{{ .Chart.Version }}"}]
"#;

const CLUSTER_ROLE: &str = r#"
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: "{{ .Release.Namespace }}-{{ .Release.Name }}"}
rules: [{apiGroups: [storage.k8s.io], resources: [storageclasses], verbs: [get, list]}]
"#;

const CRD: &str = r"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.deployed.example.com}
spec:
  group: deployed.example.com
  names: {kind: Gadget, plural: gadgets}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
";

const ACCOUNT: &str = "system:serviceaccount:fairlead-system:fairlead-controller";

/// A control plane with this installation and nothing else, and an operator with its account.
async fn installation(variant: &str) -> Result<Installation> {
    with_flags(variant, &[]).await
}

/// The same, with further flags of the operator.
async fn with_flags(variant: &str, flags: &[&str]) -> Result<Installation> {
    let options = Options {
        audit: true,
        ..Options::default()
    };
    let own = OwnPlane::start(options).await?;
    let plane = own.get();
    let folder = format!("{}/deploy{variant}", env!("CARGO_MANIFEST_DIR"));
    let apply = ["apply", "--server-side", "-k", &folder];
    plane.kubectl(&apply, None).await?.checked()?;
    let gathered = [
        "wait",
        "--for=jsonpath={.rules}",
        "--timeout=60s",
        "clusterrole/fairlead-releases",
    ];
    plane.kubectl(&gathered, None).await?.checked()?;
    let rollout = [
        "rollout",
        "status",
        "--timeout=60s",
        "--namespace=fairlead-system",
        "deploy",
    ];
    plane.kubectl(&rollout, None).await?.checked()?;
    let kubeconfig: PathBuf = plane
        .service_account_kubeconfig("fairlead-system", "fairlead-controller")
        .await?;
    let installation = Installation::with_flags(plane, plane.namespace("shop").await?, &kubeconfig, flags).await?;
    Ok(installation.owning(own))
}

/// What the API server refused the operator.
async fn refused(installation: &Installation, mark: fairlead_controlplane::AuditMark) -> Result<Vec<String>> {
    let events = installation.plane.requests_since(mark).await?;
    let refused = events
        .iter()
        .filter(|event| event.user() == ACCOUNT && matches!(event.code(), 401 | 403));
    Ok(refused
        .map(|event| format!("{} {}", event.verb, event.request_uri))
        .collect())
}

async fn life_of_a_release(installation: &Installation) -> Result {
    let greeting = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"},
        "data": {"values.yaml": "greeting: hello"},
    });
    installation.apply::<ConfigMap>(&greeting).await?;
    let from = json!([{"kind": "ConfigMap", "name": "settings"}]);
    let version = |version: &str| json!({"chart": {"spec": {"version": version}}, "valuesFrom": from});
    installation.release("web", version("1.0.0")).await?;
    let release = installation.ready_is("web", "True", &["web@1.0.0"]).await?;
    let map = installation.api::<ConfigMap>().get("web").await?;
    assert_eq!(map.data.unwrap_or_default()["greeting"], "hello");

    installation.release("web", version("1.1.0")).await?;
    installation.ready_is("web", "True", &["web@1.1.0"]).await?;
    let deployment = serde_json::to_value(installation.api::<Deployment>().get("web").await?)?;
    assert_eq!(
        deployment["spec"]["template"]["spec"]["containers"][0]["image"],
        "example.com/web:1.1.0"
    );
    installation.event_is(&release, "UpgradeSucceeded", &[]).await?;

    installation.uninstall("web").await?;
    becomes(&installation.api::<Deployment>(), "web", DEADLINE, is_absent()).await?;
    assert!(installation.objects_of::<Secret>("web").await?.is_empty());
    assert!(installation.objects_of::<Service>("web").await?.is_empty());
    assert!(installation.objects_of::<ServiceAccount>("web").await?.is_empty());
    assert!(installation.objects_of::<Role>("web").await?.is_empty());
    assert!(installation.objects_of::<RoleBinding>("web").await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_usual_installation_releases_any_chart() -> Result {
    let election = "--enable-leader-election";
    let installation = with_flags("", &[election]).await?;
    let mark = installation.plane.audit_mark().await?;
    let kubeconfig = installation
        .plane
        .service_account_kubeconfig("fairlead-system", "fairlead-controller")
        .await?;
    let namespace = format!("--namespace={}", installation.namespace.name());
    let mut stand_by = Operator::start(&kubeconfig, &[election, &namespace])?;
    stand_by.ready().await?;
    let files = [
        ("templates/application.yaml", APPLICATION),
        ("templates/cluster.yaml", CLUSTER_ROLE),
        ("crds/gadgets.yaml", CRD),
        (
            "templates/gadget.yaml",
            "apiVersion: deployed.example.com/v1\nkind: Gadget\nmetadata: {name: one}\n",
        ),
    ];
    for version in ["1.0.0", "1.1.0"] {
        installation.repository.add("web", version, &files).await?;
    }
    life_of_a_release(&installation).await?;
    let roles: Api<ClusterRole> = Api::all(installation.client.clone());
    assert!(
        roles
            .get_opt(&format!("{}-web", installation.namespace))
            .await?
            .is_none()
    );

    let new_namespace = format!("{}-made", installation.namespace);
    installation
        .repository
        .add("other", "1.0.0", &[("templates/a.yaml", APPLICATION)])
        .await?;
    let spec = json!({"targetNamespace": new_namespace, "install": {"createNamespace": true}});
    installation.release("other", spec).await?;
    installation.ready_is("other", "True", &[]).await?;
    let maps: Api<ConfigMap> = Api::namespaced(installation.client.clone(), &new_namespace);
    assert_eq!(
        maps.list(&kube::api::ListParams::default())
            .await?
            .iter()
            .filter(|map| map.name_any() == format!("{new_namespace}-other"))
            .count(),
        1
    );
    installation.uninstall("other").await?;
    let namespaces: Api<Namespace> = Api::all(installation.client.clone());
    let made = namespaces.get(&new_namespace).await?;
    assert!(
        made.metadata.deletion_timestamp.is_none(),
        "a namespace that was created is never deleted"
    );
    assert_eq!(refused(&installation, mark).await?, Vec::<String>::new());
    let requests = installation.plane.requests_since(mark).await?;
    for verb in ["update", "list", "watch"] {
        let is_used = |event: &AuditEvent| event.verb == verb && event.concerns("leases", Some("fairlead-system"));
        assert!(requests.iter().any(is_used), "no {verb} of the lease");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_restricted_installation_releases_applications_and_no_more() -> Result {
    let installation = installation("/restricted").await?;
    let mark = installation.plane.audit_mark().await?;
    for version in ["1.0.0", "1.1.0"] {
        installation
            .repository
            .add("web", version, &[("templates/application.yaml", APPLICATION)])
            .await?;
    }
    life_of_a_release(&installation).await?;
    assert_eq!(refused(&installation, mark).await?, Vec::<String>::new());

    let files = [
        ("templates/application.yaml", APPLICATION),
        ("templates/cluster.yaml", CLUSTER_ROLE),
    ];
    installation.repository.add("wide", "1.0.0", &files).await?;
    installation.release("wide", json!({})).await?;
    let texts = [
        "ClusterRole",
        &format!("{}-wide", installation.namespace),
        "forbidden",
        "nothing was applied",
    ];
    installation.ready_is("wide", "False", &texts).await?;
    assert!(installation.objects_of::<ConfigMap>("wide").await?.is_empty());
    assert!(installation.objects_of::<Deployment>("wide").await?.is_empty());

    let grant: Value = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": "grant", "labels": {"fairlead.dev/aggregate-to-releases": "true"}},
        "rules": [
            {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"],
                "verbs": ["get", "list", "watch", "create", "patch", "update", "delete"]},
            {"apiGroups": ["storage.k8s.io"], "resources": ["storageclasses"], "verbs": ["get", "list"]},
        ],
    });
    let apply = ["apply", "--server-side", "--filename=-"];
    installation
        .plane
        .kubectl(&apply, Some(&grant.to_string()))
        .await?
        .checked()?;
    installation.ready_is("wide", "True", &[]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_installation_for_tenants_gives_a_release_the_rights_of_its_account() -> Result {
    let installation = with_flags(
        "/tenants",
        &["--default-service-account=default", "--no-cross-namespace-refs"],
    )
    .await?;
    let get = [
        "get",
        "deploy",
        "fairlead-controller",
        "--namespace=fairlead-system",
        "--output=jsonpath={.spec.template.spec.containers[0].args}",
    ];
    let arguments = installation.plane.kubectl(&get, None).await?.checked()?;
    let expected = json!([
        "controller",
        "--enable-leader-election",
        "--default-service-account=default",
        "--no-cross-namespace-refs"
    ]);
    assert_eq!(serde_json::from_str::<Value>(&arguments)?, expected);
    for version in ["1.0.0", "1.1.0"] {
        let files = [("templates/application.yaml", APPLICATION)];
        installation.repository.add("web", version, &files).await?;
    }
    installation.release("web", json!({})).await?;
    let account = format!("system:serviceaccount:{}:default", installation.namespace.name());
    installation.ready_is("web", "False", &["forbidden", &account]).await?;
    installation.uninstall("web").await?;

    let subject = json!({"kind": "ServiceAccount", "name": "default", "namespace": installation.namespace.name()});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "tenant"}, "subjects": [subject],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"}});
    installation.apply::<RoleBinding>(&binding).await?;
    let mark = installation.plane.audit_mark().await?;
    life_of_a_release(&installation).await?;
    assert_eq!(refused(&installation, mark).await?, Vec::<String>::new());
    Ok(())
}
