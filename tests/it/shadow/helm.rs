//! `fairlead shadow` on a cluster that has releases of Helm and nothing of Fairlead.

use fairlead_controlplane::{ControlPlane, Options};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Client;
use kube::api::{Api, ListParams};
use serde_json::{Value, json};

use super::{OBJECTS, api, assert_no_secret, everything, fairlead, lines, rivals, told};
use crate::resources::install;
use crate::support::Result;
use crate::support::chart_repository::ChartRepository;
use crate::support::installation::DEADLINE;
use crate::support::own_plane::OwnPlane;
use crate::support::wait::{becomes, has_condition};

async fn helm(plane: &ControlPlane, repository: &ChartRepository, command: &[&str]) -> Result {
    let repository = ["shop", "--repo", repository.url()];
    plane.helm(&[command, &repository].concat()).await?.checked()?;
    Ok(())
}

fn release<'a>(report: &'a Value, name: &str) -> &'a Value {
    let releases = report["releases"].as_array().map(Vec::as_slice).unwrap_or_default();
    releases
        .iter()
        .find(|release| release["release"] == name)
        .unwrap_or(&Value::Null)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_helm_releases_of_a_cluster_are_told_of_and_nothing_is_written() -> Result {
    let own = OwnPlane::start(Options::default()).await?;
    let plane = own.get();
    let (third, fourth) = (plane.namespace("third").await?, plane.namespace("fourth").await?);
    let repository = ChartRepository::start(plane).await?;
    repository
        .add("shop", "1.0.0", &[("templates/objects.yaml", OBJECTS)])
        .await?;
    // As Helm 3 applied, and upgraded, so that there is more than one record; and as Helm 4 does.
    let in_third = ["--namespace", third.name(), "--server-side=false"];
    helm(plane, &repository, &[["install", "old"].as_slice(), &in_third].concat()).await?;
    helm(
        plane,
        &repository,
        &[["upgrade", "old", "--set", "old=second"].as_slice(), &in_third].concat(),
    )
    .await?;
    helm(plane, &repository, &["install", "new", "--namespace", fourth.name()]).await?;
    let client = plane.client()?;
    for (namespace, name) in [(&third, "old"), (&fourth, "new")] {
        let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
        becomes(&deployments, name, DEADLINE, has_condition("Available", "True")).await?;
    }
    rivals(&client, &fourth, "new").await?;
    let all = async || -> Result<Vec<String>> {
        Ok([everything(&client, &third).await?, everything(&client, &fourth).await?].concat())
    };
    let before = all().await?;

    let text = told(plane, &["shadow", "-A", "-o", "json"]).await?;
    assert_no_secret(&text);
    let report: Value = serde_json::from_str(&text)?;
    let (old, new) = (release(&report, "old"), release(&report, "new"));
    // Identical manifests over what Helm 3 wrote: conflicts there are, but none that anybody must decide about.
    assert_eq!(
        (&old["applies"], &old["chart"], &old["source"]),
        (&json!(true), &json!("shop@1.0.0"), &json!("HelmRecord"))
    );
    assert_eq!(
        (&old["adopted"], &old["conflicts"]["total"]),
        (&json!({"Phantom": 2}), &json!(0))
    );
    let counts = json!({"created": 0, "changed": 0, "adopted": 3, "unchanged": 0, "removed": 0, "refused": 0});
    assert_eq!((&old["objects"], &old["changes"]), (&counts, &json!([])));
    assert_eq!(old["fieldManager"], json!(format!("fairlead:{}/old", third.name())));

    let stopping = [
        ".data.key kubectl-edit Real Failed",
        ".data.password rotator Real Failed",
        ".data.sibling fairlead:prod/other Sibling Failed",
    ];
    assert_eq!(new["applies"], json!(false));
    assert_eq!(lines(&new["contested"]), stopping);
    assert_eq!(
        new["policies"]["Yield"],
        json!({"stops": false, "byAction": {"Yielded": 3}})
    );
    assert_eq!(report["totals"]["stopped"], 1);

    let markdown = told(plane, &["shadow", "-A"]).await?;
    assert_no_secret(&markdown);
    assert!(
        markdown.contains("| `.data.key` | `kubectl-edit` (Update"),
        "{markdown}"
    );
    let one = told(
        plane,
        &[
            "shadow",
            "old",
            "-n",
            third.name(),
            "-o",
            "json",
            "--fail-on",
            "conflicts",
        ],
    )
    .await?;
    assert_eq!(serde_json::from_str::<Value>(&one)?["releases"], json!([old]));
    let (success, _, errors) = fairlead(plane, &["shadow", "none", "-n", third.name()]).await?;
    assert!(
        !success && errors.contains("there is neither a HelmRelease none"),
        "{errors}"
    );

    let policy = told(plane, &["shadow", "-A", "-o", "policy"]).await?;
    assert_no_secret(&policy);
    assert_eq!(all().await?, before);

    // With Fairlead's definitions there, the policy is accepted and lets everything through.
    install(plane).await?;
    plane.kubectl(&["apply", "-f", "-"], Some(&policy)).await?.checked()?;
    let report: Value =
        serde_json::from_str(&told(plane, &["shadow", "-A", "-o", "json", "--fail-on", "conflicts"]).await?)?;
    assert_eq!(
        (&report["totals"]["applied"], &report["totals"]["contested"]),
        (&json!(2), &json!(3))
    );
    assert_eq!(all().await?, before);

    records_in_config_maps(plane, &repository).await?;
    a_record_that_cannot_be_read(plane, &client, &third).await
}

