//! Chart + values + capabilities -> manifests, hooks, CRDs, notes, in install order.
//!
//! Pure: look-ups, time and randomness come in through a [`Host`].
//!
//! ```
//! use std::sync::Arc;
//!
//! use fairlead::chart::{ArchiveLimits, Capabilities, Chart, File, load::read_values};
//! use fairlead::jiff::Timestamp;
//! use fairlead::render::{Host, Program, Release, Request, TemplateOutput, render};
//!
//! /// What templates see of the world: here the clock stands still, and nothing is random.
//! struct World;
//!
//! impl Host for World {
//!     fn now(&mut self) -> Timestamp {
//!         Timestamp::UNIX_EPOCH
//!     }
//!     fn random(&mut self, buffer: &mut [u8]) {
//!         buffer.fill(42);
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // `Chart::from_archive` reads a packed chart, `Chart::from_directory` takes .helmignore into account.
//! let files = vec![
//!     File::new("Chart.yaml", b"{apiVersion: v2, name: hello, version: 1.0.0}".to_vec()),
//!     File::new("values.yaml", b"greeting: hello".to_vec()),
//!     File::new(
//!         "templates/config.yaml",
//!         b"kind: ConfigMap\ndata: {text: {{ .Values.greeting | quote }}}\n".to_vec(),
//!     ),
//! ];
//! let chart = Chart::from_files(files, &ArchiveLimits::default())?;
//!
//! // Keep the program: it parses the templates once, for all releases of the chart.
//! let program = Program::new(Arc::new(chart));
//! let values = read_values(b"greeting: good evening")?;
//! let (release, capabilities) = (Release::new("demo", "default"), Capabilities::default());
//! let rendered = render(&Request::new(&program, &values, &release, &capabilities), &mut World)?;
//!
//! let (path, object) = rendered.objects().next().ok_or("no object")?;
//! assert_eq!(path, "hello/templates/config.yaml");
//! assert_eq!(object["data"]["text"], "good evening");
//! assert_eq!(
//!     TemplateOutput::default().write(&rendered), // what `helm template` prints
//!     "---\n# Source: hello/templates/config.yaml\nkind: ConfigMap\ndata: {text: \"good evening\"}\n",
//! );
//! # Ok(())
//! # }
//! ```

mod capabilities;
mod error;
mod files;
mod head;
mod manifest;
mod metadata;
mod order;
mod output;
mod program;
pub mod report;
mod scope;
mod shared_text;
mod text;

pub use error::{Document, Mismatch, RenderError};
pub use manifest::{Crd, Hook, HookEvent, Manifest, Position, flatten};
pub use order::{install_position, uninstall_position};
pub use output::{TemplateOutput, select};
pub use program::Program;
pub use report::{Report, Secrets};
pub use shared_text::SharedText;
pub use text::Failure;

// What a caller needs besides: a rendering is asked for with these.
pub use crate::template::{Host, Limits, Mode};

use std::sync::Arc;

use crate::chart::{Capabilities, Chart, JsonMap, View, Warning, capabilities::is_compatible, values};
use crate::parallel;
use crate::template::value::{Map, MapType, Scope};
use program::Plan;

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

impl Release {
    /// The first revision of a release that is being installed.
    pub fn new(name: impl Into<String>, namespace: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            namespace: namespace.into(),
            revision: 1,
            operation: Operation::Install,
        }
    }
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
    /// Give [`Rendered::values`].
    pub keep_values: bool,
}

impl<'a> Request<'a> {
    /// A rendering as `helm template` does it without further flags.
    pub fn new(
        program: &'a Program,
        values: &'a JsonMap,
        release: &'a Release,
        capabilities: &'a Capabilities,
    ) -> Self {
        Self {
            program,
            values,
            release,
            capabilities,
            limits: Limits::default(),
            mode: Mode::default(),
            skip_schema_validation: false,
            subchart_notes: false,
            keep_values: true,
        }
    }
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
    /// The values as templates saw them at first; empty unless [`Request::keep_values`] asks for them.
    pub values: JsonMap,
    /// What Helm logs: values that were ignored, deprecation.
    pub warnings: Vec<Warning>,
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
        rendered.warnings.push(Warning::new("this chart is deprecated"));
    }
    validate_release_name(&release.name)?;
    // Templates can tie maps into cycles; the scope takes them apart at the end.
    let scope = Scope::new();
    let (view, table) = prepare(chart, values, &mut rendered.warnings)?;
    let checks = !request.skip_schema_validation && has_schema(&view);
    // Templates change the table. Copying it takes some percent of a rendering.
    if checks || request.keep_values {
        rendered.values = to_json(&table)?;
    }
    let schemas = if checks { new_schemas(&view) } else { None };
    let plan = parallel::meanwhile(schemas, || program.plan(&view));
    if checks {
        check_schemas(&view, &rendered.values)?;
    }
    if !request.keep_values {
        rendered.values.clear();
    }
    check_kube_version(&view, capabilities)?;
    let plan = plan?;
    let (notes, files) = parallel::follow(
        WORTH_A_THREAD,
        |take| {
            let notes = execute(request, &plan, &view, &table, host, take);
            drop(scope);
            notes
        },
        |(path, text)| manifest::sort_file(path, text),
    )?;
    rendered.crds = manifest::crds(&view);
    rendered.notes = text::join_notes(notes);
    manifest::install_order(files, &mut rendered)?;
    Ok(rendered)
}

