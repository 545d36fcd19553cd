//! Helm's release records beside `status.history`: whose the newest one is, and what is to be written so that Helm sees what is
//! true.
//!
//! Pure and total. What there is comes from a watch of the records' metadata, so that nothing of this costs a request. The
//! history is Fairlead's own word of what it did; the records are what other tools see and do, and where the two differ, another
//! tool was at work.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::course::rollback_target;
use super::revision::Phase;
use crate::api::helm_release::history::{Snapshot, SnapshotAction};
use crate::release::Status;
use crate::release::label::Driver;

/// The HelmRelease as which a record was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Writer {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid: one with the same name that was made later is another.
    pub uid: String,
}

impl Writer {
    /// Reads the annotation.
    pub fn parse(annotation: &str) -> Option<Self> {
        let mut parts = annotation.split('/').map(str::to_owned);
        let writer = Self {
            namespace: parts.next()?,
            name: parts.next()?,
            uid: parts.next()?,
        };
        parts.next().is_none().then_some(writer)
    }
}

impl std::fmt::Display for Writer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { namespace, name, uid } = self;
        write!(formatter, "{namespace}/{name}/{uid}")
    }
}

/// What is known of one record without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// Where the revision stands.
    pub status: Status,
    /// The version of the object that holds it.
    pub resource_version: String,
    /// When it was last written.
    pub written_at: Timestamp,
    /// As which HelmRelease it was last written; `None` for a record of another tool.
    pub writer: Option<Box<Writer>>,
    /// The sort of the object that holds it.
    pub driver: Driver,
}

/// The records of one release, by revision.
pub type Stored = BTreeMap<u32, StoredRecord>;

/// The records of one release that has some in Secrets and some in ConfigMaps: those in ConfigMaps are of the time before. What
/// stands there besides was left by a Helm that went over to Secrets itself, and says nothing any more.
pub fn joined(secrets: Option<&Stored>, config_maps: Option<&Stored>) -> Stored {
    let mut joined = secrets.cloned().unwrap_or_default();
    let first = joined.first_key_value().map(|(revision, _)| *revision);
    let before = |revision: u32| first.is_none_or(|first| revision < first);
    let former = config_maps.into_iter().flatten();
    let former = former.filter(|(revision, _)| before(**revision));
    joined.extend(former.map(|(revision, record)| (*revision, record.clone())));
    joined
}

/// Whose the newest record of a release is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The records are as the history says, or behind it.
    Own,
    /// Another tool made the newest revision, or changed it: what it did is followed by a revision of ours.
    Foreign {
        /// The number of the newest revision.
        newest: u32,
        /// Whether the release was ever deployed and not uninstalled since: what follows is an upgrade then.
        was_whole: bool,
    },
    /// The release had records, and they are gone: somebody uninstalled it.
    Gone,
    /// Another tool is at it.
    Busy {
        /// What it does.
        status: Status,
        /// When it is taken to have been cut short.
        until: Timestamp,
    },
    /// The release is that of another HelmRelease.
    Taken {
        /// That HelmRelease.
        by: Writer,
    },
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// The uid of the HelmRelease.
    pub uid: &'a str,
    /// How long another tool's action may be under way before it is taken to have been cut short.
    pub patience: Duration,
}

/// Says whose the newest record is. `exists` says whether a HelmRelease that wrote a record is still there.
pub fn standing(
    stored: &Stored,
    newest: Option<&Snapshot>,
    asker: Asker<'_>,
    exists: impl Fn(&Writer) -> bool,
    now: Timestamp,
) -> Standing {
    let Some((number, record)) = stored.last_key_value() else {
        let had_one = |snapshot: &Snapshot| !snapshot.digest.is_empty() && Phase::of(snapshot) != Phase::Gone;
        return if newest.is_some_and(had_one) {
            Standing::Gone
        } else {
            Standing::Own
        };
    };
    let begun = newest.map_or(0, |snapshot| snapshot.version);
    let foreign = Standing::Foreign {
        newest: *number,
        was_whole: was_whole(stored),
    };
    match &record.writer {
        Some(writer) if writer.uid == asker.uid => {
            if begun < *number {
                foreign
            } else {
                Standing::Own
            }
        }
        Some(writer) if exists(writer) => Standing::Taken {
            by: Writer::clone(writer),
        },
        Some(_) | None if begun > *number => Standing::Own,
        Some(_) | None => match cut_short_at(record, asker.patience) {
            Some(until) if until > now => Standing::Busy {
                status: record.status,
                until,
            },
            Some(_) | None => foreign,
        },
    }
}

