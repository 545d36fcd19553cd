//! Drift of a deployed release: whether it is looked for, what of it is ignored, and what a status says of it.
//!
//! Pure. How a live object differs is found out in `ownership::drift`.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::Value;

use super::decide::Change;
use super::ownership_status::whole_seconds;
use crate::api::conditions::{self, ConditionType, ConditionUpdate, Reason};
use crate::api::helm_release::drift::{DriftDetectionMode, DriftStatus, DriftedField as Told, MAX_DRIFTED};
use crate::api::helm_release::{HelmReleaseSpec, HelmReleaseStatus};
use crate::api::listing::first_few;
use crate::api::names;
use crate::ownership::drift::DriftedField;
use crate::postrender::{SpecError, Target};

/// How many fields a message names.
const NAMED: usize = 3;

/// An ignore rule that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DriftRuleError {
    /// Its target cannot be read.
    #[error("spec.driftDetection.ignore[{index}].{source}")]
    Target {
        /// Position in the list.
        index: usize,
        /// What is wrong.
        source: SpecError,
    },
    /// A path is no JSON pointer.
    #[error(
        "spec.driftDetection.ignore[{index}].paths: {path:?} is no JSON pointer: it must begin with a slash, as /spec/replicas, or be empty"
    )]
    Path {
        /// Position in the list.
        index: usize,
        /// As given.
        path: String,
    },
}

/// How drift is looked for.
#[derive(Debug)]
pub struct DriftRules {
    mode: DriftDetectionMode,
    ignore: Vec<Ignore>,
}

#[derive(Debug)]
struct Ignore {
    /// All objects without one.
    target: Option<Target>,
    paths: Vec<String>,
}

/// What is ignored of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ignored {
    /// The fields at these JSON pointers; none, mostly.
    Fields(Arc<[String]>),
    /// All of it.
    Everything,
}

impl DriftRules {
    /// As the spec has them.
    ///
    /// # Errors
    /// When an ignore rule cannot be used.
    pub fn of(spec: &HelmReleaseSpec) -> Result<Self, DriftRuleError> {
        let detection = spec.drift_detection.clone().unwrap_or_default();
        let rules = detection.ignore.iter().enumerate();
        let ignore = rules.map(|(index, rule)| {
            let is_pointer = |path: &String| path.is_empty() || path.starts_with('/');
            if let Some(path) = rule.paths.iter().find(|path| !is_pointer(path)) {
                let path = path.clone();
                return Err(DriftRuleError::Path { index, path });
            }
            let target = rule.target.as_ref().map(Target::new).transpose();
            Ok(Ignore {
                target: target.map_err(|source| DriftRuleError::Target { index, source })?,
                paths: rule.paths.clone(),
            })
        });
        Ok(Self {
            mode: detection.mode.unwrap_or_default(),
            ignore: ignore.collect::<Result<_, _>>()?,
        })
    }

    /// What is done about drift.
    pub const fn mode(&self) -> DriftDetectionMode {
        self.mode
    }

    /// What is ignored of an object that the release renders.
    pub fn ignored(&self, rendered: &Value) -> Ignored {
        if is_disabled(rendered) {
            return Ignored::Everything;
        }
        let selects = |rule: &&Ignore| rule.target.as_ref().is_none_or(|target| target.selects(rendered));
        let paths: Vec<String> = self
            .ignore
            .iter()
            .filter(selects)
            .flat_map(|rule| rule.paths.iter().cloned())
            .collect();
        if paths.iter().any(String::is_empty) {
            return Ignored::Everything;
        }
        Ignored::Fields(paths.into())
    }

    /// What of a change that was noticed is followed up, of an object of a deployed release. `is_left_alone` says whether the live
    /// object asks for that.
    pub fn follow(&self, change: Change, rendered: &Value, is_left_alone: bool) -> FollowUp {
        match change {
            // What the release itself wants otherwise is no drift.
            Change::New | Change::Intent => FollowUp::Apply,
            Change::Missing | Change::Replaced | Change::Live => {
                if is_left_alone || self.ignored(rendered) == Ignored::Everything {
                    return FollowUp::Nothing;
                }
                match self.mode {
                    DriftDetectionMode::Enabled => FollowUp::Apply,
                    DriftDetectionMode::Warn => FollowUp::Report,
                    DriftDetectionMode::Disabled => FollowUp::Nothing,
                }
            }
        }
    }
}

