//! What each metric is: the registry and `docs/metrics.md` are made from this.

use super::labels::Label;

/// The beginning of every name.
pub const PREFIX: &str = "fairlead";

/// What sort of metric it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricType {
    /// Only grows; its name ends with `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Durations in seconds, in buckets.
    Histogram,
}

impl MetricType {
    /// The name in exposition formats.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric.
#[derive(Debug)]
pub struct Description {
    /// The name without prefix, unit and suffix.
    pub(super) name: &'static str,
    /// What sort it is.
    pub metric_type: MetricType,
    /// Its labels, in order.
    pub labels: &'static [Label],
    /// What it counts, in one sentence.
    pub help: &'static str,
    /// What it is good for.
    pub purpose: &'static str,
}

impl Description {
    /// The name as samples have it; those of histograms end with `_bucket`, `_sum` and `_count` besides.
    pub fn full_name(&self) -> String {
        let name = self.name;
        match self.metric_type {
            MetricType::Counter => format!("{PREFIX}_{name}_total"),
            MetricType::Gauge => format!("{PREFIX}_{name}"),
            MetricType::Histogram => format!("{PREFIX}_{name}_seconds"),
        }
    }

    /// The unit of its values.
    pub const fn unit(&self) -> &'static str {
        match self.metric_type {
            MetricType::Histogram => "seconds",
            MetricType::Counter | MetricType::Gauge => "–",
        }
    }
}

const RELEASE: &[Label] = &[Label::Namespace, Label::Release];
const CONFLICT: &[Label] = &[
    Label::Namespace,
    Label::Release,
    Label::ObjectKind,
    Label::Class,
    Label::ManagerClass,
    Label::Action,
];

macro_rules! metrics {
    ($($constant:ident $name:literal $metric_type:ident $labels:expr; $help:literal; $purpose:literal)+) => {
        $(
            pub(super) const $constant: &Description = &Description {
                name: $name,
                metric_type: MetricType::$metric_type,
                labels: $labels,
                help: $help,
                purpose: $purpose,
            };
        )+

        /// All metrics, in the order in which they are exported.
        pub const ALL: &[&Description] = &[$($constant),+];
    };
}

metrics! {
    BUILD_INFO "build_info" Gauge &[Label::Version];
        "Always 1, the version of Fairlead is a label";
        "Which versions run; whether Fairlead is scraped at all."
    LEADER "leader" Gauge &[];
        "1 while this operator works, 0 while it stands by because another one holds the lease";
        "Which Pod works, and whether any does."
    CONFLICTS "ssa_conflicts" Counter CONFLICT;
        "Decisions about fields that another manager holds, counted when a decision is new or changes, and each time a field is taken";
        "The rate of conflicts: a rival that appears, an autoscaler that fights a chart. Phantoms and legacy managers count too; leave them out by class."
    CONFLICTS_ACTIVE "ssa_conflicts_active" Gauge CONFLICT;
        "Fields that another manager holds, as of the last reconcile of the release";
        "What is contested now. `action` says whether it was settled by policy (Yielded), keeps the release from being applied (Failed, Retrying) or waits for a person (HandedOff)."
    SHADOW_CONFLICTS "shadow_conflicts" Gauge CONFLICT;
        "Fields that another manager holds and adoption does not settle, as of the last comparison of a release in shadow mode; action is what would be done";
        "Whether a release can leave shadow mode: with no Failed, Retrying and HandedOff its first apply is not stopped."
    FIGHTS "field_fights" Counter RELEASE;
        "Fights that began: a field was taken back from one rival as often as spec.ownership.fights allows";
        "How often Fairlead and another writer overwrite each other."
    FIGHTS_ACTIVE "field_fights_active" Gauge RELEASE;
        "Fights that go on, as of the last reconcile of the release";
        "Releases in which a breaker is open: until the fight is over, fights.then decides about the field."
    DRIFTED "drifted_fields" Counter RELEASE;
        "Fields that were found to differ from a deployed release without its doing, counted when they are put right or first reported";
        "Somebody changes what the release keeps: how often, and in which release. What it was stands in status.drift."
    RELEASE_READY "release_ready" Gauge RELEASE;
        "1 when the release's Ready condition is True, else 0";
        "Releases that are not as their spec says."
    RELEASE_SUSPENDED "release_suspended" Gauge RELEASE;
        "1 when spec.suspend of the release is set, else 0";
        "Tells releases that nobody expects to become ready from the others."
    RECONCILES "reconciles" Counter &[Label::ReconciledKind, Label::Outcome, Label::Verdict];
        "Reconciles by kind and by how they ended";
        "The rate of work, and how much of it fails."
    RECONCILE_DURATION "reconcile_duration" Histogram &[Label::ReconciledKind];
        "Time of one reconcile, waiting for readiness not included";
        "Whether workers are held up by charts, sources or the API server."
    RENDER_DURATION "render_duration" Histogram &[Label::Rendered];
        "Time of rendering a chart; renderings that are taken from memory are not counted";
        "Charts that are slow or fail; how often charts are rendered anew."
    APPLIES "object_applies" Counter &[Label::Operation];
        "Objects by what applying them did";
        "Writes to objects of releases; Configured in a quiet cluster is drift that is corrected."
    REQUESTS "api_requests" Counter &[Label::Verb, Label::DryRun, Label::Code];
        "Requests to the API server by what they do and by the status of the answer";
        "Load on the API server, refusals (403), conflicts (409) and throttling (429)."
    REQUEST_DURATION "api_request_duration" Histogram &[Label::Verb];
        "Time until the API server answers; watches are not counted";
        "Whether the API server is slow."
}
