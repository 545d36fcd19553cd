//! Where charts and values come from, and what becomes of objects that a chart no longer has.

use fairlead_controlplane::{ControlPlane, Namespace};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use serde_json::{Value, json};

use super::stage::{REPOSITORY, Stage, history, inventory};
use crate::support::Result;
use crate::support::chart_repository::push;
use crate::support::installation::DEADLINE;
use crate::support::operator::Operator;
use crate::support::wait::becomes;

const ONE: &str = r"
apiVersion: v1
kind: ConfigMap
metadata: {name: one}
data: {color: {{ .Values.color | quote }}, shade: {{ .Values.shade | quote }}, size: {{ .Values.size | quote }}}
";
const TWO: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: two}\ndata: {a: b}\n";
const KEPT: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kept, annotations: {helm.sh/resource-policy: keep}}\ndata: {a: b}\n";
const VALUES: &str = "color: red\nshade: dark\nsize: small\n";

struct Scene {
    stage: Stage,
    namespace: Namespace,
    maps: Api<ConfigMap>,
    _operator: Operator,
}

impl Scene {
    async fn open(prefix: &str) -> Result<Self> {
        let plane = ControlPlane::shared().await?;
        let stage = Stage::open(plane).await?;
        let namespace = plane.namespace(prefix).await?;
        stage.apply_repository(&namespace).await?;
        let scope = format!("--namespace={}", namespace.name());
        let mut operator = Operator::start(plane.kubeconfig_path(), &[&scope])?;
        operator.ready().await?;
        Ok(Self {
            maps: Api::namespaced(stage.client.clone(), &namespace),
            stage,
            namespace,
            _operator: operator,
        })
    }

    async fn release(&self, mut spec: Value) -> Result<fairlead::api::HelmRelease> {
        spec["interval"] = json!("1h");
        self.stage.apply_release(&self.namespace, "shop", spec).await?;
        self.stage.ready(&self.namespace, "shop", DEADLINE).await
    }

    async fn data(&self, name: &str) -> Result<Value> {
        Ok(json!(self.maps.get(name).await?.data))
    }

    async fn publish(&self, version: &str, files: &[(&str, &str)]) -> Result {
        self.stage.repository.add("shop", version, files).await
    }
}

fn chart(version: &str) -> Value {
    let reference = json!({"kind": "HelmRepository", "name": REPOSITORY});
    json!({"spec": {"chart": "shop", "version": version, "sourceRef": reference}})
}

#[tokio::test]
async fn objects_that_left_the_chart_are_pruned() -> Result {
    let scene = Scene::open("pruned").await?;
    let one = ("templates/one.yaml", ONE);
    let values = ("values.yaml", VALUES);
    let all = [one, values, ("templates/two.yaml", TWO), ("templates/kept.yaml", KEPT)];
    scene.publish("1.0.0", &all).await?;
    scene.publish("2.0.0", &[one, values]).await?;
    let first = scene.release(json!({"chart": chart("1.0.0")})).await?;
    assert_eq!(inventory(&first).len(), 3);

    let second = scene.release(json!({"chart": chart("2.0.0")})).await?;
    assert_eq!(
        history(&second),
        [(2, "deployed".to_owned()), (1, "superseded".to_owned())]
    );
    let entries: Vec<String> = inventory(&second).into_iter().map(|entry| entry.id).collect();
    assert_eq!(entries, [format!("{}_one__ConfigMap", scene.namespace.name())]);
    assert!(scene.maps.get_opt("two").await?.is_none());
    assert!(scene.maps.get_opt("kept").await?.is_some(), "resource-policy: keep");

    // Back again: the object that was kept is the release's once more, and the other is made anew.
    let third = scene.release(json!({"chart": chart("1.0.0")})).await?;
    assert_eq!(inventory(&third).len(), 3);
    assert!(scene.maps.get_opt("two").await?.is_some());
    Ok(())
}

