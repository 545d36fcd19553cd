//! `spec.mode: Shadow`: the operator looks, tells, and writes nothing but the status.

use fairlead::api::{ConflictPolicy, HelmRelease};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::{OBJECTS, api, assert_no_secret, everything, fairlead, lines, rivals, told};
use crate::support::Result;
use crate::support::installation::{DEADLINE, Installation, condition};
use crate::support::wait::{becomes, has_condition, is_absent};

/// A release of Helm, applied by the client as Helm 3 did, with the edits of others; nothing moves any more.
async fn helm_release(prefix: &str) -> Result<Installation> {
    let installation = Installation::start(prefix).await?;
    let files = [("templates/objects.yaml", OBJECTS)];
    installation.repository.add("shop", "1.0.0", &files).await?;
    let (url, namespace) = (installation.repository.url(), installation.namespace.name());
    let install = [
        "install",
        "shop",
        "shop",
        "--repo",
        url,
        "--namespace",
        namespace,
        "--server-side=false",
        "--set",
        "old=before",
    ];
    installation.plane.helm(&install).await?.checked()?;
    let deployments: Api<Deployment> = installation.api();
    becomes(&deployments, "shop", DEADLINE, has_condition("Available", "True")).await?;
    rivals(&installation.client, namespace, "shop").await?;
    Ok(installation)
}

fn status(release: &HelmRelease) -> Value {
    serde_json::to_value(&release.status).unwrap_or_default()
}

/// Waits until the status of `shop` is as wanted.
async fn status_is(installation: &Installation, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    let releases: Api<HelmRelease> = installation.api();
    let is = |release: Option<&HelmRelease>| release.is_some_and(|release| wanted(&status(release)));
    let met = becomes(&releases, "shop", DEADLINE, is).await;
    let met = met.map_err(|error| format!("{error}; the operator logged:\n{}", installation.operator.log()))?;
    Ok(status(&met.ok_or("no release")?))
}

async fn gauge(installation: &Installation, labels: &[(&str, &str)]) -> Result<Option<f64>> {
    let metrics = installation.operator.metrics().await?;
    let release = [("release", "shop"), ("namespace", installation.namespace.name())];
    Ok(metrics.sum("fairlead_shadow_conflicts", &[release.as_slice(), labels].concat()))
}

