//! Which of a chart's subcharts take part in a release, under which names, and what values they export.
//!
//! The outcome is a [`View`]: the chart as one set of values makes it. The chart itself stays untouched, and no
//! template is copied.

use std::sync::Arc;

use serde_json::Value as Json;

use super::capabilities::is_compatible;
use super::values::{self, Nulls, ValuesError, merge_tables, table_at};
use super::{Chart, Dependency, JsonMap, Metadata, Warning};
use crate::template::value::{Map, MapType, Value};

/// A chart as one release sees it: disabled subcharts gone, aliases applied, values imported.
#[derive(Debug)]
pub struct View {
    /// Where templates and files come from.
    pub chart: Arc<Chart>,
    /// Chart.yaml; the name is the alias if there is one, and the dependencies are the enabled ones.
    pub metadata: Metadata,
    /// Default values.
    pub values: Defaults,
    /// The enabled subcharts.
    pub subcharts: Vec<View>,
}

/// The default values of a view.
pub enum Defaults {
    /// values.yaml as it is.
    Chart(Arc<Chart>),
    /// values.yaml with what subcharts add to it.
    Imported(Map),
}

impl std::fmt::Debug for Defaults {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Chart(_) => "Chart",
            Self::Imported(_) => "Imported",
        })
    }
}

impl Defaults {
    /// A table of its own for the caller to change.
    pub fn fresh(&self) -> Map {
        match self {
            Self::Chart(chart) => Map::frozen(MapType::Any, chart.frozen_values()),
            Self::Imported(map) => values::deep_copy(map),
        }
    }
}

impl View {
    /// Applies conditions, tags, aliases and import-values for the user's values.
    pub fn new(chart: &Arc<Chart>, user: &JsonMap, warnings: &mut Vec<Warning>) -> Result<Self, ValuesError> {
        let mut view = Self::whole(chart);
        view.enable(&values::table(user), "", warnings)?;
        view.import(warnings)?;
        Ok(view)
    }

    /// All subcharts, no decision taken.
    fn whole(chart: &Arc<Chart>) -> Self {
        Self {
            metadata: chart.metadata.clone(),
            values: Defaults::Chart(Arc::clone(chart)),
            subcharts: chart.subcharts.iter().map(Self::whole).collect(),
            chart: Arc::clone(chart),
        }
    }

    fn enable(&mut self, values: &Map, path: &str, warnings: &mut Vec<Warning>) -> Result<(), ValuesError> {
        if self.metadata.dependencies.is_empty() {
            return Ok(());
        }
        self.select_subcharts();
        let coalesced = values::deep_copy(values);
        values::coalesce(self, &coalesced, Nulls::Delete, warnings)?;
        let tags = coalesced.get(b"tags").and_then(|tags| tags.as_map().cloned());
        for dependency in &mut self.metadata.dependencies {
            dependency.enabled = tags.as_ref().is_none_or(|tags| by_tags(dependency, tags, warnings));
            if let Some(enabled) = by_condition(dependency, &coalesced, path, warnings) {
                dependency.enabled = enabled;
            }
        }
        let disabled: Vec<String> = (self.metadata.dependencies.iter())
            .filter(|dependency| !dependency.enabled)
            .map(|dependency| dependency.name.clone())
            .collect();
        self.subcharts
            .retain(|subchart| !disabled.contains(&subchart.metadata.name));
        self.metadata
            .dependencies
            .retain(|dependency| !disabled.contains(&dependency.name));
        for subchart in &mut self.subcharts {
            let path = format!("{path}{}.", subchart.metadata.name);
            subchart.enable(&coalesced, &path, warnings)?;
        }
        Ok(())
    }

    /// The subcharts that Chart.yaml does not mention, then those that it does, once for each mention. After this,
    /// dependencies go by their aliases.
    fn select_subcharts(&mut self) {
        let packed = &self.chart.subcharts;
        let is_mentioned = |chart: &Chart| self.metadata.dependencies.iter().any(|entry| satisfies(chart, entry));
        let mut selected: Vec<View> = packed
            .iter()
            .filter(|chart| !is_mentioned(chart))
            .map(Self::whole)
            .collect();
        for dependency in &mut self.metadata.dependencies {
            if let Some(chart) = packed.iter().find(|chart| satisfies(chart, dependency)) {
                let mut subchart = Self::whole(chart);
                if !dependency.alias.is_empty() {
                    subchart.metadata.name.clone_from(&dependency.alias);
                }
                selected.push(subchart);
            }
            if !dependency.alias.is_empty() {
                dependency.name.clone_from(&dependency.alias);
            }
        }
        self.subcharts = selected;
    }

