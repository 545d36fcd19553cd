//! Failed installs and upgrades are undone as the spec says, attempted again without an edit, and seen by the real Helm.

use fairlead::api::HelmRelease;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::stage::history;
use crate::support::Result;
use crate::support::installation::{DEADLINE, Installation, condition};
use crate::support::wait::{becomes, is_absent};

/// A Deployment whose Pods end as the ConfigMap `switch` of the cluster says where `switched` is set, beside a ConfigMap, and what only
/// a value brings; around a rollback, ConfigMaps that say that it was.
const TEMPLATE: &str = r#"
{{- $switch := lookup "v1" "ConfigMap" .Release.Namespace "switch" }}
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {color: {{ .Values.color | quote }}, shared: ours}
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
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata:
      labels: {app: {{ .Release.Name }}}
      annotations: {test.fairlead.dev/outcome: {{ ternary (dig "data" "outcome" "" $switch) .Values.outcome .Values.switched | quote }}}
    spec: {containers: [{name: web, image: "example.com/web:{{ .Values.color }}"}]}
{{- range list "pre-rollback" "post-rollback" "pre-delete" }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $.Release.Name }}-{{ . }}
  annotations: {helm.sh/hook: {{ . }}}
data: {color: {{ $.Values.color | quote }}}
{{- end }}
---
apiVersion: v1
kind: Pod
metadata:
  name: {{ .Release.Name }}-test
  annotations: {helm.sh/hook: test, test.fairlead.dev/outcome: {{ .Values.tested | quote }}}
spec: {restartPolicy: Never, containers: [{name: test, image: example.com/test}]}
"#;

const VALUES: &str = "color: red\noutcome: ''\nextra: false\nswitched: false\ntested: ''\n";

async fn installation(prefix: &str) -> Result<Installation> {
    let installation = Installation::start(prefix).await?;
    let files = [("templates/all.yaml", TEMPLATE), ("values.yaml", VALUES)];
    installation.repository.add("web", "1.0.0", &files).await?;
    Ok(installation)
}

/// Waits until the newest revisions stand so, and a condition has this reason.
async fn stands(
    installation: &Installation,
    expected: &[(u32, &str)],
    (kind, reason): (&str, &str),
) -> Result<HelmRelease> {
    let is_so = |release: Option<&HelmRelease>| {
        release.is_some_and(|release| {
            let history = history(release);
            let newest: Vec<(u32, &str)> = history.iter().map(|(number, word)| (*number, word.as_str())).collect();
            newest.starts_with(expected) && condition(release, kind)["reason"] == reason
        })
    };
    let found = becomes(&installation.api(), "web", DEADLINE, is_so).await;
    let found = found.map_err(|error| format!("{error}; the operator logged:\n{}", installation.operator.log()))?;
    Ok(found.ok_or("a release")?)
}

/// Number, status and description of each revision in Helm's history.
async fn helm_history(installation: &Installation) -> Result<Vec<(i64, String, String)>> {
    let namespace = installation.namespace.name();
    let revisions = ["history", "web", "--namespace", namespace, "-o", "json"];
    let revisions: Value = serde_json::from_str(&installation.plane.helm(&revisions).await?.checked()?)?;
    let revisions = revisions.as_array().ok_or("a list")?;
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let revision = |entry: &Value| {
        let number = entry["revision"].as_i64().unwrap_or_default();
        (number, text(entry, "status"), text(entry, "description"))
    };
    Ok(revisions.iter().map(revision).collect())
}

async fn data(installation: &Installation, name: &str, key: &str) -> Result<Option<String>> {
    let map = installation.api::<ConfigMap>().get(name).await?;
    Ok(map.data.and_then(|mut data| data.remove(key)))
}

