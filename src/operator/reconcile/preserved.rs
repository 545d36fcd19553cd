//! The values of the deployed revision, which `upgrade.preserveValues` keeps below those of the spec.
//!
//! Edge. They stand in the revision's record, which is read once; which revision is deployed is known without a request. As with Helm,
//! what the user had set is merged below what he sets now, and the values of the old chart take the place of the new chart's.

use std::sync::Arc;

use crate::api::HelmRelease;
use crate::chart::JsonMap;
use crate::chart::values::merge_maps;
use crate::cluster::storage::{Kept, StorageError};
use crate::operator::context::Context;
use crate::operator::memory::ReleaseMemory;
use crate::operator::records::NotListed;
use crate::release::Status;
use crate::render::Program;

/// Why what is deployed cannot be made out.
#[derive(Debug, thiserror::Error)]
pub enum PreserveError {
    /// The records are not listed yet.
    #[error(transparent)]
    NotListed(#[from] NotListed),
    /// The record of the deployed revision could not be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl PreserveError {
    /// Whether it may pass.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::NotListed(_) => true,
            Self::Storage(error) => error.is_retryable(),
        }
    }
}

/// What a rendering is made from when values are preserved.
#[derive(Debug)]
pub(super) struct Preserved {
    /// The chart, with the values of the deployed one.
    pub(super) program: Arc<Program>,
    /// What the user sets, over what he had set.
    pub(super) values: JsonMap,
    /// What he had set.
    pub(super) before: JsonMap,
}

/// The values of a deployed revision.
#[derive(Debug)]
pub struct DeployedValues {
    /// The revision, and the version of the object that holds its record.
    record: (u32, String),
    /// What the user had set.
    config: JsonMap,
    /// What its chart had.
    chart: JsonMap,
    /// The chart of the last reconcile, and what became of it with these values.
    program: Option<(Arc<Program>, Arc<Program>)>,
}

/// Puts the values of the deployed revision below those of the spec, where the spec says so and there is one.
///
/// # Errors
/// When its record cannot be read.
pub(super) async fn below(
    context: &Context,
    release: &HelmRelease,
    memory: &mut ReleaseMemory,
    program: Arc<Program>,
    values: JsonMap,
) -> Result<Preserved, PreserveError> {
    let found = deployed(context, release, memory).await?;
    memory.deployed_values = found;
    let Some(deployed) = &mut memory.deployed_values else {
        return Ok(Preserved {
            program,
            values,
            before: JsonMap::new(),
        });
    };
    let made = match deployed.program.take() {
        Some((of, made)) if Arc::ptr_eq(&of, &program) => made,
        Some(_) | None => Arc::new(Program::new(Arc::new(
            program.chart().with_values(deployed.chart.clone()),
        ))),
    };
    deployed.program = Some((program, made.clone()));
    Ok(Preserved {
        program: made,
        values: merge_maps(deployed.config.clone(), values),
        before: deployed.config.clone(),
    })
}

/// The values of the deployed revision: those that are remembered, if they are still its.
async fn deployed(
    context: &Context,
    release: &HelmRelease,
    memory: &mut ReleaseMemory,
) -> Result<Option<DeployedValues>, PreserveError> {
    if !release.spec.preserves_values() {
        return Ok(None);
    }
    let stored = context.target.records.of(release).await?;
    let mut newest_first = stored.into_iter().rev();
    let Some((revision, record)) = newest_first.find(|(_, record)| record.status == Status::Deployed) else {
        return Ok(None);
    };
    let record = (revision, record.resource_version);
    if let Some(known) = memory.deployed_values.take_if(|known| known.record == record) {
        return Ok(Some(known));
    }
    let storage = super::records::storage_at(context, release.storage_namespace(), &release.release_name());
    let kept = storage.read(revision).await?;
    Ok(kept.map(|Kept { document, .. }| DeployedValues {
        record,
        config: document.config(),
        chart: document.chart_values(),
        program: None,
    }))
}
