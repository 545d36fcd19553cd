//! What is wrong is said where people look, nothing of the release is there, and it heals once the cause is gone.

mod cluster;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use serde_json::{Value, json};

use crate::support::Result;
use crate::support::chart_repository::ChartRepository;
use crate::support::installation::{Installation, condition};

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n";

/// A release that must say all these texts and have no object.
struct Wrong {
    name: &'static str,
    spec: Value,
    texts: Vec<&'static str>,
}

/// The release whose chart has a field that the schema of its kind does not know.
const UNDECLARED: &str = "field";

fn wrong(name: &'static str, spec: Value, texts: &[&'static str]) -> Wrong {
    Wrong {
        name,
        spec,
        texts: texts.to_vec(),
    }
}

async fn refuses_all(installation: &Installation, cases: &[Wrong]) -> Result {
    for Wrong { name, spec, texts: _ } in cases {
        installation.release(name, spec.clone()).await?;
    }
    for Wrong { name, spec: _, texts } in cases {
        let release = installation.ready_is(name, "False", texts).await?;
        eprintln!("{name}: {}", condition(&release, "Ready")["message"]);
        assert!(installation.objects_of::<Deployment>(name).await?.is_empty(), "{name}");
        if *name == UNDECLARED {
            // Only the server knows; what comes before it in an install is there by then.
            continue;
        }
        assert!(installation.objects_of::<ConfigMap>(name).await?.is_empty(), "{name}");
        assert!(installation.objects_of::<Secret>(name).await?.is_empty(), "{name}");
        assert!(installation.objects_of::<Service>(name).await?.is_empty(), "{name}");
    }
    Ok(())
}

async fn all_become_ready(installation: &Installation, cases: &[Wrong]) -> Result {
    for Wrong { name, .. } in cases {
        installation.ready_is(name, "True", &[]).await?;
    }
    Ok(())
}

