//! What is exported, documented, alerted on and shown belongs together.
//!
//! Whether the alerts fire when they should is shown by `tests/it/alerts.rs`; this needs no cluster.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use fairlead::telemetry::metrics::described::{self, MetricType};
use fairlead::telemetry::metrics::labels::{Label, Values};
use fairlead::telemetry::metrics::{MAX_CONFLICT_SERIES, document};
use regex::Regex;
use serde_json::{Value, json};

#[path = "it/support/documents.rs"]
mod documents;

/// What a test returns.
type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

const RUNBOOKS: &str = "https://github.com/fairlead-dev/fairlead/blob/main/docs/runbooks/";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn component(file: &str) -> String {
    fs::read_to_string(root().join("deploy/components/monitoring").join(file)).unwrap()
}

fn rules() -> Vec<Value> {
    let object = fairlead::yaml::to_json_strict(component("prometheus-rule.yaml").as_bytes()).unwrap();
    let groups = object["spec"]["groups"].as_array().unwrap();
    groups
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap().clone())
        .collect()
}

fn alerts() -> Vec<Value> {
    rules().into_iter().filter(|rule| rule["alert"].is_string()).collect()
}

fn dashboard() -> Value {
    serde_json::from_str(&component("dashboard.json")).unwrap()
}

/// All expressions of rules and dashboard, and what names them.
fn expressions() -> Vec<(String, String)> {
    let rules = rules().into_iter().map(|rule| {
        let name = rule["alert"].as_str().or(rule["record"].as_str()).unwrap();
        (name.to_owned(), rule["expr"].as_str().unwrap().to_owned())
    });
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap().iter().flat_map(|panel| {
        let targets = panel["targets"].as_array().unwrap().iter();
        targets.map(|target| {
            let expression = target["expr"].as_str().unwrap();
            (panel["title"].as_str().unwrap().to_owned(), expression.to_owned())
        })
    });
    rules.chain(panels).collect()
}

#[test]
fn the_document_about_metrics_is_current() -> Result {
    assert!(document().contains(&format!("at most {MAX_CONFLICT_SERIES} series")));
    documents::check("docs/metrics.md", &document())
}

#[test]
fn every_alert_tells_what_it_is_about_and_has_its_page() {
    let mut pages: BTreeSet<String> = fs::read_dir(root().join("docs/runbooks"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(!pages.is_empty());
    for alert in alerts() {
        let name = alert["alert"].as_str().unwrap();
        let page = format!("{name}.md");
        assert!(pages.remove(&page), "{name} has no page docs/runbooks/{page}");
        assert!(
            ["critical", "warning", "info"].contains(&alert["labels"]["severity"].as_str().unwrap()),
            "{name}"
        );
        for annotation in ["summary", "description"] {
            assert!(
                alert["annotations"][annotation].as_str().unwrap().len() > 20,
                "{name}: {annotation}"
            );
        }
        assert_eq!(alert["annotations"]["runbook_url"], format!("{RUNBOOKS}{page}"));
        let text = fs::read_to_string(root().join("docs/runbooks").join(&page)).unwrap();
        assert!(text.starts_with(&format!("# {name}: ")), "{page}");
        let chapters: Vec<&str> = text.lines().filter(|line| line.starts_with("## ")).collect();
        assert_eq!(
            chapters,
            ["## Meaning", "## Impact", "## Diagnosis", "## What to do"],
            "{page}"
        );
    }
    assert!(pages.is_empty(), "pages without an alert: {pages:?}");
}

/// The alerts that issue and design ask for; one that is lost is missed here.
#[test]
fn every_trouble_has_its_alert() {
    let names: BTreeSet<String> = alerts()
        .iter()
        .map(|alert| alert["alert"].as_str().unwrap().to_owned())
        .collect();
    let wanted = [
        "ConflictRate",
        "ConflictUnresolved",
        "FieldFight",
        "HandOffWaiting",
        "NoLeader",
        "ReconcileErrors",
        "ReleaseNotReady",
        "ShadowConflicts",
    ];
    assert_eq!(names, wanted.map(|name| format!("Fairlead{name}")).into());
}

/// The labels of each series that is exported.
fn exported() -> BTreeMap<String, Vec<Label>> {
    let mut names = BTreeMap::new();
    for metric in described::ALL {
        let name = metric.full_name();
        if metric.metric_type == MetricType::Histogram {
            for suffix in ["_bucket", "_sum", "_count"] {
                names.insert(format!("{name}{suffix}"), metric.labels.to_vec());
            }
        } else {
            names.insert(name, metric.labels.to_vec());
        }
    }
    names
}

#[test]
fn rules_and_dashboard_use_what_is_exported() {
    let exported = exported();
    let recorded: BTreeSet<String> = rules()
        .iter()
        .filter_map(|rule| Some(rule["record"].as_str()?.to_owned()))
        .collect();
    let name = Regex::new(r"([a-zA-Z_:][a-zA-Z0-9_:]*fairlead_|\bfairlead_)[a-zA-Z0-9_:]*").unwrap();
    let selector = Regex::new(r"\b(fairlead_[a-z0-9_]+)\{([^}]*)\}").unwrap();
    let matcher = Regex::new(r#"([a-z_]+)(=~|!~|!=|=)"([^"]*)""#).unwrap();
    for (place, expression) in expressions() {
        let mut found = 0;
        for name in name.find_iter(&expression) {
            found += 1;
            let name = name.as_str();
            assert!(
                exported.contains_key(name) || recorded.contains(name),
                "{place}: there is no {name}"
            );
        }
        assert!(found > 0, "{place}: {expression}");
        for captures in selector.captures_iter(&expression) {
            let labels = &exported[&captures[1]];
            for captures in matcher.captures_iter(&captures[2]) {
                let label = labels.iter().find(|label| label.name() == &captures[1]);
                let label = label.unwrap_or_else(|| panic!("{place}: no label {} in {expression}", &captures[1]));
                let Values::OneOf(values) = label.values() else {
                    continue;
                };
                for value in captures[3].split('|').filter(|value| !value.contains('.')) {
                    assert!(values.contains(&value), "{place}: {} is never {value:?}", &captures[1]);
                }
            }
        }
    }
    // Nothing is exported in vain.
    let all: String = expressions()
        .into_iter()
        .map(|(_, expression)| expression + "\n")
        .collect();
    for metric in described::ALL.iter().map(|metric| metric.full_name()) {
        assert!(
            all.contains(&metric) || metric == "fairlead_build_info",
            "{metric} is neither shown nor alerted on"
        );
    }
}

#[test]
fn the_dashboard_can_be_imported_anywhere() {
    let dashboard = dashboard();
    assert_eq!(dashboard["uid"], "fairlead");
    assert!(dashboard["id"].is_null(), "an id belongs to one Grafana");
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let names: Vec<&str> = variables
        .iter()
        .map(|variable| variable["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["datasource", "namespace", "release"]);
    assert_eq!(
        (&variables[0]["type"], &variables[0]["query"]),
        (&json!("datasource"), &json!("prometheus"))
    );
    let source = json!({"type": "prometheus", "uid": "${datasource}"});
    assert!(variables[1..].iter().all(|variable| variable["datasource"] == source));
    let mut ids = BTreeSet::new();
    let mut cells = BTreeSet::new();
    let number = |value: &Value| value.as_u64().unwrap();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(number(&panel["id"])), "{}", panel["title"]);
        assert!(!panel["description"].as_str().unwrap().is_empty());
        assert_eq!(panel["datasource"], source, "{}", panel["title"]);
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"], source, "{}", panel["title"]);
        }
        let place = &panel["gridPos"];
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|field| number(&place[field]));
        assert!(x + w <= 24, "{}", panel["title"]);
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(cells.insert(cell), "{} covers another panel", panel["title"]);
        }
    }
}

