//! Writers change objects while Fairlead decides about them: no field is taken that the decision had not seen.
//!
//! The proof is the history of the objects, every version of it as the API server's watch tells it, with its managedFields:
//! what each of our writes took from whom, and with which value, must stand in the decision that led to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fairlead::cluster::apply::{Applied, ApplyError, ApplyRequest, Observed, Operation};
use fairlead::ownership::class::Class;
use fairlead::ownership::contested::ContestedField;
use fairlead::ownership::fieldset::Relation;
use fairlead::ownership::intent::Intent;
use fairlead::ownership::ledger::Ledger;
use fairlead::ownership::managed::{ManagedFields, Manager, Operation as ManagerOperation};
use fairlead::ownership::path::FieldPath;
use fairlead::ownership::policy::{Action, OnConflict};
use fairlead::ownership::redact::Redactor;
use fairlead::ownership::reference::ObjectReference;
use fairlead_controlplane::ControlPlane;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams, WatchEvent, WatchParams};
use serde_json::{Value, json};

use super::stage::{MANAGER, Stage, config_map, marked, moment, version};
use crate::support::Result;

const OBJECTS: usize = 4;
const ROUNDS: usize = 250;
const WRITERS: usize = 8;
/// What the last writers write is left to them.
const YIELDED: usize = 2;

/// Every version of the objects, in order.
type History = BTreeMap<String, Vec<Value>>;

fn key(writer: usize) -> String {
    format!("w{writer}")
}

fn path(writer: usize) -> Result<FieldPath> {
    Ok(format!(".data.{}", key(writer)).parse()?)
}

/// What the chart wants in a round: another value for every writer's key.
fn chart(object: usize, round: usize) -> Value {
    let data: BTreeMap<String, String> = (0..WRITERS).map(|writer| (key(writer), format!("round {round}"))).collect();
    config_map(&format!("raced-{object}"), json!(data))
}

/// Writes to its key once.
async fn write_once(stage: &Stage, object: usize, writer: usize, value: &str) {
    let maps: Api<ConfigMap> = Api::namespaced(stage.client.clone(), &stage.namespace);
    let parameters = PatchParams {
        field_manager: Some(format!("writer-{writer}")),
        ..PatchParams::default()
    };
    let patch = json!({"data": {key(writer): value}});
    maps.patch(&format!("raced-{object}"), &parameters, &Patch::Merge(patch))
        .await
        .unwrap();
}

/// Writes to its key again and again, at a pace of its own, until it is told to stop.
async fn write(stage: Arc<Stage>, object: usize, writer: usize, stop: Arc<AtomicBool>) -> usize {
    let mut written = 0;
    while !stop.load(Ordering::Relaxed) {
        write_once(&stage, object, writer, &format!("written {written}")).await;
        written += 1;
        // Different primes, so that writers meet in every combination.
        let pause = [251, 307, 367, 431, 499, 563, 631, 701];
        tokio::time::sleep(Duration::from_millis(pause.get(writer).copied().unwrap_or(500))).await;
    }
    written
}

/// Applies an object round by round. Rounds in which it never came to rest are none of ours: nothing was taken then.
async fn decide(stage: Arc<Stage>, object: usize) -> Vec<Applied> {
    let applier = stage.applier();
    let policy = stage.policy.fingerprint(moment().now);
    let mut ledger = Ledger::default();
    let mut done = Vec::new();
    for round in 0..ROUNDS {
        let manifest = chart(object, round);
        let request = ApplyRequest {
            intent: Intent::new(manifest.clone(), Some(&stage.release())).unwrap(),
            observed: Observed::Unknown,
            comparison: None,
            record: ledger.shared(&stage.reference(&manifest)),
        };
        match applier.apply(request, moment()).await {
            Ok(applied) => {
                ledger.record(&applied.observation(&policy), moment().now);
                done.push(applied);
            }
            Err(ApplyError::Unstable { .. }) => {}
            Err(error) => panic!("round {round}: {error}"),
        }
    }
    done
}

/// Collects every version of every object of the namespace until the task is told to stop.
async fn watch(stage: Arc<Stage>, mut from: String, stop: Arc<AtomicBool>) -> History {
    let maps = stage.calls.client().clone();
    let resource = stage.kinds.resolve("v1", "ConfigMap").await.unwrap();
    let maps: Api<DynamicObject> = Api::namespaced_with(maps, &stage.namespace, &resource.api);
    let mut events = maps.watch(&WatchParams::default(), &from).await.unwrap().boxed();
    let mut history = History::new();
    loop {
        let next = tokio::time::timeout(Duration::from_secs(2), events.next()).await;
        match next {
            Ok(Some(Ok(WatchEvent::Added(object) | WatchEvent::Modified(object)))) => {
                let name = object.metadata.name.clone().unwrap_or_default();
                from = object.metadata.resource_version.clone().unwrap_or_default();
                history.entry(name).or_default().push(serde_json::to_value(object).unwrap());
            }
            // The server ends watches now and then; the next goes on where this one ended.
            Ok(None) => events = maps.watch(&WatchParams::default(), &from).await.unwrap().boxed(),
            // Everybody has stopped, and nothing has come for a while.
            Err(_) if stop.load(Ordering::Relaxed) => return history,
            Ok(Some(Ok(WatchEvent::Bookmark(_)))) | Err(_) => {}
            other => panic!("the history has a gap: {other:?}"),
        }
    }
}

