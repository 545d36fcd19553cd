//! `fairlead template`: renders a chart without a cluster and writes what `helm template` writes.
//!
//! Edge: reads values and charts, and prints. The flags are Helm's, with Helm's meaning.

mod accepted;
mod chart;
mod host;
mod output;
mod reading;
mod threads;
mod values;

use std::sync::Arc;

use clap::Args;

use self::accepted::AcceptedArguments;
use self::chart::ChartArguments;
use self::host::Offline;
use self::output::OutputArguments;
use self::threads::on_large_stack;
use self::values::ValuesArguments;
use super::CommandError;
use crate::chart::{Capabilities, JsonMap};
use crate::render::{Operation, Program, Release, RenderError, Rendered, Request, Secrets, render};
use crate::template::{Context, Limits, Mode, TemplateSet, Value};

/// Render a chart locally and print its manifests.
#[derive(Debug, Args)]
#[command(
    override_usage = "fairlead template [OPTIONS] [NAME] CHART",
    args_override_self = true
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct TemplateArguments {
    /// The release's name (default: release-name), and the chart: a folder, an archive, an http(s):// or oci:// address,
    /// or with --repo a name.
    #[arg(value_names = ["NAME", "CHART"], num_args = 1..=2, required = true)]
    arguments: Vec<String>,
    #[command(flatten)]
    chart: ChartArguments,
    #[command(flatten)]
    values: ValuesArguments,
    #[command(flatten)]
    output: OutputArguments,
    /// The release's namespace.
    #[arg(short, long, env = "HELM_NAMESPACE", default_value = "default")]
    namespace: String,
    /// The Kubernetes version that the chart sees.
    #[arg(long, value_name = "VERSION")]
    kube_version: Option<String>,
    /// Further API versions that the chart sees; comma-separated, repeatable.
    #[arg(short, long, value_delimiter = ',', value_name = "GROUP/VERSION")]
    api_versions: Vec<String>,
    /// Set .Release.IsUpgrade instead of .Release.IsInstall.
    #[arg(long)]
    is_upgrade: bool,
    /// Accepted as by Helm, where it means nothing for this command: without a NAME it is release-name.
    #[arg(short, long)]
    generate_name: bool,
    /// A template for the release's name.
    #[arg(long, value_name = "TEMPLATE")]
    name_template: Option<String>,
    /// Do not check values against the charts' schemas.
    #[arg(long)]
    skip_schema_validation: bool,
    /// Also render the notes of subcharts.
    #[arg(long)]
    render_subchart_notes: bool,
    /// Accepted as by Helm, where it means nothing for this command: see --include-crds.
    #[arg(long)]
    skip_crds: bool,
    /// Let the template function getHostByName ask DNS.
    #[arg(long)]
    enable_dns: bool,
    /// On an error of YAML print what the templates made all the same.
    #[arg(long)]
    debug: bool,
    /// How much rendering may use: NAME=VALUE with depth, bytes, memory, steps, regex, keys or time; repeatable.
    #[arg(long, value_name = "NAME=VALUE")]
    limit: Vec<String>,
    #[command(flatten)]
    accepted: AcceptedArguments,
}

