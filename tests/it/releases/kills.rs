//! The operator is killed in the middle of its work, again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fairlead::yaml;
use fairlead_controlplane::ControlPlane;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DynamicObject, ListParams, PartialObjectMeta};
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::small_charts;
use super::stage::{REPOSITORY, Stage, called, history, inventory, misowned};
use crate::support::Result;
use crate::support::operator::Operator;

const DEADLINE: Duration = Duration::from_mins(2);
const RELEASES: usize = 10;
const KILLS: usize = 7;
/// The objects of all releases.
const OBJECTS: usize = 44;

/// A sequence that a seed repeats (SplitMix64).
struct Random(u64);

impl Random {
    /// `FAIRLEAD_TEST_SEED` repeats a run as far as the timing allows.
    fn seeded() -> Self {
        let given = std::env::var("FAIRLEAD_TEST_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok());
        let clock = || {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |now| now.subsec_nanos().into())
        };
        let seed = given.unwrap_or_else(clock);
        eprintln!("FAIRLEAD_TEST_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, limit: usize) -> Result<usize> {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Ok(usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(limit)?)?)
    }
}

#[tokio::test]
async fn kill_nine_at_random_moments() -> Result {
    let plane = ControlPlane::shared().await?;
    let stage = Stage::open(plane).await?;
    let namespace = plane.namespace("kills").await?;
    small_charts::publish(&stage.repository).await?;
    stage.apply_repository(&namespace).await?;
    let releases: Vec<(String, &str)> = (0..RELEASES)
        .zip(small_charts::NAMES.iter().cycle())
        .map(|(number, chart)| (format!("{chart}-{number}"), *chart))
        .collect();
    for (name, chart) in &releases {
        let reference = json!({"kind": "HelmRepository", "name": REPOSITORY});
        let chart = json!({"spec": {"chart": chart, "sourceRef": reference}});
        let spec = json!({"interval": "1h", "chart": chart});
        stage.apply_release(&namespace, name, spec).await?;
    }

    let mut random = Random::seeded();
    let mut present = count(&stage, &namespace).await?;
    let mut passwords = BTreeMap::new();
    let started = Instant::now();
    for kill in 0..KILLS {
        let concurrency = format!("--concurrency={}", [1, 3, 10][random.below(3)?]);
        let scope = format!("--namespace={}", namespace.name());
        let operator = Operator::start(plane.kubeconfig_path(), &[&scope, &concurrency, "--parallel-writes=1"])?;
        // The first one dies before it has done much, the others when a random share of the objects is there.
        let share = OBJECTS / (KILLS - 1);
        let enough = (kill * share + random.below(share)?).min(OBJECTS);
        let reached = present.wait_for(|present| *present >= enough);
        tokio::time::timeout(DEADLINE, reached).await??;
        let pause = Duration::from_millis(u64::try_from(random.below(if kill == 0 { 600 } else { 40 })?)?);
        tokio::time::sleep(pause).await;
        operator.kill()?;
        remember_passwords(&stage, &namespace, &mut passwords).await?;
        let present = *present.borrow();
        eprintln!(
            "{:>6.1?} killed with {concurrency} at {present} objects",
            started.elapsed()
        );
    }

    let mut operator = Operator::start(plane.kubeconfig_path(), &[&format!("--namespace={}", namespace.name())])?;
    operator.ready().await?;
    let mut all = BTreeSet::new();
    for (name, chart) in &releases {
        let ready = stage.ready(&namespace, name, DEADLINE).await;
        let release = ready.map_err(|error| format!("{error}\nThe operator logged:\n{}", operator.log()))?;
        eprintln!("{:>6.1?} {name} is ready", started.elapsed());
        assert_eq!(history(&release), [(1, "deployed".to_owned())], "{name}");
        let rendered = rendered(&stage, &namespace, name, chart).await?;
        let mut known = BTreeSet::new();
        for entry in inventory(&release) {
            let live = stage
                .find(&entry)
                .await?
                .ok_or_else(|| format!("{} is missing", entry.id))?;
            let wrong = misowned(&live, &format!("fairlead:{}/{name}", namespace.name()));
            assert_eq!(wrong, None, "{name}");
            let wanted = rendered.get(&called(&live));
            let wanted = wanted.ok_or_else(|| format!("{} is not of the chart", called(&live)))?;
            if let Some(difference) = difference(wanted, &live, "") {
                return Err(format!("{} differs at {difference}", called(&live)).into());
            }
            known.insert(called(&live));
        }
        assert_eq!(known, rendered.into_keys().collect(), "{name}");
        all.extend(known);
    }
    let label = format!("fairlead.dev/namespace={}", namespace.name());
    let mut labelled = stage.labelled(&label).await?;
    // Kubernetes copies a Service's labels to these.
    labelled.retain(|object| !object.starts_with("Endpoint"));
    assert_eq!(labelled, all);
    assert_eq!(all.len(), OBJECTS);
    let before = passwords.clone();
    assert!(!before.is_empty(), "no random password was made before the last kill");
    remember_passwords(&stage, &namespace, &mut passwords).await
}

/// Follows how many objects of releases are there, of the kinds that the charts have.
async fn count(stage: &Stage, namespace: &str) -> Result<watch::Receiver<usize>> {
    let (sender, receiver) = watch::channel(0);
    let ours = watcher::Config::default().labels(&format!("fairlead.dev/namespace={namespace}"));
    for (api_version, kind) in small_charts::KINDS {
        let resource = stage.resource(api_version, kind).await?;
        let api: Api<PartialObjectMeta<DynamicObject>> = if resource.namespaced {
            Api::namespaced_with(stage.client.clone(), namespace, &resource.api)
        } else {
            Api::all_with(stage.client.clone(), &resource.api)
        };
        let sender = sender.clone();
        let mut objects = watcher(api, ours.clone()).default_backoff().touched_objects().boxed();
        // They end with the test's runtime.
        tokio::spawn(async move {
            let mut known = BTreeSet::new();
            while let Some(object) = objects.next().await {
                if object.is_ok_and(|object| known.insert(object.metadata.uid)) {
                    sender.send_modify(|count| *count += 1);
                }
            }
        });
    }
    Ok(receiver)
}

/// A random password, once made, is never made anew.
async fn remember_passwords(stage: &Stage, namespace: &str, known: &mut BTreeMap<String, Vec<u8>>) -> Result {
    let secrets: Api<Secret> = Api::namespaced(stage.client.clone(), namespace);
    for secret in secrets.list(&ListParams::default().labels("fairlead.dev/name")).await? {
        let name = secret.metadata.name.unwrap_or_default();
        let password = secret
            .data
            .unwrap_or_default()
            .remove("password")
            .ok_or("a password")?
            .0;
        assert_eq!(password.len(), small_charts::PASSWORD_LENGTH);
        let first = known.entry(name.clone()).or_insert_with(|| password.clone());
        assert_eq!(*first, password, "{name} has another password now");
    }
    Ok(())
}

/// What Helm renders, by kind, namespace and name.
async fn rendered(stage: &Stage, namespace: &str, name: &str, chart: &str) -> Result<BTreeMap<String, Value>> {
    let url = stage.repository.url();
    let template = ["template", name, chart, "--repo", url, "--namespace", namespace];
    let text = stage.plane.helm(&template).await?.checked()?;
    let mut objects = BTreeMap::new();
    for document in text.split("\n---\n") {
        let object: Value = yaml::from_slice(document.as_bytes())?;
        if object.is_object() {
            objects.insert(called(&object), object);
        }
    }
    Ok(objects)
}

/// The first place at which the live object is not as wanted; fields that the server adds are no difference.
fn difference(wanted: &Value, live: &Value, path: &str) -> Option<String> {
    match (wanted, live) {
        // Random, and looked at elsewhere.
        _ if path == "/data/password" => None,
        (Value::Object(wanted), Value::Object(live)) => wanted.iter().find_map(|(key, wanted)| {
            let path = format!("{path}/{key}");
            difference(wanted, live.get(key).unwrap_or(&Value::Null), &path)
        }),
        (Value::Array(wanted), Value::Array(live)) if wanted.len() == live.len() => {
            let pairs = wanted.iter().zip(live).enumerate();
            pairs
                .into_iter()
                .find_map(|(index, (wanted, live))| difference(wanted, live, &format!("{path}/{index}")))
        }
        (wanted, live) if wanted == live => None,
        (Value::Number(wanted), Value::Number(live)) if wanted.as_f64() == live.as_f64() => None,
        (wanted, live) => Some(format!("{path}: {live} instead of {wanted}")),
    }
}
