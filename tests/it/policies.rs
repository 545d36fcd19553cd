//! What the operator does about fields that others hold: status, events, metrics and the objects themselves.

mod commands;
mod decisions;
mod record;
mod secrets;
mod selectors;

use fairlead::api::HelmRelease;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::Result;
use crate::support::installation::{DEADLINE, Installation, condition};
use crate::support::wait::becomes;

const MAPS: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {key: {{ .Values.key | default "ours" | quote }}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-other}
data: {key: {{ .Values.key | default "ours" | quote }}}
"#;

/// A release `shop` of the two maps, installed.
async fn shop(prefix: &str, ownership: Value) -> Result<Installation> {
    let installation = Installation::start(prefix).await?;
    installation
        .repository
        .add("shop", "1.0.0", &[("templates/maps.yaml", MAPS)])
        .await?;
    installation.release("shop", json!({"ownership": ownership})).await?;
    installation.ready_is("shop", "True", &[]).await?;
    Ok(installation)
}

/// The rival takes the key of the map `shop`; with null it lets go.
async fn rival(installation: &Installation, key: Value) -> Result {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shop"}, "data": {"key": key}});
    let parameters = PatchParams::apply("rival").force();
    let maps: Api<ConfigMap> = installation.api();
    maps.patch("shop", &parameters, &Patch::Apply(map)).await?;
    Ok(())
}

async fn lets_go(installation: &Installation) -> Result {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shop"}});
    let parameters = PatchParams::apply("rival").force();
    let maps: Api<ConfigMap> = installation.api();
    maps.patch("shop", &parameters, &Patch::Apply(map)).await?;
    Ok(())
}

async fn key_becomes(installation: &Installation, map: &str, key: &str) -> Result {
    let is = |map: Option<&ConfigMap>| {
        let data = map.and_then(|map| map.data.as_ref());
        data.and_then(|data| data.get("key")).is_some_and(|found| found == key)
    };
    becomes(&installation.api::<ConfigMap>(), map, DEADLINE, is).await?;
    Ok(())
}

/// The first contested field in the status, once one has this action.
async fn contested(installation: &Installation, action: &str) -> Result<Value> {
    let releases = installation.api::<HelmRelease>();
    let release = becomes(&releases, "shop", DEADLINE, |release: Option<&HelmRelease>| {
        release.is_some_and(|release| first_contested(release)["action"] == action)
    });
    Ok(first_contested(&release.await?.ok_or("no release")?))
}

fn first_contested(release: &HelmRelease) -> Value {
    let status = serde_json::to_value(&release.status).unwrap_or_default();
    status["ownership"]["contested"][0].clone()
}