/// What follows on a change of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowUp {
    /// It is applied.
    Apply,
    /// What differs is reported.
    Report,
    /// Nothing.
    Nothing,
}

/// Whether the object says that it is left alone, by an annotation or a label.
fn is_disabled(object: &Value) -> bool {
    let says = |map: &str| {
        let map = object.pointer(map);
        let names = [names::ANNOTATION_DRIFT_DETECTION, names::FLUX_DRIFT_DETECTION];
        names
            .into_iter()
            .any(|name| map.and_then(|map| map.get(name)).and_then(Value::as_str) == Some("disabled"))
    };
    says("/metadata/annotations") || says("/metadata/labels")
}

/// Records drift that was found. Returns whether it is new: a report of the same drift changes nothing.
pub fn found(
    status: &mut HelmReleaseStatus,
    drifted: &[DriftedField],
    is_corrected: bool,
    generation: i64,
    now: &Time,
) -> bool {
    if drifted.is_empty() {
        return false;
    }
    let fields: Vec<Told> = drifted.iter().take(MAX_DRIFTED).map(told).collect();
    let total = u32::try_from(drifted.len()).unwrap_or(u32::MAX);
    let known = status.drift.as_ref();
    let is_known = known.is_some_and(|known| known.fields == fields && known.total == total);
    let is_new = !is_known || is_corrected;
    if is_new {
        status.drift = Some(DriftStatus {
            detected_at: whole_seconds(now.0),
            total,
            fields,
        });
    }
    let message = format!("{} differ from the release: {}", count(total), summary(drifted));
    let update = ConditionUpdate::new(ConditionType::Drifted, true, Reason::DriftDetected, message);
    conditions::set(&mut status.conditions, update, Some(generation), now);
    is_new
}

/// Records that the live objects are as the release says, after drift was found once; what was found last stays. Where drift is not
/// looked for, nothing is said of it.
pub fn ended(status: &mut HelmReleaseStatus, mode: DriftDetectionMode, generation: i64, now: &Time) {
    if mode == DriftDetectionMode::Disabled {
        status.drift = None;
        conditions::remove(&mut status.conditions, ConditionType::Drifted);
        return;
    }
    if conditions::get(&status.conditions, ConditionType::Drifted).is_none() {
        return;
    }
    let message = "the live objects are as the release says";
    let update = ConditionUpdate::new(ConditionType::Drifted, false, Reason::NoDriftDetected, message);
    conditions::set(&mut status.conditions, update, Some(generation), now);
}

/// The drifted fields in a line.
pub fn summary(drifted: &[DriftedField]) -> String {
    let fields = drifted.iter().map(|field| {
        let (object, path) = (&field.object, &field.path);
        let name = format!("{} {}", object.kind, object.qualified_name());
        let is_whole = field.ours.is_none() && field.live.is_none();
        if is_whole {
            format!("{name}, which does not exist")
        } else {
            format!("{name} {path}")
        }
    });
    first_few(fields, drifted.len(), NAMED, "; ")
}

fn count(total: u32) -> String {
    if total == 1 {
        "1 field".to_owned()
    } else {
        format!("{total} fields")
    }
}

