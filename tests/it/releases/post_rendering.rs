//! What the spec changes in a chart: its values files before it is rendered, and what it is rendered to afterwards.

use fairlead::api::HelmRelease;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::stage::history;
use crate::support::Result;
use crate::support::installation::Installation;

const OBJECTS: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {app: shop}}
data: {region: {{ .Values.region | quote }}, size: {{ .Values.size | quote }}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "example.com/web:1", env: [{name: A, value: "1"}]}, {name: side, image: "example.com/side:1"}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: before, annotations: {"helm.sh/hook": "pre-install,pre-upgrade"}}
data: {region: hook}
"#;

async fn installation(prefix: &str) -> Result<Installation> {
    let installation = Installation::start(prefix).await?;
    let files = [
        ("templates/objects.yaml", OBJECTS),
        ("values.yaml", "region: none\nsize: small\n"),
        ("values-eu.yaml", "region: eu\n"),
        ("env/large.yaml", "size: large\n"),
    ];
    installation.repository.add("shop", "1.0.0", &files).await?;
    Ok(installation)
}

/// Two post-renderers: the second sees what the first has made.
fn post_renderers() -> Value {
    let more = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [\
        {name: web, env: [{name: B, value: '2'}]}, {name: side, $patch: delete}]}}}";
    let region = "- {op: replace, path: /data/region, value: patched}";
    json!([
        {"kustomize": {"patches": [{"patch": more}, {"patch": region, "target": {"kind": "ConfigMap"}}]}},
        {"kustomize": {
            "patches": [{"patch": "- {op: test, path: /data/region, value: patched}\n- {op: add, path: /metadata/annotations/seen, value: 'yes'}",
                "target": {"name": "set.*", "labelSelector": "app=shop"}}],
            "images": [{"name": "example.com/web", "newTag": "2"}]}},
    ])
}

/// Flux's way.
fn digest(what: &Value) -> String {
    format!("sha256:{:x}", Sha256::digest(format!("{what}\n")))
}

async fn config_map(installation: &Installation, name: &str) -> Result<Value> {
    Ok(serde_json::to_value(installation.api::<ConfigMap>().get(name).await?)?)
}

