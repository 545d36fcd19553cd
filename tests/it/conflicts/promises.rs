//! What holds for whole releases: all or nothing, and nothing when there is nothing to do.

use fairlead::api::HelmRelease;
use fairlead::api::release_ledger::ReleaseLedger;
use fairlead::cluster::apply::{Observed, Operation};
use fairlead::ownership::policy::OnConflict;
use fairlead::ownership::summary::ConflictSummary;
use fairlead_controlplane::{AuditEvent, AuditMark};
use serde_json::{Value, json};

use super::contest::contest;
use super::play::Play;
use super::stage::{Stage, config_map, deployment, moment, told, version};
use crate::support::Result;
use crate::support::installation::DEADLINE;
use crate::support::wait::becomes;

fn release(value: &str) -> Vec<Value> {
    (0..6)
        .map(|number| config_map(&format!("part-{number}"), json!({"value": value, "own": "x"})))
        .collect()
}

#[tokio::test]
async fn a_conflict_never_leaves_a_release_half_applied() {
    let mut stage = Stage::open("half").await;
    let first = release("1");
    stage.apply_all(&first).await.unwrap();
    let contested = first.last().unwrap();
    stage
        .patch_as("kubectl-edit", contested, &json!({"data": {"value": "by hand"}}))
        .await;
    let mut before = Vec::new();
    for manifest in &first {
        before.push(version(&stage.live(manifest).await).to_owned());
    }

    let decided = stage.apply_all(&release("2")).await.unwrap_err();
    let summary = ConflictSummary::of(decided.contests());
    assert!(summary.stops());
    assert_eq!(summary.total, 1);
    assert!(
        summary
            .message()
            .contains("part-5 .data.value of kubectl-edit (Real, Failed by onConflict)"),
        "{}",
        summary.message()
    );
    for (manifest, before) in first.iter().zip(before) {
        assert_eq!(version(&stage.live(manifest).await), before);
    }

    stage.policy.on_conflict = OnConflict::Yield;
    let applied = stage.apply_all(&release("2")).await.unwrap();
    assert!(
        applied
            .iter()
            .all(|object| object.operation == Operation::Configured || object.reference.name == "part-5")
    );
    assert_eq!(stage.live(contested).await["data"]["value"], json!("by hand"));
}

#[tokio::test]
async fn nothing_is_sent_when_nothing_changed() {
    let mut stage = Stage::open("noop").await;
    let manifests = release("1");
    let created = stage.apply_all(&manifests).await.unwrap();
    assert!(created.iter().all(|object| object.operation == Operation::Created));
    // The caller has seen the objects in its cache; a server that cannot be reached shows that nobody asks it.
    let mut config = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
    config.default_retry = false;
    let requests: Vec<_> = manifests
        .iter()
        .zip(&created)
        .map(|(manifest, object)| {
            let mut request = stage.request(manifest);
            request.intent = request.intent.in_namespace(Some(stage.namespace.name()));
            request.observed = Observed::Present {
                uid: object.uid.clone(),
                resource_version: object.resource_version.clone(),
            };
            request
        })
        .collect();
    let _ = stage.kinds.resolve("v1", "ConfigMap").await.unwrap();
    stage.calls = fairlead::cluster::calls::Calls::new(
        kube::Client::try_from(config).unwrap(),
        std::time::Duration::from_secs(5),
    );
    let applier = stage.applier();
    let decided = applier.decide(requests, moment()).await;
    assert!(!decided.stops(), "{:?}", decided.failures);
    assert!(decided.plans.iter().all(fairlead::cluster::apply::ObjectPlan::is_skip));
    let written = applier.write(decided.plans, moment()).await;
    assert!(
        written
            .iter()
            .all(|outcome| outcome.as_ref().unwrap().operation == Operation::Skipped)
    );
}

#[tokio::test]
async fn applying_again_without_a_ledger_changes_nothing() {
    let mut stage = Stage::open("again").await;
    let manifests = release("1");
    stage.apply_all(&manifests).await.unwrap();
    stage.ledger = fairlead::ownership::ledger::Ledger::default();
    let again = stage.apply_all(&manifests).await.unwrap();
    assert!(
        again.iter().all(|object| object.operation == Operation::Unchanged),
        "{again:?}"
    );
}

