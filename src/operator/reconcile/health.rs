//! The look at what became of the objects of a revision: their health, read only where it may have changed.
//!
//! Edge. What health means is `crate::health`; what follows from it is `plan::settle`.

use futures::{StreamExt, TryStreamExt, stream};

use super::render::Rendering;
use crate::cluster::calls::CallError;
use crate::cluster::discovery::DiscoveryError;
use crate::cluster::observe::is_older;
use crate::health::rules::{self, HealthRules};
use crate::health::{Health, State};
use crate::operator::children::Known;
use crate::operator::context::Context;
use crate::operator::memory::ReleaseMemory;
use crate::ownership::reference::ObjectReference;

/// Why the health of objects could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// A call failed.
    #[error("{object}: {source}")]
    Call {
        /// The object.
        object: ObjectReference,
        /// Why.
        source: CallError,
    },
    /// Its kind cannot be looked up.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
}

/// When objects were written last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// In this reconcile: the answers to the writes say how the objects are.
    Now,
    /// Before.
    Before,
}

/// From now on objects are judged by these rules.
pub fn judge_by(memory: &mut ReleaseMemory, rules: HealthRules) {
    if memory.health_rules != rules {
        memory.health.clear();
        memory.health_rules = rules;
    }
}

/// The health of all objects of the release. Objects that were ready at the version that the watches have are not read.
pub async fn health(
    context: &Context,
    memory: &mut ReleaseMemory,
    rendering: &Rendering,
    written: Written,
) -> Result<Vec<(ObjectReference, Health)>, HealthError> {
    let (known, health_rules) = (&memory.health, &memory.health_rules);
    let looks: Vec<_> = rendering
        .objects
        .iter()
        .map(|object| async move {
            let reference = object.intent.reference();
            if let Some((version, health)) = known.get(reference)
                && is_current(context, reference, version, health, written)
            {
                return Ok::<_, HealthError>((reference.clone(), version.clone(), health.clone()));
            }
            if health_rules.are_plain_for(reference)
                && let Some((version, health)) = context.target.children.health(reference)
                && known.get(reference).is_none_or(|(known, _)| !is_older(&version, known))
            {
                return Ok((reference.clone(), version, health));
            }
            let resource = context
                .target
                .kinds
                .resolve(&reference.api_version, &reference.kind)
                .await?;
            let live = context
                .target
                .calls
                .get(&resource, reference.namespace.as_deref(), &reference.name)
                .await
                .map_err(|source| HealthError::Call {
                    object: reference.clone(),
                    source,
                })?;
            let version = live
                .as_ref()
                .and_then(|live| live.pointer("/metadata/resourceVersion")?.as_str());
            let health = match &live {
                Some(live) => health_rules.judge(live),
                None => rules::absent(object.intent.body()),
            };
            Ok((reference.clone(), version.unwrap_or_default().to_owned(), health))
        })
        .collect();
    let looked: Vec<(ObjectReference, String, Health)> = stream::iter(looks)
        .buffered(context.shared.settings.parallel_writes.get())
        .try_collect()
        .await?;
    memory.health = looked
        .iter()
        .cloned()
        .map(|(reference, version, health)| (reference, (version, health)))
        .collect();
    Ok(looked
        .into_iter()
        .map(|(reference, _, health)| (reference, health))
        .collect())
}

/// Whether what is remembered of an object's health still holds.
fn is_current(
    context: &Context,
    reference: &ObjectReference,
    version: &str,
    health: &Health,
    written: Written,
) -> bool {
    match context.target.children.get(reference) {
        Known::Present(live) => live.resource_version == version,
        // The watch does not know it yet: what was ready stays so, what was not is looked at again.
        Known::Absent | Known::Unknown => written == Written::Now || health.state == State::Current,
    }
}
