//! Releases that Helm made and Fairlead continues with another chart: what left the chart leaves the objects.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};

use super::stage::history;
use crate::support::Result;
use crate::support::installation::{DEADLINE, Installation};
use crate::support::wait::{becomes, is_absent};

/// What Helm applied.
const BEFORE: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: gone}
data: {key: value}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: config, annotations: {old: "1", kept: "1"}}
data: {kept: "1", old: "1"}
---
apiVersion: v1
kind: Secret
metadata: {name: secret}
stringData: {kept: "1", old: "1"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  revisionHistoryLimit: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      priorityClassName: system-cluster-critical
      containers:
        - {name: app, image: "app:1", ports: [{containerPort: 80}, {containerPort: 81}], env: [{name: KEPT, value: "1"}, {name: OLD, value: "1"}]}
        - {name: sidecar, image: "sidecar:1"}
"#;

/// The chart that the HelmRelease names.
const AFTER: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: config, annotations: {kept: "1"}}
data: {kept: "2"}
---
apiVersion: v1
kind: Secret
metadata: {name: secret}
stringData: {kept: "1"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: app, image: "app:1", ports: [{containerPort: 80}], env: [{name: KEPT, value: "1"}]}
"#;

async fn live<K>(installation: &Installation, name: &str) -> Result<Value>
where
    K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned
        + serde::Serialize,
{
    let object: K = installation.api::<K>().get(name).await?;
    Ok(serde_json::to_value(object)?)
}

async fn what_left_the_chart_leaves_the_objects(
    prefix: &str,
    flags: &[&str],
    environment: &[(&str, &str)],
) -> Result<Installation> {
    let installation = Installation::start(prefix).await?;
    for (version, objects) in [("1.0.0", BEFORE), ("2.0.0", AFTER)] {
        let files = [("templates/objects.yaml", objects)];
        installation.repository.add("shop", version, &files).await?;
    }
    let url = installation.repository.url();
    let namespace = installation.namespace.name();
    let install = [
        "install",
        "shop",
        "shop",
        "--repo",
        url,
        "--version",
        "1.0.0",
        "--namespace",
        namespace,
    ];
    let output = installation
        .plane
        .helm_with(environment, &[&install, flags].concat())
        .await?;
    output.checked()?;
    let maps: Api<ConfigMap> = installation.api();
    let person = PatchParams {
        field_manager: Some("kubectl-edit".to_owned()),
        ..PatchParams::default()
    };
    maps.patch("config", &person, &Patch::Merge(json!({"data": {"person": "1"}})))
        .await?;

    let spec = json!({"chart": {"spec": {"version": "2.0.0"}}, "install": {"disableWait": true}});
    installation.release("shop", spec).await?;
    installation.ready_is("shop", "True", &[]).await?;

    let config = live::<ConfigMap>(&installation, "config").await?;
    assert_eq!(config["data"], json!({"kept": "2", "person": "1"}));
    assert_eq!(config["metadata"]["annotations"].get("old"), None);
    assert_eq!(config["metadata"]["annotations"]["kept"], "1");
    let secret = live::<Secret>(&installation, "secret").await?;
    assert_eq!(secret["data"], json!({"kept": "MQ=="}));
    let web = live::<Deployment>(&installation, "web").await?;
    let pod = &web["spec"]["template"]["spec"];
    assert_eq!(pod["containers"].as_array().map(Vec::len), Some(1), "{pod}");
    assert_eq!(pod["containers"][0]["env"], json!([{"name": "KEPT", "value": "1"}]));
    assert_eq!(
        pod["containers"][0]["ports"],
        json!([{"containerPort": 80, "protocol": "TCP"}])
    );
    assert_eq!(pod.get("priorityClassName"), None);
    // The server's default again.
    assert_eq!(
        (&web["spec"]["replicas"], &web["spec"]["revisionHistoryLimit"]),
        (&json!(3), &json!(10))
    );

    // Whole objects, too.
    becomes::<ConfigMap>(&installation.api(), "gone", DEADLINE, is_absent()).await?;
    assert_eq!(
        history(&installation.ready_is("shop", "True", &[]).await?),
        [(2, "deployed".to_owned())]
    );

    // Told of once, as what was migrated; and no owner is left of whom nobody knows any more.
    let log = installation.operator.log();
    assert!(!log.contains("cannot be found out"), "{log}");
    let release = installation.ready_is("shop", "True", &[]).await?;
    let events = installation.events(&release).await?;
    assert!(format!("{events:?}").contains("FieldsMigrated"), "{events:?}");
    Ok(installation)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_left_the_chart_of_helm_3_leaves_the_objects() -> Result {
    what_left_the_chart_leaves_the_objects("patched", &["--server-side=false"], &[]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_left_the_chart_of_helm_4_leaves_the_objects() -> Result {
    what_left_the_chart_leaves_the_objects("applied", &["--server-side=true"], &[]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_left_the_chart_leaves_the_objects_though_the_records_are_config_maps() -> Result {
    let driver = [("HELM_DRIVER", "configmap")];
    let installation = what_left_the_chart_leaves_the_objects("configmap", &["--server-side=false"], &driver).await?;
    // The revision that Helm made has ended where it is; ours is where Helm looks if nobody tells it otherwise.
    let helm = async |environment: &[(&str, &str)]| -> Result<Value> {
        let history = [
            "history",
            "shop",
            "--output=json",
            "--namespace",
            installation.namespace.name(),
        ];
        let printed = installation.plane.helm_with(environment, &history).await?.checked()?;
        Ok(serde_json::from_str(&printed)?)
    };
    let (before, now) = (helm(&driver).await?, helm(&[]).await?);
    assert_eq!(
        (&before[0]["revision"], &before[0]["status"]),
        (&json!(1), &json!("superseded"))
    );
    assert_eq!(
        (&now[0]["revision"], &now[0]["status"]),
        (&json!(2), &json!("deployed"))
    );
    // And nothing is left of either.
    installation.uninstall("shop").await?;
    let of_helm = kube::api::ListParams::default().labels("owner=helm");
    assert_eq!(installation.api::<ConfigMap>().list(&of_helm).await?.items.len(), 0);
    assert_eq!(installation.api::<Secret>().list(&of_helm).await?.items.len(), 0);
    Ok(())
}
