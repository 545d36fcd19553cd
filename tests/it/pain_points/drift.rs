//! Drift that is none: what a policy engine changes with every write.

use std::time::Instant;

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::support::Result;
use crate::support::installation::{DEADLINE, Installation, condition, history};
use crate::support::wait::{becomes, is_absent};
use crate::support::webhook::Webhook;

const CHART: &str = r"
apiVersion: v1
kind: ConfigMap
metadata: {name: config}
data: {a: ours, b: ours}
";

/// Waits until the API server asks the webhook, which it does a moment after it was told to.
async fn is_asked(maps: &Api<ConfigMap>) -> Result {
    let started = Instant::now();
    let probe: ConfigMap = serde_json::from_value(json!({"metadata": {"name": "config"}, "data": {"a": "probe"}}))?;
    loop {
        let made = maps.create(&PostParams::default(), &probe).await?;
        maps.delete("config", &DeleteParams::default()).await?;
        becomes(maps, "config", DEADLINE, is_absent()).await?;
        if made.data.is_some_and(|data| data.contains_key("added")) {
            return Ok(());
        }
        assert!(started.elapsed() < DEADLINE, "the webhook was never asked");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_06_what_a_policy_engine_changes_is_no_endless_drift() -> Result {
    let installation = Installation::start("mutated").await?;
    let namespace = installation.namespace.name();
    let patch = json!([{"op": "replace", "path": "/data/a", "value": "injected"},
        {"op": "add", "path": "/data/added", "value": "injected"}]);
    let webhook = Webhook::start(patch).await?;
    let configurations: Api<MutatingWebhookConfiguration> = Api::all(installation.client.clone());
    let configuration = serde_json::from_value(webhook.configuration(namespace))?;
    configurations.create(&PostParams::default(), &configuration).await?;
    let maps = installation.api::<ConfigMap>();
    is_asked(&maps).await?;

    let files = [("templates/map.yaml", CHART)];
    installation.repository.add("web", "1.0.0", &files).await?;
    let mark = installation.plane.audit_mark().await?;
    let spec = json!({"interval": "1s", "driftDetection": {"mode": "enabled"}});
    installation.release("web", spec).await?;
    installation.ready_is("web", "True", &[]).await?;
    // Looked at by the interval and by request, and when the object changes elsewhere.
    let label = Patch::Merge(json!({"metadata": {"labels": {"person": "here"}}}));
    maps.patch("config", &PatchParams::default(), &label).await?;
    for at in ["1", "2", "3", "4"] {
        installation.look("web", at).await?;
    }
    let release = installation.look("web", "5").await?;
    let events = installation.plane.requests_since(mark).await?;
    let writes = events.iter().filter(|event| {
        let is_ours = event.request_uri.contains("fieldManager=fairlead") && !event.request_uri.contains("dryRun");
        event.wrote() && is_ours && event.concerns("configmaps", Some(namespace))
    });
    // That of the install, one for the person's change at the most, and none for what the webhook does.
    assert!((1..=2).contains(&writes.count()), "{events:?}");
    assert_ne!(
        condition(&release, "Drifted")["status"],
        "True",
        "{:#}",
        json!(release.status)
    );
    assert_eq!(history(&release), [(1, "deployed".to_owned())]);
    let told = installation.events(&release).await?;
    assert!(!told.iter().any(|(reason, _)| reason == "DriftDetected"), "{told:?}");
    let data = json!(maps.get("config").await?.data);
    assert_eq!(data, json!({"a": "injected", "added": "injected", "b": "ours"}));
    configurations
        .delete(&format!("inject-{namespace}"), &DeleteParams::default())
        .await?;
    Ok(())
}
