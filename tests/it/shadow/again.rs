//! The dry runs themselves: what did not change since the last look is not dry-run again, and fields that exclude each other.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use fairlead::cluster::apply::{Adoption, Applier, ApplySettings, Shadowed, UnknownFields};
use fairlead::cluster::calls::Calls;
use fairlead::cluster::discovery::KindCache;
use fairlead::ownership::class::Roster;
use fairlead::ownership::intent::{Intent, ReleaseIdentity};
use fairlead::ownership::policy::{Moment, OnConflict, Policy};
use fairlead::ownership::redact::Redactor;
use fairlead::ownership::shadow::{Effect, ObjectShadow};
use fairlead::release::ApplyMethod;
use fairlead_controlplane::ControlPlane;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;

use super::api;
use crate::support::Result;

fn release(namespace: &str) -> ReleaseIdentity {
    ReleaseIdentity {
        name: "shop".to_owned(),
        namespace: namespace.to_owned(),
    }
}

fn applier(client: &Client, namespace: &str, on_conflict: OnConflict) -> Applier {
    let settings = ApplySettings {
        roster: Roster::new("fairlead:a/shop", Vec::new(), None),
        policy: Policy {
            on_conflict,
            ..Policy::default()
        },
        release: release(namespace),
        redactor: Redactor::new(*b"salt"),
        adoption: Adoption::TakeOwnership,
        method: ApplyMethod::ServerSide,
        unknown_fields: UnknownFields::Refused,
        recreates: false,
        parallelism: NonZeroUsize::MIN,
        former: None,
    };
    let timeout = Duration::from_secs(30);
    let kinds = Arc::new(KindCache::new(client.clone(), timeout));
    Applier::new(Calls::new(client.clone(), timeout), kinds, Arc::new(settings))
}

fn moment() -> Moment {
    Moment {
        now: Timestamp::UNIX_EPOCH,
        retries_exhausted: false,
    }
}

#[tokio::test]
async fn only_what_changed_is_looked_at_again() -> Result {
    let plane = ControlPlane::shared().await?;
    let namespace = plane.namespace("again").await?;
    let client = plane.client()?;
    let applier = applier(&client, &namespace, OnConflict::Fail);
    let map = |name: &str, key: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": key}});
    let maps = api(&client, &namespace, "ConfigMap");
    for name in ["a", "b"] {
        let object = serde_json::from_value(map(name, "theirs"))?;
        maps.create(&PostParams::default(), &object).await?;
    }
    let look = async |before: &[ObjectShadow], key: &str| -> Result<Vec<ObjectShadow>> {
        let intents = ["a", "b"].map(|name| Intent::new(map(name, key), Some(&release(&namespace))));
        let intents = intents.into_iter().collect::<std::result::Result<_, _>>()?;
        let Shadowed { objects, failures } = applier.shadow(intents, before, &HashSet::new(), moment()).await;
        assert!(failures.is_empty(), "{failures:?}");
        Ok(objects)
    };
    let mut first = look(&[], "ours").await?;
    assert_eq!(
        first.iter().map(|object| object.contested.len()).collect::<Vec<_>>(),
        [1, 1]
    );
    // A mark by which it is known whether the answer is an earlier one.
    for object in &mut first {
        object.changed = 99;
    }

    assert_eq!(look(&first, "ours").await?, first);
    let patch = Patch::Merge(json!({"data": {"key": "ours"}}));
    maps.patch("b", &PatchParams::default(), &patch).await?;
    let second = look(&first, "ours").await?;
    assert_eq!(
        (second[0].changed, second[1].changed, second[1].effect),
        (99, 0, Effect::Adopted)
    );
    let third = look(&first, "other").await?;
    assert_eq!((third[0].changed, third[1].changed), (0, 0));
    Ok(())
}

#[tokio::test]
async fn fields_that_exclude_each_other_are_decided_by_each_policy() -> Result {
    let plane = ControlPlane::shared().await?;
    let namespace = plane.namespace("unions").await?;
    let client = plane.client()?;
    let service = |port: u32| {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
            "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": port}]}})
    };
    let services = api(&client, &namespace, "Service");
    let parameters = PostParams {
        field_manager: Some("kubectl-create".to_owned()),
        ..PostParams::default()
    };
    let before = services
        .create(&parameters, &serde_json::from_value(service(80))?)
        .await?;
    let look = async |on_conflict| -> Result<ObjectShadow> {
        let intent = Intent::new(service(81), Some(&release(&namespace)))?;
        let applier = applier(&client, &namespace, on_conflict);
        let Shadowed { mut objects, failures } = applier.shadow(vec![intent], &[], &HashSet::new(), moment()).await;
        assert!(failures.is_empty(), "{failures:?}");
        Ok(objects.pop().ok_or("no object")?)
    };
    let told = |object: &ObjectShadow| -> Vec<String> {
        let lines = object
            .contested
            .iter()
            .map(|field| format!("{} {} {}", field.field, field.class, field.action));
        lines
            .chain(object.changes.iter().map(|change| change.path.to_string()))
            .collect()
    };
    let old = ".spec.ports[port=80,protocol=\"TCP\"]";
    let stopped = look(OnConflict::Fail).await?;
    assert_eq!(told(&stopped), [format!("{old} Union Failed")]);
    let actions: Vec<_> = stopped
        .alternatives
        .values()
        .flat_map(|counts| counts.keys())
        .map(|action| action.as_str())
        .collect();
    assert_eq!(actions, ["Failed", "Retrying", "HandedOff", "Yielded", "Forced"]);
    let forced = look(OnConflict::Force).await?;
    assert_eq!(told(&forced)[0], format!("{old} Union Forced"));
    let paths = &told(&forced)[1..];
    assert!(
        paths.contains(&old.to_owned()) && paths.iter().any(|path| path.starts_with(".spec.ports[port=81")),
        "{paths:?}"
    );
    let live = services.get("web").await?;
    assert_eq!(live.metadata.resource_version, before.metadata.resource_version);
    Ok(())
}