    /// import-values, from the innermost chart outwards.
    fn import(&mut self, warnings: &mut Vec<Warning>) -> Result<(), ValuesError> {
        for subchart in &mut self.subcharts {
            subchart.import(warnings)?;
        }
        if self.metadata.dependencies.is_empty() {
            return Ok(());
        }
        let merged = Map::new();
        values::coalesce(self, &merged, Nulls::Keep, warnings)?;
        let imported = Map::new();
        for dependency in &mut self.metadata.dependencies {
            import_dependency(dependency, &merged, &imported, warnings);
        }
        // What the parent says itself wins over what it imports.
        let own = values::deep_copy(&merged);
        merge_tables(&own, &imported, warnings);
        self.values = Defaults::Imported(own);
        Ok(())
    }
}

/// Whether a packed chart is the one that a dependency means.
fn satisfies(chart: &Chart, dependency: &Dependency) -> bool {
    chart.metadata.name == dependency.name && is_compatible(&dependency.version, &chart.metadata.version)
}

/// Enabled unless all tags that the values mention are off.
fn by_tags(dependency: &Dependency, tags: &Map, warnings: &mut Vec<Warning>) -> bool {
    let mut mentioned = false;
    for tag in &dependency.tags {
        match tags.get(tag.as_bytes()) {
            None => {}
            Some(Value::Bool(true)) => return true,
            Some(Value::Bool(false)) => mentioned = true,
            Some(_) => warnings.push(not_a_boolean("tag", tag, dependency)),
        }
    }
    !mentioned
}

/// The first path of the condition that is a boolean.
fn by_condition(dependency: &Dependency, values: &Map, path: &str, warnings: &mut Vec<Warning>) -> Option<bool> {
    for condition in dependency
        .condition
        .trim()
        .split(',')
        .filter(|condition| !condition.is_empty())
    {
        match value_at(values, &format!("{path}{condition}")) {
            None => {}
            Some(Value::Bool(enabled)) => return Some(enabled),
            Some(_) => warnings.push(not_a_boolean("path", condition, dependency)),
        }
    }
    None
}

fn not_a_boolean(attribute: &'static str, name: &str, dependency: &Dependency) -> Warning {
    Warning::new("returned non-bool value")
        .with(attribute, name)
        .with("chart", dependency.name.as_str())
}

/// The value at a dotted path, when it is not a table.
fn value_at(values: &Map, path: &str) -> Option<Value> {
    let (table, key) = match path.rsplit_once('.') {
        Some((table, key)) => (table_at(values, table)?, key),
        None => (values.clone(), path),
    };
    table
        .get(key.as_bytes())
        .filter(|value| !matches!(value, Value::Map(_)))
}

/// Adds what one dependency exports to `imported`, and leaves the entries as Helm records them.
fn import_dependency(dependency: &mut Dependency, values: &Map, imported: &Map, warnings: &mut Vec<Warning>) {
    let mut recorded = Vec::new();
    for entry in std::mem::take(&mut dependency.import_values) {
        let (child, parent, warning) = match &entry {
            Json::String(name) => {
                let warning = Warning::new("ImportValues missing table");
                (format!("exports.{name}"), ".".to_owned(), warning)
            }
            Json::Object(paths) => {
                let warning = Warning::new("ImportValues missing table from chart");
                let warning = warning.with("chart", dependency.name.as_str());
                (path_text(paths.get("child")), path_text(paths.get("parent")), warning)
            }
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) => continue,
        };
        let path = format!("{}.{child}", dependency.name);
        match table_at(values, &path) {
            Some(table) => merge_tables(imported, &nested(&parent, table), warnings),
            None => warnings.push(warning.with("error", format!("{:?} is not a table", first_missing(values, &path)))),
        }
        recorded.push(serde_json::json!({ "child": child, "parent": parent }));
    }
    dependency.import_values = recorded;
}

/// The first part of a dotted path that leads to no table.
fn first_missing<'a>(values: &Map, path: &'a str) -> &'a str {
    let mut end = 0;
    for part in path.split('.') {
        end += part.len();
        if table_at(values, &path[..end]).is_none() {
            return part;
        }
        end += 1;
    }
    path
}

/// A path as Go's `%v` prints it.
fn path_text(value: Option<&Json>) -> String {
    match value {
        None | Some(Json::Null) => "<nil>".to_owned(),
        Some(Json::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// The table below a dotted path.
fn nested(path: &str, table: Map) -> Map {
    if path == "." {
        return table;
    }
    path.rsplit('.')
        .fold(table, |inner, key| std::iter::once((key, Value::Map(inner))).collect())
}
