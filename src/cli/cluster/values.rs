//! `fairlead values`: the values of a release, composed as the operator composes them.
//!
//! Edge: reads files and the cluster with the rights of the caller, and prints. Whoever may not read a Secret does not get to see what
//! comes from it.

use serde_json::Value;

use super::meant::{Found, Meant};
use super::observer::{Observer, Releases};
use super::{Cluster, ClusterArguments, print};
use crate::api::HelmRelease;
use crate::chart::JsonMap;
use crate::cli::CommandError;
use crate::go::json::encode_indent;
use crate::operator::reconcile::values::values;
use crate::operator::referred::Referred;
use crate::ownership::redact::MAX_SHOWN_LENGTH;
use crate::plan::values::Composed;
use crate::render::coalesced;
use crate::template::Value as TemplateValue;
use crate::yaml;

/// Print the values of a release: the documents of spec.valuesFrom in their order, then spec.values, then what has a targetPath, each over
/// what came before. What comes from Secrets is printed as it is.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Values are read with your rights: those to get the HelmRelease, and the ConfigMaps and Secrets of its valuesFrom. \
                        --all needs those to find and fetch its chart, too."
)]
pub(in crate::cli) struct ValuesArguments {
    #[command(flatten)]
    meant: Meant,
    /// All values that templates see: those of the release over the defaults of the chart and its subcharts
    #[arg(short, long)]
    all: bool,
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    cluster: ClusterArguments,
}

/// How the answer is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For people, and for Helm.
    #[default]
    Yaml,
    /// For programs.
    Json,
}

/// Runs the command.
pub(in crate::cli) fn run(arguments: &ValuesArguments) -> Result<(), CommandError> {
    arguments.cluster.run(async |cluster| {
        let values = Value::Object(arguments.look(&cluster).await?);
        print(&match arguments.output {
            Output::Json => json(&values)?,
            Output::Yaml => yaml::try_to_string(&values)?,
        })
    })
}

/// As Helm prints values: a number that YAML has made a float is whole again.
fn json(values: &Value) -> Result<String, CommandError> {
    let text = encode_indent(&TemplateValue::from_json(values), "", "  ", false)?;
    Ok(String::from_utf8(text)? + "\n")
}

impl ValuesArguments {
    async fn look(&self, cluster: &Cluster) -> Result<JsonMap, CommandError> {
        let Found {
            releases,
            failures,
            given,
        } = self.meant.find(cluster).await?;
        if let Some(failure) = failures.into_iter().next() {
            return Err(failure.message.into());
        }
        let [release] = <[HelmRelease; 1]>::try_from(releases)
            .map_err(|releases| format!("there are {} HelmReleases; say which one by its name", releases.len()))?;
        // What the deployed revision was given is put below by the operator's way to the chart.
        if !self.all && !release.spec.preserves_values() {
            let referred = Referred::new(&cluster.client, given);
            let Composed {
                values,
                from_secrets: _,
            } = values(&referred, &release).await?;
            return Ok(values);
        }
        let releases = Releases::These(std::slice::from_ref(&release));
        let observer = Observer::start(cluster, releases, given, MAX_SHOWN_LENGTH).await?;
        let inputs = observer.inputs(&release).await?;
        if self.all {
            Ok(coalesced(inputs.program.chart(), &inputs.values)?)
        } else {
            Ok(inputs.values)
        }
    }
}
