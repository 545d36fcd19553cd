//! The operator is killed after each single write that it makes, before it learns that the write was made, in all that a release goes
//! through: each time, another operator goes on where it was, nothing is done twice, and no record is lost.

use std::collections::BTreeMap;

use fairlead::api::HelmRelease;
use fairlead_controlplane::AuditMark;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, ListParams};
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};

use super::stage::{history, inventory};
use crate::support::Result;
use crate::support::gate::Gate;
use crate::support::installation::{DEADLINE, Installation, condition};
use crate::support::operator::Operator;
use crate::support::wait::becomes;

/// More lives than this mean that the operators get nowhere.
const MOST_LIVES: usize = 60;

/// Objects that are ready at once, unless the value `unready` brings a Deployment that never is; and hooks of all events.
const TEMPLATE: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: main}
data: {color: {{ .Values.color | quote }}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: of-{{ .Values.color }}}
{{- if .Values.unready }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: never}
spec:
  selector: {matchLabels: {app: never}}
  template:
    metadata:
      labels: {app: never}
      annotations: {test.fairlead.dev/outcome: Unready}
    spec: {containers: [{name: main, image: example.com/never}]}
{{- end }}
{{- range list "pre-install" "post-install" "pre-upgrade" "post-upgrade" "pre-rollback" "post-rollback" "pre-delete" "post-delete" }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ . }}
  annotations: {helm.sh/hook: {{ . }}, helm.sh/hook-delete-policy: "before-hook-creation,hook-succeeded"}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: main, image: example.com/hook}]}
{{- end }}
"#;

/// When the next operator comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// While the hooks that the last one started may still run.
    AtOnce,
    /// So late that it finds them done.
    WhenHooksAreDone,
}

/// A release whose operators die after each write.
struct Trial {
    installation: Installation,
    gate: Gate,
}

impl Trial {
    async fn open() -> Result<Self> {
        let mut installation = Installation::start("crashes").await?;
        let files = [
            ("templates/all.yaml", TEMPLATE),
            ("values.yaml", "color: red\nunready: false\n"),
        ];
        installation.repository.add("web", "1.0.0", &files).await?;
        installation.operator.stop()?;
        let gate = Gate::open(installation.plane).await?;
        Ok(Self { installation, gate })
    }

    fn releases(&self) -> Api<HelmRelease> {
        self.installation.api()
    }

    /// Lets operators work and die until the release is as awaited and they have nothing left to write; gives how many died.
    async fn until(
        &self,
        what: &str,
        pace: Pace,
        is_there: impl Fn(Option<&HelmRelease>) -> bool + Copy,
    ) -> Result<usize> {
        for deaths in 0..MOST_LIVES {
            if pace == Pace::WhenHooksAreDone {
                self.hooks_are_done().await?;
            }
            self.gate.set_trap();
            let scope = ["--namespace", self.installation.namespace.name(), "--parallel-writes=1"];
            let operator = Operator::start(&self.gate.kubeconfig(), &scope)?;
            // The status is written last, after the records, and the finalizer goes after everything.
            let end = await_condition(self.releases(), "web", is_there);
            let is_over = tokio::select! {
                shut = self.gate.is_shut() => { eprintln!("{what}: died after {}", shut?); false }
                ended = end => { ended?; true }
                () = tokio::time::sleep(DEADLINE) => return Err(format!("{what}: nothing happens; the operator logged:\n{}", operator.log()).into()),
            };
            let log = operator.kill()?;
            if is_over {
                eprintln!("{what}: {deaths} operators died");
                return Ok(deaths);
            }
            if deaths + 1 == MOST_LIVES {
                eprintln!("the last one logged:\n{log}");
            }
        }
        Err(format!("{what}: the operators get nowhere").into())
    }

    /// Waits until no hook runs.
    async fn hooks_are_done(&self) -> Result {
        let jobs = self.installation.api::<Job>();
        let is_done = |job: Option<&Job>| {
            job.is_none_or(|job| {
                job.status
                    .as_ref()
                    .is_some_and(|status| status.completion_time.is_some())
            })
        };
        for job in jobs.list(&ListParams::default()).await? {
            Box::pin(becomes(&jobs, &job.name_any(), DEADLINE, is_done)).await?;
        }
        Ok(())
    }

    /// How often each Job was created since then.
    async fn jobs(&self, mark: AuditMark) -> Result<BTreeMap<String, usize>> {
        let mut created = BTreeMap::new();
        for event in self.installation.plane.requests_since(mark).await? {
            let is_ours = event.verb == "create" && event.concerns("jobs", Some(self.installation.namespace.name()));
            if let Some(object) = event.object_ref.as_ref().filter(|_| is_ours && event.wrote()) {
                *created.entry(object.name.clone()).or_default() += 1;
            }
        }
        Ok(created)
    }

