//! Only the dry runs: what applying would do to each object, without writing anything, whatever the policy says.
//!
//! The same calls and the same decisions as deciding and preflight make, for every object and for every policy.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::StreamExt as _;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::ask::{Answers, Asked};
use super::decide::{Care, Live, Scene};
use super::error::ApplyError;
use super::predecessor::Previous;
use super::review::Draft;
use super::types::{ObjectPlan, Step};
use super::{Applier, MAX_ROUNDS, pause_before, types};
use crate::api::helm_release::ownership::ConflictAction;
use crate::ownership::class::Class;
use crate::ownership::contested::ContestedField;
use crate::ownership::fieldset::FieldSet;
use crate::ownership::intent::Intent;
use crate::ownership::path::FieldPath;
use crate::ownership::policy::{Action, Moment, OnConflict};
use crate::ownership::reference::ObjectReference;
use crate::ownership::shadow::{
    Alternatives, Difference, Effect, FieldChange, MAX_CHANGES, ObjectShadow, Seen, count_actions, differences,
};
use crate::ownership::value::lookup;

/// The policies that are compared.
const POLICIES: [(ConflictAction, OnConflict); 5] = [
    (ConflictAction::Fail, OnConflict::Fail),
    (ConflictAction::Retry, OnConflict::Retry),
    (ConflictAction::HandOff, OnConflict::HandOff),
    (ConflictAction::Yield, OnConflict::Yield),
    (ConflictAction::Force, OnConflict::Force),
];

/// What the dry runs of a release said.
#[derive(Debug, Default)]
pub struct Shadowed {
    /// The objects that could be dry-run, in the order of the intents.
    pub objects: Vec<ObjectShadow>,
    /// What the server would refuse, and what could not be asked.
    pub failures: Vec<ApplyError>,
}

/// What all looks at the objects of one release share.
#[derive(Clone, Copy)]
struct Look<'a> {
    before: &'a HashMap<&'a ObjectReference, &'a ObjectShadow>,
    autoscalers: &'a Arc<[Value]>,
    /// The policy's fingerprint.
    policy: &'a str,
    moment: Moment,
}

/// A digest of all of an object that can matter to an apply: without its status, and without what every write of that moves.
///
/// The ledger's fingerprint will not do: two writes of one manager within a second can leave it as it is.
fn content_of(object: &Value) -> String {
    let mut object = object.clone();
    if let Value::Object(parts) = &mut object {
        parts.remove("status");
        if let Some(Value::Object(metadata)) = parts.get_mut("metadata") {
            metadata.remove("resourceVersion");
            if let Some(Value::Array(entries)) = metadata.get_mut("managedFields") {
                entries.retain(|entry| entry.get("subresource").and_then(Value::as_str) != Some("status"));
            }
        }
    }
    format!("{:x}", Sha256::digest(object.to_string()))
}

impl Look<'_> {
    fn seen(&self, plan: &ObjectPlan, live: &Live) -> Seen {
        Seen {
            uid: live.basis.uid.clone(),
            content: content_of(&live.object),
            intent_hash: plan.intent.hash().to_owned(),
            policy: self.policy.to_owned(),
        }
    }
}

impl Applier {
    /// Dry-runs what is wanted of every object; writes nothing. `namespaces` are those that the release itself creates (see
    /// [`Applier::preflight`]). What the ledger remembers plays no part: the answer is what the objects say.
    ///
    /// What was found out `before` about an object that has not changed since is taken over.
    pub async fn shadow(
        &self,
        intents: Vec<Intent>,
        before: &[ObjectShadow],
        namespaces: &HashSet<String>,
        moment: Moment,
    ) -> Shadowed {
        let before: HashMap<_, _> = before.iter().map(|object| (&object.reference, object)).collect();
        let look = Look {
            before: &before,
            autoscalers: &types::autoscalers(&intents),
            policy: &self.settings.policy.fingerprint(moment.now),
            moment,
        };
        // The futures are made before they are polled: a closure inside the stream would not be general enough to be sent
        // between threads (rust-lang/rust#102211).
        let runs: Vec<_> = intents
            .into_iter()
            .map(|intent| self.shadow_one(intent, look))
            .collect();
        let results: Vec<_> = futures::stream::iter(runs)
            .buffered(self.settings.parallelism.get())
            .collect()
            .await;
        let mut shadowed = Shadowed::default();
        let mut plans = Vec::new();
        for result in results {
            match result {
                Ok((plan, object)) => {
                    plans.push(plan);
                    shadowed.objects.push(object);
                }
                Err(error) => shadowed.failures.push(error),
            }
        }
        let refused = self.dry_run_the_others(&plans, namespaces).await;
        let is_refused = |object: &ObjectShadow| refused.iter().any(|error| *error.object() == object.reference);
        shadowed.objects.retain(|object| !is_refused(object));
        shadowed.failures.extend(refused);
        shadowed
    }

