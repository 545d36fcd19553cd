//! The second half of observing: what must be applied, and why.
//!
//! Edge only in that it may ask for the metadata of objects that the watches do not know yet.

use futures::{StreamExt, TryStreamExt, stream};

use crate::cluster::calls::CallError;
use crate::health::rules::goes_by_itself;
use crate::operator::children::Known;
use crate::operator::context::Context;
use crate::ownership::ledger::{Ledger, ObjectRecord};
use crate::ownership::reference::ObjectReference;
use crate::plan::decide::Change;
use crate::plan::drift::{DriftRules, FollowUp};
use crate::plan::revision::Phase;

use super::render::DesiredObject;

/// What objects are compared with.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The policy's fingerprint.
    pub policy: &'a str,
    /// Where the revision stands.
    pub phase: Option<Phase>,
    /// How drift is looked for.
    pub drift: &'a DriftRules,
}

/// What was noticed of the desired objects.
#[derive(Debug)]
pub struct Noticed {
    /// For each, in order, why it must be applied; `None` when it need not.
    pub changes: Vec<Option<Change>>,
    /// Those, as indices, whose drift is only to be reported.
    pub reported: Vec<usize>,
}

/// Compares the desired objects with what is known of the live ones.
pub async fn changes(
    context: &Context,
    desired: &[DesiredObject],
    ledger: &Ledger,
    look: Look<'_>,
) -> Result<Noticed, CallError> {
    // The futures are made before they are polled: a closure inside the stream would not be general enough to be sent
    // between threads (rust-lang/rust#102211).
    let looks: Vec<_> = desired
        .iter()
        .map(|object| async move {
            let Some(record) = ledger.get(object.intent.reference()) else {
                return Ok((Some(Change::New), FollowUp::Apply));
            };
            let live = match context.target.children.get(object.intent.reference()) {
                Known::Unknown => ask(context, object).await?,
                known => known,
            };
            let change = change(record, object, look, &live);
            Ok((
                change,
                change.map_or(FollowUp::Nothing, |change| follow(change, object, look, &live)),
            ))
        })
        .collect();
    let found: Vec<(Option<Change>, FollowUp)> = stream::iter(looks)
        .buffered(context.shared.settings.parallel_writes.get())
        .try_collect()
        .await?;
    let is_reported =
        |(index, (_, follow_up)): (usize, &(_, FollowUp))| (*follow_up == FollowUp::Report).then_some(index);
    Ok(Noticed {
        reported: found.iter().enumerate().filter_map(is_reported).collect(),
        changes: found
            .into_iter()
            .map(|(change, follow_up)| change.filter(|_| follow_up == FollowUp::Apply))
            .collect(),
    })
}

/// What follows on a change. Drift there is only of a release that is deployed.
fn follow(change: Change, object: &DesiredObject, look: Look<'_>, live: &Known) -> FollowUp {
    if look.phase != Some(Phase::Deployed) {
        return FollowUp::Apply;
    }
    let is_left_alone = matches!(live, Known::Present(live) if live.left_alone);
    look.drift.follow(change, object.intent.body(), is_left_alone)
}

async fn ask(context: &Context, object: &DesiredObject) -> Result<Known, CallError> {
    let ObjectReference {
        api_version: _,
        kind: _,
        namespace,
        name,
    } = object.intent.reference();
    let live = context
        .target
        .calls
        .metadata(&object.resource, namespace.as_deref(), name)
        .await?;
    Ok(live.map_or(Known::Absent, Known::Present))
}

fn change(record: &ObjectRecord, object: &DesiredObject, look: Look<'_>, live: &Known) -> Option<Change> {
    let (intent, policy) = (object.intent.hash(), look.policy);
    let live = match live {
        Known::Present(live) => live,
        // What is not known is taken for changed: applying what is there already writes nothing.
        Known::Absent | Known::Unknown => {
            let has_gone_by_itself = look.phase.is_some() && goes_by_itself(object.intent.body());
            let is_done = has_gone_by_itself && record.intent_hash == intent;
            return (!is_done).then_some(Change::Missing);
        }
    };
    if live.uid != record.uid {
        Some(Change::Replaced)
    } else if record.intent_hash != intent || record.policy.as_deref().is_some_and(|decided| decided != policy) {
        Some(Change::Intent)
    } else if live.resource_version == record.resource_version || live.fingerprint == record.fingerprint {
        None
    } else {
        Some(Change::Live)
    }
}
