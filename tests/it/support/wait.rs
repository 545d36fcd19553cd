//! Waits for conditions of objects, by watching, with a deadline.

use std::fmt::Debug;
use std::time::Duration;

use kube::runtime::wait::{Condition, await_condition};
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Result;

/// Waits until the condition holds and returns the object as it was then, or nothing if the condition is that there is
/// none. What the object looks like instead is in the error.
pub(crate) async fn becomes<K>(
    api: &Api<K>,
    name: &str,
    deadline: Duration,
    condition: impl Condition<K>,
) -> Result<Option<K>>
where
    K: Resource + Clone + Debug + Send + Serialize + DeserializeOwned + 'static,
{
    if let Ok(met) = tokio::time::timeout(deadline, await_condition(api.clone(), name, condition)).await {
        return Ok(met?);
    }
    let seen = serde_json::to_string_pretty(&api.get_opt(name).await?)?;
    Err(format!("{name} did not become as awaited within {deadline:?}; it is {seen}").into())
}

/// Holds when the object's status has a condition of this type and status, for the current generation if it says for
/// which.
pub(crate) fn has_condition<K: Resource + Serialize>(kind: &'static str, status: &'static str) -> impl Condition<K> {
    move |object: Option<&K>| {
        let Some(object) = object else { return false };
        let Ok(value) = serde_json::to_value(object) else {
            return false;
        };
        let generation = object.meta().generation;
        value["status"]["conditions"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|condition| {
                let observed = condition["observedGeneration"].as_i64();
                condition["type"] == kind
                    && condition["status"] == status
                    && (observed.is_none() || observed == generation)
            })
    }
}

/// Holds when there is no such object.
pub(crate) fn is_absent<K>() -> impl Condition<K> {
    |object: Option<&K>| object.is_none()
}
