//! A chart's hooks: which is run next, and what became of the one that runs.
//!
//! Pure and total. What was run is read from the snapshot of the revision, so that a hook that has succeeded is not run again for it,
//! whatever happens between two reconciles; a hook that failed is run again by the next attempt.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::api::helm_release::actions::{HelmAction, TestFilter};
use crate::api::helm_release::history::{HookStatus, Snapshot};
use crate::health::{Rules, State, status_with};
use crate::render::{self, HookEvent};
use crate::yaml;

/// A hook, from a rendering or from a release record.
#[derive(Debug, Clone, PartialEq)]
pub struct Hook {
    /// The kind of its object.
    pub kind: String,
    /// The name of its object.
    pub name: String,
    /// When it is run.
    pub events: Vec<HookEvent>,
    /// Hooks of an event are run by ascending weight, then by name.
    pub weight: i64,
    /// `helm.sh/hook-delete-policy`.
    pub delete_policies: Vec<String>,
    /// `helm.sh/hook-output-log-policy`.
    pub output_policies: Vec<String>,
    /// The object.
    pub object: Value,
}

/// When the output of a hook is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputPolicy {
    /// When it has succeeded.
    Succeeded,
    /// When it failed.
    Failed,
}

impl OutputPolicy {
    /// Helm's word.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "hook-succeeded",
            Self::Failed => "hook-failed",
        }
    }
}

impl Hook {
    /// A hook of a rendering.
    pub fn rendered(hook: &render::Hook) -> Self {
        let render::Hook {
            manifest,
            events,
            weight,
            delete_policies,
            output_log_policies,
        } = hook;
        Self {
            kind: manifest.kind.clone(),
            name: manifest.name.clone(),
            events: events.clone(),
            weight: *weight,
            delete_policies: delete_policies.clone(),
            output_policies: output_log_policies.clone(),
            object: manifest.object().clone(),
        }
    }

    /// A hook of a release record; `None` for one that cannot be read.
    pub fn recorded(hook: &Value) -> Option<Self> {
        let text = |name: &str| hook.get(name).and_then(Value::as_str);
        let texts = |name: &str| {
            let list = hook.get(name).and_then(Value::as_array).into_iter().flatten();
            list.filter_map(Value::as_str)
        };
        Some(Self {
            kind: text("kind")?.to_owned(),
            name: text("name")?.to_owned(),
            events: texts("events").filter_map(HookEvent::parse).collect(),
            weight: hook.get("weight").and_then(Value::as_i64).unwrap_or_default(),
            delete_policies: texts("delete_policies").map(str::to_owned).collect(),
            output_policies: texts("output_log_policies").map(str::to_owned).collect(),
            object: yaml::to_json(text("manifest")?.as_bytes()).ok()?,
        })
    }

    /// Whether its object is deleted at this point. Definitions are never deleted: all objects of their kind would go with them.
    pub fn is_deleted(&self, when: DeletePolicy) -> bool {
        let policies = &self.delete_policies;
        let is_default = policies.is_empty() && when == DeletePolicy::BeforeCreation;
        let is_asked = policies.iter().any(|policy| policy == when.as_str());
        self.kind != "CustomResourceDefinition" && (is_default || is_asked)
    }

    /// Whether its output is told at this point.
    pub fn is_output(&self, when: OutputPolicy) -> bool {
        self.output_policies.iter().any(|policy| policy == when.as_str())
    }

    /// Whether it has to complete; others are done when they are there.
    pub fn is_awaited(&self) -> bool {
        let version = self
            .object
            .get("apiVersion")
            .and_then(Value::as_str)
            .unwrap_or_default();
        matches!((version, self.kind.as_str()), ("v1", "Pod") | ("batch/v1", "Job"))
    }

    /// Whether its object may be gone when it has succeeded.
    fn may_vanish(&self) -> bool {
        self.object.pointer("/spec/ttlSecondsAfterFinished").is_some() || self.is_deleted(DeletePolicy::Succeeded)
    }

    /// Under which name its run is remembered.
    fn key(&self, event: HookEvent) -> String {
        match event {
            // As Flux names them in `testHooks`.
            HookEvent::Test => self.name.clone(),
            HookEvent::PreInstall
            | HookEvent::PostInstall
            | HookEvent::PreDelete
            | HookEvent::PostDelete
            | HookEvent::PreUpgrade
            | HookEvent::PostUpgrade
            | HookEvent::PreRollback
            | HookEvent::PostRollback => format!("{}/{}/{}", event.name(), self.kind, self.name),
        }
    }
}

