//! Hooks are run in their order, each once for a revision, and never before it is known that nothing stands against the attempt.

use fairlead::api::HelmRelease;
use fairlead_controlplane::AuditMark;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::ResourceExt as _;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::stage::history;
use crate::support::Result;
use crate::support::installation::{DEADLINE, Installation};
use crate::support::operator::Operator;
use crate::support::wait::{becomes, is_absent};

const OBJECTS: &str = r"
apiVersion: v1
kind: ConfigMap
metadata: {name: main}
data: {version: {{ .Values.version | quote }}}
";

/// A Job that ends as the value `outcome` says, a step before it, and Jobs after it and at the end.
const HOOKS: &str = r#"
{{- define "job" }}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .name }}
  annotations: {"helm.sh/hook": "{{ .events }}", "helm.sh/hook-weight": "{{ .weight }}"{{ with .policy }}, "helm.sh/hook-delete-policy": {{ . }}{{ end }}}
spec:
  backoffLimit: 0
  template:
    metadata: {annotations: {"test.fairlead.dev/outcome": "{{ .outcome }}"}}
    spec: {restartPolicy: Never, containers: [{name: main, image: example.com/hook}]}
---
{{- end }}
{{- $outcome := .Values.outcome }}
apiVersion: v1
kind: ConfigMap
metadata:
  name: before
  annotations: {"helm.sh/hook": pre-install, "helm.sh/hook-weight": "-1"}
---
{{- include "job" (dict "name" "migrate" "events" "pre-install,pre-upgrade" "weight" 0 "policy" .Values.policy "outcome" $outcome) }}
{{- include "job" (dict "name" "announce" "events" "post-install,post-upgrade" "weight" 0 "policy" "hook-succeeded" "outcome" .Values.announced) }}
{{- include "job" (dict "name" "farewell" "events" "pre-delete" "weight" 0 "policy" "hook-succeeded,before-hook-creation") }}
{{- include "job" (dict "name" "last" "events" "post-delete" "weight" 0 "policy" "hook-succeeded") }}
"#;

const VALUES: &str = "version: one\noutcome: ''\nannounced: ''\npolicy: ''\n";

async fn installation(prefix: &str) -> Result<Installation> {
    let installation = Installation::start(prefix).await?;
    let files = [
        ("templates/objects.yaml", OBJECTS),
        ("templates/hooks.yaml", HOOKS),
        ("values.yaml", VALUES),
    ];
    installation.repository.add("hooked", "1.0.0", &files).await?;
    Ok(installation)
}

/// What was created or applied or deleted since the mark, in its order: the Jobs, and the ConfigMaps of the chart.
async fn writes(installation: &Installation, mark: AuditMark) -> Result<Vec<String>> {
    let events = installation.plane.requests_since(mark).await?;
    let ours = events.iter().filter(|event| {
        let is_of = |resource| event.concerns(resource, Some(installation.namespace.name()));
        event.wrote() && (is_of("jobs") || is_of("configmaps"))
    });
    let told = ours.filter_map(|event| {
        let object = event.object_ref.as_ref()?;
        Some(format!("{} {} {}", event.verb, object.resource, object.name))
    });
    Ok(told.collect())
}

