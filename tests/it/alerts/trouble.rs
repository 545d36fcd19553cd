//! A real operator, whose releases get into trouble and out of it.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Map, Value, json};

use crate::support::Result;
use crate::support::http;
use crate::support::installation::{DEADLINE, Installation};

/// A fight is over only after a minute of rest.
const PATIENCE: Duration = DEADLINE.saturating_mul(2);

const CHART: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data:
{{- range until (int (default 1 .Values.keys)) }}
  key-{{ . }}: ours
{{- end }}
---
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}}
stringData: {password: correct-horse}
{{- if .Values.broken }}{{ fail "broken on purpose" }}{{ end }}
"#;

/// How many keys of `busy` are taken at once.
const MANY: usize = 12;

/// The releases, each with its own trouble to come.
pub(super) struct Trouble(Installation);

fn spec(values: &Value, ownership: &Value) -> Value {
    json!({"chart": {"spec": {"chart": "trouble"}}, "values": values, "ownership": ownership})
}

impl Trouble {
    /// All releases are installed and well.
    pub(super) async fn prepare() -> Result<Self> {
        let installation = Installation::start("alerts").await?;
        let files = [("templates/all.yaml", CHART)];
        installation.repository.add("trouble", "1.0.0", &files).await?;
        let releases = [
            ("quiet", json!({}), json!({})),
            ("stopped", json!({}), json!({"onConflict": "Fail"})),
            ("handed", json!({}), json!({"onConflict": "HandOff"})),
            ("busy", json!({"keys": MANY}), json!({"onConflict": "Yield"})),
            (
                "fought",
                json!({}),
                json!({"onConflict": "Force", "fights": {"threshold": 2}}),
            ),
            ("shadowed", json!({"keys": 2}), json!({"onConflict": "Fail"})),
            ("broken", json!({}), json!({})),
            ("paused", json!({}), json!({})),
        ];
        for (name, values, ownership) in &releases {
            installation.release(name, spec(values, ownership)).await?;
        }
        for (name, ..) in &releases {
            installation.ready_is(name, "True", &[]).await?;
        }
        Ok(Self(installation))
    }

    pub(super) fn namespace(&self) -> &str {
        self.0.namespace.name()
    }

    /// What `/metrics` answers to those who do not ask for OpenMetrics.
    pub(super) async fn scrape(&self) -> Result<String> {
        let (status, text) = http::get(&self.0.operator.metrics_url()).await?;
        if status == 200 {
            Ok(text)
        } else {
            Err(format!("/metrics answered {status}: {text}").into())
        }
    }

    async fn sum(&self, metric: &str, labels: &[(&str, &str)]) -> Result<f64> {
        Ok(self.0.operator.metrics().await?.sum(metric, labels).unwrap_or_default())
    }

