//! Options of installs, upgrades and rollbacks, each with what it changes in the cluster.

use fairlead::api::{HelmRelease, ReleaseLedger};
use fairlead::cluster::discovery::KindCache;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use kube::runtime::conditions::is_crd_established;
use serde_json::{Value, json};

use super::stage::{BROKEN, history};
use crate::support::Result;
use crate::support::installation::{DEADLINE, Installation};
use crate::support::wait::becomes;

/// A map with all values, and one more for each name in `more`.
const MAPS: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {values: {{ toJson .Values | quote }}, served: {{ .Capabilities.APIVersions.Has "options.example.com/v1" | quote }}}
{{- range .Values.more }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ . }}}
data: {whose: ours}
{{- end }}
"#;

async fn installation(prefix: &str) -> Result<Installation> {
    let installation = Installation::start(prefix).await?;
    let files = [("templates/maps.yaml", MAPS), ("values.yaml", "more: []\n")];
    installation.repository.add("shop", "1.0.0", &files).await?;
    Ok(installation)
}

async fn data(installation: &Installation, name: &str, key: &str) -> Result<String> {
    let map = installation.api::<ConfigMap>().get(name).await?;
    let value = map.data.and_then(|mut data| data.remove(key));
    Ok(value.ok_or_else(|| format!("{name} has no {key}"))?)
}

async fn helm(installation: &Installation, arguments: &[&str]) -> Result<String> {
    let namespace = ["--namespace", installation.namespace.name()];
    let output = installation.plane.helm(&[arguments, &namespace].concat()).await?;
    Ok(output.checked()?)
}

/// A map that nobody's release made.
async fn somebodys(installation: &Installation, name: &str) -> Result {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"theirs": "1"}});
    installation.apply::<ConfigMap>(&map).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_of_others_are_refused_where_ownership_is_not_taken() -> Result {
    let installation = installation("ownership").await?;
    let maps: Api<ConfigMap> = installation.api();
    let refused = [
        "ConfigMap",
        "belongs to no release",
        "invalid ownership metadata",
        "disableTakeOwnership",
    ];
    somebodys(&installation, "first").await?;
    let spec = json!({"values": {"more": ["first"]}, "install": {"disableTakeOwnership": true}});
    installation.release("shop", spec).await?;
    installation.ready_is("shop", "False", &refused).await?;
    assert!(maps.get_opt("shop").await?.is_none(), "something was written");
    // By default it becomes the release's.
    installation
        .release("shop", json!({"values": {"more": ["first"]}}))
        .await?;
    installation.ready_is("shop", "True", &[]).await?;
    assert_eq!(data(&installation, "first", "whose").await?, "ours");

    // What is the release's already is not in the way.
    somebodys(&installation, "second").await?;
    let spec = json!({"values": {"more": ["first", "second"]}, "upgrade": {"disableTakeOwnership": true}});
    installation.release("shop", spec).await?;
    installation.ready_is("shop", "False", &refused).await?;
    assert!(!data(&installation, "shop", "values").await?.contains("second"));
    maps.delete("second", &DeleteParams::default()).await?;
    installation.ready_is("shop", "True", &["upgrade succeeded"]).await?;
    // Another release's is nobody's to take either.
    let spec = json!({"chart": {"spec": {"chart": "shop"}}, "values": {"more": ["second"]}, "install": {"disableTakeOwnership": true}});
    installation.release("rival", spec).await?;
    installation
        .ready_is("rival", "False", &["belongs to release", "/shop"])
        .await?;
    Ok(())
}

