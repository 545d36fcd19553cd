//! Operators and clouds that write into objects of a chart: autoscalers, rollouts, what fills Secrets and lists.

use serde_json::{Value, json};

use super::play::Play;
use super::seen::Seen;
use super::stage::{config_map, deployment};
use crate::support::Result;

pub(crate) async fn row_04_keda_scales_with_an_autoscaler_of_its_own(seen: Seen) -> Result {
    let chart = deployment(3, "app:1");
    let play = Play::of(&seen, std::slice::from_ref(&chart)).await?;
    // While the ScaledObject is paused, KEDA writes by itself.
    let zero = json!({"spec": {"replicas": 0}});
    play.stage.patch_as("keda-operator", &chart, &zero).await;
    play.tells(&[".spec.replicas keda-operator Real Yielded by wellKnownOwners/keda-replicas"])
        .await?;
    // Then its autoscaler does, through the scale subresource.
    play.stage.scale_as("kube-controller-manager", &chart, 7).await;
    play.wants(&[deployment(3, "app:2")]).await?;
    play.tells(&[".spec.replicas kube-controller-manager Real Yielded by wellKnownOwners/hpa-replicas"])
        .await?;
    play.is_ready().await?;
    let live = play.live(&chart).await;
    assert_eq!(live["spec"]["replicas"], json!(7));
    assert_eq!(
        live["spec"]["template"]["spec"]["containers"][0]["image"],
        json!("app:2")
    );
    assert_eq!(
        play.owners(&chart, ".spec.replicas").await?,
        ["kube-controller-manager Update"]
    );
    Ok(())
}

pub(crate) async fn row_05_the_vertical_autoscaler_sizes_containers(seen: Seen) -> Result {
    let mut chart = deployment(1, "app:1");
    chart["spec"]["template"]["spec"]["containers"][0]["resources"] =
        json!({"requests": {"cpu": "100m", "memory": "64Mi"}});
    let play = Play::of(&seen, std::slice::from_ref(&chart)).await?;
    let sized = json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "resources": {"requests": {"cpu": "250m"}}}]}}}});
    play.stage.strategic_patch_as("vpa-updater", &chart, &sized).await;
    let cpu = ".spec.template.spec.containers[name=\"app\"].resources.requests.cpu";
    let told = format!("{cpu} vpa-updater Real Yielded by wellKnownOwners/vpa-resources");
    play.tells(&[&told]).await?;
    chart["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["memory"] = json!("128Mi");
    play.wants(std::slice::from_ref(&chart)).await?;
    play.is_ready().await?;
    play.tells(&[&told]).await?;
    let live = play.live(&chart).await;
    assert_eq!(
        live["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"],
        json!({"cpu": "250m", "memory": "128Mi"})
    );
    assert_eq!(play.owners(&chart, cpu).await?, ["vpa-updater Update"]);
    Ok(())
}

fn service(selector: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": selector, "ports": [{"name": "http", "port": 80}]}})
}

pub(crate) async fn row_07_a_rollout_extends_a_selector(seen: Seen) -> Result {
    let chart = service(&json!({"app": "web"}));
    let play = Play::of(&seen, std::slice::from_ref(&chart)).await?;
    let hash = json!({"spec": {"selector": {"rollouts-pod-template-hash": "abc"}}});
    play.stage.patch_as("rollouts-controller", &chart, &hash).await;
    play.tells(&[".spec.selector rollouts-controller Real Yielded by wellKnownOwners/rollouts-service-selector"])
        .await?;
    play.is_ready().await?;
    let selector = json!({"app": "web", "rollouts-pod-template-hash": "abc"});
    assert_eq!(play.live(&chart).await["spec"]["selector"], selector);
    assert_eq!(
        play.owners(&chart, ".spec.selector").await?,
        ["rollouts-controller Update"]
    );
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

pub(crate) async fn row_34_an_operator_completes_the_items_of_an_atomic_list(seen: Seen) -> Result {
    let mut play = Play::open(&seen).await?;
    let group = format!("{}.example.com", play.stage.namespace.name());
    let definition = definition(&group);
    let search = |count: u32| {
        json!({"apiVersion": format!("{group}/v1"), "kind": "Search", "metadata": {"name": "logs"},
            "spec": {"nodeSets": [{"name": "hot", "count": count}]}})
    };
    play.wants(&[definition.clone(), search(3)]).await?;
    play.is_ready().await?;
    let completed = json!([{"name": "hot", "count": 3, "config": {"store": "mmap"}}]);
    play.stage
        .patch_as(
            "elastic-operator",
            &search(3),
            &json!({"spec": {"nodeSets": completed}}),
        )
        .await;
    // Our items are there, with more in them: what the operator added stays, and the list is ours as well.
    play.tells(&[".spec.nodeSets elastic-operator Phantom Resolved by phantom"])
        .await?;
    assert_eq!(play.live(&search(3)).await["spec"]["nodeSets"], completed);
    assert_eq!(
        play.owners(&search(3), ".spec.nodeSets").await?,
        ["elastic-operator Update".to_owned(), play.ours()]
    );
    // Another count is another wish: the policy decides.
    play.wants(&[definition.clone(), search(5)]).await?;
    play.tells(&[".spec.nodeSets elastic-operator Real Failed by onConflict"])
        .await?;
    play.is_not_ready(&[".spec.nodeSets of elastic-operator"]).await?;
    assert_eq!(play.live(&search(3)).await["spec"]["nodeSets"], completed);
    play.ownership(
        json!({"rules": [{"paths": [".spec.nodeSets"], "managers": ["elastic-operator"], "onConflict": "Force"}]}),
    );
    play.wants(&[definition, search(5)]).await?;
    play.tells(&[".spec.nodeSets elastic-operator Real Forced by rules[0]"])
        .await?;
    assert_eq!(play.live(&search(3)).await["spec"]["nodeSets"][0]["count"], json!(5));
    play.ends().await
}

pub(crate) async fn row_35_an_operator_fills_a_secret(seen: Seen) -> Result {
    let chart = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "certs"},
        "data": {"ca.crt": "", "own": "b3du"}});
    let play = Play::of(&seen, std::slice::from_ref(&chart)).await?;
    let filled = json!({"data": {"ca.crt": "Y29ycmVjdC1ob3JzZQ=="}});
    play.stage.patch_as("jobset", &chart, &filled).await;
    let field = ".data[\"ca.crt\"]";
    let release = play
        .tells(&[&format!("{field} jobset Real Yielded by wellKnownOwners/filled-secret")])
        .await?;
    play.is_ready().await?;
    assert_eq!(play.live(&chart).await["data"]["ca.crt"], json!("Y29ycmVjdC1ob3JzZQ=="));
    assert_eq!(play.owners(&chart, field).await?, ["jobset Update"]);
    let shown = serde_json::to_string(&release)?;
    assert!(
        !shown.contains("Y29ycmVjdC1ob3JzZQ") && !shown.contains("correct-horse"),
        "{shown}"
    );
    Ok(())
}

