//! What is told, in metrics and events, of the decisions about contested fields: each once, when it is made.
//!
//! Edge. Compares with the ledger as it was before the decision. What ends an attempt is told of by `record`.

use std::collections::BTreeSet;

use k8s_openapi::jiff::Timestamp;
use kube::Resource as _;

use super::record::{Recorded, conflict_labels, release_labels};
use crate::api::conditions::Reason;
use crate::api::helm_release::actions::HelmAction;
use crate::api::helm_release::ownership::Fights;
use crate::api::listing::first_few;
use crate::cluster::apply::{Applied, Operation};
use crate::operator::context::Context;
use crate::operator::memory::ReleaseMemory;
use crate::ownership::class::Class;
use crate::ownership::contested::ContestedField;
use crate::ownership::ledger::{Ledger, ObjectRecord};
use crate::ownership::loss::unknown_manager;
use crate::ownership::policy::Action;
use crate::ownership::reference::ObjectReference;
use crate::telemetry::events::Severity;

/// How many fields of one object are told of in events; the status and the ledger have the others.
const TOLD: usize = 10;

/// An event to be published.
type Notice = (Severity, Reason, String);

/// Tells what was decided about a written object's contested fields: no take-over is silent.
pub(super) fn written(
    context: &Context,
    recorded: &Recorded,
    memory: &ReleaseMemory,
    applied: &Applied,
    action: HelmAction,
) {
    let (object, contested) = (&applied.reference, &applied.contested);
    let known = memory.ledger.as_ref().and_then(|ledger| ledger.get(object));
    let notices = count(context, recorded, known, object, contested);
    let told = recreation(applied)
        .into_iter()
        .chain(hand_over(applied))
        .chain(left_out(applied))
        .chain(notices);
    publish(context, recorded, told, action);
    if applied.operation != Operation::Skipped {
        count_retaken(context, recorded, known, object, contested);
    }
}

/// Tells what holds of the decisions about an object that was not written. A conflict that stays is told of once, however
/// often the release is tried again.
pub(super) fn stopped(
    context: &Context,
    recorded: &Recorded,
    ledger: &Ledger,
    object: &ObjectReference,
    contested: &[ContestedField],
    action: HelmAction,
) {
    let notices = count(context, recorded, ledger.get(object), object, contested);
    publish(context, recorded, notices, action);
}

/// Counts the decisions that the last look at the object did not lead to, and gives the events that tell of them.
fn count(
    context: &Context,
    recorded: &Recorded,
    known: Option<&ObjectRecord>,
    object: &ObjectReference,
    contested: &[ContestedField],
) -> Vec<Notice> {
    let new = contested.iter().filter(|field| !is_known(known, field));
    let release = release_labels(recorded.release());
    for field in new.clone() {
        context
            .shared
            .metrics
            .conflict(conflict_labels(&release, object, field));
    }
    let (migrated, told): (Vec<&ContestedField>, Vec<&ContestedField>) = new.partition(|field| is_migrated(field));
    let notices = told.into_iter().filter_map(|field| notice(object, field));
    migration(object, &migrated)
        .into_iter()
        .chain(notices)
        .take(TOLD)
        .collect()
}

/// Counts fields that were taken from an owner that they had been taken from before: it has written again meanwhile.
fn count_retaken(
    context: &Context,
    recorded: &Recorded,
    known: Option<&ObjectRecord>,
    object: &ObjectReference,
    contested: &[ContestedField],
) {
    let release = release_labels(recorded.release());
    let taken = contested.iter().filter(|field| field.action == Action::Forced);
    for field in taken.filter(|field| is_known(known, field)) {
        context
            .shared
            .metrics
            .conflict(conflict_labels(&release, object, field));
    }
}

fn publish(context: &Context, recorded: &Recorded, notices: impl IntoIterator<Item = Notice>, action: HelmAction) {
    for (severity, reason, note) in notices {
        let about = recorded.release().object_ref(&());
        context
            .shared
            .events
            .publish(about, severity, reason, action.verb(), &note);
    }
}

/// Whether the last look at the object led to the same decision about the field.
fn is_known(record: Option<&ObjectRecord>, field: &ContestedField) -> bool {
    record.is_some_and(|record| {
        let same = |other: &ContestedField| other.sort_key() == field.sort_key() && other.action == field.action;
        record.contested.iter().any(same)
    })
}

