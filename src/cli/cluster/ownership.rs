//! `fairlead ownership`: what a release owns, object by object, as its ledger says.
//!
//! Edge: reads the HelmRelease and its ReleaseLedger, and prints.

use kube::api::Api;
use serde::Serialize;

use super::table::{Cell, Colour, Table};
use super::{ClusterArguments, Format, is_coloured, print, print_json};
use crate::api::helm_release::history::InventoryEntry;
use crate::api::helm_release::ownership_status::ConflictOutcome;
use crate::api::release_ledger::{LedgerField, LedgerObject};
use crate::api::{HelmRelease, ReleaseLedger};
use crate::cli::CommandError;
use crate::ownership::fieldset::FieldSet;
use crate::plan::inventory::reference;

/// Show the objects of a release with the number of fields that it owns, and that others contest.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct OwnershipArguments {
    /// The release
    release: String,
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    cluster: ClusterArguments,
}

/// What a release owns.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Owned {
    field_manager: String,
    objects: Vec<OwnedObject>,
}

/// What a release owns of one object.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OwnedObject {
    object: String,
    /// The fields by path; none when there are too many to be kept in the ledger.
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<Vec<String>>,
    yielded: usize,
    forced: usize,
    unresolved: usize,
}

/// Runs the command.
pub(in crate::cli) fn run(arguments: &OwnershipArguments) -> Result<(), CommandError> {
    let OwnershipArguments {
        release,
        output,
        cluster,
    } = arguments;
    cluster.run(async |cluster| {
        let releases: Api<HelmRelease> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
        let ledgers: Api<ReleaseLedger> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
        let found = releases.get(release).await?;
        let ledger = ledgers
            .get_opt(release)
            .await?
            .map(|ledger| ledger.spec)
            .unwrap_or_default();
        let owned = Owned {
            field_manager: found.field_manager(),
            objects: ledger
                .objects
                .iter()
                .filter_map(|object| owned(object, &ledger.contested))
                .collect(),
        };
        match output {
            Format::Json => print_json(&owned),
            Format::Table => print(&text(&owned)),
        }
    })
}

fn owned(object: &LedgerObject, contested: &[LedgerField]) -> Option<OwnedObject> {
    let entry = InventoryEntry {
        id: object.id.clone(),
        v: object.v.clone(),
    };
    let fields = object
        .fields
        .as_deref()
        .and_then(|fields| serde_json::from_str(fields).ok());
    let fields = fields.and_then(|fields| FieldSet::from_fields_v1(&fields).ok());
    let count = |wanted: &[ConflictOutcome]| {
        let of_object = contested.iter().filter(|field| field.id == object.id);
        let last = of_object.filter_map(|field| field.history.first());
        last.filter(|event| wanted.contains(&event.action)).count()
    };
    Some(OwnedObject {
        object: reference(&entry)?.to_string(),
        fields: fields.map(|fields| fields.leaves().iter().map(ToString::to_string).collect()),
        yielded: count(&[ConflictOutcome::Yielded]),
        forced: count(&[ConflictOutcome::Forced]),
        unresolved: count(&[
            ConflictOutcome::Retrying,
            ConflictOutcome::HandedOff,
            ConflictOutcome::Failed,
        ]),
    })
}

fn text(owned: &Owned) -> String {
    let mut table = Table::new(["OBJECT", "OWNED", "YIELDED", "FORCED", "UNRESOLVED"]);
    for object in &owned.objects {
        let number =
            |count: usize, colour| Cell::coloured(count.to_string(), if count == 0 { Colour::Faint } else { colour });
        let fields = object
            .fields
            .as_ref()
            .map_or_else(|| "?".to_owned(), |fields| fields.len().to_string());
        table.row([
            object.object.as_str().into(),
            fields.into(),
            number(object.yielded, Colour::Plain),
            number(object.forced, Colour::Warning),
            number(object.unresolved, Colour::Bad),
        ]);
    }
    format!(
        "Field manager: {}\n\n{}",
        owned.field_manager,
        table.render(is_coloured())
    )
}
