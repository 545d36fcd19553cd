//! Those who inject certificates and settings into webhooks and definitions.

use k8s_openapi::ByteString;
use serde_json::{Value, json};

use super::play::Play;
use super::seen::Seen;
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

fn injected(name: &str, bundle: &str) -> Value {
    json!({"webhooks": [{"name": name, "clientConfig": {"caBundle": bundle}}]})
}

pub(crate) async fn row_10_a_job_patches_the_bundle(seen: Seen) -> Result {
    let play = Play::open(&seen).await?;
    let chart = configuration(&play, "job", &[hook("a.example.com", Some("Cg=="))]);
    play.wants(std::slice::from_ref(&chart)).await?;
    play.is_ready().await?;
    let patch = injected("a.example.com", BUNDLE.trim());
    play.stage
        .strategic_patch_as("kube-webhook-certgen", &chart, &patch)
        .await;
    let told = format!("{FIELD} kube-webhook-certgen Real Yielded by wellKnownOwners/webhook-ca-bundle");
    play.tells(&[&told]).await?;
    play.is_ready().await?;
    assert_eq!(
        play.live(&chart).await["webhooks"][0]["clientConfig"]["caBundle"],
        json!(BUNDLE.trim())
    );
    assert_eq!(play.owners(&chart, FIELD).await?, ["kube-webhook-certgen Update"]);
    play.ends().await
}

pub(crate) async fn row_11_an_operator_patches_the_bundles_of_its_webhooks(seen: Seen) -> Result {
    let play = Play::open(&seen).await?;
    let hooks = [hook("a.example.com", Some("Cg==")), hook("b.example.com", Some("Cg=="))];
    let chart = configuration(&play, "own", &hooks);
    play.wants(std::slice::from_ref(&chart)).await?;
    play.is_ready().await?;
    let both = json!({"webhooks": [
        {"name": "a.example.com", "clientConfig": {"caBundle": BUNDLE.trim()}},
        {"name": "b.example.com", "clientConfig": {"caBundle": BUNDLE.trim()}}]});
    play.stage.strategic_patch_as("elastic-operator", &chart, &both).await;
    let told = |name: &str| {
        format!(
            ".webhooks[name=\"{name}\"].clientConfig.caBundle elastic-operator Real Yielded by wellKnownOwners/webhook-ca-bundle"
        )
    };
    play.tells(&[&told("a.example.com"), &told("b.example.com")]).await?;
    play.is_ready().await?;
    assert_eq!(play.owners(&chart, FIELD).await?, ["elastic-operator Update"]);
    play.ends().await
}

pub(crate) async fn row_12_a_bundle_that_the_chart_looked_up_is_rotated(seen: Seen) -> Result {
    let play = Play::open(&seen).await?;
    let chart = configuration(&play, "found", &[hook("a.example.com", Some(BUNDLE.trim()))]);
    play.wants(std::slice::from_ref(&chart)).await?;
    play.is_ready().await?;
    // The hook writes what the chart has found: the field is shared.
    let mut applied = injected("a.example.com", BUNDLE.trim());
    for key in ["apiVersion", "kind", "metadata"] {
        applied[key] = chart[key].clone();
    }
    play.stage.apply_as("kubectl-patch", &applied).await;
    assert_eq!(
        play.owners(&chart, FIELD).await?,
        [play.ours(), "kubectl-patch Apply".to_owned()]
    );
    play.tells_nothing().await?;
    // Then it is rotated.
    let one: ByteString = serde_json::from_value(json!(BUNDLE.trim()))?;
    let rotated = serde_json::to_value(ByteString([one.0.clone(), one.0].concat()))?;
    applied["webhooks"][0]["clientConfig"]["caBundle"] = rotated.clone();
    play.stage.apply_as("kubectl-patch", &applied).await;
    let told = format!("{FIELD} kubectl-patch Real Yielded by wellKnownOwners/webhook-ca-bundle");
    play.tells(&[&told]).await?;
    play.is_ready().await?;
    assert_eq!(
        play.live(&chart).await["webhooks"][0]["clientConfig"]["caBundle"],
        rotated
    );
    play.ends().await
}