#[tokio::test]
async fn a_skipped_object_still_tells_what_is_contested() {
    let mut stage = Stage::open("still").await;
    let chart = config_map("config", json!({"a": "1", "b": "1"}));
    stage.apply(&chart).await.unwrap();
    stage
        .patch_as("kubectl-edit", &chart, &json!({"data": {"a": "2"}}))
        .await;
    stage.rule(&[".data.a"], &[], OnConflict::Yield);
    let first = stage.apply(&chart).await.unwrap();
    let second = stage.apply(&chart).await.unwrap();
    assert_eq!(second.operation, Operation::Skipped);
    assert_eq!(second.contested, first.contested);
    // Another policy decides anew.
    stage.policy.release_rules.clear();
    stage.policy.on_conflict = OnConflict::Force;
    let third = stage.apply(&chart).await.unwrap();
    assert_eq!(third.operation, Operation::Configured);
    assert_eq!(stage.live(&chart).await["data"]["a"], json!("1"));
}

#[tokio::test]
async fn what_others_do_to_their_own_fields_needs_no_write() {
    let mut stage = Stage::open("untouched").await;
    let chart = deployment(2, "app:1");
    stage.apply(&chart).await.unwrap();
    // The real controller writes the status, an autoscaler what was yielded to it.
    stage.scale_as("kube-controller-manager", &chart, 7).await;
    assert_eq!(stage.apply(&chart).await.unwrap().operation, Operation::Unchanged);
    stage.scale_as("kube-controller-manager", &chart, 9).await;
    let applied = stage.apply(&chart).await.unwrap();
    assert_eq!(applied.operation, Operation::Skipped);
    assert_eq!(
        told(&applied.contested),
        [".spec.replicas kube-controller-manager Real Yielded wellKnownOwners/hpa-replicas"]
    );
    assert_eq!(
        applied.contested.first().unwrap().theirs.as_ref().unwrap().as_json(),
        &json!(9)
    );

    // Somebody takes one of our fields.
    let edit = json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "app:debug"}]}}}});
    stage.strategic_patch_as("kubectl-edit", &chart, &edit).await;
    let error = stage.apply(&chart).await.unwrap_err();
    assert!(error.to_string().contains("image is owned by kubectl-edit"), "{error}");
}

/// A release of many small objects.
fn twenty(value: impl Fn(usize) -> String) -> Vec<Value> {
    (0..20)
        .map(|number| {
            config_map(
                &format!("part-{number:02}"),
                json!({"value": value(number), "own": "x"}),
            )
        })
        .collect()
}