/// What the status says was observed, of post-renderers and common metadata.
fn observed(release: &HelmRelease) -> [Option<String>; 2] {
    let status = release.status.clone().unwrap_or_default();
    [
        status.observed_post_renderers_digest,
        status.observed_common_metadata_digest,
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn post_renderers_and_common_metadata_change_what_is_applied_and_recorded() -> Result {
    let installation = installation("post-rendering").await?;
    let common = |team: &str| json!({"labels": {"team": team, "fairlead.dev/name": "other"}, "annotations": {"contact": "a@example.com"}});
    let spec = json!({"postRenderers": post_renderers(), "commonMetadata": common("a")});
    installation.release("shop", spec).await?;
    let release = installation.ready_is("shop", "True", &[]).await?;
    assert_eq!(
        observed(&release),
        [Some(digest(&post_renderers())), Some(digest(&common("a")))]
    );

    let settings = config_map(&installation, "settings").await?;
    assert_eq!(settings["data"], json!({"region": "patched", "size": "small"}));
    let [labels, annotations] = [&settings["metadata"]["labels"], &settings["metadata"]["annotations"]];
    assert_eq!((&labels["team"], &labels["app"]), (&json!("a"), &json!("shop")));
    // The labels by which Fairlead finds its objects win.
    assert_eq!(labels["fairlead.dev/name"], "shop");
    assert_eq!(
        (&annotations["seen"], &annotations["contact"]),
        (&json!("yes"), &json!("a@example.com"))
    );
    let web = serde_json::to_value(installation.api::<Deployment>().get("web").await?)?;
    let containers = web["spec"]["template"]["spec"]["containers"]
        .as_array()
        .ok_or("a list")?;
    let [container] = containers.as_slice() else {
        return Err(format!("one container: {containers:?}").into());
    };
    assert_eq!(container["image"], "example.com/web:2");
    let environment = json!([{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]);
    assert_eq!(container["env"], environment);
    // Hooks are changed together with the rest.
    let hook = config_map(&installation, "before").await?;
    assert_eq!(
        (&hook["data"]["region"], &hook["metadata"]["labels"]["team"]),
        (&json!("patched"), &json!("a"))
    );
    let helm = ["get", "manifest", "shop", "--namespace", installation.namespace.name()];
    let manifest = installation.plane.helm(&helm).await?.checked()?;
    assert!(
        manifest.contains("region: patched") && manifest.contains("team: a"),
        "{manifest}"
    );

    // Each change begins a revision.
    let spec =
        json!({"postRenderers": post_renderers(), "commonMetadata": common("b"), "postRenderStrategy": "nohooks"});
    installation.release("shop", spec).await?;
    let release = installation.ready_is("shop", "True", &["upgrade succeeded"]).await?;
    assert_eq!(history(&release).first(), Some(&(2, "deployed".to_owned())));
    assert_eq!(
        config_map(&installation, "settings").await?["metadata"]["labels"]["team"],
        "b"
    );
    let hook = config_map(&installation, "before").await?;
    assert_eq!(
        (&hook["data"]["region"], &hook["metadata"]["labels"]["team"]),
        (&json!("hook"), &Value::Null)
    );

    // What cannot be changed is not applied.
    let patch = json!([{"kustomize": {"patches": [{"patch": "- {op: remove, path: /data/absent}", "target": {"kind": "ConfigMap"}}]}}]);
    installation.release("shop", json!({"postRenderers": patch})).await?;
    let texts = [
        "spec.postRenderers[0].kustomize.patches[0]",
        "v1 ConfigMap settings",
        "remove /data/absent",
    ];
    let release = installation.ready_is("shop", "False", &texts).await?;
    assert_eq!(history(&release).first(), Some(&(2, "deployed".to_owned())));

    installation.release("shop", json!({})).await?;
    let release = installation.ready_is("shop", "True", &["upgrade succeeded"]).await?;
    assert_eq!(observed(&release), [None, None]);
    let settings = config_map(&installation, "settings").await?;
    assert_eq!(
        (&settings["data"]["region"], &settings["metadata"]["labels"]["team"]),
        (&json!("none"), &Value::Null)
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_files_of_the_chart_replace_its_values() -> Result {
    let installation = installation("values-files").await?;
    let of_chart = |fields: Value| {
        let mut chart = json!({"chart": "shop", "sourceRef": {"kind": "HelmRepository", "name": "charts"}});
        if let (Value::Object(chart), Value::Object(fields)) = (&mut chart, fields) {
            chart.extend(fields);
        }
        json!({"chart": {"spec": chart}})
    };
    let files = json!(["values.yaml", "values-eu.yaml", "./env/large.yaml"]);
    installation
        .release("shop", of_chart(json!({"valuesFiles": files})))
        .await?;
    installation.ready_is("shop", "True", &[]).await?;
    assert_eq!(
        config_map(&installation, "settings").await?["data"],
        json!({"region": "eu", "size": "large"})
    );

    let files = json!(["values.yaml", "absent.yaml"]);
    installation
        .release("shop", of_chart(json!({"valuesFiles": files})))
        .await?;
    installation
        .ready_is("shop", "False", &["absent.yaml", "ignoreMissingValuesFiles"])
        .await?;

    let spec =
        of_chart(json!({"valuesFiles": files, "ignoreMissingValuesFiles": true, "reconcileStrategy": "Revision"}));
    installation.release("shop", spec).await?;
    let release = installation.ready_is("shop", "True", &["upgrade succeeded"]).await?;
    assert_eq!(history(&release).first(), Some(&(2, "deployed".to_owned())));
    assert_eq!(
        config_map(&installation, "settings").await?["data"],
        json!({"region": "none", "size": "small"})
    );
    Ok(())
}
