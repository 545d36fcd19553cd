//! Sources have statuses of their own: the operator looks at each at its interval, and releases hear of what it finds.

use fairlead::api::helm_repository::HelmRepository;
use fairlead::api::oci_repository::OCIRepository;
use fairlead_controlplane::{ControlPlane, Namespace};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::stage::{REPOSITORY, Stage, history};
use crate::support::Result;
use crate::support::chart_repository::push;
use crate::support::installation::DEADLINE;
use crate::support::operator::Operator;
use crate::support::wait::{becomes, has_condition};

const CHART: [(&str, &str); 1] = [(
    "templates/one.yaml",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {version: {{ .Chart.Version | quote }}}\n",
)];

struct Scene {
    stage: Stage,
    namespace: Namespace,
    repositories: Api<HelmRepository>,
    _operator: Operator,
}

impl Scene {
    /// An operator, and a repository that is looked at every second.
    async fn open(prefix: &str) -> Result<Self> {
        let plane = ControlPlane::shared().await?;
        let stage = Stage::open(plane).await?;
        let namespace = plane.namespace(prefix).await?;
        let scope = format!("--namespace={}", namespace.name());
        let mut operator = Operator::start(plane.kubeconfig_path(), &[&scope])?;
        operator.ready().await?;
        let repositories = Api::namespaced(stage.client.clone(), &namespace);
        let scene = Self {
            stage,
            namespace,
            repositories,
            _operator: operator,
        };
        scene
            .repository(json!({"url": scene.stage.repository.url(), "interval": "1s"}))
            .await?;
        Ok(scene)
    }

    async fn repository(&self, spec: Value) -> Result {
        let metadata = json!({"name": REPOSITORY, "namespace": self.namespace.name()});
        let kind = json!({"apiVersion": "fairlead.dev/v1alpha1", "kind": "HelmRepository", "metadata": metadata, "spec": spec});
        self.stage.apply(&kind).await
    }

    async fn release(&self, name: &str) -> Result {
        let source = json!({"kind": "HelmRepository", "name": REPOSITORY});
        let spec =
            json!({"interval": "1h", "chart": {"spec": {"chart": "shop", "version": "1.x", "sourceRef": source}}});
        self.stage.apply_release(&self.namespace, name, spec).await
    }
}

fn ready_reason(conditions: &Value) -> &Value {
    let conditions = conditions.as_array().into_iter().flatten();
    let ready = conditions.into_iter().find(|condition| condition["type"] == "Ready");
    ready.map_or(&Value::Null, |ready| &ready["reason"])
}

#[tokio::test]
async fn a_new_version_in_the_index_upgrades_the_releases_before_their_interval() -> Result {
    let scene = Scene::open("kept").await?;
    scene.stage.repository.add("shop", "1.0.0", &CHART).await?;
    scene.release("shop").await?;
    scene.stage.ready(&scene.namespace, "shop", DEADLINE).await?;
    let ready = has_condition("Ready", "True");
    let repository = becomes(&scene.repositories, REPOSITORY, DEADLINE, ready).await?;
    let status = json!(repository.and_then(|repository| repository.status));
    let first = &status["artifact"];
    assert_eq!(first["revision"], first["digest"]);
    assert!(first["size"].as_u64().is_some_and(|size| size > 0), "{status}");
    assert_eq!(status["url"], format!("{}/index.yaml", scene.stage.repository.url()));

    scene.stage.repository.add("shop", "1.1.0", &CHART).await?;
    let upgraded = |release: Option<&fairlead::api::HelmRelease>| {
        release.is_some_and(|release| history(release).first() == Some(&(2, "deployed".to_owned())))
    };
    becomes(&scene.stage.releases(&scene.namespace), "shop", DEADLINE, upgraded).await?;

    // What does not change is not written, and a second release costs the repository no request of its own for the index.
    let version = |repository: HelmRepository| repository.metadata.resource_version;
    let settled = version(scene.repositories.get(REPOSITORY).await?);
    let downloads = |stage: &Stage| {
        let requests = stage.repository.requests();
        requests.iter().filter(|request| request.contains(".tgz")).count()
    };
    let before = downloads(&scene.stage);
    scene.release("second").await?;
    scene.stage.ready(&scene.namespace, "second", DEADLINE).await?;
    assert_eq!(downloads(&scene.stage), before, "one download a digest");
    assert_eq!(version(scene.repositories.get(REPOSITORY).await?), settled);
    Ok(())
}

