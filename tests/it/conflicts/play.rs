//! A scenario with the operator in it: a release of any objects, and everything that tells of a contested field.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use fairlead::api::HelmRelease;
use fairlead::api::release_ledger::ReleaseLedger;
use fairlead_controlplane::ControlPlane;
use kube::api::Api;
use serde_json::{Value, json};

use super::seen::Seen;
use super::stage::Stage;
use crate::resources::installed;
use crate::support::Result;
use crate::support::installation::{DEADLINE, Installation, condition};
use crate::support::operator::Operator;
use crate::support::wait::becomes;

/// A chart whose objects are what the values say.
const OBJECTS: &str = "{{- range .Values.objects }}\n---\n{{ toJson . }}\n{{- end }}\n";

/// The release `shop`, its operator, and those who write to its objects.
pub(crate) struct Play {
    pub(crate) stage: Stage,
    pub(crate) installation: Installation,
    ownership: Value,
    requests: u32,
}

impl Play {
    /// Nothing is installed yet.
    pub(crate) async fn open(seen: &Seen) -> Result<Self> {
        let plane: &'static ControlPlane = installed().await?;
        let stage = Stage::of(seen).await;
        let installation = Installation::with(plane, stage.namespace.clone(), plane.kubeconfig_path()).await?;
        let files = [("templates/objects.yaml", OBJECTS)];
        installation.repository.add("shop", "1.0.0", &files).await?;
        Ok(Self {
            stage,
            installation,
            ownership: json!({}),
            requests: 0,
        })
    }

    /// A release of these objects that is installed and ready.
    pub(crate) async fn of(seen: &Seen, objects: &[Value]) -> Result<Self> {
        let play = Self::open(seen).await?;
        play.wants(objects).await?;
        play.is_ready().await?;
        Ok(play)
    }

    /// What `spec.ownership` is from the next [`wants`](Self::wants) on.
    pub(crate) fn ownership(&mut self, ownership: Value) {
        self.ownership = ownership;
    }

    /// Gives the release these objects.
    pub(crate) async fn wants(&self, objects: &[Value]) -> Result {
        let spec = json!({
            "values": {"objects": objects}, "ownership": self.ownership,
            "install": {"disableWait": true}, "upgrade": {"disableWait": true},
        });
        self.installation.release("shop", spec).await?;
        Ok(())
    }

    /// Asks for a reconcile, and waits until it is over.
    pub(crate) async fn looks_again(&mut self) -> Result<HelmRelease> {
        self.requests += 1;
        let at = self.requests.to_string();
        self.installation.request("shop", &at).await?;
        let handled = |release: Option<&HelmRelease>| {
            let status = release.and_then(|release| release.status.as_ref());
            status.and_then(|status| status.last_handled_reconcile_at.as_deref()) == Some(at.as_str())
        };
        self.becomes(handled).await
    }

    pub(crate) async fn is_ready(&self) -> Result<HelmRelease> {
        self.installation.ready_is("shop", "True", &[]).await
    }

    /// Waits until the release is not ready, with these texts in the message.
    pub(crate) async fn is_not_ready(&self, texts: &[&str]) -> Result<HelmRelease> {
        self.installation.ready_is("shop", "False", texts).await
    }

    async fn becomes(&self, met: impl Fn(Option<&HelmRelease>) -> bool) -> Result<HelmRelease> {
        let releases: Api<HelmRelease> = self.installation.api();
        let release = becomes(&releases, "shop", DEADLINE, met).await;
        let release =
            release.map_err(|error| format!("{error}; the operator logged:\n{}", self.installation.operator.log()))?;
        Ok(release.ok_or("no release")?)
    }

    /// Kills the operator; nobody looks at the release until [`restarts`](Self::restarts).
    pub(crate) fn stops(&mut self) -> Result {
        self.installation.operator.stop()
    }

    /// Starts the operator anew: what it knew is what the cluster keeps.
    pub(crate) async fn restarts(&mut self) -> Result {
        let arguments = ["--namespace", self.stage.namespace.name(), "--log=info,fairlead=debug"];
        let mut operator = Operator::start(self.installation.plane.kubeconfig_path(), &arguments)?;
        operator.ready().await?;
        self.installation.operator = operator;
        Ok(())
    }

    /// Waits until the status shows exactly these fields, each as `path manager Class Action by rule`.
    pub(crate) async fn shows(&self, expected: &[&str]) -> Result<HelmRelease> {
        let expected: BTreeSet<String> = expected.iter().map(ToString::to_string).collect();
        let release = self.becomes(|release| release.is_some_and(|release| lines(release) == expected));
        let release = release
            .await
            .map_err(|error| format!("awaited {expected:?}: {error}"))?;
        self.stage.seen.status(&release);
        Ok(release)
    }

    /// Waits until exactly these fields are contested, as [`shows`](Self::shows) does, and fails unless the
    /// ledger, the metrics, the events and `Conflicted` tell of each of them, too.
    pub(crate) async fn tells(&self, expected: &[&str]) -> Result<HelmRelease> {
        let release = self.shows(expected).await?;
        for line in expected {
            self.is_told(&release, line)
                .await
                .map_err(|error| format!("{line}: {error}"))?;
        }
        Ok(release)
    }

