//! A release that does not become ready keeps nobody waiting, says what it waits for, and heals when it can.

use fairlead_controlplane::ControlPlane;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::small_charts;
use super::stage::{REPOSITORY, Stage, history};
use crate::support::Result;
use crate::support::installation::{DEADLINE, condition};
use crate::support::operator::Operator;
use crate::support::wait::{becomes, has_condition};

#[tokio::test]
async fn waiting_holds_no_worker() -> Result {
    let plane = ControlPlane::shared().await?;
    let stage = Stage::open(plane).await?;
    let namespace = plane.namespace("waiting").await?;
    small_charts::publish(&stage.repository).await?;
    stage.apply_repository(&namespace).await?;
    let scope = format!("--namespace={}", namespace.name());
    let mut operator = Operator::start(plane.kubeconfig_path(), &[&scope, "--concurrency=1"])?;
    operator.ready().await?;
    let spec = |values: Value, timeout: &str| {
        let reference = json!({"kind": "HelmRepository", "name": REPOSITORY});
        let chart = json!({"spec": {"chart": "web", "sourceRef": reference}});
        json!({"interval": "1h", "timeout": timeout, "values": values, "chart": chart})
    };

    let unready = json!({"podAnnotations": {"test.fairlead.dev/outcome": "Unready"}});
    stage.apply_release(&namespace, "slow", spec(unready, "20s")).await?;
    let releases = stage.releases(&namespace);
    let waits = |object: Option<&_>| message(object, "Unknown").is_some_and(|text| text.contains("waiting for"));
    let waiting = becomes(&releases, "slow", DEADLINE, waits).await?;
    let progress = message(waiting.as_ref(), "Unknown").unwrap_or_default();
    eprintln!("slow waits: {progress}");
    assert!(progress.starts_with("4/5 ready, waiting for Deployment"), "{progress}");

    stage.apply_release(&namespace, "quick", spec(json!({}), "5m")).await?;
    stage.ready(&namespace, "quick", DEADLINE).await?;
    let slow = releases.get("slow").await?;
    assert!(
        message(Some(&slow), "Unknown").is_some(),
        "quick was ready only when slow had failed"
    );
    eprintln!("quick is ready while slow waits");

    let failed = becomes(&releases, "slow", DEADLINE, has_condition("Ready", "False")).await?;
    let failure = message(failed.as_ref(), "False").unwrap_or_default();
    eprintln!("slow failed: {failure}");
    assert!(
        failure.contains("web@1.0.0: not ready after 20s: 4/5 ready, waiting for Deployment"),
        "{failure}"
    );
    assert_eq!(
        failed.iter().flat_map(history).collect::<Vec<_>>(),
        [(1, "failed".to_owned())]
    );

    let failed = failed.ok_or("a release")?;
    assert_eq!(condition(&failed, "Stalled")["reason"], "RetriesExceeded");

    // What a kubelet would say when the probe passes at last.
    let pods: Api<Pod> = Api::namespaced(stage.client.clone(), &namespace);
    let ready = json!({"status": {"conditions": [
        {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"},
        {"type": "ContainersReady", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}});
    for pod in pods.list(&ListParams::default().labels("app=slow")).await? {
        let name = pod.metadata.name.ok_or("a Pod has a name")?;
        pods.patch_status(&name, &PatchParams::default(), &Patch::Strategic(&ready))
            .await?;
    }
    let healed = stage.ready(&namespace, "slow", DEADLINE).await?;
    assert_eq!(history(&healed), [(1, "deployed".to_owned())]);
    assert_eq!(condition(&healed, "Stalled"), Value::Null);
    eprintln!("slow healed");
    Ok(())
}

/// The message of `Ready`, if that has this status.
fn message(release: Option<&fairlead::api::HelmRelease>, status: &str) -> Option<String> {
    let release = serde_json::to_value(release?).ok()?;
    let conditions = release["status"]["conditions"].as_array()?;
    let ready = conditions
        .iter()
        .find(|condition| condition["type"] == "Ready" && condition["status"] == status)?;
    Some(ready["message"].as_str().unwrap_or_default().to_owned())
}
