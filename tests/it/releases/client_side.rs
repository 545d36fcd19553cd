//! Releases that are applied client-side: who owns what, what others hold, and the way from one method to the other and back.

use fairlead::api::HelmRelease;
use fairlead::release::{ApplyMethod, Record};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};

use super::options::BOGUS;
use super::stage::{BROKEN, history};
use crate::support::Result;
use crate::support::installation::{DEADLINE, Installation, condition};
use crate::support::wait::becomes;

const OBJECTS: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: shop}
data: {key: {{ .Values.key | quote }}{{ if .Values.old }}, old: "1"{{ end }}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  {{- if .Values.old }}
  revisionHistoryLimit: 3
  {{- end }}
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
        - {name: app, image: "example.com/app:{{ .Values.key }}", env: [{name: KEPT, value: "1"}{{ if .Values.old }}, {name: OLD, value: "1"}{{ end }}]}
        {{- if .Values.old }}
        - {name: sidecar, image: example.com/sidecar}
        {{- end }}
"#;

async fn installation(prefix: &str) -> Result<Installation> {
    let installation = Installation::start(prefix).await?;
    let files = [
        ("templates/all.yaml", OBJECTS),
        ("templates/broken.yaml", BROKEN),
        ("values.yaml", "key: a\nold: true\nbroken: false\n"),
    ];
    installation.repository.add("shop", "1.0.0", &files).await?;
    Ok(installation)
}

/// The operations by which the release's manager owns fields of an object.
fn operations(installation: &Installation, object: &Value) -> Vec<String> {
    let manager = format!("fairlead:{}/shop", installation.namespace.name());
    let entries = object["metadata"]["managedFields"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let own = entries.iter().filter(|entry| entry["manager"] == json!(manager));
    own.map(|entry| entry["operation"].as_str().unwrap_or_default().to_owned())
        .collect()
}

async fn map(installation: &Installation) -> Result<Value> {
    Ok(serde_json::to_value(
        installation.api::<ConfigMap>().get("shop").await?,
    )?)
}

async fn deployment(installation: &Installation) -> Result<Value> {
    Ok(serde_json::to_value(
        installation.api::<Deployment>().get("shop").await?,
    )?)
}

async fn both_are_owned_by(installation: &Installation, operation: &str) -> Result {
    for object in [map(installation).await?, deployment(installation).await?] {
        assert_eq!(operations(installation, &object), [operation], "{object}");
    }
    Ok(())
}

/// How a revision was applied, as Helm reads it.
async fn recorded(installation: &Installation, revision: u32) -> Result<ApplyMethod> {
    let secret = installation
        .api::<Secret>()
        .get(&format!("sh.helm.release.v1.shop.v{revision}"))
        .await?;
    let data = secret
        .data
        .and_then(|mut data| data.remove("release"))
        .ok_or("a record")?;
    Ok(Record::decode(&data.0)?.apply_method)
}

/// Somebody writes a key of the map, by an update that nothing refuses.
async fn edit(installation: &Installation, data: Value) -> Result {
    let person = PatchParams {
        field_manager: Some("kubectl-edit".to_owned()),
        ..PatchParams::default()
    };
    let patch = Patch::Merge(json!({"data": data}));
    installation.api::<ConfigMap>().patch("shop", &person, &patch).await?;
    Ok(())
}

/// What left the chart has left the objects, and what the server set is there.
async fn old_is_gone(installation: &Installation) -> Result {
    let live = map(installation).await?;
    assert_eq!(live["data"], json!({"key": "b", "person": "1"}));
    let live = deployment(installation).await?;
    let spec = &live["spec"];
    assert_eq!(
        (&spec["revisionHistoryLimit"], &spec["replicas"]),
        (&json!(10), &json!(1))
    );
    let containers = spec["template"]["spec"]["containers"].as_array().ok_or("containers")?;
    assert_eq!(containers.len(), 1, "{spec}");
    assert_eq!(containers[0]["env"], json!([{"name": "KEPT", "value": "1"}]));
    assert_eq!(containers[0]["image"], "example.com/app:b");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_is_applied_client_side_and_changes_its_method_when_it_is_told_to() -> Result {
    let installation = installation("client").await?;
    installation
        .release("shop", json!({"install": {"serverSideApply": false}}))
        .await?;
    let release = installation.ready_is("shop", "True", &[]).await?;
    assert_eq!(condition(&release, "FieldsIgnored"), Value::Null);
    both_are_owned_by(&installation, "Update").await?;
    assert_eq!(recorded(&installation, 1).await?, ApplyMethod::ClientSide);

    // As before; what others have stays, and what left the chart goes.
    edit(&installation, json!({"person": "1"})).await?;
    let spec = |upgrade: Value, key: &str, old: bool| json!({"values": {"key": key, "old": old}, "upgrade": upgrade});
    installation.release("shop", spec(json!({}), "b", false)).await?;
    installation.ready_is("shop", "True", &["upgrade succeeded"]).await?;
    both_are_owned_by(&installation, "Update").await?;
    assert_eq!(recorded(&installation, 2).await?, ApplyMethod::ClientSide);
    old_is_gone(&installation).await?;

    // To server-side, and back.
    installation
        .release("shop", spec(json!({"serverSideApply": "enabled"}), "a", true))
        .await?;
    installation.ready_is("shop", "True", &["upgrade succeeded"]).await?;
    both_are_owned_by(&installation, "Apply").await?;
    assert_eq!(recorded(&installation, 3).await?, ApplyMethod::ServerSide);
    installation
        .release("shop", spec(json!({"serverSideApply": "disabled"}), "b", false))
        .await?;
    installation.ready_is("shop", "True", &["upgrade succeeded"]).await?;
    both_are_owned_by(&installation, "Update").await?;
    assert_eq!(recorded(&installation, 4).await?, ApplyMethod::ClientSide);
    old_is_gone(&installation).await?;

    // What was dropped by a client-side apply is dropped by a server-side one.
    installation
        .release("shop", spec(json!({"serverSideApply": "auto"}), "a", true))
        .await?;
    installation.ready_is("shop", "True", &["upgrade succeeded"]).await?;
    both_are_owned_by(&installation, "Update").await?;
    installation
        .release("shop", spec(json!({"serverSideApply": "enabled"}), "b", false))
        .await?;
    installation.ready_is("shop", "True", &["upgrade succeeded"]).await?;
    both_are_owned_by(&installation, "Apply").await?;
    old_is_gone(&installation).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_takes_no_field_that_was_not_decided_about() -> Result {
    let installation = installation("reviewed").await?;
    let spec = |rules: Value, key: &str| {
        json!({"install": {"serverSideApply": false}, "values": {"key": key}, "driftDetection": {"mode": "disabled"},
            "ownership": {"rules": rules}})
    };
    installation.release("shop", spec(json!([]), "a")).await?;
    installation.ready_is("shop", "True", &[]).await?;
    edit(&installation, json!({"key": "theirs"})).await?;
    installation.release("shop", spec(json!([]), "b")).await?;
    let release = installation
        .ready_is("shop", "False", &[".data.key of kubectl-edit"])
        .await?;
    assert_eq!(condition(&release, "Ready")["reason"], "ConflictFailed");
    assert_eq!(map(&installation).await?["data"]["key"], "theirs");
    let image = deployment(&installation).await?["spec"]["template"]["spec"]["containers"][0]["image"].clone();
    assert_eq!(image, "example.com/app:a", "half of the release was written");

    let yields = json!([{"paths": [".data.key"], "onConflict": "Yield"}]);
    installation.release("shop", spec(yields, "b")).await?;
    installation.ready_is("shop", "True", &["upgrade succeeded"]).await?;
    assert_eq!(map(&installation).await?["data"]["key"], "theirs");
    let forces = json!([{"paths": [".data.key"], "onConflict": "Force"}]);
    installation.release("shop", spec(forces, "c")).await?;
    installation.ready_is("shop", "True", &["upgrade succeeded"]).await?;
    let live = map(&installation).await?;
    assert_eq!(live["data"]["key"], "c");
    both_are_owned_by(&installation, "Update").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drift_of_a_client_side_release_is_corrected() -> Result {
    let installation = installation("corrected").await?;
    let rules = json!([{"onConflict": "Force"}]);
    let spec = json!({"install": {"serverSideApply": false}, "ownership": {"rules": rules}});
    installation.release("shop", spec).await?;
    installation.ready_is("shop", "True", &[]).await?;
    edit(&installation, json!({"key": "theirs"})).await?;
    let is_ours = |map: Option<&ConfigMap>| {
        let data = map.and_then(|map| map.data.as_ref());
        data.is_some_and(|data| data.get("key").is_some_and(|key| key == "a"))
    };
    let maps: Api<ConfigMap> = installation.api();
    becomes(&maps, "shop", DEADLINE, is_ours).await?;
    edit(&installation, json!({"key": null})).await?;
    becomes(&maps, "shop", DEADLINE, is_ours).await?;
    both_are_owned_by(&installation, "Update").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_is_applied_as_its_option_says() -> Result {
    for (setting, operation, method) in [
        (
            json!({"serverSideApply": "disabled"}),
            "Update",
            ApplyMethod::ClientSide,
        ),
        // As the restored revision.
        (json!({"serverSideApply": "auto"}), "Apply", ApplyMethod::ServerSide),
    ] {
        let installation = installation("restored").await?;
        installation.release("shop", json!({})).await?;
        installation.ready_is("shop", "True", &[]).await?;
        let upgrade =
            json!({"timeout": "2s", "serverSideApply": "disabled", "remediation": {"remediateLastFailure": true}});
        let spec =
            json!({"values": {"key": "b", "old": false, "broken": true}, "rollback": setting, "upgrade": upgrade});
        installation.release("shop", spec).await?;
        let is_restored = |release: Option<&HelmRelease>| {
            release.is_some_and(|release| history(release).first() == Some(&(3, "deployed".to_owned())))
        };
        becomes(&installation.api(), "shop", DEADLINE, is_restored).await?;
        both_are_owned_by(&installation, operation).await?;
        assert_eq!(recorded(&installation, 2).await?, ApplyMethod::ClientSide);
        assert_eq!(recorded(&installation, 3).await?, method);
        assert_eq!(map(&installation).await?["data"], json!({"key": "a", "old": "1"}));
        let live = deployment(&installation).await?;
        assert_eq!(
            live["spec"]["template"]["spec"]["containers"].as_array().map(Vec::len),
            Some(2)
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_schema_has_is_not_lost_silently() -> Result {
    let installation = Installation::start("declared").await?;
    let files = [("templates/all.yaml", BOGUS), ("values.yaml", "bogus: true\ntag: a\n")];
    installation.repository.add("shop", "1.0.0", &files).await?;
    installation
        .release("shop", json!({"install": {"serverSideApply": false}}))
        .await?;
    installation
        .ready_is("shop", "False", &["field not declared in schema"])
        .await?;
    assert!(installation.api::<Deployment>().get_opt("shop").await?.is_none());
    let install = json!({"serverSideApply": false, "disableOpenAPIValidation": true});
    installation.release("shop", json!({"install": install})).await?;
    let release = installation.ready_is("shop", "True", &[]).await?;
    installation
        .event_is(&release, "FieldsLeftOut", &[".spec.bogus"])
        .await?;
    both_are_owned_by(&installation, "Update").await
}
