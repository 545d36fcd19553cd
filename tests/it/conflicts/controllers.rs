//! Controllers that own fields by design: autoscalers, CA injectors, the aggregation of ClusterRoles.

use std::time::Duration;

use fairlead::cluster::apply::Operation;
use fairlead::ownership::class::Class;
use fairlead::ownership::policy::OnConflict;
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::Api;
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};

use super::seen::Seen;
use super::stage::{Stage, config_map, deployment, moment, told};

pub(crate) async fn row_01_an_autoscaler_keeps_its_replicas(seen: Seen) {
    let mut stage = Stage::of(&seen).await;
    let first = deployment(3, "app:1");
    assert_eq!(stage.apply(&first).await.unwrap().operation, Operation::Created);
    stage.scale_as("kube-controller-manager", &first, 7).await;

    let applied = stage.apply(&deployment(3, "app:2")).await.unwrap();
    assert_eq!(
        told(&applied.contested),
        [".spec.replicas kube-controller-manager Real Yielded wellKnownOwners/hpa-replicas"]
    );
    let field = applied.contested.first().unwrap();
    assert_eq!(field.ours.as_ref().unwrap().as_json(), &json!(3));
    assert_eq!(field.theirs.as_ref().unwrap().as_json(), &json!(7));
    assert_eq!(field.manager.subresource.as_deref(), Some("scale"));
    let live = stage.live(&first).await;
    assert_eq!(
        (
            &live["spec"]["replicas"],
            &live["spec"]["template"]["spec"]["containers"][0]["image"]
        ),
        (&json!(7), &json!("app:2"))
    );
    assert!(!applied.owned.contains(&".spec.replicas".parse().unwrap()));
}

pub(crate) async fn row_01_a_yielded_field_stays_yielded_until_its_owner_lets_go(seen: Seen) {
    let mut stage = Stage::of(&seen).await;
    let first = deployment(3, "app:1");
    stage.apply(&first).await.unwrap();
    stage.scale_as("kube-controller-manager", &first, 7).await;
    stage.apply(&deployment(3, "app:2")).await.unwrap();

    // The owner happens to want what we want: we still do not become a co-owner.
    stage.scale_as("kube-controller-manager", &first, 3).await;
    let applied = stage.apply(&deployment(3, "app:3")).await.unwrap();
    assert_eq!(
        told(&applied.contested),
        [".spec.replicas kube-controller-manager Phantom Yielded wellKnownOwners/hpa-replicas"]
    );
    assert!(!applied.owned.contains(&".spec.replicas".parse().unwrap()));
    stage.scale_as("kube-controller-manager", &first, 9).await;
    stage.apply(&deployment(3, "app:4")).await.unwrap();
    assert_eq!(stage.live(&first).await["spec"]["replicas"], json!(9));

    // The owner lets go, without the value changing.
    stage.let_go(&first, "scale").await;
    let applied = stage.apply(&deployment(3, "app:4")).await.unwrap();
    assert_eq!(told(&applied.contested), Vec::<String>::new());
    assert_eq!(stage.live(&first).await["spec"]["replicas"], json!(3));
    assert!(applied.owned.contains(&".spec.replicas".parse().unwrap()));
}

pub(crate) async fn row_03_replicas_are_handed_over_to_the_autoscaler_of_the_release(seen: Seen) {
    let mut stage = Stage::of(&seen).await;
    let first = deployment(5, "app:1");
    stage.apply(&first).await.unwrap();
    let autoscaler = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"}, "spec": {
        "minReplicas": 2, "maxReplicas": 9, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}});

    let applied = stage.apply_all(&[deployment(None, "app:1"), autoscaler]).await.unwrap();
    let handed_over: Vec<String> = applied
        .first()
        .unwrap()
        .handed_over
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(handed_over, [".spec.replicas"]);
    assert_eq!(stage.live(&first).await["spec"]["replicas"], json!(5), "no outage");

    stage.scale_as("kube-controller-manager", &first, 7).await;
    let managers = stage.live(&first).await["metadata"]["managedFields"].to_string();
    assert!(
        !managers.contains("-handover"),
        "the new owner has it alone: {managers}"
    );
    stage.apply(&deployment(None, "app:2")).await.unwrap();
    assert_eq!(stage.live(&first).await["spec"]["replicas"], json!(7));
}

pub(crate) async fn row_03_without_an_autoscaler_a_dropped_field_goes_back_to_its_default(seen: Seen) {
    let mut stage = Stage::of(&seen).await;
    stage.apply(&deployment(5, "app:1")).await.unwrap();
    let applied = stage.apply(&deployment(None, "app:1")).await.unwrap();
    assert!(applied.handed_over.is_empty());
    assert_eq!(
        stage.live(&deployment(None, "app:1")).await["spec"]["replicas"],
        json!(1)
    );
}

