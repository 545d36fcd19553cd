//! `fairlead conflicts`: the contested fields of releases, as their statuses say.
//!
//! Edge: reads HelmReleases and prints.

use futures::TryStreamExt;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use kube::runtime::{WatchStreamExt, watcher};
use serde::Serialize;

use super::table::{Cell, Colour, Table};
use super::{Cluster, ClusterArguments, Format, is_coloured, print, print_json, through};
use crate::api::HelmRelease;
use crate::api::helm_release::ownership_status::{ConflictOutcome, ContestedField};
use crate::cli::CommandError;

/// List the fields that other field managers contest, and what was done about each.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ConflictsArguments {
    /// Only this release
    release: Option<String>,
    /// The releases of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Stay, and print each decision that is new or changes
    #[arg(short, long)]
    watch: bool,
    /// Only fields that another manager still holds
    #[arg(long)]
    unresolved: bool,
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    cluster: ClusterArguments,
}

/// One contested field with its release.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Contest {
    namespace: String,
    release: String,
    #[serde(flatten)]
    field: ContestedField,
}

/// Runs the command.
pub(in crate::cli) fn run(arguments: &ConflictsArguments) -> Result<(), CommandError> {
    arguments.cluster.run(async |cluster| {
        if arguments.watch {
            return watch(arguments, &cluster).await;
        }
        let releases = match &arguments.release {
            Some(name) => vec![arguments.api(&cluster).get(name).await?],
            None => arguments.api(&cluster).list(&ListParams::default()).await?.items,
        };
        arguments.print(
            &releases
                .iter()
                .flat_map(|release| arguments.contests(release))
                .collect::<Vec<_>>(),
        )
    })
}

async fn watch(arguments: &ConflictsArguments, cluster: &Cluster) -> Result<(), CommandError> {
    let config = match &arguments.release {
        Some(name) => watcher::Config::default().fields(&format!("metadata.name={name}")),
        None => watcher::Config::default(),
    };
    let mut told: Vec<Contest> = Vec::new();
    let mut releases = std::pin::pin!(
        watcher(arguments.api(cluster), config)
            .default_backoff()
            .applied_objects()
    );
    while let Some(release) = releases.try_next().await? {
        let now = arguments.contests(&release);
        let is_new = |contest: &&Contest| !told.iter().any(|told| says_the_same(told, contest));
        let new: Vec<Contest> = now.iter().filter(is_new).cloned().collect();
        let is_other = |told: &Contest| (told.namespace.as_str(), told.release.as_str()) != key(&release);
        told.retain(is_other);
        told.extend(now);
        if !new.is_empty() {
            arguments.print(&new)?;
        }
    }
    Ok(())
}

fn key(release: &HelmRelease) -> (&str, &str) {
    (release.own_namespace(), release.own_name())
}

/// Whether nothing but times and counts differs.
fn says_the_same(a: &Contest, b: &Contest) -> bool {
    let plain = |contest: &Contest| {
        let mut contest = contest.clone();
        contest.field.last_seen = contest.field.first_seen.clone();
        contest.field.count = 0;
        contest
    };
    plain(a) == plain(b)
}

impl ConflictsArguments {
    fn api(&self, cluster: &Cluster) -> Api<HelmRelease> {
        if self.all_namespaces {
            Api::all(cluster.client.clone())
        } else {
            Api::namespaced(cluster.client.clone(), &cluster.namespace)
        }
    }

    fn contests(&self, release: &HelmRelease) -> Vec<Contest> {
        let ownership = release.status.as_ref().and_then(|status| status.ownership.as_ref());
        let fields = ownership.into_iter().flat_map(|ownership| &ownership.contested);
        fields
            .filter(|field| !self.unresolved || field.action.is_unresolved())
            .map(|field| Contest {
                namespace: release.namespace().unwrap_or_default(),
                release: release.name_any(),
                field: field.clone(),
            })
            .collect()
    }

    fn print(&self, contests: &[Contest]) -> Result<(), CommandError> {
        match self.output {
            Format::Json => print_json(&contests),
            Format::Table => print(&table(contests).render(is_coloured())),
        }
    }
}

const fn colour(action: ConflictOutcome) -> Colour {
    match action {
        ConflictOutcome::Resolved | ConflictOutcome::Adopted => Colour::Good,
        ConflictOutcome::Forced | ConflictOutcome::Retrying => Colour::Warning,
        ConflictOutcome::Yielded => Colour::Plain,
        ConflictOutcome::HandedOff | ConflictOutcome::Failed => Colour::Bad,
    }
}

fn table(contests: &[Contest]) -> Table<8> {
    let headings = [
        "NAMESPACE",
        "RELEASE",
        "OBJECT",
        "FIELD",
        "MANAGER",
        "CLASS",
        "ACTION",
        "RULE",
    ];
    let mut table = Table::new(headings);
    for Contest {
        namespace,
        release,
        field,
    } in contests
    {
        table.row([
            namespace.as_str().into(),
            release.as_str().into(),
            field.object.as_str().into(),
            field.path.as_str().into(),
            through(&field.manager, field.subresource.as_deref()).into(),
            field.class.as_str().into(),
            Cell::coloured(field.action.as_str(), colour(field.action)),
            field.rule.clone().unwrap_or_default().into(),
        ]);
    }
    table
}
