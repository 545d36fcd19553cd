//! The operator is killed in the middle of its work, again and again: of installs, upgrades and uninstalls.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fairlead::api::release_ledger::ReleaseLedger;
use fairlead_controlplane::{ControlPlane, Namespace};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, ListParams, PartialObjectMeta};
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::rendered::{difference, rendered};
use super::small_charts;
use super::stage::{REPOSITORY, Stage, called, history, inventory, misowned};
use crate::support::Result;
use crate::support::installation::DEADLINE;
use crate::support::operator::Operator;
use crate::support::wait::{becomes, is_absent};

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
    let releases = (0..RELEASES)
        .zip(small_charts::NAMES.iter().cycle())
        .map(|(number, chart)| (format!("{chart}-{number}"), *chart))
        .collect();
    let mut storm = Storm {
        random: Random::seeded(),
        started: Instant::now(),
        stage,
        namespace,
        releases,
    };
    storm.apply(&json!({})).await?;
    storm.kills_during_the_install().await?;
    storm.all_is_as_rendered(1, &[]).await?;

    storm
        .apply(&json!({"color": "blue", "replicas": 3, "image": "example.com/app:2"}))
        .await?;
    storm.kills(3, "upgrade").await?;
    let set = ["--set", "color=blue,replicas=3,image=example.com/app:2"];
    storm.all_is_as_rendered(2, &set).await?;

    let releases = storm.stage.releases(&storm.namespace);
    for (name, _) in &storm.releases {
        releases.delete(name, &DeleteParams::default()).await?;
    }
    storm.kills(3, "uninstall").await?;
    storm.all_is_gone().await
}

/// Ten releases, and an operator that dies again and again.
struct Storm {
    stage: Stage,
    namespace: Namespace,
    releases: Vec<(String, &'static str)>,
    random: Random,
    started: Instant,
}

impl Storm {
    async fn apply(&self, values: &Value) -> Result {
        for (name, chart) in &self.releases {
            let reference = json!({"kind": "HelmRepository", "name": REPOSITORY});
            let chart = json!({"spec": {"chart": chart, "sourceRef": reference}});
            let spec = json!({"interval": "1h", "chart": chart, "values": values});
            self.stage.apply_release(&self.namespace, name, spec).await?;
        }
        Ok(())
    }

    fn operator(&self, arguments: &[&str]) -> Result<Operator> {
        let scope = format!("--namespace={}", self.namespace.name());
        let arguments: Vec<&str> = std::iter::once(scope.as_str())
            .chain(arguments.iter().copied())
            .collect();
        Operator::start(self.stage.plane.kubeconfig_path(), &arguments)
    }

    fn hurried(&mut self) -> Result<(Operator, String)> {
        let concurrency = format!("--concurrency={}", [1, 3, 10][self.random.below(3)?]);
        Ok((self.operator(&[&concurrency, "--parallel-writes=1"])?, concurrency))
    }

    async fn pause(&mut self, limit: usize) -> Result {
        let pause = u64::try_from(self.random.below(limit)?)?;
        tokio::time::sleep(Duration::from_millis(pause)).await;
        Ok(())
    }

    /// The first operator dies before it has done much, the others when a random share of the objects is there.
    async fn kills_during_the_install(&mut self) -> Result {
        let mut present = count(&self.stage, &self.namespace).await?;
        let mut passwords = BTreeMap::new();
        for kill in 0..KILLS {
            let (operator, how) = self.hurried()?;
            let share = OBJECTS / (KILLS - 1);
            let enough = (kill * share + self.random.below(share)?).min(OBJECTS);
            let reached = present.wait_for(|present| *present >= enough);
            tokio::time::timeout(DEADLINE, reached).await??;
            self.pause(if kill == 0 { 600 } else { 40 }).await?;
            operator.kill()?;
            remember_passwords(&self.stage, &self.namespace, &mut passwords).await?;
            let (present, time) = (*present.borrow(), self.started.elapsed());
            eprintln!("{time:>6.1?} killed with {how} at {present} objects");
        }
        let mut operator = self.operator(&[])?;
        operator.ready().await?;
        for (name, _) in &self.releases {
            let ready = self.stage.ready(&self.namespace, name, DEADLINE).await;
            ready.map_err(|error| format!("{error}\nThe operator logged:\n{}", operator.log()))?;
        }
        assert!(
            !passwords.is_empty(),
            "no random password was made before the last kill"
        );
        remember_passwords(&self.stage, &self.namespace, &mut passwords).await
    }

