//! What the operator remembers of each release between reconciles.
//!
//! Edge by use, plain data by content. Everything here can be lost without harm: it is read again from the cluster, or
//! computed again.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use k8s_openapi::jiff::Timestamp;

use crate::api::HelmRelease;
use crate::api::helm_release::HelmReleaseStatus;
use crate::health::Health;
use crate::health::rules::HealthRules;
use crate::ownership::fights::Fights;
use crate::ownership::ledger::Ledger;
use crate::ownership::reference::ObjectReference;
use crate::plan::decide::Failure;
use crate::plan::shadow::ReleaseShadow;
use crate::release::Status;
use crate::source::ResolvedChart;

use super::ledger_store::Written;
use super::reconcile::preserved::DeployedValues;
use super::reconcile::records::Draft;
use super::reconcile::render::Rendering;
use super::references::Needed;
use super::target::Target;
use super::target::targets::TargetKey;

/// The name of a release, as a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReleaseKey {
    /// Namespace of the HelmRelease.
    pub namespace: String,
    /// Name of the HelmRelease.
    pub name: String,
}

impl ReleaseKey {
    /// Of a HelmRelease.
    pub fn of(release: &HelmRelease) -> Self {
        Self {
            namespace: release.own_namespace().to_owned(),
            name: release.own_name().to_owned(),
        }
    }
}

/// A chart that was looked up, and when.
#[derive(Debug, Clone)]
pub struct LookedUp {
    /// What was looked for, but for its version.
    pub scope: String,
    /// The version of the source, and who asked.
    pub key: String,
    /// When.
    pub at: Instant,
    /// What was found.
    pub chart: ResolvedChart,
}

/// A comparison in shadow mode, and when it was made.
#[derive(Debug)]
pub struct Compared {
    /// When everything was last dry-run; what did not change since is not dry-run again before the interval is over.
    pub at: Instant,
    /// The annotation that asked for a reconcile then.
    pub requested: Option<String>,
    /// What it came to.
    pub release: ReleaseShadow,
}

/// What a reconcile is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Step {
    /// It has just begun.
    #[default]
    Begins,
    /// What the release refers to is looked up, and its cluster.
    References,
    /// The chart is looked for and fetched.
    Chart,
    /// Values are read, and the cluster is asked what it offers.
    Inputs,
    /// The release records are looked at.
    Records,
    /// The chart is rendered, look-ups in the cluster included.
    Rendering,
    /// Live objects are looked at.
    Comparing,
    /// Objects are written, and hooks are run.
    Writing,
    /// Objects are deleted.
    Uninstalling,
    /// The result is recorded.
    Recording,
}

impl Step {
    /// The step as it stands after "while".
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Begins => "it was beginning",
            Self::References => "what it refers to and its cluster were looked up",
            Self::Chart => "the chart was being looked for and fetched",
            Self::Inputs => "values were read and the cluster was asked what it offers",
            Self::Records => "the release records were being read",
            Self::Rendering => "the chart was being rendered",
            Self::Comparing => "live objects were being read",
            Self::Writing => "objects were being written",
            Self::Uninstalling => "objects were being deleted",
            Self::Recording => "the result was being recorded",
        }
    }
}

