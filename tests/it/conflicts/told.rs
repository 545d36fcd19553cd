//! Everything that tells of contested fields, in one place, so that no scenario can forget one: the live object, its
//! managedFields, the status with its conditions, the metrics, the events and the ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use fairlead::api::HelmRelease;
use fairlead::api::helm_release::ownership_status::ContestedField;
use fairlead::api::release_ledger::ReleaseLedger;
use fairlead::ownership::manager_class::ManagerClass;
use serde_json::Value;

use super::contest::{Contest, Decision, OURS};
use super::play::Play;
use crate::support::Result;
use crate::support::installation::{DEADLINE, condition};
use crate::support::metrics::Metrics;
use crate::support::wait::becomes;

pub(super) const TOTAL: &str = "fairlead_ssa_conflicts_total";
const ACTIVE: &str = "fairlead_ssa_conflicts_active";

/// The record of the owners itself: nobody owns it, and it changes with each write. Scenarios look at other fields.
const RECORD: &str = ".metadata.managedFields";

impl Play {
    /// Waits until exactly these fields are contested, and fails unless everything that tells of conflicts says so.
    pub(crate) async fn tells(&mut self, contests: &[Contest]) -> Result<HelmRelease> {
        let release = self.settles(contests).await?;
        self.gauge_tells(contests).await?;
        for contest in contests {
            self.is_told(&release, contest)
                .await
                .map_err(|error| format!("{contest}: {error}"))?;
        }
        self.contests.extend_from_slice(contests);
        Ok(release)
    }

    /// Waits until nothing is contested, and fails unless everything that tells of conflicts says so.
    pub(crate) async fn tells_nothing(&mut self) -> Result<HelmRelease> {
        self.tells(&[]).await
    }

    /// Gives the release an object that the server refuses for the chart's fault: nothing is written, and these texts say why.
    pub(crate) async fn refuses(&mut self, object: &Value, texts: &[&str]) -> Result {
        self.wants(std::slice::from_ref(object)).await?;
        let release = self.is_not_ready(texts).await?;
        if self.stage.find(object).await.is_some() {
            return Err("it was written".into());
        }
        if condition(&release, "Stalled")["status"] != "True" {
            return Err("trying again does not help, but the status does not say so".into());
        }
        self.event_of(&release, |(reason, note)| {
            reason == "InstallFailed" && texts.iter().all(|text| note.contains(text))
        })
        .await?;
        self.decisions.push(Decision::Refused);
        Ok(())
    }

    /// Fails unless a field that the chart dropped is kept for its owner to come, and an event says so.
    pub(crate) async fn hands_over(&mut self, manifest: &Value, path: &str, value: impl Into<Value>) -> Result {
        let holder = OURS.replace("ours", "ours-handover");
        self.holds(manifest, path, value, &[&holder]).await?;
        let object = self.stage.reference(manifest).to_string();
        self.announces("FieldHandedOver", &[&object, path]).await?;
        self.decisions.push(Decision::HandedOver);
        Ok(())
    }

    /// Waits until an event of this reason has these texts.
    pub(crate) async fn announces(&mut self, reason: &'static str, texts: &[&str]) -> Result {
        let release = self.becomes(|release| release.is_some()).await?;
        let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
        self.event_of(&release, |event| is_announcement(event, reason, &texts))
            .await?;
        self.announced.push((reason, texts));
        Ok(())
    }

    /// Waits until the status shows exactly these fields, and the release is ready unless one of them stops it.
    async fn settles(&self, contests: &[Contest]) -> Result<HelmRelease> {
        let expected: BTreeSet<String> = contests.iter().map(ToString::to_string).collect();
        let stops = contests.iter().any(|contest| contest.action.stops());
        let settled = |release: &HelmRelease| {
            let ready = condition(release, "Ready");
            ready["status"] == if stops { "False" } else { "True" }
                && ready["observedGeneration"].as_i64() == release.metadata.generation
                && lines(release) == expected
        };
        let release = self.becomes(|release| release.is_some_and(settled)).await;
        let release = release.map_err(|error| format!("awaited {expected:?}: {error}"))?;
        let conflicted = condition(&release, "Conflicted");
        if (conflicted["status"] == "True") == contests.is_empty() {
            return Err(format!("Conflicted is {conflicted}").into());
        }
        Ok(release)
    }

    /// Everything about one contested field.
    async fn is_told(&mut self, release: &HelmRelease, contest: &Contest) -> Result {
        if contest.path != RECORD {
            let owners: Vec<&str> = contest.owners.iter().map(String::as_str).collect();
            self.holds(&contest.object, &contest.path, contest.value.clone(), &owners)
                .await?;
        }
        let field = self.status_tells(release, contest)?;
        self.counter_tells(contest, &field).await?;
        self.event_tells(release, contest).await?;
        self.ledger_tells(contest).await?;
        self.shows_no_secret(release, contest).await
    }

    fn status_tells(&self, release: &HelmRelease, contest: &Contest) -> Result<ContestedField> {
        let object = self.stage.reference(&contest.object).to_string();
        let mut fields = contested(release);
        let field = fields.find(|field| field.object == object && line(field) == contest.to_string());
        let field = field.ok_or_else(|| format!("the status does not tell of it at {object}"))?;
        let wanted = self.wanted(&contest.object, &contest.path)?;
        if !contest.has_values(field.ours.as_ref(), field.theirs.as_ref(), &wanted) {
            return Err(format!("the status has other values: {:?}, {:?}", field.ours, field.theirs).into());
        }
        let ready = condition(release, "Ready");
        let (reason, message) = (&ready["reason"], ready["message"].as_str().unwrap_or_default());
        if contest.action.stops() && !message.contains(&format!("{} of {}", contest.path, contest.manager)) {
            return Err(format!("Ready is {reason}: {message}").into());
        }
        Ok(field.clone())
    }

