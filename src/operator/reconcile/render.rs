//! The second step: inputs -> desired objects, on a thread of its own, cached by what it was made from.
//!
//! Edge only for the thread and for looking up kinds; rendering itself is `crate::render`, and what the spec changes in it `crate::postrender`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use kube::api::ApiResource;
use serde_json::{Map, Value};

use super::inputs::Inputs;
use super::lookup;
use super::records::{Draft, DraftSource};
use super::seed::{self, SeedError, SeededHost};
use crate::api::conditions::Reason;
use crate::api::helm_release::actions::HelmAction;
use crate::api::helm_release::post_render::{PostRenderStrategy, PostRenderer};
use crate::api::reference::CommonMetadata;
use crate::api::{HelmRelease, names};
use crate::chart::{Capabilities, JsonMap, Warning};
use crate::cluster::discovery::{DiscoveryError, Resource};
use crate::operator::context::Context;
use crate::operator::memory::ReleaseMemory;
use crate::ownership::intent::{Intent, IntentError, ReleaseIdentity};
use crate::ownership::reference::ObjectReference;
use crate::plan::hooks::Hook;
use crate::plan::revision::{Identity, Revision};
use crate::postrender::{PostRenderError, PostRendering};
use crate::release::Content;
use crate::render::{
    Operation, Program, Release, RenderError, Rendered, Request, Secrets, coalesced, render as render_chart,
};
use crate::resting::Resting;
use crate::template::{Limits, Mode};

/// One object as it is to be applied.
#[derive(Debug, Clone)]
pub struct DesiredObject {
    /// The object in its canonical form.
    pub intent: Intent,
    /// How it is served, or will be once the release's own CRDs are there.
    pub resource: Resource,
}

/// What a rendering is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It is applied: what it takes from randomness is kept.
    Apply,
    /// It is only dry-run: nothing is kept, and it must never be applied (see [`seed::Seed::of_shadow`]).
    Shadow,
}

/// What a rendering was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    identity: Identity,
    number: u32,
    action: HelmAction,
    /// Of the HelmRelease: a new object with the same name has another seed.
    uid: Option<String>,
    purpose: Purpose,
}

/// What a release should be.
#[derive(Debug)]
pub struct Rendering {
    key: Key,
    /// The objects, in install order.
    pub objects: Vec<DesiredObject>,
    /// The CRDs of the chart's `crds/` folders.
    pub(crate) crds: Vec<Resting>,
    /// Namespaces that the release itself creates.
    pub namespaces: HashSet<String>,
    /// The chart's hooks.
    pub hooks: Vec<Hook>,
    /// What Helm would warn about, and what was left out of manifests.
    pub warnings: Vec<String>,
}

impl Rendering {
    /// Takes as little memory as possible until it is needed again, which for a release that is as it should be is seldom.
    pub fn rest(&mut self) {
        let Self {
            key: _,
            objects,
            crds,
            namespaces: _,
            hooks: _,
            warnings: _,
        } = self;
        for DesiredObject { intent, resource: _ } in objects {
            intent.rest();
        }
        crds.iter_mut().for_each(Resting::rest);
    }

    /// What is restored by a rollback, or kept: the objects of a revision as its record has them, and its hooks.
    ///
    /// # Errors
    /// When an object cannot be applied any more.
    pub async fn restored(
        context: &Context,
        release: &HelmRelease,
        identity: Identity,
        number: u32,
        (manifests, hooks): (&[Value], Vec<Hook>),
    ) -> Result<Self, RenderStepError> {
        let marks = ReleaseIdentity {
            name: identity.release_name.clone(),
            namespace: identity.namespace.clone(),
        };
        let manifests: Vec<&Value> = manifests.iter().collect();
        let Arranged {
            objects,
            namespaces,
            warnings,
        } = arrange(context, release, &marks, &[], &manifests).await?;
        Ok(Self {
            key: Key {
                identity,
                number,
                action: HelmAction::Rollback,
                uid: release.metadata.uid.clone(),
                purpose: Purpose::Apply,
            },
            objects,
            crds: Vec::new(),
            namespaces,
            hooks,
            warnings,
        })
    }

    /// Whether it is what this revision of the release restores, or is by its record.
    pub fn is_restored_by(&self, release: &HelmRelease, number: u32) -> bool {
        let Key {
            identity: _,
            number: known,
            action,
            uid,
            purpose: _,
        } = &self.key;
        *action == HelmAction::Rollback && *known == number && *uid == release.metadata.uid
    }

    /// What the revision is.
    pub fn identity(&self) -> &Identity {
        &self.key.identity
    }

