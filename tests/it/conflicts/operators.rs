//! Operators and clouds that write into objects of a chart: autoscalers, rollouts, what fills Secrets and lists.

use serde_json::{Value, json};

use super::contest::{OURS, contest};
use super::play::Play;
use super::stage::{config_map, deployment};
use crate::support::Result;

pub(crate) async fn row_04_keda_scales_with_an_autoscaler_of_its_own(play: &mut Play) -> Result {
    let chart = deployment(3, "app:1");
    play.installs(std::slice::from_ref(&chart)).await?;
    // While the ScaledObject is paused, KEDA writes by itself.
    let zero = json!({"spec": {"replicas": 0}});
    play.stage.patch_as("keda-operator", &chart, &zero).await;
    let keda = ".spec.replicas keda-operator Real Yielded by wellKnownOwners/keda-replicas";
    play.tells(&[contest(&chart, keda, 0, &["keda-operator Update"])])
        .await?;
    // Then its autoscaler does, through the scale subresource.
    play.stage.scale_as("kube-controller-manager", &chart, 7).await;
    play.wants(&[deployment(3, "app:2")]).await?;
    let autoscaler = ".spec.replicas kube-controller-manager Real Yielded by wellKnownOwners/hpa-replicas";
    play.tells(&[contest(&chart, autoscaler, 7, &["kube-controller-manager Update"])])
        .await?;
    let image = ".spec.template.spec.containers[name=\"app\"].image";
    play.holds(&chart, image, "app:2", &[OURS]).await
}

pub(crate) async fn row_05_the_vertical_autoscaler_sizes_containers(play: &mut Play) -> Result {
    let mut chart = deployment(1, "app:1");
    chart["spec"]["template"]["spec"]["containers"][0]["resources"] =
        json!({"requests": {"cpu": "100m", "memory": "64Mi"}});
    play.installs(std::slice::from_ref(&chart)).await?;
    let sized = json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "resources": {"requests": {"cpu": "250m"}}}]}}}});
    play.stage.strategic_patch_as("vpa-updater", &chart, &sized).await;
    let requests = ".spec.template.spec.containers[name=\"app\"].resources.requests";
    let line = format!("{requests}.cpu vpa-updater Real Yielded by wellKnownOwners/vpa-resources");
    let left = contest(&chart, &line, "250m", &["vpa-updater Update"]);
    play.tells(std::slice::from_ref(&left)).await?;
    chart["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["memory"] = json!("128Mi");
    play.wants(std::slice::from_ref(&chart)).await?;
    play.tells(&[left]).await?;
    play.holds(&chart, &format!("{requests}.memory"), "128Mi", &[OURS])
        .await
}

fn service(selector: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": selector, "ports": [{"name": "http", "port": 80}]}})
}

pub(crate) async fn row_07_a_rollout_extends_a_selector(play: &mut Play) -> Result {
    let chart = service(&json!({"app": "web"}));
    play.installs(std::slice::from_ref(&chart)).await?;
    let hash = json!({"spec": {"selector": {"rollouts-pod-template-hash": "abc"}}});
    play.stage.patch_as("rollouts-controller", &chart, &hash).await;
    let line = ".spec.selector rollouts-controller Real Yielded by wellKnownOwners/rollouts-service-selector";
    let selector = json!({"app": "web", "rollouts-pod-template-hash": "abc"});
    play.tells(&[contest(&chart, line, selector, &["rollouts-controller Update"])])
        .await?;
    Ok(())
}

/// The definition of a kind with a list that is one value as a whole.
fn definition(group: &str) -> Value {
    let nodes = json!({"type": "array", "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": format!("searches.{group}")},
        "spec": {"group": group, "scope": "Namespaced", "names": {"kind": "Search", "plural": "searches", "singular": "search", "listKind": "SearchList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object",
                "properties": {"spec": {"type": "object", "properties": {"nodeSets": nodes}}}}}}]}})
}

