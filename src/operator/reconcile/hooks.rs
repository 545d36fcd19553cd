//! Runs the hooks of an event, as far as possible now: what runs is looked at again when a watch says that it changed.
//!
//! Edge. Which hook is next, and what became of one, is decided in `plan::hooks`. A hook is no object of the release: it is created,
//! not applied, and it stays unless its delete policy says otherwise.

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::hook_logs;
use super::record::Recorded;
use super::render::label;
use crate::api::helm_release::actions::DeletionPropagation;
use crate::api::names;
use crate::cluster::calls::CallError;
use crate::cluster::discovery::{DiscoveryError, Resource};
use crate::operator::context::Context;
use crate::ownership::conflict::Rejection;
use crate::ownership::intent::{Intent, IntentError};
use crate::ownership::reference::ObjectReference;
use crate::plan::hooks::{
    Change, DeletePolicy, Hook, OutputPolicy, Runs, Step, Verdict, next, note, of_event, runs_of, runs_of_mut, verdict,
};
use crate::render::HookEvent;

/// Helm's annotation that makes an object a hook.
const HOOK_ANNOTATION: &str = "helm.sh/hook";

/// Why a hook could not be run.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// It is no object.
    #[error("hook: {0}")]
    Manifest(#[from] IntentError),
    /// Its kind cannot be looked up.
    #[error("hook {object}: {source}")]
    Discovery {
        /// Its object.
        object: ObjectReference,
        /// Why.
        source: DiscoveryError,
    },
    /// A call failed.
    #[error("hook {object}: {source}")]
    Call {
        /// Its object.
        object: ObjectReference,
        /// Why.
        source: CallError,
    },
    /// An object of this name is there, and must not be deleted for the hook.
    #[error("hook {object}: an object of this name is there already; {way_out}")]
    Exists {
        /// Its object.
        object: ObjectReference,
        /// What a person can do.
        way_out: &'static str,
    },
}

impl HookError {
    /// Whether trying again can help without a change of the chart.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Manifest(_) => false,
            Self::Call {
                source: CallError::Refused(status),
                ..
            } => Rejection::of(status).is_retryable(),
            Self::Discovery { .. } | Self::Call { .. } | Self::Exists { .. } => true,
        }
    }
}

impl HookError {
    /// Whether the hook could not be created because its namespace is being deleted.
    pub fn is_in_ending_namespace(&self) -> bool {
        match self {
            Self::Call {
                source: CallError::Refused(status),
                ..
            } => status.causes.iter().any(|cause| cause.reason == "NamespaceTerminating"),
            Self::Manifest(_) | Self::Discovery { .. } | Self::Call { .. } | Self::Exists { .. } => false,
        }
    }
}

/// How far the hooks of an event are.
#[derive(Debug)]
pub enum Progress {
    /// All have succeeded.
    Done,
    /// One is awaited.
    Waiting {
        /// What for.
        progress: String,
        /// When its time is up.
        deadline: Timestamp,
    },
    /// One failed.
    Failed {
        /// Which and why.
        message: String,
    },
}

/// What is run, and for which attempt.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// All hooks of the revision.
    pub hooks: &'a [Hook],
    /// The event.
    pub event: HookEvent,
    /// How long each may take.
    pub timeout: std::time::Duration,
}

/// Whether there is anything left to run of an event.
pub fn is_due(recorded: &Recorded, event: Event<'_>) -> bool {
    let Event { hooks, event, .. } = event;
    let found = of_event(hooks, event);
    next(&found, event, runs(recorded, event), Timestamp::now()) != Step::Done
}

/// Whether a hook of an event is running.
pub fn is_running(recorded: &Recorded, event: Event<'_>) -> bool {
    let Event { hooks, event, .. } = event;
    let found = of_event(hooks, event);
    matches!(
        next(&found, event, runs(recorded, event), Timestamp::now()),
        Step::Look { .. }
    )
}

/// What was run of an event for the newest revision.
pub fn runs(recorded: &Recorded, event: HookEvent) -> &Runs {
    static NONE: Runs = Runs::new();
    recorded
        .status()
        .history
        .first()
        .map_or(&NONE, |newest| runs_of(newest, event))
}

