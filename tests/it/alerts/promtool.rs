//! Runs promtool, and writes what it reads.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::rules;
use crate::support::Result;

/// Labels and value of one alert.
type Alert = (BTreeMap<&'static str, String>, f64);

/// What promtool has to find.
#[derive(Debug)]
pub(super) struct Expectations {
    /// At a minute, the alerts of a rule, with all labels and annotations.
    pub(super) alerts: Vec<(usize, &'static str, Vec<Alert>)>,
    /// At a minute, how many alerts of each rule fire, of all rules.
    pub(super) firing: Vec<(usize, Value)>,
}

/// The program, and a folder for its files.
#[derive(Debug)]
pub(super) struct Promtool {
    program: PathBuf,
    folder: tempfile::TempDir,
}

impl Promtool {
    /// Builds it on first use.
    pub(super) async fn find() -> Result<Self> {
        let program = tokio::task::spawn_blocking(fairlead_controlplane::promtool).await??;
        let promtool = Self {
            program,
            folder: tempfile::tempdir()?,
        };
        // JSON is YAML.
        std::fs::write(promtool.folder.path().join("rules.yaml"), rules()?.to_string())?;
        Ok(promtool)
    }

    fn run(&self, arguments: &[&str], input: &str) -> Result<String> {
        let mut child = Command::new(&self.program)
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        if output.status.success() {
            return Ok(text.concat());
        }
        Err(format!("promtool {arguments:?}: {}\n{}", output.status, text.concat()).into())
    }

    /// Syntax and style of the rules.
    pub(super) fn check_rules(&self) -> Result {
        self.run(&["check", "rules", "--lint=all", "--lint-fatal", "rules.yaml"], "")?;
        Ok(())
    }

    /// Syntax and style of what is exported.
    pub(super) fn check_metrics(&self, text: &str) -> Result {
        let said = self.run(&["check", "metrics"], text)?;
        if said.trim().is_empty() {
            Ok(())
        } else {
            Err(format!("promtool check metrics: {said}").into())
        }
    }

    /// Runs the rules over the series.
    pub(super) fn test(&self, series: &[Value], expectations: &Expectations) -> Result {
        let Expectations { alerts, firing } = expectations;
        let rules = rules()?;
        let alerts: Vec<Value> = alerts
            .iter()
            .map(|(minute, name, alerts)| alert_test(&rules, *minute, name, alerts))
            .collect::<Result<_>>()?;
        let firing: Vec<Value> = firing
            .iter()
            .map(|(minute, counts)| firing_test(*minute, counts))
            .collect();
        let test = json!({
            "rule_files": ["rules.yaml"],
            "evaluation_interval": "1m",
            "tests": [{
                "interval": "1m",
                "input_series": series,
                "alert_rule_test": alerts,
                "promql_expr_test": firing,
            }],
        });
        std::fs::write(self.folder.path().join("test.yaml"), test.to_string())?;
        self.run(&["test", "rules", "test.yaml"], "")?;
        Ok(())
    }
}

fn alert_test(rules: &Value, minute: usize, name: &str, alerts: &[Alert]) -> Result<Value> {
    let groups = rules["groups"].as_array().into_iter().flatten();
    let mut rules = groups.flat_map(|group| group["rules"].as_array().into_iter().flatten());
    let rule = rules
        .find(|rule| rule["alert"] == name)
        .ok_or_else(|| format!("no alert {name}"))?;
    let expected = alerts.iter().map(|(labels, value)| {
        let mut all = json!(labels);
        all["severity"] = rule["labels"]["severity"].clone();
        let annotations = rule["annotations"].as_object().into_iter().flatten();
        let annotations: BTreeMap<&String, String> = annotations
            .map(|(name, template)| (name, expanded(template.as_str().unwrap_or_default(), labels, *value)))
            .collect();
        json!({"exp_labels": all, "exp_annotations": annotations})
    });
    let expected: Vec<Value> = expected.collect();
    Ok(json!({"eval_time": format!("{minute}m"), "alertname": name, "exp_alerts": expected}))
}

/// What Prometheus makes of an annotation, for the templates that our annotations have.
fn expanded(template: &str, labels: &BTreeMap<&'static str, String>, value: f64) -> String {
    let mut text = template.to_owned();
    for (name, label) in labels {
        text = text.replace(&format!("{{{{ $labels.{name} }}}}"), label);
    }
    text.replace("{{ $value }}", &value.to_string())
        .replace("{{ $value | printf \"%.0f\" }}", &format!("{value:.0}"))
}

fn firing_test(minute: usize, counts: &Value) -> Value {
    let samples: Vec<Value> = counts
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, count)| json!({"labels": format!("{{alertname=\"{name}\"}}"), "value": count}))
        .collect();
    json!({
        "eval_time": format!("{minute}m"),
        "expr": "count by (alertname) (ALERTS{alertstate=\"firing\"})",
        "exp_samples": samples,
    })
}