pub(crate) async fn row_34_an_operator_completes_the_items_of_an_atomic_list(play: &mut Play) -> Result {
    let group = format!("{}.example.com", play.stage.namespace.name());
    let definition = definition(&group);
    let search = |count: u32| {
        json!({"apiVersion": format!("{group}/v1"), "kind": "Search", "metadata": {"name": "logs"},
            "spec": {"nodeSets": [{"name": "hot", "count": count}]}})
    };
    play.installs(&[definition.clone(), search(3)]).await?;
    let completed = json!([{"name": "hot", "count": 3, "config": {"store": "mmap"}}]);
    let patch = json!({"spec": {"nodeSets": completed}});
    play.stage.patch_as("elastic-operator", &search(3), &patch).await;
    // Our items are there, with more in them: what the operator added stays, and the list is ours as well.
    let line = ".spec.nodeSets elastic-operator Phantom Resolved by phantom";
    let both = ["elastic-operator Update", OURS];
    play.tells(&[contest(&search(3), line, completed.clone(), &both)])
        .await?;
    // Another count is another wish: the policy decides.
    play.wants(&[definition.clone(), search(5)]).await?;
    let line = ".spec.nodeSets elastic-operator Real Failed by onConflict";
    play.tells(&[contest(&search(5), line, completed, &both)]).await?;
    let rule = json!({"paths": [".spec.nodeSets"], "managers": ["elastic-operator"], "onConflict": "Force"});
    play.ownership(json!({"rules": [rule]}));
    play.wants(&[definition, search(5)]).await?;
    let line = ".spec.nodeSets elastic-operator Real Forced by rules[0]";
    let wanted = json!([{"name": "hot", "count": 5}]);
    play.tells(&[contest(&search(5), line, wanted, &[OURS])]).await?;
    Ok(())
}

pub(crate) async fn row_35_an_operator_fills_a_secret(play: &mut Play) -> Result {
    let chart = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "certs"},
        "data": {"ca.crt": "", "own": "b3du"}});
    play.installs(std::slice::from_ref(&chart)).await?;
    let filled = json!({"data": {"ca.crt": "Y29ycmVjdC1ob3JzZQ=="}});
    play.stage.patch_as("jobset", &chart, &filled).await;
    let line = ".data[\"ca.crt\"] jobset Real Yielded by wellKnownOwners/filled-secret";
    play.tells(&[contest(&chart, line, "Y29ycmVjdC1ob3JzZQ==", &["jobset Update"])])
        .await?;
    Ok(())
}

pub(crate) async fn row_36_an_add_on_is_configured_by_its_cloud(play: &mut Play) -> Result {
    let env = json!([{"name": "ENABLE_PREFIX_DELEGATION", "value": "false"}, {"name": "LOG", "value": "debug"}]);
    let pods = json!({"metadata": {"labels": {"app": "cni"}},
        "spec": {"containers": [{"name": "aws-node", "image": "cni:1", "env": env}]}});
    let chart = json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "aws-node"},
        "spec": {"selector": {"matchLabels": {"app": "cni"}}, "template": pods}});
    play.installs(std::slice::from_ref(&chart)).await?;
    let set = json!({"spec": {"template": {"spec": {"containers": [{"name": "aws-node",
        "env": [{"name": "ENABLE_PREFIX_DELEGATION", "value": "true"}]}]}}}});
    play.stage.strategic_patch_as("eks", &chart, &set).await;
    let env = ".spec.template.spec.containers[name=\"aws-node\"].env";
    let line =
        format!("{env}[name=\"ENABLE_PREFIX_DELEGATION\"].value eks Real Yielded by wellKnownOwners/eks-vpc-cni");
    play.tells(&[contest(&chart, &line, "true", &["eks Update"])]).await?;
    play.holds(&chart, &format!("{env}[name=\"LOG\"].value"), "debug", &[OURS])
        .await
}

pub(crate) async fn row_38_a_cloud_adds_to_a_config_map(play: &mut Play) -> Result {
    let chart = config_map("aws-auth", json!({"mapRoles": "- ours", "mapUsers": "[]"}));
    play.installs(std::slice::from_ref(&chart)).await?;
    let added = json!({"data": {"mapRoles": "- ours\n- theirs"}});
    play.stage.patch_as("vpcLambda", &chart, &added).await;
    let line = ".data.mapRoles vpcLambda Real Yielded by wellKnownOwners/eks-aws-auth";
    play.tells(&[contest(&chart, line, "- ours\n- theirs", &["vpcLambda Update"])])
        .await?;
    Ok(())
}

pub(crate) async fn row_38_an_allocated_port_belongs_to_nobody(play: &mut Play) -> Result {
    let mut chart = service(&json!({"app": "web"}));
    chart["spec"]["type"] = json!("NodePort");
    play.installs(std::slice::from_ref(&chart)).await?;
    let allocated = play.live(&chart).await["spec"]["ports"][0]["nodePort"].clone();
    let field = ".spec.ports[port=80,protocol=\"TCP\"].nodePort";
    play.holds(&chart, field, allocated.clone(), &[]).await?;
    chart["spec"]["ports"][0]["nodePort"] = allocated.clone();
    play.wants(std::slice::from_ref(&chart)).await?;
    play.tells_nothing().await?;
    play.holds(&chart, field, allocated, &[OURS]).await
}
