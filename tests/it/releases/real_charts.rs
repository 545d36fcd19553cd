//! Real charts, from the first object to the last. `FAIRLEAD_CHART=<part of a name>` takes only some, and shows what the
//! operator logged.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use fairlead::api::HelmRelease;
use fairlead::api::helm_release::history::InventoryEntry;
use fairlead::api::release_ledger::ReleaseLedger;
use fairlead_controlplane::Options;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use serde_json::{Value, json};

use super::catalogue::{self, RealChart};
use super::small_charts;
use super::stage::{REPOSITORY, Stage, called, history, inventory, misowned};
use crate::support::Result;
use crate::support::operator::Operator;
use crate::support::own_plane::OwnPlane;
use crate::support::wait::{becomes, is_absent};

/// How long one step of one release may take, while others run at the same time.
const STEP: Duration = Duration::from_mins(2);
/// Releases that are on their way at once.
const AT_ONCE: usize = 5;

#[tokio::test]
async fn real_charts_install_upgrade_and_leave_nothing() -> Result {
    let started = Instant::now();
    // One of its own, because these charts bring definitions, webhooks and roles for the whole cluster.
    let own = OwnPlane::start(Options::default()).await?;
    let plane = own.get();
    let stage = Stage::open(plane).await?;
    let wanted = std::env::var("FAIRLEAD_CHART").ok();
    let charts = if let Some(archives) = catalogue::archives() {
        let mut charts = catalogue::charts();
        charts.retain(|chart| wanted.as_ref().is_none_or(|part| chart.archive.contains(part)));
        let packages: Vec<PathBuf> = charts
            .iter()
            .map(|chart| archives.join(format!("{}.tgz", chart.archive)))
            .collect();
        stage.repository.add_packages(&packages).await?;
        charts
    } else {
        eprintln!("NO REAL CHART IS TESTED: there is no corpus; set FAIRLEAD_CORPUS. Small charts serve instead.");
        small_charts::publish(&stage.repository).await?;
        catalogue::small_charts()
    };
    let mut operator = Operator::start(plane.kubeconfig_path(), &["--log=fairlead=debug"])?;
    operator.ready().await?;
    eprintln!("{:>6.1?} the operator runs", started.elapsed());

    let lives = charts.iter().map(|chart| async {
        let life = Life::begin(&stage, chart, started).await?;
        let lived = life.live().await;
        Ok::<_, Box<dyn std::error::Error>>(lived.map_err(|error| format!("{}: {error}", chart.archive))?)
    });
    let lives: Vec<_> = futures::stream::iter(lives.collect::<Vec<_>>())
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let mut kept = BTreeSet::new();
    let mut failures = Vec::new();
    for life in lives {
        match life {
            Ok(objects) => kept.extend(objects),
            Err(error) => failures.push(error.to_string()),
        }
    }
    let log = operator.log();
    if wanted.is_some() {
        eprintln!("{log}");
    }
    assert!(
        failures.is_empty(),
        "{}\nThe operator logged:\n{log}",
        failures.join("\n\n")
    );
    assert_eq!(stage.labelled("fairlead.dev/name").await?, kept);
    eprintln!(
        "{:>6.1?} nothing is left but {} kept objects",
        started.elapsed(),
        kept.len()
    );
    Ok(())
}

/// One release of one chart.
struct Life<'a> {
    stage: &'a Stage,
    chart: &'a RealChart,
    name: &'static str,
    version: &'static str,
    namespace: fairlead_controlplane::Namespace,
    started: Instant,
}

impl<'a> Life<'a> {
    async fn begin(stage: &'a Stage, chart: &'a RealChart, started: Instant) -> Result<Self> {
        let (name, version) = chart.name_and_version()?;
        let namespace = stage.plane.namespace(name).await?;
        stage.apply_repository(&namespace).await?;
        Ok(Self {
            stage,
            chart,
            name,
            version,
            namespace,
            started,
        })
    }

    fn says(&self, step: &str) {
        eprintln!("{:>6.1?} {}: {step}", self.started.elapsed(), self.name);
    }

    /// From the install to the end; returns the objects that are to be kept.
    async fn live(&self) -> Result<BTreeSet<String>> {
        let mut values = self.chart.values.clone();
        let installed = self.release(&values).await?;
        assert_eq!(history(&installed), [(1, "deployed".to_owned())], "{}", self.name);
        let objects = self.objects(&installed).await?;
        self.says(&format!("installed, {} objects", objects.len()));
        assert!(
            !self.shows_the_change(&objects),
            "{}: the change shows too early",
            self.name
        );

        json_patch::merge(&mut values, &self.chart.change);
        let upgraded = self.release(&values).await?;
        let versions = [(2, "deployed".to_owned()), (1, "superseded".to_owned())];
        assert_eq!(history(&upgraded), versions, "{}", self.name);
        let objects = self.objects(&upgraded).await?;
        self.says(&format!("upgraded, {} objects", objects.len()));
        assert!(
            self.shows_the_change(&objects),
            "{}: the change does not show",
            self.name
        );

        self.stage.delete(&self.namespace, self.name, STEP).await?;
        let kept = self.remains(&inventory(&upgraded)).await?;
        self.says(&format!("gone, {} objects kept", kept.len()));
        Ok(kept)
    }

    async fn release(&self, values: &Value) -> Result<HelmRelease> {
        let reference = json!({"kind": "HelmRepository", "name": REPOSITORY});
        let spec = json!({"interval": "1h", "values": values, "chart": {"spec": {
            "chart": self.name, "version": self.version, "sourceRef": reference}}});
        self.stage.apply_release(&self.namespace, self.name, spec).await?;
        self.stage.ready(&self.namespace, self.name, STEP).await
    }

    /// All live objects of the inventory, which all must be there and be the release's.
    async fn objects(&self, release: &HelmRelease) -> Result<Vec<Value>> {
        let manager = format!("fairlead:{}/{}", self.namespace.name(), self.name);
        let mut objects = Vec::new();
        for entry in inventory(release) {
            let found = self.stage.find(&entry).await?;
            let object = found.ok_or_else(|| format!("{} is in the inventory and nowhere else", entry.id))?;
            match misowned(&object, &manager) {
                Some(wrong) => return Err(wrong.into()),
                None => objects.push(object),
            }
        }
        if objects.is_empty() {
            return Err("the inventory is empty".into());
        }
        Ok(objects)
    }

    fn shows_the_change(&self, objects: &[Value]) -> bool {
        let (kind, pointer, value) = &self.chart.seen;
        objects
            .iter()
            .any(|object| object["kind"] == *kind && object.pointer(pointer) == Some(value))
    }

    /// What is left of a release that is gone: only objects that say so. Its ledger and its seed go by the cluster's
    /// garbage collection.
    async fn remains(&self, entries: &[InventoryEntry]) -> Result<BTreeSet<String>> {
        let client = self.stage.client.clone();
        let ledgers: Api<ReleaseLedger> = Api::namespaced(client.clone(), &self.namespace);
        becomes(&ledgers, self.name, STEP, is_absent()).await?;
        let secrets: Api<Secret> = Api::namespaced(client, &self.namespace);
        becomes(&secrets, &format!("fairlead.seed.{}", self.name), STEP, is_absent()).await?;
        let mut kept = BTreeSet::new();
        for entry in entries {
            let Some(object) = self.stage.find(entry).await? else {
                continue;
            };
            if object.pointer("/metadata/annotations/helm.sh~1resource-policy") != Some(&json!("keep")) {
                return Err(format!("{} is left", called(&object)).into());
            }
            kept.insert(called(&object));
        }
        Ok(kept)
    }
}
