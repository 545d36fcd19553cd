use std::collections::{BTreeMap, BTreeSet};

use super::labels::{Label, Values};
use super::*;
use crate::cluster::apply::Operation;
use crate::ownership::class::Class;
use crate::ownership::manager_class::ManagerClass;
use crate::ownership::policy::Action;

fn release(name: &str) -> ReleaseLabels {
    ReleaseLabels {
        namespace: "prod".to_owned(),
        release: name.to_owned(),
    }
}

fn labels(name: &str, kind: &str, manager: &str, action: Action) -> ConflictLabels {
    let ReleaseLabels { namespace, release } = release(name);
    ConflictLabels {
        namespace,
        release,
        kind: kind.to_owned(),
        class: Class::Real.as_str(),
        manager_class: ManagerClass::of(manager, None).as_str(),
        action: action.as_str(),
    }
}

/// Metrics in which every family has a series.
fn used() -> Metrics {
    let metrics = Metrics::default();
    metrics.leads(true);
    let conflict = || labels("shop", "Deployment", "kubectl-edit", Action::Failed);
    metrics.conflict(conflict());
    metrics.conflicts_now(&release("shop"), [conflict()].into_iter());
    metrics.shadow_conflicts_now(&release("shop"), [conflict()].into_iter());
    metrics.fight(&release("shop"));
    metrics.fights_now(&release("shop"), 1);
    metrics.drifted(&release("shop"), 2);
    metrics.release(&release("shop"), true, false);
    metrics.reconciled("HelmRelease", "Standing", Verdict::Waiting, Duration::ZERO);
    metrics.rendered(true, Duration::ZERO);
    metrics.applied(Operation::Created);
    metrics.requested(Verb::Apply, true, Some(409), Duration::ZERO);
    metrics
}

/// Name and labels of each sample.
fn samples(text: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let sample = |line: &str| {
        let (series, _) = line.rsplit_once(' ')?;
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let labels = labels.strip_suffix('}')?.split(',').filter_map(|label| {
            let (name, value) = label.split_once('=')?;
            Some((name.to_owned(), value.trim_matches('"').to_owned()))
        });
        Some((name.to_owned(), labels.collect()))
    };
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(sample)
        .collect()
}

#[test]
fn metrics_are_as_they_are_described() {
    let text = used().encode(Format::Text).unwrap();
    let found = samples(&text);
    for metric in described::ALL {
        let name = metric.full_name();
        let mut of = found
            .iter()
            .filter(|(sample, _)| sample.strip_prefix(&name).is_some_and(is_suffix))
            .peekable();
        assert!(of.peek().is_some(), "{name} has no series in\n{text}");
        assert!(text.contains(&format!("# HELP {name} {}", metric.help)), "{text}");
        assert!(
            text.contains(&format!("# TYPE {name} {}\n", metric.metric_type.as_str())),
            "{text}"
        );
        for (sample, labels) in of {
            let mut names: BTreeSet<&str> = labels.keys().map(String::as_str).collect();
            names.remove("le");
            let described: BTreeSet<&str> = metric.labels.iter().map(|label| label.name()).collect();
            assert_eq!(names, described, "{sample}");
            for label in metric.labels {
                if let Values::OneOf(values) = label.values() {
                    assert!(values.contains(&labels[label.name()].as_str()), "{sample} {labels:?}");
                }
            }
        }
    }
    let known = |name: &String| {
        described::ALL
            .iter()
            .any(|metric| name.strip_prefix(&metric.full_name()).is_some_and(is_suffix))
    };
    assert!(found.iter().all(|(name, _)| known(name)), "{found:?}");
}

fn is_suffix(rest: &str) -> bool {
    matches!(rest, "" | "_bucket" | "_sum" | "_count")
}

#[test]
fn closed_sets_are_small() {
    let all = described::ALL.iter().flat_map(|metric| metric.labels);
    for label in all {
        match label.values() {
            Values::OneOf(values) => assert!(values.len() <= 64, "{label:?}"),
            Values::Bounded(_) => assert!(matches!(
                label,
                Label::Namespace | Label::Release | Label::ObjectKind | Label::Version
            )),
        }
    }
}

