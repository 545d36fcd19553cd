//! The alerts of `deploy/components/monitoring`, run by Prometheus' own promtool against metrics of a real run.
//!
//! An operator gets into each kind of trouble and out of it again. What it exports on the way becomes the input of
//! promtool's unit tests, one real scrape for some minutes of Prometheus' time: names, labels and values are the
//! operator's, only the time between scrapes is longer.

mod promtool;
mod timeline;
mod trouble;

use std::collections::BTreeMap;

use fairlead_controlplane::ControlPlane;
use serde_json::{Value, json};

use self::promtool::Promtool;
use self::timeline::Timeline;
use self::trouble::Trouble;
use crate::support::Result;

/// When the quiet time is over.
const QUIET: usize = 20;
/// Scrapes during the trouble, and how long each stands for.
const SCRAPES: usize = 8;
const STEP: usize = 5;
/// When a change is recent, and when what lasts has lasted long enough.
const EARLY: usize = QUIET + 10;
const LATE: usize = QUIET + 30;
/// When all is over long ago.
const HEALED: usize = QUIET + STEP * SCRAPES + 35;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_trouble_raises_its_alert_and_nothing_else_does() -> Result {
    let promtool = Promtool::find().await?;
    promtool.check_rules()?;
    let trouble = Trouble::prepare().await?;
    let mut timeline = Timeline::default();
    timeline.add(0, &trouble.scrape().await?);
    trouble.begin().await?;
    for round in 0..SCRAPES {
        trouble.fail_again(round).await?;
        timeline.add(QUIET + STEP * round, &trouble.scrape().await?);
    }
    promtool.check_metrics(&trouble.scrape().await?)?;
    trouble.end().await?;
    timeline.add(QUIET + STEP * SCRAPES, &trouble.scrape().await?);
    // Neither values, of Secrets or not, nor names of managers, objects or paths.
    let told = ["correct-horse", "Y29ycmVjdC1ob3JzZQ", "theirs", "rival", "key-0"];
    assert_eq!(timeline.with_any(&told), None);
    let namespace = trouble.namespace().to_owned();
    promtool.test(&timeline.series(HEALED + 1), &expectations(&namespace))
}

#[tokio::test]
async fn the_installation_brings_scraping_alerts_and_dashboard() -> Result {
    let plane = ControlPlane::shared().await?;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/monitoring");
    let built = plane.kubectl(&["kustomize", folder], None).await?.checked()?;
    let mut kinds = BTreeMap::new();
    for document in built.split("\n---\n") {
        let object = fairlead::yaml::to_json_strict(document.as_bytes())?;
        kinds.insert(object["kind"].as_str().unwrap_or_default().to_owned(), object);
    }
    assert_eq!(kinds["PrometheusRule"]["spec"], rules()?);
    assert!(kinds.contains_key("ServiceMonitor"));
    let map = &kinds["ConfigMap"];
    assert_eq!(map["metadata"]["labels"]["grafana_dashboard"], "1");
    let dashboard: Value = serde_json::from_str(map["data"]["fairlead.json"].as_str().ok_or("no dashboard")?)?;
    assert_eq!(dashboard["uid"], "fairlead");
    Ok(())
}

/// Labels of an alert: those of the release and, where a rule tells them, of the conflict.
fn labels(namespace: &str, release: &str, conflict: bool) -> BTreeMap<&'static str, String> {
    let mut labels = BTreeMap::from([("namespace", namespace.to_owned()), ("release", release.to_owned())]);
    if conflict {
        labels.extend([("kind", "ConfigMap".to_owned()), ("class", "Real".to_owned())]);
    }
    labels
}

/// What is to fire, and when.
fn expectations(namespace: &str) -> promtool::Expectations {
    let one = |release: &str, conflict: bool| vec![(labels(namespace, release, conflict), 1.0)];
    let not_ready = ["broken", "fought", "handed", "stopped"];
    let alerts = vec![
        (
            EARLY,
            "FairleadConflictRate",
            vec![(labels(namespace, "busy", false), 12.0)],
        ),
        (LATE, "FairleadConflictRate", Vec::new()),
        (LATE, "FairleadConflictUnresolved", one("stopped", true)),
        (
            LATE,
            "FairleadHandOffWaiting",
            [one("fought", true), one("handed", true)].concat(),
        ),
        (LATE, "FairleadFieldFight", one("fought", false)),
        (
            LATE,
            "FairleadReleaseNotReady",
            not_ready
                .map(|release| (labels(namespace, release, false), 0.0))
                .to_vec(),
        ),
        (
            LATE,
            "FairleadShadowConflicts",
            vec![(labels(namespace, "shadowed", false), 2.0)],
        ),
    ];
    let firing = vec![
        (QUIET - 1, json!({})),
        (
            EARLY,
            json!({"FairleadConflictRate": 1, "FairleadHandOffWaiting": 2, "FairleadFieldFight": 1}),
        ),
        (
            LATE,
            json!({
                "FairleadConflictUnresolved": 1, "FairleadHandOffWaiting": 2, "FairleadFieldFight": 1,
                "FairleadReleaseNotReady": 4, "FairleadReconcileErrors": 1, "FairleadShadowConflicts": 1,
            }),
        ),
        (HEALED, json!({})),
    ];
    promtool::Expectations { alerts, firing }
}

/// The rules, as Prometheus reads them.
fn rules() -> Result<Value> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/deploy/components/monitoring/prometheus-rule.yaml"
    );
    let object = fairlead::yaml::to_json_strict(&std::fs::read(path)?)?;
    Ok(object["spec"].clone())
}
