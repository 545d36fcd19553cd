//! Drift of a deployed release is noticed by watches, told of, and corrected, reported or left alone as the spec says.

use std::collections::BTreeMap;

use fairlead::api::HelmRelease;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::Result;
use crate::support::installation::{DEADLINE, Installation, condition};
use crate::support::wait::becomes;

const CHART: &str = r"
apiVersion: v1
kind: ConfigMap
metadata: {name: main}
data: {color: red, size: big}
---
apiVersion: v1
kind: Secret
metadata: {name: key}
data: {password: c2VjcmV0}
";

/// A release of the chart that takes changed fields back, in an interval that no test lives to see.
async fn release(installation: &Installation, detection: Value) -> Result {
    let ownership = json!({"onConflict": "Force"});
    let spec = json!({"interval": "1h", "ownership": ownership, "driftDetection": detection});
    installation.release("drifting", spec).await?;
    Ok(())
}

/// Changes a field of the ConfigMap as a person does with kubectl.
async fn edit(installation: &Installation, data: Value) -> Result {
    let person = PatchParams {
        field_manager: Some("kubectl-edit".to_owned()),
        ..PatchParams::default()
    };
    let maps = installation.api::<ConfigMap>();
    maps.patch("main", &person, &Patch::Merge(json!({"data": data})))
        .await?;
    Ok(())
}

async fn main_becomes(installation: &Installation, data: [(&str, &str); 2]) -> Result {
    let data: BTreeMap<String, String> = data.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let has_data = |map: Option<&ConfigMap>| map.and_then(|map| map.data.as_ref()) == Some(&data);
    becomes(&installation.api(), "main", DEADLINE, has_data).await?;
    Ok(())
}

