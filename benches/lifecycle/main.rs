//! How long many releases take from their creation to Ready, what they cost, and what a bare loop of the same writes takes.
//!
//! On a control plane of its own. See `benches/README.md`.
#![expect(clippy::print_stdout, reason = "it prints a table")]

mod floor;
#[path = "../support/reading.rs"]
mod reading;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/it/resources.rs"]
mod resources;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/it/support/mod.rs"]
mod support;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use fairlead::api::HelmRelease;
use fairlead_controlplane::{ControlPlane, Options};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::json;

use reading::{Cost, Reading, rest};
use support::Result;
use support::installation::{Installation, condition};

/// Clients that create the releases, and the connections of the bare loop.
const CLIENTS: usize = 10;
/// How many releases there are in a run.
const SIZES: [usize; 3] = [50, 100, 500];
const DEADLINE: Duration = Duration::from_mins(5);
const IDLE: Duration = Duration::from_secs(10);

/// Two objects; no Pod is waited for.
const CHART: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}, labels: {app: {{ .Release.Name }}}}
spec:
  replicas: 0
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec: {containers: [{name: main, image: example.com/web}]}
---
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec: {selector: {app: {{ .Release.Name }}}, ports: [{port: 80}]}
";

fn name(index: usize) -> String {
    format!("web-{index}")
}

/// What the requests of Fairlead are counted by, without watches.
const VERBS: [&str; 6] = ["Read", "Create", "Update", "Apply", "Patch", "Delete"];

/// How many requests Fairlead has made, by its own count: the API server's holds those of the controllers, too.
struct Asked([f64; VERBS.len()]);

impl Asked {
    async fn read(installation: &Installation) -> Result<Self> {
        let metrics = installation.operator.metrics().await?;
        let count = |verb| metrics.sum("fairlead_api_requests_total", &[("verb", verb)]);
        Ok(Self(VERBS.map(|verb| count(verb).unwrap_or_default())))
    }

    /// For each release, in sum and by verb.
    fn since(&self, before: &Self, releases: f64) -> String {
        let counts = VERBS.iter().zip(self.0.iter().zip(&before.0));
        let each: Vec<(&str, f64)> = counts
            .map(|(verb, (after, before))| (*verb, (after - before) / releases))
            .filter(|(_, count)| *count > 0.0)
            .collect();
        let sum: f64 = each.iter().map(|(_, count)| count).sum();
        let verbs: Vec<String> = each.iter().map(|(verb, count)| format!("{count:.2} {verb}")).collect();
        format!("{sum:.2}: {}", verbs.join(", "))
    }
}