pub(crate) async fn row_36_an_add_on_is_configured_by_its_cloud(seen: Seen) -> Result {
    let env = json!([{"name": "ENABLE_PREFIX_DELEGATION", "value": "false"}, {"name": "LOG", "value": "debug"}]);
    let pods = json!({"metadata": {"labels": {"app": "cni"}},
        "spec": {"containers": [{"name": "aws-node", "image": "cni:1", "env": env}]}});
    let chart = json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "aws-node"},
        "spec": {"selector": {"matchLabels": {"app": "cni"}}, "template": pods}});
    let play = Play::of(&seen, std::slice::from_ref(&chart)).await?;
    let set = json!({"spec": {"template": {"spec": {"containers": [{"name": "aws-node",
        "env": [{"name": "ENABLE_PREFIX_DELEGATION", "value": "true"}]}]}}}});
    play.stage.strategic_patch_as("eks", &chart, &set).await;
    let field = ".spec.template.spec.containers[name=\"aws-node\"].env[name=\"ENABLE_PREFIX_DELEGATION\"].value";
    play.tells(&[&format!("{field} eks Real Yielded by wellKnownOwners/eks-vpc-cni")])
        .await?;
    play.is_ready().await?;
    assert_eq!(play.owners(&chart, field).await?, ["eks Update"]);
    let live = play.live(&chart).await;
    let env = &live["spec"]["template"]["spec"]["containers"][0]["env"];
    assert_eq!((&env[0]["value"], &env[1]["value"]), (&json!("true"), &json!("debug")));
    Ok(())
}

pub(crate) async fn row_38_a_cloud_adds_to_a_config_map(seen: Seen) -> Result {
    let chart = config_map("aws-auth", json!({"mapRoles": "- ours", "mapUsers": "[]"}));
    let play = Play::of(&seen, std::slice::from_ref(&chart)).await?;
    let added = json!({"data": {"mapRoles": "- ours\n- theirs"}});
    play.stage.patch_as("vpcLambda", &chart, &added).await;
    play.tells(&[".data.mapRoles vpcLambda Real Yielded by wellKnownOwners/eks-aws-auth"])
        .await?;
    play.is_ready().await?;
    assert_eq!(play.live(&chart).await["data"]["mapRoles"], json!("- ours\n- theirs"));
    assert_eq!(play.owners(&chart, ".data.mapRoles").await?, ["vpcLambda Update"]);
    Ok(())
}

pub(crate) async fn row_38_an_allocated_port_belongs_to_nobody(seen: Seen) -> Result {
    let mut chart = service(&json!({"app": "web"}));
    chart["spec"]["type"] = json!("NodePort");
    let play = Play::of(&seen, std::slice::from_ref(&chart)).await?;
    let allocated = play.live(&chart).await["spec"]["ports"][0]["nodePort"].clone();
    assert!(allocated.is_u64(), "{allocated}");
    chart["spec"]["ports"][0]["nodePort"] = allocated.clone();
    play.wants(std::slice::from_ref(&chart)).await?;
    play.tells_nothing().await?;
    assert_eq!(play.live(&chart).await["spec"]["ports"][0]["nodePort"], allocated);
    let field = ".spec.ports[port=80,protocol=\"TCP\"].nodePort";
    assert_eq!(play.owners(&chart, field).await?, [play.ours()]);
    Ok(())
}