#[tokio::test]
async fn a_source_that_fails_says_so_and_releases_go_on_with_what_was_fetched() -> Result {
    let scene = Scene::open("failing").await?;
    scene.stage.repository.add("shop", "1.0.0", &CHART).await?;
    scene.release("shop").await?;
    scene.stage.ready(&scene.namespace, "shop", DEADLINE).await?;
    becomes(
        &scene.repositories,
        REPOSITORY,
        DEADLINE,
        has_condition("ArtifactInStorage", "True"),
    )
    .await?;

    let gone = format!("{}/nothing-here", scene.stage.repository.url());
    scene.repository(json!({"url": gone, "interval": "1h"})).await?;
    let failed = becomes(
        &scene.repositories,
        REPOSITORY,
        DEADLINE,
        has_condition("Ready", "False"),
    )
    .await?;
    let status = json!(failed.and_then(|repository| repository.status));
    assert_eq!(ready_reason(&status["conditions"]), "ArtifactFailed");
    assert!(
        status["artifact"]["digest"].is_string(),
        "what was fetched stays: {status}"
    );

    // It is looked at again when somebody asks, or mends it.
    let asked = json!({"metadata": {"annotations": {"fairlead.dev/requestedAt": "now"}}});
    let parameters = PatchParams::default();
    scene
        .repositories
        .patch(REPOSITORY, &parameters, &Patch::Merge(&asked))
        .await?;
    let handled = |repository: Option<&HelmRepository>| {
        let status = json!(repository.and_then(|repository| repository.status.as_ref()));
        status["lastHandledReconcileAt"] == "now"
    };
    becomes(&scene.repositories, REPOSITORY, DEADLINE, handled).await?;
    scene
        .repository(json!({"url": scene.stage.repository.url(), "interval": "1h"}))
        .await?;
    becomes(
        &scene.repositories,
        REPOSITORY,
        DEADLINE,
        has_condition("Ready", "True"),
    )
    .await?;
    scene.stage.ready(&scene.namespace, "shop", DEADLINE).await?;
    Ok(())
}

/// `latest` is polled: the digest that it means is told, and followed.
#[tokio::test]
async fn a_tag_that_moves_upgrades_the_releases() -> Result {
    let scene = Scene::open("moving").await?;
    let registry = scene.stage.plane.start_registry().await?;
    let push = async |version| push(scene.stage.plane, "shop", version, &CHART, &registry.url("charts")).await;
    push("1.0.0").await?;
    let artifact = json!({"apiVersion": "fairlead.dev/v1alpha1", "kind": "OCIRepository",
        "metadata": {"name": "shop", "namespace": scene.namespace.name()},
        "spec": {"interval": "1s", "insecure": true, "url": registry.url("charts/shop"), "ref": {"semver": ">=1.0.0"}}});
    scene.stage.apply(&artifact).await?;
    let spec = json!({"interval": "1h", "chartRef": {"kind": "OCIRepository", "name": "shop"}});
    scene.stage.apply_release(&scene.namespace, "shop", spec).await?;
    scene.stage.ready(&scene.namespace, "shop", DEADLINE).await?;
    let artifacts: Api<OCIRepository> = Api::namespaced(scene.stage.client.clone(), &scene.namespace);
    let is_at = |version: &'static str| {
        move |artifact: Option<&OCIRepository>| {
            let status = json!(artifact.and_then(|artifact| artifact.status.as_ref()));
            let revision = status["artifact"]["revision"].as_str().unwrap_or_default();
            revision.starts_with(&format!("{version}@sha256:"))
        }
    };
    becomes(&artifacts, "shop", DEADLINE, is_at("1.0.0")).await?;
    push("1.1.0").await?;
    becomes(&artifacts, "shop", DEADLINE, is_at("1.1.0")).await?;
    let upgraded = |release: Option<&fairlead::api::HelmRelease>| {
        release.is_some_and(|release| history(release).first() == Some(&(2, "deployed".to_owned())))
    };
    becomes(&scene.stage.releases(&scene.namespace), "shop", DEADLINE, upgraded).await?;
    Ok(())
}
