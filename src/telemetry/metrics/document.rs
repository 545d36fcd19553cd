//! `docs/metrics.md`, from the descriptions.

use std::fmt::Write as _;

use super::described::{ALL, Description};
use super::labels::{Label, Values};
use super::series::MAX_CONFLICT_SERIES;

/// The document as Markdown.
pub fn document() -> String {
    let mut text = String::from(INTRODUCTION);
    text.push_str("| Metric | Type | Unit | Labels |\n|---|---|---|---|\n");
    for metric in ALL {
        let name = metric.full_name();
        let labels: Vec<&str> = metric.labels.iter().map(|label| label.name()).collect();
        let labels = labels.join(", ");
        let (metric_type, unit) = (metric.metric_type.as_str(), metric.unit());
        _ = writeln!(text, "| [`{name}`](#{name}) | {metric_type} | {unit} | {labels} |");
    }
    for metric in ALL {
        describe(&mut text, metric);
    }
    _ = write!(
        text,
        "\n## Bounds\n\nA release has at most {MAX_CONFLICT_SERIES} series of each of the metrics about conflicts, and at \
         most one more for each class and action: beyond the first {MAX_CONFLICT_SERIES}, `kind` and `manager_class` are \
         `Other`. All series of a release go when its HelmRelease goes. The metrics without `release` have a number of \
         series that depends on nothing in the cluster.\n"
    );
    text
}

const INTRODUCTION: &str = "\
# Metrics

<!-- Written by `FAIRLEAD_WRITE_DOCS=1 cargo test --test monitoring`; a test fails when it is stale. -->

The controller serves its metrics at `/metrics` on the port of its probes: as OpenMetrics to whoever accepts that, as
Prometheus does, else in the Prometheus text format. `deploy/monitoring` brings a ServiceMonitor, alerts and a dashboard.

No label ever has a field's path, an object's name, a value or a field manager's name: those stand in the status, the
events and the ReleaseLedger, and never with the value of a Secret.

";

fn describe(text: &mut String, metric: &Description) {
    let Description {
        labels, help, purpose, ..
    } = metric;
    _ = write!(text, "\n## {}\n\n{help}.\n\n{purpose}\n\n", metric.full_name());
    if labels.is_empty() {
        text.push_str("It has no labels.\n");
        return;
    }
    text.push_str("| Label | Meaning | Values |\n|---|---|---|\n");
    for label in *labels {
        _ = writeln!(
            text,
            "| `{}` | {} | {} |",
            label.name(),
            label.meaning(),
            values(*label)
        );
    }
}

fn values(label: Label) -> String {
    match label.values() {
        Values::OneOf(values) => values
            .iter()
            .map(|value| format!("`{value}`"))
            .collect::<Vec<_>>()
            .join(", "),
        Values::Bounded(how) => how.to_owned(),
    }
}