/// The version of an object that a write of ours made, and the one before it, unless that is older than the history.
fn around<'a>(history: &'a History, name: &str, version: &str) -> Result<Option<(&'a Value, &'a Value)>> {
    let versions = history.get(name).ok_or("no history")?;
    let is_ours = |object: &Value| object["metadata"]["resourceVersion"] == version;
    let place = versions.iter().position(is_ours).ok_or("our write is not in the history")?;
    let before = place.checked_sub(1).and_then(|place| versions.get(place));
    Ok(before.zip(versions.get(place)))
}

/// What one of our writes took from others, checked against what was decided.
fn check(before: &Value, after: &Value, contested: &[ContestedField]) -> Result<usize> {
    let (owners_before, owners_after) = (ManagedFields::of(before)?, ManagedFields::of(after)?);
    let mut taken = 0;
    for writer in 0..WRITERS {
        let path = path(writer)?;
        let holders = |managed: &ManagedFields| -> Vec<String> {
            let owners = managed.owners_of(&path);
            let others = owners.iter().filter(|owner| owner.relation == Relation::Exact);
            let names = others.map(|owner| owner.manager.name.clone());
            names.filter(|name| name != MANAGER).collect()
        };
        let (was, is) = (&before["data"][key(writer)], &after["data"][key(writer)]);
        for holder in holders(&owners_before) {
            if holders(&owners_after).contains(&holder) && was == is {
                continue;
            }
            if writer >= WRITERS - YIELDED {
                return Err(format!("{path} of {holder} was yielded, but {was} became {is}").into());
            }
            taken += 1;
            let is_reviewed = contested.iter().any(|field| {
                field.path.as_ref() == Some(&path)
                    && field.manager.name == holder
                    && field.action == Action::Forced
                    && field.theirs.as_ref().is_some_and(|theirs| theirs.as_json() == was)
            });
            if !is_reviewed {
                return Err(format!("{path} = {was} was taken from {holder}, but {contested:?} was decided").into());
            }
        }
    }
    Ok(taken)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_field_is_taken_that_the_decision_had_not_seen() -> Result {
    let mut stage = Stage::open("race").await;
    stage.policy.on_conflict = OnConflict::Force;
    let yielded: Vec<String> = (WRITERS - YIELDED..WRITERS).map(|writer| format!(".data.{}", key(writer))).collect();
    let yielded: Vec<&str> = yielded.iter().map(String::as_str).collect();
    stage.rule(&yielded, &[], OnConflict::Yield);
    for object in 0..OBJECTS {
        stage.apply(&chart(object, ROUNDS)).await?;
    }
    let stage = Arc::new(stage);
    let maps: Api<ConfigMap> = Api::namespaced(stage.client.clone(), &stage.namespace);
    let from = maps.list(&ListParams::default()).await?.metadata.resource_version.unwrap_or_default();
    let plane = ControlPlane::shared().await?;
    let mark = plane.audit_mark().await?;
    let stop = Arc::new(AtomicBool::new(false));
    let history = tokio::spawn(watch(stage.clone(), from, stop.clone()));
    let writers: Vec<_> = (0..OBJECTS)
        .flat_map(|object| (0..WRITERS).map(move |writer| (object, writer)))
        .map(|(object, writer)| tokio::spawn(write(stage.clone(), object, writer, stop.clone())))
        .collect();
    let deciders: Vec<_> = (0..OBJECTS).map(|object| tokio::spawn(decide(stage.clone(), object))).collect();
    let mut applied = Vec::new();
    for decider in deciders {
        applied.extend(decider.await?);
    }
    stop.store(true, Ordering::Relaxed);
    let mut written = 0;
    for writer in writers {
        written += writer.await?;
    }
    let history = history.await?;

    let mut taken = 0;
    let configured: Vec<&Applied> = applied
        .iter()
        .filter(|applied| applied.operation == Operation::Configured)
        .collect();
    for applied in &configured {
        let (name, version) = (&applied.reference.name, &applied.resource_version);
        let Some((before, after)) = around(&history, name, version)? else {
            continue;
        };
        taken += check(before, after, &applied.contested)?;
    }
    // That writers got in between is what the guard is for.
    let forced = |event: &fairlead_controlplane::AuditEvent| {
        event.request_uri.contains("force=true") && !event.request_uri.contains("dryRun")
    };
    let requests = plane.requests_since(mark).await?;
    let stale = requests
        .iter()
        .filter(|event| event.concerns("configmaps", Some(stage.namespace.name())) && forced(event) && event.code() == 409)
        .count();
    eprintln!(
        "{} rounds: {} applied, {} of them changed something and took {taken} fields; {stale} forced writes came too late; \
         {written} writes of others",
        OBJECTS * ROUNDS,
        applied.len(),
        configured.len()
    );
    assert!(configured.len() > ROUNDS, "most rounds must come to an end");
    assert!(taken > ROUNDS && stale > 0, "nobody raced");
    Ok(())
}

/// One version of an object in which each of these writers holds its key with this value.
fn version_with(held: &[(usize, &str)]) -> Value {
    let data: BTreeMap<String, &str> = held.iter().map(|(writer, value)| (key(*writer), *value)).collect();
    let entry = |(writer, _): &(usize, &str)| {
        let field = format!("f:{}", key(*writer));
        json!({"manager": format!("writer-{writer}"), "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {field: {}}}})
    };
    let entries: Vec<Value> = held.iter().map(entry).collect();
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "raced-0", "managedFields": entries}, "data": data})
}

