//! What a release refers to: a change is seen at once, without labels and without polling.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::support::Result;
use crate::support::installation::{DEADLINE, Installation};
use crate::support::wait::becomes;

const MAP: &str = r"
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data: {color: {{ .Values.color | quote }}, shade: {{ .Values.shade | quote }}}
";
/// Flux's users expect this of a labelled object; here it holds for each. The bound leaves room for a busy machine.
const SOON: Duration = Duration::from_secs(10);

fn holding(kind: &str, name: &str, key: &str, text: &str) -> Value {
    let data = if kind == "Secret" { "stringData" } else { "data" };
    json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, data: {key: text}})
}

/// Waits until the object that the chart makes has this.
async fn shows(installation: &Installation, color: &str, shade: &str) -> Result<Duration> {
    let started = Instant::now();
    let expected = json!({"color": color, "shade": shade});
    let is_shown = |map: Option<&ConfigMap>| map.is_some_and(|map| json!(map.data) == expected);
    becomes(&installation.api(), "web", DEADLINE, is_shown).await?;
    Ok(started.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_values_is_seen_at_once() -> Result {
    let installation = Installation::start("references").await?;
    installation
        .repository
        .add(
            "web",
            "1.0.0",
            &[
                ("templates/map.yaml", MAP),
                ("values.yaml", "color: red\nshade: dark\n"),
            ],
        )
        .await?;
    let from = json!({"valuesFrom": [
        {"kind": "ConfigMap", "name": "colors"},
        {"kind": "Secret", "name": "shades", "valuesKey": "shade", "targetPath": "shade", "optional": true},
    ]});
    installation.release("web", from).await?;
    installation
        .ready_is("web", "False", &["ConfigMap", "colors", "does not exist"])
        .await?;

    installation
        .apply::<ConfigMap>(&holding("ConfigMap", "colors", "values.yaml", "color: blue"))
        .await?;
    let mut waits = vec![shows(&installation, "blue", "dark").await?];
    installation
        .apply::<Secret>(&holding("Secret", "shades", "shade", "light"))
        .await?;
    waits.push(shows(&installation, "blue", "light").await?);
    installation
        .apply::<ConfigMap>(&holding("ConfigMap", "colors", "values.yaml", "color: green"))
        .await?;
    waits.push(shows(&installation, "green", "light").await?);
    installation
        .api::<Secret>()
        .delete("shades", &DeleteParams::default())
        .await?;
    waits.push(shows(&installation, "green", "dark").await?);
    eprintln!("values were seen after {waits:?}");
    assert!(waits.iter().all(|wait| *wait < SOON), "{waits:?}");

    // What no release refers to wakes none, and of what is referred to nothing but metadata is watched.
    let mark = installation.plane.audit_mark().await?;
    installation
        .apply::<ConfigMap>(&holding("ConfigMap", "other", "values.yaml", "color: black"))
        .await?;
    installation
        .apply::<ConfigMap>(&holding("ConfigMap", "colors", "values.yaml", "color: white"))
        .await?;
    shows(&installation, "white", "dark").await?;
    installation.uninstall("web").await?;
    let namespace = installation.namespace.name();
    let events = installation.plane.requests_since(mark).await?;
    let reads = |name: &str| {
        let of = |event: &&fairlead_controlplane::AuditEvent| {
            event.verb == "get" && event.object_ref.as_ref().is_some_and(|object| object.name == name)
        };
        events
            .iter()
            .filter(|event| event.concerns("configmaps", Some(namespace)))
            .filter(of)
            .count()
    };
    assert_eq!(reads("other"), 0);
    assert!(
        (1..=3).contains(&reads("colors")),
        "{} reads of one change",
        reads("colors")
    );
    Ok(())
}

/// A registry or an API server that does not answer holds no worker for ever, and the status says where the time went.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconcile_that_hangs_is_cut_short_and_says_so() -> Result {
    let plane = crate::resources::installed().await?;
    let namespace = plane.namespace("hangs").await?;
    let flags = ["--request-timeout=1"];
    let installation = Installation::with_flags(plane, namespace, plane.kubeconfig_path(), &flags).await?;
    // Connections are accepted by the system, and never answered.
    let silent = std::net::TcpListener::bind("127.0.0.1:0")?;
    installation
        .repository_at("charts", &format!("http://{}", silent.local_addr()?))
        .await?;
    installation.release("web", json!({"timeout": "2s"})).await?;
    installation
        .ready_is("web", "False", &["cut short after 2s", "chart"])
        .await?;

    installation
        .repository
        .add("web", "1.0.0", &[("templates/map.yaml", MAP)])
        .await?;
    let url = installation.repository.url().to_owned();
    installation.repository_at("charts", &url).await?;
    installation.ready_is("web", "True", &[]).await?;
    Ok(())
}
