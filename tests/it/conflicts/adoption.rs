//! Predecessors: Helm 3, client-side kubectl, managers of unknown origin; and objects that are nobody's or another's.

use fairlead::cluster::apply::{Adoption, ApplyError};
use fairlead::ownership::policy::OnConflict;
use serde_json::{Value, json};

use super::contest::{OURS, contest, value_at};
use super::play::Play;
use super::stage::{Stage, config_map, deployment, marked};
use crate::support::Result;

/// Ordinary manifests that the server stores in another form than they are written in.
fn noisy(stage: &Stage) -> [Value; 4] {
    let mut web = deployment(1, "app:1");
    web["spec"]["template"]["spec"]["containers"][0]["resources"] =
        json!({"limits": {"cpu": "1000m", "memory": "1024Mi"}, "requests": {"cpu": 1}});
    web["spec"]["template"]["spec"]["containers"][0]["env"] =
        json!([{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]);
    let claims = json!([{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]);
    let labels = json!({"app": "db"});
    let pods = json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "db", "image": "db:1"}]}});
    [
        web,
        json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}, "spec": {"replicas": 0, "serviceName": "db",
            "selector": {"matchLabels": labels}, "template": pods, "volumeClaimTemplates": claims}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "n"},
            "spec": {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "r", "namespace": stage.namespace.name()},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}, "subjects": [{"kind": "User", "name": "jane"}]}),
    ]
}

pub(crate) async fn row_24_a_helm_3_release_with_the_same_manifest_is_only_phantoms(play: &mut Play) -> Result {
    play.ownership(json!({"adoptFrom": []}));
    let manifests = noisy(&play.stage);
    for manifest in &manifests {
        play.stage.create_as("helm", &marked(&play.stage, manifest)).await;
    }
    let [web, database, policy, binding] = &manifests;
    let before = play.live(web).await;
    play.wants(&manifests).await?;
    let container = ".spec.template.spec.containers[name=\"app\"]";
    let same = [
        (web, format!("{container}.env[name=\"NODE\"].valueFrom.fieldRef")),
        (web, format!("{container}.resources.limits.cpu")),
        (web, format!("{container}.resources.limits.memory")),
        (web, format!("{container}.resources.requests.cpu")),
        (database, ".spec.volumeClaimTemplates".to_owned()),
        (policy, ".spec.ingress".to_owned()),
        (binding, ".subjects".to_owned()),
    ];
    let mut phantoms = Vec::new();
    for (object, path) in &same {
        let value = value_at(&play.live(object).await, path)?;
        let line = format!("{path} helm Phantom Resolved by phantom");
        phantoms.push(contest(object, &line, value, &["helm Update", OURS]));
    }
    play.tells(&phantoms).await?;
    let after = play.live(web).await;
    assert_eq!(before["spec"], after["spec"]);
    assert_eq!(before["metadata"]["generation"], after["metadata"]["generation"]);
    Ok(())
}

pub(crate) async fn row_25_a_predecessors_fields_are_ours(play: &mut Play) -> Result {
    let managers = ["helm", "kubectl-client-side-apply", "helmwave"];
    play.ownership(json!({"adoptFrom": ["helm", "kubectl-client-side-apply"]}));
    let map = |manager: &str, value: &str| config_map(manager, json!({"a": value}));
    for manager in managers {
        let before = marked(&play.stage, &map(manager, "1"));
        play.stage.create_as(manager, &before).await;
    }
    let [helm, kubectl, helmwave] = managers.map(|manager| map(manager, "2"));
    play.wants(&[helm.clone(), kubectl.clone()]).await?;
    let line = |manager: &str| format!(".data.a {manager} Legacy Resolved by adoptFrom");
    let adopted = [
        contest(&helm, &line("helm"), "2", &[OURS]),
        contest(&kubectl, &line("kubectl-client-side-apply"), "2", &[OURS]),
    ];
    play.tells(&adopted).await?;
    // Who is not named is nobody's predecessor.
    play.wants(&[helm, kubectl, helmwave.clone()]).await?;
    let line = ".data.a helmwave Real Failed by onConflict";
    let stopped = contest(&helmwave, line, "1", &["helmwave Update"]);
    let [first, second] = adopted;
    play.tells(&[first, second, stopped]).await?;
    Ok(())
}

pub(crate) async fn row_22_reset_managed_fields_are_taken_back(play: &mut Play) -> Result {
    play.installs(&[deployment(2, "app:1")]).await?;
    play.stops()?;
    let reset = json!({"metadata": {"managedFields": [{}]}});
    play.stage.patch_as("kubectl-edit", &deployment(2, ""), &reset).await;
    // An apply of somebody else makes the server invent an owner of everything.
    let label = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"team": "x"}}});
    play.stage.apply_as("labeller", &label).await;
    let chart = deployment(3, "app:2");
    play.holds(&chart, ".spec.replicas", 2, &["before-first-apply Update"])
        .await?;

    play.wants(std::slice::from_ref(&chart)).await?;
    play.restarts().await?;
    let image = ".spec.template.spec.containers[name=\"app\"].image";
    let legacy = |path: &str, value: Value| {
        let line = format!("{path} before-first-apply Legacy Resolved by adoptFrom");
        contest(&chart, &line, value, &[OURS])
    };
    let record = ".metadata.managedFields unknown Lost Resolved by ledger";
    play.tells(&[
        contest(&chart, record, Value::Null, &[]),
        legacy(".spec.replicas", json!(3)),
        legacy(image, json!("app:2")),
    ])
    .await?;
    play.holds(&chart, ".metadata.labels.team", "x", &["labeller Apply"])
        .await
}

pub(crate) async fn row_06_a_path_of_another_version_is_reported_as_the_server_names_it(play: &mut Play) -> Result {
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
    let old = json!({"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
        "spec": {"maxReplicas": 5, "targetCPUUtilizationPercentage": 80, "scaleTargetRef": target}});
    play.stage
        .create_as("kubectl-autoscale", &marked(&play.stage, &old))
        .await;
    let metric = |percent: u32| json!([{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent}}}]);
    let chart = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
        "spec": {"maxReplicas": 9, "metrics": metric(50), "scaleTargetRef": target}});
    play.ownership(json!({"onConflict": "Yield"}));
    play.wants(std::slice::from_ref(&chart)).await?;
    let owner = ["kubectl-autoscale Update"];
    let percentage = ".spec.targetCPUUtilizationPercentage kubectl-autoscale Real";
    let maximum = ".spec.maxReplicas kubectl-autoscale Real";
    play.tells(&[
        contest(&chart, &format!("{maximum} Yielded by onConflict"), 5, &owner),
        contest(&chart, &format!("{percentage} Failed by onConflict (the field cannot be left out)"), Value::Null, &owner),
    ])
    .await?;
    play.holds(&chart, ".spec.metrics", metric(80), &[]).await?;

    play.ownership(json!({"onConflict": "Force"}));
    play.wants(std::slice::from_ref(&chart)).await?;
    play.tells(&[
        contest(&chart, &format!("{maximum} Forced by onConflict"), 9, &[OURS]),
        contest(&chart, &format!("{percentage} Forced by onConflict"), Value::Null, &[]),
    ])
    .await?;
    play.holds(&chart, ".spec.metrics", metric(50), &[OURS]).await
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