pub(crate) async fn row_13_istiod_sets_the_failure_policy(seen: Seen) -> Result {
    let play = Play::open(&seen).await?;
    let chart = configuration(&play, "istio", &[hook("a.example.com", None)]);
    play.wants(std::slice::from_ref(&chart)).await?;
    play.is_ready().await?;
    let fail = json!({"webhooks": [{"name": "a.example.com", "failurePolicy": "Fail"}]});
    play.stage.strategic_patch_as("pilot-discovery", &chart, &fail).await;
    let field = ".webhooks[name=\"a.example.com\"].failurePolicy";
    play.tells(&[&format!(
        "{field} pilot-discovery Real Yielded by wellKnownOwners/istio-failure-policy"
    )])
    .await?;
    play.is_ready().await?;
    assert_eq!(play.live(&chart).await["webhooks"][0]["failurePolicy"], json!("Fail"));
    assert_eq!(play.owners(&chart, field).await?, ["pilot-discovery Update"]);
    play.ends().await
}

fn definition(group: &str, conversion: &Value) -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": format!("widgets.{group}")},
        "spec": {"group": group, "scope": "Namespaced", "names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"},
            "conversion": conversion,
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]}})
}

pub(crate) async fn row_14_a_bundle_outlives_the_conversion_that_it_is_for(seen: Seen) -> Result {
    let mut play = Play::open(&seen).await?;
    let group = format!("{}.example.com", play.stage.namespace.name());
    let client = json!({"service": {"name": "hook", "namespace": "default", "path": "/convert"}});
    let webhook =
        json!({"strategy": "Webhook", "webhook": {"clientConfig": client, "conversionReviewVersions": ["v1"]}});
    let before = definition(&group, &webhook);
    let after = definition(&group, &json!({"strategy": "None"}));
    play.wants(std::slice::from_ref(&before)).await?;
    play.is_ready().await?;
    let bundle = json!({"spec": {"conversion": {"webhook": {"clientConfig": {"caBundle": BUNDLE.trim()}}}}});
    play.stage.patch_as("cert-manager-cainjector", &before, &bundle).await;

    play.wants(std::slice::from_ref(&after)).await?;
    play.tells(&[".spec.conversion.webhook cert-manager-cainjector Union Failed by onConflict"])
        .await?;
    play.is_not_ready(&[".spec.conversion.webhook of cert-manager-cainjector"])
        .await?;
    assert_eq!(
        play.live(&before).await["spec"]["conversion"]["strategy"],
        json!("Webhook")
    );

    play.ownership(json!({"rules": [{"paths": [".spec.conversion"], "onConflict": "Force"}]}));
    play.wants(std::slice::from_ref(&after)).await?;
    play.tells(&[".spec.conversion.webhook cert-manager-cainjector Union Forced by rules[0]"])
        .await?;
    play.is_ready().await?;
    assert_eq!(
        play.live(&before).await["spec"]["conversion"],
        json!({"strategy": "None"})
    );
    assert_eq!(
        play.owners(&after, ".spec.conversion.webhook").await?,
        Vec::<String>::new()
    );
    play.ends().await
}

pub(crate) async fn row_15_a_webhook_leaves_the_chart_with_what_others_have_in_it(seen: Seen) -> Result {
    let play = Play::open(&seen).await?;
    let hooks = [hook("a.example.com", None), hook("b.example.com", None)];
    let both = configuration(&play, "less", &hooks);
    play.wants(std::slice::from_ref(&both)).await?;
    play.is_ready().await?;
    let patch = injected("b.example.com", BUNDLE.trim());
    play.stage
        .strategic_patch_as("cert-manager-cainjector", &both, &patch)
        .await;
    play.tells_nothing().await?;
    let less = configuration(&play, "less", hooks.get(..1).unwrap_or_default());
    play.wants(std::slice::from_ref(&less)).await?;
    play.tells(&[".webhooks[name=\"b.example.com\"] cert-manager-cainjector Real Forced by its item left the chart"])
        .await?;
    play.is_ready().await?;
    let live = play.live(&both).await;
    assert_eq!(live["webhooks"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        play.owners(&both, ".webhooks[name=\"b.example.com\"]").await?,
        Vec::<String>::new()
    );
    play.ends().await
}
