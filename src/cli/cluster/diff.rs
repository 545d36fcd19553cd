//! `fairlead diff`: what HelmReleases would change in the cluster. Nothing is written.
//!
//! Edge: reads files and the cluster, and prints. The way is the operator's own up to the dry runs; what is made of them is
//! `plan::diff`'s.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::meant::{Found, Meant, failure};
use super::observer::{Observer, Releases};
use super::table::Colour;
use super::{Cluster, ClusterArguments, is_coloured, print, print_json};
use crate::cli::CommandError;
use crate::plan::diff::{DiffReports, Line, ReleaseDiff, Tone, Verdict, lines};
use crate::source::ChartReference;

/// Up to how many bytes values are shown whole: what is longer is no text that people compare.
const LONGEST: usize = 32 << 10;

/// Something could not be found out.
pub(in crate::cli) const FAILED: u8 = 2;
/// A release could not be applied.
const STOPPED: u8 = 3;

/// Say what a HelmRelease would change in the cluster: objects that would be created, changed and deleted, fields that others hold and
/// what the policy would do about them, and the revision that would begin. Nothing is written.
///
/// A HelmRelease of a file is compared as the one that it would become in the cluster, with the status of that one.
/// HelmRepositories, OCIRepositories, ConfigMaps, Secrets and Namespaces of the files take the place of those in the cluster, unless they
/// are encrypted by SOPS; ConflictPolicies, Flux's sources and kubeconfigs are read from the cluster.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 nothing would change; 1 something would; 2 the arguments are wrong, or something could not be found \
                        out; 3 a release could not be applied, because of a conflict or because the API server would refuse an object.\n\n\
                        Needs the rights to read, and those to create, update and patch what is dry-run. Values of Secrets are not shown."
)]
pub(in crate::cli) struct DiffArguments {
    #[command(flatten)]
    meant: Meant,
    /// A chart of this machine, a folder or an archive, in place of the one that the release refers to; nobody's signature is asked for
    #[arg(long, value_name = "PATH")]
    chart: Option<PathBuf>,
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    cluster: ClusterArguments,
}

/// How the answer is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Runs the command.
pub(in crate::cli) fn run(arguments: &DiffArguments) -> Result<ExitCode, CommandError> {
    arguments.cluster.run(async |cluster| {
        let reports = arguments.look(&cluster).await?;
        match arguments.output {
            Output::Json => print_json(&reports)?,
            Output::Text => print(&page(&lines(&reports), is_coloured()))?,
        }
        Ok(match reports.verdict {
            Verdict::Same => ExitCode::SUCCESS,
            Verdict::Differs => ExitCode::from(1),
            Verdict::Stopped => ExitCode::from(STOPPED),
            Verdict::Failed => ExitCode::from(FAILED),
        })
    })
}

impl DiffArguments {
    async fn look(&self, cluster: &Cluster) -> Result<DiffReports, CommandError> {
        let Found {
            releases,
            mut failures,
            mut given,
        } = self.meant.find(cluster).await?;
        if let Some(path) = &self.chart {
            if releases.len() + failures.len() > 1 {
                return Err("--chart is for one HelmRelease; say which one by its name".into());
            }
            given.chart = Some(chart(path)?);
        }
        let mut diffs: Vec<ReleaseDiff> = Vec::new();
        if !releases.is_empty() {
            let observer = Observer::start(cluster, Releases::These(&releases), given, LONGEST).await?;
            for release in &releases {
                match observer.compare(release).await {
                    Ok(diff) => diffs.push(diff),
                    Err(error) => failures.push(failure(release.own_namespace(), release.own_name(), &*error)),
                }
            }
        }
        Ok(DiffReports::of(&diffs, failures))
    }
}

/// A chart of this machine.
fn chart(path: &Path) -> Result<ChartReference, CommandError> {
    let metadata = std::fs::metadata(path).map_err(|error| format!("--chart {}: {error}", path.display()))?;
    Ok(if metadata.is_dir() {
        ChartReference::Directory(path.to_owned())
    } else {
        ChartReference::Archive(path.to_owned())
    })
}

fn page(lines: &[Line], coloured: bool) -> String {
    let mut page = String::new();
    for Line { tone, text } in lines {
        let colour = match tone {
            Tone::Added => Colour::Good,
            Tone::Removed | Tone::Bad => Colour::Bad,
            Tone::Changed => Colour::Warning,
            Tone::Heading | Tone::Plain => Colour::Plain,
        };
        page.push_str(&colour.paint(text, coloured));
        page.push('\n');
    }
    page
}
