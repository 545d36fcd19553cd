//! The metrics that Fairlead exports.
//!
//! Every label is bounded: names of releases (removed when a release goes) and closed sets. Paths, object names and raw
//! manager strings never become labels: they stand in the status and in events.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

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
pub struct ReconcileLabels {
    /// Kind of the resource that was reconciled.
    pub kind: &'static str,
    /// The reason that stands in `Ready` afterwards, or the category of the error.
    pub outcome: &'static str,
}

/// What applying an object did.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ApplyLabels {
    /// `Created`, `Configured`, `Unchanged` or `Skipped`.
    pub operation: &'static str,
}

/// Kind of a resource, for histograms.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KindLabels {
    /// Kind of the resource.
    pub kind: &'static str,
}

/// All metrics of a Fairlead process, and the registry that encodes them.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Decisions about contested fields, counted when a decision is new or changes.
    pub conflicts: Family<ConflictLabels, Counter>,
    /// Contested fields as of the last reconcile.
    pub conflicts_active: Family<ConflictLabels, Gauge>,
    /// Contested fields of releases in shadow mode, as of the last comparison.
    pub shadow_conflicts: Family<ConflictLabels, Gauge>,
    /// Fights that began.
    pub fights: Family<ReleaseLabels, Counter>,
    /// Fights that go on.
    pub fights_active: Family<ReleaseLabels, Gauge>,
    /// 1 when the release is ready, 0 when not.
    pub release_ready: Family<ReleaseLabels, Gauge>,
    /// Reconciles by how they ended.
    pub reconciles: Family<ReconcileLabels, Counter>,
    /// Time of one reconcile.
    pub reconcile_duration: Family<KindLabels, Histogram>,
    /// Objects by what applying them did.
    pub applies: Family<ApplyLabels, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("fairlead");
        let conflicts = Family::default();
        registry.register(
            "ssa_conflicts",
            "Decisions about fields that another manager holds, counted when a decision is new or changes",
            conflicts.clone(),
        );
        let conflicts_active = Family::default();
        registry.register(
            "ssa_conflicts_active",
            "Fields that another manager holds, as of the last reconcile of the release",
            conflicts_active.clone(),
        );
        let shadow_conflicts = Family::default();
        registry.register(
            "shadow_conflicts",
            "Fields that another manager holds and adoption does not settle, as of the last comparison of a release in shadow \
             mode; the action is what would be done",
            shadow_conflicts.clone(),
        );
        let fights = Family::default();
        registry.register(
            "field_fights",
            "Fights that began: a field was taken back from one rival as often as spec.ownership.fights allows",
            fights.clone(),
        );
        let fights_active = Family::default();
        registry.register(
            "field_fights_active",
            "Fights that go on, as of the last reconcile of the release",
            fights_active.clone(),
        );
        let release_ready = Family::default();
        registry.register(
            "release_ready",
            "1 when the release's Ready condition is True, else 0",
            release_ready.clone(),
        );
        let reconciles = Family::default();
        registry.register(
            "reconciles",
            "Reconciles by kind and by how they ended",
            reconciles.clone(),
        );
        let reconcile_duration: Family<KindLabels, Histogram> =
            Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.001, 4.0, 9)));
        registry.register_with_unit(
            "reconcile_duration",
            "Time of one reconcile, waiting for readiness not included",
            Unit::Seconds,
            reconcile_duration.clone(),
        );
        let applies = Family::default();
        registry.register("object_applies", "Objects by what applying them did", applies.clone());
        Self {
            registry,
            conflicts,
            conflicts_active,
            shadow_conflicts,
            fights,
            fights_active,
            release_ready,
            reconciles,
            reconcile_duration,
            applies,
        }
    }
}

impl Metrics {
    /// The metrics in the OpenMetrics text format.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// Counts one reconcile of `kind` that took `elapsed` and ended with `outcome`.
    pub fn reconciled(&self, kind: &'static str, outcome: &'static str, elapsed: Duration) {
        self.reconciles.get_or_create(&ReconcileLabels { kind, outcome }).inc();
        self.reconcile_duration
            .get_or_create(&KindLabels { kind })
            .observe(elapsed.as_secs_f64());
    }
}