/// The requests about the objects themselves, as `verb dry-run?`.
async fn requests(play: &Play, mark: AuditMark) -> Result<Vec<String>> {
    let plane = play.installation.plane;
    let about = |event: &AuditEvent| {
        let ours = event.concerns("configmaps", Some(play.stage.namespace.name()));
        ours && event
            .object_ref
            .as_ref()
            .is_some_and(|object| object.name.starts_with("part-"))
    };
    let events = plane.requests_since(mark).await?;
    Ok(events
        .into_iter()
        .filter(about)
        .map(|event| {
            let dry_run = if event.request_uri.contains("dryRun") {
                " dry run"
            } else {
                ""
            };
            format!("{}{dry_run} {}", event.verb, event.code())
        })
        .collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_costs_one_apply_for_each_object_that_changes() -> Result {
    let mut play = Play::open("cost").await?;
    let plane = play.installation.plane;
    let mark = plane.audit_mark().await?;
    play.wants(&twenty(|_| "1".to_owned())).await?;
    play.is_ready().await?;
    let seen = requests(&play, mark).await?;
    let writes: Vec<&String> = seen.iter().filter(|request| request.starts_with("patch")).collect();
    assert_eq!(writes.len(), 20, "each is applied once, and not dry-run: {seen:?}");
    assert!(writes.iter().all(|request| *request == "patch 201"), "{writes:?}");

    play.looks_again().await?;
    let mark = plane.audit_mark().await?;
    play.looks_again().await?;
    assert_eq!(requests(&play, mark).await?, Vec::<String>::new());

    let mark = plane.audit_mark().await?;
    play.wants(&twenty(|number| if number == 13 { "2" } else { "1" }.to_owned()))
        .await?;
    play.is_ready().await?;
    let seen = requests(&play, mark).await?;
    let writes: Vec<&String> = seen.iter().filter(|request| request.starts_with("patch")).collect();
    assert_eq!(writes, ["patch 200"], "{seen:?}");
    assert!(seen.len() <= 2, "one read at most: {seen:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_in_the_last_of_twenty_objects_writes_nothing_at_all() -> Result {
    let mut play = Play::open("preflight").await?;
    let parts = twenty(|_| "1".to_owned());
    play.installs(&parts).await?;
    let last = parts.last().ok_or("no objects")?;
    play.stage
        .patch_as("kubectl-edit", last, &json!({"data": {"value": "by hand"}}))
        .await;
    let line = ".data.value kubectl-edit Real Failed by onConflict";
    play.tells(&[contest(last, line, "by hand", &["kubectl-edit Update"])])
        .await?;
    let mut before = Vec::new();
    for part in &parts {
        before.push(version(&play.live(part).await).to_owned());
    }
    let mark = play.installation.plane.audit_mark().await?;
    play.wants(&twenty(|_| "2".to_owned())).await?;
    play.is_not_ready(&["part-19", ".data.value of kubectl-edit"]).await?;
    for (part, before) in parts.iter().zip(before) {
        assert_eq!(version(&play.live(part).await), before, "{}", part["metadata"]["name"]);
    }
    let seen = requests(&play, mark).await?;
    let wrote = seen
        .iter()
        .filter(|request| request.starts_with("patch") && !request.contains("dry run"));
    assert_eq!(wrote.count(), 0, "{seen:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_contested_fields_fit_into_status_and_ledger() -> Result {
    const OBJECTS: usize = 20;
    const KEYS: usize = 250;
    let mut play = Play::open("many").await?;
    play.ownership(json!({"onConflict": "Yield"}));
    let maps = |value: &str| -> Vec<Value> {
        let data: std::collections::BTreeMap<String, String> = (0..KEYS)
            .map(|key| (format!("setting-{key:03}"), value.repeat(40)))
            .collect();
        (0..OBJECTS)
            .map(|object| config_map(&format!("many-{object:02}"), json!(data)))
            .collect()
    };
    play.wants(&maps("ours-")).await?;
    play.is_ready().await?;
    for map in maps("theirs-") {
        play.stage.apply_as("rival", &map).await;
    }
    let all = u32::try_from(OBJECTS * KEYS)?;
    let is_told = |release: Option<&HelmRelease>| {
        let status = release.and_then(|release| release.status.as_ref()?.ownership.as_ref());
        status.is_some_and(|ownership| ownership.conflicts.total == all)
    };
    let release = becomes(&play.installation.api::<HelmRelease>(), "shop", DEADLINE, is_told).await?;
    let release = release.ok_or("no release")?;
    let is_kept = |ledger: Option<&ReleaseLedger>| {
        ledger.is_some_and(|ledger| {
            ledger
                .spec
                .objects
                .iter()
                .all(|object| object.resource_version != "0" && object.intent.is_empty())
        })
    };
    let ledger = becomes(&play.installation.api::<ReleaseLedger>(), "shop", DEADLINE, is_kept).await?;
    let status = serde_json::to_string(&release.status)?.len();
    let ledger = serde_json::to_string(&ledger.ok_or("no ledger")?.spec)?.len();
    eprintln!("{all} contested fields: {status} bytes of status, {ledger} bytes of ledger");
    assert!(
        status < 100_000 && ledger < 100_000,
        "{status} bytes of status, {ledger} bytes of ledger"
    );
    let active = play.installation.operator.metrics().await?;
    let active = active.sum(
        "fairlead_ssa_conflicts_active",
        &[("release", "shop"), ("action", "Yielded")],
    );
    assert_eq!(active, Some(f64::from(all)));
    Ok(())
}
