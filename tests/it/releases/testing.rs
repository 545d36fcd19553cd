//! The tests of a chart: run where the release asks for them, once for a revision, and told of.

use fairlead::api::HelmRelease;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::stage::history;
use crate::support::Result;
use crate::support::installation::{DEADLINE, Installation, condition};
use crate::support::wait::becomes;

const CHART: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: main}
data: {color: {{ .Values.color }}}
{{- range list "smoke" "broken" }}
---
apiVersion: v1
kind: Pod
metadata:
  name: {{ . }}
  annotations:
    "helm.sh/hook": test
    "test.fairlead.dev/outcome": {{ if eq . "broken" }}{{ $.Values.outcome }}{{ else }}Fine{{ end }}
spec: {restartPolicy: Never, containers: [{name: main, image: example.com/test}]}
{{- end }}
"#;

async fn installation(prefix: &str) -> Result<Installation> {
    let installation = Installation::start(prefix).await?;
    let files = [
        ("templates/all.yaml", CHART),
        ("values.yaml", "color: red\noutcome: Failed\n"),
    ];
    installation.repository.add("tested", "1.0.0", &files).await?;
    Ok(installation)
}

/// The phase of each test that was run on the newest revision.
fn phases(release: &HelmRelease) -> Value {
    let newest = release.status.iter().flat_map(|status| &status.history).next();
    let tests = newest.iter().flat_map(|newest| &newest.test_hooks);
    tests.map(|(name, run)| (name.clone(), json!(run.phase))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tests_are_run_where_they_are_asked_for_and_chosen_by_filters() -> Result {
    let installation = installation("tested").await?;
    installation.release("tested", json!({})).await?;
    let release = installation.ready_is("tested", "True", &[]).await?;
    assert_eq!(
        (condition(&release, "TestSuccess"), phases(&release)),
        (Value::Null, json!({}))
    );
    assert!(installation.api::<Pod>().get_opt("smoke").await?.is_none());

    let test = json!({"enable": true, "filters": [{"name": "broken", "exclude": true}]});
    installation.release("tested", json!({"test": test})).await?;
    let is_tested = |release: Option<&HelmRelease>| {
        release.is_some_and(|release| condition(release, "TestSuccess")["status"] == "True")
    };
    let release = becomes(&installation.api(), "tested", DEADLINE, is_tested)
        .await?
        .ok_or("a release")?;
    assert_eq!(phases(&release), json!({"smoke": "Succeeded"}));
    assert_eq!(condition(&release, "Ready")["status"], "True");
    let first = installation.api::<Pod>().get("smoke").await?.uid();

    // Another revision is tested anew.
    installation
        .release("tested", json!({"test": test, "values": {"color": "blue"}}))
        .await?;
    installation.ready_is("tested", "True", &["upgrade succeeded"]).await?;
    assert_ne!(installation.api::<Pod>().get("smoke").await?.uid(), first);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_that_fails_leaves_the_release_unready_unless_failures_are_ignored() -> Result {
    let installation = installation("test-fails").await?;
    installation
        .release("tested", json!({"test": {"enable": true}}))
        .await?;
    let release = installation
        .ready_is("tested", "False", &["test hook Pod broken failed"])
        .await?;
    assert_eq!(condition(&release, "Ready")["reason"], "TestFailed");
    assert_eq!(condition(&release, "Released")["status"], "True");
    assert_eq!(history(&release), [(1, "deployed".to_owned())]);

    installation
        .release("tested", json!({"test": {"enable": true, "ignoreFailures": true}}))
        .await?;
    let release = installation.ready_is("tested", "True", &["install succeeded"]).await?;
    assert_eq!(condition(&release, "TestSuccess")["status"], "False");

    // One that never ends is not awaited for longer than its time.
    let spec = json!({"test": {"enable": true, "timeout": "2s"}, "values": {"outcome": "Pending"}});
    installation.release("tested", spec).await?;
    let release = installation
        .ready_is("tested", "False", &["test hook Pod broken", "2s"])
        .await?;
    assert_eq!(condition(&release, "Ready")["reason"], "TestFailed");
    Ok(())
}
