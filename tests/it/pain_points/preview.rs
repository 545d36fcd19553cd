//! What is to come, and what is behind it: told before anything is applied, to whoever may know.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::rbac::v1::Role;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};

use crate::diff::{Person, changes, release, run, stream, version};
use crate::shadow::everything;
use crate::support::Result;
use crate::support::command::fairlead;
use crate::support::installation::{DEADLINE, Installation};

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

const SUBCHART: [(&str, &str); 4] = [
    (
        "templates/map.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n",
    ),
    (
        "values.yaml",
        "replicas: 1\ncolor: red\nprobe: {path: /, port: 80}\ndb: {size: 1Gi}\n",
    ),
    ("charts/db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 1.0.0\n"),
    ("charts/db/values.yaml", "size: 10Gi\nengine: postgres\nport: 5432\n"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_18_the_merged_values_are_shown_to_whoever_may_read_them() -> Result {
    let installation = Installation::start("merged").await?;
    let namespace = installation.namespace.name();
    installation.repository.add("web", "1.0.0", &SUBCHART).await?;
    let common = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "common"},
        "data": {"values.yaml": "color: green\nprobe: {path: null}\nsize: 3\n"}});
    installation.apply::<ConfigMap>(&common).await?;
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "own"}, "stringData": {"password": "correct-horse"}});
    installation.apply::<Secret>(&secret).await?;
    let spec = json!({"values": {"size": 5, "db": {"engine": "mysql"}}, "valuesFrom": [
        {"kind": "ConfigMap", "name": "common"},
        {"kind": "Secret", "name": "own", "valuesKey": "password", "targetPath": "db.password"},
        {"kind": "Secret", "name": "absent", "optional": true},
    ]});
    installation.release("web", spec).await?;
    installation.ready_is("web", "True", &[]).await?;

    let values = run(&installation, &["values", "web"], "").await?.with(0)?;
    let expected = "color: green\ndb:\n  engine: mysql\n  password: correct-horse\nprobe:\n  path: null\nsize: 5\n";
    assert_eq!(values, expected);
    // What Helm says of a release that it made itself of these values, and of the one that Fairlead made.
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("values.yaml");
    std::fs::write(&file, &values)?;
    let file = file.display().to_string();
    let install = [
        "install",
        "oracle",
        "web",
        "--repo",
        installation.repository.url(),
        "--namespace",
        namespace,
        "--values",
        &file,
    ];
    installation.plane.helm(&install).await?.checked()?;
    for all in [&[][..], &["--all"]] {
        let arguments = [&["values", "web", "-o", "json"], all].concat();
        let ours = run(&installation, &arguments, "").await?.with(0)?;
        assert!(ours.contains("\"size\": 5"), "{ours}");
        let ours: Value = serde_json::from_str(&ours)?;
        let helms = async |release: &str| {
            let arguments = [&["get", "values", release, "-o", "json", "--namespace", namespace], all].concat();
            let text = installation.plane.helm(&arguments).await?.checked()?;
            crate::support::Result::Ok(serde_json::from_str::<Value>(&text)?)
        };
        let mut seen = ours.clone();
        if !all.is_empty()
            && let Some(db) = seen["db"].as_object_mut()
        {
            // Helm's own record has nothing of subcharts, so that Helm does not know of their defaults.
            assert_eq!(
                (db.remove("port"), db.remove("global")),
                (Some(json!(5432)), Some(json!({})))
            );
        }
        assert_eq!(seen, helms("oracle").await?);
        assert_eq!(ours, helms("web").await?);
    }
    let all = run(&installation, &["values", "web", "--all"], "").await?.with(0)?;
    assert!(
        all.contains("engine: mysql") && all.contains("size: 1Gi") && !all.contains("path:"),
        "{all}"
    );

    // Whoever may not read the Secret is told so, and sees nothing of it.
    let role = |name: &str, resources: &[&str]| {
        json!({"metadata": {"name": name}, "rules": [
        {"apiGroups": ["", "fairlead.dev"], "resources": resources, "verbs": ["get"]}]})
    };
    let roles: Api<Role> = installation.api();
    let guest = role("guest", &["helmreleases", "configmaps"]);
    roles
        .create(&PostParams::default(), &serde_json::from_value(guest)?)
        .await?;
    let guest = Person::new(&installation, "guest", ("system:basic-user", Some("guest"))).await?;
    let ended = fairlead(&guest.kubeconfig, &["values", "web"], "").await?;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
    let told = format!("spec.valuesFrom[1] (Secret {namespace}/own): ");
    assert!(
        ended.stderr.contains(&told) && ended.stderr.contains("forbidden"),
        "{ended:?}"
    );
    let more = role("guest", &["helmreleases", "configmaps", "secrets"]);
    roles
        .replace("guest", &PostParams::default(), &serde_json::from_value(more)?)
        .await?;
    // Rights are known to the API server a moment after they are written.
    let started = std::time::Instant::now();
    loop {
        let ended = fairlead(&guest.kubeconfig, &["values", "web"], "").await?;
        if ended.code == Some(0) {
            assert_eq!(ended.stdout, expected);
            break;
        }
        assert!(started.elapsed() < DEADLINE, "{ended:?}");
    }
    guest.leave(&installation).await
}
