//! What is to come, and what is behind it: told before anything is applied, to whoever may know.

use serde_json::{Value, json};

use crate::diff::{Person, changes, release, run, stream, version};
use crate::shadow::everything;
use crate::support::Result;
use crate::support::command::fairlead;
use crate::support::installation::Installation;

const OBJECTS: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data:
  key: {{ .Values.key | default "old" | quote }}
  app.conf: |
    first
    second {{ .Values.key | default "old" }}
    third
---
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}}
stringData: {password: {{ .Values.password | default "correct-horse" | quote }}}
---
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec: {selector: {app: web}, ports: [{port: 80}]}
"#;
const LEAVING: &str = r"
---
apiVersion: v1
kind: ConfigMap
metadata: {name: leaving}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: kept, annotations: {helm.sh/resource-policy: keep}}
";
const COMING: &str = r"
---
apiVersion: v1
kind: ConfigMap
metadata: {name: coming}
---
apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {helm.sh/hook: pre-upgrade}}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: migrate, image: example.com/migrate}]}}}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_05_a_pull_request_is_compared_with_the_cluster_and_nothing_is_written() -> Result {
    let installation = Installation::start("preview").await?;
    let (plane, namespace) = (installation.plane, installation.namespace.name());
    for (number, more) in [("1.0.0", LEAVING), ("1.1.0", COMING)] {
        let template = format!("{OBJECTS}{more}");
        let files = [("templates/objects.yaml", template.as_str())];
        installation.repository.add("shop", number, &files).await?;
    }
    installation
        .release("shop", json!({"chart": version("shop", "1.0.0")}))
        .await?;
    installation.ready_is("shop", "True", &[]).await?;
    let reviewer = Person::new(&installation, "reviewer", ("cluster-admin", None)).await?;
    let before = everything(&installation.client, namespace).await?;
    let mark = plane.audit_mark().await?;

    // What is there is as its HelmRelease says.
    let same = fairlead(&reviewer.kubeconfig, &["diff", "shop"], "").await?.with(0)?;
    assert!(same.ends_with("\n  5 unchanged; nothing would change\n"), "{same}");

    let spec = json!({"chart": version("shop", "1.1.0"), "values": {"key": "new", "password": "battery-staple"}});
    let file = stream(&[release("shop", &spec)]);
    let text = fairlead(&reviewer.kubeconfig, &["diff", "-f", "-"], &file)
        .await?
        .with(1)?;
    let expected = [
        "chart shop@1.0.0 -> shop@1.1.0",
        "revision 1 (deployed) -> 2 (upgrade: chart version, values)",
        "pre-upgrade hook Job migrate",
        &format!("+ v1 ConfigMap {namespace}/coming"),
        &format!("~ v1 ConfigMap {namespace}/shop"),
        ".data[\"app.conf\"]:\n          first\n        - second old\n        + second new\n          third\n",
        ".data.key: \"old\" -> \"new\"",
        &format!("~ v1 Secret {namespace}/shop"),
        ".data.password: \"<redacted sha256:",
        &format!("- v1 ConfigMap {namespace}/leaving"),
        &format!("= v1 ConfigMap {namespace}/kept: leaves the release and stays"),
        "1 created, 2 changed, 1 deleted, 1 unchanged; it could be applied as it is\n",
    ];
    for part in expected {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
    let json = fairlead(&reviewer.kubeconfig, &["diff", "-f", "-", "-o", "json"], &file)
        .await?
        .with(1)?;
    let report: Value = serde_json::from_str(&json)?;
    let shop = &report["releases"][0];
    assert_eq!(
        (&report["schemaVersion"], &report["verdict"]),
        (&json!(1), &json!("Differs"))
    );
    assert_eq!(
        changes(shop, namespace),
        [
            "Created v1 ConfigMap coming",
            "Removed v1 ConfigMap leaving",
            "Changed v1 ConfigMap shop",
            "Changed v1 Secret shop"
        ]
    );
    let next = json!({"number": 2, "action": "upgrade", "because": ["ChartVersion", "Values"], "reinstalls": false,
        "hooks": [{"event": "pre-upgrade", "kind": "Job", "name": "migrate"}]});
    assert_eq!(shop["revision"]["next"], next);
    for secret in [
        "correct-horse",
        "battery-staple",
        "Y29ycmVjdC1ob3JzZQ",
        "YmF0dGVyeS1zdGFwbGU",
    ] {
        assert!(
            !text.contains(secret) && !json.contains(secret),
            "{secret} in {text}{json}"
        );
    }

    // The reviewer has asked a lot, and written nothing.
    let requests = plane.requests_since(mark).await?;
    let of_the_reviewer = || requests.iter().filter(|request| request.user() == reviewer.user);
    assert!(of_the_reviewer().any(|request| request.request_uri.contains("dryRun=All")));
    let written: Vec<&str> = of_the_reviewer()
        .filter(|request| request.wrote())
        .map(|request| request.request_uri.as_str())
        .collect();
    assert_eq!(written, Vec::<&str>::new());
    assert_eq!(everything(&installation.client, namespace).await?, before);

    // And what was told is what comes.
    installation.release("shop", spec).await?;
    installation.ready_is("shop", "True", &["upgrade succeeded"]).await?;
    run(&installation, &["diff", "-f", "-"], &file).await?.with(0)?;
    reviewer.leave(&installation).await
}
