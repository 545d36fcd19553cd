//! Releases to another cluster: a second real control plane.

use std::path::Path;

use fairlead_controlplane::{ControlPlane, Options};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{Api, DeleteParams, ObjectMeta, PostParams};
use kube::config::Kubeconfig;
use serde_json::{Value, json};

use super::stage::history;
use crate::resources::installed;
use crate::support::Result;
use crate::support::installation::{DEADLINE, Installation};
use crate::support::wait::becomes;

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {key: value}\n";

/// Puts a kubeconfig into the Secret `far`.
async fn describe(installation: &Installation, text: &str) -> Result {
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "far"}, "stringData": {"value": text}});
    installation.apply::<Secret>(&secret).await?;
    Ok(())
}

async fn read(path: &Path) -> Result<String> {
    Ok(tokio::fs::read_to_string(path).await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kubeconfig_says_where_a_release_goes() -> Result {
    let (here, far) = tokio::try_join!(async { Installation::start("remote").await }, async {
        Ok(ControlPlane::start(Options::default()).await?)
    })?;
    here.repository
        .add("web", "1.0.0", &[("templates/map.yaml", MAP)])
        .await?;
    let namespace = here.namespace.name();
    let client = far.client()?;
    let there: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let made = Namespace {
        metadata: ObjectMeta {
            name: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    };
    Api::all(client.clone()).create(&PostParams::default(), &made).await?;
    let to = json!({"kubeConfig": {"secretRef": {"name": "far"}}});
    here.release("web", to.clone()).await?;
    here.ready_is("web", "False", &["spec.kubeConfig", "Secret", "/far", "does not exist"])
        .await?;

    // The Secret is watched: nobody has to ask again.
    describe(&here, &read(far.kubeconfig_path()).await?).await?;
    here.ready_is("web", "True", &[]).await?;
    assert!(there.get_opt("web").await?.is_some());
    assert!(here.api::<ConfigMap>().get_opt("web").await?.is_none());
    let list = ["list", "--short", "--namespace", namespace];
    assert_eq!(far.helm(&list).await?.checked()?.trim(), "web");
    assert_eq!(here.plane.helm(&list).await?.checked()?.trim(), "");

    // So are the objects there.
    there.delete("web", &DeleteParams::default()).await?;
    let restored = std::time::Instant::now();
    becomes(&there, "web", DEADLINE, |map: Option<&ConfigMap>| map.is_some()).await?;
    eprintln!("restored after {:?}", restored.elapsed());

    let mut trusting: Value = serde_json::to_value(Kubeconfig::from_yaml(&read(far.kubeconfig_path()).await?)?)?;
    trusting["clusters"][0]["cluster"]["insecure-skip-tls-verify"] = json!(true);
    describe(&here, &trusting.to_string()).await?;
    here.ready_is(
        "web",
        "False",
        &["insecure-skip-tls-verify", "--insecure-kubeconfig-tls"],
    )
    .await?;

    // Other credentials for the same cluster, whose rights are the release's; and an identity there on top.
    let limited = far.service_account_kubeconfig(namespace, "limited").await?;
    describe(&here, &read(&limited).await?).await?;
    here.release(
        "web",
        json!({"kubeConfig": {"secretRef": {"name": "far"}}, "values": {"a": 1}}),
    )
    .await?;
    let user = format!("system:serviceaccount:{namespace}:limited");
    here.ready_is("web", "False", &["forbidden", &user]).await?;
    describe(&here, &read(far.kubeconfig_path()).await?).await?;
    here.release(
        "web",
        json!({"kubeConfig": {"secretRef": {"name": "far"}}, "serviceAccountName": "limited"}),
    )
    .await?;
    here.ready_is("web", "False", &["forbidden", &user]).await?;
    let subject = json!({"kind": "ServiceAccount", "name": "limited", "namespace": namespace});
    let binding = serde_json::from_value(
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "limited"}, "subjects": [subject],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"}}),
    )?;
    let bindings: Api<RoleBinding> = Api::namespaced(client.clone(), namespace);
    bindings.create(&PostParams::default(), &binding).await?;
    here.request("web", "now").await?;
    here.ready_is("web", "True", &[]).await?;

    // Another cluster knows nothing of it; what was released stays where it is, and that is told.
    here.release("web", json!({})).await?;
    let release = here.ready_is("web", "True", &[]).await?;
    assert_eq!(history(&release), [(1, "deployed".to_owned())]);
    assert!(here.api::<ConfigMap>().get_opt("web").await?.is_some());
    assert!(there.get_opt("web").await?.is_some());
    here.event_is(&release, "Progressing", &["Secret/far", "stay"]).await?;

    // One that nobody can reach any more does not hold up its end.
    here.release("web", to).await?;
    let release = here.ready_is("web", "True", &[]).await?;
    here.api::<Secret>().delete("far", &DeleteParams::default()).await?;
    here.uninstall("web").await?;
    assert!(there.get_opt("web").await?.is_some());
    here.event_is(&release, "UninstallFailed", &["web", "left", "Secret"])
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_a_service_account_say_where_a_release_goes() -> Result {
    let plane = installed().await?;
    let here = Installation::start("tokens").await?;
    here.repository
        .add("web", "1.0.0", &[("templates/map.yaml", MAP)])
        .await?;
    let namespace = here.namespace.name();
    let kubeconfig: Kubeconfig = Kubeconfig::from_yaml(&read(plane.kubeconfig_path()).await?)?;
    let cluster = kubeconfig
        .clusters
        .into_iter()
        .find_map(|named| named.cluster)
        .ok_or("a cluster")?;
    let authority = cluster.certificate_authority_data.ok_or("a certificate")?;
    let authority = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, authority)?;
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "far"}, "data": {
        "provider": "generic", "address": cluster.server, "ca.crt": String::from_utf8(authority)?,
        "serviceAccountName": "deployer"}});
    here.apply::<ConfigMap>(&map).await?;
    here.release("web", json!({"kubeConfig": {"configMapRef": {"name": "far"}}}))
        .await?;
    here.ready_is("web", "False", &["deployer"]).await?;

    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "deployer"}});
    here.apply::<ServiceAccount>(&account).await?;
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "deployer"},
        "subjects": [{"kind": "ServiceAccount", "name": "deployer", "namespace": namespace}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"}});
    here.apply::<RoleBinding>(&binding).await?;
    let mark = plane.audit_mark().await?;
    here.request("web", "now").await?;
    here.ready_is("web", "True", &[]).await?;
    let events = plane.requests_since(mark).await?;
    let writes: Vec<_> = events
        .iter()
        .filter(|event| event.wrote() && event.concerns("configmaps", Some(namespace)))
        .collect();
    assert!(!writes.is_empty());
    for write in writes {
        assert_eq!(write.user(), format!("system:serviceaccount:{namespace}:deployer"));
    }
    Ok(())
}