/// What Fairlead spent in seconds, by its own metrics.
struct Phases(Vec<(&'static str, f64)>);

impl Phases {
    async fn read(installation: &Installation) -> Result<Self> {
        let metrics = installation.operator.metrics().await?;
        let sum = |name: &str| metrics.sum(name, &[]).unwrap_or_default();
        Ok(Self(vec![
            ("reconciles", sum("fairlead_reconciles_total")),
            ("s in reconciles", sum("fairlead_reconcile_duration_seconds_sum")),
            (
                "s of it waiting for answers",
                sum("fairlead_api_request_duration_seconds_sum"),
            ),
            ("s rendering", sum("fairlead_render_duration_seconds_sum")),
        ]))
    }

    fn since(&self, before: &Self, releases: f64) -> String {
        let parts = self.0.iter().zip(&before.0);
        let parts = parts.map(|((what, after), (_, before))| format!("{:.3} {what}", (after - before) / releases));
        parts.collect::<Vec<_>>().join(", ")
    }
}

async fn create(installation: &Installation, releases: usize) -> Result {
    let creating = (0..releases).map(|index| async move {
        let spec = json!({"interval": "1h", "chart": {"spec": {"chart": "web"}}});
        installation.release(&name(index), spec).await
    });
    stream::iter(creating)
        .buffer_unordered(CLIENTS)
        .try_collect::<Vec<_>>()
        .await?;
    Ok(())
}

/// Watches from outside until all releases are ready: a list every now and then would cost the API server more than what is measured.
async fn until_ready(installation: &Installation, releases: usize) -> Result {
    let changes = watcher(installation.api::<HelmRelease>(), watcher::Config::default()).default_backoff();
    let mut changes = std::pin::pin!(changes.applied_objects());
    let mut ready = HashSet::new();
    let all_ready = async {
        while ready.len() < releases {
            let Some(release) = changes.try_next().await? else {
                break;
            };
            if condition(&release, "Ready")["status"] == "True" {
                ready.insert(release.name_any());
            }
        }
        Ok::<_, watcher::Error>(())
    };
    match tokio::time::timeout(DEADLINE, all_ready).await {
        Ok(ended) => Ok(ended?),
        Err(_elapsed) => Err(format!("{} of {releases} releases are ready", ready.len()).into()),
    }
}

/// Has every release reconciled once, by an annotation that means nothing.
async fn touch(installation: &Installation, releases: usize) -> Result {
    let reconciles = async || -> Result<f64> {
        let metrics = installation.operator.metrics().await?;
        Ok(metrics
            .sum("fairlead_reconciles_total", &[("kind", "HelmRelease")])
            .unwrap_or_default())
    };
    let wanted = reconciles().await? + f64::from(u32::try_from(releases)?);
    let patch = json!({"metadata": {"annotations": {"example.com/touched": "yes"}}});
    let api = installation.api::<HelmRelease>();
    let touching = (0..releases).map(|index| {
        let (api, patch) = (api.clone(), patch.clone());
        async move {
            api.patch(&name(index), &PatchParams::default(), &Patch::Merge(patch))
                .await
        }
    });
    stream::iter(touching)
        .buffer_unordered(CLIENTS)
        .try_collect::<Vec<_>>()
        .await?;
    let started = Instant::now();
    while reconciles().await? < wanted {
        if started.elapsed() > DEADLINE {
            return Err("too few reconciles".into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// The most memory that a process has had, in MB.
fn peak_memory(process: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .ok_or("no VmHWM")?;
    let kilobytes: f64 = line.split_whitespace().nth(1).ok_or("a short line")?.parse()?;
    Ok(kilobytes * 1024.0 / 1_000_000.0)
}

/// Prints what something cost for each release; `own` are requests of the benchmark itself.
fn print(
    what: &str,
    releases: usize,
    cost: &Cost,
    own: usize,
    asked: &str,
    seconds: f64,
    floor: Option<f64>,
) -> Result {
    let number = f64::from(u32::try_from(releases)?);
    let all = f64::from(u32::try_from(cost.requests.total())?) - f64::from(u32::try_from(own)?);
    let ratio = floor.map_or(String::new(), |floor| format!("{:.2}", seconds / floor));
    println!(
        "| {releases} | {what} | {seconds:.2} | {ratio} | {:.1} | {:.1} | {asked} | {:.2} |",
        cost.operator.as_secs_f64() * 1000.0 / number,
        cost.server.as_secs_f64() * 1000.0 / number,
        all / number,
    );
    Ok(())
}

async fn run(plane: &'static ControlPlane, releases: usize) -> Result {
    let number = f64::from(u32::try_from(releases)?);
    let namespace = plane.namespace(&format!("floor-{releases}")).await?;
    let floor = floor::measure(plane, &namespace, releases, CLIENTS)
        .await?
        .as_secs_f64();
    println!("| {releases} | bare loop | {floor:.2} | 1.00 | | | 4.00: two applies, a record, a status | |");

    let namespace = plane.namespace(&format!("releases-{releases}")).await?;
    let concurrency = format!("--concurrency={CLIENTS}");
    let flags = [concurrency.as_str(), "--log=warn"];
    let installation = Installation::with_flags(plane, namespace, plane.kubeconfig_path(), &flags).await?;
    let files = [("templates/objects.yaml", CHART)];
    installation.repository.add("web", "1.0.0", &files).await?;
    rest(plane).await?;

    let (before, phases) = (Reading::of(&installation).await?, Phases::read(&installation).await?);
    let asked = Asked::read(&installation).await?;
    let started = Instant::now();
    create(&installation, releases).await?;
    until_ready(&installation, releases).await?;
    let seconds = started.elapsed().as_secs_f64();
    rest(plane).await?;
    let cost = Cost::since(&before, &installation).await?;
    let lists = cost.requests.filter(|kind| kind.verb == "LIST").total();
    let own = releases + usize::try_from(lists)?;
    let requests = Asked::read(&installation).await?.since(&asked, number);
    print(
        "install to Ready",
        releases,
        &cost,
        own,
        &requests,
        seconds,
        Some(floor),
    )?;
    let spent = Phases::read(&installation).await?.since(&phases, number);

    let (before, asked) = (Reading::of(&installation).await?, Asked::read(&installation).await?);
    touch(&installation, releases).await?;
    let cost = Cost::since(&before, &installation).await?;
    let requests = Asked::read(&installation).await?.since(&asked, number);
    let seconds = cost.took.as_secs_f64();
    print("no-op", releases, &cost, releases, &requests, seconds, None)?;
    let (before, asked) = (Reading::of(&installation).await?, Asked::read(&installation).await?);
    tokio::time::sleep(IDLE).await;
    let cost = Cost::since(&before, &installation).await?;
    let requests = Asked::read(&installation).await?.since(&asked, number);
    print("idle", releases, &cost, 0, &requests, cost.took.as_secs_f64(), None)?;
    let peak = peak_memory(installation.operator.process_id())?;
    println!("\n{releases} releases: peak memory {peak:.0} MB; for each install {spent}\n");
    Ok(())
}

async fn measure() -> Result {
    let plane: &'static ControlPlane = Box::leak(Box::new(ControlPlane::start(Options::default()).await?));
    resources::install(plane).await?;
    println!(
        "| releases | | s | of the floor | Fairlead, CPU ms a release | API server, CPU ms a release | Fairlead's requests a release | all requests a release |"
    );
    println!("|--:|---|--:|--:|--:|--:|---|--:|");
    let wanted = std::env::var("FAIRLEAD_RELEASES")
        .ok()
        .and_then(|wanted| wanted.parse().ok());
    for releases in SIZES
        .into_iter()
        .filter(|size| wanted.is_none_or(|wanted: usize| wanted == *size))
    {
        run(plane, releases).await?;
    }
    Ok(())
}

fn main() -> Result {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(measure())
}
