//! What Fairlead remembers of the objects that it applied, in memory: enough to skip what did not change, and to know
//! who had which field when managedFields has forgotten.
//!
//! The resource that keeps it in the cluster is `api`'s ReleaseLedger; this is the model behind it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::class::Class;
use super::contested::{AdmissionOverride, ContestedField};
use super::fieldset::FieldSet;
use super::managed::{Manager, Operation};
use super::manager_class::ManagerClass;
use super::packed::PackedFields;
use super::policy::Action;
use super::redact::ShownValue;
use super::reference::ObjectReference;

/// How many contested fields are remembered for one object; the oldest are forgotten first.
pub const MAX_HISTORY: usize = 32;

/// How many contested fields of one object are kept as they are now; what is beyond is found again by a conflict.
pub const MAX_CONTESTED: usize = 256;

/// What is remembered of one contested field and one of its owners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContestRecord {
    /// The readable path.
    pub field: String,
    /// The other owner's name.
    pub manager: String,
    /// How it wrote.
    pub operation: Operation,
    /// Through which subresource.
    pub subresource: Option<String>,
    /// What we wanted, as it may be shown.
    pub ours: Option<ShownValue>,
    /// What was there, as it may be shown.
    pub theirs: Option<ShownValue>,
    /// The class when it was last seen.
    pub class: Class,
    /// What was last done.
    pub action: Action,
    /// By which rule.
    pub rule: String,
    /// When it was seen first.
    pub first_seen: Timestamp,
    /// When it was seen last.
    pub last_seen: Timestamp,
    /// How often it was seen.
    pub count: u64,
}

impl ContestRecord {
    /// Whether this owner contests the field now.
    pub fn is_current(&self, contested: &[ContestedField]) -> bool {
        contested.iter().any(|now| self.is_about(now))
    }

    fn is_about(&self, field: &ContestedField) -> bool {
        self.field == field.field
            && self.manager == field.manager.name
            && self.operation == field.manager.operation
            && self.subresource == field.manager.subresource
    }

    /// The contested field that it was made from, as far as it is remembered.
    pub fn as_contested(&self) -> ContestedField {
        ContestedField {
            path: self.field.parse().ok(),
            field: self.field.clone(),
            ours: self.ours.clone(),
            theirs: self.theirs.clone(),
            manager: Manager {
                name: self.manager.clone(),
                operation: self.operation,
                subresource: self.subresource.clone(),
                api_version: None,
                time: None,
            },
            class: self.class,
            action: self.action,
            rule: self.rule.clone(),
        }
    }
}

/// What is remembered of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRecord {
    /// The object; shared with the ledger's index.
    pub reference: Arc<ObjectReference>,
    /// The object's uid: a recreated object is another one.
    pub uid: String,
    /// The resourceVersion that our last look or write gave.
    pub resource_version: String,
    /// Of everything but the status (see `cluster::observe`): unlike the resourceVersion it does not move with the status.
    pub fingerprint: String,
    /// The hash of what was to be applied.
    pub intent_hash: String,
    /// The fingerprint of the policy, if it decided anything: another policy may decide otherwise.
    pub policy: Option<String>,
    /// What our manager owned after the write.
    pub owned: PackedFields,
    /// What is contested now, at most [`MAX_CONTESTED`]; a skipped object still reports it.
    pub contested: Vec<ContestedField>,
    /// How many fields are contested now, in truth, whatever the bounds of the lists.
    pub tally: Tally,
    /// The fields that are left out because somebody else has them.
    pub yielded: Yielded,
    /// What admission set otherwise than we applied it.
    pub overridden: Vec<AdmissionOverride>,
    /// Contested fields now and before, at most [`MAX_HISTORY`].
    pub history: Vec<ContestRecord>,
}

/// Which fields of an object are left out because somebody else has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Yielded {
    /// These and no others.
    Listed(PackedFields),
    /// They did not fit into the ledger in the cluster: they are among those that others own and we do not.
    Unlisted,
}

impl Yielded {
    /// What is left out because of these decisions. Admission changes what is sent, so that it changes nothing to leave it
    /// out.
    pub fn of(contested: &[ContestedField]) -> Self {
        let is_yielded = |field: &&ContestedField| field.action == Action::Yielded && field.class != Class::Admission;
        let paths = contested
            .iter()
            .filter(is_yielded)
            .filter_map(|field| field.path.clone());
        Self::Listed(PackedFields::of(&paths.collect::<FieldSet>()))
    }
}

/// How many contested fields there are of each sort.
pub type Tally = BTreeMap<(Class, Action, ManagerClass), u32>;

/// Counts contested fields by class, action and sort of the other writer.
pub fn tally<'a>(contested: impl IntoIterator<Item = &'a ContestedField>) -> Tally {
    let mut tally = Tally::new();
    for field in contested {
        let writer = ManagerClass::of(&field.manager.name, field.manager.subresource.as_deref());
        *tally.entry((field.class, field.action, writer)).or_default() += 1;
    }
    tally
}

