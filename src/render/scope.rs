//! The root objects of templates (`.Values`, `.Chart`, `.Release` ...), one set for each chart of the tree, and the
//! list of templates in Helm's order.

use std::collections::BTreeMap;

use super::{Operation, Release, capabilities, files, metadata};
use crate::chart::{Capabilities, View, values};
use crate::template::value::{Map, MapType, Text, Value};

/// One template file with the root that it is executed on.
pub(super) struct ChartTemplate<'a> {
    /// Path in the tree of charts: `web/charts/db/templates/service.yaml`.
    pub(super) name: String,
    /// The text.
    pub(super) source: &'a Text,
    /// `.Template.BasePath`.
    pub(super) base_path: String,
    /// The root, shared by all templates of the same chart.
    pub(super) root: Map,
}

impl ChartTemplate<'_> {
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
pub(super) fn templates<'a>(view: &'a View, values: &Map, shared: &Shared) -> Vec<ChartTemplate<'a>> {
    let mut found = BTreeMap::new();
    collect(view, values, shared, None, &mut found);
    let mut templates: Vec<ChartTemplate<'a>> = found.into_values().collect();
    let depth = |name: &str| name.bytes().filter(|byte| *byte == b'/').count();
    templates.sort_by(|a, b| depth(&b.name).cmp(&depth(&a.name)).then_with(|| b.name.cmp(&a.name)));
    templates
}

/// Adds the templates of one chart and its subcharts; the result is the chart's root.
fn collect<'a>(
    view: &'a View,
    values: &Map,
    shared: &Shared,
    parent_path: Option<&str>,
    found: &mut BTreeMap<String, ChartTemplate<'a>>,
) -> Map {
    let name = &view.metadata.name;
    let path = parent_path.map_or_else(|| name.clone(), |parent| format!("{parent}/charts/{name}"));
    let subcharts = Map::new();
    let root: Map = [
        ("Chart", metadata::value(&view.metadata, parent_path.is_none())),
        ("Files", files::value(&view.chart)),
        ("Release", shared.release.clone()),
        ("Capabilities", shared.capabilities.clone()),
        ("Values", Value::Map(values.clone())),
        ("Subcharts", Value::Map(subcharts.clone())),
    ]
    .into_iter()
    .collect();
    for subchart in &view.subcharts {
        // The very same table as the parent's, so that a `set` shows on both sides.
        let below = values::table_at(values, &subchart.metadata.name).unwrap_or_default();
        let below = below.with_type(MapType::Values);
        let below = collect(subchart, &below, shared, Some(&path), found);
        let written = subcharts.insert(subchart.metadata.name.as_str(), Value::Map(below));
        debug_assert!(written.is_ok(), "a new map is not nil");
    }
    for file in &view.chart.templates {
        if view.chart.is_library() && !base_name(&file.name).starts_with('_') {
            continue;
        }
        let template = ChartTemplate {
            name: format!("{path}/{}", file.name),
            source: &file.data,
            base_path: format!("{path}/templates"),
            root: root.clone(),
        };
        found.insert(template.name.clone(), template);
    }
    root
}

/// The last part of a path.
pub(super) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