#[test]
fn rivals_and_kinds_without_number_make_few_series() {
    let metrics = Metrics::default();
    let conflicts = || {
        (0..5_000).map(|number| {
            let actions = Action::ALL;
            let (kind, manager) = (format!("Kind{number}"), format!("rival-{number}"));
            labels("shop", &kind, &manager, actions[number % actions.len()])
        })
    };
    conflicts().for_each(|labels| metrics.conflict(labels));
    metrics.conflicts_now(&release("shop"), conflicts());
    metrics.shadow_conflicts_now(&release("shop"), conflicts());
    let text = metrics.encode(Format::Text).unwrap();
    for name in [
        "fairlead_ssa_conflicts_total",
        "fairlead_ssa_conflicts_active",
        "fairlead_shadow_conflicts",
    ] {
        let of: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with(&format!("{name}{{")))
            .collect();
        let most = MAX_CONFLICT_SERIES + Class::ALL.len() * Action::ALL.len();
        assert!(of.len() <= most, "{name}: {}", of.len());
        assert!(of.len() > MAX_CONFLICT_SERIES, "{name}: {}", of.len());
        // Nothing is lost: only told less exactly.
        let sum: f64 = of
            .iter()
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum();
        assert!((sum - 5_000.0).abs() < 0.5, "{name}: {sum}");
    }
    assert!(!text.contains("rival"), "a manager's name became a label");
    // The same again makes no further series.
    let lines = text.lines().count();
    conflicts().for_each(|labels| metrics.conflict(labels));
    metrics.conflicts_now(&release("shop"), conflicts());
    assert_eq!(metrics.encode(Format::Text).unwrap().lines().count(), lines);
}

#[test]
fn a_release_that_goes_leaves_no_series() {
    let metrics = used();
    // Decisions that are not current any more go too.
    metrics.conflict(labels("shop", "Service", "helm", Action::Yielded));
    metrics.conflicts_now(&release("shop"), std::iter::empty());
    metrics.release(&release("other"), true, false);
    metrics.forget(&release("shop"));
    let text = metrics.encode(Format::Text).unwrap();
    assert!(!text.contains("release=\"shop\""), "{text}");
    assert!(text.contains("release=\"other\""), "{text}");
}

#[test]
fn what_is_settled_has_no_gauge() {
    let metrics = Metrics::default();
    let active = |metrics: &Metrics| {
        metrics
            .encode(Format::Text)
            .unwrap()
            .matches("ssa_conflicts_active{")
            .count()
    };
    let conflicts = ["ConfigMap", "Secret", "Secret"].map(|kind| labels("shop", kind, "helm", Action::Failed));
    metrics.conflicts_now(&release("shop"), conflicts.clone().into_iter());
    assert_eq!(active(&metrics), 2);
    assert!(metrics.encode(Format::Text).unwrap().contains("action=\"Failed\"} 2\n"));
    metrics.conflicts_now(&release("shop"), conflicts.into_iter().take(1));
    assert_eq!(active(&metrics), 1);
    metrics.conflicts_now(&release("shop"), std::iter::empty());
    assert_eq!(active(&metrics), 0);
}

#[test]
fn each_format_is_what_its_readers_expect() {
    let metrics = used();
    let open = metrics.encode(Format::OpenMetrics).unwrap();
    assert!(open.ends_with("# EOF\n"));
    assert!(
        open.contains("# TYPE fairlead_reconciles counter\n") && open.contains("# UNIT "),
        "{open}"
    );
    let text = metrics.encode(Format::Text).unwrap();
    assert!(text.contains("# TYPE fairlead_reconciles_total counter\n"), "{text}");
    assert!(!text.contains("# EOF") && !text.contains("# UNIT"), "{text}");
    let values = |text: &str| {
        text.lines()
            .filter(|line| !line.starts_with('#'))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(values(&open), values(&text));
}
