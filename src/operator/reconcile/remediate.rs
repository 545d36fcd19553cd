//! What undoes a failed action: restoring an earlier revision, or uninstalling.
//!
//! Edge. Whether and how a failure is undone is decided in `plan::course` and `plan::remedy`. A restored revision is applied as a
//! chart's is, through the same conflict policy, from the manifest in its release record.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use tracing::{info, warn};

use super::attempt::Desired;
use super::inputs;
use super::record::{self, Recorded};
use super::records::{self, Draft, DraftSource};
use super::render::{RenderStepError, Rendering};
use super::{Done, Next, ReconcileError, execute, uninstall};
use crate::api::conditions::Reason;
use crate::api::helm_release::actions::HelmAction;
use crate::api::helm_release::history::Snapshot;
use crate::cluster::storage::StorageError;
use crate::operator::context::Context;
use crate::operator::memory::ReleaseMemory;
use crate::ownership::ledger::Ledger;
use crate::plan::course::{Removal, rollback_target};
use crate::plan::hooks::Hook;
use crate::plan::outcome::{self, Outcome};
use crate::plan::remedy::{self, Aftermath, Attempted};
use crate::plan::revision::{Identity, PostRenderingDigests};
use crate::release::{Document, RecordError};

/// Why an earlier revision cannot be restored.
#[derive(Debug, thiserror::Error)]
pub(super) enum RestoreError {
    /// Its record could not be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Its record is gone.
    #[error("the record of revision {0}, which is to be restored, is gone")]
    Gone(u32),
    /// What stands in its record is no manifest.
    #[error("revision {revision} cannot be restored: {problem}")]
    Record {
        /// The revision.
        revision: u32,
        /// Why.
        problem: RecordError,
    },
    /// Its objects cannot be applied any more.
    #[error(transparent)]
    Objects(#[from] RenderStepError),
}

impl RestoreError {
    /// The reason in `Ready`, when it is restored by a rollback or, while an upgrade is held back, kept as the revision that it is.
    pub(super) fn reason(&self, action: HelmAction) -> Reason {
        match self {
            Self::Storage(_) | Self::Gone(_) | Self::Record { .. } => match action {
                HelmAction::Rollback => Reason::RollbackFailed,
                HelmAction::Install | HelmAction::Upgrade => Reason::StateError,
            },
            Self::Objects(error) => error.reason(),
        }
    }

