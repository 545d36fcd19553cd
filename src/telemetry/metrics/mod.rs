//! The metrics that Fairlead exports.
//!
//! What each of them is stands in `described`; `docs/metrics.md` is written from there. Every label is bounded
//! (`labels`), and so is the number of series of a release (`series`).

mod codes;
pub mod described;
mod document;
pub mod labels;
mod series;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Metric, Registry, Unit};

use self::described::{Description, MetricType};
pub use self::document::document;
use self::labels::{
    ApplyLabels, BuildLabels, KindLabels, RENDERED, ReconcileLabels, RenderLabels, RequestLabels, VerbLabels,
};
pub use self::labels::{ConflictLabels, ReleaseLabels};
pub use self::series::MAX_CONFLICT_SERIES;
use self::series::SeriesOf;
use super::requests::Verb;
use crate::plan::outcome::Verdict;

/// How metrics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus' own text format, 0.0.4.
    Text,
}

/// All metrics of a Fairlead process, and the registry that encodes them. Cheap to use: all families are shared.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    leader: Gauge,
    conflicts: Family<ConflictLabels, Counter>,
    conflicts_active: Family<ConflictLabels, Gauge>,
    shadow_conflicts: Family<ConflictLabels, Gauge>,
    fights: Family<ReleaseLabels, Counter>,
    fights_active: Family<ReleaseLabels, Gauge>,
    drifted: Family<ReleaseLabels, Counter>,
    release_ready: Family<ReleaseLabels, Gauge>,
    release_suspended: Family<ReleaseLabels, Gauge>,
    reconciles: Family<ReconcileLabels, Counter>,
    reconcile_duration: Family<KindLabels, Histogram>,
    render_duration: Family<RenderLabels, Histogram>,
    applies: Family<ApplyLabels, Counter>,
    requests: Family<RequestLabels, Counter>,
    request_duration: Family<VerbLabels, Histogram>,
    series: Mutex<ReleaseSeries>,
}

/// Which series of each metric belong to which release.
#[derive(Debug, Default)]
struct ReleaseSeries {
    conflicts: SeriesOf,
    conflicts_active: SeriesOf,
    shadow_conflicts: SeriesOf,
}

fn register<M: Metric + Clone>(registry: &mut Registry, description: &Description, metric: &M) {
    let Description { name, help, .. } = *description;
    match description.metric_type {
        MetricType::Histogram => registry.register_with_unit(name, help, Unit::Seconds, metric.clone()),
        MetricType::Counter | MetricType::Gauge => registry.register(name, help, metric.clone()),
    }
}

/// From one millisecond to a minute.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 4.0, 9))
}

impl Default for Metrics {
    fn default() -> Self {
        let build_info: Family<BuildLabels, Gauge> = Family::default();
        let version = env!("CARGO_PKG_VERSION");
        build_info.get_or_create(&BuildLabels { version }).set(1);
        let mut metrics = Self {
            registry: Registry::with_prefix(described::PREFIX),
            leader: Gauge::default(),
            conflicts: Family::default(),
            conflicts_active: Family::default(),
            shadow_conflicts: Family::default(),
            fights: Family::default(),
            fights_active: Family::default(),
            drifted: Family::default(),
            release_ready: Family::default(),
            release_suspended: Family::default(),
            reconciles: Family::default(),
            reconcile_duration: Family::new_with_constructor(durations),
            render_duration: Family::new_with_constructor(durations),
            applies: Family::default(),
            requests: Family::default(),
            request_duration: Family::new_with_constructor(durations),
            series: Mutex::default(),
        };
        let registry = &mut metrics.registry;
        register(registry, described::BUILD_INFO, &build_info);
        register(registry, described::LEADER, &metrics.leader);
        register(registry, described::CONFLICTS, &metrics.conflicts);
        register(registry, described::CONFLICTS_ACTIVE, &metrics.conflicts_active);
        register(registry, described::SHADOW_CONFLICTS, &metrics.shadow_conflicts);
        register(registry, described::FIGHTS, &metrics.fights);
        register(registry, described::FIGHTS_ACTIVE, &metrics.fights_active);
        register(registry, described::DRIFTED, &metrics.drifted);
        register(registry, described::RELEASE_READY, &metrics.release_ready);
        register(registry, described::RELEASE_SUSPENDED, &metrics.release_suspended);
        register(registry, described::RECONCILES, &metrics.reconciles);
        register(registry, described::RECONCILE_DURATION, &metrics.reconcile_duration);
        register(registry, described::RENDER_DURATION, &metrics.render_duration);
        register(registry, described::APPLIES, &metrics.applies);
        register(registry, described::REQUESTS, &metrics.requests);
        register(registry, described::REQUEST_DURATION, &metrics.request_duration);
        metrics
    }
}

impl Metrics {
    fn series(&self) -> MutexGuard<'_, ReleaseSeries> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The metrics as text.
    pub fn encode(&self, format: Format) -> Result<String, std::fmt::Error> {
        let mut encoded = String::new();
        text::encode(&mut encoded, &self.registry)?;
        Ok(match format {
            Format::OpenMetrics => encoded,
            Format::Text => as_text(&encoded),
        })
    }

