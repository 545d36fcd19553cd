//! What stands in a file beside a HelmRelease, and a chart of this machine, in place of what is in the cluster.

use std::path::Path;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::rbac::v1::{ClusterRole, Role};
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::{Value, json};

use super::{Person, changes, chart, release, report, run, stream};
use crate::support::Result;
use crate::support::command::fairlead;
use crate::support::installation::Installation;

const MAP: &str = r"
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {map: {{ .Values.map | quote }}, secret: {{ .Values.secret | quote }}}
";
const VALUES: &str = "map: default\nsecret: default\n";

async fn installation(prefix: &str) -> Result<Installation> {
    let installation = Installation::start(prefix).await?;
    let files = [("templates/map.yaml", MAP), ("values.yaml", VALUES)];
    installation.repository.add("web", "1.0.0", &files).await?;
    Ok(installation)
}

fn map(name: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"values.yaml": format!("map: {value}\n")}})
}

fn secret(value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "values"}, "stringData": {"secret": value}})
}

fn fields(report: &Value) -> Value {
    report["releases"][0]["changes"][0]["fields"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_file_holds_takes_the_place_of_what_is_in_the_cluster() -> Result {
    let installation = installation("given").await?;
    let references = json!([{"kind": "ConfigMap", "name": "values"},
        {"kind": "Secret", "name": "values", "valuesKey": "secret", "targetPath": "secret"}]);
    let spec = json!({"valuesFrom": references});
    installation.apply::<ConfigMap>(&map("values", "live")).await?;
    installation.apply::<Secret>(&secret("live")).await?;
    installation.release("web", spec.clone()).await?;
    installation.ready_is("web", "True", &[]).await?;
    let web = release("web", &spec);
    report(&installation, std::slice::from_ref(&web), &[], 0).await?;

    let told = report(
        &installation,
        &[map("values", "new"), secret("new"), web.clone()],
        &[],
        1,
    )
    .await?;
    assert_eq!(
        fields(&told),
        json!([{"path": ".data.map", "live": "live", "foretold": "new"}, {"path": ".data.secret", "live": "live", "foretold": "new"}])
    );
    assert_eq!(told["releases"][0]["revision"]["next"]["because"], json!(["Values"]));

    // What is encrypted says nothing; the one in the cluster does.
    let mut encrypted = secret("ENC[AES256_GCM,data:x]");
    encrypted["sops"] = json!({"mac": "ENC[...]"});
    let ended = run(&installation, &["diff", "-f", "-"], &stream(&[encrypted, web])).await?;
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (
            Some(0),
            "Note: Secret values is encrypted; the one in the cluster is used\n"
        )
    );

    // A release, its repository and its namespace, of which nothing is there yet.
    let repository = json!({"apiVersion": "fairlead.dev/v1alpha1", "kind": "HelmRepository", "metadata": {"name": "new"},
        "spec": {"url": installation.repository.url()}});
    let chart = json!({"spec": {"chart": "web", "sourceRef": {"kind": "HelmRepository", "name": "new"}}});
    let namespace = format!("{}-new", installation.namespace.name());
    let mut documents = [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}),
        repository,
        release("web", &json!({"chart": chart})),
    ];
    for document in &mut documents[1..] {
        document["metadata"]["namespace"] = json!(namespace);
    }
    let told = report(&installation, &documents, &[], 1).await?;
    assert_eq!(changes(&told["releases"][0], &namespace), ["Created v1 ConfigMap web"]);
    assert_eq!(told["releases"][0]["revision"]["next"]["action"], "install");
    let without: Vec<Value> = documents
        .into_iter()
        .filter(|document| document["kind"] != "HelmRepository")
        .collect();
    let told = report(&installation, &without, &[], 2).await?;
    assert!(
        told["failures"][0]["message"]
            .as_str()
            .is_some_and(|message| message.contains("does not exist")),
        "{told}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chart_of_this_machine_is_compared_in_place_of_the_published_one() -> Result {
    let installation = installation("local").await?;
    installation.release("web", json!({})).await?;
    installation.ready_is("web", "True", &[]).await?;
    let folder = tempfile::tempdir()?;
    let files = [("templates/map.yaml", MAP), ("values.yaml", VALUES)];
    let path = chart(folder.path(), "web", &files)?;
    let diff = async |chart: &Path, code: i32| {
        let arguments = ["diff", "web", "-o", "json", "--chart", &chart.display().to_string()];
        let text = run(&installation, &arguments, "").await?.with(code)?;
        crate::support::Result::Ok(serde_json::from_str::<Value>(&text)?)
    };
    // The same chart in another wrapping is the same chart.
    diff(&path, 0).await?;
    std::fs::write(path.join("values.yaml"), VALUES.replace("default", "local"))?;
    let told = diff(&path, 1).await?;
    assert_eq!(
        fields(&told),
        json!([{"path": ".data.map", "live": "default", "foretold": "local"}, {"path": ".data.secret", "live": "default", "foretold": "local"}])
    );
    let package = [
        "package",
        &path.display().to_string(),
        "--version",
        "2.0.0",
        "--destination",
        &folder.path().display().to_string(),
    ];
    installation.plane.helm(&package).await?.checked()?;
    let told = diff(&folder.path().join("web-2.0.0.tgz"), 1).await?;
    assert_eq!(told["releases"][0]["chart"], "web@2.0.0");
    Ok(())
}

/// Who may only read HelmReleases, and dry-run what is in them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn few_rights_are_enough_and_what_was_not_checked_is_said() -> Result {
    let installation = installation("rights").await?;
    installation.release("web", json!({})).await?;
    installation.ready_is("web", "True", &[]).await?;
    let read = ["get", "list", "watch"];
    let name = format!("{}-policies", installation.namespace.name());
    let everywhere = json!({"metadata": {"name": name}, "rules": [
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": read},
        {"apiGroups": ["fairlead.dev"], "resources": ["conflictpolicies"], "verbs": read}]});
    let here = json!({"metadata": {"name": "reader"}, "rules": [
        {"apiGroups": ["fairlead.dev"], "resources": ["helmreleases", "helmrepositories", "ocirepositories"], "verbs": read},
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "patch", "create"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]});
    let roles: Api<ClusterRole> = Api::all(installation.client.clone());
    roles
        .create(&PostParams::default(), &serde_json::from_value(everywhere)?)
        .await?;
    installation
        .api::<Role>()
        .create(&PostParams::default(), &serde_json::from_value(here)?)
        .await?;
    let reader = Person::new(&installation, "reader", (&name, Some("reader"))).await?;

    let web = stream(&[release("web", &json!({"values": {"map": "new"}}))]);
    let ended = fairlead(&reader.kubeconfig, &["diff", "-f", "-", "-o", "json"], &web).await?;
    assert!(
        ended.stderr.contains("Note: HelmRelease ") && ended.stderr.contains("was not checked against its definition"),
        "{ended:?}"
    );
    let told: Value = serde_json::from_str(&ended.with(1)?)?;
    assert_eq!(
        fields(&told),
        json!([{"path": ".data.map", "live": "default", "foretold": "new"}])
    );
    reader.leave(&installation).await?;
    roles.delete(&name, &DeleteParams::default()).await?;
    Ok(())
}
