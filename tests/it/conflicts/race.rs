//! Writers change objects while Fairlead decides about them: no field is taken that the decision had not seen.
//!
//! The proof is the history of the objects, every version of it as the API server's watch tells it, with its managedFields:
//! what each of our writes took from whom, and with which value, must stand in the decision that led to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fairlead::cluster::apply::{Applied, ApplyError, ApplyRequest, Observed, Operation};
use fairlead::ownership::contested::ContestedField;
use fairlead::ownership::fieldset::Relation;
use fairlead::ownership::intent::Intent;
use fairlead::ownership::ledger::Ledger;
use fairlead::ownership::managed::ManagedFields;
use fairlead::ownership::path::FieldPath;
use fairlead::ownership::policy::{Action, OnConflict};
use fairlead_controlplane::ControlPlane;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams, WatchEvent, WatchParams};
use serde_json::{Value, json};

use super::stage::{MANAGER, Stage, config_map, moment};
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

/// Writes to its key again and again, at a pace of its own, until it is told to stop.
async fn write(stage: Arc<Stage>, object: usize, writer: usize, stop: Arc<AtomicBool>) -> usize {
    let maps: Api<ConfigMap> = Api::namespaced(stage.client.clone(), &stage.namespace);
    let parameters = PatchParams {
        field_manager: Some(format!("writer-{writer}")),
        ..PatchParams::default()
    };
    let mut written = 0;
    while !stop.load(Ordering::Relaxed) {
        let patch = json!({"data": {key(writer): format!("written {written}")}});
        maps.patch(&format!("raced-{object}"), &parameters, &Patch::Merge(patch))
            .await
            .unwrap();
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
        let versions = history.get(&applied.reference.name).ok_or("no history")?;
        let is_ours = |version: &Value| version["metadata"]["resourceVersion"] == applied.resource_version.as_str();
        let place = versions.iter().position(is_ours).ok_or("our write is not in the history")?;
        let after = versions.get(place).ok_or("no version")?;
        // The first write of all has its predecessor before the watch.
        let Some(before) = place.checked_sub(1).and_then(|place| versions.get(place)) else {
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