/// When an action that is under way is taken to have been cut short; `None` if none is.
fn cut_short_at(record: &StoredRecord, patience: Duration) -> Option<Timestamp> {
    let is_under_way = record.status.is_pending() || record.status == Status::Uninstalling;
    let patience = SignedDuration::try_from(patience).unwrap_or(SignedDuration::MAX);
    is_under_way.then(|| record.written_at.checked_add(patience).unwrap_or(Timestamp::MAX))
}

/// Whether there is a revision that was deployed after the last that was uninstalled.
fn was_whole(stored: &Stored) -> bool {
    let ends = |status| matches!(status, Status::Uninstalled | Status::Uninstalling);
    let since = stored.values().rev().take_while(|record| !ends(record.status));
    since
        .into_iter()
        .any(|record| matches!(record.status, Status::Deployed | Status::Superseded))
}

/// A change of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordWrite {
    /// A record for a revision that has none.
    Create {
        /// The number of the revision.
        revision: u32,
        /// Where it stands.
        status: Status,
        /// Why, as Helm would say it.
        description: String,
    },
    /// Another status.
    Update {
        /// The number of the revision.
        revision: u32,
        /// Where it stands.
        status: Status,
        /// Why, as Helm would say it; empty to leave what stands there.
        description: String,
    },
    /// A record that is beyond the limit of the history goes.
    Delete {
        /// The number of the revision.
        revision: u32,
    },
}

/// What is to be written so that the records say what the history says. `keep` limits the number of records; `message` says why
/// the newest revision failed.
pub fn writes(stored: &Stored, history: &[Snapshot], uid: &str, keep: Option<u32>, message: &str) -> Vec<RecordWrite> {
    let Some(newest) = history.first() else {
        return Vec::new();
    };
    let status = Status::from_word(&newest.status);
    let revision = newest.version;
    let is_written =
        Phase::of(newest) != Phase::Gone || (status == Status::Uninstalling && stored.contains_key(&revision));
    if !is_written || stored.keys().any(|number| *number > revision) {
        return Vec::new();
    }
    let mut writes = Vec::new();
    let description = || description(newest, rollback_target(stored, history), status, message);
    match stored.get(&revision) {
        None => writes.push(RecordWrite::Create {
            revision,
            status,
            description: description(),
        }),
        // Another tool had the same number in mind: the next reconcile follows on what it did.
        Some(record) if record.writer.as_ref().is_none_or(|writer| writer.uid != uid) => return Vec::new(),
        Some(record) if record.status != status || newest.digest.is_empty() => writes.push(RecordWrite::Update {
            revision,
            status,
            description: description(),
        }),
        Some(_) => {}
    }
    let surplus = beyond(stored, revision, status, keep);
    if status == Status::Deployed {
        let older = stored.iter().filter(|(number, _)| **number < revision);
        let staying = older.filter(|(number, _)| !surplus.contains(number));
        writes.extend(staying.filter_map(|(number, record)| ended(*number, record.status)));
    }
    writes.extend(surplus.into_iter().map(|revision| RecordWrite::Delete { revision }));
    writes
}

/// What a revision that was followed by a deployed one is from now on.
fn ended(revision: u32, status: Status) -> Option<RecordWrite> {
    match status {
        Status::Deployed => Some(RecordWrite::Update {
            revision,
            status: Status::Superseded,
            description: String::new(),
        }),
        Status::PendingInstall | Status::PendingUpgrade | Status::PendingRollback | Status::Uninstalling => {
            Some(RecordWrite::Update {
                revision,
                status: Status::Failed,
                description: format!("cut short while it was {}", status.as_word()),
            })
        }
        Status::Unknown | Status::Uninstalled | Status::Superseded | Status::Failed => None,
    }
}