async fn event(installation: &Installation, release: &HelmRelease, reason: &str) -> Result<String> {
    let started = std::time::Instant::now();
    loop {
        let events = installation.events(release).await?;
        if let Some((_, note)) = events.iter().find(|(found, _)| found == reason) {
            return Ok(note.clone());
        }
        if started.elapsed() > DEADLINE {
            return Err(format!("no event {reason} among {events:?}").into());
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

async fn count(installation: &Installation, metric: &str, action: &str) -> Result<Option<f64>> {
    let metrics = installation.operator.metrics().await?;
    let labels = [
        ("release", "shop"),
        ("action", action),
        ("class", "Real"),
        ("kind", "ConfigMap"),
    ];
    Ok(metrics.sum(metric, &labels))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fail_writes_nothing_says_why_and_heals() -> Result {
    let installation = shop("fail", json!({})).await?;
    rival(&installation, json!("theirs")).await?;
    installation.release("shop", json!({"values": {"key": "new"}})).await?;
    let texts = ["v1 ConfigMap", "/shop .data.key of rival", "Real", "Failed"];
    let release = installation.ready_is("shop", "False", &texts).await?;
    assert_eq!(condition(&release, "Ready")["reason"], "ConflictFailed");
    assert_eq!(condition(&release, "Conflicted")["status"], "True");
    let field = first_contested(&release);
    assert_eq!((&field["ours"], &field["theirs"]), (&json!("new"), &json!("theirs")));
    assert_eq!(
        (&field["manager"], &field["operation"]),
        (&json!("rival"), &json!("Apply"))
    );
    key_becomes(&installation, "shop", "theirs").await?;
    key_becomes(&installation, "shop-other", "ours").await?;
    assert!(count(&installation, "fairlead_ssa_conflicts_total", "Failed").await? >= Some(1.0));
    assert_eq!(
        count(&installation, "fairlead_ssa_conflicts_active", "Failed").await?,
        Some(1.0)
    );
    let note = event(&installation, &release, "ConflictFailed").await?;
    assert!(note.contains(".data.key of rival"), "{note}");

    lets_go(&installation).await?;
    let inside = format!("--namespace={}", installation.namespace);
    let wait = [
        "wait",
        "--for=condition=Ready",
        "--timeout=60s",
        "helmrelease/shop",
        &inside,
    ];
    installation.plane.kubectl(&wait, None).await?.checked()?;
    key_becomes(&installation, "shop", "new").await?;
    key_becomes(&installation, "shop-other", "new").await?;
    let release = installation.ready_is("shop", "True", &[]).await?;
    assert_eq!(condition(&release, "Conflicted")["status"], "False");
    assert_eq!(
        count(&installation, "fairlead_ssa_conflicts_active", "Failed").await?,
        None
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_yielded_field_stays_the_rivals_until_it_lets_go() -> Result {
    let rule = json!({"name": "rival", "paths": [".data.key"], "managers": ["rival"], "onConflict": "Yield"});
    let installation = shop("yield", json!({"rules": [rule]})).await?;
    rival(&installation, json!("theirs")).await?;
    let field = contested(&installation, "Yielded").await?;
    assert_eq!(field["rule"], "rules/rival");
    let change = json!({"values": {"key": "new"}, "ownership": {"rules": [rule]}});
    installation.release("shop", change).await?;
    let release = installation.ready_is("shop", "True", &["upgrade succeeded"]).await?;
    key_becomes(&installation, "shop", "theirs").await?;
    key_becomes(&installation, "shop-other", "new").await?;
    assert_eq!(first_contested(&release)["action"], "Yielded");
    assert_eq!(
        count(&installation, "fairlead_ssa_conflicts_active", "Yielded").await?,
        Some(1.0)
    );
    let note = event(&installation, &release, "FieldYielded").await?;
    assert!(
        note.contains(".data.key left to rival (Real conflict, rules/rival)"),
        "{note}"
    );
    lets_go(&installation).await?;
    key_becomes(&installation, "shop", "new").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forced_field_is_taken_and_told() -> Result {
    let rule = json!({"paths": [".data.key"], "onConflict": "Force"});
    let installation = shop("force", json!({"rules": [rule]})).await?;
    rival(&installation, json!("theirs")).await?;
    let field = contested(&installation, "Forced").await?;
    assert_eq!(
        (&field["theirs"], &field["rule"]),
        (&json!("theirs"), &json!("rules[0]"))
    );
    key_becomes(&installation, "shop", "ours").await?;
    let release = installation.ready_is("shop", "True", &[]).await?;
    assert_eq!(
        count(&installation, "fairlead_ssa_conflicts_total", "Forced").await?,
        Some(1.0)
    );
    let note = event(&installation, &release, "FieldForced").await?;
    assert!(
        note.contains(".data.key taken from rival (Real conflict, rules[0])"),
        "{note}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_ends_changes_the_decision_by_itself() -> Result {
    let installation = shop("until", json!({"onConflict": "Yield"})).await?;
    rival(&installation, json!("theirs")).await?;
    contested(&installation, "Yielded").await?;
    let until = Timestamp::now() + SignedDuration::from_secs(10);
    let rule = json!({"paths": [".data.key"], "onConflict": "Yield", "until": until.to_string()});
    installation
        .release("shop", json!({"ownership": {"rules": [rule]}}))
        .await?;
    contested(&installation, "Yielded").await?;
    installation.ready_is("shop", "True", &[]).await?;
    installation.ready_is("shop", "False", &[".data.key of rival"]).await?;
    assert!(Timestamp::now() >= until);
    Ok(())
}

const SCALED: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "example.com/web:{{ .Chart.Version }}"}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: {{ .Release.Name }}}
spec: {minReplicas: 2, maxReplicas: 9, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: "{{ .Release.Name }}"}}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_autoscaler_keeps_its_replicas() -> Result {
    let installation = Installation::start("scaled").await?;
    for version in ["1.0.0", "1.1.0"] {
        let files = [("templates/scaled.yaml", SCALED)];
        installation.repository.add("shop", version, &files).await?;
    }
    let spec = |version: &str| json!({"chart": {"spec": {"version": version}}, "interval": "10s"});
    installation.release("shop", spec("1.0.0")).await?;
    installation.ready_is("shop", "True", &[]).await?;
    let deployments: Api<Deployment> = installation.api();
    let parameters = PatchParams {
        field_manager: Some("kube-controller-manager".to_owned()),
        ..PatchParams::default()
    };
    let scale = Patch::Merge(json!({"spec": {"replicas": 4}}));
    deployments.patch_scale("shop", &parameters, &scale).await?;

    installation.release("shop", spec("1.1.0")).await?;
    let release = installation.ready_is("shop", "True", &["shop@1.1.0"]).await?;
    let live = serde_json::to_value(deployments.get("shop").await?)?;
    assert_eq!(live["spec"]["replicas"], 4);
    assert_eq!(
        live["spec"]["template"]["spec"]["containers"][0]["image"],
        "example.com/web:1.1.0"
    );
    let field = first_contested(&release);
    assert_eq!(
        (&field["path"], &field["rule"]),
        (&json!(".spec.replicas"), &json!("wellKnownOwners/hpa-replicas"))
    );
    assert_eq!(
        (&field["subresource"], &field["action"]),
        (&json!("scale"), &json!("Yielded"))
    );
    assert_eq!(release.name_any(), "shop");
    Ok(())
}