/// Runs the hooks of an event as far as they go now. What was run stands in the newest snapshot afterwards.
///
/// # Errors
/// When a hook could not be started or looked at. It is tried again by the next attempt.
pub async fn run(context: &Context, recorded: &mut Recorded, event: Event<'_>) -> Result<Progress, HookError> {
    let newest = recorded.status_mut().history.first_mut();
    let mut runs = newest
        .map(|newest| std::mem::take(runs_of_mut(newest, event.event)))
        .unwrap_or_default();
    let progress = advance(context, recorded, event, &mut runs).await;
    if let Some(newest) = recorded.status_mut().history.first_mut() {
        *runs_of_mut(newest, event.event) = runs;
    }
    progress
}

async fn advance(
    context: &Context,
    recorded: &Recorded,
    event: Event<'_>,
    runs: &mut Runs,
) -> Result<Progress, HookError> {
    let Event { hooks, event, timeout } = event;
    let found = of_event(hooks, event);
    loop {
        let now = Timestamp::now();
        let step = next(&found, event, runs, now);
        let (hook, since) = match step {
            Step::Done => return Ok(Progress::Done),
            Step::Look { hook, since } => (hook, since),
            Step::Start(hook) => {
                let placed = place(context, recorded, hook).await?;
                match start(context, recorded, &placed, hook, event).await? {
                    Started::Yes => {
                        note(runs, hook, event, Change::Started, now);
                        (hook, now)
                    }
                    Started::Waits(progress) => {
                        let deadline = now.checked_add(WAIT).unwrap_or(Timestamp::MAX);
                        return Ok(Progress::Waiting { progress, deadline });
                    }
                }
            }
        };
        let placed = place(context, recorded, hook).await?;
        context.target.children.watch(&placed.resource.api);
        let live = placed.read(context).await?;
        match verdict(hook, event, live.as_ref(), since, timeout, now) {
            Verdict::Succeeded => {
                let reference = placed.intent.reference();
                hook_logs::tell(context, recorded.release(), hook, reference, OutputPolicy::Succeeded).await;
                note(runs, hook, event, Change::Succeeded, now);
            }
            Verdict::Running { progress, deadline } => return Ok(Progress::Waiting { progress, deadline }),
            Verdict::Failed { message } => {
                note(runs, hook, event, Change::Failed, now);
                let reference = placed.intent.reference();
                hook_logs::tell(context, recorded.release(), hook, reference, OutputPolicy::Failed).await;
                if hook.is_deleted(DeletePolicy::Failed) {
                    placed.delete(context).await?;
                }
                return Ok(Progress::Failed { message });
            }
        }
    }
}

/// How long it is waited until what is there of an earlier run is gone, before it is looked at again.
const WAIT: std::time::Duration = std::time::Duration::from_secs(2);

/// Deletes what the hooks of an event leave behind when all have succeeded, where their policy says so. That they have succeeded must
/// have been recorded before.
///
/// # Errors
/// When a call fails.
pub async fn tidy(context: &Context, recorded: &Recorded, event: Event<'_>) -> Result<(), HookError> {
    let found = of_event(event.hooks, event.event);
    let leaving = found
        .into_iter()
        .rev()
        .filter(|hook| hook.is_deleted(DeletePolicy::Succeeded));
    for hook in leaving {
        place(context, recorded, hook).await?.delete(context).await?;
    }
    Ok(())
}

/// Whether [`tidy`] has anything to do.
pub fn leaves_something(event: Event<'_>) -> bool {
    of_event(event.hooks, event.event)
        .iter()
        .any(|hook| hook.is_deleted(DeletePolicy::Succeeded))
}

/// A hook's object and where it belongs.
struct Placed {
    intent: Intent,
    resource: Resource,
}

async fn place(context: &Context, recorded: &Recorded, hook: &Hook) -> Result<Placed, HookError> {
    let release = recorded.release();
    let mut object = hook.object.clone();
    label(&mut object, release.own_namespace(), release.own_name());
    let intent = Intent::new(object, None)?;
    let reference = intent.reference();
    let resource = context
        .target
        .kinds
        .resolve(&reference.api_version, &reference.kind)
        .await;
    let resource = resource.map_err(|source| HookError::Discovery {
        object: reference.clone(),
        source,
    })?;
    let own = intent.reference().namespace.clone();
    let newest = recorded.status().history.first();
    let released_to = || newest.map_or_else(|| release.target_namespace(), |newest| &newest.namespace);
    let namespace = own.unwrap_or_else(|| released_to().to_owned());
    let namespace = resource.namespaced.then_some(namespace);
    Ok(Placed {
        intent: intent.in_namespace(namespace.as_deref()),
        resource,
    })
}

