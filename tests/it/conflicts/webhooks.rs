//! Those who inject certificates and settings into webhooks and definitions.

use k8s_openapi::ByteString;
use serde_json::{Value, json};

use super::contest::{OURS, contest};
use super::play::Play;
use crate::support::Result;

/// A certificate authority that the server accepts; made for this test, its key is thrown away.
const BUNDLE: &str = include_str!("bundle.txt");

const FIELD: &str = ".webhooks[name=\"a.example.com\"].clientConfig.caBundle";

/// A webhook that is never called.
fn hook(name: &str, bundle: Option<&str>) -> Value {
    let mut client = json!({"service": {"name": "hook", "namespace": "default"}});
    if let Some(bundle) = bundle {
        client["caBundle"] = json!(bundle);
    }
    json!({"name": name, "sideEffects": "None", "admissionReviewVersions": ["v1"], "clientConfig": client, "failurePolicy": "Ignore",
        "rules": [{"apiGroups": ["none.example.com"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["nothing"], "scope": "*"}]})
}

fn configuration(play: &Play, name: &str, hooks: &[Value]) -> Value {
    json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": format!("{name}-{}", play.stage.namespace.name())}, "webhooks": hooks})
}

/// Adds what says which object it is, so that it can be applied.
fn of_object(object: &Value, mut part: Value) -> Value {
    for key in ["apiVersion", "kind", "metadata"] {
        part[key] = object[key].clone();
    }
    part
}

fn injected(name: &str, bundle: &str) -> Value {
    json!({"webhooks": [{"name": name, "clientConfig": {"caBundle": bundle}}]})
}

pub(crate) async fn row_08_an_injected_bundle_is_kept_where_the_chart_has_none(play: &mut Play) -> Result {
    let mut chart = configuration(play, "injected", &[hook("a.example.com", None)]);
    play.installs(std::slice::from_ref(&chart)).await?;
    let patch = injected("a.example.com", BUNDLE.trim());
    play.stage
        .strategic_patch_as("cert-manager-cainjector", &chart, &patch)
        .await;
    chart["metadata"]["labels"] = json!({"version": "2"});
    play.wants(std::slice::from_ref(&chart)).await?;
    play.tells_nothing().await?;
    play.holds(&chart, ".metadata.labels.version", "2", &[OURS]).await?;
    let injector = ["cert-manager-cainjector Update"];
    play.holds(&chart, FIELD, BUNDLE.trim(), &injector).await
}

/// Whether it patches, as it did once, or applies with force, as it does now.
pub(crate) async fn row_09_a_placeholder_never_replaces_an_injected_bundle(play: &mut Play) -> Result {
    let patched = configuration(play, "patched", &[hook("a.example.com", Some("Cg=="))]);
    let applied = configuration(play, "applied", &[hook("a.example.com", Some("Cg=="))]);
    play.installs(&[patched.clone(), applied.clone()]).await?;
    let patch = injected("a.example.com", BUNDLE.trim());
    play.stage
        .strategic_patch_as("cert-manager-cainjector", &patched, &patch)
        .await;
    let whole = of_object(&applied, patch);
    play.stage.apply_as("cert-manager-cainjector", &whole).await;
    let line = format!("{FIELD} cert-manager-cainjector Real Yielded by wellKnownOwners/webhook-ca-bundle");
    play.tells(&[
        contest(&patched, &line, BUNDLE.trim(), &["cert-manager-cainjector Update"]),
        contest(&applied, &line, BUNDLE.trim(), &["cert-manager-cainjector Apply"]),
    ])
    .await?;
    Ok(())
}

pub(crate) async fn row_10_a_job_patches_the_bundle(play: &mut Play) -> Result {
    let chart = configuration(play, "job", &[hook("a.example.com", Some("Cg=="))]);
    play.installs(std::slice::from_ref(&chart)).await?;
    let patch = injected("a.example.com", BUNDLE.trim());
    play.stage
        .strategic_patch_as("kube-webhook-certgen", &chart, &patch)
        .await;
    let line = format!("{FIELD} kube-webhook-certgen Real Yielded by wellKnownOwners/webhook-ca-bundle");
    let job = ["kube-webhook-certgen Update"];
    play.tells(&[contest(&chart, &line, BUNDLE.trim(), &job)]).await?;
    Ok(())
}

pub(crate) async fn row_11_an_operator_patches_the_bundles_of_its_webhooks(play: &mut Play) -> Result {
    let names = ["a.example.com", "b.example.com"];
    let chart = configuration(play, "own", &names.map(|name| hook(name, Some("Cg=="))));
    play.installs(std::slice::from_ref(&chart)).await?;
    let hooks = names.map(|name| json!({"name": name, "clientConfig": {"caBundle": BUNDLE.trim()}}));
    let both = json!({"webhooks": hooks});
    play.stage.strategic_patch_as("elastic-operator", &chart, &both).await;
    let left = names.map(|name| {
        let field = format!(".webhooks[name=\"{name}\"].clientConfig.caBundle");
        let line = format!("{field} elastic-operator Real Yielded by wellKnownOwners/webhook-ca-bundle");
        contest(&chart, &line, BUNDLE.trim(), &["elastic-operator Update"])
    });
    play.tells(&left).await?;
    Ok(())
}

pub(crate) async fn row_12_a_bundle_that_the_chart_looked_up_is_rotated(play: &mut Play) -> Result {
    let chart = configuration(play, "found", &[hook("a.example.com", Some(BUNDLE.trim()))]);
    play.installs(std::slice::from_ref(&chart)).await?;
    // The hook writes what the chart has found: the field is shared.
    let mut applied = of_object(&chart, injected("a.example.com", BUNDLE.trim()));
    play.stage.apply_as("kubectl-patch", &applied).await;
    play.looks_again().await?;
    play.tells_nothing().await?;
    play.holds(&chart, FIELD, BUNDLE.trim(), &["kubectl-patch Apply", OURS])
        .await?;
    // Then it is rotated.
    let one: ByteString = serde_json::from_value(json!(BUNDLE.trim()))?;
    let rotated = serde_json::to_value(ByteString([one.0.clone(), one.0].concat()))?;
    applied["webhooks"][0]["clientConfig"]["caBundle"] = rotated.clone();
    play.stage.apply_as("kubectl-patch", &applied).await;
    let line = format!("{FIELD} kubectl-patch Real Yielded by wellKnownOwners/webhook-ca-bundle");
    play.tells(&[contest(&chart, &line, rotated, &["kubectl-patch Apply"])])
        .await?;
    Ok(())
}

pub(crate) async fn row_13_istiod_sets_the_failure_policy(play: &mut Play) -> Result {
    let chart = configuration(play, "istio", &[hook("a.example.com", None)]);
    play.installs(std::slice::from_ref(&chart)).await?;
    let fail = json!({"webhooks": [{"name": "a.example.com", "failurePolicy": "Fail"}]});
    play.stage.strategic_patch_as("pilot-discovery", &chart, &fail).await;
    let field = ".webhooks[name=\"a.example.com\"].failurePolicy";
    let line = format!("{field} pilot-discovery Real Yielded by wellKnownOwners/istio-failure-policy");
    play.tells(&[contest(&chart, &line, "Fail", &["pilot-discovery Update"])])
        .await?;
    Ok(())
}

fn definition(group: &str, conversion: &Value) -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": format!("widgets.{group}")},
        "spec": {"group": group, "scope": "Namespaced", "names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"},
            "conversion": conversion,
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]}})
}