    /// The number of the revision.
    pub fn number(&self) -> u32 {
        self.key.number
    }

    /// The names of the objects, in install order.
    pub fn references(&self) -> impl Iterator<Item = &ObjectReference> {
        self.objects.iter().map(|object| object.intent.reference())
    }
}

/// Why there is nothing to apply.
#[derive(Debug, thiserror::Error)]
pub enum RenderStepError {
    /// The chart refuses, or its templates fail.
    #[error("chart {chart}: {message}")]
    Render {
        /// Name and version.
        chart: String,
        /// What Helm would say and where it happened, bounded and without secrets.
        message: String,
        /// Whether it happened when Helm would have had a release.
        is_of_templates: bool,
    },
    /// The post-renderers cannot change what was rendered.
    #[error(transparent)]
    PostRender(#[from] PostRenderError),
    /// An object cannot be applied at all.
    #[error(transparent)]
    Intent(#[from] IntentError),
    /// An object's kind is not served by the cluster and not defined by the chart.
    #[error("{object}: {source}")]
    Kind {
        /// The object.
        object: String,
        /// Why.
        source: DiscoveryError,
    },
    /// Two manifests of the chart are one object.
    #[error("the chart renders {object} twice; remove one of them")]
    Twice {
        /// The object.
        object: String,
    },
    /// The release's seed.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// The rendering thread ended without an answer.
    #[error("rendering was interrupted")]
    Interrupted,
}

/// The longest message of a chart that fails, in characters: it goes into a condition and an event, which carry 1024
/// bytes at most.
const MAXIMUM_MESSAGE: usize = 700;

impl RenderStepError {
    fn render(inputs: &Inputs, secrets: &Secrets, error: &RenderError) -> Self {
        Self::Render {
            chart: inputs.chart_label(),
            message: error.brief(secrets, MAXIMUM_MESSAGE),
            is_of_templates: error.is_of_templates(),
        }
    }

    /// The reason in `Ready`.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Render {
                is_of_templates: false, ..
            } => Reason::ValuesError,
            Self::Render { .. } | Self::PostRender(_) | Self::Intent(_) | Self::Twice { .. } => Reason::RenderFailed,
            Self::Kind { .. } | Self::Seed(_) | Self::Interrupted => Reason::ClusterError,
        }
    }

    /// Whether it may pass without a change of the spec or of the chart.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Render { .. } | Self::PostRender(_) | Self::Intent(_) | Self::Twice { .. } => false,
            Self::Kind { .. } | Self::Seed(_) | Self::Interrupted => true,
        }
    }
}

/// Renders a release, or takes what was rendered from the same inputs.
pub async fn render(
    context: &Context,
    release: &HelmRelease,
    inputs: &Inputs,
    revision: &Revision,
    purpose: Purpose,
    memory: &mut ReleaseMemory,
) -> Result<Arc<Rendering>, RenderStepError> {
    let key = Key {
        identity: inputs.identity.clone(),
        number: revision.number,
        action: revision.action,
        uid: release.metadata.uid.clone(),
        purpose,
    };
    if let Some(rendering) = memory.rendering.as_ref().filter(|rendering| rendering.key == key) {
        return Ok(rendering.clone());
    }
    let mut rendered = with_seed(context, release, inputs, revision, purpose).await?;
    // Values that could be put together with the user's can be so without.
    let defaults = || coalesced(inputs.program.chart(), &JsonMap::new()).unwrap_or_default();
    let content = Content::of(&mut rendered, &inputs.values, defaults);
    let rendering = Arc::new(whole(context, release, inputs, key, rendered).await?);
    memory.draft = (purpose == Purpose::Apply).then(|| Draft {
        revision: revision.number,
        source: DraftSource::Chart {
            content,
            program: inputs.program.clone(),
            config: inputs.values.clone(),
        },
    });
    memory.rendering = Some(rendering.clone());
    Ok(rendering)
}

/// Renders with the release's seed. One is made, and kept for what is applied, when templates ask for randomness and there is none
/// yet.
async fn with_seed(
    context: &Context,
    release: &HelmRelease,
    inputs: &Inputs,
    revision: &Revision,
    purpose: Purpose,
) -> Result<Rendered, RenderStepError> {
    // A release that has no revision yet has no seed either; were one kept before a crash, keeping another one finds it.
    let is_new = release.status.as_ref().is_none_or(|status| status.history.is_empty());
    let kept = if is_new {
        None
    } else {
        seed::read(&context.shared, release).await?
    };
    let is_kept = kept.is_some();
    let used = match (kept, purpose) {
        (Some(kept), _) => kept,
        (None, Purpose::Apply) => seed::Seed::random()?,
        (None, Purpose::Shadow) => seed::Seed::of_shadow(release),
    };
    let (rendered, used_randomness) = on_a_thread(context, release, inputs, revision, used.clone()).await?;
    if is_kept || !used_randomness || purpose == Purpose::Shadow {
        return Ok(rendered);
    }
    let kept = seed::keep(&context.shared, release, used.clone()).await?;
    if kept == used {
        return Ok(rendered);
    }
    Ok(on_a_thread(context, release, inputs, revision, kept).await?.0)
}

