//! Rules that are about objects by their group and version, and by the labels and annotations that the release gives them.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use super::key_becomes;
use crate::support::Result;
use crate::support::installation::Installation;

const MARKED: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: labelled, labels: {team: a}}
data: {key: {{ .Values.key | default "ours" | quote }}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: annotated, annotations: {tier: back}}
data: {key: {{ .Values.key | default "ours" | quote }}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: plain}
data: {key: {{ .Values.key | default "ours" | quote }}}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_selects_objects_by_group_version_labels_and_annotations() -> Result {
    let installation = Installation::start("selectors").await?;
    let files = [("templates/maps.yaml", MARKED)];
    installation.repository.add("shop", "1.0.0", &files).await?;
    installation.release("shop", json!({})).await?;
    installation.ready_is("shop", "True", &[]).await?;
    let maps: Api<ConfigMap> = installation.api();
    for name in ["labelled", "annotated", "plain"] {
        // Whoever contests a field cannot choose the rule by labels of his own.
        let theirs = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"tier": "front"}},
            "data": {"key": "theirs"}});
        let parameters = PatchParams::apply("rival").force();
        maps.patch(name, &parameters, &Patch::Apply(theirs)).await?;
    }
    let rules = json!([
        {"name": "other-group", "target": {"group": "apps"}, "onConflict": "Fail"},
        {"name": "other-version", "target": {"version": "v1beta1"}, "onConflict": "Fail"},
        {"name": "elsewhere", "target": {"kind": "ConfigMap", "namespace": "elsewhere"}, "onConflict": "Fail"},
        {"name": "theirs", "target": {"labelSelector": "tier=front"}, "onConflict": "Fail"},
        {"name": "labels", "target": {"version": "v1", "labelSelector": "team in (a, b)"}, "onConflict": "Yield"},
        {"name": "annotations", "target": {"annotationSelector": "tier=back"}, "onConflict": "Force"},
        {"name": "group", "target": {"group": "", "labelSelector": "!team"}, "onConflict": "Yield"},
    ]);
    let spec = json!({"values": {"key": "new"}, "ownership": {"onConflict": "Fail", "rules": rules}});
    installation.release("shop", spec).await?;
    let release = installation.ready_is("shop", "True", &["upgrade succeeded"]).await?;
    key_becomes(&installation, "labelled", "theirs").await?;
    key_becomes(&installation, "annotated", "new").await?;
    key_becomes(&installation, "plain", "theirs").await?;
    let status = serde_json::to_value(&release.status)?;
    let contested = status["ownership"]["contested"].as_array().cloned().unwrap_or_default();
    let mut decided: Vec<&str> = contested.iter().filter_map(|field| field["rule"].as_str()).collect();
    decided.sort_unstable();
    assert_eq!(
        decided,
        ["rules/annotations", "rules/group", "rules/labels"],
        "{contested:?}"
    );
    Ok(())
}