/// What is wrong with the arguments.
#[derive(Debug, thiserror::Error)]
enum ArgumentError {
    #[error("cannot set --{0} and also specify a name")]
    TwoNames(&'static str),
    #[error("invalid kube version '{version}': {reason}")]
    KubeVersion { version: String, reason: String },
    #[error("--name-template: {0}")]
    NameTemplate(String),
}

/// A chart that does not render: Helm's message, then what Helm does not tell.
#[derive(Debug, thiserror::Error)]
#[error("{message}{hint}{report}")]
struct TemplateError {
    message: String,
    /// Helm's pointer to `--debug`.
    hint: &'static str,
    report: String,
}

/// Runs the command.
pub(super) fn run(arguments: &TemplateArguments) -> Result<(), CommandError> {
    arguments.accepted.check()?;
    let capabilities = arguments.capabilities()?;
    let limits = super::limits(&arguments.limit)?;
    let (name, reference) = arguments.name_and_chart()?;
    let values = arguments.values.read()?;
    let (chart, ahead) = arguments.chart.load(reference)?;
    let release = Release {
        name,
        namespace: arguments.namespace.clone(),
        revision: 1,
        operation: if arguments.is_upgrade {
            Operation::Upgrade
        } else {
            Operation::Install
        },
    };
    let program = Program::with_ahead(Arc::new(chart), ahead);
    let rendered = on_large_stack(|| arguments.render(&program, &values, &release, &capabilities, limits))?;
    let rendered = match rendered {
        Ok(rendered) => rendered,
        Err(error) => return Err(arguments.failure(&error, &program, &values)?.into()),
    };
    for warning in &rendered.warnings {
        super::warn(warning);
    }
    let written = arguments.output.write(&rendered, &release.name);
    // The process ends here: the system takes its memory back at once, taking it apart piece by piece takes longer.
    std::mem::forget((program, rendered));
    written
}

impl TemplateArguments {
    fn render(
        &self,
        program: &Program,
        values: &JsonMap,
        release: &Release,
        capabilities: &Capabilities,
        limits: Limits,
    ) -> Result<Rendered, RenderError> {
        let request = Request {
            program,
            values,
            release,
            capabilities,
            limits,
            mode: Mode::default(),
            skip_schema_validation: self.skip_schema_validation,
            subchart_notes: self.render_subchart_notes,
            keep_values: false,
        };
        render(&request, &mut Offline::new(self.enable_dns))
    }

    /// What to say about a failure. With `--debug` the invalid YAML is printed first, as by Helm.
    fn failure(&self, error: &RenderError, program: &Program, values: &JsonMap) -> Result<TemplateError, CommandError> {
        let hint = match error {
            RenderError::Limit { .. } => "",
            _ if error.is_of_templates() && !self.debug => "\n\nUse --debug flag to render out invalid YAML",
            _ => "",
        };
        if self.debug
            && let RenderError::Yaml { document, .. } = error
        {
            self.output.write_invalid(&document.files)?;
        }
        let secrets = Secrets::of_chart(program.chart(), values);
        let report = error
            .report(&secrets)
            .map(|report| format!("\n\n{}", report.to_string().trim_end()));
        Ok(TemplateError {
            message: error.to_string(),
            hint,
            report: report.unwrap_or_default(),
        })
    }

    fn capabilities(&self) -> Result<Capabilities, ArgumentError> {
        let mut capabilities = Capabilities::default();
        if let Some(version) = &self.kube_version {
            capabilities.kube_version = version.parse().map_err(|error| {
                let error: crate::chart::capabilities::KubeVersionError = error;
                ArgumentError::KubeVersion {
                    version: version.clone(),
                    reason: error.to_string(),
                }
            })?;
        }
        capabilities.api_versions.extend(self.api_versions.iter().cloned());
        Ok(capabilities)
    }

    fn name_and_chart(&self) -> Result<(String, &str), CommandError> {
        match self.arguments.as_slice() {
            [_, _, ..] if self.generate_name || self.name_template.is_some() => {
                let flag = if self.generate_name {
                    "generate-name"
                } else {
                    "name-template"
                };
                Err(ArgumentError::TwoNames(flag).into())
            }
            [name, chart, ..] => Ok((name.clone(), chart)),
            [chart] => Ok((self.name()?, chart)),
            [] => Ok((self.name()?, "")),
        }
    }

    /// The release's name when none is given.
    fn name(&self) -> Result<String, CommandError> {
        match self.name_template.as_deref() {
            None | Some("") => Ok("release-name".to_owned()),
            Some(text) => {
                let name = on_large_stack(|| expand(text))?;
                Ok(name.map_err(ArgumentError::NameTemplate)?)
            }
        }
    }
}

/// A name from a template without data.
fn expand(text: &str) -> Result<String, String> {
    const NAME: &str = "name-template";
    let set = TemplateSet::parse([(NAME, text)]).map_err(|error| error.to_string())?;
    let mut host = Offline::new(false);
    let mut output = Vec::new();
    Context::new(&set, &mut host, Limits::default(), Mode::default())
        .execute(NAME, &Value::Nil, &mut output)
        .map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&output).into_owned())
}
