//! Which fields of a HelmRelease's spec this version acts on, and which a given release sets in vain.
//!
//! A release that sets a field in vain must say so (condition `FieldsIgnored`): silence would look like consent. The tables
//! here are the one place to edit when a field is acted on.

use serde_json::{Map, Value};

use super::HelmReleaseSpec;

/// A field that is acted on, with everything below it.
struct ActedOn {
    /// JSON path below `spec`; `[]` stands for every item of a list.
    path: &'static str,
}

const fn all(path: &'static str) -> ActedOn {
    ActedOn { path }
}

/// The fields that are acted on.
const ACTED_ON: &[ActedOn] = &[
    all("chart.metadata"),
    all("chart.spec.chart"),
    all("chart.spec.version"),
    all("chart.spec.interval"),
    all("chart.spec.valuesFiles"),
    all("chart.spec.ignoreMissingValuesFiles"),
    all("chart.spec.reconcileStrategy"),
    all("chart.spec.sourceRef"),
    all("chart.spec.verify"),
    all("chartRef"),
    all("dependsOn"),
    all("driftDetection"),
    all("healthCheckExprs"),
    all("interval"),
    all("mode"),
    all("test"),
    all("timeout"),
    all("persistentClient"),
    all("postRenderers"),
    all("postRenderStrategy"),
    all("commonMetadata"),
    all("values"),
    all("waitStrategy"),
    all("valuesFrom"),
    all("releaseName"),
    all("maxHistory"),
    all("storageNamespace"),
    all("serviceAccountName"),
    all("kubeConfig"),
    all("uninstall"),
    all("targetNamespace"),
    all("suspend"),
    all("install.crds"),
    all("install.createNamespace"),
    all("install.disableHooks"),
    all("install.disableOpenAPIValidation"),
    all("install.disableSchemaValidation"),
    all("install.disableTakeOwnership"),
    all("install.disableWait"),
    all("install.remediation"),
    all("install.replace"),
    all("install.skipCRDs"),
    all("install.serverSideApply"),
    all("install.strategy"),
    all("install.disableWaitForJobs"),
    all("install.timeout"),
    all("rollback.cleanupOnFail"),
    all("rollback.disableHooks"),
    all("rollback.disableWait"),
    all("rollback.recreate"),
    all("rollback.serverSideApply"),
    all("rollback.timeout"),
    all("upgrade.chartNameChangeStrategy"),
    all("upgrade.cleanupOnFail"),
    all("upgrade.crds"),
    all("upgrade.disableHooks"),
    all("upgrade.disableOpenAPIValidation"),
    all("upgrade.disableSchemaValidation"),
    all("upgrade.disableTakeOwnership"),
    all("upgrade.disableWait"),
    all("upgrade.preserveValues"),
    all("upgrade.remediation"),
    all("upgrade.serverSideApply"),
    all("upgrade.strategy"),
    all("upgrade.disableWaitForJobs"),
    all("upgrade.force"),
    all("upgrade.gate"),
    all("upgrade.timeout"),
    all("rollback.disableWaitForJobs"),
    all("rollback.force"),
    all("ownership.adoptFrom"),
    all("ownership.fieldManager"),
    all("ownership.wellKnownOwners"),
    all("ownership.fights"),
    all("ownership.onConflict"),
    all("ownership.retry"),
    all("ownership.rules[].name"),
    all("ownership.rules[].target"),
    all("ownership.rules[].paths"),
    all("ownership.rules[].managers"),
    all("ownership.rules[].onConflict"),
    all("ownership.rules[].until"),
];

