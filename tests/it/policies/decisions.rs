//! Decisions that do not stand in the release's own rules: retries that end, a person's word, ConflictPolicies, breakers of
//! fights.

use std::time::Duration;

use fairlead::api::{ConflictPolicy, HelmRelease};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::{contested, count, event, first_contested, key_becomes, rival, shop};
use crate::support::Result;
use crate::support::installation::{Installation, condition};
use crate::support::wait::becomes;

/// A person's decisions, as `fairlead resolve` writes them.
async fn resolve(installation: &Installation, decisions: &Value) -> Result {
    let patch = json!({"metadata": {"annotations": {"fairlead.dev/resolve": decisions.to_string()}}});
    let releases: Api<HelmRelease> = installation.api();
    releases
        .patch("shop", &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    Ok(())
}

/// The names of those who own the key of the map `shop`.
async fn owners(installation: &Installation) -> Result<Vec<String>> {
    let map = installation.api::<ConfigMap>().get("shop").await?;
    let mut owners: Vec<String> = map
        .managed_fields()
        .iter()
        .filter(|entry| {
            let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
            fields.is_some_and(|fields| fields.pointer("/f:data/f:key").is_some())
        })
        .filter_map(|entry| entry.manager.clone())
        .collect();
    owners.sort();
    Ok(owners)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retries_end_and_then_decides() -> Result {
    let retry = json!({"limit": 2, "interval": "1s", "then": "Yield"});
    let installation = shop("retry", json!({"onConflict": "Retry", "retry": retry})).await?;
    rival(&installation, json!("theirs")).await?;
    let field = contested(&installation, "Retrying").await?;
    assert_eq!(field["rule"], "onConflict");
    contested(&installation, "Yielded").await?;
    installation.ready_is("shop", "True", &[]).await?;
    key_becomes(&installation, "shop", "theirs").await?;
    for action in ["Retrying", "Yielded"] {
        assert_eq!(
            count(&installation, "fairlead_ssa_conflicts_total", action).await?,
            Some(1.0)
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_handed_off_waits_for_a_persons_word() -> Result {
    let installation = shop("handoff", json!({"onConflict": "HandOff"})).await?;
    rival(&installation, json!("theirs")).await?;
    contested(&installation, "HandedOff").await?;
    let release = installation.ready_is("shop", "False", &[".data.key of rival"]).await?;
    assert_eq!(condition(&release, "Stalled")["reason"], "ConflictHandedOff");
    let object = json!({"kind": "ConfigMap", "name": "shop"});
    resolve(
        &installation,
        &json!([{"object": object, "path": ".data.key", "manager": "rival", "decision": "Adopt", "by": "test"}]),
    )
    .await?;
    let field = contested(&installation, "Adopted").await?;
    assert_eq!(field["rule"], "resolve[0]");
    let release = installation.ready_is("shop", "True", &[]).await?;
    key_becomes(&installation, "shop", "theirs").await?;
    assert_eq!(
        owners(&installation).await?,
        [release.field_manager(), "rival".to_owned()]
    );
    event(&installation, &release, "FieldAdopted").await?;

    resolve(&installation, &json!([{"path": ".data.key", "decision": "Force"}])).await?;
    key_becomes(&installation, "shop", "ours").await?;
    assert_eq!(owners(&installation).await?, [release.field_manager()]);

    resolve(&installation, &json!([{"path": ".data[", "decision": "Force"}])).await?;
    let texts = ["the annotation fairlead.dev/resolve: [0]: paths[0]: "];
    installation.ready_is("shop", "False", &texts).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_policy_decides_for_the_releases_that_it_selects() -> Result {
    let installation = shop("shared", json!({})).await?;
    let policies: Api<ConflictPolicy> = Api::all(installation.client.clone());
    let name = installation.namespace.name().to_owned();
    let rule = json!({"name": "keep", "paths": [".data.key"], "onConflict": "Yield"});
    let policy = |namespace: &str| {
        json!({"apiVersion": "fairlead.dev/v1alpha1", "kind": "ConflictPolicy", "metadata": {"name": name}, "spec": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}, "rules": [rule]}})
    };
    let apply = async |namespace: &str| {
        let patch = Patch::Apply(policy(namespace));
        policies
            .patch(&name, &PatchParams::apply("person").force(), &patch)
            .await
    };
    apply("elsewhere").await?;
    rival(&installation, json!("theirs")).await?;
    contested(&installation, "Failed").await?;
    apply(&name).await?;
    let field = contested(&installation, "Yielded").await?;
    assert_eq!(field["rule"], json!(format!("ConflictPolicy/{name}/rules/keep")));
    installation.ready_is("shop", "True", &[]).await?;
    policies.delete(&name, &DeleteParams::default()).await?;
    let field = contested(&installation, "Failed").await?;
    assert_eq!(field["rule"], "onConflict");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fight_opens_the_breaker_which_closes_by_itself() -> Result {
    let fights = json!({"threshold": 2, "then": "HandOff"});
    let installation = shop("fight", json!({"onConflict": "Force", "fights": fights})).await?;
    // A third correction within a minute is more than two a minute.
    for round in ["one", "two", "three"] {
        rival(&installation, json!(round)).await?;
        key_becomes(&installation, "shop", "ours").await?;
    }
    let fought = |release: &HelmRelease| condition(release, "Conflicted")["reason"] == "FieldFight";
    let releases = installation.api::<HelmRelease>();
    let long = Duration::from_mins(2);
    let found = becomes(&releases, "shop", long, |release: Option<&HelmRelease>| {
        release.is_some_and(fought)
    });
    let release = found.await?.ok_or("no release")?;
    let message = condition(&release, "Conflicted")["message"].to_string();
    assert!(
        message.contains("shop .data.key is overwritten by") && message.contains("rival"),
        "{message}"
    );
    let note = event(&installation, &release, "FieldFight").await?;
    assert!(note.contains("times a minute"), "{note}");
    let metrics = installation.operator.metrics().await?;
    let labels = [("release", "shop")];
    assert_eq!(metrics.sum("fairlead_field_fights_total", &labels), Some(1.0));
    assert_eq!(metrics.sum("fairlead_field_fights_active", &labels), Some(1.0));

    rival(&installation, json!("four")).await?;
    let field = contested(&installation, "HandedOff").await?;
    assert_eq!(field["rule"], "fights");
    key_becomes(&installation, "shop", "four").await?;
    // The heat of at most three writes fades below that of one in ln 3 minutes.
    let is_over = |map: Option<&ConfigMap>| {
        let data = map.and_then(|map| map.data.as_ref());
        data.and_then(|data| data.get("key")).is_some_and(|key| key == "ours")
    };
    becomes(&installation.api::<ConfigMap>(), "shop", long, is_over).await?;
    let is_calm = |release: Option<&HelmRelease>| release.is_some_and(|release| !fought(release));
    let release = becomes(&releases, "shop", long, is_calm).await?.ok_or("no release")?;
    assert_eq!(first_contested(&release)["action"], "Forced");
    Ok(())
}
