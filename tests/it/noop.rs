//! Nothing to do means nothing done: counted by the API server, on a control plane that nobody else uses.

use std::time::{Duration, Instant};

use fairlead::api::HelmRelease;
use fairlead_controlplane::{AuditEvent, Options};
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt as _;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use crate::resources::install;
use crate::support::Result;
use crate::support::installation::{DEADLINE, Installation};
use crate::support::own_plane::OwnPlane;
use crate::support::wait::becomes;

const RELEASES: usize = 50;
/// The one chart of all releases.
const CHART: &str = "quiet";

const OBJECTS: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}}
stringData: {password: secret}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {key: value}
---
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec: {selector: {app: "{{ .Release.Name }}"}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  selector: {matchLabels: {app: "{{ .Release.Name }}"}}
  template:
    metadata: {labels: {app: "{{ .Release.Name }}"}}
    spec: {containers: [{name: web, image: example.com/web}]}
"#;

/// The operator's requests: it is the only one with this user.
fn of_the_operator(events: Vec<AuditEvent>) -> Vec<AuditEvent> {
    let ours = |event: &AuditEvent| event.user().starts_with("system:serviceaccount:fairlead-system:");
    events.into_iter().filter(ours).collect()
}

fn shown(events: &[AuditEvent]) -> Vec<String> {
    let line = |event: &AuditEvent| format!("{} {} {}", event.verb, event.request_uri, event.code());
    events.iter().map(line).collect()
}

async fn reconciles(installation: &Installation) -> Result<f64> {
    let metrics = installation.operator.metrics().await?;
    Ok(metrics
        .sum("fairlead_reconciles_total", &[("kind", "HelmRelease")])
        .unwrap_or(0.0))
}

/// Waits until the operator reconciled this many times more.
async fn more_reconciles(installation: &Installation, more: usize) -> Result {
    let wanted = reconciles(installation).await? + f64::from(u32::try_from(more)?);
    let started = Instant::now();
    while reconciles(installation).await? < wanted {
        if started.elapsed() > DEADLINE {
            return Err(format!(
                "too few reconciles; the operator logged:\n{}",
                installation.operator.log()
            )
            .into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reconciles_without_a_change_write_nothing_and_list_no_secrets() -> Result {
    let options = Options {
        audit: true,
        ..Options::default()
    };
    let own = OwnPlane::start(options).await?;
    let plane = own.get();
    install(plane).await?;
    let namespace = plane.namespace("quiet").await?;
    let kubeconfig = plane
        .service_account_kubeconfig("fairlead-system", "fairlead-controller")
        .await?;
    let installation = Installation::with(plane, namespace, &kubeconfig).await?;
    let names: Vec<String> = (0..RELEASES).map(|index| format!("quiet-{index}")).collect();
    let files = [("templates/objects.yaml", OBJECTS)];
    installation.repository.add(CHART, "1.0.0", &files).await?;
    for name in &names {
        let spec = json!({"interval": "1s", "chart": {"spec": {"chart": CHART}}});
        installation.release(name, spec).await?;
    }
    for name in &names {
        installation.ready_is(name, "True", &[]).await?;
    }
    settled(&installation).await?;
    eprintln!("settled");

    by_interval(&installation).await?;
    by_request(&installation, &names).await?;
    by_status_of_children(&installation, &names).await
}

/// Until the control plane's own controllers have nothing to do for the releases any more.
async fn settled(installation: &Installation) -> Result {
    let started = Instant::now();
    while started.elapsed() < DEADLINE {
        let before = installation.plane.request_counts().await?;
        more_reconciles(installation, RELEASES * 2).await?;
        let since = installation.plane.request_counts().await?.since(&before);
        if since.writes().filter(|kind| !kind.is_heartbeat()).total() == 0 {
            return Ok(());
        }
    }
    Err("the control plane does not come to rest".into())
}

async fn by_interval(installation: &Installation) -> Result {
    let plane = installation.plane;
    let (mark, before) = (plane.audit_mark().await?, plane.request_counts().await?);
    let handled = reconciles(installation).await?;
    more_reconciles(installation, RELEASES * 4).await?;
    let handled = reconciles(installation).await? - handled;
    let counts = plane.request_counts().await?.since(&before);
    let requests = of_the_operator(plane.requests_since(mark).await?);
    eprintln!("{handled} reconciles by interval: {} requests", requests.len());
    assert_eq!(counts.writes().filter(|kind| !kind.is_heartbeat()).to_string(), "");
    let lists = counts.of("secrets").filter(|kind| kind.verb == "LIST");
    assert_eq!(lists.total(), 0, "{lists}");
    // Neither a write nor a dry run, nor anything else.
    assert_eq!(shown(&requests), Vec::<String>::new());
    Ok(())
}

async fn by_request(installation: &Installation, names: &[String]) -> Result {
    let plane = installation.plane;
    let (mark, before) = (plane.audit_mark().await?, plane.request_counts().await?);
    for at in ["one", "two"] {
        for name in names {
            installation.request(name, at).await?;
        }
        for name in names {
            let handled = |release: Option<&HelmRelease>| {
                let status = release.and_then(|release| release.status.as_ref());
                status.and_then(|status| status.last_handled_reconcile_at.as_deref()) == Some(at)
            };
            becomes(&installation.api::<HelmRelease>(), name, DEADLINE, handled).await?;
        }
    }
    let counts = plane.request_counts().await?.since(&before);
    let requests = of_the_operator(plane.requests_since(mark).await?);
    eprintln!("{} requested reconciles: {} requests", RELEASES * 2, requests.len());
    // The answer to the request is one write of status, and the request itself is the test's.
    let wrote: Vec<AuditEvent> = requests.into_iter().filter(AuditEvent::wrote).collect();
    assert!(
        wrote
            .iter()
            .all(|event| event.request_uri.contains("/helmreleases/") && event.request_uri.contains("/status")),
        "{:?}",
        shown(&wrote)
    );
    assert_eq!(wrote.len(), RELEASES * 2);
    let other = counts
        .writes()
        .filter(|kind| !kind.is_heartbeat() && kind.resource != "helmreleases");
    assert_eq!(other.to_string(), "");
    assert_eq!(counts.writes().of("helmreleases").total(), u64::try_from(RELEASES * 4)?);
    assert_eq!(counts.of("secrets").filter(|kind| kind.verb == "LIST").total(), 0);
    Ok(())
}

/// The status of a Deployment changes with its Pods: its resourceVersion is another, and there is nothing to do.
async fn by_status_of_children(installation: &Installation, names: &[String]) -> Result {
    let plane = installation.plane;
    let deployments: Api<Deployment> = installation.api();
    let before: Vec<Option<String>> = versions(&deployments, names).await?;
    let mark = plane.audit_mark().await?;
    for name in names {
        let condition = json!({"type": "Checked", "status": "True", "reason": "Test", "message": "by the test"});
        let patch = json!({"status": {"conditions": [condition]}});
        deployments
            .patch_status(name, &PatchParams::default(), &Patch::Strategic(patch))
            .await?;
    }
    more_reconciles(installation, RELEASES * 3).await?;
    let after = versions(&deployments, names).await?;
    assert!(before.iter().zip(&after).all(|(before, after)| before != after));
    let requests = of_the_operator(plane.requests_since(mark).await?);
    eprintln!("after {RELEASES} changes of status: {} requests", requests.len());
    let wrote: Vec<AuditEvent> = requests.into_iter().filter(AuditEvent::wrote).collect();
    assert_eq!(shown(&wrote), Vec::<String>::new());
    Ok(())
}

async fn versions(deployments: &Api<Deployment>, names: &[String]) -> Result<Vec<Option<String>>> {
    let mut versions = Vec::new();
    for name in names {
        versions.push(deployments.get_metadata(name).await?.resource_version());
    }
    Ok(versions)
}