    async fn is_told(&self, release: &HelmRelease, line: &str) -> Result {
        let words: Vec<&str> = line.rsplitn(2, " by ").collect();
        let [rule, rest] = words.as_slice() else {
            return Err("a line is `path manager Class Action by rule`".into());
        };
        let mut words = rest.rsplitn(4, ' ');
        let (action, class) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (manager, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if condition(release, "Conflicted")["status"] != "True" {
            return Err(format!("Conflicted is {}", condition(release, "Conflicted")).into());
        }
        self.metrics_tell(class, action).await?;
        if let Some(reason) = reason(class, action) {
            self.event_tells(release, reason, path, manager, rule).await?;
        }
        self.ledger_tells(path, manager, class, action).await
    }

    async fn metrics_tell(&self, class: &str, action: &str) -> Result {
        let metrics = self.installation.operator.metrics().await?;
        let labels = [("release", "shop"), ("class", class), ("action", action)];
        if metrics.sum("fairlead_ssa_conflicts_total", &labels) < Some(1.0) {
            return Err("the metric does not count it".into());
        }
        let is_unresolved = !matches!(action, "Forced" | "Resolved" | "Adopted");
        let active = metrics.sum("fairlead_ssa_conflicts_active", &labels);
        if active.is_some_and(|active| active >= 1.0) != is_unresolved {
            return Err(format!("the metric of what is contested now is {active:?}").into());
        }
        Ok(())
    }

    /// Waits for an event, which is published on the side.
    async fn event_tells(&self, release: &HelmRelease, reason: &str, path: &str, manager: &str, rule: &str) -> Result {
        let started = Instant::now();
        loop {
            let events = self.installation.events(release).await?;
            let tells = |(found, note): &(String, String)| {
                // Fields that came from a predecessor are told of together.
                let names_it = reason == "FieldsMigrated" || note.contains(path);
                found == reason && names_it && note.contains(manager) && note.contains(rule)
            };
            if events.iter().any(tells) {
                return Ok(());
            }
            if started.elapsed() > DEADLINE {
                return Err(format!("no event {reason} tells of it: {events:?}").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits for the ledger, which is written after the status.
    async fn ledger_tells(&self, path: &str, manager: &str, class: &str, action: &str) -> Result {
        let tells = |ledger: Option<&ReleaseLedger>| {
            ledger.is_some_and(|ledger| {
                ledger.spec.contested.iter().any(|field| {
                    let event = field.history.first();
                    field.current
                        && field.path == path
                        && field.manager == manager
                        && event.is_some_and(|event| event.class.as_str() == class && event.action.as_str() == action)
                })
            })
        };
        becomes(&self.installation.api::<ReleaseLedger>(), "shop", DEADLINE, tells).await?;
        Ok(())
    }

    /// Waits until nothing is contested any more.
    pub(crate) async fn tells_nothing(&self) -> Result<HelmRelease> {
        let release = self
            .becomes(|release| {
                release.is_some_and(|release| {
                    let ready = condition(release, "Ready");
                    lines(release).is_empty()
                        && ready["status"] == "True"
                        && ready["observedGeneration"].as_i64() == release.metadata.generation
                })
            })
            .await?;
        if condition(&release, "Conflicted")["status"] == "True" {
            return Err(format!("Conflicted is {}", condition(&release, "Conflicted")).into());
        }
        let metrics = self.installation.operator.metrics().await?;
        let active = metrics.sum("fairlead_ssa_conflicts_active", &[("release", "shop")]);
        match active {
            None => Ok(release),
            Some(active) => Err(format!("{active} fields are contested by the metric").into()),
        }
    }

    /// The live object of a manifest.
    pub(crate) async fn live(&self, manifest: &Value) -> Value {
        self.stage.live(manifest).await
    }

    /// Who owns a field of the live object: `manager` and how, sorted.
    pub(crate) async fn owners(&self, manifest: &Value, path: &str) -> Result<Vec<String>> {
        let live = self.live(manifest).await;
        let managed = fairlead::ownership::managed::ManagedFields::of(&live)?;
        let path = path.parse()?;
        let mut owners: Vec<String> = managed
            .owners_of(&path)
            .iter()
            .filter(|owner| owner.relation != fairlead::ownership::fieldset::Relation::Descendant)
            .map(|owner| format!("{} {}", owner.manager.name, owner.manager.operation))
            .collect();
        owners.sort();
        Ok(owners)
    }

    /// The release's own field manager, as [`owners`](Self::owners) tells it.
    pub(crate) fn ours(&self) -> String {
        format!("fairlead:{}/shop Apply", self.stage.namespace)
    }

    /// Removes the release; what is not in its namespace would outlive the test.
    pub(crate) async fn ends(self) -> Result {
        self.installation.uninstall("shop").await
    }
}

fn lines(release: &HelmRelease) -> BTreeSet<String> {
    let status = release.status.as_ref().and_then(|status| status.ownership.as_ref());
    let contested = status.into_iter().flat_map(|ownership| &ownership.contested);
    contested
        .map(|field| {
            let rule = field.rule.as_deref().unwrap_or_default();
            format!(
                "{} {} {} {} by {rule}",
                field.path, field.manager, field.class, field.action
            )
        })
        .collect()
}

/// The reason of the event that tells of such a field; none where nobody lost anything.
fn reason(class: &str, action: &str) -> Option<&'static str> {
    match (class, action) {
        ("Admission", _) => Some("AdmissionOverride"),
        ("Lost", "Yielded" | "Adopted" | "Forced" | "Resolved") => Some("OwnershipLost"),
        ("Legacy", "Resolved") => Some("FieldsMigrated"),
        (_, "Forced") => Some("FieldForced"),
        (_, "Yielded") => Some("FieldYielded"),
        (_, "Adopted") => Some("FieldAdopted"),
        (_, "Failed") => Some("ConflictFailed"),
        (_, "HandedOff") => Some("ConflictHandedOff"),
        (_, "Retrying") => Some("ConflictRetrying"),
        _ => None,
    }
}
