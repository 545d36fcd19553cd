//! The ledger in the cluster: one ReleaseLedger beside each HelmRelease, owned by it.
//!
//! Edge. It is written when it changed, and read once a process. What it holds is bounded: what does not fit is left out,
//! and those objects are compared anew after a restart.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, DeleteParams, ObjectMeta, Patch, PatchParams};
use kube::{Client, Resource};
use sha2::{Digest, Sha256};
use tracing::warn;

use crate::api::helm_release::history::InventoryEntry;
use crate::api::reference::CommonMetadata;
use crate::api::release_ledger::{
    LedgerEvent, LedgerField, LedgerObject, MAX_CONTESTED, MAX_CONTESTED_BYTES, MAX_FIELD_SET_BYTES,
    MAX_FIELD_SETS_BYTES, MAX_OBJECTS, MAX_YIELDED_BYTES, ReleaseLedger, ReleaseLedgerSpec,
};
use crate::api::{HelmRelease, names};
use crate::ownership::contested::ContestedField;
use crate::ownership::fieldset::FieldSet;
use crate::ownership::ledger::{ContestRecord, Ledger, ObjectRecord, Yielded, tally};
use crate::ownership::packed::PackedFields;
use crate::plan::inventory::{entry, reference};
use crate::plan::revision::Revision;

/// The ledger could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("ReleaseLedger {namespace}/{name}: {source}")]
pub struct LedgerStoreError {
    /// Its namespace.
    namespace: String,
    /// Its name.
    name: String,
    /// Why.
    source: Box<kube::Error>,
}

/// What is in the cluster of a release's ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Digest of what it says, but for the time.
    digest: String,
    /// The labels and annotations that are the operator's.
    metadata: CommonMetadata,
}

impl Written {
    /// Whether the ledger has the labels and annotations that the spec says.
    pub fn is_marked_as(&self, release: &HelmRelease) -> bool {
        self.metadata == metadata_of(release)
    }
}

/// The labels and annotations that the spec gives the ledger.
fn metadata_of(release: &HelmRelease) -> CommonMetadata {
    let chart = release.spec.chart.as_ref();
    chart.and_then(|chart| chart.metadata.clone()).unwrap_or_default()
}

