//! What goes into applying objects and what comes out.

use std::num::NonZeroUsize;
use std::sync::Arc;

use serde_json::Value;

use super::error::ApplyError;
use crate::cluster::discovery::Resource;
use crate::cluster::records::FormerRelease;
use crate::ownership::class::Roster;
use crate::ownership::contested::{AdmissionOverride, ContestedField};
use crate::ownership::drift::DriftedField;
use crate::ownership::intent::{Intent, ReleaseIdentity};
use crate::ownership::ledger::{ObjectRecord, Observation};
use crate::ownership::packed::PackedFields;
use crate::ownership::path::FieldPath;
use crate::ownership::policy::{Action, Policy, Subject};
use crate::ownership::redact::Redactor;
use crate::ownership::reference::ObjectReference;
use crate::ownership::summary::ObjectContest;
use crate::release::ApplyMethod;

/// Whether objects that exist and belong to nobody, or to somebody else, become part of the release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adoption {
    /// Only objects that carry this release's marks, that we applied before or that the ledger knows; as `helm install`.
    OnlyOurs,
    /// Any; as `helm install --take-ownership`.
    TakeOwnership,
}

/// What is done about fields that the schema of their kind does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownFields {
    /// The server refuses the object.
    Refused,
    /// They are left out and told of.
    LeftOut,
}

/// What is the same for all objects of a release.
#[derive(Debug, Clone)]
pub struct ApplySettings {
    /// Our field manager, and who else is who.
    pub roster: Roster,
    /// What to do about contested fields.
    pub policy: Policy,
    /// The release that the objects belong to.
    pub release: ReleaseIdentity,
    /// Makes values fit to be shown.
    pub redactor: Redactor,
    /// Whether foreign objects are taken.
    pub adoption: Adoption,
    /// How objects are written.
    pub method: ApplyMethod,
    /// What is done about fields that no schema has.
    pub unknown_fields: UnknownFields,
    /// Whether objects of which a field changes that cannot be changed are deleted and created again.
    pub recreates: bool,
    /// How many objects are worked on at once.
    pub parallelism: NonZeroUsize,
    /// The release of Helm that this one continues, if there is one.
    pub former: Option<Arc<FormerRelease>>,
}

/// What the caller has seen of an object, such as in a watch's cache; a stale view costs requests, never correctness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observed {
    /// Nothing: the object is read.
    Unknown,
    /// It does not exist.
    Absent,
    /// It exists.
    Present {
        /// Its uid.
        uid: String,
        /// Its resourceVersion.
        resource_version: String,
    },
}

/// One object to apply.
#[derive(Debug, Clone)]
pub struct ApplyRequest {
    /// What we want of it.
    pub intent: Intent,
    /// What the caller has seen of it.
    pub observed: Observed,
    /// What the ledger remembers of it.
    pub record: Option<Arc<ObjectRecord>>,
    /// How it is compared with what was applied, when it is only applied to put drift right.
    pub comparison: Option<Comparison>,
}

/// How an object is compared with what was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// JSON pointers of the fields that are not compared, and that stay as they are.
    pub ignored: Arc<[String]>,
}

/// What was done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// It was created.
    Created,
    /// It was changed.
    Configured,
    /// It was deleted and created again, because a field of it cannot be changed.
    Recreated,
    /// It was applied and the server changed nothing.
    Unchanged,
    /// Nothing was sent: neither the intent nor the object has changed since the last time.
    Skipped,
}

impl Operation {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Created,
        Self::Configured,
        Self::Recreated,
        Self::Unchanged,
        Self::Skipped,
    ];

    /// The name in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "Created",
            Self::Configured => "Configured",
            Self::Unchanged => "Unchanged",
            Self::Recreated => "Recreated",
            Self::Skipped => "Skipped",
        }
    }
}

/// The outcome for one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The object.
    pub reference: ObjectReference,
    /// Its uid.
    pub uid: String,
    /// Its resourceVersion.
    pub resource_version: String,
    /// Its fingerprint, for the ledger.
    pub fingerprint: String,
    /// The object as the server answered; `None` when nothing was sent.
    pub live: Option<Value>,
    /// The hash of what was applied, for the ledger.
    pub intent_hash: String,
    /// What was done.
    pub operation: Operation,
    /// What our manager owns now.
    pub owned: PackedFields,
    /// What was contested and what was done about it, sorted.
    pub contested: Vec<ContestedField>,
    /// What was given to the hand-over manager until its next owner comes.
    pub handed_over: Vec<FieldPath>,
    /// What was left out because no schema has it.
    pub undeclared: Vec<FieldPath>,
    /// What admission changed, sorted by path.
    pub overridden_by_admission: Vec<AdmissionOverride>,
}

/// The identity that a decision was made on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Basis {
    pub(super) uid: String,
    pub(super) resource_version: String,
}

impl Basis {
    /// Of a live object.
    pub(super) fn of(object: &Value) -> Self {
        let text = |pointer| {
            object
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        Self {
            uid: text("/metadata/uid"),
            resource_version: text("/metadata/resourceVersion"),
        }
    }
}

/// What is to be written for one object.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Nothing: the ledger's record holds.
    Skip(Arc<ObjectRecord>),
    /// The object does not exist.
    Create,
    /// The object exists.
    Configure(Box<Configure>),
    /// The object exists, and is written as a client-side apply does.
    Update(Box<Update>),
    /// A field of the object cannot be changed, so it is deleted and created again.
    Recreate,
    /// The object's managedFields must be repaired before anything can be decided.
    Repair(Box<Repair>),
    /// A contested field says stop.
    Stop,
}

