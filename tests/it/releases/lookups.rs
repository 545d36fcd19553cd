//! `lookup` in templates: the cluster answers, as with Helm.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

use crate::support::Result;
use crate::support::installation::{DEADLINE, Installation, condition};
use crate::support::wait::becomes;

/// The usual way of charts to keep a password that they made, and what else Helm's `lookup` can be asked.
const TEMPLATE: &str = r#"
{{- $before := lookup "v1" "Secret" .Release.Namespace .Release.Name }}
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}}
data:
  password: {{ dig "data" "password" (randAlphaNum 20 | b64enc) $before }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data:
  color: {{ .Values.color }}
  one: {{ (lookup "v1" "ConfigMap" .Release.Namespace "given").data.key }}
  many: {{ (lookup "v1" "ConfigMap" .Release.Namespace "").items | len | quote }}
  list: {{ (lookup "v1" "ConfigMap" .Release.Namespace "").kind }}
  everywhere: {{ gt ((lookup "v1" "Namespace" "" "").items | len) 3 | quote }}
  cluster: {{ (lookup "v1" "Namespace" "ignored" "default").metadata.name }}
  nothing: {{ lookup "v1" "ConfigMap" .Release.Namespace "missing" | toJson | quote }}
  without-namespace: {{ lookup "v1" "ConfigMap" "" "given" | toJson | quote }}
{{- with .Values.kind }}
  unknown: {{ lookup "example.com/v1" . "" "" }}
{{- end }}
{{- if .Values.tells }}
  told: {{ fail (printf "the password is %s" ($before.data.password | b64dec)) }}
{{- end }}
"#;

async fn installation(prefix: &str) -> Result<Installation> {
    let installation = Installation::start(prefix).await?;
    let files = [("templates/all.yaml", TEMPLATE), ("values.yaml", "color: red\n")];
    installation.repository.add("web", "1.0.0", &files).await?;
    let given = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "given"}, "data": {"key": "value"}
    });
    let maps: Api<ConfigMap> = installation.api();
    maps.create(&PostParams::default(), &serde_json::from_value(given)?)
        .await?;
    Ok(installation)
}

async fn color_is(installation: &Installation, color: &str) -> Result<ConfigMap> {
    let has_color = |map: Option<&ConfigMap>| {
        let data = map.and_then(|map| map.data.as_ref());
        data.and_then(|data| data.get("color"))
            .is_some_and(|found| found == color)
    };
    let found = becomes(&installation.api(), "web", DEADLINE, has_color).await;
    let found = found.map_err(|error| format!("{error}; the operator logged:\n{}", installation.operator.log()))?;
    Ok(found.ok_or("a ConfigMap")?)
}

async fn password(installation: &Installation) -> Result<Vec<u8>> {
    let secret = installation.api::<Secret>().get("web").await?;
    let data = secret.data.ok_or("data")?;
    Ok(data.get("password").ok_or("a password")?.0.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn templates_see_the_cluster_as_with_helm() -> Result {
    let installation = installation("lookup").await?;
    installation.release("web", json!({})).await?;
    let map = color_is(&installation, "red").await?;
    let first = password(&installation).await?;
    // What Helm makes of the same chart in the same cluster, where the release is already: another ConfigMap is there.
    let (repository, namespace) = (installation.repository.url(), installation.namespace.name());
    let arguments = [
        "template",
        "web",
        "web",
        "--repo",
        repository,
        "--namespace",
        namespace,
        "--dry-run=server",
    ];
    let helms = installation.plane.helm(&arguments).await?.checked()?;
    let documents = helms.split("---\n").filter(|text| text.contains("ConfigMap"));
    let mut helms: Value = fairlead::yaml::to_json(documents.last().ok_or("a ConfigMap")?.as_bytes())?;
    assert_eq!(
        helms["data"]["many"], "3",
        "those of the namespace, of the test and of the release"
    );
    helms["data"]["many"] = json!("2");
    assert_eq!(json!(map.data), helms["data"]);

    installation
        .release("web", json!({"values": {"color": "blue"}}))
        .await?;
    color_is(&installation, "blue").await?;
    assert_eq!(password(&installation).await?, first, "the chart keeps what it finds");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_up_that_fails_says_why_and_shows_no_secret() -> Result {
    let installation = installation("lookup-fails").await?;
    installation
        .release("web", json!({"values": {"kind": "Nothing"}}))
        .await?;
    let texts = ["error calling lookup", "example.com/v1", "Nothing"];
    installation.ready_is("web", "False", &texts).await?;

    installation.release("web", json!({})).await?;
    color_is(&installation, "red").await?;
    let secret = String::from_utf8(password(&installation).await?)?;
    installation.release("web", json!({"values": {"tells": true}})).await?;
    let release = installation
        .ready_is("web", "False", &["the password is [hidden]"])
        .await?;
    assert!(!condition(&release, "Ready").to_string().contains(&secret));
    assert!(!installation.operator.log().contains(&secret));
    Ok(())
}
