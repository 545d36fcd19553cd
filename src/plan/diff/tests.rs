use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::api::helm_release::actions::ChartNameChangeStrategy;
use crate::ownership::redact::Redactor;
use crate::ownership::shadow::{FieldChange, ObjectShadow};
use crate::plan::records::Standing;
use crate::plan::revision::tests::identity;
use crate::plan::revision::{Identity, revision};
use crate::plan::shadow::{Failure, Refusal, Source};

fn snapshot(status: &str) -> Snapshot {
    let began = "2026-11-22T21:00:00Z";
    let snapshot = json!({"digest": "", "name": "shop", "namespace": "prod", "version": 3, "status": status, "chartName": "shop",
        "chartVersion": "1.0.0", "configDigest": "sha256:values", "firstDeployed": began, "lastDeployed": began, "action": "install"});
    serde_json::from_value(snapshot).unwrap()
}

fn hook(name: &str, weight: i64, event: &str) -> Hook {
    let hook = json!({"kind": "Job", "name": name, "events": [event], "weight": weight,
        "manifest": "apiVersion: batch/v1\nkind: Job\n"});
    Hook::recorded(&hook).unwrap()
}

/// Why the next revision begins, its number and action, and its hooks.
fn foreseen(newest: Option<&Snapshot>, desired: &Identity, origin: ChartOrigin) -> Option<Next> {
    foreseen_by(gate::Verdict::Open, newest, desired, origin)
}

fn foreseen_by(
    gate: gate::Verdict,
    newest: Option<&Snapshot>,
    desired: &Identity,
    origin: ChartOrigin,
) -> Option<Next> {
    let known = Known {
        history: newest.map(std::slice::from_ref).unwrap_or_default(),
        chart_digest: newest.map(|_| "sha256:1.0.0"),
        standing: &Standing::Own,
    };
    let wanted = Wanted {
        identity: desired,
        storage_namespace: "prod",
        chart_name_change: ChartNameChangeStrategy::Reinstall,
        interval: Duration::from_mins(1),
        asked: false,
        forced: false,
        gate,
    };
    let hooks = [
        hook("b", 2, "pre-upgrade"),
        hook("a", 1, "pre-upgrade"),
        hook("c", 0, "post-install"),
    ];
    let revision = revision(known, desired, Timestamp::UNIX_EPOCH);
    let subject = Subject {
        namespace: "prod",
        name: "shop",
        origin,
    };
    next(known, Some("prod"), &wanted, &revision, &hooks, subject)
}

#[test]
fn what_differs_makes_the_next_revision() {
    let newest = snapshot("deployed");
    assert_eq!(foreseen(Some(&newest), &identity("1.0.0"), ChartOrigin::Source), None);

    let upgrade = foreseen(Some(&newest), &identity("1.1.0"), ChartOrigin::Source).unwrap();
    assert_eq!(
        (upgrade.number, upgrade.action, upgrade.because),
        (4, "upgrade", vec![Cause::ChartVersion])
    );
    let hooks: Vec<&str> = upgrade.hooks.iter().map(|hook| hook.name.as_str()).collect();
    assert_eq!(hooks, ["a", "b"]);

    let install = foreseen(None, &identity("1.0.0"), ChartOrigin::Source).unwrap();
    assert_eq!(
        (install.number, install.action, install.because, install.hooks.len()),
        (1, "install", vec![], 1)
    );

    let renamed = Identity {
        release_name: "store".into(),
        config_digest: "sha256:others".into(),
        ..identity("1.0.0")
    };
    let renamed = foreseen(Some(&newest), &renamed, ChartOrigin::Source).unwrap();
    assert_eq!(
        (renamed.number, renamed.action, renamed.reinstalls),
        (1, "install", true)
    );
    assert_eq!(renamed.because, [Cause::ReleaseName, Cause::Values]);

    let gone = foreseen(Some(&snapshot("uninstalled")), &identity("1.0.0"), ChartOrigin::Source).unwrap();
    assert_eq!((gone.action, gone.because), ("install", vec![Cause::Status]));
}

#[test]
fn the_wrapping_of_a_chart_that_is_given_says_nothing() {
    let newest = snapshot("deployed");
    let rewrapped = Identity {
        chart_digest: "sha256:folder".into(),
        ..identity("1.0.0")
    };
    assert_eq!(foreseen(Some(&newest), &rewrapped, ChartOrigin::Given), None);
    let changed = foreseen(Some(&newest), &rewrapped, ChartOrigin::Source).unwrap();
    assert_eq!(changed.because, [Cause::ChartContent]);
    let values = Identity {
        config_digest: "sha256:others".into(),
        ..rewrapped
    };
    let changed = foreseen(Some(&newest), &values, ChartOrigin::Given).unwrap();
    assert_eq!(changed.because, [Cause::Values]);
}