/// Waits until the release says this of drift, and gives what the status lists.
async fn drifted(installation: &Installation, status: &str, texts: &[&str]) -> Result<Value> {
    let is_said = |release: Option<&HelmRelease>| {
        release.is_some_and(|release| {
            let said = condition(release, "Drifted");
            let message = said["message"].as_str().unwrap_or_default();
            said["status"] == status && texts.iter().all(|text| message.contains(text))
        })
    };
    let release = becomes(&installation.api(), "drifting", DEADLINE, is_said).await?;
    Ok(serde_json::to_value(release)?["status"]["drift"]["fields"].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drift_is_corrected_reported_or_left_alone_as_the_spec_says() -> Result {
    let installation = Installation::start("drift").await?;
    let files = [("templates/all.yaml", CHART), ("values.yaml", "")];
    installation.repository.add("drifting", "1.0.0", &files).await?;
    let namespace = installation.namespace.name().to_owned();
    let maps = installation.api::<ConfigMap>();

    // Without a word in the spec, what is changed or deleted comes back.
    installation
        .release(
            "drifting",
            json!({"interval": "1h", "ownership": {"onConflict": "Force"}}),
        )
        .await?;
    let ready = installation.ready_is("drifting", "True", &[]).await?;
    assert_eq!(condition(&ready, "Drifted"), Value::Null);
    edit(&installation, json!({"color": "blue"})).await?;
    main_becomes(&installation, [("color", "red"), ("size", "big")]).await?;
    let fields = drifted(&installation, "False", &["as the release says"]).await?;
    let object = format!("v1 ConfigMap {namespace}/main");
    assert_eq!(
        fields,
        json!([{"object": object, "path": ".data.color", "ours": "red", "live": "blue"}])
    );
    maps.delete("main", &DeleteParams::default()).await?;
    main_becomes(&installation, [("color", "red"), ("size", "big")]).await?;
    let secret = Patch::Merge(json!({"stringData": {"password": "other"}}));
    installation
        .api::<Secret>()
        .patch("key", &PatchParams::default(), &secret)
        .await?;
    let is_back = |key: Option<&Secret>| {
        let data = key.and_then(|key| key.data.as_ref());
        data.and_then(|data| data.get("password"))
            .is_some_and(|password| password.0 == b"secret")
    };
    becomes(&installation.api(), "key", DEADLINE, is_back).await?;
    let is_told = |release: Option<&HelmRelease>| {
        let release = serde_json::to_value(release).unwrap_or_default();
        let field = &release["status"]["drift"]["fields"][0];
        field["path"] == ".data.password" && field["live"].as_str().is_some_and(|live| live.starts_with("<redacted"))
    };
    let release_of_now = becomes(&installation.api(), "drifting", DEADLINE, is_told)
        .await?
        .ok_or("a release")?;
    let events = installation.events(&release_of_now).await?;
    let told: Vec<&String> = events
        .iter()
        .filter(|(reason, _)| reason == "DriftDetected")
        .map(|(_, note)| note)
        .collect();
    let note = format!("drift that is put right: ConfigMap {namespace}/main .data.color");
    assert!(told.iter().any(|told| **told == note), "{told:?}");
    let labels = [("namespace", namespace.as_str()), ("release", "drifting")];
    let metrics = installation.operator.metrics().await?;
    assert_eq!(metrics.sum("fairlead_drifted_fields_total", &labels), Some(3.0));

    reported_or_not_looked_for(&installation, &namespace).await?;
    ignored(&installation).await?;
    release(&installation, json!({"ignore": [{"paths": ["data.color"]}]})).await?;
    installation
        .ready_is("drifting", "False", &["ignore[0].paths", "no JSON pointer"])
        .await?;
    Ok(())
}

/// Drift is reported once and not corrected, or not even looked for.
async fn reported_or_not_looked_for(installation: &Installation, namespace: &str) -> Result {
    release(installation, json!({"mode": "warn"})).await?;
    edit(installation, json!({"color": "blue"})).await?;
    let fields = drifted(installation, "True", &["1 field differ", ".data.color"]).await?;
    assert_eq!(fields[0]["live"], "blue");
    let looked = installation.look("drifting", "1").await?;
    assert_eq!(condition(&looked, "Ready")["status"], "True");
    main_becomes(installation, [("color", "blue"), ("size", "big")]).await?;
    installation
        .api::<Secret>()
        .delete("key", &DeleteParams::default())
        .await?;
    drifted(
        installation,
        "True",
        &[
            "2 fields differ",
            &format!("Secret {namespace}/key, which does not exist"),
        ],
    )
    .await?;
    assert!(installation.api::<Secret>().get_opt("key").await?.is_none());

    // Not even looked for.
    release(installation, json!({"mode": "disabled"})).await?;
    let is_unsaid =
        |release: Option<&HelmRelease>| release.is_some_and(|release| condition(release, "Drifted").is_null());
    becomes(&installation.api(), "drifting", DEADLINE, is_unsaid).await?;
    main_becomes(installation, [("color", "blue"), ("size", "big")]).await?;
    Ok(())
}

/// What the spec or the object itself excludes stays as it is.
async fn ignored(installation: &Installation) -> Result {
    let maps = installation.api::<ConfigMap>();
    // What is ignored stays as it is while the rest is corrected.
    edit(installation, json!({"size": "small"})).await?;
    let ignore = json!([{"paths": ["/data/color"], "target": {"kind": "Config.*"}}]);
    release(installation, json!({"mode": "enabled", "ignore": ignore})).await?;
    main_becomes(installation, [("color", "blue"), ("size", "big")]).await?;
    let is_back = |key: Option<&Secret>| key.is_some();
    becomes(&installation.api(), "key", DEADLINE, is_back).await?;
    edit(installation, json!({"color": "green"})).await?;
    installation.look("drifting", "2").await?;
    main_becomes(installation, [("color", "green"), ("size", "big")]).await?;

    // An object that asks for it is left alone.
    let asks =
        json!({"metadata": {"annotations": {"fairlead.dev/driftDetection": "disabled"}}, "data": {"size": "odd"}});
    maps.patch("main", &PatchParams::default(), &Patch::Merge(asks)).await?;
    release(installation, json!({"mode": "enabled"})).await?;
    installation.look("drifting", "3").await?;
    main_becomes(installation, [("color", "green"), ("size", "odd")]).await?;
    let asks_no_more = Patch::Merge(json!({"metadata": {"annotations": {"fairlead.dev/driftDetection": null}}}));
    maps.patch("main", &PatchParams::default(), &asks_no_more).await?;
    main_becomes(installation, [("color", "red"), ("size", "big")]).await?;
    Ok(())
}
