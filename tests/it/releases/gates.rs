//! Gates of upgrades that are no good, and what they do not hold back: what has begun, its rollback, and what other tools do.

use fairlead::api::HelmRelease;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::stage::history;
use crate::support::Result;
use crate::support::installation::{DEADLINE, Installation, condition};
use crate::support::wait::becomes;

/// A Deployment whose Pods end as a value says, and a ConfigMap.
const CHART: &str = r"
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data: {color: {{ .Values.color }}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
      annotations: {test.fairlead.dev/outcome: {{ .Values.outcome | quote }}}
    spec: {containers: [{name: web, image: example.com/web}]}
";

async fn installation(prefix: &str) -> Result<Installation> {
    let installation = Installation::start(prefix).await?;
    let files = [
        ("templates/all.yaml", CHART),
        ("values.yaml", "color: red\noutcome: ''\n"),
    ];
    installation.repository.add("web", "1.0.0", &files).await?;
    Ok(installation)
}

fn spec(values: Value) -> Value {
    let mut spec =
        json!({"upgrade": {"timeout": "45s", "remediation": {"retries": 1}, "gate": {"approval": "Required"}}});
    spec["values"] = values;
    spec
}

/// Waits until the newest revisions stand so, and an upgrade is held back.
async fn held_at(installation: &Installation, expected: &[(u32, &str)]) -> Result<HelmRelease> {
    let is_so = |release: Option<&HelmRelease>| {
        release.is_some_and(|release| {
            let history = history(release);
            let newest: Vec<(u32, &str)> = history.iter().map(|(number, word)| (*number, word.as_str())).collect();
            newest.starts_with(expected) && condition(release, "Held")["status"] == "True"
        })
    };
    let found = becomes(&installation.api(), "web", DEADLINE, is_so).await;
    let found = found.map_err(|error| format!("{error}; the operator logged:\n{}", installation.operator.log()))?;
    Ok(found.ok_or("a release")?)
}

/// Approves what is held back.
async fn approve(installation: &Installation, held: &HelmRelease) -> Result {
    let held = held.status.as_ref().and_then(|status| status.held_upgrade.as_ref());
    let change = &held.ok_or("something is held back")?.change;
    let patch = Patch::Merge(json!({"metadata": {"annotations": {"fairlead.dev/approve": change}}}));
    let releases = installation.api::<HelmRelease>();
    releases.patch("web", &PatchParams::default(), &patch).await?;
    Ok(())
}

async fn color(installation: &Installation) -> Result<Option<String>> {
    let map = installation.api::<ConfigMap>().get("web").await?;
    Ok(map.data.and_then(|mut data| data.remove("color")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_that_has_begun_goes_on_and_is_rolled_back_while_the_next_is_held_back() -> Result {
    let installation = installation("gate-begun").await?;
    installation.release("web", spec(json!({}))).await?;
    installation.ready_is("web", "True", &[]).await?;
    let unready = spec(json!({"color": "blue", "outcome": "Unready"}));
    installation.release("web", unready).await?;
    let held = held_at(&installation, &[(1, "deployed")]).await?;
    approve(&installation, &held).await?;
    let has_begun = |release: Option<&HelmRelease>| release.is_some_and(|release| history(release)[0].0 == 2);
    becomes(&installation.api(), "web", DEADLINE, has_begun).await?;

    // Its record may not be there yet.
    installation.release("web", spec(json!({"color": "green"}))).await?;
    let going_on = held_at(&installation, &[(2, "pending-upgrade"), (1, "deployed")]).await?;
    assert_eq!(condition(&going_on, "Ready")["status"], "Unknown");
    let restored = [(3, "deployed"), (2, "failed"), (1, "superseded")];
    let held = held_at(&installation, &restored).await?;
    let ready = condition(&held, "Ready");
    assert_eq!(
        (&ready["status"], &ready["reason"]),
        (&json!("False"), &json!("RollbackSucceeded"))
    );
    assert_eq!(color(&installation).await?.as_deref(), Some("red"));

    approve(&installation, &held).await?;
    let release = installation.ready_is("web", "True", &["upgrade succeeded"]).await?;
    assert_eq!(history(&release)[0], (4, "deployed".to_owned()));
    assert_eq!(color(&installation).await?.as_deref(), Some("green"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_tool_released_stays_until_the_upgrade_over_it_is_approved() -> Result {
    let installation = installation("gate-helm").await?;
    installation.release("web", spec(json!({}))).await?;
    installation.ready_is("web", "True", &[]).await?;
    let upgrade = [
        "upgrade",
        "web",
        "web",
        "--repo",
        installation.repository.url(),
        "--namespace",
        installation.namespace.name(),
        "--set=color=pink",
        "--force-conflicts",
    ];
    installation.plane.helm(&upgrade).await?.checked()?;
    let held = held_at(&installation, &[(1, "deployed")]).await?;
    let ready = condition(&held, "Ready");
    assert_eq!(
        (&ready["status"], &ready["reason"]),
        (&json!("Unknown"), &json!("UpgradeHeld"))
    );
    assert_eq!(color(&installation).await?.as_deref(), Some("pink"));
    approve(&installation, &held).await?;
    let release = installation.ready_is("web", "True", &["upgrade succeeded"]).await?;
    assert_eq!(history(&release)[0], (3, "deployed".to_owned()));
    assert_eq!(color(&installation).await?.as_deref(), Some("red"));
    assert_eq!(condition(&release, "Held"), Value::Null);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_that_cannot_be_is_refused_or_told_with_the_way_out() -> Result {
    let installation = installation("gate-zones").await?;
    let window = |field: &str, value: &str| {
        let mut window = json!({"start": "22:00", "duration": "4h"});
        window[field] = json!(value);
        json!({"upgrade": {"gate": {"windows": [window]}}})
    };
    for (field, value) in [
        ("duration", "0s"),
        ("duration", "168h1s"),
        ("start", "24:00"),
        ("start", "9:00"),
        ("timeZone", ""),
    ] {
        let refused = installation.release("web", window(field, value)).await;
        let error = refused.err().ok_or_else(|| format!("{field}: {value} is accepted"))?;
        assert!(error.to_string().contains(&format!("windows[0].{field}")), "{error}");
    }
    for accepted in ["168h", "1ms"] {
        installation.release("web", window("duration", accepted)).await?;
    }
    installation.release("web", window("timeZone", "Europe/Bonn")).await?;
    let told = [
        "spec.upgrade.gate.windows[0].timeZone",
        "\"Europe/Bonn\"",
        "such as Europe/Berlin",
    ];
    let release = installation.ready_is("web", "False", &told).await?;
    assert_eq!(condition(&release, "Ready")["reason"], "InvalidSpec");
    assert_eq!(condition(&release, "Stalled")["status"], "True");
    installation.release("web", window("timeZone", "Europe/Berlin")).await?;
    installation.ready_is("web", "True", &["install succeeded"]).await?;
    Ok(())
}
