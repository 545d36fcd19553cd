//! The alerts of `deploy/components/monitoring`, run by Prometheus' own promtool against metrics of a real run.
//!
//! An operator gets into each kind of trouble and out of it again. What it exports on the way becomes the input of
//! promtool's unit tests, one real scrape for some minutes of Prometheus' time: names, labels and values are the
//! operator's, only the time between scrapes is longer.

mod promtool;
mod timeline;
mod trouble;

use std::collections::BTreeMap;

use fairlead::api::helm_release::ownership_status::{ConflictClass, ConflictOutcome};
use fairlead::ownership::manager_class::ManagerClass;
use fairlead::telemetry::metrics::{ConflictLabels, Format, Metrics, ReleaseLabels};
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
        let shadowed = shadowed(trouble.namespace())?;
        timeline.add(QUIET + STEP * round, &(trouble.scrape().await? + &shadowed));
    }
    promtool.check_metrics(&trouble.scrape().await?)?;
    trouble.end().await?;
    timeline.add(QUIET + STEP * SCRAPES, &trouble.scrape().await?);
    trouble.no_secret_is_told(&timeline)?;
    let namespace = trouble.namespace().to_owned();
    promtool.test(&timeline.series(HEALED + 1), &expectations(&namespace))
}

/// What a release in shadow mode exports that would be stopped in two fields.
fn shadowed(namespace: &str) -> Result<String> {
    let metrics = Metrics::default();
    let release = ReleaseLabels {
        namespace: namespace.to_owned(),
        release: "shadowed".to_owned(),
    };
    let conflict = |action: ConflictOutcome| ConflictLabels {
        namespace: release.namespace.clone(),
        release: release.release.clone(),
        kind: "ConfigMap".to_owned(),
        class: ConflictClass::Real.as_str(),
        manager_class: ManagerClass::Human.as_str(),
        action: action.as_str(),
    };
    let actions = [
        ConflictOutcome::Failed,
        ConflictOutcome::HandedOff,
        ConflictOutcome::Yielded,
    ];
    metrics.shadow_conflicts_now(&release, actions.map(conflict).into_iter());
    let text = metrics.encode(Format::Text)?;
    let series = text
        .lines()
        .filter(|line| line.starts_with("fairlead_shadow_conflicts{"));
    Ok(series.flat_map(|line| [line, "\n"]).collect())
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
