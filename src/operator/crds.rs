//! What must be there before a release's objects: the CRDs of the chart's `crds/` folders, and the target namespace.
//!
//! Edge. As Helm, it never deletes them.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Resource as _;
use kube::api::Api;
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};

use super::context::Context;
use super::reconcile::render::Rendering;
use crate::api::conditions::Reason;
use crate::api::helm_release::actions::CrdsPolicy;
use crate::api::helm_release::actions::HelmAction;
use crate::api::listing::first_few;
use crate::api::{HelmRelease, names};
use crate::cluster::calls::{ApplyOptions, CallError};
use crate::cluster::discovery::{DiscoveryError, Resource};
use crate::ownership::conflict::Rejection;
use crate::ownership::intent::{Intent, IntentError};
use crate::ownership::reference::ObjectReference;
use crate::ownership::shadow::{Effect, ObjectShadow};
use crate::ownership::value::same_content;
use crate::plan::shadow::Refusal;
use crate::telemetry::events::Severity;

/// How long it is awaited that the API server serves a CRD. It takes milliseconds, unless names collide.
const ESTABLISHED_WITHIN: Duration = Duration::from_secs(30);

/// How many owners of replaced fields a message names.
const NAMED: usize = 5;

/// Why what must be there first is not.
#[derive(Debug, thiserror::Error)]
pub enum CrdError {
    /// What stands in `crds/` is not an object.
    #[error("crds/: {0}")]
    Manifest(#[from] IntentError),
    /// A call failed.
    #[error("{object}: {source}")]
    Call {
        /// The object.
        object: ObjectReference,
        /// Why.
        source: CallError,
    },
    /// Its kind cannot be looked up.
    #[error("{object}: {source}")]
    Discovery {
        /// The object.
        object: ObjectReference,
        /// Why.
        source: DiscoveryError,
    },
    /// The API server accepted a CRD and does not serve it.
    #[error(
        "{object} is not served {0:?} after it was applied; look at its conditions",
        ESTABLISHED_WITHIN
    )]
    NotEstablished {
        /// The CRD.
        object: ObjectReference,
    },
}

impl CrdError {
    /// Whether trying again may help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Manifest(_) => false,
            Self::Call {
                source: CallError::Refused(status),
                ..
            } => Rejection::of(status).is_retryable(),
            Self::Call {
                source: CallError::Timeout(_) | CallError::Transport(_),
                ..
            }
            | Self::Discovery { .. }
            | Self::NotEstablished { .. } => true,
        }
    }
}

/// Applies the CRDs of the chart's `crds/` folders as the action's policy says, and awaits that they are served.
///
/// `Create` leaves existing ones alone. `CreateReplace` replaces what others have set, because it says so, and tells of it: the CRDs
/// of a chart are nobody's fields to keep.
pub async fn apply(
    context: &Context,
    release: &HelmRelease,
    rendering: &Rendering,
    action: HelmAction,
) -> Result<(), CrdError> {
    let policy = policy_of(release, action);
    if policy == CrdsPolicy::Skip || rendering.crds.is_empty() {
        return Ok(());
    }
    let manager = release.field_manager();
    let mut applied = Vec::new();
    for crd in &rendering.crds {
        let intent = Intent::new(crd.tree().clone(), None)?;
        let (object, resource) = resolve(context, &intent).await?;
        let failed = |source| CrdError::Call {
            object: object.clone(),
            source,
        };
        let exists = || context.target.calls.get(&resource, None, &object.name);
        if policy == CrdsPolicy::Create && exists().await.map_err(failed)?.is_some() {
            continue;
        }
        replace(context, release, &resource, &intent, &manager)
            .await
            .map_err(failed)?;
        applied.push(object);
    }
    if applied.is_empty() {
        return Ok(());
    }
    for object in applied
        .into_iter()
        .filter(|object| object.kind == "CustomResourceDefinition")
    {
        established(context, object).await?;
    }
    context.target.kinds.invalidate().await;
    Ok(())
}

/// Applies a CRD; what others hold with other values is taken, of exactly the object that was looked at.
async fn replace(
    context: &Context,
    release: &HelmRelease,
    resource: &Resource,
    intent: &Intent,
    manager: &str,
) -> Result<(), CallError> {
    let (calls, object) = (&context.target.calls, intent.reference());
    let options = |force| ApplyOptions {
        manager,
        force,
        dry_run: false,
    };
    let causes = match calls
        .apply(resource, None, &object.name, intent.body(), options(false))
        .await
    {
        Ok(_) => return Ok(()),
        Err(CallError::Refused(status)) => match Rejection::of(&status) {
            Rejection::FieldConflict(causes) => causes,
            _ => return Err(CallError::Refused(status)),
        },
        Err(error) => return Err(error),
    };
    let Some(live) = calls.get(resource, None, &object.name).await? else {
        return calls
            .apply(resource, None, &object.name, intent.body(), options(false))
            .await
            .map(drop);
    };
    let mut body = intent.body().clone();
    for field in ["uid", "resourceVersion"] {
        if let Some(metadata) = body.get_mut("metadata") {
            metadata[field] = live["metadata"][field].clone();
        }
    }
    calls.apply(resource, None, &object.name, &body, options(true)).await?;
    let owners: BTreeSet<&str> = causes.iter().map(|cause| cause.manager.name.as_str()).collect();
    let owners = first_few(&owners, owners.len(), NAMED, ", ");
    let note = format!(
        "{object}: {} fields of {owners} were replaced, as CreateReplace says",
        causes.len()
    );
    let (about, events) = (release.object_ref(&()), &context.shared.events);
    events.publish(about, Severity::Warning, Reason::FieldForced, "replace CRDs", &note);
    Ok(())
}