/// Helm keeps its records where `HELM_DRIVER` says.
async fn records_in_config_maps(plane: &'static ControlPlane, repository: &ChartRepository) -> Result {
    let namespace = plane.namespace("mapped").await?;
    let install = [
        "install",
        "mapped",
        "shop",
        "--repo",
        repository.url(),
        "--namespace",
        namespace.name(),
    ];
    let installed = plane.helm_with(&[("HELM_DRIVER", "configmap")], &install).await?;
    installed.checked()?;
    let text = told(plane, &["shadow", "-n", namespace.name(), "-o", "json"]).await?;
    let report: Value = serde_json::from_str(&text)?;
    let mapped = release(&report, "mapped");
    assert_eq!(
        (&mapped["applies"], &mapped["chart"], &mapped["source"]),
        (&json!(true), &json!("shop@1.0.0"), &json!("HelmRecord"))
    );
    // Nothing else of the cluster is in the way of the tests after this one.
    let uninstall = ["uninstall", "mapped", "--namespace", namespace.name()];
    plane
        .helm_with(&[("HELM_DRIVER", "configmap")], &uninstall)
        .await?
        .checked()?;
    Ok(())
}

/// It is a failure of its release, not of the others.
async fn a_record_that_cannot_be_read(plane: &ControlPlane, client: &Client, namespace: &str) -> Result {
    let secrets = api(client, namespace, "Secret");
    let name = "sh.helm.release.v1.old.v2";
    let patch = kube::api::Patch::Merge(json!({"data": {"release": "bm9uc2Vuc2U="}}));
    secrets.patch(name, &kube::api::PatchParams::default(), &patch).await?;
    let (success, output, errors) = fairlead(plane, &["shadow", "-A", "-o", "json"]).await?;
    assert!(
        !success
            && errors.contains("cannot look at")
            && errors.contains("/old: Secret ")
            && errors.contains("holds no record"),
        "{errors}"
    );
    let report: Value = serde_json::from_str(&output)?;
    assert_eq!(
        (
            report["releases"].as_array().map(Vec::len),
            report["failures"].as_array().map(Vec::len)
        ),
        (Some(1), Some(1))
    );
    let records = secrets.list(&ListParams::default().labels("owner=helm")).await?;
    assert_eq!(records.items.len(), 2);
    Ok(())
}
