//! What comes into a release: values, versions, and requests that bring nothing new.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use crate::diff::{release, run};
use crate::support::Result;
use crate::support::chart_repository::push;
use crate::support::installation::{Installation, condition, history};
use crate::support::operator::Operator;

/// The version of the chart as a label, as most charts have it, but without what replaces a `+` in it.
const MAP: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
  labels: {helm.sh/chart: "{{ .Chart.Name }}-{{ .Chart.Version }}"}
data: {keys: "{{ keys .Values.probe | sortAlpha | join "," }}"}
"#;

const VALUES: &str = "probe: {http: {path: /}, period: 10}\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_12_a_null_in_values_from_a_config_map_removes_a_default() -> Result {
    let installation = Installation::start("nulls").await?;
    let files = [("templates/map.yaml", MAP), ("values.yaml", VALUES)];
    installation.repository.add("web", "1.0.0", &files).await?;
    let values = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "values"},
        "data": {"values.yaml": "probe: {http: null, exec: {command: [check]}}\n"}});
    installation.apply::<ConfigMap>(&values).await?;
    installation
        .release("web", json!({"valuesFrom": [{"kind": "ConfigMap", "name": "values"}]}))
        .await?;
    installation.ready_is("web", "True", &[]).await?;
    let map = installation.api::<ConfigMap>().get("web").await?;
    assert_eq!(json!(map.data)["keys"], "exec,period");
    Ok(())
}