fn told(field: &DriftedField) -> Told {
    let DriftedField {
        object,
        path,
        ours,
        live,
    } = field;
    Told {
        object: object.to_string(),
        path: path.to_string(),
        ours: ours.as_ref().map(|value| value.as_json().clone()),
        live: live.as_ref().map(|value| value.as_json().clone()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rules(detection: Value) -> Result<DriftRules, String> {
        let mut spec = json!({"interval": "1m"});
        spec["driftDetection"] = detection;
        let spec = serde_json::from_value(spec).unwrap();
        DriftRules::of(&spec).map_err(|error| error.to_string())
    }

    fn deployment(metadata: Value) -> Value {
        let mut object = json!({"apiVersion": "apps/v1", "kind": "Deployment"});
        object["metadata"] = metadata;
        object
    }

    #[test]
    fn without_a_mode_drift_is_corrected() {
        let object = deployment(json!({"name": "web", "namespace": "prod"}));
        let follow = |detection: Value, change| rules(detection).unwrap().follow(change, &object, false);
        for change in [Change::Live, Change::Missing, Change::Replaced] {
            assert_eq!(follow(json!({}), change), FollowUp::Apply);
            assert_eq!(follow(json!({"mode": "enabled"}), change), FollowUp::Apply);
            assert_eq!(follow(json!({"mode": "warn"}), change), FollowUp::Report);
            assert_eq!(follow(json!({"mode": "disabled"}), change), FollowUp::Nothing);
        }
        // What the release wants is applied in every mode.
        assert_eq!(follow(json!({"mode": "disabled"}), Change::Intent), FollowUp::Apply);
        assert_eq!(
            rules(json!({})).unwrap().follow(Change::Live, &object, true),
            FollowUp::Nothing
        );
    }

    #[test]
    fn ignore_rules_select_objects_and_fields() {
        let rules = rules(json!({"ignore": [
            {"paths": ["/spec/replicas"], "target": {"kind": "Deploy.*", "labelSelector": "team=a"}},
            {"paths": ["/spec/paused"]},
            {"paths": [""], "target": {"name": "scratch"}},
        ]}))
        .unwrap();
        let ignored = |metadata: Value| rules.ignored(&deployment(metadata));
        let fields = |paths: &[&str]| Ignored::Fields(paths.iter().map(|path| (*path).to_owned()).collect());
        let team = json!({"name": "web", "labels": {"team": "a"}});
        assert_eq!(ignored(team), fields(&["/spec/replicas", "/spec/paused"]));
        assert_eq!(ignored(json!({"name": "web"})), fields(&["/spec/paused"]));
        assert_eq!(ignored(json!({"name": "scratch"})), Ignored::Everything);
        let asks = json!({"name": "web", "annotations": {"fairlead.dev/driftDetection": "disabled"}});
        assert_eq!(ignored(asks), Ignored::Everything);
        let flux = json!({"name": "web", "labels": {"helm.toolkit.fluxcd.io/driftDetection": "disabled"}});
        assert_eq!(ignored(flux), Ignored::Everything);
    }

    #[test]
    fn every_part_of_a_target_selects() {
        let object = deployment(json!({"name": "web", "namespace": "prod", "labels": {"team": "a"},
            "annotations": {"tier": "front"}}));
        for (part, selecting, other) in [
            ("group", "apps", "batch"),
            ("version", "v1", "v2"),
            ("kind", "Deploy.*", "StatefulSet"),
            ("name", "w.b", "w"),
            ("namespace", "prod", "test"),
            ("labelSelector", "team in (a, b)", "team!=a"),
            ("annotationSelector", "tier=front", "tier=back"),
        ] {
            let ignored = |value: &str| {
                let rules = rules(json!({"ignore": [{"paths": [""], "target": {part: value}}]})).unwrap();
                rules.ignored(&object) == Ignored::Everything
            };
            assert_eq!((ignored(selecting), ignored(other)), (true, false), "{part}");
        }
    }

    #[test]
    fn rules_that_cannot_be_read_are_named() {
        let error = rules(json!({"ignore": [{"paths": ["spec.replicas"]}]})).unwrap_err();
        assert!(
            error.starts_with("spec.driftDetection.ignore[0].paths: \"spec.replicas\" is no JSON pointer"),
            "{error}"
        );
        let error = rules(json!({"ignore": [{"paths": ["/spec"], "target": {"kind": "("}}]})).unwrap_err();
        assert!(
            error.starts_with("spec.driftDetection.ignore[0].target.kind"),
            "{error}"
        );
    }
}