/// Fields that no schema has, unless a value says otherwise.
pub(super) const BOGUS: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  {{- if .Values.bogus }}
  bogus: 1
  {{- end }}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: web, image: "example.com/web:{{ .Values.tag }}"{{ if .Values.bogus }}, imagePulPolicy: Never{{ end }}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {tag: {{ .Values.tag | quote }}}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fields_that_no_schema_has_are_refused_unless_validation_is_disabled() -> Result {
    let installation = Installation::start("validation").await?;
    let files = [("templates/all.yaml", BOGUS), ("values.yaml", "bogus: true\ntag: a\n")];
    installation.repository.add("web", "1.0.0", &files).await?;
    let unknown = "field not declared in schema";
    installation.release("web", json!({})).await?;
    installation.ready_is("web", "False", &[unknown]).await?;
    let spec = json!({"install": {"disableOpenAPIValidation": true}});
    installation.release("web", spec.clone()).await?;
    let release = installation.ready_is("web", "True", &[]).await?;
    let texts = [
        "Deployment",
        ".spec.bogus",
        ".spec.template.spec.containers[name=\"web\"].imagePulPolicy",
    ];
    installation.event_is(&release, "FieldsLeftOut", &texts).await?;

    // Each action has its own option.
    let mut next = spec;
    next["values"] = json!({"tag": "b"});
    installation.release("web", next.clone()).await?;
    installation.ready_is("web", "False", &[unknown]).await?;
    next["upgrade"] = json!({"disableOpenAPIValidation": true});
    installation.release("web", next).await?;
    installation.ready_is("web", "True", &["upgrade succeeded"]).await?;
    let live = installation
        .api::<k8s_openapi::api::apps::v1::Deployment>()
        .get("web")
        .await?;
    let live = serde_json::to_value(live)?;
    assert_eq!(
        live["spec"]["template"]["spec"]["containers"][0]["image"],
        "example.com/web:b"
    );
    Ok(())
}