/// What a kubelet says when the probes of a release's Pods pass at last.
async fn pods_become_ready(installation: &Installation, color: &str) -> Result {
    let pods = installation.api::<Pod>();
    let ready = json!({"status": {"conditions": [
        {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"},
        {"type": "ContainersReady", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}});
    let image = format!("example.com/web:{color}");
    for pod in pods.list(&ListParams::default().labels("app=web")).await? {
        let containers = pod.spec.map(|spec| spec.containers).unwrap_or_default();
        if containers
            .iter()
            .any(|container| container.image.as_deref() == Some(&image))
        {
            let name = pod.metadata.name.ok_or("a Pod has a name")?;
            pods.patch_status(&name, &PatchParams::default(), &Patch::Strategic(&ready))
                .await?;
        }
    }
    Ok(())
}

async fn switch(installation: &Installation, outcome: &str) -> Result {
    let map =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "switch"}, "data": {"outcome": outcome}});
    installation.apply::<ConfigMap>(&map).await?;
    Ok(())
}

async fn helm_sees_two_rollbacks(installation: &Installation) -> Result {
    let helm = helm_history(installation).await?;
    let words: Vec<(i64, &str)> = helm.iter().map(|(number, word, _)| (*number, word.as_str())).collect();
    let expected = [
        (1, "superseded"),
        (2, "failed"),
        (3, "superseded"),
        (4, "failed"),
        (5, "deployed"),
    ];
    assert_eq!(words, expected);
    assert_eq!(helm[2].2, "Rollback to 1");
    let failure = "Upgrade \"web\" failed: not ready after 2s";
    assert!(helm[1].2.starts_with(failure), "{}", helm[1].2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_upgrade_is_rolled_back_retried_and_heals_without_an_edit() -> Result {
    let installation = installation("rollback").await?;
    let spec = |values: Value| {
        json!({"interval": "8s", "values": values, "maxHistory": 0,
            "upgrade": {"timeout": "2s", "remediation": {"retries": 1}},
            "ownership": {"rules": [{"paths": [".data.shared"], "onConflict": "Yield"}]}})
    };
    installation.release("web", spec(json!({}))).await?;
    installation
        .ready_is("web", "True", &["web.v1 with chart web@1.0.0"])
        .await?;
    // Somebody else has a field from now on, which no rollback may take back.
    let theirs =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"shared": "theirs"}});
    installation.apply::<ConfigMap>(&theirs).await?;
    switch(&installation, "Unready").await?;

    let bad = spec(json!({"color": "blue", "extra": true, "switched": true}));
    installation.release("web", bad).await?;
    let first = stands(
        &installation,
        &[(3, "deployed"), (2, "failed"), (1, "superseded")],
        ("Remediated", "RollbackSucceeded"),
    )
    .await?;
    assert_eq!(condition(&first, "Reconciling")["reason"], "ProgressingWithRetry");
    let message = format!(
        "Helm rollback to previous release {}/web.v1 with chart web@1.0.0 succeeded",
        installation.namespace.name()
    );
    let ready = condition(&first, "Ready");
    assert_eq!(
        (&ready["status"], &ready["message"]),
        (&json!("False"), &json!(message))
    );
    let released = condition(&first, "Released");
    assert_eq!(
        (&released["status"], &released["reason"]),
        (&json!("False"), &json!("UpgradeFailed"))
    );
    assert_eq!(data(&installation, "web", "color").await?.as_deref(), Some("red"));
    assert_eq!(data(&installation, "web", "shared").await?.as_deref(), Some("theirs"));
    becomes::<ConfigMap>(&installation.api(), "web-extra", DEADLINE, is_absent()).await?;
    // The hooks are those of what is restored.
    for hook in ["web-pre-rollback", "web-post-rollback"] {
        assert_eq!(
            data(&installation, hook, "color").await?.as_deref(),
            Some("red"),
            "{hook}"
        );
    }

    let last = stands(
        &installation,
        &[(5, "deployed"), (4, "failed"), (3, "superseded")],
        ("Stalled", "RetriesExceeded"),
    )
    .await?;
    let stalled = condition(&last, "Stalled");
    assert!(
        stalled["message"]
            .as_str()
            .is_some_and(|text| text.starts_with("Failed to upgrade after 2 attempt(s)")),
        "{stalled}"
    );
    let status = last.status.as_ref().ok_or("a status")?;
    assert_eq!((status.upgrade_failures, status.install_failures), (2, 0));
    helm_sees_two_rollbacks(&installation).await?;

    // What is restored is kept as it is meanwhile; then the cause goes away, and nobody edits anything.
    installation
        .api::<Deployment>()
        .delete("web", &kube::api::DeleteParams::default())
        .await?;
    becomes(
        &installation.api(),
        "web",
        DEADLINE,
        |deployment: Option<&Deployment>| deployment.is_some(),
    )
    .await?;
    switch(&installation, "").await?;
    let healed = installation
        .ready_is("web", "True", &["Helm upgrade succeeded"])
        .await?;
    for gone in ["Stalled", "Reconciling", "Remediated"] {
        assert_eq!(condition(&healed, gone), Value::Null, "{gone}");
    }
    assert_eq!(data(&installation, "web", "color").await?.as_deref(), Some("blue"));
    assert_eq!(data(&installation, "web", "shared").await?.as_deref(), Some("theirs"));
    installation.uninstall("web").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_install_is_uninstalled_retried_and_heals_when_its_pods_do() -> Result {
    let installation = installation("reinstall").await?;
    let spec = json!({"values": {"outcome": "Unready", "extra": true},
        "install": {"timeout": "2s", "remediation": {"retries": 1}}});
    installation.release("web", spec).await?;
    let removed = stands(
        &installation,
        &[(1, "uninstalled")],
        ("Remediated", "UninstallSucceeded"),
    )
    .await?;
    assert_eq!(condition(&removed, "Released")["reason"], "InstallFailed");
    let message = condition(&removed, "Remediated")["message"].clone();
    let expected = format!(
        "Helm uninstall remediation for release {}/web.v1 with chart web@1.0.0 succeeded",
        installation.namespace.name()
    );
    assert_eq!(message, expected);
    assert_eq!(
        installation.objects_of::<Deployment>("web").await?,
        Vec::<String>::new()
    );
    assert_eq!(
        data(&installation, "web-pre-delete", "color").await?.as_deref(),
        Some("red")
    );
    let none = ["history", "web", "--namespace", installation.namespace.name()];
    assert!(
        installation.plane.helm(&none).await?.checked().is_err(),
        "Helm still has the release"
    );

    // The last failure is not undone, as with Flux; and it is not for ever, other than with Flux.
    stands(&installation, &[(2, "failed")], ("Stalled", "RetriesExceeded")).await?;
    pods_become_ready(&installation, "red").await?;
    let healed = installation
        .ready_is("web", "True", &["Helm install succeeded"])
        .await?;
    assert_eq!(history(&healed)[0], (2, "deployed".to_owned()));
    assert_eq!(condition(&healed, "Stalled"), Value::Null);

    // An upgrade that is undone by uninstalling is followed by an install at once.
    let spec = json!({"values": {"color": "blue", "outcome": "Unready"}, "install": {"timeout": "2s"},
        "upgrade": {"timeout": "2s", "remediation": {"retries": 0,
        "remediateLastFailure": true, "strategy": "uninstall"}}});
    installation.release("web", spec).await?;
    stands(
        &installation,
        &[(3, "uninstalled")],
        ("Remediated", "UninstallSucceeded"),
    )
    .await?;
    stands(&installation, &[(4, "failed")], ("Released", "InstallFailed")).await?;
    pods_become_ready(&installation, "blue").await?;
    installation
        .ready_is("web", "True", &["Helm install succeeded"])
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_only_retried_is_never_undone_and_what_has_no_target_says_so() -> Result {
    let installation = installation("retries").await?;
    let retries = json!({"strategy": {"name": "RetryOnFailure", "retryInterval": "1s"}, "timeout": "1s"});
    let spec = json!({"values": {"outcome": "Unready"}, "install": retries});
    installation.release("web", spec).await?;
    let failed = stands(&installation, &[(1, "failed")], ("Reconciling", "ProgressingWithRetry")).await?;
    assert_eq!(condition(&failed, "Stalled"), Value::Null);
    assert_eq!(installation.objects_of::<Deployment>("web").await?, ["web"]);
    pods_become_ready(&installation, "red").await?;
    installation.ready_is("web", "True", &[]).await?;

    // Somebody deletes the record that a rollback would restore.
    let secrets = installation.api::<k8s_openapi::api::core::v1::Secret>();
    let spec = json!({"values": {"color": "blue", "outcome": "Unready"}, "maxHistory": 1,
        "upgrade": {"timeout": "4s", "remediation": {"retries": 3}}});
    installation.release("web", spec).await?;
    installation.ready_is("web", "Unknown", &["waiting for"]).await?;
    secrets
        .delete("sh.helm.release.v1.web.v1", &kube::api::DeleteParams::default())
        .await?;
    stands(&installation, &[(2, "failed")], ("Stalled", "MissingRollbackTarget")).await?;
    pods_become_ready(&installation, "blue").await?;
    installation
        .ready_is("web", "True", &["Helm upgrade succeeded"])
        .await?;

    // What a failed upgrade created goes, where that is asked for; what was there before stays.
    let spec = json!({"values": {"color": "green", "outcome": "Unready", "extra": true},
        "upgrade": {"timeout": "2s", "cleanupOnFail": true, "strategy": {"name": "RetryOnFailure", "retryInterval": "1h"}}});
    installation.release("web", spec).await?;
    let failed = stands(&installation, &[(3, "failed")], ("Released", "UpgradeFailed")).await?;
    becomes::<ConfigMap>(&installation.api(), "web-extra", DEADLINE, is_absent()).await?;
    assert_eq!(data(&installation, "web", "color").await?.as_deref(), Some("green"));
    assert_eq!(condition(&failed, "FieldsIgnored"), Value::Null);
    Ok(())
}

async fn is_rolled_back_to_what_helm_made(prefix: &str, environment: &[(&str, &str)]) -> Result {
    let installation = installation(prefix).await?;
    let (url, namespace) = (installation.repository.url().to_owned(), installation.namespace.name());
    let install = ["install", "web", "web", "--repo", &url, "--namespace", namespace];
    installation.plane.helm_with(environment, &install).await?.checked()?;
    let spec = json!({"values": {"color": "blue", "outcome": "Unready"},
        "upgrade": {"timeout": "2s", "remediation": {"retries": 0, "remediateLastFailure": true}}});
    installation.release("web", spec).await?;
    stands(
        &installation,
        &[(3, "deployed"), (2, "failed")],
        ("Remediated", "RollbackSucceeded"),
    )
    .await?;
    assert_eq!(data(&installation, "web", "color").await?.as_deref(), Some("red"));
    let helm = helm_history(&installation).await?;
    let (number, word, description) = helm.last().ok_or("a revision")?;
    assert_eq!(
        (*number, word.as_str(), description.as_str()),
        (3, "deployed", "Rollback to 1")
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_that_helm_made_is_rolled_back_to_what_helm_made() -> Result {
    is_rolled_back_to_what_helm_made("adopted", &[]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_is_rolled_back_to_a_record_in_a_config_map() -> Result {
    is_rolled_back_to_what_helm_made("adopted-maps", &[("HELM_DRIVER", "configmap")]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_forces_a_revision_once_and_has_failures_forgotten_once() -> Result {
    let installation = installation("requests").await?;
    installation.release("web", json!({})).await?;
    installation.ready_is("web", "True", &["web.v1 "]).await?;
    let annotate = async |annotations: Value| -> Result {
        let patch = json!({"metadata": {"annotations": annotations}});
        installation
            .api::<HelmRelease>()
            .patch("web", &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        Ok(())
    };
    // A request alone changes nothing, nor does forcing without a request.
    annotate(json!({"fairlead.dev/requestedAt": "1", "fairlead.dev/forceAt": "0"})).await?;
    let handled = |at: &'static str| {
        move |release: Option<&HelmRelease>| {
            let status = release.and_then(|release| release.status.as_ref());
            status.and_then(|status| status.last_handled_reconcile_at.as_deref()) == Some(at)
        }
    };
    let release = becomes(&installation.api(), "web", DEADLINE, handled("1"))
        .await?
        .ok_or("a release")?;
    assert_eq!(history(&release), [(1, "deployed".to_owned())]);
    annotate(json!({"reconcile.fluxcd.io/requestedAt": "2", "reconcile.fluxcd.io/forceAt": "2"})).await?;
    let release = stands(
        &installation,
        &[(2, "deployed"), (1, "superseded")],
        ("Ready", "UpgradeSucceeded"),
    )
    .await?;
    let status = release.status.as_ref().ok_or("a status")?;
    assert_eq!(status.last_handled_force_at.as_deref(), Some("2"));
    annotate(json!({"reconcile.fluxcd.io/requestedAt": "3"})).await?;
    let release = becomes(&installation.api(), "web", DEADLINE, handled("3"))
        .await?
        .ok_or("a release")?;
    assert_eq!(history(&release)[0], (2, "deployed".to_owned()));

    let spec = json!({"values": {"color": "blue", "outcome": "Unready"}, "interval": "1h",
        "upgrade": {"timeout": "1s", "remediation": {"retries": 0, "remediateLastFailure": true}}});
    installation.release("web", spec).await?;
    stands(
        &installation,
        &[(4, "deployed"), (3, "failed")],
        ("Stalled", "RetriesExceeded"),
    )
    .await?;
    annotate(json!({"fairlead.dev/requestedAt": "4", "fairlead.dev/resetAt": "4"})).await?;
    let release = stands(
        &installation,
        &[(6, "deployed"), (5, "failed")],
        ("Stalled", "RetriesExceeded"),
    )
    .await?;
    let status = release.status.as_ref().ok_or("a status")?;
    assert_eq!(
        (status.last_handled_reset_at.as_deref(), status.upgrade_failures),
        (Some("4"), 1)
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_moves_between_storage_namespaces_and_to_another_chart() -> Result {
    let installation = installation("storage").await?;
    let elsewhere = installation.plane.namespace("storage-too").await?;
    installation.release("web", json!({})).await?;
    installation.ready_is("web", "True", &["web.v1 "]).await?;
    let first = installation.api::<Deployment>().get("web").await?.metadata.uid;
    let helm_sees = async |namespace: &str| -> Result<Value> {
        let list = ["list", "--namespace", namespace, "-o", "json"];
        Ok(serde_json::from_str(&installation.plane.helm(&list).await?.checked()?)?)
    };
    let moved = json!({"storageNamespace": elsewhere.name()});
    installation.release("web", moved.clone()).await?;
    let release = installation
        .ready_is("web", "True", &["Helm install succeeded"])
        .await?;
    assert_eq!(history(&release), [(1, "deployed".to_owned())]);
    // As with Flux: what was released before is uninstalled, so that no record of it is left that nobody keeps.
    assert_ne!(installation.api::<Deployment>().get("web").await?.metadata.uid, first);
    assert_eq!(
        data(&installation, "web-pre-delete", "color").await?.as_deref(),
        Some("red")
    );
    assert_eq!(helm_sees(installation.namespace.name()).await?, json!([]));
    assert_eq!(helm_sees(elsewhere.name()).await?[0]["name"], "web");

    let files = [("templates/all.yaml", TEMPLATE), ("values.yaml", VALUES)];
    installation.repository.add("store", "2.0.0", &files).await?;
    let mut spec = moved;
    spec["chart"] = json!({"spec": {"chart": "store"}});
    spec["upgrade"] = json!({"chartNameChangeStrategy": "InPlaceUpdate"});
    installation.release("web", spec.clone()).await?;
    let release = installation
        .ready_is("web", "True", &["Helm upgrade succeeded", "store@2.0.0"])
        .await?;
    assert_eq!(history(&release)[0], (2, "deployed".to_owned()));
    spec["chart"] = json!({"spec": {"chart": "web"}});
    spec["upgrade"] = Value::Null;
    installation.release("web", spec).await?;
    let release = installation
        .ready_is("web", "True", &["Helm install succeeded", "web@1.0.0"])
        .await?;
    assert_eq!(history(&release), [(1, "deployed".to_owned())]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_goes_by_its_own_options() -> Result {
    let installation = installation("options").await?;
    // What is restored never becomes ready either, and was never waited for.
    let spec = json!({"values": {"outcome": "Unready"}, "install": {"disableWait": true}});
    installation.release("web", spec).await?;
    installation.ready_is("web", "True", &[]).await?;
    let spec = |rollback: Value| {
        json!({"values": {"color": "blue", "outcome": "Unready"}, "rollback": rollback,
            "upgrade": {"timeout": "1s", "remediation": {"retries": 0, "remediateLastFailure": true}}})
    };
    installation.release("web", spec(json!({"timeout": "2s"}))).await?;
    let failed = stands(
        &installation,
        &[(3, "failed"), (2, "failed")],
        ("Remediated", "RollbackFailed"),
    )
    .await?;
    let message = condition(&failed, "Ready")["message"].to_string();
    assert!(
        message.contains("Helm rollback failed for release") && message.contains("not ready after 2s"),
        "{message}"
    );
    let maps = installation.api::<ConfigMap>();
    maps.delete("web-pre-rollback", &kube::api::DeleteParams::default())
        .await?;

    let without = json!({"disableWait": true, "disableHooks": true});
    installation.release("web", spec(without)).await?;
    stands(
        &installation,
        &[(5, "deployed"), (4, "failed")],
        ("Remediated", "RollbackSucceeded"),
    )
    .await?;
    assert_eq!(data(&installation, "web", "color").await?.as_deref(), Some("red"));
    assert!(maps.get_opt("web-pre-rollback").await?.is_none(), "the hook was run");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_whose_test_fails_is_rolled_back_unless_that_is_ignored() -> Result {
    let installation = installation("tested").await?;
    let spec = |values: Value, ignored: bool| {
        let remediation = json!({"retries": 0, "remediateLastFailure": true, "ignoreTestFailures": ignored});
        json!({"values": values, "interval": "1h", "test": {"enable": true}, "upgrade": {"remediation": remediation}})
    };
    installation.release("web", spec(json!({}), false)).await?;
    installation.ready_is("web", "True", &[]).await?;

    let bad = json!({"color": "blue", "tested": "Failed"});
    installation.release("web", spec(bad.clone(), false)).await?;
    let restored = stands(
        &installation,
        &[(3, "deployed"), (2, "superseded")],
        ("Stalled", "RetriesExceeded"),
    )
    .await?;
    assert_eq!(condition(&restored, "Remediated")["reason"], "RollbackSucceeded");
    assert_eq!(condition(&restored, "TestSuccess")["reason"], "TestFailed");
    assert_eq!(data(&installation, "web", "color").await?.as_deref(), Some("red"));

    installation.release("web", spec(bad, true)).await?;
    let failed = stands(&installation, &[(4, "deployed")], ("Ready", "TestFailed")).await?;
    assert_eq!(condition(&failed, "Stalled"), Value::Null);
    assert_eq!(data(&installation, "web", "color").await?.as_deref(), Some("blue"));
    Ok(())
}