fn source(repository: &str, chart: &str) -> Value {
    json!({"chart": {"spec": {"chart": chart, "sourceRef": {"name": repository}}}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sources_that_are_wrong() -> Result {
    let installation = Installation::start("sources").await?;
    let map: &[(&str, &str)] = &[("templates/map.yaml", MAP)];
    installation.repository.add("good", "1.0.0", map).await?;
    let other = ChartRepository::start(installation.plane).await?;
    other.put("index.yaml", "apiVersion: v1\nentries:\n  good: [{")?;
    installation.repository_at("broken", other.url()).await?;
    installation.repository_at("unreachable", "http://127.0.0.1:1").await?;
    let junk = ChartRepository::start(installation.plane).await?;
    junk.put(
        "index.yaml",
        "apiVersion: v1\nentries: {junk: [{name: junk, version: 1.0.0, urls: [junk-1.0.0.tgz]}]}\n",
    )?;
    junk.put("junk-1.0.0.tgz", "this is no archive")?;
    installation.repository_at("junk", junk.url()).await?;
    let version = json!({"chart": {"spec": {"version": "2.x", "chart": "good"}}});
    let cases = [
        wrong(
            "no-repository",
            source("later", "good"),
            &["HelmRepository", "/later does not exist", "spec.chart.spec.sourceRef"],
        ),
        wrong("no-chart", source("charts", "late"), &["has no chart late", "good"]),
        wrong(
            "no-version",
            version,
            &["no version of chart good that matches \"2.x\"", "1.0.0"],
        ),
        wrong(
            "broken-index",
            source("broken", "good"),
            &["the index of chart repository", "broken at line"],
        ),
        wrong(
            "unreachable",
            source("unreachable", "good"),
            &["http://127.0.0.1:1", "cannot be reached"],
        ),
        wrong(
            "junk",
            source("junk", "junk"),
            &["junk-1.0.0.tgz", "not a packed chart"],
        ),
    ];
    refuses_all(&installation, &cases).await?;

    installation
        .repository_at("later", installation.repository.url())
        .await?;
    installation.repository.add("late", "1.0.0", map).await?;
    installation.repository.add("good", "2.1.0", map).await?;
    other.add("good", "1.0.0", map).await?;
    installation
        .repository_at("unreachable", installation.repository.url())
        .await?;
    junk.add("junk", "1.1.0", map).await?;
    all_become_ready(&installation, &cases).await
}

const BROKEN: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  a: {{ .Values.a.b.c }}\n";
const TYPED: &str =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}-typed}\ndata:\n  a: {{ upper .Values.a }}\n";
const TWICE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: twice}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: twice}\n";
const SCHEMA: &str = r#"{"type": "object", "properties": {"replicas": {"type": "integer"}}}"#;
const UNKNOWN_FIELD: &str = r"
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containerz: [], containers: [{name: web, image: example.com/web}]}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn charts_and_values_that_are_wrong() -> Result {
    let installation = Installation::start("charts").await?;
    let charts: [(&str, &[(&str, &str)]); 9] = [
        (
            "syntax",
            &[
                ("templates/map.yaml", MAP),
                ("templates/broken.yaml", "a: b\nc: {{ if }}\n"),
            ],
        ),
        ("nil", &[("templates/map.yaml", MAP), ("templates/broken.yaml", BROKEN)]),
        ("typed", &[("templates/map.yaml", MAP), ("templates/typed.yaml", TYPED)]),
        ("schema", &[("templates/map.yaml", MAP), ("values.schema.json", SCHEMA)]),
        ("twice", &[("templates/twice.yaml", TWICE)]),
        (
            "field",
            &[("templates/map.yaml", MAP), ("templates/web.yaml", UNKNOWN_FIELD)],
        ),
        ("object", &[("templates/map.yaml", MAP)]),
        ("key", &[("templates/map.yaml", MAP)]),
        (
            "yaml",
            &[("templates/map.yaml", MAP), ("templates/bad.yaml", "kind: [\n")],
        ),
    ];
    for (name, files) in charts {
        installation.repository.add(name, "1.0.0", files).await?;
    }
    let settings =
        |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": data});
    installation
        .apply::<ConfigMap>(&settings(json!({"other": "a: 1"})))
        .await?;
    let cases = [
        wrong("syntax", json!({}), &["syntax@1.0.0", "syntax/templates/broken.yaml:2"]),
        wrong("nil", json!({}), &["nil/templates/broken.yaml:5", ".Values.a.b.c"]),
        wrong(
            "typed",
            json!({"values": {"a": ["no text"]}}),
            &["typed/templates/typed.yaml:5", "expected string"],
        ),
        wrong(
            "schema",
            json!({"values": {"replicas": "three"}}),
            &["schema", "replicas", "integer"],
        ),
        wrong("twice", json!({}), &["ConfigMap", "/twice twice"]),
        wrong(
            UNDECLARED,
            json!({}),
            &["Deployment", "containerz", "correct the chart"],
        ),
        wrong(
            "object",
            json!({"valuesFrom": [{"kind": "Secret", "name": "absent"}]}),
            &["spec.valuesFrom[0]", "Secret", "/absent", "does not exist"],
        ),
        wrong(
            "key",
            json!({"valuesFrom": [{"kind": "ConfigMap", "name": "settings"}]}),
            &["spec.valuesFrom[0]", "no key \"values.yaml\""],
        ),
        wrong("yaml", json!({}), &["yaml/templates/bad.yaml"]),
    ];
    refuses_all(&installation, &cases).await?;

    for name in ["syntax", "nil", "twice", "field", "yaml"] {
        installation
            .repository
            .add(name, "1.0.1", &[("templates/map.yaml", MAP)])
            .await?;
        installation.request(name, "now").await?;
    }
    installation.release("typed", json!({"values": {"a": "text"}})).await?;
    installation
        .release("schema", json!({"values": {"replicas": 3}}))
        .await?;
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "absent"}, "stringData": {"values.yaml": "a: 1"}});
    installation.apply::<Secret>(&secret).await?;
    installation
        .apply::<ConfigMap>(&settings(json!({"values.yaml": "a: 1"})))
        .await?;
    all_become_ready(&installation, &cases).await
}
