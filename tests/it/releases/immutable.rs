//! Objects of which a field changes that cannot be changed are deleted and created again where the release says so, and only there.

use fairlead::api::HelmRelease;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::stage::history;
use crate::support::Result;
use crate::support::installation::{DEADLINE, Installation, condition};
use crate::support::wait::becomes;

const CHART: &str = r"
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec:
  accessModes: [{{ .Values.access }}]
  resources: {requests: {storage: 1Gi}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: {{ .Values.app }}}}
  template:
    metadata: {labels: {app: {{ .Values.app }}}}
    spec: {containers: [{name: main, image: example.com/web}]}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_changed_is_recreated_only_when_told_to_and_never_data() -> Result {
    let installation = Installation::start("immutable").await?;
    let files = [
        ("templates/all.yaml", CHART),
        ("values.yaml", "app: a\naccess: ReadWriteOnce\n"),
    ];
    installation.repository.add("fixed", "1.0.0", &files).await?;
    let release = async |values: Value, force: bool| {
        let upgrade = json!({"disableWait": true, "force": force});
        let spec = json!({"install": {"disableWait": true}, "upgrade": upgrade, "values": values});
        installation.release("fixed", spec).await
    };
    release(json!({}), false).await?;
    installation.ready_is("fixed", "True", &["install succeeded"]).await?;
    let uids = async || -> Result<(Option<String>, Option<String>)> {
        let deployment = installation.api::<Deployment>().get("web").await?.uid();
        Ok((
            deployment,
            installation.api::<PersistentVolumeClaim>().get("data").await?.uid(),
        ))
    };
    let (deployment, claim) = uids().await?;

    release(json!({"app": "b"}), false).await?;
    let way_out = "set spec.upgrade.force to have the object deleted and created again";
    let failed = installation
        .ready_is("fixed", "False", &["Deployment", "spec.selector", way_out])
        .await?;
    assert_eq!(condition(&failed, "Ready")["reason"], "UpgradeFailed");
    assert_eq!(uids().await?, (deployment.clone(), claim.clone()));

    release(json!({"app": "b"}), true).await?;
    let upgraded = installation.ready_is("fixed", "True", &["upgrade succeeded"]).await?;
    let (recreated, same) = uids().await?;
    assert_ne!(recreated, deployment);
    assert_eq!(same, claim);
    let told = installation.events(&upgraded).await?;
    let note = format!(
        "apps/v1 Deployment {}/web was deleted and created again",
        installation.namespace.name()
    );
    let is_told = |(reason, text): &(String, String)| reason == "ObjectRecreated" && text.starts_with(&note);
    assert!(told.iter().any(is_told), "{told:?}");

    release(json!({"app": "b", "access": "ReadWriteMany"}), true).await?;
    let kept = "objects of this kind are never deleted for that";
    installation
        .ready_is("fixed", "False", &["PersistentVolumeClaim", kept])
        .await?;
    assert_eq!(uids().await?, (recreated, claim));
    Ok(())
}

/// A Deployment whose selector and whose Pods' end are values.
const SWITCHED: &str = r"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: {{ .Values.app }}}}
  template:
    metadata:
      labels: {app: {{ .Values.app }}}
      annotations: {test.fairlead.dev/outcome: {{ .Values.outcome | quote }}}
    spec: {containers: [{name: main, image: example.com/web}]}
";

/// Waits until an upgrade was remediated as this reason says, at this revision.
async fn remediated(installation: &Installation, revision: u32, reason: &str) -> Result<HelmRelease> {
    let is_so = |release: Option<&HelmRelease>| {
        release.is_some_and(|release| {
            history(release).first().is_some_and(|(newest, _)| *newest == revision)
                && condition(release, "Remediated")["reason"] == reason
        })
    };
    let found = becomes(&installation.api(), "switched", DEADLINE, is_so).await;
    let found = found.map_err(|error| format!("{error}; the operator logged:\n{}", installation.operator.log()))?;
    Ok(found.ok_or("a release")?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_recreates_objects_only_when_it_is_told_to_itself() -> Result {
    let installation = Installation::start("rollback-force").await?;
    let files = [
        ("templates/all.yaml", SWITCHED),
        ("values.yaml", "app: a\noutcome: ''\n"),
    ];
    installation.repository.add("switched", "1.0.0", &files).await?;
    installation.release("switched", json!({})).await?;
    installation.ready_is("switched", "True", &[]).await?;
    let selector = async || -> Result<Value> {
        let web = installation.api::<Deployment>().get("web").await?;
        Ok(json!(web.spec)["selector"]["matchLabels"]["app"].clone())
    };
    let broken = |rollback: Value| {
        let remediation = json!({"retries": 0, "remediateLastFailure": true});
        json!({"interval": "1h", "values": {"app": "b", "outcome": "Unready"}, "rollback": rollback,
            "upgrade": {"timeout": "2s", "force": true, "remediation": remediation}})
    };
    installation
        .release("switched", broken(json!({"timeout": "20s"})))
        .await?;
    let failed = remediated(&installation, 3, "RollbackFailed").await?;
    let message = condition(&failed, "Remediated")["message"].to_string();
    assert!(message.contains("in a rollback spec.rollback.force"), "{message}");
    assert_eq!(selector().await?, "b");

    installation
        .release("switched", broken(json!({"force": true, "timeout": "20s"})))
        .await?;
    remediated(&installation, 5, "RollbackSucceeded").await?;
    assert_eq!(selector().await?, "a");
    Ok(())
}
