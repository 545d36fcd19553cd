//! Releases wait for what they depend on, are woken when it is ready, and go in the reverse order.

use std::time::Duration;

use fairlead::api::HelmRelease;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::Result;
use crate::support::installation::{DEADLINE, Installation, condition};
use crate::support::wait::{becomes, is_absent};

const CHART: &str = r"
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {color: {{ .Values.color }}}
";

/// Without intervals that a test could live to see: whatever happens was woken by a watch.
async fn installation(prefix: &str) -> Result<Installation> {
    let installation = Installation::start(prefix).await?;
    let files = [("templates/all.yaml", CHART), ("values.yaml", "color: red\n")];
    installation.repository.add("part", "1.0.0", &files).await?;
    Ok(installation)
}

/// Makes or changes a release of the chart.
async fn release(installation: &Installation, name: &str, depends_on: Value, color: &str) -> Result {
    let spec = json!({"interval": "1h", "chart": {"spec": {"chart": "part"}}, "dependsOn": depends_on, "values": {"color": color}});
    installation.release(name, spec).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_is_installed_when_what_it_depends_on_is_ready() -> Result {
    let installation = installation("depends").await?;
    let namespace = installation.namespace.name().to_owned();
    let on_database = json!([{"name": "database"}]);
    release(&installation, "shop", on_database.clone(), "red").await?;
    let waiting = format!("waiting for HelmRelease {namespace}/database, which does not exist");
    let shop = installation.ready_is("shop", "False", &[&waiting]).await?;
    assert_eq!(condition(&shop, "Ready")["reason"], "DependencyNotReady");
    assert_eq!(condition(&shop, "Stalled"), Value::Null);

    // One that is there and is not ready.
    let gate = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "gate", "readyExpr": "dep.data.open == self.metadata.name"}]);
    release(&installation, "database", gate, "red").await?;
    let gate = format!("waiting for ConfigMap {namespace}/gate, which does not exist");
    installation.ready_is("database", "False", &[&gate]).await?;
    let waiting = format!("waiting for HelmRelease {namespace}/database, which is not ready");
    installation.ready_is("shop", "False", &[&waiting]).await?;
    let open = |open: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "gate"}, "data": {"open": open}});
    installation.apply::<ConfigMap>(&open("nobody")).await?;
    let gate = format!("waiting for ConfigMap {namespace}/gate, of which its readyExpr is not true");
    installation.ready_is("database", "False", &[&gate]).await?;
    for name in ["database", "shop"] {
        assert!(
            installation.api::<ConfigMap>().get_opt(name).await?.is_none(),
            "{name} was installed"
        );
    }

    installation.apply::<ConfigMap>(&open("database")).await?;
    installation.ready_is("database", "True", &[]).await?;
    let shop = installation.ready_is("shop", "True", &["install succeeded"]).await?;
    let told: Vec<_> = installation.events(&shop).await?;
    let told = told.iter().filter(|(reason, _)| reason == "DependencyNotReady").count();
    assert!((1..=2).contains(&told), "waiting was told of {told} times");

    // What is deployed stays so, but is not upgraded, while what it depends on is not ready.
    let text = "dep.status.conditions.exists(c, c.type == 'Ready' && c.status == 'True') && has(dep.spec.values) && dep.spec.values.color == self.spec.values.color";
    let on_color = json!([{"name": "database", "readyExpr": text}]);
    release(&installation, "shop", on_color.clone(), "red").await?;
    installation.ready_is("shop", "True", &[]).await?;
    release(&installation, "shop", on_color.clone(), "blue").await?;
    installation
        .ready_is("shop", "False", &["of which its readyExpr is not true"])
        .await?;
    release(&installation, "database", json!([]), "blue").await?;
    installation.ready_is("shop", "True", &["upgrade succeeded"]).await?;

    let wrong = json!([{"name": "database", "readyExpr": "status.ready"}]);
    release(&installation, "shop", wrong, "blue").await?;
    let problem = "spec.dependsOn[0].readyExpr: the variable status is not available";
    let shop = installation.ready_is("shop", "False", &[problem]).await?;
    assert_eq!(condition(&shop, "Stalled")["reason"], "InvalidCELExpression");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cycle_is_told_by_the_names_of_its_members() -> Result {
    let installation = installation("cycle").await?;
    let namespace = installation.namespace.name().to_owned();
    release(&installation, "egg", json!([{"name": "hen"}]), "red").await?;
    release(&installation, "hen", json!([{"name": "nest"}, {"name": "egg"}]), "red").await?;
    let cycle =
        format!("depends on itself: {namespace}/hen -> {namespace}/egg -> {namespace}/hen; take one of them out");
    let hen = installation.ready_is("hen", "False", &[&cycle]).await?;
    assert_eq!(condition(&hen, "Stalled")["status"], "True");
    let cycle = format!("{namespace}/egg -> {namespace}/hen -> {namespace}/egg");
    installation.ready_is("egg", "False", &[&cycle]).await?;

    release(&installation, "hen", json!([]), "red").await?;
    installation.ready_is("hen", "True", &[]).await?;
    installation.ready_is("egg", "True", &[]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn releases_go_before_what_they_depend_on() -> Result {
    let installation = installation("goes").await?;
    release(&installation, "database", json!([]), "red").await?;
    for name in ["shop", "stays"] {
        release(&installation, name, json!([{"name": "database"}]), "red").await?;
        installation.ready_is(name, "True", &[]).await?;
    }
    // Something holds an object of the one that goes first.
    let maps = installation.api::<ConfigMap>();
    let finalizers = |list: Value| Patch::Merge(json!({"metadata": {"finalizers": list}}));
    maps.patch(
        "shop",
        &PatchParams::default(),
        &finalizers(json!(["example.com/held"])),
    )
    .await?;
    let releases = installation.api::<HelmRelease>();
    for name in ["shop", "database"] {
        releases.delete(name, &DeleteParams::default()).await?;
    }
    let waiting = format!(
        "waiting until what depends on the release is uninstalled: HelmRelease {}/shop",
        installation.namespace.name()
    );
    let is_waiting = |release: Option<&HelmRelease>| {
        release.is_some_and(|release| condition(release, "Ready")["message"] == waiting.as_str())
    };
    becomes(&releases, "database", DEADLINE, is_waiting).await?;
    assert!(
        maps.get_opt("database")
            .await?
            .is_some_and(|map| map.metadata.deletion_timestamp.is_none())
    );

    maps.patch("shop", &PatchParams::default(), &finalizers(json!([])))
        .await?;
    becomes(&releases, "shop", DEADLINE, is_absent()).await?;
    // It does not wait for one that stays; and it was woken, not looked at by and by.
    becomes(&releases, "database", Duration::from_secs(4), is_absent()).await?;
    assert!(maps.get_opt("database").await?.is_none());
    installation.ready_is("stays", "True", &[]).await?;
    Ok(())
}
