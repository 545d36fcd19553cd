//! The series of each release: how many there may be, and which go with it.

use std::collections::{HashMap, HashSet};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::labels::{ConflictLabels, OTHER, ReleaseLabels};

/// How many series of one metric a release may have before kinds and managers are told as `Other`. What is folded adds at
/// most one series for each class and action.
pub const MAX_CONFLICT_SERIES: usize = 100;

/// The label sets of one metric that releases have.
#[derive(Debug, Default)]
pub(super) struct SeriesOf(HashMap<ReleaseLabels, HashSet<ConflictLabels>>);

fn release(labels: &ConflictLabels) -> ReleaseLabels {
    ReleaseLabels {
        namespace: labels.namespace.clone(),
        release: labels.release.clone(),
    }
}

/// The label set under which a decision is told: its own while there is room among those that are told already.
fn bounded(told: usize, is_told: bool, labels: ConflictLabels) -> ConflictLabels {
    if is_told || told < MAX_CONFLICT_SERIES {
        return labels;
    }
    ConflictLabels {
        kind: OTHER.to_owned(),
        manager_class: OTHER,
        ..labels
    }
}

impl SeriesOf {
    /// Counts a decision.
    pub(super) fn count(&mut self, counter: &Family<ConflictLabels, Counter>, labels: ConflictLabels) {
        let told = self.0.entry(release(&labels)).or_default();
        let labels = bounded(told.len(), told.contains(&labels), labels);
        counter.get_or_create(&labels).inc();
        told.insert(labels);
    }

    /// Brings the gauges of a release to these decisions, and removes those that are not among them.
    pub(super) fn set(
        &mut self,
        gauge: &Family<ConflictLabels, Gauge>,
        release: &ReleaseLabels,
        decisions: impl Iterator<Item = ConflictLabels>,
    ) {
        let mut counts: HashMap<ConflictLabels, i64> = HashMap::new();
        for labels in decisions {
            let labels = bounded(counts.len(), counts.contains_key(&labels), labels);
            *counts.entry(labels).or_default() += 1;
        }
        let before = self.0.remove(release).unwrap_or_default();
        for gone in before.iter().filter(|labels| !counts.contains_key(labels)) {
            gauge.remove(gone);
        }
        for (labels, count) in &counts {
            gauge.get_or_create(labels).set(*count);
        }
        if !counts.is_empty() {
            self.0.insert(release.clone(), counts.into_keys().collect());
        }
    }

    /// Takes what a release has out, so that it can be removed.
    pub(super) fn forget(&mut self, release: &ReleaseLabels) -> HashSet<ConflictLabels> {
        self.0.remove(release).unwrap_or_default()
    }
}
