//! What the cluster does not have, does not allow, or the rules cannot mean.

use serde_json::{Value, json};

use super::{MAP, all_become_ready, refuses_all, wrong};
use crate::resources::installed;
use crate::support::Result;
use crate::support::installation::Installation;

const SERVICE: &str =
    "apiVersion: v1\nkind: Service\nmetadata: {name: {{ .Release.Name }}}\nspec: {ports: [{port: 80}]}\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_cluster_does_not_have_or_the_rules_cannot_mean() -> Result {
    let installation = Installation::start("absent").await?;
    let namespace = installation.namespace.name().to_owned();
    let group = format!("{namespace}.example.com");
    let gadget = format!("apiVersion: {group}/v1\nkind: Gadget\nmetadata: {{name: one}}\n");
    installation
        .repository
        .add(
            "kind",
            "1.0.0",
            &[("templates/map.yaml", MAP), ("templates/gadget.yaml", &gadget)],
        )
        .await?;
    for name in ["namespace", "path", "regex"] {
        installation
            .repository
            .add(name, "1.0.0", &[("templates/map.yaml", MAP)])
            .await?;
    }
    let target = format!("{namespace}-later");
    let rule = |rule: Value| json!({"ownership": {"rules": [{"onConflict": "Yield"}, rule]}});
    let cases = [
        wrong("kind", json!({}), &["Gadget", "v1", "one"]),
        wrong(
            "namespace",
            json!({"targetNamespace": target}),
            &["ConfigMap", "namespaces", "not found", "create the namespace"],
        ),
        wrong(
            "path",
            rule(json!({"paths": [".spec[["], "onConflict": "Yield"})),
            &["spec.ownership.rules[1]", ".spec[["],
        ),
        wrong(
            "regex",
            rule(json!({"managers": ["(oops"], "onConflict": "Yield"})),
            &["spec.ownership.rules[1]", "(oops"],
        ),
    ];
    refuses_all(&installation, &cases).await?;

    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("gadgets.{group}")},
        "spec": {
            "group": group, "names": {"kind": "Gadget", "plural": "gadgets"}, "scope": "Namespaced",
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}],
        },
    });
    let apply = ["apply", "--server-side", "--filename=-"];
    installation
        .plane
        .kubectl(&apply, Some(&definition.to_string()))
        .await?
        .checked()?;
    installation
        .plane
        .kubectl(&["create", "namespace", &target], None)
        .await?
        .checked()?;
    for name in ["path", "regex"] {
        installation.release(name, json!({"ownership": null})).await?;
    }
    all_become_ready(&installation, &cases).await?;
    let remove = ["delete", "--wait=false", "crd", &format!("gadgets.{group}")];
    installation.plane.kubectl(&remove, None).await?.checked()?;
    installation
        .plane
        .kubectl(&["delete", "--wait=false", "namespace", &target], None)
        .await?
        .checked()?;
    Ok(())
}

/// The operator has the rights of `deploy/` for its own work, and for releases only those on ConfigMaps in its namespace.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_that_are_missing() -> Result {
    let plane = installed().await?;
    let namespace = plane.namespace("narrow").await?;
    let kubeconfig = plane.service_account_kubeconfig(&namespace, "narrow").await?;
    let account = format!("--serviceaccount={namespace}:narrow");
    let inside = format!("--namespace={namespace}");
    let bind = [
        "create",
        "clusterrolebinding",
        namespace.name(),
        "--clusterrole=fairlead-controller",
        &account,
    ];
    plane.kubectl(&bind, None).await?.checked()?;
    let verbs = "--verb=get,list,watch,create,patch,update,delete";
    let role =
        |name: &'static str, resource: &'static str| ["create", "role", name, verbs, resource].map(str::to_owned);
    let grant = async |name: &'static str, resource: &'static str| -> Result {
        let role = role(name, resource);
        let role: Vec<&str> = role.iter().map(String::as_str).chain([inside.as_str()]).collect();
        plane.kubectl(&role, None).await?.checked()?;
        let role = format!("--role={name}");
        plane
            .kubectl(&["create", "rolebinding", name, &role, &account, &inside], None)
            .await?
            .checked()?;
        Ok(())
    };
    grant("maps", "--resource=configmaps").await?;
    let installation = Installation::with(plane, namespace, &kubeconfig).await?;
    let files = [("templates/map.yaml", MAP), ("templates/service.yaml", SERVICE)];
    installation.repository.add("web", "1.0.0", &files).await?;
    let cases = [wrong(
        "web",
        json!({}),
        &["nothing was applied", "Service", "/web", "forbidden", "grant"],
    )];
    refuses_all(&installation, &cases).await?;
    grant("services", "--resource=services").await?;
    all_become_ready(&installation, &cases).await?;
    installation.uninstall("web").await?;
    let unbind = ["delete", "clusterrolebinding", installation.namespace.name()];
    plane.kubectl(&unbind, None).await?.checked()?;
    Ok(())
}
