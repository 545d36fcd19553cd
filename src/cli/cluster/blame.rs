//! `fairlead blame`: every field of a live object with its owners, and what the chart has to do with it.
//!
//! Edge: reads the object and its HelmRelease, and prints. No value is printed, so Secrets are no exception.

use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, DynamicObject};
use kube::{Client, ResourceExt};
use serde::Serialize;

use super::kinds::{self, Kind};
use super::table::{Cell, Colour, Table};
use super::{Cluster, ClusterArguments, Format, is_coloured, print, print_json, through};
use crate::api::helm_release::ownership_status::ConflictOutcome;
use crate::api::{HelmRelease, names};
use crate::cli::CommandError;
use crate::ownership::blame::{BlamedField, ChartStake, blame};
use crate::ownership::managed::{ManagedFields, Manager};
use crate::ownership::path::FieldPath;
use crate::ownership::reference::ObjectReference;

/// Show who holds each field of a live object: the manager, how and when it wrote, and whether the chart sets the field.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct BlameArguments {
    /// The object: KIND/NAME, or KIND NAME
    #[arg(num_args = 1..=2, required = true, value_names = ["KIND/NAME", "NAME"])]
    object: Vec<String>,
    /// Only this field and what is below it, for example .spec.template
    #[arg(long)]
    path: Option<FieldPath>,
    /// Only fields of this manager
    #[arg(long)]
    manager: Option<String>,
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    cluster: ClusterArguments,
}

/// The answer for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Blame {
    object: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field_manager: Option<String>,
    fields: Vec<Field>,
}

#[derive(Debug, Serialize)]
struct Field {
    path: String,
    owners: Vec<Owner>,
    chart: &'static str,
}

#[derive(Debug, Serialize)]
struct Owner {
    manager: String,
    operation: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subresource: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<Timestamp>,
}

/// Runs the command.
pub(in crate::cli) fn run(arguments: &BlameArguments) -> Result<(), CommandError> {
    let (word, name) = kinds::split(&arguments.object)?;
    arguments.cluster.run(async |cluster| {
        let live = read(&cluster, &kinds::find(&cluster.client, word).await?, name).await?;
        let release = release_of(&cluster.client, &live).await?;
        let object = serde_json::to_value(&live)?;
        let reference = ObjectReference::of(&object).ok_or("the object has no name")?;
        let managed = ManagedFields::of(&object)?;
        let yielded = release
            .as_ref()
            .map(|release| yielded(release, &reference))
            .unwrap_or_default();
        let manager = release.as_ref().map(HelmRelease::field_manager);
        let mut fields = blame(&object, &managed, manager.as_deref(), &yielded);
        fields.retain(|field| arguments.wants(field));
        match arguments.output {
            Format::Table => print(&table(&fields, manager.as_deref()).render(is_coloured())),
            Format::Json => print_json(&Blame {
                object: reference.to_string(),
                release: release.map(|release| format!("{}/{}", release.own_namespace(), release.own_name())),
                field_manager: manager,
                fields: fields.into_iter().map(field).collect(),
            }),
        }
    })
}

async fn read(cluster: &Cluster, kind: &Kind, name: &str) -> Result<DynamicObject, CommandError> {
    let api: Api<DynamicObject> = if kind.namespaced {
        Api::namespaced_with(cluster.client.clone(), &cluster.namespace, &kind.api)
    } else {
        Api::all_with(cluster.client.clone(), &kind.api)
    };
    Ok(api.get(name).await?)
}

/// The release that the object's labels name.
async fn release_of(client: &Client, live: &DynamicObject) -> Result<Option<HelmRelease>, CommandError> {
    let label = |name: &str| live.labels().get(name);
    let (Some(name), Some(namespace)) = (label(names::LABEL_NAME), label(names::LABEL_NAMESPACE)) else {
        return Ok(None);
    };
    let releases: Api<HelmRelease> = Api::namespaced(client.clone(), namespace);
    Ok(releases.get_opt(name).await?)
}

/// The fields of this object that the release leaves to others, as its status says.
fn yielded(release: &HelmRelease, object: &ObjectReference) -> Vec<FieldPath> {
    let ownership = release.status.as_ref().and_then(|status| status.ownership.as_ref());
    let contested = ownership.into_iter().flat_map(|ownership| &ownership.contested);
    let name = object.to_string();
    contested
        .filter(|field| field.action == ConflictOutcome::Yielded && field.object == name)
        .filter_map(|field| field.path.parse().ok())
        .collect()
}

impl BlameArguments {
    fn wants(&self, field: &BlamedField) -> bool {
        let BlamedField { path, owners, chart: _ } = field;
        self.path.as_ref().is_none_or(|above| path.is_at_or_below(above))
            && self
                .manager
                .as_ref()
                .is_none_or(|manager| owners.iter().any(|owner| owner.name == *manager))
    }
}

fn field(field: BlamedField) -> Field {
    let BlamedField { path, owners, chart } = field;
    let owners = owners.into_iter().map(|owner| {
        let Manager {
            name,
            operation,
            subresource,
            api_version: _,
            time,
        } = owner;
        Owner {
            manager: name,
            operation: operation.as_str(),
            subresource,
            time,
        }
    });
    Field {
        path: path.to_string(),
        owners: owners.collect(),
        chart: chart.as_str(),
    }
}

/// A line for each field and owner; further owners of a field stand below the first.
fn table(fields: &[BlamedField], ours: Option<&str>) -> Table<5> {
    let mut table = Table::new(["FIELD", "MANAGER", "OPERATION", "TIME", "CHART"]);
    for BlamedField { path, owners, chart } in fields {
        let stake = match chart {
            ChartStake::Sets => Cell::coloured("sets", Colour::Good),
            ChartStake::Yields => Cell::coloured("yields", Colour::Warning),
            ChartStake::None => Cell::from(""),
        };
        if owners.is_empty() {
            let nobody = Cell::coloured("(default)", Colour::Faint);
            table.row([path.to_string().into(), nobody, "".into(), "".into(), stake.clone()]);
        }
        for (position, owner) in owners.iter().enumerate() {
            let first = position == 0;
            table.row([
                if first { path.to_string().into() } else { "".into() },
                owner_cell(owner, ours),
                through(owner.operation.as_str(), owner.subresource.as_deref()).into(),
                owner.time.map(|time| time.to_string()).unwrap_or_default().into(),
                if first { stake.clone() } else { "".into() },
            ]);
        }
    }
    table
}

fn owner_cell(owner: &Manager, ours: Option<&str>) -> Cell {
    let colour = if ours == Some(owner.name.as_str()) {
        Colour::Good
    } else {
        Colour::Warning
    };
    Cell::coloured(owner.name.as_str(), colour)
}
