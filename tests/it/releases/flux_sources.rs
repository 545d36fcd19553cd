//! Releases of what Flux's source-controller publishes; its part is played.

use std::path::Path;

use fairlead::api::HelmRelease;
use fairlead_controlplane::{Namespace, Options};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use serde_json::{Value, json};

use super::played_sources::{FLUX, PlayedSources};
use super::stage::{REPOSITORY, Stage, history};
use crate::support::Result;
use crate::support::chart_repository::package;
use crate::support::installation::DEADLINE;
use crate::support::operator::Operator;
use crate::support::own_plane::OwnPlane;
use crate::support::wait::{becomes, has_condition};

struct Scene {
    stage: Stage,
    sources: Namespace,
    namespace: Namespace,
    maps: Api<ConfigMap>,
    _operator: Operator,
    /// Ends last.
    _own: OwnPlane,
}

impl Scene {
    /// A cluster of its own, with the kinds of Flux, and an operator for all namespaces.
    async fn open() -> Result<Self> {
        let own = OwnPlane::start(Options::default()).await?;
        let plane = own.get();
        let stage = Stage::open(plane).await?;
        let (sources, namespace) = (plane.namespace("flux").await?, plane.namespace("shop").await?);
        let mut operator = Operator::start(plane.kubeconfig_path(), &[])?;
        operator.ready().await?;
        Ok(Self {
            maps: Api::namespaced(stage.client.clone(), &namespace),
            stage,
            sources,
            namespace,
            _operator: operator,
            _own: own,
        })
    }

    /// What Flux's source-controller has and does.
    fn flux(&self) -> PlayedSources<'_> {
        PlayedSources {
            stage: &self.stage,
            namespace: self.sources.name(),
        }
    }

    async fn release(&self, name: &str, source: Value) -> Result {
        let mut spec = json!({"interval": "1h"});
        spec.as_object_mut()
            .ok_or("an object")?
            .extend(source.as_object().cloned().unwrap_or_default());
        self.stage.apply_release(&self.namespace, name, spec).await
    }

    /// Waits until a release says this in `Ready`.
    async fn says(&self, name: &str, reason: &'static str, message: &'static str) -> Result {
        let says = |release: Option<&HelmRelease>| {
            let status = json!(release.and_then(|release| release.status.as_ref()));
            let conditions = status["conditions"].as_array().into_iter().flatten();
            let ready = conditions.into_iter().find(|condition| condition["type"] == "Ready");
            ready.is_some_and(|ready| {
                ready["reason"] == reason && ready["message"].as_str().is_some_and(|text| text.contains(message))
            })
        };
        becomes(&self.stage.releases(&self.namespace), name, DEADLINE, says).await?;
        Ok(())
    }

    async fn color(&self, name: &str, color: &'static str) -> Result {
        let has = |map: Option<&ConfigMap>| map.is_some_and(|map| json!(map.data)["color"] == color);
        becomes(&self.maps, name, DEADLINE, has).await?;
        Ok(())
    }

    /// A packed chart of one ConfigMap.
    async fn chart(&self, version: &str, color: &str, folder: &Path) -> Result<std::path::PathBuf> {
        let template = template(color);
        let files = [("templates/one.yaml", template.as_str())];
        package(self.stage.plane, "shop", version, &files, folder).await
    }
}

fn template(color: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {{{{ .Release.Name }}}}}}\ndata: {{color: {color}}}\n")
}

/// A Git repository with a chart in a folder, packed as source-controller packs it.
fn tree(folder: &Path, commit: &str, version: &str, color: &str) -> Result<std::path::PathBuf> {
    let work = folder.join(commit);
    let chart = work.join("charts/shop/templates");
    std::fs::create_dir_all(&chart)?;
    std::fs::write(work.join("README.md"), "not a chart")?;
    let metadata = format!("apiVersion: v2\nname: shop\nversion: {version}\n");
    std::fs::write(work.join("charts/shop/Chart.yaml"), metadata)?;
    std::fs::write(chart.join("one.yaml"), template(color))?;
    let packed = folder.join(format!("{commit}.tar.gz"));
    let mut tar = std::process::Command::new("tar");
    let status = tar.arg("-czf").arg(&packed).arg("-C").arg(&work).arg(".").status()?;
    status
        .success()
        .then_some(packed)
        .ok_or_else(|| "tar packs the tree".into())
}

/// In a cluster of its own, because the kinds are the cluster's, and the releases refer across namespaces.
#[tokio::test]
async fn sources_of_flux_and_of_other_namespaces() -> Result {
    let scene = Scene::open().await?;
    what_flux_publishes_is_released_and_followed(&scene).await?;
    a_folder_is_another_chart_when_its_version_says_so_or_its_files_if_wanted(&scene).await?;
    a_repository_chooses_the_namespaces_that_may_use_it(&scene).await
}

