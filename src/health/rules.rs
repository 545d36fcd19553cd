//! How the objects of one release are judged: by the rules of kstatus or of Helm 3, and by the expressions of its spec.

use serde_json::Value;

use super::cel::{CelError, Expression};
use super::fields::text;
use super::{Health, Rules, generic, group, legacy, status_with};
use crate::api::helm_release::HelmReleaseSpec;
use crate::api::helm_release::actions::HelmAction;
use crate::api::helm_release::drift::{HealthCheckExpression, WaitStrategyName};
use crate::ownership::reference::ObjectReference;

/// An expression of `spec.healthCheckExprs` that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("spec.healthCheckExprs[{index}].{field}: {source}")]
pub struct HealthExpressionError {
    /// Position in the list.
    pub index: usize,
    /// `inProgress`, `failed` or `current`.
    pub field: &'static str,
    /// What is wrong.
    pub source: CelError,
}

/// Whether it is awaited that Jobs complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Jobs {
    /// It is.
    #[default]
    Awaited,
    /// They are ready whatever became of them.
    Ignored,
}

/// How the objects of a release are judged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HealthRules {
    strategy: WaitStrategyName,
    jobs: Jobs,
    expressions: Vec<KindExpressions>,
}

/// When objects of a kind are ready.
#[derive(Debug, Clone, PartialEq, Eq)]
struct KindExpressions {
    group: String,
    /// All kinds of the group without one.
    kind: Option<String>,
    /// In the order in which they are asked, with the verdict if one is true.
    questions: Vec<(Question, Expression)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    InProgress,
    Failed,
    Current,
}

impl Question {
    const fn field(self) -> &'static str {
        match self {
            Self::InProgress => "inProgress",
            Self::Failed => "failed",
            Self::Current => "current",
        }
    }
}

