//! Release records: the real Helm sees what Fairlead does, and Fairlead sees what Helm does.

use std::time::{Duration, Instant};

use fairlead::api::HelmRelease;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use serde_json::{Value, json};

use super::stage::history;
use crate::support::Result;
use crate::support::installation::{DEADLINE, Installation};
use crate::support::wait::{becomes, is_absent};

const TEMPLATE: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {color: {{ .Values.color | quote }}}
{{- if .Values.extra }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-extra}
data: {key: value}
{{- end }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: 0
  selector: {matchLabels: {app: "{{ .Release.Name }}"}}
  template:
    metadata: {labels: {app: "{{ .Release.Name }}"}}
    spec: {containers: [{name: web, image: example.com/web}]}
"#;

/// An operator, and the chart `web` in its repository.
async fn installation(prefix: &str) -> Result<Installation> {
    let installation = Installation::start(prefix).await?;
    let files = [
        ("templates/all.yaml", TEMPLATE),
        ("templates/NOTES.txt", "Thank you for {{ .Values.color }}."),
        ("values.yaml", "color: red\nextra: false\nnested: {kept: true}\n"),
    ];
    installation.repository.add("web", "1.0.0", &files).await?;
    Ok(installation)
}

/// What Helm prints.
async fn helm(installation: &Installation, arguments: &[&str]) -> Result<String> {
    let arguments = [arguments, &["--namespace", installation.namespace.name()]].concat();
    Ok(installation.plane.helm(&arguments).await?.checked()?)
}

async fn helm_json(installation: &Installation, arguments: &[&str]) -> Result<Value> {
    Ok(serde_json::from_str(
        &helm(installation, &[arguments, &["-o", "json"]].concat()).await?,
    )?)
}

/// Number and status of each revision in Helm's history.
async fn helm_history(installation: &Installation, release: &str) -> Result<Vec<(i64, String)>> {
    let revisions = helm_json(installation, &["history", release]).await?;
    let revisions = revisions.as_array().ok_or("a list")?;
    let revision = |entry: &Value| {
        let status = entry["status"].as_str().unwrap_or_default().to_owned();
        (entry["revision"].as_i64().unwrap_or_default(), status)
    };
    Ok(revisions.iter().map(revision).collect())
}

fn words(revisions: &[(i64, &str)]) -> Vec<(i64, String)> {
    revisions
        .iter()
        .map(|(number, status)| (*number, (*status).to_owned()))
        .collect()
}

/// Waits until the release is deployed at this revision.
async fn deployed(installation: &Installation, name: &str, revision: u32) -> Result<HelmRelease> {
    let is_deployed = |release: Option<&HelmRelease>| {
        release.is_some_and(|release| history(release).first() == Some(&(revision, "deployed".to_owned())))
    };
    let release = becomes(&installation.api(), name, DEADLINE, is_deployed).await;
    let release = release.map_err(|error| format!("{error}; the operator logged:\n{}", installation.operator.log()))?;
    Ok(release.ok_or("a release")?)
}

async fn color(installation: &Installation, name: &str) -> Result<Option<String>> {
    let map = installation.api::<ConfigMap>().get(name).await?;
    Ok(map.data.and_then(|mut data| data.remove("color")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn helm_inspects_rolls_back_and_uninstalls_a_release() -> Result {
    let installation = installation("records").await?;
    installation
        .release("web", json!({"values": {"color": "blue"}}))
        .await?;
    deployed(&installation, "web", 1).await?;

    let list = helm_json(&installation, &["list"]).await?;
    assert_eq!(
        (
            &list[0]["name"],
            &list[0]["revision"],
            &list[0]["status"],
            &list[0]["chart"]
        ),
        (&json!("web"), &json!("1"), &json!("deployed"), &json!("web-1.0.0"))
    );
    let status = helm_json(&installation, &["status", "web"]).await?;
    assert_eq!(
        (
            &status["info"]["status"],
            &status["info"]["description"],
            &status["info"]["notes"]
        ),
        (
            &json!("deployed"),
            &json!("Install complete"),
            &json!("Thank you for blue.")
        )
    );
    assert_eq!(
        helm_json(&installation, &["get", "values", "web"]).await?,
        json!({"color": "blue"})
    );
    assert_eq!(
        helm_json(&installation, &["get", "values", "web", "--all"]).await?,
        json!({"color": "blue", "extra": false, "nested": {"kept": true}})
    );
    let metadata = helm_json(&installation, &["get", "metadata", "web"]).await?;
    assert_eq!(
        (&metadata["chart"], &metadata["version"], &metadata["applyMethod"]),
        (&json!("web"), &json!("1.0.0"), &json!("ssa"))
    );
    let templated = [
        "template",
        "web",
        "web",
        "--repo",
        installation.repository.url(),
        "--set",
        "color=blue",
    ];
    let rendered = helm(&installation, &templated).await?;
    assert_eq!(
        helm(&installation, &["get", "manifest", "web"]).await?.trim(),
        rendered.trim()
    );
    helm(&installation, &["get", "all", "web"]).await?;

    installation
        .release("web", json!({"values": {"color": "green"}}))
        .await?;
    deployed(&installation, "web", 2).await?;
    assert_eq!(
        helm_history(&installation, "web").await?,
        words(&[(1, "superseded"), (2, "deployed")])
    );

    // What a person does at night; the HelmRelease still says otherwise.
    helm(&installation, &["rollback", "web", "1", "--force-conflicts"]).await?;
    deployed(&installation, "web", 4).await?;
    assert_eq!(color(&installation, "web").await?.as_deref(), Some("green"));
    assert_eq!(
        helm_history(&installation, "web").await?,
        words(&[(1, "superseded"), (2, "superseded"), (3, "superseded"), (4, "deployed")])
    );

    helm(&installation, &["uninstall", "web"]).await?;
    let release = deployed(&installation, "web", 1).await?;
    installation.ready_is("web", "True", &[]).await?;
    assert_eq!(history(&release).len(), 1);
    assert_eq!(color(&installation, "web").await?.as_deref(), Some("green"));
    assert_eq!(helm_history(&installation, "web").await?, words(&[(1, "deployed")]));

    installation.uninstall("web").await?;
    assert_eq!(records(&installation).await?, Vec::<String>::new());
    Ok(())
}

/// A webhook that does not answer, for which the API server refuses records for now. Waits until that is so, or no longer.
async fn records_are_refused(installation: &Installation, are_refused: bool) -> Result {
    let name = format!("refuse-{}", installation.namespace.name());
    let webhooks: Api<ValidatingWebhookConfiguration> = Api::all(installation.plane.client()?);
    if are_refused {
        let selected = json!({"matchLabels": {"kubernetes.io/metadata.name": installation.namespace.name()}});
        let webhook = json!({"metadata": {"name": name}, "webhooks": [{
            "name": "refuse.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "clientConfig": {"url": "https://127.0.0.1:1/"}, "failurePolicy": "Fail", "namespaceSelector": selected,
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["secrets"]}]}]});
        webhooks
            .create(&PostParams::default(), &serde_json::from_value(webhook)?)
            .await?;
    } else {
        webhooks.delete(&name, &DeleteParams::default()).await?;
    }
    let probe = Secret {
        metadata: kube::core::ObjectMeta {
            name: Some("probe".to_owned()),
            ..kube::core::ObjectMeta::default()
        },
        ..Secret::default()
    };
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let started = Instant::now();
    while installation.api::<Secret>().create(&dry_run, &probe).await.is_err() != are_refused {
        if started.elapsed() > DEADLINE {
            return Err(format!("that records are refused is not {are_refused}").into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_is_late_is_not_skipped_by_the_next_revision() -> Result {
    let installation = installation("late-records").await?;
    records_are_refused(&installation, true).await?;
    installation
        .release("web", json!({"values": {"color": "blue"}}))
        .await?;
    deployed(&installation, "web", 1).await?;
    installation.ready_is("web", "True", &[]).await?;
    assert_eq!(records(&installation).await?, Vec::<String>::new());

    installation
        .release("web", json!({"values": {"color": "green"}}))
        .await?;
    installation
        .ready_is("web", "False", &["sh.helm.release.v1.web.v1", "refuse.example.com"])
        .await?;
    assert_eq!(color(&installation, "web").await?.as_deref(), Some("blue"));

    records_are_refused(&installation, false).await?;
    deployed(&installation, "web", 2).await?;
    assert_eq!(color(&installation, "web").await?.as_deref(), Some("green"));
    assert_eq!(
        helm_history(&installation, "web").await?,
        words(&[(1, "superseded"), (2, "deployed")])
    );
    Ok(())
}

async fn records(installation: &Installation) -> Result<Vec<String>> {
    let of_helm = ListParams::default().labels("owner=helm");
    let found = installation.api::<Secret>().list(&of_helm).await?;
    Ok(found.iter().map(kube::ResourceExt::name_any).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn releases_of_helm_are_adopted_without_a_new_pod() -> Result {
    let installation = installation("adopted").await?;
    for (name, method) in [("third", "--server-side=false"), ("fourth", "--server-side=true")] {
        let chart = [
            "install",
            name,
            "web",
            "--repo",
            installation.repository.url(),
            "--set",
            "extra=true",
            method,
        ];
        helm(&installation, &chart).await?;
        let before = installation.api::<Deployment>().get(name).await?;
        installation
            .release(name, json!({"chart": {"spec": {"chart": "web"}}}))
            .await?;
        let release = deployed(&installation, name, 2).await?;
        installation.ready_is(name, "True", &[]).await?;
        let after = installation.api::<Deployment>().get(name).await?;
        assert_eq!(
            (&before.spec.template, &before.metadata.uid),
            (&after.spec.template, &after.metadata.uid),
            "{name}"
        );
        // What Helm's revision had and the desired one has not is gone, as after an upgrade by Helm.
        becomes::<ConfigMap>(&installation.api(), &format!("{name}-extra"), DEADLINE, is_absent()).await?;
        assert_eq!(
            helm_history(&installation, name).await?,
            words(&[(1, "superseded"), (2, "deployed")])
        );
        let first = release.status.ok_or("a status")?.history[0].first_deployed.clone();
        assert!(Some(&first) <= before.metadata.creation_timestamp.as_ref(), "{first:?}");
        installation.uninstall(name).await?;
    }
    assert_eq!(records(&installation).await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_tool_left_unfinished_is_healed() -> Result {
    let installation = installation("unfinished").await?;
    let chart = ["install", "web", "web", "--repo", installation.repository.url()];
    helm(&installation, &chart).await?;
    // As a Helm that was killed leaves it; and one that is still at it is waited for.
    let secrets = installation.api::<Secret>();
    let mut record = secrets.get("sh.helm.release.v1.web.v1").await?;
    record
        .labels_mut()
        .insert("status".to_owned(), "pending-upgrade".to_owned());
    secrets
        .replace(&record.name_any(), &kube::api::PostParams::default(), &record)
        .await?;
    installation.release("web", json!({"timeout": "1h"})).await?;
    installation
        .ready_is("web", "False", &["another tool has the release at pending-upgrade"])
        .await?;
    installation.release("web", json!({"timeout": "1s"})).await?;
    deployed(&installation, "web", 2).await?;
    assert_eq!(
        helm_history(&installation, "web").await?,
        words(&[(1, "failed"), (2, "deployed")])
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_has_its_limit_and_can_be_kept() -> Result {
    let installation = installation("limited").await?;
    for (revision, color) in (1..).zip(["a", "b", "c", "d"]) {
        let spec = json!({"maxHistory": 2, "values": {"color": color}, "uninstall": {"keepHistory": true}});
        installation.release("web", spec).await?;
        deployed(&installation, "web", revision).await?;
    }
    assert_eq!(
        helm_history(&installation, "web").await?,
        words(&[(3, "superseded"), (4, "deployed")])
    );
    // Two HelmReleases do not share a release.
    let spec = json!({"releaseName": "web", "chart": {"spec": {"chart": "web"}}});
    installation.release("rival", spec).await?;
    installation
        .ready_is("rival", "False", &["the release is that of HelmRelease", "/web;"])
        .await?;
    // Otherwise it would go on where the other one ends.
    installation.uninstall("rival").await?;
    assert_eq!(color(&installation, "web").await?.as_deref(), Some("d"));
    installation.uninstall("web").await?;
    assert_eq!(
        helm_history(&installation, "web").await?,
        words(&[(3, "superseded"), (4, "uninstalled")])
    );
    Ok(())
}

/// Of what Helm writes, a record has the manifest, the hooks, and what Helm shows of the chart; not the chart's files.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_is_a_fifth_of_helms() -> Result {
    let installation = installation("slim").await?;
    // As in kube-prometheus-stack: definitions, dashboards, and templates that are longer than what they become.
    let noise = |seed: usize, lines: usize| -> String {
        let line = |line: usize| format!("  # {:x}", (line + 1) * (seed + 7919) * 2_654_435_761);
        (0..lines).map(line).collect::<Vec<_>>().join("\n")
    };
    let definition = format!("kind: Nothing\n{}", noise(1, 3000));
    let dashboards = noise(2, 3000);
    let template = format!("{{{{- /*\n{}*/ -}}}}\n{TEMPLATE}", noise(3, 1000));
    let files = [
        ("files/definitions.yaml", definition.as_str()),
        ("files/dashboards.yaml", &dashboards),
        ("templates/all.yaml", &template),
        ("values.yaml", "color: red\nextra: false\n"),
    ];
    installation.repository.add("large", "1.0.0", &files).await?;
    installation
        .release("slim", json!({"chart": {"spec": {"chart": "large"}}}))
        .await?;
    deployed(&installation, "slim", 1).await?;
    let chart = ["install", "whole", "large", "--repo", installation.repository.url()];
    helm(&installation, &chart).await?;
    let size = async |name: &str| -> Result<usize> {
        let record = installation
            .api::<Secret>()
            .get(&format!("sh.helm.release.v1.{name}.v1"))
            .await?;
        Ok(record
            .data
            .and_then(|mut data| data.remove("release"))
            .ok_or("a record")?
            .0
            .len())
    };
    let (slim, whole) = (size("slim").await?, size("whole").await?);
    eprintln!("{slim} bytes, Helm's {whole}");
    assert!(slim * 5 < whole, "{slim} of {whole}");
    Ok(())
}