async fn what_flux_publishes_is_released_and_followed(scene: &Scene) -> Result {
    let folder = tempfile::tempdir()?;
    let own = scene.sources.name();

    // A cluster without Flux, then a source that is not there, then one that has nothing yet: each is told, and none is polled for.
    scene
        .release(
            "charted",
            json!({"chartRef": {"kind": "HelmChart", "name": "shop", "namespace": own}}),
        )
        .await?;
    scene
        .says(
            "charted",
            "SourceNotReady",
            "HelmChart of source.toolkit.fluxcd.io/v1 cannot be listed",
        )
        .await?;
    scene.flux().define().await?;
    scene
        .release(
            "charted",
            json!({"chartRef": {"kind": "HelmChart", "name": "shop", "namespace": own}, "timeout": "4m"}),
        )
        .await?;
    scene.says("charted", "SourceNotReady", "does not exist").await?;
    scene
        .flux()
        .source("HelmChart", "shop", json!({"chart": "shop"}))
        .await?;
    scene
        .says("charted", "SourceNotReady", "it has no artifact yet")
        .await?;
    let first = scene.chart("1.0.0", "red", folder.path()).await?;
    let wrong = format!("sha256:{}", "0".repeat(64));
    scene
        .flux()
        .publish("HelmChart", "shop", "1.0.0", &first, Some(&wrong))
        .await?;
    scene.says("charted", "ArtifactFailed", "sha256:0000").await?;
    scene.flux().publish("HelmChart", "shop", "1.0.0", &first, None).await?;
    scene.color("charted", "red").await?;
    let second = scene.chart("2.0.0", "blue", folder.path()).await?;
    scene
        .flux()
        .publish("HelmChart", "shop", "2.0.0", &second, None)
        .await?;
    scene.color("charted", "blue").await?;
    let charted = scene.stage.ready(&scene.namespace, "charted", DEADLINE).await?;
    assert_eq!(history(&charted).len(), 2);

    // An OCIRepository of Flux's is told from ours by its version.
    let reference =
        json!({"apiVersion": format!("{FLUX}/v1"), "kind": "OCIRepository", "name": "shop", "namespace": own});
    scene
        .flux()
        .source("OCIRepository", "shop", json!({"url": "oci://example.com/shop"}))
        .await?;
    scene
        .flux()
        .publish("OCIRepository", "shop", "1.0.0@sha256:abc", &first, None)
        .await?;
    scene.release("artifact", json!({"chartRef": reference})).await?;
    scene.color("artifact", "red").await
}

async fn a_folder_is_another_chart_when_its_version_says_so_or_its_files_if_wanted(scene: &Scene) -> Result {
    let folder = tempfile::tempdir()?;
    scene
        .flux()
        .source("GitRepository", "code", json!({"url": "https://example.com/code"}))
        .await?;
    let publish = async |commit: &str, version: &str, color: &str| -> Result {
        let packed = tree(folder.path(), commit, version, color)?;
        scene
            .flux()
            .publish("GitRepository", "code", &format!("main@sha1:{commit}"), &packed, None)
            .await
    };
    publish("a", "1.0.0", "red").await?;
    let chart = |strategy: &str| {
        let source = json!({"kind": "GitRepository", "name": "code", "namespace": scene.sources.name()});
        json!({"chart": {"spec": {"chart": "./charts/shop", "reconcileStrategy": strategy, "sourceRef": source}}})
    };
    scene.release("by-version", chart("ChartVersion")).await?;
    scene.release("by-revision", chart("Revision")).await?;
    scene.color("by-version", "red").await?;
    scene.color("by-revision", "red").await?;

    publish("b", "1.0.0", "green").await?;
    scene.color("by-revision", "green").await?;
    scene.stage.ready(&scene.namespace, "by-version", DEADLINE).await?;
    scene.color("by-version", "red").await?;
    publish("c", "1.1.0", "blue").await?;
    scene.color("by-version", "blue").await?;
    scene.color("by-revision", "blue").await?;
    let release = scene.stage.ready(&scene.namespace, "by-version", DEADLINE).await?;
    assert_eq!(history(&release).len(), 2, "commit b was no reason to upgrade");
    Ok(())
}

async fn a_repository_chooses_the_namespaces_that_may_use_it(scene: &Scene) -> Result {
    let folder = tempfile::tempdir()?;
    let chart = scene.chart("1.0.0", "red", folder.path()).await?;
    scene.stage.repository.add_packages(&[chart]).await?;
    let admitting = |label: &str| {
        json!({"apiVersion": "fairlead.dev/v1alpha1", "kind": "HelmRepository",
            "metadata": {"name": REPOSITORY, "namespace": scene.sources.name()},
            "spec": {"url": scene.stage.repository.url(), "interval": "1h",
                "accessFrom": {"namespaceSelectors": [{"matchLabels": {"kubernetes.io/metadata.name": label}}]}}})
    };
    scene.stage.apply(&admitting("somebody-else")).await?;
    let source = json!({"kind": "HelmRepository", "name": REPOSITORY, "namespace": scene.sources.name()});
    let spec = json!({"chart": {"spec": {"chart": "shop", "version": "1.x", "sourceRef": source}}});
    scene.release("shop", spec).await?;
    scene.says("shop", "AccessDenied", "add a selector of it").await?;
    scene.stage.apply(&admitting(scene.namespace.name())).await?;
    scene.color("shop", "red").await?;

    // The same repository as Flux's kind is fetched from as ours is.
    scene
        .flux()
        .source(
            "HelmRepository",
            "flux",
            json!({"url": scene.stage.repository.url(), "interval": "1h"}),
        )
        .await?;
    let source = json!({"apiVersion": format!("{FLUX}/v1"), "kind": "HelmRepository", "name": "flux", "namespace": scene.sources.name()});
    let spec = json!({"chart": {"spec": {"chart": "shop", "version": "1.x", "sourceRef": source}}});
    scene.release("second", spec).await?;
    scene.color("second", "red").await?;
    becomes(
        &scene.stage.releases(&scene.namespace),
        "second",
        DEADLINE,
        has_condition("Ready", "True"),
    )
    .await?;
    Ok(())
}
