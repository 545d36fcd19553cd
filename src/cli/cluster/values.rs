//! `fairlead values`: the values of a release, composed as the operator composes them.
//!
//! Edge: reads files and the cluster with the rights of the caller, and prints. Whoever may not read a Secret does not get to see what
//! comes from it.

use std::path::PathBuf;

use kube::api::Api;
use serde_json::Value;

use super::desired::{Desired, desired};
use super::documents::Documents;
use super::observer::{Observer, Releases};
use super::{Cluster, ClusterArguments, print, print_json};
use crate::api::HelmRelease;
use crate::chart::JsonMap;
use crate::cli::{CommandError, note};
use crate::operator::given::Given;
use crate::operator::reconcile::values::values;
use crate::operator::referred::Referred;
use crate::ownership::redact::MAX_SHOWN_LENGTH;
use crate::plan::values::Composed;
use crate::render::coalesced;
use crate::yaml;

/// Print the values of a release: the documents of spec.valuesFrom in their order, then spec.values, then what has a targetPath, each over
/// what came before. What comes from Secrets is printed as it is.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Values are read with your rights: those to get the HelmRelease, and the ConfigMaps and Secrets of its valuesFrom. \
                        --all needs those to find and fetch its chart, too."
)]
pub(in crate::cli) struct ValuesArguments {
    /// A HelmRelease of the cluster or, with --filename, of the files
    #[arg(required_unless_present = "filename")]
    release: Option<String>,
    /// A file with the HelmRelease and, if you like, the ConfigMaps and Secrets that it refers to; - for standard input; repeatable
    #[arg(short, long, value_name = "FILE")]
    filename: Vec<PathBuf>,
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
        match arguments.output {
            Output::Json => print_json(&values),
            Output::Yaml => print(&yaml::try_to_string(&values)?),
        }
    })
}

impl ValuesArguments {
    async fn look(&self, cluster: &Cluster) -> Result<JsonMap, CommandError> {
        let (release, given) = self.release(cluster).await?;
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

    async fn release(&self, cluster: &Cluster) -> Result<(HelmRelease, Given), CommandError> {
        if self.filename.is_empty() {
            let api: Api<HelmRelease> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
            let name = self.release.as_deref().unwrap_or_default();
            return Ok((api.get(name).await?, Given::default()));
        }
        let documents = Documents::read(&self.filename, &cluster.namespace)?;
        let Documents { releases, given, notes } = documents.only(self.release.as_deref())?;
        notes.iter().for_each(|text| note(text));
        let [object] = <[Value; 1]>::try_from(releases)
            .map_err(|releases| format!("there are {} HelmReleases; say which one by its name", releases.len()))?;
        let Desired { release, unchecked } = desired(cluster, object).await?;
        unchecked.iter().for_each(|text| note(text));
        Ok((release, given))
    }
}