/// What a write of an object tells the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation<'a> {
    /// The object.
    pub reference: &'a ObjectReference,
    /// Its uid.
    pub uid: &'a str,
    /// Its resourceVersion.
    pub resource_version: &'a str,
    /// Its fingerprint.
    pub fingerprint: &'a str,
    /// The hash of what was applied.
    pub intent_hash: &'a str,
    /// The policy's fingerprint.
    pub policy: &'a str,
    /// What we own now.
    pub owned: &'a PackedFields,
    /// What was contested.
    pub contested: &'a [ContestedField],
    /// What admission set otherwise than we applied it.
    pub overridden: &'a [AdmissionOverride],
}

/// The objects of one release.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    objects: BTreeMap<Arc<ObjectReference>, Arc<ObjectRecord>>,
}

impl Ledger {
    /// What is remembered of an object.
    pub fn get(&self, reference: &ObjectReference) -> Option<&ObjectRecord> {
        self.objects.get(reference).map(Arc::as_ref)
    }

    /// What is remembered of an object, to be kept while the ledger goes on.
    pub fn shared(&self, reference: &ObjectReference) -> Option<Arc<ObjectRecord>> {
        self.objects.get(reference).map(Arc::clone)
    }

    /// Everything that is remembered, in order.
    pub fn objects(&self) -> impl Iterator<Item = &ObjectRecord> {
        self.objects.values().map(Arc::as_ref)
    }

    /// Puts a record back that was read from the cluster.
    pub fn insert(&mut self, record: ObjectRecord) {
        self.objects.insert(Arc::clone(&record.reference), Arc::new(record));
    }

    /// Forgets an object, such as one that was deleted.
    pub fn forget(&mut self, reference: &ObjectReference) {
        self.objects.remove(reference);
    }

    /// Remembers a write, or a look that led to none.
    pub fn record(&mut self, observation: &Observation<'_>, now: Timestamp) {
        let Observation {
            reference,
            uid,
            resource_version,
            fingerprint,
            intent_hash,
            policy,
            owned,
            contested,
            overridden,
        } = *observation;
        let mut history = self
            .objects
            .remove(reference)
            .map(|record| Arc::unwrap_or_clone(record).history)
            .unwrap_or_default();
        for field in contested {
            remember(&mut history, field, now);
        }
        forget_oldest(&mut history);
        self.insert(ObjectRecord {
            reference: Arc::new(reference.clone()),
            uid: uid.to_owned(),
            resource_version: resource_version.to_owned(),
            fingerprint: fingerprint.to_owned(),
            intent_hash: intent_hash.to_owned(),
            policy: (!contested.is_empty()).then(|| policy.to_owned()),
            owned: owned.clone(),
            contested: contested.iter().take(MAX_CONTESTED).cloned().collect(),
            tally: tally(contested),
            yielded: Yielded::of(contested),
            overridden: overridden.iter().take(MAX_CONTESTED).cloned().collect(),
            history,
        });
    }

    /// Remembers what is contested of an object that was not written because of it.
    ///
    /// What was applied before, if anything was, is forgotten: the object has to be applied when the conflict is gone.
    pub fn stopped(&mut self, reference: &ObjectReference, contested: &[ContestedField], policy: &str, now: Timestamp) {
        let known = self.get(reference);
        let (uid, owned) = known.map_or_else(
            || (String::new(), PackedFields::default()),
            |record| (record.uid.clone(), record.owned.clone()),
        );
        let observation = Observation {
            reference,
            uid: &uid,
            resource_version: "",
            fingerprint: "",
            intent_hash: "",
            policy,
            owned: &owned,
            contested,
            overridden: &[],
        };
        self.record(&observation, now);
    }
}

impl ObjectRecord {
    /// Whether nothing has changed since: the same intent, the same object, untouched, and a policy that decides alike.
    pub fn holds(&self, intent_hash: &str, uid: &str, resource_version: &str, policy: &str) -> bool {
        self.intent_hash == intent_hash
            && self.uid == uid
            && self.resource_version == resource_version
            && self.policy.as_deref().is_none_or(|decided| decided == policy)
    }

    /// Who contested a field before its owners were merged into one whose name says nothing: the last one that is known.
    pub fn origin(&self, field: &str) -> Option<&ContestRecord> {
        let known = self.history.iter().filter(|record| {
            record.field == field && ManagerClass::of(&record.manager, None) != ManagerClass::Synthetic
        });
        known.max_by_key(|record| record.last_seen)
    }
}

