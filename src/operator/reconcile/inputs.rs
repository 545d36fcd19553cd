//! The first step: everything that a rendering is made from.
//!
//! Edge. Reads the source, the chart, the values and the cluster's capabilities; judges nothing but whether they are there.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::chart;
use super::preserved::{self, PreserveError, Preserved};
use super::values::values;
use crate::api::conditions::Reason;
use crate::api::{HelmRelease, acted_on};
use crate::chart::{Capabilities, JsonMap};
use crate::operator::capabilities::CapabilitiesError;
use crate::operator::charts::{ChartError, ValuesFiles};
use crate::operator::context::Context;
use crate::operator::memory::{ReleaseMemory, Step};
use crate::operator::sources::SourcesError;
use crate::ownership::class::Roster;
use crate::ownership::intent::ReleaseIdentity;
use crate::ownership::policy::Policy;
use crate::plan::drift::{DriftRuleError, DriftRules};
use crate::plan::gate::{self, Gate, GateError, Verdict};
use crate::plan::policy::{PolicyError, roster};
use crate::plan::revision::{Identity, PostRenderingDigests};
use crate::plan::values::Composed;
use crate::release::ApplyMethod;
use crate::render::{Program, Secrets};
use crate::source::SourceError;

/// How often objects that are not ready are looked at even when no watch says that they changed.
pub const POLL: Duration = Duration::from_secs(15);

/// Everything that a rendering is made from, and what governs how it is applied.
#[derive(Debug)]
pub struct Inputs {
    /// The chart, parsed.
    pub program: Arc<Program>,
    /// What the user sets.
    pub values: JsonMap,
    /// What of them must not be shown: all that comes from Secrets, and what its name says.
    pub secrets: Secrets,
    /// What the cluster offers.
    pub capabilities: Arc<Capabilities>,
    /// What makes this revision this revision.
    pub identity: Identity,
    /// How the objects are written; decided with the revision.
    pub method: ApplyMethod,
    /// What decides about contested fields.
    pub policy: Policy,
    /// Who is who among the field managers.
    pub roster: Roster,
    /// How drift is looked for.
    pub drift: DriftRules,
    /// When an upgrade may begin.
    pub gate: Gate,
    /// When the policy next changes by itself, because a rule ends.
    pub policy_changes_at: Option<Timestamp>,
}

impl Inputs {
    /// Name and version of the chart, for messages.
    pub fn chart_label(&self) -> String {
        format!("{}@{}", self.identity.chart_name, self.identity.chart_version)
    }

    /// The release, as Helm marks its objects.
    pub fn release_identity(&self) -> ReleaseIdentity {
        ReleaseIdentity {
            name: self.identity.release_name.clone(),
            namespace: self.identity.namespace.clone(),
        }
    }

    /// What the release's gate says of an upgrade to what is desired.
    pub fn verdict(&self, release: &HelmRelease, now: Timestamp) -> Verdict {
        let change = gate::change(&self.identity);
        self.gate.verdict(&change, release.approved_change(), now)
    }
}