    async fn awaits(&self, metric: &str, labels: &[(&str, &str)], is_met: impl Fn(f64) -> bool) -> Result {
        let started = Instant::now();
        loop {
            let found = self.sum(metric, labels).await?;
            if is_met(found) {
                return Ok(());
            }
            if started.elapsed() > PATIENCE {
                return Err(format!(
                    "{metric}{labels:?} is {found}; the operator logged:\n{}",
                    self.0.operator.log()
                )
                .into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A rival takes this many keys of a release's map, and lets go of all others.
    async fn rival(&self, release: &str, keys: usize) -> Result {
        let data: Map<String, Value> = (0..keys).map(|key| (format!("key-{key}"), json!("theirs"))).collect();
        let mut map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": release}});
        if !data.is_empty() {
            map["data"] = Value::Object(data);
        }
        let maps: Api<ConfigMap> = self.0.api();
        maps.patch(release, &PatchParams::apply("rival").force(), &Patch::Apply(map))
            .await?;
        Ok(())
    }

    /// All troubles begin.
    pub(super) async fn begin(&self) -> Result {
        for name in ["broken", "paused"] {
            self.0.release(name, spec(&json!({"broken": true}), &json!({}))).await?;
            self.0.ready_is(name, "False", &["broken on purpose"]).await?;
        }
        let mut paused = spec(&json!({"broken": true}), &json!({}));
        paused["suspend"] = json!(true);
        self.0.release("paused", paused).await?;
        self.awaits("fairlead_release_suspended", &[("release", "paused")], |sum| sum > 0.5)
            .await?;
        let mut shadowed = spec(&json!({"keys": 2}), &json!({"onConflict": "Fail"}));
        shadowed["mode"] = json!("Shadow");
        self.0.release("shadowed", shadowed).await?;
        self.rival("shadowed", 2).await?;
        let failed = [("release", "shadowed"), ("action", "Failed")];
        self.awaits("fairlead_shadow_conflicts", &failed, |sum| sum > 1.5)
            .await?;
        self.rival("busy", MANY).await?;
        let yielded = [("release", "busy"), ("action", "Yielded")];
        self.awaits("fairlead_ssa_conflicts_active", &yielded, |sum| sum > 11.5)
            .await?;
        for (name, action) in [("stopped", "Failed"), ("handed", "HandedOff")] {
            self.rival(name, 1).await?;
            let labels = [("release", name), ("action", action)];
            self.awaits("fairlead_ssa_conflicts_active", &labels, |sum| sum > 0.5)
                .await?;
            self.awaits("fairlead_release_ready", &[("release", name)], |sum| sum < 0.5)
                .await?;
        }
        self.fight().await
    }

    /// Until the breaker opens.
    async fn fight(&self) -> Result {
        let forced = [("release", "fought"), ("action", "Forced")];
        for round in 0..3 {
            self.rival("fought", 1).await?;
            // Each time that a field is taken back counts.
            self.awaits("fairlead_ssa_conflicts_total", &forced, |sum| {
                sum > f64::from(round) + 0.5
            })
            .await?;
        }
        self.awaits("fairlead_field_fights_active", &[("release", "fought")], |sum| {
            sum > 0.5
        })
        .await?;
        self.rival("fought", 1).await?;
        let handed = [("release", "fought"), ("action", "HandedOff")];
        self.awaits("fairlead_ssa_conflicts_active", &handed, |sum| sum > 0.5)
            .await?;
        self.awaits("fairlead_release_ready", &[("release", "fought")], |sum| sum < 0.5)
            .await
    }

    /// Somebody asks for a reconcile of the broken release, which fails once more.
    pub(super) async fn fail_again(&self, round: usize) -> Result {
        let failed = [("kind", "HelmRelease"), ("result", "Failed")];
        let before = self.sum("fairlead_reconciles_total", &failed).await?;
        self.0.request("broken", &round.to_string()).await?;
        self.awaits("fairlead_reconciles_total", &failed, |sum| sum > before + 0.5)
            .await
    }

    /// All is mended, and one release is gone.
    pub(super) async fn end(&self) -> Result {
        self.0
            .release("broken", spec(&json!({"broken": null}), &json!({})))
            .await?;
        for name in ["stopped", "handed", "busy", "fought", "shadowed"] {
            self.rival(name, 0).await?;
        }
        for name in ["broken", "stopped", "handed", "busy", "fought", "shadowed"] {
            self.0.ready_is(name, "True", &[]).await?;
            self.awaits("fairlead_ssa_conflicts_active", &[("release", name)], |sum| sum < 0.5)
                .await?;
        }
        self.awaits("fairlead_shadow_conflicts", &[], |sum| sum < 0.5).await?;
        self.awaits("fairlead_field_fights_active", &[], |sum| sum < 0.5)
            .await?;
        self.0.uninstall("paused").await?;
        let gone = self
            .0
            .operator
            .metrics()
            .await?
            .sum("fairlead_release_ready", &[("release", "paused")]);
        if gone.is_some() {
            Err("a release that is gone has metrics".into())
        } else {
            Ok(())
        }
    }
}