fn webhook(stage: &Stage, bundle: Option<&str>) -> Value {
    let mut client = json!({"service": {"name": "hook", "namespace": stage.namespace.name()}});
    if let Some(bundle) = bundle {
        client["caBundle"] = json!(bundle);
    }
    let hooks = json!([{"name": "a.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"], "clientConfig": client,
        "rules": [{"apiGroups": ["none.example.com"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["nothing"], "scope": "*"}]}]);
    json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": format!("hook-{}", stage.namespace.name())}, "webhooks": hooks})
}

/// A certificate authority that the server accepts; made for this test, its key is thrown away.
const BUNDLE: &str = include_str!("bundle.txt");

pub(crate) async fn row_08_an_injected_bundle_is_kept_where_the_chart_has_none(seen: Seen) {
    let mut stage = Stage::of(&seen).await;
    let chart = webhook(&stage, None);
    stage.apply(&chart).await.unwrap();
    stage
        .strategic_patch_as(
            "cert-manager-cainjector",
            &chart,
            &json!({"webhooks": [{"name": "a.example.com", "clientConfig": {"caBundle": BUNDLE.trim()}}]}),
        )
        .await;
    let mut next = chart.clone();
    next["metadata"]["labels"] = json!({"version": "2"});
    let applied = stage.apply(&next).await.unwrap();
    assert!(applied.contested.is_empty());
    assert_eq!(
        stage.live(&chart).await["webhooks"][0]["clientConfig"]["caBundle"],
        json!(BUNDLE.trim())
    );
}

pub(crate) async fn row_09_a_placeholder_never_replaces_an_injected_bundle(seen: Seen) {
    for applies in [false, true] {
        let mut stage = Stage::of(&seen).await;
        let chart = webhook(&stage, Some("Cg=="));
        stage.apply(&chart).await.unwrap();
        let injected = json!({"webhooks": [{"name": "a.example.com", "clientConfig": {"caBundle": BUNDLE.trim()}}]});
        if applies {
            let mut whole = injected.clone();
            for key in ["apiVersion", "kind", "metadata"] {
                whole[key] = chart[key].clone();
            }
            stage.apply_as("cert-manager-cainjector", &whole).await;
        } else {
            stage
                .strategic_patch_as("cert-manager-cainjector", &chart, &injected)
                .await;
        }
        let applied = stage.apply(&chart).await.unwrap();
        let field = ".webhooks[name=\"a.example.com\"].clientConfig.caBundle";
        assert_eq!(
            told(&applied.contested),
            [format!(
                "{field} cert-manager-cainjector Real Yielded wellKnownOwners/webhook-ca-bundle"
            )]
        );
        assert_eq!(
            stage.live(&chart).await["webhooks"][0]["clientConfig"]["caBundle"],
            json!(BUNDLE.trim())
        );
    }
}

pub(crate) async fn row_33_the_rules_of_an_aggregated_cluster_role_are_never_taken(seen: Seen) {
    let mut stage = Stage::of(&seen).await;
    let name = format!("all-{}", stage.namespace.name());
    let key = format!("example.com/{}", stage.namespace.name());
    let part = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": format!("{name}-part"), "labels": {key.as_str(): "true"}},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]});
    let whole = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name},
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {key.as_str(): "true"}}]}, "rules": []});
    stage.apply_all(&[part, whole.clone()]).await.unwrap();
    // The real controller fills the rules.
    let roles: Api<ClusterRole> = Api::all(stage.client.clone());
    let filled = |role: Option<&ClusterRole>| {
        role.and_then(|role| role.rules.as_ref())
            .is_some_and(|rules| !rules.is_empty())
    };
    tokio::time::timeout(Duration::from_mins(1), await_condition(roles, &name, filled))
        .await
        .unwrap()
        .unwrap();

    let mut next = whole.clone();
    next["metadata"]["labels"] = json!({"version": "2"});
    let applied = stage.apply(&next).await.unwrap();
    assert_eq!(
        told(&applied.contested),
        [".rules clusterrole-aggregation-controller Real Yielded wellKnownOwners/aggregated-cluster-role-rules"]
    );
    assert_eq!(stage.live(&whole).await["rules"][0]["resources"], json!(["pods"]));
}

#[tokio::test]
async fn the_revision_that_the_controller_counts_is_left_to_it() {
    let mut stage = Stage::open("revision").await;
    let mut chart = deployment(1, "app:1");
    stage.apply(&chart).await.unwrap();
    let key = "deployment.kubernetes.io/revision";
    let (api, name) = stage.api(&chart).await;
    let counted = |object: Option<&kube::api::DynamicObject>| {
        object
            .and_then(|object| object.metadata.annotations.as_ref())
            .is_some_and(|annotations| annotations.contains_key(key))
    };
    tokio::time::timeout(Duration::from_mins(1), await_condition(api, &name, counted))
        .await
        .unwrap()
        .unwrap();

    // The real controller writes the annotation together with the status.
    chart["metadata"]["annotations"] = json!({key: "9"});
    let applied = stage.apply(&chart).await.unwrap();
    let field = format!(".metadata.annotations[\"{key}\"]");
    let expected = format!("{field} kube-controller-manager Real Yielded wellKnownOwners/deployment-revision");
    assert_eq!(told(&applied.contested), [expected]);
    assert_eq!(stage.live(&chart).await["metadata"]["annotations"][key], json!("1"));
}