/// What [`apply`] and [`ensure_namespace`] would do.
#[derive(Debug, Default)]
pub struct Foreseen {
    /// The CRDs, and the namespace if it would be created.
    pub objects: Vec<ObjectShadow>,
    /// Those that the API server would refuse.
    pub refused: Vec<Refusal>,
}

/// Foretells what [`apply`] and [`ensure_namespace`] would do; writes nothing.
pub async fn foresee(
    context: &Context,
    release: &HelmRelease,
    rendering: &Rendering,
    action: HelmAction,
) -> Result<Foreseen, CrdError> {
    let mut foreseen = Foreseen::default();
    if let Some(name) = namespace_to_create(release) {
        let intent = Intent::new(namespace_manifest(name), None)?;
        foresee_one(
            context,
            CrdsPolicy::Create,
            &intent,
            names::CONTROLLER_FIELD_MANAGER,
            &mut foreseen,
        )
        .await?;
        // That it is there already is nothing to tell.
        foreseen.objects.retain(|object| object.effect == Effect::Created);
    }
    let policy = policy_of(release, action);
    if policy == CrdsPolicy::Skip {
        return Ok(foreseen);
    }
    let manager = release.field_manager();
    for crd in &rendering.crds {
        let intent = Intent::new(crd.tree().clone(), None)?;
        foresee_one(context, policy, &intent, &manager, &mut foreseen).await?;
    }
    Ok(foreseen)
}

async fn foresee_one(
    context: &Context,
    policy: CrdsPolicy,
    intent: &Intent,
    manager: &str,
    foreseen: &mut Foreseen,
) -> Result<(), CrdError> {
    let (object, resource) = resolve(context, intent).await?;
    let failed = |source| CrdError::Call {
        object: object.clone(),
        source,
    };
    let live = context
        .target
        .calls
        .get(&resource, None, &object.name)
        .await
        .map_err(failed)?;
    let mut shadow = ObjectShadow::created(object.clone());
    match &live {
        None => {}
        Some(_) if policy == CrdsPolicy::Create => shadow.effect = Effect::Unchanged,
        Some(live) => {
            let options = ApplyOptions {
                manager,
                force: true,
                dry_run: true,
            };
            let answer = context
                .target
                .calls
                .apply(&resource, None, &object.name, intent.body(), options)
                .await;
            match answer {
                Ok(foretold) if same_content(live, &foretold) => shadow.effect = Effect::Unchanged,
                Ok(_) => {
                    shadow.effect = Effect::Changed;
                    shadow.changed = 1;
                }
                Err(CallError::Refused(status)) => {
                    let message = status.message.clone();
                    foreseen.refused.push(Refusal { object, message });
                    return Ok(());
                }
                Err(error) => return Err(failed(error)),
            }
        }
    }
    foreseen.objects.push(shadow);
    Ok(())
}

/// What is done about the CRDs of the chart's `crds/` folders.
fn policy_of(release: &HelmRelease, action: HelmAction) -> CrdsPolicy {
    let policy = match action {
        HelmAction::Install => release.spec.install.as_ref().and_then(|install| {
            let skips = install.skip_crds.then_some(CrdsPolicy::Skip);
            install.crds.or(skips)
        }),
        HelmAction::Upgrade | HelmAction::Rollback => release.spec.upgrade.as_ref().and_then(|upgrade| upgrade.crds),
    };
    policy.unwrap_or_default()
}

fn namespace_manifest(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"name": name}},
    })
}

async fn resolve(context: &Context, intent: &Intent) -> Result<(ObjectReference, Resource), CrdError> {
    let object = intent.reference().clone();
    match context.target.kinds.resolve(&object.api_version, &object.kind).await {
        Ok(resource) => Ok((object, resource)),
        Err(source) => Err(CrdError::Discovery { object, source }),
    }
}

/// Awaits that the API server serves a CRD.
pub async fn established(context: &Context, object: ObjectReference) -> Result<(), CrdError> {
    let api: Api<CustomResourceDefinition> = Api::all(context.target.calls.client().clone());
    let awaited = await_condition(api, &object.name, is_crd_established());
    match tokio::time::timeout(ESTABLISHED_WITHIN, awaited).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => {
            let source = CallError::Transport(error.to_string());
            Err(CrdError::Call { object, source })
        }
        Err(_elapsed) => Err(CrdError::NotEstablished { object }),
    }
}

/// The target namespace, if the release asks for it to be created.
pub fn namespace_to_create(release: &HelmRelease) -> Option<&String> {
    let asked = release
        .spec
        .install
        .as_ref()
        .is_some_and(|install| install.create_namespace);
    release.spec.target_namespace.as_ref().filter(|_| asked)
}

/// Creates the target namespace if the release asks for it and it does not exist. It is never deleted.
pub async fn ensure_namespace(context: &Context, release: &HelmRelease) -> Result<(), CrdError> {
    let Some(name) = namespace_to_create(release) else {
        return Ok(());
    };
    let intent = Intent::new(namespace_manifest(name), None)?;
    let (object, resource) = resolve(context, &intent).await?;
    let failed = |source| CrdError::Call {
        object: object.clone(),
        source,
    };
    if context
        .target
        .calls
        .get(&resource, None, name)
        .await
        .map_err(failed)?
        .is_some()
    {
        return Ok(());
    }
    let options = ApplyOptions {
        manager: names::CONTROLLER_FIELD_MANAGER,
        force: false,
        dry_run: false,
    };
    context
        .target
        .calls
        .apply(&resource, None, name, intent.body(), options)
        .await
        .map_err(failed)?;
    Ok(())
}
