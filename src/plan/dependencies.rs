//! What a release depends on: which objects, whether they are ready, and whether they depend on it in turn.
//!
//! Pure. It judges objects that it is given; who reads and watches them does not matter here.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use crate::api::HelmRelease;
use crate::api::conditions::{self, ConditionType};
use crate::api::helm_release::Dependency;
use crate::health::cel::{CelError, Expression};
use crate::health::{self, Rules, State};
use crate::ownership::reference::ObjectReference;

/// The variables of `readyExpr`.
const VARIABLES: [&str; 2] = ["self", "dep"];

/// Whoever depends on a Job depends on what it has done.
const JOBS_COMPLETE: Rules = Rules {
    jobs_must_complete: true,
};

/// A `readyExpr` that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("spec.dependsOn[{index}].readyExpr: {source}")]
pub struct ReadyExpressionError {
    /// Position in `spec.dependsOn`.
    pub index: usize,
    /// What is wrong.
    pub source: CelError,
}

/// Something that a release depends on.
#[derive(Debug, Clone)]
pub struct Requirement {
    /// The object.
    pub object: ObjectReference,
    /// What says that it is ready, instead of the built-in check.
    expression: Option<Expression>,
}

/// Reads what a release depends on.
///
/// # Errors
/// When an expression is no CEL, or uses other variables than `self` and `dep`.
pub fn requirements(release: &HelmRelease) -> Result<Vec<Requirement>, ReadyExpressionError> {
    let dependencies = release.spec.depends_on.iter().enumerate();
    dependencies
        .map(|(index, dependency)| {
            let expression = dependency
                .ready_expr
                .as_ref()
                .map(|text| Expression::over(text, &VARIABLES));
            let expression = expression.transpose();
            Ok(Requirement {
                object: object_of(release, dependency),
                expression: expression.map_err(|source| ReadyExpressionError { index, source })?,
            })
        })
        .collect()
}

/// The object that a dependency names.
fn object_of(release: &HelmRelease, dependency: &Dependency) -> ObjectReference {
    let Dependency {
        api_version,
        kind,
        name,
        namespace,
        ready_expr: _,
    } = dependency;
    let own = release_reference(release);
    ObjectReference {
        api_version: api_version.clone().unwrap_or(own.api_version),
        kind: kind.clone().unwrap_or(own.kind),
        namespace: namespace.clone().or(own.namespace),
        name: name.clone(),
    }
}

/// A HelmRelease as an object.
pub fn release_reference(release: &HelmRelease) -> ObjectReference {
    ObjectReference {
        api_version: <HelmRelease as kube::Resource>::api_version(&()).into_owned(),
        kind: <HelmRelease as kube::Resource>::kind(&()).into_owned(),
        namespace: release.metadata.namespace.clone(),
        name: release.own_name().to_owned(),
    }
}

/// Whether it is a HelmRelease of Fairlead.
pub fn is_release(object: &ObjectReference) -> bool {
    object.group() == <HelmRelease as kube::Resource>::group(&())
        && object.kind == <HelmRelease as kube::Resource>::kind(&())
}

/// Whether a release depends on this object.
pub fn depends_on(release: &HelmRelease, object: &ObjectReference) -> bool {
    let mut dependencies = release.spec.depends_on.iter();
    dependencies.any(|dependency| object_of(release, dependency).same_object(object))
}

impl Requirement {
    /// Why the object is not ready; `None` when it is. The text does not change while the object makes progress, so that waiting
    /// for it is told once.
    pub fn unmet(&self, release: &HelmRelease, live: Option<&Value>) -> Option<String> {
        let Self { object, expression } = self;
        let name = format!("{} {}", object.kind, object.qualified_name());
        let Some(live) = live else {
            return Some(format!("{name}, which does not exist"));
        };
        let Some(expression) = expression else {
            return (!is_ready(object, live)).then(|| format!("{name}, which is not ready"));
        };
        // What came from the API server can be written as JSON again.
        let own = serde_json::to_value(release).unwrap_or_default();
        match expression.holds(&[("self", &own), ("dep", live)]) {
            Ok(true) => None,
            Ok(false) => Some(format!("{name}, of which its readyExpr is not true")),
            Err(error) => Some(format!("{name}, whose readyExpr cannot be evaluated: {error}")),
        }
    }
}

