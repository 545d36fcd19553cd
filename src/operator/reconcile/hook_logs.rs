//! The output of hooks whose `helm.sh/hook-output-log-policy` asks for it: to the operator's log, and its end to an event when the hook
//! failed.
//!
//! Edge. As Helm prints it: of Jobs and Pods, by container. What cannot be read is no reason to fail. It never goes into a status, and
//! into an event only where who reads the event may read the Pod's log, too: in the release's own namespace. What a container prints
//! may be secret.

use kube::Resource as _;
use serde_json::Value;
use tracing::{debug, info, warn};

use crate::api::HelmRelease;
use crate::api::conditions::Reason;
use crate::cluster::calls::CallError;
use crate::cluster::discovery::{DiscoveryError, Resource};
use crate::operator::context::Context;
use crate::ownership::reference::ObjectReference;
use crate::plan::hooks::{Hook, OutputPolicy};
use crate::telemetry::events::Severity;

/// How many Pods of a hook are asked: a Job makes one for each attempt.
const PODS: usize = 3;
/// How many lines of a container are read, from the end.
const LINES: u32 = 200;
/// How much of a container's log is read, in bytes.
const BYTES: u32 = 64 << 10;
/// How many lines an event has.
const LINES_OF_EVENT: usize = 10;
/// How long the lines of an event are together, in characters. An event's note has 1024 bytes.
const CHARACTERS_OF_EVENT: usize = 600;

/// Why the output cannot be read.
#[derive(Debug, thiserror::Error)]
enum OutputError {
    /// Pods cannot be looked up.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// What one container has printed.
struct Output {
    pod: String,
    container: String,
    text: String,
}

/// Tells what a hook has printed, if its policy asks for that.
pub(super) async fn tell(
    context: &Context,
    release: &HelmRelease,
    hook: &Hook,
    reference: &ObjectReference,
    policy: OutputPolicy,
) {
    if !hook.is_output(policy) {
        return;
    }
    let Some(namespace) = reference.namespace.as_deref() else {
        return;
    };
    let outputs = match read(context, hook, namespace).await {
        Ok(outputs) => outputs,
        Err(error) => {
            warn!(hook = %reference, %error, "the output of the hook cannot be read");
            return;
        }
    };
    debug!(hook = %reference, containers = outputs.len(), "read the output of the hook");
    for Output { pod, container, text } in &outputs {
        for line in text.lines() {
            info!(hook = %reference, pod, container, line, "output of the hook");
        }
    }
    if policy == OutputPolicy::Failed && namespace == release.own_namespace() {
        for output in &outputs {
            publish(context, release, reference, output);
        }
    }
}

fn publish(context: &Context, release: &HelmRelease, reference: &ObjectReference, output: &Output) {
    let Output { pod, container, text } = output;
    let note = format!(
        "hook {reference}: container {container} of Pod {pod} ended with\n{}",
        end_of(text)
    );
    let about = release.object_ref(&());
    context
        .shared
        .events
        .publish(about, Severity::Warning, Reason::Failed, "hook", &note);
}

/// The last lines of a text, as far as an event has room for them.
fn end_of(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.iter().skip(lines.len().saturating_sub(LINES_OF_EVENT));
    let text = last.copied().collect::<Vec<_>>().join("\n");
    let length = text.chars().count();
    text.chars().skip(length.saturating_sub(CHARACTERS_OF_EVENT)).collect()
}

async fn read(context: &Context, hook: &Hook, namespace: &str) -> Result<Vec<Output>, OutputError> {
    let pods = context.target.kinds.resolve("v1", "Pod").await?;
    let mut outputs = Vec::new();
    for name in pods_of(context, hook, &pods, namespace).await? {
        let Some(pod) = context.target.calls.get(&pods, Some(namespace), &name).await? else {
            continue;
        };
        for container in containers(&pod) {
            let text = context
                .target
                .calls
                .log(namespace, &name, container, LINES, BYTES)
                .await?;
            outputs.push(Output {
                pod: name.clone(),
                container: container.to_owned(),
                text,
            });
        }
    }
    Ok(outputs)
}

/// The names of a hook's Pods: the newest ones of a Job.
async fn pods_of(context: &Context, hook: &Hook, pods: &Resource, namespace: &str) -> Result<Vec<String>, CallError> {
    match hook.kind.as_str() {
        "Pod" => Ok(vec![hook.name.clone()]),
        "Job" => {
            let selector = format!("job-name={}", hook.name);
            let mut found = context
                .target
                .calls
                .list_metadata(pods, Some(namespace), &selector)
                .await?;
            found.sort_by(|a, b| b.metadata.creation_timestamp.cmp(&a.metadata.creation_timestamp));
            found.truncate(PODS);
            Ok(found.into_iter().filter_map(|pod| pod.metadata.name).collect())
        }
        _ => Ok(Vec::new()),
    }
}

fn containers(pod: &Value) -> impl Iterator<Item = &str> {
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array);
    containers
        .into_iter()
        .flatten()
        .filter_map(|container| container.get("name")?.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_the_end_of_the_output() {
        let lines: Vec<String> = (0..30).map(|number| format!("line {number}")).collect();
        let end = end_of(&lines.join("\n"));
        assert!(end.starts_with("line 20\n") && end.ends_with("line 29"), "{end}");
        assert_eq!(end_of(&"ä".repeat(2000)).chars().count(), CHARACTERS_OF_EVENT);
        assert_eq!(end_of(""), "");
    }
}