/// The labels and annotations of a ledger that the operator has set.
fn metadata_in(ledger: &ReleaseLedger) -> CommonMetadata {
    let entries = ledger.metadata.managed_fields.iter().flatten();
    let own = entries.filter(|entry| entry.manager.as_deref() == Some(names::CONTROLLER_FIELD_MANAGER));
    let sets: Vec<&serde_json::Value> = own
        .filter_map(|entry| entry.fields_v1.as_ref())
        .map(|fields| &fields.0)
        .collect();
    let set = |map: &Option<BTreeMap<String, String>>, field: &str| {
        let is_ours = |key: &str| {
            let of = |set: &&serde_json::Value| set["f:metadata"][field].get(format!("f:{key}")).is_some();
            sets.iter().any(of)
        };
        let all = map.iter().flatten().filter(|(key, _)| is_ours(key));
        all.map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    CommonMetadata {
        annotations: set(&ledger.metadata.annotations, "f:annotations"),
        labels: set(&ledger.metadata.labels, "f:labels"),
    }
}

fn failed(release: &HelmRelease, source: kube::Error) -> LedgerStoreError {
    LedgerStoreError {
        namespace: release.own_namespace().to_owned(),
        name: release.own_name().to_owned(),
        source: Box::new(source),
    }
}

fn api(client: &Client, release: &HelmRelease) -> Api<ReleaseLedger> {
    Api::namespaced(client.clone(), release.own_namespace())
}

/// Reads a release's ledger; an empty one if there is none, or if it is of an earlier release with the same name. Beside it
/// what is in the cluster, if it is the release's.
pub async fn read(client: &Client, release: &HelmRelease) -> Result<(Ledger, Option<Written>), LedgerStoreError> {
    let kept = api(client, release)
        .get_opt(release.own_name())
        .await
        .map_err(|source| failed(release, source))?;
    let is_ours = |ledger: &ReleaseLedger| {
        let owners = ledger.metadata.owner_references.iter().flatten();
        owners
            .into_iter()
            .any(|owner| Some(&owner.uid) == release.metadata.uid.as_ref())
    };
    let Some(mut kept) = kept.filter(is_ours) else {
        return Ok((Ledger::default(), None));
    };
    kept.spec.updated = None;
    let written = Written {
        digest: digest(&kept.spec),
        metadata: metadata_in(&kept),
    };
    Ok((from_resource(kept.spec), Some(written)))
}

/// Of all but the time.
fn digest(spec: &ReleaseLedgerSpec) -> String {
    format!("{:x}", Sha256::digest(serde_json::to_vec(spec).unwrap_or_default()))
}

/// Writes a release's ledger unless it is what was `written` last. Gives what is in the cluster now. Labels and annotations that the API
/// server refuses are left out: the ledger is worth more than they are.
pub async fn write(
    client: &Client,
    release: &HelmRelease,
    ledger: &Ledger,
    revision: &Revision,
    written: Option<&Written>,
) -> Result<Written, LedgerStoreError> {
    let mut spec = to_resource(ledger, release.field_manager(), revision.number);
    let writes = Written {
        digest: digest(&spec),
        metadata: metadata_of(release),
    };
    if written == Some(&writes) {
        return Ok(writes);
    }
    spec.updated = Some(Time(Timestamp::now()));
    let mut resource = ReleaseLedger::new(release.own_name(), spec);
    resource.metadata = ObjectMeta {
        name: Some(release.own_name().to_owned()),
        owner_references: release.controller_owner_ref(&()).map(|owner| vec![owner]),
        annotations: Some(writes.metadata.annotations.clone()).filter(|annotations| !annotations.is_empty()),
        labels: Some(writes.metadata.labels.clone()).filter(|labels| !labels.is_empty()),
        ..ObjectMeta::default()
    };
    // Nobody else writes ledgers: force repairs what somebody changed by hand.
    let parameters = PatchParams::apply(names::CONTROLLER_FIELD_MANAGER).force();
    let (ledgers, name) = (api(client, release), release.own_name());
    let mut answer = ledgers
        .patch_metadata(name, &parameters, &Patch::Apply(&resource))
        .await;
    if let Err(kube::Error::Api(status)) = &answer
        && status.is_invalid()
        && writes.metadata != CommonMetadata::default()
    {
        warn!(error = %status.message, "the ledger is written without spec.chart.metadata");
        resource.metadata.annotations = None;
        resource.metadata.labels = None;
        answer = ledgers
            .patch_metadata(name, &parameters, &Patch::Apply(&resource))
            .await;
    }
    answer.map_err(|source| failed(release, source))?;
    Ok(writes)
}

/// Deletes the ledger of a release that ends.
pub async fn delete(client: &Client, release: &HelmRelease) -> Result<(), LedgerStoreError> {
    let deleted = api(client, release)
        .delete(release.own_name(), &DeleteParams::default())
        .await;
    match deleted {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(source) => Err(failed(release, source)),
    }
}

fn to_resource(ledger: &Ledger, field_manager: String, revision: u32) -> ReleaseLedgerSpec {
    let mut room = MAX_FIELD_SETS_BYTES;
    let mut room_yielded = MAX_YIELDED_BYTES;
    let mut objects = Vec::new();
    let mut contested = Vec::new();
    for record in ledger.objects() {
        let InventoryEntry { id, v } = entry(&record.reference);
        contested.extend(record.history.iter().map(|field| to_field(&id, record, field)));
        if record.uid.is_empty() || objects.len() >= MAX_OBJECTS {
            continue;
        }
        let (yields, yielded) = match &record.yielded {
            Yielded::Listed(fields) if fields.is_empty() => (false, None),
            Yielded::Listed(fields) => (true, written(fields, MAX_YIELDED_BYTES, &mut room_yielded)),
            Yielded::Unlisted => (true, None),
        };
        objects.push(LedgerObject {
            id,
            v,
            // What was contested is looked at anew by the next process: the policy may decide otherwise by then.
            intent: if record.policy.is_some() {
                String::new()
            } else {
                record.intent_hash.clone()
            },
            uid: record.uid.clone(),
            resource_version: record.resource_version.clone(),
            fingerprint: record.fingerprint.clone(),
            fields: written(&record.owned, MAX_FIELD_SET_BYTES, &mut room),
            yielded_unlisted: yields && yielded.is_none(),
            yielded,
        });
    }
    ReleaseLedgerSpec {
        field_manager,
        revision: Some(revision),
        updated: None,
        objects,
        contested: newest(contested),
    }
}

/// A field set as text, if it fits; what it takes is taken from the room.
fn written(fields: &PackedFields, at_most: usize, room: &mut usize) -> Option<String> {
    let text = Some(fields.unpack().to_fields_v1().to_string()).filter(|text| text.len() <= at_most.min(*room))?;
    *room -= text.len();
    Some(text)
}

/// Those that were seen last, as many as fit, sorted by object and path.
fn newest(mut contested: Vec<LedgerField>) -> Vec<LedgerField> {
    contested.sort_by_key(|field| (!field.current, std::cmp::Reverse(field.last_seen.0)));
    contested.truncate(MAX_CONTESTED);
    let mut room = MAX_CONTESTED_BYTES;
    contested.retain(|field| {
        let size = serde_json::to_vec(field).map_or(usize::MAX, |text| text.len());
        let fits = size <= room;
        room -= if fits { size } else { 0 };
        fits
    });
    contested.sort_by(|a, b| (&a.id, &a.path, &a.manager).cmp(&(&b.id, &b.path, &b.manager)));
    contested
}

fn to_field(id: &str, object: &ObjectRecord, record: &ContestRecord) -> LedgerField {
    let current = record.is_current(&object.contested);
    let ContestRecord {
        field,
        manager,
        operation: how,
        subresource,
        ours,
        theirs,
        class: conflict_class,
        action: taken,
        rule,
        first_seen,
        last_seen,
        count,
    } = record;
    let count = u32::try_from(*count).unwrap_or(u32::MAX);
    let event = LedgerEvent {
        time: Time(*last_seen),
        class: *conflict_class,
        action: *taken,
        rule: Some(rule.clone()),
        ours: ours.as_ref().map(|value| value.as_json().clone()),
        theirs: theirs.as_ref().map(|value| value.as_json().clone()),
        count,
    };
    LedgerField {
        id: id.to_owned(),
        path: field.clone(),
        manager: manager.clone(),
        operation: *how,
        subresource: subresource.clone(),
        first_seen: Time(*first_seen),
        last_seen: Time(*last_seen),
        count,
        current,
        history: vec![event],
    }
}

fn from_resource(spec: ReleaseLedgerSpec) -> Ledger {
    let ReleaseLedgerSpec {
        field_manager: _,
        revision: _,
        updated: _,
        objects,
        contested,
    } = spec;
    let mut histories: BTreeMap<String, Vec<(bool, ContestRecord)>> = BTreeMap::new();
    for field in contested {
        let (id, current) = (field.id.clone(), field.current);
        if let Some(record) = from_field(field) {
            histories.entry(id).or_default().push((current, record));
        }
    }
    let mut ledger = Ledger::default();
    for object in objects {
        let LedgerObject {
            id,
            v,
            intent,
            uid,
            resource_version,
            fingerprint,
            fields,
            yielded,
            yielded_unlisted,
        } = object;
        let known = histories.remove(&id).unwrap_or_default();
        let contested: Vec<ContestedField> = known
            .iter()
            .filter(|(current, _)| *current)
            .map(|(_, record)| record.as_contested())
            .collect();
        let Some(reference) = reference(&InventoryEntry { id, v }) else {
            continue;
        };
        let read = |text: Option<String>| {
            let fields = FieldSet::from_fields_v1(&serde_json::from_str(&text?).ok()?).ok()?;
            Some(PackedFields::of(&fields))
        };
        let owned = read(fields);
        ledger.insert(ObjectRecord {
            reference: Arc::new(reference),
            uid,
            resource_version,
            fingerprint,
            // Without the fields that we own, a loss of one could not be noticed: apply it anew.
            intent_hash: if owned.is_some() { intent } else { String::new() },
            policy: None,
            owned: owned.unwrap_or_default(),
            tally: tally(&contested),
            yielded: if yielded_unlisted {
                Yielded::Unlisted
            } else {
                Yielded::Listed(read(yielded).unwrap_or_default())
            },
            contested,
            overridden: Vec::new(),
            history: known.into_iter().map(|(_, record)| record).collect(),
        });
    }
    ledger
}

fn from_field(field: LedgerField) -> Option<ContestRecord> {
    let LedgerField {
        id: _,
        path,
        manager,
        operation,
        subresource,
        first_seen,
        last_seen,
        count,
        current: _,
        history,
    } = field;
    let LedgerEvent {
        time: _,
        class,
        action,
        rule,
        ours: _,
        theirs: _,
        count: _,
    } = history.into_iter().next()?;
    Some(ContestRecord {
        field: path,
        manager,
        operation,
        subresource,
        // Values are shown again when the field is contested again.
        ours: None,
        theirs: None,
        class,
        action,
        rule: rule.unwrap_or_default(),
        first_seen: first_seen.0,
        last_seen: last_seen.0,
        count: u64::from(count),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ownership::class::Class;
    use crate::ownership::ledger::Observation;
    use crate::ownership::managed::{Manager, Operation};
    use crate::ownership::path::FieldPath;
    use crate::ownership::policy::Action;
    use crate::ownership::reference::ObjectReference;

    /// A ledger in which this many fields of a ConfigMap are left to somebody else.
    fn yielding(fields: usize) -> Ledger {
        let manager = Manager {
            name: "kubectl".to_owned(),
            operation: Operation::Update,
            subresource: None,
            api_version: None,
            time: None,
        };
        let contested = (0..fields).map(|number| {
            let path: FieldPath = format!(".data.a-key-with-a-name-{number:05}").parse().unwrap();
            ContestedField {
                field: path.to_string(),
                path: Some(path),
                ours: None,
                theirs: None,
                manager: manager.clone(),
                class: Class::Real,
                action: Action::Yielded,
                rule: "onConflict".to_owned(),
            }
        });
        let reference = ObjectReference {
            api_version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            namespace: Some("prod".to_owned()),
            name: "shop".to_owned(),
        };
        let observation = Observation {
            reference: &reference,
            uid: "u",
            resource_version: "1",
            fingerprint: "f",
            intent_hash: "h",
            policy: "p",
            owned: &PackedFields::default(),
            contested: &contested.collect::<Vec<_>>(),
            overridden: &[],
        };
        let mut ledger = Ledger::default();
        ledger.record(&observation, Timestamp::UNIX_EPOCH);
        ledger
    }

    /// What the next process knows of it.
    fn kept(ledger: &Ledger) -> Yielded {
        let resource = to_resource(ledger, "us".to_owned(), 1);
        let text = serde_json::to_string(&resource).unwrap();
        assert!(text.len() < 100_000, "{}", text.len());
        let ledger = from_resource(serde_json::from_str(&text).unwrap());
        let mut records = ledger.objects();
        records.next().unwrap().yielded.clone()
    }

    #[test]
    fn yields_outlive_the_process_one_by_one_or_by_a_mark() {
        assert_eq!(kept(&yielding(0)), Yielded::of(&[]));
        let few = yielding(100);
        assert_eq!(kept(&few), few.objects().next().unwrap().yielded);
        let many = yielding(5000);
        assert_eq!(kept(&many), Yielded::Unlisted);
        // And the process after that.
        let again = from_resource(to_resource(&many, "us".to_owned(), 1));
        assert_eq!(kept(&again), Yielded::Unlisted);
    }
}