/// The values that templates of a chart see at first: those of the user over the defaults of the chart and of its subcharts.
///
/// # Errors
/// When they cannot be put together.
pub fn coalesced(chart: &Arc<Chart>, values: &JsonMap) -> Result<JsonMap, RenderError> {
    let (_, table) = prepare(chart, values, &mut Vec::new())?;
    to_json(&table)
}

/// The chart as these values make it, and what its templates see of them at first.
fn prepare(chart: &Arc<Chart>, values: &JsonMap, warnings: &mut Vec<Warning>) -> Result<(View, Map), RenderError> {
    let view = View::new(chart, values, warnings).map_err(RenderError::Dependencies)?;
    let table = values::table(values);
    values::coalesce(&view, &table, values::Nulls::Delete, warnings)?;
    Ok((view, table))
}

/// Bytes of rendered files that take several times as long to read as a thread takes to start.
const WORTH_A_THREAD: usize = 128 << 10;

/// Reads the schemas that no rendering has needed so far, and compiles those that are not plain; nothing when there are none.
fn new_schemas(view: &View) -> Option<impl FnOnce() + Send + use<>> {
    fn collect(view: &View, found: &mut Vec<Arc<Chart>>) {
        found.extend(Some(&view.chart).filter(|chart| chart.has_new_schema()).cloned());
        view.subcharts.iter().for_each(|subchart| collect(subchart, found));
    }
    let mut charts = Vec::new();
    collect(view, &mut charts);
    if charts.is_empty() {
        return None;
    }
    Some(move || {
        for chart in charts {
            chart.validator();
        }
    })
}

/// Executes the templates. `take` gets the files that may have objects, each with its size; the notes are the result.
fn execute(
    request: &Request<'_>,
    plan: &Plan,
    view: &View,
    table: &Map,
    host: &mut dyn Host,
    take: &mut dyn FnMut((String, String), usize),
) -> Result<Vec<(String, String)>, RenderError> {
    let shared = scope::Shared::new(request.release, request.capabilities);
    let roots = scope::roots(view, &table.with_type(MapType::Values), &shared);
    let own_notes = format!("{}/templates/NOTES.txt", view.metadata.name);
    let mut notes = Vec::new();
    text::execute(plan, &roots, request.limits, request.mode, host, |path, text| {
        if manifest::may_have_objects(&path) {
            let size = text.len();
            take((path, text), size);
        } else if manifest::is_notes(&path) && (request.subchart_notes || path == own_notes) {
            notes.push((path, text));
        }
    })?;
    Ok(notes)
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
/// Whether a chart in use has a schema.
fn has_schema(view: &View) -> bool {
    view.chart.schema.is_some() || view.subcharts.iter().any(has_schema)
}

fn check_schemas(view: &View, values: &JsonMap) -> Result<(), RenderError> {
    let (mut text, mut mismatches) = (String::new(), Vec::new());
    describe_mismatches(view, &view.metadata.name, values, &mut text, &mut mismatches);
    if text.is_empty() {
        Ok(())
    } else {
        Err(RenderError::Schema { text, mismatches })
    }
}

fn describe_mismatches(view: &View, path: &str, values: &JsonMap, text: &mut String, mismatches: &mut Vec<Mismatch>) {
    use std::fmt::Write;
    let name = &view.metadata.name;
    if let Err(error) = view.chart.validate(values) {
        let _ = write!(text, "{name}:\n{error}"); // a string takes everything
        mismatches.push(Mismatch {
            chart: path.to_owned(),
            pointers: error.pointers(),
        });
    }
    for subchart in &view.subcharts {
        let name = &subchart.metadata.name;
        // Coalescing has put a table there for every subchart.
        if let Some(serde_json::Value::Object(below)) = values.get(name) {
            describe_mismatches(subchart, &format!("{path}/charts/{name}"), below, text, mismatches);
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