    /// The records' names and what they say of their revisions.
    async fn records(&self) -> Result<Vec<String>> {
        let list = ListParams::default().labels("owner=helm,name=web");
        let secrets = self.installation.api::<Secret>().list(&list).await?;
        let told = secrets.iter().filter_map(|secret| {
            let labels = secret.metadata.labels.as_ref()?;
            Some(format!("{} {}", labels.get("version")?, labels.get("status")?))
        });
        Ok(told.collect())
    }

    async fn maps(&self) -> Result<Vec<String>> {
        self.installation.objects_of::<ConfigMap>("web").await
    }
}

/// Holds when a condition of the current generation has this reason, and the newest snapshot this status, which its record has too.
fn stands(
    kind: &'static str,
    reason: &'static str,
    word: &'static str,
) -> impl Fn(Option<&HelmRelease>) -> bool + Copy {
    move |release: Option<&HelmRelease>| {
        release.is_some_and(|release| {
            let said = condition(release, kind);
            let newest = release.status.iter().flat_map(|status| &status.history).next();
            said["reason"] == reason
                && said["observedGeneration"].as_i64() == release.metadata.generation
                && newest.is_some_and(|newest| newest.status == word && !newest.digest.is_empty())
        })
    }
}

fn once(names: &[&str]) -> BTreeMap<String, usize> {
    names.iter().map(|name| ((*name).to_owned(), 1)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_that_dies_after_each_write_loses_nothing_and_does_nothing_twice() -> Result {
    let trial = Trial::open().await?;
    let installation = &trial.installation;
    let spec = |values: Value| {
        // Long enough for the hooks of a machine that is busy: one whose time is up is rightly run again.
        json!({"interval": "1h", "timeout": "1m", "values": values,
            "upgrade": {"timeout": "20s", "remediation": {"retries": 0, "remediateLastFailure": true}}})
    };
    let mark = installation.plane.audit_mark().await?;
    installation.release("web", spec(json!({}))).await?;
    let deaths = trial
        .until("install", Pace::AtOnce, stands("Ready", "InstallSucceeded", "deployed"))
        .await?;
    assert!(deaths >= 9, "only {deaths} writes were tried");
    assert_eq!(trial.jobs(mark).await?, once(&["pre-install", "post-install"]));
    assert_eq!(
        (trial.records().await?, trial.maps().await?.len()),
        (vec!["1 deployed".to_owned()], 2)
    );

    let mark = installation.plane.audit_mark().await?;
    installation.release("web", spec(json!({"color": "blue"}))).await?;
    trial
        .until(
            "upgrade",
            Pace::WhenHooksAreDone,
            stands("Ready", "UpgradeSucceeded", "deployed"),
        )
        .await?;
    assert_eq!(trial.jobs(mark).await?, once(&["pre-upgrade", "post-upgrade"]));
    assert_eq!(trial.records().await?, ["1 superseded", "2 deployed"]);
    assert_eq!(trial.maps().await?, ["main", "of-blue"]);

    let mark = installation.plane.audit_mark().await?;
    installation
        .release("web", spec(json!({"color": "green", "unready": true})))
        .await?;
    trial
        .until(
            "failed upgrade and rollback",
            Pace::AtOnce,
            stands("Remediated", "RollbackSucceeded", "deployed"),
        )
        .await?;
    assert_eq!(
        trial.jobs(mark).await?,
        once(&["pre-upgrade", "pre-rollback", "post-rollback"])
    );
    assert_eq!(
        trial.records().await?,
        ["1 superseded", "2 superseded", "3 failed", "4 deployed"]
    );
    assert_eq!(trial.maps().await?, ["main", "of-blue"]);
    let release = trial.releases().get("web").await?;
    let words: Vec<String> = history(&release).into_iter().map(|(_, word)| word).collect();
    assert_eq!(words, ["deployed", "failed", "superseded", "superseded"]);
    assert_eq!(inventory(&release).len(), 2);
    let status = release.status.as_ref().ok_or("a status")?;
    assert_eq!(status.upgrade_failures, 1);

    let mark = installation.plane.audit_mark().await?;
    trial.releases().delete("web", &DeleteParams::default()).await?;
    trial
        .until("uninstall", Pace::WhenHooksAreDone, |release: Option<&HelmRelease>| {
            release.is_none()
        })
        .await?;
    assert_eq!(trial.jobs(mark).await?, once(&["pre-delete", "post-delete"]));
    assert_eq!((trial.records().await?, trial.maps().await?), (vec![], vec![]));
    Ok(())
}
