//! The label sets of the metrics, and what each label's values are.
//!
//! Every label is bounded: names of releases (removed when a release goes) and closed sets. Paths, object names and raw
//! manager strings never become labels: they stand in the status and in events.

use prometheus_client::encoding::EncodeLabelSet;

use super::codes;
use crate::api::conditions::Reason;
use crate::cluster::apply::Operation;
use crate::ownership::class::Class;
use crate::ownership::manager_class::ManagerClass;
use crate::ownership::policy::Action;
use crate::plan::outcome::{self, Verdict};
use crate::telemetry::requests::Verb;

/// Which release a series is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReleaseLabels {
    /// Namespace of the HelmRelease.
    pub namespace: String,
    /// Name of the HelmRelease.
    pub release: String,
}

/// One kind of decision about contested fields.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ConflictLabels {
    /// Namespace of the HelmRelease.
    pub namespace: String,
    /// Name of the HelmRelease.
    pub release: String,
    /// Kind of the object that carries the field.
    pub kind: String,
    /// Class of the conflict: `Real`, `Phantom`, ...
    pub class: &'static str,
    /// What sort of writer holds the field: `Autoscaler`, `Human`, ...
    pub manager_class: &'static str,
    /// What was done about it: `Yielded`, `Forced`, ...
    pub action: &'static str,
}

/// How reconciles of one kind of resource ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ReconcileLabels {
    pub(super) kind: &'static str,
    pub(super) outcome: &'static str,
    pub(super) result: &'static str,
}

/// Kind of a resource, for histograms.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct KindLabels {
    pub(super) kind: &'static str,
}

/// What applying an object did.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ApplyLabels {
    pub(super) operation: &'static str,
}

/// How renderings ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RenderLabels {
    pub(super) result: &'static str,
}

/// Requests to the API server.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RequestLabels {
    pub(super) verb: &'static str,
    pub(super) dry_run: &'static str,
    pub(super) code: &'static str,
}

/// What requests do, for histograms.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct VerbLabels {
    pub(super) verb: &'static str,
}

/// Which program it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct BuildLabels {
    pub(super) version: &'static str,
}

/// The kinds of resource that are reconciled.
pub(super) const RECONCILED: [&str; 1] = ["HelmRelease"];
/// How a rendering ends.
pub(super) const RENDERED: [&str; 2] = ["Succeeded", "Failed"];
/// Stands for kinds and managers beyond the bound of a release.
pub const OTHER: &str = "Other";

/// A label of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// `namespace` of the release.
    Namespace,
    /// `release`.
    Release,
    /// `kind` of the object with a contested field.
    ObjectKind,
    /// `class` of a conflict.
    Class,
    /// `manager_class`.
    ManagerClass,
    /// `action`.
    Action,
    /// `kind` of the resource that is reconciled.
    ReconciledKind,
    /// `outcome` of a reconcile.
    Outcome,
    /// `result` of a reconcile.
    Verdict,
    /// `operation` of an apply.
    Operation,
    /// `result` of a rendering.
    Rendered,
    /// `verb` of a request.
    Verb,
    /// `dry_run` of a request.
    DryRun,
    /// `code` of an answer.
    Code,
    /// `version` of Fairlead.
    Version,
}

/// What a label's values are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Values {
    /// One of these.
    OneOf(Vec<&'static str>),
    /// Others; says what bounds them.
    Bounded(&'static str),
}

impl Label {
    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::Release => "release",
            Self::ObjectKind | Self::ReconciledKind => "kind",
            Self::Class => "class",
            Self::ManagerClass => "manager_class",
            Self::Action => "action",
            Self::Outcome => "outcome",
            Self::Verdict | Self::Rendered => "result",
            Self::Operation => "operation",
            Self::Verb => "verb",
            Self::DryRun => "dry_run",
            Self::Code => "code",
            Self::Version => "version",
        }
    }

    /// What the label says.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Namespace => "namespace of the HelmRelease",
            Self::Release => "name of the HelmRelease",
            Self::ObjectKind => "kind of the object that has the field",
            Self::Class => "class of the conflict",
            Self::ManagerClass => "what sort of writer the other field manager is",
            Self::Action => "what was done about the field",
            Self::ReconciledKind => "kind of the resource",
            Self::Outcome => "reason of the condition Ready afterwards, or what happened instead",
            Self::Verdict => "how it ended, in short",
            Self::Operation => "what applying the object did",
            Self::Rendered => "whether the chart could be rendered",
            Self::Verb => "what the request does; Read is a get or a list, Apply a server-side apply",
            Self::DryRun => "whether nothing was to be persisted",
            Self::Code => "status of the answer; None without one",
            Self::Version => "version of Fairlead",
        }
    }

    /// What values it takes.
    pub fn values(self) -> Values {
        match self {
            Self::Namespace | Self::Release => {
                Values::Bounded("one value for each HelmRelease; the series go with the HelmRelease")
            }
            Self::ObjectKind => {
                Values::Bounded("kinds in the release's chart; `Other` beyond the first 100 series of a release")
            }
            Self::Version => Values::Bounded("one value for each process"),
            Self::Class => Values::OneOf(Class::ALL.iter().map(|class| class.as_str()).collect()),
            Self::ManagerClass => {
                let known = ManagerClass::ALL.iter().map(|class| class.as_str());
                Values::OneOf(known.chain([OTHER]).collect())
            }
            Self::Action => Values::OneOf(Action::ALL.iter().map(|action| action.as_str()).collect()),
            Self::ReconciledKind => Values::OneOf(RECONCILED.to_vec()),
            Self::Outcome => {
                let reasons = Reason::ALL.iter().map(|reason| reason.as_str());
                Values::OneOf(reasons.chain(outcome::OTHER_CATEGORIES).collect())
            }
            Self::Verdict => Values::OneOf(Verdict::ALL.iter().map(|verdict| verdict.as_str()).collect()),
            Self::Operation => Values::OneOf(Operation::ALL.iter().map(|operation| operation.as_str()).collect()),
            Self::Rendered => Values::OneOf(RENDERED.to_vec()),
            Self::Verb => Values::OneOf(Verb::ALL.iter().map(|verb| verb.as_str()).collect()),
            Self::DryRun => Values::OneOf(vec!["true", "false"]),
            Self::Code => Values::OneOf(codes::all().collect()),
        }
    }
}
