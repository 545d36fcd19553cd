//! Predecessors: Helm 3, client-side kubectl, managers of unknown origin; and objects that are nobody's or another's.

use fairlead::cluster::apply::{Adoption, ApplyError};
use fairlead::ownership::class::Class;
use fairlead::ownership::policy::{Action, OnConflict};
use serde_json::{Value, json};

use super::seen::Seen;
use super::stage::{Stage, config_map, deployment, marked, told};

/// Ordinary manifests that the server stores in another form than they are written in.
fn noisy(stage: &Stage) -> Vec<Value> {
    let mut web = deployment(1, "app:1");
    web["spec"]["template"]["spec"]["containers"][0]["resources"] =
        json!({"limits": {"cpu": "1000m", "memory": "1024Mi"}, "requests": {"cpu": 1}});
    web["spec"]["template"]["spec"]["containers"][0]["env"] =
        json!([{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]);
    let claims = json!([{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]);
    let labels = json!({"app": "db"});
    let pods = json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "db", "image": "db:1"}]}});
    vec![
        web,
        json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}, "spec": {"replicas": 0, "serviceName": "db",
            "selector": {"matchLabels": labels}, "template": pods, "volumeClaimTemplates": claims}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "n"},
            "spec": {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "r", "namespace": stage.namespace.name()},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}, "subjects": [{"kind": "User", "name": "jane"}]}),
    ]
}

pub(crate) async fn row_24_a_helm_3_release_with_the_same_manifest_is_only_phantoms(seen: Seen) {
    let mut stage = Stage::of(&seen).await;
    stage.legacy.clear();
    let manifests = noisy(&stage);
    for manifest in &manifests {
        stage.create_as("helm", &marked(&stage, manifest)).await;
    }
    let before = stage.live(manifests.first().unwrap()).await;
    let applied = stage.apply_all(&manifests).await.unwrap();
    for (object, manifest) in applied.iter().zip(&manifests) {
        assert!(!object.contested.is_empty(), "{}", manifest["kind"]);
        for field in &object.contested {
            assert_eq!(
                (field.class, field.action, field.rule.as_str()),
                (Class::Phantom, Action::Resolved, "phantom"),
                "{field:?}"
            );
        }
        assert!(
            object.overridden_by_admission.is_empty(),
            "{:?}",
            object.overridden_by_admission
        );
    }
    let after = stage.live(manifests.first().unwrap()).await;
    assert_eq!(before["spec"], after["spec"]);
    assert_eq!(before["metadata"]["generation"], after["metadata"]["generation"]);
}

pub(crate) async fn row_25_a_predecessors_fields_are_ours(seen: Seen) {
    for manager in ["helm", "kubectl-client-side-apply"] {
        let mut stage = Stage::of(&seen).await;
        stage
            .create_as(manager, &marked(&stage, &config_map("config", json!({"a": "1"}))))
            .await;
        let applied = stage.apply(&config_map("config", json!({"a": "2"}))).await.unwrap();
        assert_eq!(
            told(&applied.contested),
            [format!(".data.a {manager} Legacy Resolved adoptFrom")]
        );
    }
    let mut stage = Stage::of(&seen).await;
    stage
        .create_as("helmwave", &marked(&stage, &config_map("config", json!({"a": "1"}))))
        .await;
    let error = stage.apply(&config_map("config", json!({"a": "2"}))).await.unwrap_err();
    assert!(matches!(error, ApplyError::Stopped { .. }), "{error}");
}

pub(crate) async fn row_22_reset_managed_fields_are_taken_back(seen: Seen) {
    let mut stage = Stage::of(&seen).await;
    stage.apply(&deployment(2, "app:1")).await.unwrap();
    stage
        .patch_as(
            "kubectl-edit",
            &deployment(2, ""),
            &json!({"metadata": {"managedFields": [{}]}}),
        )
        .await;
    // An apply of somebody else makes the server invent an owner of everything.
    let mut label = deployment(2, "");
    label.as_object_mut().unwrap().remove("spec");
    label["metadata"]["labels"] = json!({"team": "x"});
    stage.apply_as("labeller", &label).await;
    let managers = stage.live(&deployment(2, "")).await["metadata"]["managedFields"].to_string();
    assert!(managers.contains("before-first-apply"), "{managers}");

    let applied = stage.apply(&deployment(3, "app:2")).await.unwrap();
    let expected = [
        ".metadata.managedFields unknown Lost Resolved ledger",
        ".spec.replicas before-first-apply Legacy Resolved adoptFrom",
        ".spec.template.spec.containers[name=\"app\"].image before-first-apply Legacy Resolved adoptFrom",
    ];
    assert_eq!(told(&applied.contested), expected);
    assert_eq!(stage.live(&deployment(2, "")).await["spec"]["replicas"], json!(3));
}

pub(crate) async fn row_06_a_path_of_another_version_is_reported_as_the_server_names_it(seen: Seen) {
    let mut stage = Stage::of(&seen).await;
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
    let old = json!({"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
        "spec": {"maxReplicas": 5, "targetCPUUtilizationPercentage": 80, "scaleTargetRef": target}});
    stage.create_as("kubectl-autoscale", &marked(&stage, &old)).await;
    let metric = json!([{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}]);
    let chart = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
        "spec": {"maxReplicas": 9, "metrics": metric, "scaleTargetRef": target}});
    stage.policy.on_conflict = OnConflict::Yield;
    let ApplyError::Stopped { contested, .. } = stage.apply(&chart).await.unwrap_err() else {
        panic!()
    };
    let fields: Vec<&str> = contested.iter().map(|field| field.field.as_str()).collect();
    assert!(fields.contains(&".spec.targetCPUUtilizationPercentage"), "{fields:?}");
    assert!(
        contested
            .iter()
            .all(|field| field.manager.api_version.as_deref() == Some("autoscaling/v1"))
    );

    stage.policy.on_conflict = OnConflict::Force;
    stage.apply(&chart).await.unwrap();
    let live = stage.live(&chart).await;
    assert_eq!(
        (&live["spec"]["maxReplicas"], &live["spec"]["metrics"]),
        (&json!(9), &metric)
    );
}

#[tokio::test]
async fn foreign_objects_are_not_taken() {
    let mut stage = Stage::open("foreign").await;
    let map = config_map("config", json!({"a": "1"}));
    stage
        .create_as("kubectl-create", &config_map("config", json!({"b": "1"})))
        .await;
    let decided = stage.apply_all(std::slice::from_ref(&map)).await.unwrap_err();
    let [error @ ApplyError::NotOurs { .. }] = decided.failures.as_slice() else {
        panic!("{decided:?}")
    };
    assert!(error.to_string().contains("belongs to no release"), "{error}");
    assert!(!error.is_retryable());

    let other = json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"meta.helm.sh/release-name": "other", "meta.helm.sh/release-namespace": "there"}}});
    stage.patch_as("kubectl-edit", &map, &other).await;
    let error = stage.apply(&map).await.unwrap_err();
    assert!(error.to_string().contains("release there/other"), "{error}");

    stage.adoption = Adoption::TakeOwnership;
    stage.policy.on_conflict = OnConflict::Force;
    stage.apply(&map).await.unwrap();
    assert_eq!(stage.live(&map).await["data"], json!({"a": "1", "b": "1"}));
    assert!(stage.release().owns(&stage.live(&map).await));
}