pub(crate) async fn row_39_a_fight_is_broken(seen: Seen) {
    let mut stage = Stage::of(&seen).await;
    stage.policy.on_conflict = OnConflict::Force;
    let map = config_map("fought", json!({"mode": "ours"}));
    stage.apply(&map).await.unwrap();
    let mut fights = fairlead::ownership::fights::Fights::default();
    let mut rounds = 0;
    while fights.going_on(moment().now).is_empty() {
        rounds += 1;
        assert!(rounds < 10);
        stage
            .apply_as("argocd-controller", &config_map("fought", json!({"mode": "theirs"})))
            .await;
        let applied = stage.apply(&map).await.unwrap();
        fights.observe(&applied.reference, &applied.contested, 5, moment().now);
    }
    assert_eq!(rounds, 5);
    stage
        .apply_as("argocd-controller", &config_map("fought", json!({"mode": "theirs"})))
        .await;
    let breaker = fights
        .going_on(moment().now)
        .pop()
        .unwrap()
        .breaker(OnConflict::HandOff);
    stage.policy.release_rules.insert(0, breaker);
    let error = stage.apply(&map).await.unwrap_err().to_string();
    assert!(
        error.contains(".data.mode is owned by argocd-controller (Real, HandedOff by fights)"),
        "{error}"
    );
}

pub(crate) async fn row_39_another_fairlead_release_is_a_sibling(seen: Seen) {
    let mut stage = Stage::of(&seen).await;
    let map = config_map("shared", json!({"mode": "a"}));
    stage.apply(&map).await.unwrap();
    stage
        .apply_as("fairlead:prod/other", &config_map("shared", json!({"mode": "b"})))
        .await;
    let decided = stage.apply_all(std::slice::from_ref(&map)).await.unwrap_err();
    let contest = decided.contests().next().unwrap();
    assert_eq!(
        (contest.contested.class, contest.contested.rule.as_str()),
        (Class::Sibling, "onConflict")
    );
    assert_eq!(stage.live(&map).await["data"]["mode"], json!("b"));
    stage.rule(&[".data"], &["fairlead:prod/.*"], OnConflict::Force);
    stage.apply(&map).await.unwrap();
    assert_eq!(stage.live(&map).await["data"]["mode"], json!("a"));
}

pub(crate) async fn row_40_what_admission_changes_is_reported(seen: Seen) {
    let mut stage = Stage::of(&seen).await;
    let name = format!("stamp-{}", stage.namespace.name());
    let policy = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicy", "metadata": {"name": name}, "spec": {
        "matchConstraints": {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}]},
        "matchConditions": [{"name": "ours", "expression": format!("object.metadata.namespace == '{}' && object.metadata.name == 'stamped'", stage.namespace.name())}],
        "failurePolicy": "Fail", "reinvocationPolicy": "Never",
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": "[JSONPatch{op: 'replace', path: '/data/mode', value: 'enforced'}]"}}]}});
    let binding = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicyBinding", "metadata": {"name": name}, "spec": {"policyName": name}});
    for object in [&policy, &binding] {
        let api = stage
            .kinds
            .resolve("admissionregistration.k8s.io/v1", object["kind"].as_str().unwrap())
            .await
            .unwrap()
            .api;
        let api: Api<kube::api::DynamicObject> = Api::all_with(stage.client.clone(), &api);
        api.create(
            &kube::api::PostParams::default(),
            &serde_json::from_value(object.clone()).unwrap(),
        )
        .await
        .unwrap();
    }
    let map = config_map("stamped", json!({"mode": "ours", "other": "1"}));
    // The server takes a moment until it knows the policy.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    let mut round = 0;
    let overridden = loop {
        round += 1;
        let applied = stage
            .apply(&config_map(
                "stamped",
                json!({"mode": "ours", "other": round.to_string()}),
            ))
            .await
            .unwrap();
        if !applied.overridden_by_admission.is_empty() {
            break applied.overridden_by_admission;
        }
        assert!(tokio::time::Instant::now() < deadline, "the policy never took effect");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    for kind in ["MutatingAdmissionPolicyBinding", "MutatingAdmissionPolicy"] {
        let api = stage
            .kinds
            .resolve("admissionregistration.k8s.io/v1", kind)
            .await
            .unwrap()
            .api;
        let api: Api<kube::api::DynamicObject> = Api::all_with(stage.client.clone(), &api);
        api.delete(&name, &kube::api::DeleteParams::default()).await.unwrap();
    }
    let [field] = overridden.as_slice() else {
        panic!("{overridden:?}")
    };
    assert_eq!(
        (field.path.to_string().as_str(), field.ours.as_json()),
        (".data.mode", &json!("ours"))
    );
    assert_eq!(field.live.as_ref().unwrap().as_json(), &json!("enforced"));
    assert_eq!(stage.live(&map).await["data"]["mode"], json!("enforced"));
}