fn remember(history: &mut Vec<ContestRecord>, seen: &ContestedField, now: Timestamp) {
    let ContestedField {
        path: _,
        field,
        ours,
        theirs,
        manager,
        class,
        action,
        rule,
    } = seen;
    let is_same = |record: &&mut ContestRecord| record.is_about(seen);
    let mut record = ContestRecord {
        field: field.clone(),
        manager: manager.name.clone(),
        operation: manager.operation,
        subresource: manager.subresource.clone(),
        ours: ours.clone(),
        theirs: theirs.clone(),
        class: *class,
        action: *action,
        rule: rule.clone(),
        first_seen: now,
        last_seen: now,
        count: 1,
    };
    match history.iter_mut().find(is_same) {
        Some(known) => {
            record.first_seen = known.first_seen;
            record.count = known.count.saturating_add(1);
            *known = record;
        }
        None => history.push(record),
    }
}

fn forget_oldest(history: &mut Vec<ContestRecord>) {
    if history.len() > MAX_HISTORY {
        history.sort_by_key(|record| std::cmp::Reverse(record.last_seen));
        history.truncate(MAX_HISTORY);
    }
    history.sort_by(|a, b| (&a.field, &a.manager, &a.subresource).cmp(&(&b.field, &b.manager, &b.subresource)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ownership::path::FieldPath;

    fn reference() -> ObjectReference {
        ObjectReference {
            api_version: "v1".into(),
            kind: "ConfigMap".into(),
            namespace: Some("a".into()),
            name: "b".into(),
        }
    }

    fn field(path: &str, action: Action) -> ContestedField {
        let manager = Manager {
            name: "kubectl".into(),
            operation: Operation::Update,
            subresource: None,
            api_version: None,
            time: None,
        };
        let path: FieldPath = path.parse().unwrap();
        ContestedField {
            field: path.to_string(),
            path: Some(path),
            ours: None,
            theirs: None,
            manager,
            class: Class::Real,
            action,
            rule: "r".into(),
        }
    }

    fn record(ledger: &mut Ledger, version: &str, contested: &[ContestedField], second: i64) {
        let (reference, owned) = (reference(), PackedFields::default());
        let observation = Observation {
            reference: &reference,
            uid: "u",
            resource_version: version,
            fingerprint: "f",
            intent_hash: "h",
            policy: "p",
            owned: &owned,
            contested,
            overridden: &[],
        };
        ledger.record(&observation, Timestamp::from_second(second).unwrap());
    }

    fn left_out(record: &ObjectRecord) -> Vec<FieldPath> {
        match &record.yielded {
            Yielded::Listed(fields) => fields.unpack().paths(),
            Yielded::Unlisted => panic!("they are listed"),
        }
    }

    #[test]
    fn holds_only_for_the_same_object_intent_and_policy() {
        let mut ledger = Ledger::default();
        record(&mut ledger, "7", &[], 0);
        let known = ledger.get(&reference()).unwrap();
        assert!(known.holds("h", "u", "7", "another policy: it decided nothing"));
        assert!(
            !known.holds("h2", "u", "7", "p") && !known.holds("h", "u2", "7", "p") && !known.holds("h", "u", "8", "p")
        );
        record(&mut ledger, "8", &[field(".data.x", Action::Yielded)], 1);
        let known = ledger.get(&reference()).unwrap();
        assert!(known.holds("h", "u", "8", "p") && !known.holds("h", "u", "8", "other"));
        assert_eq!(left_out(known), [".data.x".parse().unwrap()]);
    }

    #[test]
    fn history_counts_and_is_bounded() {
        let mut ledger = Ledger::default();
        record(&mut ledger, "1", &[field(".data.x", Action::Yielded)], 10);
        record(&mut ledger, "2", &[field(".data.x", Action::Forced)], 20);
        record(&mut ledger, "3", &[], 30);
        let [seen] = ledger.get(&reference()).unwrap().history.as_slice() else {
            panic!()
        };
        assert_eq!(
            (seen.count, seen.first_seen.as_second(), seen.last_seen.as_second()),
            (2, 10, 20)
        );
        assert_eq!(seen.action, Action::Forced);
        assert!(left_out(ledger.get(&reference()).unwrap()).is_empty());
        let many: Vec<_> = (0..100)
            .map(|i| field(&format!(".data.k{i}"), Action::Yielded))
            .collect();
        record(&mut ledger, "4", &many, 40);
        let history = &ledger.get(&reference()).unwrap().history;
        assert_eq!(history.len(), MAX_HISTORY);
        assert!(history.iter().all(|record| record.last_seen.as_second() == 40));
        let many: Vec<_> = (0..1000)
            .map(|i| field(&format!(".data.k{i:04}"), Action::Yielded))
            .collect();
        record(&mut ledger, "5", &many, 50);
        let known = ledger.get(&reference()).unwrap();
        assert_eq!((known.contested.len(), left_out(known).len()), (MAX_CONTESTED, 1000));
        assert_eq!(known.tally.values().sum::<u32>(), 1000);
    }
}