fn is_ready(object: &ObjectReference, live: &Value) -> bool {
    if !is_release(object) {
        return health::status_with(live, JOBS_COMPLETE).state == State::Current;
    }
    let release: Result<HelmRelease, _> = serde::Deserialize::deserialize(live);
    release.is_ok_and(|release| {
        let status = release.status.unwrap_or_default();
        release.metadata.deletion_timestamp.is_none()
            && status.observed_generation == release.metadata.generation
            && conditions::is_true(&status.conditions, ConditionType::Ready)
    })
}

/// Gives a HelmRelease by its object.
pub trait Releases: Fn(&ObjectReference) -> Option<Arc<HelmRelease>> {}

impl<F: Fn(&ObjectReference) -> Option<Arc<HelmRelease>>> Releases for F {}

/// The cycle of dependencies that a release is part of, by the names of its members: `prod/a -> prod/b -> prod/a`.
pub fn cycle(release: &HelmRelease, releases: impl Releases) -> Option<String> {
    let path = path(release, &release_reference(release), releases)?;
    Some(path.join(" -> "))
}

/// The shortest way from a release along its dependencies to another, by name.
fn path(from: &HelmRelease, to: &ObjectReference, releases: impl Releases) -> Option<Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut ends = vec![(depended_on(from), vec![release_reference(from).qualified_name()])];
    while !ends.is_empty() {
        let mut further = Vec::new();
        for (objects, path) in ends {
            for object in objects {
                let mut path = path.clone();
                path.push(object.qualified_name());
                if object.same_object(to) {
                    return Some(path);
                }
                if seen.insert(object.qualified_name())
                    && let Some(found) = releases(&object)
                {
                    further.push((depended_on(&found), path));
                }
            }
        }
        ends = further;
    }
    None
}

/// The HelmReleases that a release depends on, sorted.
fn depended_on(release: &HelmRelease) -> Vec<ObjectReference> {
    let dependencies = release.spec.depends_on.iter();
    let objects = dependencies.map(|dependency| object_of(release, dependency));
    let mut found: Vec<ObjectReference> = objects.filter(is_release).collect();
    found.sort();
    found
}

