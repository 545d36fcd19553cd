//! Values and dependencies against what Helm makes of them, one rule a row: nulls, globals, conditions, tags, aliases,
//! import-values, schemas. `tests/golden/functions/values` has the rules and the program that asked Helm.

use std::collections::BTreeMap;
use std::sync::Arc;

use fairlead::chart::{ArchiveLimits, Capabilities, Chart, File, JsonMap};
use fairlead::render::{Operation, Program, Release, Request, render};
use fairlead::template::{Host, Limits, Mode};
use serde::Deserialize;
use serde_json::{Value, json};

/// A chart in short form.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Short {
    version: Option<String>,
    api_version: Option<String>,
    r#type: Option<String>,
    dependencies: Option<Value>,
    values: Option<Value>,
    schema: Option<Value>,
    #[serde(default)]
    charts: BTreeMap<String, Short>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    #[serde(rename = "rule")]
    name: String,
    chart: Short,
    #[serde(default)]
    user: JsonMap,
}

/// What Helm makes of a rule.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
struct Row {
    rule: String,
    rendered: BTreeMap<String, String>,
    error: String,
}

/// Nothing in these charts asks the world outside.
struct Nowhere;

impl Host for Nowhere {
    fn now(&mut self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn random(&mut self, buffer: &mut [u8]) {
        buffer.fill(1);
    }
}

/// The files of a chart and of those in it; each has one template, which prints its values.
fn files(chart: &Short, name: &str, directory: &str, files_: &mut Vec<File>) {
    let mut add = |file: &str, content: &str| files_.push(File::new(format!("{directory}{file}"), content.into()));
    let mut metadata = json!({"apiVersion": "v2", "name": name, "version": "1.0.0"});
    let fields = [
        ("version", &chart.version),
        ("apiVersion", &chart.api_version),
        ("type", &chart.r#type),
    ];
    for (field, value) in fields {
        if let Some(value) = value {
            metadata[field] = json!(value);
        }
    }
    if let Some(dependencies) = &chart.dependencies {
        if chart.api_version.as_deref() == Some("v1") {
            add("requirements.yaml", &json!({"dependencies": dependencies}).to_string());
        } else {
            metadata["dependencies"] = dependencies.clone();
        }
    }
    add("Chart.yaml", &metadata.to_string());
    let is_library = chart.r#type.as_deref() == Some("library");
    add(
        if is_library {
            "templates/_values.txt"
        } else {
            "templates/values.txt"
        },
        "{{ toJson .Values }}",
    );
    for (file, content) in [("values.yaml", &chart.values), ("values.schema.json", &chart.schema)] {
        if let Some(content) = content {
            add(file, &content.to_string());
        }
    }
    for (name, below) in &chart.charts {
        files(below, name, &format!("{directory}charts/{name}/"), files_);
    }
}

fn ours(rule: &Rule) -> Result<BTreeMap<String, String>, String> {
    let mut found = Vec::new();
    files(&rule.chart, "top", "", &mut found);
    let chart = Chart::from_files(found, &ArchiveLimits::default()).map_err(|error| error.to_string())?;
    let release = Release {
        name: "rel".to_owned(),
        namespace: "ns".to_owned(),
        revision: 1,
        operation: Operation::Install,
    };
    let request = Request {
        program: &Program::new(Arc::new(chart)),
        values: &rule.user,
        release: &release,
        capabilities: &Capabilities::default(),
        limits: Limits::default(),
        mode: Mode::default(),
        skip_schema_validation: false,
        subchart_notes: false,
        keep_values: false,
    };
    let rendered = render(&request, &mut Nowhere).map_err(|error| error.to_string())?;
    let manifests = rendered.manifests.into_iter();
    Ok(manifests
        .map(|manifest| (manifest.path, manifest.text.to_string()))
        .collect())
}

#[test]
fn values_and_dependencies_follow_helms_rules() {
    let rules = fairlead::yaml::from_slice_array(include_bytes!("golden/functions/values/rules.yaml")).unwrap();
    let rows = include_str!("golden/functions/values/rules.jsonl").lines();
    let rows: Vec<Row> = rows.map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        rows.len() > 80 && rows.len() == rules.len(),
        "the table is not up to date"
    );
    let mut wrong = Vec::new();
    for (rule, row) in rules.into_iter().zip(&rows) {
        let rule: Rule = serde_json::from_value(rule).unwrap();
        assert_eq!(rule.name, row.rule, "the table is not up to date");
        let found = ours(&rule);
        let same = match &found {
            Ok(rendered) => {
                let trimmed = |text: &str| text.trim().to_owned();
                let helms = row.rendered.iter().filter(|(path, _)| !path.contains("/_"));
                let helms: BTreeMap<String, String> = helms.map(|(path, text)| (path.clone(), trimmed(text))).collect();
                row.error.is_empty()
                    && rendered
                        .iter()
                        .map(|(path, text)| (path.clone(), trimmed(text)))
                        .eq(helms)
            }
            // `helm template` says before some errors what it was doing.
            Err(error) => !row.error.is_empty() && error.ends_with(&row.error),
        };
        if !same {
            wrong.push(format!(
                "{}\n  ours   {found:?}\n  Helm's {:?} {}",
                rule.name, row.rendered, row.error
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} rules differ:\n{}",
        wrong.len(),
        rows.len(),
        wrong.join("\n")
    );
}
