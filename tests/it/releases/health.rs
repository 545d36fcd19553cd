//! When a release is ready: by expressions of its spec, with or without its Jobs, and not later than a newer spec comes.

use std::time::{Duration, Instant};

use k8s_openapi::api::batch::v1::Job;
use serde_json::{Value, json};

use super::stage::history;
use crate::support::Result;
use crate::support::installation::{Installation, condition};

const CHART: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: gate}
data: {state: {{ .Values.state }}}
{{- with .Values.job }}
---
apiVersion: batch/v1
kind: Job
metadata: {name: seed}
spec:
  template:
    metadata: {annotations: {"test.fairlead.dev/outcome": {{ . }}}}
    spec: {restartPolicy: Never, containers: [{name: main, image: example.com/seed}]}
{{- end }}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_is_what_the_spec_says_and_a_newer_spec_ends_the_wait() -> Result {
    let installation = Installation::start("health").await?;
    let files = [("templates/all.yaml", CHART), ("values.yaml", "state: new\n")];
    installation.repository.add("judged", "1.0.0", &files).await?;
    let gate = json!([{"apiVersion": "v1", "kind": "ConfigMap",
        "failed": "data.state == 'broken'", "current": "data.state == 'open'"}]);
    let release = async |expressions: &Value, values: Value, install: Value| {
        let spec = json!({"timeout": "10m", "healthCheckExprs": expressions, "values": values, "install": install, "upgrade": install});
        installation.release("judged", spec).await
    };

    release(&gate, json!({}), json!({})).await?;
    let namespace = installation.namespace.name();
    let waits = format!("0/1 ready, waiting for ConfigMap {namespace}/gate: its health expression current is not true");
    installation.ready_is("judged", "Unknown", &[&waits]).await?;

    // A newer spec does not wait until the time of the old one is up.
    let changed = Instant::now();
    release(&gate, json!({"state": "open"}), json!({})).await?;
    let ready = installation.ready_is("judged", "True", &["succeeded"]).await?;
    assert!(changed.elapsed() < Duration::from_secs(30), "{:?}", changed.elapsed());
    let words = history(&ready);
    assert_eq!(words, [(2, "deployed".to_owned()), (1, "failed".to_owned())]);

    release(&gate, json!({"state": "broken"}), json!({})).await?;
    installation
        .ready_is(
            "judged",
            "False",
            &["gate failed: its health expression failed is true"],
        )
        .await?;
    let wrong = json!([{"apiVersion": "v1", "current": "data.state =="}]);
    release(&wrong, json!({"state": "open"}), json!({})).await?;
    let wrong = installation
        .ready_is("judged", "False", &["spec.healthCheckExprs[0].current: "])
        .await?;
    assert_eq!(condition(&wrong, "Ready")["reason"], "InvalidCELExpression");

    // Jobs are awaited, unless the spec says otherwise.
    release(&gate, json!({"state": "open", "job": "Pending"}), json!({})).await?;
    installation
        .ready_is("judged", "Unknown", &["1/2 ready, waiting for Job"])
        .await?;
    let ignored = json!({"disableWaitForJobs": true});
    release(&gate, json!({"state": "open", "job": "Pending"}), ignored).await?;
    installation.ready_is("judged", "True", &["succeeded"]).await?;
    let job = installation.api::<Job>().get("seed").await?;
    assert_eq!(job.status.and_then(|status| status.succeeded), None);
    Ok(())
}

/// All of its Pods may be missing while it is rolled out; no Pod becomes ready.
const LENIENT: &str = r"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  strategy: {rollingUpdate: {maxUnavailable: 1}}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, annotations: {test.fairlead.dev/outcome: Unready}}
    spec: {containers: [{name: main, image: example.com/web}]}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rules_of_helm_3_are_content_with_what_a_rollout_may_lack() -> Result {
    let installation = Installation::start("strategy").await?;
    let files = [("templates/all.yaml", LENIENT), ("values.yaml", "")];
    installation.repository.add("lenient", "1.0.0", &files).await?;
    let release = async |strategy: &str| {
        let spec = json!({"timeout": "10m", "waitStrategy": {"name": strategy}});
        installation.release("lenient", spec).await
    };
    release("poller").await?;
    let waits = ["0/1 ready, waiting for Deployment"];
    installation.ready_is("lenient", "Unknown", &waits).await?;
    // Nothing but the judgement changes: the revision that waits goes on, and is ready now.
    release("legacy").await?;
    let ready = installation.ready_is("lenient", "True", &["install succeeded"]).await?;
    assert_eq!(history(&ready), [(1, "deployed".to_owned())]);
    Ok(())
}