    /// Whether it may pass without a change of the spec. A record that is gone is no target any more when it is looked again.
    pub(super) fn is_retryable(&self) -> bool {
        match self {
            Self::Storage(_) | Self::Gone(_) => true,
            Self::Record { .. } => false,
            Self::Objects(error) => error.is_retryable(),
        }
    }
}

/// What a rollback restores: the record of `source`, as revision `number`. A revision that is kept is its own source.
pub(super) async fn restored(
    context: &Context,
    recorded: &Recorded,
    memory: &mut ReleaseMemory,
    source: u32,
    number: u32,
) -> Result<Arc<Rendering>, RestoreError> {
    let release = recorded.release();
    let known = memory.rendering.as_ref();
    if let Some(rendering) = known.filter(|rendering| rendering.is_restored_by(release, number)) {
        return Ok(rendering.clone());
    }
    let storage = records::storage(context, recorded, &release.release_name());
    let Some(kept) = storage.read(source).await? else {
        return Err(RestoreError::Gone(source));
    };
    let document = kept.document;
    let manifests = document.objects().map_err(|problem| RestoreError::Record {
        revision: source,
        problem,
    })?;
    let hooks = document.hooks().iter().filter_map(Hook::recorded).collect();
    let identity = identity_of(&document, source, recorded);
    let rendering = Rendering::restored(context, release, identity, number, (&manifests, hooks)).await?;
    let rendering = Arc::new(rendering);
    memory.draft = (source != number).then(|| Draft {
        revision: number,
        source: DraftSource::Record(document),
    });
    memory.rendering = Some(rendering.clone());
    Ok(rendering)
}

fn identity_of(document: &Document, revision: u32, recorded: &Recorded) -> Identity {
    let release = recorded.release();
    let history = &recorded.status().history;
    let snapshot = history.iter().find(|snapshot| snapshot.version == revision);
    Identity {
        release_name: release.release_name(),
        namespace: release.target_namespace().to_owned(),
        chart_name: document.metadata("name").to_owned(),
        chart_version: document.metadata("version").to_owned(),
        app_version: Some(document.metadata("appVersion").to_owned()).filter(|version| !version.is_empty()),
        chart_digest: String::new(), // a record does not have the chart's archive
        oci_digest: snapshot.and_then(|snapshot| snapshot.oci_digest.clone()),
        config_digest: inputs::digest(&document.config()),
        post_rendering: snapshot.map(PostRenderingDigests::recorded).unwrap_or_default(),
    }
}

/// Ends a reconcile of a release that is as it was restored.
pub(super) fn rolled_back(context: &Context, recorded: &Recorded, desired: &Desired) -> Done {
    let identity = desired.rendering.identity();
    let Identity {
        release_name,
        namespace,
        chart_name,
        chart_version,
        ..
    } = identity;
    let newest = recorded.status().history.first();
    let stored = context
        .target
        .records
        .known(recorded.release().storage_namespace(), release_name);
    let source = rollback_target(&stored, &recorded.status().history);
    let source = source.or(newest.map(|newest| newest.version)).unwrap_or_default();
    let Attempted {
        action,
        on_failure,
        failures,
    } = attempted(recorded);
    Done {
        outcome: Outcome::RolledBack {
            source: format!("{namespace}/{release_name}.v{source}"),
            chart: format!("{chart_name}@{chart_version}"),
            aftermath: remedy::undone(on_failure, action, failures),
        },
        next: Next::At(desired.until.unwrap_or_else(Timestamp::now)),
    }
}

fn attempted(recorded: &Recorded) -> Attempted {
    Attempted::of(&recorded.release().spec, recorded.status())
}

/// What follows on an action that fails now.
pub(super) fn aftermath(context: &Context, recorded: &Recorded, action: HelmAction, wrote: bool) -> Aftermath {
    if action.of_chart().is_none() {
        return Aftermath::Retried;
    }
    let release = recorded.release();
    let stored = context
        .target
        .records
        .known(release.storage_namespace(), &release.release_name());
    let has_target = rollback_target(&stored, &recorded.status().history).is_some();
    remedy::aftermath(attempted(recorded), wrote, has_target)
}

/// What follows on a correction that fails now. It is no action: nothing is undone because of it.
pub(super) fn aftermath_of_correction(action: HelmAction) -> Aftermath {
    match action {
        HelmAction::Install | HelmAction::Upgrade => Aftermath::Uncounted,
        HelmAction::Rollback => Aftermath::Retried,
    }
}

/// What follows on a test of the chart that fails now.
pub(super) fn aftermath_of_test(context: &Context, recorded: &Recorded, action: HelmAction) -> Aftermath {
    if attempted(recorded).on_failure.ignores_tests() {
        return Aftermath::Uncounted;
    }
    aftermath(context, recorded, action, true)
}

/// When a release is looked at again after an action of which this follows.
pub(super) fn next(aftermath: Aftermath) -> Next {
    match aftermath {
        Aftermath::Undone => Next::After(Duration::ZERO),
        Aftermath::Uncounted | Aftermath::Retried | Aftermath::Stalled(_) => Next::Backoff,
    }
}

/// Deletes what a failed upgrade or rollback created, where the spec says so. What an operator created that died meanwhile stays in the
/// inventory, and goes when it is not desired any more.
pub(super) async fn clean_up(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    desired: &Desired,
    outcome: &Outcome,
) {
    let spec = &recorded.release().spec;
    let is_asked_for = match desired.revision.action {
        HelmAction::Install => false,
        HelmAction::Upgrade => spec.upgrade.as_ref().is_some_and(|upgrade| upgrade.cleanup_on_fail),
        HelmAction::Rollback => spec.rollback.as_ref().is_some_and(|rollback| rollback.cleanup_on_fail),
    };
    let has_failed = matches!(
        outcome,
        Outcome::Failed { aftermath, .. } | Outcome::Conflicted { aftermath, .. } if *aftermath != Aftermath::Uncounted
    );
    if !is_asked_for || !has_failed {
        return;
    }
    let created = std::mem::take(&mut memory.created);
    if let Err(error) = execute::removed(context, recorded, memory, &desired.inputs, &created).await {
        warn!(%error, "what the failed action created stays for now");
    }
}

/// Uninstalls a release as far as possible now, because its last action failed or because it moves.
pub(super) async fn remove(
    context: &Context,
    recorded: &mut Recorded,
    memory: &mut ReleaseMemory,
    why: Removal,
) -> Result<Done, ReconcileError> {
    // Said before anything is deleted, so that it is gone on with whatever happens meanwhile.
    record::begin(context, recorded, memory, &uninstall::begins(why)).await?;
    if let Some(outcome) = uninstall::clear(context, recorded, memory, why).await? {
        let has_failed = matches!(outcome, Outcome::UninstallFailed { .. });
        let next = if has_failed {
            Next::Backoff
        } else {
            Next::After(uninstall::POLL)
        };
        return Ok(Done { outcome, next });
    }
    if let Err(error) = records::end(context, recorded).await {
        warn!(%error, "the release's records stay for now");
        let message = error.to_string();
        return Ok(Done {
            outcome: Outcome::UninstallFailed { why, message },
            next: Next::Backoff,
        });
    }
    info!(?why, "uninstalled");
    memory.rendering = None;
    memory.draft = None;
    memory.health.clear();
    memory.ledger = Some(Ledger::default());
    let at_once = Next::After(Duration::ZERO);
    let Attempted {
        action,
        on_failure,
        failures,
    } = attempted(recorded);
    let outcome = match why {
        Removal::Remediation | Removal::Deletion => Outcome::Removed {
            aftermath: remedy::undone(on_failure, action, failures),
        },
        Removal::Move => {
            let from = recorded.status().history.first().map(Snapshot::full_name);
            outcome::moved(recorded.status_mut());
            Outcome::Progressing {
                action: HelmAction::Install,
                progress: format!("uninstalled {} and installs anew", from.unwrap_or_default()),
            }
        }
    };
    Ok(Done { outcome, next: at_once })
}