/// The phase of each hook that was run for the newest revision.
fn phases(release: &HelmRelease) -> Value {
    let newest = release.status.iter().flat_map(|status| &status.history).next();
    let hooks = newest.iter().flat_map(|newest| &newest.hooks);
    hooks.map(|(key, run)| (key.clone(), json!(run.phase))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hooks_are_run_in_their_order_around_the_objects() -> Result {
    let installation = installation("hooks").await?;
    let mark = installation.plane.audit_mark().await?;
    installation.release("hooked", json!({})).await?;
    let release = installation.ready_is("hooked", "True", &[]).await?;
    assert_eq!(
        writes(&installation, mark).await?,
        [
            "create configmaps before",
            "create jobs migrate",
            "patch configmaps main",
            "create jobs announce",
            "delete jobs announce"
        ]
    );
    assert_eq!(
        phases(&release),
        json!({"pre-install/ConfigMap/before": "Succeeded", "pre-install/Job/migrate": "Succeeded",
            "post-install/Job/announce": "Succeeded"})
    );
    let first = installation.api::<Job>().get("migrate").await?;

    let mark = installation.plane.audit_mark().await?;
    installation
        .release("hooked", json!({"values": {"version": "two"}}))
        .await?;
    installation.ready_is("hooked", "True", &["upgrade succeeded"]).await?;
    assert_eq!(
        writes(&installation, mark).await?,
        [
            "delete jobs migrate",
            "create jobs migrate",
            "patch configmaps main",
            "create jobs announce",
            "delete jobs announce"
        ]
    );
    assert_ne!(installation.api::<Job>().get("migrate").await?.uid(), first.uid());

    let mark = installation.plane.audit_mark().await?;
    installation.uninstall("hooked").await?;
    assert_eq!(
        writes(&installation, mark).await?,
        [
            "create jobs farewell",
            "delete jobs farewell",
            "delete configmaps main",
            "create jobs last",
            "delete jobs last"
        ]
    );
    // As with Helm, hooks that their policy does not delete outlive the release.
    assert!(installation.api::<ConfigMap>().get_opt("before").await?.is_some());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_that_fails_fails_the_release_and_the_next_attempt_runs_it_again() -> Result {
    let installation = installation("hook-fails").await?;
    installation
        .release("hooked", json!({"values": {"outcome": "Failed"}}))
        .await?;
    let release = installation
        .ready_is("hooked", "False", &["pre-install hook Job migrate failed"])
        .await?;
    assert_eq!(history(&release), [(1, "failed".to_owned())]);
    assert!(installation.api::<ConfigMap>().get_opt("main").await?.is_none());
    let first = installation.api::<Job>().get("migrate").await?.uid();
    let jobs = installation.api::<Job>();
    let again = becomes(&jobs, "migrate", DEADLINE, |job: Option<&Job>| {
        job.is_some_and(|job| job.uid() != first)
    });
    again.await?;

    installation
        .release("hooked", json!({"values": {"outcome": "Pending"}, "timeout": "2s"}))
        .await?;
    installation
        .ready_is(
            "hooked",
            "False",
            &["pre-install hook Job migrate did not complete within 2s"],
        )
        .await?;
    let spec = json!({"values": {"outcome": "Failed"}, "install": {"disableHooks": true}});
    installation.release("hooked", spec).await?;
    installation.ready_is("hooked", "True", &[]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_that_runs_while_the_operator_dies_is_not_run_again() -> Result {
    let mut installation = installation("hook-dies").await?;
    let mark = installation.plane.audit_mark().await?;
    // The second is at work when the operator dies, and the first is gone by then.
    let values = json!({"outcome": "Pending", "policy": "hook-succeeded", "announced": "Pending"});
    installation.release("hooked", json!({"values": values})).await?;
    for (hook, event) in [("migrate", "pre-install"), ("announce", "post-install")] {
        installation
            .ready_is("hooked", "Unknown", &[&format!("waiting for {event} hook Job {hook}")])
            .await?;
        installation.operator.stop()?;
        let scope = ["--namespace", installation.namespace.name()];
        installation.operator = Operator::start(installation.plane.kubeconfig_path(), &scope)?;
        installation.operator.ready().await?;
        let pods = installation.api::<Pod>();
        let selected = ListParams::default().labels(&format!("batch.kubernetes.io/job-name={hook}"));
        let go_on = json!({"metadata": {"annotations": {"test.fairlead.dev/outcome": null}}});
        for pod in pods.list(&selected).await? {
            pods.patch(&pod.name_any(), &PatchParams::default(), &Patch::Merge(&go_on))
                .await?;
        }
        becomes::<Job>(&installation.api(), hook, DEADLINE, is_absent()).await?;
    }
    let release = installation.ready_is("hooked", "True", &[]).await?;
    assert_eq!(history(&release), [(1, "deployed".to_owned())]);
    let made = writes(&installation, mark).await?;
    let jobs: Vec<&String> = made.iter().filter(|write| write.starts_with("create jobs")).collect();
    assert_eq!(jobs, ["create jobs migrate", "create jobs announce"]);
    Ok(())
}

/// A Job that nobody deletes when it is done, before and after the object.
const TWICE: &str = r#"
apiVersion: batch/v1
kind: Job
metadata: {name: twice, annotations: {"helm.sh/hook": "pre-install,post-install"}}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: example.com/hook}]}}}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_of_two_events_is_run_at_both() -> Result {
    let installation = Installation::start("hook-twice").await?;
    let files = [
        ("templates/objects.yaml", OBJECTS),
        ("templates/hook.yaml", TWICE),
        ("values.yaml", VALUES),
    ];
    installation.repository.add("twice", "1.0.0", &files).await?;
    let mark = installation.plane.audit_mark().await?;
    installation.release("twice", json!({})).await?;
    let release = installation.ready_is("twice", "True", &[]).await?;
    let expected = [
        "create jobs twice",
        "patch configmaps main",
        "delete jobs twice",
        "create jobs twice",
    ];
    assert_eq!(writes(&installation, mark).await?, expected);
    let expected = json!({"pre-install/Job/twice": "Succeeded", "post-install/Job/twice": "Succeeded"});
    assert_eq!(phases(&release), expected);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_hook_is_run_while_a_conflict_stops_the_release() -> Result {
    let installation = installation("hook-conflict").await?;
    let rival =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "main"}, "data": {"version": "rival"}});
    installation.apply::<ConfigMap>(&rival).await?;
    let mark = installation.plane.audit_mark().await?;
    installation.release("hooked", json!({})).await?;
    installation.ready_is("hooked", "False", &[".data.version"]).await?;
    assert_eq!(writes(&installation, mark).await?, [""; 0]);

    installation
        .api::<ConfigMap>()
        .delete("main", &kube::api::DeleteParams::default())
        .await?;
    installation.ready_is("hooked", "True", &[]).await?;
    // An object of the same name that is no hook is nobody's to delete.
    installation
        .api::<Job>()
        .delete("migrate", &kube::api::DeleteParams::background())
        .await?;
    becomes::<Job>(&installation.api(), "migrate", DEADLINE, is_absent()).await?;
    let container = json!({"name": "main", "image": "example.com/other"});
    let template = json!({"spec": {"restartPolicy": "Never", "containers": [container]}});
    let other = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate"}, "spec": {"template": template}});
    installation.apply::<Job>(&other).await?;
    installation
        .release("hooked", json!({"values": {"version": "two"}}))
        .await?;
    installation
        .ready_is("hooked", "False", &["it is no hook: delete it"])
        .await?;
    Ok(())
}