/// How an existing object is written.
#[derive(Debug, Clone)]
pub(super) struct Configure {
    /// What is sent: the intent without yielded fields.
    pub(super) body: Value,
    /// What it was decided on.
    pub(super) basis: Basis,
    /// Whether the write is good only for exactly that object.
    pub(super) exact: bool,
    /// Whether the reviewed fields of others are taken; implies `exact`.
    pub(super) force: bool,
    /// Whether it was decided on by a dry run.
    pub(super) dry_run: bool,
    /// What is handed over before, as a body of its own, and its paths.
    pub(super) hand_over: Option<(Value, Vec<FieldPath>)>,
    /// managedFields to be written before, because fields change hands; implies `exact`.
    pub(super) transfer: Option<Vec<Value>>,
}

/// How an existing object is written by a client-side apply.
#[derive(Debug, Clone)]
pub(super) struct Update {
    /// The whole object as it is to be, with the identity that it was decided on.
    pub(super) object: Value,
    /// What of it is ours: the intent without yielded fields.
    pub(super) body: Value,
    /// The resourceVersion that it was decided on.
    pub(super) before: String,
}

/// managedFields as they have to be for the server to apply anything.
#[derive(Debug, Clone)]
pub(super) struct Repair {
    /// What it was decided on.
    pub(super) basis: Basis,
    /// What is written.
    pub(super) managed_fields: Vec<Value>,
}

/// What was decided about one object.
#[derive(Debug, Clone)]
pub struct ObjectPlan {
    pub(super) intent: Intent,
    pub(super) record: Option<Arc<ObjectRecord>>,
    /// `None` while the kind is not served: its definition may be part of the release.
    pub(super) resource: Option<Resource>,
    pub(super) step: Step,
    pub(super) contested: Vec<ContestedField>,
    pub(super) comparison: Option<Comparison>,
    /// What is left out of the intent because no schema has it.
    pub(super) undeclared: Vec<FieldPath>,
    /// How the live object differs from what was applied; found out only with a comparison.
    pub(super) drifted: Vec<DriftedField>,
    /// The autoscalers of the release, which matter again if it is decided anew.
    pub(super) autoscalers: Arc<[Value]>,
}

impl ObjectPlan {
    /// The object.
    pub const fn reference(&self) -> &ObjectReference {
        self.intent.reference()
    }

    /// The object as rules see it.
    pub(super) fn subject(&self) -> Subject<'_> {
        Subject {
            object: self.intent.reference(),
            rendered: Some(self.intent.body()),
        }
    }

    /// What is contested, and what is done about it, sorted.
    pub fn contested(&self) -> &[ContestedField] {
        &self.contested
    }

    /// How the live object differs from what was applied, if it was compared.
    pub fn drifted(&self) -> &[DriftedField] {
        &self.drifted
    }

    /// Whether a contested field says that nothing may be written.
    pub const fn stops(&self) -> bool {
        matches!(self.step, Step::Stop)
    }

    /// Whether writing this plan sends nothing.
    pub const fn is_skip(&self) -> bool {
        matches!(self.step, Step::Skip(_))
    }

    /// Whether it was found out by a dry run: others own fields that may be contested.
    pub(super) fn was_dry_run(&self) -> bool {
        match &self.step {
            Step::Configure(configure) => configure.dry_run,
            Step::Update(_) | Step::Recreate | Step::Repair(_) | Step::Stop => true,
            Step::Skip(_) | Step::Create => false,
        }
    }

    /// Whether the object is to be created.
    pub const fn creates(&self) -> bool {
        matches!(self.step, Step::Create)
    }

    /// Whether fields of others are taken.
    pub fn forces(&self) -> bool {
        self.contested.iter().any(|field| field.action == Action::Forced)
    }
}

/// What was decided about all objects.
#[derive(Debug, Default)]
pub struct Decided {
    /// The objects about which something could be decided, in the order of the requests.
    pub plans: Vec<ObjectPlan>,
    /// The others.
    pub failures: Vec<ApplyError>,
}

impl Decided {
    pub(super) fn of(results: Vec<Result<ObjectPlan, ApplyError>>) -> Self {
        let mut decided = Self::default();
        for result in results {
            match result {
                Ok(plan) => decided.plans.push(plan),
                Err(error) => decided.failures.push(error),
            }
        }
        decided
    }

    /// Whether nothing may be written: a contested field says so, or an object cannot be applied at all.
    pub fn stops(&self) -> bool {
        !self.failures.is_empty() || self.plans.iter().any(ObjectPlan::stops)
    }

    /// Every contested field with its object, for a summary.
    pub fn contests(&self) -> impl Iterator<Item = ObjectContest> {
        self.plans.iter().flat_map(|plan| {
            plan.contested.iter().map(|contested| ObjectContest {
                object: plan.reference().clone(),
                contested: contested.clone(),
            })
        })
    }
}

/// The autoscalers among the objects of a release.
pub(super) fn autoscalers<'a>(intents: impl IntoIterator<Item = &'a Intent>) -> Arc<[Value]> {
    let is_autoscaler = |intent: &&'a Intent| {
        matches!(
            intent.reference().kind.as_str(),
            "HorizontalPodAutoscaler" | "ScaledObject"
        )
    };
    intents
        .into_iter()
        .filter(is_autoscaler)
        .map(|intent| intent.body().clone())
        .collect()
}

impl Applied {
    /// What the ledger is to remember of this outcome; `policy` is [`Policy::fingerprint`].
    pub fn observation<'a>(&'a self, policy: &'a str) -> Observation<'a> {
        Observation {
            reference: &self.reference,
            uid: &self.uid,
            resource_version: &self.resource_version,
            fingerprint: &self.fingerprint,
            intent_hash: &self.intent_hash,
            policy,
            owned: &self.owned,
            contested: &self.contested,
            overridden: &self.overridden_by_admission,
        }
    }
}