/// The releases that are being uninstalled and that a release's own uninstall waits for, because they depend on it; sorted.
/// Those that it depends on itself are not waited for: each would wait for the other.
pub fn uninstalled_first(release: &HelmRelease, all: &[Arc<HelmRelease>], releases: impl Releases) -> Vec<String> {
    let own = release_reference(release);
    let is_waited_for = |other: &&Arc<HelmRelease>| {
        other.metadata.deletion_timestamp.is_some()
            && depends_on(other, &own)
            && path(release, &release_reference(other), &releases).is_none()
    };
    let waited_for = all.iter().filter(is_waited_for);
    let mut found: Vec<String> = waited_for
        .map(|other| release_reference(other).qualified_name())
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A HelmRelease in the namespace `prod`.
    fn release(name: &str, depends_on: &Value, status: &Value) -> Arc<HelmRelease> {
        let object = json!({"apiVersion": "fairlead.dev/v1alpha1", "kind": "HelmRelease",
            "metadata": {"name": name, "namespace": "prod", "generation": 2},
            "spec": {"interval": "1m", "dependsOn": depends_on}, "status": status});
        Arc::new(serde_json::from_value(object).unwrap())
    }

    fn ready(observed: i64, status: &str) -> Value {
        json!({"observedGeneration": observed, "conditions": [{"type": "Ready", "status": status, "reason": "X", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z"}]})
    }

    fn unmet(dependency: &Value, live: Option<&Value>) -> Option<String> {
        let release = release("shop", &json!([dependency]), &Value::Null);
        requirements(&release).unwrap()[0].unmet(&release, live)
    }

    #[test]
    fn a_release_is_ready_when_its_current_generation_is() {
        let database = |status| serde_json::to_value(release("db", &json!([]), &status).as_ref()).unwrap();
        let unmet = |live: Option<&Value>| unmet(&json!({"name": "db"}), live);
        assert_eq!(
            unmet(None),
            Some("HelmRelease prod/db, which does not exist".to_owned())
        );
        for status in [Value::Null, ready(1, "True"), ready(2, "False"), ready(2, "Unknown")] {
            let not_ready = Some("HelmRelease prod/db, which is not ready".to_owned());
            assert_eq!(unmet(Some(&database(status))), not_ready);
        }
        assert_eq!(unmet(Some(&database(ready(2, "True")))), None);
    }

    #[test]
    fn an_expression_replaces_the_check() {
        let dependency = json!({"name": "db", "readyExpr": "dep.spec.interval == self.spec.interval && dep.status.observedGeneration > 1"});
        let live = |status| serde_json::to_value(release("db", &json!([]), &status).as_ref()).unwrap();
        assert_eq!(unmet(&dependency, Some(&live(ready(2, "False")))), None);
        let not_true = Some("HelmRelease prod/db, of which its readyExpr is not true".to_owned());
        assert_eq!(unmet(&dependency, Some(&live(ready(1, "True")))), not_true);
        let error = requirements(&release(
            "shop",
            &json!([{"name": "db", "readyExpr": "status.x"}]),
            &Value::Null,
        ))
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "spec.dependsOn[0].readyExpr: the variable status is not available; there are self, dep"
        );
    }

    #[test]
    fn objects_of_other_kinds_are_ready_by_the_rules_of_kstatus() {
        let dependency = json!({"apiVersion": "batch/v1", "kind": "Job", "name": "seed", "namespace": "tools"});
        let job = |status: Value| json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "seed"}, "status": status});
        assert_eq!(
            unmet(&dependency, Some(&job(json!({"startTime": "2026-01-01T00:00:00Z"})))),
            Some("Job tools/seed, which is not ready".to_owned())
        );
        let complete = json!({"conditions": [{"type": "Complete", "status": "True"}]});
        assert_eq!(unmet(&dependency, Some(&job(complete))), None);
    }

    #[test]
    fn a_cycle_is_told_by_its_members() {
        let on = |names: &[&str]| names.iter().map(|name| json!({"name": name})).collect::<Value>();
        let all = [
            release("a", &on(&["c", "b"]), &Value::Null),
            release("b", &on(&["d"]), &Value::Null),
            release("c", &on(&["gone"]), &Value::Null),
            release("d", &on(&["a"]), &Value::Null),
            release("outside", &on(&["a"]), &Value::Null),
            release("self", &on(&["self"]), &Value::Null),
        ];
        let find = |object: &ObjectReference| {
            all.iter()
                .find(|release| release_reference(release) == *object)
                .cloned()
        };
        let cycle = |index: usize| super::cycle(&all[index], find);
        assert_eq!(cycle(0), Some("prod/a -> prod/b -> prod/d -> prod/a".to_owned()));
        assert_eq!(cycle(3), Some("prod/d -> prod/a -> prod/b -> prod/d".to_owned()));
        assert_eq!(cycle(5), Some("prod/self -> prod/self".to_owned()));
        // These wait for others, and are not waited for by them.
        assert_eq!((cycle(2), cycle(4)), (None, None));
    }

    #[test]
    fn dependents_that_are_being_deleted_are_uninstalled_first() {
        let deleted = |release: Arc<HelmRelease>| {
            let mut release = HelmRelease::clone(&release);
            release.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(
                k8s_openapi::jiff::Timestamp::UNIX_EPOCH,
            ));
            Arc::new(release)
        };
        let on = |name: &str| json!([{"name": name}]);
        let all = [
            release("db", &on("loop"), &Value::Null),
            deleted(release("shop", &on("db"), &Value::Null)),
            release("stays", &on("db"), &Value::Null),
            deleted(release("loop", &on("middle"), &Value::Null)),
            deleted(release("middle", &on("db"), &Value::Null)),
        ];
        let find = |object: &ObjectReference| {
            all.iter()
                .find(|release| release_reference(release) == *object)
                .cloned()
        };
        assert_eq!(uninstalled_first(&all[0], &all, find), ["prod/shop"]);
    }
}
