//! What the API server would make of a HelmRelease of a file. Nothing is written.
//!
//! Edge. The HelmRelease is written in a dry run over the one in the cluster, so that its definition is checked, defaults are set, and
//! the status is that of the one in the cluster.

use kube::Resource as _;
use kube::api::{Api, ApiResource, DynamicObject, PostParams};
use kube::core::Request;
use serde_json::{Map, Value};

use super::Cluster;
use crate::api::HelmRelease;
use crate::api::listing::first_few;
use crate::cli::CommandError;
use crate::plan::values::nulls;

/// The field manager of the dry runs.
const MANAGER: &str = "fairlead-diff";
/// How many fields a note names.
const NAMED: usize = 5;

/// A HelmRelease as it would be.
pub(super) struct Desired {
    pub(super) release: HelmRelease,
    /// What a person should know of it.
    pub(super) notes: Vec<String>,
}

/// What a HelmRelease of a file would be in the cluster.
pub(super) async fn desired(cluster: &Cluster, object: Value) -> Result<Desired, CommandError> {
    let (namespace, name) = (text(&object, "namespace"), text(&object, "name"));
    let kind = ApiResource::erase::<HelmRelease>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(cluster.client.clone(), &namespace, &kind);
    let mut notes: Vec<String> = nulls_told(&object).into_iter().collect();
    let live = api.get_opt(&name).await?;
    let exists = live.is_some();
    let object = merged(object, live.map(serde_json::to_value).transpose()?);
    let body = serde_json::to_vec(&object)?;
    let parameters = PostParams {
        dry_run: true,
        field_manager: Some(MANAGER.to_owned()),
    };
    let request = Request::new(HelmRelease::url_path(&(), Some(&namespace)));
    let mut request = if exists {
        request.replace(&name, &parameters, body)?
    } else {
        request.create(&parameters, body)?
    };
    // A field with a wrong name is a mistake, not a wish for less.
    let strict = format!("{}&fieldValidation=Strict", request.uri());
    *request.uri_mut() = strict.parse()?;
    match cluster.client.request::<HelmRelease>(request).await {
        Ok(release) => Ok(Desired { release, notes }),
        // Whoever may only read can compare all the same; and the namespace may come with the release.
        Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404) => {
            let release: HelmRelease = serde_json::from_value(object)?;
            notes.push(format!(
                "HelmRelease {namespace}/{name} was not checked against its definition: {}",
                status.message
            ));
            Ok(Desired { release, notes })
        }
        Err(error) => Err(error.into()),
    }
}

fn text(object: &Value, field: &str) -> String {
    object["metadata"][field].as_str().unwrap_or_default().to_owned()
}

/// What becomes of nulls in `spec.values` on the way to the API server, which itself keeps them.
fn nulls_told(object: &Value) -> Option<String> {
    let values = object.pointer("/spec/values").and_then(Value::as_object)?;
    let nulls = nulls(values);
    (!nulls.is_empty()).then(|| {
        format!(
            "spec.values of HelmRelease {}/{} has nulls ({}), which kubectl apply drops unless it is told --server-side; \
             those of a ConfigMap or Secret in spec.valuesFrom are never lost",
            text(object, "namespace"),
            text(object, "name"),
            first_few(&nulls, nulls.len(), NAMED, ", ")
        )
    })
}

/// The live object with the spec of the given one. Labels and annotations that only the live one has are somebody else's.
fn merged(mut given: Value, live: Option<Value>) -> Value {
    let Some(mut live) = live else {
        if let Value::Object(fields) = &mut given {
            fields.remove("status");
        }
        return given;
    };
    live["spec"] = given["spec"].take();
    for part in ["labels", "annotations"] {
        if let Value::Object(given) = given["metadata"][part].take() {
            let known = &mut live["metadata"][part];
            if !known.is_object() {
                *known = Value::Object(Map::new());
            }
            if let Value::Object(known) = known {
                known.extend(given);
            }
        }
    }
    live
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_spec_is_the_given_one_and_all_else_is_kept() {
        let given = json!({"metadata": {"name": "web", "labels": {"a": "new", "b": "c"}}, "spec": {"interval": "1m"},
            "status": {"history": ["forged"]}});
        assert!(merged(given.clone(), None).get("status").is_none());
        let live = json!({"metadata": {"name": "web", "uid": "1", "labels": {"a": "old", "d": "e"}}, "spec": {"suspend": true},
            "status": {"history": []}});
        let expected = json!({"metadata": {"name": "web", "uid": "1", "labels": {"a": "new", "b": "c", "d": "e"}},
            "spec": {"interval": "1m"}, "status": {"history": []}});
        assert_eq!(merged(given, Some(live)), expected);
    }
}