    /// Tells whether this operator works.
    pub fn leads(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// Counts a decision about a contested field.
    pub fn conflict(&self, labels: ConflictLabels) {
        self.series().conflicts.count(&self.conflicts, labels);
    }

    /// Tells what is contested in a release now, one item a field.
    pub fn conflicts_now(&self, release: &ReleaseLabels, decisions: impl Iterator<Item = ConflictLabels>) {
        self.series()
            .conflicts_active
            .set(&self.conflicts_active, release, decisions);
    }

    /// Tells what a release in shadow mode would contest, one item a field. Nothing for any other release.
    pub fn shadow_conflicts_now(&self, release: &ReleaseLabels, decisions: impl Iterator<Item = ConflictLabels>) {
        self.series()
            .shadow_conflicts
            .set(&self.shadow_conflicts, release, decisions);
    }

    /// Counts a fight that begins.
    pub fn fight(&self, release: &ReleaseLabels) {
        self.fights.get_or_create(release).inc();
    }

    /// Tells how many fights of a release go on. Releases without a fight have no series until their first.
    pub fn fights_now(&self, release: &ReleaseLabels, fights: usize) {
        if fights > 0 || self.fights.get(release).is_some() {
            let fights = i64::try_from(fights).unwrap_or(i64::MAX);
            self.fights_active.get_or_create(release).set(fights);
        }
    }

    /// Counts fields of a release that were found to have drifted.
    pub fn drifted(&self, release: &ReleaseLabels, fields: u64) {
        if fields > 0 {
            self.drifted.get_or_create(release).inc_by(fields);
        }
    }

    /// Tells how a release is.
    pub fn release(&self, release: &ReleaseLabels, ready: bool, suspended: bool) {
        self.release_ready.get_or_create(release).set(i64::from(ready));
        self.release_suspended.get_or_create(release).set(i64::from(suspended));
    }

    /// Removes all series of a release that is gone.
    pub fn forget(&self, release: &ReleaseLabels) {
        self.release_ready.remove(release);
        self.release_suspended.remove(release);
        self.fights.remove(release);
        self.fights_active.remove(release);
        self.drifted.remove(release);
        let mut series = self.series();
        for labels in series.conflicts.forget(release) {
            self.conflicts.remove(&labels);
        }
        series
            .conflicts_active
            .set(&self.conflicts_active, release, std::iter::empty());
        series
            .shadow_conflicts
            .set(&self.shadow_conflicts, release, std::iter::empty());
    }

    /// Counts one reconcile of `kind` that took `elapsed` and ended with `outcome`.
    pub fn reconciled(&self, kind: &'static str, outcome: &'static str, verdict: Verdict, elapsed: Duration) {
        let result = verdict.as_str();
        self.reconciles
            .get_or_create(&ReconcileLabels { kind, outcome, result })
            .inc();
        self.reconcile_duration
            .get_or_create(&KindLabels { kind })
            .observe(elapsed.as_secs_f64());
    }

    /// Counts a rendering.
    pub fn rendered(&self, succeeded: bool, elapsed: Duration) {
        let [good, bad] = RENDERED;
        let result = if succeeded { good } else { bad };
        self.render_duration
            .get_or_create(&RenderLabels { result })
            .observe(elapsed.as_secs_f64());
    }

    /// Counts an object that was applied; `operation` is what that did.
    pub fn applied(&self, operation: crate::cluster::apply::Operation) {
        let operation = operation.as_str();
        self.applies.get_or_create(&ApplyLabels { operation }).inc();
    }

    /// Counts a request to the API server; `status` is none without an answer.
    pub fn requested(&self, verb: Verb, dry_run: bool, status: Option<u16>, elapsed: Duration) {
        let labels = RequestLabels {
            verb: verb.as_str(),
            dry_run: if dry_run { "true" } else { "false" },
            code: codes::of(status),
        };
        self.requests.get_or_create(&labels).inc();
        if verb != Verb::Watch {
            let verb = verb.as_str();
            self.request_duration
                .get_or_create(&VerbLabels { verb })
                .observe(elapsed.as_secs_f64());
        }
    }
}

/// OpenMetrics as Prometheus' own text format: there, a counter's family has the name of its samples, and there are
/// neither units nor an end mark.
fn as_text(open_metrics: &str) -> String {
    let counters: Vec<String> = described::ALL
        .iter()
        .filter(|metric| metric.metric_type == MetricType::Counter)
        .map(|metric| metric.full_name())
        .collect();
    let is_counter = |family: &str| {
        let samples = |counter: &String| counter.strip_suffix("_total") == Some(family);
        counters.iter().any(samples)
    };
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("EOF" | "UNIT"), ..) => continue,
            (Some("#"), Some(what), Some(family), Some(rest)) if is_counter(family) => {
                text.extend(["# ", what, " ", family, "_total ", rest]);
            }
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests;