/// Helm's marks name the release and the namespace, which may both change: the objects under the old ones are still this
/// HelmRelease's to remove.
#[tokio::test]
async fn a_release_that_moves_leaves_nothing_behind() -> Result {
    let scene = Scene::open("moves").await?;
    let plane = ControlPlane::shared().await?;
    let elsewhere = plane.namespace("moved").await?;
    scene.publish("1.0.0", &[("templates/two.yaml", TWO)]).await?;
    scene.release(json!({"chart": chart("1.0.0")})).await?;
    assert!(scene.maps.get_opt("two").await?.is_some());

    let moved = json!({"chart": chart("1.0.0"), "releaseName": "store", "targetNamespace": elsewhere.name()});
    let release = scene.release(moved).await?;
    let there: Api<ConfigMap> = Api::namespaced(scene.stage.client.clone(), &elsewhere);
    assert!(there.get_opt("two").await?.is_some());
    assert!(
        scene.maps.get_opt("two").await?.is_none(),
        "the object in the old namespace is removed"
    );
    let entries: Vec<String> = inventory(&release).into_iter().map(|entry| entry.id).collect();
    assert_eq!(entries, [format!("{}_two__ConfigMap", elsewhere.name())]);
    Ok(())
}

#[tokio::test]
async fn values_from_config_map_and_secret() -> Result {
    let scene = Scene::open("values").await?;
    scene
        .publish("1.0.0", &[("templates/one.yaml", ONE), ("values.yaml", VALUES)])
        .await?;
    let namespace = scene.namespace.name();
    let source = |kind: &str, field: &str, name: &str, data: Value| {
        let metadata = json!({"name": name, "namespace": namespace});
        json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, field: data})
    };
    let common = json!({"values.yaml": "color: green\nshade: pale\nsize: huge\n"});
    scene
        .stage
        .apply(&source("ConfigMap", "data", "common", common))
        .await?;
    let secret = source("Secret", "stringData", "own", json!({"shade": "bright"}));
    scene.stage.apply(&secret).await?;
    let spec = json!({"chart": chart("1.0.0"), "values": {"size": "medium"}, "valuesFrom": [
        {"kind": "ConfigMap", "name": "common"},
        {"kind": "Secret", "name": "own", "valuesKey": "shade", "targetPath": "shade"},
        {"kind": "Secret", "name": "absent", "optional": true},
    ]});
    scene.release(spec.clone()).await?;
    // The chart's own values, then each source in order, then the release's.
    let expected = json!({"color": "green", "shade": "bright", "size": "medium"});
    assert_eq!(scene.data("one").await?, expected);

    // A changed source counts from the next reconcile on, which anybody can ask for.
    let secret = source("Secret", "stringData", "own", json!({"shade": "dim"}));
    scene.stage.apply(&secret).await?;
    let asked = json!({"metadata": {"annotations": {"fairlead.dev/requestedAt": "now"}}});
    let parameters = kube::api::PatchParams::default();
    let releases = scene.stage.releases(&scene.namespace);
    releases
        .patch("shop", &parameters, &kube::api::Patch::Merge(&asked))
        .await?;
    let dim = |map: Option<&ConfigMap>| map.is_some_and(|map| json!(map.data)["shade"] == "dim");
    becomes(&scene.maps, "one", DEADLINE, dim).await?;

    // What cannot be read is said, with its place and without a value; nothing is lost.
    let mut broken = spec;
    broken["valuesFrom"][2]["optional"] = json!(false);
    broken["interval"] = json!("1h");
    scene.stage.apply_release(&scene.namespace, "shop", broken).await?;
    let says = |release: Option<&fairlead::api::HelmRelease>| {
        let status = json!(release.and_then(|release| release.status.as_ref()));
        let ready = status["conditions"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|one| one["type"] == "Ready");
        ready.is_some_and(|ready| {
            let message = ready["message"].as_str().unwrap_or_default();
            ready["reason"] == "ValuesError" && message.contains("spec.valuesFrom[2]") && message.contains("/absent")
        })
    };
    becomes(&releases, "shop", DEADLINE, says).await?;
    assert!(scene.maps.get_opt("one").await?.is_some());
    Ok(())
}

