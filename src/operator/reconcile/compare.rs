//! The second half of observing: what must be applied, and why.
//!
//! Edge only in that it may ask for the metadata of objects that the watches do not know yet.

use futures::{StreamExt, TryStreamExt, stream};

use crate::cluster::calls::CallError;
use crate::operator::children::Known;
use crate::operator::context::Context;
use crate::ownership::ledger::{Ledger, ObjectRecord};
use crate::ownership::reference::ObjectReference;
use crate::plan::decide::Change;

use super::render::DesiredObject;

/// For each desired object, in order, why it must be applied; `None` when it need not.
pub async fn changes(
    context: &Context,
    desired: &[DesiredObject],
    ledger: &Ledger,
    policy: &str,
) -> Result<Vec<Option<Change>>, CallError> {
    // The futures are made before they are polled: a closure inside the stream would not be general enough to be sent
    // between threads (rust-lang/rust#102211).
    let looks: Vec<_> = desired
        .iter()
        .map(|object| async move {
            let Some(record) = ledger.get(object.intent.reference()) else {
                return Ok(Some(Change::New));
            };
            let live = match context.target.children.get(object.intent.reference()) {
                Known::Unknown => ask(context, object).await?,
                known => known,
            };
            Ok(change(record, object.intent.hash(), policy, &live))
        })
        .collect();
    stream::iter(looks)
        .buffered(context.shared.settings.parallel_writes.get())
        .try_collect()
        .await
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

fn change(record: &ObjectRecord, intent: &str, policy: &str, live: &Known) -> Option<Change> {
    let live = match live {
        Known::Present(live) => live,
        // What is not known is taken for changed: applying what is there already writes nothing.
        Known::Absent | Known::Unknown => return Some(Change::Missing),
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
