//! Charts as a whole: what `helm template` makes of them, and the values that their templates see.

use std::collections::BTreeMap;
use std::sync::Arc;

use fairlead::chart::{ArchiveLimits, Capabilities, Chart, File, View, load::read_values, values};
use fairlead::render::{Operation, Program, Release, Rendered, Request, render};
use fairlead::template::value::Scope;
use fairlead::template::{Limits, Mode};
use serde_json::{Value, json};

use crate::check::base64;
use crate::host::Offline;

/// A chart by its files, and the text of a values file.
#[derive(Clone)]
pub(crate) struct ChartFiles {
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) values: String,
}

impl std::fmt::Debug for ChartFiles {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, content) in &self.files {
            writeln!(formatter, "  {name}: {content:?}")?;
        }
        write!(formatter, "  values: {:?}", self.values)
    }
}

pub(crate) const CHART_YAML: &str = "apiVersion: v2\nname: t2\nversion: 0.1.0\n";

impl ChartFiles {
    /// A chart named t2 whose notes are the text.
    pub(crate) fn with_notes(text: &str, values: &str) -> Self {
        let files = [("Chart.yaml", CHART_YAML), ("templates/NOTES.txt", text)];
        Self {
            files: files.map(|(name, text)| (name.to_owned(), text.to_owned())).into(),
            values: values.to_owned(),
        }
    }

    pub(crate) fn question(&self, operation: &str) -> Value {
        let files: BTreeMap<_, _> = self
            .files
            .iter()
            .map(|(name, text)| (name, base64(text.as_bytes())))
            .collect();
        json!({"op": operation, "files": files, "values": self.values, "release": "rel", "namespace": "ns"})
    }

    fn load(&self) -> Result<(Arc<Chart>, fairlead::chart::JsonMap), String> {
        let files = self
            .files
            .iter()
            .map(|(name, text)| File::new(name, text.clone().into_bytes()));
        let chart = Chart::from_files(files.collect(), &ArchiveLimits::default()).map_err(|error| error.to_string())?;
        Ok((Arc::new(chart), read_values(self.values.as_bytes())?))
    }

    /// What we make of the chart.
    pub(crate) fn render(&self) -> Result<Rendered, String> {
        let (chart, values) = self.load()?;
        let release = Release {
            name: "rel".to_owned(),
            namespace: "ns".to_owned(),
            revision: 1,
            operation: Operation::Install,
        };
        let request = Request {
            program: &Program::new(chart),
            values: &values,
            release: &release,
            capabilities: &Capabilities::default(),
            limits: Limits::default(),
            mode: Mode::default(),
            skip_schema_validation: false,
            subchart_notes: false,
        };
        render(&request, &mut Offline(1)).map_err(|error| error.to_string())
    }

    /// The values that the chart's templates see, and the full paths of the charts that are enabled.
    pub(crate) fn coalesce(&self) -> Result<(Value, Vec<String>), String> {
        let (chart, user) = self.load()?;
        let _scope = Scope::new();
        let mut warnings = Vec::new();
        let view = View::new(&chart, &user, &mut warnings).map_err(|error| error.to_string())?;
        let table = values::table(&user);
        values::coalesce(&view, &table, values::Nulls::Delete, &mut warnings).map_err(|error| error.to_string())?;
        let values = fairlead::template::Value::Map(table)
            .to_json()
            .map_err(|error| error.to_string())?;
        let mut paths = Vec::new();
        collect_paths(&view, &view.metadata.name, &mut paths);
        paths.sort();
        Ok((values, paths))
    }
}

fn collect_paths(view: &View, path: &str, paths: &mut Vec<String>) {
    paths.push(path.to_owned());
    for below in &view.subcharts {
        collect_paths(below, &format!("{path}/charts/{}", below.metadata.name), paths);
    }
}

/// The oracle's answer to `template`, with the text of bytes.
pub(crate) fn readable(mut theirs: Value) -> Value {
    for key in ["manifest", "notes"] {
        if let Some(text) = theirs.get(key).and_then(Value::as_str) {
            let text = crate::check::unbase64(text);
            theirs[key] = String::from_utf8_lossy(&text).into();
        }
    }
    theirs
}

/// Our rendering in the form of the oracle's answer.
pub(crate) fn answer(rendered: Result<Rendered, String>) -> Value {
    let rendered = match rendered {
        Ok(rendered) => rendered,
        Err(error) => return json!({"manifest": null, "hooks": null, "notes": null, "error": error}),
    };
    let documents = rendered.manifests.iter();
    let manifest: String = documents
        .map(|manifest| format!("---\n# Source: {}\n{}\n", manifest.path, manifest.text))
        .collect();
    let hooks = rendered.hooks.iter().map(|hook| {
        json!({
            "path": hook.manifest.path,
            "manifest": hook.manifest.text,
            "events": hook.events.iter().map(|event| event.name()).collect::<Vec<_>>(),
            "weight": hook.weight,
        })
    });
    let hooks: Vec<Value> = hooks.collect();
    let hooks = if hooks.is_empty() { Value::Null } else { hooks.into() };
    json!({"manifest": manifest, "hooks": hooks, "notes": rendered.notes, "error": ""})
}