/// What a rendering thread needs, owned.
struct Job {
    program: Arc<Program>,
    values: JsonMap,
    capabilities: Arc<Capabilities>,
    release: Release,
    host: SeededHost,
    limits: Limits,
    skip_schema_validation: bool,
    post_renderers: Vec<PostRenderer>,
    post_render_strategy: PostRenderStrategy,
    common_metadata: Option<CommonMetadata>,
}

/// Why a rendering thread has made nothing.
enum JobError {
    Render(RenderError),
    PostRender(PostRenderError),
}

async fn on_a_thread(
    context: &Context,
    release: &HelmRelease,
    inputs: &Inputs,
    revision: &Revision,
    seed: seed::Seed,
) -> Result<(Rendered, bool), RenderStepError> {
    let started = Instant::now();
    let (asker, mut answerer) = lookup::channel();
    let job = Job {
        program: inputs.program.clone(),
        values: inputs.values.clone(),
        capabilities: inputs.capabilities.clone(),
        release: Release {
            name: inputs.identity.release_name.clone(),
            namespace: inputs.identity.namespace.clone(),
            revision: i64::from(revision.number),
            operation: match revision.action {
                HelmAction::Install => Operation::Install,
                HelmAction::Upgrade | HelmAction::Rollback => Operation::Upgrade,
            },
        },
        host: SeededHost::new(seed, revision.number, revision.began, asker),
        limits: context.shared.settings.limits,
        skip_schema_validation: release.spec.action_options(revision.action).disable_schema_validation,
        post_renderers: release.spec.post_renderers.clone(),
        post_render_strategy: release.spec.post_render_strategy.unwrap_or_default(),
        common_metadata: release.spec.common_metadata.clone(),
    };
    let (sender, receiver) = tokio::sync::oneshot::channel();
    // A thread of its own, because deep templates need a larger stack than the runtime's threads have.
    let spawned = std::thread::Builder::new()
        .name("render".to_owned())
        .stack_size(Limits::STACK_BYTES)
        .spawn(move || {
            // Nobody waits any more only when the operator shuts down.
            let _ = sender.send(run(job));
        });
    spawned.map_err(|_| RenderStepError::Interrupted)?;
    let answer = answerer.serve(context, receiver).await;
    let answer = answer.ok_or(RenderStepError::Interrupted)?;
    context.shared.metrics.rendered(answer.is_ok(), started.elapsed());
    answer.map_err(|error| match error {
        JobError::Render(error) => RenderStepError::render(inputs, &answerer.secrets(inputs.secrets.clone()), &error),
        JobError::PostRender(error) => error.into(),
    })
}

fn run(job: Job) -> Result<(Rendered, bool), JobError> {
    let Job {
        program,
        values,
        capabilities,
        release,
        mut host,
        limits,
        skip_schema_validation,
        post_renderers,
        post_render_strategy,
        common_metadata,
    } = job;
    let request = Request {
        program: &program,
        values: &values,
        release: &release,
        capabilities: &capabilities,
        limits,
        mode: Mode::default(),
        skip_schema_validation,
        subchart_notes: false,
        keep_values: true,
    };
    let mut rendered = render_chart(&request, &mut host).map_err(JobError::Render)?;
    PostRendering::new(&post_renderers, common_metadata.as_ref())
        .and_then(|changes| changes.apply(&mut rendered, post_render_strategy))
        .map_err(JobError::PostRender)?;
    Ok((rendered, host.used_randomness()))
}

/// The chart's objects and all that comes with them.
async fn whole(
    context: &Context,
    release: &HelmRelease,
    inputs: &Inputs,
    key: Key,
    rendered: Rendered,
) -> Result<Rendering, RenderStepError> {
    let mut crds = Vec::new();
    for crd in &rendered.crds {
        let objects = crd.objects();
        crds.extend(objects.map_err(|error| RenderStepError::render(inputs, &inputs.secrets, &error))?);
    }
    let manifests: Vec<&Value> = rendered.objects().map(|(_, object)| object).collect();
    let arranged = arrange(context, release, &inputs.release_identity(), &crds, &manifests).await?;
    let mut warnings = rendered.warnings.iter().map(Warning::text).collect::<Vec<_>>();
    warnings.extend(arranged.warnings);
    Ok(Rendering {
        key,
        objects: arranged.objects,
        crds: crds.into_iter().map(Resting::from).collect(),
        namespaces: arranged.namespaces,
        hooks: rendered.hooks.iter().map(Hook::rendered).collect(),
        warnings,
    })
}