#[tokio::test]
async fn values_are_checked_against_the_schema_unless_it_is_disabled() -> Result {
    let scene = Scene::open("schema").await?;
    let schema = r#"{"properties": {"size": {"enum": ["small", "large"]}}}"#;
    let files = [
        ("templates/one.yaml", ONE),
        ("values.yaml", VALUES),
        ("values.schema.json", schema),
    ];
    scene.publish("1.0.0", &files).await?;
    let spec = |values: &str, action: Value| {
        let mut spec = json!({"interval": "1h", "chart": chart("1.0.0"), "values": {"size": values},
            "ownership": {"fieldManager": "platform"}});
        spec.as_object_mut()
            .into_iter()
            .for_each(|spec| spec.extend(action.as_object().cloned().unwrap_or_default()));
        spec
    };
    let refused = |release: Option<&fairlead::api::HelmRelease>| {
        let status = json!(release.and_then(|release| release.status.as_ref()));
        status["conditions"]
            .to_string()
            .contains("values don't meet the specifications of the schema")
    };
    let releases = scene.stage.releases(&scene.namespace);
    scene
        .stage
        .apply_release(&scene.namespace, "shop", spec("huge", json!({})))
        .await?;
    becomes(&releases, "shop", DEADLINE, refused).await?;
    scene
        .release(spec("huge", json!({"install": {"disableSchemaValidation": true}})))
        .await?;
    assert_eq!(scene.data("one").await?["size"], "huge");

    // An upgrade has an option of its own. The objects are owned by the manager that the release chose.
    scene
        .stage
        .apply_release(&scene.namespace, "shop", spec("tiny", json!({})))
        .await?;
    becomes(&releases, "shop", DEADLINE, refused).await?;
    scene
        .release(spec("tiny", json!({"upgrade": {"disableSchemaValidation": true}})))
        .await?;
    let map = json!(scene.maps.get("one").await?);
    assert_eq!(map["data"]["size"], "tiny");
    let managers = map["metadata"]["managedFields"].as_array().into_iter().flatten();
    let managers: Vec<&Value> = managers.map(|entry| &entry["manager"]).collect();
    assert_eq!(managers, ["platform"]);
    Ok(())
}

#[tokio::test]
async fn oci_registry_chart() -> Result {
    let scene = Scene::open("oci").await?;
    let registry = scene.stage.plane.start_registry().await?;
    let files = [("values.yaml", VALUES), ("templates/one.yaml", ONE)];
    push(scene.stage.plane, "shop", "1.2.3", &files, &registry.url("charts")).await?;
    let namespace = scene.namespace.name();

    let artifact = json!({"apiVersion": "fairlead.dev/v1alpha1", "kind": "OCIRepository",
        "metadata": {"name": "shop", "namespace": namespace},
        "spec": {"interval": "1h", "insecure": true, "url": registry.url("charts/shop"), "ref": {"semver": "1.x"}}});
    scene.stage.apply(&artifact).await?;
    let spec = json!({"chartRef": {"kind": "OCIRepository", "name": "shop"}});
    scene.release(spec).await?;
    assert_eq!(scene.data("one").await?["color"], "red");
    scene.stage.delete(&scene.namespace, "shop", DEADLINE).await?;
    assert!(scene.maps.get_opt("one").await?.is_none());

    let repository = json!({"apiVersion": "fairlead.dev/v1alpha1", "kind": "HelmRepository",
        "metadata": {"name": "oci", "namespace": namespace},
        "spec": {"type": "oci", "insecure": true, "url": registry.url("charts")}});
    scene.stage.apply(&repository).await?;
    let reference = json!({"kind": "HelmRepository", "name": "oci"});
    let spec = json!({"chart": {"spec": {"chart": "shop", "version": "1.x", "sourceRef": reference}},
        "values": {"color": "blue"}});
    let release = scene.release(spec).await?;
    assert_eq!(
        history(&release),
        [(1, "deployed".to_owned())],
        "a new release begins anew"
    );
    assert_eq!(scene.data("one").await?["color"], "blue");
    Ok(())
}