impl Placed {
    fn failed(&self, source: CallError) -> HookError {
        HookError::Call {
            object: self.intent.reference().clone(),
            source,
        }
    }

    async fn read(&self, context: &Context) -> Result<Option<Value>, HookError> {
        let reference = self.intent.reference();
        let live = context
            .target
            .calls
            .get(&self.resource, reference.namespace.as_deref(), &reference.name);
        live.await.map_err(|source| self.failed(source))
    }

    /// Deletes the object, if it is there.
    async fn delete(&self, context: &Context) -> Result<(), HookError> {
        let reference = self.intent.reference();
        let Some(live) = self.read(context).await? else {
            return Ok(());
        };
        let uid = live
            .pointer("/metadata/uid")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let namespace = reference.namespace.as_deref();
        match context
            .target
            .calls
            .delete(
                &self.resource,
                namespace,
                &reference.name,
                uid,
                DeletionPropagation::Background,
            )
            .await
        {
            Ok(()) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(source) => Err(self.failed(source)),
        }
    }
}

/// Whether a hook was started.
enum Started {
    /// It is there.
    Yes,
    /// Something is in its way.
    Waits(String),
}

async fn start(
    context: &Context,
    recorded: &Recorded,
    placed: &Placed,
    hook: &Hook,
    event: HookEvent,
) -> Result<Started, HookError> {
    let reference = placed.intent.reference();
    let run = run_of(recorded, event);
    if let Some(live) = placed.read(context).await? {
        let annotation = |name: &str| {
            live.pointer("/metadata/annotations")
                .and_then(|all| all.get(name)?.as_str())
        };
        if annotation(names::ANNOTATION_HOOK_RUN) == Some(run.as_str()) {
            // It was started, and the operator ended before it could say so.
            return Ok(Started::Yes);
        }
        let exists = |way_out| HookError::Exists {
            object: reference.clone(),
            way_out,
        };
        if annotation(HOOK_ANNOTATION).is_none() {
            return Err(exists("it is no hook: delete it, or give the hook another name"));
        }
        if !hook.is_deleted(DeletePolicy::BeforeCreation) {
            return Err(exists(
                "delete it, or add before-hook-creation to the hook's delete policy",
            ));
        }
        context.target.children.watch(&placed.resource.api);
        placed.delete(context).await?;
        if placed.read(context).await?.is_some() {
            return Ok(Started::Waits(format!(
                "waiting until {reference} of an earlier run is gone"
            )));
        }
    }
    let mut body = placed.intent.body().clone();
    if let Some(Value::Object(metadata)) = body.get_mut("metadata") {
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        annotations[names::ANNOTATION_HOOK_RUN] = Value::String(run);
    }
    let manager = recorded.release().field_manager();
    let namespace = reference.namespace.as_deref();
    let created = context
        .target
        .calls
        .create(&placed.resource, namespace, &body, &manager)
        .await;
    created.map_err(|source| placed.failed(source))?;
    Ok(Started::Yes)
}

/// What tells the objects of this attempt from those of others, and those of one event from those of the others that the same hook is run
/// at. The count of failures may begin anew, when the spec changes or a person asks for it.
fn run_of(recorded: &Recorded, event: HookEvent) -> String {
    let status = recorded.status();
    let uid = recorded.release().metadata.uid.as_deref().unwrap_or_default();
    let newest = status.history.first();
    let (revision, began) = newest.map_or((0, 0), |newest| (newest.version, newest.last_deployed.0.as_second()));
    let generation = status.last_attempted_generation.unwrap_or_default();
    let reset = status.last_handled_reset_at.as_deref().unwrap_or_default();
    let (event, failures) = (event.name(), status.failures);
    format!("{uid}/{revision}/{began}/{generation}/{reset}/{failures}/{event}")
}
