//! The root objects of templates (`.Values`, `.Chart`, `.Release` ...), one for each chart of the tree, and the list
//! of templates in Helm's order.

use std::collections::BTreeMap;

use super::{Operation, Release, capabilities, files, metadata};
use crate::chart::{Capabilities, View, values};
use crate::template::Content;
use crate::template::value::{Map, MapType, Text, Value};

/// One template file at its place in the tree of charts.
pub(super) struct TemplateFile<'a> {
    /// Path in the tree of charts: `web/charts/db/templates/service.yaml`.
    pub(super) name: String,
    /// The text.
    pub(super) source: &'a Content,
    /// `.Template.BasePath`.
    pub(super) base_path: Text,
    /// Its chart's position in [`roots`].
    pub(super) chart: usize,
}

impl TemplateFile<'_> {
    /// Partials are parsed but not executed.
    pub(super) fn is_partial(&self) -> bool {
        base_name(&self.name).starts_with('_')
    }
}

/// What all charts of a tree share.
pub(super) struct Shared {
    release: Value,
    capabilities: Value,
}

impl Shared {
    pub(super) fn new(release: &Release, capabilities: &Capabilities) -> Self {
        let Release {
            name,
            namespace,
            revision,
            operation,
        } = release;
        let release: Map = [
            ("Name", Value::from(name.as_str())),
            ("Namespace", Value::from(namespace.as_str())),
            ("IsUpgrade", Value::Bool(*operation == Operation::Upgrade)),
            ("IsInstall", Value::Bool(*operation == Operation::Install)),
            ("Revision", Value::Int(*revision)),
            ("Service", Value::from("Helm")),
        ]
        .into_iter()
        .collect();
        Self {
            release: Value::Map(release),
            capabilities: capabilities::value(capabilities),
        }
    }
}

/// All templates of a chart and its subcharts, in the order in which Helm parses and executes them: the deepest path
/// first, and backwards by name.
pub(super) fn files(view: &View) -> Vec<TemplateFile<'_>> {
    let mut found = BTreeMap::new();
    collect_files(view, &view.metadata.name, &mut 0, &mut found);
    let mut files: Vec<(usize, TemplateFile<'_>)> = found
        .into_values()
        .map(|file| (file.name.bytes().filter(|byte| *byte == b'/').count(), file))
        .collect();
    files.sort_by(|(depth, a), (other, b)| other.cmp(depth).then_with(|| b.name.cmp(&a.name)));
    files.into_iter().map(|(_, file)| file).collect()
}

/// Adds the files of one chart and its subcharts; the chart is the `next` one.
fn collect_files<'a>(view: &'a View, path: &str, next: &mut usize, found: &mut BTreeMap<String, TemplateFile<'a>>) {
    let chart = *next;
    *next += 1;
    for subchart in &view.subcharts {
        collect_files(
            subchart,
            &format!("{path}/charts/{}", subchart.metadata.name),
            next,
            found,
        );
    }
    let base_path = Text::from(format!("{path}/templates"));
    for file in &view.chart.templates {
        if view.chart.is_library() && !base_name(&file.name).starts_with('_') {
            continue;
        }
        let file = TemplateFile {
            name: format!("{path}/{}", file.name),
            source: &file.data,
            base_path: base_path.clone(),
            chart,
        };
        found.insert(file.name.clone(), file);
    }
}

/// The roots of a chart and its subcharts, each before those of its own subcharts. A root is shared by all templates of
/// its chart.
pub(super) fn roots(view: &View, values: &Map, shared: &Shared) -> Vec<Map> {
    let mut roots = Vec::new();
    collect_roots(view, values, shared, true, &mut roots);
    roots
}

/// Adds the root of one chart and those of its subcharts; the result is the chart's root.
fn collect_roots(view: &View, values: &Map, shared: &Shared, is_outermost: bool, roots: &mut Vec<Map>) -> Map {
    let subcharts = Map::new();
    let root: Map = [
        ("Chart", metadata::value(&view.metadata, is_outermost)),
        ("Files", files::value(&view.chart)),
        ("Release", shared.release.clone()),
        ("Capabilities", shared.capabilities.clone()),
        ("Values", Value::Map(values.clone())),
        ("Subcharts", Value::Map(subcharts.clone())),
    ]
    .into_iter()
    .collect();
    roots.push(root.clone());
    for subchart in &view.subcharts {
        // The very same table as the parent's, so that a `set` shows on both sides.
        let below = values::table_at(values, &subchart.metadata.name).unwrap_or_default();
        let below = below.with_type(MapType::Values);
        let below = collect_roots(subchart, &below, shared, false, roots);
        let written = subcharts.insert(subchart.metadata.name.as_str(), Value::Map(below));
        debug_assert!(written.is_ok(), "a new map is not nil");
    }
    root
}

/// The last part of a path.
pub(super) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
