//! What Fairlead costs the cluster: requests, by the API server's own counters, and processor time of both.
//!
//! On a control plane of its own. Fails when a reconcile without a change writes or dry-runs anything, or an upgrade applies
//! more than what changed. See `benches/README.md`.
#![expect(clippy::print_stdout, reason = "it prints a table")]

#[path = "../support/reading.rs"]
mod reading;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/it/resources.rs"]
mod resources;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/it/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fairlead_controlplane::{ControlPlane, Options, RequestCounts};
use serde_json::json;

use reading::{Cost, Reading, rest};
use support::Result;
use support::installation::{DEADLINE, Installation};

const OBJECTS: usize = 20;
const RELEASES: usize = 50;
/// How often each of the releases is reconciled without a change.
const RECONCILES: usize = 10;

const CHART: &str = "
{{- range $number := until 20 }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ $.Release.Name }}-{{ $number }}}
data: {value: {{ if eq $number 13 }}{{ quote $.Values.thirteenth }}{{ else }}always{{ end }}}
{{- end }}
";

/// The chart of the many releases.
const SMALL: &str = "
{{- range $number := until 2 }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ $.Release.Name }}-{{ $number }}}
data: {value: always}
{{- end }}
";

trait Printed {
    fn dry_runs(&self) -> RequestCounts;
    fn print(&self, what: &str);
}

impl Printed for Cost {
    fn dry_runs(&self) -> RequestCounts {
        self.requests.filter(|kind| kind.dry_run)
    }

    fn print(&self, what: &str) {
        let mut verbs: BTreeMap<String, u64> = BTreeMap::new();
        for (kind, count) in self.requests.iter() {
            let dry_run = if kind.dry_run { " (dry run)" } else { "" };
            *verbs.entry(format!("{}{dry_run}", kind.verb)).or_default() += count;
        }
        let verbs: Vec<String> = verbs.iter().map(|(verb, count)| format!("{count} {verb}")).collect();
        println!(
            "| {what} | {} | {:.2} | {:.2} | {:.1} |",
            if verbs.is_empty() {
                "none".to_owned()
            } else {
                verbs.join(", ")
            },
            self.server.as_secs_f64(),
            self.operator.as_secs_f64(),
            self.took.as_secs_f64()
        );
        for (kind, count) in self.requests.iter() {
            println!("|   {count} {kind} | | | | |");
        }
    }
}

async fn reconciles(installation: &Installation) -> Result<f64> {
    let metrics = installation.operator.metrics().await?;
    let labels = [("kind", "HelmRelease")];
    Ok(metrics.sum("fairlead_reconciles_total", &labels).unwrap_or(0.0))
}

async fn more_reconciles(installation: &Installation, more: usize) -> Result {
    let wanted = reconciles(installation).await? + f64::from(u32::try_from(more)?);
    let started = Instant::now();
    while reconciles(installation).await? < wanted {
        if started.elapsed() > 2 * DEADLINE {
            return Err("too few reconciles".into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

async fn large(installation: &Installation, thirteenth: &str) -> Result<Cost> {
    let before = Reading::of(installation).await?;
    installation
        .release("large", json!({"values": {"thirteenth": thirteenth}}))
        .await?;
    installation.ready_is("large", "True", &[]).await?;
    rest(installation.plane).await?;
    Cost::since(&before, installation).await
}

async fn without_a_change(installation: &Installation) -> Result<Cost> {
    for index in 0..RELEASES {
        let spec = json!({"interval": "1s", "chart": {"spec": {"chart": "small"}}});
        installation.release(&format!("small-{index}"), spec).await?;
    }
    for index in 0..RELEASES {
        installation.ready_is(&format!("small-{index}"), "True", &[]).await?;
    }
    more_reconciles(installation, 2 * RELEASES).await?;
    let before = Reading::of(installation).await?;
    more_reconciles(installation, RELEASES * RECONCILES).await?;
    Cost::since(&before, installation).await
}

async fn measure() -> Result {
    let plane: &'static ControlPlane = Box::leak(Box::new(ControlPlane::start(Options::default()).await?));
    resources::install(plane).await?;
    let namespace = plane.namespace("cost").await?;
    let installation = Installation::with(plane, namespace, plane.kubeconfig_path()).await?;
    for (name, objects) in [("large", CHART), ("small", SMALL)] {
        let files = [("templates/objects.yaml", objects)];
        installation.repository.add(name, "1.0.0", &files).await?;
    }
    println!("| | requests | API server, CPU s | Fairlead, CPU s | s |");
    println!("|---|---|--:|--:|--:|");
    let idle = Reading::of(&installation).await?;
    tokio::time::sleep(Duration::from_secs(10)).await;
    Cost::since(&idle, &installation)
        .await?
        .print("nothing, for comparison");

    let install = large(&installation, "first").await?;
    install.print(&format!("first install of {OBJECTS} objects"));
    let upgrade = large(&installation, "second").await?;
    upgrade.print(&format!("upgrade that changes 1 of {OBJECTS} objects"));
    let quiet = without_a_change(&installation).await?;
    let number = RELEASES * RECONCILES;
    quiet.print(&format!("{number} reconciles of {RELEASES} releases without a change"));

    let applied = |cost: &Cost| cost.requests.of("configmaps").writes().total();
    let expected = (u64::try_from(OBJECTS)?, 1, 0, 0, 0);
    let found = (
        applied(&install),
        applied(&upgrade),
        upgrade.dry_runs().total(),
        quiet.requests.writes().total(),
        quiet.dry_runs().total(),
    );
    if found != expected {
        return Err(format!("applies, applies, dry runs, writes, dry runs are {found:?}, not {expected:?}").into());
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