/// The label `namespace` of a release's metrics would be renamed without it, and no rule would find it.
#[test]
fn the_labels_of_releases_are_kept_when_scraped() {
    let monitor = fairlead::yaml::to_json_strict(component("service-monitor.yaml").as_bytes()).unwrap();
    let endpoints = monitor["spec"]["endpoints"].as_array().unwrap();
    assert!(endpoints.iter().all(|endpoint| endpoint["honorLabels"] == true));
}

/// Prometheus' own parser reads the rules, and each expression of the dashboard as a rule.
#[test]
fn promtool_accepts_rules_and_dashboard() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.yaml");
    let object = fairlead::yaml::to_json_strict(component("prometheus-rule.yaml").as_bytes()).unwrap();
    fs::write(&rules, object["spec"].to_string()).unwrap();
    check_rules(&rules).unwrap();

    let shown: Vec<Value> = expressions()
        .iter()
        .enumerate()
        .map(|(number, (_, expression))| {
            let expression = expression.replace("$__rate_interval", "5m");
            json!({"record": format!("shown:expression_{number}"), "expr": expression})
        })
        .collect();
    let shown = json!({"groups": [{"name": "dashboard", "rules": shown}]});
    fs::write(&rules, shown.to_string()).unwrap();
    check_rules(&rules).unwrap();

    // It would notice.
    fs::write(&rules, shown.to_string().replacen("sum by (", "sum bye (", 1)).unwrap();
    assert!(check_rules(&rules).is_err());
}

fn check_rules(rules: &Path) -> std::result::Result<(), String> {
    let promtool = fairlead_controlplane::promtool().unwrap();
    let arguments = ["check", "rules", "--lint=all", "--lint-fatal"];
    let output = Command::new(promtool).args(arguments).arg(rules).output().unwrap();
    if output.status.success() {
        Ok(())
    } else {
        Err(format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ))
    }
}

/// The program itself says whether it understands the commands of the runbooks.
#[test]
fn commands_of_the_runbooks_are_understood() {
    let mut commands = 0;
    for entry in fs::read_dir(root().join("docs/runbooks")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        for line in text.lines().filter(|line| line.starts_with("fairlead ")) {
            commands += 1;
            let arguments = line.split(' ').skip(1).chain(["--help"]);
            let output = Command::new(env!("CARGO_BIN_EXE_fairlead"))
                .args(arguments)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {line}: {said}", path.display());
        }
    }
    assert!(commands > 10, "{commands}");
}