/// The oldest records beyond the limit; as Helm, the last deployed one stays.
fn beyond(stored: &Stored, newest: u32, status: Status, keep: Option<u32>) -> Vec<u32> {
    let Some(keep) = keep else { return Vec::new() };
    let is_good = |record: &StoredRecord| matches!(record.status, Status::Deployed | Status::Superseded);
    let older = || stored.iter().filter(|(number, _)| **number < newest);
    let last_good = older().rfind(|(_, record)| is_good(record)).map(|(number, _)| *number);
    let spared = last_good.filter(|_| status != Status::Deployed);
    let surplus = (older().count() + 1).saturating_sub(usize::try_from(keep).unwrap_or(usize::MAX));
    older()
        .map(|(number, _)| *number)
        .filter(|number| Some(*number) != spared)
        .take(surplus)
        .collect()
}

/// What Helm would say of a revision.
fn description(snapshot: &Snapshot, restored: Option<u32>, status: Status, message: &str) -> String {
    let Snapshot { name, action, .. } = snapshot;
    let restores = restored.map_or("Rollback complete".to_owned(), |revision| {
        format!("Rollback to {revision}")
    });
    let (complete, failed) = match action {
        Some(SnapshotAction::Rollback) => (restores.as_str(), "Rollback"),
        Some(SnapshotAction::Upgrade) => ("Upgrade complete", "Upgrade"),
        Some(SnapshotAction::Install | SnapshotAction::Uninstall | SnapshotAction::UninstallRemediation) | None => {
            ("Install complete", "Release")
        }
    };
    match status {
        Status::Deployed | Status::Superseded => complete.to_owned(),
        Status::Failed => format!("{failed} {name:?} failed: {message}"),
        Status::PendingInstall => "Initial install underway".to_owned(),
        Status::PendingUpgrade => "Preparing upgrade".to_owned(),
        Status::PendingRollback => "Preparing rollback".to_owned(),
        Status::Unknown | Status::Uninstalled | Status::Uninstalling => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap as Map;

    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn writer(uid: &str) -> Writer {
        Writer {
            namespace: "prod".into(),
            name: "shop".into(),
            uid: uid.into(),
        }
    }

    fn record(status: Status, uid: Option<&str>) -> StoredRecord {
        StoredRecord {
            status,
            resource_version: "1".into(),
            written_at: at(100),
            writer: uid.map(writer).map(Box::new),
            driver: Driver::Secrets,
        }
    }

    fn stored(records: &[(u32, Status, Option<&str>)]) -> Stored {
        let records = records.iter();
        records
            .map(|(revision, status, uid)| (*revision, record(*status, *uid)))
            .collect()
    }

    fn snapshot(version: u32, status: &str, digest: &str) -> Snapshot {
        Snapshot {
            api_version: None,
            digest: digest.into(),
            manifest_digest: None,
            action: Some(SnapshotAction::Upgrade),
            apply_method: crate::api::helm_release::history::ApplyMethod::default(),
            name: "shop".into(),
            namespace: "prod".into(),
            version,
            status: status.into(),
            chart_name: "shop".into(),
            chart_version: "1.0.0".into(),
            app_version: None,
            config_digest: String::new(),
            post_renderers_digest: None,
            common_metadata_digest: None,
            oci_digest: None,
            first_deployed: Time(at(1)),
            last_deployed: Time(at(1)),
            deleted: None,
            hooks: Map::new(),
            test_hooks: Map::new(),
            plugins: Vec::new(),
        }
    }

    fn stands(records: &[(u32, Status, Option<&str>)], newest: Option<&Snapshot>, now: i64) -> Standing {
        let asker = Asker {
            uid: "ours",
            patience: Duration::from_mins(1),
        };
        let exists = |writer: &Writer| writer.uid == "theirs";
        standing(&stored(records), newest, asker, exists, at(now))
    }

    #[test]
    fn records_in_config_maps_are_those_before_the_ones_in_secrets() {
        let secrets = stored(&[(2, Status::Deployed, Some("ours"))]);
        let maps = stored(&[
            (1, Status::Superseded, None),
            (2, Status::Failed, None),
            (9, Status::Deployed, None),
        ]);
        let numbers = |stored: &Stored| stored.keys().copied().collect::<Vec<_>>();
        assert_eq!(numbers(&joined(None, Some(&maps))), [1, 2, 9]);
        assert_eq!(joined(Some(&secrets), None), secrets);
        let both = joined(Some(&secrets), Some(&maps));
        assert_eq!(numbers(&both), [1, 2]);
        assert_eq!(both.get(&2), secrets.get(&2));
    }

    #[test]
    fn a_release_that_fairlead_alone_wrote_is_its_own() {
        let newest = snapshot(2, "deployed", "sha256:x");
        let ours = [
            (1, Status::Superseded, Some("ours")),
            (2, Status::Deployed, Some("ours")),
        ];
        assert_eq!(stands(&[], None, 500), Standing::Own);
        assert_eq!(stands(&ours, Some(&newest), 500), Standing::Own);
        // A revision that has begun and whose record is not written yet, and one from before there were records.
        assert_eq!(stands(&ours[..1], Some(&newest), 500), Standing::Own);
        assert_eq!(stands(&[], Some(&snapshot(2, "deployed", "")), 500), Standing::Own);
        // One that follows on a revision of another tool.
        assert_eq!(
            stands(
                &[(1, Status::Deployed, None)],
                Some(&snapshot(2, "pending-upgrade", "")),
                500
            ),
            Standing::Own
        );
    }

    #[test]
    fn what_another_tool_did_last_is_seen() {
        let newest = snapshot(1, "deployed", "sha256:x");
        let foreign = |newest, was_whole| Standing::Foreign { newest, was_whole };
        let first = (1, Status::Superseded, Some("ours"));
        for (records, newest, expected) in [
            (
                vec![first, (2, Status::Deployed, None)],
                Some(&newest),
                foreign(2, true),
            ),
            (vec![(1, Status::Failed, None)], None, foreign(1, false)),
            (vec![(1, Status::Uninstalled, None)], Some(&newest), foreign(1, false)),
            // It wrote the revision anew, or the HelmRelease that made it is gone, or its status was lost.
            (vec![(1, Status::Deployed, None)], Some(&newest), foreign(1, true)),
            (vec![(1, Status::Deployed, Some("gone"))], None, foreign(1, true)),
            (
                vec![(3, Status::Deployed, Some("ours"))],
                Some(&newest),
                foreign(3, true),
            ),
            (vec![], Some(&newest), Standing::Gone),
        ] {
            assert_eq!(stands(&records, newest, 500), expected, "{records:?}");
        }
        assert!(matches!(
            stands(&[(1, Status::Deployed, Some("theirs"))], None, 500),
            Standing::Taken { .. }
        ));
    }

    #[test]
    fn an_action_of_another_tool_is_waited_for_as_long_as_it_may_take() {
        for status in [Status::PendingInstall, Status::PendingRollback, Status::Uninstalling] {
            let records = [(1, status, None)];
            assert_eq!(stands(&records, None, 159), Standing::Busy { status, until: at(160) });
            assert!(matches!(stands(&records, None, 160), Standing::Foreign { .. }));
        }
    }

    fn update(revision: u32, status: Status, description: &str) -> RecordWrite {
        RecordWrite::Update {
            revision,
            status,
            description: description.into(),
        }
    }

    #[test]
    fn a_revision_is_written_once_where_nothing_is_awaited() {
        let history = [snapshot(2, "deployed", ""), snapshot(1, "superseded", "x")];
        let first = (1, Status::Deployed, Some("ours"));
        let create = RecordWrite::Create {
            revision: 2,
            status: Status::Deployed,
            description: "Upgrade complete".into(),
        };
        let expected = [create, update(1, Status::Superseded, "")];
        assert_eq!(writes(&stored(&[first]), &history, "ours", None, ""), expected);
        let done = stored(&[
            (1, Status::Superseded, Some("ours")),
            (2, Status::Deployed, Some("ours")),
        ]);
        // Not known to be written: the status was lost between the two.
        assert_eq!(
            writes(&done, &history, "ours", None, ""),
            [update(2, Status::Deployed, "Upgrade complete")]
        );
        let history = [snapshot(2, "deployed", "x"), snapshot(1, "superseded", "x")];
        assert_eq!(writes(&done, &history, "ours", None, ""), []);
    }

    #[test]
    fn a_failure_leaves_the_deployed_revision_and_says_why() {
        let history = [snapshot(2, "failed", "x")];
        let records = stored(&[(1, Status::Deployed, None), (2, Status::PendingUpgrade, Some("ours"))]);
        assert_eq!(
            writes(&records, &history, "ours", None, "no room"),
            [update(2, Status::Failed, "Upgrade \"shop\" failed: no room")]
        );
    }

    #[test]
    fn what_was_cut_short_is_ended_by_what_is_deployed_after_it() {
        let history = [snapshot(3, "deployed", "x")];
        let records = stored(&[
            (1, Status::Uninstalling, None),
            (2, Status::PendingUpgrade, None),
            (3, Status::Deployed, Some("ours")),
        ]);
        let expected = [
            update(1, Status::Failed, "cut short while it was uninstalling"),
            update(2, Status::Failed, "cut short while it was pending-upgrade"),
        ];
        assert_eq!(writes(&records, &history, "ours", None, ""), expected);
    }

    #[test]
    fn the_limit_spares_what_was_good_last() {
        let delete = |revision| RecordWrite::Delete { revision };
        let records = stored(&[
            (1, Status::Deployed, Some("ours")),
            (2, Status::Failed, Some("ours")),
            (3, Status::Failed, Some("ours")),
            (4, Status::Failed, Some("ours")),
        ]);
        let failed = [snapshot(4, "failed", "x")];
        assert_eq!(writes(&records, &failed, "ours", Some(2), ""), [delete(2), delete(3)]);
        assert_eq!(writes(&records, &failed, "ours", None, ""), []);
    }

    #[test]
    fn a_number_that_another_tool_took_is_left_to_it() {
        let history = [snapshot(2, "deployed", "")];
        for records in [
            [(1, Status::Superseded, Some("ours")), (2, Status::Deployed, None)],
            [(2, Status::Superseded, Some("ours")), (3, Status::Deployed, None)],
        ] {
            assert_eq!(writes(&stored(&records), &history, "ours", Some(1), ""), []);
        }
    }

    fn any_status() -> impl Strategy<Value = Status> {
        prop::sample::select(vec![
            Status::Unknown,
            Status::Deployed,
            Status::Uninstalled,
            Status::Superseded,
            Status::Failed,
            Status::Uninstalling,
            Status::PendingInstall,
            Status::PendingUpgrade,
            Status::PendingRollback,
        ])
    }

    fn any_records() -> impl Strategy<Value = Stored> {
        let uid = prop::sample::select(vec![None, Some("ours"), Some("theirs"), Some("gone")]);
        let record = (any_status(), uid).prop_map(|(status, uid)| record(status, uid));
        prop::collection::btree_map(1..12u32, record, 0..6)
    }

    proptest! {
        /// Whatever there is, a revision that is deployed leaves at most one deployed record, none under way, and not more than
        /// are to be kept; and then nothing more is to be written.
        #[test]
        fn writes_come_to_an_end(mut records in any_records(), keep in 1..5u32) {
            let number = records.keys().next_back().map_or(1, |newest| newest + 1);
            let history = [snapshot(number, "deployed", "x")];
            for write in writes(&records, &history, "ours", Some(keep), "") {
                match write {
                    RecordWrite::Create { revision, status, .. } | RecordWrite::Update { revision, status, .. } => {
                        records.insert(revision, record(status, Some("ours")));
                    }
                    RecordWrite::Delete { revision } => {
                        records.remove(&revision);
                    }
                }
            }
            let deployed: Vec<u32> = records.iter().filter(|(_, record)| record.status == Status::Deployed).map(|(number, _)| *number).collect();
            prop_assert_eq!(deployed, [number]);
            prop_assert!(!records.values().any(|record| record.status.is_pending()));
            prop_assert!(records.len() <= usize::try_from(keep).unwrap());
            prop_assert_eq!(writes(&records, &history, "ours", Some(keep), ""), []);
        }

        /// No state of the records holds a release for ever without another HelmRelease being there.
        #[test]
        fn every_state_is_left(records in any_records(), version in 0..12u32) {
            let newest = Some(snapshot(version, "deployed", "x")).filter(|_| version > 0);
            let asker = Asker { uid: "ours", patience: Duration::from_mins(1) };
            let later = standing(&records, newest.as_ref(), asker, |_| false, at(161));
            let is_held = matches!(later, Standing::Busy { .. } | Standing::Taken { .. });
            prop_assert!(!is_held);
        }
    }
}