/// Why the desired state could not be made out.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The spec sets fields that are not acted on yet, and that a release must not go on without.
    #[error("{} not supported yet, and nothing is applied without: remove {}", .0.join(", "), if .0.len() == 1 { "it" } else { "them" })]
    NotSupported(Vec<String>),
    /// The source is in a namespace that the release may not refer to.
    #[error(
        "{field} refers to the namespace {namespace}, and the controller was started with --no-cross-namespace-refs; \
         put the source into the namespace of the release"
    )]
    ElsewhereRefused {
        /// The field of the spec.
        field: &'static str,
        /// The namespace.
        namespace: String,
    },
    /// It cannot be said where the chart is.
    #[error(transparent)]
    Sources(#[from] SourcesError),
    /// The chart could not be found.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The chart could not be fetched or read.
    #[error(transparent)]
    Chart(#[from] ChartError),
    /// Values could not be read from an object.
    #[error("spec.valuesFrom[{index}] ({kind} {namespace}/{name}): {problem}")]
    Values {
        /// Position in the list.
        index: usize,
        /// Kind of the object.
        kind: &'static str,
        /// Namespace of the object.
        namespace: String,
        /// Name of the object.
        name: String,
        /// What is wrong; never a value.
        problem: String,
    },
    /// The values of the deployed revision could not be read.
    #[error("spec.upgrade.preserveValues: {0}")]
    Preserved(#[from] PreserveError),
    /// The ownership rules cannot be used.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The rules of what drift is ignored cannot be used.
    #[error(transparent)]
    Drift(#[from] DriftRuleError),
    /// The gate cannot be used.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// The cluster could not be asked.
    #[error(transparent)]
    Capabilities(#[from] CapabilitiesError),
}

impl InputError {
    /// The reason in `Ready`.
    pub fn reason(&self) -> Reason {
        match self {
            Self::NotSupported(_) | Self::Drift(_) | Self::Gate(_) => Reason::InvalidSpec,
            Self::ElsewhereRefused { .. } => Reason::AccessDenied,
            Self::Sources(error) => error.reason(),
            Self::Source(error) if error.is_about_signatures() => Reason::VerificationError,
            Self::Source(_) | Self::Chart(_) => Reason::ArtifactFailed,
            Self::Values { .. } => Reason::ValuesError,
            Self::Policy(error) => error.reason(),
            Self::Preserved(_) | Self::Capabilities(_) => Reason::ClusterError,
        }
    }

    /// Whether nothing is known but that the source does not answer now.
    pub fn is_of_a_source_that_is_away(&self) -> bool {
        match self {
            Self::Source(error) | Self::Chart(ChartError::Source(error)) => {
                error.is_retryable() && !error.is_about_signatures()
            }
            Self::Chart(ChartError::Load { .. } | ChartError::ValuesFiles { .. } | ChartError::Interrupted)
            | Self::Sources(_)
            | Self::Values { .. }
            | Self::Preserved(_)
            | Self::Capabilities(_)
            | Self::NotSupported(_)
            | Self::ElsewhereRefused { .. }
            | Self::Policy(_)
            | Self::Drift(_)
            | Self::Gate(_) => false,
        }
    }

    /// Whether it may pass without a change of the spec. Charts and versions are published, objects are created.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Sources(error) => error.is_retryable(),
            Self::Chart(error) => error.is_retryable(),
            Self::Preserved(error) => error.is_retryable(),
            Self::Source(_) | Self::Values { .. } | Self::Capabilities(_) => true,
            Self::NotSupported(_)
            | Self::ElsewhereRefused { .. }
            | Self::Policy(_)
            | Self::Drift(_)
            | Self::Gate(_) => false,
        }
    }
}

/// Observes the inputs of a release.
pub async fn observe(
    context: &Context,
    release: &HelmRelease,
    memory: &mut ReleaseMemory,
) -> Result<Inputs, InputError> {
    // A spec that came from the API server can be written as JSON again.
    let unsupported = acted_on::fields_not_to_go_without(&release.spec).unwrap_or_default();
    if !unsupported.is_empty() {
        return Err(InputError::NotSupported(unsupported));
    }
    let (namespace, field) = release.source_namespace();
    if context.shared.settings.tenancy.no_cross_namespace_references && namespace != release.own_namespace() {
        let namespace = namespace.to_owned();
        return Err(InputError::ElsewhereRefused { field, namespace });
    }
    let policy = context.shared.policies.policy_of(release)?;
    let roster = roster(release);
    let drift = DriftRules::of(&release.spec)?;
    let gate = Gate::of(&release.spec)?;
    memory.step = Step::Chart;
    let chart = chart::current(context, release, memory).await?;
    let values_files = ValuesFiles::of(&release.spec);
    let program = context.shared.charts.program(&chart, &values_files).await?;
    memory.step = Step::Inputs;
    let Composed { values, from_secrets } = values(&context.shared.referred, release).await?;
    let Preserved {
        program,
        values,
        before,
    } = preserved::below(context, release, memory, program, values).await?;
    let capabilities = if release.spec.uses_known_capabilities() {
        context.target.capabilities.get().await?
    } else {
        context.target.capabilities.ask_anew().await?
    };
    let metadata = &program.chart().metadata;
    let identity = Identity {
        release_name: release.release_name(),
        namespace: release.target_namespace().to_owned(),
        chart_name: metadata.name.clone(),
        chart_version: metadata.version.clone(),
        app_version: Some(metadata.app_version.clone()).filter(|version| !version.is_empty()),
        chart_digest: values_files.digest_of(&chart),
        oci_digest: chart.manifest_digest.as_ref().map(ToString::to_string),
        config_digest: digest(&values),
        post_rendering: PostRenderingDigests::of(&release.spec),
    };
    let policy_changes_at = policy.next_end(Timestamp::now());
    Ok(Inputs {
        program,
        // Of what was preserved nobody knows any more where it came from.
        secrets: Secrets::of_values([&values])
            .and_all_of(&from_secrets)
            .and_all_of(&before),
        values,
        capabilities,
        identity,
        method: ApplyMethod::default(),
        policy,
        roster,
        drift,
        gate,
        policy_changes_at,
    })
}

/// `sha256:...` of the values as JSON with sorted keys.
pub(super) fn digest(values: &JsonMap) -> String {
    let text = serde_json::to_vec(values).unwrap_or_default();
    format!("sha256:{:x}", Sha256::digest(text))
}