/// Whether the field was an earlier tool's, and not just a default of the server.
fn is_migrated(field: &ContestedField) -> bool {
    let is_of_predecessor = match field.class {
        Class::Legacy => true,
        Class::Union => field.manager != unknown_manager(),
        Class::Real | Class::Phantom | Class::Sibling | Class::Admission | Class::Lost => false,
    };
    is_of_predecessor && field.action == Action::Resolved
}

/// What an event says of a field that was taken, left, lost or changed; nothing where nobody lost anything.
fn notice(object: &ObjectReference, field: &ContestedField) -> Option<Notice> {
    let ContestedField {
        path: _,
        field: path,
        ours: _,
        theirs: _,
        manager,
        class,
        action,
        rule,
    } = field;
    let (severity, reason, done) = match (class, action) {
        (Class::Admission, _) => (Severity::Warning, Reason::AdmissionOverride, "is set otherwise by"),
        (Class::Lost, Action::Yielded | Action::Adopted) => {
            (Severity::Normal, Reason::OwnershipLost, "is left as it was left by")
        }
        (Class::Lost, Action::Forced | Action::Resolved) => {
            (Severity::Warning, Reason::OwnershipLost, "taken back after a change by")
        }
        (_, Action::Forced) => (Severity::Warning, Reason::FieldForced, "taken from"),
        (_, Action::Yielded) => (Severity::Normal, Reason::FieldYielded, "left to"),
        (_, Action::Adopted) => (Severity::Normal, Reason::FieldAdopted, "shared, at its value, with"),
        (_, Action::Resolved | Action::Retrying | Action::HandedOff | Action::Failed) => return None,
    };
    let note = format!("{object} {path} {done} {} ({class} conflict, {rule})", manager.name);
    Some((severity, reason, note))
}

/// One event for all fields that came from earlier tools.
fn migration(object: &ObjectReference, migrated: &[&ContestedField]) -> Option<Notice> {
    let first = migrated.first()?;
    let names: BTreeSet<&str> = migrated.iter().map(|field| field.manager.name.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let note = format!(
        "{object}: fields of {} are the release's now: {} of them, the first {} ({} conflict, {})",
        names.join(", "),
        migrated.len(),
        first.field,
        first.class,
        first.rule
    );
    Some((Severity::Normal, Reason::FieldsMigrated, note))
}

/// An event for an object that was deleted and created again.
fn recreation(applied: &Applied) -> Option<Notice> {
    let is_recreated = applied.operation == Operation::Recreated;
    let note = || {
        let object = &applied.reference;
        format!("{object} was deleted and created again, because a field of it cannot be changed")
    };
    is_recreated.then(|| (Severity::Warning, Reason::ObjectRecreated, note()))
}

/// One event for all fields that are kept as they are until their next owner, an autoscaler for example, writes them.
fn hand_over(applied: &Applied) -> Option<Notice> {
    let fields: Vec<String> = applied.handed_over.iter().map(ToString::to_string).collect();
    let note = format!(
        "{}: what the chart no longer sets is kept for its next owner: {}",
        applied.reference,
        fields.join(", ")
    );
    (!fields.is_empty()).then_some((Severity::Normal, Reason::FieldHandedOver, note))
}

/// One event for all fields that were left out because no schema has them.
fn left_out(applied: &Applied) -> Option<Notice> {
    let (object, fields) = (&applied.reference, &applied.undeclared);
    let note = || {
        let named = first_few(fields, fields.len(), TOLD, ", ");
        format!("{object} is applied without what its kind has no field for: {named}")
    };
    (!fields.is_empty()).then(|| (Severity::Warning, Reason::FieldsLeftOut, note()))
}

/// Adds what was taken to the heat of its fields, and tells of the fights that begin with it.
pub(super) fn fights(
    context: &Context,
    recorded: &Recorded,
    memory: &mut ReleaseMemory,
    applied: &Applied,
    fights: &Fights,
) {
    let Fights { threshold, then } = fights;
    let (object, contested) = (&applied.reference, &applied.contested);
    for fight in memory.fights.observe(object, contested, *threshold, Timestamp::now()) {
        let labels = release_labels(recorded.release());
        context.shared.metrics.fight(&labels);
        let about = recorded.release().object_ref(&());
        let note = format!("{fight}; until the fight is over, fights.then decides: {then:?}");
        context
            .shared
            .events
            .publish(about, Severity::Warning, Reason::FieldFight, "reconcile", &note);
    }
}