    /// The decision was counted, when it was first made.
    async fn counter_tells(&self, contest: &Contest, field: &ContestedField) -> Result {
        if self.contests.iter().any(|before| before.is_decided_like(contest)) {
            return Ok(());
        }
        let writer = ManagerClass::of(&field.manager, field.subresource.as_deref()).as_str();
        let kind = contest.object["kind"].as_str().unwrap_or_default();
        let labels = [("kind", kind), ("manager_class", writer)];
        let counted = self.sum(&self.metrics().await?, TOTAL, contest, &labels);
        match counted {
            Some(counted) if counted >= 1.0 => Ok(()),
            _ => Err(format!("the metric does not count it as a {kind}'s of {writer}").into()),
        }
    }

    /// What is contested now is what the gauge says, no more and no less.
    async fn gauge_tells(&self, contests: &[Contest]) -> Result {
        let mut expected: BTreeMap<Decision, f64> = BTreeMap::new();
        let metrics = self.metrics().await?;
        for contest in contests.iter().filter(|contest| contest.action.is_unresolved()) {
            *expected.entry(contest.decision()).or_default() += 1.0;
        }
        for contest in contests {
            let active = self.sum(&metrics, ACTIVE, contest, &[]);
            if active != expected.get(&contest.decision()).copied() {
                return Err(format!("{contest}: {active:?} such fields are contested by the metric").into());
            }
        }
        let (all, total) = (
            metrics.sum(ACTIVE, &self.labels()),
            expected.into_values().reduce(|all, one| all + one),
        );
        if all != total {
            return Err(format!("{all:?} fields are contested by the metric, not {total:?}").into());
        }
        Ok(())
    }

    pub(super) async fn metrics(&self) -> Result<Metrics> {
        self.installation.operator.metrics().await
    }

    pub(super) fn labels(&self) -> [(&'static str, &str); 2] {
        [("namespace", self.stage.namespace.name()), ("release", "shop")]
    }

    pub(super) fn sum(&self, metrics: &Metrics, name: &str, contest: &Contest, more: &[(&str, &str)]) -> Option<f64> {
        let decision = [("class", contest.class.as_str()), ("action", contest.action.as_str())];
        let labels: Vec<(&str, &str)> = self.labels().iter().chain(&decision).chain(more).copied().collect();
        metrics.sum(name, &labels)
    }

    async fn event_tells(&self, release: &HelmRelease, contest: &Contest) -> Result {
        let Some(reason) = contest.reason() else { return Ok(()) };
        let object = self.stage.reference(&contest.object);
        let found = self
            .event_of(release, |(reason, note)| contest.is_told_by(&object, reason, note))
            .await;
        Ok(found.map_err(|error| format!("no event {reason} tells of it: {error}"))?)
    }

    /// Waits for such an event, which is published on the side.
    async fn event_of(&self, release: &HelmRelease, is_meant: impl Fn(&(String, String)) -> bool) -> Result {
        let started = Instant::now();
        loop {
            let events = self.installation.events(release).await?;
            if events.iter().any(&is_meant) {
                return Ok(());
            }
            if started.elapsed() > DEADLINE {
                return Err(format!("only {events:?}").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits for the ledger, which is written on its own.
    async fn ledger_tells(&self, contest: &Contest) -> Result {
        let tells = |ledger: Option<&ReleaseLedger>| {
            ledger.is_some_and(|ledger| {
                ledger.spec.contested.iter().any(|field| {
                    let decided = field
                        .history
                        .first()
                        .map(|event| (event.class, event.action, event.rule.as_deref()));
                    field.current
                        && (&field.path, &field.manager) == (&contest.path, &contest.manager)
                        && decided == Some((contest.class, contest.action, Some(contest.rule.as_str())))
                })
            })
        };
        becomes(&self.installation.api::<ReleaseLedger>(), "shop", DEADLINE, tells).await?;
        Ok(())
    }

    async fn shows_no_secret(&self, release: &HelmRelease, contest: &Contest) -> Result {
        if !contest.is_secret() {
            return Ok(());
        }
        let ledger = self.installation.api::<ReleaseLedger>().get("shop").await?;
        let places = [
            ("the status", serde_json::to_string(&release.status)?),
            ("the ledger", serde_json::to_string(&ledger)?),
            ("an event", format!("{:?}", self.installation.events(release).await?)),
            ("the log", self.installation.operator.log()),
        ];
        let secrets = contest.secrets();
        let shown = places
            .iter()
            .find(|(_, text)| secrets.iter().any(|secret| text.contains(secret)));
        shown.map_or(Ok(()), |(place, text)| {
            Err(format!("{place} shows a secret: {text}").into())
        })
    }
}

pub(super) fn is_announcement((found, note): &(String, String), reason: &str, texts: &[String]) -> bool {
    found == reason && texts.iter().all(|text| note.contains(text))
}

fn contested(release: &HelmRelease) -> impl Iterator<Item = &ContestedField> {
    let status = release.status.as_ref().and_then(|status| status.ownership.as_ref());
    status.into_iter().flat_map(|ownership| &ownership.contested)
}

fn line(field: &ContestedField) -> String {
    let ContestedField {
        path,
        manager,
        class,
        action,
        ..
    } = field;
    format!(
        "{path} {manager} {class} {action} by {}",
        field.rule.as_deref().unwrap_or_default()
    )
}

pub(super) fn lines(release: &HelmRelease) -> BTreeSet<String> {
    contested(release).map(line).collect()
}
