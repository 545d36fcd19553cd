//! The helpers of the integration tests are tested themselves: a test on a fixture that lies proves nothing.

use std::time::Duration;

use fairlead_controlplane::ControlPlane;
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;

use crate::support::Result;
use crate::support::chart_repository::ChartRepository;
use crate::support::installation::DEADLINE;
use crate::support::operator::{Operator, free_address};
use crate::support::wait::{becomes, has_condition, is_absent};

const DEPLOYMENT: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "example.com/web:{{ .Chart.Version }}"}]}
"#;

#[tokio::test]
async fn a_chart_of_the_repository_is_installed_by_helm_and_becomes_available() -> Result {
    let control_plane = ControlPlane::shared().await?;
    let namespace = control_plane.namespace("repository").await?;
    let repository = ChartRepository::start(control_plane).await?;
    repository
        .add("web", "1.2.3", &[("templates/deployment.yaml", DEPLOYMENT)])
        .await?;
    repository
        .add("web", "1.3.0-rc.1", &[("templates/deployment.yaml", DEPLOYMENT)])
        .await?;

    let install = [
        "install",
        "shop",
        "web",
        "--repo",
        repository.url(),
        "--namespace",
        &namespace,
    ];
    control_plane.helm(&install).await?.checked()?;
    let deployments: Api<Deployment> = Api::namespaced(control_plane.client()?, &namespace);
    let ready = becomes(&deployments, "shop", DEADLINE, has_condition("Available", "True"))
        .await?
        .ok_or("no object")?;
    let image = ready
        .spec
        .template
        .spec
        .and_then(|pod| pod.containers.into_iter().next()?.image);
    assert_eq!(image.as_deref(), Some("example.com/web:1.2.3"));
    assert_eq!(repository.requests(), ["GET /index.yaml 200", "GET /web-1.2.3.tgz 200"]);

    control_plane
        .helm(&["uninstall", "shop", "--namespace", &namespace])
        .await?
        .checked()?;
    becomes(&deployments, "shop", DEADLINE, is_absent()).await?;
    Ok(())
}

#[tokio::test]
async fn a_condition_that_is_not_met_shows_the_object() -> Result {
    let control_plane = ControlPlane::shared().await?;
    let deployments: Api<Deployment> = Api::namespaced(control_plane.client()?, "default");
    let late = becomes(
        &deployments,
        "absent",
        Duration::from_millis(100),
        has_condition("Available", "True"),
    )
    .await;
    assert!(late.unwrap_err().to_string().contains("it is null"));
    Ok(())
}

#[tokio::test]
async fn an_operator_that_ends_is_not_waited_for() -> Result {
    let mut operator = Operator::start("/absent/kubeconfig".as_ref(), &["--no-such-option"])?;
    let error = operator.ready().await.unwrap_err().to_string();
    assert!(error.contains("the operator ended"), "{error}");
    assert_ne!(free_address()?.port(), 0);
    Ok(())
}
