//! Which real charts are released, with which values, and by what an upgrade of them is seen.
//!
//! Charts whose webhooks would be asked about objects of other releases are told not to, because no Pod really runs and
//! so no webhook answers: that is the charts' own setting for it, and said where it is used.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::Result;

/// A chart, and what a test does with it.
pub(super) struct RealChart {
    /// The name of the archive in the corpus, without `.tgz`.
    pub(super) archive: &'static str,
    /// The values of the install.
    pub(super) values: Value,
    /// What the upgrade changes of them.
    pub(super) change: Value,
    /// Kind, JSON pointer and value by which the change is seen in a live object.
    pub(super) seen: (&'static str, &'static str, Value),
}

impl RealChart {
    /// Name and version, as in Chart.yaml.
    pub(super) fn name_and_version(&self) -> Result<(&'static str, &'static str)> {
        let archive = self.archive.rsplit("__").next().unwrap_or(self.archive);
        archive
            .rsplit_once('-')
            .ok_or_else(|| format!("{archive} has no version").into())
    }
}

/// The folder with the archives of real charts: that of `FAIRLEAD_CORPUS`, or of the corpus beside the repository.
pub(super) fn archives() -> Option<PathBuf> {
    let corpus = std::env::var_os("FAIRLEAD_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"),
        PathBuf::from,
    );
    Some(corpus.join("charts")).filter(|charts| charts.is_dir())
}

fn chart(archive: &'static str, values: Value, change: Value, seen: (&'static str, &'static str, Value)) -> RealChart {
    RealChart {
        archive,
        values,
        change,
        seen,
    }
}

const REPLICAS: &str = "/spec/replicas";
const STAGE_LABEL: &str = "/spec/template/metadata/labels/stage";
const GRACE: &str = "/spec/template/spec/terminationGracePeriodSeconds";

/// The charts; those that take longest come first.
pub(super) fn charts() -> Vec<RealChart> {
    let mut charts = with_much_around_them();
    charts.extend(plain());
    charts
}

/// Charts with webhooks, node ports, random values and storage.
fn with_much_around_them() -> Vec<RealChart> {
    let nowhere = json!({"matchLabels": {"webhooks": "asked"}});
    vec![
        chart(
            "prometheus-community__helm-charts__kube-prometheus-stack-88.5.3",
            json!({
                // Its webhook judges PrometheusRules, and its certificate comes from hooks.
                "prometheusOperator": {"admissionWebhooks": {"enabled": false}, "tls": {"enabled": false}},
                // The one node has each host port only once.
                "prometheus-node-exporter": {"hostNetwork": false},
            }),
            json!({"grafana": {"replicas": 2}}),
            ("Deployment", REPLICAS, json!(2)),
        ),
        chart(
            "bitnami__charts__consul-11.4.33",
            json!({}),
            json!({"podLabels": {"stage": "two"}}),
            ("StatefulSet", STAGE_LABEL, json!("two")),
        ),
        chart(
            "prometheus-community__helm-charts__prometheus-29.27.0",
            json!({"prometheus-node-exporter": {"hostNetwork": false}}),
            json!({"server": {"terminationGracePeriodSeconds": 77}}),
            ("Deployment", GRACE, json!(77)),
        ),
        chart(
            "hashicorp__vault-helm__vault-0.34.1",
            // The injector judges every Pod of the cluster.
            json!({"injector": {"webhook": {"namespaceSelector": nowhere}}}),
            json!({"ui": {"enabled": true, "serviceType": "LoadBalancer"}, "server": {"terminationGracePeriodSeconds": 20}}),
            ("StatefulSet", GRACE, json!(20)),
        ),
        chart(
            "open-telemetry__opentelemetry-helm-charts__opentelemetry-operator-0.122.0",
            json!({
                "manager": {"collectorImage": {"repository": "example.com/collector"}},
                // It judges every Pod of the cluster.
                "admissionWebhooks": {"namespaceSelector": nowhere, "certManager": {"enabled": false},
                    "autoGenerateCert": {"enabled": true}},
            }),
            json!({"replicaCount": 2}),
            ("Deployment", REPLICAS, json!(2)),
        ),
        chart(
            "kubernetes__ingress-nginx__ingress-nginx-4.15.1",
            // It judges every Ingress of the cluster.
            json!({"controller": {"admissionWebhooks": {"namespaceSelector": nowhere}}}),
            json!({"controller": {"replicaCount": 2}}),
            ("Deployment", REPLICAS, json!(2)),
        ),
    ]
}