/// The JSON paths of the fields that the spec sets and that are not acted on, sorted, for example
/// `spec.install.disableHooks`.
///
/// # Errors
/// When the spec cannot be written as JSON, which a spec that was read from JSON always can.
pub fn fields_not_acted_on(spec: &HelmReleaseSpec) -> Result<Vec<String>, serde_json::Error> {
    let mut found = Vec::new();
    if let Value::Object(fields) = serde_json::to_value(spec)? {
        walk_object(&fields, "", &mut found);
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Fields that a release must not go on without: each says where, as whom, whether at all, or what exactly is applied.
const NOT_WITHOUT: &[&str] = &["spec.plugins"];

/// Of the fields that are not acted on, those without which it would be wrong to apply anything.
///
/// # Errors
/// As [`fields_not_acted_on`].
pub fn fields_not_to_go_without(spec: &HelmReleaseSpec) -> Result<Vec<String>, serde_json::Error> {
    let mut found = fields_not_acted_on(spec)?;
    found.retain(|field| NOT_WITHOUT.iter().any(|known| field.starts_with(known)));
    Ok(found)
}

/// Adds what an object at `path` sets in vain.
fn walk_object(fields: &Map<String, Value>, path: &str, found: &mut Vec<String>) {
    for (name, value) in fields {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        walk(value, &path, found);
    }
}

/// Adds what the value at `path` sets in vain. The depth is that of the spec's types, because free-form fields (`values`,
/// labels, plugin configurations) are not descended into.
fn walk(value: &Value, path: &str, found: &mut Vec<String>) {
    if is_empty(value) {
        return;
    }
    if ACTED_ON.iter().any(|field| field.path == path) {
        return;
    }
    match value {
        Value::Object(fields) if !is_map(path) => walk_object(fields, path, found),
        Value::Array(items) if ACTED_ON.iter().any(|field| is_below(field.path, path)) => {
            for item in items {
                walk(item, &format!("{path}[]"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            found.push(format!("spec.{path}"));
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) | Value::Number(_) => false,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

/// Whether the object at `path` has keys that its user chose.
fn is_map(path: &str) -> bool {
    matches!(path.rsplit('.').next(), Some("labels" | "annotations"))
}

/// Whether `path` is an item of the list at `list`.
fn is_below(path: &str, list: &str) -> bool {
    path.strip_prefix(list).is_some_and(|rest| rest.starts_with("[]"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ignored(spec: Value) -> Vec<String> {
        let spec: HelmReleaseSpec = serde_json::from_value(spec).unwrap();
        fields_not_acted_on(&spec).unwrap()
    }

    #[test]
    fn a_plain_release_sets_nothing_in_vain() {
        let spec = json!({
            "interval": "10m",
            "chart": {"spec": {"chart": "shop", "version": "4.x", "reconcileStrategy": "ChartVersion",
                "sourceRef": {"kind": "HelmRepository", "name": "acme"}}},
            "values": {"replicas": 3, "a": {"b": null}},
            "install": {"crds": "CreateReplace", "disableHooks": false},
            "mode": "Shadow",
            "ownership": {"onConflict": "Yield", "rules": [{"paths": [".spec.replicas"], "onConflict": "Force"}]},
        });
        assert_eq!(ignored(spec), Vec::<String>::new());
    }

    #[test]
    fn a_release_does_not_go_without_what_says_what_is_applied() {
        let spec = json!({
            "interval": "10m",
            "chartRef": {"kind": "OCIRepository", "name": "shop"},
            "plugins": [{"name": "org-policy", "stage": "ValidateValues"}],
            "persistentClient": false,
        });
        let spec: HelmReleaseSpec = serde_json::from_value(spec).unwrap();
        assert_eq!(fields_not_to_go_without(&spec).unwrap(), ["spec.plugins"]);
    }

    #[test]
    fn fields_in_vain_are_named() {
        let spec = json!({
            "interval": "10m",
            "chartRef": {"kind": "OCIRepository", "name": "shop"},
            "upgrade": {"crds": "Skip", "disableHooks": true, "serverSideApply": "disabled"},
            "plugins": [{"name": "org-policy", "stage": "ValidateValues"}],
            "persistentClient": false,
        });
        let expected = ["spec.plugins"];
        assert_eq!(ignored(spec), expected);
    }
}