#[test]
fn what_a_gate_holds_back_is_told_with_what_approves_it() {
    let (newest, desired) = (snapshot("deployed"), identity("1.1.0"));
    let held = |approved, origin| {
        let opens_at = Some(Timestamp::UNIX_EPOCH);
        let verdict = gate::Verdict::Held(gate::Hold { approved, opens_at });
        foreseen_by(verdict, Some(&newest), &desired, origin)
            .unwrap()
            .held
            .unwrap()
    };
    let change = gate::change(&desired);
    let awaiting = held(false, ChartOrigin::Source);
    assert_eq!(
        (awaiting.reason, awaiting.change.as_ref()),
        ("AwaitingApproval", Some(&change))
    );
    let command = format!(
        "helmrelease.fairlead.dev shop -n prod fairlead.dev/approve={change}; the next window opens at 1970-01-01T00:00:00Z"
    );
    assert!(awaiting.message.ends_with(&command), "{}", awaiting.message);
    let closed = held(true, ChartOrigin::Source);
    assert_eq!((closed.reason, closed.change.as_ref()), ("WindowClosed", Some(&change)));
    // The digest of a chart that is given is not that of the one that the operator will find.
    let given = held(false, ChartOrigin::Given);
    assert_eq!((given.reason, given.change.as_ref()), ("AwaitingApproval", None));
    assert!(
        !given.message.contains(&change) && !given.message.contains("annotate"),
        "{}",
        given.message
    );
    // Nothing holds an install back.
    let verdict = gate::Verdict::Held(gate::Hold {
        approved: false,
        opens_at: None,
    });
    let install = foreseen_by(verdict, None, &desired, ChartOrigin::Source).unwrap();
    assert_eq!((install.action, install.held), ("install", None));
}

fn object(kind: &str, name: &str) -> ObjectReference {
    ObjectReference {
        api_version: "v1".into(),
        kind: kind.into(),
        namespace: Some("prod".into()),
        name: name.into(),
    }
}

fn changed(
    reference: &ObjectReference,
    fields: &[(&str, Option<serde_json::Value>, Option<serde_json::Value>)],
) -> ObjectShadow {
    let show = |path: &str, value: &Option<serde_json::Value>| {
        let path = path.parse().unwrap();
        value
            .as_ref()
            .map(|value| Redactor::new(*b"salt").show(reference, &path, value))
    };
    let changes = fields.iter().map(|(path, live, foretold)| FieldChange {
        path: path.parse().unwrap(),
        live: show(path, live),
        foretold: show(path, foretold),
    });
    ObjectShadow {
        effect: Effect::Changed,
        changes: changes.collect(),
        changed: fields.len() + 1,
        ..ObjectShadow::created(reference.clone())
    }
}

fn diff() -> ReleaseDiff {
    let lines = |middle: &str| json!(format!("1\n2\n3\n4\n{middle}\n6\n7\n8\n9\n"));
    let map = changed(
        &object("ConfigMap", "shop"),
        &[
            (".data.key", Some(json!("old")), Some(json!("new\u{1b}[31m"))),
            (".data.file", Some(lines("a")), Some(lines("b"))),
            (".data.gone", Some(json!("x")), None),
            (".metadata.labels", None, Some(json!({"a": "b"}))),
        ],
    );
    let adopted = ObjectShadow {
        effect: Effect::Adopted,
        ..ObjectShadow::created(object("Service", "shop"))
    };
    let unchanged = ObjectShadow {
        effect: Effect::Unchanged,
        ..ObjectShadow::created(object("Secret", "shop"))
    };
    ReleaseDiff {
        release: ReleaseShadow {
            source: Source::HelmRelease,
            namespace: "prod".into(),
            name: "shop".into(),
            chart: "shop@1.1.0".into(),
            field_manager: "fairlead:prod/shop".into(),
            objects: vec![
                map,
                adopted,
                unchanged,
                ObjectShadow::created(object("ConfigMap", "new")),
            ],
            removed: vec![object("ConfigMap", "old")],
            refused: Vec::new(),
        },
        newest: Newest::of(&[snapshot("deployed")]),
        next: foreseen(Some(&snapshot("deployed")), &identity("1.1.0"), ChartOrigin::Source),
        kept: vec![object("PersistentVolumeClaim", "data")],
        is_suspended: false,
    }
}

#[test]
fn the_text() {
    let failure = Failure {
        namespace: "prod".into(),
        release: "web".into(),
        message: "no chart".into(),
    };
    let reports = DiffReports::of(&[diff()], vec![failure]);
    let text: Vec<String> = lines(&reports).into_iter().map(|line| line.text).collect();
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn the_report() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&DiffReports::of(&[diff()], Vec::new())).unwrap());
}

#[test]
fn what_is_worst_is_the_verdict() {
    let differing = diff();
    let mut same = diff();
    same.next = None;
    same.kept.clear();
    same.release.removed.clear();
    same.release.objects.retain(|object| object.effect == Effect::Unchanged);
    let mut stopped = same.clone();
    stopped.release.refused.push(Refusal {
        object: object("Job", "migrate"),
        message: "it is immutable".into(),
    });
    let verdict = |diffs: &[&ReleaseDiff]| {
        let diffs: Vec<ReleaseDiff> = diffs.iter().copied().cloned().collect();
        DiffReports::of(&diffs, Vec::new()).verdict
    };
    assert_eq!(verdict(&[]), Verdict::Same);
    assert_eq!(verdict(&[&same]), Verdict::Same);
    assert_eq!(verdict(&[&differing, &same]), Verdict::Differs);
    assert_eq!(verdict(&[&stopped, &differing]), Verdict::Stopped);
}