    async fn shadow_one(&self, intent: Intent, look: Look<'_>) -> Result<(ObjectPlan, ObjectShadow), ApplyError> {
        let (intent, resource) = self.place(intent).await?;
        let mut plan = ObjectPlan {
            intent,
            record: None,
            resource,
            step: Step::Create,
            contested: Vec::new(),
            comparison: None,
            undeclared: Vec::new(),
            drifted: Vec::new(),
            autoscalers: look.autoscalers.clone(),
        };
        let Some(resource) = plan.resource.clone() else {
            let created = ObjectShadow::created(plan.reference().clone());
            return Ok((plan, created));
        };
        for round in 0..MAX_ROUNDS {
            pause_before(round).await;
            let Some(live) = self.read(&resource, &plan.intent).await? else {
                let created = ObjectShadow::created(plan.reference().clone());
                return Ok((plan, created));
            };
            self.check_ours(&plan, &live)?;
            let seen = look.seen(&plan, &live);
            let known = look.before.get(plan.reference());
            let object = match known.filter(|known| known.seen.as_ref() == Some(&seen)) {
                Some(known) => Some(ObjectShadow::clone(known)),
                None => match self.compare(&plan, &live, seen, look).await {
                    Err(error) if self.leaves_out(&mut plan, &error) => None,
                    compared => compared?,
                },
            };
            if let Some(object) = object {
                // What exists was dry-run; preflight has nothing to ask about it.
                plan.step = Step::Stop;
                return Ok((plan, object));
            }
        }
        Err(ApplyError::Unstable {
            object: Box::new(plan.reference().clone()),
            rounds: MAX_ROUNDS,
        })
    }

    /// What applying would do to this live object; `None` if it changed while we looked.
    async fn compare(
        &self,
        plan: &ObjectPlan,
        live: &Live,
        seen: Seen,
        look: Look<'_>,
    ) -> Result<Option<ObjectShadow>, ApplyError> {
        let Look {
            before: _,
            autoscalers,
            policy: _,
            moment,
        } = look;
        let mut asking = Draft::new(plan.intent.body().clone(), Vec::new());
        let answers = match self.ask(self.case(plan, live, moment), &mut asking).await? {
            Asked::Told(answers) => answers,
            Asked::Stale => return Ok(None),
            Asked::Unreadable(removed) => {
                // Applying would bring managedFields to a served version first; before that nothing more can be said.
                let contested = super::losses::versions_lost(live, &removed);
                let owned = live.managed.applied_by(self.settings.roster.field_manager());
                return Ok(Some(ObjectShadow {
                    effect: Effect::Adopted,
                    contested,
                    owned: owned.map(FieldSet::len),
                    ..ObjectShadow::created(plan.reference().clone())
                }));
            }
        };
        let previous = self.previous(plan, live).await?;
        let draft = self.replay(plan, live, &answers, previous, moment);
        let scene = Scene {
            autoscalers,
            moment,
            care: Care::Thorough,
        };
        let hand_over = self
            .hand_over(plan, live, &draft.body, draft.dropped.clone(), scene)
            .await?;
        let handed_over = hand_over.map(|(_, paths)| paths).unwrap_or_default();
        let mut object = self.told(plan, live, &answers.foretold, draft, &handed_over);
        object.alternatives = self.alternatives(plan, live, &answers, previous, moment);
        // Whether a field that goes is handed over depends on the autoscalers of the namespace, too.
        let drops = !handed_over.is_empty() || object.changes.iter().any(|change| change.foretold.is_none());
        object.seen = (!drops).then_some(seen);
        Ok(Some(object))
    }