/// What reaches the API server is a matter of how it is sent, and the way that loses nulls is told of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_12_a_null_in_the_spec_removes_a_default_unless_kubectl_drops_it() -> Result {
    let installation = Installation::start("inline").await?;
    let files = [("templates/map.yaml", MAP), ("values.yaml", VALUES)];
    installation.repository.add("web", "1.0.0", &files).await?;
    let file = release(
        "web",
        &json!({"values": {"probe": {"http": null, "exec": {"command": ["check"]}}}}),
    )
    .to_string();
    let namespace = installation.namespace.name();
    let apply = async |more: &[&str]| {
        let arguments = [&["apply", "-n", namespace, "-f", "-"], more].concat();
        installation.plane.kubectl(&arguments, Some(&file)).await?.checked()?;
        installation.look("web", &more.join(" ")).await?;
        installation.ready_is("web", "True", &[]).await?;
        let map = installation.api::<ConfigMap>().get("web").await?;
        crate::support::Result::Ok(json!(map.data)["keys"].clone())
    };
    assert_eq!(apply(&["--validate=true"]).await?, "exec,http,period");
    assert_eq!(apply(&["--server-side", "--force-conflicts"]).await?, "exec,period");

    let ended = run(&installation, &["diff", "-f", "-"], &file).await?;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let told = "has nulls (probe.http), which kubectl apply drops unless it is told --server-side";
    assert!(ended.stderr.contains(told), "{ended:?}");
    let values = run(&installation, &["values", "web", "--all"], "").await?.with(0)?;
    assert_eq!(values, "probe:\n  exec:\n    command:\n    - check\n  period: 10\n");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_19_nothing_is_upgraded_that_has_not_changed() -> Result {
    let mut installation = Installation::start("unchanged").await?;
    let files = [("templates/map.yaml", MAP), ("values.yaml", VALUES)];
    installation.repository.add("web", "1.0.0", &files).await?;
    let spec = |suspend: bool| json!({"suspend": suspend, "values": {"a": 1, "b": {"c": 2}}});
    installation.release("web", spec(false)).await?;
    installation.ready_is("web", "True", &[]).await?;
    let before = installation.api::<ConfigMap>().get("web").await?;

    // Suspended and resumed; the same values in another order; a repository that has another chart; another operator.
    installation.release("web", spec(true)).await?;
    installation.observed("web").await?;
    installation.request("web", "suspended").await?;
    installation.release("web", spec(false)).await?;
    installation.ready_is("web", "True", &[]).await?;
    installation
        .release("web", json!({"suspend": false, "values": {"b": {"c": 2}, "a": 1}}))
        .await?;
    installation.repository.add("other", "1.0.0", &files).await?;
    installation.look("web", "looked").await?;
    installation.operator.stop()?;
    let scope = ["--namespace", installation.namespace.name()];
    installation.operator = Operator::start(installation.plane.kubeconfig_path(), &scope)?;
    installation.operator.ready().await?;
    let release = installation.look("web", "restarted").await?;
    assert_eq!(history(&release), [(1, "deployed".to_owned())]);
    let after = installation.api::<ConfigMap>().get("web").await?;
    assert_eq!(after.resource_version(), before.resource_version());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_22_the_version_of_a_chart_from_a_registry_is_its_own() -> Result {
    let installation = Installation::start("versions").await?;
    let registry = installation.plane.start_registry().await?;
    let files = [("templates/map.yaml", MAP), ("values.yaml", VALUES)];
    push(installation.plane, "web", "1.2.3", &files, &registry.url("charts")).await?;
    let source = json!({"apiVersion": "fairlead.dev/v1alpha1", "kind": "OCIRepository", "metadata": {"name": "web"},
        "spec": {"interval": "1h", "insecure": true, "url": registry.url("charts/web"), "ref": {"semver": "1.x"}}});
    installation
        .apply::<fairlead::api::oci_repository::OCIRepository>(&source)
        .await?;
    let spec = json!({"chart": null, "chartRef": {"kind": "OCIRepository", "name": "web"}});
    installation.release("web", spec).await?;
    let release = installation.ready_is("web", "True", &["web@1.2.3"]).await?;
    let map = installation.api::<ConfigMap>().get("web").await?;
    assert_eq!(map.labels()["helm.sh/chart"], "web-1.2.3");
    // The digest, by which a tag that moved is noticed, stands beside it.
    let newest = json!(release.status)["history"][0].clone();
    assert_eq!(newest["chartVersion"], "1.2.3");
    assert!(
        newest["ociDigest"]
            .as_str()
            .is_some_and(|digest| digest.starts_with("sha256:")),
        "{newest}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_21_releases_do_not_flap_while_their_source_is_away() -> Result {
    let mut installation = Installation::start("away").await?;
    let files = [("templates/map.yaml", MAP), ("values.yaml", VALUES)];
    installation.repository.add("web", "1.0.0", &files).await?;
    installation.release("web", json!({"interval": "1s"})).await?;
    installation.ready_is("web", "True", &[]).await?;
    installation.repository.goes_away();

    // Somebody changes the values, the interval passes many times, and somebody asks.
    let values = json!({"interval": "1s", "values": {"probe": {"tcp": {"port": 80}}}});
    installation.release("web", values).await?;
    let release = installation.ready_is("web", "True", &["upgrade succeeded"]).await?;
    assert_eq!(history(&release)[0], (2, "deployed".to_owned()));
    let map = installation.api::<ConfigMap>().get("web").await?;
    assert_eq!(json!(map.data)["keys"], "http,period,tcp");
    for at in ["1", "2", "3"] {
        let release = installation.look("web", at).await?;
        let ready = condition(&release, "Ready");
        assert_eq!(ready["status"], "True", "{ready}");
        assert_eq!(condition(&release, "Stalled"), Value::Null);
        // What keeps it from being looked up is told.
        installation
            .event_is(&release, "ArtifactFailed", &["stays as it is", "cannot be reached"])
            .await?;
    }

    installation.operator.stop()?;
    let scope = ["--namespace", installation.namespace.name()];
    installation.operator = Operator::start(installation.plane.kubeconfig_path(), &scope)?;
    installation.operator.ready().await?;
    let release = installation.look("web", "restarted").await?;
    let ready = condition(&release, "Ready");
    assert_eq!(ready["status"], "True", "{ready}");
    Ok(())
}