/// Charts that need few values or none.
fn plain() -> Vec<RealChart> {
    vec![
        chart(
            "traefik__traefik-helm-chart__traefik-41.3.0",
            json!({"ingressRoute": {"dashboard": {"enabled": true}}}),
            json!({"deployment": {"replicas": 2}}),
            ("Deployment", REPLICAS, json!(2)),
        ),
        chart(
            "argoproj__argo-helm__argo-workflows-1.0.18",
            // Its own definitions go with it; the full ones would come from a hook that downloads them.
            json!({"crds": {"full": false, "keep": false}}),
            json!({"server": {"replicas": 2}}),
            ("Deployment", REPLICAS, json!(2)),
        ),
        chart(
            // Its definitions carry `helm.sh/resource-policy: keep`.
            "argoproj__argo-helm__argo-rollouts-2.41.0",
            json!({}),
            json!({"controller": {"replicas": 3}}),
            ("Deployment", REPLICAS, json!(3)),
        ),
        chart(
            "bitnami__charts__memcached-8.0.0",
            json!({"architecture": "high-availability", "auth": {"enabled": true, "username": "u", "password": "p"},
                "containerSecurityContext": {"readOnlyRootFilesystem": false},
                "autoscaling": {"enabled": true}}),
            json!({"podLabels": {"stage": "two"}}),
            ("StatefulSet", STAGE_LABEL, json!("two")),
        ),
        chart(
            "bitnami__charts__sealed-secrets-2.5.20",
            json!({}),
            json!({"podLabels": {"stage": "two"}}),
            ("Deployment", STAGE_LABEL, json!("two")),
        ),
        chart(
            "prometheus-community__helm-charts__alertmanager-1.42.0",
            json!({}),
            json!({"replicaCount": 2}),
            ("StatefulSet", REPLICAS, json!(2)),
        ),
        chart(
            "prometheus-community__helm-charts__prometheus-node-exporter-4.56.1",
            json!({}),
            json!({"podLabels": {"stage": "two"}}),
            ("DaemonSet", STAGE_LABEL, json!("two")),
        ),
        chart(
            "prometheus-community__helm-charts__kube-state-metrics-8.4.0",
            json!({}),
            json!({"replicas": 2}),
            ("Deployment", REPLICAS, json!(2)),
        ),
        chart(
            "prometheus-community__helm-charts__prometheus-blackbox-exporter-11.17.2",
            json!({}),
            json!({"replicas": 2}),
            ("Deployment", REPLICAS, json!(2)),
        ),
    ]
}

/// What serves where there is no corpus.
pub(super) fn small_charts() -> Vec<RealChart> {
    let image = |kind, pointer| (kind, pointer, json!("example.com/app:2"));
    let change = json!({"color": "blue", "image": "example.com/app:2", "replicas": 3});
    [
        ("settings-1.0.0", ("ConfigMap", "/data/color", json!("blue"))),
        ("web-1.0.0", ("Deployment", REPLICAS, json!(3))),
        ("store-1.0.0", ("StatefulSet", REPLICAS, json!(3))),
        (
            "agent-1.0.0",
            image("DaemonSet", "/spec/template/spec/containers/0/image"),
        ),
        (
            "task-1.0.0",
            image("CronJob", "/spec/jobTemplate/spec/template/spec/containers/0/image"),
        ),
    ]
    .map(|(archive, seen)| chart(archive, json!({}), change.clone(), seen))
    .into()
}