/// The tests that are to be run: those that a filter names, or all if none does, without those that a filter excludes.
pub fn tests(hooks: &[Hook], filters: &[TestFilter]) -> Vec<Hook> {
    let is_named = |hook: &Hook, exclude: bool| {
        let mut filters = filters.iter().filter(|filter| filter.exclude == exclude);
        filters.any(|filter| filter.name == hook.name)
    };
    let are_chosen = filters.iter().any(|filter| !filter.exclude);
    let tests = hooks.iter().filter(|hook| hook.events.contains(&HookEvent::Test));
    tests
        .filter(|hook| (!are_chosen || is_named(hook, false)) && !is_named(hook, true))
        .cloned()
        .collect()
}

/// The runs of an event's hooks that a snapshot remembers.
pub fn runs_of(snapshot: &Snapshot, event: HookEvent) -> &Runs {
    if event == HookEvent::Test {
        &snapshot.test_hooks
    } else {
        &snapshot.hooks
    }
}

/// As [`runs_of`], to be changed.
pub fn runs_of_mut(snapshot: &mut Snapshot, event: HookEvent) -> &mut Runs {
    if event == HookEvent::Test {
        &mut snapshot.test_hooks
    } else {
        &mut snapshot.hooks
    }
}

/// Whether one of these has failed.
pub fn has_failed(hooks: &[Hook], event: HookEvent, runs: &Runs) -> bool {
    let phase = |hook: &Hook| runs.get(&hook.key(event)).and_then(|run| run.phase.as_deref());
    hooks.iter().any(|hook| phase(hook) == Some(FAILED))
}

/// When the object of a hook is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletePolicy {
    /// `before-hook-creation`, which is also the default.
    BeforeCreation,
    /// `hook-succeeded`.
    Succeeded,
    /// `hook-failed`.
    Failed,
}

impl DeletePolicy {
    /// The name in the annotation.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BeforeCreation => "before-hook-creation",
            Self::Succeeded => "hook-succeeded",
            Self::Failed => "hook-failed",
        }
    }
}

/// What was run for a revision, by event, kind and name.
pub type Runs = BTreeMap<String, HookStatus>;

/// The hooks of an event in the order in which they are run.
pub fn of_event(hooks: &[Hook], event: HookEvent) -> Vec<&Hook> {
    let mut found: Vec<&Hook> = hooks.iter().filter(|hook| hook.events.contains(&event)).collect();
    found.sort_by(|a, b| (a.weight, &a.name).cmp(&(b.weight, &b.name)));
    found
}

/// Before or after an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before its objects are written.
    Before,
    /// When they are ready.
    After,
}

/// The event of a point of an action.
pub const fn event_of(action: HelmAction, when: When) -> HookEvent {
    match (action, when) {
        (HelmAction::Install, When::Before) => HookEvent::PreInstall,
        (HelmAction::Install, When::After) => HookEvent::PostInstall,
        (HelmAction::Upgrade, When::Before) => HookEvent::PreUpgrade,
        (HelmAction::Upgrade, When::After) => HookEvent::PostUpgrade,
        (HelmAction::Rollback, When::Before) => HookEvent::PreRollback,
        (HelmAction::Rollback, When::After) => HookEvent::PostRollback,
    }
}

/// What is to be done about the hooks of an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Step<'a> {
    /// All have succeeded.
    Done,
    /// This one is to be run.
    Start(&'a Hook),
    /// This one was started, and it is to be looked what became of it.
    Look {
        /// The hook.
        hook: &'a Hook,
        /// When it was started.
        since: Timestamp,
    },
}

/// Says what is next; `hooks` are those of the event, in their order.
pub fn next<'a>(hooks: &[&'a Hook], event: HookEvent, runs: &Runs, now: Timestamp) -> Step<'a> {
    for hook in hooks {
        let run = runs.get(&hook.key(event));
        match run.and_then(|run| run.phase.as_deref()) {
            Some(SUCCEEDED) => {}
            Some(RUNNING) => {
                let started = run.and_then(|run| run.last_started.as_ref());
                let since = started.map_or(now, |started| started.0);
                return Step::Look { hook, since };
            }
            Some(_) | None => return Step::Start(hook),
        }
    }
    Step::Done
}

const RUNNING: &str = "Running";
const SUCCEEDED: &str = "Succeeded";
const FAILED: &str = "Failed";

/// How the run of a hook went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It began.
    Started,
    /// It ended well.
    Succeeded,
    /// It ended badly.
    Failed,
}

