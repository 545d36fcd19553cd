//! What Helm itself renders, to compare live objects with.

use std::collections::BTreeMap;

use fairlead::yaml;
use serde_json::Value;

use super::stage::{Stage, called};
use crate::support::Result;

/// What Helm renders, by kind, namespace and name.
pub(super) async fn rendered(
    stage: &Stage,
    namespace: &str,
    name: &str,
    chart: &str,
    set: &[&str],
) -> Result<BTreeMap<String, Value>> {
    let url = stage.repository.url();
    let template = ["template", name, chart, "--repo", url, "--namespace", namespace];
    let text = stage.plane.helm(&[&template, set].concat()).await?.checked()?;
    let mut objects = BTreeMap::new();
    for document in text.split("\n---\n") {
        let object: Value = yaml::from_slice(document.as_bytes())?;
        if object.is_object() {
            objects.insert(called(&object), object);
        }
    }
    Ok(objects)
}

/// The first place at which the live object is not as wanted; fields that the server adds are no difference.
pub(super) fn difference(wanted: &Value, live: &Value, path: &str) -> Option<String> {
    match (wanted, live) {
        // Random, and looked at elsewhere.
        _ if path == "/data/password" => None,
        (Value::Object(wanted), Value::Object(live)) => wanted.iter().find_map(|(key, wanted)| {
            let path = format!("{path}/{key}");
            difference(wanted, live.get(key).unwrap_or(&Value::Null), &path)
        }),
        (Value::Array(wanted), Value::Array(live)) if wanted.len() == live.len() => {
            let pairs = wanted.iter().zip(live).enumerate();
            pairs
                .into_iter()
                .find_map(|(index, (wanted, live))| difference(wanted, live, &format!("{path}/{index}")))
        }
        (wanted, live) if wanted == live => None,
        (Value::Number(wanted), Value::Number(live)) if wanted.as_f64() == live.as_f64() => None,
        (wanted, live) => Some(format!("{path}: {live} instead of {wanted}")),
    }
}