/// The decision to take a writer's key, which had this value.
fn to_take(writer: usize, value: &str) -> ContestedField {
    let path = path(writer).unwrap();
    let redactor = Redactor::new(*b"the salt of the tests");
    let reference = ObjectReference::of(&version_with(&[])).unwrap();
    ContestedField {
        field: path.to_string(),
        ours: None,
        theirs: Some(redactor.show(&reference, &path, &json!(value))),
        path: Some(path),
        manager: Manager {
            name: format!("writer-{writer}"),
            operation: ManagerOperation::Update,
            subresource: None,
            api_version: None,
            time: None,
        },
        class: Class::Real,
        action: Action::Forced,
        rule: "onConflict".to_owned(),
    }
}

#[test]
fn the_proof_finds_what_no_decision_had_seen() {
    let before = version_with(&[(0, "new"), (1, "b")]);
    let after = version_with(&[(1, "b")]);
    assert_eq!(check(&before, &after, &[to_take(0, "new")]).unwrap(), 1);
    let blind = [
        // Nothing was decided, another writer's key was, or the value has changed since.
        vec![],
        vec![to_take(1, "b")],
        vec![to_take(0, "old")],
    ];
    for contested in blind {
        let error = check(&before, &after, &contested).unwrap_err().to_string();
        assert!(error.contains(".data.w0 = \"new\" was taken from writer-0"), "{error}");
    }
    let yielded = version_with(&[(WRITERS - 1, "theirs")]);
    let error = check(&yielded, &version_with(&[]), &[to_take(WRITERS - 1, "theirs")]).unwrap_err();
    assert!(error.to_string().contains("was yielded"), "{error}");
}

/// Does what Fairlead would do without its guard: it decides as Fairlead does, and then forces without a resourceVersion.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proof_finds_a_writer_that_forces_what_it_decided_on_before() -> Result {
    const ROUNDS: usize = 24;
    let mut stage = Stage::open("unguarded").await;
    stage.policy.on_conflict = OnConflict::Force;
    stage.apply(&chart(0, ROUNDS)).await?;
    let stage = Arc::new(stage);
    let maps: Api<ConfigMap> = Api::namespaced(stage.client.clone(), &stage.namespace);
    let from = maps.list(&ListParams::default()).await?.metadata.resource_version.unwrap_or_default();
    let stop = Arc::new(AtomicBool::new(false));
    let history = tokio::spawn(watch(stage.clone(), from, stop.clone()));
    let mut written = Vec::new();
    for round in 0..ROUNDS {
        write_once(&stage, 0, 0, &format!("seen {round}")).await;
        let manifest = chart(0, round);
        let decided = stage.applier().decide(vec![stage.request(&manifest)], moment()).await;
        let contested: Vec<ContestedField> = decided.plans.iter().flat_map(|plan| plan.contested().to_vec()).collect();
        let is_late = round % 2 == 1;
        if is_late {
            // To the field that was decided about, or to another one.
            write_once(&stage, 0, round % 4 / 2, &format!("unseen {round}")).await;
        }
        stage.apply_as(MANAGER, &marked(&stage, &manifest)).await;
        let live = stage.live(&manifest).await;
        written.push((version(&live).to_owned(), contested, is_late));
    }
    stop.store(true, Ordering::Relaxed);
    let history = history.await?;
    for (version, contested, is_late) in &written {
        let (before, after) = around(&history, "raced-0", version)?.ok_or("no version before")?;
        let found = check(before, after, contested);
        assert_eq!(found.is_err(), *is_late, "{found:?}, decided was {contested:?}");
    }
    Ok(())
}
