//! What did not change since the last look is not dry-run again.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use fairlead::cluster::apply::{Adoption, Applier, ApplySettings, Shadowed};
use fairlead::cluster::calls::Calls;
use fairlead::cluster::discovery::KindCache;
use fairlead::ownership::class::Roster;
use fairlead::ownership::intent::{Intent, ReleaseIdentity};
use fairlead::ownership::policy::{Moment, Policy};
use fairlead::ownership::redact::Redactor;
use fairlead::ownership::shadow::{Effect, ObjectShadow};
use fairlead_controlplane::ControlPlane;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;

use super::api;
use crate::support::Result;

#[tokio::test]
async fn only_what_changed_is_looked_at_again() -> Result {
    let plane = ControlPlane::shared().await?;
    let namespace = plane.namespace("again").await?;
    let client = plane.client()?;
    let release = ReleaseIdentity {
        name: "shop".to_owned(),
        namespace: namespace.name().to_owned(),
    };
    let settings = ApplySettings {
        roster: Roster::new("fairlead:a/shop", Vec::new(), None),
        policy: Policy::default(),
        release: release.clone(),
        redactor: Redactor::new(*b"salt"),
        adoption: Adoption::TakeOwnership,
        parallelism: NonZeroUsize::MIN,
    };
    let timeout = Duration::from_secs(30);
    let kinds = Arc::new(KindCache::new(client.clone(), timeout));
    let applier = Applier::new(Calls::new(client.clone(), timeout), kinds, Arc::new(settings));
    let map = |name: &str, key: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": key}});
    let maps = api(&client, &namespace, "ConfigMap");
    for name in ["a", "b"] {
        let object = serde_json::from_value(map(name, "theirs"))?;
        maps.create(&PostParams::default(), &object).await?;
    }
    let moment = Moment {
        now: "2026-06-01T00:00:00Z".parse()?,
        retries_exhausted: false,
    };
    let look = async |before: &[ObjectShadow], key: &str| -> Result<Vec<ObjectShadow>> {
        let intents = ["a", "b"].map(|name| Intent::new(map(name, key), Some(&release)));
        let intents = intents.into_iter().collect::<std::result::Result<_, _>>()?;
        let Shadowed { objects, failures } = applier.shadow(intents, before, &HashSet::new(), moment).await;
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
