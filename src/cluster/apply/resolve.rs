//! From the server's conflict causes to decisions: exact path, class, policy, and a body without what is yielded.

use serde_json::Value;

use super::Applier;
use super::decide::Live;
use super::decide::record_of;
use super::types::ObjectPlan;
use crate::ownership::class::Class;
use crate::ownership::class::Contender;
use crate::ownership::class::Evidence;
use crate::ownership::class::contenders;
use crate::ownership::conflict::ConflictCause;
use crate::ownership::contention::class_of_yielded;
use crate::ownership::contention::other_holders;
use crate::ownership::contested::ContestedField;
use crate::ownership::intent::Intent;
use crate::ownership::managed::Manager;
use crate::ownership::path::FieldPath;
use crate::ownership::policy::Action;
use crate::ownership::policy::Contest;
use crate::ownership::policy::Decision;
use crate::ownership::policy::Moment;
use crate::ownership::policy::most_cautious;
use crate::ownership::value::lookup;
use crate::ownership::value::remove;
use crate::ownership::value::replace;

impl Applier {
    /// Leaves out what was yielded before and is still held by somebody to whom the policy yields.
    ///
    /// Without this, equal values would make us a co-owner again, and every change would start with a conflict.
    pub(super) fn keep_yielding(
        &self,
        plan: &ObjectPlan,
        live: &Live,
        body: &mut Value,
        moment: Moment,
    ) -> Vec<ContestedField> {
        let Some(record) = record_of(plan, live) else {
            return Vec::new();
        };
        let manager = self.settings.roster.field_manager();
        let mut contested = Vec::new();
        for path in record.yielded() {
            let Some(ours) = lookup(plan.intent.body(), path).cloned() else {
                continue;
            };
            let theirs = lookup(&live.object, path);
            let class = class_of_yielded(theirs, Some(&ours));
            let fields: Vec<ContestedField> = other_holders(&live.managed, manager, path)
                .into_iter()
                .filter_map(|holder| {
                    let object = plan.intent.reference();
                    let contest = Contest {
                        object,
                        path: Some(path),
                        manager: holder,
                        ours: Some(&ours),
                        class,
                    };
                    let decision = self.settings.policy.yields(&contest, moment)?;
                    let owner = Owner {
                        path: Some(path),
                        field: &path.to_string(),
                        manager: holder,
                        class,
                    };
                    Some(self.report(&plan.intent, live, &owner, &decision))
                })
                .collect();
            if !fields.is_empty() && remove(body, path).is_some() {
                contested.extend(fields);
            }
        }
        contested
    }

    /// Decides about every conflict and takes what is yielded out of the body.
    pub(super) fn resolve(
        &self,
        intent: &Intent,
        live: &Live,
        predicted: &Value,
        causes: &[ConflictCause],
        body: &mut Value,
        moment: Moment,
    ) -> Vec<ContestedField> {
        let settings = &self.settings;
        let reference = intent.reference();
        let found = contenders(causes, &live.managed, intent.body());
        let judged: Vec<(Contender, Class, Decision)> = found
            .into_iter()
            .map(|contender| {
                let path = contender.path.as_ref();
                let evidence = Evidence {
                    live: &live.object,
                    predicted,
                    path,
                    api_version: &reference.api_version,
                };
                let class = evidence.classify(&contender.manager, &settings.roster);
                let ours = path.and_then(|path| lookup(intent.body(), path));
                let contest = Contest {
                    object: reference,
                    path,
                    manager: &contender.manager,
                    ours,
                    class,
                };
                let decision = settings.policy.decide(&contest, moment);
                (contender, class, decision)
            })
            .collect();
        let mut contested = Vec::with_capacity(judged.len());
        for field in judged.chunk_by(|(a, ..), (b, ..)| a.path == b.path && a.field == b.field) {
            let Some(decision) = most_cautious(field.iter().map(|(_, _, decision)| decision)) else {
                continue;
            };
            let path = field.first().and_then(|(contender, ..)| contender.path.as_ref());
            let decision = carry_out(body, &live.object, path, decision);
            for (Contender { path, field, manager }, class, _) in field {
                let owner = Owner {
                    path: path.as_ref(),
                    field,
                    manager,
                    class: *class,
                };
                contested.push(self.report(intent, live, &owner, &decision));
            }
        }
        contested
    }

    fn report(&self, intent: &Intent, live: &Live, owner: &Owner<'_>, decision: &Decision) -> ContestedField {
        let Owner {
            path,
            field,
            manager,
            class,
        } = *owner;
        let reference = intent.reference();
        let show = |object: &Value| {
            path.and_then(|path| lookup(object, path).map(|value| self.settings.redactor.show(reference, path, value)))
        };
        ContestedField {
            path: path.cloned(),
            field: path.map_or_else(|| field.to_owned(), ToString::to_string),
            ours: show(intent.body()),
            theirs: show(&live.object),
            manager: manager.clone(),
            class,
            action: decision.action,
            rule: decision.rule.clone(),
        }
    }
}

/// One owner of one field.
#[derive(Clone, Copy)]
struct Owner<'a> {
    path: Option<&'a FieldPath>,
    field: &'a str,
    manager: &'a Manager,
    class: Class,
}

/// Takes a yielded field out of the body and gives an adopted one the live value; what is not there under its path can
/// have neither.
fn carry_out(body: &mut Value, live: &Value, path: Option<&FieldPath>, decision: &Decision) -> Decision {
    let decision = decision.clone();
    let undone = match decision.action {
        Action::Yielded if path.is_none_or(|path| remove(body, path).is_none()) => "left out",
        Action::Adopted if !path.is_some_and(|path| adopt(body, live, path)) => "adopted",
        Action::Yielded
        | Action::Adopted
        | Action::Forced
        | Action::Resolved
        | Action::Retrying
        | Action::HandedOff
        | Action::Failed => return decision,
    };
    Decision {
        action: Action::Failed,
        rule: format!("{} (the field cannot be {undone})", decision.rule),
    }
}

fn adopt(body: &mut Value, live: &Value, path: &FieldPath) -> bool {
    lookup(live, path).is_some_and(|live| replace(body, path, live.clone()))
}