    /// Operators that die soon after they began to work.
    async fn kills(&mut self, kills: usize, what: &str) -> Result {
        for _ in 0..kills {
            let (mut operator, how) = self.hurried()?;
            operator.ready().await?;
            self.pause(500).await?;
            operator.kill()?;
            eprintln!("{:>6.1?} killed with {how} during the {what}", self.started.elapsed());
        }
        Ok(())
    }

    /// Every release is deployed at this revision, and exactly what Helm renders is there, owned by the right manager.
    async fn all_is_as_rendered(&self, revision: u32, set: &[&str]) -> Result {
        let mut operator = self.operator(&[])?;
        operator.ready().await?;
        let mut all = BTreeSet::new();
        for (name, chart) in &self.releases {
            let ready = self.stage.ready(&self.namespace, name, DEADLINE).await;
            let release = ready.map_err(|error| format!("{error}\nThe operator logged:\n{}", operator.log()))?;
            let newest = history(&release).into_iter().next();
            assert_eq!(newest, Some((revision, "deployed".to_owned())), "{name}");
            let rendered = rendered(&self.stage, &self.namespace, name, chart, set).await?;
            let mut known = BTreeSet::new();
            for entry in inventory(&release) {
                let live = self.stage.find(&entry).await?;
                let live = live.ok_or_else(|| format!("{} is missing", entry.id))?;
                let wrong = misowned(&live, &format!("fairlead:{}/{name}", self.namespace.name()));
                assert_eq!(wrong, None, "{name}");
                let wanted = rendered.get(&called(&live));
                let wanted = wanted.ok_or_else(|| format!("{} is not of the chart", called(&live)))?;
                assert_eq!(difference(wanted, &live, ""), None, "{}", called(&live));
                known.insert(called(&live));
            }
            assert_eq!(known, rendered.into_keys().collect(), "{name}");
            all.extend(known);
        }
        assert_eq!(self.labelled().await?, all);
        assert_eq!(all.len(), OBJECTS);
        eprintln!("{:>6.1?} all is as rendered", self.started.elapsed());
        Ok(())
    }

    async fn all_is_gone(&self) -> Result {
        let mut operator = self.operator(&[])?;
        operator.ready().await?;
        let releases = self.stage.releases(&self.namespace);
        for (name, _) in &self.releases {
            becomes(&releases, name, DEADLINE, is_absent()).await?;
        }
        assert_eq!(self.labelled().await?, BTreeSet::new());
        let ledgers: Api<ReleaseLedger> = Api::namespaced(self.stage.client.clone(), &self.namespace);
        assert_eq!(ledgers.list(&ListParams::default()).await?.items.len(), 0);
        let secrets: Api<Secret> = Api::namespaced(self.stage.client.clone(), &self.namespace);
        assert_eq!(secrets.list(&ListParams::default()).await?.items.len(), 0);
        eprintln!("{:>6.1?} all is gone", self.started.elapsed());
        Ok(())
    }

    async fn labelled(&self) -> Result<BTreeSet<String>> {
        let label = format!("fairlead.dev/namespace={}", self.namespace.name());
        let mut labelled = self.stage.labelled(&label).await?;
        // Kubernetes copies a Service's labels to these.
        labelled.retain(|object| !object.starts_with("Endpoint"));
        Ok(labelled)
    }
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