/// What is remembered of one release.
#[derive(Debug, Default)]
pub struct ReleaseMemory {
    /// The resourceVersion of the HelmRelease that the operator's own last write gave: an object from the cache with
    /// another one may be older than that write.
    pub written: Option<String>,
    /// The status that a reconcile came to and did not write, because a later one is about to come further.
    pub untold: Option<Box<HelmReleaseStatus>>,
    /// The labels of the HelmRelease, by which policies select it; `None` until it is looked at.
    pub labels: Option<BTreeMap<String, String>>,
    /// The annotation with a person's decisions, as it was acted on last.
    pub resolve: String,
    /// What the current reconcile is about, for the case that it takes too long.
    pub step: Step,
    /// Where and as whom the release was reconciled last.
    pub target: Option<(TargetKey, Arc<Target>)>,
    /// What described the cluster that it was released to last; `None` until this process has looked.
    pub cluster: Option<Option<String>>,
    /// Keeps the watches of what the release refers to.
    pub references: Vec<Arc<Needed>>,
    /// The chart that was looked up last.
    pub chart: Option<LookedUp>,
    /// The values of the deployed revision, where the spec says to preserve them.
    pub deployed_values: Option<DeployedValues>,
    /// The last rendering, and the inputs that it was made from.
    pub rendering: Option<Arc<Rendering>>,
    /// What the record of the newest revision is made of, until it is deployed.
    pub draft: Option<Draft>,
    /// Whether records are still to be written.
    pub records_due: bool,
    /// The revision and status of which the API server will have no record.
    pub record_refused: Option<(u32, Status)>,
    /// The ledger; `None` until it is read.
    pub ledger: Option<Ledger>,
    /// The ledger as it was written to the cluster last.
    pub ledger_written: Option<Written>,
    /// When the current attempt began to write: what it awaits is awaited from then on.
    pub attempt: Option<Timestamp>,
    /// What the newest revision created so far.
    pub created: Vec<ObjectReference>,
    /// How the health of objects is judged.
    pub health_rules: HealthRules,
    /// Health by object, and the resourceVersion that it was seen at.
    pub health: HashMap<ObjectReference, (String, Health)>,
    /// The last failure of an attempt.
    pub failure: Option<Failure>,
    /// Attempts that `Retry` decided since the conflict began.
    pub conflict_retries: u32,
    /// The heat of the contested fields.
    pub fights: Fights,
    /// What the watches knew of the release's objects after it (see `Children::sighting`).
    pub sighting: Option<u64>,
    /// Reconciles in a row that could not make out the desired state.
    pub blocked: u32,
    /// What the last comparison in shadow mode came to.
    pub shadow: Option<Box<Compared>>,
}

impl ReleaseMemory {
    /// What is left of it when a reconcile is cut short: whatever the reconcile was about may be half done.
    #[must_use]
    pub fn cut_short(self) -> Self {
        Self {
            // The HelmRelease is read anew.
            written: Some(String::new()),
            untold: self.untold,
            labels: self.labels,
            resolve: self.resolve,
            target: self.target,
            references: self.references,
            cluster: self.cluster,
            failure: self.failure,
            conflict_retries: self.conflict_retries,
            fights: self.fights,
            blocked: self.blocked,
            ..Self::default()
        }
    }

    /// Takes as little memory as possible until something happens to the release.
    pub fn rest(&mut self) {
        // Nobody else has it between two reconciles.
        if let Some(rendering) = self.rendering.as_mut().and_then(Arc::get_mut) {
            rendering.rest();
        }
    }

    /// Remembers where the release is released to. What was seen elsewhere, or as somebody else, does not hold there.
    pub fn go_to(&mut self, key: TargetKey, target: Arc<Target>) {
        if self.target.replace((key, target)).is_some() {
            self.rendering = None;
            self.deployed_values = None;
            self.record_refused = None;
            self.health.clear();
            self.sighting = None;
        }
    }
}

/// The memory of all releases. A release is reconciled by one worker at a time, which takes its memory out and puts it
/// back: no lock is held while it works. What is remembered of one is large, so that the table, half of which is empty after it
/// grew, holds only where it is.
#[derive(Debug, Default)]
pub struct Memory(Mutex<HashMap<ReleaseKey, Box<ReleaseMemory>>>);

impl Memory {
    /// Takes a release's memory out; empty for a release that is new to this process.
    pub fn take(&self, key: &ReleaseKey) -> Box<ReleaseMemory> {
        self.lock().remove(key).unwrap_or_default()
    }

    /// Puts a release's memory back.
    pub fn put(&self, key: ReleaseKey, memory: Box<ReleaseMemory>) {
        self.lock().insert(key, memory);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ReleaseKey, Box<ReleaseMemory>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
