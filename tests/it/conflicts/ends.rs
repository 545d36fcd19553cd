//! The end of a scenario: it met what the catalogue says, and nothing tells of anything else.

use std::collections::{BTreeMap, BTreeSet};

use kube::api::DeleteParams;

use super::contest::{Contest, Decision};
use super::play::Play;
use super::told::{TOTAL, is_announcement, lines};
use crate::support::Result;
use crate::support::installation::condition;

/// The reasons of all events about decisions.
const REASONS: [&str; 11] = [
    "AdmissionOverride",
    "ConflictFailed",
    "ConflictHandedOff",
    "ConflictRetrying",
    "FieldAdopted",
    "FieldFight",
    "FieldForced",
    "FieldHandedOver",
    "FieldYielded",
    "FieldsMigrated",
    "OwnershipLost",
];

impl Play {
    /// Ends a scenario that must have met exactly these decisions. Removes what would outlive the test.
    pub(super) async fn ends(self, decisions: &[Decision]) -> Result {
        self.met(decisions).await?;
        if self.is_cluster_wide || !self.left_behind.is_empty() {
            self.installation.uninstall("shop").await?;
        }
        for object in &self.left_behind {
            let (api, name) = self.stage.api(object).await;
            api.delete(&name, &DeleteParams::default()).await?;
        }
        Ok(())
    }

    /// Fails unless exactly these decisions were met, and neither metrics nor events tell of any other.
    async fn met(&self, decisions: &[Decision]) -> Result {
        let expected: BTreeSet<Decision> = decisions.iter().copied().collect();
        let about = self.contests.iter().map(Contest::decision);
        let met: BTreeSet<Decision> = about.chain(self.decisions.iter().copied()).collect();
        if met != expected {
            return Err(format!("the catalogue says {expected:?}, but the test met {met:?}").into());
        }
        if !self.has_looked && !met.contains(&Decision::Refused) {
            return Err("the scenario looks at no live object and its managedFields".into());
        }
        let metrics = self.metrics().await?;
        let distinct: BTreeMap<Decision, &Contest> = self
            .contests
            .iter()
            .map(|contest| (contest.decision(), contest))
            .collect();
        let sums = distinct
            .values()
            .filter_map(|contest| self.sum(&metrics, TOTAL, contest, &[]));
        let (told, counted) = (sums.reduce(|all, sum| all + sum), metrics.sum(TOTAL, &self.labels()));
        if told != counted {
            return Err(format!("the metric counts {counted:?} decisions, of which the test met {told:?}").into());
        }
        self.events_tell_of_nothing_else().await
    }

    async fn events_tell_of_nothing_else(&self) -> Result {
        let release = self.becomes(|release| release.is_some()).await?;
        if self.contests.is_empty()
            && (!lines(&release).is_empty() || condition(&release, "Conflicted")["status"] == "True")
        {
            return Err(format!("the status tells of conflicts: {:?}", lines(&release)).into());
        }
        let is_met = |event: &(String, String)| {
            let mut contests = self.contests.iter();
            let mut announced = self.announced.iter();
            contests.any(|contest| contest.is_told_by(&self.stage.reference(&contest.object), &event.0, &event.1))
                || announced.any(|(reason, texts)| is_announcement(event, reason, texts))
        };
        let events = self.installation.events(&release).await?;
        let other = events
            .iter()
            .find(|event| REASONS.contains(&event.0.as_str()) && !is_met(event));
        other.map_or(Ok(()), |event| {
            Err(format!("an event tells of what the test did not meet: {event:?}").into())
        })
    }
}