impl HealthRules {
    /// As the spec has them for an action.
    ///
    /// # Errors
    /// When an expression cannot be used.
    pub fn of(spec: &HelmReleaseSpec, action: HelmAction) -> Result<Self, HealthExpressionError> {
        let expressions = spec.health_check_exprs.iter().enumerate();
        Ok(Self {
            strategy: spec
                .wait_strategy
                .as_ref()
                .map(|strategy| strategy.name)
                .unwrap_or_default(),
            jobs: if spec.action_options(action).disable_wait_for_jobs {
                Jobs::Ignored
            } else {
                Jobs::Awaited
            },
            expressions: expressions
                .map(|(index, expressions)| KindExpressions::of(index, expressions))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Whether an object of the kind is judged by the rules of kstatus and nothing else: [`super::status_with`] with Jobs awaited.
    pub fn are_plain_for(&self, reference: &ObjectReference) -> bool {
        let Self {
            strategy,
            jobs,
            expressions,
        } = self;
        let kind = (reference.group(), reference.kind.as_str());
        let is_asked = |expressions: &KindExpressions| expressions.are_about(kind.0, Some(kind.1));
        *strategy == WaitStrategyName::Poller
            && (*jobs == Jobs::Awaited || kind != ("batch", "Job"))
            && !expressions.iter().any(is_asked)
    }

    /// The verdict on a live object.
    pub fn judge(&self, object: &Value) -> Health {
        let kind = (group(object), text(object, "/kind"));
        if let Some(expressions) = self
            .expressions
            .iter()
            .find(|expressions| expressions.are_about(kind.0, kind.1))
        {
            return expressions.judge(object);
        }
        if kind == ("batch", Some("Job")) && self.jobs == Jobs::Ignored {
            return Health::current("not awaited");
        }
        match self.strategy {
            WaitStrategyName::Poller => status_with(
                object,
                Rules {
                    jobs_must_complete: true,
                },
            ),
            WaitStrategyName::Legacy => legacy::status(object),
        }
    }
}

/// The verdict on an object that does not exist, from what was applied.
pub fn absent(applied: &Value) -> Health {
    if goes_by_itself(applied) {
        Health::current("completed and removed")
    } else {
        Health::not_found()
    }
}

/// Whether Kubernetes removes the object when it has done its work: a Job with `ttlSecondsAfterFinished`.
pub fn goes_by_itself(applied: &Value) -> bool {
    let is_job = group(applied) == "batch" && text(applied, "/kind") == Some("Job");
    is_job
        && applied
            .pointer("/spec/ttlSecondsAfterFinished")
            .is_some_and(Value::is_number)
}

impl KindExpressions {
    fn of(index: usize, check: &HealthCheckExpression) -> Result<Self, HealthExpressionError> {
        let HealthCheckExpression {
            api_version,
            kind,
            current,
            in_progress,
            failed,
        } = check;
        let texts = [
            (Question::InProgress, in_progress.as_ref()),
            (Question::Failed, failed.as_ref()),
            (Question::Current, Some(current)),
        ];
        let given = texts.into_iter().filter_map(|(question, text)| Some((question, text?)));
        let questions = given.map(|(question, text)| match Expression::parse(text) {
            Ok(expression) => Ok((question, expression)),
            Err(source) => {
                let field = question.field();
                Err(HealthExpressionError { index, field, source })
            }
        });
        Ok(Self {
            group: api_version.split_once('/').map_or("", |(group, _)| group).to_owned(),
            kind: kind.clone(),
            questions: questions.collect::<Result<_, _>>()?,
        })
    }

    fn are_about(&self, group: &str, kind: Option<&str>) -> bool {
        self.group == group && self.kind.as_deref().is_none_or(|own| kind == Some(own))
    }

    /// As Flux does it: an object whose generation was not observed is in progress, then the expressions are asked in order; when
    /// none is true, it is in progress.
    fn judge(&self, object: &Value) -> Health {
        if let Some(found) = generic::observed(object) {
            return found;
        }
        let fields = object.as_object().into_iter().flatten();
        let variables: Vec<(&str, &Value)> = fields.map(|(name, value)| (name.as_str(), value)).collect();
        for (question, expression) in &self.questions {
            match expression.holds(&variables) {
                Ok(false) => {}
                Ok(true) => return question.verdict(),
                Err(error) => {
                    let field = question.field();
                    return Health::in_progress(format!("its health expression {field} cannot be evaluated: {error}"));
                }
            }
        }
        Health::in_progress("its health expression current is not true")
    }
}

impl Question {
    fn verdict(self) -> Health {
        match self {
            Self::InProgress => Health::in_progress("its health expression inProgress is true"),
            Self::Failed => Health::failed("its health expression failed is true"),
            Self::Current => Health::current("its health expression current is true"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::State;
    use super::*;

    fn rules(spec: Value) -> Result<HealthRules, String> {
        let mut whole = json!({"interval": "1m"});
        if let (Value::Object(whole), Value::Object(spec)) = (&mut whole, spec) {
            whole.extend(spec);
        }
        let spec: HelmReleaseSpec = serde_json::from_value(whole).unwrap();
        HealthRules::of(&spec, HelmAction::Install).map_err(|error| error.to_string())
    }

    #[test]
    fn expressions_replace_the_rules_for_their_kind() {
        let rules = rules(
            json!({"healthCheckExprs": [{"apiVersion": "example.com/v1beta1", "kind": "Database",
            "inProgress": "has(status.phase) && status.phase == 'Creating'",
            "failed": "has(status.phase) && status.phase == 'Broken'", "current": "status.phase == 'Up'"}]}),
        )
        .unwrap();
        let judged = |version: &str, kind: &str, status: Value| {
            let health = rules
                .judge(&json!({"apiVersion": version, "kind": kind, "metadata": {"generation": 2}, "status": status}));
            (health.state, health.message)
        };
        let database = |status: Value| judged("example.com/v1", "Database", status);
        for (status, state, message) in [
            (
                json!({"phase": "Creating"}),
                State::InProgress,
                "its health expression inProgress is true",
            ),
            (
                json!({"phase": "Broken"}),
                State::Failed,
                "its health expression failed is true",
            ),
            (
                json!({"phase": "Up"}),
                State::Current,
                "its health expression current is true",
            ),
            (
                json!({"phase": "Odd"}),
                State::InProgress,
                "its health expression current is not true",
            ),
            (
                json!({"phase": "Up", "observedGeneration": 1}),
                State::InProgress,
                "generation 2 is not observed yet (status is of 1)",
            ),
            (
                json!({}),
                State::InProgress,
                "its health expression current cannot be evaluated: there is no field phase",
            ),
        ] {
            assert_eq!(database(status.clone()), (state, message.to_owned()), "{status}");
        }
        assert_eq!(judged("example.com/v1", "Other", json!({})).0, State::Current);
        assert_eq!(judged("other.example.com/v1", "Database", json!({})).0, State::Current);
    }

    #[test]
    fn what_others_judged_counts_only_where_the_rules_are_those_of_kubernetes() {
        let job = ObjectReference {
            api_version: "batch/v1".into(),
            kind: "Job".into(),
            namespace: None,
            name: "migrate".into(),
        };
        let deployment = ObjectReference {
            api_version: "apps/v1".into(),
            kind: "Deployment".into(),
            ..job.clone()
        };
        let plain = |spec: Value| {
            let rules = rules(spec).unwrap();
            (rules.are_plain_for(&job), rules.are_plain_for(&deployment))
        };
        assert_eq!(plain(json!({})), (true, true));
        assert_eq!(plain(json!({"waitStrategy": {"name": "legacy"}})), (false, false));
        assert_eq!(plain(json!({"install": {"disableWaitForJobs": true}})), (false, true));
        let of_apps = json!({"apiVersion": "apps/v1", "current": "true"});
        assert_eq!(plain(json!({"healthCheckExprs": [of_apps]})), (true, false));
    }

    #[test]
    fn an_expression_that_is_no_cel_is_named() {
        let error = rules(json!({"healthCheckExprs": [{"apiVersion": "v1", "current": "true", "failed": "status.("}]}))
            .unwrap_err();
        assert!(error.starts_with("spec.healthCheckExprs[0].failed: "), "{error}");
    }

    #[test]
    fn jobs_must_complete_unless_they_are_not_awaited() {
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "status": {"startTime": "2026-01-01T00:00:00Z", "active": 1}});
        assert_eq!(rules(json!({})).unwrap().judge(&job).state, State::InProgress);
        let ignored = rules(json!({"install": {"disableWaitForJobs": true}})).unwrap();
        assert_eq!(ignored.judge(&job).state, State::Current);
        let failed = json!({"apiVersion": "batch/v1", "kind": "Job", "status": {"conditions": [{"type": "Failed", "status": "True"}]}});
        assert_eq!(rules(json!({})).unwrap().judge(&failed).state, State::Failed);
        assert_eq!(ignored.judge(&failed).state, State::Current);
    }

    #[test]
    fn a_job_that_removes_itself_is_not_missed() {
        let job = |spec: Value| json!({"apiVersion": "batch/v1", "kind": "Job", "spec": spec});
        assert_eq!(
            absent(&job(json!({"ttlSecondsAfterFinished": 0}))).state,
            State::Current
        );
        assert_eq!(absent(&job(json!({}))).state, State::NotFound);
    }
}