/// What KWOK has every container print last.
const LAST_LINE: &str = "last line of the container's log";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_output_of_a_hook_is_told_where_its_policy_asks() -> Result {
    let installation = Installation::start("hook-output").await?;
    let hook = |outcome: &str| {
        format!(
            r#"
apiVersion: batch/v1
kind: Job
metadata:
  name: talk
  annotations: {{"helm.sh/hook": pre-install, "helm.sh/hook-output-log-policy": "hook-failed,{outcome}"}}
spec:
  backoffLimit: 0
  template:
    metadata: {{annotations: {{"test.fairlead.dev/outcome": "{{{{ .Values.outcome }}}}"}}}}
    spec: {{restartPolicy: Never, containers: [{{name: main, image: example.com/hook}}]}}
"#
        )
    };
    for (name, policy) in [("silent", "none"), ("talking", "hook-succeeded")] {
        let files = [
            ("templates/hook.yaml", hook(policy)),
            ("values.yaml", "outcome: ''\n".to_owned()),
        ];
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        installation.repository.add(name, "1.0.0", &files).await?;
    }
    installation.release("silent", json!({})).await?;
    installation.ready_is("silent", "True", &[]).await?;
    assert!(!installation.operator.log().contains(LAST_LINE));
    installation.uninstall("silent").await?;

    installation.release("talking", json!({})).await?;
    installation.ready_is("talking", "True", &[]).await?;
    installation.logs(LAST_LINE).await?;
    installation.uninstall("talking").await?;

    installation
        .release("silent", json!({"values": {"outcome": "Failed"}}))
        .await?;
    let release = installation.ready_is("silent", "False", &["talk"]).await?;
    let texts = ["Job", "talk", "container main", LAST_LINE];
    installation.event_is(&release, "Failed", &texts).await?;
    assert!(!serde_json::to_string(&release.status)?.contains(LAST_LINE));
    Ok(())
}
