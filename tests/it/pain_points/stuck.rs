//! What makes releases hang elsewhere: a Helm that was killed, and Jobs that are gone before anybody looks.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::Result;
use crate::support::installation::{DEADLINE, Installation, history};
use crate::support::wait::{becomes, is_absent};

/// A Deployment whose Pods end as a value says, and a ConfigMap that is held by a finalizer if wanted.
const CHART: &str = r"
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
  {{- if .Values.held }}
  finalizers: [example.com/held]
  {{- end }}
data: {key: value}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata:
      labels: {app: {{ .Release.Name }}}
      annotations: {test.fairlead.dev/outcome: {{ .Values.outcome | quote }}}
    spec: {containers: [{name: web, image: example.com/web}]}
";

/// Runs Helm until something has come about, and kills it then, as a node that dies does; the record has the status by then.
async fn kill_helm_at(
    installation: &Installation,
    command: &[&str],
    (record, status): (&str, &str),
    seen: impl Future<Output = Result>,
) -> Result {
    let arguments = [command, &["--namespace", installation.namespace.name()]].concat();
    tokio::select! {
        ended = installation.plane.helm(&arguments) => return Err(format!("Helm ended: {:?}", ended?).into()),
        seen = seen => seen?,
    }
    let record = installation.api::<Secret>().get(record).await?;
    assert_eq!(record.labels().get("status").map(String::as_str), Some(status));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_02_whatever_a_killed_helm_was_at_is_healed() -> Result {
    let installation = Installation::start("killed-helm").await?;
    let files = [
        ("templates/all.yaml", CHART),
        ("values.yaml", "held: false\noutcome: ''\n"),
    ];
    installation.repository.add("web", "1.0.0", &files).await?;
    let url = installation.repository.url();
    let chart = ["web", "--repo", url];
    let unready = ["--wait", "--set", "outcome=Unready"];
    let quick = async |command: &[&str]| -> Result {
        let arguments = [command, &["--namespace", installation.namespace.name()]].concat();
        installation.plane.helm(&arguments).await?.checked()?;
        Ok(())
    };
    let (secrets, maps) = (installation.api::<Secret>(), installation.api::<ConfigMap>());
    let at = async |command: &[&str], name: &str, revision: u32, status: &'static str| {
        let record = format!("sh.helm.release.v1.{name}.v{revision}");
        let stands = |secret: Option<&Secret>| {
            let label = secret.and_then(|secret| secret.labels().get("status"));
            label.map(String::as_str) == Some(status)
        };
        let seen = async { becomes(&secrets, &record, DEADLINE, stands).await.map(drop) };
        kill_helm_at(&installation, command, (&record, status), seen).await
    };

    let install = [&["install", "installed"], &chart[..], &unready].concat();
    at(&install, "installed", 1, "pending-install").await?;
    quick(&[&["install", "upgraded"], &chart[..]].concat()).await?;
    let upgrade = [&["upgrade", "upgraded"], &chart[..], &unready].concat();
    at(&upgrade, "upgraded", 2, "pending-upgrade").await?;
    quick(&[&["install", "restored", "--set", "outcome=Unready"], &chart[..]].concat()).await?;
    quick(&[&["upgrade", "restored"], &chart[..]].concat()).await?;
    at(
        &["rollback", "restored", "1", "--wait"],
        "restored",
        3,
        "pending-rollback",
    )
    .await?;
    quick(&[&["install", "removed", "--set", "held=true"], &chart[..]].concat()).await?;
    let is_deleted = |map: Option<&ConfigMap>| map.is_some_and(|map| map.metadata.deletion_timestamp.is_some());
    let deleted = async { becomes(&maps, "removed", DEADLINE, is_deleted).await.map(drop) };
    let record = ("sh.helm.release.v1.removed.v1", "uninstalling");
    kill_helm_at(&installation, &["uninstall", "removed", "--wait"], record, deleted).await?;
    let let_go = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    maps.patch("removed", &PatchParams::default(), &let_go).await?;
    becomes(&maps, "removed", DEADLINE, is_absent()).await?;

    // A person's Helm may be at it, so each is waited for as long as its action may take; then nobody has to do anything.
    for (name, revision) in [("installed", 2), ("upgraded", 3), ("restored", 4), ("removed", 2)] {
        let spec = json!({"chart": {"spec": {"chart": "web"}}, "timeout": "5s"});
        installation.release(name, spec).await?;
        let release = installation.ready_is(name, "True", &[]).await?;
        assert_eq!(history(&release)[0], (revision, "deployed".to_owned()), "{name}");
        assert!(maps.get_opt(name).await?.is_some(), "{name}");
        let listed = [
            "history",
            name,
            "--namespace",
            installation.namespace.name(),
            "--output=json",
        ];
        let listed: Value = serde_json::from_str(&installation.plane.helm(&listed).await?.checked()?)?;
        let listed = listed.as_array().ok_or("a list")?;
        let unfinished = |entry: &&Value| entry["status"].as_str().is_some_and(|status| status.contains("ing"));
        assert_eq!(listed.iter().filter(unfinished).count(), 0, "{name}: {listed:?}");
    }
    Ok(())
}

/// A Job that is removed as soon as it has finished, among the objects and as a hook.
const VANISHING: &str = r#"
{{- range list "seed" "migrate" }}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ . }}
  labels: {revision: "{{ $.Release.Revision }}"}
  {{- if eq . "migrate" }}
  annotations: {"helm.sh/hook": "pre-install,pre-upgrade,post-install,post-upgrade"}
  {{- end }}
spec:
  ttlSecondsAfterFinished: 0
  template:
    spec: {restartPolicy: Never, containers: [{name: main, image: "example.com/job:{{ $.Values.tag }}"}]}
---
{{- end }}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_24_jobs_that_are_removed_when_they_have_finished_end_every_wait_and_run_once() -> Result {
    let installation = Installation::start("vanishing").await?;
    let files = [("templates/jobs.yaml", VANISHING), ("values.yaml", "tag: one\n")];
    installation.repository.add("jobs", "1.0.0", &files).await?;
    let mark = installation.plane.audit_mark().await?;
    for (revision, tag) in (1..).zip(["one", "two"]) {
        installation.release("jobs", json!({"values": {"tag": tag}})).await?;
        let release = installation.ready_is("jobs", "True", &["succeeded"]).await?;
        assert_eq!(history(&release)[0], (revision, "deployed".to_owned()));
        for job in ["seed", "migrate"] {
            becomes(&installation.api::<Job>(), job, DEADLINE, is_absent()).await?;
        }
    }
    // That they are gone is no drift, however often it is looked at.
    for at in ["1", "2"] {
        installation.look("jobs", at).await?;
    }
    let events = installation.plane.requests_since(mark).await?;
    let made = |verb: &str| {
        let of_jobs = events
            .iter()
            .filter(|event| event.concerns("jobs", Some(installation.namespace.name())));
        of_jobs
            .filter(|event| event.wrote() && event.verb == verb && event.code() == 201)
            .count()
    };
    let (applied, created) = (made("patch"), made("create"));
    assert_eq!(
        (applied, created),
        (2, 4),
        "Jobs that were applied, and hooks that were created"
    );
    Ok(())
}