pub(crate) async fn row_14_a_bundle_outlives_the_conversion_that_it_is_for(play: &mut Play) -> Result {
    let group = format!("{}.example.com", play.stage.namespace.name());
    let client = json!({"service": {"name": "hook", "namespace": "default", "path": "/convert"}});
    let webhook =
        json!({"strategy": "Webhook", "webhook": {"clientConfig": client, "conversionReviewVersions": ["v1"]}});
    let before = definition(&group, &webhook);
    let after = definition(&group, &json!({"strategy": "None"}));
    play.installs(std::slice::from_ref(&before)).await?;
    let bundle = json!({"spec": {"conversion": {"webhook": {"clientConfig": {"caBundle": BUNDLE.trim()}}}}});
    play.stage.patch_as("cert-manager-cainjector", &before, &bundle).await;
    let live = play.live(&before).await["spec"]["conversion"]["webhook"].clone();

    play.wants(std::slice::from_ref(&after)).await?;
    let line = ".spec.conversion.webhook cert-manager-cainjector Union Failed by onConflict";
    play.tells(&[contest(&before, line, live, &[])]).await?;
    let bundle = ".spec.conversion.webhook.clientConfig.caBundle";
    let injector = ["cert-manager-cainjector Update"];
    play.holds(&before, bundle, BUNDLE.trim(), &injector).await?;
    play.holds(&before, ".spec.conversion.strategy", "Webhook", &[OURS])
        .await?;

    play.ownership(json!({"rules": [{"paths": [".spec.conversion"], "onConflict": "Force"}]}));
    play.wants(std::slice::from_ref(&after)).await?;
    let line = ".spec.conversion.webhook cert-manager-cainjector Union Forced by rules[0]";
    play.tells(&[contest(&after, line, Value::Null, &[])]).await?;
    play.holds(&after, ".spec.conversion.strategy", "None", &[OURS]).await
}

pub(crate) async fn row_15_a_webhook_leaves_the_chart_with_what_others_have_in_it(play: &mut Play) -> Result {
    let [stays, goes] = [hook("a.example.com", None), hook("b.example.com", None)];
    let both = configuration(play, "less", &[stays.clone(), goes]);
    play.installs(std::slice::from_ref(&both)).await?;
    let patch = injected("b.example.com", BUNDLE.trim());
    play.stage
        .strategic_patch_as("cert-manager-cainjector", &both, &patch)
        .await;
    play.looks_again().await?;
    play.tells_nothing().await?;
    let less = configuration(play, "less", &[stays]);
    play.wants(std::slice::from_ref(&less)).await?;
    let line = ".webhooks[name=\"b.example.com\"] cert-manager-cainjector Real Forced by its item left the chart";
    play.tells(&[contest(&less, line, Value::Null, &[])]).await?;
    play.holds(&less, ".webhooks[name=\"a.example.com\"].failurePolicy", "Ignore", &[OURS])
        .await
}