    /// What this policy decides on the server's answers.
    fn replay(
        &self,
        plan: &ObjectPlan,
        live: &Live,
        answers: &Answers,
        previous: Previous<'_>,
        moment: Moment,
    ) -> Draft {
        let case = self.case(plan, live, moment);
        let mut draft = Draft::new(plan.intent.body().clone(), Vec::new());
        for found in &answers.unions {
            case.exclude(found, &mut draft);
        }
        case.answer(answers, &mut draft);
        case.note_taken_along(&mut draft);
        case.drop_left_behind(previous, &mut draft);
        draft.contested.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
        draft
    }

    /// What each policy would do about the conflicts of one object.
    fn alternatives(
        &self,
        plan: &ObjectPlan,
        live: &Live,
        answers: &Answers,
        previous: Previous<'_>,
        moment: Moment,
    ) -> Alternatives {
        if answers.causes.is_empty() && answers.unions.is_empty() {
            return Alternatives::new();
        }
        let counts = POLICIES.map(|(name, on_conflict)| {
            let draft = self
                .with_policy(on_conflict)
                .replay(plan, live, answers, previous, moment);
            (name, count_actions(&draft.contested))
        });
        counts.into_iter().filter(|(_, counts)| !counts.is_empty()).collect()
    }

    fn with_policy(&self, on_conflict: OnConflict) -> Self {
        let mut settings = types::ApplySettings::clone(&self.settings);
        settings.policy.on_conflict = on_conflict;
        Self {
            settings: Arc::new(settings),
            ..self.clone()
        }
    }

    fn told(
        &self,
        plan: &ObjectPlan,
        live: &Live,
        foretold: &Value,
        draft: Draft,
        handed_over: &[FieldPath],
    ) -> ObjectShadow {
        let Draft {
            body,
            probe: _,
            contested,
            transfer: _,
            excluded,
            dropped,
        } = draft;
        let manager = self.settings.roster.field_manager();
        let reference = plan.reference();
        let is_taken = |field: &&ContestedField| matches!(field.action, Action::Forced | Action::Resolved);
        let left = contested.iter().filter(|field| !is_taken(field));
        let kept: Vec<&FieldPath> = left
            .filter_map(|field| field.path.as_ref())
            .chain(handed_over)
            .collect();
        let mut found = differences(&live.object, foretold, manager, &kept);
        // What excludes ours goes in one write with ours; no dry run can show both.
        let unions = contested.iter().filter(|field| field.class == Class::Union);
        if unions.clone().all(|field| !field.action.stops()) {
            let ours = excluded.iter().filter(|(path, _)| lookup(&body, path).is_some());
            let ours = ours.map(|(path, ours)| (path, Some(ours)));
            let theirs = unions
                .filter(is_taken)
                .filter_map(|field| Some((field.path.as_ref()?, None)));
            found.extend(ours.chain(theirs).map(|(path, foretold)| Difference {
                path: path.clone(),
                live: lookup(&live.object, path),
                foretold,
            }));
        }
        // It is the predecessor's until the write, so that no dry run shows it go.
        let gone = dropped.iter().filter(|path| !handed_over.contains(path));
        found.extend(gone.map(|path| Difference {
            path: path.clone(),
            live: lookup(&live.object, path),
            foretold: None,
        }));
        found.sort_by(|a, b| a.path.cmp(&b.path));
        found.dedup_by(|a, b| a.path == b.path);
        let changed = found.len();
        let show = |Difference { path, live, foretold }: Difference<'_>| {
            let shown = |value: Option<&Value>| value.map(|value| self.settings.redactor.show(reference, &path, value));
            FieldChange {
                live: shown(live),
                foretold: shown(foretold),
                path,
            }
        };
        let changes = found.into_iter().take(MAX_CHANGES).map(show).collect();
        let owned = live.managed.applied_by(manager).map(FieldSet::len);
        let effect = match (changed, owned) {
            (0, Some(_)) => Effect::Unchanged,
            (0, None) => Effect::Adopted,
            _ => Effect::Changed,
        };
        ObjectShadow {
            effect,
            changes,
            changed,
            contested,
            owned,
            ..ObjectShadow::created(reference.clone())
        }
    }
}