/// Remembers how the run of a hook went on.
pub fn note(runs: &mut Runs, hook: &Hook, event: HookEvent, change: Change, now: Timestamp) {
    let run = runs.entry(hook.key(event)).or_default();
    let phase = match change {
        Change::Started => {
            run.last_started = Some(Time(now));
            run.last_completed = None;
            RUNNING
        }
        Change::Succeeded => {
            run.last_completed = Some(Time(now));
            SUCCEEDED
        }
        Change::Failed => {
            run.last_completed = Some(Time(now));
            FAILED
        }
    };
    run.phase = Some(phase.to_owned());
}

/// What became of a hook that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It ended well.
    Succeeded,
    /// It runs.
    Running {
        /// How far it is.
        progress: String,
        /// When its time is up.
        deadline: Timestamp,
    },
    /// It ended badly, or its time is up.
    Failed {
        /// Why.
        message: String,
    },
}

/// Judges a hook that was started by its live object, if there is one.
pub fn verdict(
    hook: &Hook,
    event: HookEvent,
    live: Option<&Value>,
    since: Timestamp,
    timeout: Duration,
    now: Timestamp,
) -> Verdict {
    let called = format!("{} hook {} {}", event.name(), hook.kind, hook.name);
    let Some(live) = live else {
        return if hook.may_vanish() {
            Verdict::Succeeded
        } else {
            Verdict::Failed {
                message: format!("{called} was deleted before it was seen to complete"),
            }
        };
    };
    if !hook.is_awaited() {
        return Verdict::Succeeded;
    }
    let rules = Rules {
        jobs_must_complete: true,
    };
    let health = status_with(live, rules);
    let has_completed =
        hook.kind != "Pod" || live.pointer("/status/phase").and_then(Value::as_str) == Some("Succeeded");
    match health.state {
        State::Current if has_completed => return Verdict::Succeeded,
        State::Failed => {
            return Verdict::Failed {
                message: format!("{called} failed: {}", health.message),
            };
        }
        State::Current | State::InProgress | State::Terminating | State::NotFound => {}
    }
    let timeout_signed = SignedDuration::try_from(timeout).unwrap_or(SignedDuration::MAX);
    let deadline = since.checked_add(timeout_signed).unwrap_or(Timestamp::MAX);
    if now >= deadline {
        let seconds = timeout.as_secs();
        return Verdict::Failed {
            message: format!("{called} did not complete within {seconds}s: {}", health.message),
        };
    }
    Verdict::Running {
        progress: format!("waiting for {called}: {}", health.message),
        deadline,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn hook(kind: &str, name: &str, weight: i64, policies: &[&str]) -> Hook {
        let version = if kind == "Job" { "batch/v1" } else { "v1" };
        Hook {
            kind: kind.into(),
            name: name.into(),
            events: vec![HookEvent::PreInstall, HookEvent::PreUpgrade],
            weight,
            delete_policies: policies.iter().map(|policy| (*policy).to_owned()).collect(),
            output_policies: Vec::new(),
            object: json!({"apiVersion": version, "kind": kind, "metadata": {"name": name}}),
        }
    }

    fn judged(hook: &Hook, live: Option<&Value>, now: i64) -> Verdict {
        verdict(
            hook,
            HookEvent::PreInstall,
            live,
            at(100),
            Duration::from_mins(1),
            at(now),
        )
    }

    #[test]
    fn hooks_of_an_event_are_run_by_weight_and_name() {
        let hooks = [
            hook("Job", "b", 0, &[]),
            hook("Job", "a", 0, &[]),
            hook("Job", "first", -5, &[]),
        ];
        let names = |event| -> Vec<&str> { of_event(&hooks, event).iter().map(|hook| hook.name.as_str()).collect() };
        assert_eq!(names(HookEvent::PreInstall), ["first", "a", "b"]);
        assert_eq!(names(HookEvent::PostInstall), [""; 0]);
    }

    #[test]
    fn each_is_run_until_it_has_succeeded_and_then_not_again() {
        let (first, second) = (hook("Job", "a", 0, &[]), hook("Job", "b", 0, &[]));
        let hooks = [&first, &second];
        let mut runs = Runs::new();
        let event = HookEvent::PreInstall;
        let mut told = Vec::new();
        for change in [Change::Started, Change::Failed, Change::Started, Change::Succeeded] {
            told.push(next(&hooks, event, &runs, at(5)));
            note(&mut runs, &first, event, change, at(5));
        }
        let look = Step::Look {
            hook: &first,
            since: at(5),
        };
        assert_eq!(told, [Step::Start(&first), look.clone(), Step::Start(&first), look]);
        assert_eq!(next(&hooks, event, &runs, at(6)), Step::Start(&second));
        note(&mut runs, &second, event, Change::Succeeded, at(6));
        assert_eq!(next(&hooks, event, &runs, at(7)), Step::Done);
        // Another event is another run.
        assert_eq!(next(&hooks, HookEvent::PreUpgrade, &runs, at(7)), Step::Start(&first));
    }

    #[test]
    fn a_hook_is_awaited_until_it_completes_fails_or_is_late() {
        let (job, pod, map) = (
            hook("Job", "a", 0, &[]),
            hook("Pod", "a", 0, &[]),
            hook("ConfigMap", "a", 0, &[]),
        );
        let condition = |kind: &str| {
            let conditions = json!([{"type": kind, "status": "True", "reason": "r", "message": "m"}]);
            json!({"apiVersion": "batch/v1", "kind": "Job", "status": {"startTime": "x", "conditions": conditions}})
        };
        assert_eq!(judged(&job, Some(&condition("Complete")), 999), Verdict::Succeeded);
        assert!(
            matches!(judged(&job, Some(&condition("Failed")), 101), Verdict::Failed { message } if message.contains("Job a failed"))
        );
        let begun = json!({"apiVersion": "batch/v1", "kind": "Job", "status": {"startTime": "x", "active": 1}});
        assert!(matches!(judged(&job, Some(&begun), 159), Verdict::Running { deadline, .. } if deadline == at(160)));
        assert!(
            matches!(judged(&job, Some(&begun), 160), Verdict::Failed { message } if message.contains("within 60s"))
        );
        // A Pod that is ready has not completed.
        let ready = json!({"apiVersion": "v1", "kind": "Pod", "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
        assert!(matches!(judged(&pod, Some(&ready), 101), Verdict::Running { .. }));
        let succeeded = json!({"apiVersion": "v1", "kind": "Pod", "status": {"phase": "Succeeded"}});
        assert_eq!(judged(&pod, Some(&succeeded), 101), Verdict::Succeeded);
        assert_eq!(judged(&map, Some(&map.object), 101), Verdict::Succeeded);
    }

    #[test]
    fn what_vanished_has_succeeded_only_if_it_may_vanish() {
        assert!(matches!(
            judged(&hook("Job", "a", 0, &[]), None, 101),
            Verdict::Failed { .. }
        ));
        assert_eq!(
            judged(&hook("Job", "a", 0, &["hook-succeeded"]), None, 101),
            Verdict::Succeeded
        );
        let mut short_lived = hook("Job", "a", 0, &[]);
        short_lived.object["spec"] = json!({"ttlSecondsAfterFinished": 0});
        assert_eq!(judged(&short_lived, None, 101), Verdict::Succeeded);
    }

    #[test]
    fn filters_choose_tests_and_leave_tests_out() {
        let test = |name| Hook {
            events: vec![HookEvent::Test],
            ..hook("Pod", name, 0, &[])
        };
        let hooks = [test("a"), test("b"), test("c"), hook("Job", "d", 0, &[])];
        let filter = |name: &str, exclude| TestFilter {
            name: name.into(),
            exclude,
        };
        let chosen = |filters: &[TestFilter]| -> Vec<String> {
            tests(&hooks, filters).into_iter().map(|hook| hook.name).collect()
        };
        assert_eq!(chosen(&[]), ["a", "b", "c"]);
        assert_eq!(chosen(&[filter("b", true)]), ["a", "c"]);
        assert_eq!(chosen(&[filter("b", false), filter("d", false)]), ["b"]);
        assert_eq!(chosen(&[filter("b", false), filter("b", true)]), [""; 0]);
    }

    #[test]
    fn the_delete_policies_are_helms() {
        let default = hook("Job", "a", 0, &[]);
        assert!(default.is_deleted(DeletePolicy::BeforeCreation) && !default.is_deleted(DeletePolicy::Succeeded));
        let succeeded = hook("Job", "a", 0, &["hook-succeeded"]);
        assert!(!succeeded.is_deleted(DeletePolicy::BeforeCreation) && succeeded.is_deleted(DeletePolicy::Succeeded));
        let definition = hook(
            "CustomResourceDefinition",
            "a",
            0,
            &["before-hook-creation", "hook-failed"],
        );
        assert!(!definition.is_deleted(DeletePolicy::BeforeCreation) && !definition.is_deleted(DeletePolicy::Failed));
    }

    #[test]
    fn a_hook_of_a_record_is_the_one_that_was_rendered() {
        let recorded = json!({"name": "a", "kind": "Job", "path": "web/templates/a.yaml", "weight": 3,
            "manifest": "apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\n", "events": ["pre-install", "pre-upgrade"],
            "delete_policies": ["hook-failed"], "last_run": {"phase": ""}});
        assert_eq!(Hook::recorded(&recorded), Some(hook("Job", "a", 3, &["hook-failed"])));
        assert_eq!(Hook::recorded(&json!({"name": "a"})), None);
    }
}
