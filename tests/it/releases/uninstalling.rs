//! Uninstalling as the spec says: what becomes of dependents, whether it is awaited, and for how long. And CRDs, which stay.

use fairlead::api::HelmRelease;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::Result;
use crate::support::installation::{DEADLINE, Installation, condition};
use crate::support::wait::{becomes, is_absent};

const CHART: &str = r"
apiVersion: v1
kind: ConfigMap
metadata: {name: held, finalizers: [example.com/held]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: example.com/web}]}
";

async fn let_go(installation: &Installation) -> Result {
    let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    let maps = installation.api::<ConfigMap>();
    maps.patch("held", &PatchParams::default(), &patch).await?;
    becomes(&maps, "held", DEADLINE, is_absent()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_uninstall_waits_as_long_as_it_is_told_to_and_spares_dependents_when_it_is_told_to() -> Result {
    let installation = Installation::start("uninstall").await?;
    installation
        .repository
        .add("part", "1.0.0", &[("templates/all.yaml", CHART)])
        .await?;
    let releases = installation.api::<HelmRelease>();
    let deleted = async |uninstall: Value| -> Result {
        installation.release("part", json!({"uninstall": uninstall})).await?;
        installation.ready_is("part", "True", &[]).await?;
        releases.delete("part", &DeleteParams::default()).await?;
        Ok(())
    };

    // Its object is still there when the release has gone.
    deleted(json!({"disableWait": true, "deletionPropagation": "orphan"})).await?;
    becomes(&releases, "part", DEADLINE, is_absent()).await?;
    let held = installation.api::<ConfigMap>().get("held").await?;
    assert!(held.metadata.deletion_timestamp.is_some());
    becomes(&installation.api::<Deployment>(), "web", DEADLINE, is_absent()).await?;
    let sets = installation.api::<ReplicaSet>();
    assert_eq!(
        sets.list(&ListParams::default()).await?.items.len(),
        1,
        "the ReplicaSet is an orphan"
    );
    let_go(&installation).await?;

    deleted(json!({"timeout": "2s"})).await?;
    let says = |text: &'static str| {
        move |release: Option<&HelmRelease>| {
            let ready = release.map(|release| condition(release, "Ready"));
            ready.is_some_and(|ready| {
                ready["message"]
                    .as_str()
                    .is_some_and(|message| message.starts_with(text))
            })
        }
    };
    let late = becomes(&releases, "part", DEADLINE, says("not gone after 2s: "))
        .await?
        .ok_or("a release")?;
    assert_eq!(condition(&late, "Ready")["reason"], "UninstallFailed");
    let_go(&installation).await?;
    becomes(&releases, "part", DEADLINE, is_absent()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crds_are_skipped_created_or_replaced_and_never_deleted() -> Result {
    let installation = Installation::start("crds").await?;
    let group = format!("{}.example.com", installation.namespace.name());
    let name = format!("gadgets.{group}");
    let definition = |text: &str| {
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": name},
            "spec": {"group": group, "scope": "Namespaced", "names": {"kind": "Gadget", "plural": "gadgets"},
                "versions": [{"name": "v1", "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": {"type": "object", "description": text}}}]}})
        .to_string()
    };
    let map = (
        "templates/map.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: part}\n",
    );
    for (version, text) in [("1.0.0", "first"), ("2.0.0", "second"), ("3.0.0", "third")] {
        let definition = definition(text);
        let files = [map, ("crds/gadget.yaml", definition.as_str())];
        installation.repository.add("part", version, &files).await?;
    }
    let definitions: Api<CustomResourceDefinition> = Api::all(installation.client.clone());
    let described = async || -> Result<Value> {
        let found = serde_json::to_value(definitions.get_opt(&name).await?)?;
        Ok(found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"].clone())
    };
    let release = async |version: &str, policy: Option<&str>| -> Result<HelmRelease> {
        let policy = policy.map(|policy| ("crds".to_owned(), json!(policy)));
        let options = [("timeout".to_owned(), json!("5m"))];
        let crds = Value::Object(options.into_iter().chain(policy).collect());
        let chart = json!({"spec": {"chart": "part", "version": version}});
        installation
            .release("part", json!({"chart": chart, "install": crds, "upgrade": crds}))
            .await?;
        installation
            .ready_is("part", "True", &[&format!("part@{version}")])
            .await
    };

    release("1.0.0", Some("Skip")).await?;
    assert_eq!(described().await?, Value::Null);
    // An upgrade creates what is missing, as Flux's does, whatever its documentation says; and leaves alone what is there.
    release("2.0.0", None).await?;
    assert_eq!(described().await?, "second");
    release("3.0.0", None).await?;
    assert_eq!(described().await?, "second");

    // What somebody else has set is replaced, and that is told.
    let patch: Value = serde_json::from_str(&definition("somebody's"))?;
    let somebody = PatchParams::apply("somebody").force();
    definitions.patch(&name, &somebody, &Patch::Apply(&patch)).await?;
    let replaced = release("1.0.0", Some("CreateReplace")).await?;
    assert_eq!(described().await?, "first");
    let told = installation.events(&replaced).await?;
    assert!(
        told.iter()
            .any(|(_, note)| note.contains("fields of somebody were replaced")),
        "{told:?}"
    );

    installation.uninstall("part").await?;
    assert_eq!(described().await?, "first");
    definitions.delete(&name, &DeleteParams::default()).await?;
    Ok(())
}
