//! Chart + values + capabilities -> manifests, hooks, CRDs, notes, in install order.
//!
//! Pure: look-ups, time and randomness come in through a [`Host`].

mod capabilities;
mod error;
mod files;
mod head;
mod manifest;
mod metadata;
mod order;
mod output;
mod program;
mod scope;
mod text;

pub use error::RenderError;
pub use manifest::{Crd, Hook, HookEvent, Manifest};
pub use order::{install_position, uninstall_position};
pub use output::{TemplateOutput, select};
pub use program::Program;

use crate::chart::{Capabilities, JsonMap, View, capabilities::is_compatible, values};
use crate::template::value::{Map, MapType, Scope};
use crate::template::{Host, Limits, Mode};

/// What `.Release` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The release's name; see [`validate_release_name`].
    pub name: String,
    /// The namespace that it goes to.
    pub namespace: String,
    /// Counts from 1.
    pub revision: i64,
    /// Why it is rendered.
    pub operation: Operation,
}

/// Why a release is rendered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Operation {
    /// `.Release.IsInstall`.
    #[default]
    Install,
    /// `.Release.IsUpgrade`; also rollbacks.
    Upgrade,
}

/// One rendering.
#[derive(Debug)]
pub struct Request<'a> {
    /// The chart with its parsed templates.
    pub program: &'a Program,
    /// What the user sets.
    pub values: &'a JsonMap,
    /// Of which release.
    pub release: &'a Release,
    /// What the cluster offers.
    pub capabilities: &'a Capabilities,
    /// How much the templates may use.
    pub limits: Limits,
    /// How strict they are.
    pub mode: Mode,
    /// Do not check values against values.schema.json.
    pub skip_schema_validation: bool,
    /// Keep the NOTES.txt of subcharts too.
    pub subchart_notes: bool,
}

/// What a chart becomes.
#[derive(Clone, Debug, Default)]
pub struct Rendered {
    /// All objects but hooks and `crds/`, in install order.
    pub manifests: Vec<Manifest>,
    /// The hooks, in install order of their kinds; they run by weight and name.
    pub hooks: Vec<Hook>,
    /// The files under `crds/`, of the chart and its enabled subcharts.
    pub crds: Vec<Crd>,
    /// The rendered NOTES.txt.
    pub notes: String,
    /// The values as templates saw them at first.
    pub values: JsonMap,
    /// What Helm logs: values that were ignored, deprecation.
    pub warnings: Vec<String>,
}

impl Rendered {
    /// The objects of the manifests in install order, each with its source path. Lists are flattened.
    pub fn objects(&self) -> impl Iterator<Item = (&str, &serde_json::Value)> {
        self.manifests
            .iter()
            .flat_map(|manifest| manifest.objects().map(|object| (manifest.path.as_str(), object)))
    }
}

/// Renders a chart as Helm 4.3.1 does.
///
/// Template values live on the calling thread's stack and heap; give it [`Limits::STACK_BYTES`] of stack.
pub fn render(request: &Request<'_>, host: &mut dyn Host) -> Result<Rendered, RenderError> {
    let Request {
        program,
        values,
        release,
        capabilities,
        ..
    } = request;
    check_installable(program)?;
    let mut rendered = Rendered::default();
    let chart = program.chart();
    if chart.metadata.deprecated {
        rendered.warnings.push("this chart is deprecated".to_owned());
    }
    validate_release_name(&release.name)?;
    // Templates can tie maps into cycles; the scope takes them apart at the end.
    let scope = Scope::new();
    let view = View::new(chart, values, &mut rendered.warnings).map_err(RenderError::Dependencies)?;
    let table = values::table(values);
    values::coalesce(&view, &table, values::Nulls::Delete, &mut rendered.warnings)?;
    rendered.values = to_json(&table)?;
    if !request.skip_schema_validation {
        check_schemas(&view, &rendered.values)?;
    }
    check_kube_version(&view, capabilities)?;
    let files = execute(request, &view, &table, host)?;
    drop(scope);
    rendered.crds = manifest::crds(&view);
    rendered.notes = text::take_notes(&files, &view.metadata.name, request.subchart_notes);
    manifest::sort(files, &mut rendered)?;
    Ok(rendered)
}

fn execute(
    request: &Request<'_>,
    view: &View,
    table: &Map,
    host: &mut dyn Host,
) -> Result<Vec<(String, String)>, RenderError> {
    let shared = scope::Shared::new(request.release, request.capabilities);
    let roots = scope::roots(view, &table.with_type(MapType::Values), &shared);
    let plan = request.program.plan(view)?;
    text::execute(&plan, &roots, request.limits, request.mode, host)
}

fn to_json(table: &Map) -> Result<JsonMap, RenderError> {
    let value = crate::template::Value::Map(table.clone()).to_json();
    match value.map_err(|error| RenderError::Encode(error.to_string()))? {
        serde_json::Value::Object(map) => Ok(map),
        _ => Ok(JsonMap::new()),
    }
}

/// Library charts and charts with dependencies that are not packed are refused before anything else.
fn check_installable(program: &Program) -> Result<(), RenderError> {
    let chart = program.chart();
    let chart_type = chart.metadata.chart_type.as_str();
    if !matches!(chart_type, "" | "application") {
        return Err(RenderError::NotInstallable(chart_type.to_owned()));
    }
    let is_packed = |name: &str| chart.subcharts.iter().any(|subchart| subchart.metadata.name == name);
    let names = chart
        .metadata
        .dependencies
        .iter()
        .map(|dependency| dependency.name.as_str());
    let missing: Vec<&str> = names.filter(|name| !is_packed(name)).collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(RenderError::MissingDependencies(missing.join(", ")))
    }
}

/// Checks the values of the chart and its subcharts, each against its own values.schema.json.
fn check_schemas(view: &View, values: &JsonMap) -> Result<(), RenderError> {
    let mut report = String::new();
    describe_mismatches(view, values, &mut report);
    if report.is_empty() {
        Ok(())
    } else {
        Err(RenderError::Schema(report))
    }
}

fn describe_mismatches(view: &View, values: &JsonMap, report: &mut String) {
    use std::fmt::Write;
    let name = &view.metadata.name;
    if let Err(error) = view.chart.validate(values) {
        let _ = write!(report, "{name}:\n{error}"); // a string takes everything
    }
    for subchart in &view.subcharts {
        // Coalescing has put a table there for every subchart.
        if let Some(serde_json::Value::Object(below)) = values.get(&subchart.metadata.name) {
            describe_mismatches(subchart, below, report);
        }
    }
}

fn check_kube_version(view: &View, capabilities: &Capabilities) -> Result<(), RenderError> {
    let constraint = &view.metadata.kube_version;
    if constraint.is_empty() || is_compatible(constraint, &capabilities.kube_version.normalized) {
        return Ok(());
    }
    Err(RenderError::KubeVersion {
        constraint: constraint.clone(),
        version: capabilities.kube_version.version.clone(),
    })
}

/// Helm's rule for release names: at most 53 characters, lower case DNS labels joined by dots.
pub fn validate_release_name(name: &str) -> Result<(), RenderError> {
    let label_byte = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        bytes.iter().all(|byte| label_byte(*byte) || *byte == b'-')
            && bytes.first().copied().is_some_and(label_byte)
            && bytes.last().copied().is_some_and(label_byte)
    };
    if name.is_empty() {
        return Err(RenderError::NoReleaseName);
    }
    if name.len() > 53 || !name.split('.').all(is_label) {
        return Err(RenderError::ReleaseName(name.to_owned()));
    }
    Ok(())
}