fn definition(plural: &str) -> String {
    let kind = plural.trim_end_matches('s');
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.options.example.com")},
        "spec": {"group": "options.example.com", "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]}})
    .to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crds_are_skipped_in_the_old_way_too_and_kinds_are_asked_for_anew() -> Result {
    let installation = Installation::start("skipped").await?;
    let definitions: Api<CustomResourceDefinition> = Api::all(installation.client.clone());
    let crd = definition("skippeds");
    let files = [
        ("templates/maps.yaml", MAPS),
        ("values.yaml", "more: []\n"),
        ("crds/crd.yaml", crd.as_str()),
    ];
    installation.repository.add("shop", "1.0.0", &files).await?;
    let upgrade = json!({"crds": "Skip"});
    let spec = json!({"install": {"skipCRDs": true}, "upgrade": upgrade});
    installation.release("shop", spec).await?;
    installation.ready_is("shop", "True", &[]).await?;
    assert!(definitions.get_opt("skippeds.options.example.com").await?.is_none());
    assert_eq!(data(&installation, "shop", "served").await?, "false");

    // The new way has precedence over the old one.
    let both = json!({"chart": {"spec": {"chart": "shop"}}, "install": {"skipCRDs": true, "crds": "Create"}});
    installation.release("both", both).await?;
    installation.ready_is("both", "True", &[]).await?;
    let established = is_crd_established();
    becomes(&definitions, "skippeds.options.example.com", DEADLINE, established).await?;
    definitions
        .delete("skippeds.options.example.com", &DeleteParams::default())
        .await?;

    // A kind that came from elsewhere, within the time for which the answer of the cluster is used again.
    let other: CustomResourceDefinition = serde_json::from_str(&definition("others"))?;
    let parameters = PatchParams::apply("person").force();
    let name = other.name_any();
    definitions.patch(&name, &parameters, &Patch::Apply(&other)).await?;
    becomes(&definitions, &name, DEADLINE, is_crd_established()).await?;
    let kinds = KindCache::new(installation.client.clone(), DEADLINE);
    let started = std::time::Instant::now();
    while kinds.resolve("options.example.com/v1", "other").await.is_err() {
        assert!(started.elapsed() < DEADLINE, "the kind is not discovered");
    }
    let spec = json!({"persistentClient": false, "values": {"more": []}, "upgrade": upgrade});
    installation.release("shop", spec).await?;
    installation.ready_is("shop", "True", &["upgrade succeeded"]).await?;
    definitions.delete(&name, &DeleteParams::default()).await?;
    assert_eq!(data(&installation, "shop", "served").await?, "true");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_name_of_an_uninstalled_release_is_used_again_only_when_it_is_replaced() -> Result {
    let installation = installation("replaced").await?;
    helm(
        &installation,
        &["install", "shop", "shop", "--repo", installation.repository.url()],
    )
    .await?;
    helm(&installation, &["uninstall", "shop", "--keep-history"]).await?;
    installation.release("shop", json!({})).await?;
    let texts = [
        "cannot reuse a name that is still in use",
        "revision 1",
        "spec.install.replace",
    ];
    installation.ready_is("shop", "False", &texts).await?;
    assert!(installation.api::<ConfigMap>().get_opt("shop").await?.is_none());
    let spec = json!({"install": {"replace": true}});
    installation.release("shop", spec).await?;
    let release = installation.ready_is("shop", "True", &["install succeeded"]).await?;
    assert_eq!(history(&release), [(2, "deployed".to_owned())]);
    // What it has released itself it brings back, whoever uninstalled it.
    installation.release("shop", json!({})).await?;
    helm(&installation, &["uninstall", "shop", "--keep-history"]).await?;
    let is_back = |map: Option<&ConfigMap>| map.is_some_and(|map| map.metadata.deletion_timestamp.is_none());
    becomes(&installation.api(), "shop", DEADLINE, is_back).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_are_preserved_as_helm_reuses_them() -> Result {
    let installation = Installation::start("preserved").await?;
    let before = "a: 0\nb: 0\nold: v1\nnested: {x: 1, w: 1}\n";
    let after = "a: 0\nb: 0\nold: v2\nnew: v2\nnested: {x: 2, w: 2}\n";
    for (version, values) in [("1.0.0", before), ("2.0.0", after)] {
        let files = [("templates/maps.yaml", MAPS), ("values.yaml", values)];
        installation.repository.add("shop", version, &files).await?;
    }
    let repository = ["--repo", installation.repository.url()];
    let oracle = async |arguments: &[&str]| helm(&installation, &[arguments, &repository].concat()).await;
    oracle(&[
        "install",
        "oracle",
        "shop",
        "--version",
        "1.0.0",
        "--set",
        "a=1,b=2,nested.x=3",
    ])
    .await?;
    let spec = json!({"chart": {"spec": {"version": "1.0.0"}}, "values": {"a": 1, "b": 2, "nested": {"x": 3}},
        "upgrade": {"preserveValues": true}});
    installation.release("shop", spec).await?;
    installation.ready_is("shop", "True", &[]).await?;
    oracle(&[
        "upgrade",
        "oracle",
        "shop",
        "--version",
        "2.0.0",
        "--reuse-values",
        "--set",
        "a=4,nested.z=5",
    ])
    .await?;
    let spec = json!({"chart": {"spec": {"version": "2.0.0"}}, "values": {"a": 4, "nested": {"z": 5}},
        "upgrade": {"preserveValues": true}});
    installation.release("shop", spec).await?;
    installation.ready_is("shop", "True", &["shop@2.0.0"]).await?;
    let (ours, helms) = (
        data(&installation, "shop", "values").await?,
        data(&installation, "oracle", "values").await?,
    );
    assert_eq!(ours, helms);
    let expected: Value = serde_json::from_str(r#"{"a":4,"b":2,"nested":{"w":1,"x":3,"z":5},"old":"v1"}"#)?;
    assert_eq!(serde_json::from_str::<Value>(&ours)?, expected);
    let config = helm(&installation, &["get", "values", "shop", "-o", "json"]).await?;
    assert_eq!(
        config,
        helm(&installation, &["get", "values", "oracle", "-o", "json"]).await?
    );

    // What is deployed is what is wanted: no revision follows on it.
    installation.request("shop", "1").await?;
    let handled = |release: Option<&HelmRelease>| {
        let status = release.and_then(|release| release.status.as_ref());
        status.is_some_and(|status| status.last_handled_reconcile_at.as_deref() == Some("1"))
    };
    let release = becomes(&installation.api(), "shop", DEADLINE, handled)
        .await?
        .ok_or("a release")?;
    assert_eq!(history(&release)[0], (2, "deployed".to_owned()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_metadata_of_the_chart_is_the_ledgers() -> Result {
    let installation = installation("metadata").await?;
    let spec = |metadata: Value| json!({"chart": {"metadata": metadata}});
    let first = json!({"labels": {"team": "a", "tier": "front"}, "annotations": {"example.com/note": "1"}});
    installation.release("shop", spec(first)).await?;
    installation.ready_is("shop", "True", &[]).await?;
    let ledgers: Api<ReleaseLedger> = installation.api();
    let is = |labels: Value, annotations: Value| {
        move |ledger: Option<&ReleaseLedger>| {
            ledger.is_some_and(|ledger| json!(ledger.labels()) == labels && json!(ledger.annotations()) == annotations)
        }
    };
    let expected = is(json!({"team": "a", "tier": "front"}), json!({"example.com/note": "1"}));
    becomes(&ledgers, "shop", DEADLINE, expected).await?;
    let selected = ledgers.list(&ListParams::default().labels("team=a")).await?;
    assert_eq!(selected.items.len(), 1);
    // What is set no more goes, though nothing else changes.
    installation
        .release("shop", spec(json!({"labels": {"team": "b"}})))
        .await?;
    becomes(&ledgers, "shop", DEADLINE, is(json!({"team": "b"}), json!({}))).await?;
    // What the API server refuses does not cost the ledger.
    installation
        .release(
            "shop",
            json!({"chart": {"metadata": {"labels": {"team": "not a label"}}}, "values": {"more": ["x"]}}),
        )
        .await?;
    installation.ready_is("shop", "True", &["upgrade succeeded"]).await?;
    let has_both = |ledger: Option<&ReleaseLedger>| {
        ledger.is_some_and(|ledger| ledger.spec.objects.len() == 2 && ledger.labels().is_empty())
    };
    becomes(&ledgers, "shop", DEADLINE, has_both).await?;
    Ok(())
}

const WORKLOAD: &str = r"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: example.com/web}]}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_recreates_pods_that_nothing_changes_in() -> Result {
    let installation = Installation::start("recreated").await?;
    let files = [
        ("templates/all.yaml", WORKLOAD),
        ("templates/broken.yaml", BROKEN),
        ("values.yaml", "broken: false\n"),
    ];
    installation.repository.add("web", "1.0.0", &files).await?;
    installation.release("web", json!({})).await?;
    installation.ready_is("web", "True", &[]).await?;
    let pods: Api<Pod> = installation.api();
    let of_web = ListParams::default().labels("app=web");
    let before = pods.list(&of_web).await?.items.pop().ok_or("a Pod")?;
    let spec = json!({"values": {"broken": true}, "rollback": {"recreate": true},
        "upgrade": {"timeout": "3s", "remediation": {"remediateLastFailure": true}}});
    installation.release("web", spec).await?;
    let is_restored = |release: Option<&HelmRelease>| {
        release.is_some_and(|release| history(release).first() == Some(&(3, "deployed".to_owned())))
    };
    becomes(&installation.api(), "web", DEADLINE, is_restored).await?;
    let is_another = |pod: Option<&Pod>| pod.is_none_or(|pod| pod.uid() != before.uid());
    becomes(&pods, &before.name_any(), DEADLINE, is_another).await?;
    let after = pods.list(&of_web).await?;
    assert!(after.iter().all(|pod| pod.uid() != before.uid()));
    installation
        .logs("deleted its Pods, as spec.rollback.recreate says")
        .await?;
    Ok(())
}