const STOPPING: [&str; 3] = [
    ".data.key kubectl-edit Real Failed",
    ".data.password rotator Real Failed",
    ".data.sibling fairlead:prod/other Sibling Failed",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shadow_tells_of_conflicts_of_every_class_and_writes_nothing() -> Result {
    let installation = helm_release("shadow").await?;
    let (client, namespace) = (installation.client.clone(), installation.namespace.name());
    let before = everything(&client, namespace).await?;

    let values = json!({"mode": "Shadow", "values": {"more": true}});
    installation.release("shop", values.clone()).await?;
    let release = installation
        .ready_is("shop", "True", &["nothing was written", "3 would stop"])
        .await?;
    assert_eq!(condition(&release, "Ready")["reason"], "ShadowCompared");
    assert_eq!(condition(&release, "Conflicted")["reason"], "ConflictFailed");
    assert_eq!(condition(&release, "Drifted")["status"], "True");
    assert!(release.finalizers().is_empty(), "{:?}", release.finalizers());

    let first = status(&release);
    assert_eq!(lines(&first["ownership"]["contested"]), STOPPING);
    assert_eq!(
        first["ownership"]["conflicts"]["byClass"],
        json!({"Real": 2, "Sibling": 1})
    );
    let shadow = &first["shadow"];
    // What Helm itself wrote is adopted, whether its value would change (`old`) or not (the quantities).
    assert_eq!(shadow["adopted"], json!({"Legacy": 1, "Phantom": 2}));
    let counts = json!({"created": 1, "changed": 1, "adopted": 2, "unchanged": 0, "removed": 0, "refused": 0});
    assert_eq!(shadow["objects"], counts);
    assert_eq!(shadow["changes"][0]["paths"], json!([".data.old"]));
    let stops = |policy: &str| shadow["policies"][policy]["stops"].clone();
    assert_eq!(
        ["Fail", "Retry", "HandOff", "Yield", "Force"].map(stops),
        [true, true, true, false, false]
    );
    assert_eq!(shadow["policies"]["Force"]["byAction"], json!({"Forced": 3}));
    assert_eq!((&first["history"], &first["inventory"]), (&Value::Null, &Value::Null));

    assert_eq!(everything(&client, namespace).await?, before);
    let ledgers = api(&client, namespace, "ReleaseLedger")
        .list(&ListParams::default())
        .await?;
    assert!(ledgers.items.is_empty());
    assert_eq!(
        gauge(&installation, &[("class", "Real"), ("action", "Failed")]).await?,
        Some(2.0)
    );
    assert_eq!(gauge(&installation, &[("class", "Sibling")]).await?, Some(1.0));
    let events = installation.events(&release).await?;
    assert!(
        events.iter().any(|(reason, _)| reason == "ShadowCompared"),
        "{events:?}"
    );
    let markdown = told(installation.plane, &["shadow", "shop", "-n", namespace]).await?;
    let log = installation.operator.log();
    assert_no_secret(&format!("{first} {events:?} {markdown} {log}"));

    // The same facts again: the same bytes, but for the answer to the request.
    installation.request("shop", "again").await?;
    let mut again = status_is(&installation, |status| status["lastHandledReconcileAt"] == "again").await?;
    again
        .as_object_mut()
        .and_then(|status| status.remove("lastHandledReconcileAt"));
    assert_eq!(again, first);
    assert_eq!(everything(&client, namespace).await?, before);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_exported_policy_lets_the_release_through() -> Result {
    let installation = helm_release("policy").await?;
    let (plane, namespace) = (installation.plane, installation.namespace.name());
    let spec = json!({"mode": "Shadow", "values": {"more": true}});
    installation.release("shop", spec).await?;
    installation.ready_is("shop", "True", &["3 would stop"]).await?;

    let name = format!("shadow-{namespace}");
    let command = ["shadow", "shop", "-n", namespace, "--policy-name", &name];
    let failing = [command.as_slice(), &["--fail-on", "conflicts"]].concat();
    let (success, _, errors) = fairlead(plane, &failing).await?;
    assert!(
        !success && errors.contains("1 of 1 releases could not be applied"),
        "{errors}"
    );
    let export = [command.as_slice(), &["-o", "policy"]].concat();
    let policy = told(plane, &export).await?;
    assert_no_secret(&policy);
    plane.kubectl(&["apply", "-f", "-"], Some(&policy)).await?.checked()?;

    // The policy wakes the release, and the same report is one without anything that stops.
    let status = status_is(&installation, |status| {
        status["ownership"]["conflicts"]["byAction"] == json!({"Yielded": 3})
    });
    let status = status.await?;
    let rule = status["ownership"]["contested"][0]["rule"].as_str().unwrap_or_default();
    assert!(
        rule.starts_with(&format!("ConflictPolicy/{name}/rules/yield-")),
        "{rule}"
    );
    told(plane, &failing).await?;
    let json: Value = serde_json::from_str(&told(plane, &[command.as_slice(), &["-o", "json"]].concat()).await?)?;
    assert_eq!(
        (&json["releases"][0]["applies"], &json["totals"]["stopped"]),
        (&json!(true), &json!(0))
    );
    // What is exported again takes the place of what is there, so nothing of it may be lost.
    let (rules, fresh) = (policy.lines().skip(1), told(plane, &export).await?);
    assert_eq!(rules.collect::<Vec<_>>(), fresh.lines().skip(1).collect::<Vec<_>>());

    // And indeed it goes through, and takes nothing from anybody.
    installation
        .release("shop", json!({"mode": "Apply", "values": {"more": true}}))
        .await?;
    let release = installation.ready_is("shop", "True", &["upgrade succeeded"]).await?;
    let map = installation
        .api::<ConfigMap>()
        .get("shop")
        .await?
        .data
        .unwrap_or_default();
    let value = |key: &str| map.get(key).map(String::as_str);
    assert_eq!(
        [value("key"), value("sibling"), value("old")],
        [Some("theirs"), Some("another"), Some("first")]
    );
    // What the shadow rendered, with randomness that anybody can work out, is not what was applied.
    let seeds: Api<Secret> = installation.api();
    seeds.get("fairlead.seed.shop").await?;
    assert!(self::status(&release)["shadow"].is_null());
    assert_eq!(condition(&release, "Drifted"), Value::Null);
    assert_eq!(gauge(&installation, &[]).await?, None);
    let policies: Api<ConflictPolicy> = Api::all(installation.client.clone());
    policies.delete(&name, &DeleteParams::default()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_applied_release_can_go_into_the_shadow_and_back() -> Result {
    let installation = Installation::start("modes").await?;
    let (client, namespace) = (installation.client.clone(), installation.namespace.name());
    let files = [("templates/objects.yaml", OBJECTS)];
    installation.repository.add("shop", "1.0.0", &files).await?;
    installation.release("shop", json!({"values": {"more": true}})).await?;
    let applied = installation.ready_is("shop", "True", &["install succeeded"]).await?;
    let before = everything(&client, namespace).await?;

    // Without `more`, the chart has an object less.
    installation
        .release(
            "shop",
            json!({"mode": "Shadow", "values": {"key": "new", "more": null}}),
        )
        .await?;
    let release = installation.ready_is("shop", "True", &["1 changed, 1 removed"]).await?;
    assert_eq!(everything(&client, namespace).await?, before);
    let (now, then) = (status(&release), status(&applied));
    assert_eq!(
        (&now["inventory"], &now["history"]),
        (&then["inventory"], &then["history"])
    );
    assert_eq!(now["shadow"]["objects"]["unchanged"], 2);
    let removed = now["shadow"]["changes"][0].clone();
    assert_eq!(removed["effect"], "Removed");
    assert_eq!(now["ownership"]["objects"], 3);

    // A change of a live object is told of without waiting for the interval.
    let rival = PatchParams {
        field_manager: Some("kubectl-edit".to_owned()),
        ..PatchParams::default()
    };
    let maps = api(&client, namespace, "ConfigMap");
    maps.patch("shop", &rival, &Patch::Merge(json!({"data": {"key": "theirs"}})))
        .await?;
    let told = status_is(&installation, |status| status["ownership"]["conflicts"]["total"] == 1).await?;
    assert_eq!(
        lines(&told["ownership"]["contested"]),
        [".data.key kubectl-edit Real Failed"]
    );
    assert_eq!(gauge(&installation, &[]).await?, Some(1.0));
    maps.patch("shop", &rival, &Patch::Merge(json!({"data": {"key": "ours"}})))
        .await?;

    installation
        .release("shop", json!({"mode": "Apply", "values": {"key": "ours"}}))
        .await?;
    installation.ready_is("shop", "True", &["upgrade succeeded"]).await?;
    becomes(&installation.api::<ConfigMap>(), "shop-more", DEADLINE, is_absent()).await?;
    assert_eq!(gauge(&installation, &[]).await?, None);

    // A release that goes in shadow mode leaves its objects where they are.
    installation.release("shop", json!({"mode": "Shadow"})).await?;
    installation.ready_is("shop", "True", &["nothing was written"]).await?;
    installation.uninstall("shop").await?;
    assert_eq!(installation.api::<ConfigMap>().get("shop").await?.name_any(), "shop");
    let metrics = installation.operator.metrics().await?;
    assert_eq!(metrics.sum("fairlead_release_ready", &[("release", "shop")]), None);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shadow_without_a_finalizer_leaves_no_series_behind() -> Result {
    let installation = Installation::start("gone").await?;
    let files = [("templates/objects.yaml", OBJECTS)];
    installation.repository.add("shop", "1.0.0", &files).await?;
    installation.release("shop", json!({"mode": "Shadow"})).await?;
    installation.ready_is("shop", "True", &["3 created"]).await?;
    installation.uninstall("shop").await?;
    let started = std::time::Instant::now();
    while installation
        .operator
        .metrics()
        .await?
        .sum("fairlead_release_ready", &[("release", "shop")])
        .is_some()
    {
        assert!(
            started.elapsed() < DEADLINE,
            "the series of a release that is gone stays"
        );
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    Ok(())
}