/// Objects as they are to be applied.
struct Arranged {
    objects: Vec<DesiredObject>,
    namespaces: HashSet<String>,
    warnings: Vec<String>,
}

/// Manifests -> intents with their kinds looked up, labels set and namespaces settled.
async fn arrange(
    context: &Context,
    release: &HelmRelease,
    identity: &ReleaseIdentity,
    crds: &[Value],
    manifests: &[&Value],
) -> Result<Arranged, RenderStepError> {
    let own_kinds = own_kinds(crds.iter().chain(manifests.iter().copied()));
    let mut objects = Vec::with_capacity(manifests.len());
    let mut warnings = Vec::new();
    let mut seen = HashSet::new();
    for manifest in manifests {
        let mut manifest = Value::clone(manifest);
        label(&mut manifest, release.own_namespace(), release.own_name());
        let intent = Intent::new(manifest, Some(identity))?;
        warnings.extend_from_slice(intent.warnings());
        let resource = resource(context, &own_kinds, &intent).await?;
        let namespace = match (&intent.reference().namespace, resource.namespaced) {
            (_, false) => None,
            (Some(own), true) => Some(own.clone()),
            (None, true) => Some(identity.namespace.clone()),
        };
        let intent = intent.in_namespace(namespace.as_deref());
        if !seen.insert(intent.reference().clone()) {
            return Err(RenderStepError::Twice {
                object: intent.reference().to_string(),
            });
        }
        objects.push(DesiredObject { intent, resource });
    }
    let namespaces = objects
        .iter()
        .map(|object| object.intent.reference())
        .filter(|reference| reference.kind == "Namespace" && reference.group().is_empty())
        .map(|reference| reference.name.clone())
        .collect();
    Ok(Arranged {
        objects,
        namespaces,
        warnings,
    })
}

/// The labels by which the watches find the object and its HelmRelease, of which namespace and name are given.
pub fn label(manifest: &mut Value, namespace: &str, name: &str) {
    let Some(Value::Object(metadata)) = manifest.get_mut("metadata") else {
        return;
    };
    let labels = metadata.entry("labels").or_insert_with(|| Value::Object(Map::new()));
    if labels.is_null() {
        *labels = Value::Object(Map::new());
    }
    if let Value::Object(labels) = labels {
        for (label, value) in names::release_labels(namespace, name) {
            labels.insert(label.to_owned(), Value::String(value));
        }
    }
}

/// The kinds that the release's own CRDs define, by apiVersion and kind.
fn own_kinds<'a>(objects: impl Iterator<Item = &'a Value>) -> HashMap<(String, String), Resource> {
    let mut kinds = HashMap::new();
    for crd in objects.filter(|object| object.get("kind").and_then(Value::as_str) == Some("CustomResourceDefinition")) {
        let text = |pointer: &str| {
            crd.pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let (group, kind, plural) = (
            text("/spec/group"),
            text("/spec/names/kind"),
            text("/spec/names/plural"),
        );
        let versions = crd
            .pointer("/spec/versions")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        for version in versions.filter_map(|version| version.get("name").and_then(Value::as_str)) {
            let api_version = format!("{group}/{version}");
            let api = ApiResource {
                group: group.clone(),
                version: version.to_owned(),
                api_version: api_version.clone(),
                kind: kind.clone(),
                plural: plural.clone(),
            };
            let namespaced = text("/spec/scope") == "Namespaced";
            kinds.insert((api_version, kind.clone()), Resource { api, namespaced });
        }
    }
    kinds
}

async fn resource(
    context: &Context,
    own_kinds: &HashMap<(String, String), Resource>,
    intent: &Intent,
) -> Result<Resource, RenderStepError> {
    let reference = intent.reference();
    if let Some(resource) = own_kinds.get(&(reference.api_version.clone(), reference.kind.clone())) {
        return Ok(resource.clone());
    }
    let resolved = context
        .target
        .kinds
        .resolve(&reference.api_version, &reference.kind)
        .await;
    resolved.map_err(|source| RenderStepError::Kind {
        object: reference.to_string(),
        source,
    })
}
